// SPDX-License-Identifier: GPL-2.0-only

//! The ingress hook of a cluster interface: every frame that arrives there passes here first.
//!
//! *Context*: softirq, under RCU. Nothing here allocates, sleeps or takes a lock that process context holds,
//! except for frames of the protocol itself, which go to the node under its own lock.

use super::cluster::Port;
use super::delivery;
use super::discovery;
use super::kapi::clock::now_ns;
use super::kapi::inet::{tcp_lookup, TcpSocket};
use super::kapi::netfilter::{Hook, Verdict};
use super::kapi::rcu::ReadSide;
use super::kapi::skb::{self, Skb};
use super::neighbour;
use super::nlb_core::decide::{
    self, decide, fast_v4, fast_v6, glance_v4, glance_v6, is_for_cluster, Answer, Fast, Glance,
    Question, Tables,
};
use super::nlb_core::filter::VipEntry;
use super::nlb_core::fragments::{recall, remember, FragmentKey};
use super::nlb_core::limits::ETHERTYPE;
use super::nlb_core::packet::{
    Meta, Target, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, PROTO_TCP, SNAP_LEN,
};
use super::nlb_core::reason::Reason;
use super::nlb_core::time::Instant;
use super::segment;
use super::snapshot::Snapshot;
use super::stats::Event;

/// The hook.
pub(crate) struct Ingress;

/// The longest IP packet without a jumbo length; a longer buffer was merged by GRO.
const IP_MAX: usize = 65_535;

impl Hook for Ingress {
    type Target = Port;

    // Foreign traffic, which is most of it on many hosts, leaves from here, before any register is saved.
    #[inline(always)]
    fn handle(port: &Port, side: &ReadSide, skb: &mut Skb) -> Verdict {
        let Some(snapshot) = port.cluster().snapshot(side) else {
            return Verdict::Accept;
        };
        let glance = match skb.protocol() {
            ETHERTYPE_IPV4 => glance_v4(&snapshot.filter, skb.head()),
            ETHERTYPE_IPV6 => glance_v6(&snapshot.filter, skb.head()),
            _ => return other(port, snapshot, skb),
        };
        match glance {
            Glance::Foreign => {
                port.cluster().stats().reason(Reason::PassedForeign);
                Verdict::Accept
            }
            Glance::Vip(vip) => packet(port, side, snapshot, skb, vip),
            Glance::Unclear => unclear(port, side, snapshot, skb),
        }
    }
}

/// Frames that are no IP.
#[inline(never)]
fn other(port: &Port, snapshot: &Snapshot, skb: &mut Skb) -> Verdict {
    match skb.protocol() {
        ETHERTYPE_ARP => {
            segment::arp_arrived(port, skb);
            neighbour::arrived(port, snapshot, skb)
        }
        ETHERTYPE => port.frame_arrived(skb),
        _ => {
            port.cluster().stats().reason(Reason::PassedNotIp);
            Verdict::Accept
        }
    }
}

/// Decides about a packet to a VIP.
#[inline(never)]
fn packet(
    port: &Port,
    side: &ReadSide,
    snapshot: &Snapshot,
    skb: &mut Skb,
    vip: &VipEntry,
) -> Verdict {
    let cluster = port.cluster();
    let meta = meta(snapshot, skb);
    if !is_for_cluster(&meta) {
        return unclear(port, side, snapshot, skb);
    }
    let l3 = skb.head();
    let fast = if meta.ethertype == ETHERTYPE_IPV4 {
        fast_v4(&snapshot.filter, &snapshot.owners, vip, meta.len, l3)
    } else {
        fast_v6(&snapshot.filter, &snapshot.owners, vip, meta.len, l3)
    };
    let verdict = match fast {
        Fast::Drop { reason, rule } => {
            cluster.stats().packet(reason, rule);
            return Verdict::Drop;
        }
        Fast::Accept { reason, rule } => {
            cluster.stats().packet(reason, rule);
            return accept(skb, &meta);
        }
        Fast::Moved(it) => decide::moved(&snapshot.owners, it, l3),
        Fast::Unclear if meta.dst_is_virtual_mac && delivery::arrived(cluster, l3) => {
            return Verdict::Consume;
        }
        Fast::Unclear => decide::closer(&snapshot.filter, &snapshot.owners, &meta, vip, l3),
    };
    rare(port, side, snapshot, skb, &meta, verdict)
}

/// Decides about a packet that takes a closer look.
#[cold]
#[inline(never)]
fn unclear(port: &Port, side: &ReadSide, snapshot: &Snapshot, skb: &mut Skb) -> Verdict {
    let meta = meta(snapshot, skb);
    let verdict = decide(&snapshot.filter, &snapshot.owners, &meta, skb.head());
    rare(port, side, snapshot, skb, &meta, verdict)
}

/// What the decision needs to know of a frame besides its bytes.
#[inline(always)]
fn meta(snapshot: &Snapshot, skb: &Skb) -> Meta {
    let dst_is_virtual_mac = match skb.ethernet().and_then(|header| header.first_chunk::<6>()) {
        Some(mac) => snapshot.filter.is_virtual_mac(mac),
        None => false,
    };
    Meta {
        ethertype: skb.protocol(),
        vlan: skb.has_vlan_id(),
        dst_is_virtual_mac,
        target: match skb.target() {
            skb::Target::Host => Target::Host,
            skb::Target::Broadcast => Target::Broadcast,
            skb::Target::Multicast => Target::Multicast,
            skb::Target::OtherHost => Target::OtherHost,
        },
        merged: skb.len() > IP_MAX,
        len: u32::try_from(skb.len()).unwrap_or(u32::MAX),
    }
}

/// Lets a packet of this cluster go up the stack.
#[inline(always)]
fn accept(skb: &mut Skb, meta: &Meta) -> Verdict {
    if meta.dst_is_virtual_mac {
        skb.set_for_host();
    }
    Verdict::Accept
}

/// Carries out what is not on the fast path: questions, fragments, packets whose bytes are not in one piece.
#[cold]
#[inline(never)]
fn rare(
    port: &Port,
    side: &ReadSide,
    snapshot: &Snapshot,
    skb: &mut Skb,
    meta: &Meta,
    verdict: decide::Verdict,
) -> Verdict {
    match verdict {
        decide::Verdict::Short => return copied(port, side, snapshot, skb, meta),
        decide::Verdict::Neighbour => return discovery::arrived(port, snapshot, skb),
        _ => {}
    }
    let verdict = settle(port, side, snapshot, skb.head(), verdict);
    finish(port, skb, meta, verdict)
}

/// Decides once more, with a copy of the first bytes: the buffer holds too few of them in one piece.
#[cold]
#[inline(never)]
fn copied(
    port: &Port,
    side: &ReadSide,
    snapshot: &Snapshot,
    skb: &mut Skb,
    meta: &Meta,
) -> Verdict {
    let mut bytes = [0u8; SNAP_LEN];
    let len = skb.len().min(SNAP_LEN);
    let Some(head) = bytes.get_mut(..len) else {
        return unreadable(port);
    };
    if !skb.copy(0, head) {
        return unreadable(port);
    }
    let verdict = decide(&snapshot.filter, &snapshot.owners, meta, head);
    if verdict == decide::Verdict::Neighbour {
        return discovery::arrived(port, snapshot, skb);
    }
    let verdict = settle(port, side, snapshot, head, verdict);
    finish(port, skb, meta, verdict)
}

/// Makes a verdict final: questions are answered, first fragments remembered.
fn settle(
    port: &Port,
    side: &ReadSide,
    snapshot: &Snapshot,
    l3: &[u8],
    verdict: decide::Verdict,
) -> decide::Verdict {
    let verdict = match verdict {
        decide::Verdict::Ask(question) => {
            question.resolve(ask(port, side, snapshot, &question, l3))
        }
        verdict => verdict,
    };
    let (fragment, accepted) = match verdict {
        decide::Verdict::Accept { fragment, .. } => (fragment, true),
        decide::Verdict::Drop { fragment, .. } => (fragment, false),
        _ => (false, false),
    };
    if fragment {
        if let Some(key) = FragmentKey::of(&snapshot.filter, l3) {
            remember(port.cluster().fragments(), key, accepted, Instant(now_ns()));
        }
    }
    verdict
}

/// Carries out and counts a final verdict.
fn finish(port: &Port, skb: &mut Skb, meta: &Meta, verdict: decide::Verdict) -> Verdict {
    let Some(reason) = verdict.reason() else {
        return unreadable(port);
    };
    let stats = port.cluster().stats();
    match verdict {
        decide::Verdict::Accept { rule, .. } => {
            stats.packet(reason, rule);
            accept(skb, meta)
        }
        decide::Verdict::Drop { rule, .. } => {
            stats.packet(reason, rule);
            Verdict::Drop
        }
        _ => {
            stats.reason(reason);
            Verdict::Accept
        }
    }
}

/// A packet whose bytes cannot be had is nobody's.
fn unreadable(port: &Port) -> Verdict {
    port.cluster().stats().event(Event::PacketUnreadable);
    Verdict::Drop
}

/// Asks the tables of the kernel whether the flow of a packet is known here.
#[cold]
#[inline(never)]
fn ask(
    port: &Port,
    side: &ReadSide,
    snapshot: &Snapshot,
    question: &Question,
    l3: &[u8],
) -> Answer {
    if question.tables == Tables::Fragments {
        return match FragmentKey::of(&snapshot.filter, l3) {
            Some(key) => recall(port.cluster().fragments(), key, Instant(now_ns())),
            None => Answer::Unknown,
        };
    }
    let Some(flow) = decide::flow(l3) else {
        return Answer::Unknown;
    };
    if question.tables != Tables::Tcp || flow.protocol != PROTO_TCP {
        return Answer::Unknown;
    }
    let socket = tcp_lookup(
        side,
        port.cluster().device(),
        (flow.client, flow.client_port),
        (flow.vip, flow.vip_port),
    );
    match socket {
        TcpSocket::None => Answer::Unknown,
        TcpSocket::HalfOpen | TcpSocket::TimeWait | TcpSocket::Established => Answer::Known,
    }
}
