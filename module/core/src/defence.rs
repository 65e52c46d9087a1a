// SPDX-License-Identifier: GPL-2.0-only

//! When a VIP is defended against a station that claims it for another MAC.
//!
//! A claim is answered by an announcement at once, and by another more than a second later: many stations, Linux among
//! them, keep what they have just learned for a second against whatever else they hear (`locktime`), so the first one
//! may not be believed. RFC 5227 section 2.4 (c) lets an address be defended for ever, but no more than once in ten
//! seconds, lest two stations that both do so talk without end. An address that thousands of clients use is worth more
//! eagerness: the first claims are answered by that pair, and only a station that goes on meets the slow pace.

use super::limits::{DEFEND_AGAIN_NS, DEFEND_EAGER, DEFEND_GAP_MAX_NS, DEFEND_QUIET_NS};
use super::time::Instant;

/// The VIPs of a cluster that are claimed, and when they are announced next.
#[derive(Clone, Copy, Debug)]
pub struct Defence {
    /// VIPs to be announced, a bit for each place in the list.
    vips: u64,
    /// When the last claim came.
    claimed: Instant,
    /// When the last announcement was sent, if one was.
    sent: Option<Instant>,
    /// When the next one is due.
    due: Instant,
    /// Announcements since there was peace.
    count: u32,
}

impl Defence {
    /// Nobody has claimed anything.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            vips: 0,
            claimed: Instant(0),
            sent: None,
            due: Instant::NEVER,
            count: 0,
        }
    }

    /// A station claims the VIP at this place of the list. The VIPs that are to be announced now are returned, a bit for
    /// each; another announcement may have become due, see [`Defence::due`].
    pub fn claimed(&mut self, now: Instant, vip: usize) -> u64 {
        if now.since(self.claimed) >= DEFEND_QUIET_NS {
            self.count = 0;
        }
        self.claimed = now;
        self.vips |= 1u64.checked_shl(vip as u32).unwrap_or(0);
        let soonest = self.soonest(now);
        let again = now.after(DEFEND_AGAIN_NS);
        if soonest > now {
            // What is due already is not put off: a station that never stops talking would never be contradicted.
            self.due = self.due.min(soonest.max(again));
            return 0;
        }
        self.sent(now);
        self.due = self.soonest(now).max(again);
        self.vips
    }

    /// When something is due; [`Instant::NEVER`] if nothing is.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.due
    }

    /// The VIPs to be announced now, a bit for each, if any are due.
    pub fn expired(&mut self, now: Instant) -> u64 {
        if now < self.due {
            return 0;
        }
        let vips = self.vips;
        self.sent(now);
        let again = self.claimed.after(DEFEND_AGAIN_NS);
        if again > now {
            // The last claim is so young that stations may still hold on to it.
            self.due = self.soonest(now).max(again);
        } else {
            self.due = Instant::NEVER;
            self.vips = 0;
        }
        vips
    }

    fn sent(&mut self, now: Instant) {
        self.sent = Some(now);
        self.count = self.count.saturating_add(1);
    }

    /// When the next announcement may be sent.
    fn soonest(&self, now: Instant) -> Instant {
        let gap = if self.count < DEFEND_EAGER {
            DEFEND_AGAIN_NS
        } else {
            DEFEND_GAP_MAX_NS
        };
        self.sent.map_or(now, |sent| sent.after(gap))
    }
}

impl Default for Defence {
    fn default() -> Self {
        Self::new()
    }
}
