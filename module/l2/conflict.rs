// SPDX-License-Identifier: GPL-2.0-only

//! Other stations that claim a VIP: remembered for `show`, told as events, and contradicted by the default host; all
//! that not as often as they speak.

use crate::cluster::context::Cluster;
use crate::cluster::driver::Driver;
use crate::cluster::snapshot::Snapshot;
use crate::kapi::bh_lock::BhLock;
use crate::kapi::clock::now_ns;
use crate::kapi::once::Once;
use crate::kapi::rcu::read_lock;
use crate::l2::arp;
use crate::netlink::notify;
use crate::nlb_core::defence::Defence;
use crate::nlb_core::limits::{CONFLICT_AGAIN_NS, CONFLICT_GAP_NS, CONFLICT_SHOWN_NS};
use crate::nlb_core::mac::Mac;
use crate::nlb_core::time::Instant;
use crate::stats::Event;
use core::net::IpAddr;
use kernel::prelude::*;

/// A station that claims a VIP.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The VIP.
    pub(crate) vip: IpAddr,
    /// The MAC that it is claimed for; that of the station, if it is a host of another cluster with this VIP.
    pub(crate) mac: Mac,
}

/// The last claim.
#[derive(Clone, Copy)]
struct Last {
    claim: Claim,
    seen: Instant,
    told: Instant,
}

/// What is known of claims to the VIPs of a cluster.
#[pin_data]
pub(crate) struct Conflicts {
    #[pin]
    last: BhLock<Option<Last>>,
    #[pin]
    defence: BhLock<Defence>,
    /// When the defence has something to say next.
    due: Once<u64>,
}

impl Conflicts {
    /// None yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            last <- BhLock::new(None),
            defence <- BhLock::new(Defence::new()),
            due: Once::new(Instant::NEVER.0),
        })
    }

    /// The last claim and its age in nanoseconds, unless it was long ago. Context: any but hard interrupts.
    pub(crate) fn last(&self) -> Option<(Claim, u64)> {
        let last = (*self.last.lock())?;
        let age = Instant(now_ns()).since(last.seen);
        (age < CONFLICT_SHOWN_NS).then_some((last.claim, age))
    }

    /// When VIPs are to be defended once more; [`Instant::NEVER`] if none is. Context: any.
    pub(crate) fn due(&self) -> Instant {
        Instant(self.due.load())
    }

    /// Defends nothing that was claimed until now: other VIPs are in force, at other places. Context: any but hard
    /// interrupts.
    pub(crate) fn forget(&self) {
        self.defend(|defence, _| {
            *defence = Defence::new();
            0
        });
    }

    /// Lets the defence decide; the VIPs to be announced now, a bit for each, and whether something is due sooner
    /// than it was.
    fn defend(&self, decide: impl FnOnce(&mut Defence, Instant) -> u64) -> (u64, bool) {
        let mut defence = self.defence.lock();
        let before = defence.due();
        let vips = decide(&mut defence, Instant(now_ns()));
        self.due.store(defence.due().0);
        (vips, defence.due() < before)
    }

    /// Remembers a claim; whether it is to be told.
    fn remember(&self, claim: Claim) -> bool {
        let now = Instant(now_ns());
        let mut last = self.last.lock();
        let tell = match *last {
            None => true,
            Some(last) => {
                let gap = if last.claim == claim {
                    CONFLICT_AGAIN_NS
                } else {
                    CONFLICT_GAP_NS
                };
                now.since(last.told) >= gap
            }
        };
        let told = match *last {
            Some(last) if !tell => last.told,
            _ => now,
        };
        *last = Some(Last {
            claim,
            seen: now,
            told,
        });
        tell
    }
}

/// Another station claims a VIP. Context: process or softirq, not under the lock of the node.
pub(crate) fn report(cluster: &Cluster, vip: IpAddr, mac: Mac) {
    let claim = Claim { vip, mac };
    if cluster.conflicts().remember(claim) {
        notify::conflict(cluster, &claim);
    }
}

/// Another station claims a VIP for a MAC that is not the virtual one: reported, and contradicted if this is the default
/// host. Context: softirq, RCU.
#[cold]
#[inline(never)]
pub(crate) fn claimed(driver: &Driver, snapshot: &Snapshot, vip: IpAddr, mac: Mac) {
    let cluster = driver.cluster();
    report(cluster, vip, mac);
    let mut vips = snapshot.settings.vips().iter();
    let place = vips.position(|one| *one == vip);
    let (true, Some(place)) = (cluster.is_default_host(), place) else {
        return;
    };
    cluster.announcements().end();
    let (vips, sooner) = cluster
        .conflicts()
        .defend(|defence, now| defence.claimed(now, place));
    announce(cluster, snapshot, vips);
    if sooner {
        driver.wake();
    }
}

/// Contradicts once more, if it is time to. Context: any, without locks that a driver could take.
pub(crate) fn expired(cluster: &Cluster) {
    if cluster.conflicts().due() > Instant(now_ns()) {
        return;
    }
    let (vips, _) = cluster
        .conflicts()
        .defend(|defence, now| defence.expired(now));
    let side = read_lock();
    if let (true, Some(snapshot)) = (cluster.is_default_host(), cluster.snapshot(&side)) {
        announce(cluster, snapshot, vips);
    }
}

fn announce(cluster: &Cluster, snapshot: &Snapshot, vips: u64) {
    let side = read_lock();
    for vip in cluster.vips_of(&side, vips) {
        cluster.stats().event(Event::VipDefended);
        arp::announce_one(cluster, snapshot, vip);
    }
}
