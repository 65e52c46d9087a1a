// SPDX-License-Identifier: GPL-2.0-only

//! Hosts that are set back to an earlier state, and copies of hosts.

use super::world::{owned, World, PERIOD, TOLERANCE};
use nlb_core::event::Event;
use nlb_core::node::Command;
use nlb_core::state::HostState;

const SILENCE: u64 = PERIOD * TOLERANCE as u64;
const SECOND: u64 = 1_000_000_000;

fn was_set_back(world: &World, index: usize) -> usize {
    let events = world.events[index].iter();
    events
        .filter(|event| matches!(event, Event::SetBack { .. }))
        .count()
}

#[test]
fn a_host_that_was_set_back_notices_with_the_first_heartbeat_and_joins_anew() {
    for hosts in [2, 3, 8] {
        let mut world = World::serving(hosts);
        let all: Vec<usize> = (0..hosts).collect();
        let saved = world.save(1);
        let incarnation = world.nodes[1].incarnation();
        world.run(15 * SECOND);
        world.check_owners = false;
        world.set_back(1, &saved);
        assert!(owned(&world.nodes[1]) > 0, "it goes on with what it had");
        let took = world.run_to(2 * PERIOD, |world| owned(&world.nodes[1]) == 0);
        assert!(took <= PERIOD + PERIOD / 2, "{took} ns");
        assert_eq!(was_set_back(&world, 1), 1);
        assert_ne!(world.nodes[1].incarnation(), incarnation);
        world.check_owners = true;
        world.run_to(3 * SILENCE + 10 * PERIOD, |world| world.serves(&all));
        world.run(20 * PERIOD);
        assert_eq!(was_set_back(&world, 1), 1, "once is enough");
    }
}

#[test]
fn the_machine_may_say_so_before_any_heartbeat() {
    let mut world = World::serving(2);
    world.command(1, Command::Drain);
    world.run(5 * PERIOD);
    let incarnation = world.nodes[1].incarnation();
    world.command(1, Command::SetBack);
    assert_eq!(owned(&world.nodes[1]), 0);
    assert_ne!(world.nodes[1].incarnation(), incarnation);
    world.run_to(3 * SILENCE + 10 * PERIOD, |world| world.serves(&[0, 1]));
    world.run(5 * PERIOD);
    assert_eq!(
        world.nodes[1].state(),
        HostState::Draining,
        "it drains as before"
    );

    // A host that takes no part has nothing to begin anew.
    world.command(1, Command::Stop);
    world.run(5 * PERIOD);
    world.command(1, Command::SetBack);
    assert_eq!(world.nodes[1].state(), HostState::Stopped);
    assert_eq!(was_set_back(&world, 1), 1);
}

#[test]
fn one_that_is_set_back_twice_to_the_same_state_never_serves_beside_the_others_for_long() {
    let mut world = World::serving(3);
    let saved = world.save(1);
    world.run(5 * SECOND);
    for round in 1..=3 {
        world.check_owners = false;
        world.set_back(1, &saved);
        world.run_to(3 * SILENCE + 20 * PERIOD, |world| world.serves(&[0, 1, 2]));
        world.check_owners = true;
        world.run(20 * PERIOD);
        assert!(
            world.serves(&[0, 1, 2]),
            "round {round}: {}",
            world.summary()
        );
    }
}

#[test]
fn genuine_heartbeats_show_nothing_to_a_host_that_was_not_set_back() {
    let mut world = World::serving(3);
    world.record = true;
    world.run(20 * PERIOD);
    // Late, twice, and by another way.
    let sent = std::mem::take(&mut world.sent);
    for (from, bytes) in &sent {
        for to in (0..3).filter(|to| to != from) {
            world.deliver(to, nlb_core::peer::Path::Relay, bytes);
        }
    }
    world.run(20 * PERIOD);
    assert!((0..3).all(|index| was_set_back(&world, index) == 0));
}
