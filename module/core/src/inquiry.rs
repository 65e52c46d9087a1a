// SPDX-License-Identifier: GPL-2.0-only

//! When a host asks the segment for the VIPs, and what follows from the answers.
//!
//! A station that has a VIP in its own configuration answers questions for it, unicast, so that no other host hears it; and a
//! switch that takes the cluster's answers for spoofing drops them. Both show only to a host that asks. So two members ask
//! for each VIP, in their own names, at random times: the default host, which answers everybody else, and the one after
//! it, which has to hear that answer. An answer with another MAC is a conflict, and reported as one (`defence.rs`); this
//! file is about answers that do not come.

use super::host::HostId;
use super::limits::{INQUIRE_ANSWER_NS, INQUIRE_FIRST_NS, INQUIRE_GAP_NS, INQUIRE_TRIES};
use super::time::Instant;

/// What a host has to do with questions for the VIPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It asks nothing.
    None,
    /// It asks, and nobody answers but strangers: it is the one that answers.
    Answering,
    /// It asks, and this member has to answer.
    Asking(HostId),
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Step {
    /// The VIPs to be asked for, a bit for each place in the list.
    pub ask: u64,
    /// Those that questions are not answered for, as far as is known.
    pub unanswered: u64,
}

/// The questions of a host.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry {
    role: Role,
    /// The VIPs that were asked for and have not been answered for.
    open: u64,
    /// How often they were asked for in a row.
    tries: u32,
    unanswered: u64,
    /// When to ask, or to count the answers.
    due: Instant,
}

impl Inquiry {
    /// A host that has asked nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            role: Role::None,
            open: 0,
            tries: 0,
            unanswered: 0,
            due: Instant::NEVER,
        }
    }

    /// When something is to be done; [`Instant::NEVER`] if nothing is.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Looks at the time. `vips` are all VIPs that can be asked for, a bit for each; `heard` those that a member has spoken
    /// for since the last look. `dead_ns` is the silence after which a host counts as dead: one that has died answers
    /// nothing, and another takes its place before that is held against it.
    pub fn look(
        &mut self,
        now: Instant,
        role: Role,
        dead_ns: u64,
        vips: u64,
        heard: u64,
        random: u64,
    ) -> Step {
        if role != self.role {
            *self = Self {
                role,
                due: match role {
                    Role::None => Instant::NEVER,
                    // Those that were asked before have answered by then, and announcements have been heard.
                    _ => now.after(INQUIRE_FIRST_NS),
                },
                ..Self::new()
            };
        }
        self.open &= !heard;
        self.unanswered &= vips & !heard;
        let ask = if now < self.due {
            0
        } else {
            self.expired(now, dead_ns, vips, random)
        };
        Step {
            ask,
            unanswered: self.unanswered,
        }
    }

    /// Asks for all VIPs, or again for those that were not answered for; the VIPs to ask for.
    fn expired(&mut self, now: Instant, dead_ns: u64, vips: u64, random: u64) -> u64 {
        let again = self.open & vips;
        if self.tries > 0 && (again == 0 || self.tries >= INQUIRE_TRIES) {
            self.unanswered = again;
            self.open = 0;
            self.tries = 0;
            self.due = now.after(INQUIRE_GAP_NS.saturating_add(random % INQUIRE_GAP_NS));
            return 0;
        }
        if self.role == Role::Answering {
            self.due = now.after(INQUIRE_GAP_NS.saturating_add(random % INQUIRE_GAP_NS));
            return vips;
        }
        let ask = if self.tries == 0 { vips } else { again };
        self.open = ask;
        self.tries = self.tries.saturating_add(1);
        self.due = now.after(INQUIRE_ANSWER_NS.max(dead_ns / 2));
        ask
    }
}

impl Default for Inquiry {
    fn default() -> Self {
        Self::new()
    }
}
