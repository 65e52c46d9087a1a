// SPDX-License-Identifier: GPL-2.0-only

//! The leader's side of a change: who shall be a member, and when the next step may be taken.

use super::super::change::Step;
use super::super::host::{HostId, HostSet};
use super::super::peer::{Peer, Said};
use super::super::state::{Cause, HostState, OutReason};
use super::super::store::Storage;
use super::super::wire::{Flags, GenId, Phase};
use super::view::{is_ready, is_serving};
use super::{Lead, Node, Prepared, Urgency};

/// A step is repeated after this part of a period for the first [`RESENDS_OFTEN`] times, and then once in a period. With 64
/// hosts and frames that get lost, the last answer takes many repetitions.
const RESEND_PART: u64 = 8;

/// See [`RESEND_PART`].
const RESENDS_OFTEN: u8 = 16;

/// A member that does not report the committed generation within this many periods, and to which nobody tells it any
/// more, needs a new one.
const LAG_PERIODS: u64 = 2;

/// A proposal with hosts that join is given up if it is not prepared within this many periods and others wait for a
/// change: a host that dies while it joins must not keep the others from replacing one that has died.
const JOIN_PERIODS: u64 = 1;

/// A host that not all members hear is taken in all the same after this many times the silence.
const MESH_SILENCES: u64 = 2;

impl<S: Storage> Node<S> {
    /// What a leader does after each input.
    #[inline(never)]
    pub(super) fn lead_on(&mut self) {
        if !self.may_lead() || self.is_promised() {
            return;
        }
        // A step that is complete may complete the next one as well: with nobody to wait for, two changes in a row are
        // eight steps (new inputs, then the rules that came with them).
        for _ in 0..8 {
            let before = self.lead.map(|lead| lead.step);
            match self.lead {
                Some(_) => self.progress(),
                // Who has just finished the change that took itself out leads nothing any more.
                None if self.follows == Some(self.config.host) => self.consider(),
                None => {}
            }
            if self.lead.map(|lead| lead.step) == before {
                break;
            }
        }
        self.resend();
    }

    /// Who shall be a member.
    fn target(&self) -> HostSet {
        let mut target = HostSet::EMPTY;
        if self.leaving.is_none() {
            target.insert(self.config.host);
        }
        for host in self.others().filter(|host| self.two_way(*host)) {
            if !self.peer(host).is_leaving()
                && self.why_not_eligible(host).is_none()
                && self.is_joinable(host)
            {
                target.insert(host);
            }
        }
        target
    }

    /// A host of another view is not taken in before it has given that one up, and a new one not before the members
    /// know it as well, so that they can verify its share.
    fn is_joinable(&self, host: HostId) -> bool {
        let peer = self.peer(host);
        let joining = peer.said.state == HostState::Joining;
        if self.is_member(host, peer) {
            return is_serving(&peer.said) || joining;
        }
        // It must say itself that it hears this host, or it would not answer.
        let hears_me = peer.said.links.contains(self.config.host);
        let may_join = self.now >= peer.stalled_until && self.is_known_to_members(host);
        joining && (self.lead.is_some() || (hears_me && may_join))
    }

    fn is_known_to_members(&self, host: HostId) -> bool {
        let patience = self.silence_ns().saturating_mul(MESH_SILENCES);
        let members = self.serving_hosts().without(self.config.host).without(host);
        let all = members
            .iter()
            .all(|member| self.peer(member).said.links.contains(host));
        all || self.now.since(self.peer(host).since) >= patience
    }

    /// Hosts that join, and that have not done what the step of the proposal demands.
    fn stalling_joiners(&self, lead: &Lead, prepared: &Prepared) -> HostSet {
        let waited_for = self.waited_for(lead, prepared).iter();
        let joining = waited_for.filter(|host| !self.is_member(*host, self.peer(*host)));
        joining.fold(HostSet::EMPTY, HostSet::with)
    }

    /// Whether hosts that join keep a proposal from being prepared for too long.
    fn is_stalled(&self, lead: &Lead, prepared: &Prepared) -> bool {
        let patience = self.period_ns().saturating_mul(JOIN_PERIODS);
        let late = self.in_view() && self.now.since(prepared.since) >= patience;
        late && !self.stalling_joiners(lead, prepared).is_empty()
    }

    /// Whether a change is needed that could go ahead without the joining hosts that have not answered for too long. If
    /// none is, or the others take no buckets, nothing is gained by giving up on them: they may be all that could serve.
    fn holds_up_others(&self, lead: &Lead, prepared: &Prepared) -> bool {
        self.is_stalled(lead, prepared) && {
            let rest = self.target().minus(self.stalling_joiners(lead, prepared));
            self.needed_change(rest).is_some() && !self.not_idle(rest).is_empty()
        }
    }

    pub(super) fn is_member(&self, host: HostId, peer: &Peer) -> bool {
        self.view.members.contains(host) && peer.member.0 == peer.incarnation
    }

    /// Why a host that is heard both ways cannot be a member.
    pub(super) fn why_not_eligible(&self, host: HostId) -> Option<OutReason> {
        let peer = self.peer(host);
        if peer.said.flags.has(Flags::DUPLICATE) {
            Some(OutReason::DuplicateId)
        } else if self.has_other_settings(host, peer) {
            Some(OutReason::SettingsDiffer)
        } else if self.has_other_rules(host, peer) {
            Some(OutReason::RulesDiffer)
        } else if self.now < peer.refused_until {
            Some(OutReason::MapRefused)
        } else if self.now < peer.flaps.until && !self.is_member(host, peer) {
            Some(OutReason::Flapping)
        } else {
            None
        }
    }

    /// Whether a host is a member that has not yet committed the generation of this one. If that brings other rules or
    /// settings in, it has the old ones for a moment.
    fn is_behind(&self, host: HostId, peer: &Peer) -> bool {
        self.is_member(host, peer) && peer.said.committed != self.view.id
    }

    /// Whether the rules of a host differ from those in force.
    fn has_other_rules(&self, host: HostId, peer: &Peer) -> bool {
        peer.said.rules != self.config.rules.digest && !self.is_behind(host, peer)
    }

    /// Whether the settings of a host differ from those in force.
    fn has_other_settings(&self, host: HostId, peer: &Peer) -> bool {
        peer.said.settings != self.config.terms.settings && !self.is_behind(host, peer)
    }

    /// Whether a change is needed, and starts it.
    #[inline(never)]
    fn consider(&mut self) {
        let target = self.target();
        if target.is_empty() {
            return;
        }
        let Some((cause, about)) = self.needed_change(target) else {
            return;
        };
        self.propose(target, cause, about);
    }

    fn needed_change(&self, target: HostSet) -> Option<(Cause, Option<HostId>)> {
        if !self.in_view() {
            return Some((Cause::ColdStart, None));
        }
        if let Some(host) = self.view.members.minus(target).lowest() {
            return Some((self.cause_of_loss(host), Some(host)));
        }
        let of_host = target
            .iter()
            .find_map(|host| Some((self.change_for(host)?, Some(host))));
        of_host.or_else(|| {
            let cause = self.cause_of_staged();
            self.all_staged(target).then_some((cause, None))
        })
    }

    fn cause_of_loss(&self, host: HostId) -> Cause {
        let peer = self.peer(host);
        if host == self.config.host || peer.gone || (peer.live && peer.is_leaving()) {
            Cause::Left
        } else if !self.two_way(host) || peer.incarnation != peer.member.0 {
            Cause::Died
        } else {
            Cause::Rules
        }
    }

    /// Why a host that shall be a member needs a change.
    fn change_for(&self, host: HostId) -> Option<Cause> {
        let member = self.peer(host).member;
        let own = host == self.config.host;
        let peer = self.peer(host);
        let (incarnation, epoch, flags) = if own {
            (self.incarnation, self.epoch, self.flags())
        } else {
            (peer.incarnation, peer.epoch, peer.said.flags)
        };
        if !self.view.members.contains(host) {
            return Some(Cause::Joined);
        }
        if incarnation != member.0 {
            return Some(Cause::Restarted);
        }
        if epoch != member.1 {
            return Some(self.cause_of_inputs(flags));
        }
        let patience = self.period_ns().saturating_mul(LAG_PERIODS);
        let behind = !own && peer.said.committed != self.view.id;
        let dropped = peer.said.prepared != self.view.id && peer.heard > self.view.since;
        let late = self.now.since(self.view.since) > patience && !self.is_telling(host);
        let lagging = behind && (dropped || late);
        let deficit = flags.has(Flags::DEFICIT) && !flags.has(Flags::IDLE) && !behind;
        (lagging || deficit).then_some(Cause::Recovered)
    }

    /// Whether a commit is still repeated to a host that holds what it commits. It will answer. Where frames take long
    /// because every host is busy with frames, another change instead would only make more of them, and so on for ever.
    fn is_telling(&self, host: HostId) -> bool {
        let (Some(lead), Some(prepared)) = (self.lead, self.prepared) else {
            return false;
        };
        lead.step == Step::Commit && self.waited_for(&lead, &prepared).contains(host)
    }

    fn cause_of_inputs(&self, flags: Flags) -> Cause {
        let starved = flags.has(Flags::STARVED) && !flags.has(Flags::DRAINING);
        if flags.has(Flags::CUT) || flags.has(Flags::VIP_MISSING) || starved {
            Cause::Interface
        } else if flags.has(Flags::DRAINING) {
            Cause::Draining
        } else if flags.has(Flags::HEALTH) {
            Cause::Health
        } else {
            Cause::Weight
        }
    }

    /// What a change is for that puts the staged rules in force.
    fn cause_of_staged(&self) -> Cause {
        if self.settings_change() && !self.slots_change() {
            Cause::Settings
        } else {
            Cause::Rules
        }
    }

    /// Whether all members have staged the same rules.
    fn all_staged(&self, target: HostSet) -> bool {
        let pending = self.pending();
        let others = target.without(self.config.host);
        pending != 0
            && target == self.view.members
            && others
                .iter()
                .all(|host| self.peer(host).said.pending == pending)
    }

    /// Starts a change. A proposal always has a number that nobody has seen before, so that what was abandoned
    /// is never confused with what follows it.
    #[inline(never)]
    fn propose(&mut self, members: HostSet, cause: Cause, about: Option<HostId>) {
        let me = self.config.host;
        let serving = self.serving_hosts();
        let number = self.number_seen.max(self.view.id.number).saturating_add(1);
        self.number_seen = number;
        for host in members.iter() {
            let own = (self.incarnation, self.epoch);
            if let Some(peer) = self.peer_mut(host) {
                peer.next = if host == me {
                    own
                } else {
                    (peer.incarnation, peer.epoch)
                };
            }
        }
        // A member whose commit is on its way may serve already, without having said so.
        let alive = serving.union(members);
        let staged = matches!(cause, Cause::Rules | Cause::Settings) && self.all_staged(members);
        self.start_next(self.in_view());
        let computed = self.compute_next(staged, members, alive);
        let default_host = self.not_idle(members).lowest();
        let mut losers = computed.losers;
        if staged && self.slots_change() {
            losers = losers.union(alive);
        }
        if let Some(old) = self
            .view
            .default_host
            .filter(|old| Some(*old) != default_host)
        {
            losers = losers.union(HostSet::only(old).intersection(alive));
        }
        self.prepared = Some(Prepared {
            id: GenId {
                number,
                leader: me.get(),
                incarnation: self.incarnation,
            },
            base: self.view.id,
            base_digest: self.view.digest,
            result: computed.digest,
            members,
            rules: if staged {
                self.pending()
            } else {
                self.config.rules.digest
            },
            cause,
            about,
            phase: Phase::Ready,
            since: self.now,
            ask_at: super::Instant::NEVER,
            default_host,
            moved: computed.moved,
        });
        self.lead = Some(Lead {
            step: Step::Prepare,
            parties: alive.without(me),
            losers,
            resend_at: self.now,
            send: false,
            sent: 0,
        });
        self.begin_step(Step::Prepare);
    }

    /// This host and those that serve in its view.
    fn serving_hosts(&self) -> HostSet {
        let mut serving = HostSet::EMPTY;
        if self.in_view() {
            serving.insert(self.config.host);
        }
        for host in self
            .view
            .members
            .without(self.config.host)
            .iter()
            .filter(|host| self.two_way(*host))
        {
            let peer = self.peer(host);
            if is_serving(&peer.said) && peer.incarnation == peer.member.0 {
                serving.insert(host);
            }
        }
        serving
    }

    /// Takes the next step of the change if all have done theirs; abandons it if it cannot be completed.
    #[inline(never)]
    fn progress(&mut self) {
        let (Some(lead), Some(prepared)) = (self.lead, self.prepared) else {
            self.lead = None;
            return;
        };
        match lead.step {
            Step::Prepare | Step::Release if self.has_returned(&lead) => {
                self.abandon(&lead, &prepared)
            }
            Step::Prepare
                if !self.is_still_possible(&prepared, true)
                    || self.holds_up_others(&lead, &prepared) =>
            {
                self.abandon(&lead, &prepared);
            }
            Step::Prepare if self.waited_for(&lead, &prepared).is_empty() => {
                if lead.losers.is_empty() {
                    self.commit_as_leader();
                } else {
                    self.begin_step(Step::Release);
                    if lead.losers.contains(self.config.host) {
                        self.release();
                    }
                }
            }
            Step::Release
                if !self.is_still_possible(&prepared, false)
                    || self.is_dropped(&lead, &prepared) =>
            {
                self.abandon(&lead, &prepared);
            }
            Step::Release if self.waited_for(&lead, &prepared).is_empty() => {
                self.commit_as_leader()
            }
            Step::Commit if self.waited_for(&lead, &prepared).is_empty() => self.lead = None,
            // What is needed next need not wait: a proposal that is based on this generation commits it as well.
            Step::Commit if self.in_view() && self.needed_change(self.target()).is_some() => {
                self.lead = None;
            }
            _ => {}
        }
    }

    fn commit_as_leader(&mut self) {
        self.begin_step(Step::Commit);
        self.commit_prepared();
    }

    /// Whether every member of the proposal can still become one.
    fn is_still_possible(&self, prepared: &Prepared, preparing: bool) -> bool {
        let me = self.config.host;
        let own_inputs =
            self.peer(me).next == (self.incarnation, self.epoch) && self.leaving.is_none();
        if preparing && prepared.members.contains(me) && !own_inputs {
            return false;
        }
        prepared.members.without(me).iter().all(|host| {
            let peer = self.peer(host);
            let acknowledged = peer.said.prepared == prepared.id;
            let same = peer.incarnation == peer.next.0;
            let willing = self.why_not_eligible(host).is_none()
                && self.is_joinable(host)
                && !peer.is_leaving();
            let refused = acknowledged && is_refusal(peer.said.phase);
            // Whoever still lacks the weights that were proposed can only get those that are known now.
            let inputs = peer.epoch == peer.next.1;
            self.two_way(host) && same && !refused && (!preparing || (willing && inputs))
        })
    }

    /// Whether a host that was silent when the change was proposed is heard again and serves. It has been given up, but
    /// nobody waits for it to release what others would get.
    fn has_returned(&self, lead: &Lead) -> bool {
        let known = lead.parties.with(self.config.host);
        !self.serving_hosts().minus(known).is_empty()
    }

    /// Whether a host that has still to release has dropped the proposal that it had acknowledged, as one does that
    /// yields its view to a better one: it will never say that it released.
    fn is_dropped(&self, lead: &Lead, prepared: &Prepared) -> bool {
        let mut waited_for = self.waited_for(lead, prepared).iter();
        waited_for.any(|host| self.peer(host).said.prepared != prepared.id)
    }

    /// Gives a proposal up. Who has released something says so, and gets it back with the next generation.
    fn abandon(&mut self, lead: &Lead, prepared: &Prepared) {
        let until = self.now.after(self.silence_ns());
        if self.in_view() {
            self.set_stalling_aside(lead, prepared);
        }
        for host in prepared.members.without(self.config.host).iter() {
            let Some(peer) = self.peer_mut(host) else {
                continue;
            };
            if peer.said.prepared == prepared.id && is_refusal(peer.said.phase) {
                peer.refused_until = until;
            }
        }
        self.drop_lead();
    }

    /// Others go first, without the joining hosts that have not answered: for a period, or, if they had one to answer
    /// in, for the whole silence.
    fn set_stalling_aside(&mut self, lead: &Lead, prepared: &Prepared) {
        let stalled = self.is_stalled(lead, prepared);
        let aside = if stalled {
            self.silence_ns()
        } else {
            self.period_ns()
        };
        let until = self.now.after(aside);
        for host in self.stalling_joiners(lead, prepared).iter() {
            if let Some(peer) = self.peer_mut(host) {
                peer.stalled_until = until;
            }
        }
        if stalled {
            self.set_newcomers_aside(prepared);
        }
    }

    /// Joining hosts that were not asked this time wait for a period as well, and so do those that have answered if the
    /// members need a change without them: each could stall the next proposal in its turn, and a host that has died would
    /// be replaced only after all of them.
    fn set_newcomers_aside(&mut self, prepared: &Prepared) {
        let until = self.now.after(self.period_ns());
        let me = self.config.host;
        let known = self.view.members.iter();
        // Whoever has restarted since it was a member joins like any other.
        let members = known
            .filter(|host| *host == me || self.is_member(*host, self.peer(*host)))
            .fold(HostSet::EMPTY, HostSet::with);
        let needed = self.needed_change(self.target().intersection(members));
        let asked = if needed.is_some() {
            members
        } else {
            prepared.members
        };
        for host in self.ids.minus(asked).iter() {
            if let Some(peer) = self.peer_mut(host) {
                peer.stalled_until = peer.stalled_until.max(until);
            }
        }
    }

    /// Stops leading a change. Saying so at once frees those who have acknowledged it.
    pub(super) fn drop_lead(&mut self) {
        self.lead = None;
        let me = self.config.host.get();
        if let Some(own) = self
            .prepared
            .as_mut()
            .filter(|prepared| prepared.id.leader == me)
        {
            own.phase = Phase::Idle;
        }
        self.hurry(Urgency::Now);
    }

    /// Who has not yet done what the step demands.
    fn waited_for(&self, lead: &Lead, prepared: &Prepared) -> HostSet {
        let waits = |host: &HostId| {
            let peer = self.peer(*host);
            let here = self.two_way(*host);
            let member = prepared.members.contains(*host);
            // One that is to leave counts only as long as it is there and serves; then it has nothing to release.
            if !here || (!member && !is_serving(&peer.said)) {
                return false;
            }
            let acknowledged = peer.said.prepared == prepared.id;
            match lead.step {
                Step::Prepare => !(acknowledged && is_ready(peer.said.phase)),
                Step::Release => {
                    lead.losers.contains(*host) && !has_released(acknowledged, peer.said.phase)
                }
                Step::Commit => member && can_commit(acknowledged, &peer.said, prepared.id),
            }
        };
        lead.parties
            .iter()
            .filter(waits)
            .fold(HostSet::EMPTY, HostSet::with)
    }

    fn begin_step(&mut self, step: Step) {
        if let Some(lead) = &mut self.lead {
            lead.step = step;
            lead.sent = 0;
            lead.resend_at = self.now;
        }
    }

    /// Sends the frame of the step, now and again until all have answered.
    #[inline(never)]
    fn resend(&mut self) {
        let (Some(mut lead), Some(prepared)) = (self.lead, self.prepared) else {
            return;
        };
        if self.now < lead.resend_at {
            return;
        }
        let waiting = !self.waited_for(&lead, &prepared).is_empty();
        let period = self.period_ns();
        let first = period.checked_div(RESEND_PART).unwrap_or(period).max(1);
        let pause = if lead.sent < RESENDS_OFTEN {
            first
        } else {
            period
        };
        lead.send |= waiting || lead.sent == 0;
        lead.resend_at = self.now.after(pause);
        lead.sent = lead.sent.saturating_add(1);
        self.lead = Some(lead);
    }
}

/// Whether a member has still to commit what it has acknowledged; one that has dropped it since needs a new change.
fn can_commit(acknowledged: bool, said: &Said, id: GenId) -> bool {
    acknowledged && said.committed != id && is_ready(said.phase)
}

/// Whether a member has let go of what it loses.
fn has_released(acknowledged: bool, phase: Phase) -> bool {
    acknowledged && phase == Phase::Released
}

fn is_refusal(phase: Phase) -> bool {
    matches!(
        phase,
        Phase::RefusedBase | Phase::RefusedResult | Phase::RefusedRules
    )
}
