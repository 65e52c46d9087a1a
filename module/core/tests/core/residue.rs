// SPDX-License-Identifier: GPL-2.0-only

//! Residue: who stays silent for whom while buckets move, frames get lost, and hosts come and go.

use super::world::*;
use nlb_core::config::SlotSet;
use nlb_core::host::{HostId, HostSet};
use nlb_core::node::{Command, Tally};
use nlb_core::time::Instant;

const WORDS: u16 = 4;

fn cluster(hosts: usize) -> World {
    let mut world = World::new(hosts);
    world.start_all();
    let all: Vec<usize> = (0..hosts).collect();
    world.run_to(10 * PERIOD, |world| world.serves(&all));
    quiet(&mut world);
    world
}

/// Until nobody has residue, and all know it.
fn quiet(world: &mut World) {
    world.run(PERIOD);
    world.walk_all();
    world.run(3 * PERIOD);
    for node in world.nodes.iter().filter(|node| owned(node) != 0) {
        assert_eq!(moved(node), 0, "{}", world.summary());
    }
}

fn moved(node: &nlb_core::node::Node<Tables>) -> u32 {
    let words = (0..WORDS).map(|word| node.moved_word(0, word).count_ones());
    words.sum()
}

fn others(node: &nlb_core::node::Node<Tables>) -> u32 {
    let words = (0..WORDS).map(|word| node.others_word(0, word).count_ones());
    words.sum()
}

fn host(number: u8) -> HostId {
    HostId::new(number).unwrap()
}

fn set_weight(world: &mut World, index: usize, weight: u8) {
    world.command(index, Command::SetWeight { slot: 0, weight });
}

/// The first bucket that a host owns.
fn bucket_of(world: &World, index: usize) -> u16 {
    let node = &world.nodes[index];
    (0..256)
        .find(|bucket| (node.owned_word(0, bucket / 64) >> (bucket % 64)) & 1 == 1)
        .unwrap()
}

fn bit(word: u64, bucket: u16) -> bool {
    (word >> (bucket % 64)) & 1 == 1
}

fn is_silent(world: &World, index: usize, bucket: u16) -> bool {
    bit(world.nodes[index].others_word(0, bucket / 64), bucket)
}

fn found(bucket: u16) -> impl Fn(u16, u16) -> u64 {
    move |slot, word| {
        if (slot, word) == (0, bucket / 64) {
            1 << (bucket % 64)
        } else {
            0
        }
    }
}

/// Weight 0 for the owner of a bucket: everything of it goes to the others.
fn move_away(world: &mut World, index: usize) {
    set_weight(world, index, 0);
    world.run_to(3 * PERIOD, |world| owned(&world.nodes[index]) == 0);
    world.run(10 * MS);
}

#[test]
fn what_is_let_go_of_is_residue_until_a_walk_has_found_nothing() {
    let mut world = cluster(2);
    let bucket = bucket_of(&world, 1);
    move_away(&mut world, 1);
    assert_eq!(world.nodes[1].residue_count(), 128);
    assert_eq!(others(&world.nodes[0]), 128, "{}", world.summary());
    assert_eq!(world.nodes[0].holders(0, bucket), HostSet::only(host(2)));
    assert!(world.nodes[0].residue_unknown().is_empty());
    // One session is left.
    world.walk_with(1, found(bucket));
    world.run(2 * MS);
    assert_eq!(world.nodes[1].residue_count(), 1);
    assert_eq!(others(&world.nodes[0]), 1);
    assert!(is_silent(&world, 0, bucket));
    let seen = world.nodes[0]
        .members()
        .find(|m| m.host == host(2))
        .unwrap();
    assert_eq!(seen.residue, Some(1));
    world.walk_with(1, |_, _| 0);
    world.run(2 * MS);
    assert_eq!((moved(&world.nodes[0]), moved(&world.nodes[1])), (0, 0));
    assert!(!world.nodes[1].wants_walk());
}

#[test]
fn what_comes_back_is_no_residue_any_more() {
    let mut world = cluster(2);
    move_away(&mut world, 1);
    set_weight(&mut world, 1, 50);
    move_away(&mut world, 0);
    assert_eq!(owned(&world.nodes[1]), 256);
    assert_eq!(world.nodes[1].residue_count(), 0);
    assert_eq!(world.nodes[0].residue_count(), 256);
    assert_eq!(others(&world.nodes[0]), 0);
    assert_eq!(others(&world.nodes[1]), 256);
}

/// 3 has sessions in a bucket that goes to 2 and then to 1, and 2 leaves: 1 must not answer for 3.
#[test]
fn all_former_owners_are_known_and_not_the_last_alone() {
    let mut world = cluster(3);
    let bucket = bucket_of(&world, 2);
    // Only 2 and 3 take buckets, so that 3's all go to 2.
    set_weight(&mut world, 0, 0);
    world.run(3 * PERIOD);
    let bucket = if bit(world.nodes[2].owned_word(0, bucket / 64), bucket) {
        bucket
    } else {
        bucket_of(&world, 2)
    };
    move_away(&mut world, 2);
    assert!(is_silent(&world, 1, bucket));
    set_weight(&mut world, 0, 50);
    world.run(3 * PERIOD);
    world.command(1, Command::Stop);
    world.run_to(10 * PERIOD, |world| owned(&world.nodes[0]) == 256);
    world.run(2 * PERIOD);
    assert!(is_silent(&world, 0, bucket), "{}", world.summary());
    assert_eq!(world.nodes[0].holders(0, bucket), HostSet::only(host(3)));
    world.walk_with(2, |_, _| 0);
    world.run(2 * MS);
    assert_eq!(others(&world.nodes[0]), 0);
}

#[test]
fn a_walk_that_began_before_a_bucket_was_let_go_of_does_not_clear_it() {
    let mut world = cluster(2);
    world.nodes[1].begin_walk();
    move_away(&mut world, 1);
    let now = world.now;
    world.nodes[1].end_walk(now, |_, _| 0, Tally::default());
    assert_eq!(world.nodes[1].residue_count(), 128);
    world.walk_with(1, |_, _| 0);
    assert_eq!(world.nodes[1].residue_count(), 0);
}

#[test]
fn a_walk_that_began_before_a_slot_got_another_meaning_clears_nothing_of_it() {
    let mut world = cluster(2);
    move_away(&mut world, 1);
    world.nodes[1].begin_walk();
    let mut rules = world.nodes[0].config().rules;
    rules.digest += 1;
    rules.kept = SlotSet::EMPTY;
    for index in 0..2 {
        rules.weights = world.nodes[index].config().rules.weights;
        world.command(index, Command::Stage(rules));
    }
    world.run_to(3 * PERIOD, |world| {
        world.nodes[1].config().rules.digest == rules.digest
    });
    let before = world.nodes[1].residue_count();
    assert_ne!(before, 0);
    let now = world.now;
    // Sessions of what is residue under both rules were looked for in the buckets of the old ones.
    world.nodes[1].end_walk(now, |_, _| 0, Tally::default());
    assert_eq!(world.nodes[1].residue_count(), before);
    world.walk_with(1, |_, _| 0);
    assert_eq!(world.nodes[1].residue_count(), 0);
}

#[test]
fn a_connection_that_a_host_opens_during_a_walk_is_not_cleared_by_it() {
    let mut world = cluster(2);
    let bucket = bucket_of(&world, 0);
    world.walk_with(1, found(bucket));
    world.nodes[1].begin_walk();
    world.command(1, Command::Opened { slot: 0, bucket });
    let now = world.now;
    world.nodes[1].end_walk(now, |_, _| 0, Tally::default());
    assert_eq!(world.nodes[1].residue_count(), 1);
    world.walk_with(1, |_, _| 0);
    assert_eq!(world.nodes[1].residue_count(), 0);
}

#[test]
fn a_session_that_the_host_opened_itself_is_residue_too() {
    let mut world = cluster(2);
    let bucket = bucket_of(&world, 0);
    world.walk_with(1, found(bucket));
    world.run(2 * MS);
    assert!(is_silent(&world, 0, bucket));
    // In a bucket of its own it is none.
    let own = bucket_of(&world, 1);
    world.walk_with(1, found(own));
    assert_eq!(world.nodes[1].residue_count(), 0);
}

#[test]
fn a_connection_that_a_host_opens_is_told_at_once() {
    let mut world = cluster(2);
    let (bucket, own) = (bucket_of(&world, 0), bucket_of(&world, 1));
    for bucket in [bucket, own, 256] {
        world.command(1, Command::Opened { slot: 0, bucket });
    }
    world.run(2 * MS);
    assert!(is_silent(&world, 0, bucket));
    assert_eq!(world.nodes[1].residue_count(), 1);
    assert!(world.nodes[1].wants_walk());
}

#[test]
fn news_that_were_lost_are_asked_for_and_until_then_everything_counts() {
    let mut world = cluster(2);
    let bucket = bucket_of(&world, 1);
    move_away(&mut world, 1);
    world.cut[1][0] = true;
    world.walk_with(1, found(bucket));
    world.run(2 * MS);
    world.cut[1][0] = false;
    assert_eq!(others(&world.nodes[0]), 128, "as it was last heard");
    // The next heartbeat shows that something was lost.
    world.run_to(2 * PERIOD, |world| {
        !world.nodes[0].residue_unknown().is_empty()
    });
    assert_eq!(others(&world.nodes[0]), 256);
    world.run_to(2 * PERIOD, |world| others(&world.nodes[0]) == 1);
    assert!(is_silent(&world, 0, bucket));
    assert!(world.nodes[0].residue_unknown().is_empty());
}

#[test]
fn a_request_or_an_answer_that_is_lost_is_repeated() {
    let mut world = cluster(2);
    let bucket = bucket_of(&world, 1);
    move_away(&mut world, 1);
    world.cut[1][0] = true;
    world.walk_with(1, found(bucket));
    world.run(2 * MS);
    world.cut[1][0] = false;
    world.run_to(2 * PERIOD, |world| {
        !world.nodes[0].residue_unknown().is_empty()
    });
    // Everything that host 1 says to host 2 is lost for two periods, the request among it.
    world.cut[0][1] = true;
    world.run(2 * PERIOD);
    assert_eq!(others(&world.nodes[0]), 256);
    world.cut[0][1] = false;
    world.run_to(3 * PERIOD, |world| others(&world.nodes[0]) == 1);
}

#[test]
fn a_host_that_joins_learns_what_was_before_it() {
    let mut world = World::new(3);
    world.start(0);
    world.start(1);
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1]));
    quiet(&mut world);
    let bucket = bucket_of(&world, 1);
    move_away(&mut world, 1);
    world.walk_with(1, found(bucket));
    world.run(PERIOD);
    world.start(2);
    // From its first moment on it is silent for all that it does not know.
    world.run_to(5 * PERIOD, |world| owned(&world.nodes[2]) != 0);
    let owns = bit(world.nodes[2].owned_word(0, bucket / 64), bucket);
    assert!(!owns || is_silent(&world, 2, bucket));
    assert!(others(&world.nodes[2]) >= owned(&world.nodes[2]) - 1);
    world.run(3 * PERIOD);
    assert!(world.nodes[2].residue_unknown().is_empty());
    assert!(world.nodes[2].holders(0, bucket).contains(host(2)));
    // What it got from host 1 is host 1's residue: that it knows from the change.
    let from_first = (0..256u16)
        .filter(|bucket| world.nodes[2].holders(0, *bucket).contains(host(1)))
        .count();
    assert_eq!(from_first as u32, world.nodes[0].residue_count());
    // With all sessions gone but that one, so is the silence.
    world.walk_with(0, |_, _| 0);
    world.run(10 * MS);
    assert_eq!(others(&world.nodes[2]), u32::from(owns));
}

#[test]
fn a_host_that_died_or_started_anew_holds_nothing() {
    let mut world = cluster(3);
    move_away(&mut world, 2);
    let silent = others(&world.nodes[0]) + others(&world.nodes[1]);
    assert!(silent >= 85, "{silent}");
    world.crash(2);
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1]));
    world.run(10 * MS);
    assert_eq!((moved(&world.nodes[0]), moved(&world.nodes[1])), (0, 0));
    world.start(2);
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1, 2]));
    world.run(3 * PERIOD);
    for node in &world.nodes {
        assert!(node.residue_unknown().is_empty());
        for bucket in 0..256 {
            assert!(!node.holders(0, bucket).contains(host(3)));
        }
    }
}

/// A host that stood still lets go of everything when it goes on, and says so; it gets its buckets back.
#[test]
fn a_host_that_was_paused_holds_what_it_had() {
    let mut world = cluster(2);
    world.check_owners = false;
    world.cut[0][1] = true;
    world.cut[1][0] = true;
    world.run(10 * PERIOD);
    // Both serve everything, each for its side.
    assert_eq!((owned(&world.nodes[0]), owned(&world.nodes[1])), (256, 256));
    world.cut[0][1] = false;
    world.cut[1][0] = false;
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1]));
    world.run(3 * PERIOD);
    // Host 2 had everything; what it has not any more it may hold. Host 1 has let go of half of it.
    assert_eq!(world.nodes[1].residue_count(), 128);
    assert_eq!(world.nodes[0].residue_count(), 128);
    assert_eq!(others(&world.nodes[0]), 128);
    assert_eq!(others(&world.nodes[1]), 128);
}

#[test]
fn drainstop_waits_for_residue_that_was_there_before_it() {
    let mut world = cluster(2);
    let bucket = bucket_of(&world, 1);
    move_away(&mut world, 1);
    let deadline = Instant::NEVER;
    world.command(1, Command::Drainstop { deadline });
    world.walk_with(1, found(bucket));
    world.run(5 * PERIOD);
    assert!(world.nodes[1].wants_walk());
    assert_eq!(world.nodes[1].state().name(), "draining");
    world.walk_with(1, |_, _| 0);
    world.run_to(2 * PERIOD, |world| {
        world.nodes[1].state().name() == "stopped"
    });
    assert!(!world.nodes[1].wants_walk());
    world.run(2 * PERIOD);
    assert_eq!(moved(&world.nodes[0]), 0);
}

#[test]
fn a_drain_does_not_wait_for_what_is_over_but_for_what_may_come() {
    let over = Tally::default();
    let may_come = Tally {
        more_may_come: true,
        ..over
    };
    let alive = Tally {
        sessions: 1,
        ..over
    };
    for (tally, opens, stops) in [
        (over, false, true),
        (may_come, false, false),
        (alive, false, false),
        // What became residue after the walk had begun may have sessions that it did not see.
        (over, true, false),
    ] {
        let mut world = cluster(2);
        let bucket = bucket_of(&world, 1);
        move_away(&mut world, 1);
        let deadline = Instant::NEVER;
        world.command(1, Command::Drainstop { deadline });
        world.run(5 * PERIOD);
        world.nodes[1].begin_walk();
        if opens {
            let other = (bucket + 1) % 256;
            world.command(
                1,
                Command::Opened {
                    slot: 0,
                    bucket: other,
                },
            );
        }
        let now = world.now;
        world.nodes[1].end_walk(now, found(bucket), tally);
        world.run(5 * PERIOD);
        let state = world.nodes[1].state().name();
        let wanted = if stops { "stopped" } else { "draining" };
        assert_eq!(state, wanted, "{tally:?}, opens {opens}");
    }
}
