// SPDX-License-Identifier: GPL-2.0-only

//! ARP for the VIPs, in and out.

use super::common::*;
use nlb_core::arp::{announcements, arrived, leaving, question, ArpOut, ArpVerdict, ARP_LEN};
use nlb_core::filter::{Filter, Responder, Settings};
use nlb_core::reason::Reason;
use proptest::prelude::*;
use std::net::Ipv4Addr;

const VIP: [u8; 4] = [192, 0, 2, 10];
const CLIENT: [u8; 4] = [192, 0, 2, 99];
const DEDICATED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const VIRTUAL: [u8; 6] = [0x03, 0xbf, 192, 0, 2, 10];
const OWN: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];
const CLIENT_MAC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 99];
const NONE: [u8; 6] = [0; 6];

fn filter(responder: Responder) -> Filter<Heap> {
    let vips = [VIP.into()];
    build(&Settings {
        responder,
        ..settings(&vips, &[])
    })
}

fn message(operation: u8, sender: ([u8; 6], [u8; 4]), target: ([u8; 6], [u8; 4])) -> Vec<u8> {
    let mut bytes = vec![0, 1, 8, 0, 6, 4, 0, operation];
    bytes.extend(sender.0);
    bytes.extend(sender.1);
    bytes.extend(target.0);
    bytes.extend(target.1);
    bytes
}

#[test]
fn every_form_of_request_is_answered_with_the_virtual_mac() {
    let filter = filter(Responder::DefaultHost);
    let plain = message(1, (CLIENT_MAC, CLIENT), (NONE, VIP));
    let unicast_probe = message(1, (CLIENT_MAC, CLIENT), (VIRTUAL, VIP));
    let broadcast_target = message(1, (CLIENT_MAC, CLIENT), ([0xff; 6], VIP));
    let rfc5227_probe = message(1, (CLIENT_MAC, [0; 4]), (NONE, VIP));
    for (request, client) in [
        (plain, CLIENT),
        (unicast_probe, CLIENT),
        (broadcast_target, CLIENT),
        (rfc5227_probe, [0; 4]),
    ] {
        let ArpVerdict::Reply { to, bytes } = arrived(&filter, true, &request) else {
            panic!("{request:x?} is answered");
        };
        assert_eq!(to, CLIENT_MAC);
        assert_eq!(bytes[..], message(2, (VIRTUAL, VIP), (CLIENT_MAC, client)));
    }
}

#[test]
fn no_answer_goes_to_more_than_one_station() {
    let filter = filter(Responder::All);
    for mac in [[0xff; 6], [0; 6], [0x01, 0, 0x5e, 1, 2, 3]] {
        let request = message(1, (mac, CLIENT), (NONE, VIP));
        assert_eq!(
            arrived(&filter, true, &request),
            ArpVerdict::Drop(Reason::ArpMalformed)
        );
    }
}

#[test]
fn one_host_answers_unless_all_are_to() {
    let request = message(1, (CLIENT_MAC, CLIENT), (NONE, VIP));
    let one = filter(Responder::DefaultHost);
    assert_eq!(
        arrived(&one, false, &request),
        ArpVerdict::Drop(Reason::ArpNotResponder)
    );
    assert!(matches!(
        arrived(&filter(Responder::All), false, &request),
        ArpVerdict::Reply { .. }
    ));
}

#[test]
fn what_is_not_about_a_vip_is_the_stacks() {
    let filter = filter(Responder::All);
    let foreign = message(1, (CLIENT_MAC, CLIENT), (NONE, [192, 0, 2, 1]));
    assert_eq!(
        arrived(&filter, true, &foreign),
        ArpVerdict::Pass(Reason::ArpForeign)
    );
    for bad in [&foreign[..27], &[][..], &[0, 6, 8, 0, 6, 4][..]] {
        assert_eq!(
            arrived(&filter, true, bad),
            ArpVerdict::Pass(Reason::ArpMalformed)
        );
    }
}

#[test]
fn a_station_that_claims_the_vip_for_its_own_mac_is_a_conflict() {
    let filter = filter(Responder::DefaultHost);
    let vip = Ipv4Addr::from(VIP);
    let reply = message(2, (CLIENT_MAC, VIP), (OWN, [192, 0, 2, 1]));
    let gratuitous = message(1, (CLIENT_MAC, VIP), (NONE, VIP));
    let asking_as_the_vip = message(1, (CLIENT_MAC, VIP), (NONE, CLIENT));
    for claim in [reply, gratuitous, asking_as_the_vip] {
        assert_eq!(
            arrived(&filter, true, &claim),
            ArpVerdict::Conflict {
                vip,
                mac: CLIENT_MAC
            }
        );
    }
}

#[test]
fn another_member_that_announces_the_vip_is_no_conflict() {
    let filter = filter(Responder::DefaultHost);
    let [request, reply] = announcements(&filter, VIP.into());
    assert_eq!(request[..], message(1, (VIRTUAL, VIP), (NONE, VIP)));
    assert_eq!(reply[..], message(2, (VIRTUAL, VIP), (VIRTUAL, VIP)));
    for announced in [request, reply] {
        assert_eq!(
            arrived(&filter, true, &announced),
            ArpVerdict::Drop(Reason::ArpPeer)
        );
    }
}

#[test]
fn a_request_of_the_host_never_leaves_with_a_vip_as_sender() {
    let filter = filter(Responder::DefaultHost);
    for mac in [OWN, VIRTUAL] {
        let mut request = message(1, (mac, VIP), (NONE, CLIENT));
        assert_eq!(
            leaving(&filter, &mut request, OWN, Some(DEDICATED)),
            ArpOut::Mended
        );
        assert_eq!(
            request,
            message(1, (OWN, DEDICATED.octets()), (NONE, CLIENT))
        );
        let mut request = message(1, (mac, VIP), (NONE, CLIENT));
        assert_eq!(leaving(&filter, &mut request, OWN, None), ArpOut::Mended);
        assert_eq!(request, message(1, (OWN, [0; 4]), (NONE, CLIENT)));
    }
}

#[test]
fn nothing_that_leaves_binds_a_vip_to_another_mac() {
    let filter = filter(Responder::DefaultHost);
    let reply = message(2, (OWN, VIP), (CLIENT_MAC, CLIENT));
    let announcement = message(1, (OWN, VIP), (NONE, VIP));
    let probe = message(1, (OWN, [0; 4]), (NONE, VIP));
    for mut bytes in [reply, announcement, probe] {
        assert_eq!(
            leaving(&filter, &mut bytes, OWN, Some(DEDICATED)),
            ArpOut::Drop
        );
    }
    let proper = message(2, (VIRTUAL, VIP), (CLIENT_MAC, CLIENT));
    let other = message(2, (OWN, DEDICATED.octets()), (CLIENT_MAC, CLIENT));
    for good in [proper, other] {
        let mut bytes = good.clone();
        assert_eq!(
            leaving(&filter, &mut bytes, OWN, Some(DEDICATED)),
            ArpOut::Untouched
        );
        assert_eq!(bytes, good);
    }
}

#[test]
fn a_question_after_a_peer_passes_the_guard_and_every_host() {
    let filter = filter(Responder::DefaultHost);
    for sender in [DEDICATED, Ipv4Addr::UNSPECIFIED] {
        let bytes = question(OWN, sender, CLIENT.into());
        assert_eq!(
            bytes[..],
            message(1, (OWN, sender.octets()), (NONE, CLIENT))
        );
        let mut left = bytes;
        assert_eq!(
            leaving(&filter, &mut left, OWN, Some(DEDICATED)),
            ArpOut::Untouched
        );
        assert_eq!(
            arrived(&filter, true, &bytes),
            ArpVerdict::Pass(Reason::ArpForeign)
        );
    }
}

proptest! {
    /// Whatever leaves, after the guard it binds no VIP to another MAC than the virtual one.
    #[test]
    fn the_guard_holds_for_any_bytes(
        operation: u8, sender_mac in prop_oneof![Just(OWN), Just(VIRTUAL), any::<[u8; 6]>()],
        sender in prop_oneof![Just(VIP), any::<[u8; 4]>()], target in prop_oneof![Just(VIP), Just(CLIENT)],
        cut in 0usize..=ARP_LEN + 18,
    ) {
        let filter = filter(Responder::DefaultHost);
        let mut bytes = message(operation, (sender_mac, sender), (NONE, target));
        bytes.resize(cut, 0);
        let out = leaving(&filter, &mut bytes, OWN, Some(DEDICATED));
        if out != ArpOut::Drop && bytes.len() >= ARP_LEN && bytes[14..18] == VIP {
            prop_assert_eq!(&bytes[8..14], &VIRTUAL);
            prop_assert!(operation != 1 || target == VIP, "no request of its own");
        }
    }
}

const GUARDED: [u8; 4] = [192, 0, 2, 20];

fn guarding() -> Filter<Heap> {
    let (vips, guarded) = ([VIP.into()], [GUARDED.into()]);
    build(&Settings {
        guarded: &guarded,
        responder: Responder::All,
        ..settings(&vips, &[])
    })
}

#[test]
fn nobody_answers_for_an_address_that_is_guarded() {
    let filter = guarding();
    let question = message(1, (CLIENT_MAC, CLIENT), (NONE, GUARDED));
    assert_eq!(
        arrived(&filter, true, &question),
        ArpVerdict::Drop(Reason::ArpNotResponder)
    );
    // The stack of this host may have it, and is not heard.
    let mut answer = message(2, (OWN, GUARDED), (CLIENT_MAC, CLIENT));
    let out = leaving(&filter, &mut answer, OWN, Some(DEDICATED));
    assert_eq!(out, ArpOut::Drop);
}

#[test]
fn a_station_that_has_an_address_that_was_a_vip_is_no_conflict() {
    let filter = guarding();
    let announcement = message(2, (CLIENT_MAC, GUARDED), (NONE, GUARDED));
    assert_eq!(
        arrived(&filter, true, &announcement),
        ArpVerdict::Pass(Reason::ArpForeign)
    );
    // And it is told of the others.
    let question = message(1, (CLIENT_MAC, GUARDED), (NONE, VIP));
    let ArpVerdict::Reply { to, bytes } = arrived(&filter, true, &question) else {
        panic!("it is answered");
    };
    assert_eq!(to, CLIENT_MAC);
    assert_eq!(bytes[..], message(2, (VIRTUAL, VIP), (CLIENT_MAC, GUARDED)));
}
