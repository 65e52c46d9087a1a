// SPDX-License-Identifier: GPL-2.0-only

//! Makes inputs of inputs.

use fastrand::Rng;

/// Numbers at which parsers go wrong.
const EDGES: [u64; 16] = [
    0,
    1,
    2,
    7,
    8,
    16,
    63,
    64,
    65,
    127,
    128,
    255,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    u64::MAX,
];

/// Most changes of one input.
const CHANGES_MAX: usize = 6;

pub(crate) struct Mutator {
    random: Rng,
    longest: usize,
}

impl Mutator {
    pub(crate) fn new(seed: u64, longest: usize) -> Self {
        Mutator {
            random: Rng::with_seed(seed),
            longest,
        }
    }

    /// An input made of one of these, which are at least one.
    pub(crate) fn next(&mut self, kept: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.pick(kept).clone();
        for _ in 0..self.random.usize(1..=CHANGES_MAX) {
            self.change(&mut input, kept);
        }
        input.truncate(self.longest);
        input
    }

    fn pick<'a>(&mut self, kept: &'a [Vec<u8>]) -> &'a Vec<u8> {
        // One in two is young: it is the way to outcomes that are not known yet.
        let young = kept.len().saturating_sub(16);
        let first = if self.random.bool() { young } else { 0 };
        &kept[self.random.usize(first..kept.len())]
    }

    fn change(&mut self, input: &mut Vec<u8>, kept: &[Vec<u8>]) {
        if input.is_empty() {
            input.push(self.random.u8(..));
            return;
        }
        let at = self.random.usize(..input.len());
        match self.random.u8(..10) {
            0 => input[at] ^= 1 << self.random.u8(..8),
            1 => input[at] = self.random.u8(..),
            2 => input[at] = self.edge() as u8,
            3 => input[at] = input[at].wrapping_add(self.random.u8(..5)).wrapping_sub(2),
            4 => self.overwrite_number(input, at),
            5 => {
                let end = self.end(input, at);
                input.drain(at..end);
            }
            6 => {
                let count = self.random.usize(1..=16);
                let bytes: Vec<u8> = (0..count).map(|_| self.random.u8(..)).collect();
                input.splice(at..at, bytes);
            }
            7 => {
                // The same once more: lists get longer, headers come twice.
                let end = self.end(input, at);
                let bytes = input[at..end].to_vec();
                input.splice(at..at, bytes);
            }
            8 => {
                let other = self.pick(kept);
                let from = self.random.usize(..=other.len());
                let to = self.random.usize(from..=other.len());
                let end = (at + (to - from)).min(input.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
            _ => input.truncate(at),
        }
    }

    fn edge(&mut self) -> u64 {
        EDGES[self.random.usize(..EDGES.len())]
    }

    /// The end of a piece that begins at `at`: mostly a short one.
    fn end(&mut self, input: &[u8], at: usize) -> usize {
        let rest = input.len() - at;
        let most = if self.random.bool() {
            rest.min(8)
        } else {
            rest
        };
        at + self.random.usize(1..=most)
    }

    /// Writes a number of 2, 4 or 8 bytes over what is there, in either byte order.
    fn overwrite_number(&mut self, input: &mut [u8], at: usize) {
        let number = self
            .edge()
            .wrapping_add(self.random.u64(..3))
            .wrapping_sub(1);
        let width = 2usize << self.random.u8(..3);
        let bytes = if self.random.bool() {
            number.to_be_bytes()[8 - width..].to_vec()
        } else {
            number.to_le_bytes()[..width].to_vec()
        };
        for (place, byte) in input[at..].iter_mut().zip(bytes) {
            *place = byte;
        }
    }
}
