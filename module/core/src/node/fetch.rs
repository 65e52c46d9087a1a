// SPDX-License-Identifier: GPL-2.0-only

//! How a member gets what it lacks for a change, and how others give it.

use super::super::heartbeat::write_list;
use super::super::host::{HostId, HostSet};
use super::super::mapframe::{
    next_input, write_input, Input, MapPart, MapRequest, PartSet, INPUTS_PER_FRAME, PARTS_MAX,
    PART_BUCKETS,
};
use super::super::received::Received;
use super::super::store::Storage;
use super::super::wire::{copy, Phase, Reader, Writer, HEADER_LEN};
use super::own::Half;
use super::Node;

impl<S: Storage> Node<S> {
    fn parts_per_slot(&self) -> usize {
        self.buckets().div_ceil(PART_BUCKETS)
    }

    fn parts_total(&self) -> usize {
        self.slots()
            .saturating_mul(self.parts_per_slot())
            .min(PARTS_MAX)
    }

    /// Where a part is in the owner bytes.
    fn part_range(&self, half: Half, part: usize) -> Option<core::ops::Range<usize>> {
        let slot = part.checked_div(self.parts_per_slot())?;
        let within = part.checked_rem(self.parts_per_slot())?;
        let map = self.map_range(half, slot);
        let start = map.start.checked_add(within.checked_mul(PART_BUCKETS)?)?;
        Some(start..start.checked_add(PART_BUCKETS)?.min(map.end))
    }

    /// Parts of the base map that are not here yet.
    pub(super) fn missing_parts(&self) -> PartSet {
        let mut missing = PartSet::below(self.parts_total());
        for part in 0..self.parts_total() {
            if self.fetched.contains(part) {
                missing.remove(part);
            }
        }
        missing
    }

    /// Asks for what is missing, again and again while it is.
    pub(super) fn ask_again(&mut self) {
        let now = self.now;
        let pause = self.period_ns().wrapping_shr(2).max(1);
        let Some(prepared) = &mut self.prepared else {
            return;
        };
        if prepared.phase == Phase::Fetching && now >= prepared.ask_at {
            prepared.ask_at = now.after(pause);
            self.ask = true;
        }
    }

    #[inline(never)]
    pub(super) fn request_body(&mut self, buf: &mut [u8]) -> Option<usize> {
        self.ask = false;
        let prepared = self
            .prepared
            .filter(|prepared| prepared.phase == Phase::Fetching)?;
        let fetch = !self.has_base(prepared.base);
        let request = MapRequest {
            asked: HostId::new(prepared.id.leader)?,
            id: prepared.base,
            inputs: !self.inputs_known(prepared.members),
            parts: if fetch {
                self.missing_parts()
            } else {
                PartSet::EMPTY
            },
        };
        let mut writer = Writer::new(buf, HEADER_LEN);
        request.write(&mut writer);
        writer.finish()
    }

    /// Somebody lacks something.
    #[inline(never)]
    pub(super) fn on_map_request(&mut self, request: &MapRequest) -> Received {
        if request.asked != self.config.host {
            return Received::NotForUs;
        }
        if request.id == self.view.id && self.in_view() {
            if self.serving_id != self.view.id {
                self.serving = PartSet::EMPTY;
                self.serving_id = self.view.id;
            }
            let total = self.parts_total();
            self.serving.merge(&request.parts, total);
        }
        if request.inputs && self.lead.is_some() && self.now >= self.inputs_after {
            // One answer serves all who have asked for the same.
            self.inputs_after = self.now.after(self.period_ns().wrapping_shr(3));
            self.inputs_wanted = true;
            self.inputs_sent = HostSet::EMPTY;
        }
        Received::MapRequest
    }

    pub(super) fn part_body(&mut self, buf: &mut [u8]) -> Option<usize> {
        let part = self.serving.first()?;
        self.serving.remove(part);
        if self.serving_id != self.view.id {
            self.serving = PartSet::EMPTY;
            return None;
        }
        let range = self.part_range(Half::Committed, part)?;
        let owners = self.storage.view().maps.get(range)?;
        let mut writer = Writer::new(buf, HEADER_LEN);
        MapPart {
            id: self.view.id,
            part: part as u16,
            owners,
        }
        .write(&mut writer);
        writer.finish()
    }

    /// A part of a map: only what the proposal is built on is of interest.
    #[inline(never)]
    pub(super) fn on_map_part(&mut self, part: &MapPart<'_>) -> Received {
        let Some(prepared) = self
            .prepared
            .filter(|prepared| prepared.phase == Phase::Fetching)
        else {
            return Received::NotForUs;
        };
        let index = usize::from(part.part);
        if prepared.base != part.id || self.has_base(prepared.base) || index >= self.parts_total() {
            return Received::NotForUs;
        }
        let Some(range) = self.part_range(Half::Next, index) else {
            return Received::Body;
        };
        match self.storage.parts().maps.get_mut(range) {
            Some(place) if place.len() == part.owners.len() => copy(place, part.owners),
            _ => return Received::Body,
        }
        self.fetched.insert(index);
        Received::MapPart
    }

    /// Weights of the members of the proposal that this host leads, some at a time.
    #[inline(never)]
    pub(super) fn inputs_body(&mut self, buf: &mut [u8]) -> Option<usize> {
        let Some(prepared) = self.prepared.filter(|_| self.lead.is_some()) else {
            self.inputs_wanted = false;
            return None;
        };
        let mut writer = Writer::new(buf, HEADER_LEN);
        let hosts = prepared
            .members
            .minus(self.inputs_sent)
            .first(INPUTS_PER_FRAME);
        write_list(&mut writer, hosts.iter(), |writer, host| {
            write_input(writer, self.input_of(host))
        });
        self.inputs_sent = self.inputs_sent.union(hosts);
        self.inputs_wanted = !prepared.members.minus(self.inputs_sent).is_empty();
        writer.finish()
    }

    fn input_of(&self, host: HostId) -> Input<'_> {
        let slots = self.slots();
        let pending = self
            .staged
            .as_ref()
            .map_or(0, |rules| usize::from(rules.slots));
        let (incarnation, epoch, idle, weights, staged);
        if host == self.config.host {
            (incarnation, epoch, idle) = (self.incarnation, self.epoch, self.is_idle());
            weights = &self.weights;
            staged = self
                .staged
                .as_ref()
                .map_or(&self.config.rules.weights, |rules| &rules.weights);
        } else {
            let peer = self.peer(host);
            (incarnation, epoch, idle) = (peer.inputs_of, peer.epoch, peer.idle);
            (weights, staged) = (&peer.weights, &peer.staged_weights);
        }
        Input {
            host,
            incarnation,
            epoch,
            idle,
            weights: weights.get(..slots).unwrap_or(&[]),
            staged_weights: staged.get(..pending).unwrap_or(&[]),
        }
    }

    /// Weights of members that this host has not heard, from the leader who has.
    #[inline(never)]
    pub(super) fn on_inputs(&mut self, leader: HostId, body: &[u8]) -> Received {
        let fetching = self
            .prepared
            .filter(|prepared| prepared.phase == Phase::Fetching);
        let Some(prepared) = fetching.filter(|prepared| prepared.id.leader == leader.get()) else {
            return Received::NotForUs;
        };
        let mut reader = Reader::new(body);
        let Some(count) = reader.u8() else {
            return Received::Body;
        };
        for _ in 0..count {
            let Some(input) = next_input(&mut reader) else {
                return Received::Body;
            };
            let wanted = prepared.members.contains(input.host) && input.host != self.config.host;
            let Some(peer) = self.peer_mut(input.host).filter(|_| wanted) else {
                continue;
            };
            if peer.next == (input.incarnation, input.epoch) {
                peer.store_inputs(
                    input.incarnation,
                    input.epoch,
                    input.idle,
                    (input.weights, input.staged_weights),
                );
            }
        }
        Received::Inputs
    }
}
