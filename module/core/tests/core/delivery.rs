// SPDX-License-Identifier: GPL-2.0-only

//! Who probes the delivery of the virtual MAC's frames, and when a host says that it is starved.

use nlb_core::delivery::{
    probe_v4, probe_v6, probed_family, Delivery, Sight, FAMILY_V4, FAMILY_V6, PROTO_PROBE,
};
use nlb_core::host::{HostId, HostSet};
use nlb_core::time::{Instant, NS_PER_MS};

const PERIOD: u64 = 200 * NS_PER_MS;
const TOLERANCE: u32 = 5;
const START: Instant = Instant(1 << 40);

fn set(ids: &[u8]) -> HostSet {
    ids.iter().fold(HostSet::EMPTY, |set, &id| {
        set.with(HostId::new(id).unwrap())
    })
}

fn sight(own: u8, members: &[u8], probed: [Instant; 2]) -> Sight {
    let own = HostId::new(own).unwrap();
    let heard = set(members).without(own);
    Sight {
        period_ns: PERIOD,
        silence_ns: PERIOD * u64::from(TOLERANCE),
        own,
        members: set(members),
        heard,
        heard_lately: heard,
        probed,
        families: FAMILY_V4 | FAMILY_V6,
    }
}

fn period(n: u64) -> Instant {
    START.after(n * PERIOD)
}

#[test]
fn probes_are_valid_packets_and_known_as_probes() {
    let v4 = probe_v4([192, 0, 2, 1].into(), [192, 0, 2, 10].into());
    let sum = v4[..20]
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum::<u32>();
    assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "header checksum");
    assert_eq!((v4[0], v4[3], v4[8], v4[9]), (0x45, 28, 255, PROTO_PROBE));
    assert_eq!(v4[12..20], [192, 0, 2, 1, 192, 0, 2, 10]);
    assert_eq!(probed_family(&v4), Some(FAMILY_V4));
    let v6 = probe_v6("fe80::1".parse().unwrap(), "2001:db8::10".parse().unwrap());
    assert_eq!((v6[0], v6[5], v6[6], v6[7]), (0x60, 8, PROTO_PROBE, 255));
    assert_eq!(probed_family(&v6), Some(FAMILY_V6));
    // A router has passed it on.
    let (mut far4, mut far6) = (v4, v6);
    (far4[8], far6[7]) = (254, 254);
    assert_eq!([probed_family(&far4), probed_family(&far6)], [None; 2]);
    // A frame may be padded.
    assert_eq!(
        probed_family(&[&v4[..], &[0; 18]].concat()),
        Some(FAMILY_V4)
    );
}

#[test]
fn nothing_else_is_a_probe() {
    let v4 = probe_v4([192, 0, 2, 1].into(), [192, 0, 2, 10].into());
    let v6 = probe_v6("fe80::1".parse().unwrap(), "2001:db8::10".parse().unwrap());
    for bytes in [&v4[..], &v6] {
        for len in 0..bytes.len() {
            assert_eq!(probed_family(&bytes[..len]), None, "{len} bytes");
        }
        let header = bytes.len() - 8;
        let protocol = if bytes[0] == 0x45 { 9 } else { 6 };
        for at in (header..bytes.len()).chain([0, protocol]) {
            let mut other = bytes.to_vec();
            other[at] ^= 0x80;
            assert_eq!(probed_family(&other), None, "byte {at}");
        }
    }
}

#[test]
fn the_members_of_the_two_lowest_ids_probe_once_in_a_period() {
    for (own, probes) in [(2, true), (5, true), (9, false), (1, false)] {
        let mut delivery = Delivery::new();
        let look = delivery
            .look(START, PERIOD, || sight(own, &[2, 5, 9], [START; 2]))
            .unwrap();
        assert_eq!(look.probe, probes, "host {own}");
        let soon = START.after(PERIOD / 2);
        assert_eq!(delivery.look(soon, PERIOD, || unreachable!()), None);
        let late = START.after(PERIOD - PERIOD / 10);
        assert!(delivery
            .look(late, PERIOD, || sight(own, &[2, 5, 9], [START; 2]))
            .is_some());
    }
}

/// Looks once in a period until a host is starved; how many periods that took.
fn starved_after(own: u8, probed: impl Fn(u64) -> [Instant; 2]) -> Option<(u64, u8)> {
    let mut delivery = Delivery::new();
    (0..100).find_map(|n| {
        let seen = sight(own, &[1, 2, 3], probed(n));
        let look = delivery.look(period(n), PERIOD, || seen).unwrap();
        (look.starved != 0).then_some((n, look.starved))
    })
}

#[test]
fn a_host_without_probes_says_so_within_a_detection_time() {
    let detection = u64::from(TOLERANCE) + 2;
    for own in 1..=3 {
        let never = [Instant(0); 2];
        let (periods, families) = starved_after(own, |_| never).unwrap();
        assert_eq!(families, FAMILY_V4 | FAMILY_V6);
        assert!(
            (u64::from(TOLERANCE)..=detection).contains(&periods),
            "{periods} periods"
        );
        // From the 50th on they do not come any more; before that there is nothing to say.
        let (periods, _) = starved_after(own, |n| [period(n.min(50)); 2]).unwrap();
        assert!((50 + 5..=50 + detection).contains(&periods), "{periods}");
        assert_eq!(starved_after(own, |n| [period(n); 2]), None);
        // Four of five are lost.
        assert_eq!(starved_after(own, |n| [period(n / 5 * 5); 2]), None);
    }
}

#[test]
fn families_are_told_apart() {
    let (_, families) = starved_after(3, |n| [period(n), Instant(0)]).unwrap();
    assert_eq!(families, FAMILY_V6);
    let mut delivery = Delivery::new();
    for n in 0..20 {
        let mut seen = sight(3, &[1, 2, 3], [period(n), Instant(0)]);
        seen.families = FAMILY_V4;
        let look = delivery.look(period(n), PERIOD, || seen).unwrap();
        assert_eq!(look.starved, 0, "there is no IPv6 VIP");
    }
}

#[test]
fn one_probe_is_enough_to_take_it_back() {
    let mut delivery = Delivery::new();
    for n in 0..20 {
        let seen = sight(3, &[1, 2, 3], [Instant(0); 2]);
        delivery.look(period(n), PERIOD, || seen);
    }
    let look = |delivery: &mut Delivery, n, probed| {
        let seen = sight(3, &[1, 2, 3], probed);
        delivery.look(period(n), PERIOD, || seen).unwrap().starved
    };
    assert_eq!(look(&mut delivery, 20, [period(20); 2]), 0);
    assert_eq!(look(&mut delivery, 21, [period(20); 2]), 0);
}

#[test]
fn who_is_gone_or_alone_or_slept_is_not_taken_for_starved() {
    // Both who probe are silent altogether.
    let mut delivery = Delivery::new();
    for n in 0..30 {
        let mut seen = sight(3, &[1, 2, 3], [period(n.min(10)); 2]);
        // Their heartbeats end with their probes, or one period later.
        seen.heard_lately = if n <= 11 { seen.heard } else { HostSet::EMPTY };
        seen.heard = if n < 16 { seen.heard } else { HostSet::EMPTY };
        let look = delivery.look(period(n), PERIOD, || seen).unwrap();
        assert_eq!(look.starved, 0, "period {n}");
    }
    // Nobody else is there.
    let mut delivery = Delivery::new();
    for n in 0..30 {
        let seen = sight(1, &[1], [Instant(0); 2]);
        let look = delivery.look(period(n), PERIOD, || seen).unwrap();
        assert_eq!((look.starved, look.probe), (0, false));
    }
    // A virtual machine that stood still.
    let mut delivery = Delivery::new();
    for n in (0..10).chain(1000..1004) {
        let seen = sight(3, &[1, 2, 3], [period(n.min(9)); 2]);
        let look = delivery.look(period(n), PERIOD, || seen).unwrap();
        assert_eq!(look.starved, 0, "period {n}");
    }
}
