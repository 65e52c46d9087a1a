// SPDX-License-Identifier: GPL-2.0-only

//! Frames of every kind, with values that look random and are the same in each run.

extern crate std;

use std::vec::Vec;

use super::super::auth::{Authenticator, Verified};
use super::super::change::{self, ChangeHead, Entry, Step};
use super::super::heartbeat::{write_echo, write_list, write_said, write_weights};
use super::super::host::{HostId, HostSet};
use super::super::limits::{FRAME_MAX, HOSTS_MAX, SLOTS_MAX, TAG_LEN};
use super::super::mapframe::{
    write_input, Input, MapPart, MapRequest, PartSet, PARTS_MAX, PART_BUCKETS,
};
use super::super::peer::Said;
use super::super::residue::{write_request, write_slot};
use super::super::state::{Cause, HostState, OutReason};
use super::super::wire::{seal, Flags, GenId, Header, Kind, Phase, Writer, HEADER_LEN};

/// Signs with something that only looks like a tag: the dissector has no key.
struct SomeKey(u8);

impl Authenticator for SomeKey {
    fn authenticated(&self) -> bool {
        self.0 != 0
    }

    fn key_id(&self) -> u8 {
        self.0
    }

    fn stamp(&self, key_id: u8, header: &[u8]) -> Option<u64> {
        let sum = |sum: u64, byte: &u8| sum.rotate_left(7) ^ u64::from(*byte);
        Some(if key_id == 0 {
            0
        } else {
            header.iter().fold(1, sum)
        })
    }

    fn sign(&self, key_id: u8, message: &[u8]) -> Option<[u8; TAG_LEN]> {
        let half = self.stamp(key_id, message)?;
        let tag = (u128::from(half) << 64) | u128::from(!half);
        Some(if key_id == 0 {
            [0; TAG_LEN]
        } else {
            tag.to_be_bytes()
        })
    }

    fn verify(&self, _: u8, _: &[u8], _: &[u8; TAG_LEN]) -> Verified {
        Verified::UnknownKey
    }
}

/// Numbers that look random and are the same in each run (SplitMix64).
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One below a bound.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    /// Few bits, as sets of hosts mostly have.
    fn sparse(&mut self) -> u64 {
        self.next() & self.next() & self.next()
    }

    fn host(&mut self) -> HostId {
        HostId::new(self.below(HOSTS_MAX) as u8 + 1).unwrap()
    }

    /// Some host ids, in ascending order.
    fn hosts(&mut self, most: usize) -> Vec<HostId> {
        let set = HostSet(self.next());
        let count = self.below(most + 1);
        set.iter().take(count).collect()
    }

    fn generation(&mut self) -> GenId {
        GenId {
            number: self.next() >> self.below(60),
            leader: self.byte() % 65,
            incarnation: self.next(),
        }
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let count = self.below(most + 1);
        (0..count).map(|_| self.byte()).collect()
    }
}

/// The incarnation that a host is echoed with.
pub(super) fn echoed(host: HostId) -> u64 {
    0xec40_0000_0000_0000 | u64::from(host.get())
}

/// Writes the body of a frame of some kind; `number` chooses among the values of enumerations.
fn write_body(kind: Kind, number: usize, numbers: &mut Numbers, writer: &mut Writer<'_>) {
    match kind {
        Kind::Heartbeat => write_heartbeat(number, numbers, writer),
        Kind::Change => write_change(number, numbers, writer),
        Kind::MapRequest => {
            let mut parts = PartSet::EMPTY;
            for _ in 0..numbers.below(9) {
                parts.insert(numbers.below(PARTS_MAX));
            }
            let request = MapRequest {
                asked: numbers.host(),
                id: numbers.generation(),
                inputs: number % 2 == 1,
                parts,
            };
            request.write(writer);
        }
        Kind::MapPart => {
            let count = [0, 1, 7, PART_BUCKETS][number % 4];
            let owners: Vec<u8> = (0..count).map(|_| numbers.byte() % 65).collect();
            let part = MapPart {
                id: numbers.generation(),
                part: numbers.below(PARTS_MAX) as u16,
                owners: &owners,
            };
            part.write(writer);
        }
        Kind::Inputs => {
            let hosts = numbers.hosts(8);
            write_list(writer, hosts.into_iter(), |writer, host| {
                let input = Input {
                    host,
                    incarnation: numbers.next(),
                    epoch: numbers.next() as u32,
                    idle: numbers.below(2) == 1,
                    weights: &numbers.bytes(SLOTS_MAX.min(60)),
                    staged_weights: &numbers.bytes(9),
                };
                write_input(writer, input);
            });
        }
        Kind::Residue => {
            writer.u64(numbers.next());
            writer.u64(numbers.next());
            let count = numbers.below(4);
            writer.u8(count as u8);
            for _ in 0..count {
                let (slot, word) = (numbers.below(SLOTS_MAX) as u16, numbers.next());
                let (one, more) = (numbers.below(64), numbers.sparse());
                write_slot(writer, slot, |n| match (more >> n) & 1 {
                    _ if n == one => word,
                    1 => word.rotate_left(n as u32),
                    _ => 0,
                });
            }
        }
        Kind::ResidueRequest => write_request(writer, HostSet(numbers.sparse())),
    }
}

fn write_heartbeat(number: usize, numbers: &mut Numbers, writer: &mut Writer<'_>) {
    let said = Said {
        state: HostState::ALL[number % HostState::ALL.len()],
        out: OutReason::ALL[number % OutReason::ALL.len()],
        flags: Flags(numbers.next() as u16),
        follows: (number % 3 != 0).then(|| numbers.host()),
        phase: Phase::ALL[number % Phase::ALL.len()],
        links: HostSet(numbers.sparse()),
        committed: numbers.generation(),
        members: HostSet(numbers.sparse()),
        digest: numbers.next(),
        prepared: numbers.generation(),
        settings: numbers.next(),
        rules: numbers.next(),
        pending: numbers.next(),
        residue: numbers.next(),
        on_segment: HostSet(numbers.sparse()),
    };
    write_said(writer, &said);
    writer.u32(numbers.next() as u32);
    write_weights(writer, &numbers.bytes(SLOTS_MAX));
    write_weights(writer, &numbers.bytes(SLOTS_MAX));
    let outs = numbers.hosts(9);
    write_list(writer, outs.into_iter(), |writer, host| {
        writer.u8(host.get());
        writer.u8(OutReason::ALL[numbers.below(OutReason::ALL.len())] as u8);
    });
    let address: Vec<u8> = (0..[0, 4, 16][number % 3])
        .map(|_| numbers.byte())
        .collect();
    write_weights(writer, &address);
    let echoes = numbers.hosts(9);
    let echoes = echoes
        .into_iter()
        .map(|host| (host, echoed(host), numbers.next()));
    write_list(writer, echoes, write_echo);
}

fn write_change(number: usize, numbers: &mut Numbers, writer: &mut Writer<'_>) {
    let head = ChangeHead {
        step: Step::ALL[number % Step::ALL.len()],
        number: (numbers.next() >> numbers.below(60)) | 1,
        base: numbers.generation(),
        base_digest: numbers.next(),
        result: numbers.next(),
        rules: numbers.next(),
        cause: Cause::ALL[number % Cause::ALL.len()],
        about: (number % 3 != 0).then(|| numbers.host()),
    };
    let members = numbers.hosts(HOSTS_MAX);
    let entries = members.into_iter().map(|host| Entry {
        host,
        incarnation: numbers.next(),
        epoch: numbers.next() as u32,
    });
    change::write(writer, &head, entries);
}

/// A frame of some kind.
pub(super) fn frame(kind: Kind, number: usize, numbers: &mut Numbers) -> Vec<u8> {
    let mut buf = [0; FRAME_MAX];
    let key = SomeKey([0, 1, 255][number % 3]);
    let header = Header {
        version: [1, 2][number % 2],
        versions: (1, [2, 7][number % 2]),
        kind: kind as u8,
        key_id: key.key_id(),
        host: numbers.host(),
        cluster_id: numbers.next(),
        incarnation: numbers.next() | 1,
        seq: (numbers.next() >> numbers.below(60)) | 1,
        serving: numbers.below(2) == 1,
    };
    let mut writer = Writer::new(&mut buf, HEADER_LEN);
    write_body(kind, number, numbers, &mut writer);
    // What a later version has added.
    if number % 4 == 3 {
        writer.bytes(&[0xee; 5]);
    }
    let end = writer.finish().expect("the body has room");
    let len = seal(&mut buf, end, &header, &key).expect("the frame has room");
    buf[..len].to_vec()
}
