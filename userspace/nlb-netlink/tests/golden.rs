// SPDX-License-Identifier: GPL-2.0-only

//! Messages byte by byte, both ways.
//!
//! The files under `golden/` hold a generic netlink header and one attribute on each line. They were made from the
//! layout in `linux/netlink.h` and the numbers of the specification by a program that shares nothing with this crate.
//! Little-endian, as every machine the tests run on.
#![cfg(target_endian = "little")]

use netlink_packet_core::{DefaultNla, Emitable, NLA_HEADER_SIZE, NetlinkSerializable};
use netlink_packet_core::{NetlinkDeserializable, NetlinkHeader};
use netlink_packet_generic::GenlMessage;
use nlb_core::{
    genl::{Affinity, Command, Control, Echo, EventKind, Health, Mode, Responder, Stance, Trace},
    rules::{FilteringMode, HealthAction, Protocols, Rule, RuleState, Track},
    state::{Cause, HostState, OutReason},
};
use nlb_netlink::{
    attribute::{ClusterAttribute, CounterAttribute, EventAttribute, KeyAttribute},
    message::{Attributes, NlbMessage},
    object::{
        Answer, BucketMap, Claim, Cluster, ClusterChange, ClusterKey, Convergence, Counter, Event,
        Heartbeat, Key, Member, NewCluster, NewRule, PortRule, Question, RuleChange, Staged,
    },
};

macro_rules! golden {
    ($name:literal) => {
        bytes(include_str!(concat!("golden/", $name, ".hex")))
    };
}

/// The bytes of a file: hexadecimal, `#` starts a comment.
fn bytes(text: &str) -> Vec<u8> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

fn parse(bytes: &[u8]) -> NlbMessage {
    parse_any(bytes).unwrap()
}

fn parse_any(bytes: &[u8]) -> Result<NlbMessage, String> {
    GenlMessage::deserialize(&NetlinkHeader::default(), bytes)
        .map(|message| message.payload)
        .map_err(|error| error.to_string())
}

fn emit(message: NlbMessage) -> Vec<u8> {
    let message = GenlMessage::from_payload(message);
    let mut buffer = vec![0xff; NetlinkSerializable::buffer_len(&message)];
    message.serialize(&mut buffer);
    buffer
}

/// What is parsed from the bytes is emitted as the same bytes; returned to be looked into.
fn round_trip(bytes: &[u8]) -> NlbMessage {
    let message = parse(bytes);
    assert_eq!(emit(message.clone()), bytes);
    message
}

fn new_cluster() -> NewCluster {
    NewCluster {
        ifindex: 2,
        name: "web".into(),
        host_id: 1,
        mode: Mode::Multicast,
        vips: vec![
            "192.0.2.10".parse().unwrap(),
            "2001:db8::10".parse().unwrap(),
        ],
        dedicated_ip: Some("192.0.2.1".parse().unwrap()),
        dedicated_follows: false,
        affinity: Affinity::Single,
        period_ms: 200,
        tolerance: 5,
        weight: Some(50),
        key: ClusterKey::Key {
            id: 3,
            key: std::array::from_fn(|index| index as u8),
            seed: std::array::from_fn(|index| index as u8),
        },
        rules: None,
        virtual_mac: None,
        allow_other_interfaces: false,
        echo: Echo::DefaultHost,
        responder: Responder::DefaultHost,
        sessions_max: None,
    }
}

/// A rule with everything that a rule can say, and one that says what it must.
fn new_rules() -> [NewRule; 2] {
    [
        NewRule {
            rule: Rule {
                vip: Some("192.0.2.10".parse().unwrap()),
                protocols: Protocols::Tcp,
                first_port: 443,
                last_port: 444,
                mode: FilteringMode::Single,
                affinity: Affinity::Network,
                prefix_v4: 20,
                prefix_v6: 56,
                track: Track::On,
                health: HealthAction::Report,
                state: RuleState::Enabled,
            },
            weight: Some(100),
            priority: Some(3),
            state: Some(RuleState::Draining),
        },
        NewRule {
            rule: Rule::all(Affinity::None),
            weight: None,
            priority: None,
            state: None,
        },
    ]
}

#[test]
fn cluster_new() {
    let request = NlbMessage::new(Command::ClusterNew, new_cluster().to_attributes());
    let golden = golden!("cluster-new");
    assert_eq!(emit(request.clone()), golden);
    assert_eq!(round_trip(&golden), request);
}

#[test]
fn cluster_new_with_no_rules_at_all() {
    let cluster = NewCluster {
        rules: Some(Vec::new()),
        ..new_cluster()
    };
    let attributes = cluster.to_attributes();
    assert!(attributes.contains(&ClusterAttribute::NoRules(())));
    let said = |it: &&ClusterAttribute| {
        matches!(
            it,
            ClusterAttribute::Rule(_) | ClusterAttribute::Affinity(_)
        )
    };
    assert_eq!(attributes.iter().find(said), None);
    let request = NlbMessage::new(Command::ClusterNew, attributes);
    assert_eq!(round_trip(&emit(request.clone())), request);
}

#[test]
fn cluster_new_with_rules() {
    let cluster = NewCluster {
        rules: Some(new_rules().to_vec()),
        ..new_cluster()
    };
    let request = NlbMessage::new(Command::ClusterNew, cluster.to_attributes());
    // The affinity, which is that of the default rule, is left out. The rules come last, and are the same bytes as in
    // a request to replace them, under another number.
    let affinity = [5, 0, 8, 0, 1, 0, 0, 0];
    let mut golden = golden!("cluster-new");
    let at = golden.windows(8).position(|it| it == affinity).unwrap();
    golden.drain(at..at + 8);
    let rules = golden!("rule-set").split_off(12);
    for (at, byte) in rules.iter().enumerate() {
        let starts_a_rule = at == 2 || at == 2 + usize::from(rules[0]);
        golden.push(if starts_a_rule { 27 } else { *byte });
    }
    assert_eq!(emit(request.clone()), golden);
    assert_eq!(round_trip(&golden), request);
}

#[test]
fn rule_set() {
    let request = NlbMessage::new(Command::RuleSet, NewRule::list(2, &new_rules()));
    assert_eq!(emit(request.clone()), golden!("rule-set"));
    assert_eq!(round_trip(&golden!("rule-set")), request);
}

#[test]
fn rule_control() {
    let change = RuleChange::State(RuleState::Disabled);
    let request = NlbMessage::new(Command::RuleControl, change.to_attributes(2, 5));
    assert_eq!(emit(request), golden!("rule-control"));
}

#[test]
fn rule_get() {
    let Attributes::Rule(attributes) = round_trip(&golden!("rule-get-reply")).attributes else {
        panic!("not a rule");
    };
    let expected = PortRule {
        number: 5,
        pending: true,
        vip: Some("2001:db8::10".parse().unwrap()),
        protocols: Protocols::Udp.into(),
        first_port: 443,
        last_port: 444,
        mode: FilteringMode::Multiple.into(),
        affinity: Affinity::Network.into(),
        prefix_v4: 20,
        prefix_v6: 56,
        track: Track::On.into(),
        health_action: HealthAction::Report.into(),
        weight: Some(30),
        priority: Some(3),
        state: RuleState::Draining.into(),
        buckets_owned: Some(1229),
        accepted: Some(1_234_567_890_123),
        dropped: Some(7),
        health: Health::Unknown.into(),
        stance: Stance::Takes.into(),
    };
    assert_eq!(PortRule::from_attributes(attributes).unwrap(), expected);
}

#[test]
fn cluster_set() {
    let change = ClusterChange::Control(Control::Drainstop);
    let request = NlbMessage::new(Command::ClusterSet, change.to_attributes(2));
    assert_eq!(emit(request.clone()), golden!("cluster-set"));
    assert_eq!(parse(&golden!("cluster-set")), request);
}

#[test]
fn cluster_get() {
    let message = round_trip(&golden!("cluster-get-reply"));
    let Attributes::Cluster(attributes) = message.attributes else {
        panic!("{message:?}");
    };
    let expected = Cluster {
        ifindex: 2,
        ifname: "eth0".into(),
        name: "web".into(),
        host_id: 1,
        mode: Mode::Multicast.into(),
        vips: vec!["192.0.2.10".parse().unwrap()],
        dedicated_ip: Some("192.0.2.1".parse().unwrap()),
        dedicated_follows: false,
        affinity: Affinity::Single.into(),
        period_ms: 200,
        tolerance: 5,
        virtual_mac: Some([0x03, 0xbf, 0xc0, 0x00, 0x02, 0x0a]),
        state: HostState::Converged.into(),
        out_reason: OutReason::None.into(),
        generation: 7,
        default_host: Some(1),
        members: 0b111,
        key_id: Some(3),
        weight: Some(50),
        buckets_owned: 1366,
        cause: Some(Cause::Joined.into()),
        pending: None,
        rules: None,
        virtual_mac_v6: None,
        conflict: Some(Claim {
            vip: "192.0.2.10".parse().unwrap(),
            mac: [2, 0, 0, 0, 0, 0x77],
            age_ms: 1500,
        }),
        allow_other_interfaces: true,
        starved: 3,
        echo: Echo::Hash.into(),
        responder: Responder::All.into(),
        walk_found: None,
        residue: None,
        walk_us: None,
        walk_seen: None,
        sessions_max: Some(262_144),
        sessions: Some(17),
        vip_ifindex: None,
        unanswered_vips: Vec::new(),
        asking_mac: None,
        health: Health::Unknown.into(),
        staged: Staged::default(),
        held: false,
        former_vips: Vec::new(),
    };
    let cluster = Cluster::from_attributes(attributes).unwrap();
    assert_eq!(cluster, expected);
    assert_eq!(cluster.member_ids().collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn member_get() {
    let Attributes::Member(attributes) = round_trip(&golden!("member-get-reply")).attributes else {
        panic!("not a host");
    };
    let expected = Member {
        host_id: 3,
        state: HostState::Converged.into(),
        out_reason: OutReason::Dead.into(),
        last_heard_ms: Some(1250),
        incarnation: 0x0123_4567_89ab_cdef,
        buckets_owned: 1365,
        this: false,
        default: true,
        heard_segment: true,
        heard_relay: true,
        heard_wrapped: false,
        loss_permille: Some(17),
        dedicated_ip: Some("192.0.2.3".parse().unwrap()),
        weight: Some(50),
        member: true,
        pending: None,
        residue: Some(42),
        residue_ms: Some(61_000),
        rules_given_up: 0,
    };
    assert_eq!(Member::from_attributes(attributes).unwrap(), expected);
}

#[test]
fn owner_get() {
    let question = Question {
        ifindex: 2,
        client: "198.51.100.7".parse().unwrap(),
        client_port: 40000,
        vip: "192.0.2.10".parse().unwrap(),
        vip_port: 80,
        protocol: 6,
    };
    let request = NlbMessage::new(Command::OwnerGet, question.to_attributes());
    assert_eq!(emit(request), golden!("owner-get"));

    let Attributes::Owner(attributes) = round_trip(&golden!("owner-get-reply")).attributes else {
        panic!("not an answer");
    };
    let expected = Answer {
        owner: Some(2),
        reason: "accepted-owner".into(),
        rule: Some(0),
        affinity: Some(Affinity::Single.into()),
        hash: Some(0xadde_0000_0000_0001),
        bucket: Some(2781),
        this: false,
        generation: 7,
        holders: 0,
        holders_unknown: 0,
        trace: Some(Trace::Socket.into()),
        first: Some("dropped-not-owner".into()),
        later: None,
    };
    assert_eq!(Answer::from_attributes(attributes).unwrap(), expected);
}

#[test]
fn bucket_get() {
    let Attributes::Bucket(attributes) = round_trip(&golden!("bucket-get-reply")).attributes else {
        panic!("not a bucket map");
    };
    let maps = BucketMap::from_dump([attributes]).unwrap();
    assert_eq!(maps[0].generation, 7);
    assert_eq!(maps[0].owners.len(), 4096);
    assert_eq!(maps[0].owners[4089..], [0, 1, 1, 2, 2, 3, 0]);
}

#[test]
fn counter_get() {
    let Attributes::Counter(attributes) = round_trip(&golden!("counter-get-reply")).attributes
    else {
        panic!("not a counter");
    };
    let expected = Counter {
        name: "accepted-owner".into(),
        value: 1_234_567_890_123,
    };
    assert_eq!(Counter::from_attributes(attributes).unwrap(), expected);
}

#[test]
fn history_get() {
    let Attributes::History(attributes) = round_trip(&golden!("history-get-reply")).attributes
    else {
        panic!("not a convergence");
    };
    let expected = Convergence {
        generation: 7,
        members: 0b101,
        cause: Some(Cause::Died.into()),
        host_id: Some(2),
        age_ms: 61_250,
        took_us: Some(1250),
        moved: Some(1365),
    };
    assert_eq!(Convergence::from_attributes(attributes).unwrap(), expected);
}

#[test]
fn keys() {
    let attributes = vec![
        KeyAttribute::Ifindex(2),
        KeyAttribute::Id(2),
        KeyAttribute::Key(std::array::from_fn(|index| index as u8)),
    ];
    assert_eq!(
        emit(NlbMessage::new(Command::KeySet, attributes)),
        golden!("key-set")
    );

    let Attributes::Key(attributes) = round_trip(&golden!("key-get-reply")).attributes else {
        panic!("not a key");
    };
    assert_eq!(
        Key::from_attributes(attributes).unwrap(),
        Key { id: 2, send: true }
    );
}

#[test]
fn heartbeat_in() {
    let heartbeat = Heartbeat {
        ifindex: 2,
        frame: vec![0xde, 0xad, 0xbe, 0xef, 0x01],
    };
    let request = NlbMessage::new(Command::HeartbeatIn, heartbeat.clone().into_attributes());
    assert_eq!(emit(request), golden!("heartbeat-in"));
    let Attributes::Heartbeat(attributes) = parse(&golden!("heartbeat-in")).attributes else {
        panic!("not a heartbeat");
    };
    assert_eq!(Heartbeat::from_attributes(attributes).unwrap(), heartbeat);
}

#[test]
fn event_ntf() {
    let Attributes::Event(attributes) = round_trip(&golden!("event-ntf")).attributes else {
        panic!("not an event");
    };
    let expected = Event {
        ifindex: 2,
        ifname: Some("eth0".into()),
        kind: EventKind::HostOut.into(),
        host_id: Some(3),
        state: Some(HostState::Converged.into()),
        out_reason: Some(OutReason::Dead.into()),
        generation: Some(7),
        members: Some(0b11),
        cause: Some(Cause::Died.into()),
        default_host: Some(1),
        vip: Some("192.0.2.10".parse().unwrap()),
        mac: Some([2, 0, 0, 0, 0, 0x77]),
        sessions: None,
        rule: None,
        health: None,
        stance: None,
    };
    assert_eq!(Event::from_attributes(attributes).unwrap(), expected);
}

#[test]
fn unknown_attributes_are_kept() {
    let Attributes::Counter(attributes) = round_trip(&golden!("unknown-attribute")).attributes
    else {
        panic!("not a counter");
    };
    assert_eq!(
        attributes.last(),
        Some(&CounterAttribute::Other(DefaultNla::new(
            4000,
            vec![1, 2, 3]
        )))
    );
    assert!(Counter::from_attributes(attributes).is_ok());
}

#[test]
fn unknown_commands_are_kept() {
    let mut golden = golden!("event-ntf");
    golden[0] = 200;
    let message = round_trip(&golden);
    assert_eq!(message.command.known(), None);
    assert!(matches!(message.attributes, Attributes::Other(attributes) if attributes.len() == 12));
}

#[test]
fn unknown_values_of_an_enumeration_are_kept() {
    let attribute = EventAttribute::Kind(nlb_netlink::Code::from_number(99));
    let mut buffer = vec![0; attribute.buffer_len()];
    attribute.emit(&mut buffer);
    assert_eq!(buffer[NLA_HEADER_SIZE], 99);
}

/// A message that ends anywhere but between two attributes is an error; nowhere does it panic.
#[test]
fn truncated_messages_are_errors() {
    for golden in [
        golden!("cluster-new"),
        golden!("cluster-get-reply"),
        golden!("member-get-reply"),
        golden!("owner-get-reply"),
        golden!("bucket-get-reply"),
        golden!("history-get-reply"),
        golden!("event-ntf"),
        golden!("rule-set"),
        golden!("rule-get-reply"),
    ] {
        let whole = whole_lengths(&golden);
        for length in 0..=golden.len() {
            let result = parse_any(&golden[..length]);
            assert_eq!(
                result.is_ok(),
                whole.contains(&length),
                "{length}: {result:?}"
            );
        }
    }
}

/// The lengths at which no attribute is cut: after the header, and after each attribute with or without its padding.
fn whole_lengths(message: &[u8]) -> Vec<usize> {
    let mut lengths = vec![4];
    let mut start = 4;
    while start < message.len() {
        let length = usize::from(u16::from_le_bytes([message[start], message[start + 1]]));
        let next = start + length.next_multiple_of(4);
        lengths.extend(start + length..=next);
        start = next;
    }
    lengths
}

/// Attributes of a wrong size are errors that name them.
#[test]
fn attributes_of_a_wrong_size_are_named() {
    for (golden, set) in [
        (golden!("cluster-get-reply"), "cluster"),
        (golden!("member-get-reply"), "member"),
        (golden!("event-ntf"), "event"),
        (golden!("rule-get-reply"), "rule"),
    ] {
        // An ifindex of three bytes; the length field counts its four bytes of header.
        let mut short = golden.clone();
        short[4] = 7;
        let error = parse_any(&short).unwrap_err();
        assert!(
            error.contains(&format!("{set} attribute ifindex")),
            "{error}"
        );
    }
}
