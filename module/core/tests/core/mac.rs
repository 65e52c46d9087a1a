// SPDX-License-Identifier: GPL-2.0-only

//! Virtual MACs: the forms that Windows documents, and the checks of one set by hand.

use nlb_core::genl::Mode;
use nlb_core::mac::{group_of, igmp_group, is_of_mode, virtual_mac};
use std::net::IpAddr;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address of a test is valid")
}

#[test]
fn ipv4_macs_are_those_that_windows_makes() {
    // Published examples: the unattend reference, VMware KB 1006525, and the article of Rick Strahl.
    let cases = [
        (Mode::Unicast, "1.2.3.4", [0x02, 0xbf, 1, 2, 3, 4]),
        (
            Mode::Multicast,
            "192.168.1.100",
            [0x03, 0xbf, 0xc0, 0xa8, 0x01, 0x64],
        ),
        (
            Mode::Igmp,
            "111.111.111.10",
            [0x01, 0x00, 0x5e, 0x7f, 0x6f, 0x0a],
        ),
    ];
    for (mode, vip, mac) in cases {
        assert_eq!(virtual_mac(mode, ip(vip)), mac, "{} {vip}", mode.name());
    }
}

#[test]
fn the_igmp_group_of_a_vip_maps_to_its_mac() {
    assert_eq!(igmp_group(ip("192.0.2.10")), ip("239.255.2.10"));
    // RFC 1112 section 6.4: the lower 23 bits of the group.
    let IpAddr::V4(group) = igmp_group(ip("192.0.2.10")) else {
        panic!("IPv4 stays IPv4")
    };
    let [_, b, c, d] = group.octets();
    assert_eq!(
        virtual_mac(Mode::Igmp, ip("192.0.2.10")),
        [1, 0, 0x5e, b & 0x7f, c, d]
    );
    // RFC 2464 section 7: the lower 32 bits of the group.
    let vip = ip("2001:db8::10");
    let IpAddr::V6(group) = igmp_group(vip) else {
        panic!("IPv6 stays IPv6")
    };
    assert!(group.is_multicast());
    assert_eq!(virtual_mac(Mode::Igmp, vip)[2..], group.octets()[12..]);
}

#[test]
fn the_group_of_a_mac_is_the_one_that_leads_to_it() {
    for vip in ["192.0.2.10", "10.0.0.255", "2001:db8::10", "fd00::a"] {
        let mac = virtual_mac(Mode::Igmp, ip(vip));
        assert_eq!(group_of(mac), Some(igmp_group(ip(vip))), "{vip}");
    }
    assert_eq!(
        group_of([0x01, 0x00, 0x5e, 0x01, 2, 3]),
        Some(ip("239.129.2.3"))
    );
    assert_eq!(group_of([0x01, 0x00, 0x5e, 0x81, 2, 3]), None);
    assert_eq!(
        group_of(virtual_mac(Mode::Multicast, ip("192.0.2.10"))),
        None
    );
}

#[test]
fn the_digest_of_an_ipv6_vip_never_changes() {
    // SipHash-1-3 of the address under the key "nlb virtual MAC.", by the Python implementation that made the
    // vectors of the hash; upper 32 bits, top bit set.
    let vip = ip("2001:db8::10");
    assert_eq!(
        virtual_mac(Mode::Unicast, vip),
        [0x02, 0xbf, 0xcb, 0xe1, 0x93, 0xb6]
    );
    assert_eq!(
        virtual_mac(Mode::Multicast, vip),
        [0x03, 0xbf, 0xcb, 0xe1, 0x93, 0xb6]
    );
    assert_eq!(
        virtual_mac(Mode::Igmp, vip),
        [0x33, 0x33, 0xcb, 0xe1, 0x93, 0xb6]
    );
}

#[test]
fn derived_macs_are_of_their_mode_and_of_no_other() {
    for vip in ["192.0.2.10", "2001:db8::10"] {
        for &mode in Mode::ALL {
            for &other in Mode::ALL {
                let mac = virtual_mac(mode, ip(vip));
                assert_eq!(
                    is_of_mode(mac, other),
                    mode == other,
                    "{} as {}",
                    mode.name(),
                    other.name()
                );
            }
        }
    }
}

#[test]
fn special_groups_are_no_virtual_macs() {
    for mac in [
        [0xff; 6],
        [0x01, 0x80, 0xc2, 0, 0, 0],
        [0; 6],
        [0x01, 0x00, 0x5e, 0x80, 0, 1],
    ] {
        assert!(!is_of_mode(mac, Mode::Unicast), "{mac:x?}");
        assert!(!is_of_mode(mac, Mode::Igmp), "{mac:x?}");
    }
    assert!(!is_of_mode([0xff; 6], Mode::Multicast));
    assert!(!is_of_mode([0x01, 0x80, 0xc2, 0, 0, 0], Mode::Multicast));
}
