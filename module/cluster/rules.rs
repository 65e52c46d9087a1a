// SPDX-License-Identifier: GPL-2.0-only

//! The port rules of a cluster: what all hosts say alike, and this host's part in each.

use crate::nlb_core::config::{Rules, SlotKind, SlotSet};
use crate::nlb_core::filter::rules_digest;
use crate::nlb_core::host::HostId;
use crate::nlb_core::limits::{RULES_MAX, SLOTS_MAX};
use crate::nlb_core::rules::{Rule, RuleState, Slots};
use kernel::prelude::*;

/// This host's part in a rule.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// Load weight, 0–100; that of the cluster if it is not told.
    pub(crate) weight: Option<u8>,
    /// Handling priority, 1–64; the host id if it is not told.
    pub(crate) priority: Option<u8>,
}

/// A list of rules.
pub(crate) struct RuleList {
    // Beside each other, for the core takes the rules as a slice. Both have the same length.
    rules: KVec<Rule>,
    shares: KVec<Share>,
}

impl RuleList {
    /// A list without rules, with room for as many as there can be. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            rules: KVec::with_capacity(RULES_MAX, GFP_KERNEL_ACCOUNT)?,
            shares: KVec::with_capacity(RULES_MAX, GFP_KERNEL_ACCOUNT)?,
        })
    }

    /// Adds a rule at the end; false if there is no room for it. Context: any.
    pub(crate) fn push(&mut self, rule: Rule, share: Share) -> bool {
        self.rules.push_within_capacity(rule).is_ok()
            && self.shares.push_within_capacity(share).is_ok()
    }

    /// Adds the rules of another list at the end, as far as there is room. Context: any.
    pub(crate) fn extend(&mut self, other: &RuleList) {
        for (rule, share) in other.rules.iter().zip(&other.shares) {
            if !self.push(*rule, *share) {
                return;
            }
        }
    }

    /// What all hosts say alike, with what this host does about it.
    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule with this number.
    pub(crate) fn get(&self, number: usize) -> Option<(&Rule, &Share)> {
        Some((self.rules.get(number)?, self.shares.get(number)?))
    }

    /// The rule with this number, to be changed in what is this host's own.
    pub(crate) fn get_mut(&mut self, number: usize) -> Option<(&mut RuleState, &mut Share)> {
        Some((
            &mut self.rules.get_mut(number)?.state,
            self.shares.get_mut(number)?,
        ))
    }

    /// The states of the rules of another list that cover the same are taken over, where `told` does not say that
    /// this list has its own.
    pub(crate) fn take_states(&mut self, other: &RuleList, told: impl Fn(usize) -> bool) {
        for (number, rule) in (0..RULES_MAX).zip(&mut self.rules) {
            if told(number) {
                continue;
            }
            if let Some(before) = other.rules.iter().find(|before| before.covers_same(rule)) {
                rule.state = before.state;
            }
        }
    }

    /// Digest of what all hosts say alike.
    pub(crate) fn digest(&self) -> u64 {
        rules_digest(&self.rules)
    }

    /// What the node has to know of the rules by themselves: kinds of the slots, and what this host may take of each.
    ///
    /// `weight` is the load weight of this host for rules that do not name one.
    pub(crate) fn for_node(&self, host: HostId, weight: u8, kept: SlotSet) -> Rules {
        let mut rules = Rules {
            digest: self.digest(),
            terms: None,
            slots: Slots::of(&self.rules).count(),
            kinds: [SlotKind::Single; SLOTS_MAX],
            // The slot after the last rule is for what no rule covers: its owner is the default host.
            weights: [host.get(); SLOTS_MAX],
            kept,
        };
        let places = rules.kinds.iter_mut().zip(&mut rules.weights);
        for ((kind, place), (rule, share)) in places.zip(self.rules.iter().zip(&self.shares)) {
            *kind = rule.slot_kind();
            *place = match (rule.state, *kind) {
                // Whoever takes nothing new owns no bucket.
                (RuleState::Draining | RuleState::Disabled, _) => 0,
                (RuleState::Enabled, SlotKind::Weighted) => share.weight.unwrap_or(weight),
                (RuleState::Enabled, SlotKind::Single) => share.priority.unwrap_or(host.get()),
            };
        }
        rules
    }
}
