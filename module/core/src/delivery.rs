// SPDX-License-Identifier: GPL-2.0-only

//! Whether the switch hands this host the frames of the virtual MAC.
//!
//! Heartbeats have a MAC of their own and are no IP, so a switch that withholds the clients' frames may well pass them:
//! a Linux bridge with snooping and a querier looks a frame of multicast and IGMP mode up by its IP destination, which
//! is a VIP and no group that anybody has joined; other switches block unknown stations. Then the cluster is converged
//! and serves nobody. So the members of the two lowest ids send in each period what a client would send: a packet to the
//! primary VIP of each family, in a frame to the virtual MAC. A host that hears their heartbeats on the segment and
//! none of these probes for as long as makes a host count as dead is *starved*, and says so; what follows from that is in
//! `node/starved.rs`.
//!
//! A probe is IP protocol 253 (RFC 3692: for experiments, so no stack has a use for it) with eight bytes of payload. It is not
//! authenticated: a station on the segment that forges one hides that a host is starved, and changes nothing else. A host
//! alone cannot tell.

use super::host::{HostId, HostSet};
use super::packet::{V4_HEADER, V6_HEADER};
use super::peer_packet::{fill, header_v4, header_v6, payload};
use super::time::Instant;
use core::net::{Ipv4Addr, Ipv6Addr};

/// IP protocol of a probe.
pub const PROTO_PROBE: u8 = 253;

/// What a probe carries.
const PAYLOAD: [u8; 8] = *b"nlbprobe";

/// Bytes of a probe for an IPv4 VIP, from the IP header on.
pub const PROBE_V4_LEN: usize = V4_HEADER + PAYLOAD.len();

/// Bytes of a probe for an IPv6 VIP, from the IP header on.
pub const PROBE_V6_LEN: usize = V6_HEADER + PAYLOAD.len();

/// A bit for the IPv4 VIPs in what is said of delivery.
pub const FAMILY_V4: u8 = 1;

/// A bit for the IPv6 VIPs.
pub const FAMILY_V6: u8 = 2;

/// Members that probe: two, so that each of them hears one, and that there is one when the other has just died.
const PROBERS: usize = 2;

/// A probe for an IPv4 VIP. Without an address of its own a host sends it from 0.0.0.0.
#[must_use]
pub fn probe_v4(own: Ipv4Addr, vip: Ipv4Addr) -> [u8; PROBE_V4_LEN] {
    let header = header_v4(PROTO_PROBE, own, vip, PROBE_V4_LEN as u16);
    let mut bytes = [0u8; PROBE_V4_LEN];
    fill(&mut bytes, &[&header, &PAYLOAD]);
    bytes
}

/// A probe for an IPv6 VIP. Without a link-local address a host sends it from `::`.
#[must_use]
pub fn probe_v6(own: Ipv6Addr, vip: Ipv6Addr) -> [u8; PROBE_V6_LEN] {
    let header = header_v6(PROTO_PROBE, own, vip, PAYLOAD.len() as u16);
    let mut bytes = [0u8; PROBE_V6_LEN];
    fill(&mut bytes, &[&header, &PAYLOAD]);
    bytes
}

/// The family of a probe, as a bit; nothing if the packet to a VIP is none. `l3` are its first bytes, as many as there
/// are in one piece.
#[must_use]
pub fn probed_family(l3: &[u8]) -> Option<u8> {
    let (header, rest) = payload(l3, PROTO_PROBE)?;
    let family = if header == V4_HEADER {
        FAMILY_V4
    } else {
        FAMILY_V6
    };
    (rest.get(..PAYLOAD.len())? == PAYLOAD).then_some(family)
}

/// What a look comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// This host is to send probes now.
    pub probe: bool,
    /// The families of whose VIPs no frame reaches this host, as bits.
    pub starved: u8,
}

/// Watches whether probes arrive.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    looked: Instant,
    /// Since when probes are due without a break; `None`: nobody sends any.
    due_since: Option<Instant>,
    starved: u8,
}

/// What a [`Delivery`] looks at.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// Nanoseconds between two heartbeats.
    pub period_ns: u64,
    /// Nanoseconds of silence after which a host counts as dead.
    pub silence_ns: u64,
    /// This host.
    pub own: HostId,
    /// Members of the committed generation.
    pub members: HostSet,
    /// Hosts whose heartbeats arrive on the segment: one within the last `silence_ns`.
    pub heard: HostSet,
    /// Those of them of which one came within the last period or so.
    pub heard_lately: HostSet,
    /// When the last probe for IPv4 and for IPv6 arrived.
    pub probed: [Instant; 2],
    /// Families that have VIPs, as bits.
    pub families: u8,
}

impl Delivery {
    /// Has not looked yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            looked: Instant(0),
            due_since: None,
            starved: 0,
        }
    }

    /// Looks, at most once in a period; `None` if it is not yet time to. `sight` says what there is to be seen.
    pub fn look(
        &mut self,
        now: Instant,
        period_ns: u64,
        sight: impl FnOnce() -> Sight,
    ) -> Option<Look> {
        let since = now.since(self.looked);
        // Timers are a little early or late against each other.
        if since < period_ns.saturating_sub(period_ns / 8) {
            return None;
        }
        self.looked = now;
        let sight = sight();
        let probers = sight.members.first(PROBERS);
        let others = probers.without(sight.own);
        // Who slept cannot tell what came meanwhile.
        let awake = since <= period_ns.saturating_mul(2);
        let due = !others.intersection(sight.heard).is_empty();
        self.due_since = match self.due_since {
            Some(since) if due && awake => Some(since),
            _ => due.then_some(now),
        };
        let lately = !others.intersection(sight.heard_lately).is_empty();
        self.judge(now, &sight, lately);
        Some(Look {
            // Alone there is nobody to hear it.
            probe: probers.contains(sight.own) && !sight.members.without(sight.own).is_empty(),
            starved: self.starved,
        })
    }

    /// `lately`: whoever sends probes was heard just now, so he is not silent because he is gone.
    fn judge(&mut self, now: Instant, sight: &Sight, lately: bool) {
        let Some(due_since) = self.due_since else {
            self.starved = 0;
            return;
        };
        let patience = sight.silence_ns.saturating_add(sight.period_ns / 4);
        for (family, probed) in [FAMILY_V4, FAMILY_V6].into_iter().zip(sight.probed) {
            let silent = now.since(probed.max(due_since)) > patience;
            if sight.families & family == 0 || !silent {
                self.starved &= !family;
            } else if lately {
                self.starved |= family;
            }
        }
    }
}

impl Default for Delivery {
    fn default() -> Self {
        Self::new()
    }
}
