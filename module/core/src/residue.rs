// SPDX-License-Identifier: GPL-2.0-only

//! Residue: the buckets that a host does not own but may hold sessions of; how it is told, and its digest.
//!
//! A frame of residue holds the bitmaps of some of the sender's slots as they are now, never differences to something
//! older: any of them may be lost or come twice, and what was heard last is right.
//!
//! | bytes | field |
//! |---|---|
//! | 8 | digest of the sender's rules in force: what its slots mean |
//! | 8 | digest of all its residue, as in its heartbeats |
//! | 1 + … | slots: number 2, which words are not zero 8, these words 8 each |
//!
//! Word n of a slot is buckets 64 n to 64 n + 63, bit by bit. A request is the set of the hosts that shall tell all of
//! their residue: 8 bytes.

use super::host::HostSet;
use super::time::Instant;
use super::wire::{Reader, Writer};

/// What a host's residue comes to: enough to compare two sets without looking at them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Sum {
    /// Digest; 0 for none. Not against anyone who tries (the tag is), but against frames that were lost.
    pub(super) digest: u64,
    /// Buckets, over all slots.
    pub(super) count: u32,
}

impl Sum {
    /// None.
    pub(super) const EMPTY: Sum = Sum {
        digest: 0,
        count: 0,
    };

    /// Enters 64 buckets of which `flips` change; `after` are those that are in the set then.
    pub(super) fn enter(&mut self, slot: usize, word: usize, flips: u64, after: u64) {
        let mut rest = flips;
        while rest != 0 {
            let bit = rest.trailing_zeros() as usize;
            rest &= rest.wrapping_sub(1);
            self.digest ^= mark(slot, word.wrapping_shl(6) | bit);
        }
        let gained = (flips & after).count_ones();
        let lost = (flips & !after).count_ones();
        self.count = self.count.saturating_add(gained).saturating_sub(lost);
    }
}

/// Since when something is so, for people: nothing that a node does depends on it, so two nodes that differ in it alone
/// are equal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since(Instant);

impl PartialEq for Since {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Since {}

impl core::hash::Hash for Since {
    fn hash<H: core::hash::Hasher>(&self, _: &mut H) {}
}

impl Since {
    /// It is not so.
    pub(super) const NEVER: Since = Since(Instant::NEVER);

    /// Whether it is so at this moment.
    pub(super) fn note(&mut self, now: Instant, is_so: bool) {
        self.0 = match (is_so, self.0) {
            (false, _) => Instant::NEVER,
            (true, Instant::NEVER) => now,
            (true, since) => since,
        };
    }

    /// When it began, if it is so.
    pub(super) fn get(self) -> Option<Instant> {
        (self.0 != Instant::NEVER).then_some(self.0)
    }
}

/// What one bucket adds to a digest: the finalizer of SplitMix64 over its number, so that sets of neighbours do not
/// cancel out.
fn mark(slot: usize, bucket: usize) -> u64 {
    let number = (slot as u64).wrapping_shl(16) | bucket as u64;
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed.wrapping_shr(30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed.wrapping_shr(27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed.wrapping_shr(31)
}

/// The bitmap of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot<'a> {
    pub(super) slot: u16,
    present: u64,
    words: &'a [u8],
}

impl Slot<'_> {
    /// All words, with their numbers.
    pub(super) fn words(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let mut reader = Reader::new(self.words);
        (0..64usize).map_while(move |word| {
            if self.present.wrapping_shr(word as u32) & 1 == 0 {
                Some((word, 0))
            } else {
                Some((word, reader.u64()?))
            }
        })
    }
}

/// A frame of residue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Residue<'a> {
    pub(super) rules: u64,
    pub(super) digest: u64,
    count: u8,
    slots: &'a [u8],
}

impl<'a> Residue<'a> {
    /// Parses a body; `None` if it is too short.
    pub(super) fn parse(body: &'a [u8]) -> Option<Residue<'a>> {
        let mut reader = Reader::new(body);
        let (rules, digest, count) = (reader.u64()?, reader.u64()?, reader.u8()?);
        let slots = body.get(17..)?;
        for _ in 0..count {
            next_slot(&mut reader)?;
        }
        Some(Residue {
            rules,
            digest,
            count,
            slots,
        })
    }

    /// The slots.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot<'a>> {
        let mut reader = Reader::new(self.slots);
        (0..self.count).map_while(move |_| next_slot(&mut reader))
    }
}

fn next_slot<'a>(reader: &mut Reader<'a>) -> Option<Slot<'a>> {
    let slot = reader.u16()?;
    let present = reader.u64()?;
    let words = reader.bytes((present.count_ones() as usize).saturating_mul(8))?;
    Some(Slot {
        slot,
        present,
        words,
    })
}

/// Bytes of the fields before the slots.
pub(super) const HEAD_LEN: usize = 17;

/// Bytes that a slot takes at most.
pub(super) const SLOT_MAX: usize = 10 + 64 * 8;

/// Writes one slot, whose words `word` tells.
pub(super) fn write_slot(writer: &mut Writer<'_>, slot: u16, word: impl Fn(usize) -> u64) {
    let present = (0..64usize)
        .filter(|n| word(*n) != 0)
        .fold(0u64, |bits, n| bits | 1u64.wrapping_shl(n as u32));
    writer.u16(slot);
    writer.u64(present);
    for bits in (0..64usize).map(&word).filter(|bits| *bits != 0) {
        writer.u64(bits);
    }
}

/// Parses a request.
pub(super) fn parse_request(body: &[u8]) -> Option<HostSet> {
    Reader::new(body).u64().map(HostSet)
}

/// Writes a request.
pub(super) fn write_request(writer: &mut Writer<'_>, asked: HostSet) {
    writer.u64(asked.0);
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    /// The bytes that the table at the top of this file describes, written out by hand.
    const GOLDEN: [u8; 53] = [
        0, 0, 0, 0, 0, 0, 0, 0xa1, // rules
        0, 0, 0, 0, 0, 0, 0, 0xb1, // digest
        2,    // slots
        0, 1, // slot 1
        0x80, 0, 0, 0, 0, 0, 0, 4, // words 2 and 63 are not zero
        1, 2, 3, 4, 5, 6, 7, 8, // word 2
        0, 0, 0, 0, 0, 0, 0, 1, // word 63
        0, 64, // slot 64
        0, 0, 0, 0, 0, 0, 0, 0, // has none
    ];

    #[test]
    fn a_frame_is_what_is_documented_both_ways() {
        let mut buf = [0; 100];
        let mut writer = Writer::new(&mut buf, 0);
        writer.u64(0xa1);
        writer.u64(0xb1);
        writer.u8(2);
        assert_eq!(writer.position(), HEAD_LEN);
        write_slot(&mut writer, 1, |n| match n {
            2 => 0x0102_0304_0506_0708,
            63 => 1,
            _ => 0,
        });
        write_slot(&mut writer, 64, |_| 0);
        assert_eq!(writer.finish(), Some(GOLDEN.len()));
        assert_eq!(buf[..GOLDEN.len()], GOLDEN);
        let residue = Residue::parse(&GOLDEN).unwrap();
        assert_eq!((residue.rules, residue.digest), (0xa1, 0xb1));
        let mut slots = residue.slots();
        let first = slots.next().unwrap();
        assert_eq!(first.slot, 1);
        assert_eq!(first.words().count(), 64);
        assert!(first
            .words()
            .filter(|(_, word)| *word != 0)
            .eq([(2, 0x0102_0304_0506_0708), (63, 1)]));
        let second = slots.next().unwrap();
        assert_eq!(second.slot, 64);
        assert!(second.words().all(|(_, word)| word == 0));
        assert_eq!(slots.next(), None);
        assert_eq!(Residue::parse(&GOLDEN[..GOLDEN.len() - 1]), None);
        assert_eq!(parse_request(&GOLDEN[..8]), Some(HostSet(0xa1)));
        assert_eq!(parse_request(&GOLDEN[..7]), None);
    }

    #[test]
    fn the_longest_slot_has_the_length_that_is_reserved() {
        let mut buf = [0; SLOT_MAX];
        let mut writer = Writer::new(&mut buf, 0);
        write_slot(&mut writer, 0, |_| 1);
        assert_eq!(writer.finish(), Some(SLOT_MAX));
    }

    #[test]
    fn what_lasts_began_when_it_was_first_so() {
        let mut since = Since::NEVER;
        since.note(Instant(5), false);
        assert_eq!(since.get(), None);
        since.note(Instant(7), true);
        since.note(Instant(9), true);
        assert_eq!(since.get(), Some(Instant(7)));
        since.note(Instant(11), false);
        assert_eq!(since.get(), None);
        since.note(Instant(13), true);
        assert_eq!(since.get(), Some(Instant(13)));
    }

    #[test]
    fn the_sum_of_a_set_does_not_depend_on_the_way_to_it() {
        let mut one = Sum::EMPTY;
        one.enter(0, 0, 0b111, 0b111);
        one.enter(3, 63, u64::MAX, u64::MAX);
        one.enter(0, 0, 0b10, 0b101);
        let mut other = Sum::EMPTY;
        other.enter(3, 63, u64::MAX, u64::MAX);
        other.enter(0, 0, 0b101, 0b101);
        assert_eq!(one, other);
        assert_eq!(one.count, 66);
        other.enter(0, 0, 0b101, 0);
        other.enter(3, 63, u64::MAX, 0);
        assert_eq!(other, Sum::EMPTY);
        let mut elsewhere = Sum::EMPTY;
        elsewhere.enter(1, 0, 0b101, 0b101);
        let mut here = Sum::EMPTY;
        here.enter(0, 0, 0b101, 0b101);
        assert_ne!(elsewhere.digest, here.digest);
    }

    #[test]
    fn fuzz_residue() {
        let fuzz = nlb_fuzz::Fuzz::new("residue").seeds([&GOLDEN[..], &GOLDEN.repeat(3)]);
        fuzz.longest(1500).run(|body| {
            let Some(residue) = Residue::parse(body) else {
                assert!(parse_request(body).is_some() == (body.len() >= 8));
                return nlb_fuzz::outcome(body.len().min(HEAD_LEN));
            };
            let slots: Vec<Slot<'_>> = residue.slots().collect();
            assert_eq!(slots.len(), usize::from(body[16]));
            for slot in &slots {
                let words: Vec<u64> = slot.words().map(|(_, word)| word).collect();
                assert_eq!(words.len(), 64);
                // What was understood is written in the one right way, and understood alike.
                let mut buf = [0; HEAD_LEN + SLOT_MAX];
                let mut writer = Writer::new(&mut buf, HEAD_LEN);
                write_slot(&mut writer, slot.slot, |n| words[n]);
                let len = writer.finish().expect("a slot has room");
                buf[16] = 1;
                let again = Residue::parse(&buf[..len]).expect("it is right");
                let again = again.slots().next().expect("there is one");
                assert_eq!(again.slot, slot.slot);
                assert!(again.words().map(|(_, word)| word).eq(words));
            }
            nlb_fuzz::outcome(slots.iter().map(|it| it.present).collect::<Vec<_>>())
        });
    }
}
