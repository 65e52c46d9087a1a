// SPDX-License-Identifier: GPL-2.0-only

//! The packet decision: who serves what.

mod common;

use common::*;
use nlb_core::decide::{decide, Answer, Verdict};
use nlb_core::genl::Affinity;
use nlb_core::reason::Reason;
use nlb_core::rules::Rule;

const VIP: [u8; 4] = [192, 0, 2, 10];
const CLIENT: [u8; 4] = [198, 51, 100, 7];
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

fn verdict(words: &Words, packet: &[u8]) -> Verdict {
    let vips = [VIP.into()];
    let rules = [Rule::all(Affinity::None)];
    decide(
        &build(&settings(&vips, &rules)),
        words,
        &meta(packet),
        packet,
    )
}

#[test]
fn the_owner_serves_and_the_others_drop() {
    for packet in [
        ipv4(CLIENT, VIP, 6, &tcp(40000, 80, SYN)),
        ipv4(CLIENT, VIP, 6, &tcp(40000, 80, ACK)),
        ipv4(CLIENT, VIP, 17, &udp(40000, 53, b"question")),
    ] {
        assert_eq!(
            verdict(&Words::ALL, &packet).reason(),
            Some(Reason::AcceptedOwner)
        );
        assert_eq!(
            verdict(&Words::NONE, &packet).reason(),
            Some(Reason::DroppedNotOwner)
        );
    }
}

#[test]
fn another_address_is_left_alone() {
    let packet = ipv4(CLIENT, [192, 0, 2, 11], 6, &tcp(40000, 80, SYN));
    assert_eq!(
        verdict(&Words::NONE, &packet),
        Verdict::Pass(Reason::PassedForeign)
    );
}

#[test]
fn a_moved_bucket_is_asked_about_but_never_for_a_bare_syn() {
    let moved = Words {
        moved: u64::MAX,
        ..Words::NONE
    };
    let syn = ipv4(CLIENT, VIP, 6, &tcp(40000, 80, SYN));
    assert_eq!(
        verdict(&moved, &syn).reason(),
        Some(Reason::DroppedNotOwner)
    );
    let ack = ipv4(CLIENT, VIP, 6, &tcp(40000, 80, ACK));
    let Verdict::Ask(question) = verdict(&moved, &ack) else {
        panic!("an ACK of a moved bucket is asked about");
    };
    assert_eq!(
        question.resolve(Answer::Known).reason(),
        Some(Reason::AcceptedResidual)
    );
    assert_eq!(
        question.resolve(Answer::Unknown).reason(),
        Some(Reason::DroppedNoSession)
    );
}
