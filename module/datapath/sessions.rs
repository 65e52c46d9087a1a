// SPDX-License-Identifier: GPL-2.0-only

//! The sessions of a cluster that have no socket here which could be asked: UDP where a rule tracks it, tunnels, SCTP,
//! and what this host sent from a VIP. What a session is, and how cells are found, is the core's.
//!
//! *Memory*: the table grows as packets come, in a thread of the kernel, but it is charged to the memory cgroup of the
//! process that made the cluster, like all else that belongs to it: else a container could pin 56 MB for each cluster that
//! it makes. The cluster holds a reference to that group, and grows under its name (`set_active_memcg`). To make the whole
//! table in the process itself would cost every cluster 14 MB (with the default maximum), though most have no session of
//! this kind. Where the group's limit leaves no room the table stays as it is, and no process of the group is killed for it.
//!
//! *Context*: sessions are remembered and asked for in softirq, under RCU, without a lock and without memory being
//! allocated. The table is made when the first session comes and grows fourfold whenever one finds no room, in
//! process context; a session that found none is remembered with its next packet.
//!
//! *Growing*: the larger table is published with the smaller one behind it, and after a grace period nobody writes
//! new sessions into the smaller one. Its sessions are copied, then it is unpublished, and freed after another grace
//! period.
//!
//! *Teardown*: the hooks are unregistered and a grace period is waited for, so nobody asks for growth any more; the
//! work is cancelled, which waits for it to end; the tables are freed with the cluster.

use crate::kapi::clock::now_ns;
use crate::kapi::errand::{Errand, Run};
use crate::kapi::memcg::{zeroed_vec, MemoryGroup};
use crate::kapi::once::Once;
use crate::kapi::random::random_u64;
use crate::kapi::rcu::{read_lock, RcuCell, ReadSide};
use crate::kapi::work::breathe;
use crate::nlb_core::limits::{
    SESSIONS_FIRST, SESSION_FULL_AGAIN_NS, SESSION_GROW_AGAIN_NS, SESSION_SLICE,
};
use crate::nlb_core::packet::Flow;
use crate::nlb_core::session::{self, Cells, Noted, Session, SessionKey, FIELDS, SET};
use crate::nlb_core::siphash::SipKey;
use crate::nlb_core::time::Instant;
use kernel::prelude::*;
use kernel::sync::Arc;

/// What stands in a cell beside its head.
type Fields = [Once<u64>; FIELDS];

/// Cells in memory. The heads stand together: those of a set are one cache line.
struct Table {
    heads: KVVec<Once<u64>>,
    fields: KVVec<Fields>,
}

impl Table {
    /// Empty: a head of 0 is that of an empty cell. Context: process, may sleep. Errors: `ENOMEM`, `EINTR` if nobody
    /// wants it any more.
    fn new(len: usize, closed: &Once<bool>) -> Result<Self> {
        let heads = zeroed_vec(len)?;
        if closed.load() {
            return Err(EINTR);
        }
        let fields = zeroed_vec(len)?;
        Ok(Self { heads, fields })
    }
}

impl Cells for Table {
    fn len(&self) -> usize {
        self.heads.len()
    }

    fn head(&self, cell: usize) -> u64 {
        self.heads.get(cell).map_or(0, Once::load_acquire)
    }

    fn head_after(&self, cell: usize) -> u64 {
        self.heads.get(cell).map_or(0, Once::load_after)
    }

    fn set_head(&self, cell: usize, value: u64) {
        if let Some(head) = self.heads.get(cell) {
            head.store_release(value);
        }
    }

    fn exchange_head(&self, cell: usize, expected: u64, value: u64) -> bool {
        self.heads
            .get(cell)
            .is_some_and(|head| head.exchange(expected, value))
    }

    fn field(&self, cell: usize, field: usize) -> u64 {
        let fields = self.fields.get(cell);
        fields
            .and_then(|fields| fields.get(field))
            .map_or(0, Once::load)
    }

    fn set_field(&self, cell: usize, field: usize, value: u64) {
        let fields = self.fields.get(cell);
        if let Some(place) = fields.and_then(|fields| fields.get(field)) {
            place.store(value);
        }
    }
}

/// The table, and while it grows the smaller one.
struct Tables {
    table: Arc<Table>,
    smaller: Option<Arc<Table>>,
}

/// What the table is asked, and what lets it grow.
struct Store {
    tables: RcuCell<Tables>,
    /// Of the hash: nobody outside can tell where a session stands.
    key: SipKey,
    /// Most sessions that are remembered.
    max: Once<u32>,
    /// When it was last told that there are as many.
    told: Once<u64>,
    /// What is under way shall end soon.
    closed: Once<bool>,
    /// When the table could last not grow for lack of memory; 0 if it never was so.
    failed: Once<u64>,
    /// What the memory is charged to.
    group: MemoryGroup,
}

/// What became of a session that was to be remembered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is remembered, or nobody wants it to be.
    Yes,
    /// Not yet: the table is growing.
    Later,
    /// No: there are as many sessions as there may be, or as there is memory for. Whether that is to be told now.
    Full(bool),
}

impl Store {
    fn recall(&self, side: &ReadSide, key: &SessionKey, its_own: bool, now: Instant) -> bool {
        let Some(tables) = self.tables.load(side) else {
            return false;
        };
        let known =
            |table: &Table| session::Sessions::new(table, &self.key).recall(key, its_own, now);
        known(&tables.table) || tables.smaller.as_deref().is_some_and(known)
    }

    fn note(&self, side: &ReadSide, key: &SessionKey, first: bool, now: Instant) -> Noted {
        let Some(tables) = self.tables.load(side) else {
            return Noted::Full;
        };
        let table = session::Sessions::new(&*tables.table, &self.key);
        if let Some(smaller) = &tables.smaller {
            // What was not copied yet must not stand in both.
            let smaller = session::Sessions::new(&**smaller, &self.key);
            if !table.recall(key, false, now) && smaller.recall(key, !first, now) {
                return Noted::Known;
            }
        }
        table.note(key, first, now)
    }

    /// Cells of the table as it is.
    fn len(&self, side: &ReadSide) -> usize {
        self.tables
            .load(side)
            .map_or(0, |tables| tables.table.len())
    }

    /// The table as it is, to be looked through. Context: process.
    fn table(&self) -> Option<Arc<Table>> {
        let side = read_lock();
        let tables = self.tables.load(&side)?;
        Some(tables.table.clone())
    }

    /// Cells that there may be: whole sets.
    fn len_max(&self) -> usize {
        self.max.load() as usize / SET * SET
    }

    /// Whether the table may be larger, and it makes sense to try now.
    fn can_grow(&self, side: &ReadSide, now: Instant) -> bool {
        let failed = self.failed.load();
        let hopeless = failed != 0 && now.since(Instant(failed)) < SESSION_GROW_AGAIN_NS;
        !hopeless && self.len(side) < self.len_max()
    }

    /// Makes the table, or a larger one. Context: process, may sleep, one thread at a time. Errors: `ENOMEM`, which
    /// leaves things as they were.
    fn grow(&self) -> Result {
        let old = self.table();
        let len = match &old {
            None => SESSIONS_FIRST as usize,
            Some(table) => table.len().saturating_mul(4),
        };
        let len = len.min(self.len_max());
        if old.as_ref().is_some_and(|table| table.len() >= len) {
            return Ok(());
        }
        let table = Arc::new(Table::new(len, &self.closed)?, GFP_KERNEL_ACCOUNT)?;
        // Both boxes are there before anything is published.
        let last = KBox::new(
            Tables {
                table: table.clone(),
                smaller: None,
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        let Some(old) = old else {
            drop(self.tables.replace(Some(last)));
            return Ok(());
        };
        let both = KBox::new(
            Tables {
                table: table.clone(),
                smaller: Some(old.clone()),
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        // Waits: after this no session is written into the smaller one.
        drop(self.tables.replace(Some(both)));
        let larger = session::Sessions::new(&*table, &self.key);
        // What finds no room is forgotten: the larger table has seen a flood meanwhile.
        each(&old, &self.key, &self.closed, |session| {
            let _ = larger.adopt(&session);
        });
        drop(self.tables.replace(Some(last)));
        Ok(())
    }
}

/// Looks at all sessions of a table, in slices, until it is closed. Context: process, may sleep.
fn each(table: &Table, key: &SipKey, closed: &Once<bool>, mut look: impl FnMut(Session)) {
    let sessions = session::Sessions::new(table, key);
    let now = Instant(now_ns());
    for cell in 0..table.len() {
        if let Some(session) = sessions.get(cell, now) {
            look(session);
        }
        if cell & (SESSION_SLICE - 1) == 0 {
            if closed.load() {
                return;
            }
            breathe();
        }
    }
}

impl Run for Store {
    fn run(&self) {
        // Without memory the table stays as it is; later a session that finds no room asks again.
        let grown = self.group.charge(|| self.grow());
        self.failed.store(if grown.is_ok() { 0 } else { now_ns() });
    }
}

/// The sessions of a cluster.
pub(crate) struct Sessions {
    // Dropped first: waits for growth that is under way.
    growth: Pin<KBox<Errand<Store>>>,
    store: Arc<Store>,
}

impl Sessions {
    /// None, and no memory for any yet; what there will be is charged to this process. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new(max: u32) -> Result<Self> {
        let mut secret = [0u8; 16];
        for (to, from) in secret.chunks_exact_mut(8).zip([random_u64(), random_u64()]) {
            for (to, from) in to.iter_mut().zip(from.to_ne_bytes()) {
                *to = from;
            }
        }
        let store = Arc::new(
            Store {
                tables: RcuCell::empty(),
                key: SipKey::new(&secret),
                max: Once::new(max),
                told: Once::new(0),
                closed: Once::new(false),
                failed: Once::new(0),
                group: MemoryGroup::of_current(),
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        Ok(Self {
            growth: Errand::new(store.clone())?,
            store,
        })
    }

    /// Whether the session of a flow is known; if so, and the packet is its own (no ICMP error about it), its time
    /// begins anew. Context: any, under RCU.
    pub(crate) fn recall(&self, side: &ReadSide, flow: &Flow, its_own: bool) -> bool {
        SessionKey::of(flow)
            .is_some_and(|key| self.store.recall(side, &key, its_own, Instant(now_ns())))
    }

    /// Remembers the session of a flow. `first`: this may be its first packet. Context: any, under RCU.
    pub(crate) fn note(&self, side: &ReadSide, flow: &Flow, first: bool) -> Kept {
        if self.max() == 0 {
            return Kept::Yes;
        }
        let now = Instant(now_ns());
        let noted = SessionKey::of(flow).map(|key| self.store.note(side, &key, first, now));
        if noted != Some(Noted::Full) {
            return Kept::Yes;
        }
        if self.store.can_grow(side, now) {
            self.growth.queue();
            return Kept::Later;
        }
        let told = self.store.told.load();
        let again = told == 0 || now.since(Instant(told)) >= SESSION_FULL_AGAIN_NS;
        Kept::Full(again && self.store.told.exchange(told, now.0))
    }

    /// Remembers the session of a tunnel, for there is the TCP connection that controls it. What finds no room is told by its
    /// own packets, and the first of these has made the table. Context: any, under RCU; it takes no lock and wakes no thread.
    pub(crate) fn note_controlled(&self, side: &ReadSide, tcp: &Flow, now: Instant) {
        if self.max() == 0 {
            return;
        }
        if let Some(key) = SessionKey::controlled_by(tcp) {
            let _ = self.store.note(side, &key, false, now);
        }
    }

    /// Most sessions that are remembered.
    pub(crate) fn max(&self) -> u32 {
        self.store.max.load()
    }

    /// Changes that. A table that is larger already stays. Context: any.
    pub(crate) fn set_max(&self, max: u32) {
        self.store.max.store(max);
    }

    /// Lets what is under way in process context, growth and walks, end soon. Context: any.
    pub(crate) fn close(&self) {
        self.store.closed.store(true);
    }

    /// Looks at the flow of each session, as far as it is known: ports are 0 where the session is of all ports.
    /// Ends early once the sessions are closed. Context: process, may sleep; outside all locks.
    pub(crate) fn each(&self, mut look: impl FnMut(&Flow)) {
        if let Some(table) = self.store.table() {
            let store = &self.store;
            each(&table, &store.key, &store.closed, |session| {
                look(&session.key.flow());
            });
        }
    }

    /// How many there are now. Context: as [`Sessions::each`].
    pub(crate) fn count(&self) -> u32 {
        let mut count = 0u32;
        self.each(|_| count = count.saturating_add(1));
        count
    }
}
