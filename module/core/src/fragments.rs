// SPDX-License-Identifier: GPL-2.0-only

//! The memory of first fragments: what became of the first, so that the later ones, which have no ports, follow.
//!
//! The table is a slice of 64-bit cells of the caller's ([`Cells`]), four to a set; a cell holds a tag of 43 bits,
//! the time in 20 bits, and one bit for the verdict. A cell is written whole, so the caller can hold the table in
//! relaxed atomics without any lock: the worst that a race does is to forget. Tags come from the keyed hash, so
//! nobody can aim at a cell, and 2^-41 is the chance that a fragment follows the wrong packet.

use super::filter::{Filter, Storage};
use super::limits::FRAGMENT_MEMORY_NS;
use super::packet::{locate, Address, Extent, Fragment, Located};
use super::siphash::Digest;
use super::time::Instant;
use super::verdict::Answer;

/// Cells that a fragment may be remembered in.
pub const WAYS: usize = 4;

/// The time in a cell counts units of 2^28 ns, about a quarter of a second, so that 20 bits last for 78 hours.
const TIME_SHIFT: u32 = 28;
const TIME_MASK: u64 = (1 << 20) - 1;
const TIME_AT: u32 = 1;
const TAG_AT: u32 = 21;

/// The age beyond which a cell is free.
const AGE_MAX: u64 = FRAGMENT_MEMORY_NS >> TIME_SHIFT;

/// The cells of a table. Their number is a power of two and at least [`WAYS`]; a table of other size remembers
/// nothing. Cells are zero at first.
pub trait Cells {
    /// Number of cells.
    fn len(&self) -> usize;
    /// Reads a cell; 0 beyond the end.
    fn load(&self, index: usize) -> u64;
    /// Writes a cell; nothing beyond the end.
    fn store(&self, index: usize, value: u64);
    /// Whether there are no cells.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Names the packet that a fragment is part of: its VIP, client, protocol and identification, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentKey(u64);

impl FragmentKey {
    /// The key of a fragment, first or later; `None` if the packet is none.
    #[must_use]
    pub fn of<S: Storage>(filter: &Filter<S>, l3: &[u8]) -> Option<FragmentKey> {
        let it = locate(l3, Extent::judged()).ok()?;
        let (Fragment::First(id) | Fragment::Later { id, .. }) = it.fragment else {
            return None;
        };
        let mut digest = Digest::new(&filter.key);
        add_addresses(&mut digest, &it);
        digest.word(u64::from(id.id) | (u64::from(id.protocol) << 32));
        Some(FragmentKey(digest.finish()))
    }

    /// The first cell of the set; `None` if the table cannot be used.
    fn set<C: Cells>(self, cells: &C) -> Option<usize> {
        let len = cells.len();
        let usable = len >= WAYS && len.is_power_of_two();
        usable.then(|| self.0 as usize & len.wrapping_sub(WAYS))
    }

    /// The cell that says `accepted` at a time.
    fn cell(self, accepted: bool, now: u64) -> u64 {
        (self.0 >> TAG_AT << TAG_AT) | ((now & TIME_MASK) << TIME_AT) | u64::from(accepted)
    }

    /// Whether a cell is about this key.
    fn is_in(self, cell: u64) -> bool {
        cell >> TAG_AT == self.0 >> TAG_AT
    }
}

fn add_addresses(digest: &mut Digest, it: &Located<'_>) {
    for address in [it.src, it.dst] {
        match address {
            Address::V4(word) => digest.word(u64::from(word)),
            Address::V6([first, second]) => {
                digest.word(first);
                digest.word(second);
            }
        }
    }
}

/// Units of time since a cell was written.
fn age(cell: u64, now: u64) -> u64 {
    now.wrapping_sub(cell >> TIME_AT) & TIME_MASK
}

/// Remembers whether the packet of a first fragment is served here.
pub fn remember<C: Cells>(cells: &C, key: FragmentKey, accepted: bool, now: Instant) {
    let now = now.0 >> TIME_SHIFT;
    let Some(set) = key.set(cells) else {
        return;
    };
    let mut oldest = (set, 0);
    for index in set..set.wrapping_add(WAYS) {
        let cell = cells.load(index);
        let age = if cell == 0 { u64::MAX } else { age(cell, now) };
        if key.is_in(cell) {
            oldest = (index, age);
            break;
        }
        if age > oldest.1 {
            oldest = (index, age);
        }
    }
    cells.store(oldest.0, key.cell(accepted, now));
}

/// What became of the first fragment of a packet: [`Answer::Known`] (served here), [`Answer::Refused`] (dropped
/// here) or [`Answer::Unknown`].
pub fn recall<C: Cells>(cells: &C, key: FragmentKey, now: Instant) -> Answer {
    let now = now.0 >> TIME_SHIFT;
    let Some(set) = key.set(cells) else {
        return Answer::Unknown;
    };
    for index in set..set.wrapping_add(WAYS) {
        let cell = cells.load(index);
        if cell != 0 && key.is_in(cell) && age(cell, now) <= AGE_MAX {
            return if cell & 1 != 0 {
                Answer::Known
            } else {
                Answer::Refused
            };
        }
    }
    Answer::Unknown
}
