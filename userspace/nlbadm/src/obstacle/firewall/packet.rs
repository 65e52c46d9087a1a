// SPDX-License-Identifier: GPL-2.0-only

//! The packets that are led through a firewall: the first one of a client whose address is not known, and a heartbeat.

use std::net::IpAddr;

use serde_json::Value;

/// What is above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::obstacle) enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        }
    }

    const fn number(self) -> u64 {
        match self {
            Transport::Tcp => 6,
            Transport::Udp => 17,
        }
    }
}

/// The sort of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Heartbeat,
    Service {
        vip: IpAddr,
        transport: Transport,
        port: u16,
    },
}

/// A packet that arrives.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) what: What,
    /// The cluster interface, and all that its frames come through.
    pub(super) interface: String,
    pub(super) beneath: Vec<String>,
    /// Whether the cluster interface is a bridge.
    pub(super) bridge: bool,
}

/// What the left side of a comparison is, for a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// A value that the packet has.
    Has(Known),
    /// The port of the service.
    Port(u16),
    /// It depends on the client.
    OfClient,
    /// The packet has no such field, so the comparison is never true.
    Absent,
    /// Not understood, or not known beforehand.
    Unknown,
}

/// A value as nft may write it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) words: Vec<String>,
    pub(super) number: Option<u64>,
    pub(super) address: Option<IpAddr>,
}

fn has(word: &str, number: Option<u64>) -> Field {
    Field::Has(Known {
        words: vec![word.into()],
        number,
        address: None,
    })
}

impl Packet {
    fn ether_type(&self) -> Field {
        match self.what {
            What::Heartbeat => has("0x88b5", Some(0x88b5)),
            What::Service { vip, .. } if vip.is_ipv4() => has("ip", Some(0x0800)),
            What::Service { .. } => has("ip6", Some(0x86dd)),
        }
    }

    /// What an expression is for this packet, in a chain of a family.
    pub(super) fn field(&self, family: &str, expression: &Value) -> Field {
        let Some((kind, inner)) = expression
            .as_object()
            .and_then(|object| object.iter().next())
        else {
            return Field::Unknown;
        };
        let word = |name: &str| inner.get(name).and_then(Value::as_str).unwrap_or_default();
        match kind.as_str() {
            "payload" => self.payload(word("protocol"), word("field")),
            "meta" => self.meta(family, word("key")),
            "ct" => match (self.what, word("key")) {
                (What::Heartbeat, _) => Field::Absent,
                (_, "state") => has("new", None),
                (_, "direction") => has("original", None),
                _ => Field::Unknown,
            },
            _ => Field::Unknown,
        }
    }

    fn payload(&self, protocol: &str, field: &str) -> Field {
        if protocol == "ether" {
            return match field {
                "type" => self.ether_type(),
                "saddr" => Field::OfClient,
                _ => Field::Unknown,
            };
        }
        let What::Service {
            vip,
            transport,
            port,
        } = self.what
        else {
            return Field::Absent;
        };
        let own_family = if vip.is_ipv4() { "ip" } else { "ip6" };
        match (protocol, field) {
            ("", _) => Field::Unknown,
            ("ip" | "ip6", _) if protocol != own_family => Field::Absent,
            ("ip" | "ip6", "daddr") => Field::Has(Known {
                address: Some(vip),
                ..Known::default()
            }),
            ("ip" | "ip6", "saddr") => Field::OfClient,
            ("ip", "protocol") | ("ip6", "nexthdr") => {
                has(transport.name(), Some(transport.number()))
            }
            ("ip" | "ip6", _) => Field::Unknown,
            ("tcp" | "udp" | "th", _) if protocol != "th" && protocol != transport.name() => {
                Field::Absent
            }
            ("tcp" | "udp" | "th", "dport") => Field::Port(port),
            ("tcp" | "udp" | "th", "sport") => Field::OfClient,
            ("tcp" | "udp" | "th", _) => Field::Unknown,
            // ICMP, ARP, a VLAN's header…
            _ => Field::Absent,
        }
    }

    fn meta(&self, family: &str, key: &str) -> Field {
        let service = match self.what {
            What::Heartbeat => None,
            What::Service { vip, transport, .. } => Some((vip, transport)),
        };
        match (key, service) {
            // A bridge's chains see the port that a frame came in by, which may be any.
            ("iifname" | "iif", _) if family == "bridge" => Field::Unknown,
            ("iifname" | "iif", _) if family == "netdev" => Field::Has(Known {
                words: self.beneath.clone(),
                ..Known::default()
            }),
            ("iifname" | "iif", _) => has(&self.interface, None),
            ("protocol", _) => self.ether_type(),
            ("l4proto", Some((_, transport))) => has(transport.name(), Some(transport.number())),
            ("nfproto", Some((vip, _))) => has(if vip.is_ipv4() { "ipv4" } else { "ipv6" }, None),
            ("l4proto" | "nfproto", None) => Field::Absent,
            _ => Field::Unknown,
        }
    }
}
