// SPDX-License-Identifier: GPL-2.0-only

//! What the packet path reads: an immutable snapshot of the configuration, and the words of ownership.
//!
//! The configuration is published whole, by RCU. Ownership changes far more often than configuration, in
//! softirq context and in two steps that must not fail (release, commit), and every decision looks at one bit
//! of it. So it is not copied: its words are stored in place, each in one piece, and a packet sees the bit
//! before the change or after it.
//!
//! The words belong to the snapshot, for what a slot means follows from the rules: a packet that is looked up in the
//! old rules reads the bits of the old slots, from which everything that another host may have taken is gone.

use crate::cluster::rules::RuleList;
use crate::cluster::settings::Settings;
use crate::cluster::tables::NodeTables;
use crate::kapi::array::boxed_array;
use crate::kapi::hmac::{overwrite, wipe};
use crate::kapi::once::Once;
use crate::kapi::vector::Grow;
use crate::nlb_core::config::{Rules, SlotSet, Terms};
use crate::nlb_core::decide::Buckets;
use crate::nlb_core::filter::{
    self, Filter, FilterError, PlaceV4, PlaceV6, RuleEntry, StorageLen, RULE_ENTRIES, VIP_SLOTS,
};
use crate::nlb_core::genl::Mode;
use crate::nlb_core::host::HostId;
use crate::nlb_core::limits::{BUCKET_WORDS, SEED_LEN};
use crate::nlb_core::node::Node;
use crate::nlb_core::rules::{Rule, Slots};
use crate::nlb_core::siphash::SipKey;
use kernel::prelude::*;

/// The tables of a filter, in memory of their own.
pub(crate) struct Tables {
    vips_v4: KBox<[PlaceV4; VIP_SLOTS]>,
    vips_v6: KBox<[PlaceV6; VIP_SLOTS]>,
    rules: KBox<[RuleEntry; RULE_ENTRIES]>,
    index: KVVec<u16>,
}

impl Tables {
    fn new(len: StorageLen) -> Result<Self> {
        Ok(Self {
            vips_v4: boxed_array(PlaceV4::EMPTY, GFP_KERNEL_ACCOUNT)?,
            vips_v6: boxed_array(PlaceV6::EMPTY, GFP_KERNEL_ACCOUNT)?,
            rules: boxed_array(RuleEntry::EMPTY, GFP_KERNEL_ACCOUNT)?,
            index: KVVec::from_elem(0, len.index, GFP_KERNEL_ACCOUNT)?,
        })
    }
}

impl filter::Storage for Tables {
    fn vips_v4(&self) -> &[PlaceV4; VIP_SLOTS] {
        &self.vips_v4
    }

    fn vips_v6(&self) -> &[PlaceV6; VIP_SLOTS] {
        &self.vips_v6
    }

    fn rules(&self) -> &[RuleEntry; RULE_ENTRIES] {
        &self.rules
    }

    fn index(&self) -> &[u16] {
        &self.index
    }

    fn vips_v4_mut(&mut self) -> &mut [PlaceV4; VIP_SLOTS] {
        &mut self.vips_v4
    }

    fn vips_v6_mut(&mut self) -> &mut [PlaceV6; VIP_SLOTS] {
        &mut self.vips_v6
    }

    fn rules_mut(&mut self) -> &mut [RuleEntry; RULE_ENTRIES] {
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
    /// Who owns what, under these rules.
    pub(crate) owners: Owners,
    /// The rules as they were asked for.
    pub(crate) rules: RuleList,
    /// The settings as they were asked for.
    pub(crate) settings: Settings,
    /// What the node has to know of these.
    pub(crate) terms: Terms,
    /// Digest of what all hosts say alike of both.
    pub(crate) digest: u64,
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        // The hash seed, as it is used.
        overwrite(self.filter.key_mut(), SipKey::new(&[0; SEED_LEN]));
    }
}

/// Of what a filter is made besides the cluster mode, the settings and the rules: it never changes.
pub(crate) struct Base {
    /// The hash seed, a secret; wiped when dropped.
    pub(crate) seed: [u8; SEED_LEN],
    /// The virtual MAC, where it was chosen by hand.
    pub(crate) virtual_mac: Option<[u8; 6]>,
}

impl Drop for Base {
    fn drop(&mut self) {
        wipe(&mut self.seed);
    }
}

impl Base {
    /// What a filter is made of.
    pub(crate) fn settings<'a>(
        &'a self,
        settings: &'a Settings,
        mode: Mode,
        rules: &'a [Rule],
    ) -> filter::Settings<'a> {
        let slots = Slots::of(rules);
        filter::Settings {
            vips: settings.vips(),
            guarded: settings.guarded(),
            rules,
            seed: &self.seed,
            mode,
            virtual_mac: self.virtual_mac,
            default_slot: slots.default,
            spread_slot: slots.spread,
            echo: settings.echo,
            responder: settings.responder,
        }
    }
}

impl Snapshot {
    /// Compiles settings and a list of rules; nothing is owned yet. Context: process. Errors: `ENOMEM`, or what is wrong
    /// with them.
    #[inline(never)]
    pub(crate) fn new(
        base: &Base,
        settings: Settings,
        mode: Mode,
        rules: RuleList,
    ) -> Result<core::result::Result<KBox<Self>, FilterError>> {
        let all = base.settings(&settings, mode, rules.rules());
        let tables = Tables::new(filter::storage_len(&all))?;
        let filter = match Filter::build(&all, tables) {
            Ok(filter) => filter,
            Err(error) => return Ok(Err(error)),
        };
        let terms = settings.terms(base, mode);
        let snapshot = Self {
            filter,
            owners: Owners::new(usize::from(Slots::of(rules.rules()).count()))?,
            digest: filter::digest_together(rules.digest(), terms.settings),
            terms,
            settings,
            rules,
        };
        Ok(Ok(KBox::new(snapshot, GFP_KERNEL_ACCOUNT)?))
    }

    /// What the node has to know of rules and settings, see [`RuleList::for_node`]. Context: any.
    pub(crate) fn for_node(&self, host: HostId, weight: u8, kept: SlotSet) -> Rules {
        Rules {
            digest: self.digest,
            terms: Some(self.terms),
            ..self.rules.for_node(host, weight, kept)
        }
    }
}

/// 64 buckets of a slot, as the packet path reads them: side by side, in one cache line.
struct Words {
    mine: Once<u64>,
    /// Of those that are not mine, the ones of which I may hold sessions; of mine, the ones of which others may.
    moved: Once<u64>,
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
        let mut words = KVVec::with_capacity(len, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..len {
            words.append(
                Words {
                    mine: Once::new(0),
                    moved: Once::new(0),
                },
                GFP_KERNEL_ACCOUNT,
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

    /// Takes over what the node says. Context: under the lock of the node.
    pub(crate) fn follow(&self, node: &Node<NodeTables>) {
        for slot in 0..self.slots as u16 {
            for word in 0..BUCKET_WORDS as u16 {
                if let Some(words) = self.place(slot, word) {
                    let moved = node.moved_word(slot, word);
                    // A bucket is asked about from before it changes hands until after it did: whoever sees that it is
                    // owned sees that others may hold sessions, and whoever does not sees that this host may.
                    words.moved.store(moved | words.moved.load());
                    words.mine.store_release(node.owned_word(slot, word));
                    words.moved.store_release(moved);
                }
            }
        }
        self.is_default_host.store(node.is_default());
    }
}

impl Buckets for Owners {
    #[inline(always)]
    fn mine(&self, slot: u16, word: u16) -> u64 {
        self.place(slot, word)
            .map_or(0, |words| words.mine.load_acquire())
    }

    #[inline(always)]
    fn moved(&self, slot: u16, word: u16) -> u64 {
        self.place(slot, word).map_or(0, |words| words.moved.load())
    }

    #[inline(always)]
    fn word(&self, slot: u16, word: u16) -> Option<(u64, u64)> {
        let words = self.place(slot, word)?;
        Some((words.mine.load_acquire(), words.moved.load()))
    }

    fn others(&self, slot: u16, word: u16) -> u64 {
        self.word(slot, word)
            .map_or(0, |(mine, moved)| mine & moved)
    }

    fn is_default_host(&self) -> bool {
        self.is_default_host.load()
    }
}
