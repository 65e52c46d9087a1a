// SPDX-License-Identifier: GPL-2.0-only

//! Interfaces whose MTU is small.

use super::world::{config, owned, World, PERIOD, TOLERANCE};
use nlb_core::config::{Rules, SlotKind};
use nlb_core::limits::{frame_room, FRAME_SENT_MAX, MTU_MIN, SLOTS_MAX};

const SILENCE: u64 = PERIOD * TOLERANCE as u64;

/// Hosts with as many rules as there can be, in frames of so many bytes.
fn world(hosts: u8, room: usize) -> World {
    let rules = Rules {
        slots: 4,
        kinds: [SlotKind::Weighted; SLOTS_MAX],
        weights: [50; SLOTS_MAX],
        ..Rules::one(1, 50)
    };
    let configs = (1..=hosts).map(|host| {
        let mut config = config(host);
        config.rules = rules;
        config
    });
    let mut world = World::with(configs.collect());
    world.room = room;
    world.check_owners = false;
    world.start_all();
    world
}

#[test]
fn a_frame_leaves_room_for_the_headers_of_ipv6() {
    assert_eq!(frame_room(MTU_MIN), 1232);
    assert_eq!(frame_room(0), 1232);
    assert_eq!(frame_room(1400), 1352);
    for mtu in [1500, 9000, u32::MAX] {
        assert_eq!(frame_room(mtu), FRAME_SENT_MAX);
    }
}

#[test]
fn hosts_whose_echoes_do_not_fit_one_frame_are_echoed_in_turns_and_all_serve() {
    // A heartbeat with 63 echoes has 1,018 bytes.
    let all: Vec<usize> = (0..64).collect();
    let mut world = world(64, 1000);
    world.run_to(60 * PERIOD, |world| world.serves(&all));
    let generation = world.nodes[0].generation();
    world.run(50 * PERIOD);
    assert_eq!(world.nodes[0].generation(), generation, "nobody is lost");
    assert!(world.nodes.iter().all(|node| owned(node) > 0));
    assert!(world.longest > 985, "{} bytes", world.longest);

    // A death is noticed as soon as ever: it is silence that tells it.
    world.crash(7);
    let rest: Vec<usize> = all.iter().copied().filter(|index| *index != 7).collect();
    let took = world.run_to(3 * SILENCE, |world| world.serves(&rest));
    assert!(took <= SILENCE + 3 * PERIOD, "{took} ns");
    // Who comes is proved, and gets the maps.
    world.start(7);
    world.run_to(60 * PERIOD, |world| world.serves(&all));
}
