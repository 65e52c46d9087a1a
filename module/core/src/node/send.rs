// SPDX-License-Identifier: GPL-2.0-only

//! Frames that go out.

use super::super::auth::Authenticator;
use super::super::change::{self, ChangeHead, Entry};
use super::super::heartbeat::{
    echoes_that_fit, write_echo, write_list, write_said, write_weights, CANDIDATE_ECHOES,
};
use super::super::host::HostSet;
use super::super::peer::Said;
use super::super::state::OutReason;
use super::super::store::Storage;
use super::super::wire::{seal, Flags, GenId, Header, Kind, Phase, Writer, HEADER_LEN};
use super::{Node, Transmit};

impl<S: Storage> Node<S> {
    /// Writes the next frame that has to go out into `buf`, which has room for what
    /// [`super::super::limits::frame_room`] says; `None` if there is none. Drain it after each `handle_*`.
    pub fn poll_transmit<A: Authenticator>(
        &mut self,
        buf: &mut [u8],
        auth: &A,
    ) -> Option<Transmit> {
        loop {
            let (kind, end) = self.next_body(buf)?;
            if let Some(len) = self.seal_frame(buf, kind, end, auth) {
                return Some(Transmit {
                    len,
                    segment: true,
                    relay: true,
                });
            }
        }
    }

    /// The body of the next frame; `None` if there is none. What is written here is not due any more.
    fn next_body(&mut self, buf: &mut [u8]) -> Option<(Kind, Option<usize>)> {
        if self.beat {
            return Some((Kind::Heartbeat, self.heartbeat_body(buf)));
        }
        if !self.takes_part() {
            return None;
        }
        if self.lead.is_some_and(|lead| lead.send) {
            return Some((Kind::Change, self.change_body(buf)));
        }
        if self.ask {
            return Some((Kind::MapRequest, self.request_body(buf)));
        }
        if !self.serving.is_empty() {
            return Some((Kind::MapPart, self.part_body(buf)));
        }
        if self.residual.has_news() {
            return Some((Kind::Residue, self.residue_body(buf)));
        }
        if self.residual.ask {
            return Some((Kind::ResidueRequest, self.residue_request_body(buf)));
        }
        if self.inputs_wanted {
            return Some((Kind::Inputs, self.inputs_body(buf)));
        }
        None
    }

    #[inline(never)]
    fn seal_frame<A: Authenticator>(
        &mut self,
        buf: &mut [u8],
        kind: Kind,
        end: Option<usize>,
        auth: &A,
    ) -> Option<usize> {
        let end = end?;
        self.seq = self.seq.saturating_add(1);
        self.mark_seq();
        if self.takes_part() {
            // Farewells go out in the version of the frames before them: those who hear them are forgotten by then.
            self.version = self.spoken_version();
        }
        let header = Header {
            version: self.version,
            versions: self.config.versions,
            kind: kind as u8,
            key_id: auth.key_id(),
            host: self.config.host,
            cluster_id: self.config.cluster_id,
            incarnation: self.incarnation,
            seq: self.seq,
            serving: self.in_view() && self.takes_part(),
        };
        seal(buf, end, &header, auth)
    }

    /// The highest version that all who are heard understand, as far as this node speaks it.
    fn spoken_version(&self) -> u8 {
        let (min, max) = self.config.versions;
        let heard = self
            .storage
            .view()
            .peers
            .iter()
            .filter(|peer| peer.live || peer.candidate.incarnation != 0);
        heard
            .fold(max, |version, peer| version.min(peer.versions.1))
            .max(min)
    }

    #[inline(never)]
    fn heartbeat_body(&mut self, buf: &mut [u8]) -> Option<usize> {
        if self.takes_part() {
            self.beat_sent();
        } else {
            self.farewell_sent();
        }
        let len = buf.len();
        let mut writer = Writer::new(buf, HEADER_LEN);
        write_said(&mut writer, &self.said());
        writer.u32(self.epoch);
        let slots = self.slots();
        write_weights(&mut writer, self.weights.get(..slots).unwrap_or(&[]));
        let staged = self
            .staged
            .as_ref()
            .and_then(|rules| rules.weights.get(..usize::from(rules.slots)));
        write_weights(&mut writer, staged.unwrap_or(&[]));
        let outs = self.others().filter_map(|host| {
            let reason = self.why_out(host);
            (reason != OutReason::None).then_some((host, reason))
        });
        write_list(&mut writer, outs, |writer, (host, reason)| {
            writer.u8(host.get());
            writer.u8(reason as u8);
        });
        let dedicated = self.config.dedicated;
        writer.u8(dedicated.as_bytes().len() as u8);
        writer.bytes(dedicated.as_bytes());
        // With the rival of this host's own id, if there is one: it must be able to prove this host.
        let room = echoes_that_fit(len, writer.position());
        let candidates = self.candidates();
        let few = CANDIDATE_ECHOES.min(room / 4);
        let unproved = in_turn(candidates, self.candidates_echoed, few);
        let room = room.saturating_sub(unproved.len() as usize);
        let peers = self.proved();
        let proved = in_turn(peers, self.peers_echoed, room);
        let echoes = proved.iter().map(|host| {
            let peer = self.peer(host);
            (host, peer.incarnation, peer.seq)
        });
        let echoes = echoes.chain(unproved.iter().map(|host| {
            let candidate = self.peer(host).candidate;
            (host, candidate.incarnation, candidate.seq)
        }));
        write_list(&mut writer, echoes, write_echo);
        let end = writer.finish();
        for host in unproved.iter() {
            if let Some(peer) = self.peer_mut(host) {
                peer.candidate.echoed = true;
            }
        }
        self.candidates_echoed = next_turn(candidates, self.candidates_echoed.union(unproved));
        self.peers_echoed = next_turn(peers, self.peers_echoed.union(proved));
        end
    }

    fn farewell_sent(&mut self) {
        self.beat = false;
        self.farewells = self.farewells.saturating_sub(1);
        let pause = self.period_ns().wrapping_shr(2);
        self.next_beat = if self.farewells > 0 {
            self.now.after(pause)
        } else {
            super::Instant::NEVER
        };
    }

    /// Hosts that have proved themselves.
    fn proved(&self) -> HostSet {
        let live = self.ids.iter().filter(|host| self.peer(*host).live);
        live.fold(HostSet::EMPTY, HostSet::with)
    }

    /// Hosts that have not proved themselves.
    fn candidates(&self) -> HostSet {
        let waiting = self
            .ids
            .iter()
            .filter(|host| self.peer(*host).candidate.incarnation != 0);
        waiting.fold(HostSet::EMPTY, HostSet::with)
    }

    /// What this host says of itself.
    pub(super) fn said(&self) -> Said {
        let (prepared, phase) = match &self.prepared {
            Some(prepared) => (prepared.id, prepared.phase),
            None => (GenId::NONE, Phase::Idle),
        };
        Said {
            state: self.state,
            out: self.out,
            flags: self.flags(),
            follows: self.follows,
            links: self.links,
            committed: self.view.id,
            members: self.view.members,
            digest: self.view.digest,
            prepared,
            phase,
            settings: self.config.terms.settings,
            rules: self.config.rules.digest,
            pending: self.pending(),
            residue: self.residual.own.digest,
            on_segment: self.heard_on_segment(),
        }
    }

    pub(super) fn flags(&self) -> Flags {
        Flags::EMPTY
            .with(Flags::LISTENED, self.listened)
            .with(Flags::DEFICIT, self.deficit)
            .with(Flags::CUT, !self.segment_up || self.segment_cut)
            .with(Flags::VIP_MISSING, self.vip_missing)
            .with(Flags::DRAINING, self.draining)
            .with(Flags::LEAVING, self.leaving.is_some())
            .with(Flags::DUPLICATE, self.is_duplicate())
            .with(Flags::SEGMENT_ALIVE, self.segment_alive())
            .with(Flags::IDLE, self.is_idle())
            .with(Flags::STARVED, self.starved)
            .with(Flags::HEALTH, self.by_health)
    }

    #[inline(never)]
    fn change_body(&mut self, buf: &mut [u8]) -> Option<usize> {
        let lead = self.lead.as_mut()?;
        lead.send = false;
        let step = lead.step;
        let prepared = self.prepared?;
        let head = ChangeHead {
            step,
            number: prepared.id.number,
            base: prepared.base,
            base_digest: prepared.base_digest,
            result: prepared.result,
            rules: prepared.rules,
            cause: prepared.cause,
            about: prepared.about,
        };
        let entries = prepared.members.iter().map(|host| {
            let (incarnation, epoch) = self.peer(host).next;
            Entry {
                host,
                incarnation,
                epoch,
            }
        });
        let mut writer = Writer::new(buf, HEADER_LEN);
        change::write(&mut writer, &head, entries);
        writer.finish()
    }
}

/// Up to `room` hosts of those that wait: those first that have not had their turn.
fn in_turn(waiting: HostSet, echoed: HostSet, room: usize) -> HostSet {
    let first = waiting.minus(echoed).first(room);
    let room = room.saturating_sub(first.len() as usize);
    first.union(waiting.minus(first).first(room))
}

/// Those that have had their turn; once all have, the next round begins.
fn next_turn(waiting: HostSet, echoed: HostSet) -> HostSet {
    if waiting.minus(echoed).is_empty() {
        HostSet::EMPTY
    } else {
        echoed
    }
}
