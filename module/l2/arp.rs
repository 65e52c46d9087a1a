// SPDX-License-Identifier: GPL-2.0-only

//! ARP for the VIPs: answered here, announced here, and guarded on the way out. IPv6 is in `ndisc.rs`.
//!
//! Two hooks guard what leaves. One sees the ARP of the kernel itself on every interface of the namespace; the
//! other sees every frame that leaves the cluster interface, those of packet sockets included.

use crate::cluster::context::Cluster;
use crate::cluster::driver::Driver;
use crate::cluster::snapshot::Snapshot;
use crate::datapath::drops::dropped;
use crate::kapi::netfilter::{Hook, Verdict};
use crate::kapi::rcu::{RcuCell, ReadSide};
use crate::kapi::skb::{Frame, Skb, ETH_HLEN};
use crate::l2::aside;
use crate::l2::askers;
use crate::l2::conflict;
use crate::l2::inquiry;
use crate::l2::ndisc;
use crate::nlb_core::arp::{self, ArpOut, ArpVerdict, ARP_LEN};
use crate::nlb_core::packet::ETHERTYPE_ARP;
use crate::nlb_core::reason::Reason;
use crate::stats::Event;
use core::net::{IpAddr, Ipv4Addr};
use kernel::prelude::*;
use kernel::sync::Arc;

/// The broadcast MAC.
pub(crate) const BROADCAST: [u8; 6] = [0xff; 6];

/// Where the source MAC stands in an Ethernet header.
const ETH_SOURCE: usize = 6;

/// Decides about an ARP message that arrived on the cluster interface. Context: softirq, RCU.
pub(crate) fn arrived(driver: &Driver, snapshot: &Snapshot, skb: &mut Skb) -> Verdict {
    let cluster = driver.cluster();
    if skb.has_vlan_id() {
        cluster.stats().reason(Reason::PassedVlan);
        return Verdict::Accept;
    }
    let mut bytes = [0u8; ARP_LEN];
    if !skb.copy(0, &mut bytes) {
        cluster.stats().reason(Reason::ArpMalformed);
        return Verdict::Accept;
    }
    match arp::arrived(&snapshot.filter, cluster.is_default_host(), &bytes) {
        ArpVerdict::Pass(reason) => {
            cluster.stats().reason(reason);
            Verdict::Accept
        }
        ArpVerdict::Drop(reason) => {
            cluster.stats().reason(reason);
            if let (Reason::ArpPeer, Some(vip)) = (reason, arp::sender(&bytes)) {
                inquiry::heard(cluster, vip.into());
                aside::spoke(driver, snapshot, vip.into(), skb.source_mac());
            }
            Verdict::Consume
        }
        ArpVerdict::Conflict { vip, mac } => {
            cluster.stats().reason(Reason::ArpConflict);
            conflict::claimed(driver, snapshot, vip.into(), mac);
            Verdict::Consume
        }
        ArpVerdict::Reply { .. } if !cluster.serves() => {
            cluster.stats().reason(Reason::ArpNotResponder);
            Verdict::Consume
        }
        ArpVerdict::Reply { to, bytes } => {
            cluster.stats().reason(Reason::ArpReplied);
            send(cluster, &to, &bytes);
            askers::answered(cluster, skb.source_mac());
            Verdict::Consume
        }
    }
}

/// Tells the segment which MAC the VIPs resolve to, and asks for them in this host's own name: if a stranger answers,
/// that is a conflict. Context: any.
pub(crate) fn announce(cluster: &Cluster, snapshot: &Snapshot) {
    for vip in snapshot.settings.vips() {
        announce_one(cluster, snapshot, *vip);
        if let IpAddr::V4(vip) = vip {
            ask(cluster, *vip);
        }
    }
}

/// Asks for a VIP in this host's own name. Context: any, without locks that a driver could take.
pub(crate) fn ask(cluster: &Cluster, vip: Ipv4Addr) {
    // Asked without an address of its own, hosts would take it for a claim.
    if let Some(own) = dedicated(cluster) {
        let question = arp::question(cluster.device().mac(), own, vip);
        send(cluster, &BROADCAST, &question);
    }
}

/// Tells the segment which MAC a VIP resolves to. Context: any, without locks that a driver could take.
pub(crate) fn announce_one(cluster: &Cluster, snapshot: &Snapshot, vip: IpAddr) {
    match vip {
        IpAddr::V4(vip) => {
            for announcement in arp::announcements(&snapshot.filter, vip) {
                send(cluster, &BROADCAST, &announcement);
            }
        }
        IpAddr::V6(vip) => ndisc::announce(cluster, snapshot, vip),
    }
}

/// Sends an ARP message on the cluster interface. Context: any, without locks that a driver could take.
pub(crate) fn send(cluster: &Cluster, to: &[u8; 6], bytes: &[u8; ARP_LEN]) {
    let Some(mut frame) = Frame::new(cluster.device(), ARP_LEN) else {
        cluster.stats().event(Event::ArpNoMemory);
        return;
    };
    frame.write(bytes);
    frame.send(to, ETHERTYPE_ARP, ARP_LEN);
}

/// Clusters of a namespace.
pub(crate) type ClusterList = KVec<Arc<Cluster>>;

/// The clusters of a namespace, for the hooks that see what all its interfaces send.
pub(crate) struct Guard {
    clusters: RcuCell<ClusterList>,
}

impl Guard {
    /// Guards nothing yet.
    pub(crate) const fn new() -> Self {
        Self {
            clusters: RcuCell::empty(),
        }
    }

    /// Guards these clusters from now on, and returns the list that was used until now, emptied. Context:
    /// process, under the lock of the registry.
    pub(crate) fn set(&self, clusters: KBox<ClusterList>) -> Option<KBox<ClusterList>> {
        let mut old = self.clusters.replace(Some(clusters))?;
        old.clear();
        Some(old)
    }

    /// The clusters that are guarded now.
    pub(crate) fn clusters<'a>(&'a self, side: &'a ReadSide) -> &'a [Arc<Cluster>] {
        self.clusters.load(side).map_or(&[], |list| list)
    }
}

/// The hook on ARP that the kernel itself sends, on any interface of the namespace.
pub(crate) struct ArpOutput;

impl Hook for ArpOutput {
    type Target = Guard;

    fn handle(guarded: &Guard, side: &ReadSide, skb: &mut Skb) -> Verdict {
        let Some(offset) = skb.network_offset() else {
            return Verdict::Accept;
        };
        for cluster in guarded.clusters(side) {
            let verdict = guard(cluster, side, skb, offset);
            if verdict != Verdict::Accept {
                return verdict;
            }
        }
        Verdict::Accept
    }
}

/// Lets an outgoing ARP message pass, mends it or drops it; it stands at `offset` behind the data pointer.
pub(crate) fn guard(cluster: &Cluster, side: &ReadSide, skb: &mut Skb, offset: usize) -> Verdict {
    let Some(snapshot) = cluster.snapshot(side) else {
        return Verdict::Accept;
    };
    let mut bytes = [0u8; ARP_LEN];
    let mut own_mac = [0u8; 6];
    if !skb.copy(offset, &mut bytes) {
        return Verdict::Accept;
    }
    // The Ethernet source of the frame is the MAC of the interface that it leaves by. (There may be a tag before the message.)
    if offset < ETH_HLEN || !skb.copy(ETH_SOURCE, &mut own_mac) {
        own_mac = cluster.device().mac();
    }
    match arp::leaving(&snapshot.filter, &mut bytes, own_mac, dedicated(cluster)) {
        ArpOut::Untouched => Verdict::Accept,
        ArpOut::Drop => {
            cluster.stats().reason(Reason::ArpLeakDropped);
            dropped(Reason::ArpLeakDropped)
        }
        ArpOut::Mended => {
            let Some(place) = skb.writable(offset, ARP_LEN) else {
                cluster.stats().reason(Reason::ArpLeakDropped);
                return dropped(Reason::ArpLeakDropped);
            };
            for (to, from) in place.iter_mut().zip(&bytes) {
                *to = *from;
            }
            cluster.stats().reason(Reason::ArpLeakMended);
            Verdict::Accept
        }
    }
}

/// The dedicated IP, if it is one of IPv4.
pub(crate) fn dedicated(cluster: &Cluster) -> Option<Ipv4Addr> {
    match cluster.dedicated() {
        Some(IpAddr::V4(address)) => Some(address),
        _ => None,
    }
}
