// SPDX-License-Identifier: GPL-2.0-only

//! A host that hears no other of its cluster, and sees another station speak for the VIPs with the virtual MAC, does not
//! serve beside it.
//!
//! That station is a host whose heartbeats do not arrive, by no path. Both would answer every client. What it says of the
//! VIPs, by ARP or ND, arrives all the same: who has not served yet gives way to it, and of two that serve alone, the one with
//! the higher MAC does. A station with a higher MAC that speaks on all the same does not serve alone: hosts that hear each other
//! are behind it, and they stay. A host that stands aside goes on asking for a VIP, and serves when nobody answers any more.
//!
//! ARP and ND prove nothing. A station without the key can make a host step aside, so that has a bound: see
//! [`ASIDE_MAX_NS`]. After that the host serves until it has heard nobody for as long.

use super::limits::{
    ASIDE_ASK_NS, ASIDE_MAX_NS, ASIDE_PAUSE_NS, ASIDE_REST_NS, ASIDE_TRIES, CONFLICT_SHOWN_NS,
};
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
    /// When another station was last heard, if ever.
    last: Option<Instant>,
    /// When the one was first heard that speaks on since then, and last.
    heard: Option<(Instant, Instant)>,
    /// The same of one that this host gives way to.
    before: Option<(Instant, Instant)>,
    /// Questions since somebody was heard.
    asked: u32,
    /// For how many nanoseconds it has stood aside before.
    spent_ns: u64,
    due: Instant,
}

impl Aside {
    /// Nobody was heard.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            place: Place::Among,
            stand: Stand::Serves,
            last: None,
            heard: None,
            before: None,
            asked: 0,
            spent_ns: 0,
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
        let goes_on = self
            .heard
            .filter(|(_, last)| now.since(*last) < ASIDE_PAUSE_NS);
        let first = goes_on.map_or(now, |(first, _)| first);
        self.heard = Some((first, now));
        self.last = Some(now);
        self.asked = 0;
        let is_aside = matches!(self.stand, Stand::Aside(_));
        if self.place == Place::Joining || is_aside || from < own {
            let first = self.before.map_or(now, |(first, _)| first);
            self.before = Some((first, now));
        }
        // Whether to give way is to be known soon, and whether somebody is still there in time.
        let is_open = self.stand == Stand::Serves && self.before.is_some();
        let pause = if is_open { ASIDE_ASK_NS } else { ASIDE_REST_NS };
        self.due = match self.stand {
            Stand::Spent => Instant::NEVER,
            Stand::Serves => self.due.min(now.after(pause)),
            Stand::Aside(_) => now.after(pause),
        };
        now.since(first) >= silence_ns
    }

    /// Whether somebody was heard lately.
    #[must_use]
    pub fn has_heard(&self, now: Instant) -> bool {
        self.last
            .is_some_and(|last| now.since(last) < CONFLICT_SHOWN_NS)
    }

    /// Looks at the time and at how the host stands.
    pub fn look(&mut self, now: Instant, place: Place, silence_ns: u64) -> Step {
        let is_quiet = self
            .last
            .is_some_and(|last| now.since(last) >= ASIDE_MAX_NS);
        if place == Place::Among || is_quiet {
            *self = Self {
                place: self.place,
                ..Self::new()
            };
        }
        let begins = place == Place::Joining && self.place != place;
        // Who has not served yet waits for no second word.
        let served = self.place != Place::Joining;
        self.place = place;
        if place == Place::Alone {
            self.stand(now, served, silence_ns);
        }
        let asks = match (place, self.stand) {
            (Place::Among, _) | (_, Stand::Spent) => false,
            (Place::Joining, _) | (_, Stand::Aside(_)) => true,
            (Place::Alone, Stand::Serves) => self.heard.is_some(),
        };
        let ask = asks && (begins || now >= self.due);
        if ask {
            self.asked = self.asked.saturating_add(1);
            // Nobody is asked often for long: whoever answers would take this host for a station that keeps asking.
            let pause = if self.asked > ASIDE_TRIES {
                ASIDE_REST_NS
            } else {
                ASIDE_ASK_NS
            };
            self.due = now.after(pause);
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
        let is_gone =
            self.asked > ASIDE_TRIES && self.last.is_none_or(|last| now.since(last) >= silence_ns);
        if is_gone {
            self.heard = None;
        }
        match self.stand {
            Stand::Aside(since) => {
                let spent_ns = self.spent_ns.saturating_add(now.since(since));
                if spent_ns >= ASIDE_MAX_NS {
                    self.stand = Stand::Spent;
                } else if is_gone {
                    self.spent_ns = spent_ns;
                    self.stand = Stand::Serves;
                    self.before = None;
                }
            }
            Stand::Serves if is_gone => self.before = None,
            Stand::Serves => {
                let spoke_for = |it: Option<(Instant, Instant)>| {
                    it.map_or(0, |(first, last)| last.since(first))
                };
                let insists_ns = silence_ns.saturating_mul(4).saturating_add(ASIDE_REST_NS);
                let gives_way =
                    self.before.is_some() && (!served || spoke_for(self.before) >= silence_ns);
                if gives_way || spoke_for(self.heard) >= insists_ns {
                    self.stand = Stand::Aside(now);
                    self.asked = 0;
                    self.due = now;
                }
            }
            Stand::Spent => {}
        }
    }
}

impl Default for Aside {
    fn default() -> Self {
        Self::new()
    }
}
