// SPDX-License-Identifier: GPL-2.0-only

//! When the VIPs are announced again.
//!
//! What has to be known is announced at once, but one announcement can get lost, and a router that missed it keeps what
//! it had learned before for hours. So it is repeated within seconds, and refreshed for ten minutes: by then the caches of
//! most stations have asked anew. A VIP that another station claims is the business of `defence.rs` alone: two clusters
//! that repeat themselves would contradict each other each time.

use super::limits::{ANNOUNCE_AGAIN_NS, ANNOUNCE_FOR_NS, ANNOUNCE_REFRESH_NS, ANNOUNCE_SOON};
use super::time::Instant;

/// A series of announcements.
#[derive(Clone, Copy, Debug)]
pub struct Announcer {
    /// When the first one was sent.
    began: Instant,
    /// How many there were.
    sent: u32,
    /// When the next one is due.
    due: Instant,
}

impl Announcer {
    /// Nothing has been announced.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            began: Instant(0),
            sent: 0,
            due: Instant::NEVER,
        }
    }

    /// The VIPs have been announced, for something is new. A series begins.
    pub fn begin(&mut self, now: Instant) {
        self.began = now;
        self.sent = 1;
        self.due = self.next(now);
    }

    /// The series ends here.
    pub fn end(&mut self) {
        self.due = Instant::NEVER;
    }

    /// When the next announcement is due; [`Instant::NEVER`] if none is.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Whether the VIPs are to be announced now.
    pub fn expired(&mut self, now: Instant) -> bool {
        if now < self.due {
            return false;
        }
        self.sent = self.sent.saturating_add(1);
        self.due = self.next(now);
        true
    }

    /// When the one after that of now comes.
    fn next(&self, now: Instant) -> Instant {
        let gap = match self.sent.checked_sub(1) {
            Some(doubled) if self.sent < ANNOUNCE_SOON => {
                ANNOUNCE_AGAIN_NS.checked_shl(doubled).unwrap_or(u64::MAX)
            }
            _ => ANNOUNCE_REFRESH_NS,
        };
        let next = now.after(gap);
        if next.since(self.began) <= ANNOUNCE_FOR_NS {
            next
        } else {
            Instant::NEVER
        }
    }
}

impl Default for Announcer {
    fn default() -> Self {
        Self::new()
    }
}
