// SPDX-License-Identifier: GPL-2.0-only

//! What leaves a host from a VIP.

use super::common::*;
use nlb_core::filter::NO_RULE;
use nlb_core::genl::Affinity;
use nlb_core::health::Turn;
use nlb_core::leaving::{is_from_vip, leaving, Leaving};
use nlb_core::packet::Flow;
use nlb_core::rules::Rule;
use nlb_core::session::SessionKey;
use nlb_core::socket::Segment;
use std::net::IpAddr;

const VIP4: [u8; 4] = [192, 0, 2, 10];
const CLIENT4: [u8; 4] = [198, 51, 100, 7];
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

fn vips() -> [IpAddr; 2] {
    [VIP4.into(), "2001:db8::10".parse().expect("an address")]
}

fn ipv6(src: &str, dst: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("short").to_be_bytes();
    let address = |text: &str| match text.parse().expect("an address") {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(_) => panic!("an IPv6 address"),
    };
    let head = [0x60, 0, 0, 0, length[0], length[1], protocol, 64];
    [&head[..], &address(src), &address(dst), payload].concat()
}

fn verdict(words: &Words, packet: &[u8]) -> Leaving {
    let rules = [Rule::all(Affinity::None)];
    leaving(&build(&settings(&vips(), &rules)), words, packet)
}

#[test]
fn only_the_owner_answers_a_syn() {
    let v4 = ipv4(VIP4, CLIENT4, 6, &tcp(80, 40000, SYN | ACK));
    let v6 = ipv6(
        "2001:db8::10",
        "2001:db8:1::7",
        6,
        &tcp(80, 40000, SYN | ACK),
    );
    for packet in [v4, v6] {
        assert_eq!(verdict(&Words::ALL, &packet), Leaving::SynAck(0));
        assert_eq!(verdict(&Words::NONE, &packet), Leaving::LateSynAck(0));
    }
}

#[test]
fn a_syn_ack_that_no_rule_covers_is_the_default_hosts() {
    let packet = ipv4(VIP4, CLIENT4, 6, &tcp(80, 40000, SYN | ACK));
    let filter = build(&settings(&vips(), &[]));
    assert_eq!(
        leaving(&filter, &Words::ALL, &packet),
        Leaving::SynAck(NO_RULE)
    );
    assert_eq!(
        leaving(&filter, &Words::NONE, &packet),
        Leaving::LateSynAck(NO_RULE)
    );
}

#[test]
fn what_answers_a_client_is_told_by_rule() {
    let rules = [Rule::all(Affinity::None)];
    let (ruled, bare) = (
        build(&settings(&vips(), &rules)),
        build(&settings(&vips(), &[])),
    );
    let mut refusal = tcp(80, 40000, 0x14);
    refusal[4..8].fill(0);
    let mut reset = refusal.clone();
    reset[7] = 1;
    let of = |segment: &[u8]| ipv4(VIP4, CLIENT4, 6, segment);
    for words in [&Words::ALL, &Words::NONE] {
        for (packet, turn) in [
            (of(&tcp(80, 40000, SYN | ACK)), Some(Turn::SynAck)),
            (of(&refusal), Some(Turn::Reset)),
            (of(&reset), None),
            (of(&tcp(80, 40000, ACK)), None),
            (
                ipv4(VIP4, CLIENT4, 17, &udp(53, 40000, b"")),
                Some(Turn::Reply),
            ),
            (ipv4(VIP4, CLIENT4, 132, &[0, 80, 0, 81, 0, 0, 0, 0]), None),
        ] {
            assert_eq!(
                leaving(&ruled, words, &packet).turn(),
                turn.map(|it| (it, 0))
            );
            assert_eq!(
                leaving(&bare, words, &packet).turn(),
                turn.map(|it| (it, NO_RULE))
            );
        }
    }
}

#[test]
fn everything_else_goes_its_way() {
    let untouched = [
        ipv4(VIP4, CLIENT4, 6, &tcp(80, 40000, ACK)),
        ipv4(VIP4, CLIENT4, 6, &tcp(80, 40000, 0x14)),
        // Answers to an echo request, an ICMP error, a protocol that nobody knows.
        ipv4(VIP4, CLIENT4, 1, &[0, 0, 0, 0, 0, 1, 0, 1]),
        ipv4(VIP4, CLIENT4, 1, &[3, 3, 0, 0, 0, 0, 0, 0]),
        ipv4(VIP4, CLIENT4, 99, &[0; 8]),
        // From the dedicated IP.
        ipv4([192, 0, 2, 1], CLIENT4, 6, &tcp(80, 40000, SYN | ACK)),
        ipv6("2001:db8::1", "2001:db8:1::7", 6, &tcp(80, 1, SYN | ACK)),
        Vec::new(),
        vec![0x45; 19],
    ];
    for packet in untouched {
        assert_eq!(verdict(&Words::NONE, &packet), Leaving::Untouched);
    }
}

#[test]
fn the_owner_of_an_answer_is_that_of_the_question() {
    let rules = [Rule::all(Affinity::None)];
    let filter = build(&settings(&vips(), &rules));
    let even = Words {
        mine: 0x5555_5555_5555_5555,
        ..Words::NONE
    };
    let mut owned = 0;
    for port in 1024..1536 {
        let syn = ipv4(CLIENT4, VIP4, 6, &tcp(port, 80, SYN));
        let answer = ipv4(VIP4, CLIENT4, 6, &tcp(80, port, SYN | ACK));
        let is_mine = matches!(
            nlb_core::decide::decide(&filter, &even, &meta(&syn), &syn),
            nlb_core::decide::Verdict::Accept { .. }
        );
        owned += usize::from(is_mine);
        assert_eq!(
            leaving(&filter, &even, &answer) == Leaving::SynAck(0),
            is_mine
        );
    }
    assert!((200..312).contains(&owned), "{owned} of 512");
}

#[test]
fn a_packet_from_a_vip_is_told_by_its_source() {
    let filter = build(&settings(&vips(), &[]));
    assert!(is_from_vip(&filter, &ipv4(VIP4, CLIENT4, 6, &[])));
    assert!(!is_from_vip(&filter, &ipv4(CLIENT4, VIP4, 6, &[])));
    assert!(is_from_vip(
        &filter,
        &ipv6("2001:db8::10", "2001:db8::7", 6, &[])
    ));
    assert!(!is_from_vip(
        &filter,
        &ipv6("2001:db8::7", "2001:db8::10", 6, &[])
    ));
    assert!(!is_from_vip(&filter, &[]));
}

#[test]
fn a_segment_is_read_behind_options() {
    let mut header = tcp(40000, 80, ACK);
    header[4..12].copy_from_slice(&[0, 0, 1, 0, 0, 0, 2, 0]);
    let plain = ipv4(CLIENT4, VIP4, 6, &header);
    let segment = Segment::of(&plain).expect("a TCP header");
    assert_eq!((segment.seq, segment.ack), (0x100, 0x200));
    assert!(segment.is_plain_ack());
    assert_eq!(Segment::of(&plain[..33]), None);
    assert_eq!(
        Segment::of(&ipv4(CLIENT4, VIP4, 17, &udp(1, 2, &[0; 20]))),
        None
    );
}

#[test]
fn what_this_host_begins_comes_home() {
    // What leaves, and whether a session of it is to be remembered.
    let leave = [
        (ipv4(VIP4, CLIENT4, 6, &tcp(40000, 80, SYN)), false),
        (ipv4(VIP4, CLIENT4, 17, &udp(40000, 53, b"question")), true),
        (ipv4(VIP4, CLIENT4, 47, &[0; 8]), true),
        (ipv4(VIP4, CLIENT4, 50, &[0; 16]), true),
        (ipv4(VIP4, CLIENT4, 1, &[8, 0, 0, 0, 0, 1, 0, 1]), true),
        (
            ipv6(
                "2001:db8::10",
                "2001:db8:1::7",
                17,
                &udp(40000, 53, b"question"),
            ),
            true,
        ),
        (
            ipv6(
                "2001:db8::10",
                "2001:db8:1::7",
                58,
                &[128, 0, 0, 0, 0, 1, 0, 1],
            ),
            true,
        ),
    ];
    for (packet, has_session) in leave {
        let Leaving::Opened { session, .. } = verdict(&Words::NONE, &packet) else {
            panic!("opened by a host that does not own the bucket: {packet:?}");
        };
        assert_eq!(session.is_some(), has_session);
        // The owner gets the answers anyway.
        let owned = verdict(&Words::ALL, &packet);
        assert_eq!(matches!(owned, Leaving::Own { .. }), has_session);
        assert_eq!(owned == Leaving::Untouched, !has_session);
    }
}

#[test]
fn an_answer_is_of_the_session_that_was_remembered() {
    let rules = [Rule::all(Affinity::None)];
    let filter = build(&settings(&vips(), &rules));
    let question = ipv4(VIP4, CLIENT4, 17, &udp(40000, 53, b"question"));
    let answer = ipv4(CLIENT4, VIP4, 17, &udp(53, 40000, b"answer"));
    let Leaving::Opened {
        slot,
        bucket,
        session,
        rule: 0,
    } = leaving(&filter, &Words::NONE, &question)
    else {
        panic!("opened");
    };
    let flow: Flow = session.expect("UDP has a session");
    assert_eq!(nlb_core::decide::flow(&answer), Some(flow));
    let place = nlb_core::decide::explain(&filter, &flow).place;
    let place = place.expect("a rule covers it");
    assert_eq!((place.slot, place.bucket), (slot, bucket));
    assert!(SessionKey::of(&flow).is_some());
    // A socket that is bound to its peer may see its bucket move.
    let owned = leaving(&filter, &Words::ALL, &question);
    assert_eq!(
        owned,
        Leaving::Own {
            session: flow,
            rule: 0
        }
    );
    // And the answer is asked about where it arrives.
    let moved = Words {
        moved: u64::MAX,
        ..Words::NONE
    };
    let nlb_core::decide::Verdict::Ask(asked) =
        nlb_core::decide::decide(&filter, &moved, &meta(&answer), &answer)
    else {
        panic!("the table of sessions is asked");
    };
    assert!(!asked.mine);
}

#[test]
fn nothing_leaves_from_an_address_that_is_guarded() {
    let (vips, guarded) = (vips(), [[192, 0, 2, 77].into()]);
    let filter = build(&nlb_core::filter::Settings {
        guarded: &guarded,
        ..settings(&vips, &[])
    });
    let syn_ack = ipv4([192, 0, 2, 77], CLIENT4, 6, &tcp(80, 40000, SYN | ACK));
    for packet in [&syn_ack[..], &syn_ack[..21]] {
        assert_eq!(leaving(&filter, &Words::ALL, packet), Leaving::NotInForce);
    }
}
