// SPDX-License-Identifier: GPL-2.0-only

//! Stations that keep asking for a VIP: remembered for `show`, and told. Which ones do is the core's (`core/src/askers.rs`).

use crate::cluster::context::Cluster;
use crate::kapi::bh_lock::BhLock;
use crate::kapi::clock::now_ns;
use crate::netlink::notify;
use crate::nlb_core::askers::Askers as Counted;
use crate::nlb_core::limits::{ASKER_AGAIN_NS, CONFLICT_SHOWN_NS};
use crate::nlb_core::mac::Mac;
use crate::nlb_core::time::Instant;
use kernel::prelude::*;

/// A station that keeps asking, when it was last found to, and when that was told.
#[derive(Clone, Copy)]
struct Found {
    mac: Mac,
    seen: Instant,
    told: Instant,
}

struct State {
    askers: Counted,
    last: Option<Found>,
}

/// What is known of stations that ask.
#[pin_data]
pub(crate) struct Askers {
    #[pin]
    state: BhLock<State>,
}

impl Askers {
    /// No station has asked.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- BhLock::new(State {
                askers: Counted::new(),
                last: None,
            }),
        })
    }

    /// The station that was last found to keep asking, unless that was long ago. Context: any but hard interrupts.
    pub(crate) fn last(&self) -> Option<Mac> {
        let last = self.state.lock().last?;
        let age = Instant(now_ns()).since(last.seen);
        (age < CONFLICT_SHOWN_NS).then_some(last.mac)
    }

    /// A station got an answer; whether it is to be told of.
    fn note(&self, mac: Mac) -> bool {
        let now = Instant(now_ns());
        let mut state = self.state.lock();
        if !state.askers.asked(now, mac) {
            return false;
        }
        let before = state.last.filter(|last| last.mac == mac);
        let tell = before.is_none_or(|last| now.since(last.told) >= ASKER_AGAIN_NS);
        let told = match before {
            Some(last) if !tell => last.told,
            _ => now,
        };
        state.last = Some(Found {
            mac,
            seen: now,
            told,
        });
        tell
    }
}

/// A station was told which MAC a VIP has. Context: softirq, RCU.
#[cold]
#[inline(never)]
pub(crate) fn answered(cluster: &Cluster, station: Option<Mac>) {
    if let Some(mac) = station {
        // A host of this cluster whose heartbeats do not arrive asks as well, and is named for that.
        if !cluster.beside().may_ask() && cluster.askers().note(mac) {
            notify::asker(cluster, &mac);
        }
    }
}
