// SPDX-License-Identifier: GPL-2.0-only

//! The storage of a node: slices that the caller makes, sized once.
//!
//! A node allocates nothing. Its tables are handed out by a [`Storage`], which in the kernel is a handful of
//! `KVVec`s made in process context, and elsewhere a handful of `Vec`s.

use super::event::{Event, HistoryEntry};
use super::peer::Peer;

/// Events that wait to be read; more displace the oldest.
pub const EVENTS: usize = 128;

/// Committed generations that are remembered.
pub const HISTORY: usize = 64;

/// Maps of each slot: the committed one and the next one in either order, and the base of the next.
pub(super) const MAPS: usize = 3;

/// Bitmaps of each slot: owned, residue, residue that is new since the last walk began, residue of others.
pub(super) const BITMAPS: usize = 4;

/// Mutable access to all of a node's tables at once.
#[derive(Debug)]
pub struct Parts<'a> {
    /// One entry for each host id: [`Sizes::peers`].
    pub peers: &'a mut [Peer],
    /// Owners of buckets: [`Sizes::maps`].
    pub maps: &'a mut [u8],
    /// Bitmaps of buckets: [`Sizes::words`].
    pub words: &'a mut [u64],
    /// For each bucket the other hosts that may hold sessions of it: [`Sizes::holders`].
    pub holders: &'a mut [u64],
    /// Events: [`Sizes::events`].
    pub events: &'a mut [Option<Event>],
    /// History: [`Sizes::history`].
    pub history: &'a mut [Option<HistoryEntry>],
}

/// Shared access to all of a node's tables.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// See [`Parts::peers`].
    pub peers: &'a [Peer],
    /// See [`Parts::maps`].
    pub maps: &'a [u8],
    /// See [`Parts::words`].
    pub words: &'a [u64],
    /// See [`Parts::holders`].
    pub holders: &'a [u64],
    /// See [`Parts::history`].
    pub history: &'a [Option<HistoryEntry>],
}

/// Who hands out the slices. Both methods must always return the same slices.
pub trait Storage {
    /// All tables, to read.
    fn view(&self) -> View<'_>;
    /// All tables, to change.
    fn parts(&mut self) -> Parts<'_>;
}

/// How long the slices of a [`Storage`] must at least be. Fill them with [`Peer::EMPTY`], 0, 0, 0, `None`, `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Length of [`Parts::peers`].
    pub peers: usize,
    /// Length of [`Parts::maps`].
    pub maps: usize,
    /// Length of [`Parts::words`].
    pub words: usize,
    /// Length of [`Parts::holders`].
    pub holders: usize,
    /// Length of [`Parts::events`].
    pub events: usize,
    /// Length of [`Parts::history`].
    pub history: usize,
}

impl Sizes {
    /// What a node needs that may come to have `slots` slots of `buckets` buckets and hears host ids 1 to
    /// `hosts`. More slots can be staged later only if the storage was made for them.
    #[must_use]
    pub const fn new(hosts: usize, slots: usize, buckets: usize) -> Sizes {
        let words = slots.saturating_mul(buckets.div_ceil(64));
        let places = slots.saturating_mul(buckets);
        Sizes {
            peers: hosts,
            maps: places.saturating_mul(MAPS),
            words: words.saturating_mul(BITMAPS),
            holders: places,
            events: EVENTS,
            history: HISTORY,
        }
    }
}
