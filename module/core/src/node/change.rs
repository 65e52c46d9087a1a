// SPDX-License-Identifier: GPL-2.0-only

//! A member's side of a change: prepare, release, commit.

use super::super::change::{Change, Step};
use super::super::event::{Event, HistoryEntry};
use super::super::host::HostSet;
use super::super::peer::Flaps;
use super::super::received::Received;
use super::super::state::HostState;
use super::super::store::Storage;
use super::super::time::Instant;
use super::super::wire::{GenId, Header, Phase};
use super::view::is_ready;
use super::{Committed, Node, PartSet, Prepared, Urgency};

/// Joins of a host that are not held against it.
const FLAPS_FREE: u8 = 6;

/// One join is forgotten after this many times the silence.
const FLAP_FORGET: u64 = 10;

/// A host that came too often is held out for the silence times a power of two, up to this power.
const FLAP_POWER_MAX: u32 = 5;

impl<S: Storage> Node<S> {
    /// A step of a change, from a host in a session.
    #[inline(never)]
    pub(super) fn on_change(&mut self, header: &Header, change: &Change<'_>) -> Received {
        let head = &change.head;
        let id = GenId {
            number: head.number,
            leader: header.host.get(),
            incarnation: header.incarnation,
        };
        self.number_seen = self.number_seen.max(id.number);
        if !self.two_way(header.host) {
            return Received::NotForUs;
        }
        match head.step {
            Step::Prepare => self.on_prepare(id, change),
            Step::Release => self.on_release(id),
            Step::Commit => self.on_commit(id),
        }
    }

    fn on_prepare(&mut self, id: GenId, change: &Change<'_>) -> Received {
        if self.prepared.is_some_and(|prepared| prepared.id == id) {
            self.hurry(Urgency::Soon);
            return Received::Change;
        }
        let head = &change.head;
        if self.has_acknowledged(head.base) {
            // The leader builds on what is only prepared here: so it was committed.
            self.commit_prepared();
        }
        self.expire();
        self.follow_anew();
        if !self.accepts_proposal(id, change) {
            return Received::NotForUs;
        }
        self.take_up(id, change);
        Received::Change
    }

    /// Whether a proposal is one that this host has to answer: from the leader that it follows, newer than all it
    /// knows, built on its own view or on a newer one, and about this host.
    fn accepts_proposal(&self, id: GenId, change: &Change<'_>) -> bool {
        let me = self.config.host;
        let from_leader = self
            .follows
            .is_some_and(|leader| leader.get() == id.leader && leader != me);
        let newer = id.number > self.view.id.number
            && self.prepared.is_none_or(|prepared| {
                prepared.id.leader != id.leader || prepared.id.number < id.number
            });
        // What was acknowledged to a live leader may yet be committed.
        let same_leader = self
            .prepared
            .is_some_and(|prepared| prepared.id.leader == id.leader);
        let free = same_leader || !self.is_promised();
        let base = change.head.base;
        let on_ours = !self.in_view() || base == self.view.id || base.number > self.view.id.number;
        let listed = change
            .entries()
            .any(|entry| entry.host == me && entry.incarnation == self.incarnation);
        from_leader
            && newer
            && free
            && on_ours
            && (listed || (self.in_view() && base == self.view.id))
    }

    #[inline(never)]
    fn take_up(&mut self, id: GenId, change: &Change<'_>) {
        let head = &change.head;
        let mut members = HostSet::EMPTY;
        for entry in change.entries() {
            members.insert(entry.host);
            if let Some(peer) = self.peer_mut(entry.host) {
                peer.next = (entry.incarnation, entry.epoch);
            }
        }
        self.fetched = PartSet::EMPTY;
        self.ask = false;
        self.lead = None;
        let wait = self.period_ns().wrapping_shr(3);
        let has_base = self.has_base(head.base);
        self.prepared = Some(Prepared {
            id,
            base: head.base,
            base_digest: head.base_digest,
            result: head.result,
            members,
            rules: head.rules,
            cause: head.cause,
            about: head.about,
            phase: Phase::Fetching,
            since: self.now,
            ask_at: if has_base {
                self.now.after(wait)
            } else {
                self.now
            },
            default_host: None,
            moved: 0,
        });
        if !members.contains(self.config.host) {
            // This host is not in the result: it needs no map to let go of everything.
            self.enter_phase(Phase::Ready);
        }
    }

    /// Whether the base of a proposal need not be fetched.
    pub(super) fn has_base(&self, base: GenId) -> bool {
        base.is_none() || base == self.view.id
    }

    pub(super) fn enter_phase(&mut self, phase: Phase) {
        if let Some(prepared) = &mut self.prepared {
            prepared.phase = phase;
            prepared.ask_at = Instant::NEVER;
        }
        self.hurry(Urgency::Now);
    }

    /// Computes the map of the proposal, once everything that it is computed from is there.
    #[inline(never)]
    pub(super) fn try_prepare(&mut self) {
        let Some(prepared) = self
            .prepared
            .filter(|prepared| prepared.phase == Phase::Fetching)
        else {
            return;
        };
        let staged = prepared.rules != self.config.rules.digest;
        if staged && prepared.rules != self.pending() {
            self.enter_phase(Phase::RefusedRules);
            return;
        }
        let fetched = !self.has_base(prepared.base);
        if (fetched && !self.missing_parts().is_empty()) || !self.inputs_known(prepared.members) {
            return;
        }
        if !fetched {
            self.start_next(!prepared.base.is_none());
        }
        if !prepared.base.is_none() && self.next_digest(self.slots()) != prepared.base_digest {
            self.enter_phase(Phase::RefusedBase);
            return;
        }
        let computed = self.compute_next(staged, prepared.members, HostSet::EMPTY);
        if computed.digest != prepared.result {
            self.enter_phase(Phase::RefusedResult);
            return;
        }
        let default_host = self.not_idle(prepared.members).lowest();
        if let Some(prepared) = &mut self.prepared {
            prepared.default_host = default_host;
            prepared.moved = computed.moved;
        }
        self.enter_phase(Phase::Ready);
    }

    /// Whether the weights that a proposal names are those that are known here.
    pub(super) fn inputs_known(&self, members: HostSet) -> bool {
        let me = self.config.host;
        members.iter().all(|host| {
            let peer = self.peer(host);
            if host == me {
                peer.next == (self.incarnation, self.epoch)
            } else {
                peer.next == (peer.inputs_of, peer.epoch)
            }
        })
    }

    fn on_release(&mut self, id: GenId) -> Received {
        let Some(prepared) = self.prepared.filter(|prepared| prepared.id == id) else {
            return Received::NotForUs;
        };
        match prepared.phase {
            Phase::Ready => self.release(),
            Phase::Released => self.hurry(Urgency::Soon),
            _ => return Received::NotForUs,
        }
        Received::Change
    }

    /// Lets go of what the proposal takes away; from here on only a commit gives anything back.
    pub(super) fn release(&mut self) {
        let Some(prepared) = self.prepared else {
            return;
        };
        let me = self.config.host;
        let listed = prepared.members.contains(me);
        self.release_lost(listed, self.kept_slots(prepared.rules));
        if self.default_held && prepared.default_host != Some(me) {
            self.default_held = false;
            self.ownership_changed();
        }
        self.deficit = self.in_view();
        self.enter_phase(Phase::Released);
    }

    fn on_commit(&mut self, id: GenId) -> Received {
        if self.has_acknowledged(id) {
            self.commit_prepared();
        } else if self.view.id == id {
            self.hurry(Urgency::Soon);
        } else {
            return Received::NotForUs;
        }
        Received::Change
    }

    /// Puts the prepared generation in force.
    #[inline(never)]
    pub(super) fn commit_prepared(&mut self) {
        let Some(prepared) = self.prepared.filter(|prepared| is_ready(prepared.phase)) else {
            return;
        };
        if let Some(prepared) = &mut self.prepared {
            prepared.phase = Phase::Idle;
        }
        if !prepared.members.contains(self.config.host) {
            self.leave_view(prepared.id);
            return;
        }
        let before = self.view.members;
        self.flipped = !self.flipped;
        self.number_seen = self.number_seen.max(prepared.id.number);
        let old_default = self.view.default_host;
        self.view = Committed {
            id: prepared.id,
            members: prepared.members,
            digest: prepared.result,
            default_host: prepared.default_host,
            since: self.now,
        };
        let kept = self.activate_rules(prepared.rules, false);
        let blocked = self.is_blocked();
        self.note_moves(kept, before.union(prepared.members), blocked);
        self.count_joins(before, prepared.members);
        self.deficit = false;
        self.default_held = prepared.default_host == Some(self.config.host) && !blocked;
        self.take_owned(blocked);
        self.count_owned();
        let state = if self.draining {
            HostState::Draining
        } else {
            HostState::Converged
        };
        self.set_state(state, self.own_out());
        self.record(&prepared);
        if old_default != prepared.default_host {
            self.event(Event::DefaultHost {
                host: prepared.default_host,
            });
        }
        self.hurry(Urgency::Now);
    }

    /// The committed generation is one without this host.
    fn leave_view(&mut self, id: GenId) {
        let kept = self.prepared;
        let lead = self.lead;
        self.yield_view();
        self.number_seen = self.number_seen.max(id.number);
        // Who led the change still has to tell the others that it is committed.
        self.prepared = kept;
        self.lead = lead;
    }

    fn record(&mut self, prepared: &Prepared) {
        let entry = HistoryEntry {
            generation: prepared.id.number,
            members: prepared.members,
            cause: prepared.cause,
            host: prepared.about,
            at: self.now,
            took_ns: self.now.since(prepared.since),
            moved: prepared.moved,
        };
        self.history.push(self.storage.parts().history, entry);
        self.event(Event::Converged {
            generation: entry.generation,
            members: entry.members,
            cause: entry.cause,
            host: entry.host,
        });
    }

    /// Makes the members of the proposal those of the view, and counts who is new.
    fn count_joins(&mut self, before: HostSet, members: HostSet) {
        let (now, silence) = (self.now, self.silence_ns());
        let first = before.is_empty();
        for host in members.iter() {
            let Some(peer) = self.peer_mut(host) else {
                continue;
            };
            let stayed = before.contains(host) && peer.member.0 == peer.next.0;
            peer.member = peer.next;
            if !stayed && !first {
                peer.flaps.count(now, silence);
            }
        }
    }
}

impl Flaps {
    /// Counts a join; too many in too short a time, and the next one has to wait.
    fn count(&mut self, now: Instant, silence_ns: u64) {
        let forget = silence_ns.saturating_mul(FLAP_FORGET);
        let passed = now.since(self.since).checked_div(forget).unwrap_or(0);
        let forgotten = passed.min(u64::from(self.joins)) as u8;
        self.joins = self.joins.saturating_sub(forgotten);
        self.since = if self.joins == 0 {
            now
        } else {
            self.since.after(passed.saturating_mul(forget))
        };
        self.joins = self.joins.saturating_add(1);
        if let Some(excess) = self.joins.checked_sub(FLAPS_FREE) {
            let power = u32::from(excess).min(FLAP_POWER_MAX);
            self.until = now.after(silence_ns.saturating_mul(1u64.wrapping_shl(power)));
        }
    }
}
