// SPDX-License-Identifier: GPL-2.0-only

//! Bodies of the frames by which a member gets what it lacks for a change: parts of maps, and weights.
//!
//! Request: host id that is asked 1, generation 17, wanted: bit 0 weights 1, parts that are missing 40 (5 × 8; bit
//! n of the first number is part n, and so on). Part: generation 17, number of the part 2, owners 2 + n, one byte
//! for each bucket. Weights: 1 + n × (host id 1, incarnation 8, number of its inputs 4, takes no buckets 1,
//! weights 1 + n, weights under the staged rules 1 + n).

use super::heartbeat::{read_weights, write_weights};
use super::host::HostId;
use super::limits::{frame_room, BUCKETS, MTU_MIN, SLOTS_MAX, TAG_LEN};
use super::wire::{GenId, Reader, Writer, HEADER_LEN};

/// Buckets in a part: one byte each, so that a part fits a frame with room for the header.
pub const PART_BUCKETS: usize = 1024;

/// Parts of all maps together, at most.
pub const PARTS_MAX: usize = SLOTS_MAX * BUCKETS.div_ceil(PART_BUCKETS);

/// A set of parts, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PartSet([u64; PARTS_MAX.div_ceil(64)]);

impl PartSet {
    /// No part.
    pub(super) const EMPTY: PartSet = PartSet([0; PARTS_MAX.div_ceil(64)]);

    /// The parts below `count`.
    pub(super) fn below(count: usize) -> PartSet {
        let mut set = PartSet::EMPTY;
        for part in 0..count {
            set.insert(part);
        }
        set
    }

    /// Adds a part.
    pub(super) fn insert(&mut self, part: usize) {
        if let Some(word) = self.0.get_mut(part.wrapping_shr(6)) {
            *word |= 1u64.wrapping_shl(part as u32);
        }
    }

    /// Takes a part away.
    pub(super) fn remove(&mut self, part: usize) {
        if let Some(word) = self.0.get_mut(part.wrapping_shr(6)) {
            *word &= !1u64.wrapping_shl(part as u32);
        }
    }

    /// Whether it has a part.
    pub(super) fn contains(&self, part: usize) -> bool {
        self.0
            .get(part.wrapping_shr(6))
            .is_some_and(|word| word & 1u64.wrapping_shl(part as u32) != 0)
    }

    /// Adds the parts of `other` that are below `count`.
    pub(super) fn merge(&mut self, other: &PartSet, count: usize) {
        for part in (0..count).filter(|part| other.contains(*part)) {
            self.insert(part);
        }
    }

    /// The lowest part.
    pub(super) fn first(&self) -> Option<usize> {
        let (index, word) = self.0.iter().enumerate().find(|(_, word)| **word != 0)?;
        Some(index.wrapping_shl(6) | word.trailing_zeros() as usize)
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MapRequest {
    pub(super) asked: HostId,
    pub(super) id: GenId,
    pub(super) inputs: bool,
    pub(super) parts: PartSet,
}

impl MapRequest {
    /// Parses a body.
    pub(super) fn parse(body: &[u8]) -> Option<MapRequest> {
        let mut reader = Reader::new(body);
        let asked = HostId::new(reader.u8()?)?;
        let id = reader.generation()?;
        let inputs = reader.u8()? & 1 != 0;
        let mut parts = PartSet::EMPTY;
        for word in &mut parts.0 {
            *word = reader.u64()?;
        }
        Some(MapRequest {
            asked,
            id,
            inputs,
            parts,
        })
    }

    /// Writes a body.
    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.u8(self.asked.get());
        writer.generation(self.id);
        writer.u8(u8::from(self.inputs));
        for word in self.parts.0 {
            writer.u64(word);
        }
    }
}

/// A part of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MapPart<'a> {
    pub(super) id: GenId,
    pub(super) part: u16,
    pub(super) owners: &'a [u8],
}

impl<'a> MapPart<'a> {
    /// Parses a body.
    pub(super) fn parse(body: &'a [u8]) -> Option<MapPart<'a>> {
        let mut reader = Reader::new(body);
        let id = reader.generation()?;
        let part = reader.u16()?;
        let len = usize::from(reader.u16()?);
        let owners = reader.bytes(len)?;
        let known = |owner: &u8| *owner == 0 || HostId::new(*owner).is_some();
        (len <= PART_BUCKETS && owners.iter().all(known)).then_some(MapPart { id, part, owners })
    }

    /// Writes a body.
    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.generation(self.id);
        writer.u16(self.part);
        writer.u16(self.owners.len() as u16);
        writer.bytes(self.owners);
    }
}

/// Weights of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Input<'a> {
    pub(super) host: HostId,
    pub(super) incarnation: u64,
    pub(super) epoch: u32,
    pub(super) idle: bool,
    pub(super) weights: &'a [u8],
    pub(super) staged_weights: &'a [u8],
}

/// Inputs of so many members always fit a frame.
pub(super) const INPUTS_PER_FRAME: usize = 8;

// Both kinds of frames go through the smallest MTU.
const _: () = {
    let room = frame_room(MTU_MIN) - HEADER_LEN - TAG_LEN;
    let input = 16 + 2 * SLOTS_MAX;
    assert!(INPUTS_PER_FRAME * input < room);
    assert!(21 + PART_BUCKETS <= room);
};

/// Parses one element of a frame of weights.
pub(super) fn next_input<'a>(reader: &mut Reader<'a>) -> Option<Input<'a>> {
    let host = HostId::new(reader.u8()?)?;
    let incarnation = reader.u64()?;
    let epoch = reader.u32()?;
    let idle = reader.u8()? != 0;
    let weights = read_weights(reader)?;
    let staged_weights = read_weights(reader)?;
    Some(Input {
        host,
        incarnation,
        epoch,
        idle,
        weights,
        staged_weights,
    })
}

/// Writes one element of a frame of weights.
pub(super) fn write_input(writer: &mut Writer<'_>, input: Input<'_>) {
    writer.u8(input.host.get());
    writer.u64(input.incarnation);
    writer.u32(input.epoch);
    writer.u8(u8::from(input.idle));
    write_weights(writer, input.weights);
    write_weights(writer, input.staged_weights);
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::{vec, vec::Vec};

    const ID: GenId = GenId {
        number: 3,
        leader: 2,
        incarnation: 0xa1,
    };
    const ID_BYTES: [u8; 17] = [0, 0, 0, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 0, 0, 0, 0xa1];

    #[test]
    fn a_request_is_what_is_documented_both_ways() {
        let mut parts = PartSet::EMPTY;
        for part in [0, 63, 64, 259] {
            parts.insert(part);
        }
        let request = MapRequest {
            asked: HostId::new(2).unwrap(),
            id: ID,
            inputs: true,
            parts,
        };
        let mut buf = [0; 100];
        let mut writer = Writer::new(&mut buf, 0);
        request.write(&mut writer);
        assert_eq!(writer.finish(), Some(59));
        assert_eq!(buf[0], 2);
        assert_eq!(buf[1..18], ID_BYTES);
        assert_eq!(buf[18], 1);
        assert_eq!(
            buf[19..35],
            [0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]
        );
        assert_eq!(buf[51..59], [0, 0, 0, 0, 0, 0, 0, 8]);
        assert_eq!(MapRequest::parse(&buf[..59]), Some(request));
        assert_eq!(MapRequest::parse(&buf[..58]), None);
        assert_eq!(parts.first(), Some(0));
        assert!(parts.contains(259) && !parts.contains(258) && !parts.contains(9999));
    }

    #[test]
    fn a_part_is_what_is_documented_both_ways() {
        let mut buf = [0; 100];
        let part = MapPart {
            id: ID,
            part: 5,
            owners: &[0, 64, 1],
        };
        let mut writer = Writer::new(&mut buf, 0);
        part.write(&mut writer);
        assert_eq!(writer.finish(), Some(24));
        assert_eq!(buf[..17], ID_BYTES);
        assert_eq!(buf[17..24], [0, 5, 0, 3, 0, 64, 1]);
        assert_eq!(MapPart::parse(&buf[..24]), Some(part));
        assert_eq!(MapPart::parse(&buf[..23]), None);
        buf[22] = 65;
        assert_eq!(MapPart::parse(&buf[..24]), None);
    }

    #[test]
    fn weights_are_what_is_documented_both_ways() {
        let golden = [
            7, 0, 0, 0, 0, 0, 0, 0, 0xb1, 0, 0, 0, 9, 1, 2, 50, 60, 1, 70,
        ];
        let input = Input {
            host: HostId::new(7).unwrap(),
            incarnation: 0xb1,
            epoch: 9,
            idle: true,
            weights: &[50, 60],
            staged_weights: &[70],
        };
        let mut buf = [0; 50];
        let mut writer = Writer::new(&mut buf, 0);
        write_input(&mut writer, input);
        assert_eq!(writer.finish(), Some(golden.len()));
        assert_eq!(buf[..golden.len()], golden);
        assert_eq!(next_input(&mut Reader::new(&golden)), Some(input));
        assert_eq!(next_input(&mut Reader::new(&golden[..18])), None);
    }

    #[test]
    fn fuzz_map_request() {
        let mut seed = vec![2];
        seed.extend(ID_BYTES);
        seed.push(1);
        seed.extend([0x80, 0, 0, 0, 0, 0, 0, 1].repeat(5));
        nlb_fuzz::Fuzz::new("map-request")
            .seeds([seed])
            .run(|body| {
                let Some(request) = MapRequest::parse(body) else {
                    return 0;
                };
                let mut buf = [0; 100];
                let mut writer = Writer::new(&mut buf, 0);
                request.write(&mut writer);
                let len = writer.finish().expect("requests have one length");
                // Of the wishes one bit is known.
                assert_eq!(buf[18], body[18] & 1);
                buf[18] = body[18];
                assert_eq!(buf[..len], body[..len]);
                assert!(MapRequest::parse(&body[..len - 1]).is_none());
                let parts = (0..PARTS_MAX).filter(|part| request.parts.contains(*part));
                assert_eq!(
                    parts.clone().next(),
                    request.parts.first().filter(|first| *first < PARTS_MAX)
                );
                let mut left = request.parts;
                let mut merged = PartSet::EMPTY;
                merged.merge(&request.parts, PARTS_MAX);
                for part in parts.clone() {
                    assert!(merged.contains(part));
                    left.remove(part);
                }
                assert!(left.first().is_none_or(|first| first >= PARTS_MAX));
                nlb_fuzz::outcome((request.asked, request.inputs, parts.count()))
            });
    }

    #[test]
    fn fuzz_map_part() {
        let mut seed = ID_BYTES.to_vec();
        seed.extend([0, 5, 0, 3, 0, 64, 1]);
        let mut whole = ID_BYTES.to_vec();
        whole.extend([0, 0, 4, 0]);
        whole.extend((0..PART_BUCKETS).map(|bucket| (bucket % 65) as u8));
        let fuzz = nlb_fuzz::Fuzz::new("map-part").seeds([seed, whole]);
        fuzz.longest(1500).run(|body| {
            let Some(part) = MapPart::parse(body) else {
                return 0;
            };
            let mut buf = [0; 1500];
            let mut writer = Writer::new(&mut buf, 0);
            part.write(&mut writer);
            let len = writer.finish().expect("it is no longer than it was");
            assert_eq!(buf[..len], body[..len]);
            assert!(
                MapPart::parse(&body[..len - 1]).is_none(),
                "a byte is missing"
            );
            assert!(part.owners.len() <= PART_BUCKETS);
            assert!(part.owners.iter().all(|owner| *owner <= 64));
            nlb_fuzz::outcome((part.part > 259, part.owners.len()))
        });
    }

    #[test]
    fn fuzz_weights() {
        let one = [
            7, 0, 0, 0, 0, 0, 0, 0, 0xb1, 0, 0, 0, 9, 1, 2, 50, 60, 1, 70,
        ];
        let fuzz = nlb_fuzz::Fuzz::new("weights").seeds([one.to_vec(), one.repeat(3)]);
        fuzz.longest(1500).run(|body| {
            let mut reader = Reader::new(body);
            let (mut at, mut lengths) = (0, Vec::new());
            while let Some(input) = next_input(&mut reader) {
                let mut buf = [0; 200];
                let mut writer = Writer::new(&mut buf, 0);
                write_input(&mut writer, input);
                let len = writer.finish().expect("weights of one member are short");
                assert_eq!(buf[13], u8::from(body[at + 13] != 0));
                buf[13] = body[at + 13];
                assert_eq!(buf[..len], body[at..at + len]);
                assert!(input.weights.len() <= SLOTS_MAX);
                assert!(input.staged_weights.len() <= SLOTS_MAX);
                lengths.push((input.weights.len(), input.staged_weights.len()));
                at += len;
            }
            nlb_fuzz::outcome(lengths)
        });
    }
}
