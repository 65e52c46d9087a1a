// SPDX-License-Identifier: GPL-2.0-only

//! Port rules: which traffic of the VIPs is spread how.
//!
//! A rule covers (one VIP or all, TCP or UDP or both, a range of ports). Rules do not overlap, so at most one
//! covers a packet; a rule for all VIPs and one for a single VIP overlap like any others. The number of a rule
//! is its place in the list, and also the slot of its bucket map.

use super::config::{SlotKind, SlotSet};
use super::genl::Affinity;
pub use super::genl::{FilteringMode, HealthAction, Protocols, RuleState, Track};
use super::limits::RULES_MAX;
use core::fmt;
use core::net::IpAddr;

/// Prefix length of affinity network for IPv4 ("Class C").
pub const PREFIX_V4_DEFAULT: u8 = 24;

/// Prefix length of affinity network for IPv6: what one site or household has.
pub const PREFIX_V6_DEFAULT: u8 = 64;

impl Protocols {
    /// Whether the two have a protocol in common.
    #[must_use]
    pub const fn overlaps(self, other: Protocols) -> bool {
        self as u8 & other as u8 != 0
    }
}

/// A port rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// The VIP that it is for, or all.
    pub vip: Option<IpAddr>,
    /// The protocols that it covers.
    pub protocols: Protocols,
    /// First port of the range; 0 only in the range 0–65535.
    pub first_port: u16,
    /// Last port of the range, inclusive.
    pub last_port: u16,
    /// What becomes of the traffic.
    pub mode: FilteringMode,
    /// What of a client decides its host.
    pub affinity: Affinity,
    /// Bits of an IPv4 address that affinity network looks at, 1–32.
    pub prefix_v4: u8,
    /// Bits of an IPv6 address that affinity network looks at, 1–128.
    pub prefix_v6: u8,
    /// Which UDP sessions are tracked. Those of tunnels (IKE, NAT-T, L2TP) always are.
    pub track: Track,
    /// What a host does when it answers nothing of the rule.
    pub health: HealthAction,
    /// What this host does about it.
    pub state: RuleState,
}

impl Rule {
    /// The rule that Windows sets up: all VIPs, all ports, both protocols, multiple hosts.
    #[must_use]
    pub const fn all(affinity: Affinity) -> Rule {
        Rule {
            vip: None,
            protocols: Protocols::Both,
            first_port: 0,
            last_port: u16::MAX,
            mode: FilteringMode::Multiple,
            affinity,
            prefix_v4: PREFIX_V4_DEFAULT,
            prefix_v6: PREFIX_V6_DEFAULT,
            track: Track::Quic,
            health: HealthAction::Report,
            state: RuleState::Enabled,
        }
    }

    /// Whether the rule covers a port.
    #[must_use]
    pub const fn has_port(&self, port: u16) -> bool {
        self.first_port <= port && port <= self.last_port
    }

    /// Whether the rule covers all ports.
    #[must_use]
    pub const fn has_all_ports(&self) -> bool {
        self.first_port == 0 && self.last_port == u16::MAX
    }

    /// Whether some packet is covered by both rules.
    #[must_use]
    pub fn overlaps(&self, other: &Rule) -> bool {
        let vips = match (self.vip, other.vip) {
            (Some(mine), Some(others)) => mine == others,
            _ => true,
        };
        vips && self.protocols.overlaps(other.protocols)
            && self.first_port <= other.last_port
            && other.first_port <= self.last_port
    }
}

impl Rule {
    /// Whether both cover the same packets.
    #[must_use]
    pub fn covers_same(&self, other: &Rule) -> bool {
        self.vip == other.vip
            && self.protocols == other.protocols
            && (self.first_port, self.last_port) == (other.first_port, other.last_port)
    }

    /// Whether both also put each of these packets into the same bucket.
    fn spreads_same(&self, other: &Rule) -> bool {
        let prefixes = self.affinity != Affinity::Network
            || (self.prefix_v4, self.prefix_v6) == (other.prefix_v4, other.prefix_v6);
        self.covers_same(other)
            && self.mode == other.mode
            && self.affinity == other.affinity
            && prefixes
    }

    /// How the buckets of the rule find their owner. A disabled rule has owners that serve nothing.
    #[must_use]
    pub const fn slot_kind(&self) -> SlotKind {
        match self.mode {
            FilteringMode::Single => SlotKind::Single,
            FilteringMode::Multiple | FilteringMode::Disabled => SlotKind::Weighted,
        }
    }
}

/// Which bucket map is for what: rule n has slot n, and what no rule covers has the slot after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Slot of what no rule covers; all of it belongs to the default host.
    pub default: u16,
    /// Slot of traffic without ports that is spread by client address.
    pub spread: u16,
}

impl Slots {
    /// The slots that a list of rules needs.
    ///
    /// Traffic without ports is spread as the rule says that covers everything, in mode multiple; if there is no
    /// such rule, it is traffic that no rule covers.
    #[must_use]
    pub fn of(rules: &[Rule]) -> Slots {
        let default = u16::try_from(rules.len()).unwrap_or(u16::MAX);
        let everything = |rule: &Rule| {
            rule.vip.is_none()
                && rule.protocols == Protocols::Both
                && rule.has_all_ports()
                && rule.mode == FilteringMode::Multiple
        };
        let spread = rules.iter().position(everything);
        Slots {
            default,
            spread: spread.map_or(default, |slot| u16::try_from(slot).unwrap_or(default)),
        }
    }

    /// How many slots there are.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.default.saturating_add(1)
    }
}

/// The slots whose packets are the same under both lists of rules, each in the same bucket. In all others a
/// bucket of the one list has nothing to do with the bucket of that number in the other list.
#[must_use]
pub fn kept(old: &[Rule], new: &[Rule]) -> SlotSet {
    let mut kept = SlotSet::EMPTY;
    let (old_slots, new_slots) = (Slots::of(old), Slots::of(new));
    let spread_stays = |slot: u16| (slot == old_slots.spread) == (slot == new_slots.spread);
    for (slot, (before, after)) in (0u16..u16::MAX).zip(old.iter().zip(new)) {
        if before.spreads_same(after) && spread_stays(slot) {
            kept.insert(slot);
        }
    }
    let still_covered = |old: &Rule| new.iter().any(|new| new.covers_same(old));
    let covered_same = old.len() == new.len() && old.iter().all(still_covered);
    if covered_same && spread_stays(new_slots.default) {
        kept.insert(new_slots.default);
    }
    kept
}

/// Why a list of rules is refused. `rule` is the place of the rule in the list, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// More than [`RULES_MAX`] rules.
    TooMany,
    /// The range ends before it begins.
    ReversedRange {
        /// The rule.
        rule: usize,
    },
    /// Port 0 in a range other than 0–65535.
    PortZero {
        /// The rule.
        rule: usize,
    },
    /// The VIP is none of the cluster's.
    UnknownVip {
        /// The rule.
        rule: usize,
    },
    /// Two rules cover the same packets.
    Overlap {
        /// The rule that comes later in the list.
        rule: usize,
        /// The one that comes earlier.
        other: usize,
    },
    /// An IPv4 prefix length of 0 or beyond 32.
    PrefixV4 {
        /// The rule.
        rule: usize,
    },
    /// An IPv6 prefix length of 0 or beyond 128.
    PrefixV6 {
        /// The rule.
        rule: usize,
    },
    /// Affinity none for a tunnel's control port: the tunnel's data has no ports and would part from it.
    TunnelAffinity {
        /// The rule.
        rule: usize,
    },
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            RuleError::TooMany => write!(f, "more than {RULES_MAX} rules"),
            RuleError::ReversedRange { rule } => {
                write!(f, "rule {rule}: the port range ends before it begins")
            }
            RuleError::PortZero { rule } => {
                write!(
                    f,
                    "rule {rule}: port 0 is allowed in the range 0-65535 only"
                )
            }
            RuleError::UnknownVip { rule } => {
                write!(f, "rule {rule}: the address is no VIP of the cluster")
            }
            RuleError::Overlap { rule, other } => write!(f, "rule {rule} overlaps rule {other}"),
            RuleError::PrefixV4 { rule } => {
                write!(f, "rule {rule}: an IPv4 prefix length is 1 to 32")
            }
            RuleError::PrefixV6 { rule } => {
                write!(f, "rule {rule}: an IPv6 prefix length is 1 to 128")
            }
            RuleError::TunnelAffinity { rule } => {
                write!(f, "rule {rule}: affinity none would part a tunnel's data from its control; use single")
            }
        }
    }
}

/// UDP port of QUIC, whose sessions are tracked unless a rule says otherwise.
pub const PORT_QUIC: u16 = 443;
/// TCP port of the control connection of PPTP, whose data is GRE.
pub const PORT_PPTP: u16 = 1723;
/// UDP port of IKE, whose data is ESP, AH, or UDP 4500.
pub const PORT_IKE: u16 = 500;
/// UDP port of L2TP, which is keyed as IKE is.
pub const PORT_L2TP: u16 = 1701;
/// UDP port of IKE and ESP behind a NAT, keyed as IKE is.
pub const PORT_NAT_T: u16 = 4500;

/// Checks a list of rules for a cluster with these VIPs.
///
/// # Errors
///
/// The first fault in the order of the list.
pub fn check(rules: &[Rule], vips: &[IpAddr]) -> Result<(), RuleError> {
    if rules.len() > RULES_MAX {
        return Err(RuleError::TooMany);
    }
    for (index, rule) in rules.iter().enumerate() {
        check_one(index, rule, vips)?;
        for (other, earlier) in rules.iter().enumerate().take(index) {
            if rule.overlaps(earlier) {
                return Err(RuleError::Overlap { rule: index, other });
            }
        }
    }
    Ok(())
}

fn check_one(rule: usize, it: &Rule, vips: &[IpAddr]) -> Result<(), RuleError> {
    if it.first_port > it.last_port {
        return Err(RuleError::ReversedRange { rule });
    }
    if it.first_port == 0 && !it.has_all_ports() {
        return Err(RuleError::PortZero { rule });
    }
    if it.vip.is_some_and(|vip| !vips.contains(&vip)) {
        return Err(RuleError::UnknownVip { rule });
    }
    if !(1..=32).contains(&it.prefix_v4) {
        return Err(RuleError::PrefixV4 { rule });
    }
    if !(1..=128).contains(&it.prefix_v6) {
        return Err(RuleError::PrefixV6 { rule });
    }
    let spread_by_port = it.mode == FilteringMode::Multiple && it.affinity == Affinity::None;
    if spread_by_port
        && it.first_port == it.last_port
        && is_tunnel_port(it.protocols, it.first_port)
    {
        return Err(RuleError::TunnelAffinity { rule });
    }
    Ok(())
}

/// Whether the port is the control port of a tunnel whose data has no ports of its own.
#[must_use]
pub const fn is_tunnel_port(protocols: Protocols, port: u16) -> bool {
    (protocols.overlaps(Protocols::Tcp) && port == PORT_PPTP)
        || (protocols.overlaps(Protocols::Udp)
            && (port == PORT_IKE || port == PORT_L2TP || port == PORT_NAT_T))
}

/// Whether an address is one that clients beyond the segment can send to.
#[must_use]
pub fn can_be_vip(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, ..] = address.octets();
            first != 0 && first < 224 && !address.is_loopback() && !address.is_link_local()
        }
        IpAddr::V6(address) => {
            let link_local = address
                .segments()
                .first()
                .is_some_and(|first| first & 0xffc0 == 0xfe80);
            !address.is_unspecified()
                && !address.is_loopback()
                && !address.is_multicast()
                && !link_local
                && address.to_ipv4_mapped().is_none()
        }
    }
}
