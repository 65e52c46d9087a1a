// SPDX-License-Identifier: GPL-2.0-only

//! Hosts that get no frames to the virtual MAC.

use super::world::{owned, World, MS, PERIOD, TOLERANCE};
use nlb_core::host::HostId;
use nlb_core::node::Command;
use nlb_core::state::OutReason;

const SILENCE: u64 = PERIOD * TOLERANCE as u64;
const BUCKETS: u32 = 256;

fn shares(world: &World) -> Vec<u32> {
    world.nodes.iter().map(owned).collect()
}

/// What each host says of the host with this index.
fn said_of(world: &World, index: usize) -> Vec<OutReason> {
    let host = HostId::new(index as u8 + 1).unwrap();
    let nodes = world.nodes.iter();
    nodes.map(|node| node.member(host).unwrap().out).collect()
}

#[test]
fn a_starved_host_gives_its_buckets_up_and_all_name_it() {
    let mut world = World::serving(3);
    world.command(1, Command::Starved(true));
    // A heartbeat later all know; until the others have said whether they are, nothing moves.
    world.run(PERIOD);
    assert_eq!(said_of(&world, 1), [OutReason::Starved; 3]);
    assert!(owned(&world.nodes[1]) > 0);
    let took = world.run_to(2 * SILENCE, |world| owned(&world.nodes[1]) == 0);
    assert!(took <= SILENCE + 2 * PERIOD, "{} ms", took / MS);
    world.run(5 * PERIOD);
    let [first, second, third] = shares(&world)[..] else {
        panic!("three hosts");
    };
    assert_eq!((second, first + third), (0, BUCKETS));
    assert!(world.serves(&[0, 1, 2]), "it stays a member");
    assert_eq!(said_of(&world, 0), [OutReason::None; 3]);

    world.command(1, Command::Starved(false));
    world.run(PERIOD);
    assert_eq!(
        owned(&world.nodes[1]),
        0,
        "it may be one frame that got through"
    );
    world.run(SILENCE + 5 * PERIOD);
    assert!(shares(&world).iter().all(|share| *share >= BUCKETS / 3));
    assert_eq!(said_of(&world, 1), [OutReason::None; 3]);
}

#[test]
fn where_all_are_starved_nothing_moves() {
    // One after the other, as their probes are missed: in less than the silence that counts as death.
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let mut world = World::serving(3);
        let (generation, before) = (world.nodes[0].generation(), shares(&world));
        for index in order {
            world.command(index, Command::Starved(true));
            world.run(PERIOD);
        }
        world.run(20 * SILENCE);
        assert_eq!(world.nodes[0].generation(), generation);
        assert_eq!(shares(&world), before);
        for index in 0..3 {
            assert_eq!(said_of(&world, index), [OutReason::Starved; 3]);
        }
    }
}

#[test]
fn when_all_are_fed_again_nothing_moves() {
    let mut world = World::serving(3);
    let (generation, before) = (world.nodes[0].generation(), shares(&world));
    for starved in [true, false] {
        for index in 0..3 {
            world.command(index, Command::Starved(starved));
            world.run(PERIOD);
        }
        world.run(5 * SILENCE);
    }
    assert_eq!(world.nodes[0].generation(), generation);
    assert_eq!(shares(&world), before);
    assert_eq!(said_of(&world, 1), [OutReason::None; 3]);
}

#[test]
fn the_last_that_is_fed_never_steps_back_and_the_first_return_when_it_starves() {
    let mut world = World::serving(3);
    for index in [0, 1] {
        world.command(index, Command::Starved(true));
        world.run(3 * SILENCE);
    }
    assert_eq!(shares(&world), [0, 0, BUCKETS]);
    world.command(2, Command::Starved(true));
    world.run(3 * SILENCE);
    assert_eq!(shares(&world).iter().sum::<u32>(), BUCKETS);
    assert!(
        shares(&world).iter().all(|share| *share > 0),
        "{:?}",
        shares(&world)
    );
}

#[test]
fn nobody_steps_back_for_a_host_that_drains_or_is_gone() {
    let mut world = World::serving(2);
    world.command(0, Command::Drain);
    world.run(5 * PERIOD);
    world.command(1, Command::Starved(true));
    world.run(3 * SILENCE);
    assert_eq!(shares(&world), [0, BUCKETS]);

    let mut world = World::serving(2);
    world.command(1, Command::Starved(true));
    world.run(3 * SILENCE);
    assert_eq!(shares(&world), [BUCKETS, 0]);
    world.crash(0);
    world.run_to(3 * SILENCE, |world| owned(&world.nodes[1]) == BUCKETS);
}

#[test]
fn nobody_steps_back_for_a_host_that_takes_nothing_of_a_rule() {
    let mut world = World::serving(3);
    for index in [0, 2] {
        world.command(index, Command::SetWeight { slot: 0, weight: 0 });
    }
    world.run(5 * PERIOD);
    assert_eq!(shares(&world), [0, BUCKETS, 0]);
    world.command(1, Command::Starved(true));
    world.run(5 * SILENCE);
    assert_eq!(shares(&world), [0, BUCKETS, 0]);
    world.command(0, Command::SetWeight { slot: 0, weight: 1 });
    world.run(3 * SILENCE);
    assert_eq!(shares(&world), [BUCKETS, 0, 0]);
    // One that is about to leave would not serve for long.
    world.command(0, Command::Stop);
    world.run(5 * PERIOD);
    assert_eq!(shares(&world), [0, BUCKETS, 0]);
}

#[test]
fn a_host_that_starves_now_and_then_moves_nothing() {
    let mut world = World::serving(3);
    let generation = world.nodes[0].generation();
    for _ in 0..50 {
        world.command(1, Command::Starved(true));
        world.run(SILENCE - PERIOD);
        world.command(1, Command::Starved(false));
        world.run(PERIOD);
    }
    assert_eq!(world.nodes[0].generation(), generation);
}

#[test]
fn a_starved_host_that_starts_anew_waits_for_its_frames() {
    let mut world = World::serving(2);
    world.command(1, Command::Starved(true));
    world.run(3 * SILENCE);
    world.command(1, Command::Stop);
    world.run(5 * PERIOD);
    world.command(1, Command::Start);
    world.run_to(20 * PERIOD, |world| world.serves(&[0, 1]));
    world.run(3 * SILENCE);
    assert_eq!(shares(&world), [BUCKETS, 0]);
}
