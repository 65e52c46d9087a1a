// SPDX-License-Identifier: GPL-2.0-only

//! Agreement, minimal and balanced: what hosts with one generation must have in common, and what a generation may
//! change.

use std::collections::BTreeMap;

use nlb_core::config::SlotKind;

use super::{Property, Violation};
use crate::frames::{self, Inputs, Proposal};
use crate::webster;

/// The full name of a generation: its number, who led it, and in which incarnation.
pub(crate) type Key = (u64, u8, u64);

/// How a slot is shared out in one generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shares {
    /// `(host id, load weight)` of the members.
    Weighted(Vec<(u8, u64)>),
    /// `(host id, priority)` of the members that may own; the best (lowest) has everything.
    Single(Vec<(u8, u8)>),
}

/// What a host says of its generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// Host ids, bit `id - 1` each.
    pub(crate) members: u64,
    /// Digest of the settings and of the rules that are in force.
    pub(crate) rules: u64,
    /// Owner of each bucket of each slot, 0 for nobody.
    pub(crate) maps: Vec<Vec<u8>>,
}

/// All generations that any host has ever shown.
pub(crate) struct Agreement {
    generations: BTreeMap<Key, View>,
    proposals: BTreeMap<Key, Proposal>,
    /// What each incarnation of a host brought to the assignment, by the number that it gave it.
    inputs: BTreeMap<(u8, u64, u32), Inputs>,
    quotas: BTreeMap<Vec<(u8, u64)>, [u32; 65]>,
    kinds: Vec<SlotKind>,
    buckets: usize,
    /// Buckets that changed hands, over all generations with a base.
    pub(crate) moved: u64,
    /// Generations whose inputs never passed on the wire, so that their shares could not be checked.
    pub(crate) unchecked: u64,
}

impl Agreement {
    pub(crate) fn new(kinds: Vec<SlotKind>, buckets: usize) -> Self {
        Agreement {
            generations: BTreeMap::new(),
            proposals: BTreeMap::new(),
            inputs: BTreeMap::new(),
            quotas: BTreeMap::new(),
            kinds,
            buckets,
            moved: 0,
            unchecked: 0,
        }
    }

    /// Reads off a frame on the wire what was proposed, and from which inputs.
    pub(crate) fn hear(&mut self, frame: &[u8]) {
        if let Some(proposal) = frames::proposal(frame) {
            self.proposals.entry(proposal.key).or_insert(proposal);
        } else if let Some(inputs) = frames::inputs(frame) {
            assert_eq!(
                inputs.weights.len(),
                self.kinds.len(),
                "heartbeats have the layout that is documented"
            );
            self.inputs
                .entry((inputs.host, inputs.incarnation, inputs.epoch))
                .or_insert(inputs);
        }
    }

    /// How many generations there have been.
    pub(crate) fn count(&self) -> u64 {
        self.generations.len() as u64
    }

    /// A host shows generation `key`: the first to do so has its shares checked, all others must show the same.
    pub(crate) fn show(
        &mut self,
        now: u64,
        host: usize,
        key: Key,
        view: View,
    ) -> Result<(), Violation> {
        let Some(known) = self.generations.get(&key) else {
            self.generations.insert(key, view);
            return self.check_shares(now, key);
        };
        let what = if known.members != view.members {
            format!(
                "members {:#x} instead of {:#x}",
                view.members, known.members
            )
        } else if known.rules != view.rules {
            format!("rules {:#x} instead of {:#x}", view.rules, known.rules)
        } else if known.maps != view.maps {
            "another map".to_owned()
        } else {
            return Ok(());
        };
        Err(Violation {
            property: Property::Agreement,
            at: now,
            text: format!("host #{host} has in generation {key:?} {what}"),
        })
    }

    /// Checks a new generation against the proposal that it comes from. A host that is alone proposes nothing, and
    /// what it brings may not have been told yet.
    fn check_shares(&mut self, now: u64, key: Key) -> Result<(), Violation> {
        let Some(proposal) = self.proposals.get(&key).cloned() else {
            self.unchecked += 1;
            return Ok(());
        };
        for slot in 0..self.kinds.len() {
            let Some(shares) = self.shares(&proposal, slot) else {
                self.unchecked += 1;
                return Ok(());
            };
            self.balanced(now, key, slot, &shares)?;
            if proposal.rules
                == self
                    .generations
                    .get(&proposal.base)
                    .map_or(0, |base| base.rules)
            {
                self.minimal(now, key, proposal.base, slot, &shares)?;
            }
        }
        Ok(())
    }

    /// How a slot has to be shared out according to a proposal; `None` if the inputs of a member are not known.
    fn shares(&self, proposal: &Proposal, slot: usize) -> Option<Shares> {
        let weights = proposal.members.iter().map(|member| {
            let inputs = self.inputs.get(member)?;
            let weight = inputs.weights_under(proposal.rules).get(slot).copied()?;
            Some((member.0, if inputs.idle { 0 } else { weight }))
        });
        let weights = weights.collect::<Option<Vec<_>>>()?;
        Some(match self.kinds[slot] {
            SlotKind::Weighted => Shares::Weighted(
                weights
                    .into_iter()
                    .map(|(id, weight)| (id, weight.into()))
                    .collect(),
            ),
            SlotKind::Single => Shares::Single(
                weights
                    .into_iter()
                    .filter(|(_, priority)| *priority > 0)
                    .collect(),
            ),
        })
    }

    /// Checks the shares of a new generation: each host has its Webster quota.
    fn balanced(
        &mut self,
        now: u64,
        key: Key,
        slot: usize,
        shares: &Shares,
    ) -> Result<(), Violation> {
        let quotas = self.quotas(shares);
        let view = &self.generations[&key];
        let mut counts = [0u32; 65];
        for &owner in &view.maps[slot] {
            counts[usize::from(owner)] += 1;
        }
        for (host, (&count, &quota)) in counts.iter().zip(&quotas).enumerate().skip(1) {
            // Ties go to the lower host id, so a share is exact and not only within one bucket.
            if count != quota {
                return Err(Violation {
                    property: Property::Balanced,
                    at: now,
                    text: format!(
                        "generation {key:?} slot {slot}: host {host} has {count} buckets, its share is {quota}"
                    ),
                });
            }
        }
        Ok(())
    }

    /// Checks that a new generation moves from its base only what must move: what nobody or no member owned, and
    /// what is beyond its owner's new share.
    fn minimal(
        &mut self,
        now: u64,
        key: Key,
        base: Key,
        slot: usize,
        shares: &Shares,
    ) -> Result<(), Violation> {
        let quotas = self.quotas(shares);
        let (Some(old), Some(new)) = (self.generations.get(&base), self.generations.get(&key))
        else {
            return Ok(());
        };
        let mut counts = [0u32; 65];
        for &owner in &old.maps[slot] {
            counts[usize::from(owner)] += 1;
        }
        let must: u32 = counts
            .iter()
            .zip(&quotas)
            .skip(1)
            .map(|(count, quota)| count.saturating_sub(*quota))
            .sum();
        let moved = old.maps[slot]
            .iter()
            .zip(&new.maps[slot])
            .filter(|(old, new)| **old != 0 && old != new)
            .count();
        self.moved += moved as u64;
        if moved as u64 > u64::from(must) {
            return Err(Violation {
                property: Property::Minimal,
                at: now,
                text: format!(
                    "generation {key:?} from {base:?} slot {slot}: {moved} buckets moved, {must} had to"
                ),
            });
        }
        Ok(())
    }

    fn quotas(&mut self, shares: &Shares) -> [u32; 65] {
        match shares {
            Shares::Single(members) => {
                let mut quotas = [0; 65];
                if let Some(&(best, _)) = members
                    .iter()
                    .min_by_key(|(host, priority)| (*priority, *host))
                {
                    quotas[usize::from(best)] = self.buckets as u32;
                }
                quotas
            }
            Shares::Weighted(weights) => {
                let buckets = self.buckets;
                *self
                    .quotas
                    .entry(weights.clone())
                    .or_insert_with(|| webster::quotas(weights, buckets))
            }
        }
    }
}
