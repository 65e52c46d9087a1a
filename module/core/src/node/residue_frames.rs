// SPDX-License-Identifier: GPL-2.0-only

//! The frames in which hosts tell each other their residue, and ask for it.

use super::super::host::{HostId, HostSet};
use super::super::limits::TAG_LEN;
use super::super::received::Received;
use super::super::residue::{write_request, write_slot, Residue, Slot, HEAD_LEN, SLOT_MAX};
use super::super::store::Storage;
use super::super::wire::{Header, Writer, HEADER_LEN};
use super::own::Bits;
use super::Node;

impl<S: Storage> Node<S> {
    /// A host tells its residue.
    #[inline(never)]
    pub(super) fn on_residue(&mut self, header: &Header, residue: &Residue<'_>) -> Received {
        if residue.rules != self.config.rules.digest {
            // Its slots mean something else; the digest in its heartbeats will tell.
            return Received::NotForUs;
        }
        if residue
            .slots()
            .any(|slot| usize::from(slot.slot) >= self.slots())
        {
            return Received::Body;
        }
        for slot in residue.slots() {
            self.store_residue(header.host, &slot);
        }
        if let Some(peer) = self.peer_mut(header.host) {
            peer.said.residue = residue.digest;
            peer.said.rules = residue.rules;
        }
        Received::Residue
    }

    fn store_residue(&mut self, host: HostId, told: &Slot<'_>) {
        let slot = usize::from(told.slot);
        let words = self.words_per_slot();
        for (word, bits) in told.words().take(words) {
            // Most is told once more for others, who had not heard it.
            if self.holders_of(slot, word, |holders| holders.contains(host)) == bits {
                continue;
            }
            self.update_holders(slot, word, |bit, holders| {
                if bits.wrapping_shr(bit) & 1 != 0 {
                    holders.with(host)
                } else {
                    holders.without(host)
                }
            });
        }
    }

    /// Somebody does not know the residue of these hosts.
    pub(super) fn on_residue_request(&mut self, asked: HostSet) -> Received {
        if !asked.contains(self.config.host) {
            return Received::NotForUs;
        }
        if self.now >= self.residual.answer_after {
            // One answer serves all who have asked for the same.
            let pause = self.period_ns().wrapping_shr(2);
            self.residual.answer_after = self.now.after(pause);
            for slot in 0..self.slots() {
                self.residual.tell.insert(slot as u16);
            }
        }
        Received::ResidueRequest
    }

    /// As much of what has to be told as one frame holds.
    #[inline(never)]
    pub(super) fn residue_body(&mut self, buf: &mut [u8]) -> Option<usize> {
        let room = buf.len().saturating_sub(TAG_LEN);
        let mut writer = Writer::new(buf, HEADER_LEN);
        writer.u64(self.config.rules.digest);
        writer.u64(self.residual.own.digest);
        let count_at = writer.position();
        writer.u8(0);
        debug_assert_eq!(writer.position(), HEADER_LEN.saturating_add(HEAD_LEN));
        let mut count = 0u8;
        let words = self.words_per_slot();
        for slot in 0..self.slots() {
            if !self.residual.tell.contains(slot) {
                continue;
            }
            if count == u8::MAX || writer.position().saturating_add(SLOT_MAX) > room {
                break;
            }
            write_slot(&mut writer, slot as u16, |word| {
                if word < words {
                    self.word(Bits::Residue, slot, word)
                } else {
                    0
                }
            });
            count = count.saturating_add(1);
            self.residual.tell.remove(slot);
        }
        writer.patch_u8(count_at, count);
        writer.finish()
    }

    /// Asks those whose residue is not known.
    pub(super) fn residue_request_body(&mut self, buf: &mut [u8]) -> Option<usize> {
        self.residual.ask = false;
        let mut writer = Writer::new(buf, HEADER_LEN);
        write_request(&mut writer, self.residual.unclear);
        writer.finish()
    }
}
