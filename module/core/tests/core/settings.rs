// SPDX-License-Identifier: GPL-2.0-only

//! Other settings on a running cluster: they come into force as rules do, and nobody is taken for dead because the hosts
//! do not change their timing at one moment.

use super::world::*;
use nlb_core::config::{Rules, SlotSet, Terms, Timing};
use nlb_core::event::Event;
use nlb_core::genl::Cause;
use nlb_core::limits::FRAME_MAX;
use nlb_core::node::Command;
use nlb_core::state::{HostState, OutReason};

const ALL: [usize; 3] = [0, 1, 2];

fn timing(period_ms: u64, tolerance: u32) -> Timing {
    Timing {
        period_ns: period_ms * MS,
        tolerance,
    }
}

/// The rules in force, with settings of another digest and this timing.
fn with(digest: u64, timing: Timing) -> Rules {
    Rules {
        kept: SlotSet::ALL,
        terms: Some(Terms {
            settings: digest,
            timing,
        }),
        ..Rules::one(digest, 50)
    }
}

fn in_force(world: &World, digest: u64) -> bool {
    let terms = |terms: Terms| terms.settings == digest;
    let mut nodes = world.nodes.iter();
    nodes.all(|node| terms(node.config().terms) && node.config().rules.digest == digest)
}

/// Whether a change was ever needed because a host died, or was excluded.
fn lost_anyone(world: &World) -> bool {
    let is_loss = |event: &Event| {
        matches!(event, Event::Converged { cause, .. } if *cause == Cause::Died)
            || matches!(event, Event::HostOut { .. })
    };
    world.events.iter().flatten().any(is_loss)
}

#[test]
fn settings_come_into_force_as_one_change_when_all_have_them() {
    let mut world = World::serving(3);
    let before = world.nodes[0].map_digest();
    for index in [0, 1] {
        world.command(index, Command::Stage(with(7, timing(100, 5))));
    }
    world.run(20 * PERIOD);
    assert_eq!(world.nodes[0].pending(), 7);
    assert_eq!(world.nodes[0].config().terms.settings, 1);
    world.command(2, Command::Stage(with(7, timing(100, 5))));
    world.run_to(4 * PERIOD, |world| in_force(world, 7));
    world.run_to(PERIOD, |world| world.serves(&ALL));
    assert_eq!(world.nodes[0].map_digest(), before, "a bucket moved");
    let cause = |entry: &Event| match entry {
        Event::Converged { cause, .. } => Some(*cause),
        _ => None,
    };
    let last = world.events[1].iter().rev().find_map(cause);
    assert_eq!(last, Some(Cause::Settings));
    world.run(40 * PERIOD);
    assert_eq!(world.nodes[0].beat_ns(), 100 * MS);
    assert_eq!(world.nodes[0].silence_ns(), 500 * MS);
}

#[test]
fn what_is_held_back_is_told_to_nobody() {
    let mut world = World::serving(2);
    world.command(0, Command::Hold(true));
    for index in [0, 1] {
        world.command(index, Command::Stage(with(7, timing(200, 5))));
    }
    world.run(20 * PERIOD);
    assert_eq!((world.nodes[0].staged(), world.nodes[0].pending()), (7, 0));
    assert!(!in_force(&world, 7));
    world.command(0, Command::Hold(false));
    world.run_to(4 * PERIOD, |world| in_force(world, 7));
}

#[test]
fn a_host_that_takes_no_part_waits_for_nothing() {
    let mut world = World::new(1);
    world.command(0, Command::Hold(true));
    world.command(0, Command::Stage(with(7, timing(50, 3))));
    assert!(in_force(&world, 7));
}

#[test]
fn a_host_of_other_settings_is_out_for_these() {
    let mut world = World::new(3);
    world.command(2, Command::Stage(with(7, timing(200, 5))));
    world.start_all();
    world.run_to(20 * PERIOD, |world| world.serves(&[0, 1]));
    world.run(5 * PERIOD);
    assert_eq!(world.nodes[2].out_reason(), OutReason::SettingsDiffer);
    // It has only to be told what the others have.
    let back = Rules {
        terms: Some(world.nodes[0].config().terms),
        ..Rules::one(1, 50)
    };
    world.command(2, Command::Stage(back));
    world.run_to(20 * PERIOD, |world| world.serves(&ALL));
}

/// From a short silence to a long period and back, with heartbeats that are lost all the while: no host has so bad a link
/// that it may be taken for dead, and none is.
#[test]
fn nobody_dies_of_another_timing() {
    let (short, long) = (timing(10, 3), timing(10_000, 3));
    for lost_of in [0, 1, 2] {
        let mut world = World::serving(3);
        let timings = [short, long, short, timing(1000, 3), timing(200, 5)];
        for (digest, next) in (7..).zip(timings) {
            // The one whose frames arrive late learns late, and is heard late.
            world.delay = MS;
            for index in ALL {
                world.command(index, Command::Stage(with(digest, next)));
            }
            for turn in 0..60 {
                for other in (0..3).filter(|other| *other != lost_of) {
                    world.cut[lost_of][other] = turn % 3 == 1;
                    world.cut[other][lost_of] = turn % 3 == 2;
                }
                // Two of three heartbeats get lost at most, by the shorter period of the two.
                let beat = world.nodes[lost_of].beat_ns();
                world.run(beat / 2);
            }
            for row in &mut world.cut {
                row.fill(false);
            }
            world.run_to(100_000 * MS, |world| in_force(world, digest));
            world.run_to(100_000 * MS, |world| world.serves(&ALL));
            assert!(!lost_anyone(&world), "{}", world.summary());
            // Until nobody lives by the former timing any more.
            world.run(80_000 * MS);
            assert!(!lost_anyone(&world), "{}", world.summary());
            assert_eq!(world.nodes[0].silence_ns(), next.silence_ns());
        }
    }
}

#[test]
fn a_death_is_found_by_the_new_silence_once_all_have_it() {
    let mut world = World::serving(3);
    for index in ALL {
        world.command(index, Command::Stage(with(7, timing(50, 4))));
    }
    world.run_to(4 * PERIOD, |world| in_force(world, 7));
    world.run(20 * PERIOD);
    world.crash(2);
    let took = world.run_to(PERIOD * 10, |world| world.serves(&[0, 1]));
    assert!(took <= 50 * 6 * MS, "{} ms", took / MS);
}

/// One host commits and the commit of another gets lost, with all that follows for less than the longer silence.
#[test]
fn a_host_that_misses_the_commit_is_not_given_up() {
    for (first, then) in [
        (timing(200, 5), timing(20, 3)),
        (timing(20, 3), timing(200, 5)),
    ] {
        let mut world = World::new(3);
        for index in ALL {
            world.command(index, Command::Stage(with(5, first)));
        }
        let mut world = world.into_serving();
        for index in ALL {
            world.command(index, Command::Stage(with(7, then)));
        }
        // Frames of 0 reach 2 no more as soon as any host has the new settings.
        while !world
            .nodes
            .iter()
            .any(|node| node.config().terms.settings == 7)
        {
            world.run(MS / 10);
        }
        let behind: Vec<usize> = ALL
            .into_iter()
            .filter(|index| world.nodes[*index].config().terms.settings != 7)
            .collect();
        for &late in &behind {
            for from in ALL {
                world.cut[from][late] = true;
            }
        }
        world.run(900 * MS);
        for row in &mut world.cut {
            row.fill(false);
        }
        world.run_to(20 * PERIOD, |world| {
            in_force(world, 7) && world.serves(&ALL)
        });
        assert!(!lost_anyone(&world), "{}", world.summary());
        assert!(!behind.is_empty());
    }
}

#[test]
fn the_next_heartbeat_keeps_the_shorter_rhythm_at_once() {
    let mut world = World::serving(1);
    for next in [timing(10, 3), timing(10_000, 3)] {
        world.command(0, Command::Stage(with(next.period_ns, next)));
        assert_eq!(world.nodes[0].state(), HostState::Converged);
        let due = world.nodes[0].poll_timeout();
        let shorter = world.nodes[0].beat_ns();
        assert!(due <= world.now.after(shorter));
        let mut buffer = [0; FRAME_MAX];
        let key = world.keys[0];
        while world.nodes[0].poll_transmit(&mut buffer, &key).is_some() {}
    }
}
