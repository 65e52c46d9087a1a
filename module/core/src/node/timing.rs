// SPDX-License-Identifier: GPL-2.0-only

//! The rhythm of the heartbeats, also while it changes.
//!
//! Timing is staged and comes into force as the rules do. Not all hosts commit at the same moment, and a host that has the
//! shorter silence already must not take one for dead that still has the longer period. So a host lives by both, from when it
//! has staged another timing until everybody has it: it sends by the shorter period and is patient by the longer
//! silence. A host commits only when all members have staged the same, and whoever it hears after the window has heard of
//! the commit or is heard to lag and is told again; nobody else is a member.

use super::super::config::{Config, Timing};
use super::super::store::Storage;
use super::super::time::Instant;
use super::Node;

/// The timing that was in force before, and how long some host may still live by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Former {
    timing: Timing,
    until: Instant,
}

/// What follows from all timings that a host of the cluster may live by now, in nanoseconds. It is asked for with each peer, so
/// it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Times {
    /// The longest period.
    period: u64,
    /// The longest silence.
    silence: u64,
    /// The shortest period.
    beat: u64,
    /// The shortest silence.
    pause: u64,
}

impl Times {
    /// Those of one timing.
    pub(super) const fn of(timing: Timing) -> Times {
        let (period, silence) = (timing.period_ns, timing.silence_ns());
        Times {
            period,
            silence,
            beat: period,
            pause: silence,
        }
    }

    /// Those of one timing more.
    fn and(self, timing: Timing) -> Times {
        let (period, silence) = (timing.period_ns, timing.silence_ns());
        Times {
            period: self.period.max(period),
            silence: self.silence.max(silence),
            beat: self.beat.min(period),
            pause: self.pause.min(silence),
        }
    }
}

impl<S: Storage> Node<S> {
    /// The longest period that a host may have now, in nanoseconds: what others are waited for.
    #[must_use]
    pub fn period_ns(&self) -> u64 {
        self.times.period
    }

    /// Silence after which a host counts as dead, in nanoseconds: the longest that a host may have now.
    #[must_use]
    pub fn silence_ns(&self) -> u64 {
        self.times.silence
    }

    /// The time between two heartbeats of this host, in nanoseconds: the shortest that a host may count on now.
    #[must_use]
    pub fn beat_ns(&self) -> u64 {
        self.times.beat
    }

    /// How long this host may send nothing, in nanoseconds, before others may take it for dead.
    pub(super) fn pause_ns(&self) -> u64 {
        self.times.pause
    }

    /// Works out [`Times`], when another timing is staged or in force.
    fn timing_is_other(&mut self) {
        let staged = self.staged.as_ref().and_then(|rules| rules.terms);
        let former = self.former.map(|former| former.timing);
        let more = staged.map(|terms| terms.timing).into_iter().chain(former);
        let first = Times::of(self.config.terms.timing);
        self.times = more.fold(first, Times::and);
    }

    /// Another timing may apply from now on: the next heartbeat is not later than that.
    pub(super) fn timing_staged(&mut self) {
        let before = self.times;
        self.timing_is_other();
        if self.times == before {
            return;
        }
        let soonest = self.now.after(self.beat_ns());
        self.next_beat = self.next_beat.min(soonest);
        // Nobody has judged by a shorter silence yet: the last heartbeat may be older than that.
        self.last_beat = self.now;
        if self.times.silence < before.silence {
            self.lose_patience();
        }
    }

    /// The former timing is over, when nobody lives by it any more.
    pub(super) fn note_timing(&mut self) {
        if self.former.is_some_and(|former| self.now >= former.until) {
            self.former = None;
            self.timing_staged();
        }
    }

    /// A host counts as dead sooner than it did until now. The silence until now was no sign of it, and what is known of
    /// when a sequence was sent is too coarse for the shorter silence.
    fn lose_patience(&mut self) {
        self.excuse_silence(u64::MAX);
        self.touched.0 = self.ids;
        self.mark_next();
    }

    /// Another timing is in force in place of this one.
    pub(super) fn timing_changed(&mut self, before: Timing) {
        if before == self.config.terms.timing {
            return;
        }
        self.former = Some(Former {
            timing: before,
            until: self.now.after(window_ns(&self.config, before)),
        });
        self.timing_staged();
    }
}

/// For how long a host may still live by the timing that was in force before: it hears of the change within the longer
/// silence, or counts as dead; twice that, for the one that tells it may hear of it as late.
fn window_ns(config: &Config, before: Timing) -> u64 {
    let longer = config.silence_ns().max(before.silence_ns());
    longer.saturating_mul(2)
}
