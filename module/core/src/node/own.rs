// SPDX-License-Identifier: GPL-2.0-only

//! Maps, and the buckets that this host serves.
//!
//! There are two maps for each slot: the committed one and the next one, which is either being fetched or
//! being computed; a commit exchanges them. What this host *serves* is a bitmap of its own: a release clears bits
//! of it, and only a commit sets any.

use super::super::assign::{assign, Weights};
use super::super::config::{SlotKind, SlotSet};
use super::super::host::{HostId, HostSet};
use super::super::peer::{MemberInfo, Peer};
use super::super::state::{HostState, OutReason};
use super::super::store::{Storage, BITMAPS, MAPS};
use super::super::wire::{copy, Flags};
use super::stance::{given_up, takes, weight_in};
use super::Node;

/// Which of the bitmaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bits {
    /// What this host serves.
    Owned = 0,
    /// What it does not own but may hold sessions of.
    Residue = 1,
    /// What became residue since the last walk began.
    Fresh = 2,
    /// What others may hold sessions of.
    Others = 3,
}

/// Which of the two maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Committed,
    Next,
}

/// The weights of the members of a proposal in one slot.
struct SlotWeights<'a> {
    peers: &'a [Peer],
    eligible: HostSet,
    slot: usize,
    me: HostId,
    own: u8,
    staged: bool,
}

impl SlotWeights<'_> {
    /// The same, without hosts that gave the slot up, unless all of them did.
    fn of_takers(self) -> Self {
        let takers = self.eligible.iter().filter(|host| takes(self.told(*host)));
        let takers = takers.fold(HostSet::EMPTY, HostSet::with);
        if takers.is_empty() {
            self
        } else {
            SlotWeights {
                eligible: takers,
                ..self
            }
        }
    }

    /// What a host says of its weight.
    fn told(&self, host: HostId) -> u8 {
        if host == self.me {
            return self.own;
        }
        let Some(peer) = self.peers.get(host.index()) else {
            return 0;
        };
        let weights = if self.staged {
            &peer.staged_weights
        } else {
            &peer.weights
        };
        weights.get(self.slot).copied().unwrap_or(0)
    }
}

impl Weights for SlotWeights<'_> {
    fn eligible(&self) -> HostSet {
        self.eligible
    }

    fn weight(&self, host: HostId) -> u8 {
        weight_in(self.told(host))
    }
}

/// What computing a map tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Computed {
    pub(super) digest: u64,
    pub(super) moved: u32,
    /// Live hosts that lose a bucket.
    pub(super) losers: HostSet,
}

impl<S: Storage> Node<S> {
    pub(super) fn buckets(&self) -> usize {
        usize::from(self.config.buckets)
    }

    pub(super) fn slots(&self) -> usize {
        usize::from(self.config.rules.slots)
    }

    /// Slots that the storage has room for: no rules that need more can be staged.
    #[must_use]
    pub fn slots_room(&self) -> usize {
        let view = self.storage.view();
        let by_map = view
            .maps
            .len()
            .checked_div(MAPS)
            .unwrap_or(0)
            .checked_div(self.buckets())
            .unwrap_or(0);
        let by_words = view.words.len().checked_div(BITMAPS).unwrap_or(0);
        by_map.min(by_words.checked_div(self.words_per_slot()).unwrap_or(0))
    }

    pub(super) fn words_per_slot(&self) -> usize {
        self.buckets().div_ceil(64)
    }

    /// Where a slot's map is.
    pub(super) fn map_range(&self, half: Half, slot: usize) -> core::ops::Range<usize> {
        let second = (half == Half::Next) != self.flipped;
        self.third(usize::from(second), slot)
    }

    /// Where the map stands that the next one was computed from.
    pub(super) fn base_range(&self, slot: usize) -> core::ops::Range<usize> {
        self.third(2, slot)
    }

    fn third(&self, number: usize, slot: usize) -> core::ops::Range<usize> {
        let maps = self.storage.view().maps.len();
        let base = maps.checked_div(MAPS).unwrap_or(0).saturating_mul(number);
        let start = base.saturating_add(slot.saturating_mul(self.buckets()));
        start..start.saturating_add(self.buckets())
    }

    /// The owners of the buckets of a slot in the committed maps, 0 for nobody; empty if there is no such slot.
    #[must_use]
    pub fn map(&self, slot: u16) -> &[u8] {
        let slot = usize::from(slot);
        if slot >= self.slots() || self.view.id.is_none() {
            return &[];
        }
        self.storage
            .view()
            .maps
            .get(self.map_range(Half::Committed, slot))
            .unwrap_or(&[])
    }

    /// The owner of a bucket in the committed map of a slot.
    #[must_use]
    pub fn owner_of(&self, slot: u16, bucket: u16) -> Option<HostId> {
        HostId::new(*self.map(slot).get(usize::from(bucket))?)
    }

    fn word_index(&self, bits: Bits, slot: usize, word: usize) -> Option<usize> {
        let per_slot = self.words_per_slot();
        if word >= per_slot || slot >= self.slots_room() {
            return None;
        }
        let each = self.storage.view().words.len().checked_div(BITMAPS)?;
        let base = each.checked_mul(bits as usize)?;
        base.checked_add(slot.checked_mul(per_slot)?)?
            .checked_add(word)
    }

    pub(super) fn word(&self, bits: Bits, slot: usize, word: usize) -> u64 {
        let index = self.word_index(bits, slot, word);
        index
            .and_then(|index| self.storage.view().words.get(index))
            .copied()
            .unwrap_or(0)
    }

    pub(super) fn word_mut(&mut self, bits: Bits, slot: usize, word: usize) -> Option<&mut u64> {
        let index = self.word_index(bits, slot, word)?;
        self.storage.parts().words.get_mut(index)
    }

    /// 64 buckets of a slot, from bucket 64 × `word` on: bit n is set if this host serves new connections of
    /// bucket 64 × `word` + n.
    #[must_use]
    pub fn owned_word(&self, slot: u16, word: u16) -> u64 {
        self.word(Bits::Owned, usize::from(slot), usize::from(word))
    }

    /// Lets go of every bucket at once.
    pub(super) fn clear_owned(&mut self) {
        let mut changed = self.default_held;
        self.default_held = false;
        for slot in 0..self.slots_room() {
            for word in 0..self.words_per_slot() {
                changed |= self.set_owned(slot, word, 0, true);
            }
        }
        if changed {
            self.ownership_changed();
        }
    }

    /// Lets go of what the next map does not give to this host, and of all slots that are not in `kept`.
    pub(super) fn release_lost(&mut self, keep_any: bool, kept: SlotSet) {
        let me = self.config.host.get();
        let mut changed = false;
        for slot in 0..self.slots_room() {
            for word in 0..self.words_per_slot() {
                let keep = if keep_any && kept.contains(slot) {
                    self.owner_word(Half::Next, slot, word, |owner| owner == me)
                } else {
                    0
                };
                let owned = self.word(Bits::Owned, slot, word);
                changed |= self.set_owned(slot, word, owned & keep, false);
            }
        }
        if changed {
            self.ownership_changed();
        }
    }

    /// Takes exactly what the committed map gives to this host; nothing if `none`.
    pub(super) fn take_owned(&mut self, none: bool) {
        let me = self.config.host.get();
        let slots = self.slots();
        for slot in 0..self.slots_room() {
            for word in 0..self.words_per_slot() {
                let mine = if none || slot >= slots {
                    0
                } else {
                    self.owner_word(Half::Committed, slot, word, |owner| owner == me)
                };
                // What the map gives to others is no news to them.
                self.set_owned(slot, word, mine, none);
            }
        }
        self.ownership_changed();
    }

    /// A bitmap word of the buckets of a map whose owner is `wanted`.
    fn owner_word(&self, half: Half, slot: usize, word: usize, wanted: impl Fn(u8) -> bool) -> u64 {
        let map = self
            .storage
            .view()
            .maps
            .get(self.map_range(half, slot))
            .unwrap_or(&[]);
        bits_of(map, word, wanted)
    }

    /// Sets a word of the served buckets; what is lost becomes residue, of which the others are told if they cannot know.
    fn set_owned(&mut self, slot: usize, word: usize, bits: u64, tell: bool) -> bool {
        let Some(place) = self.word_mut(Bits::Owned, slot, word) else {
            return false;
        };
        let before = *place;
        *place = bits;
        if before != bits {
            self.ownership_moved(slot, word, (before, bits), tell);
        }
        before != bits
    }

    /// Something that the packet path reads has changed.
    pub(super) fn ownership_changed(&mut self) {
        self.changes = self.changes.wrapping_add(1);
    }

    /// Copies the committed maps to the next ones, or empties those.
    pub(super) fn start_next(&mut self, from_committed: bool) {
        let flipped = self.flipped;
        let Some([first, second, _]) = thirds(self.storage.parts().maps) else {
            return;
        };
        let (committed, next) = if flipped {
            (second, first)
        } else {
            (first, second)
        };
        if from_committed {
            copy(next, committed);
        } else {
            next.fill(0);
        }
    }

    /// Turns the next maps, which are those of the base, into those of the result.
    ///
    /// `members` is the result's; `alive` are the hosts that still serve and so have to let go of what they lose.
    #[inline(never)]
    pub(super) fn compute_next(
        &mut self,
        staged: bool,
        members: HostSet,
        alive: HostSet,
    ) -> Computed {
        let eligible = self.not_idle(members);
        let me = self.config.host;
        self.keep_base();
        let mut digest = MapDigest::new();
        let mut computed = Computed {
            digest: 0,
            moved: 0,
            losers: HostSet::EMPTY,
        };
        for slot in 0..self.slots_room() {
            let range = self.map_range(Half::Next, slot);
            let Some((kind, own)) = self.slot_rule(staged, slot) else {
                continue;
            };
            let parts = self.storage.parts();
            let Some(map) = parts.maps.get_mut(range) else {
                continue;
            };
            let Some(kind) = kind else {
                map.fill(0);
                continue;
            };
            let weights = SlotWeights {
                peers: parts.peers,
                eligible,
                slot,
                me,
                own,
                staged,
            };
            let moved = assign(map, kind, &weights.of_takers());
            computed.moved = computed.moved.saturating_add(moved.buckets);
            computed.losers = computed.losers.union(moved.losers);
            digest.add(map);
        }
        computed.digest = digest.finish();
        computed.losers = computed.losers.intersection(alive);
        computed
    }

    /// Keeps the maps that the next ones are computed from.
    fn keep_base(&mut self) {
        let flipped = self.flipped;
        if let Some([first, second, base]) = thirds(self.storage.parts().maps) {
            copy(base, if flipped { first } else { second });
        }
    }

    /// Kind of a slot, `None` if it is not in use, and this host's weight in it; under the rules in force or the
    /// staged ones.
    fn slot_rule(&self, staged: bool, slot: usize) -> Option<(Option<SlotKind>, u8)> {
        let (rules, weights) = if staged {
            let rules = self.staged.as_ref()?;
            (rules, &rules.weights)
        } else {
            (&self.config.rules, &self.weights)
        };
        let kind = rules
            .kinds
            .get(slot)
            .copied()
            .filter(|_| slot < usize::from(rules.slots));
        Some((kind, weights.get(slot).copied().unwrap_or(0)))
    }

    /// The members that may own buckets at all.
    pub(super) fn not_idle(&self, members: HostSet) -> HostSet {
        members
            .iter()
            .filter(|host| !self.idle_input(*host))
            .fold(HostSet::EMPTY, HostSet::with)
    }

    fn idle_input(&self, host: HostId) -> bool {
        if host == self.config.host {
            self.is_idle()
        } else {
            self.peer(host).idle
        }
    }

    /// Digest of the next maps as they are.
    pub(super) fn next_digest(&self, slots: usize) -> u64 {
        let mut digest = MapDigest::new();
        for slot in 0..slots {
            digest.add(
                self.storage
                    .view()
                    .maps
                    .get(self.map_range(Half::Next, slot))
                    .unwrap_or(&[]),
            );
        }
        digest.finish()
    }

    /// Hosts as people see them: this one, and all that were ever heard.
    pub fn members(&self) -> impl Iterator<Item = MemberInfo> + '_ {
        self.ids.iter().filter_map(|host| self.member(host))
    }

    /// A host as people see it; `None` unless it is this one, or was ever heard.
    #[must_use]
    pub fn member(&self, host: HostId) -> Option<MemberInfo> {
        let peer = self.peer(host);
        let is_self = host == self.config.host;
        let heard = peer.incarnation != 0 || peer.candidate.incarnation != 0;
        if !is_self && !heard && !self.is_refused_for_key(host) {
            return None;
        }
        let [segment, relay] = peer
            .path_heard
            .map(|heard| heard.is_some_and(|heard| self.now.since(heard) < self.silence_ns()));
        let weights = if is_self {
            &self.weights
        } else {
            &peer.weights
        };
        let state = if is_self { self.state } else { peer.said.state };
        Some(MemberInfo {
            host,
            state: if is_self || peer.live {
                state
            } else {
                HostState::Stopped
            },
            out: if is_self { self.out } else { peer.out },
            member: self.view.members.contains(host),
            is_self,
            is_default: self.view.default_host == Some(host),
            incarnation: if is_self {
                self.incarnation
            } else {
                peer.incarnation
            },
            heard: (!is_self && peer.incarnation != 0).then_some(peer.heard),
            on_segment: segment && !is_self,
            on_relay: relay && !is_self,
            loss_permille: peer
                .lost
                .saturating_mul(1000)
                .checked_div(peer.frames)
                .unwrap_or(0) as u16,
            pending: if is_self {
                self.pending()
            } else {
                peer.said.pending
            },
            dedicated: if is_self {
                self.config.dedicated
            } else {
                peer.dedicated
            },
            weight: weight_in(weights.first().copied().unwrap_or(0)),
            rules_given_up: given_up(weights.get(..self.slots()).unwrap_or(&[])),
            buckets: if self.view.members.contains(host) {
                peer.owned
            } else {
                0
            },
            residue: if is_self {
                Some(self.residue_count())
            } else {
                let known = !self.residue_unknown().contains(host);
                known.then_some(peer.residue.count)
            },
            residue_since: peer.residue_since.get(),
        })
    }

    /// Counts who owns how much of slot 0, for people.
    pub(super) fn count_owned(&mut self) {
        let range = self.map_range(Half::Committed, 0);
        let parts = self.storage.parts();
        for peer in parts.peers.iter_mut() {
            peer.owned = 0;
        }
        for owner in parts.maps.get(range).unwrap_or(&[]) {
            if let Some(peer) =
                HostId::new(*owner).and_then(|host| parts.peers.get_mut(host.index()))
            {
                peer.owned = peer.owned.saturating_add(1);
            }
        }
    }

    /// Whether this host must not serve anything now, whatever the map says.
    pub(super) fn is_blocked(&self) -> bool {
        !self.segment_up || self.segment_cut || self.vip_missing || self.served_elsewhere
    }

    /// Whether this host is in a view and serves what the map gives to it.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.in_view() && !self.is_blocked()
    }

    /// Whether this host takes no buckets.
    pub(super) fn is_idle(&self) -> bool {
        self.is_blocked() || self.draining || self.stepped_back
    }

    /// Why another member owns nothing, or its clients may reach nobody.
    pub(super) fn why_idle(&self, peer: &Peer) -> OutReason {
        if peer.said.flags.has(Flags::CUT) {
            OutReason::InterfaceCut
        } else if peer.said.flags.has(Flags::VIP_MISSING) {
            OutReason::VipMissing
        } else if peer.said.flags.has(Flags::STARVED) {
            OutReason::Starved
        } else {
            OutReason::None
        }
    }
}

/// The sets of maps: committed and next in either order, and the base of the next.
fn thirds(maps: &mut [u8]) -> Option<[&mut [u8]; MAPS]> {
    let each = maps.len().checked_div(MAPS)?;
    let (first, rest) = maps.split_at_mut_checked(each)?;
    let (second, rest) = rest.split_at_mut_checked(each)?;
    let (third, _) = rest.split_at_mut_checked(each)?;
    Some([first, second, third])
}

/// 64 places of a map from place 64 × `word` on: bit n is set if the host there is `wanted`.
fn bits_of(map: &[u8], word: usize, wanted: impl Fn(u8) -> bool) -> u64 {
    let first = word.saturating_mul(64);
    let end = first.saturating_add(64).min(map.len());
    let places = map.get(first..end).unwrap_or(&[]).iter();
    places.zip(0u32..64).fold(0, |bits, (host, n)| {
        bits | u64::from(wanted(*host)).wrapping_shl(n)
    })
}

/// A digest of maps: not against anyone who tries (the tag is), but against hosts that differ.
#[derive(Clone, Copy, Debug)]
struct MapDigest(u64);

impl MapDigest {
    const fn new() -> MapDigest {
        MapDigest(0x6e6c_6220_6d61_7073)
    }

    fn add(&mut self, map: &[u8]) {
        let mut chunks = map.chunks_exact(8);
        for chunk in &mut chunks {
            if let Ok(bytes) = <[u8; 8]>::try_from(chunk) {
                self.mix(u64::from_be_bytes(bytes));
            }
        }
        for byte in chunks.remainder() {
            self.mix(u64::from(*byte));
        }
        self.mix(map.len() as u64);
    }

    fn mix(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed.wrapping_shr(29);
    }

    fn finish(self) -> u64 {
        self.0
    }
}
