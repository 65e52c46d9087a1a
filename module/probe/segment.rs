// SPDX-License-Identifier: GPL-2.0-only

//! Whether anything of the segment reaches this host, when it is no heartbeat.
//!
//! The node hears of heartbeats itself. Other frames are counted by the packet path anyway, so here the counters are
//! looked at once in a period: a sum that grew is a sign of the segment, and no packet pays for it. Peers that are heard
//! on the second path alone are asked for their dedicated IP by ARP; an answer, or a question of their own, shows that
//! it is only heartbeats that get lost.

use crate::cluster::context::Cluster;
use crate::cluster::driver::Driver;
use crate::cluster::tables::NodeTables;
use crate::kapi::once::Once;
use crate::kapi::skb::Skb;
use crate::l2::arp::{send as send_arp, BROADCAST};
use crate::nlb_core::arp::{self, ARP_LEN};
use crate::nlb_core::host::HostId;
use crate::nlb_core::limits::HOSTS_MAX;
use crate::nlb_core::node::{Command, Node};
use crate::nlb_core::time::Instant;
use crate::stats::Stats;
use core::net::{IpAddr, Ipv4Addr};

/// Peers asked in one period. All are asked in turn; with 64 hosts each is then asked by several others before a host
/// that nobody hears counts as cut off, with the fewest heartbeats that may be missed, three, by six.
const PROBES: usize = 3;

/// A peer to be asked.
#[derive(Clone, Copy)]
struct Probe {
    host: HostId,
    address: Ipv4Addr,
}

/// Peers to be asked.
#[derive(Clone, Copy, Default)]
pub(crate) struct Probes([Option<Probe>; PROBES]);

/// Peers that were asked last and have not answered: host id and address in one word, or 0.
pub(crate) struct Asked([Once<u64>; PROBES]);

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

    /// Looks, at most once in a period, and tells the node what it sees. Whoever is to be asked is returned.
    ///
    /// If all peers are heard on the segment, or none on a second path, there is nothing to be told apart, and nothing
    /// is done. Context: under the lock of the node.
    pub(crate) fn look(
        &mut self,
        node: &mut Node<NodeTables>,
        stats: &Stats,
        now: Instant,
    ) -> Probes {
        let period = node.beat_ns();
        let since = now.since(self.looked);
        // Timers are a little early or late against each other.
        if since < period.saturating_sub(period / 8) || node.unheard_on_segment(now).is_empty() {
            return Probes::default();
        }
        let packets = stats.signs();
        let grew = packets != self.packets;
        // What was counted since a look long ago may be as old as that.
        let lately = since <= period.saturating_mul(2);
        self.packets = packets;
        self.looked = now;
        if grew && lately {
            // Nothing is random about it, and a node that takes no part does not care.
            let _ = node.handle_command(now, Command::SegmentSeen, 0);
        }
        let probes = self.probes(node, now);
        Self::tell(node, now, &probes);
        probes
    }

    /// The next few peers, in turn.
    fn probes(&mut self, node: &Node<NodeTables>, now: Instant) -> Probes {
        let unheard = node.unheard_on_segment(now);
        let mut probes = Probes::default();
        let mut places = probes.0.iter_mut();
        let peers = || {
            (0..HOSTS_MAX)
                .zip(node.members())
                .filter(|(_, peer)| unheard.contains(peer.host))
        };
        let turn = self.turn;
        let in_turn = peers()
            .filter(|(index, _)| *index >= turn)
            .chain(peers().filter(|(index, _)| *index < turn));
        for (index, peer) in in_turn {
            let Some(address) = ipv4(peer.dedicated.as_bytes()) else {
                continue;
            };
            let Some(place) = places.next() else {
                return probes;
            };
            *place = Some(Probe {
                host: peer.host,
                address,
            });
            self.turn = index.saturating_add(1);
        }
        probes
    }

    /// Tells the node who is about to be asked.
    fn tell(node: &mut Node<NodeTables>, now: Instant, probes: &Probes) {
        for probe in probes.0.iter().flatten() {
            let _ = node.handle_command(now, Command::PeerAsked(probe.host), 0);
        }
    }
}

fn ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
}

impl Probe {
    fn to_word(self) -> u64 {
        u64::from(self.host.get()) << 32 | u64::from(self.address.to_bits())
    }

    fn from_word(word: u64) -> Option<Self> {
        Some(Self {
            host: HostId::new((word >> 32) as u8)?,
            address: Ipv4Addr::from_bits(word as u32),
        })
    }
}

impl Probes {
    /// Asks. Context: any, without locks that a driver could take.
    #[inline(never)]
    pub(crate) fn send(self, cluster: &Cluster) {
        let own = match cluster.dedicated() {
            Some(IpAddr::V4(own)) => own,
            // RFC 5227: a question of somebody who has no address.
            _ => Ipv4Addr::UNSPECIFIED,
        };
        for (probe, asked) in self.0.into_iter().zip(&cluster.asked().0) {
            let Some(probe) = probe else { continue };
            asked.store(probe.to_word());
            let bytes = arp::question(cluster.device().mac(), own, probe.address);
            send_arp(cluster, &BROADCAST, &bytes);
        }
    }
}

impl Asked {
    /// Nobody.
    pub(crate) const fn nobody() -> Self {
        Self([const { Once::new(0) }; PROBES])
    }
}

/// Tells the node if an ARP message is of a peer that was asked. Context: softirq.
pub(crate) fn arp_arrived(driver: &Driver, skb: &Skb) {
    let asked = &driver.cluster().asked().0;
    if asked.iter().all(|word| word.load() == 0) {
        return;
    }
    let mut bytes = [0u8; ARP_LEN];
    if skb.has_vlan_id() || !skb.copy(0, &mut bytes) {
        return;
    }
    let Some(sender) = arp::sender(&bytes) else {
        return;
    };
    for word in asked {
        match Probe::from_word(word.load()) {
            Some(probe) if probe.address == sender => {
                // One answer is enough: a flood of them costs no lock.
                word.store(0);
                let _ = driver.command(Command::PeerSeen(probe.host));
            }
            _ => {}
        }
    }
}
