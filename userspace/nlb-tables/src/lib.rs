// SPDX-License-Identifier: GPL-2.0-only

//! The tables of a node, as vectors: what a [`Storage`] is outside the kernel.

use std::hash::{Hash, Hasher};

use nlb_core::event::{Event, HistoryEntry};
use nlb_core::peer::Peer;
use nlb_core::store::{Parts, Sizes, Storage, View};

/// The tables of a node, on the heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    peers: Vec<Peer>,
    maps: Vec<u8>,
    words: Vec<u64>,
    holders: Vec<u64>,
    events: Vec<Option<Event>>,
    history: Vec<Option<HistoryEntry>>,
}

impl Tables {
    /// Empty ones, just as long as they must be.
    #[must_use]
    pub fn new(sizes: Sizes) -> Self {
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

/// Events and history are left out: the core writes them and never reads them, so that states which differ in them
/// alone are the same to a search of states.
impl Hash for Tables {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.peers.hash(state);
        self.maps.hash(state);
        self.words.hash(state);
        self.holders.hash(state);
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
