// SPDX-License-Identifier: GPL-2.0-only

//! Frames that nobody of the cluster meant: altered, replayed, forged, flooded, of every length and content.

use super::world::{self, owned, ToyKey, World, MS, PERIOD};
use nlb_core::auth::Authenticator;
use nlb_core::config::cluster_id;
use nlb_core::event::Event;
use nlb_core::node::Command;
use nlb_core::peer::Path;
use nlb_core::received::Received;
use nlb_core::state::OutReason;
use proptest::prelude::*;

fn two() -> World {
    let mut world = World::new(2);
    world.start_all();
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1]));
    world
}

/// What a frame must not change.
fn essence(world: &World, index: usize) -> impl PartialEq + std::fmt::Debug {
    let node = &world.nodes[index];
    (
        node.state(),
        node.generation(),
        node.view_members().0,
        node.map_digest(),
        node.ownership_changes(),
        owned(node),
    )
}

/// A frame of any content, with header and tag of a holder of the key.
fn sealed(kind: u8, host: u8, incarnation: u64, seq: u64, body: &[u8], key: &ToyKey) -> Vec<u8> {
    let mut frame = b"nb".to_vec();
    frame.extend([1, 1, 1, kind, 1, host]);
    frame.extend(cluster_id(b"test").to_be_bytes());
    frame.extend(incarnation.to_be_bytes());
    frame.extend(seq.to_be_bytes());
    frame.extend((44 + body.len() as u16 + 16).to_be_bytes());
    frame.extend([0, 0]);
    let stamp = key.stamp(1, &frame).unwrap();
    frame.extend(stamp.to_be_bytes());
    frame.extend(body);
    let tag = key.sign(1, &frame).unwrap();
    frame.extend(tag);
    frame
}

#[test]
fn a_recorded_session_changes_nothing_when_it_is_replayed() {
    let mut world = two();
    world.record = true;
    world.run(5 * PERIOD);
    world.record = false;
    let recorded = std::mem::take(&mut world.sent);
    assert!(recorded.len() >= 10);
    let before = essence(&world, 0);
    for (_, bytes) in &recorded {
        let received = world.deliver(0, Path::Segment, bytes);
        assert!(
            matches!(received, Received::Stale | Received::OwnEcho),
            "{received:?}"
        );
    }
    assert_eq!(essence(&world, 0), before);
    // The sender crashes: its old frames do not bring it back.
    world.check_owners = false;
    world.crash(1);
    world.run_to(20 * PERIOD, |world| world.serves(&[0]));
    for (_, bytes) in recorded.iter().filter(|(from, _)| *from == 1) {
        let received = world.deliver(0, Path::Segment, bytes);
        assert!(!received.accepted(), "{received:?}");
        world.run(PERIOD / 3);
    }
    assert!(world.serves(&[0]));
    // The receiver reboots as well: it has no memory of what it has seen, and still believes nothing.
    world.crash(0);
    world.start(0);
    for round in 0..20 {
        for (_, bytes) in recorded.iter() {
            let received = world.deliver(0, Path::Segment, bytes);
            assert!(!received.accepted(), "round {round}: {received:?}");
        }
        world.run(PERIOD);
    }
    assert_eq!(
        world.nodes[0]
            .members()
            .filter(|member| member.member && !member.is_self)
            .count(),
        0
    );
}

#[test]
fn replays_do_not_keep_a_host_from_joining() {
    let mut world = World::new(2);
    world.record = true;
    world.command(0, Command::Start);
    world.command(1, Command::Start);
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1]));
    world.check_owners = false;
    world.crash(1);
    world.run(10 * PERIOD);
    world.record = false;
    let old: Vec<Vec<u8>> = world
        .sent
        .iter()
        .filter(|(from, _)| *from == 1)
        .map(|(_, b)| b.clone())
        .collect();
    world.start(1);
    for round in 0.. {
        assert!(round < 2000, "the host never got in: {}", world.summary());
        for bytes in &old {
            world.deliver(0, Path::Segment, bytes);
        }
        world.run(5 * MS);
        if world.serves(&[0, 1]) {
            break;
        }
    }
}

/// Frames of two old incarnations of a host take turns as the candidate of its id, whether the host is there or not: they
/// are no sign of a duplicate id, and do not make anybody beat faster.
#[test]
fn replays_of_two_incarnations_raise_no_alarm_and_no_rate() {
    let mut world = two();
    world.check_owners = false;
    let mut old = Vec::new();
    for _ in 0..2 {
        world.record = true;
        world.run(PERIOD);
        world.record = false;
        let of_host_2 = world.sent.iter().rev().find(|(from, _)| *from == 1);
        old.push(of_host_2.unwrap().1.clone());
        world.crash(1);
        world.run(10 * PERIOD);
        world.start(1);
        world.run_to(20 * PERIOD, |world| world.serves(&[0, 1]));
    }
    let incarnation = |frame: &[u8]| frame[16..24].to_vec();
    assert_ne!(incarnation(&old[0]), incarnation(&old[1]));
    for alive in [true, false] {
        if !alive {
            world.crash(1);
            world.run(10 * PERIOD);
        }
        world.events[0].clear();
        world.sent.clear();
        world.record = true;
        const PERIODS: u64 = 400;
        for step in 0..PERIODS * 20 {
            let received = world.deliver(0, Path::Segment, &old[step as usize % 2]);
            assert!(!received.accepted(), "{received:?}");
            world.run(PERIOD / 20);
        }
        world.record = false;
        let beats = world.sent.iter().filter(|(from, _)| *from == 0).count() as u64;
        assert!(
            beats <= PERIODS + PERIODS / 2 + 64 + 1,
            "host 2 alive: {alive}: {beats} frames in {PERIODS} periods"
        );
        let alarms = world.events[0].iter().filter(|event| is_duplicate(event));
        assert_eq!(alarms.count(), 0, "host 2 alive: {alive}");
    }
    // A host that starts while this goes on comes in nevertheless.
    world.start(1);
    for round in 0.. {
        assert!(round < 400, "host 2 never got in: {}", world.summary());
        world.deliver(0, Path::Segment, &old[round % 2]);
        world.run(PERIOD / 20);
        if world.serves(&[0, 1]) {
            break;
        }
    }
}

fn is_duplicate(event: &Event) -> bool {
    let duplicate = OutReason::DuplicateId;
    matches!(event, Event::HostOut { reason, .. } if *reason == duplicate)
}

/// What is told of replays no more is told of a host: once, for as long as it is there.
#[test]
fn a_duplicate_id_is_told_of_once() {
    let mut world = World::with([1, 2, 2].map(world::config).to_vec());
    for index in [0, 1] {
        world.command(index, Command::Start);
    }
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1]));
    let alarms = |world: &World| world.events[0].iter().filter(|e| is_duplicate(e)).count();
    world.start(2);
    world.run(50 * PERIOD);
    assert_eq!(alarms(&world), 1);
    world.crash(2);
    world.run(10 * PERIOD);
    world.start(2);
    world.run(50 * PERIOD);
    assert_eq!(alarms(&world), 2);
}

#[test]
fn a_flood_of_forged_frames_evicts_nobody_and_costs_few_digests() {
    let mut world = two();
    world.record = true;
    world.run(2 * PERIOD);
    world.record = false;
    let genuine = world
        .sent
        .iter()
        .rev()
        .find(|(from, _)| *from == 1)
        .unwrap()
        .1
        .clone();
    let generation = world.nodes[0].generation();
    // 50,000 a second for ten periods: a fifth of a millisecond has ten. Half have a genuine header with a
    // sequence that is due next, half are wrong in a way that only the tag can tell.
    for round in 0u64..10_000 {
        for n in 0..10u8 {
            let mut forged = genuine.clone();
            if n % 2 == 0 {
                let seq = u64::from_be_bytes(forged[24..32].try_into().unwrap()) + 1 + round % 50;
                forged[24..32].copy_from_slice(&seq.to_be_bytes());
            } else {
                let last = forged.len() - 1;
                forged[last] ^= 1 + n;
                forged[70] = n;
            }
            let received = world.deliver(0, Path::Segment, &forged);
            assert!(!received.accepted(), "{received:?}");
        }
        world.run(200_000);
    }
    assert_eq!(world.nodes[0].generation(), generation);
    assert!(world.serves(&[0, 1]));
    let digests = world.received.get(&Received::BadTag).copied().unwrap_or(0);
    assert!(digests < 10_000, "{digests} digests for forged frames");
}

#[test]
fn other_clusters_and_other_keys_are_refused_by_name() {
    let mut world = two();
    let incarnation = world.nodes[1].incarnation();
    let good = sealed(1, 2, incarnation, 1 << 20, &[], &ToyKey(77));
    assert_eq!(world.deliver(0, Path::Segment, &good), Received::Body);
    let mut other = sealed(1, 2, incarnation, (1 << 20) + 1, &[], &ToyKey(77));
    other[9] ^= 1;
    assert_eq!(
        world.deliver(0, Path::Segment, &other),
        Received::OtherCluster
    );
    let forged = sealed(1, 2, incarnation, (1 << 20) + 2, &[], &ToyKey(78));
    assert_eq!(world.deliver(0, Path::Segment, &forged), Received::BadStamp);
    let mut keyless = sealed(1, 2, incarnation, (1 << 20) + 3, &[], &ToyKey(77));
    keyless[6] = 0;
    assert_eq!(
        world.deliver(0, Path::Segment, &keyless),
        Received::UnknownKey
    );
    keyless[6] = 9;
    assert_eq!(
        world.deliver(0, Path::Segment, &keyless),
        Received::UnknownKey
    );
    keyless[7] = 65;
    assert_eq!(world.deliver(0, Path::Segment, &keyless), Received::HostId);
    assert_eq!(world.deliver(0, Path::Segment, b"nb"), Received::Length);
    assert_eq!(world.deliver(0, Path::Segment, &[0; 100]), Received::Magic);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_change_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..1600)) {
        let mut world = two();
        let before = essence(&world, 0);
        prop_assert!(!world.deliver(0, Path::Segment, &bytes).accepted());
        prop_assert_eq!(essence(&world, 0), before);
    }

    #[test]
    fn an_altered_frame_is_refused(at in 0usize..2000, bit in 0u8..8, cut in 0usize..60) {
        let mut world = two();
        // Host 1 misses what host 2 sends from now on, so that nothing of it is stale there.
        world.cut[1][0] = true;
        world.record = true;
        world.run(PERIOD * 2);
        world.record = false;
        let mut bytes = world.sent.iter().rev().find(|(from, _)| *from == 1).unwrap().1.clone();
        let len = bytes.len();
        bytes[at % len] ^= 1 << bit;
        bytes.truncate(len.max(cut) - cut);
        // The two reserved bytes of the header are covered by the stamp and the tag like all others.
        let before = essence(&world, 0);
        let received = world.deliver(0, Path::Segment, &bytes);
        prop_assert!(!received.accepted(), "{:?}", received);
        prop_assert_eq!(essence(&world, 0), before);
    }

    #[test]
    fn any_body_of_a_member_is_understood_or_refused_but_never_a_panic(
        kind in 0u8..8,
        body in proptest::collection::vec(any::<u8>(), 0..1440),
        step in 1u8..4,
    ) {
        let mut world = two();
        let incarnation = world.nodes[1].incarnation();
        let frame = sealed(kind, 2, incarnation, 5000, &body, &ToyKey(77));
        world.check_owners = false;
        world.deliver(0, Path::Segment, &frame);
        // A change whose fields are in range and whose content is not.
        let mut change = vec![step];
        change.extend(body.iter().copied().chain(std::iter::repeat(0)).take(200));
        change[50] = 3;
        change[52] = 2;
        change[53] = 1;
        change[66] = 2;
        let frame = sealed(2, 2, incarnation, 5001, &change, &ToyKey(77));
        let held = owned(&world.nodes[0]);
        world.deliver(0, Path::Segment, &frame);
        // Whatever it said: nobody gains anything by a frame that no leader's change has led up to.
        prop_assert!(owned(&world.nodes[0]) <= held);
        world.run(30 * PERIOD);
    }
}
