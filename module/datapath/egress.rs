// SPDX-License-Identifier: GPL-2.0-only

//! The egress hook of a cluster interface: every frame that leaves there passes here last, those of packet sockets
//! included.
//!
//! *Context*: softirq or process with bottom halves off, under RCU. Nothing here allocates or sleeps.

use crate::cluster::driver::Driver;
use crate::cluster::snapshot::Snapshot;
use crate::datapath::drops::{dropped, swallowed};
use crate::datapath::lookup::remember;
use crate::kapi::netfilter::{Hook, Verdict};
use crate::kapi::rcu::ReadSide;
use crate::kapi::skb::{Skb, ETH_HLEN};
use crate::l2::arp;
use crate::l2::ndisc;
use crate::nlb_core::decide::{Buckets, Note};
use crate::nlb_core::leaving::{is_from_vip, leaving, Leaving};
use crate::nlb_core::node::Command;
use crate::nlb_core::packet::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, SNAP_LEN};
use crate::nlb_core::reason::Reason;

/// Where the source MAC stands in an Ethernet header.
const ETH_SOURCE: usize = 6;

/// The EtherType of a tag of IEEE 802.1Q, the length of such a tag, and its bits that are the VLAN.
const ETHERTYPE_VLAN: u16 = 0x8100;
const VLAN_HLEN: usize = 4;
const VLAN_ID: u16 = 0x0fff;

/// The hook: frames from their Ethernet header on.
pub(crate) struct Egress;

impl Hook for Egress {
    type Target = Driver;

    fn handle(driver: &Driver, side: &ReadSide, skb: &mut Skb) -> Verdict {
        let cluster = driver.cluster();
        // A frame with a VLAN id belongs to another network, which may use the same addresses.
        if skb.has_vlan_id() {
            return Verdict::Accept;
        }
        let Some(snapshot) = cluster.snapshot(side) else {
            return Verdict::Accept;
        };
        if has_virtual_source(snapshot, skb) {
            cluster.stats().reason(Reason::DroppedVirtualSource);
            return dropped(Reason::DroppedVirtualSource);
        }
        match carried(skb.head()) {
            Some((ETHERTYPE_ARP, l3)) => arp::guard(cluster, side, skb, l3),
            Some((ETHERTYPE_IPV4, l3)) => packet(driver, side, snapshot, skb, l3),
            Some((ETHERTYPE_IPV6, l3)) => {
                let device = cluster.device().as_device_ref();
                match ndisc::guard(cluster, side, skb, l3, &device) {
                    Verdict::Accept => packet(driver, side, snapshot, skb, l3),
                    other => other,
                }
            }
            _ => Verdict::Accept,
        }
    }
}

/// What a frame carries and where that begins, by its own header: receivers go by nothing else, and a packet socket may
/// call the frame something else (`sll_protocol`). A tag that has a priority and no VLAN is passed over, as receivers do;
/// `None` for a frame of a VLAN, and for what is no frame.
#[inline(always)]
fn carried(frame: &[u8]) -> Option<(u16, usize)> {
    let word = |at: usize| {
        let bytes = frame.get(at..)?.first_chunk::<2>()?;
        Some(u16::from_be_bytes(*bytes))
    };
    let ethertype = word(ETH_HLEN - 2)?;
    if ethertype != ETHERTYPE_VLAN {
        return Some((ethertype, ETH_HLEN));
    }
    let is_priority = word(ETH_HLEN)? & VLAN_ID == 0;
    is_priority.then_some((word(ETH_HLEN + 2)?, ETH_HLEN + VLAN_HLEN))
}

/// Whether a frame would teach the switch where the virtual MAC is: a packet socket or a guest behind a bridge can
/// send what it likes.
#[inline(always)]
fn has_virtual_source(snapshot: &Snapshot, skb: &Skb) -> bool {
    let source = skb
        .head()
        .get(ETH_SOURCE..)
        .and_then(<[u8]>::first_chunk::<6>);
    source.is_some_and(|source| snapshot.filter.is_virtual_mac(source))
}

/// Decides about an IP packet.
#[inline(always)]
fn packet(driver: &Driver, side: &ReadSide, snapshot: &Snapshot, skb: &Skb, l3: usize) -> Verdict {
    match skb.head().get(l3..) {
        // The stack leaves its headers in one piece; a packet socket may not, but it has no connections.
        Some(l3) if is_from_vip(&snapshot.filter, l3) => from_vip(driver, side, snapshot, skb, l3),
        _ => Verdict::Accept,
    }
}

/// Decides about a packet that comes from a VIP.
#[inline(never)]
fn from_vip(
    driver: &Driver,
    side: &ReadSide,
    snapshot: &Snapshot,
    skb: &Skb,
    l3: &[u8],
) -> Verdict {
    let cluster = driver.cluster();
    let l3 = l3.get(..SNAP_LEN).unwrap_or(l3);
    let leaving = leaving(&snapshot.filter, &snapshot.owners, l3);
    if let Some((turn, rule)) = leaving.turn() {
        cluster.stats().turn(turn, rule);
    }
    match leaving {
        // What is served whichever interface it arrives on is answered whatever the bucket.
        Leaving::LateSynAck(rule) if !cluster.description().allow_other_interfaces => {
            cluster.stats().packet(Reason::DroppedLateSynAck, rule);
            // A SYN-ACK that cannot be sent ends the half-open connection, which still waits for its ACK: the one that
            // was sent before may have arrived.
            return swallowed(Reason::DroppedLateSynAck);
        }
        Leaving::NotInForce => {
            cluster.stats().reason(Reason::DroppedNotInForce);
            return dropped(Reason::DroppedNotInForce);
        }
        // Those of containers have no socket here either, and no cookie that this host could check: connection
        // tracking knows such a connection from its SYN-ACK on.
        Leaving::SynAck(_) if !skb.has_socket() && !skb.was_received() => cluster.cookies().give(),
        Leaving::Own { session, .. } if skb.is_of_connected_datagrams() => {
            remember(cluster, side, &session, Note::Later);
        }
        Leaving::Opened {
            slot,
            bucket,
            session,
            ..
        } => {
            if let Some(flow) = session {
                remember(cluster, side, &flow, Note::Later);
            }
            hold(driver, snapshot, slot, bucket);
        }
        Leaving::SynAck(_)
        | Leaving::Own { .. }
        | Leaving::LateSynAck(_)
        | Leaving::Reset(_)
        | Leaving::Untouched => {}
    }
    Verdict::Accept
}

/// Sees to it that the answers are asked about here and left alone by the owner of the bucket. This is done before the
/// packet leaves that they answer, so nobody sees one earlier.
///
/// It takes the lock of the node, but only for the first packet to a bucket of somebody else's, and while other hosts
/// have sessions in it as well: the packet path's words do not tell theirs from ours then.
#[cold]
fn hold(driver: &Driver, snapshot: &Snapshot, slot: u16, bucket: u16) {
    let (word, bit) = (bucket >> 6, u32::from(bucket & 63));
    let is_set = |bits: u64| bits.wrapping_shr(bit) & 1 != 0;
    let (moved, others) = (
        snapshot.owners.moved(slot, word),
        snapshot.owners.others(slot, word),
    );
    if !is_set(moved) || is_set(others) {
        // A node that takes no part holds nothing: its answers are dropped as everything else.
        let _ = driver.command(Command::Opened { slot, bucket });
    }
}
