// SPDX-License-Identifier: GPL-2.0-only

//! A host that hears no other of its cluster, and sees another station speak for the VIPs with the virtual MAC, does not
//! serve beside it.
//!
//! That station is a host whose heartbeats do not arrive, by no path. Both would answer every client. What it says of the
//! VIPs, by ARP or ND, arrives all the same: who has not served yet gives way to it, and of two that serve, the one with the
//! higher MAC does. It goes on asking for a VIP, and serves when nobody answers any more.
//!
//! ARP and ND prove nothing. A station without the key can make a host step aside, so that has a bound: see
//! [`ASIDE_MAX_NS`]. After that the host serves until it has heard nobody for as long.

use super::limits::{ASIDE_ASK_NS, ASIDE_MAX_NS, ASIDE_REST_NS, ASIDE_TRIES, CONFLICT_SHOWN_NS};
use super::mac::Mac;
use super::time::Instant;

/// How a host stands to the others of its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It takes no part, or hears heartbeats of others: who serves is agreed with them.
    Among,
    /// It begins, and hears nobody yet.
    Joining,
    /// It hears nobody, and would serve alone.
    Alone,
}

/// Whether a host steps aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// It serves, or will.
    Serves,
    /// It stands aside since then.
    Aside(Instant),
    /// It has stood aside for too long, and serves whoever speaks.
    Spent,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Step {
    /// Do not serve.
    pub aside: bool,
    /// Ask for a VIP, in this host's own name.
    pub ask: bool,
}

/// What a host knows of another station that speaks for its VIPs.
#[derive(Clone, Copy, Debug)]
pub struct Aside {
    place: Place,
    stand: Stand,
    /// When another station was first heard, and last.
    heard: Option<(Instant, Instant)>,
    /// The same of one that this host gives way to.
    before: Option<(Instant, Instant)>,
    /// Questions since then.
    asked: u32,
    due: Instant,
}

impl Aside {
    /// Nobody was heard.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            place: Place::Among,
            stand: Stand::Serves,
            heard: None,
            before: None,
            asked: 0,
            due: Instant::NEVER,
        }
    }

    /// When something is to be done; [`Instant::NEVER`] if nothing is.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.due
    }

    /// The station `from` speaks for a VIP with the virtual MAC; `own` is this host's MAC. Whether somebody has done so for
    /// `silence_ns`, the silence after which a host counts as dead, so that it is to be told.
    pub fn heard(&mut self, now: Instant, from: Mac, own: Mac, silence_ns: u64) -> bool {
        if self.place == Place::Among {
            return false;
        }
        let first = self.heard.map_or(now, |(first, _)| first);
        self.heard = Some((first, now));
        let gives_way = self.place == Place::Joining || self.stand != Stand::Serves || from < own;
        if gives_way {
            let first = self.before.map_or(now, |(first, _)| first);
            self.before = Some((first, now));
            self.asked = 0;
            self.due = match self.stand {
                Stand::Serves => self.due.min(now.after(ASIDE_ASK_NS)),
                Stand::Aside(_) => now.after(ASIDE_REST_NS),
                Stand::Spent => Instant::NEVER,
            };
        }
        now.since(first) >= silence_ns
    }

    /// Whether somebody was heard lately.
    #[must_use]
    pub fn has_heard(&self, now: Instant) -> bool {
        self.heard
            .is_some_and(|(_, last)| now.since(last) < CONFLICT_SHOWN_NS)
    }

    /// Looks at the time and at how the host stands.
    pub fn look(&mut self, now: Instant, place: Place, silence_ns: u64) -> Step {
        let last = self.heard.map(|(_, last)| last);
        let forget_ns = match self.stand {
            Stand::Spent => ASIDE_MAX_NS,
            _ => CONFLICT_SHOWN_NS,
        };
        let is_quiet = last.is_some_and(|last| now.since(last) >= forget_ns);
        if place == Place::Among || is_quiet {
            *self = Self::new();
        }
        let begins = place == Place::Joining && self.place != place;
        let is_due = now >= self.due || begins;
        // Who has not served yet waits for no second word.
        let served = self.place != Place::Joining;
        self.place = place;
        if place == Place::Alone {
            self.stand(now, served, silence_ns);
        }
        let asks = match (place, self.stand) {
            (Place::Among, _) | (_, Stand::Spent) => false,
            (Place::Joining, _) | (_, Stand::Aside(_)) => true,
            (Place::Alone, Stand::Serves) => self.before.is_some(),
        };
        let ask = asks && is_due;
        if ask {
            self.asked = self.asked.saturating_add(1);
            self.due = now.after(ASIDE_ASK_NS);
        } else if !asks {
            self.due = Instant::NEVER;
        }
        Step {
            aside: matches!(self.stand, Stand::Aside(_)),
            ask,
        }
    }

    /// Steps aside, or comes back. This host would serve alone.
    fn stand(&mut self, now: Instant, served: bool, silence_ns: u64) {
        let Some((first, last)) = self.before else {
            return;
        };
        let in_vain = self.asked > ASIDE_TRIES && now.since(last) >= silence_ns;
        match self.stand {
            Stand::Serves if !served || last.since(first) >= silence_ns => {
                self.stand = Stand::Aside(now);
                self.due = self.due.min(now);
            }
            Stand::Aside(since) if now.since(since) >= ASIDE_MAX_NS => self.stand = Stand::Spent,
            Stand::Serves | Stand::Aside(_) if in_vain => {
                *self = Self {
                    place: self.place,
                    heard: self.heard,
                    ..Self::new()
                }
            }
            _ => {}
        }
    }
}

impl Default for Aside {
    fn default() -> Self {
        Self::new()
    }
}
