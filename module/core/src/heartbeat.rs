// SPDX-License-Identifier: GPL-2.0-only

//! The body of a heartbeat: everything that others need to know of a host.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | state ([`HostState`]) |
//! | 1 | why the sender is out, as it sees it ([`OutReason`]) |
//! | 2 | [`Flags`] |
//! | 1 | host id of the leader that it follows; 0: none |
//! | 1 | [`Phase`] of the proposal that it last took up |
//! | 8 | hosts with which it has a link both ways |
//! | 17 | committed generation: number 8, leader 1, incarnation of the leader 8 |
//! | 8 | its members |
//! | 8 | digest of its maps |
//! | 17 | the proposal that it last took up |
//! | 8 | digest of the settings |
//! | 8 | digest of the rules in force |
//! | 8 | digest of the staged rules; 0: none |
//! | 8 | digest of the residual sessions; 0: none |
//! | 8 | hosts that it hears on the segment |
//! | 4 | number of its inputs to the assignment |
//! | 1 + n | its weights, one byte for each slot |
//! | 1 + n | its weights under the staged rules |
//! | 1 + 2n | hosts that are out: host id, reason |
//! | 1 + n | dedicated IP: 0, 4 or 16 bytes |
//! | 1 + 13n | echoes: host id 1, incarnation 8, low half of the sequence 4 |
//!
//! A host may be echoed twice: the incarnation that proved itself and one that has not yet.

use super::config::Dedicated;
use super::host::{HostId, HostSet};
use super::limits::SLOTS_MAX;
use super::peer::Said;
use super::state::{HostState, OutReason};
use super::wire::{Flags, Phase, Reader, Writer};

/// Bytes of an echo.
const ECHO_LEN: usize = 13;

/// Echoes of hosts that have not proved themselves that a heartbeat has room for, beside those of all peers.
pub(super) const CANDIDATE_ECHOES: usize = 16;

/// A heartbeat as received. What it borrows was checked for its shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heartbeat<'a> {
    pub(super) said: Said,
    pub(super) epoch: u32,
    pub(super) weights: &'a [u8],
    pub(super) staged_weights: &'a [u8],
    outs: &'a [u8],
    pub(super) dedicated: Dedicated,
    echoes: &'a [u8],
}

impl<'a> Heartbeat<'a> {
    /// Parses a body; `None` if it is too short or a field is out of range.
    pub(super) fn parse(body: &'a [u8]) -> Option<Heartbeat<'a>> {
        let mut reader = Reader::new(body);
        let said = parse_said(&mut reader)?;
        let epoch = reader.u32()?;
        let weights = read_weights(&mut reader)?;
        let staged_weights = read_weights(&mut reader)?;
        let outs = usize::from(reader.u8()?).saturating_mul(2);
        let outs = reader.bytes(outs)?;
        let dedicated = usize::from(reader.u8()?);
        let dedicated = Dedicated::new(reader.bytes(dedicated)?)?;
        let echoes = usize::from(reader.u8()?).saturating_mul(ECHO_LEN);
        let echoes = reader.bytes(echoes)?;
        Some(Heartbeat {
            said,
            epoch,
            weights,
            staged_weights,
            outs,
            dedicated,
            echoes,
        })
    }

    /// The low half of the sequence of `host`'s `incarnation` that the sender last heard.
    pub(super) fn echo_of(&self, host: HostId, incarnation: u64) -> Option<u32> {
        self.echoes.chunks_exact(ECHO_LEN).find_map(|echo| {
            let mut reader = Reader::new(echo);
            let found = reader.u8()? == host.get() && reader.u64()? == incarnation;
            if found {
                reader.u32()
            } else {
                None
            }
        })
    }

    /// Why `host` is out, as the sender sees it.
    pub(super) fn out_of(&self, host: HostId) -> Option<OutReason> {
        self.outs.chunks_exact(2).find_map(|pair| match pair {
            [id, reason] if *id == host.get() => OutReason::from_u8(*reason),
            _ => None,
        })
    }
}

/// Reads a byte for each slot.
pub(super) fn read_weights<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let slots = usize::from(reader.u8()?);
    if slots > SLOTS_MAX {
        return None;
    }
    reader.bytes(slots)
}

/// Writes a byte for each slot.
pub(super) fn write_weights(writer: &mut Writer<'_>, weights: &[u8]) {
    writer.u8(weights.len() as u8);
    writer.bytes(weights);
}

fn parse_said(reader: &mut Reader<'_>) -> Option<Said> {
    let state = HostState::from_u8(reader.u8()?)?;
    // A reason that a later version has added changes nothing here.
    let out = OutReason::from_u8(reader.u8()?).unwrap_or(OutReason::None);
    let flags = Flags(reader.u16()?);
    let follows = reader.u8()?;
    let follows = if follows == 0 {
        None
    } else {
        Some(HostId::new(follows)?)
    };
    Some(Said {
        state,
        out,
        flags,
        follows,
        phase: Phase::from_u8(reader.u8()?)?,
        links: HostSet(reader.u64()?),
        committed: reader.generation()?,
        members: HostSet(reader.u64()?),
        digest: reader.u64()?,
        prepared: reader.generation()?,
        settings: reader.u64()?,
        rules: reader.u64()?,
        pending: reader.u64()?,
        residue: reader.u64()?,
        on_segment: HostSet(reader.u64()?),
    })
}

/// Writes the fields of fixed length.
pub(super) fn write_said(writer: &mut Writer<'_>, said: &Said) {
    writer.u8(said.state as u8);
    writer.u8(said.out as u8);
    writer.u16(said.flags.0);
    writer.u8(said.follows.map_or(0, HostId::get));
    writer.u8(said.phase as u8);
    writer.u64(said.links.0);
    writer.generation(said.committed);
    writer.u64(said.members.0);
    writer.u64(said.digest);
    writer.generation(said.prepared);
    writer.u64(said.settings);
    writer.u64(said.rules);
    writer.u64(said.pending);
    writer.u64(said.residue);
    writer.u64(said.on_segment.0);
}

/// Writes a list whose length is one byte before it: `write` writes one element, or says that there is none.
pub(super) fn write_list<T>(
    writer: &mut Writer<'_>,
    elements: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Writer<'_>, T),
) {
    let at = writer.position();
    writer.u8(0);
    let mut count = 0u8;
    for element in elements {
        let Some(more) = count.checked_add(1) else {
            break;
        };
        write(writer, element);
        count = more;
    }
    writer.patch_u8(at, count);
}

/// Writes one echo.
pub(super) fn write_echo(writer: &mut Writer<'_>, (host, incarnation, seq): (HostId, u64, u64)) {
    writer.u8(host.get());
    writer.u64(incarnation);
    writer.u32(seq as u32);
}
