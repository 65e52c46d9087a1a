// SPDX-License-Identifier: GPL-2.0-only

//! The memory of a node, made once in process context.
//!
//! As all memory of a cluster it is charged to the memory cgroup of the process that made the cluster, which with a user
//! namespace any user can do. (What grows later is charged to the same group, see `sessions.rs`.)

use crate::nlb_core::event::{Event, HistoryEntry};
use crate::nlb_core::limits::{BUCKETS, HOSTS_MAX};
use crate::nlb_core::peer::Peer;
use crate::nlb_core::store::{Parts, Sizes, Storage, View};
use kernel::prelude::*;

/// The tables of a node for 64 hosts and all buckets.
///
/// What grows with the rules is in single pages, however few there are: with 64 rules there is one slot more than a power
/// of two, to which memory in one piece is rounded up. No packet reads these tables, so that they are not in one large
/// page costs none.
pub(crate) struct NodeTables {
    peers: KVVec<Peer>,
    maps: VVec<u8>,
    words: VVec<u64>,
    holders: VVec<u64>,
    events: KVVec<Option<Event>>,
    history: KVVec<Option<HistoryEntry>>,
}

impl NodeTables {
    /// Tables for as many slots. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new(slots: usize) -> Result<Self> {
        let sizes = Sizes::new(HOSTS_MAX, slots, BUCKETS);
        Ok(Self {
            peers: KVVec::from_elem(Peer::EMPTY, sizes.peers, GFP_KERNEL_ACCOUNT)?,
            maps: VVec::from_elem(0, sizes.maps, GFP_KERNEL_ACCOUNT)?,
            words: VVec::from_elem(0, sizes.words, GFP_KERNEL_ACCOUNT)?,
            holders: VVec::from_elem(0, sizes.holders, GFP_KERNEL_ACCOUNT)?,
            events: KVVec::from_elem(None, sizes.events, GFP_KERNEL_ACCOUNT)?,
            history: KVVec::from_elem(None, sizes.history, GFP_KERNEL_ACCOUNT)?,
        })
    }
}

impl Storage for NodeTables {
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
