// SPDX-License-Identifier: GPL-2.0-only

//! Neighbour discovery for the VIPs, in and out.

use super::common::*;
use nlb_core::filter::{Filter, Responder, Settings};
use nlb_core::nd::{announcement, arrived, leaving, NdOut, NdVerdict, ALL_NODES_MAC};
use nlb_core::reason::Reason;
use proptest::prelude::*;
use std::net::Ipv6Addr;

const VIP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x12, 0x3456);
const CLIENT: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x99);
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const SOLICITED_NODE: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff12, 0x3456);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const NOBODY: Ipv6Addr = Ipv6Addr::UNSPECIFIED;
const OWN: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];
const CLIENT_MAC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 0x99];
const NS: u8 = 135;
const NA: u8 = 136;

fn filter(responder: Responder) -> Filter<Heap> {
    let vips = [VIP.into()];
    build(&Settings {
        responder,
        ..settings(&vips, &[])
    })
}

/// The checksum by the book: a 32-bit sum over a copy of the pseudo-header and the message.
fn checksum(packet: &[u8]) -> u16 {
    let message = &packet[40..];
    let mut all = packet[8..40].to_vec();
    all.extend(u32::try_from(message.len()).expect("short").to_be_bytes());
    all.extend([0, 0, 0, 58]);
    all.extend(message);
    if all.len() % 2 == 1 {
        all.push(0);
    }
    let mut sum: u32 = all
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn signed(mut packet: Vec<u8>) -> Vec<u8> {
    packet[42..44].fill(0);
    let sum = checksum(&packet).to_be_bytes();
    packet[42..44].copy_from_slice(&sum);
    packet
}

fn packet(src: Ipv6Addr, dst: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("short").to_be_bytes();
    let head = [0x60, 0, 0, 0, length[0], length[1], 58, 255];
    signed([&head[..], &src.octets(), &dst.octets(), message].concat())
}

fn message(kind: u8, flags: u8, target: Ipv6Addr, option: Option<[u8; 6]>) -> Vec<u8> {
    let mut bytes = vec![kind, 0, 0, 0, flags, 0, 0, 0];
    bytes.extend(target.octets());
    if let Some(mac) = option {
        bytes.extend([if kind == NA { 2 } else { 1 }, 1]);
        bytes.extend(mac);
    }
    bytes
}

fn solicitation(src: Ipv6Addr, dst: Ipv6Addr, target: Ipv6Addr, mac: Option<[u8; 6]>) -> Vec<u8> {
    packet(src, dst, &message(NS, 0, target, mac))
}

#[test]
fn a_solicitation_is_answered_with_the_virtual_mac() {
    let filter = filter(Responder::DefaultHost);
    let virtual_mac = filter.mac_v6();
    let multicast = solicitation(CLIENT, SOLICITED_NODE, VIP, Some(CLIENT_MAC));
    let unicast = solicitation(CLIENT, VIP, VIP, Some(CLIENT_MAC));
    let bare = solicitation(CLIENT, VIP, VIP, None);
    for asked in [multicast, unicast, bare] {
        let NdVerdict::Reply { to, bytes } = arrived(&filter, true, CLIENT_MAC, &asked) else {
            panic!("{asked:x?} is answered");
        };
        assert_eq!(to, CLIENT_MAC);
        assert_eq!(
            bytes[..],
            packet(VIP, CLIENT, &message(NA, 0x60, VIP, Some(virtual_mac)))
        );
    }
}

#[test]
fn who_asks_whether_the_vip_is_free_is_told_that_it_is_not() {
    let filter = filter(Responder::DefaultHost);
    let probe = solicitation(NOBODY, SOLICITED_NODE, VIP, None);
    let expected = packet(
        VIP,
        ALL_NODES,
        &message(NA, 0x20, VIP, Some(filter.mac_v6())),
    );
    let NdVerdict::Reply { to, bytes } = arrived(&filter, true, CLIENT_MAC, &probe) else {
        panic!("a probe is answered");
    };
    assert_eq!((to, &bytes[..]), (ALL_NODES_MAC, &expected[..]));
    assert_eq!(announcement(&filter, VIP)[..], expected);
}

#[test]
fn one_host_answers_unless_all_are_to() {
    let asked = solicitation(CLIENT, SOLICITED_NODE, VIP, Some(CLIENT_MAC));
    let one = filter(Responder::DefaultHost);
    assert_eq!(
        arrived(&one, false, CLIENT_MAC, &asked),
        NdVerdict::Drop(Reason::NdNotResponder)
    );
    let all = filter(Responder::All);
    assert!(matches!(
        arrived(&all, false, CLIENT_MAC, &asked),
        NdVerdict::Reply { .. }
    ));
}

#[test]
fn what_is_not_about_a_vip_is_the_stacks() {
    let filter = filter(Responder::All);
    let foreign = solicitation(CLIENT, SOLICITED_NODE, LINK_LOCAL, Some(CLIENT_MAC));
    let router = packet(
        CLIENT,
        ALL_NODES,
        &[134, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    for bytes in [&foreign[..], &router, &foreign[..50], &[]] {
        assert_eq!(
            arrived(&filter, true, CLIENT_MAC, bytes),
            NdVerdict::Pass(Reason::NdForeign)
        );
    }
}

#[test]
fn each_check_of_rfc_4861_is_made() {
    let filter = filter(Responder::All);
    let good = solicitation(CLIENT, SOLICITED_NODE, VIP, Some(CLIENT_MAC));
    let change = |at: usize, value: u8| {
        let mut packet = good.clone();
        packet[at] = value;
        signed(packet)
    };
    let mut bad_sum = good.clone();
    bad_sum[43] ^= 1;
    let bad = [
        ("hop limit", change(7, 254)),
        ("code", change(41, 1)),
        ("option of no length", change(65, 0)),
        ("option beyond the end", change(65, 2)),
        ("checksum", bad_sum),
        ("cut off", good[..good.len() - 1].to_vec()),
        (
            "a probe with a MAC",
            solicitation(NOBODY, SOLICITED_NODE, VIP, Some(CLIENT_MAC)),
        ),
        (
            "a probe to one station",
            solicitation(NOBODY, VIP, VIP, None),
        ),
        (
            "asked by a group",
            solicitation(ALL_NODES, SOLICITED_NODE, VIP, Some(CLIENT_MAC)),
        ),
        (
            "asked by the loopback",
            solicitation(Ipv6Addr::LOCALHOST, SOLICITED_NODE, VIP, Some(CLIENT_MAC)),
        ),
        (
            "solicited to all",
            packet(CLIENT, ALL_NODES, &message(NA, 0x40, VIP, Some(CLIENT_MAC))),
        ),
    ];
    for (what, bytes) in bad {
        let verdict = arrived(&filter, true, CLIENT_MAC, &bytes);
        assert_eq!(verdict, NdVerdict::Drop(Reason::NdMalformed), "{what}");
    }
}

#[test]
fn a_station_that_claims_the_vip_for_its_own_mac_is_a_conflict() {
    let filter = filter(Responder::DefaultHost);
    let conflict = NdVerdict::Conflict {
        vip: VIP,
        mac: CLIENT_MAC,
    };
    let advertised = packet(CLIENT, ALL_NODES, &message(NA, 0x20, VIP, Some(CLIENT_MAC)));
    let bare = packet(VIP, ALL_NODES, &message(NA, 0x20, VIP, None));
    let asking = solicitation(VIP, SOLICITED_NODE, LINK_LOCAL, Some(CLIENT_MAC));
    for claim in [advertised, bare, asking] {
        assert_eq!(arrived(&filter, true, CLIENT_MAC, &claim), conflict);
    }
    let peer = announcement(&filter, VIP);
    assert_eq!(
        arrived(&filter, true, CLIENT_MAC, &peer),
        NdVerdict::Drop(Reason::NdPeer)
    );
}

#[test]
fn a_question_of_the_host_never_leaves_with_a_vip_as_source() {
    let filter = filter(Responder::DefaultHost);
    for mac in [Some(OWN), Some(filter.mac_v6()), None] {
        let mut bytes = solicitation(VIP, SOLICITED_NODE, CLIENT, mac);
        assert_eq!(
            leaving(&filter, &mut bytes, OWN, Some(LINK_LOCAL)),
            NdOut::Mended
        );
        assert_eq!(
            bytes,
            solicitation(LINK_LOCAL, SOLICITED_NODE, CLIENT, mac.map(|_| OWN))
        );
        let mut bytes = solicitation(VIP, SOLICITED_NODE, CLIENT, mac);
        assert_eq!(leaving(&filter, &mut bytes, OWN, None), NdOut::Drop);
    }
    let with = |src, mac: [u8; 6]| {
        packet(
            src,
            ALL_NODES,
            &[&[133, 0, 0, 0, 0, 0, 0, 0, 1, 1][..], &mac].concat(),
        )
    };
    let mut router_solicitation = with(VIP, filter.mac_v6());
    assert_eq!(
        leaving(&filter, &mut router_solicitation, OWN, Some(LINK_LOCAL)),
        NdOut::Mended
    );
    assert_eq!(router_solicitation, with(LINK_LOCAL, OWN));
}

#[test]
fn nothing_that_leaves_binds_a_vip_to_another_mac() {
    let filter = filter(Responder::DefaultHost);
    let leak = packet(VIP, CLIENT, &message(NA, 0x60, VIP, Some(OWN)));
    let bare = packet(VIP, CLIENT, &message(NA, 0x60, VIP, None));
    let probe = solicitation(NOBODY, SOLICITED_NODE, VIP, None);
    for mut bytes in [leak, bare, probe] {
        assert_eq!(
            leaving(&filter, &mut bytes, OWN, Some(LINK_LOCAL)),
            NdOut::Drop
        );
    }
    let proper = announcement(&filter, VIP).to_vec();
    let other = packet(
        LINK_LOCAL,
        CLIENT,
        &message(NA, 0x60, LINK_LOCAL, Some(OWN)),
    );
    let question = solicitation(LINK_LOCAL, SOLICITED_NODE, CLIENT, Some(OWN));
    for good in [proper, other, question] {
        let mut bytes = good.clone();
        assert_eq!(
            leaving(&filter, &mut bytes, OWN, Some(LINK_LOCAL)),
            NdOut::Untouched
        );
        assert_eq!(bytes, good);
    }
}

proptest! {
    /// Any bytes are judged, in and out, and nothing whose source is a VIP leaves as a question.
    #[test]
    fn any_bytes_are_judged(
        kind in 130u8..140, src in prop_oneof![Just(VIP), Just(CLIENT), Just(NOBODY)],
        target in prop_oneof![Just(VIP), Just(CLIENT)], rest: Vec<u8>, cut in 0usize..120,
    ) {
        let filter = filter(Responder::DefaultHost);
        let body = [&message(kind, 0, target, None)[..], &rest].concat();
        let mut bytes = packet(src, SOLICITED_NODE, &body);
        bytes.truncate(cut);
        let _ = arrived(&filter, true, CLIENT_MAC, &bytes);
        let out = leaving(&filter, &mut bytes, OWN, Some(LINK_LOCAL));
        let is_question = bytes.len() >= 64 && (kind == 133 || kind == 135);
        if out != NdOut::Drop && is_question {
            prop_assert_ne!(&bytes[8..24], &VIP.octets());
        }
    }
}
