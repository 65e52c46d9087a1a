// SPDX-License-Identifier: GPL-2.0-only

//! Hosts that leave on purpose, many at once.

mod world;

use nlb_core::node::Command;
use world::{World, MS, PERIOD};

/// All of five hosts but these leave at the same moment: nobody who stays is out of the view for a moment.
fn leave_at_once(stay: &[usize], command: Command) {
    for apart in 0..4 {
        let mut world = World::new(5);
        world.start_all();
        world.run_to(10 * PERIOD, |world| world.serves(&[0, 1, 2, 3, 4]));
        world.run(20 * PERIOD);
        for index in (0..5).filter(|index| !stay.contains(index)) {
            world.command(index, command);
            world.run(apart * MS / 2);
        }
        for _ in 0..PERIOD / MS {
            for &index in stay {
                let generation = world.nodes[index].generation();
                assert!(!generation.is_none(), "{stay:?} {}", world.summary());
            }
            world.run(MS);
        }
        assert!(world.serves(stay), "{stay:?} {}", world.summary());
    }
}

#[test]
fn who_stays_serves_on_when_more_leave_than_stay() {
    for stay in [
        &[0, 4][..],
        &[3, 4],
        &[1, 3],
        &[0],
        &[2],
        &[4],
        &[0, 1, 2],
        &[2, 3, 4],
    ] {
        leave_at_once(stay, Command::Stop);
        leave_at_once(stay, Command::Suspend);
    }
}
