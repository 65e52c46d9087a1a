// SPDX-License-Identifier: GPL-2.0-only

//! Hosts that leave on purpose, many at once, and what a host that missed it has to say about it.

use super::world::{World, MS, PERIOD};
use nlb_core::config::Rules;
use nlb_core::node::Command;

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

/// A host stands still while others leave and come back under other rules: its old view has many members, of which none
/// is in it any more.
#[test]
fn who_serves_does_not_yield_to_one_that_was_left_behind() {
    let mut world = World::new(5);
    world.start_all();
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1, 2, 3, 4]));
    // What it owns while it stands still, it serves to nobody.
    world.check_owners = false;
    world.crashed[4] = true;
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1, 2, 3]));
    for index in 1..4 {
        world.command(index, Command::Stop);
    }
    world.run_to(PERIOD, |world| world.serves(&[0]));
    world.run(10 * PERIOD);
    for index in 1..4 {
        world.command(index, Command::Stage(Rules::one(7, 50)));
        world.command(index, Command::Start);
    }
    world.run(10 * PERIOD);
    assert!(world.serves(&[0]), "{}", world.summary());
    assert_eq!(world.nodes[0].links().len(), 3);
    assert_eq!(world.nodes[4].view_members().len(), 5);
    world.crashed[4] = false;
    for _ in 0..10 * PERIOD / MS {
        world.run(MS);
        let generation = world.nodes[0].generation();
        assert!(!generation.is_none(), "{}", world.summary());
    }
    assert!(world.serves(&[0, 4]), "{}", world.summary());
}
