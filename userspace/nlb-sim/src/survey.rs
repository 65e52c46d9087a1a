// SPDX-License-Identifier: GPL-2.0-only

//! What the checkers are told of the world: who runs, who reaches whom, who was let go, and who may own what.

use nlb_core::node::Node;
use nlb_core::state::{Cause, OutReason};
use nlb_tables::Tables;

use crate::check::calm::{Set, each, one};
use crate::host::Role;
use crate::network::Way;
use crate::world::World;

impl World<'_> {
    pub(crate) fn survey_if_changed(&mut self, host: usize) {
        if self.hosts[host].runs() != (self.calm.running & one(host) != 0) {
            let now = self.queue.now();
            if self.hosts[host].runs() {
                self.calm.begins(now, host);
            } else if !self.was_let_go(host) && self.hosts[host].has_waited(now) {
                // Its time was up before the others had taken over, and its farewells may get lost: it dies. Until then
                // it must wait for them: what is without an owner meanwhile is measured as a planned change.
                self.calm.disturb(now, host);
            }
            self.hosts[host].leaving_since = None;
            if self.hosts[host].runs() {
                self.survey();
                if !self.is_reached_without(host, host) {
                    // Its segment was cut before it began, and it has to find that out.
                    self.calm.disturb(now, host);
                }
            } else {
                self.survey_without(host);
            }
        }
        self.note_displaced(host);
    }

    /// A host has gone. If nobody could take over, those on the other side of a cut never knew of it, and begin as from cold.
    pub(crate) fn survey_without(&mut self, gone: usize) {
        let others = self.calm.component[gone] & self.calm.running & !one(gone);
        self.survey();
        self.missed_on_segment(gone);
        if others == 0 && self.calm.whole() {
            self.owners.begin_from_cold(self.queue.now());
        }
    }

    /// A host that is alone in its view wants no buckets any more, of a slot or at all, or leaves before it has a link with
    /// anybody: those who have not joined it yet begin as from cold.
    pub(crate) fn has_no_successor(&mut self) {
        if self.calm.whole() {
            self.owners.begin_from_cold(self.queue.now());
        }
    }

    /// A host that has not listened may give its place up to another one of its id, which does not serve yet: what that one
    /// has to begin counts from its own start.
    fn note_displaced(&mut self, host: usize) {
        let out = |node: &Node<Tables>| node.out_reason() == OutReason::DuplicateId;
        if !self.hosts[host].node.as_ref().is_some_and(out) {
            return;
        }
        let waits = |node: &Node<Tables>| node.generation().is_none() && !out(node);
        let waiting = |&twin: &usize| {
            let twin = &self.hosts[twin];
            twin.runs() && twin.node.as_ref().is_some_and(waits)
        };
        let silence = self.plan.period_ns * u64::from(self.plan.tolerance);
        for twin in self.twins(host).filter(waiting).collect::<Vec<_>>() {
            self.calm.displace(host, twin, silence);
        }
    }

    /// The other hosts of this one's id, with power or without.
    pub(crate) fn twins(&self, host: usize) -> impl Iterator<Item = usize> {
        let id = self.hosts[host].id;
        (0..self.hosts.len()).filter(move |&other| other != host && self.hosts[other].id == id)
    }

    /// Whether some host has a generation without this one, or none has any.
    pub(crate) fn was_let_go(&self, host: usize) -> bool {
        let id = self.hosts[host].id;
        let mut views = self
            .hosts
            .iter()
            .enumerate()
            .filter(|(other, of)| {
                let reached = self.calm.component[host] & one(*other) != 0;
                *other != host && reached && of.role == Role::Member && of.runs()
            })
            .filter_map(|(_, of)| of.node.as_ref())
            .filter(|node| !node.generation().is_none())
            .map(|node| node.view_members().contains(id))
            .peekable();
        views.peek().is_none() || views.any(|listed| !listed)
    }

    /// Tells the checkers who runs, who reaches whom, and who may own what.
    pub(crate) fn survey(&mut self) {
        let now = self.queue.now();
        let running = self
            .hosts
            .iter()
            .enumerate()
            .filter(|(_, host)| host.runs() && host.role != Role::OtherKey)
            .fold(0, |set, (index, _)| set | one(index));
        self.calm.survey(now, &self.network, running);
        self.set_eligible();
    }

    /// A host came into a view, or has none any more.
    ///
    /// Hosts that speak no version in common can prove nothing to each other. One that is in no view begins none while it
    /// hears that the others serve; but where both sides began while they could not hear each other, both go on when
    /// they meet, since nobody gives up its service for what may be a replay. Whoever joins a side finds it as it is.
    pub(crate) fn note_view(&mut self, index: usize, had_none: bool) {
        let Some(node) = &self.hosts[index].node else {
            return;
        };
        let has_none = node.generation().is_none();
        if !had_none && !has_none {
            return;
        }
        let now = self.now();
        // What is not proved is believed for three periods.
        let silence = self.limits.silence.min(3 * self.plan.period_ns);
        let (members, last) = (node.view_members(), node.history().last());
        let serving = |&other: &usize| {
            let node = self.hosts[other].node.as_ref();
            other != index && node.is_some_and(|node| !node.generation().is_none())
        };
        let serving = (0..self.hosts.len()).filter(serving);
        let from_cold = last.is_some_and(|entry| entry.cause == Cause::ColdStart);
        let beside: Set = if has_none {
            0
        } else if from_cold {
            let strange = |&other: &usize| !self.have_version_in_common(index, other);
            serving
                .filter(strange)
                .filter(|&other| self.calm.unheard(now, other, index, silence))
                .fold(0, |set, other| set | one(other))
        } else {
            serving
                .filter(|&other| members.contains(self.hosts[other].id))
                .fold(0, |set, other| set | self.owners.beside(other))
        };
        if from_cold && !has_none && self.twins(index).any(|twin| self.waits_as_twin(twin)) {
            // It waits for the same one to go, and begins as well unless it hears of this in time.
            self.calm.disturb(now, index);
        }
        self.owners.set_beside(index, beside & !one(index));
    }

    /// Whether a host is kept out by another one of its id.
    fn waits_as_twin(&self, host: usize) -> bool {
        let node = self.hosts[host].node.as_ref();
        node.is_some_and(|node| node.out_reason() == OutReason::DuplicateId)
    }

    fn have_version_in_common(&self, a: usize, b: usize) -> bool {
        let (a, b) = (self.hosts[a].config.versions, self.hosts[b].config.versions);
        a.0 <= b.1 && b.0 <= a.1
    }

    /// Tells the checkers who may own what.
    pub(crate) fn set_eligible(&mut self) {
        let now = self.queue.now();
        let router = self.router();
        for slot in 0..=self.plan.slots.len() {
            let eligible = self
                .hosts
                .iter()
                .enumerate()
                .filter(|(index, host)| {
                    let on_segment = !self.network.relay_exists
                        || self.network.passes(Way::Segment, router, *index);
                    on_segment
                        && !self.is_alone_on_segment(*index)
                        && !self.is_out_for_rules(*index)
                        && host.eligible(if slot == self.plan.slots.len() {
                            usize::MAX
                        } else {
                            slot
                        })
                })
                .fold(0, |set, (index, _)| set | one(index));
            self.owners.set_eligible(now, slot, eligible);
        }
    }

    /// Whether a host is in no view while one that it reaches serves with other rules or settings: it is kept out until
    /// administrators have given all the same.
    pub(crate) fn is_out_for_rules(&self, host: usize) -> bool {
        let Some(node) = &self.hosts[host].node else {
            return false;
        };
        if !node.generation().is_none() {
            return false;
        }
        let own = (node.config().rules.digest, node.config().terms.settings);
        let reached = self.calm.component[host] & self.calm.running & !one(host);
        let others = each(reached).filter_map(|other| self.hosts[other].node.as_ref());
        let mut serving = others.filter(|node| !node.generation().is_none());
        serving.any(|node| (node.config().rules.digest, node.config().terms.settings) != own)
    }
}
