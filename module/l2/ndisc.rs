// SPDX-License-Identifier: GPL-2.0-only

//! IPv6 neighbour discovery for the VIPs: answered here, announced here, and guarded on the way out.
//!
//! As for ARP (`arp.rs`) two hooks guard what leaves: one sees the IPv6 that this host sends by any interface
//! of the namespace, before it has a frame; the other sees every frame that leaves the cluster interface, those of
//! packet sockets included.

use crate::cluster::context::Cluster;
use crate::cluster::driver::Driver;
use crate::cluster::snapshot::Snapshot;
use crate::datapath::drops::dropped;
use crate::kapi::netdevice::DeviceRef;
use crate::kapi::netfilter::{OutputHook, Verdict};
use crate::kapi::rcu::ReadSide;
use crate::kapi::skb::{Frame, Skb};
use crate::l2::arp::Guard;
use crate::l2::aside;
use crate::l2::askers;
use crate::l2::conflict;
use crate::l2::inquiry;
use crate::nlb_core::mac::Mac;
use crate::nlb_core::nd::{self, NdOut, NdVerdict, ADVERTISEMENT_LEN, ALL_NODES_MAC};
use crate::nlb_core::packet::{ETHERTYPE_IPV6, PROTO_ICMPV6, SNAP_LEN};
use crate::nlb_core::reason::Reason;
use crate::stats::Event;
use core::net::Ipv6Addr;

/// Bytes from the IPv6 header on that tell a neighbour message: the header, and the type of the ICMPv6 message.
const TELLING: usize = 41;

/// Where the IPv6 header says what follows it.
const NEXT_HEADER: usize = 6;

/// ICMPv6 types of neighbour discovery: router solicitation to redirect (RFC 4861 section 4).
const NEIGHBOUR_TYPES: core::ops::RangeInclusive<u8> = 133..=137;

/// Decides about a neighbour message that arrived on the cluster interface. Context: softirq, RCU.
#[cold]
pub(crate) fn arrived(driver: &Driver, snapshot: &Snapshot, skb: &mut Skb) -> Verdict {
    let cluster = driver.cluster();
    match judged(cluster, snapshot, skb) {
        None => {
            cluster.stats().reason(Reason::NdMalformed);
            dropped(Reason::NdMalformed)
        }
        Some(NdVerdict::Pass(reason)) => {
            cluster.stats().reason(reason);
            Verdict::Accept
        }
        Some(NdVerdict::Drop(reason)) => {
            cluster.stats().reason(reason);
            if reason == Reason::NdPeer {
                peer_spoke(driver, snapshot, skb);
            }
            match reason {
                Reason::NdMalformed => dropped(reason),
                // About a VIP, and looked at: it has done what it can.
                _ => Verdict::Consume,
            }
        }
        Some(NdVerdict::Conflict { vip, mac }) => {
            cluster.stats().reason(Reason::NdConflict);
            conflict::claimed(driver, snapshot, vip.into(), mac);
            Verdict::Consume
        }
        Some(NdVerdict::Reply { .. }) if !cluster.serves() => {
            cluster.stats().reason(Reason::NdNotResponder);
            Verdict::Consume
        }
        Some(NdVerdict::Reply { to, bytes }) => {
            cluster.stats().reason(Reason::NdReplied);
            send(cluster, &to, &bytes);
            askers::answered(cluster, skb.source_mac());
            Verdict::Consume
        }
    }
}

/// What the core says of a message; nothing if its bytes cannot be had. Out of line, for the copy of the message is not
/// needed any more when the verdict is carried out.
#[inline(never)]
fn judged(cluster: &Cluster, snapshot: &Snapshot, skb: &Skb) -> Option<NdVerdict> {
    // Without an Ethernet header there is no station to answer to; zero is the MAC of none.
    let from = match skb.ethernet().and_then(|header| header.last_chunk::<8>()) {
        Some([mac @ .., _, _]) => *mac,
        None => Mac::default(),
    };
    let mut bytes = [0u8; SNAP_LEN];
    let l3 = copied(skb, 0, &mut bytes)?;
    Some(nd::arrived(
        &snapshot.filter,
        cluster.is_default_host(),
        from,
        l3,
    ))
}

/// A member spoke for a VIP in this message. Out of line, as `judged` is.
#[inline(never)]
fn peer_spoke(driver: &Driver, snapshot: &Snapshot, skb: &Skb) {
    let mut bytes = [0u8; nd::TOLD_LEN];
    if skb.copy(0, &mut bytes) {
        if let Some(vip) = nd::speaks_for(&bytes) {
            inquiry::heard(driver.cluster(), vip.into());
            aside::spoke(driver, snapshot, vip.into(), skb.source_mac());
        }
    }
}

/// Tells the segment which MAC a VIP resolves to. Context: any.
pub(crate) fn announce(cluster: &Cluster, snapshot: &Snapshot, vip: Ipv6Addr) {
    send(
        cluster,
        &ALL_NODES_MAC,
        &nd::announcement(&snapshot.filter, vip),
    );
}

/// Asks for a VIP in this host's own name, if it has one. Context: any, without locks that a driver could take.
pub(crate) fn ask(cluster: &Cluster, side: &ReadSide, vip: Ipv6Addr) {
    let device = cluster.device();
    if let Some(own) = device.as_device_ref().link_local(side) {
        let question = nd::question(device.mac(), own, vip);
        send(cluster, &nd::solicited_mac(vip), &question);
    }
}

fn send(cluster: &Cluster, to: &Mac, bytes: &[u8; ADVERTISEMENT_LEN]) {
    let Some(mut frame) = Frame::new(cluster.device(), ADVERTISEMENT_LEN) else {
        cluster.stats().event(Event::NdNoMemory);
        return;
    };
    frame.write(bytes);
    frame.send(to, ETHERTYPE_IPV6, ADVERTISEMENT_LEN);
}

/// The hook on IPv6 that this host sends, on any interface of the namespace.
pub(crate) struct Ip6Output;

impl OutputHook for Ip6Output {
    type Target = Guard;

    fn handle(guarded: &Guard, side: &ReadSide, skb: &mut Skb, device: &DeviceRef<'_>) -> Verdict {
        if !is_neighbour_message(skb, 0) {
            return Verdict::Accept;
        }
        for cluster in guarded.clusters(side) {
            let verdict = guard(cluster, side, skb, 0, device);
            if verdict != Verdict::Accept {
                return verdict;
            }
        }
        Verdict::Accept
    }
}

/// Lets an outgoing IPv6 packet pass; mends it or drops it if it is a neighbour message that would tell a wrong MAC
/// for a VIP. Its IPv6 header stands at `offset` behind the data pointer, and it leaves by `device`.
pub(crate) fn guard(
    cluster: &Cluster,
    side: &ReadSide,
    skb: &mut Skb,
    offset: usize,
    device: &DeviceRef<'_>,
) -> Verdict {
    if !is_neighbour_message(skb, offset) {
        return Verdict::Accept;
    }
    match cluster.snapshot(side) {
        Some(snapshot) => leaving(cluster, snapshot, side, skb, offset, device),
        None => Verdict::Accept,
    }
}

#[cold]
fn leaving(
    cluster: &Cluster,
    snapshot: &Snapshot,
    side: &ReadSide,
    skb: &mut Skb,
    offset: usize,
    device: &DeviceRef<'_>,
) -> Verdict {
    // A device whose addresses are no MACs cannot tell a MAC.
    let Some(own_mac) = device.mac() else {
        return Verdict::Accept;
    };
    let mut bytes = [0u8; SNAP_LEN];
    let Some(l3) = copied(skb, offset, &mut bytes) else {
        return Verdict::Accept;
    };
    let outcome = nd::leaving(&snapshot.filter, l3, own_mac, device.link_local(side));
    let mended = match outcome {
        NdOut::Untouched => return Verdict::Accept,
        NdOut::Drop => None,
        NdOut::Mended => skb.writable(offset, l3.len()),
    };
    let Some(place) = mended else {
        cluster.stats().reason(Reason::NdLeakDropped);
        return dropped(Reason::NdLeakDropped);
    };
    for (to, from) in place.iter_mut().zip(l3) {
        *to = *from;
    }
    cluster.stats().reason(Reason::NdLeakMended);
    Verdict::Accept
}

/// Whether the packet at `offset` is a neighbour message without extension headers; one with them is none
/// (RFC 6980 section 5 forbids fragments, and Linux takes no others).
fn is_neighbour_message(skb: &Skb, offset: usize) -> bool {
    let mut copy = [0u8; TELLING];
    let head = match skb
        .head()
        .get(offset..)
        .and_then(<[u8]>::first_chunk::<TELLING>)
    {
        Some(head) => head,
        None => {
            if !skb.copy(offset, &mut copy) {
                return false;
            }
            &copy
        }
    };
    let [.., kind] = head;
    head.get(NEXT_HEADER) == Some(&PROTO_ICMPV6) && NEIGHBOUR_TYPES.contains(kind)
}

/// The packet at `offset`, or as much of it as there is room for.
fn copied<'a>(skb: &Skb, offset: usize, room: &'a mut [u8; SNAP_LEN]) -> Option<&'a mut [u8]> {
    let len = skb.len().checked_sub(offset)?.min(SNAP_LEN);
    let bytes = room.get_mut(..len)?;
    skb.copy(offset, bytes).then_some(bytes)
}
