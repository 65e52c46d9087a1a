// SPDX-License-Identifier: GPL-2.0-only

//! Whether the segment reaches this host and its peers, when there is a second path that tells of those whom it does not.
//!
//! Heartbeats that get lost are no cut: other frames may pass. So whoever is heard on the second path alone is asked on
//! the segment, and only who does not answer is unheard there.

use super::super::host::{HostId, HostSet};
use super::super::peer::Peer;
use super::super::store::Storage;
use super::super::time::Instant;
use super::super::wire::Flags;
use super::Node;

impl<S: Storage> Node<S> {
    /// The other members, but those that say that their interface is cut: nobody else is to be heard on the segment.
    #[must_use]
    pub fn expected_on_segment(&self) -> HostSet {
        let others = self.view.members.without(self.config.host);
        let uncut = |host: &HostId| !self.peer(*host).said.flags.has(Flags::CUT);
        others
            .iter()
            .filter(uncut)
            .fold(HostSet::EMPTY, HostSet::with)
    }

    /// Whether anything of the segment reached this host lately.
    pub(super) fn segment_alive(&self) -> bool {
        self.segment_up
            && self
                .segment_seen
                .is_some_and(|seen| self.now.since(seen) < self.silence_ns())
    }

    /// Something of the segment reached this host.
    pub(super) fn note_segment(&mut self) {
        self.segment_seen = Some(self.now);
        self.segment_asked = None;
    }

    /// A host answered on the segment.
    pub(super) fn note_answer(&mut self, host: HostId) {
        let now = self.now;
        self.note_segment();
        if let Some(peer) = self.peer_mut(host) {
            peer.seen = Some(now);
        }
    }

    /// A host was asked on the segment. Only the first question counts that was not answered.
    pub(super) fn note_question(&mut self, host: HostId) {
        let now = self.now;
        self.segment_asked.get_or_insert(now);
        if let Some(peer) = self.peer_mut(host) {
            let answered = peer.asked <= peer.on_segment();
            if answered {
                peer.asked = Some(now);
            }
        }
    }

    /// The segment counts as cut if nothing of it reaches this host, not even an answer, while a host that is heard on
    /// the second path says that frames reach it there. If nobody says so, a quiet segment proves nothing.
    pub(super) fn check_segment(&mut self) {
        let cut = self.is_deaf_on_segment() || self.is_unheard_on_segment();
        if cut != self.segment_cut {
            self.segment_cut = cut;
            self.inputs_changed(true);
        }
    }

    fn is_deaf_on_segment(&self) -> bool {
        let others_hear = || {
            self.others().any(|host| {
                self.two_way(host) && self.peer(host).said.flags.has(Flags::SEGMENT_ALIVE)
            })
        };
        let can_ask = || self.others().any(|host| self.peer(host).can_be_asked());
        !self.segment_alive()
            && (!self.segment_up
                || self.asked_in_vain(self.segment_asked, self.segment_seen)
                || !can_ask())
            && others_hear()
    }

    /// Whether a question has waited for its answer for too long. That is two periods less than the silence that counts
    /// as death, for so much time may pass until the first question: then who does not answer is found as soon as
    /// before, and nobody is judged by heartbeats alone.
    ///
    /// Where no question could be sent, twice the silence will do.
    fn asked_in_vain(&self, asked: Option<Instant>, last: Option<Instant>) -> bool {
        let silence = self.silence_ns();
        let patience = silence.saturating_sub(self.period_ns().saturating_mul(2));
        match asked.filter(|asked| Some(*asked) > last) {
            Some(asked) => self.now.since(asked) >= patience,
            None => last.is_none_or(|last| self.now.since(last) >= silence.saturating_mul(2)),
        }
    }

    /// Whether others hear each other on the segment, but none of them hears this host there: nothing that it sends
    /// gets out. Of those who say so only such count as have had the time to hear it: two that start at once hear each
    /// other before they hear a third.
    fn is_unheard_on_segment(&self) -> bool {
        let me = self.config.host;
        let silence = self.silence_ns();
        let mut witnesses = 0u8;
        for host in self.others().filter(|host| self.two_way(*host)) {
            let heard = self.peer(host).said.on_segment;
            if heard.contains(me) {
                return false;
            }
            let others = heard.intersection(self.links);
            let knows = self.now.since(self.peer(host).since) >= silence;
            witnesses = witnesses.saturating_add(u8::from(!others.is_empty() && knows));
        }
        witnesses > 0 && self.now.since(self.started) >= silence
    }

    /// Hosts that this host hears on the segment, or that may yet answer there.
    pub(super) fn heard_on_segment(&self) -> HostSet {
        let heard = self.others().filter(|host| {
            let peer = self.peer(*host);
            let last = peer.on_segment();
            let lately = last.is_some_and(|last| self.now.since(last) < self.silence_ns());
            let may_answer =
                || last.is_some() && peer.can_be_asked() && !self.asked_in_vain(peer.asked, last);
            peer.live && (lately || may_answer())
        });
        heard.fold(HostSet::EMPTY, HostSet::with)
    }

    /// Hosts of which a heartbeat came on the segment within the last `ns` nanoseconds.
    pub fn heartbeats_on_segment(&self, now: Instant, ns: u64) -> HostSet {
        let heard = self.others().filter(|host| {
            let peer = self.peer(*host);
            let [segment, _] = peer.path_heard;
            peer.live && segment.is_some_and(|at| now.since(at) < ns)
        });
        heard.fold(HostSet::EMPTY, HostSet::with)
    }

    /// Hosts that are heard on the second path, and nothing of them on the segment for more than a period: to be asked
    /// there, see [`super::Command::PeerAsked`].
    pub fn unheard_on_segment(&self, now: Instant) -> HostSet {
        let period = self.period_ns();
        let patience = period.saturating_add(period.wrapping_shr(2));
        let within = |at: Option<Instant>, ns: u64| at.is_some_and(|at| now.since(at) < ns);
        let unheard = self.others().filter(|host| {
            let peer = self.peer(*host);
            let [_, relay] = peer.path_heard;
            peer.live && within(relay, self.silence_ns()) && !within(peer.on_segment(), patience)
        });
        unheard.fold(HostSet::EMPTY, HostSet::with)
    }
}

impl Peer {
    /// When anything of it was last heard on the segment.
    fn on_segment(&self) -> Option<Instant> {
        let [segment, _] = self.path_heard;
        segment.max(self.seen)
    }

    /// Whether it has an address by which it can be asked.
    fn can_be_asked(&self) -> bool {
        self.live && self.dedicated.as_bytes().len() == 4
    }
}
