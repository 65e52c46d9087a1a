// SPDX-License-Identifier: GPL-2.0-only

//! Another station that speaks for the VIPs while this host hears no other of its cluster. Whether to serve beside it is the
//! core's (`core/src/aside.rs`).

use crate::cluster::context::Cluster;
use crate::cluster::driver::Driver;
use crate::cluster::snapshot::Snapshot;
use crate::cluster::tables::NodeTables;
use crate::kapi::bh_lock::BhLock;
use crate::kapi::clock::now_ns;
use crate::kapi::once::Once;
use crate::kapi::rcu::{read_lock, ReadSide};
use crate::l2::{arp, conflict, ndisc};
use crate::nlb_core::aside::{Aside, Place};
use crate::nlb_core::host::HostSet;
use crate::nlb_core::mac::Mac;
use crate::nlb_core::node::Node;
use crate::nlb_core::state::HostState;
use crate::nlb_core::time::Instant;
use core::net::IpAddr;
use kernel::prelude::*;

/// What a host knows of another station that speaks for its VIPs.
#[pin_data]
pub(crate) struct Beside {
    #[pin]
    aside: BhLock<Aside>,
    /// When something is to be done.
    due: Once<u64>,
    /// Whether the node knows that this host is not to serve.
    told: Once<bool>,
    /// Questions asked: IPv4 and IPv6 take turns.
    asked: Once<u32>,
}

impl Beside {
    /// None is known.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            aside <- BhLock::new(Aside::new()),
            due: Once::new(Instant::NEVER.0),
            told: Once::new(false),
            asked: Once::new(0),
        })
    }

    /// When something is to be done; [`Instant::NEVER`] if nothing is. Context: any.
    pub(crate) fn due(&self) -> Instant {
        Instant(self.due.load())
    }

    /// Whether another host may be there that is not heard, and asks for the VIPs itself. Context: any but hard interrupts.
    pub(crate) fn may_ask(&self) -> bool {
        self.aside.lock().has_heard(Instant(now_ns()))
    }

    /// What the core makes of it, and whether something is due sooner than it was.
    fn with<R>(&self, work: impl FnOnce(&mut Aside, Instant) -> R) -> (R, bool) {
        let mut aside = self.aside.lock();
        let before = aside.due();
        let result = work(&mut aside, Instant(now_ns()));
        self.due.store(aside.due().0);
        (result, aside.due() < before)
    }
}

/// A station speaks for a VIP as a member of this cluster does. If this host hears no other for a while, that is a host whose
/// heartbeats do not arrive: it is named by its own MAC. Context: softirq, RCU.
#[cold]
#[inline(never)]
pub(crate) fn spoke(driver: &Driver, snapshot: &Snapshot, vip: IpAddr, station: Option<Mac>) {
    let cluster = driver.cluster();
    let own = cluster.device().mac();
    // A switch may send a host's own frames back to it, or answer questions with what it has learned.
    let nobody = [own, snapshot.filter.mac_v4(), snapshot.filter.mac_v6()];
    let Some(station) = station.filter(|station| !nobody.contains(station)) else {
        return;
    };
    if !snapshot.settings.vips().contains(&vip) {
        return;
    }
    let silence_ns = cluster.silence_ns();
    let heard = |aside: &mut Aside, now| aside.heard(now, station, own, silence_ns);
    let (tell, sooner) = cluster.beside().with(heard);
    if tell {
        conflict::report(cluster, vip, station);
    }
    if sooner {
        driver.wake();
    }
}

/// How this host stands to the others. Context: under the lock of the node.
pub(crate) fn place(node: &Node<NodeTables>) -> Place {
    let alone = HostSet::EMPTY.with(node.config().host);
    match node.state() {
        _ if node.hears_others() => Place::Among,
        HostState::Joining => Place::Joining,
        HostState::Converged | HostState::Draining if node.view_members() == alone => Place::Alone,
        _ => Place::Among,
    }
}

/// Looks whether to serve, and asks for VIPs if that is to be known. Whether another station serves them, if it does, or
/// did at the last look.
/// Context: any, without locks that a driver could take; one at a time.
#[inline(never)]
pub(crate) fn act(cluster: &Cluster, place: Place) -> Option<bool> {
    let beside = cluster.beside();
    let silence_ns = cluster.silence_ns();
    // Without a question it would not know when the other has gone.
    let may_be = place == Place::Among || can_ask(cluster, &read_lock()).next().is_some();
    let place = if may_be { place } else { Place::Among };
    let (step, _) = beside.with(|aside, now| aside.look(now, place, silence_ns));
    if step.ask {
        ask(cluster);
    }
    // Said again as long as it is so: the node forgets it when it hears another host.
    let told = beside.told.load();
    beside.told.store(step.aside);
    (step.aside || told).then_some(step.aside)
}

/// The VIPs that this host can ask for, in the name of an address of its own.
fn can_ask<'a>(cluster: &'a Cluster, side: &'a ReadSide) -> impl Iterator<Item = &'a IpAddr> {
    let v4 = arp::dedicated(cluster).is_some();
    let v6 = cluster.device().as_device_ref().link_local(side).is_some();
    let vips = cluster.vips(side).iter();
    vips.filter(move |vip| if vip.is_ipv4() { v4 } else { v6 })
}

/// Asks for a VIP in this host's own name: for one of IPv4 and one of IPv6 by turns, as far as there are both.
fn ask(cluster: &Cluster) {
    let side = read_lock();
    let asked = &cluster.beside().asked;
    let turn = asked.load();
    asked.store(turn.wrapping_add(1));
    let its_turn = |vip: &&IpAddr| vip.is_ipv6() == (turn & 1 != 0);
    let vip = can_ask(cluster, &side).find(its_turn).copied();
    let vip = vip.or_else(|| can_ask(cluster, &side).next().copied());
    match vip {
        Some(IpAddr::V4(vip)) => arp::ask(cluster, vip),
        Some(IpAddr::V6(vip)) => ndisc::ask(cluster, &side, vip),
        None => {}
    }
}
