// SPDX-License-Identifier: GPL-2.0-only
//! The tables of a node of the protocol, on the heap.

use nlb_core::event::{Event, HistoryEntry};
use nlb_core::limits::{BUCKETS, HOSTS_MAX};
use nlb_core::peer::Peer;
use nlb_core::store::{Parts, Sizes, Storage, View};

/// The tables of a node.
#[derive(Clone)]
pub(crate) struct Tables {
    peers: Vec<Peer>,
    maps: Vec<u8>,
    words: Vec<u64>,
    holders: Vec<u64>,
    events: Vec<Option<Event>>,
    history: Vec<Option<HistoryEntry>>,
}

impl Tables {
    /// Empty ones, with room for so many slots.
    pub(crate) fn new(slots: usize) -> Self {
        let sizes = Sizes::new(HOSTS_MAX, slots, BUCKETS);
        Self {
            peers: vec![Peer::EMPTY; sizes.peers],
            maps: vec![0; sizes.maps],
            words: vec![0; sizes.words],
            holders: vec![0; sizes.holders],
            events: vec![None; sizes.events],
            history: vec![None; sizes.history],
        }
    }
}

impl Storage for Tables {
    fn view(&self) -> View<'_> {
        View {
            peers: &self.peers,
            maps: &self.maps,
            words: &self.words,
            holders: &self.holders,
            history: &self.history,
        }
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts {
            peers: &mut self.peers,
            maps: &mut self.maps,
            words: &mut self.words,
            holders: &mut self.holders,
            events: &mut self.events,
            history: &mut self.history,
        }
    }
}
