// SPDX-License-Identifier: GPL-2.0-only

//! Probes to the virtual MAC: whether the switch hands this host what clients send. What is sent, and what follows from
//! it, is the core's; a probe costs the packet path nothing, for it is no packet of the fast path.

use crate::cluster::context::Cluster;
use crate::cluster::snapshot::Snapshot;
use crate::cluster::tables::NodeTables;
use crate::kapi::clock::now_ns;
use crate::kapi::once::Once;
use crate::kapi::rcu::{read_lock, ReadSide};
use crate::kapi::skb::Frame;
use crate::l2::announcements;
use crate::l2::arp;
use crate::netlink::notify;
use crate::nlb_core::delivery::{
    probe_v4, probe_v6, probed_family, Delivery, Look, Sight, FAMILY_V4, FAMILY_V6,
};
use crate::nlb_core::genl::EventKind;
use crate::nlb_core::mac::Mac;
use crate::nlb_core::node::Node;
use crate::nlb_core::packet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use crate::nlb_core::reason::Reason;
use crate::nlb_core::time::Instant;
use crate::stats::Event;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What has been seen of probes.
pub(crate) struct Probed {
    /// When the last one for IPv4 arrived, and the last one for IPv6.
    at: [Once<u64>; 2],
    /// Families of whose VIPs no frame reaches this host, as bits.
    starved: Once<u8>,
}

impl Probed {
    /// None yet.
    pub(crate) const fn never() -> Self {
        Self {
            at: [const { Once::new(0) }; 2],
            starved: Once::new(0),
        }
    }

    /// Other VIPs are in force, of other families perhaps: the time without a probe begins now. Context: any.
    pub(crate) fn forget(&self) {
        let [v4, v6] = &self.at;
        v4.store(now_ns());
        v6.store(now_ns());
    }

    /// Families of whose VIPs no frame reaches this host, as bits. Context: any.
    pub(crate) fn starved(&self) -> u8 {
        self.starved.load()
    }
}

/// Takes a packet to a VIP for a probe, if it is one. Context: softirq, RCU.
#[cold]
#[inline(never)]
pub(crate) fn arrived(cluster: &Cluster, l3: &[u8]) -> bool {
    let Some(family) = probed_family(l3) else {
        return false;
    };
    let [v4, v6] = &cluster.probed().at;
    let place = if family == FAMILY_V4 { v4 } else { v6 };
    place.store(now_ns());
    cluster.stats().reason(Reason::ProbeHeard);
    true
}

/// Looks whether probes arrive, at most once in a period. Context: under the lock of the node.
pub(crate) fn look(
    cluster: &Cluster,
    delivery: &mut Delivery,
    node: &Node<NodeTables>,
    now: Instant,
) -> Option<Look> {
    let period_ns = node.period_ns();
    delivery.look(now, node.beat_ns(), || {
        let [v4, v6] = &cluster.probed().at;
        let side = read_lock();
        let has = |family: fn(&IpAddr) -> bool| cluster.vips(&side).iter().any(family);
        Sight {
            period_ns,
            silence_ns: node.silence_ns(),
            own: node.config().host,
            members: node.view_members(),
            heard: node.heartbeats_on_segment(now, node.silence_ns()),
            heard_lately: node.heartbeats_on_segment(now, period_ns.saturating_add(period_ns / 4)),
            probed: [Instant(v4.load()), Instant(v6.load())],
            families: if has(IpAddr::is_ipv4) { FAMILY_V4 } else { 0 }
                | if has(IpAddr::is_ipv6) { FAMILY_V6 } else { 0 },
        }
    })
}

/// Sends probes if it is this host's turn, and tells if what is known of delivery has changed. Context: any, without
/// locks that a driver could take; one at a time. Whether it has changed.
#[inline(never)]
pub(crate) fn act(cluster: &Cluster, look: Look) -> bool {
    let starved = &cluster.probed().starved;
    let changed = look.starved != starved.load();
    if changed {
        starved.store(look.starved);
        let kind = if look.starved == 0 {
            EventKind::Delivered
        } else {
            EventKind::Starved
        };
        notify::cluster_event(cluster, kind);
        if look.starved == 0 {
            announcements::begin(cluster);
        }
    }
    if look.probe {
        let side = read_lock();
        if let Some(snapshot) = cluster.snapshot(&side) {
            send(cluster, snapshot, &side);
        }
    }
    changed
}

fn send(cluster: &Cluster, snapshot: &Snapshot, side: &ReadSide) {
    let v4 = cluster.vips(side).iter().find_map(|vip| match vip {
        IpAddr::V4(vip) => Some(*vip),
        IpAddr::V6(_) => None,
    });
    let v6 = cluster.vips(side).iter().find_map(|vip| match vip {
        IpAddr::V6(vip) => Some(*vip),
        IpAddr::V4(_) => None,
    });
    if let Some(vip) = v4 {
        let own = arp::dedicated(cluster).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let to = snapshot.filter.mac_v4();
        send_one(cluster, &to, ETHERTYPE_IPV4, &probe_v4(own, vip));
    }
    if let Some(vip) = v6 {
        let device = cluster.device().as_device_ref();
        let own = device.link_local(side).unwrap_or(Ipv6Addr::UNSPECIFIED);
        let to = snapshot.filter.mac_v6();
        send_one(cluster, &to, ETHERTYPE_IPV6, &probe_v6(own, vip));
    }
}

fn send_one(cluster: &Cluster, to: &Mac, ethertype: u16, bytes: &[u8]) {
    let Some(mut frame) = Frame::new(cluster.device(), bytes.len()) else {
        cluster.stats().event(Event::FrameNoMemory);
        return;
    };
    frame.write(bytes);
    frame.send(to, ethertype, bytes.len());
}
