// SPDX-License-Identifier: GPL-2.0-only

//! Hosts that are kept out by name cost the others nothing but their own heartbeats.

use super::world::{config, World, PERIOD};
use nlb_core::config::{Config, Terms};
use nlb_core::node::Command;
use nlb_core::state::OutReason;

/// How many frames each of eight hosts sends in a hundred periods beside such a one.
fn frames_beside(stranger: Config, why: OutReason) -> Vec<usize> {
    let mut configs: Vec<_> = (1..=8).map(config).collect();
    configs.push(stranger);
    let mut world = World::with(configs);
    world.check_owners = false;
    for index in 0..8 {
        world.command(index, Command::Start);
    }
    let members = [0, 1, 2, 3, 4, 5, 6, 7];
    world.run_to(20 * PERIOD, |world| world.serves(&members));
    world.command(8, Command::Start);
    world.run(20 * PERIOD);
    assert!(world.serves(&members));
    assert_eq!(world.nodes[8].out_reason(), why);
    world.record = true;
    world.run(100 * PERIOD);
    let sent = |host| world.sent.iter().filter(|(from, _)| *from == host).count();
    (0..9).map(sent).collect()
}

#[test]
fn a_host_that_is_kept_out_makes_nobody_beat_faster() {
    let other_version = Config {
        versions: (2, 2),
        ..config(9)
    };
    let other_settings = Config {
        terms: Terms {
            settings: 2,
            ..config(9).terms
        },
        ..config(9)
    };
    for (stranger, why) in [
        (config(3), OutReason::DuplicateId),
        (other_version, OutReason::Version),
        (other_settings, OutReason::SettingsDiffer),
    ] {
        let sent = frames_beside(stranger, why);
        let quiet = |frames: &usize| (95..=105).contains(frames);
        assert!(sent.iter().all(quiet), "{why:?}: {sent:?}");
    }
}
