// SPDX-License-Identifier: GPL-2.0-only

//! Hosts that give a rule's buckets up.

use super::world::{config, owned, World, PERIOD, TOLERANCE};
use nlb_core::config::SlotKind;
use nlb_core::genl::Stance;
use nlb_core::limits::SLOTS_MAX;
use nlb_core::node::{Command, CommandError};
use nlb_core::stance::Others;
use nlb_core::state::Cause;

const SILENCE: u64 = PERIOD * TOLERANCE as u64;
const BUCKETS: u32 = 256;

fn serving(hosts: usize, kind: SlotKind) -> World {
    let configs = (1..=hosts as u8).map(|host| {
        let mut config = config(host);
        config.rules.kinds[0] = kind;
        if kind == SlotKind::Single {
            config.rules.weights[0] = host;
        }
        config
    });
    World::with(configs.collect()).into_serving()
}

fn take(world: &mut World, index: usize, stance: Stance) {
    let rules = world.nodes[index].config().rules.digest;
    world.command(index, command(rules, stance));
}

/// What is done about slot 0.
fn command(rules: u64, stance: Stance) -> Command {
    let mut stances = [Stance::Takes; SLOTS_MAX];
    stances[0] = stance;
    Command::Take { rules, stances }
}

fn others(world: &World, index: usize) -> Others {
    world.nodes[index].others_in(0)
}

fn shares(world: &World) -> Vec<u32> {
    world.nodes.iter().map(owned).collect()
}

#[test]
fn a_slot_that_was_given_up_goes_to_the_others_and_is_tried_by_a_few_buckets() {
    let mut world = serving(3, SlotKind::Weighted);
    take(&mut world, 1, Stance::GaveUp);
    world.run(5 * PERIOD);
    assert_eq!(shares(&world), [BUCKETS / 2, 0, BUCKETS / 2]);
    assert!(world.serves(&[0, 1, 2]), "it stays a member");
    assert_eq!([0, 1].map(|index| others(&world, index)), [Others::Take; 2]);
    assert_eq!(world.nodes[1].stances()[0], Stance::GaveUp);
    let given_up = |world: &World| {
        let nodes = world.nodes.iter();
        let seen = nodes.map(|node| node.member(config(2).host).unwrap().rules_given_up);
        seen.collect::<Vec<_>>()
    };
    assert_eq!(given_up(&world), [1; 3], "all hosts tell it");
    let causes = |world: &World| {
        let history = world.nodes[0].history();
        history.map(|entry| entry.cause).collect::<Vec<_>>()
    };
    assert_eq!(causes(&world).last(), Some(&Cause::Health));
    take(&mut world, 1, Stance::Tries);
    world.run(5 * PERIOD);
    let tried = shares(&world)[1];
    assert!((1..=BUCKETS / 50).contains(&tried), "{tried}");
    assert_eq!(given_up(&world), [0; 3]);
    take(&mut world, 1, Stance::Takes);
    world.run(5 * PERIOD);
    assert!(shares(&world).iter().all(|share| *share >= BUCKETS / 3));
    assert_eq!(causes(&world).split_off(1), [Cause::Health; 3]);
    world.command(1, Command::SetWeight { slot: 0, weight: 1 });
    world.run(5 * PERIOD);
    assert_eq!(causes(&world).last(), Some(&Cause::Weight));
}

#[test]
fn in_mode_single_the_next_host_takes_the_slot() {
    let mut world = serving(3, SlotKind::Single);
    assert_eq!(shares(&world), [BUCKETS, 0, 0]);
    take(&mut world, 0, Stance::GaveUp);
    world.run(5 * PERIOD);
    assert_eq!(shares(&world), [0, BUCKETS, 0]);
    take(&mut world, 0, Stance::Tries);
    world.run(5 * PERIOD);
    assert_eq!(shares(&world), [BUCKETS, 0, 0]);
}

#[test]
fn the_last_host_keeps_the_slot_however_many_give_it_up_at_once() {
    for kind in [SlotKind::Weighted, SlotKind::Single] {
        let mut world = serving(3, kind);
        let before = shares(&world);
        for index in 0..3 {
            take(&mut world, index, Stance::GaveUp);
        }
        // At no time is a bucket without an owner longer than a change takes.
        for _ in 0..50 {
            world.run(PERIOD / 5);
            world.assert_one_owner();
        }
        assert_eq!(shares(&world), before, "all gave it up, so nobody did");
        assert_eq!(others(&world, 0), Others::Could);
        // Who is answered again takes all of it.
        take(&mut world, 2, Stance::Takes);
        world.run(5 * PERIOD);
        assert_eq!(shares(&world), [0, 0, BUCKETS]);
        // If it dies, the others serve again.
        world.crash(2);
        world.run(3 * SILENCE);
        assert_eq!(shares(&world)[..2].iter().sum::<u32>(), BUCKETS);
    }
}

#[test]
fn a_host_that_drains_or_takes_nothing_is_nobody_to_give_up_for() {
    let mut world = serving(2, SlotKind::Weighted);
    world.command(0, Command::Drain);
    world.run(5 * PERIOD);
    assert_eq!(others(&world, 1), Others::Cannot);
    take(&mut world, 1, Stance::GaveUp);
    world.run(5 * PERIOD);
    assert_eq!(shares(&world), [0, BUCKETS]);

    let mut world = serving(2, SlotKind::Weighted);
    world.command(0, Command::SetWeight { slot: 0, weight: 0 });
    world.run(5 * PERIOD);
    assert_eq!(others(&world, 1), Others::Cannot);
    take(&mut world, 1, Stance::GaveUp);
    world.run(5 * PERIOD);
    assert_eq!(shares(&world), [0, BUCKETS]);
    // A host of weight 0 has nothing to give up.
    take(&mut world, 0, Stance::GaveUp);
    world.run(5 * PERIOD);
    assert_eq!(shares(&world), [0, BUCKETS]);
}

#[test]
fn another_weight_does_not_take_the_slot_again_but_a_start_does() {
    let mut world = serving(2, SlotKind::Weighted);
    take(&mut world, 1, Stance::GaveUp);
    world.run(5 * PERIOD);
    world.command(
        1,
        Command::SetWeight {
            slot: 0,
            weight: 100,
        },
    );
    let mut rules = world.nodes[1].config().rules;
    rules.weights[0] = 90;
    world.command(1, Command::Stage(rules));
    world.run(5 * PERIOD);
    assert_eq!(shares(&world), [BUCKETS, 0]);
    assert_eq!(world.nodes[0].member(config(2).host).unwrap().weight, 90);
    world.command(1, Command::Stop);
    world.run(5 * PERIOD);
    world.command(1, Command::Start);
    world.run_to(20 * PERIOD, |world| world.serves(&[0, 1]));
    assert!(shares(&world)[1] > BUCKETS / 2);
}

#[test]
fn new_rules_are_taken_and_what_was_found_out_under_the_old_ones_changes_nothing() {
    let mut world = serving(2, SlotKind::Weighted);
    take(&mut world, 1, Stance::GaveUp);
    world.run(5 * PERIOD);
    let old = world.nodes[1].config().rules;
    for index in 0..2 {
        let rules = nlb_core::config::Rules { digest: 2, ..old };
        world.command(index, Command::Stage(rules));
    }
    world.run(5 * PERIOD);
    assert_eq!(world.nodes[1].config().rules.digest, 2);
    assert_eq!(shares(&world), [BUCKETS / 2; 2]);
    let (now, late) = (world.now, command(old.digest, Stance::GaveUp));
    let refused = world.nodes[1].handle_command(now, late, 1);
    assert_eq!(refused, Err(CommandError::Slot));
    world.run(5 * PERIOD);
    assert_eq!(shares(&world), [BUCKETS / 2; 2]);
}

#[test]
fn a_starved_host_stays_back_though_the_others_gave_a_slot_up() {
    for order in [true, false] {
        let mut world = serving(2, SlotKind::Weighted);
        let starve = |world: &mut World| {
            world.command(1, Command::Starved(true));
            world.run(3 * SILENCE);
        };
        let give_up = |world: &mut World| {
            take(world, 0, Stance::GaveUp);
            world.run(3 * SILENCE);
        };
        if order {
            starve(&mut world);
            give_up(&mut world);
        } else {
            give_up(&mut world);
            starve(&mut world);
        }
        assert_eq!(shares(&world), [BUCKETS, 0], "starved first: {order}");
        assert_eq!(others(&world, 0), Others::Cannot);
    }
}

#[test]
fn where_all_are_starved_the_others_count_as_they_serve() {
    let mut world = serving(2, SlotKind::Weighted);
    for index in 0..2 {
        world.command(index, Command::Starved(true));
    }
    world.run(3 * SILENCE);
    assert_eq!(others(&world, 0), Others::Take, "for nothing moves there");
}
