// SPDX-License-Identifier: GPL-2.0-only

//! Walks over the tables of sessions: what of the residue of this host they leave, and the drain that waits until they
//! find nothing. Who walks is the caller; it says when it begins, and what it has found.

use super::super::event::Event;
use super::super::store::Storage;
use super::super::time::Instant;
use super::own::Bits;
use super::{Node, Tally};

impl<S: Storage> Node<S> {
    /// Sessions of all buckets that the last walk found; `None` before the first.
    #[must_use]
    pub fn sessions(&self) -> Option<u64> {
        self.residual.sessions
    }

    /// Whether a walk over the tables of sessions is wanted: there is residue that may be gone.
    #[must_use]
    pub fn wants_walk(&self) -> bool {
        self.takes_part() && (self.residual.own.count != 0 || self.drain_deadline.is_some())
    }

    /// A walk is about to begin: what becomes residue from now on is not cleared by it.
    ///
    /// Between this call and the first look into a table the caller waits until every packet has left the packet path
    /// that was judged before, for it may still become a session.
    pub fn begin_walk(&mut self) {
        for slot in 0..self.slots_room() {
            for word in 0..self.words_per_slot() {
                if let Some(fresh) = self.word_mut(Bits::Fresh, slot, word) {
                    *fresh = 0;
                }
            }
        }
    }

    /// The walk has ended. `found` tells, as [`Node::owned_word`] does, in which buckets there were sessions.
    pub fn end_walk(&mut self, now: Instant, found: impl Fn(u16, u16) -> u64, tally: Tally) {
        self.notice_pause(now);
        if !self.takes_part() {
            return;
        }
        let mut seen_all = !tally.more_may_come;
        for slot in 0..self.slots() {
            for word in 0..self.words_per_slot() {
                let found = found(slot as u16, word as u16) & self.full_word(word);
                let residue = self.word(Bits::Residue, slot, word);
                let fresh = self.word(Bits::Fresh, slot, word);
                seen_all &= fresh == 0;
                let kept = found | fresh;
                // A session of a bucket that this host does not own and has not let go of was not made by a
                // packet that it was given as the owner: this host opened it itself. It is one all the same.
                let opened = found & !self.word(Bits::Owned, slot, word);
                self.set_residue(slot, word, (residue & kept) | opened, true);
            }
        }
        self.residual.sessions = Some(tally.sessions);
        self.finish_drain(seen_all && tally.sessions == 0);
        self.settle();
    }

    /// A host that is to stop after its last session does so when it owns nothing, and has no residue or none in which a
    /// session lives.
    pub(super) fn finish_drain(&mut self, none_lives: bool) {
        let empty = none_lives || self.residue_count() == 0;
        if self.drain_deadline.is_none() || self.leaving.is_some() || !empty {
            return;
        }
        let words = 0..self.words_per_slot();
        let owns = (0..self.slots()).any(|slot| {
            words
                .clone()
                .any(|word| self.word(Bits::Owned, slot, word) != 0)
        });
        if !owns {
            self.event(Event::Drained { left: 0 });
            self.leave(false);
        }
    }
}
