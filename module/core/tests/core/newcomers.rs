// SPDX-License-Identifier: GPL-2.0-only

//! Hosts that join while frames get lost: whom they follow, and that they hold nobody up.

use super::world::{self, World, PERIOD, TOLERANCE};
use nlb_core::host::{HostId, HostSet};
use nlb_core::node::Command;

const SILENCE: u64 = PERIOD * TOLERANCE as u64;

/// The first `serving` of so many hosts serve; the others have not been started.
fn serving(serving: usize, hosts: usize) -> World {
    let mut world = World::new(hosts);
    let members: Vec<usize> = (0..serving).collect();
    for &index in &members {
        world.command(index, Command::Start);
    }
    world.run_to(20 * PERIOD, |world| world.serves(&members));
    world.run(30 * PERIOD);
    world
}

#[test]
fn any_member_tells_whom_a_newcomer_has_to_follow() {
    let mut world = serving(3, 4);
    // The leader does not hear host 4, and so does not take it in.
    world.cut[0][3] = true;
    world.cut[3][0] = true;
    world.command(3, Command::Start);
    world.run(PERIOD);
    assert_eq!(world.nodes[3].leader(), None);
    assert_eq!(world.nodes[3].links(), HostSet(0b110));
    // Host 2 commits the generation without the leader before host 3 does, so it says that it follows nobody yet. That is
    // the last that host 4 hears of it for a while.
    world.command(0, Command::Stop);
    world.run_to(PERIOD, |world| {
        world.nodes[1].view_members() == HostSet(0b110)
    });
    world.run(2 * world::MS);
    world.cut[1][3] = true;
    world.run(PERIOD + PERIOD / 2);
    assert_eq!(world.nodes[2].leader(), HostId::new(2));
    assert_eq!(world.nodes[3].leader(), HostId::new(2));
    world.cut[1][3] = false;
    world.run_to(2 * PERIOD, |world| world.serves(&[1, 2, 3]));
}

#[test]
fn newcomers_that_do_not_answer_hold_up_a_failover_once_and_not_in_turns() {
    let mut world = serving(2, 5);
    // Host 3 joins, and is not taken in while host 2 does not know it.
    world.cut[1][2] = true;
    world.cut[2][1] = true;
    world.command(2, Command::Start);
    world.run(2 * PERIOD);
    world.crash(1);
    world.run(SILENCE / 2);
    assert!(world.nodes[0].links().contains(HostId::new(3).unwrap()));
    // From now on it hears nothing of the leader, which still believes it to be there. The same happens to others, who
    // come when it has been asked already.
    world.cut[0][2] = true;
    world.run_to(SILENCE, |world| world.nodes[0].leading().is_some());
    for index in [3, 4] {
        world.command(index, Command::Start);
    }
    world.run(PERIOD / 2);
    assert_eq!(world.nodes[0].links(), HostSet(0b11100));
    world.cut[0][3] = true;
    world.cut[0][4] = true;
    world.run_to(PERIOD / 2 + PERIOD / 4, |world| world.serves(&[0]));
}

#[test]
fn a_member_that_drains_keeps_its_buckets_until_the_only_newcomer_has_answered() {
    let mut world = serving(2, 3);
    // Host 3 joins, and is not taken in while host 2 does not know it.
    world.cut[1][2] = true;
    world.cut[2][1] = true;
    world.command(2, Command::Start);
    world.run(2 * PERIOD);
    world.crash(1);
    world.run(SILENCE - PERIOD);
    world.command(0, Command::Drain);
    // The newcomer hears nothing just when it is asked.
    world.cut[0][2] = true;
    world.run_to(2 * PERIOD, |world| world.nodes[0].leading().is_some());
    for _ in 0..2 * PERIOD / world::MS {
        world.run(world::MS);
        assert!(world::owned(&world.nodes[0]) > 0, "{}", world.summary());
    }
    world.cut[0][2] = false;
    let all = u32::from(world.nodes[2].config().buckets);
    world.run_to(PERIOD, |world| world::owned(&world.nodes[2]) == all);
    assert_eq!(world::owned(&world.nodes[0]), 0);
}
