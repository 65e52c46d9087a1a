// SPDX-License-Identifier: GPL-2.0-only

//! Building a filter: what is refused, and that the compiled tables say what the rules say.

use super::common::*;
use nlb_core::decide::explain;
use nlb_core::filter::{rules_digest, settings_digest, storage_len, FilterError};
use nlb_core::genl::{Affinity, Mode};
use nlb_core::limits::{RULES_MAX, VIPS_MAX};
use nlb_core::packet::Flow;
use nlb_core::rules::{FilteringMode, Protocols, Rule, RuleError, RuleState, Track};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn vip(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn range(first_port: u16, last_port: u16) -> Rule {
    Rule {
        first_port,
        last_port,
        ..Rule::all(Affinity::Single)
    }
}

fn refusal(vips: &[IpAddr], rules: &[Rule]) -> FilterError {
    try_build(&settings(vips, rules)).expect_err("these settings are bad")
}

#[test]
fn each_bad_rule_is_refused_by_name() {
    let vips = [vip(10), vip(11)];
    let good = range(80, 80);
    let cases: [(Vec<Rule>, RuleError); 11] = [
        (vec![good; RULES_MAX + 1], RuleError::TooMany),
        (
            vec![good, range(443, 442)],
            RuleError::ReversedRange { rule: 1 },
        ),
        (vec![range(0, 80)], RuleError::PortZero { rule: 0 }),
        (vec![range(0, 0)], RuleError::PortZero { rule: 0 }),
        (
            vec![Rule {
                vip: Some(vip(12)),
                ..good
            }],
            RuleError::UnknownVip { rule: 0 },
        ),
        (
            vec![good, range(70, 80)],
            RuleError::Overlap { rule: 1, other: 0 },
        ),
        (
            vec![good, Rule::all(Affinity::None)],
            RuleError::Overlap { rule: 1, other: 0 },
        ),
        (
            vec![
                good,
                Rule {
                    vip: Some(vip(10)),
                    ..good
                },
            ],
            RuleError::Overlap { rule: 1, other: 0 },
        ),
        (
            vec![Rule {
                prefix_v4: 33,
                ..good
            }],
            RuleError::PrefixV4 { rule: 0 },
        ),
        (
            vec![Rule {
                prefix_v6: 0,
                ..good
            }],
            RuleError::PrefixV6 { rule: 0 },
        ),
        (
            vec![Rule {
                affinity: Affinity::None,
                ..range(1723, 1723)
            }],
            RuleError::TunnelAffinity { rule: 0 },
        ),
    ];
    for (rules, error) in cases {
        assert_eq!(refusal(&vips, &rules), FilterError::Rule(error), "{error}");
    }
}

#[test]
fn rules_that_share_no_packet_stand_side_by_side() {
    let vips = [vip(10), vip(11)];
    let tcp = Rule {
        protocols: Protocols::Tcp,
        ..range(80, 80)
    };
    let udp = Rule {
        protocols: Protocols::Udp,
        ..range(80, 80)
    };
    try_build(&settings(&vips, &[tcp, udp, range(81, 90)])).expect("different protocols and ports");
    let one = Rule {
        vip: Some(vip(10)),
        ..range(80, 80)
    };
    let other = Rule {
        vip: Some(vip(11)),
        ..range(80, 80)
    };
    try_build(&settings(&vips, &[one, other])).expect("different VIPs");
}

#[test]
fn bad_vips_are_refused_by_place() {
    assert_eq!(refusal(&[], &[]), FilterError::NoVip);
    assert_eq!(
        refusal(&[vip(1), vip(2), vip(1)], &[]),
        FilterError::DuplicateVip(2)
    );
    let many: Vec<IpAddr> = (0..=VIPS_MAX as u8).map(vip).collect();
    assert_eq!(refusal(&many, &[]), FilterError::TooManyVips);
    for bad in [
        "0.0.0.0",
        "127.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "169.254.1.1",
        "::",
        "::1",
    ] {
        let bad: IpAddr = bad.parse().expect("an address");
        assert_eq!(
            refusal(&[vip(1), bad], &[]),
            FilterError::BadVip(1),
            "{bad}"
        );
    }
    for bad in ["fe80::1", "ff02::1", "::ffff:192.0.2.1"] {
        let bad: IpAddr = bad.parse().expect("an address");
        assert_eq!(refusal(&[bad], &[]), FilterError::BadVip(0), "{bad}");
    }
}

#[test]
fn a_virtual_mac_must_be_of_the_modes_kind() {
    let vips = [vip(10)];
    let with = |mode, mac| nlb_core::filter::Settings {
        mode,
        virtual_mac: Some(mac),
        ..settings(&vips, &[])
    };
    let unicast = [0x02, 0xbf, 9, 9, 9, 9];
    let multicast = [0x03, 0xbf, 9, 9, 9, 9];
    assert_eq!(
        try_build(&with(Mode::Multicast, unicast)).unwrap_err(),
        FilterError::VirtualMac
    );
    assert_eq!(
        try_build(&with(Mode::Unicast, multicast)).unwrap_err(),
        FilterError::VirtualMac
    );
    let filter = build(&with(Mode::Multicast, multicast));
    assert!(filter.is_virtual_mac(&multicast));
    assert!(!filter.is_virtual_mac(&unicast));
}

#[test]
fn in_igmp_mode_each_family_has_its_own_virtual_mac() {
    let vips = [vip(10), "2001:db8::10".parse().expect("an address")];
    let filter = build(&nlb_core::filter::Settings {
        mode: Mode::Igmp,
        ..settings(&vips, &[])
    });
    assert_eq!(filter.mac_v4(), [0x01, 0x00, 0x5e, 0x7f, 2, 10]);
    assert_eq!(filter.mac_v6()[..2], [0x33, 0x33]);
    assert!(filter.is_virtual_mac(&filter.mac_v4()) && filter.is_virtual_mac(&filter.mac_v6()));
}

#[test]
fn sixty_four_vips_of_each_kind_are_found_and_no_others() {
    let v4: Vec<IpAddr> = (0..VIPS_MAX as u8).map(vip).collect();
    let v6: Vec<IpAddr> = (0..VIPS_MAX as u16)
        .map(|last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into())
        .collect();
    let mixed: Vec<IpAddr> = v4
        .iter()
        .step_by(2)
        .chain(v6.iter().step_by(2))
        .copied()
        .collect();
    for vips in [&v4, &v6, &mixed] {
        let filter = build(&settings(vips, &[]));
        for address in v4.iter().chain(&v6) {
            assert_eq!(filter.is_vip(*address), vips.contains(address), "{address}");
        }
        for address in ["0.0.0.0", "::", "255.255.255.255", "192.0.3.1"] {
            assert!(
                !filter.is_vip(address.parse().expect("an address")),
                "{address}"
            );
        }
    }
}

#[test]
fn storage_that_is_too_short_is_refused() {
    let vips = [vip(10)];
    let small = settings(&vips, &[]);
    let rules = [range(80, 80)];
    let large = settings(&vips, &rules);
    let storage = Heap::for_settings(&small);
    assert_eq!(
        nlb_core::filter::Filter::build(&large, storage).unwrap_err(),
        FilterError::Storage
    );
}

#[test]
fn the_digest_of_the_rules_tells_apart_what_hosts_must_agree_on() {
    let rule = range(80, 90);
    let variants = [
        Rule {
            vip: Some(vip(10)),
            ..rule
        },
        Rule {
            vip: Some("2001:db8::10".parse().expect("an address")),
            ..rule
        },
        Rule {
            protocols: Protocols::Tcp,
            ..rule
        },
        Rule {
            first_port: 81,
            ..rule
        },
        Rule {
            last_port: 91,
            ..rule
        },
        Rule {
            mode: FilteringMode::Single,
            ..rule
        },
        Rule {
            affinity: Affinity::None,
            ..rule
        },
        Rule {
            prefix_v4: 25,
            ..rule
        },
        Rule {
            prefix_v6: 48,
            ..rule
        },
        Rule {
            track: Track::On,
            ..rule
        },
    ];
    let mut digests: Vec<u64> = variants.iter().map(|rule| rules_digest(&[*rule])).collect();
    digests.push(rules_digest(&[rule]));
    digests.push(rules_digest(&[]));
    digests.push(rules_digest(&[rule, range(91, 91)]));
    digests.push(rules_digest(&[range(91, 91), rule]));
    let count = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), count);
    let disabled = Rule {
        state: RuleState::Disabled,
        ..rule
    };
    assert_eq!(
        rules_digest(&[disabled]),
        rules_digest(&[rule]),
        "what one host does is its own affair"
    );
}

#[test]
fn the_digest_of_the_settings_depends_on_the_seed() {
    let vips = [vip(10)];
    let one = settings(&vips, &[]);
    let seed = [9; 16];
    let other = nlb_core::filter::Settings { seed: &seed, ..one };
    assert_ne!(settings_digest(&one), settings_digest(&other));
    let moded = nlb_core::filter::Settings {
        mode: Mode::Unicast,
        ..one
    };
    assert_ne!(settings_digest(&one), settings_digest(&moded));
}

/// The rule for a port by the definition: the only one that covers it.
fn covering(rules: &[Rule], vip: IpAddr, udp: bool, port: u16) -> Option<u8> {
    let protocol = if udp { Protocols::Udp } else { Protocols::Tcp };
    let port = if udp && [1701, 4500].contains(&port) {
        500
    } else {
        port
    };
    rules
        .iter()
        .position(|rule| {
            rule.vip.is_none_or(|own| own == vip)
                && rule.protocols.overlaps(protocol)
                && (rule.first_port..=rule.last_port).contains(&port)
        })
        .map(|number| number as u8)
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let ports = prop_oneof![
        (1u16..=65535, 0u16..600).prop_map(|(first, more)| (first, first.saturating_add(more))),
        (1u16..=65535).prop_map(|port| (port, port)),
        (1u16..=255, 0u16..200).prop_map(|(page, pages)| (
            page << 8,
            (page.saturating_add(pages).min(255) << 8) | 255
        )),
        Just((500, 500)),
        Just((1, 1023)),
    ];
    let protocols = prop_oneof![
        Just(Protocols::Tcp),
        Just(Protocols::Udp),
        Just(Protocols::Both)
    ];
    (ports, protocols, proptest::option::of(0u8..4)).prop_map(|((first, last), protocols, own)| {
        Rule {
            vip: own.map(vip),
            protocols,
            ..range(first, last)
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The compiled tables say the same as a search through the list, at the edges of all ranges and at random.
    #[test]
    fn tables_say_what_the_rules_say(
        candidates in proptest::collection::vec(any_rule(), 0..80),
        ports in proptest::collection::vec(any::<u16>(), 40),
    ) {
        let vips: Vec<IpAddr> = (0..6).map(vip).collect();
        let mut rules: Vec<Rule> = Vec::new();
        for rule in candidates {
            if rules.len() < RULES_MAX && !rules.iter().any(|other| other.overlaps(&rule)) {
                rules.push(rule);
            }
        }
        let filter = build(&settings(&vips, &rules));
        let edges = rules.iter().flat_map(|rule| {
            [rule.first_port.wrapping_sub(1), rule.first_port, rule.last_port, rule.last_port.wrapping_add(1)]
        });
        let ports: Vec<u16> = edges.chain(ports).chain([0, 443, 500, 1701, 1723, 4500, 65535]).collect();
        for &vip in &vips {
            for &vip_port in &ports {
                for udp in [false, true] {
                    let flow = Flow {
                        protocol: if udp { 17 } else { 6 },
                        client: Ipv4Addr::new(198, 51, 100, 1).into(),
                        client_port: 40000,
                        vip,
                        vip_port,
                    };
                    let expected = covering(&rules, vip, udp, vip_port);
                    prop_assert_eq!(explain(&filter, &flow).rule, expected, "{:?}", flow);
                }
            }
        }
    }
}

#[test]
fn the_tables_of_the_default_rule_are_small() {
    let vips: Vec<IpAddr> = (0..VIPS_MAX as u8).map(vip).collect();
    let rules = [Rule::all(Affinity::Single)];
    let len = storage_len(&settings(&vips, &rules));
    assert!(len.index * 2 <= 16 * 1024, "{} bytes", len.index * 2);
}
