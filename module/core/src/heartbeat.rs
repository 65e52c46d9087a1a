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
//! A host may be echoed twice: the incarnation that proved itself and one that has not yet. Where not all fit the frame,
//! hosts are echoed in turns.

use super::config::Dedicated;
use super::host::{HostId, HostSet};
use super::limits::{SLOTS_MAX, TAG_LEN};
use super::peer::Said;
use super::state::{HostState, OutReason};
use super::wire::{Flags, Phase, Reader, Writer};

/// Bytes of an echo.
const ECHO_LEN: usize = 13;

/// Echoes of hosts that have not proved themselves that a heartbeat has room for, beside those of all peers.
pub(super) const CANDIDATE_ECHOES: usize = 13;

/// How many echoes a list of them in a frame of `len` bytes has room for, if it begins at `position`.
pub(super) fn echoes_that_fit(len: usize, position: usize) -> usize {
    let room = len
        .saturating_sub(position)
        .saturating_sub(TAG_LEN)
        .saturating_sub(1);
    room.checked_div(ECHO_LEN).unwrap_or(0)
}

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

#[cfg(test)]
mod tests {
    use super::super::limits::{FRAME_MAX, FRAME_SENT_MAX};
    use super::super::wire::{GenId, HEADER_LEN};
    use super::*;

    fn host(number: u8) -> HostId {
        HostId::new(number).unwrap()
    }

    fn said() -> Said {
        Said {
            state: HostState::Draining,
            out: OutReason::InterfaceCut,
            flags: Flags::DRAINING.with(Flags::IDLE, true),
            follows: Some(host(2)),
            phase: Phase::Released,
            links: HostSet(0x0102_0304_0506_0708),
            committed: GenId {
                number: 9,
                leader: 2,
                incarnation: 0xa1a2_a3a4_a5a6_a7a8,
            },
            members: HostSet(0x11),
            digest: 0x2122_2324_2526_2728,
            prepared: GenId {
                number: 10,
                leader: 3,
                incarnation: 0xb1,
            },
            settings: 0x31,
            rules: 0x41,
            pending: 0x51,
            residue: 0x61,
            on_segment: HostSet(0x71),
        }
    }

    /// The bytes that the table at the top of this file describes, written out by hand.
    const GOLDEN: &[u8] = &[
        3, 11, // state, out
        0x01, 0x10, // flags: takes no buckets, draining
        2, 3, // follows, phase
        1, 2, 3, 4, 5, 6, 7, 8, // links
        0, 0, 0, 0, 0, 0, 0, 9, 2, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
        0xa8, // committed
        0, 0, 0, 0, 0, 0, 0, 0x11, // members
        0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, // digest
        0, 0, 0, 0, 0, 0, 0, 10, 3, 0, 0, 0, 0, 0, 0, 0, 0xb1, // prepared
        0, 0, 0, 0, 0, 0, 0, 0x31, 0, 0, 0, 0, 0, 0, 0, 0x41, // settings, rules
        0, 0, 0, 0, 0, 0, 0, 0x51, 0, 0, 0, 0, 0, 0, 0, 0x61, // staged, residue
        0, 0, 0, 0, 0, 0, 0, 0x71, // heard on the segment
        0, 0, 1, 2, // epoch
        2, 50, 100, // weights
        1, 30, // staged weights
        1, 7, 1, // out: host 7 is dead
        4, 192, 0, 2, 1, // dedicated IP
        1, 5, 0, 0, 0, 0, 0, 0, 0xc1, 0xc2, 0xd1, 0xd2, 0xd3, 0xd4, // echo of host 5
    ];

    fn write(buf: &mut [u8]) -> usize {
        let mut writer = Writer::new(buf, 0);
        write_said(&mut writer, &said());
        writer.u32(0x0102);
        write_weights(&mut writer, &[50, 100]);
        write_weights(&mut writer, &[30]);
        write_list(
            &mut writer,
            [(7u8, 1u8)].into_iter(),
            |writer, (host, reason)| {
                writer.u8(host);
                writer.u8(reason);
            },
        );
        write_weights(&mut writer, &[192, 0, 2, 1]);
        let echo = (host(5), 0xc1c2, 0x00ff_0000_d1d2_d3d4);
        write_list(&mut writer, [echo].into_iter(), write_echo);
        writer.finish().unwrap()
    }

    #[test]
    fn what_is_written_is_what_is_documented() {
        let mut buf = [0; 300];
        let len = write(&mut buf);
        assert_eq!(&buf[..len], GOLDEN);
    }

    #[test]
    fn what_is_documented_is_what_is_read() {
        let heartbeat = Heartbeat::parse(GOLDEN).unwrap();
        assert_eq!(heartbeat.said, said());
        assert_eq!(heartbeat.epoch, 0x0102);
        assert_eq!(
            (heartbeat.weights, heartbeat.staged_weights),
            (&[50, 100][..], &[30][..])
        );
        assert_eq!(heartbeat.out_of(host(7)), Some(OutReason::Dead));
        assert_eq!(heartbeat.out_of(host(8)), None);
        assert_eq!(heartbeat.dedicated.as_bytes(), &[192, 0, 2, 1]);
        assert_eq!(heartbeat.echo_of(host(5), 0xc1c2), Some(0xd1d2_d3d4));
        assert_eq!(heartbeat.echo_of(host(5), 0xc1c3), None);
    }

    #[test]
    fn bytes_of_a_later_version_are_ignored_and_missing_ones_are_not() {
        let mut longer = [0xee; 300];
        longer[..GOLDEN.len()].copy_from_slice(GOLDEN);
        assert_eq!(
            Heartbeat::parse(&longer).map(|heartbeat| heartbeat.said),
            Some(said())
        );
        for len in 0..GOLDEN.len() {
            assert!(Heartbeat::parse(&GOLDEN[..len]).is_none(), "{len} bytes");
        }
    }

    #[test]
    fn fields_out_of_range_are_refused() {
        for (at, value) in [(0, 5), (4, 65), (5, 7), (108, 66), (116, 5)] {
            let mut bytes = [0; 300];
            bytes[..GOLDEN.len()].copy_from_slice(GOLDEN);
            bytes[at] = value;
            assert!(Heartbeat::parse(&bytes).is_none(), "byte {at}");
        }
    }

    #[test]
    fn the_longest_heartbeat_fits_a_frame() {
        let mut buf = [0; FRAME_SENT_MAX];
        let mut writer = Writer::new(&mut buf, HEADER_LEN);
        write_said(&mut writer, &said());
        writer.u32(1);
        write_weights(&mut writer, &[1; SLOTS_MAX]);
        write_weights(&mut writer, &[1; SLOTS_MAX]);
        write_list(&mut writer, 0..63u8, |writer, n| {
            writer.u8(n);
            writer.u8(1);
        });
        write_weights(&mut writer, &[0; 16]);
        let echoes = (0..64 + CANDIDATE_ECHOES).map(|_| (host(1), 1, 1));
        write_list(&mut writer, echoes, write_echo);
        assert_eq!(writer.finish().map(|end| end + TAG_LEN), Some(1446));
    }

    /// What was understood, written again.
    fn rewrite(heartbeat: &Heartbeat<'_>, buf: &mut [u8]) -> Option<usize> {
        let mut writer = Writer::new(buf, 0);
        write_said(&mut writer, &heartbeat.said);
        writer.u32(heartbeat.epoch);
        write_weights(&mut writer, heartbeat.weights);
        write_weights(&mut writer, heartbeat.staged_weights);
        let outs = heartbeat.outs.chunks_exact(2);
        write_list(&mut writer, outs, |writer, pair| writer.bytes(pair));
        write_weights(&mut writer, heartbeat.dedicated.as_bytes());
        let echoes = heartbeat.echoes.chunks_exact(ECHO_LEN);
        write_list(&mut writer, echoes, |writer, echo| writer.bytes(echo));
        writer.finish()
    }

    #[test]
    fn fuzz_heartbeat() {
        let fuzz = nlb_fuzz::Fuzz::new("heartbeat").seeds([GOLDEN]);
        fuzz.longest(FRAME_MAX).run(|body| {
            let Some(heartbeat) = Heartbeat::parse(body) else {
                return 0;
            };
            let mut buf = [0; 2 * FRAME_MAX];
            let len = rewrite(&heartbeat, &mut buf).expect("it is no longer than it was");
            // A reason that is not known is read as none; all else is as it was.
            buf[1] = body[1];
            assert_eq!(buf[..len], body[..len]);
            let again = Heartbeat::parse(&buf[..len]).expect("what was understood can be read");
            assert_eq!(again.said, heartbeat.said);
            assert!(
                Heartbeat::parse(&buf[..len - 1]).is_none(),
                "a byte is missing"
            );
            for id in 0..=u8::MAX {
                let Some(host) = HostId::new(id) else {
                    continue;
                };
                let _ = (heartbeat.out_of(host), heartbeat.echo_of(host, 0xc1c2));
            }
            let said = heartbeat.said;
            nlb_fuzz::outcome((
                said.state,
                said.out,
                said.phase,
                said.follows.is_some(),
                heartbeat.weights.len(),
                heartbeat.staged_weights.len(),
                heartbeat.outs.len(),
                heartbeat.echoes.len(),
                heartbeat.dedicated.as_bytes().len(),
            ))
        });
    }
}
