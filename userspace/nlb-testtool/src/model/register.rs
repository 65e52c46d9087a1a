// SPDX-License-Identifier: GPL-2.0-only
//! Whether what was seen of a cluster can be true.
//!
//! Administrators and device events run side by side, so nobody knows in which
//! order two of them took effect that overlapped in time. But there must be an
//! order that explains all answers: each operation took effect at one moment
//! between its beginning and its end. The cluster of an interface is a register
//! with two values, there or not; this searches for such an order.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What an operation did to the cluster of an interface, or showed of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Effect {
    /// There was none, and now there is one.
    Made,
    /// There was one, and now there is none.
    Removed,
    /// There was one, or none.
    Seen(bool),
    /// There is none, whatever was before.
    Ended,
    /// There is none, or nothing has changed.
    MayHaveEnded,
}

/// An operation that has come to its end. Times are those of one clock, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Operation {
    pub(super) began: u64,
    pub(super) ended: u64,
    /// Number of the event that it was part of.
    pub(super) number: u32,
    pub(super) effect: Effect,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            began,
            ended,
            number,
            effect,
        } = self;
        write!(f, "event {number}: {effect:?} within {began}..{ended} ns")
    }
}

/// More operations on one interface between two looks are not to be explained.
const OPERATIONS_MAX: usize = 128;

/// Whether there is an order of the operations that leads from the value before them to that after them.
pub(super) fn explains(before: bool, after: bool, operations: &[Operation]) -> bool {
    operations.len() <= OPERATIONS_MAX
        && Search {
            operations,
            after,
            failed: HashSet::new(),
        }
        .continues(0, before)
}

struct Search<'a> {
    operations: &'a [Operation],
    after: bool,
    /// Sets of operations that are done, with the value then, from which nothing leads on.
    failed: HashSet<(u128, bool)>,
}

impl Search<'_> {
    fn continues(&mut self, done: u128, there: bool) -> bool {
        if done.count_ones() as usize == self.operations.len() {
            return there == self.after;
        }
        if self.failed.contains(&(done, there)) {
            return false;
        }
        for (place, effect) in self.next(done) {
            for value in outcomes(effect, there).into_iter().flatten() {
                if self.continues(done | (1 << place), value) {
                    return true;
                }
            }
            // What only shows the value may as well come now as later.
            if effect == Effect::Seen(there) {
                break;
            }
        }
        self.failed.insert((done, there));
        false
    }

    /// The operations of which each can have been the next one: what ended before another one began came before it. Of
    /// several with one effect it is the one that ended first; the others can take its place in any order.
    fn next(&self, done: u128) -> Vec<(usize, Effect)> {
        let left = || {
            let all = self.operations.iter().enumerate();
            all.filter(move |(place, _)| done & (1 << place) == 0)
        };
        let first_end = left().map(|(_, it)| it.ended).min().unwrap_or(0);
        let mut next = Vec::new();
        for effect in EFFECTS {
            let of_it = left().filter(|(_, it)| it.effect == effect && it.began <= first_end);
            let first = of_it.min_by_key(|(_, it)| it.ended);
            next.extend(first.map(|(place, _)| (place, effect)));
        }
        next
    }
}

/// All effects, those first that change nothing.
const EFFECTS: [Effect; 6] = [
    Effect::Seen(true),
    Effect::Seen(false),
    Effect::Made,
    Effect::Removed,
    Effect::Ended,
    Effect::MayHaveEnded,
];

/// The values that there can be after an operation; none if it cannot have been so.
fn outcomes(effect: Effect, there: bool) -> [Option<bool>; 2] {
    match effect {
        Effect::Made => [(!there).then_some(true), None],
        Effect::Removed => [there.then_some(false), None],
        Effect::Seen(seen) => [(seen == there).then_some(there), None],
        Effect::Ended => [Some(false), None],
        Effect::MayHaveEnded => [Some(false), there.then_some(true)],
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, Operation, explains};

    fn at(began: u64, ended: u64, effect: Effect) -> Operation {
        Operation {
            began,
            ended,
            number: 0,
            effect,
        }
    }

    #[test]
    fn what_follows_each_other_must_fit() {
        use Effect::{Ended, Made, Removed, Seen};
        let made = at(1, 2, Made);
        assert!(explains(false, true, &[made]));
        assert!(!explains(false, false, &[made]));
        assert!(!explains(true, true, &[made]));
        assert!(explains(false, false, &[made, at(3, 4, Removed)]));
        assert!(explains(false, false, &[made, at(3, 4, Ended)]));
        assert!(explains(false, false, &[at(3, 4, Ended)]));
        assert!(!explains(false, true, &[made, at(3, 4, Seen(false))]));
        assert!(!explains(false, true, &[at(1, 2, Made), at(3, 4, Made)]));
        assert!(!explains(true, true, &[at(3, 4, Ended)]));
    }

    #[test]
    fn what_may_have_ended_is_there_or_not() {
        use Effect::{Made, MayHaveEnded, Seen};
        let half = at(1, 2, MayHaveEnded);
        assert!(explains(true, true, &[half]) && explains(true, false, &[half]));
        assert!(explains(false, false, &[half]) && !explains(false, true, &[half]));
        assert!(explains(true, false, &[half, at(3, 4, Seen(false))]));
        assert!(!explains(true, true, &[half, at(3, 4, Seen(false))]));
        assert!(explains(true, true, &[half, at(3, 4, Made)]));
    }

    #[test]
    fn what_overlaps_may_have_come_in_either_order() {
        use Effect::{Ended, Made, Removed, Seen};
        let pair = [at(1, 5, Made), at(2, 6, Ended)];
        assert!(explains(false, true, &pair) && explains(false, false, &pair));
        // But not between its own beginning and end and also elsewhere.
        let seen = [at(1, 5, Made), at(2, 6, Ended), at(7, 8, Seen(true))];
        assert!(explains(false, true, &seen));
        assert!(!explains(false, false, &seen));
        let twice = [at(1, 9, Removed), at(1, 9, Removed), at(2, 3, Made)];
        assert!(explains(true, false, &twice));
        assert!(!explains(false, false, &twice));
    }

    #[test]
    fn many_that_overlap_are_decided_soon() {
        let mut many = vec![at(1, 1000, Effect::Seen(true)); 60];
        many.extend([at(1, 1000, Effect::Ended); 60]);
        many.extend([at(1, 1000, Effect::Made); 3]);
        assert!(explains(true, false, &many));
        many.extend([at(1001, 1002, Effect::Removed); 2]);
        assert!(!explains(true, false, &many));
        many.truncate(123);
        many.push(at(1001, 1002, Effect::Seen(true)));
        assert!(!explains(true, false, &many));
        assert!(!explains(false, false, &[many[0]; 129]));
    }
}
