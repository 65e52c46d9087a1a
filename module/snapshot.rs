// SPDX-License-Identifier: GPL-2.0-only

//! What the packet path reads: an immutable snapshot of the configuration, and the words of ownership.
//!
//! The configuration is published whole, by RCU. Ownership changes far more often than configuration, in
//! softirq context and in two steps that must not fail (release, commit), and every decision looks at one bit
//! of it. So it is not copied: its words are stored in place, each in one piece, and a packet sees the bit
//! before the change or after it.

use super::kapi::once::Once;
use super::nlb_core::decide::Buckets;
use super::nlb_core::filter::{self, Filter, FilterError, RuleEntry, Settings, StorageLen, VipEntry};
use super::nlb_core::limits::BUCKET_WORDS;
use kernel::prelude::*;

/// The tables of a filter, in memory of their own.
pub(crate) struct Tables {
    vips: KVec<VipEntry>,
    rules: KVec<RuleEntry>,
    index: KVVec<u16>,
}

impl Tables {
    fn new(len: StorageLen) -> Result<Self> {
        Ok(Self {
            vips: KVec::from_elem(VipEntry::EMPTY, len.vips, GFP_KERNEL)?,
            rules: KVec::from_elem(RuleEntry::EMPTY, len.rules, GFP_KERNEL)?,
            index: KVVec::from_elem(0, len.index, GFP_KERNEL)?,
        })
    }
}

impl filter::Storage for Tables {
    fn vips(&self) -> &[VipEntry] {
        &self.vips
    }

    fn rules(&self) -> &[RuleEntry] {
        &self.rules
    }

    fn index(&self) -> &[u16] {
        &self.index
    }

    fn vips_mut(&mut self) -> &mut [VipEntry] {
        &mut self.vips
    }

    fn rules_mut(&mut self) -> &mut [RuleEntry] {
        &mut self.rules
    }

    fn index_mut(&mut self) -> &mut [u16] {
        &mut self.index
    }
}

/// The configuration as the packet path sees it.
pub(crate) struct Snapshot {
    /// VIPs, rules, hash seed, virtual MAC.
    pub(crate) filter: Filter<Tables>,
}

impl Snapshot {
    /// Compiles the settings. Context: process. Errors: `ENOMEM`, or what is wrong with the settings.
    pub(crate) fn new(settings: &Settings<'_>) -> Result<core::result::Result<KBox<Self>, FilterError>> {
        let tables = Tables::new(filter::storage_len(settings))?;
        match Filter::build(settings, tables) {
            Ok(filter) => Ok(Ok(KBox::new(Self { filter }, GFP_KERNEL)?)),
            Err(error) => Ok(Err(error)),
        }
    }
}

/// 64 buckets of a slot, as the packet path reads them: side by side, in one cache line.
struct Words {
    mine: Once<u64>,
    moved: Once<u64>,
    others: Once<u64>,
}

/// Who owns what, as far as this host needs to know it for a packet.
///
/// Written under the lock of the node alone.
pub(crate) struct Owners {
    words: KVVec<Words>,
    slots: usize,
    is_default_host: Once<bool>,
}

impl Owners {
    /// Owns nothing, in any of `slots` slots. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new(slots: usize) -> Result<Self> {
        let len = slots.checked_mul(BUCKET_WORDS).ok_or(EINVAL)?;
        let mut words = KVVec::with_capacity(len, GFP_KERNEL)?;
        for _ in 0..len {
            words.push(
                Words {
                    mine: Once::new(0),
                    moved: Once::new(0),
                    others: Once::new(0),
                },
                GFP_KERNEL,
            )?;
        }
        Ok(Self {
            words,
            slots,
            is_default_host: Once::new(false),
        })
    }

    /// Number of slots.
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    #[inline(always)]
    fn place(&self, slot: u16, word: u16) -> Option<&Words> {
        let index = usize::from(slot)
            .wrapping_mul(BUCKET_WORDS)
            .wrapping_add(usize::from(word));
        self.words.get(index)
    }

    /// Stores the words of 64 buckets. Context: under the lock of the node.
    pub(crate) fn store(&self, slot: u16, word: u16, mine: u64, moved: u64, others: u64) {
        if let Some(words) = self.place(slot, word) {
            // What is asked because a bucket moved must be known before the bucket is owned.
            words.others.store(others);
            words.moved.store(moved);
            words.mine.store(mine);
        }
    }

    /// Says whether this is the default host. Context: under the lock of the node.
    pub(crate) fn set_default_host(&self, is: bool) {
        self.is_default_host.store(is);
    }
}

impl Buckets for Owners {
    #[inline(always)]
    fn mine(&self, slot: u16, word: u16) -> u64 {
        self.place(slot, word).map_or(0, |words| words.mine.load())
    }

    #[inline(always)]
    fn moved(&self, slot: u16, word: u16) -> u64 {
        self.place(slot, word).map_or(0, |words| words.moved.load())
    }

    #[inline(always)]
    fn word(&self, slot: u16, word: u16) -> (u64, u64) {
        self.place(slot, word)
            .map_or((0, 0), |words| (words.mine.load(), words.moved.load()))
    }

    fn others(&self, slot: u16, word: u16) -> u64 {
        self.place(slot, word).map_or(0, |words| words.others.load())
    }

    fn is_default_host(&self) -> bool {
        self.is_default_host.load()
    }
}
