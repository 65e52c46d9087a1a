// SPDX-License-Identifier: GPL-2.0-only

//! Properties of the packet decision. Single verdicts are in the golden packets.

use super::common::*;
use nlb_core::decide::{decide, explain, flow, Answer, Buckets, Note, Verdict};
use nlb_core::genl::Affinity;
use nlb_core::packet::{Flow, Meta, Target, ETHERTYPE_IPV4, ETHERTYPE_IPV6, SNAP_LEN};
use nlb_core::reason::Reason;
use nlb_core::rules::{Rule, Track};
use proptest::prelude::*;
use std::net::IpAddr;

const VIP4: [u8; 4] = [192, 0, 2, 10];
const CLIENT4: [u8; 4] = [198, 51, 100, 7];
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

fn vip6() -> IpAddr {
    "2001:db8::10".parse().expect("an address")
}

fn vips() -> [IpAddr; 2] {
    [VIP4.into(), vip6()]
}

fn verdict(words: &Words, packet: &[u8]) -> Verdict {
    let rules = [Rule::all(Affinity::None)];
    decide(
        &build(&settings(&vips(), &rules)),
        words,
        &meta(packet),
        packet,
    )
}

#[test]
fn a_moved_bucket_is_asked_about_but_never_for_a_bare_syn() {
    let moved = Words {
        moved: u64::MAX,
        ..Words::NONE
    };
    let syn = ipv4(CLIENT4, VIP4, 6, &tcp(40000, 80, SYN));
    assert_eq!(
        verdict(&moved, &syn).reason(),
        Some(Reason::DroppedNotOwner)
    );
    let ack = ipv4(CLIENT4, VIP4, 6, &tcp(40000, 80, ACK));
    let Verdict::Ask(question) = verdict(&moved, &ack) else {
        panic!("an ACK of a moved bucket is asked about");
    };
    assert_eq!(
        question.resolve(Answer::Known).reason(),
        Some(Reason::AcceptedResidual)
    );
    assert_eq!(
        question.resolve(Answer::Cookie).reason(),
        Some(Reason::AcceptedCookie)
    );
    assert_eq!(
        question.resolve(Answer::Unknown).reason(),
        Some(Reason::DroppedNoSession)
    );
}

/// What is remembered of a packet that the owner serves.
fn noted(rule: Rule, words: &Words, packet: &[u8]) -> Note {
    let rules = [rule];
    let filter = build(&settings(&vips(), &rules));
    match decide(&filter, words, &meta(packet), packet) {
        Verdict::Accept { note, .. } => note,
        Verdict::Ask(question) => match question.resolve(Answer::Unknown) {
            Verdict::Accept { note, .. } => note,
            other => panic!("nobody else has it: {other:?}"),
        },
        other => panic!("the owner serves it: {other:?}"),
    }
}

#[test]
fn the_owner_remembers_sessions_that_have_no_socket() {
    let udp_to = |port, data: &[u8]| ipv4(CLIENT4, VIP4, 17, &udp(40000, port, data));
    let other = |protocol, data: &[u8]| ipv4(CLIENT4, VIP4, protocol, data);
    let initial = [0xc0, 0, 0, 0, 1, 8];
    let (handshake, short) = ([0xe0, 0, 0, 0, 1, 8], [0x40, 1, 2, 3]);
    let ike = |responder: u8| [[1; 8], [responder; 8]].concat();
    let mut init = vec![0; 12];
    init.push(1);
    let all = Rule::all(Affinity::Single);
    let (on, off) = (
        Rule {
            track: Track::On,
            ..all
        },
        Rule {
            track: Track::Off,
            ..all
        },
    );
    let cases = [
        (all, udp_to(443, &initial), Note::First),
        (all, udp_to(443, &handshake), Note::Later),
        (all, udp_to(443, &short), Note::Later),
        (off, udp_to(443, &short), Note::Nothing),
        (all, udp_to(53, b"question"), Note::Nothing),
        (on, udp_to(53, b"question"), Note::Later),
        // Tunnels are tracked whatever the rule says, and so is SCTP.
        (off, udp_to(500, &ike(0)), Note::First),
        (off, udp_to(500, &ike(2)), Note::Later),
        (
            off,
            udp_to(4500, &[[0; 4].to_vec(), ike(0)].concat()),
            Note::First,
        ),
        (off, udp_to(4500, &[9; 40]), Note::Later),
        (
            off,
            udp_to(1701, &[0xc8, 2, 0, 20, 0, 0, 0, 0]),
            Note::First,
        ),
        (
            off,
            udp_to(1701, &[0x40, 2, 0, 20, 0, 7, 0, 7]),
            Note::Later,
        ),
        (off, other(47, &[0; 16]), Note::Later),
        (off, other(50, &[0; 16]), Note::Later),
        (off, other(51, &[0; 16]), Note::Later),
        (
            off,
            other(
                132,
                &[&[0x9c, 0x40, 0x13, 0xc4][..], &init[4..], &[0; 8]].concat(),
            ),
            Note::First,
        ),
        // These have a socket, or stand for themselves.
        (on, other(6, &tcp(40000, 80, SYN)), Note::Nothing),
        (on, other(6, &tcp(40000, 80, ACK)), Note::Nothing),
        (on, other(1, &[8, 0, 0, 0, 0, 1, 0, 1]), Note::Nothing),
        (on, other(1, &[0, 0, 0, 0, 0, 1, 0, 1]), Note::Nothing),
        (on, other(99, &[0; 16]), Note::Nothing),
    ];
    let moved = Words {
        moved: u64::MAX,
        ..Words::ALL
    };
    for (number, (rule, packet, expected)) in cases.into_iter().enumerate() {
        assert_eq!(noted(rule, &Words::ALL, &packet), expected, "case {number}");
        assert_eq!(
            noted(rule, &moved, &packet),
            expected,
            "case {number}, moved"
        );
    }
}

#[test]
fn nobody_remembers_a_session_that_it_does_not_own() {
    let moved = Words {
        moved: u64::MAX,
        ..Words::NONE
    };
    let short = ipv4(CLIENT4, VIP4, 17, &udp(40000, 443, &[0x40, 1, 2, 3]));
    let Verdict::Ask(question) = verdict(&moved, &short) else {
        panic!("a session of a moved bucket is asked about");
    };
    let Verdict::Accept { note, reason, .. } = question.resolve(Answer::Known) else {
        panic!("a session that is known is served");
    };
    assert_eq!((note, reason), (Note::Nothing, Reason::AcceptedResidual));
}

#[test]
fn the_question_of_an_icmp_error_is_about_the_flow_inside() {
    let inner = ipv4(VIP4, CLIENT4, 6, &tcp(80, 40000, ACK));
    let error = [&[3, 4, 0, 0, 0, 0, 5, 0][..], &inner].concat();
    let packet = ipv4([203, 0, 113, 1], VIP4, 1, &error);
    let moved = Words {
        moved: u64::MAX,
        ..Words::NONE
    };
    let Verdict::Ask(question) = verdict(&moved, &packet) else {
        panic!("an error of a moved bucket is asked about");
    };
    assert!(question.icmp_error);
    let inside = Flow {
        protocol: 6,
        client: CLIENT4.into(),
        client_port: 40000,
        vip: VIP4.into(),
        vip_port: 80,
    };
    assert_eq!(flow(&packet), Some(inside));
}

#[test]
fn merged_segments_have_no_length_of_their_own() {
    let mut packet = ipv4(CLIENT4, VIP4, 6, &tcp(40000, 80, ACK));
    packet[2..4].fill(0);
    let rules = [Rule::all(Affinity::None)];
    let filter = build(&settings(&vips(), &rules));
    let plain = meta(&packet);
    let merged = Meta {
        merged: true,
        len: 100_000,
        ..plain
    };
    let judged = |meta| decide(&filter, &Words::ALL, &meta, &packet).reason();
    assert_eq!(judged(plain), Some(Reason::MalformedLength));
    assert_eq!(judged(merged), Some(Reason::AcceptedOwner));
}

/// Owns the buckets of even number.
struct Even;

impl Buckets for Even {
    fn mine(&self, _slot: u16, _word: u16) -> u64 {
        0x5555_5555_5555_5555
    }
    fn moved(&self, _slot: u16, _word: u16) -> u64 {
        0
    }
    fn is_default_host(&self) -> bool {
        false
    }
}

/// A packet of a flow.
fn packet_of(flow: &Flow) -> Vec<u8> {
    let transport = match flow.protocol {
        6 => tcp(flow.client_port, flow.vip_port, SYN),
        _ => udp(flow.client_port, flow.vip_port, b"data"),
    };
    match (flow.client, flow.vip) {
        (IpAddr::V4(client), IpAddr::V4(vip)) => {
            ipv4(client.octets(), vip.octets(), flow.protocol, &transport)
        }
        (IpAddr::V6(client), IpAddr::V6(vip)) => {
            let length = u16::try_from(transport.len())
                .expect("a packet is short")
                .to_be_bytes();
            let head = [0x60, 0, 0, 0, length[0], length[1], flow.protocol, 64];
            [&head[..], &client.octets(), &vip.octets(), &transport].concat()
        }
        _ => panic!("client and VIP are of one family"),
    }
}

/// The same packet with four no-operation options, or with an empty header of destination options.
fn with_option(packet: &[u8]) -> Vec<u8> {
    let (header, transport) = packet.split_at(if packet[0] == 0x45 { 20 } else { 40 });
    let mut header = header.to_vec();
    let length = if header[0] == 0x45 { 2 } else { 4 };
    let more = if header[0] == 0x45 { 4 } else { 8 };
    let said = u16::from_be_bytes([header[length], header[length + 1]]) + more;
    header[length..length + 2].copy_from_slice(&said.to_be_bytes());
    if header[0] == 0x45 {
        header[0] = 0x46;
        return [&header[..], &[1; 4], transport].concat();
    }
    let protocol = std::mem::replace(&mut header[6], 60);
    [&header[..], &[protocol, 0, 1, 4, 0, 0, 0, 0], transport].concat()
}

fn any_flow() -> impl Strategy<Value = Flow> {
    let clients = prop_oneof![
        (1u8..=126, any::<[u8; 3]>())
            .prop_map(|(a, [b, c, d])| (IpAddr::from([a, b, c, d]), IpAddr::from(VIP4))),
        any::<[u8; 14]>().prop_map(|rest| {
            let mut octets = [0x20; 16];
            octets[2..].copy_from_slice(&rest);
            (IpAddr::from(octets), vip6())
        }),
    ];
    let protocol = prop_oneof![Just(6u8), Just(17)];
    (clients, protocol, any::<u16>(), any::<u16>()).prop_map(
        |((client, vip), protocol, client_port, vip_port)| Flow {
            protocol,
            client,
            client_port,
            vip,
            vip_port,
        },
    )
}

fn any_affinity() -> impl Strategy<Value = Affinity> {
    prop_oneof![
        Just(Affinity::None),
        Just(Affinity::Single),
        Just(Affinity::Network)
    ]
}

proptest! {
    /// What `nlbadm owner` says of a flow is what becomes of its packets.
    #[test]
    fn the_explanation_is_the_decision(flow_asked in any_flow(), affinity in any_affinity()) {
        let rules = [Rule::all(affinity)];
        let vips = vips();
        let filter = build(&settings(&vips, &rules));
        let packet = packet_of(&flow_asked);
        let place = explain(&filter, &flow_asked).place.expect("a rule covers everything");
        let expected = match place.bucket % 2 {
            0 => Reason::AcceptedOwner,
            _ => Reason::DroppedNotOwner,
        };
        prop_assert_eq!(decide(&filter, &Even, &meta(&packet), &packet).reason(), Some(expected));
        prop_assert_eq!(flow(&packet), Some(flow_asked));
    }

    /// A packet with an IP option or an empty extension header is judged off the fast path, and as the plain
    /// packet is judged on it.
    #[test]
    fn both_paths_come_to_one_verdict(asked in any_flow(), affinity in any_affinity(), moved: bool) {
        let rules = [Rule::all(affinity)];
        let vips = vips();
        let filter = build(&settings(&vips, &rules));
        let plain = packet_of(&asked);
        let long = with_option(&plain);
        let words = Words {
            mine: 0x5555_5555_5555_5555,
            moved: if moved { u64::MAX } else { 0 },
            ..Words::NONE
        };
        let judged = |packet: &[u8]| decide(&filter, &words, &meta(packet), packet);
        prop_assert_eq!(judged(&plain), judged(&long));
    }

    /// Under affinity network a client's host depends on its network alone, under single on its address alone.
    #[test]
    fn affinity_looks_at_no_more_than_it_says(one in any_flow(), port: u16, last: u8) {
        let vips = vips();
        let place = |affinity, flow: &Flow| {
            let rules = [Rule::all(affinity)];
            explain(&build(&settings(&vips, &rules)), flow).place
        };
        let other_port = Flow { client_port: port, ..one };
        prop_assert_eq!(place(Affinity::Single, &one), place(Affinity::Single, &other_port));
        let client = match one.client {
            IpAddr::V4(client) => {
                let [a, b, c, _] = client.octets();
                IpAddr::from([a, b, c, last])
            }
            IpAddr::V6(client) => {
                let mut octets = client.octets();
                octets[8..].fill(last);
                IpAddr::from(octets)
            }
        };
        let neighbour = Flow { client, client_port: port, ..one };
        prop_assert_eq!(place(Affinity::Network, &one), place(Affinity::Network, &neighbour));
    }

    /// Any bytes whatever lead to a verdict, and with enough of them never to a demand for more.
    #[test]
    fn every_frame_has_a_verdict(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..400),
        v6: bool, for_vip: bool, moved: bool, merged: bool, longer in 0u32..2000,
    ) {
        let (first, at, address) = match v6 {
            true => (0x60, 24, vip6()),
            false => (0x45, 16, VIP4.into()),
        };
        if for_vip {
            let octets = match address {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            };
            for (to, from) in bytes.iter_mut().skip(at).zip(octets) {
                *to = from;
            }
            if let Some(version) = bytes.first_mut() {
                *version = first | (*version & 0x0f & if v6 { 0x0f } else { 0x01 });
            }
        }
        let len = u32::try_from(bytes.len()).expect("short");
        let len = if bytes.len() >= SNAP_LEN { len.saturating_add(longer) } else { len };
        let meta = Meta {
            ethertype: if v6 { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 },
            vlan: false,
            dst_is_virtual_mac: true,
            target: Target::OtherHost,
            merged,
            len,
        };
        let rules = [Rule::all(Affinity::None)];
        let vips = vips();
        let filter = build(&settings(&vips, &rules));
        let words = Words { moved: if moved { u64::MAX } else { 0 }, ..Words::ALL };
        let verdict = decide(&filter, &words, &meta, &bytes);
        prop_assert_ne!(verdict, Verdict::Short);
        if !for_vip {
            let accepted = matches!(verdict, Verdict::Accept { .. });
            prop_assert!(!accepted);
        }
        let _ = flow(&bytes);
    }
}
