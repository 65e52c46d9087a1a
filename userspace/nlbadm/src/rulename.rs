// SPDX-License-Identifier: GPL-2.0-only

//! How people name a rule: by its number, or by a port that it covers.

use std::{fmt, net::IpAddr, str::FromStr};

use nlb_core::{genl::Affinity, limits::RULES_MAX, rules::Protocols};
use nlb_netlink::{Code, object::PortRule};
use serde::{Deserialize, Serialize};

use crate::{endpoint::Endpoint, failure::Failure};

/// How people name a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RuleName {
    /// Its place in the list, from 0.
    Number(u16),
    /// A port of a VIP that it covers; `None`: of all VIPs.
    Port(Option<IpAddr>, u16),
}

impl FromStr for RuleName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(number) = text.parse() {
            return Ok(RuleName::Number(number));
        }
        let all = text.strip_prefix("all:").map(str::parse);
        if let Some(Ok(port)) = all {
            return Ok(RuleName::Port(None, port));
        }
        match text.parse() {
            Ok(Endpoint {
                address,
                port: Some(port),
            }) => Ok(RuleName::Port(Some(address), port)),
            _ => Err(format!(
                "not the name of a rule: write its number, 0 to {}, or a port that it covers: 192.0.2.10:443, all:443",
                RULES_MAX - 1
            )),
        }
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            RuleName::Number(number) => write!(f, "rule {number}"),
            RuleName::Port(None, port) => write!(f, "port {port} of all VIPs"),
            RuleName::Port(Some(vip), port) => write!(
                f,
                "{}",
                Endpoint {
                    address: vip,
                    port: Some(port)
                }
            ),
        }
    }
}

impl RuleName {
    /// The number of the one rule in force that is meant.
    ///
    /// # Errors
    ///
    /// If there is none, or several.
    pub(crate) fn find(&self, rules: &[PortRule]) -> Result<u16, Failure> {
        let meant = |rule: &&PortRule| {
            !rule.pending
                && match *self {
                    RuleName::Number(number) => rule.number == number,
                    RuleName::Port(None, port) => {
                        rule.vip.is_none() && (rule.first_port..=rule.last_port).contains(&port)
                    }
                    RuleName::Port(Some(vip), port) => rule.covers(vip, port),
                }
        };
        let numbers: Vec<_> = rules.iter().filter(meant).map(|rule| rule.number).collect();
        match numbers[..] {
            [number] => Ok(number),
            [] => Err(Failure::usage(format!(
                "no rule in force is meant by {self}; `nlbadm rules` lists those there are"
            ))),
            _ => {
                let numbers: Vec<_> = numbers.iter().map(u16::to_string).collect();
                Err(Failure::usage(format!(
                    "{self} is covered by several rules, for TCP and for UDP: name one by its number, {}",
                    numbers.join(" or ")
                )))
            }
        }
    }
}

/// The ports of a rule: "443", "8000-8099", "all ports".
pub(crate) fn ports(rule: &PortRule) -> String {
    match (rule.first_port, rule.last_port) {
        (0, u16::MAX) => "all ports".into(),
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    }
}

/// What a rule covers, in a few words: "tcp 443 of 192.0.2.10".
pub(crate) fn coverage(rule: &PortRule) -> String {
    let protocols = if rule.protocols.is(Protocols::Both) {
        String::new()
    } else {
        format!("{} ", rule.protocols)
    };
    let vip = match rule.vip {
        Some(vip) => format!(" of {vip}"),
        None => String::new(),
    };
    format!("{protocols}{}{vip}", ports(rule))
}

/// The affinity with its prefix lengths, where they count.
pub(crate) fn affinity(rule: &PortRule) -> String {
    let network: Code<_> = Affinity::Network.into();
    if rule.affinity == network {
        format!("network /{} /{}", rule.prefix_v4, rule.prefix_v6)
    } else {
        rule.affinity.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::rule;

    #[test]
    fn rules_are_named_by_number_or_by_a_port() {
        let name = |text: &str| text.parse::<RuleName>();
        assert_eq!(name("3"), Ok(RuleName::Number(3)));
        assert_eq!(name("all:443"), Ok(RuleName::Port(None, 443)));
        let vip = "2001:db8::10".parse().unwrap();
        assert_eq!(
            name("[2001:db8::10]:443"),
            Ok(RuleName::Port(Some(vip), 443))
        );
        for wrong in ["", "eth0", "192.0.2.10", "all", "all:x", ":443", "-1"] {
            assert!(
                name(wrong).unwrap_err().contains("192.0.2.10:443"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn any_port_of_the_range_selects_the_rule_and_two_rules_are_one_too_many() {
        let vip = "192.0.2.10".parse().unwrap();
        let web = rule(0, 8000, 8099);
        let own = PortRule {
            vip: Some(vip),
            ..rule(1, 443, 443)
        };
        let pending = PortRule {
            pending: true,
            ..rule(0, 0, u16::MAX)
        };
        let rules = [web, own, pending];
        let find = |text: &str| text.parse::<RuleName>().unwrap().find(&rules);
        assert_eq!(find("192.0.2.10:8050"), Ok(0));
        assert_eq!(find("all:8099"), Ok(0));
        assert_eq!(find("192.0.2.10:443"), Ok(1));
        assert_eq!(find("1"), Ok(1));
        for none in ["all:443", "192.0.2.11:443", "2", "192.0.2.10:80"] {
            assert!(
                find(none).unwrap_err().message.contains("nlbadm rules"),
                "{none}"
            );
        }
        let both = [rule(0, 53, 53), rule(1, 53, 53)];
        let failure = RuleName::Port(None, 53).find(&both).unwrap_err();
        assert!(failure.message.contains("0 or 1"), "{failure}");
    }

    #[test]
    fn fuzz_names() {
        let fuzz = nlb_fuzz::Fuzz::new("names").seeds([
            "12",
            "all:443",
            "192.0.2.10:443",
            "[2001:db8::10]:443",
            "2001:db8::10",
        ]);
        fuzz.longest(60).inputs(50_000).run(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let (name, endpoint) = (text.parse::<RuleName>(), text.parse::<Endpoint>());
            if let Ok(endpoint) = endpoint {
                assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
            }
            if let Ok(RuleName::Port(Some(vip), port)) = name {
                let same = Endpoint {
                    address: vip,
                    port: Some(port),
                };
                assert_eq!(endpoint, Ok(same));
            }
            nlb_fuzz::outcome(format!(
                "{:?} {:?} {}",
                name.is_ok(),
                endpoint.map(|endpoint| (endpoint.address.is_ipv4(), endpoint.port.is_some())),
                text.len()
            ))
        });
    }
}
