// SPDX-License-Identifier: GPL-2.0-only

//! Announcements of the VIPs that are repeated and refreshed, see `core/src/announce.rs`.

use crate::cluster::context::Cluster;
use crate::kapi::bh_lock::BhLock;
use crate::kapi::clock::now_ns;
use crate::kapi::once::Once;
use crate::kapi::rcu::read_lock;
use crate::l2::arp;
use crate::nlb_core::announce::Announcer;
use crate::nlb_core::time::Instant;
use kernel::prelude::*;

/// The series of announcements of a cluster.
#[pin_data]
pub(crate) struct Announcements {
    #[pin]
    announcer: BhLock<Announcer>,
    /// When the next one is due.
    due: Once<u64>,
}

impl Announcements {
    /// None yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            announcer <- BhLock::new(Announcer::new()),
            due: Once::new(Instant::NEVER.0),
        })
    }

    /// When VIPs are to be announced again; [`Instant::NEVER`] if they are not. Context: any.
    pub(crate) fn due(&self) -> Instant {
        Instant(self.due.load())
    }

    /// Ends the series: another station claims a VIP, or another host answers for them. Context: any but hard interrupts.
    pub(crate) fn end(&self) {
        self.change(|announcer, _| announcer.end());
    }

    fn change<R>(&self, change: impl FnOnce(&mut Announcer, Instant) -> R) -> R {
        let mut announcer = self.announcer.lock();
        let result = change(&mut announcer, Instant(now_ns()));
        self.due.store(announcer.due().0);
        result
    }
}

/// Announces the VIPs, if this is the default host, and lets the timer repeat it once it is set anew. Context: any,
/// without locks that a driver could take.
pub(crate) fn begin(cluster: &Cluster) {
    if cluster.is_default_host() {
        begin_anywhere(cluster);
    }
}

/// Announces the VIPs because somebody asks for it, whichever host this is: all of them have the same MAC for the VIPs. The
/// default host repeats it. Context: as [`begin`].
pub(crate) fn begin_anywhere(cluster: &Cluster) {
    announce(cluster);
    if cluster.is_default_host() {
        cluster
            .announcements()
            .change(|announcer, now| announcer.begin(now));
    }
}

/// Announces the VIPs once more, if it is time to. Context: as [`begin`].
pub(crate) fn expired(cluster: &Cluster) {
    let announcements = cluster.announcements();
    if announcements.due() > Instant(now_ns()) {
        return;
    }
    if !announcements.change(Announcer::expired) {
        return;
    }
    if cluster.is_default_host() {
        announce(cluster);
    } else {
        announcements.end();
    }
}

fn announce(cluster: &Cluster) {
    let side = read_lock();
    if let Some(snapshot) = cluster.snapshot(&side) {
        arp::announce(cluster, snapshot);
    }
}
