// SPDX-License-Identifier: GPL-2.0-only

//! A station on the segment that records, replays, alters, delays and forges, and does not have the key.

use std::collections::VecDeque;
use std::rc::Rc;

use fastrand::Rng;
use nlb_core::wire::{HEADER_LEN, Kind, STAMPED_LEN};

use crate::host::Sent;

/// Frames that the adversary remembers: some from long ago, and the newest.
const BOOK_MAX: usize = 256;

/// Where a frame says of what kind it is.
const KIND_AT: usize = 5;

/// Frames of one turn of a flood.
const FLOOD_TURN: usize = 40;

/// What the adversary does for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    /// A bit of everything, a few frames a period.
    Mixed,
    /// Old frames as fast as they were sent.
    Replay,
    /// 50,000 forged frames a second against one host.
    Flood,
}

/// A frame that the adversary sends.
pub(crate) struct Shot {
    pub(crate) bytes: Rc<[u8]>,
    /// The frame that it repeats to the letter.
    pub(crate) copy_of: Option<Rc<Sent>>,
}

/// The adversary and its book.
pub(crate) struct Adversary {
    pub(crate) rng: Rng,
    book: VecDeque<Rc<Sent>>,
    old: Vec<Rc<Sent>>,
    /// The newest heartbeat and the newest other frame of each host, by its place.
    newest: Vec<[Option<Rc<Sent>>; 2]>,
    heard: u64,
    /// What it does, until when, and how long it waits between turns, in nanoseconds.
    pub(crate) doing: Option<(Attack, u64, u64)>,
}

impl Adversary {
    pub(crate) fn new(seed: u64) -> Self {
        Adversary {
            rng: Rng::with_seed(seed ^ 0x6d61_6c6c_6f72_7921),
            book: VecDeque::new(),
            old: Vec::new(),
            newest: Vec::new(),
            heard: 0,
            doing: None,
        }
    }

    /// Hears a frame on the segment.
    pub(crate) fn record(&mut self, sent: &Rc<Sent>) {
        self.heard += 1;
        if self.book.len() == BOOK_MAX {
            self.book.pop_front();
        }
        self.book.push_back(Rc::clone(sent));
        if self.newest.len() <= sent.from {
            self.newest.resize(sent.from + 1, [None, None]);
        }
        let heartbeat = sent.bytes.get(KIND_AT) == Some(&(Kind::Heartbeat as u8));
        self.newest[sent.from][usize::from(!heartbeat)] = Some(Rc::clone(sent));
        // A sample of all that was ever sent, each frame with the same chance (reservoir sampling).
        if self.old.len() < BOOK_MAX {
            self.old.push(Rc::clone(sent));
        } else {
            let place = self.rng.u64(0..self.heard) as usize;
            if let Some(entry) = self.old.get_mut(place) {
                *entry = Rc::clone(sent);
            }
        }
    }

    fn recorded(&mut self) -> Option<Rc<Sent>> {
        let from_old = self.rng.bool();
        let count = if from_old {
            self.old.len()
        } else {
            self.book.len()
        };
        if count == 0 {
            return None;
        }
        let place = self.rng.usize(0..count);
        let frame = if from_old {
            &self.old[place]
        } else {
            &self.book[place]
        };
        Some(Rc::clone(frame))
    }

    /// The last words of those who have said nothing for so long, in nanoseconds: whoever believes them believes that
    /// a dead host lives.
    pub(crate) fn last_words(&self, now: u64, silence: u64) -> Vec<Rc<Sent>> {
        let last = |of_host: &[Option<Rc<Sent>>; 2]| {
            let frames = of_host.iter().flatten();
            frames.map(|sent| sent.at).max().unwrap_or(now)
        };
        let silent = self.newest.iter().filter(|it| now - last(it) > silence);
        silent.flatten().flatten().map(Rc::clone).collect()
    }

    /// The frames of one turn.
    pub(crate) fn turn(&mut self, attack: Attack) -> Vec<Shot> {
        let count = match attack {
            Attack::Mixed => self.rng.usize(1..=4),
            Attack::Replay => 8,
            Attack::Flood => FLOOD_TURN,
        };
        (0..count).filter_map(|_| self.shot(attack)).collect()
    }

    fn shot(&mut self, attack: Attack) -> Option<Shot> {
        let frame = self.recorded()?;
        let kind = match attack {
            Attack::Mixed => self.rng.u8(0..6),
            Attack::Replay => 0,
            Attack::Flood => self.rng.u8(2..6),
        };
        if kind == 0 {
            return Some(Shot {
                bytes: frame.bytes.as_ref().into(),
                copy_of: Some(frame),
            });
        }
        let mut bytes = frame.bytes.to_vec();
        match kind {
            1 => self.flip(&mut bytes),
            2 => self.forge_next(&mut bytes),
            3 => self.forge_identity(&mut bytes),
            4 => self.splice(&mut bytes),
            _ => self.rubbish(&mut bytes),
        }
        (bytes != frame.bytes.as_ref()).then(|| Shot {
            bytes: bytes.into(),
            copy_of: None,
        })
    }

    /// One to three bits are flipped anywhere.
    fn flip(&mut self, bytes: &mut [u8]) {
        for _ in 0..self.rng.u8(1..=3) {
            let place = self.rng.usize(0..bytes.len());
            bytes[place] ^= 1 << self.rng.u8(0..8);
        }
    }

    /// The next sequence of a host that lives, with a tag out of thin air.
    fn forge_next(&mut self, bytes: &mut [u8]) {
        if let Some(field) = bytes.get_mut(24..32) {
            let mut seq = [0u8; 8];
            seq.copy_from_slice(field);
            let ahead = u64::from_be_bytes(seq).wrapping_add(self.rng.u64(1..=64));
            field.copy_from_slice(&ahead.to_be_bytes());
        }
        self.scribble_tag(bytes);
    }

    /// Another host id or incarnation, and whatever key id, version or kind.
    fn forge_identity(&mut self, bytes: &mut [u8]) {
        match self.rng.u8(0..5) {
            0 => bytes[7] = self.rng.u8(1..=64),
            1 => self.rng.fill(&mut bytes[16..24]),
            2 => bytes[6] = self.rng.u8(0..4),
            3 => bytes[2] = self.rng.u8(0..4),
            _ => bytes[5] = self.rng.u8(0..8),
        }
        if self.rng.bool() {
            self.scribble_tag(bytes);
        }
    }

    /// The header of one frame before the body of another: the stamp is right, the tag is not.
    fn splice(&mut self, bytes: &mut Vec<u8>) {
        let Some(other) = self.recorded() else { return };
        bytes.truncate(HEADER_LEN);
        bytes.extend_from_slice(&other.bytes[HEADER_LEN..]);
    }

    /// Truncated, too long, or nothing at all.
    fn rubbish(&mut self, bytes: &mut Vec<u8>) {
        match self.rng.u8(0..3) {
            0 => bytes.truncate(self.rng.usize(0..bytes.len())),
            1 => bytes[32] ^= 1 << self.rng.u8(0..3),
            _ => {
                let len = self.rng.usize(0..200);
                bytes.resize(len, 0);
                self.rng.fill(bytes);
            }
        }
    }

    /// Half of the time stamp and tag, half of the time the tag alone.
    fn scribble_tag(&mut self, bytes: &mut [u8]) {
        if self.rng.bool() {
            self.rng.fill(&mut bytes[STAMPED_LEN..HEADER_LEN]);
        }
        let end = bytes.len();
        self.rng.fill(&mut bytes[end - 16..]);
    }
}
