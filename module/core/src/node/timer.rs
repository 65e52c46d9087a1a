// SPDX-License-Identifier: GPL-2.0-only

//! Time: when the next thing is due, and what to make of it when it comes late.

use super::super::event::Event;
use super::super::store::Storage;
use super::super::time::Instant;
use super::{Node, Urgency};

/// An early heartbeat that somebody waits for keeps this part of a period from the one before it.
const SOON_PART: u64 = 8;

impl<S: Storage> Node<S> {
    /// The deadline that [`Node::poll_timeout`] told has passed; a call that comes early does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.farewells > 0 && !self.takes_part() {
            self.now = self.now.max(now);
            self.beat |= self.now >= self.next_beat;
            return;
        }
        if !self.takes_part() {
            return;
        }
        self.notice_pause(now);
        self.touched.0 = self.ids;
        self.catch_up();
        self.settle();
    }

    /// Does what is due, and says whether anything was. Any input does it, not the timer alone: on a machine that is
    /// flooded the timer may be late, and then the flood carries the heartbeats.
    pub(super) fn catch_up(&mut self) -> bool {
        let soon = self.urgency == Urgency::Soon && self.now >= self.soon_at();
        let beat = soon || self.now >= self.next_beat;
        self.beat |= beat;
        let ends = |deadline: Instant| self.now >= deadline;
        let drained = self.drain_deadline.is_some_and(ends);
        if drained {
            let left = self.sessions().unwrap_or(0);
            self.event(Event::Drained { left });
            self.leave(false);
        }
        beat || drained
    }

    /// When [`Node::handle_timeout`] wants to be called next; [`Instant::NEVER`]: not before another input.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        let beat = self.next_beat_due();
        if !self.takes_part() {
            return if self.farewells > 0 {
                beat
            } else {
                Instant::NEVER
            };
        }
        let mut next = beat.min(self.residual.ask_at).min(self.expires_at.0);
        if !self.listened {
            next = next.min(self.started.after(self.silence_ns()));
        }
        if let Some(lead) = &self.lead {
            next = next.min(lead.resend_at);
        }
        if let Some(prepared) = &self.prepared {
            next = next.min(prepared.ask_at);
        }
        if let Some(leaving) = &self.leaving {
            next = next.min(leaving.deadline);
        }
        if let Some(deadline) = self.drain_deadline {
            next = next.min(deadline);
        }
        next
    }

    /// When the next heartbeat is due; never, while one waits to be taken by [`Node::poll_transmit`]: it is that call
    /// that the next one waits for, and a timer would fire again and again until then.
    fn next_beat_due(&self) -> Instant {
        if self.beat {
            Instant::NEVER
        } else if self.urgency == Urgency::Soon && self.takes_part() {
            self.soon_at().min(self.next_beat)
        } else {
            self.next_beat
        }
    }

    /// Takes the time of an input. If this host was paused for so long that the others may have declared it dead, it
    /// serves nothing until it knows better, and holds nobody's silence against them.
    ///
    /// If its own clock was late by less than that, what was sent to it in the meantime may not have been looked at yet,
    /// so that time does not count as anybody's silence either.
    pub(super) fn notice_pause(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if !self.takes_part() {
            return;
        }
        self.note_timing();
        if !pause_matters(self.now.since(self.last_beat), self.pause_ns()) {
            // A heartbeat that waits to be sent was late once, and that has been counted.
            let late = self.now.since(self.next_beat);
            if !self.beat && lateness_matters(late, self.beat_ns()) {
                self.excuse_silence(late);
            }
            return;
        }
        let now = self.now;
        for peer in self
            .storage
            .parts()
            .peers
            .iter_mut()
            .filter(|peer| peer.live)
        {
            peer.heard = now;
            peer.heard_me = now;
        }
        self.touched.0 = self.ids;
        self.clear_owned();
        self.deficit = !self.view.id.is_none();
        self.prepared = None;
        self.lead = None;
        self.resumed = Some(now);
        self.started = now;
        self.listened = false;
        self.note_segment();
        self.last_beat = now;
        self.next_beat = now;
        self.beat = true;
    }

    /// Takes off so much of everybody's silence.
    #[cold]
    pub(super) fn excuse_silence(&mut self, late: u64) {
        let now = self.now;
        let later = |at: Instant| at.after(late).min(now);
        self.segment_seen = self.segment_seen.map(later);
        self.segment_asked = self.segment_asked.map(later);
        let peers = self.storage.parts().peers.iter_mut();
        for peer in peers.filter(|peer| peer.live) {
            peer.heard = later(peer.heard);
            peer.heard_me = later(peer.heard_me);
            peer.seen = peer.seen.map(later);
            peer.asked = peer.asked.map(later);
            peer.path_heard = peer.path_heard.map(|at| at.map(later));
        }
    }

    /// When an early heartbeat may go out.
    fn soon_at(&self) -> Instant {
        let part = self.beat_ns().checked_div(SOON_PART).unwrap_or(0);
        self.last_beat.after(part).min(self.next_beat)
    }

    /// Wants the next heartbeat earlier than at the end of the period.
    pub(super) fn hurry(&mut self, urgency: Urgency) {
        match urgency {
            Urgency::Idle => {}
            Urgency::Soon => {
                if self.urgency == Urgency::Idle {
                    self.urgency = Urgency::Soon;
                }
            }
            Urgency::Now => self.beat = true,
        }
    }

    /// A heartbeat was sent: when is the next?
    pub(super) fn beat_sent(&mut self) {
        let period = self.beat_ns();
        self.beat = false;
        self.urgency = Urgency::Idle;
        self.last_beat = self.now;
        // The rhythm is kept, so that early heartbeats do not shift it; a rhythm that was missed starts anew.
        if self.now >= self.next_beat {
            let next = self.next_beat.after(period);
            self.next_beat = if next > self.now {
                next
            } else {
                self.now.after(period)
            };
        }
    }
}

/// Whether a timer was so late that it makes a difference whose silence that was: timers that are on time are late by
/// microseconds, and a machine that is busy has them late by milliseconds.
fn lateness_matters(late_ns: u64, period_ns: u64) -> bool {
    late_ns >= period_ns.wrapping_shr(2)
}

/// Whether nothing was sent for so long that others may have declared this host dead.
fn pause_matters(silent_ns: u64, silence_ns: u64) -> bool {
    silent_ns >= silence_ns
}
