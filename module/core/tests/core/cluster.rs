// SPDX-License-Identifier: GPL-2.0-only

//! The life of a cluster: start, join, failure, leave, drain, change of weights and rules.

use super::world::{config, owned, ToyKey, World, MS, PERIOD, TOLERANCE};
use nlb_core::config::Rules;
use nlb_core::event::Event;
use nlb_core::node::Command;
use nlb_core::state::{Cause, HostState, OutReason};
use nlb_core::time::Instant;

const SILENCE: u64 = PERIOD * TOLERANCE as u64;

fn three() -> World {
    let mut world = World::new(3);
    world.start_all();
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1, 2]));
    world
}

#[test]
fn a_host_alone_serves_after_it_has_listened() {
    let mut world = World::new(1);
    world.start_all();
    assert_eq!(world.nodes[0].out_reason(), OutReason::Listening);
    let took = world.run_to(10 * PERIOD, |world| world.serves(&[0]));
    assert!(took >= SILENCE - MS, "it did not listen: {took}");
    assert!(world.nodes[0].is_default());
}

#[test]
fn three_hosts_share_equally() {
    let world = three();
    let shares: Vec<u32> = world.nodes.iter().map(owned).collect();
    assert_eq!(shares.iter().sum::<u32>(), 256);
    assert!(
        shares.iter().all(|share| (85..=86).contains(share)),
        "{shares:?}"
    );
    assert!(world.nodes[0].is_default());
}

#[test]
fn sixty_four_hosts_converge_from_cold_within_ten_periods() {
    let mut world = World::new(64);
    world.start_all();
    let all: Vec<usize> = (0..64).collect();
    let took = world.run_to(10 * PERIOD, |world| world.serves(&all));
    assert!(took <= 10 * PERIOD);
}

#[test]
fn a_joiner_gets_its_share_and_nothing_else_moves() {
    let mut world = World::new(4);
    for index in 0..3 {
        world.command(index, Command::Start);
    }
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1, 2]));
    let before = world.nodes[0].map(0).to_vec();
    world.command(3, Command::Start);
    let took = world.run_to(10 * PERIOD, |world| world.serves(&[0, 1, 2, 3]));
    assert!(took <= 2 * PERIOD, "joining took {} ms", took / MS);
    let after = world.nodes[3].map(0).to_vec();
    let collateral = before
        .iter()
        .zip(&after)
        .filter(|(old, new)| old != new && **new != 4)
        .count();
    assert_eq!(collateral, 0);
    assert_eq!(owned(&world.nodes[3]), 64);
}

#[test]
fn a_dead_host_is_replaced_in_time() {
    for dead in [0, 1, 2] {
        let mut world = three();
        world.run(3 * PERIOD + 17 * MS);
        world.crash(dead);
        let rest: Vec<usize> = (0..3).filter(|index| *index != dead).collect();
        let took = world.run_to(20 * PERIOD, |world| world.serves(&rest));
        assert!(
            took <= SILENCE + 2 * PERIOD,
            "failover took {} ms",
            took / MS
        );
        let history = world.nodes[rest[0]].history().last().unwrap();
        assert_eq!(history.cause, Cause::Died);
        assert_eq!(history.host.map(|host| host.index()), Some(dead));
    }
}

#[test]
fn a_host_that_stops_hands_over_within_a_few_frames() {
    for leaver in [0, 1, 2] {
        let mut world = three();
        world.command(leaver, Command::Stop);
        let rest: Vec<usize> = (0..3).filter(|index| *index != leaver).collect();
        let took = world.run_to(10 * PERIOD, |world| world.serves(&rest));
        assert!(took <= 2 * PERIOD, "leaving took {} ms", took / MS);
        world.run_to(PERIOD, |world| {
            world.nodes[leaver].state() == HostState::Stopped
        });
        assert_eq!(owned(&world.nodes[leaver]), 0);
        world.run(4 * PERIOD);
        assert!(world.serves(&rest), "{}", world.summary());
    }
}

#[test]
fn a_leader_that_takes_itself_out_is_not_overtaken_by_the_next() {
    let mut world = three();
    let before = world.nodes[1].generation().number;
    // The others hear that it is in no view any more, from it and from each other, before its commit arrives.
    world.change_delay = PERIOD / 4;
    world.command(0, Command::Stop);
    world.run_to(2 * PERIOD, |world| world.serves(&[1, 2]));
    world.run(10 * PERIOD);
    assert!(world.serves(&[1, 2]), "{}", world.summary());
    assert_eq!(world.nodes[1].generation().number, before + 1);
}

#[test]
fn who_leaves_waits_for_nobody_who_could_not_take_over() {
    let odd = nlb_core::config::Config {
        rules: Rules::one(9, 50),
        ..config(1)
    };
    let mut world = World::with(vec![odd, config(2)]);
    let stopped =
        |host: usize| move |world: &World| world.nodes[host].state() == HostState::Stopped;
    world.command(1, Command::Start);
    world.run_to(10 * PERIOD, |world| world.serves(&[1]));
    world.start(0);
    world.run(10 * PERIOD);
    assert_eq!(world.nodes[0].out_reason(), OutReason::RulesDiffer);
    // The other has other rules, and takes over by itself, when this one has gone.
    world.command(1, Command::Stop);
    world.run_to(PERIOD, stopped(1));
    world.run_to(PERIOD, |world| world.serves(&[0]));

    // All leave.
    let mut world = three();
    for host in [1, 0, 2] {
        world.command(host, Command::Stop);
    }
    for host in [0, 1, 2] {
        world.run_to(PERIOD, stopped(host));
    }
}

#[test]
fn a_planned_change_leaves_a_bucket_without_owner_for_at_most_four_delays() {
    let mut world = three();
    world.delay = 5 * MS;
    world.command(0, Command::Stop);
    let total = |world: &World| world.nodes.iter().map(owned).sum::<u32>();
    world.run_to(2 * PERIOD, |world| total(world) < 256);
    let gap = world.run_to(PERIOD, |world| total(world) == 256);
    assert!(gap <= 4 * world.delay, "gap of {} ms", gap / MS);
}

#[test]
fn a_draining_host_owns_nothing_and_stays_a_member() {
    let mut world = three();
    world.command(0, Command::Drain);
    world.run_to(2 * PERIOD, |world| {
        owned(&world.nodes[0]) == 0 && world.serves(&[0, 1, 2])
    });
    assert_eq!(world.nodes[0].state(), HostState::Draining);
    assert!(!world.nodes[0].is_default() && world.nodes[1].is_default());
    world.command(0, Command::Start);
    world.run_to(2 * PERIOD, |world| {
        owned(&world.nodes[0]) == 86 && world.serves(&[0, 1, 2])
    });
}

#[test]
fn drainstop_ends_with_the_last_session_or_at_its_deadline() {
    let mut world = three();
    world.command(
        1,
        Command::Drainstop {
            deadline: Instant::NEVER,
        },
    );
    world.run(20 * PERIOD);
    assert_eq!(world.nodes[1].state(), HostState::Draining);
    assert_eq!(owned(&world.nodes[1]), 0);
    world.walk_with(1, |_, word| u64::from(word == 0));
    world.run(2 * PERIOD);
    assert_eq!(world.nodes[1].state(), HostState::Draining);
    world.walk_with(1, |_, _| 0);
    world.run_to(2 * PERIOD, |world| {
        world.nodes[1].state() == HostState::Stopped
    });

    let mut world = three();
    let deadline = world.now.after(7 * PERIOD);
    world.command(1, Command::Drainstop { deadline });
    world.run(6 * PERIOD);
    assert_eq!(world.nodes[1].state(), HostState::Draining);
    world.run_to(3 * PERIOD, |world| {
        world.nodes[1].state() == HostState::Stopped
    });
}

#[test]
fn weights_decide_the_shares() {
    let mut world = three();
    world.command(
        2,
        Command::SetWeight {
            slot: 0,
            weight: 100,
        },
    );
    world.run_to(2 * PERIOD, |world| {
        owned(&world.nodes[2]) == 128 && world.serves(&[0, 1, 2])
    });
    world.command(0, Command::SetWeight { slot: 0, weight: 0 });
    world.run_to(2 * PERIOD, |world| {
        owned(&world.nodes[0]) == 0 && world.serves(&[0, 1, 2])
    });
}

#[test]
fn an_interface_that_is_cut_hands_over_at_once_on_what_path_is_left() {
    let mut world = three();
    world.command(1, Command::Carrier(false));
    assert_eq!(owned(&world.nodes[1]), 0);
    world.run_to(2 * PERIOD, |world| world.serves(&[0, 1, 2]));
    assert_eq!(world.nodes[1].out_reason(), OutReason::InterfaceCut);
    world.command(1, Command::Carrier(true));
    world.run_to(2 * PERIOD, |world| {
        owned(&world.nodes[1]) == 85 || owned(&world.nodes[1]) == 86
    });
}

#[test]
fn a_partition_heals() {
    let mut world = three();
    world.check_owners = false;
    for other in [0, 1] {
        world.cut[2][other] = true;
        world.cut[other][2] = true;
    }
    world.run_to(10 * PERIOD, |world| {
        world.serves(&[0, 1]) && world.serves(&[2])
    });
    world.cut = vec![vec![false; 3]; 3];
    let took = world.run_to(10 * PERIOD, |world| world.serves(&[0, 1, 2]));
    assert!(took <= 3 * PERIOD, "healing took {} ms", took / MS);
    world.assert_one_owner();
}

#[test]
fn a_link_that_works_one_way_leaves_one_owner() {
    // Host 3 hears the others; they do not hear it.
    let mut world = three();
    world.check_owners = false;
    world.cut[2][0] = true;
    world.cut[2][1] = true;
    world.run_to(12 * PERIOD, |world| {
        world.serves(&[0, 1]) && owned(&world.nodes[2]) == 0
    });
    world.check_owners = true;
    world.run(100 * PERIOD);
    assert_eq!(owned(&world.nodes[2]), 0);
}

#[test]
fn a_host_that_does_not_hear_the_others_serves_alone_if_clients_reach_it() {
    let mut world = three();
    world.check_owners = false;
    world.cut[0][2] = true;
    world.cut[1][2] = true;
    for period in 0..100 {
        // Whatever clients send is a sign that the segment reaches it.
        world.command(2, Command::SegmentSeen);
        world.run(PERIOD);
        world.check_owners = period > 20;
    }
    assert!(world.serves(&[2]), "{}", world.summary());
}

#[test]
fn a_host_that_nothing_reaches_does_not_take_the_others_with_it() {
    let mut world = three();
    world.check_owners = false;
    world.cut[0][2] = true;
    world.cut[1][2] = true;
    world.run(30 * PERIOD);
    assert!(world.serves(&[0, 1]), "{}", world.summary());
}

#[test]
fn a_paused_host_serves_nothing_until_it_knows_better() {
    let mut world = three();
    let node = world.nodes[1].clone();
    world.crashed[1] = true;
    world.check_owners = false;
    world.run(10 * PERIOD);
    world.nodes[1] = node;
    world.crashed[1] = false;
    world.nodes[1].handle_timeout(world.now);
    assert_eq!(owned(&world.nodes[1]), 0);
    world.check_owners = true;
    world.run_to(3 * PERIOD, |world| world.serves(&[0, 1, 2]));
}

#[test]
fn a_restarted_host_comes_back_under_a_new_incarnation() {
    let mut world = three();
    world.crash(1);
    world.run(PERIOD);
    world.start(1);
    let took = world.run_to(20 * PERIOD, |world| world.serves(&[0, 1, 2]));
    assert!(took <= SILENCE + 3 * PERIOD, "{}", took / MS);
}

#[test]
fn a_duplicate_id_is_kept_out_by_name() {
    let mut world = World::with(vec![config(1), config(2), config(2)]);
    world.command(0, Command::Start);
    world.command(1, Command::Start);
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1]));
    world.command(2, Command::Start);
    world.run(20 * PERIOD);
    assert!(world.serves(&[0, 1]), "{}", world.summary());
    assert_eq!(world.nodes[2].out_reason(), OutReason::DuplicateId);
    world.command(1, Command::Stop);
    world.run_to(4 * PERIOD, |world| world.serves(&[0, 2]));
}

#[test]
fn two_newcomers_of_one_id_do_not_both_get_in() {
    let mut world = World::with(vec![config(1), config(2), config(2)]);
    world.start_all();
    world.run(20 * PERIOD);
    let serving = [world.serves(&[0, 1]), world.serves(&[0, 2])];
    assert_eq!(
        serving.iter().filter(|serves| **serves).count(),
        1,
        "{}",
        world.summary()
    );
}

#[test]
fn hosts_with_other_rules_stay_out_and_the_rest_serve() {
    let odd = nlb_core::config::Config {
        rules: Rules::one(9, 50),
        ..config(1)
    };
    let mut world = World::with(vec![odd, config(2), config(3)]);
    world.start_all();
    world.run_to(10 * PERIOD, |world| world.serves(&[1, 2]));
    world.run(10 * PERIOD);
    assert_eq!(world.nodes[0].out_reason(), OutReason::RulesDiffer);
    let told = |event: &Event| {
        matches!(
            event,
            Event::HostOut {
                reason: OutReason::RulesDiffer,
                ..
            }
        )
    };
    assert!(world.events[1].iter().any(told));
}

#[test]
fn staged_rules_come_into_force_when_all_have_them() {
    let mut world = three();
    let mut rules = Rules::one(2, 30);
    rules.slots = 2;
    rules.weights[1] = 10;
    world.command(0, Command::Stage(rules));
    world.command(1, Command::Stage(rules));
    world.run(5 * PERIOD);
    assert_eq!(world.nodes[0].config().rules.digest, 1);
    world.command(2, Command::Stage(rules));
    world.run_to(2 * PERIOD, |world| {
        world
            .nodes
            .iter()
            .all(|node| node.config().rules.digest == 2)
    });
    world.run_to(PERIOD, |world| world.serves(&[0, 1, 2]));
    assert_eq!(world.nodes[2].map(1).len(), 256);
    assert!(world.nodes[0].map(1).iter().all(|owner| *owner != 0));
}

#[test]
fn versions_are_negotiated_and_an_incompatible_one_stays_out() {
    let versions = |host, versions| nlb_core::config::Config {
        versions,
        ..config(host)
    };
    let mut world = World::with(vec![
        versions(1, (1, 2)),
        versions(2, (1, 1)),
        versions(3, (1, 2)),
    ]);
    world.start_all();
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1, 2]));

    let mut world = World::with(vec![
        versions(1, (1, 1)),
        versions(2, (1, 1)),
        versions(3, (2, 2)),
    ]);
    world.start_all();
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1]));
    world.run(100 * PERIOD);
    assert!(world.serves(&[0, 1]));
    assert_eq!(world.nodes[2].out_reason(), OutReason::Version);
    let told = |event: &Event| {
        matches!(
            event,
            Event::HostOut {
                reason: OutReason::Version,
                ..
            }
        )
    };
    assert!(world.events[0].iter().any(told));
}

#[test]
fn a_rival_of_a_host_does_not_hide_its_service_from_who_cannot_talk_to_it() {
    let versions = |host, versions| nlb_core::config::Config {
        versions,
        ..config(host)
    };
    let mut world = World::with(vec![
        versions(2, (1, 1)),
        versions(1, (2, 2)),
        versions(2, (1, 1)),
    ]);
    world.command(0, Command::Start);
    world.run_to(10 * PERIOD, |world| world.serves(&[0]));
    world.command(1, Command::Start);
    world.run(10 * PERIOD);
    assert_eq!(world.nodes[1].out_reason(), OutReason::Version);
    // At every step nobody owns what another does.
    world.command(2, Command::Start);
    world.run(10 * PERIOD);
    assert_eq!(world.nodes[2].out_reason(), OutReason::DuplicateId);
    // What the rival says does not last longer than the host that served.
    world.crash(0);
    world.crash(2);
    world.run_to(SILENCE + 2 * PERIOD, |world| world.serves(&[1]));
}

#[test]
fn a_timer_that_was_handled_is_not_due_again_before_anything_was_sent() {
    let mut world = three();
    // The caller may be unable to send for a while: it must not be called for the same thing again and again.
    world.nodes[0]
        .handle_command(world.now, Command::Stop, 0)
        .unwrap();
    for index in 0..3 {
        let mut calls = 0;
        let end = world.now.after(4 * SILENCE);
        while world.nodes[index].poll_timeout() <= end {
            let now = world.nodes[index].poll_timeout();
            world.nodes[index].handle_timeout(now);
            calls += 1;
            assert!(calls < 200, "host {} is called for ever", index + 1);
        }
    }
}

#[test]
fn a_host_with_another_key_does_not_serve_beside_the_cluster() {
    let mut world = World::new(3);
    world.keys[2] = ToyKey(78);
    world.start_all();
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1]));
    world.run(100 * PERIOD);
    assert!(world.serves(&[0, 1]), "{}", world.summary());
    assert_eq!(world.nodes[2].out_reason(), OutReason::Key);
    let named = world.nodes[0]
        .members()
        .find(|member| member.host.get() == 3);
    assert_eq!(named.map(|member| member.out), Some(OutReason::Key));
    // Alone it serves: frames that nobody sends any more hold nobody.
    world.command(0, Command::Stop);
    world.command(1, Command::Stop);
    world.run_to(4 * SILENCE, |world| world.serves(&[2]));
}

#[test]
fn frames_that_prove_nothing_hold_a_host_for_a_bounded_time() {
    let mut world = World::new(2);
    world.keys[1] = ToyKey(78);
    world.check_owners = false;
    world.start_all();
    let hold = world.nodes[1].config().hold_ns();
    world.run(hold / 2);
    assert_eq!(world.nodes[1].out_reason(), OutReason::Key);
    // Whoever makes them cannot begin anew by pausing.
    world.cut[0][1] = true;
    world.run(PERIOD);
    world.cut[0][1] = false;
    world.run_to(hold / 2 + SILENCE + PERIOD, |world| world.serves(&[1]));
}

#[test]
fn a_host_that_is_halted_says_farewell() {
    for gone in [0, 1, 2] {
        let mut world = three();
        world.run(3 * PERIOD + 17 * MS);
        world.command(gone, Command::Halt);
        world.crashed[gone] = true;
        let rest: Vec<usize> = (0..3).filter(|index| *index != gone).collect();
        let took = world.run_to(SILENCE, |world| world.serves(&rest));
        assert!(took <= PERIOD, "{} ms", took / MS);
    }
}

#[test]
fn a_duplicate_of_a_lone_host_stays_out() {
    let mut world = World::with(vec![config(2), config(2)]);
    world.command(0, Command::Start);
    world.run_to(10 * PERIOD, |world| world.serves(&[0]));
    world.command(1, Command::Start);
    world.run(30 * PERIOD);
    assert!(world.serves(&[0]), "{}", world.summary());
    assert_eq!(world.nodes[1].out_reason(), OutReason::DuplicateId);
}

#[test]
fn a_newcomer_does_not_take_the_place_of_a_host_that_is_about_to_serve() {
    let mut world = World::with(vec![config(1), config(1), config(2)]);
    world.command(0, Command::Start);
    world.command(2, Command::Start);
    // Host 2 dies just when host 1 has asked it for its answer, and host 1 waits for that until it knows.
    world.run_to(SILENCE + PERIOD, |world| world.nodes[0].leading().is_some());
    world.crash(2);
    world.run(SILENCE / 2);
    let now = world.now;
    world.nodes[1]
        .handle_command(now, Command::Start, 1)
        .unwrap();
    world.expire(1);
    world.run_to(SILENCE / 2 + PERIOD, |world| world.serves(&[0]));
    world.run(20 * PERIOD);
    assert!(world.serves(&[0]), "{}", world.summary());
    assert_eq!(world.nodes[1].out_reason(), OutReason::DuplicateId);
}

#[test]
fn of_two_of_one_id_that_serve_when_they_meet_one_yields() {
    for longer in [0, 1] {
        let mut world = World::with(vec![config(1), config(1)]);
        world.cut = vec![vec![true; 2]; 2];
        world.check_owners = false;
        world.start_all();
        world.run(10 * PERIOD);
        let weight = Command::SetWeight {
            slot: 0,
            weight: 10,
        };
        world.command(longer, weight);
        world.run(PERIOD);
        assert!(world.serves(&[0]) && world.serves(&[1]));
        world.cut = vec![vec![false; 2]; 2];
        world.run(2 * PERIOD);
        world.check_owners = true;
        world.run(20 * PERIOD);
        // The one whose view has the higher number stays.
        assert!(world.serves(&[longer]), "{}", world.summary());
        let other = &world.nodes[1 - longer];
        assert_eq!(other.out_reason(), OutReason::DuplicateId);
    }
}
