// SPDX-License-Identifier: GPL-2.0-only

//! Whom to follow, when to give up one's own view for a better one, and what to do after every input.

use super::super::event::Event;
use super::super::host::{HostId, HostSet};
use super::super::peer::{Peer, Said};
use super::super::state::{HostState, OutReason};
use super::super::store::Storage;
use super::super::time::Instant;
use super::super::wire::{Flags, GenId, Phase};
use super::{Committed, Node, Urgency};

/// What becomes of a host's own view on account of another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    /// Nothing.
    Keep,
    /// What is prepared here was committed there, so it is committed.
    Commit,
    /// The other view is newer or better: this host is out of its own.
    Yield,
}

impl<S: Storage> Node<S> {
    /// Everything that follows from an input, whatever it was.
    #[inline(never)]
    pub(super) fn settle(&mut self) {
        self.expire();
        self.check_segment();
        self.weigh_starvation();
        if !self.listened && self.now.since(self.started) >= self.silence_ns() {
            self.listened = true;
            self.hurry(Urgency::Soon);
        }
        self.check_resumed();
        self.judge_views();
        self.note_hold();
        self.choose_leader();
        self.catch_up_with_rules();
        self.try_prepare();
        self.ask_again();
        let finishing = self
            .lead
            .is_some_and(|lead| lead.step == super::super::change::Step::Commit);
        if self.follows == Some(self.config.host) || finishing {
            self.lead_on();
        } else if self.lead.is_some() {
            self.drop_lead();
        }
        self.update_out();
        self.tell_outs();
        self.settle_residue();
        self.finish_drain(false);
        self.touched.0 = HostSet::EMPTY;
        self.finish_leaving();
    }

    /// Whether this host is a member of a view.
    pub(super) fn in_view(&self) -> bool {
        !self.view.id.is_none()
    }

    /// After a pause: once all others of the view were heard again, or have stayed silent, all is as before.
    fn check_resumed(&mut self) {
        let Some(resumed) = self.resumed else { return };
        let mut others = self
            .view
            .members
            .without(self.config.host)
            .iter()
            .peekable();
        let heard = others.peek().is_some()
            && others.all(|host| {
                let peer = self.peer(host);
                !peer.live || peer.heard > resumed
            });
        if heard || self.now.since(resumed) >= self.silence_ns() {
            self.resumed = None;
        }
    }

    /// Compares the own view with what each live host says of its own.
    #[inline(never)]
    fn judge_views(&mut self) {
        let proposal = self.prepared.map(|prepared| (prepared.id, prepared.phase));
        let judged = Some((self.view.id, proposal, self.links));
        // With this host's own id: its rival may serve as well, after a time when the two did not hear each other.
        let all = self.ids;
        let mut hosts = if judged == self.judged.0 {
            self.touched.0.intersection(all)
        } else {
            all
        };
        self.judged.0 = judged;
        while let Some(host) = hosts.lowest() {
            hosts.remove(host);
            match self.judge(host) {
                Judgement::Keep => continue,
                Judgement::Commit => self.commit_prepared(),
                Judgement::Yield => self.yield_view(),
            }
            // The own view is another one now.
            hosts = all.minus(HostSet::lowest_ids(usize::from(host.get())));
        }
    }

    fn judge(&self, host: HostId) -> Judgement {
        let peer = self.peer(host);
        let said = &peer.said;
        let theirs = said.committed;
        if !peer.live
            || peer.gone
            || !is_serving(said)
            || theirs.is_none()
            || theirs == self.view.id
        {
            return Judgement::Keep;
        }
        if self.has_acknowledged(theirs) {
            return Judgement::Commit;
        }
        if !self.in_view() {
            return Judgement::Keep;
        }
        let agreed = said.prepared == self.view.id && is_ready(said.phase);
        if theirs.number < self.view.id.number && (agreed || self.is_member(host, peer)) {
            // It lags; it will hear of the newer view, with it or, as it has agreed to, without it.
            return Judgement::Keep;
        }
        self.compare(host, said)
    }

    /// Two views that met: the better one stays. Hosts that both name belong to the newer one, and of the older one
    /// only those count besides that are heard, and say that they are in it: a host that has split off does not take the
    /// others with it, and one that was left behind does not stand for those that have moved on, died or begun anew.
    fn compare(&self, host: HostId, said: &Said) -> Judgement {
        let (ours, theirs) = (self.view.id, said.committed);
        let heard = self.links.with(self.config.host).with(host);
        let mut our_members = self.view.members;
        let mut their_members = said.members;
        if theirs.number > ours.number {
            our_members = self.still_in(ours, our_members.minus(their_members).intersection(heard));
        } else if theirs.number < ours.number {
            their_members =
                self.still_in(theirs, their_members.minus(our_members).intersection(heard));
        }
        let more = our_members.len() > their_members.len();
        if !self.two_way(host) && (said.flags.has(Flags::SEGMENT_ALIVE) || !more) {
            // It does not hear this host and cannot yield, so this one has to; unless nothing at all reaches the
            // other, which then serves nobody, while more are here.
            return Judgement::Yield;
        }
        if is_better((their_members, theirs), (our_members, ours)) {
            Judgement::Yield
        } else {
            Judgement::Keep
        }
    }

    /// Those hosts that are in this view, as far as is known here.
    fn still_in(&self, view: GenId, hosts: HostSet) -> HostSet {
        let me = self.config.host;
        let in_view = |host: &HostId| {
            let other = &self.peer(*host).said.committed;
            let id = if *host == me { &self.view.id } else { other };
            *id == view
        };
        let still_in = hosts.iter().filter(in_view);
        still_in.fold(HostSet::EMPTY, HostSet::with)
    }

    /// Whether this host has said that it is ready to commit this proposal.
    pub(super) fn has_acknowledged(&self, id: GenId) -> bool {
        self.prepared
            .is_some_and(|prepared| prepared.id == id && is_ready(prepared.phase))
    }

    /// Leaves the own view at once, without a word: others have a better one.
    pub(super) fn yield_view(&mut self) {
        self.clear_owned();
        self.view = Committed::NONE;
        self.prepared = None;
        self.lead = None;
        self.deficit = false;
        self.told = OutReason::None;
        self.set_state(HostState::Joining, OutReason::None);
        self.event(Event::DefaultHost { host: None });
        self.hurry(Urgency::Now);
    }

    /// Chooses the leader anew, from what is known now.
    pub(super) fn follow_anew(&mut self) {
        self.judge_views();
        self.choose_leader();
    }

    #[inline(never)]
    fn choose_leader(&mut self) {
        let leader = self.find_leader();
        if leader != self.follows {
            self.follows = leader;
            self.told = OutReason::None;
            self.hurry(Urgency::Soon);
        }
    }

    /// A host that missed how its staged rules came into force puts them in force when it joins those who did not.
    ///
    /// Not while somebody may yet commit, with this host, what it has acknowledged under the rules that it has. After
    /// that such a proposal is forgotten: its map and its rules belong together.
    fn catch_up_with_rules(&mut self) {
        let Some(leader) = self.follows.filter(|leader| *leader != self.config.host) else {
            return;
        };
        let said = &self.peer(leader).said;
        let theirs = said.rules;
        let missed = is_serving(said) && theirs != 0 && theirs == self.pending();
        if missed && !self.in_view() && !self.is_promised() {
            self.prepared = self.prepared.filter(|it| it.rules == theirs);
            self.activate_rules(theirs, true);
            self.inputs_changed(true);
        }
    }

    /// Whom this host follows: in a view, its lowest live member; without one, the leader of the best view that is
    /// heard; without any, the lowest host that has listened.
    fn find_leader(&self) -> Option<HostId> {
        if self.in_view() {
            self.leader_of_view()
        } else if self.is_duplicate() {
            None
        } else if let Some(host) = self.best_view_heard() {
            self.leader_of_other_view(host)
        } else if self.unproved_view_heard() || self.is_held_for_key() {
            None
        } else {
            self.leader_from_cold()
                .filter(|leader| !self.is_being_handed_over(*leader))
        }
    }

    /// Whether the last host that served may just have handed over to one that has not said so yet: somebody is ready for
    /// a proposal of another than the host that would begin anew, and service was heard of less than T ago.
    fn is_being_handed_over(&self, beginner: HostId) -> bool {
        let lately = |heard: Instant| self.now.since(heard) < self.silence_ns();
        self.service_heard.is_some_and(lately)
            && self.others().any(|host| {
                let said = &self.peer(host).said;
                let leader = HostId::new(said.prepared.leader);
                is_ready(said.phase)
                    && leader.is_some_and(|it| it != beginner)
                    && self.two_way(host)
            })
    }

    fn leader_of_view(&self) -> Option<HostId> {
        let me = self.config.host;
        let live = |host: &HostId| {
            let peer = self.peer(*host);
            peer.incarnation == peer.member.0 && is_serving(&peer.said) && self.two_way(*host)
        };
        // Lowest first, so that all but a leader need only look at one or two.
        let mut hosts = self.view.members.without(me).iter().filter(live);
        match hosts.next() {
            Some(first) if first < me => Some(first),
            Some(first) if self.follows_better(first) => None,
            _ if hosts.any(|host| self.follows_better(host)) => None,
            _ => Some(me),
        }
    }

    /// The leader of the view that `best` is in, by the word of any of its members. Where frames get lost, what one of
    /// them said last may be what it said before it had a leader, for as long as it has nothing new to say.
    fn leader_of_other_view(&self, best: HostId) -> Option<HostId> {
        let view = self.peer(best).said.committed;
        let members = self.others().filter(|host| {
            let said = &self.peer(*host).said;
            said.committed == view && is_serving(said) && self.two_way(*host)
        });
        let mut leaders = members.filter_map(|host| self.peer(host).said.follows);
        // A leader of this host's id is another incarnation: a rival, or this host before it restarted.
        leaders.find(|leader| *leader != self.config.host && self.two_way(*leader))
    }

    /// Whether a host follows one of lower id than this host: it has a link there that this host lacks. What it said while
    /// this host had one too tells nothing of that, and any word counts for two periods only, for the next one may get lost.
    fn follows_better(&self, host: HostId) -> bool {
        let peer = self.peer(host);
        let Some(leader) = peer.said.follows.filter(|it| *it < self.config.host) else {
            return false;
        };
        let ended = self.link_ends(self.peer(leader));
        let tells = peer.heard > ended || self.now < ended;
        tells && self.now.since(peer.heard) <= self.period_ns().saturating_mul(2)
    }

    /// A host with a link both ways that is in the best of all views.
    fn best_view_heard(&self) -> Option<HostId> {
        let serving = self
            .others()
            .filter(|host| self.two_way(*host) && is_serving(&self.peer(*host).said));
        serving.reduce(|best, host| {
            let (a, b) = (&self.peer(host).said, &self.peer(best).said);
            if is_better((a.members, a.committed), (b.members, b.committed)) {
                host
            } else {
                best
            }
        })
    }

    /// Whether hosts are heard that serve, but do not hear this host or have not proved themselves.
    fn unproved_view_heard(&self) -> bool {
        let heard = |peer: &Peer| {
            let serves = is_serving(&peer.said) && peer.said.flags.has(Flags::SEGMENT_ALIVE);
            peer.live && !peer.gone && serves
        };
        self.ids.iter().any(|host| heard(self.peer(host)))
            || (self.may_be_held() && self.claim_heard())
    }

    /// Whether somebody that has not proved itself says steadily, under this host id, that it serves.
    fn claims_to_serve(&self, host: HostId) -> bool {
        let claims = &self.peer(host).claims;
        claims.is_steady(self.now, self.period_ns())
    }

    /// Whether anybody does so, under any id.
    fn claim_heard(&self) -> bool {
        self.ids.iter().any(|host| self.claims_to_serve(host))
    }

    /// Whether others seem to serve under a key that this host does not have. Nothing of this is proved, so it does
    /// not last for ever.
    fn is_held_for_key(&self) -> bool {
        self.lacks_key() && self.may_be_held()
    }

    /// Notes when frames that prove nothing began to keep this host from leading. Once that has lasted too long it does
    /// not begin anew before this host was in a view, however often such frames come and go.
    fn note_hold(&mut self) {
        if self.in_view() {
            self.held_since = None;
        } else if self.held_since.is_none() && (self.lacks_key() || self.claim_heard()) {
            self.held_since = Some(self.now);
        }
    }

    /// Whether frames that prove nothing may still keep this host from leading.
    fn may_be_held(&self) -> bool {
        let hold = self.config.hold_ns();
        self.held_since
            .is_some_and(|since| self.now.since(since) < hold)
    }

    /// Without any view: the lowest host that has listened, among those whose rules and settings most agree on.
    fn leader_from_cold(&self) -> Option<HostId> {
        let hosts = || self.ids.iter();
        let digests = self.most_common_digests()?;
        hosts().find(|host| self.cold_digests(*host) == Some((true, digests)))
    }

    /// The settings and rules of most joining hosts; of several the lowest host's.
    fn most_common_digests(&self) -> Option<(u64, u64)> {
        let joining = || {
            self.ids
                .iter()
                .filter_map(|host| self.cold_digests(host))
                .map(|(_, digests)| digests)
        };
        let first = joining().next()?;
        if joining().all(|digests| digests == first) {
            return Some(first);
        }
        let count = |digests| {
            joining()
                .filter(|theirs| *theirs == digests)
                .fold(0u8, |n, _| n.saturating_add(1))
        };
        joining().reduce(|best, digests| {
            if count(digests) > count(best) {
                digests
            } else {
                best
            }
        })
    }

    /// Whether a joining host has listened, and what its settings and rules are.
    fn cold_digests(&self, host: HostId) -> Option<(bool, (u64, u64))> {
        if host == self.config.host {
            let digests = (self.config.terms.settings, self.config.rules.digest);
            return self.leaving.is_none().then_some((self.listened, digests));
        }
        let said = &self.peer(host).said;
        let takes_part = self.two_way(host) && said.state == HostState::Joining;
        let out = said.flags.has(Flags::DUPLICATE) || said.flags.has(Flags::LEAVING);
        (takes_part && !out)
            .then_some((said.flags.has(Flags::LISTENED), (said.settings, said.rules)))
    }

    /// Whether another live host has this host's id, and this host has to stay out for it.
    pub(super) fn is_duplicate(&self) -> bool {
        let rival = self.peer(self.config.host);
        let live = rival.live && !rival.gone && !rival.said.flags.has(Flags::DUPLICATE);
        live && !self.in_view() && self.gives_way_to(rival)
    }

    /// Whoever serves stays. Of two that do not, the one that has listened: it may be about to serve, and the other would
    /// have to listen first, again and again if newcomers follow each other. Of two equal ones that of lower incarnation.
    /// Who has given way once does not come back on it.
    fn gives_way_to(&self, rival: &Peer) -> bool {
        let listened = rival.said.flags.has(Flags::LISTENED);
        is_serving(&rival.said)
            || self.out == OutReason::DuplicateId
            || (listened && !self.listened)
            || (listened == self.listened && rival.incarnation < self.incarnation)
    }

    /// Why this host is out, or owns nothing.
    fn update_out(&mut self) {
        let out = self.own_out();
        let state = self.state;
        self.set_state(state, out);
    }

    pub(super) fn own_out(&self) -> OutReason {
        // Through an interface that is unusable no VIP is delivered: it is the cause.
        let blocked = if self.vip_missing && self.segment_up {
            OutReason::VipMissing
        } else if !self.segment_up || self.segment_cut {
            OutReason::InterfaceCut
        } else {
            OutReason::ServedElsewhere
        };
        if self.in_view() {
            return if self.is_blocked() {
                blocked
            } else if self.starved {
                OutReason::Starved
            } else {
                OutReason::None
            };
        }
        if self.is_duplicate() {
            return OutReason::DuplicateId;
        }
        match self.follows {
            Some(leader) if leader != self.config.host => self.told,
            Some(_) => OutReason::None,
            None if self.best_view_heard().is_some() => OutReason::NoLink,
            None if self.unproved_view_heard() => self.why_unproved(),
            None if self.is_held_for_key() => OutReason::Key,
            None if !self.listened => OutReason::Listening,
            None => OutReason::NoLink,
        }
    }

    /// Why the hosts that hold this one do not count: their version, or no proof that they are there.
    fn why_unproved(&self) -> OutReason {
        let held_by = self.others().filter(|host| self.claims_to_serve(*host));
        let mut reasons = held_by.map(|host| self.why_out(host));
        if reasons.any(|reason| reason == OutReason::Version) {
            OutReason::Version
        } else {
            OutReason::NotFresh
        }
    }

    /// A leave is complete when this host is in no view, when nobody is left who could take over, or when it
    /// has taken too long.
    fn finish_leaving(&mut self) {
        let Some(leaving) = self.leaving else { return };
        let alone = self.links.is_empty() || self.leads_nobody();
        // Who led the change that took itself out stays until the others have it, or the rest would have to
        // find out by themselves.
        let told = self.lead.is_none();
        if (!self.in_view() && told) || alone || self.now >= leaving.deadline {
            self.depart();
        }
    }

    /// Whether this host would have to lead the change without itself, and there is nobody to lead it for: who is kept out
    /// by name takes nothing over, nor does who leaves as well.
    fn leads_nobody(&self) -> bool {
        let takes_over = |host: HostId| {
            let peer = self.peer(host);
            let kept_out = !self.is_member(host, peer) && self.why_not_eligible(host).is_some();
            !kept_out && !peer.is_leaving()
        };
        let leads = self.follows == Some(self.config.host) && self.lead.is_none();
        leads && !self.links.iter().any(takes_over)
    }

    /// When the others of the view were last known to be there: never before they were heard after a pause.
    pub(super) fn may_lead(&self) -> bool {
        self.resumed.is_none()
    }

    /// Whether a proposal of a live leader was acknowledged here so lately that it may yet be committed.
    pub(super) fn is_promised(&self) -> bool {
        let Some(prepared) = &self.prepared else {
            return false;
        };
        let Some(leader) = HostId::new(prepared.id.leader) else {
            return false;
        };
        let until: Instant = prepared.since.after(self.silence_ns());
        leader != self.config.host
            && is_ready(prepared.phase)
            && prepared.id != self.view.id
            && self.now < until
            && self.two_way(leader)
            && self.peer(leader).incarnation == prepared.id.incarnation
            && self.peer(leader).said.prepared == prepared.id
            && (is_ready(self.peer(leader).said.phase) || self.is_led_out(leader, prepared.members))
    }

    /// Whether a leader has taken itself out of the view: it has committed what it still names, and its commit is on its way.
    fn is_led_out(&self, leader: HostId, members: HostSet) -> bool {
        !members.contains(leader) && !is_serving(&self.peer(leader).said)
    }
}

/// Whether a host says that it serves in a view.
pub(super) fn is_serving(said: &Said) -> bool {
    matches!(said.state, HostState::Converged | HostState::Draining)
}

/// Whether a member in this phase has done what it has to do before a commit.
pub(super) fn is_ready(phase: Phase) -> bool {
    matches!(phase, Phase::Ready | Phase::Released)
}

/// The order of views that know nothing of each other: more members, then the lower lowest member, then the higher
/// number, then the higher identity. It is total, so of two views exactly one yields.
fn is_better((members, id): (HostSet, GenId), (other_members, other_id): (HostSet, GenId)) -> bool {
    let rank = |members: HostSet, id: GenId| {
        (
            members.len(),
            core::cmp::Reverse(members.lowest()),
            id.number,
            id.leader,
            id.incarnation,
        )
    };
    rank(members, id) > rank(other_members, other_id)
}

impl Peer {
    /// Whether the host says that it wants to leave.
    pub(super) fn is_leaving(&self) -> bool {
        self.said.flags.has(Flags::LEAVING)
    }
}
