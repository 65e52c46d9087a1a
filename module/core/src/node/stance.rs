// SPDX-License-Identifier: GPL-2.0-only

//! A host whose clients of a rule get no answer gives the rule's buckets up, while another host takes them.
//!
//! The weight of a slot that was given up is told with a mark. The mark is one of the inputs of a change, so all members
//! leave the same hosts out of the assignment; if all hosts that may own buckets have it, all stay in. So the last
//! host never gives up, however many find out at the same moment that they get no answers.
//!
//! Only rules that say so have marks, and the digest of such rules is another one: a host of a version that knows no marks
//! is not in the same cluster.

use super::super::config::SlotKind;
use super::super::genl::Stance;
use super::super::stance::Others;
use super::super::store::Storage;
use super::{Node, SLOTS_MAX};

/// Marks a weight: its host gave the slot up. Above all load weights and handling priorities.
const GAVE_UP: u8 = 0x80;

/// The load weight of a host that tries. In mode single there is no small part to try.
const TRIAL_WEIGHT: u8 = 1;

/// Whether the host that says this of its weight takes buckets.
pub(super) fn takes(told: u8) -> bool {
    told != 0 && told & GAVE_UP == 0
}

/// Slots that a host gave up, of what it says of all of them.
pub(super) fn given_up(told: &[u8]) -> u16 {
    let marked = |told: &u8| u16::from(told & GAVE_UP != 0);
    told.iter().map(marked).fold(0, u16::saturating_add)
}

/// The weight in what a host says of it.
pub(super) fn weight_in(told: u8) -> u8 {
    told & !GAVE_UP
}

/// What a host says of its weight in a slot.
fn told(weight: u8, kind: SlotKind, stance: Stance) -> u8 {
    match (stance, kind) {
        _ if weight == 0 => 0,
        (Stance::Takes, _) | (Stance::Tries, SlotKind::Single) => weight,
        (Stance::GaveUp, _) => weight | GAVE_UP,
        (Stance::Tries, SlotKind::Weighted) => TRIAL_WEIGHT,
    }
}

impl<S: Storage> Node<S> {
    /// Whether this host takes buckets of each slot.
    #[must_use]
    pub fn stances(&self) -> &[Stance; SLOTS_MAX] {
        &self.stances
    }

    /// What the other members do about a slot, as the assignment sees them.
    #[must_use]
    pub fn others_in(&self, slot: usize) -> Others {
        let others = self.view.members.without(self.config.host).iter();
        let told = others
            .filter(|host| self.two_way(*host) && !self.peer(*host).idle)
            .filter_map(|host| self.peer(host).weights.get(slot).copied());
        told.fold(Others::Cannot, |so_far, told| match so_far {
            _ if takes(told) => Others::Take,
            Others::Cannot if weight_in(told) != 0 => Others::Could,
            so_far => so_far,
        })
    }

    /// Takes slots, gives them up, or tries them again.
    pub(super) fn take(&mut self, stances: &[Stance; SLOTS_MAX]) {
        self.stances = *stances;
        let before = self.weights;
        self.tell_weights();
        if self.weights != before {
            self.inputs_changed(true);
            self.by_health = true;
        }
    }

    /// Takes all slots again.
    pub(super) fn take_all(&mut self) {
        self.stances = [Stance::Takes; SLOTS_MAX];
        self.tell_weights();
    }

    /// The weights have changed, or whether they count.
    pub(super) fn tell_weights(&mut self) {
        let rules = &self.config.rules;
        let slots = self.stances.iter().zip(&rules.kinds).zip(&rules.weights);
        for (place, ((stance, kind), weight)) in self.weights.iter_mut().zip(slots) {
            *place = told(*weight, *kind, *stance);
        }
    }
}
