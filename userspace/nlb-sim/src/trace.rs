// SPDX-License-Identifier: GPL-2.0-only

//! What happened in a run: a hash of everything, and the text of it when somebody wants to read it.

use std::collections::VecDeque;
use std::fmt::Arguments;

/// Lines kept for a report of a failed run.
const TAIL_LINES: usize = 60;

/// How much of a run is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Only the hash.
    Hash,
    /// The hash, and the last lines for a report.
    Tail,
    /// Every line to standard output.
    Print,
}

/// The record of one run. Every step of the simulator passes through it, so that two runs of one seed can be
/// compared by one number.
pub(crate) struct Trace {
    hash: u64,
    verbosity: Verbosity,
    tail: VecDeque<String>,
}

impl Trace {
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        Trace {
            hash: 0xcbf2_9ce4_8422_2325,
            verbosity,
            tail: VecDeque::new(),
        }
    }

    /// Adds a word to the hash. The multiplication spreads it over the upper bits, the rotation brings them
    /// back to where the next word meets them.
    pub(crate) fn word(&mut self, word: u64) {
        self.hash = (self.hash ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }

    /// Adds bytes to the hash.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    /// True if lines are wanted; spares the cost of formatting them otherwise.
    pub(crate) fn wants_lines(&self) -> bool {
        self.verbosity != Verbosity::Hash
    }

    /// Writes a line for people, at virtual time `at` in nanoseconds.
    pub(crate) fn line(&mut self, at: u64, text: Arguments<'_>) {
        if self.verbosity == Verbosity::Hash {
            return;
        }
        let line = format!("{:>12.6} {text}", at as f64 / 1e9);
        if self.verbosity == Verbosity::Print {
            println!("{line}");
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// The hash of everything that happened.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The last lines.
    pub(crate) fn tail(&self) -> impl Iterator<Item = &str> {
        self.tail.iter().map(String::as_str)
    }
}
