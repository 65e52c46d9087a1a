// SPDX-License-Identifier: GPL-2.0-only

//! The ingress hook of a cluster interface: every frame that arrives there passes here first.
//!
//! *Context*: softirq, under RCU. Nothing here allocates, sleeps or takes a lock that process context holds,
//! except for frames of the protocol itself, which go to the node under its own lock.

use crate::cluster::driver::Driver;
use crate::cluster::snapshot::{Snapshot, Tables};
use crate::datapath::drops::dropped;
use crate::datapath::lookup::{ask, known, remember_session};
use crate::kapi::clock::now_ns;
use crate::kapi::netfilter::{Done, Lent, OwningHook, Verdict};
use crate::kapi::rcu::ReadSide;
use crate::kapi::skb::{self, Skb};
use crate::l2::arp;
use crate::l2::ndisc;
use crate::nlb_core::decide::{
    self, decide, fast_v4, fast_v6, glance_v4, glance_v6, mid_flow_v4, Glance, Moved, Note,
    Outcome, FAST_V4, FAST_V6,
};
use crate::nlb_core::filter::{Filter, RuleEntry};
use crate::nlb_core::fragments::{remember, FragmentKey};
use crate::nlb_core::health::Turn;
use crate::nlb_core::limits::ETHERTYPE;
use crate::nlb_core::packet::{
    Meta, Target, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, SNAP_LEN,
};
use crate::nlb_core::reason::Reason;
use crate::nlb_core::time::Instant;
use crate::nlb_core::wrapped::wrapped;
use crate::probe::segment;
use crate::probe::virtual_mac;
use crate::stats::Event;

/// The hook.
pub(crate) struct Ingress;

/// The longest IP packet without a jumbo length; a longer buffer was merged by GRO.
const IP_MAX: usize = 65_535;

impl OwningHook for Ingress {
    type Target = Driver;

    // What is rare is in functions of its own that are called last, so that the plain packet needs no stack.
    #[inline(always)]
    fn handle(driver: &Driver, side: &ReadSide, skb: Lent<'_>) -> Done {
        let Some(snapshot) = driver.cluster().snapshot(side) else {
            return skb.accept();
        };
        if skb.is_protocol(ETHERTYPE_IPV4) {
            ipv4(driver, side, snapshot, skb)
        } else {
            not_ipv4(driver, side, snapshot, skb)
        }
    }
}

/// Decides about everything else.
#[inline(never)]
fn not_ipv4(driver: &Driver, side: &ReadSide, snapshot: &Snapshot, skb: Lent<'_>) -> Done {
    if skb.is_protocol(ETHERTYPE_IPV6) {
        ipv6(driver, side, snapshot, skb)
    } else {
        other(driver, snapshot, skb)
    }
}

/// Decides about IPv4.
#[inline(always)]
fn ipv4(driver: &Driver, side: &ReadSide, snapshot: &Snapshot, skb: Lent<'_>) -> Done {
    let Snapshot { filter, owners, .. } = snapshot;
    let l3 = skb.head();
    if l3.len() < FAST_V4 {
        return unclear(driver, side, snapshot, skb);
    }
    let vip = match glance_v4(filter, l3) {
        Glance::Foreign => return foreign(driver, skb),
        Glance::Vip(vip) if is_ours::<4>(filter, &skb) => vip,
        Glance::Vip(_) | Glance::Unclear => return unclear(driver, side, snapshot, skb),
    };
    let len = len(&skb);
    let plain = Plain::<4> {
        driver,
        side,
        snapshot,
        skb,
    };
    fast_v4(filter, owners, vip, len, plain)
}

/// Decides about IPv6.
#[inline(always)]
fn ipv6(driver: &Driver, side: &ReadSide, snapshot: &Snapshot, skb: Lent<'_>) -> Done {
    let Snapshot { filter, owners, .. } = snapshot;
    if !filter.has_v6() {
        return foreign(driver, skb);
    }
    let l3 = skb.head();
    if l3.len() < FAST_V6 {
        return unclear(driver, side, snapshot, skb);
    }
    let vip = match glance_v6(filter, l3) {
        Glance::Foreign => return foreign(driver, skb),
        Glance::Vip(vip) if is_ours::<6>(filter, &skb) => vip,
        Glance::Vip(_) | Glance::Unclear => return unclear(driver, side, snapshot, skb),
    };
    let len = len(&skb);
    let plain = Plain::<6> {
        driver,
        side,
        snapshot,
        skb,
    };
    fast_v6(filter, owners, vip, len, plain)
}

/// Foreign traffic, which is most of it on many hosts.
#[inline(always)]
fn foreign(driver: &Driver, skb: Lent<'_>) -> Done {
    driver.cluster().stats().reason(Reason::PassedForeign);
    skb.accept()
}

/// Whether a frame with a packet of IP version `V` is surely one for the cluster. The MAC is read only where it matters;
/// that of the other version is left to the closer look.
#[inline(always)]
fn is_ours<const V: u8>(filter: &Filter<Tables>, skb: &Skb) -> bool {
    !skb.has_vlan_id() && (skb.target() != skb::Target::OtherHost || goes_to::<V>(filter, skb))
}

/// Whether a frame goes to the virtual MAC of this IP version.
#[inline(always)]
fn goes_to<const V: u8>(filter: &Filter<Tables>, skb: &Skb) -> bool {
    let head = skb
        .ethernet()
        .and_then(|header| header.first_chunk::<8>().copied());
    head.is_some_and(|head| {
        if V == 4 {
            filter.is_to_mac_v4(head)
        } else {
            filter.is_to_mac_v6(head)
        }
    })
}

/// Whether a frame goes to a virtual MAC, that of either family.
#[inline(always)]
fn goes_to_virtual_mac(snapshot: &Snapshot, skb: &Skb) -> bool {
    skb.ethernet()
        .and_then(|header| header.first_chunk::<6>())
        .is_some_and(|mac| snapshot.filter.is_virtual_mac(mac))
}

#[inline(always)]
fn len(skb: &Skb) -> u32 {
    u32::try_from(skb.len()).unwrap_or(u32::MAX)
}

/// A plain packet of IP version `V`, on its way to a verdict.
struct Plain<'a, 'skb, const V: u8> {
    driver: &'a Driver,
    side: &'a ReadSide,
    snapshot: &'a Snapshot,
    skb: Lent<'skb>,
}

impl<'a, const V: u8> Outcome<'a> for Plain<'a, '_, V> {
    type Done = Done;

    #[inline(always)]
    fn head(&self) -> &[u8] {
        self.skb.head()
    }

    #[inline(always)]
    fn head_again(&self) -> &[u8] {
        self.skb.head_again()
    }

    /// Lets it go up the stack.
    #[inline(always)]
    fn accept(mut self, entry: &'a RuleEntry) -> Done {
        self.driver.cluster().stats().counter(entry.accepted());
        if goes_to::<V>(&self.snapshot.filter, &self.skb) {
            self.skb.set_for_host();
        }
        self.skb.accept()
    }

    /// The same, counted as one that asks for an answer.
    #[inline(always)]
    fn accept_turn(self, entry: &'a RuleEntry, turn: Turn) -> Done {
        self.driver.cluster().stats().turn(turn, entry.number());
        self.accept(entry)
    }

    /// Drops it: it is not this host's.
    #[inline(always)]
    fn refuse(self, entry: &'a RuleEntry) -> Done {
        self.driver.cluster().stats().counter(entry.dropped());
        self.skb.refuse()
    }

    #[inline(always)]
    fn moved(self, it: Moved<'a>) -> Done {
        moved(self.driver, self.side, self.snapshot, self.skb, it)
    }

    #[inline(always)]
    fn unclear(self) -> Done {
        closer(self.driver, self.side, self.snapshot, self.skb)
    }
}

/// Frames that are no IP.
#[inline(never)]
fn other(driver: &Driver, snapshot: &Snapshot, mut skb: Lent<'_>) -> Done {
    let verdict = match skb.protocol() {
        ETHERTYPE_ARP => {
            segment::arp_arrived(driver, &mut skb);
            arp::arrived(driver, snapshot, &mut skb)
        }
        ETHERTYPE => driver.frame_arrived(&mut skb),
        _ => {
            driver.cluster().stats().reason(Reason::PassedNotIp);
            Verdict::Accept
        }
    };
    skb.finish(verdict)
}

/// Decides about a plain packet of a bucket that moved, a SYN-ACK, or a packet of a tracked session.
#[inline(never)]
fn moved(
    driver: &Driver,
    side: &ReadSide,
    snapshot: &Snapshot,
    mut skb: Lent<'_>,
    it: Moved<'_>,
) -> Done {
    let (cluster, l3) = (driver.cluster(), skb.head());
    let Some((question, flow)) = mid_flow_v4(&snapshot.owners, it, l3) else {
        return moved_rare(driver, side, snapshot, skb, it);
    };
    let verdict = question.resolve(known(cluster, side, question, flow, l3));
    if let decide::Verdict::Drop { reason, rule, .. } = verdict {
        cluster.stats().packet(reason, rule);
        if reason == Reason::SilentMidFlow {
            return skb.finish(dropped(reason));
        }
        return skb.refuse();
    }
    if let decide::Verdict::Accept { reason, rule, .. } = verdict {
        cluster.stats().packet(reason, rule);
        if goes_to_virtual_mac(snapshot, &skb) {
            skb.set_for_host();
        }
    }
    skb.accept()
}

/// What is no segment in the midst of a TCP connection over IPv4.
#[cold]
#[inline(never)]
fn moved_rare(
    driver: &Driver,
    side: &ReadSide,
    snapshot: &Snapshot,
    mut skb: Lent<'_>,
    it: Moved<'_>,
) -> Done {
    let verdict = decide::moved(&snapshot.owners, it, skb.head());
    let meta = meta(snapshot, &skb);
    let verdict = rare(driver, side, snapshot, &mut skb, &meta, verdict);
    skb.finish(verdict)
}

/// Decides about a packet to a VIP, in a frame for the cluster, that is no plain one.
#[cold]
#[inline(never)]
fn closer(driver: &Driver, side: &ReadSide, snapshot: &Snapshot, skb: Lent<'_>) -> Done {
    if meta(snapshot, &skb).dst_is_virtual_mac {
        if virtual_mac::arrived(driver.cluster(), skb.head()) {
            return skb.finish(Verdict::Consume);
        }
        if let Some(found) = wrapped(skb.head()) {
            driver.wrapped_arrived(&skb, found);
            return skb.finish(Verdict::Consume);
        }
    }
    unclear(driver, side, snapshot, skb)
}

/// Decides about a packet that takes a closer look.
#[cold]
#[inline(never)]
fn unclear(driver: &Driver, side: &ReadSide, snapshot: &Snapshot, mut skb: Lent<'_>) -> Done {
    let meta = meta(snapshot, &skb);
    let verdict = decide(&snapshot.filter, &snapshot.owners, &meta, skb.head());
    let verdict = rare(driver, side, snapshot, &mut skb, &meta, verdict);
    skb.finish(verdict)
}

/// What the decision needs to know of a frame besides its bytes.
#[inline(always)]
fn meta(snapshot: &Snapshot, skb: &Skb) -> Meta {
    Meta {
        ethertype: skb.protocol(),
        vlan: skb.has_vlan_id(),
        dst_is_virtual_mac: goes_to_virtual_mac(snapshot, skb),
        target: match skb.target() {
            skb::Target::Host => Target::Host,
            skb::Target::Broadcast => Target::Broadcast,
            skb::Target::Multicast => Target::Multicast,
            skb::Target::OtherHost => Target::OtherHost,
        },
        merged: skb.len() > IP_MAX,
        len: len(skb),
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
    driver: &Driver,
    side: &ReadSide,
    snapshot: &Snapshot,
    skb: &mut Skb,
    meta: &Meta,
    verdict: decide::Verdict,
) -> Verdict {
    match verdict {
        decide::Verdict::Short => return copied(driver, side, snapshot, skb, meta),
        decide::Verdict::Neighbour => return ndisc::arrived(driver, snapshot, skb),
        _ => {}
    }
    let verdict = settle(driver, side, snapshot, skb.head(), verdict);
    count_turn(driver, skb.head(), verdict);
    finish(driver, skb, meta, verdict)
}

/// Counts what an accepted packet asks for.
fn count_turn(driver: &Driver, l3: &[u8], verdict: decide::Verdict) {
    if let decide::Verdict::Accept { rule, .. } = verdict {
        if let Some(turn) = Turn::of_accepted(l3) {
            driver.cluster().stats().turn(turn, rule);
        }
    }
}

/// Decides once more, with a copy of the first bytes: the buffer holds too few of them in one piece.
#[cold]
#[inline(never)]
fn copied(
    driver: &Driver,
    side: &ReadSide,
    snapshot: &Snapshot,
    skb: &mut Skb,
    meta: &Meta,
) -> Verdict {
    let mut bytes = [0u8; SNAP_LEN];
    let len = skb.len().min(SNAP_LEN);
    let Some(head) = bytes.get_mut(..len) else {
        return unreadable(driver);
    };
    if !skb.copy(0, head) {
        return unreadable(driver);
    }
    if let Some(found) = wrapped(head).filter(|_| meta.dst_is_virtual_mac && !meta.vlan) {
        driver.wrapped_arrived(skb, found);
        return Verdict::Consume;
    }
    let verdict = decide(&snapshot.filter, &snapshot.owners, meta, head);
    if verdict == decide::Verdict::Neighbour {
        return ndisc::arrived(driver, snapshot, skb);
    }
    let verdict = settle(driver, side, snapshot, head, verdict);
    count_turn(driver, head, verdict);
    finish(driver, skb, meta, verdict)
}

/// Makes a verdict final: questions are answered, first fragments remembered.
fn settle(
    driver: &Driver,
    side: &ReadSide,
    snapshot: &Snapshot,
    l3: &[u8],
    verdict: decide::Verdict,
) -> decide::Verdict {
    let verdict = match verdict {
        decide::Verdict::Ask(question) => {
            question.resolve(ask(driver.cluster(), side, snapshot, &question, l3))
        }
        verdict => verdict,
    };
    let (fragment, accepted) = match verdict {
        decide::Verdict::Accept { fragment, note, .. } => {
            if note != Note::Nothing {
                remember_session(driver.cluster(), side, note, l3);
            }
            (fragment, true)
        }
        decide::Verdict::Drop { fragment, .. } => (fragment, false),
        _ => (false, false),
    };
    if fragment {
        if let Some(key) = FragmentKey::of(&snapshot.filter, l3) {
            remember(
                driver.cluster().fragments(),
                key,
                accepted,
                Instant(now_ns()),
            );
        }
    }
    verdict
}

/// Carries out and counts a final verdict.
fn finish(driver: &Driver, skb: &mut Skb, meta: &Meta, verdict: decide::Verdict) -> Verdict {
    let Some(reason) = verdict.reason() else {
        return unreadable(driver);
    };
    let stats = driver.cluster().stats();
    match verdict {
        decide::Verdict::Accept { rule, .. } => {
            stats.packet(reason, rule);
            accept(skb, meta)
        }
        decide::Verdict::Drop { rule, .. } => {
            stats.packet(reason, rule);
            dropped(reason)
        }
        _ => {
            stats.reason(reason);
            Verdict::Accept
        }
    }
}

/// A packet whose bytes cannot be had is nobody's.
fn unreadable(driver: &Driver) -> Verdict {
    driver.cluster().stats().event(Event::PacketUnreadable);
    dropped(Reason::MalformedTruncated)
}
