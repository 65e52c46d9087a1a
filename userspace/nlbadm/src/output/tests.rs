// SPDX-License-Identifier: GPL-2.0-only

//! Every answer in both forms, compared with files under `snapshots/`.

use nlb_core::{
    genl::{Affinity, EventKind, Health, Mode, Stance, Trace},
    rules::{FilteringMode, Protocols, RuleState},
    state::{Cause, HostState, OutReason},
};
use nlb_netlink::object::{Answer, BucketMap, Convergence, Counter, Event, Key, PortRule, Residue};

use super::{
    Report, cluster::Clusters, event::EventShape, keys::KeysShape, owner::OwnerShape,
    relay::RelayShape,
};
use crate::{
    cli::{Buckets, Counters, Owner, Protocol, Target},
    cmd,
    failure::Failure,
    fake::{Fake, cluster, member, rule},
};

/// Both forms of an answer in one text.
fn both(report: &impl Report) -> String {
    let json = serde_json::to_string_pretty(report).unwrap();
    format!("{}---\n{json}\n", report.human())
}

#[test]
fn show() {
    let shapes = cmd::show::run(&mut Fake::in_cluster(), &Target::default()).unwrap();
    insta::assert_snapshot!(both(&shapes));
}

#[test]
fn show_of_a_host_that_is_out() {
    let mut out = cluster(2, "eth0");
    out.state = HostState::Joining.into();
    out.out_reason = OutReason::DuplicateId.into();
    out.key_id = None;
    out.generation = 0;
    out.default_host = None;
    out.members = 0;
    let mut cut = member(2, HostState::Converged, OutReason::InterfaceCut, Some(10));
    cut.member = true;
    cut.heard_relay = true;
    let mut kernel = Fake {
        clusters: vec![out, cluster(3, "eth1")],
        members: vec![cut, member(5, HostState::Stopped, OutReason::Left, None)],
        ..Fake::host()
    };
    kernel.members[1].this = false;
    let shapes = cmd::show::run(&mut kernel, &Target::default()).unwrap();
    insta::assert_snapshot!(both(&shapes));
}

#[test]
fn show_of_a_starved_host() {
    let starved = |mode: Mode, families| {
        let mut it = cluster(2, "eth0");
        it.mode = mode.into();
        it.starved = families;
        it
    };
    let mut kernel = Fake {
        clusters: vec![starved(Mode::Multicast, 3), starved(Mode::Unicast, 1)],
        ..Fake::host()
    };
    let shapes = cmd::show::run(&mut kernel, &Target::default()).unwrap();
    insta::assert_snapshot!(shapes.human());
}

/// A host whose MTU is too small, and which has a VIP on another interface.
fn with_obstacles() -> Fake {
    let mut kernel = Fake::in_cluster();
    kernel.healthy();
    kernel.file("/proc/sys/kernel/osrelease", "7.3.4\n");
    kernel.links[1].mtu = 1200;
    kernel.devices_addresses = vec![(3, crate::fake::address("192.0.2.10", 24, false))];
    kernel
}

#[test]
fn show_of_a_host_with_obstacles() {
    let shapes = cmd::show::run(&mut with_obstacles(), &Target::default()).unwrap();
    insta::assert_snapshot!(shapes.human());
}

#[test]
fn doctor() {
    let (checkup, end) = cmd::doctor::run(&mut with_obstacles(), &Target::default()).unwrap();
    assert_eq!(end.unwrap_err().message, "1 problem was found");
    insta::assert_snapshot!(both(&checkup));
}

#[test]
fn rules() {
    let vip = Some("192.0.2.10".parse().unwrap());
    let mut kernel = Fake::in_cluster();
    kernel.clusters[0].pending = Some(0x0123_4567_89ab_cdef);
    kernel.members[0].pending = kernel.clusters[0].pending;
    kernel.rules = vec![
        PortRule {
            vip,
            protocols: Protocols::Tcp.into(),
            weight: Some(100),
            ..rule(0, 443, 443)
        },
        PortRule {
            mode: FilteringMode::Single.into(),
            priority: Some(3),
            state: RuleState::Draining.into(),
            buckets_owned: Some(0),
            ..rule(1, 8000, 8099)
        },
        PortRule {
            pending: true,
            affinity: Affinity::Network.into(),
            buckets_owned: None,
            ..rule(0, 0, u16::MAX)
        },
    ];
    let shape = cmd::rules::show(&mut kernel, &Target::default()).unwrap();
    insta::assert_snapshot!(both(&shape));
    let show = cmd::show::run(&mut kernel, &Target::default()).unwrap();
    assert!(
        show.human()
            .contains("new rules: they wait until host 2 has the same")
    );
    kernel.rules.clear();
    kernel.clusters[0].pending = None;
    let shape = cmd::rules::show(&mut kernel, &Target::default()).unwrap();
    assert!(shape.human().contains("the default host serves everything"));
}

#[test]
fn show_of_nothing() {
    insta::assert_snapshot!(both(&Clusters(Vec::new())));
}

#[test]
fn owner() {
    let mut kernel = Fake {
        answer: Some(Answer {
            owner: Some(2),
            reason: "accepted-owner".into(),
            rule: Some(0),
            affinity: Some(Affinity::Single.into()),
            hash: Some(0xadde_0000_0000_0001),
            bucket: Some(2781),
            this: false,
            generation: 7,
            holders: 0b1001,
            holders_unknown: 0b10000,
            trace: Some(Trace::Socket.into()),
            first: Some("dropped-not-owner".into()),
            later: Some("accepted-residual".into()),
        }),
        ..Fake::in_cluster()
    };
    let mut args = Owner {
        client: Some("198.51.100.7:40000".parse().unwrap()),
        vip: Some("192.0.2.10:80".parse().unwrap()),
        batch: false,
        proto: Protocol::Tcp,
        interface: None,
    };
    let known = ask_owner(&mut kernel, &args).unwrap();
    kernel.answer = Some(Answer {
        owner: None,
        reason: "dropped-disabled".into(),
        rule: None,
        affinity: None,
        hash: None,
        bucket: None,
        this: false,
        generation: 7,
        holders: 0,
        holders_unknown: 0,
        trace: Some(Trace::None.into()),
        first: Some("dropped-disabled".into()),
        later: Some("dropped-disabled".into()),
    });
    args.client = Some("2001:db8::7".parse().unwrap());
    args.vip = Some("[2001:db8::10]:53".parse().unwrap());
    args.proto = Protocol::Udp;
    let nobody = ask_owner(&mut kernel, &args).unwrap();
    insta::assert_snapshot!(both(&known) + &both(&nobody));
}

/// The one question of the arguments.
fn ask_owner(kernel: &mut Fake, args: &Owner) -> Result<OwnerShape, Failure> {
    cmd::owner::one(kernel, args, args.client.unwrap(), args.vip.unwrap())
}

#[test]
fn owner_of_a_wrong_question() {
    let mut args = Owner {
        client: Some("198.51.100.7:40000".parse().unwrap()),
        vip: Some("192.0.2.77:80".parse().unwrap()),
        batch: false,
        proto: Protocol::Tcp,
        interface: None,
    };
    let no_vip = ask_owner(&mut Fake::in_cluster(), &args).unwrap_err();
    args.vip = Some("2001:db8::10".parse().unwrap());
    let families = ask_owner(&mut Fake::in_cluster(), &args).unwrap_err();
    args.proto = Protocol::Gre;
    args.client = Some("198.51.100.7:40000".parse().unwrap());
    args.vip = Some("192.0.2.10".parse().unwrap());
    let ports = ask_owner(&mut Fake::in_cluster(), &args).unwrap_err();
    insta::assert_snapshot!(format!("{no_vip}\n{families}\n{ports}\n"));
}

#[test]
fn counters() {
    let counter = |name: &str, value| Counter {
        name: name.into(),
        value,
    };
    let mut kernel = Fake {
        counters: vec![
            counter("accepted-owner", 1234),
            counter("silent", 0),
            counter("arp-replied", 7),
        ],
        ..Fake::in_cluster()
    };
    let mut args = Counters {
        target: Target::default(),
        all: false,
        rule: None,
    };
    let some = cmd::counters::run(&mut kernel, &args).unwrap();
    args.all = true;
    let all = cmd::counters::run(&mut kernel, &args).unwrap();
    insta::assert_snapshot!(both(&some) + &both(&all));
}

#[test]
fn history() {
    let entry = |generation, cause: Cause, age_ms| Convergence {
        generation,
        members: 0b111,
        cause: Some(cause.into()),
        host_id: (cause != Cause::ColdStart).then_some(3),
        age_ms,
        took_us: Some(1_250),
        moved: Some(1365),
    };
    let mut kernel = Fake {
        history: vec![
            entry(7, Cause::Died, 61_250),
            entry(6, Cause::ColdStart, 90_000_000),
        ],
        ..Fake::in_cluster()
    };
    let shape = cmd::history::run(&mut kernel, &Target::default()).unwrap();
    insta::assert_snapshot!(both(&shape));
}

#[test]
fn buckets() {
    let mut owners = vec![1; 4096];
    owners[1000..2000].fill(2);
    owners[2000..2010].fill(0);
    let mut kernel = Fake {
        maps: vec![BucketMap {
            slot: 0,
            generation: 7,
            owners,
            residue: vec![Residue {
                host_id: 2,
                buckets: vec![0, 1, 2, 77],
            }],
        }],
        ..Fake::in_cluster()
    };
    let mut args = Buckets {
        target: Target::default(),
        all: false,
    };
    let shares = cmd::buckets::run(&mut kernel, &args).unwrap();
    args.all = true;
    let ranges = cmd::buckets::run(&mut kernel, &args).unwrap();
    insta::assert_snapshot!(both(&shares) + &ranges.human());
}

#[test]
fn keys() {
    let shape = KeysShape {
        interface: "eth0".into(),
        keys: vec![
            Key { id: 1, send: true }.into(),
            Key { id: 2, send: false }.into(),
        ],
    };
    insta::assert_snapshot!(both(&shape));
}

#[test]
fn events() {
    let bare = Event {
        ifindex: 2,
        ifname: None,
        kind: EventKind::ClusterDel.into(),
        host_id: None,
        state: None,
        out_reason: None,
        generation: None,
        members: None,
        cause: None,
        default_host: None,
        vip: None,
        mac: None,
        sessions: None,
        rule: None,
        health: None,
        stance: None,
    };
    let silent = Event {
        kind: EventKind::RuleHealth.into(),
        rule: Some(2),
        health: Some(Health::Silent.into()),
        ..bare.clone()
    };
    let gave_up = Event {
        stance: Some(Stance::GaveUp.into()),
        ..silent.clone()
    };
    let drained = Event {
        kind: EventKind::Drained.into(),
        host_id: Some(1),
        sessions: Some(3),
        ..bare.clone()
    };
    let claim = Event {
        kind: EventKind::Conflict.into(),
        vip: Some("192.0.2.10".parse().unwrap()),
        mac: Some([2, 0, 0, 0, 0, 0x77]),
        ..bare.clone()
    };
    let full = Event {
        ifname: Some("eth0".into()),
        kind: EventKind::HostOut.into(),
        host_id: Some(3),
        state: Some(HostState::Converged.into()),
        out_reason: Some(OutReason::Dead.into()),
        generation: Some(7),
        members: Some(0b11),
        cause: Some(Cause::Died.into()),
        default_host: Some(1),
        ..bare.clone()
    };
    let back = Event {
        ifindex: 2,
        kind: EventKind::HostOut.into(),
        host_id: Some(3),
        out_reason: Some(OutReason::None.into()),
        ..bare.clone()
    };
    let time = || "2026-01-02T03:04:05.678Z".to_owned();
    insta::assert_snapshot!(
        both(&EventShape::new(time(), bare))
            + &both(&EventShape::new(time(), full))
            + &both(&EventShape::new(time(), back))
            + &both(&EventShape::new(time(), claim))
            + &both(&EventShape::new(time(), drained))
            + &both(&EventShape::new(time(), silent))
            + &both(&EventShape::new(time(), gave_up))
    );
}

#[test]
fn relay() {
    let shape = RelayShape {
        sent: 10,
        not_a_peer: 2,
        ..RelayShape::default()
    };
    insta::assert_snapshot!(both(&shape));
}

#[test]
fn ip2mac() {
    let of = |text: &str| {
        both(&cmd::ip2mac::run(&crate::cli::Ip2mac {
            address: text.parse().unwrap(),
        }))
    };
    insta::assert_snapshot!(of("192.0.2.10") + &of("2001:db8::10"));
}
