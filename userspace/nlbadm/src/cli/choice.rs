// SPDX-License-Identifier: GPL-2.0-only

//! Arguments that are one of a few words.

use clap::ValueEnum;
use nlb_core::genl::{Affinity, Echo, Mode, Responder};
use serde::{Deserialize, Serialize};

/// [`Mode`] as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// Virtual MAC 02-bf-…, beside the interface's own
    Unicast,
    /// Virtual MAC 03-bf-…
    Multicast,
    /// Virtual MAC 01-00-5e-7f-…, joined by IGMP
    Igmp,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Unicast => Mode::Unicast,
            ModeArg::Multicast => Mode::Multicast,
            ModeArg::Igmp => Mode::Igmp,
        }
    }
}

/// [`Affinity`] as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AffinityArg {
    /// Its address and port: each connection for itself
    None,
    /// Its address: all connections of a client
    Single,
    /// Its network: IPv4 /24, IPv6 /64
    Network,
}

impl From<AffinityArg> for Affinity {
    fn from(affinity: AffinityArg) -> Self {
        match affinity {
            AffinityArg::None => Affinity::None,
            AffinityArg::Single => Affinity::Single,
            AffinityArg::Network => Affinity::Network,
        }
    }
}

/// Who answers echo requests to a VIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EchoArg {
    /// The default host
    DefaultHost,
    /// Every host
    All,
    /// The host that the client's address hashes to, if a rule covers all ports
    Hash,
    /// Nobody
    Drop,
}

impl From<EchoArg> for Echo {
    fn from(echo: EchoArg) -> Self {
        match echo {
            EchoArg::DefaultHost => Echo::DefaultHost,
            EchoArg::All => Echo::All,
            EchoArg::Hash => Echo::Hash,
            EchoArg::Drop => Echo::Drop,
        }
    }
}

/// Who answers ARP and neighbour discovery for a VIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ResponderArg {
    /// The default host: one answer for each question
    DefaultHost,
    /// Every host
    All,
}

impl From<ResponderArg> for Responder {
    fn from(responder: ResponderArg) -> Self {
        match responder {
            ResponderArg::DefaultHost => Responder::DefaultHost,
            ResponderArg::All => Responder::All,
        }
    }
}

/// A protocol that the packet decision tells from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// TCP
    Tcp,
    /// UDP
    Udp,
    /// SCTP
    Sctp,
    /// Echo requests, of ICMP or ICMPv6
    Icmp,
    /// GRE
    Gre,
    /// ESP, the data of IPsec
    Esp,
    /// AH, of IPsec too
    Ah,
}

impl Protocol {
    /// The IP protocol number.
    pub(crate) const fn number(self, v6: bool) -> u8 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Sctp => 132,
            Protocol::Icmp if v6 => 58,
            Protocol::Icmp => 1,
            Protocol::Gre => 47,
            Protocol::Esp => 50,
            Protocol::Ah => 51,
        }
    }

    /// Whether its packets have ports.
    pub(crate) const fn has_ports(self) -> bool {
        matches!(self, Protocol::Tcp | Protocol::Udp | Protocol::Sctp)
    }

    /// The name that people read.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
            Protocol::Icmp => "icmp",
            Protocol::Gre => "gre",
            Protocol::Esp => "esp",
            Protocol::Ah => "ah",
        }
    }
}
