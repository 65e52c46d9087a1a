// SPDX-License-Identifier: GPL-2.0-only

//! Questions for the VIPs that this host asks the segment, in its own name: what a stranger answers is a conflict
//! (`l2/conflict.rs`), and what nobody answers is told. When to ask and what follows is in `core/src/inquiry.rs`.

use crate::cluster::context::Cluster;
use crate::cluster::tables::NodeTables;
use crate::kapi::bh_lock::BhLock;
use crate::kapi::clock::now_ns;
use crate::kapi::once::Once;
use crate::kapi::random::random_u64;
use crate::kapi::rcu::read_lock;
use crate::l2::{arp, ndisc};
use crate::netlink::notify;
use crate::nlb_core::genl::EventKind;
use crate::nlb_core::inquiry::{Inquiry, Role};
use crate::nlb_core::node::Node;
use crate::nlb_core::time::Instant;
use core::net::IpAddr;
use kernel::prelude::*;

/// What a host knows of questions for the VIPs of a cluster. VIPs are bits, by their place in the list.
#[pin_data]
pub(crate) struct Inquiries {
    #[pin]
    inquiry: BhLock<Inquiry>,
    /// VIPs that a member has spoken for since this was looked at.
    heard: Once<u64>,
    unanswered: Once<u64>,
    due: Once<u64>,
}

impl Inquiries {
    /// None yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            inquiry <- BhLock::new(Inquiry::new()),
            heard: Once::new(0),
            unanswered: Once::new(0),
            due: Once::new(Instant::NEVER.0),
        })
    }

    /// When something is to be done; [`Instant::NEVER`] if nothing is. Context: any.
    pub(crate) fn due(&self) -> Instant {
        Instant(self.due.load())
    }

    /// VIPs that questions are not answered for. Context: any.
    pub(crate) fn unanswered(&self) -> u64 {
        self.unanswered.load()
    }

    /// A member spoke for these VIPs. Where two CPUs say so at once, one of the two may be missed; it is asked for again.
    fn hear(&self, vips: u64) {
        let before = self.heard.load();
        let _ = before & vips == vips || self.heard.exchange(before, before | vips);
    }

    /// Forgets what is known of each VIP; whether some were unanswered.
    fn forget(&self) -> bool {
        let mut inquiry = self.inquiry.lock();
        *inquiry = Inquiry::new();
        self.take_heard();
        self.due.store(inquiry.due().0);
        let unanswered = self.unanswered.load() != 0;
        self.unanswered.store(0);
        unanswered
    }

    /// Takes what was heard.
    fn take_heard(&self) -> u64 {
        let heard = self.heard.load();
        if heard != 0 && self.heard.exchange(heard, 0) {
            heard
        } else {
            0
        }
    }
}

/// Other VIPs are in force, at other places: what is known of each is forgotten. Context: any but hard interrupts, without
/// locks.
pub(crate) fn forget(cluster: &Cluster) {
    if cluster.inquiries().forget() {
        notify::cluster_event(cluster, EventKind::Answered);
    }
}

/// A member spoke for a VIP, by an answer or an announcement. Context: softirq, RCU.
#[cold]
#[inline(never)]
pub(crate) fn heard(cluster: &Cluster, vip: IpAddr) {
    cluster.inquiries().hear(places(cluster, |it| it == vip));
}

/// The VIPs of a kind, as bits.
fn places(cluster: &Cluster, is_it: impl Fn(IpAddr) -> bool) -> u64 {
    let side = read_lock();
    let vips = cluster.vips(&side).iter().zip(0u32..64);
    vips.filter(|(vip, _)| is_it(**vip))
        .fold(0, |bits, (_, place)| bits | 1u64.wrapping_shl(place))
}

/// What this host has to do with questions. Context: under the lock of the node.
pub(crate) fn role(cluster: &Cluster, node: &Node<NodeTables>) -> Role {
    if node.is_default() {
        return Role::Answering;
    }
    let mut others = node.view_members();
    if let Some(default) = node.default_host() {
        others.remove(default);
    }
    let own = node.config().host;
    // With a cut interface, or while it leaves, it hears no answers, or others take its place.
    match node.default_host() {
        Some(default) if cluster.device().has_carrier() && others.iter().next() == Some(own) => {
            Role::Asking(default)
        }
        _ => Role::None,
    }
}

/// Asks what is to be asked, and tells of VIPs that nobody answers for, or again somebody. Context: any, without locks that a
/// driver could take; one at a time.
#[inline(never)]
pub(crate) fn act(cluster: &Cluster, role: Role) {
    let inquiries = cluster.inquiries();
    let dead_ns = cluster.silence_ns();
    let side = read_lock();
    let link_local = cluster.device().as_device_ref().link_local(&side);
    let dedicated = arp::dedicated(cluster);
    let can_ask = |vip: IpAddr| match vip {
        IpAddr::V4(_) => dedicated.is_some(),
        IpAddr::V6(_) => link_local.is_some(),
    };
    let step = {
        let mut inquiry = inquiries.inquiry.lock();
        let step = inquiry.look(
            Instant(now_ns()),
            role,
            dead_ns,
            places(cluster, can_ask),
            inquiries.take_heard(),
            random_u64(),
        );
        inquiries.due.store(inquiry.due().0);
        step
    };
    for vip in cluster.vips_of(&side, step.ask) {
        match vip {
            IpAddr::V4(vip) => arp::ask(cluster, vip),
            IpAddr::V6(vip) => ndisc::ask(cluster, &side, vip),
        }
    }
    let before = inquiries.unanswered.load();
    if step.unanswered != before {
        inquiries.unanswered.store(step.unanswered);
        if step.unanswered != 0 {
            notify::cluster_event(cluster, EventKind::Unanswered);
        } else if matches!(role, Role::Asking(_)) {
            // Of a host that asks no more, nothing is known.
            notify::cluster_event(cluster, EventKind::Answered);
        }
    }
}
