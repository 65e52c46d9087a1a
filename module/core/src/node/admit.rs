// SPDX-License-Identifier: GPL-2.0-only

//! Which frames count: cheap refusals first, then the digest, then the proof of freshness.

use super::super::auth::{Authenticator, Verified};
use super::super::change::Change;
use super::super::heartbeat::Heartbeat;
use super::super::mapframe::{MapPart, MapRequest};
use super::super::peer::{Path, Peer};
use super::super::received::{Heard, Received};
use super::super::residue::{parse_request, Residue};
use super::super::state::HostState;
use super::super::store::Storage;
use super::super::time::Instant;
use super::super::wire::{Frame, FrameError, Header, Kind};
use super::Node;

/// How far ahead of the last accepted sequence a frame may be and still draw on the budget of its host: more
/// frames than a host sends within the longest silence that it survives.
const PLAUSIBLE_AHEAD: u64 = 1 << 16;

/// Digests for one live host: a burst, and how many in each period after it. A change for which a member fetches
/// 65 maps takes about 300 frames, and each may come on both paths.
const HOST_BURST: u16 = 1024;
const HOST_PER_PERIOD: u64 = 256;

/// Digests for all frames of hosts that are not live: enough for 64 hosts that start at once, and little enough
/// that a flood of replayed frames costs less than a hundredth of a CPU at the default period.
const SHARED_BURST: u16 = 512;
const SHARED_PER_PERIOD: u64 = 256;

impl<S: Storage> Node<S> {
    /// A frame arrived: its bytes from the header on, without the Ethernet header; padding may follow.
    pub fn handle_frame<A: Authenticator>(
        &mut self,
        now: Instant,
        path: Path,
        frame: &[u8],
        auth: &A,
    ) -> Received {
        self.hear(now, path, frame, auth).received
    }

    /// The same for a caller who wants to know whether there is anything to be done after it. Nearly all heartbeats say
    /// what the one before them said, and of 64 hosts each hears 63 in every period: so these cost no more than their
    /// digest and a look at what they say.
    pub fn hear<A: Authenticator>(
        &mut self,
        now: Instant,
        path: Path,
        frame: &[u8],
        auth: &A,
    ) -> Heard {
        if !self.takes_part() {
            return Heard::quiet(Received::Stopped);
        }
        self.notice_pause(now);
        let was_due = self.catch_up();
        if was_due {
            // With each heartbeat of this host everybody is looked at.
            self.touched.0 = self.ids;
        }
        let mut heard = match self.admit(path, frame, auth) {
            Ok(frame) => self.dispatch(path, &frame),
            Err(refused) => Heard::quiet(refused),
        };
        if heard.received as u8 <= Received::DuplicateId as u8 {
            if path == Path::Segment {
                self.note_segment();
            }
            if self.takes_part() && (was_due || !heard.quiet) {
                self.settle();
            }
        }
        heard.quiet &= !was_due && !self.beat;
        heard
    }

    /// Whether this host hears and speaks at all.
    pub(super) fn takes_part(&self) -> bool {
        !matches!(self.state, HostState::Stopped | HostState::Suspended)
    }

    /// All checks up to the tag. What passes was made by a holder of the key, at some time.
    fn admit<'a, A: Authenticator>(
        &mut self,
        path: Path,
        bytes: &'a [u8],
        auth: &A,
    ) -> Result<Frame<'a>, Received> {
        let frame = Frame::parse(bytes).map_err(|error| match error {
            FrameError::Length => Received::Length,
            FrameError::Magic => Received::Magic,
            FrameError::Host => Received::HostId,
        })?;
        self.refuse_cheaply(path, &frame.header)?;
        if (frame.header.key_id == 0) == auth.authenticated() {
            return Err(self.note_refused(&frame.header, Received::UnknownKey));
        }
        match frame.stamp_holds(auth) {
            None => return Err(self.note_refused(&frame.header, Received::UnknownKey)),
            Some(false) => return Err(self.note_refused(&frame.header, Received::BadStamp)),
            Some(true) => {}
        }
        if !self.pay_for_digest(&frame.header) {
            return Err(Received::OverBudget);
        }
        match frame.verify(auth) {
            Verified::Ok => Ok(frame),
            Verified::UnknownKey => Err(self.note_refused(&frame.header, Received::UnknownKey)),
            Verified::Bad => Err(self.note_refused(&frame.header, Received::BadTag)),
        }
    }

    /// Remembers that a frame of this cluster was refused for its key, so that people are told, and so that a host
    /// whose own key is wrong does not serve beside those who have the right one.
    fn note_refused(&mut self, header: &Header, why: Received) -> Received {
        self.forget_refused();
        if header.host != self.config.host && self.ids.contains(header.host) {
            self.refused = (self.refused.0.with(header.host), self.now);
        }
        why
    }

    /// What can be told from the header alone.
    fn refuse_cheaply(&self, path: Path, header: &Header) -> Result<(), Received> {
        if header.cluster_id != self.config.cluster_id {
            return Err(Received::OtherCluster);
        }
        let Some(peer) = self.storage.view().peers.get(header.host.index()) else {
            return Err(Received::HostId);
        };
        if header.host == self.config.host && header.incarnation == self.incarnation {
            return Err(Received::OwnEcho);
        }
        if is_stale(header.seq, last_seq(peer, path, header.incarnation)) {
            return Err(Received::Stale);
        }
        Ok(())
    }

    /// Draws on the budget that the frame's header entitles it to.
    fn pay_for_digest(&mut self, header: &Header) -> bool {
        let now = self.now;
        let period = self.beat_ns();
        let interval = |per_period: u64| period.checked_div(per_period).unwrap_or(1).max(1);
        if let Some(peer) = self.peer_mut(header.host) {
            let ahead = header.seq.saturating_sub(peer.seq);
            if peer.live && header.incarnation == peer.incarnation && ahead <= PLAUSIBLE_AHEAD {
                return peer.budget.take(now, interval(HOST_PER_PERIOD), HOST_BURST);
            }
        }
        self.shared_budget
            .take(now, interval(SHARED_PER_PERIOD), SHARED_BURST)
    }

    /// A frame whose tag is right: by kind.
    fn dispatch(&mut self, path: Path, frame: &Frame<'_>) -> Heard {
        let header = &frame.header;
        let (min, max) = self.config.versions;
        self.touched.0.insert(header.host);
        if let Some(peer) = self.peer_mut(header.host) {
            peer.versions = header.versions;
        }
        if header.version < min || header.version > max {
            self.note_other_version(header);
            return Heard::news(Received::Version);
        }
        match Kind::from_u8(header.kind) {
            Some(Kind::Heartbeat) => match Heartbeat::parse(frame.body()) {
                Some(heartbeat) => self.on_heartbeat(path, header, &heartbeat),
                None => Heard::quiet(Received::Body),
            },
            Some(kind) => Heard::news(self.dispatch_in_session(path, frame, kind)),
            None => Heard::quiet(Received::Body),
        }
    }

    /// Frames that only count in a session that a heartbeat has opened.
    #[inline(never)]
    fn dispatch_in_session(&mut self, path: Path, frame: &Frame<'_>, kind: Kind) -> Received {
        let header = &frame.header;
        let live = self.peer(header.host);
        if header.host == self.config.host
            || !live.live
            || live.gone
            || live.incarnation != header.incarnation
        {
            return Received::NotFresh;
        }
        let newest = header.seq > live.seq;
        self.note_heard(path, header);
        if !newest {
            return Received::OtherPath;
        }
        let body = frame.body();
        let received = match kind {
            Kind::Change => Change::parse(body).map(|change| self.on_change(header, &change)),
            Kind::MapRequest => {
                MapRequest::parse(body).map(|request| self.on_map_request(&request))
            }
            Kind::MapPart => MapPart::parse(body).map(|part| self.on_map_part(&part)),
            Kind::Inputs => Some(self.on_inputs(header.host, body)),
            Kind::Residue => Residue::parse(body).map(|residue| self.on_residue(header, &residue)),
            Kind::ResidueRequest => parse_request(body).map(|asked| self.on_residue_request(asked)),
            Kind::Heartbeat => None,
        };
        received.unwrap_or(Received::Body)
    }
}

/// The highest sequence that was heard of an incarnation, as far as it is remembered.
fn last_seq(peer: &Peer, path: Path, incarnation: u64) -> u64 {
    let of_candidate = if incarnation == peer.candidate.incarnation {
        peer.candidate.seq
    } else {
        0
    };
    if incarnation != peer.incarnation {
        of_candidate
    } else if peer.live {
        peer.path_seq(path)
    } else {
        peer.seq.max(of_candidate)
    }
}

/// Whether a sequence was seen before, or was overtaken.
fn is_stale(seq: u64, last: u64) -> bool {
    seq <= last
}
