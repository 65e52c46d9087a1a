// SPDX-License-Identifier: GPL-2.0-only

//! Residue: who may still hold sessions of a bucket that another owns.
//!
//! Each host keeps its own residue, a bit for each bucket: not owned, but sessions of it may live here. A bucket enters it
//! at the moment it is let go of, and leaves it when a walk over the tables of sessions, which began after that moment,
//! has found none (`walk.rs`).
//!
//! Each host also keeps what it knows of the residue of every other one. Both change by the same rule at a commit: who
//! had a bucket in the base and has not in the result holds it, who has it in the result does not; in a slot that means
//! something else every member holds all that it does not own. So a change is told by no frame. All else is: as words
//! of the bitmaps as they are now, with a digest of the whole, which is also in each heartbeat. While a live host's
//! digest is not that of what is known of it, it counts as holding everything, and after a period it is asked.

use super::super::config::SlotSet;
use super::super::host::{HostId, HostSet};
use super::super::peer::Peer;
use super::super::residue::{Since, Sum};
use super::super::store::Storage;
use super::super::time::Instant;
use super::own::{Bits, Half};
use super::view::is_serving;
use super::Node;

/// What a node keeps of residue besides the bitmaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Residual {
    /// What this host's own comes to.
    pub(super) own: Sum,
    /// Slots that have to be told.
    pub(super) tell: SlotSet,
    /// Other hosts of which some bucket is known to be residue.
    holders: HostSet,
    /// Live hosts whose residue is not known: they may hold everything.
    unknown: HostSet,
    /// Hosts to be asked for all of theirs.
    pub(super) unclear: HostSet,
    /// When they are asked; never if there are none.
    pub(super) ask_at: Instant,
    /// They have to be asked now.
    pub(super) ask: bool,
    /// All was told so lately that requests before this are served by it.
    pub(super) answer_after: Instant,
    /// The bitmap of what others hold has to be made anew.
    dirty: bool,
    /// Sessions that the last walk found; `None` before the first.
    pub(super) sessions: Option<u64>,
}

/// What a commit makes of the buckets of a slot.
#[derive(Clone, Copy, Debug)]
enum Moves {
    /// They mean the same as before: who lost one of them holds it, of these.
    Lost {
        /// Live hosts that may have served in the base.
        served: HostSet,
    },
    /// They mean something else: these hold all that they do not own.
    All(HostSet),
}

impl Residual {
    /// None, and nothing known.
    pub(super) const EMPTY: Residual = Residual {
        own: Sum::EMPTY,
        tell: SlotSet::EMPTY,
        holders: HostSet::EMPTY,
        unknown: HostSet::EMPTY,
        unclear: HostSet::EMPTY,
        ask_at: Instant::NEVER,
        ask: false,
        answer_after: Instant(0),
        dirty: false,
        sessions: None,
    };

    /// Enters who else holds the bucket at `place`, which is the bit `mask` of a word of a slot.
    fn enter(
        &mut self,
        peers: &mut [Peer],
        place: &mut u64,
        next: HostSet,
        (slot, word, mask): (usize, usize, u64),
    ) {
        let flips = HostSet(*place ^ next.0);
        if flips.is_empty() {
            return;
        }
        *place = next.0;
        for host in flips.iter() {
            let after = if next.contains(host) { mask } else { 0 };
            if let Some(peer) = peers.get_mut(host.index()) {
                peer.residue.enter(slot, word, mask, after);
            }
        }
        self.holders = self.holders.union(next);
        self.dirty = true;
    }

    /// Whether something has to be told.
    pub(super) fn has_news(&self) -> bool {
        !self.tell.is_empty()
    }
}

impl<S: Storage> Node<S> {
    /// 64 buckets of a slot, as in [`Node::owned_word`]: this host does not own them, but may hold sessions.
    #[must_use]
    pub fn residue_word(&self, slot: u16, word: u16) -> u64 {
        self.word(Bits::Residue, usize::from(slot), usize::from(word))
    }

    /// The same for buckets that this host owns while another live host may hold sessions: a packet of a connection
    /// that is unknown here is that host's to answer.
    #[must_use]
    pub fn others_word(&self, slot: u16, word: u16) -> u64 {
        self.owned_word(slot, word) & self.word(Bits::Others, usize::from(slot), usize::from(word))
    }

    /// The two together: sessions may live on a host that does not own the bucket, and this host is the one or the
    /// other.
    #[must_use]
    pub fn moved_word(&self, slot: u16, word: u16) -> u64 {
        self.residue_word(slot, word) | self.others_word(slot, word)
    }

    /// Hosts that may hold sessions of a bucket without owning it, as far as is known.
    #[must_use]
    pub fn holders(&self, slot: u16, bucket: u16) -> HostSet {
        let (slot, bucket) = (usize::from(slot), usize::from(bucket));
        let place = self.place(slot, bucket);
        let known = bucket < self.buckets();
        let mask = self.storage.view().holders.get(place).filter(|_| known);
        let others = HostSet(mask.copied().unwrap_or(0));
        let own = self.word(Bits::Residue, slot, bucket.wrapping_shr(6));
        if own.wrapping_shr((bucket & 63) as u32) & 1 != 0 {
            others.with(self.config.host)
        } else {
            others
        }
    }

    /// 64 buckets of a slot: a host does not own them, but may hold sessions, as far as is known.
    #[must_use]
    pub fn held_word(&self, slot: u16, word: u16, host: HostId) -> u64 {
        if host == self.config.host {
            return self.residue_word(slot, word);
        }
        let (slot, word) = (usize::from(slot), usize::from(word));
        self.holders_of(slot, word, |holders| holders.contains(host))
    }

    /// Whether a host is known to have residue.
    #[must_use]
    pub fn has_residue(&self, host: HostId) -> bool {
        if host == self.config.host {
            self.residue_count() != 0
        } else {
            self.residual.holders.contains(host)
        }
    }

    /// Live hosts whose residue is not known here at the moment: each may hold sessions of any bucket.
    #[must_use]
    pub fn residue_unknown(&self) -> HostSet {
        self.residual.unknown
    }

    /// Buckets, over all slots, that this host does not own but may hold sessions of.
    #[must_use]
    pub fn residue_count(&self) -> u32 {
        self.residual.own.count
    }

    /// A session of a bucket lives here, whoever owns it.
    pub(super) fn hold(&mut self, slot: usize, bucket: usize) {
        let word = bucket.wrapping_shr(6);
        let bit = 1u64.wrapping_shl((bucket & 63) as u32);
        let known = self.takes_part() && slot < self.slots() && bucket < self.buckets();
        let owned = self.word(Bits::Owned, slot, word);
        if known && owned & bit == 0 {
            let residue = self.word(Bits::Residue, slot, word);
            self.set_residue(slot, word, residue | bit, true);
            self.freshen(slot, word, bit);
        }
    }

    /// A walk that has begun already does not clear these buckets, whether they were residue before or not.
    fn freshen(&mut self, slot: usize, word: usize, bits: u64) {
        if let Some(fresh) = self.word_mut(Bits::Fresh, slot, word) {
            *fresh |= bits;
        }
    }

    /// All buckets of a word.
    pub(super) fn full_word(&self, word: usize) -> u64 {
        let rest = self.buckets().saturating_sub(word.saturating_mul(64));
        match 1u64.checked_shl(rest as u32) {
            Some(bit) => bit.wrapping_sub(1),
            None => u64::MAX,
        }
    }

    /// Sets a word of the own residue. If the others cannot know by themselves, they are told.
    pub(super) fn set_residue(&mut self, slot: usize, word: usize, bits: u64, tell: bool) {
        let Some(place) = self.word_mut(Bits::Residue, slot, word) else {
            return;
        };
        let flips = *place ^ bits;
        *place = bits;
        if flips == 0 {
            return;
        }
        self.freshen(slot, word, flips & bits);
        self.residual.own.enter(slot, word, flips, bits);
        let (now, some) = (self.now, self.residual.own.count != 0);
        if let Some(own) = self.peer_mut(self.config.host) {
            own.residue_since.note(now, some);
        }
        if tell {
            self.residual.tell.insert(slot as u16);
        }
        self.ownership_changed();
    }

    /// Buckets of a word that this host owned are its residue now, or the other way round.
    pub(super) fn ownership_moved(
        &mut self,
        slot: usize,
        word: usize,
        (before, after): (u64, u64),
        tell: bool,
    ) {
        let residue = self.word(Bits::Residue, slot, word);
        let next = (residue | (before & !after)) & !after;
        self.set_residue(slot, word, next, tell);
    }

    /// Every bucket of a slot that this host does not own may hold sessions of it: the slot means something else now,
    /// and a walk that has begun looks for the buckets of its old meaning.
    pub(super) fn hold_slot(&mut self, slot: usize, tell: bool) {
        for word in 0..self.words_per_slot() {
            let bits = self.full_word(word) & !self.word(Bits::Owned, slot, word);
            self.set_residue(slot, word, bits, tell);
            self.freshen(slot, word, bits);
        }
    }

    /// A slot is not in use any more: nobody has residue in it.
    pub(super) fn forget_slot(&mut self, slot: usize) {
        for word in 0..self.words_per_slot() {
            self.set_residue(slot, word, 0, false);
            self.update_holders(slot, word, |_, _| HostSet::EMPTY);
        }
        self.residual.tell.remove(slot);
    }

    /// What the commit of a map makes residue, here and elsewhere. `kept` are the slots that mean the same as before,
    /// `members` all hosts of the old view and of the new one. A host that is blocked takes nothing of what the map
    /// gives to it.
    #[inline(never)]
    pub(super) fn note_moves(&mut self, kept: SlotSet, members: HostSet, blocked: bool) {
        let live = self.live_others();
        let served = live.iter().filter(|host| self.may_have_served(*host));
        let served = served.fold(HostSet::EMPTY, HostSet::with);
        for slot in 0..self.slots() {
            let rule = if kept.contains(slot) {
                Moves::Lost { served }
            } else {
                Moves::All(members.intersection(live))
            };
            for word in 0..self.words_per_slot() {
                self.note_moves_of(slot, word, rule, blocked);
            }
        }
    }

    /// The same for 64 buckets.
    fn note_moves_of(&mut self, slot: usize, word: usize, rule: Moves, blocked: bool) {
        let me = self.config.host.get();
        let mut own = self.word(Bits::Residue, slot, word);
        let owned = self.word(Bits::Owned, slot, word);
        let first = word.saturating_mul(64);
        let (after, before) = (self.map_range(Half::Committed, slot), self.base_range(slot));
        let places = self.place(slot, first)..self.place(slot, self.buckets());
        let parts = self.storage.parts();
        let after = parts.maps.get(after).and_then(|map| map.get(first..));
        let before = parts.maps.get(before).and_then(|map| map.get(first..));
        let holders = parts.holders.get_mut(places);
        let (Some(after), Some(before), Some(holders)) = (after, before, holders) else {
            return;
        };
        let (peers, residual) = (&mut *parts.peers, &mut self.residual);
        let owners = after.iter().zip(before);
        let mut given = 0u64;
        for ((bit, place), (&after, &before)) in (0u32..64).zip(holders).zip(owners) {
            let mask = 1u64.wrapping_shl(bit);
            let mut next = HostSet(*place);
            match rule {
                Moves::All(members) => {
                    next = next.union(members);
                    own |= mask;
                }
                Moves::Lost { .. } if before == after => {}
                Moves::Lost { .. } if before == me => own |= mask,
                Moves::Lost { served } => {
                    if let Some(host) = HostId::new(before).filter(|host| served.contains(*host)) {
                        next.insert(host);
                    }
                }
            }
            if after == me {
                given |= mask;
            } else if let Some(host) = HostId::new(after) {
                next.remove(host);
            }
            residual.enter(peers, place, next, (slot, word, mask));
        }
        if blocked {
            // The others take what it is given for its own, and hear that it is residue still.
            if own & given != 0 {
                self.residual.tell.insert(slot as u16);
            }
        } else {
            own &= !given;
        }
        self.set_residue(slot, word, own & !owned, false);
    }

    /// Whether a live host is the incarnation that served in the view, as far as is known.
    fn may_have_served(&self, host: HostId) -> bool {
        let peer = self.peer(host);
        let of_view = peer.member.0;
        of_view == 0 || of_view == peer.incarnation
    }

    /// Where it stands who else holds a bucket.
    fn place(&self, slot: usize, bucket: usize) -> usize {
        slot.saturating_mul(self.buckets()).saturating_add(bucket)
    }

    fn live_others(&self) -> HostSet {
        let live = self.others().filter(|host| {
            let peer = self.peer(*host);
            peer.live && !peer.gone
        });
        live.fold(HostSet::EMPTY, HostSet::with)
    }

    /// Forgets what hosts hold: they are dead, or others than they were.
    pub(super) fn forget_holders(&mut self, hosts: HostSet) {
        let hosts = hosts.intersection(self.residual.holders);
        if hosts.is_empty() {
            return;
        }
        let parts = self.storage.parts();
        for holders in parts.holders.iter_mut() {
            *holders &= !hosts.0;
        }
        for host in hosts.iter() {
            if let Some(peer) = parts.peers.get_mut(host.index()) {
                peer.residue = Sum::EMPTY;
                peer.residue_since = Since::NEVER;
            }
        }
        self.residual.holders = self.residual.holders.minus(hosts);
        self.residual.dirty = true;
    }

    /// Forgets everything of this host and of all others.
    pub(super) fn forget_residue(&mut self) {
        let parts = self.storage.parts();
        parts.holders.fill(0);
        for peer in parts.peers.iter_mut() {
            peer.residue = Sum::EMPTY;
            peer.residue_since = Since::NEVER;
        }
        for slot in 0..self.slots_room() {
            for word in 0..self.words_per_slot() {
                for bits in [Bits::Residue, Bits::Fresh, Bits::Others] {
                    if let Some(place) = self.word_mut(bits, slot, word) {
                        *place = 0;
                    }
                }
            }
        }
        self.residual = Residual::EMPTY;
        self.compared.0 = None;
        self.ownership_changed();
    }

    /// What follows from an input for residue: who has died, whose is not known, whom to ask.
    #[inline(never)]
    pub(super) fn settle_residue(&mut self) {
        let (rules, view) = (self.config.rules.digest, self.view.id);
        // A frame changes what is known of its sender, a commit what is known of all.
        let compared = Some((view, rules));
        let others = self.ids.without(self.config.host);
        let hosts = if compared == self.compared.0 {
            self.touched.0.intersection(others)
        } else {
            others
        };
        self.compared.0 = compared;
        let mut dead = HostSet::EMPTY;
        let mut unknown = self.residual.unknown.minus(hosts);
        let mut unclear = self.residual.unclear.minus(hosts);
        for host in hosts.iter() {
            let peer = self.peer(host);
            if !peer.live || peer.gone {
                dead.insert(host);
                continue;
            }
            let said = &peer.said;
            // Who has none has none under any rules.
            let comparable = said.rules == rules || said.residue == 0;
            if !comparable || said.residue != peer.residue.digest {
                unknown.insert(host);
                if comparable {
                    unclear.insert(host);
                }
            }
            if is_serving(said) && said.committed != view {
                // It serves what another map gives it, or lets go of it just now.
                unknown.insert(host);
            }
        }
        self.forget_holders(dead);
        self.residual.dirty |= unknown.is_empty() != self.residual.unknown.is_empty();
        self.residual.unknown = unknown;
        self.ask_for_residue(unclear);
        if self.residual.dirty {
            self.derive_others();
        }
    }

    /// A difference is usually one that a frame under way ends; what lasts is asked for.
    fn ask_for_residue(&mut self, unclear: HostSet) {
        let again = self.now.after(self.period_ns());
        self.residual.unclear = unclear;
        if unclear.is_empty() {
            self.residual.ask_at = Instant::NEVER;
            self.residual.ask = false;
        } else if self.residual.ask_at == Instant::NEVER {
            self.residual.ask_at = again;
        } else if self.now >= self.residual.ask_at {
            self.residual.ask_at = again;
            self.residual.ask = true;
        }
    }

    /// Makes the bitmap of what others hold anew.
    #[inline(never)]
    fn derive_others(&mut self) {
        self.residual.dirty = false;
        let (now, own) = (self.now, self.config.host.index());
        for (index, peer) in self.storage.parts().peers.iter_mut().enumerate() {
            if index != own {
                peer.residue_since.note(now, peer.residue.count != 0);
            }
        }
        let anything = !self.residual.unknown.is_empty();
        let mut changed = false;
        for slot in 0..self.slots() {
            for word in 0..self.words_per_slot() {
                let bits = if anything {
                    u64::MAX
                } else {
                    self.holders_of(slot, word, |holders| !holders.is_empty())
                };
                if let Some(place) = self.word_mut(Bits::Others, slot, word) {
                    changed |= *place != bits;
                    *place = bits;
                }
            }
        }
        if changed {
            self.ownership_changed();
        }
    }

    /// 64 buckets of a slot, of which the others that hold them are such as is asked for.
    pub(super) fn holders_of(
        &self,
        slot: usize,
        word: usize,
        such: impl Fn(HostSet) -> bool,
    ) -> u64 {
        let first = self.place(slot, word.saturating_mul(64));
        let rest = self.buckets().saturating_sub(word.saturating_mul(64));
        let end = first.saturating_add(rest.min(64));
        let holders = self.storage.view().holders.get(first..end).unwrap_or(&[]);
        holders.iter().zip(0u32..64).fold(0, |bits, (holders, n)| {
            bits | u64::from(such(HostSet(*holders))).wrapping_shl(n)
        })
    }

    /// Says of 64 buckets who else holds them, given who did.
    pub(super) fn update_holders(
        &mut self,
        slot: usize,
        word: usize,
        next: impl Fn(u32, HostSet) -> HostSet,
    ) {
        let first = word.saturating_mul(64);
        let places = self.place(slot, first)..self.place(slot, self.buckets());
        let parts = self.storage.parts();
        let (peers, residual) = (&mut *parts.peers, &mut self.residual);
        let holders = parts.holders.get_mut(places).unwrap_or_default();
        for (bit, place) in (0u32..64).zip(holders) {
            let mask = 1u64.wrapping_shl(bit);
            let next = next(bit, HostSet(*place));
            residual.enter(peers, place, next, (slot, word, mask));
        }
    }
}
