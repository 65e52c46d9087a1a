// SPDX-License-Identifier: GPL-2.0-only

//! Whether anything of the segment reaches this host, when it is no heartbeat.
//!
//! The node hears of heartbeats itself. Other frames are counted by the packet path anyway, so here the counters are
//! looked at once in a period: a sum that grew is a sign of the segment, and no packet pays for it. Where peers are
//! heard on the second path alone, nothing may arrive by itself; then peers are asked for their dedicated IP by ARP,
//! and their answer, or their own question, is such a sign.

use super::cluster::Cluster;
use super::neighbour;
use super::nlb_core::arp;
use super::nlb_core::limits::HOSTS_MAX;
use super::nlb_core::node::{Command, Node};
use super::nlb_core::reason::Reason;
use super::nlb_core::time::Instant;
use super::stats::Stats;
use super::tables::NodeTables;
use core::net::{IpAddr, Ipv4Addr};

/// Peers asked in one period: with the fewest heartbeats that may be missed, three, there are two periods in which to
/// ask before the segment counts as cut, so several are asked in each; all in turn if they do not answer.
const PROBES: usize = 3;

/// Peers to be asked for by ARP.
#[derive(Clone, Copy, Default)]
pub(crate) struct Probes([Option<Ipv4Addr>; PROBES]);

/// What was seen at the last look.
pub(crate) struct Watch {
    looked: Instant,
    packets: u64,
    /// Place in the node's list of hosts from which peers are asked next.
    turn: usize,
}

impl Watch {
    /// Has not looked yet.
    pub(crate) const fn new() -> Self {
        Self {
            looked: Instant(0),
            packets: 0,
            turn: 0,
        }
    }

    /// Looks, at most once in a period, and tells the node what it sees. Whoever is to be probed is returned.
    ///
    /// Without a second path on which peers are heard there is nothing to be told apart, and nothing is done.
    /// Context: under the lock of the node.
    pub(crate) fn look(
        &mut self,
        node: &mut Node<NodeTables>,
        stats: &Stats,
        now: Instant,
    ) -> Probes {
        let period = node.config().period_ns;
        let since = now.since(self.looked);
        // Timers are a little early or late against each other.
        if since < period.saturating_sub(period / 8) {
            return Probes::default();
        }
        if !node.members().any(|host| host.on_relay) {
            return Probes::default();
        }
        let packets = stats.arrived();
        let grew = packets != self.packets;
        // What was counted since a look long ago may be as old as that.
        let lately = since <= period.saturating_mul(2);
        self.packets = packets;
        self.looked = now;
        if grew && lately {
            // Nothing is random about it, and a node that takes no part refuses it.
            let _ = node.handle_command(now, Command::SegmentSeen, 0);
        }
        if node.segment_silence(now) >= period {
            self.probes(node)
        } else {
            Probes::default()
        }
    }

    /// Peers that are heard on the second path alone, the next few in turn.
    fn probes(&mut self, node: &Node<NodeTables>) -> Probes {
        let mut probes = Probes::default();
        let mut places = probes.0.iter_mut();
        let peers = || {
            (0..HOSTS_MAX)
                .zip(node.members())
                .filter(|(_, host)| host.on_relay && !host.is_self)
        };
        let turn = self.turn;
        let in_turn = peers()
            .filter(|(index, _)| *index >= turn)
            .chain(peers().filter(|(index, _)| *index < turn));
        for (index, host) in in_turn {
            let Some(address) = ipv4(host.dedicated.as_bytes()) else {
                continue;
            };
            let Some(place) = places.next() else {
                return probes;
            };
            *place = Some(address);
            self.turn = index.saturating_add(1);
        }
        probes
    }
}

fn ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
}

impl Probes {
    /// Sends the probes. Context: any, without locks that a driver could take.
    pub(crate) fn send(self, cluster: &Cluster) {
        let own = match cluster.dedicated() {
            Some(IpAddr::V4(own)) => own,
            // RFC 5227: a question of somebody who has no address.
            _ => Ipv4Addr::UNSPECIFIED,
        };
        for target in self.0.into_iter().flatten() {
            let bytes = arp::question(cluster.device().mac(), own, target);
            neighbour::send(cluster, &neighbour::BROADCAST, &bytes);
        }
    }
}

impl Stats {
    /// How many packets have arrived on the cluster interface: those that the packet path decided about.
    fn arrived(&self) -> u64 {
        let outgoing = |reason: Reason| {
            matches!(
                reason,
                Reason::ArpLeakDropped
                    | Reason::ArpLeakMended
                    | Reason::NdLeakDropped
                    | Reason::NdLeakMended
            )
        };
        Reason::ALL
            .iter()
            .filter(|reason| !outgoing(**reason))
            .fold(0, |sum, reason| sum.wrapping_add(self.sum_of(*reason)))
    }
}
