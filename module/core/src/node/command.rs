// SPDX-License-Identifier: GPL-2.0-only

//! What the caller wants: start and stop, drain, weights, and news of the interface.

use super::super::event::Event;
use super::super::peer::Peer;
use super::super::state::{HostState, OutReason};
use super::super::store::Storage;
use super::super::time::Instant;
use super::{Command, CommandError, Committed, Leaving, Node, Urgency};

/// Heartbeats by which a host says that it has left: one may be lost, three in a row hardly.
const FAREWELLS: u8 = 3;

impl<S: Storage> Node<S> {
    /// Carries out a command. `random` is a fresh random number; [`Command::Start`] makes the incarnation of it.
    ///
    /// # Errors
    ///
    /// The command makes no sense in this state or has a value out of range; nothing has changed then.
    pub fn handle_command(
        &mut self,
        now: Instant,
        command: Command,
        random: u64,
    ) -> Result<(), CommandError> {
        self.notice_pause(now);
        self.check_command(command, random)?;
        if self.takes_part() {
            self.catch_up();
        }
        match command {
            Command::Start => self.start(random),
            Command::Stop => self.leave(false),
            Command::Suspend => self.leave(true),
            Command::Resume => self.set_state(HostState::Stopped, OutReason::None),
            Command::Halt => self.halt_with_a_word(),
            Command::Drain => self.drain(None),
            Command::Drainstop { deadline } => self.drain(Some(deadline)),
            Command::SetWeight { slot, weight } => self.set_weight(slot, weight),
            Command::Carrier(up) => {
                let changed = self.segment_up != up;
                self.segment_up = up;
                self.inputs_changed(changed);
            }
            Command::VipMissing(missing) => {
                let changed = self.vip_missing != missing;
                self.vip_missing = missing;
                self.inputs_changed(changed);
            }
            Command::ServedElsewhere(served) => self.note_served_elsewhere(served),
            Command::Starved(starved) => self.note_starved(starved),
            Command::Take { stances, .. } => self.take(&stances),
            Command::SetBack => self.set_back(0),
            Command::SegmentSeen => self.note_segment(),
            Command::PeerSeen(host) => self.note_answer(host),
            Command::PeerAsked(host) => self.note_question(host),
            Command::Opened { slot, bucket } => self.hold(slot.into(), bucket.into()),
            Command::Hold(held) => self.held = held,
            Command::Stage(rules) => self.stage(Some(rules)),
            Command::Unstage => self.stage(None),
        }
        if self.takes_part() {
            self.touched.0 = self.ids;
            self.settle();
        }
        Ok(())
    }

    /// Refuses what cannot be done, before anything has changed.
    fn check_command(&self, command: Command, random: u64) -> Result<(), CommandError> {
        let suspended = self.state == HostState::Suspended;
        match command {
            Command::Resume => {
                return if suspended {
                    Ok(())
                } else {
                    Err(CommandError::NotSuspended)
                }
            }
            Command::Start if !suspended && random == 0 => return Err(CommandError::Random),
            Command::Start | Command::Stop if suspended => return Err(CommandError::Suspended),
            Command::Drain | Command::Drainstop { .. } if !self.takes_part() => {
                return Err(if suspended {
                    CommandError::Suspended
                } else {
                    CommandError::Stopped
                });
            }
            Command::SetWeight { slot, weight } => {
                let slot = usize::from(slot);
                let kind = self
                    .config
                    .rules
                    .kinds
                    .get(slot)
                    .filter(|_| slot < self.slots());
                let kind = kind.ok_or(CommandError::Slot)?;
                if weight > kind.weight_max() {
                    return Err(CommandError::Weight);
                }
            }
            Command::Take { rules, .. } if rules != self.config.rules.digest => {
                return Err(CommandError::Slot)
            }
            Command::Stage(rules) => self.check_stage(Some(&rules))?,
            Command::Unstage => self.check_stage(None)?,
            _ => {}
        }
        Ok(())
    }

    /// Takes part under a new incarnation, unless it takes part already.
    fn start(&mut self, random: u64) {
        self.leaving = None;
        self.drain_deadline = None;
        if self.takes_part() {
            let drained = self.draining;
            self.draining = false;
            if self.state == HostState::Draining {
                self.set_state(HostState::Converged, self.out);
            }
            self.inputs_changed(drained);
            self.hurry(Urgency::Now);
            return;
        }
        self.forget_all();
        self.take_all();
        self.incarnation = self.new_incarnation(random);
        self.seq = 0;
        self.marks_len = 0;
        self.draining = false;
        self.started = self.now;
        self.begun = self.now;
        self.last_beat = self.now;
        self.next_beat = self.now;
        self.note_segment();
        self.set_state(HostState::Joining, OutReason::Listening);
        self.hurry(Urgency::Now);
    }

    /// Forgets everybody; only what is held against flapping hosts stays.
    fn forget_all(&mut self) {
        for peer in self.storage.parts().peers.iter_mut() {
            *peer = Peer {
                flaps: peer.flaps,
                budget: peer.budget,
                ..Peer::EMPTY
            };
        }
        self.touched.0 = self.ids;
        self.view = Committed::NONE;
        self.prepared = None;
        self.lead = None;
        self.deficit = false;
        self.listened = false;
        self.refused = (super::HostSet::EMPTY, Instant(0));
        self.farewells = 0;
        self.beat = false;
        self.follows = None;
        self.links = super::HostSet::EMPTY;
        self.resumed = None;
        self.held_since = None;
        self.service_heard = None;
        self.segment_cut = false;
        self.serving = super::PartSet::EMPTY;
        self.ask = false;
        self.inputs_wanted = false;
        self.forget_residue();
    }

    /// Leaves: the others take over first, if there are others.
    pub(super) fn leave(&mut self, suspend: bool) {
        if !self.takes_part() {
            let state = if suspend {
                HostState::Suspended
            } else {
                HostState::Stopped
            };
            self.set_state(state, OutReason::None);
            return;
        }
        let deadline = self.now.after(self.silence_ns().saturating_mul(2));
        self.leaving = Some(Leaving { deadline, suspend });
        self.drain_deadline = None;
        self.hurry(Urgency::Now);
    }

    /// Ends a leave: this host has nothing any more, says so, and is deaf from now on.
    pub(super) fn depart(&mut self) {
        let suspend = self.leaving.is_some_and(|leaving| leaving.suspend);
        self.halt();
        self.farewells = FAREWELLS;
        self.next_beat = self.now;
        self.beat = true;
        let state = if suspend {
            HostState::Suspended
        } else {
            HostState::Stopped
        };
        self.set_state(state, OutReason::None);
    }

    /// Stops at once. One farewell is left to be sent, so that the others need not wait for the silence; no timer runs for
    /// a second one.
    fn halt_with_a_word(&mut self) {
        let heard = self.takes_part() || self.farewells > 0;
        self.halt();
        if heard {
            self.farewells = 1;
            self.beat = true;
        }
    }

    /// Stops at once and without a word.
    pub(super) fn halt(&mut self) {
        self.clear_owned();
        self.forget_all();
        self.leaving = None;
        self.draining = false;
        self.drain_deadline = None;
        self.next_beat = Instant::NEVER;
        self.set_state(HostState::Stopped, OutReason::None);
    }

    fn drain(&mut self, deadline: Option<Instant>) {
        let changed = !self.draining;
        self.draining = true;
        self.drain_deadline = deadline;
        if self.state == HostState::Converged {
            self.set_state(HostState::Draining, self.out);
        }
        self.inputs_changed(changed);
    }

    fn set_weight(&mut self, slot: u16, weight: u8) {
        if let Some(place) = self.config.rules.weights.get_mut(usize::from(slot)) {
            let changed = *place != weight;
            *place = weight;
            self.tell_weights();
            self.inputs_changed(changed);
        }
    }

    /// What the assignment is computed from has changed: the others must know.
    pub(super) fn inputs_changed(&mut self, changed: bool) {
        if !changed {
            return;
        }
        self.epoch = self.epoch.saturating_add(1);
        self.by_health = false;
        if self.takes_part() {
            if self.is_blocked() {
                self.clear_owned();
                self.deficit = false;
            }
            self.hurry(Urgency::Now);
        }
    }

    /// Enters a state and tells the caller.
    pub(super) fn set_state(&mut self, state: HostState, out: OutReason) {
        if (self.state, self.out) != (state, out) {
            self.state = state;
            self.out = out;
            self.event(Event::State { state, out });
        }
    }
}
