// SPDX-License-Identifier: GPL-2.0-only

//! Other stations that claim a VIP: remembered for `show`, and told as events, but not as often as they speak.

use super::cluster::Cluster;
use super::kapi::bh_lock::BhLock;
use super::kapi::clock::now_ns;
use super::nlb_core::limits::{CONFLICT_AGAIN_NS, CONFLICT_GAP_NS, CONFLICT_SHOWN_NS};
use super::nlb_core::mac::Mac;
use super::nlb_core::time::Instant;
use super::notify;
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
}

impl Conflicts {
    /// None yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            last <- BhLock::new(None),
        })
    }

    /// The last claim and its age in nanoseconds, unless it was long ago. Context: any but hard interrupts.
    pub(crate) fn last(&self) -> Option<(Claim, u64)> {
        let last = (*self.last.lock())?;
        let age = Instant(now_ns()).since(last.seen);
        (age < CONFLICT_SHOWN_NS).then_some((last.claim, age))
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
