// SPDX-License-Identifier: GPL-2.0-only

//! Rules that are staged, and how they come into force; with them, settings, if others are staged.
//!
//! Staged rules wait until all members have staged the same digest; then a change of their own puts them in force.
//! The slots of the old rules and those of the new ones are the same only as far as [`super::Rules::kept`] says.
//! In all others a bucket of the old rules holds other packets than the bucket of that number under the new
//! ones: every host lets go of all of them before any takes one, and afterwards all count as moved, with sessions
//! anywhere.

use super::super::config::{Rules, SlotSet};
use super::super::event::Event;
use super::super::store::{Storage, BITMAPS, MAPS};
use super::super::wire::copy;
use super::view::is_ready;
use super::{CommandError, Node, Prepared};

impl<S: Storage> Node<S> {
    /// Refuses rules that cannot be staged, or cannot be any more.
    #[inline(never)]
    pub(super) fn check_stage(&self, rules: Option<&Rules>) -> Result<(), CommandError> {
        if let Some(rules) = rules {
            rules.check().map_err(|_| CommandError::Rules)?;
            if usize::from(rules.slots) > self.slots_room() || rules.digest == 0 {
                return Err(CommandError::Rules);
            }
        }
        // The others may have committed already what this host has acknowledged.
        let acknowledged = self.prepared.filter(|_| self.has_acknowledged_staged());
        match acknowledged {
            Some(prepared) if rules.is_none_or(|rules| rules.digest != prepared.rules) => {
                Err(CommandError::Changing)
            }
            _ => Ok(()),
        }
    }

    /// Stages rules, or forgets the staged ones. The rules in force are nothing to wait for: those that were staged are
    /// forgotten, and the weights are taken over. A host that takes no part has nobody to wait for.
    #[inline(never)]
    pub(super) fn stage(&mut self, rules: Option<Rules>) {
        let (same, rules) = match rules {
            Some(rules) if rules.digest == self.config.rules.digest => (Some(rules), None),
            rules => (None, rules),
        };
        let mut changed = self.staged != rules;
        self.staged = rules;
        self.timing_staged();
        if let Some(same) = same {
            changed |= self.config.rules.weights != same.weights;
            self.config.rules.weights = same.weights;
            self.tell_weights();
        }
        if let Some(digest) = rules
            .map(|rules| rules.digest)
            .filter(|_| !self.takes_part())
        {
            self.activate_rules(digest, true);
        }
        self.inputs_changed(changed);
    }

    /// Whether a proposal puts the staged rules in force.
    pub(super) fn brings_rules(&self, prepared: &Prepared) -> bool {
        prepared.rules != self.config.rules.digest && prepared.rules == self.staged()
    }

    /// Whether this host has acknowledged a proposal that does.
    pub(super) fn has_acknowledged_staged(&self) -> bool {
        self.prepared
            .is_some_and(|prepared| is_ready(prepared.phase) && self.brings_rules(&prepared))
    }

    /// Whether the staged rules bring other settings.
    pub(super) fn settings_change(&self) -> bool {
        let staged = self.staged.as_ref().and_then(|rules| rules.terms);
        staged.is_some_and(|terms| terms != self.config.terms)
    }

    /// The slots that a proposal keeps: all, unless it brings new rules.
    pub(super) fn kept_slots(&self, rules: u64) -> SlotSet {
        if rules == self.config.rules.digest {
            return SlotSet::ALL;
        }
        let staged = self.staged.as_ref();
        staged
            .filter(|staged| staged.digest == rules)
            .map_or(SlotSet::EMPTY, |staged| staged.kept)
    }

    /// Whether some slot that is in use, now or under the staged rules, is not the same under both.
    pub(super) fn slots_change(&self) -> bool {
        let Some(staged) = &self.staged else {
            return false;
        };
        let slots = self.slots().max(usize::from(staged.slots));
        (0..slots).any(|slot| !staged.kept.contains(slot))
    }

    /// Puts the staged rules in force if they are those: the slots that were kept; all if they are not. `tell`: the others
    /// do not know that it happens.
    #[inline(never)]
    pub(super) fn activate_rules(&mut self, digest: u64, tell: bool) -> SlotSet {
        if digest == self.config.rules.digest {
            return SlotSet::ALL;
        }
        let Some(rules) = self.staged.filter(|rules| rules.digest == digest) else {
            return SlotSet::ALL;
        };
        self.staged = None;
        let before = self.config.terms;
        self.config.terms = rules.terms.unwrap_or(before);
        self.config.rules = Rules {
            terms: None,
            ..rules
        };
        self.timing_changed(before.timing);
        self.take_all();
        self.event(Event::RulesActivated { digest });
        self.forget_slots(rules.kept, tell);
        rules.kept
    }

    /// Every bucket of the slots that were not kept may have sessions here; slots that there are no more have none.
    fn forget_slots(&mut self, kept: SlotSet, tell: bool) {
        let slots = self.slots();
        for slot in (0..self.slots_room()).filter(|slot| !kept.contains(*slot)) {
            if slot >= slots {
                self.forget_slot(slot);
            } else if self.takes_part() {
                self.hold_slot(slot, tell);
            }
        }
        self.ownership_changed();
    }

    /// Takes a larger storage in place of the one it has, which is given back: then more slots can be staged.
    /// It must be as new, and not have fewer hosts, events, history or slots; otherwise it is given back itself.
    ///
    /// *Work*: the storage is copied.
    ///
    /// # Errors
    ///
    /// The storage that was given does not fit.
    pub fn enlarge(&mut self, mut storage: S) -> Result<S, S> {
        let (old, new) = (self.storage.parts(), storage.parts());
        let fits = old.peers.len() == new.peers.len()
            && old.events.len() == new.events.len()
            && old.history.len() == new.history.len()
            && old.maps.len() <= new.maps.len()
            && old.words.len() <= new.words.len()
            && old.holders.len() <= new.holders.len();
        if !fits {
            return Err(storage);
        }
        copy_all(new.peers, old.peers);
        copy_all(new.events, old.events);
        copy_all(new.history, old.history);
        copy_parts(new.maps, old.maps, MAPS, copy);
        copy_parts(new.words, old.words, BITMAPS, copy_all);
        copy_all(new.holders, old.holders);
        Ok(core::mem::replace(&mut self.storage, storage))
    }
}

fn copy_all<T: Copy>(to: &mut [T], from: &[T]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// Copies tables of `parts` equal parts, each part to the beginning of the same part.
fn copy_parts<T>(to: &mut [T], from: &[T], parts: usize, copy: impl Fn(&mut [T], &[T])) {
    let (Some(room), Some(len)) = (to.len().checked_div(parts), from.len().checked_div(parts))
    else {
        return;
    };
    if room == 0 || len == 0 {
        return;
    }
    let (mut to, mut from) = (to, from);
    while let (Some((to_part, to_rest)), Some((from_part, from_rest))) =
        (to.split_at_mut_checked(room), from.split_at_checked(len))
    {
        copy(to_part, from_part);
        (to, from) = (to_rest, from_rest);
    }
}
