// SPDX-License-Identifier: GPL-2.0-only

//! New rules on a running cluster: when they come into force, and what becomes of buckets that mean something else
//! under them.

use super::world::*;
use nlb_core::config::{Rules, SlotKind, SlotSet};
use nlb_core::event::Event;
use nlb_core::genl::Affinity;
use nlb_core::node::{Command, CommandError};
use nlb_core::rules::{kept, FilteringMode, Protocols, Rule, Slots, Track};
use nlb_core::store::Sizes;

fn three() -> World {
    let mut world = World::new(3);
    world.start_all();
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1, 2]));
    world
}

/// Rules of `slots` slots, of which `keep` are as before.
fn rules(digest: u64, slots: u16, keep: &[u16]) -> Rules {
    let mut rules = Rules::one(digest, 50);
    rules.slots = slots;
    for slot in 0..usize::from(slots) {
        rules.weights[slot] = 50;
    }
    for slot in keep {
        rules.kept.insert(*slot);
    }
    rules
}

fn in_force(world: &World, digest: u64) -> bool {
    let mut nodes = world.nodes.iter();
    nodes.all(|node| node.config().rules.digest == digest)
}

#[test]
fn a_host_that_takes_no_part_changes_its_rules_at_once() {
    let mut world = World::new(1);
    world.command(0, Command::Stage(rules(7, 2, &[])));
    assert_eq!(world.nodes[0].config().rules.digest, 7);
    assert_eq!(world.nodes[0].pending(), 0);
    assert_eq!(world.events[0], [Event::RulesActivated { digest: 7 }]);
}

#[test]
fn a_host_alone_changes_its_rules_within_the_command() {
    let mut world = World::new(1);
    world.start_all();
    world.run_to(10 * PERIOD, |world| world.serves(&[0]));
    world.command(0, Command::Stage(rules(7, 2, &[])));
    assert_eq!(world.nodes[0].config().rules.digest, 7);
    assert!(world.serves(&[0]));
    // There is nobody else whose sessions it has to leave alone, but its own may be in any bucket.
    assert_eq!(world.nodes[0].owned_word(1, 3), u64::MAX);
    assert_eq!(world.nodes[0].moved_word(1, 3), 0);
    assert_eq!(world.nodes[0].others_word(1, 3), 0);
}

/// Between the release of the old rules' buckets and the commit, no host serves a bucket of a slot that means
/// something else while another serves it already under the new rules.
#[test]
fn no_packet_has_an_owner_under_the_old_rules_and_another_under_the_new() {
    let mut world = three();
    let new = rules(7, 2, &[0]);
    for index in 0..3 {
        world.command(index, Command::Stage(new));
    }
    let owns = |world: &World, index: usize, slot: u16| {
        let node = &world.nodes[index];
        (0..4).any(|word| node.owned_word(slot, word) != 0)
    };
    let mut mixed = 0;
    for _ in 0..4 * PERIOD / 100_000 {
        world.run(100_000);
        let new: Vec<_> = world
            .nodes
            .iter()
            .map(|node| node.config().rules.digest == 7)
            .collect();
        if new.iter().any(|new| *new) && !new.iter().all(|new| *new) {
            mixed += 1;
            for index in (0..3).filter(|index| !new[*index]) {
                assert!(!owns(&world, index, 1), "{}", world.summary());
                assert!(owns(&world, index, 0), "{}", world.summary());
            }
        }
    }
    assert!(mixed > 0, "the commit reached all hosts at one moment");
    assert!(in_force(&world, 7));
}

#[test]
fn slots_that_mean_something_else_have_moved_and_the_others_have_not() {
    let mut world = three();
    let first = rules(7, 3, &[0]);
    for index in 0..3 {
        world.command(index, Command::Stage(first));
    }
    world.run_to(4 * PERIOD, |world| in_force(world, 7));
    // What moved when the cluster formed is forgotten.
    world.walk_all();
    world.run(2 * PERIOD);
    for index in 0..3 {
        for slot in 0..3 {
            assert_eq!(world.nodes[index].moved_word(slot, 0), 0);
        }
    }
    let second = rules(8, 3, &[0, 2]);
    for index in 0..3 {
        world.command(index, Command::Stage(second));
    }
    world.run_to(4 * PERIOD, |world| in_force(world, 8));
    world.run_to(PERIOD, |world| world.serves(&[0, 1, 2]));
    world.run(10 * MS);
    for node in &world.nodes {
        for word in 0..4 {
            assert_eq!(node.moved_word(0, word), 0);
            assert_eq!(node.moved_word(1, word), u64::MAX);
            assert_eq!(node.moved_word(2, word), 0);
            // Any other host may have sessions of what this one owns.
            assert_eq!(node.others_word(1, word), node.owned_word(1, word));
        }
    }
    world.crash(1);
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 2]));
    world.crash(2);
    world.run_to(10 * PERIOD, |world| world.serves(&[0]));
    assert_eq!(world.nodes[0].others_word(1, 0), 0, "nobody is left");
}

#[test]
fn rules_may_become_fewer_and_more_again() {
    let mut world = three();
    for (digest, slots) in [(7, 4), (8, 1), (9, 3)] {
        for index in 0..3 {
            world.command(index, Command::Stage(rules(digest, slots, &[])));
        }
        world.run_to(4 * PERIOD, |world| in_force(world, digest));
        world.run_to(PERIOD, |world| world.serves(&[0, 1, 2]));
        let nobody = |slot| {
            world
                .nodes
                .iter()
                .all(|node| (0..4).all(|word| node.owned_word(slot, word) == 0))
        };
        assert_eq!(nobody(1), slots < 2);
        assert_eq!(nobody(3), slots < 4);
    }
}

#[test]
fn staged_rules_cannot_be_withdrawn_while_they_are_put_in_force() {
    let mut world = three();
    for index in 0..3 {
        world.command(index, Command::Stage(rules(7, 2, &[])));
    }
    let tried = |world: &World, index: usize, command| {
        let mut node = world.nodes[index].clone();
        node.handle_command(world.now, command, 1)
    };
    let others = Command::Stage(rules(8, 2, &[]));
    // The same rules with another weight are no other rules.
    let mut same = rules(7, 2, &[]);
    same.weights[0] = 10;
    let mut refusals = [0; 3];
    for _ in 0..4 * PERIOD / 100_000 {
        world.run(100_000);
        for (index, refusals) in refusals.iter_mut().enumerate() {
            let staged = world.nodes[index].pending() == 7;
            let refused = Err(CommandError::Changing);
            let unstage = tried(&world, index, Command::Unstage);
            assert_eq!(unstage, tried(&world, index, others));
            assert!(staged || unstage.is_ok());
            assert_eq!(tried(&world, index, Command::Stage(same)), Ok(()));
            *refusals += u32::from(unstage == refused);
        }
    }
    assert!(in_force(&world, 7));
    // A member that has acknowledged the proposal, and the leader itself, for three frames' time.
    assert!(
        refusals.iter().all(|n| (10..60).contains(n)),
        "{refusals:?}"
    );
}

/// A host that has missed a change of the rules is about to join one that missed it as well, and meets one that did not.
#[test]
fn rules_that_were_missed_come_into_force_with_no_proposal_under_the_old_ones() {
    const NEW: u64 = 7;
    let cut = |world: &mut World, a: usize, b: usize, is_cut: bool| {
        world.cut[a][b] = is_cut;
        world.cut[b][a] = is_cut;
    };
    let mut joined = [0; 2];
    for step in 0..2400 {
        let mut world = World::new(3);
        // Apart from each other two hosts serve the same buckets.
        world.check_owners = false;
        world.command(0, Command::Stage(rules(NEW, 2, &[])));
        world.command(2, Command::Stage(rules(1, 1, &[])));
        for (a, b) in [(0, 1), (0, 2)] {
            cut(&mut world, a, b, true);
        }
        world.start(0);
        world.start(1);
        world.run_to(10 * PERIOD, |world| world.serves(&[0]));
        world.run_to(10 * PERIOD, |world| world.serves(&[1]));
        let old = world.nodes[1].config().rules.digest;
        assert_ne!(old, NEW);
        assert_eq!(world.nodes[2].config().rules.digest, old);
        world.start(2);
        world.command(2, Command::Stage(rules(NEW, 2, &[])));
        assert_eq!(world.nodes[2].pending(), NEW);
        world.run(step * world.delay / 4);
        cut(&mut world, 0, 2, false);
        for _ in 0..4 * PERIOD / 100_000 {
            world.run(100_000);
            let node = &world.nodes[2];
            for (leader, count) in joined.iter_mut().enumerate() {
                let other = &world.nodes[leader];
                if !node.generation().is_none() && node.generation() == other.generation() {
                    *count += 1;
                    let (mine, theirs) = (node.config(), other.config());
                    assert_eq!(mine.rules.digest, theirs.rules.digest, "step {step}");
                }
            }
        }
    }
    assert!(joined.iter().all(|joined| *joined > 0), "{joined:?}");
}

#[test]
fn a_larger_storage_takes_the_place_of_a_smaller_one() {
    let mut world = three();
    let before: Vec<_> = world
        .nodes
        .iter()
        .map(|node| node.map(0).to_vec())
        .collect();
    let large = Sizes::new(64, 65, 256);
    for node in &mut world.nodes {
        assert_eq!(node.slots_room(), 4);
        node.enlarge(Tables::new(large)).unwrap();
        assert_eq!(node.slots_room(), 65);
        node.enlarge(Tables::new(Sizes::new(64, 4, 256)))
            .unwrap_err();
        node.enlarge(Tables::new(Sizes::new(63, 65, 256)))
            .unwrap_err();
    }
    assert!(world.serves(&[0, 1, 2]));
    for (node, before) in world.nodes.iter().zip(&before) {
        assert_eq!(node.map(0), before);
    }
    assert!(!world.nodes[0].history().next().unwrap().members.is_empty());
    for index in 0..3 {
        world.command(index, Command::Stage(rules(7, 65, &[0])));
    }
    world.run_to(4 * PERIOD, |world| in_force(world, 7));
    world.run_to(PERIOD, |world| world.serves(&[0, 1, 2]));
    assert!(world.nodes[1].map(64).iter().all(|owner| *owner != 0));
    // A host that comes back has to fetch all of them.
    world.crashed[2] = true;
    let config = *world.nodes[0].config();
    world.nodes[2] = nlb_core::node::Node::new(
        &nlb_core::config::Config {
            host: nlb_core::host::HostId::new(3).unwrap(),
            ..config
        },
        Tables::new(large),
    )
    .unwrap();
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1]));
    world.start(2);
    world.run_to(20 * PERIOD, |world| world.serves(&[0, 1, 2]));
    assert_eq!(world.nodes[2].map(64), world.nodes[0].map(64));
}

fn https() -> Rule {
    Rule {
        protocols: Protocols::Tcp,
        first_port: 443,
        last_port: 443,
        ..Rule::all(Affinity::Single)
    }
}

fn slots(set: SlotSet) -> Vec<usize> {
    (0..70).filter(|slot| set.contains(*slot)).collect()
}

#[test]
fn a_slot_is_kept_if_the_same_packets_fall_into_the_same_buckets() {
    let all = Rule::all(Affinity::Single);
    let web = Rule {
        first_port: 80,
        last_port: 80,
        ..https()
    };
    assert_eq!(slots(kept(&[all], &[all])), [0, 1]);
    // What one host does about a rule, and what is tracked, changes no bucket.
    let tracked = Rule {
        track: Track::On,
        ..all
    };
    assert_eq!(slots(kept(&[all], &[tracked])), [0, 1]);
    // Prefixes count where they are looked at.
    let prefix = |affinity| {
        [Rule {
            prefix_v4: 16,
            ..Rule::all(affinity)
        }]
    };
    assert_eq!(slots(kept(&[all], &prefix(Affinity::Single))), [0, 1]);
    assert_eq!(
        slots(kept(
            &[Rule::all(Affinity::Network)],
            &prefix(Affinity::Network)
        )),
        [1]
    );
    for other in [
        Rule {
            affinity: Affinity::None,
            ..web
        },
        Rule {
            mode: FilteringMode::Single,
            ..web
        },
    ] {
        // The slot of the default host has the same packets as before.
        assert_eq!(slots(kept(&[https(), web], &[https(), other])), [0, 2]);
    }
    for other in [
        Rule {
            last_port: 81,
            ..web
        },
        Rule {
            protocols: Protocols::Both,
            ..web
        },
        Rule {
            vip: Some([192, 0, 2, 10].into()),
            ..web
        },
    ] {
        assert_eq!(slots(kept(&[https(), web], &[https(), other])), [0]);
    }
    // A rule more takes something from the default host; a rule less gives it something.
    assert_eq!(slots(kept(&[https()], &[https(), web])), [0]);
    assert_eq!(slots(kept(&[https(), web], &[https()])), [0]);
    assert_eq!(slots(kept(&[https(), web], &[web, https()])), [2]);
    // What has no ports goes with the rule for everything, and so moves with it.
    assert_eq!(slots(kept(&[all], &[])), [0usize; 0]);
    assert_eq!(
        Slots::of(&[https(), web]),
        Slots {
            default: 2,
            spread: 2
        }
    );
    assert_eq!(
        Slots::of(&[all]),
        Slots {
            default: 1,
            spread: 0
        }
    );
    assert_eq!(Slots::of(&[]).count(), 1);
    assert_eq!(all.slot_kind(), SlotKind::Weighted);
}
