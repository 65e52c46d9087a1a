// SPDX-License-Identifier: GPL-2.0-only

//! Who is alive, and who hears whom.

use super::super::event::Event;
use super::super::host::{HostId, HostSet};
use super::super::peer::{Candidate, Peer};
use super::super::state::OutReason;
use super::super::store::Storage;
use super::super::time::Instant;
use super::{Node, Urgency, MARKS};

/// What a host id without storage looks like.
pub(super) static NOBODY: Peer = Peer::EMPTY;

impl<S: Storage> Node<S> {
    /// What is known of a host id.
    pub(super) fn peer(&self, host: HostId) -> &Peer {
        self.storage
            .view()
            .peers
            .get(host.index())
            .unwrap_or(&NOBODY)
    }

    /// The same, to change.
    pub(super) fn peer_mut(&mut self, host: HostId) -> Option<&mut Peer> {
        self.storage.parts().peers.get_mut(host.index())
    }

    /// All host ids that have storage, without this host.
    pub(super) fn others(&self) -> impl Iterator<Item = HostId> {
        self.ids.without(self.config.host).iter()
    }

    /// Whether this host and another one hear each other.
    #[must_use]
    pub fn hears_others(&self) -> bool {
        !self.links.is_empty()
    }

    /// How old what a host echoes of us may be. An echo is up to a period older than the frame that brings it, and
    /// what it echoes was sent up to a period before that; marks are that coarse, too.
    pub(super) fn echo_age_ns(&self) -> u64 {
        let base = self
            .silence_ns()
            .saturating_add(self.period_ns().saturating_mul(2));
        base.saturating_add(self.mark_ns())
    }

    /// Time between two sequence marks.
    fn mark_ns(&self) -> u64 {
        let base = self
            .silence_ns()
            .saturating_add(self.period_ns().saturating_mul(2));
        base.checked_div((MARKS as u64).saturating_sub(3))
            .unwrap_or(base)
    }

    /// Remembers when this sequence was sent, if the last mark is old enough.
    pub(super) fn mark_seq(&mut self) {
        let (seq, now) = (self.seq, self.now);
        let due = match self.last_mark() {
            Some((_, at)) => now.since(at) >= self.mark_ns(),
            None => true,
        };
        if due {
            self.mark(seq, now);
        }
    }

    /// Remembers that all sequences that follow are sent after this.
    pub(super) fn mark_next(&mut self) {
        self.mark(self.seq.saturating_add(1), self.now);
    }

    fn mark(&mut self, seq: u64, at: Instant) {
        self.marks.rotate_right(1);
        if let Some(first) = self.marks.first_mut() {
            *first = (seq, at);
        }
        self.marks_len = self.marks_len.saturating_add(1).min(MARKS as u8);
    }

    fn last_mark(&self) -> Option<(u64, Instant)> {
        self.marks.first().copied().filter(|_| self.marks_len > 0)
    }

    /// When a sequence was sent: not later than it really was, and at most the time between two marks earlier.
    pub(super) fn sent_at(&self, seq: u64) -> Option<Instant> {
        let known = self.marks.get(..usize::from(self.marks_len)).unwrap_or(&[]);
        known
            .iter()
            .find(|(mark, _)| *mark <= seq)
            .map(|(_, at)| *at)
    }

    /// When the link with a host ends unless it is heard again.
    pub(super) fn link_ends(&self, peer: &Peer) -> Instant {
        let unheard = peer.heard.after(self.silence_ns());
        unheard.min(peer.heard_me.after(self.echo_age_ns()))
    }

    /// Whether this host and `host` hear each other.
    pub(super) fn two_way(&self, host: HostId) -> bool {
        let peer = self.peer(host);
        peer.live && !peer.gone && self.now < self.link_ends(peer)
    }

    /// When the link with a host ends, or the candidate of its id is forgotten, unless they are heard again.
    fn expires(&self, host: HostId) -> Instant {
        let peer = self.peer(host);
        let mut at = Instant::NEVER;
        if peer.live {
            let ends = self.link_ends(peer);
            at = if ends > self.now {
                ends
            } else {
                peer.heard.after(self.silence_ns())
            };
        }
        if peer.candidate.incarnation != 0 {
            at = at.min(peer.candidate.heard.after(self.silence_ns()));
        }
        at
    }

    /// Declares hosts dead that were silent too long, and forgets candidates that are.
    ///
    /// A frame touches its sender alone: as long as nobody's time is up, only that one has to be looked at. With 64
    /// hosts that is most of what a heartbeat costs.
    #[inline(never)]
    pub(super) fn expire(&mut self) {
        let (now, silence) = (self.now, self.silence_ns());
        let challenge = self.seq.saturating_add(1);
        if now >= self.expires_at.0 {
            self.touched.0 = self.ids;
        }
        let touched = self.touched.0;
        let mut links = self.links.minus(touched);
        let mut expires_at = if touched == self.ids {
            Instant::NEVER
        } else {
            self.expires_at.0
        };
        for host in touched.iter() {
            let Some(peer) = self.peer_mut(host) else {
                continue;
            };
            if peer.candidate.incarnation != 0 && now.since(peer.candidate.heard) >= silence {
                peer.candidate = Candidate::NONE;
            }
            peer.claims.expire(now, silence);
            if peer.live && is_silent(now.since(peer.heard), silence) {
                peer.live = false;
                peer.challenge = challenge;
            }
            expires_at = expires_at.min(self.expires(host));
            if host != self.config.host && self.two_way(host) {
                links.insert(host);
            }
        }
        self.expires_at.0 = expires_at;
        if links != self.links {
            self.links = links;
            self.hurry(Urgency::Soon);
            if !links.is_empty() {
                self.note_served_elsewhere(false);
            }
        }
    }

    /// Whether another station serves the VIPs, whose heartbeats do not arrive. A host that hears others serves with them: it
    /// is so from the first heartbeat on that they exchange, and the others never hear of it.
    pub(super) fn note_served_elsewhere(&mut self, served: bool) {
        let served = served && self.links.is_empty();
        let changed = self.served_elsewhere != served;
        self.served_elsewhere = served;
        self.inputs_changed(changed);
    }

    /// Forgets whose frames were refused for their key, once the last of them is old.
    pub(super) fn forget_refused(&mut self) {
        if self.now.since(self.refused.1) >= self.silence_ns() {
            self.refused.0 = HostSet::EMPTY;
        }
    }

    /// Whether frames of this cluster come that this host has no key for, and none that it has.
    pub(super) fn lacks_key(&self) -> bool {
        let lately = self.now.since(self.refused.1) < self.silence_ns();
        lately && !self.refused.0.is_empty() && self.links.is_empty()
    }

    /// Whether frames in the name of `host` were refused for their key lately.
    pub(super) fn is_refused_for_key(&self, host: HostId) -> bool {
        self.refused.0.contains(host) && self.now.since(self.refused.1) < self.silence_ns()
    }

    /// Tells the caller of hosts that are out for a new reason. All are looked at with the next heartbeat of this host
    /// at the latest.
    #[inline(never)]
    pub(super) fn tell_outs(&mut self) {
        for host in self.touched.0.without(self.config.host).iter() {
            let reason = self.why_out(host);
            let known = self.peer(host).incarnation != 0;
            let Some(peer) = self.peer_mut(host) else {
                continue;
            };
            if peer.out == reason {
                continue;
            }
            peer.out = reason;
            if known || matches!(reason, OutReason::Version | OutReason::Key) {
                self.event(Event::HostOut { host, reason });
            }
        }
    }

    /// Why another host is no member, or owns nothing.
    pub(super) fn why_out(&self, host: HostId) -> OutReason {
        let peer = self.peer(host);
        if peer.gone {
            return OutReason::Left;
        }
        if !peer.live && self.is_refused_for_key(host) {
            return OutReason::Key;
        }
        if !peer.live {
            return self.why_not_live(peer);
        }
        if !self.two_way(host) {
            return OutReason::NoLink;
        }
        if let Some(reason) = self.why_not_eligible(host) {
            return reason;
        }
        self.why_idle(peer)
    }

    fn why_not_live(&self, peer: &Peer) -> OutReason {
        let (min, max) = self.config.versions;
        if peer.candidate.incarnation != 0 {
            let (low, high) = peer.versions;
            if high < min || low > max {
                OutReason::Version
            } else {
                OutReason::NotFresh
            }
        } else if peer.incarnation != 0 {
            OutReason::Dead
        } else {
            OutReason::None
        }
    }
}

/// Whether a host that was last heard so long ago is dead.
fn is_silent(unheard_ns: u64, silence_ns: u64) -> bool {
    unheard_ns >= silence_ns
}
