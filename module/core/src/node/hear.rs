// SPDX-License-Identifier: GPL-2.0-only

//! What a heartbeat changes: who is who, who hears whom, and what each host says.

use super::super::event::Event;
use super::super::heartbeat::Heartbeat;
use super::super::host::HostId;
use super::super::limits::SLOTS_MAX;
use super::super::peer::{Candidate, Path, Peer};
use super::super::received::{Heard, Received};
use super::super::state::{HostState, OutReason};
use super::super::store::Storage;
use super::super::time::Instant;
use super::super::wire::{Flags, Header};
use super::links::NOBODY;
use super::{Node, Urgency};

/// Early heartbeats for incarnations that have not proved themselves: a burst, and one in so many periods after it. When
/// 64 hosts start at once, a node sends fewer than the burst while they prove themselves, which takes a few periods of at
/// most eight early heartbeats each; replayed frames that go on for ever cause half a heartbeat more than usual in each
/// period, and a host that starts meanwhile is answered in the usual rhythm.
const EARLY_BURST: u16 = 64;
const EARLY_PERIODS: u64 = 2;

/// Who a frame's incarnation is to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// In a session: its frames count.
    Known,
    /// It has just proved itself.
    Proved,
    /// It has not proved itself yet.
    Unproved,
    /// It has proved itself, and its host id is that of another live host.
    Rival,
}

impl<S: Storage> Node<S> {
    /// A heartbeat with a right tag.
    #[inline(never)]
    pub(super) fn on_heartbeat(
        &mut self,
        path: Path,
        header: &Header,
        heartbeat: &Heartbeat<'_>,
    ) -> Heard {
        if let Some(seq) = self.unsent_echo(heartbeat) {
            self.set_back(seq);
            return Heard::news(Received::NotFresh);
        }
        let echoed = self.echo_time(header.host, heartbeat);
        let serving = matches!(
            heartbeat.said.state,
            HostState::Converged | HostState::Draining
        );
        match self.standing(header, echoed) {
            Standing::Unproved => {
                self.note_candidate(header, serving);
                return Heard::news(Received::NotFresh);
            }
            Standing::Rival => {
                self.note_rival(header.host);
                if heartbeat.said.flags.has(Flags::DUPLICATE) {
                    self.note_hopeless(header, serving);
                } else {
                    self.note_candidate(header, serving);
                }
                return Heard::news(Received::DuplicateId);
            }
            Standing::Proved => self.open_session(header),
            Standing::Known => {}
        }
        let newest = header.seq > self.peer(header.host).seq;
        let quiet = self.is_calm() && self.is_linked(header.host);
        self.note_heard(path, header);
        if !newest {
            let received = Received::OtherPath;
            return Heard { received, quiet };
        }
        if serving {
            self.service_heard = Some(self.now);
        }
        if quiet && self.says_nothing_new(header.host, heartbeat) {
            if let (Some(sent), Some(peer)) = (echoed, self.peer_mut(header.host)) {
                peer.heard_me = peer.heard_me.max(sent);
            }
            return Heard::quiet(Received::Heartbeat);
        }
        self.store_said(header.host, heartbeat, echoed);
        Heard::news(Received::Heartbeat)
    }

    /// Whether nothing is under way here that may be waiting for a sign of life: whatever waits for a point in time is
    /// looked at by the timer, and by each heartbeat of this host.
    fn is_calm(&self) -> bool {
        self.listened && self.lead.is_none() && self.resumed.is_none() && !self.segment_cut
    }

    /// Whether there has been a link both ways since the last time when all links were looked at.
    fn is_linked(&self, host: HostId) -> bool {
        self.links.contains(host) && self.two_way(host)
    }

    /// Whether a heartbeat says what the last one of that host said.
    fn says_nothing_new(&self, host: HostId, heartbeat: &Heartbeat<'_>) -> bool {
        let (me, peer) = (self.config.host, self.peer(host));
        let told = || heartbeat.out_of(me).unwrap_or(OutReason::None);
        // The same epoch of the same incarnation has the same weights.
        heartbeat.said == peer.said
            && heartbeat.said.links.contains(me)
            && (heartbeat.epoch, peer.incarnation) == (peer.epoch, peer.inputs_of)
            && heartbeat.dedicated == peer.dedicated
            && (self.follows != Some(host) || told() == self.told)
    }

    /// When this node sent what the heartbeat echoes of it; `None` if it echoes nothing of this incarnation, or
    /// something that proves nothing.
    fn echo_time(&self, host: HostId, heartbeat: &Heartbeat<'_>) -> Option<Instant> {
        let low = heartbeat.echo_of(self.config.host, self.incarnation)?;
        let seq = self.whole_seq(low)?;
        if !echo_counts(seq, self.peer(host).challenge) {
            return None;
        }
        self.sent_at(seq)
    }

    /// The sequence of which `low` is the low half: the newest that was already sent.
    fn whole_seq(&self, low: u32) -> Option<u64> {
        let high = self.seq & !u64::from(u32::MAX);
        let seq = high | u64::from(low);
        if seq <= self.seq {
            Some(seq)
        } else {
            seq.checked_sub(1 << 32)
        }
    }

    fn standing(&self, header: &Header, echoed: Option<Instant>) -> Standing {
        let peer = self.peer(header.host);
        let same = peer.incarnation == header.incarnation;
        if same && peer.live && !peer.gone {
            return Standing::Known;
        }
        if !echoed.is_some_and(|sent| self.is_fresh(sent)) {
            return Standing::Unproved;
        }
        let taken = peer.live && !peer.gone && !peer.said.flags.has(Flags::DUPLICATE);
        if taken && !same {
            Standing::Rival
        } else {
            Standing::Proved
        }
    }

    /// Whether a frame of ours that was sent then is recent enough for its echo to mean something now.
    pub(super) fn is_fresh(&self, sent: Instant) -> bool {
        self.now.since(sent) <= self.echo_age_ns()
    }

    /// Remembers an incarnation that is not the accepted one, so that it is echoed soon and can prove itself.
    fn note_candidate(&mut self, header: &Header, serving: bool) {
        if self.place_candidate(header, serving) {
            self.answer_early();
        }
    }

    /// Wants the next heartbeat earlier, for the sake of incarnations that have not proved themselves. What they send may
    /// be replayed, or forged where there is no key, so that the number of such heartbeats has a bound of its own.
    fn answer_early(&mut self) {
        if self.beat || self.urgency != Urgency::Idle {
            return;
        }
        let interval = self.period_ns().saturating_mul(EARLY_PERIODS);
        if self.early_budget.take(self.now, interval, EARLY_BURST) {
            self.hurry(Urgency::Soon);
        }
    }

    /// Another live host has proved that it uses the id of a live one. This is told once, until it was not so for T.
    fn note_rival(&mut self, host: HostId) {
        let (now, silence) = (self.now, self.silence_ns());
        let own = host == self.config.host;
        let Some(peer) = self.peer_mut(host) else {
            return;
        };
        let before = peer.rival_heard.replace(now);
        let goes_on = before.is_some_and(|before| now.since(before) < silence);
        if !goes_on && !own {
            self.event(Event::HostOut {
                host,
                reason: OutReason::DuplicateId,
            });
        }
    }

    /// Puts an incarnation in the place of a candidate, unless another one keeps it; says whether it has it.
    ///
    /// There is one place for each host id. Who has it keeps it until it was echoed once, so that replayed
    /// frames of old incarnations take turns with a live one and cannot shut it out.
    fn place_candidate(&mut self, header: &Header, serving: bool) -> bool {
        let now = self.now;
        let period = self.period_ns();
        let (incarnation, seq) = (header.incarnation, header.seq);
        let Some(peer) = self.peer_mut(header.host) else {
            return false;
        };
        peer.claims.note((incarnation, seq), serving, now, period);
        let place = &mut peer.candidate;
        if place.incarnation == incarnation {
            if seq > place.seq {
                place.seq = seq;
                place.heard = now;
            }
        } else if place.incarnation == 0 || place.echoed {
            *place = Candidate {
                incarnation,
                seq,
                heard: now,
                echoed: false,
            };
        } else {
            return false;
        }
        true
    }

    /// A host with the right key speaks no version that is spoken here. Nothing of it can be proved, but this host must
    /// not serve beside it: who serves already goes on, and of two that start, the one of older versions.
    pub(super) fn note_other_version(&mut self, header: &Header) {
        let older = header.versions.1 < self.config.versions.0;
        self.note_hopeless(header, header.serving || older);
    }

    /// Remembers an incarnation to which no answer gives anything: it speaks no version in common, or knows that its id is
    /// another's. It is answered early once. If two always did so, they, and all who hear them, would go on at the shortest
    /// distance for as long as both are there.
    fn note_hopeless(&mut self, header: &Header, serving: bool) {
        let known = self.peer(header.host).candidate.incarnation == header.incarnation;
        if self.place_candidate(header, serving) && !known {
            self.answer_early();
        }
    }

    /// An incarnation has proved itself and is this host id from now on.
    #[inline(never)]
    fn open_session(&mut self, header: &Header) {
        let (challenge, now) = (self.seq.saturating_add(1), self.now);
        self.forget_holders(super::HostSet::only(header.host));
        let Some(peer) = self.peer_mut(header.host) else {
            return;
        };
        let (flaps, budget, mut claims) = (peer.flaps, peer.budget, peer.claims);
        let (member, next, owned) = (peer.member, peer.next, peer.owned);
        peer.clone_from(&NOBODY);
        (peer.flaps, peer.budget) = (flaps, budget);
        // Another one that has this id may still serve.
        claims.prove(header.incarnation);
        peer.claims = claims;
        (peer.member, peer.next, peer.owned) = (member, next, owned);
        peer.incarnation = header.incarnation;
        peer.versions = header.versions;
        peer.seq = header.seq.saturating_sub(1);
        peer.live = true;
        peer.challenge = challenge;
        peer.since = now;
        if header.host != self.config.host {
            self.event(Event::HostSeen { host: header.host });
        }
        self.hurry(Urgency::Soon);
    }

    /// Marks an accepted frame as heard.
    pub(super) fn note_heard(&mut self, path: Path, header: &Header) {
        let now = self.now;
        let Some(peer) = self.peer_mut(header.host) else {
            return;
        };
        peer.hear_path(path, header.seq, now);
        if header.seq > peer.seq {
            peer.count_loss(header.seq);
            peer.seq = header.seq;
            peer.heard = now;
        }
    }

    /// Takes over what a host says of itself.
    #[inline(never)]
    fn store_said(&mut self, host: HostId, heartbeat: &Heartbeat<'_>, echoed: Option<Instant>) {
        let me = self.config.host;
        let challenge = self.seq.saturating_add(1);
        self.number_seen = self
            .number_seen
            .max(heartbeat.said.committed.number)
            .max(heartbeat.said.prepared.number);
        if self.follows == Some(host) {
            self.told = heartbeat.out_of(me).unwrap_or(OutReason::None);
        }
        let Some(peer) = self.peer_mut(host) else {
            return;
        };
        peer.said = heartbeat.said;
        peer.dedicated = heartbeat.dedicated;
        if let Some(sent) = echoed {
            peer.heard_me = peer.heard_me.max(sent);
        }
        let idle = heartbeat.said.flags.has(Flags::IDLE);
        let weights = (heartbeat.weights, heartbeat.staged_weights);
        peer.store_inputs(peer.incarnation, heartbeat.epoch, idle, weights);
        if matches!(
            heartbeat.said.state,
            HostState::Stopped | HostState::Suspended
        ) {
            peer.gone = true;
            peer.live = false;
            peer.challenge = challenge;
        } else if host != me && !heartbeat.said.links.contains(me) {
            self.hurry(Urgency::Soon);
        }
    }
}

/// Whether an echo can prove anything: what was echoed was sent after the last incarnation of that host id
/// had ended, so that no frame which was recorded before then carries it.
fn echo_counts(seq: u64, challenge: u64) -> bool {
    seq >= challenge
}

impl Peer {
    /// The highest sequence heard on a path.
    pub(super) fn path_seq(&self, path: Path) -> u64 {
        let [segment, relay] = self.path_seq;
        match path {
            Path::Segment => segment,
            Path::Relay => relay,
        }
    }

    fn hear_path(&mut self, path: Path, seq: u64, now: Instant) {
        let index = usize::from(path == Path::Relay);
        if let (Some(last), Some(heard)) =
            (self.path_seq.get_mut(index), self.path_heard.get_mut(index))
        {
            if seq > *last {
                *last = seq;
                *heard = Some(now);
            }
        }
    }

    /// Counts the frames between the last one and this; halves the counts from time to time, so that they tell
    /// of the recent past.
    fn count_loss(&mut self, seq: u64) {
        let expected = seq.saturating_sub(self.seq).min(1000) as u32;
        self.frames = self.frames.saturating_add(expected);
        self.lost = self.lost.saturating_add(expected.saturating_sub(1));
        if self.frames > 2000 {
            self.frames = self.frames.wrapping_shr(1);
            self.lost = self.lost.wrapping_shr(1);
        }
    }

    /// Takes over inputs to the assignment, unless newer ones are known.
    pub(super) fn store_inputs(
        &mut self,
        of: u64,
        epoch: u32,
        idle: bool,
        (weights, staged): (&[u8], &[u8]),
    ) {
        if of == self.inputs_of && epoch < self.epoch {
            return;
        }
        self.inputs_of = of;
        self.epoch = epoch;
        self.idle = idle;
        fill_weights(&mut self.weights, weights);
        fill_weights(&mut self.staged_weights, staged);
    }
}

fn fill_weights(to: &mut [u8; SLOTS_MAX], from: &[u8]) {
    *to = [0; SLOTS_MAX];
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}
