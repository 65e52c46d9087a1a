// SPDX-License-Identifier: GPL-2.0-only

//! Why a packet was left alone, served or dropped: one reason for every outcome, one counter for each reason.
//!
//! The first word of a name says what became of the packet: `passed-` (untouched, the stack does what it would
//! do without nlb), `accepted-` (served here), `dropped-` and `silent-` (not served here), `malformed-`
//! (dropped, because it cannot be what it says it is), `arp-` and `nd-` (neighbour messages), `probe-` (from a peer).

use super::filter::NO_RULE;
use super::limits::RULES_MAX;
use super::state::named;

named! {
    /// The reason of a verdict. The numbers are dense from 0, so that a reason is the index of its counter.
    Reason {
        /// Neither IPv4 nor IPv6.
        PassedNotIp = 0 "passed-not-ip",
        /// To an address that is no VIP: another host, a broadcast, a multicast, link-local.
        PassedForeign = 1 "passed-foreign",
        /// Carries a VLAN id: it belongs to another network.
        PassedVlan = 2 "passed-vlan",
        /// To a VIP, in a frame for another station's own MAC: seen only because the NIC is promiscuous.
        PassedOtherHost = 3 "passed-other-host",
        /// A later fragment whose first one is not remembered: whoever has the first one reassembles it.
        PassedFragment = 4 "passed-fragment",
        /// A message of IPv6 neighbour discovery: decided by the neighbour part, not by ownership.
        PassedNeighbour = 5 "passed-neighbour",
        /// This host owns the bucket.
        AcceptedOwner = 6 "accepted-owner",
        /// No rule covers it, and this host is the default host.
        AcceptedDefaultHost = 7 "accepted-default-host",
        /// Another host owns the bucket, but the session lives here.
        AcceptedResidual = 8 "accepted-residual",
        /// A later fragment of a packet that is served here.
        AcceptedFragment = 9 "accepted-fragment",
        /// An echo request, which every host answers by configuration.
        AcceptedEcho = 10 "accepted-echo",
        /// An ACK that carries a SYN cookie of this host.
        AcceptedCookie = 11 "accepted-cookie",
        /// Another host owns the bucket, and no session of it can be here.
        DroppedNotOwner = 12 "dropped-not-owner",
        /// No rule covers it, and another host is the default host.
        DroppedNotDefaultHost = 13 "dropped-not-default-host",
        /// Another host owns the bucket; a session might have been here, but there is none.
        DroppedNoSession = 14 "dropped-no-session",
        /// The rule, or the rule on this host, is disabled.
        DroppedDisabled = 15 "dropped-disabled",
        /// A later fragment of a packet that is not served here.
        DroppedFragment = 16 "dropped-fragment",
        /// An echo request, which no host answers by configuration.
        DroppedEcho = 17 "dropped-echo",
        /// A packet in mid-connection that is unknown here, while another host still has sessions of the bucket.
        SilentMidFlow = 18 "silent-mid-flow",
        /// A SYN-ACK for a connection that this host did not open; another host may have opened it.
        SilentSynAck = 19 "silent-syn-ack",
        /// Shorter than its headers.
        MalformedTruncated = 20 "malformed-truncated",
        /// The version field does not belong to the EtherType.
        MalformedVersion = 21 "malformed-version",
        /// An IPv4 header length below 20 bytes or beyond the packet.
        MalformedHeaderLength = 22 "malformed-header-length",
        /// A length field below the headers or beyond the frame.
        MalformedLength = 23 "malformed-length",
        /// A source address that no client can have: zero, multicast, broadcast, loopback, or a VIP.
        MalformedSource = 24 "malformed-source",
        /// A fragment that no sender makes: a first one without ports, or one that begins inside the ports.
        MalformedFragment = 25 "malformed-fragment",
        /// A chain of IPv6 extension headers that is too long or out of order.
        MalformedExtension = 26 "malformed-extension",
        /// An ICMP error whose inner packet is not one that the VIP can have sent.
        MalformedIcmp = 27 "malformed-icmp",
        /// An IPv6 jumbogram: Ethernet frames cannot carry one.
        MalformedJumbogram = 28 "malformed-jumbogram",
        /// A transport header that is cut off: what is left of the packet is shorter than it.
        MalformedTransport = 29 "malformed-transport",
        /// An ARP request for a VIP, answered by this host.
        ArpReplied = 30 "arp-replied",
        /// An ARP request for a VIP that another host answers, or for one that is not in force.
        ArpNotResponder = 31 "arp-not-responder",
        /// An ARP message of a foreign station that claims a VIP for another MAC.
        ArpConflict = 32 "arp-conflict",
        /// An ARP message about a VIP from a host of this cluster.
        ArpPeer = 33 "arp-peer",
        /// An ARP message that is shorter or other than ARP for IPv4 on Ethernet.
        ArpMalformed = 34 "arp-malformed",
        /// An ARP message that is not about a VIP.
        ArpForeign = 35 "arp-foreign",
        /// An outgoing ARP message that would have told the segment a wrong MAC for a VIP, dropped.
        ArpLeakDropped = 36 "arp-leak-dropped",
        /// An outgoing ARP request whose sender was a VIP, mended.
        ArpLeakMended = 37 "arp-leak-mended",
        /// A neighbour solicitation for a VIP, answered by this host.
        NdReplied = 38 "nd-replied",
        /// A neighbour solicitation for a VIP that another host answers, or for one that is not in force.
        NdNotResponder = 39 "nd-not-responder",
        /// A neighbour advertisement of a foreign station that claims a VIP for another MAC.
        NdConflict = 40 "nd-conflict",
        /// A neighbour message about a VIP from a host of this cluster.
        NdPeer = 41 "nd-peer",
        /// A neighbour message that fails the checks of RFC 4861 section 7.1.
        NdMalformed = 42 "nd-malformed",
        /// A neighbour message that is not about a VIP.
        NdForeign = 43 "nd-foreign",
        /// An outgoing neighbour message that would have told the segment a wrong MAC for a VIP, dropped.
        NdLeakDropped = 44 "nd-leak-dropped",
        /// An outgoing neighbour solicitation whose source was a VIP, mended.
        NdLeakMended = 45 "nd-leak-mended",
        /// To a VIP, but it arrived on another interface than the cluster's.
        DroppedOtherInterface = 46 "dropped-other-interface",
        /// An outgoing frame with the virtual MAC as its source, which no switch may learn.
        DroppedVirtualSource = 47 "dropped-virtual-source",
        /// A probe of a peer to the virtual MAC: the switch hands this host the clients' frames.
        ProbeHeard = 48 "probe-heard",
        /// An outgoing SYN-ACK of a bucket that this host does not own any more: its new owner answers.
        DroppedLateSynAck = 49 "dropped-late-syn-ack",
        /// To or from an address that no settings in force name: it is to become a VIP, or was one until lately.
        DroppedNotInForce = 50 "dropped-not-in-force",
    }
}

impl Reason {
    /// Number of reasons: the length of a table of counters that is indexed by `reason as usize`.
    pub const COUNT: usize = Reason::ALL.len();

    /// Rows of counters: one for packets without a rule, then one for each number of a rule.
    pub const ROWS: usize = RULES_MAX + 1;

    /// The counter of packets of a rule (or of none, [`NO_RULE`]) to which something happened for this reason, in a
    /// table of [`Reason::ROWS`] rows of [`Reason::COUNT`].
    #[must_use]
    pub const fn counter(self, rule: u8) -> u16 {
        const {
            assert!(NO_RULE.wrapping_add(1) == 0);
            assert!(256 * Reason::COUNT <= u16::MAX as usize);
        };
        (rule.wrapping_add(1) as u16)
            .wrapping_mul(Reason::COUNT as u16)
            .wrapping_add(self as u16)
    }

    /// The reason of a counter, whatever its rule.
    #[must_use]
    pub fn of_counter(counter: u16) -> Reason {
        let column = usize::from(counter).wrapping_rem(Reason::COUNT);
        // Never out of range.
        Reason::ALL
            .get(column)
            .copied()
            .unwrap_or(Reason::PassedForeign)
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn no_counter_of_frames_has_the_name_of_a_reason() {
        for received in crate::received::Received::ALL {
            assert_eq!(Reason::from_name(received.name()), None);
        }
    }

    #[test]
    fn a_counter_leads_back_to_its_reason() {
        for &reason in Reason::ALL {
            for rule in [crate::filter::NO_RULE, 0, 1, 63] {
                assert_eq!(Reason::of_counter(reason.counter(rule)), reason);
            }
        }
    }

    #[test]
    fn reasons_are_dense_and_their_names_unique_and_kebab_case() {
        for (index, &reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(reason as usize, index);
            assert_eq!(
                Reason::from_name(reason.name()),
                Some(reason),
                "{} is used twice",
                reason.name()
            );
            assert!(reason
                .name()
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        }
        assert_eq!(Reason::COUNT, Reason::ALL.len());
    }
}
