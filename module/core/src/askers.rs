// SPDX-License-Identifier: GPL-2.0-only

//! Stations that ask for a VIP again and again, though they get an answer each time.
//!
//! Routers of some makers refuse a group's MAC for an address (RFC 1812 section 3.3.2 tells them to), and a filter between may
//! drop the answers. Then the station asks again for each packet that it has, and its clients reach no host. A station
//! that takes the answers asks once in a while: Linux after 15 to 45 s, others after minutes.

use super::limits::{ASKERS, ASKS_MANY, ASKS_SPAN_NS};
use super::mac::Mac;
use super::time::Instant;

/// A station, since when its questions are counted, and how many there were.
#[derive(Clone, Copy, Debug)]
struct Asker {
    mac: Mac,
    since: Instant,
    count: u32,
}

/// The stations that asked last, as many as fit.
#[derive(Clone, Copy, Debug)]
pub struct Askers {
    list: [Asker; ASKERS],
}

impl Askers {
    /// No station has asked.
    #[must_use]
    pub const fn new() -> Askers {
        Askers {
            list: [Asker {
                mac: [0; 6],
                since: Instant(0),
                count: 0,
            }; ASKERS],
        }
    }

    /// A station got an answer; whether it keeps asking. That is told once in [`ASKS_SPAN_NS`] as long as it does.
    pub fn asked(&mut self, now: Instant, mac: Mac) -> bool {
        let known = self.list.iter().any(|it| it.count > 0 && it.mac == mac);
        // Without room the one that is counted longest makes some: a flood of made-up stations hides those that are real.
        let oldest = self.list.iter().map(|it| it.since).min();
        let place = self.list.iter_mut().find(|it| {
            if known {
                it.count > 0 && it.mac == mac
            } else {
                Some(it.since) == oldest
            }
        });
        let Some(it) = place else {
            return false;
        };
        if !known || now.since(it.since) >= ASKS_SPAN_NS {
            *it = Asker {
                mac,
                since: now,
                count: 0,
            };
        }
        it.count = it.count.saturating_add(1);
        it.count == ASKS_MANY
    }
}

impl Default for Askers {
    fn default() -> Askers {
        Askers::new()
    }
}
