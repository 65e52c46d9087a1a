// SPDX-License-Identifier: GPL-2.0-only

//! A host that was set back to an earlier state, as a virtual machine is to a snapshot with its memory, or copied.
//!
//! It goes on where it was: with buckets that others own by now, and with sequences that the others have heard before and
//! therefore ignore. The machine may report it. Otherwise a peer's heartbeat proves it, by the echo of a sequence that this
//! incarnation has not sent yet: only this host can have sent it, in the time that was undone.
//!
//! It lets go of everything at once and begins anew, for its incarnation is used up.

use super::super::event::Event;
use super::super::heartbeat::Heartbeat;
use super::super::store::Storage;
use super::Node;

impl<S: Storage> Node<S> {
    /// The low half of a sequence of this incarnation that a heartbeat echoes, and that was not sent yet.
    pub(super) fn unsent_echo(&self, heartbeat: &Heartbeat<'_>) -> Option<u32> {
        let low = heartbeat.echo_of(self.config.host, self.incarnation)?;
        let ahead = low.wrapping_sub(self.seq as u32);
        // What is behind by less than half of all is an old one.
        (ahead != 0 && ahead < 1 << 31).then_some(low)
    }

    /// Stops without a word. The caller starts the host again.
    pub(super) fn set_back(&mut self, seq: u32) {
        if !self.takes_part() {
            return;
        }
        let draining = self.draining;
        self.halt();
        // The random numbers of the machine may have been set back as well. How far the others have come is news.
        self.salt = (u64::from(seq) << 32) ^ self.now.0;
        self.event(Event::SetBack { draining });
    }

    /// The incarnation that a random number makes.
    pub(super) fn new_incarnation(&self, random: u64) -> u64 {
        match random ^ self.salt {
            0 => random,
            incarnation => incarnation,
        }
    }
}
