// SPDX-License-Identifier: GPL-2.0-only

//! Who is cut off, when there is a second path: heartbeats that get lost on the segment are told from a segment that is
//! cut, by questions.

use super::world::{config, owned, World, MS, PERIOD, TOLERANCE};
use nlb_core::config::Dedicated;
use nlb_core::node::Command;
use nlb_core::state::OutReason;

const SILENCE: u64 = PERIOD * TOLERANCE as u64;

/// Three hosts that can be asked, on both paths.
fn three() -> World {
    let mut world = World::with(
        (1..=3)
            .map(|host| config(host).with_address(host))
            .collect(),
    );
    world.relay = true;
    world.start_all();
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1, 2]));
    world.run(5 * PERIOD);
    world
}

trait WithAddress {
    fn with_address(self, host: u8) -> Self;
}

impl WithAddress for nlb_core::config::Config {
    fn with_address(mut self, host: u8) -> Self {
        self.dedicated = Dedicated::new(&[10, 0, 0, host]).unwrap();
        self
    }
}

/// Nothing of the protocol passes the segment from or to host 2.
fn lose_heartbeats(world: &mut World) {
    for other in [0, 2] {
        world.cut[1][other] = true;
        world.cut[other][1] = true;
    }
}

/// Each host asks whom it has to, once in a period; `answers` says whether host 2 and the others hear each other.
fn live(world: &mut World, ns: u64, answers: bool) -> Vec<(u64, usize, OutReason)> {
    let (start, mut said) = (world.now, Vec::new());
    while world.now.since(start) < ns {
        world.run(PERIOD);
        for index in 0..3 {
            for host in world.nodes[index].unheard_on_segment(world.now).iter() {
                world.command(index, Command::PeerAsked(host));
                if answers {
                    world.command(index, Command::PeerSeen(host));
                }
            }
            let out = world.nodes[index].out_reason();
            if out != OutReason::None {
                said.push((world.now.since(start) / MS, index, out));
            }
        }
    }
    said
}

#[test]
fn who_answers_is_not_cut() {
    let mut world = three();
    let generation = world.nodes[0].generation();
    lose_heartbeats(&mut world);
    assert_eq!(live(&mut world, 50 * PERIOD, true), []);
    assert_eq!(world.nodes[0].generation(), generation);
}

#[test]
fn nobody_is_judged_before_he_was_asked() {
    let mut world = three();
    let generation = world.nodes[0].generation();
    lose_heartbeats(&mut world);
    // No question gets out for longer than the silence that counts as death; then they do, and are answered.
    world.run(SILENCE + PERIOD);
    assert_eq!(live(&mut world, 20 * PERIOD, true), []);
    assert_eq!(world.nodes[0].generation(), generation);
}

#[test]
fn who_does_not_answer_hands_over_in_time() {
    let mut world = three();
    lose_heartbeats(&mut world);
    let said = live(&mut world, SILENCE + 2 * PERIOD, false);
    assert_eq!(
        said.first().map(|(_, index, out)| (*index, *out)),
        Some((1, OutReason::InterfaceCut))
    );
    assert!(world.serves(&[0, 1, 2]), "{}", world.summary());
    assert_eq!(owned(&world.nodes[1]), 0);
    assert!(world.nodes[0].members().any(|host| host.on_relay));
}

#[test]
fn two_that_start_at_once_cut_nobody_off() {
    let mut world = three();
    world.crash(1);
    world.crash(2);
    world.run(20 * PERIOD);
    assert!(world.serves(&[0]), "{}", world.summary());
    // A heartbeat of host 1 is lost on the segment, and the two hear each other there before they hear it.
    let cut = |world: &mut World, cut| {
        world.cut[0][1] = cut;
        world.cut[0][2] = cut;
    };
    cut(&mut world, true);
    world.start(1);
    world.start(2);
    for step in 0..10 * PERIOD / MS {
        if step == PERIOD / MS {
            cut(&mut world, false);
        }
        world.run(MS);
        assert_ne!(world.nodes[0].out_reason(), OutReason::InterfaceCut);
    }
    assert!(world.serves(&[0, 1, 2]), "{}", world.summary());
}
