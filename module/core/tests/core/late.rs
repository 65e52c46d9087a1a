// SPDX-License-Identifier: GPL-2.0-only

//! Hosts whose own clock is late: a busy or flooded machine, on which a timer expires when it can.

use super::world::{self, World, PERIOD, TOLERANCE};
use nlb_core::host::{HostId, HostSet};
use nlb_core::limits::FRAME_MAX;
use nlb_core::node::Command;

const SILENCE: u64 = PERIOD * TOLERANCE as u64;

/// Three hosts whose heartbeats are a good third of a period apart, just after one of host 2.
fn staggered() -> World {
    let mut world = World::new(3);
    for index in [2, 0, 1] {
        world.command(index, Command::Start);
        world.run(PERIOD * 3 / 8);
    }
    world.run_to(20 * PERIOD, |world| world.serves(&[0, 1, 2]));
    world.run(30 * PERIOD);
    let beat = world.nodes[1].poll_timeout();
    world.run_until(beat);
    world
}

/// Host 2 does nothing for so long and loses what comes; then its timer expires.
fn stall(world: &mut World, ns: u64) {
    let late = world.nodes[1].clone();
    world.crashed[1] = true;
    world.run(ns);
    world.nodes[1] = late;
    world.crashed[1] = false;
    world.expire(1);
}

#[test]
fn a_late_timer_is_not_the_silence_of_others() {
    let mut world = staggered();
    let generation = world.nodes[1].generation();
    // With the time since they were last heard this is more than the silence that counts as death.
    stall(&mut world, SILENCE - PERIOD / 16);
    assert_eq!(world.nodes[1].links(), HostSet(0b101));
    world.run(20 * PERIOD);
    assert!(world.serves(&[0, 1, 2]), "{}", world.summary());
    assert_eq!(world.nodes[0].generation(), generation);
}

#[test]
fn lateness_is_counted_once() {
    let mut world = staggered();
    stall(&mut world, SILENCE / 2);
    // The others are dead by now: no frame of theirs comes any more, and nothing that has come is looked at twice.
    world.crash(0);
    world.crash(2);
    for _ in 0..8 {
        world.expire(1);
        world.command(1, Command::Carrier(true));
    }
    let took = world.run_to(20 * PERIOD, |world| world.nodes[1].links().is_empty());
    assert!(took <= SILENCE + PERIOD, "{} ms", took / world::MS);
}

#[test]
fn any_frame_carries_a_heartbeat_that_is_overdue() {
    let mut world = staggered();
    world.run(PERIOD / 2);
    let node = &mut world.nodes[1];
    let due = node.poll_timeout();
    let mut buf = [0; FRAME_MAX];
    let key = world.keys[1];
    let mut rubbish = |now| node.hear(now, nlb_core::peer::Path::Segment, b"rubbish", &key);
    assert!(rubbish(nlb_core::time::Instant(due.0 - 1)).quiet);
    assert!(!rubbish(due).quiet);
    assert!(node.poll_transmit(&mut buf, &key).is_some());
    assert!(node.poll_timeout() >= due.after(PERIOD - 1));
}

#[test]
fn in_the_steady_state_heartbeats_leave_nothing_to_be_done() {
    let mut world = staggered();
    let (quiet, frames): (u64, u64) = (world.quiet, world.received.values().sum());
    world.run(100 * PERIOD);
    let frames = world.received.values().sum::<u64>() - frames;
    assert_eq!(world.quiet - quiet, frames);
    assert_eq!(frames, 600);
}

#[test]
fn frames_that_take_long_make_no_change_after_change() {
    let mut world = World::new(3);
    world.start_all();
    world.run_to(20 * PERIOD, |world| world.serves(&[0, 1, 2]));
    world.run(30 * PERIOD);
    // Every host is busy with frames, and what one sends is answered after more periods than a member may lag.
    world.delay = PERIOD * 3 / 2;
    world.run(10 * PERIOD);
    let generation = world.nodes[0].generation().number;
    world.command(
        1,
        Command::SetWeight {
            slot: 0,
            weight: 20,
        },
    );
    world.run(60 * PERIOD);
    assert!(world.serves(&[0, 1, 2]), "{}", world.summary());
    assert_eq!(world.nodes[0].generation().number, generation + 1);
}

#[test]
fn who_is_heard_again_while_it_is_replaced_is_replaced_by_nobody() {
    let mut world = World::new(4);
    world.start_all();
    world.run_to(20 * PERIOD, |world| world.serves(&[0, 1, 2, 3]));
    world.run(30 * PERIOD);
    // The leader hears nothing of host 4 until it begins to replace it, and then it does; the answer of host 2 to that
    // change is late.
    world.cut[3][0] = true;
    world.run_to(SILENCE + PERIOD, |world| {
        !world.nodes[0].links().contains(HostId::new(4).unwrap())
    });
    world.cut[1][0] = true;
    world.cut[3][0] = false;
    world.run(PERIOD);
    world.cut[1][0] = false;
    // At every step nobody owns what another does.
    world.run(10 * PERIOD);
    assert!(world.serves(&[0, 1, 2, 3]), "{}", world.summary());
}
