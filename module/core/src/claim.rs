// SPDX-License-Identifier: GPL-2.0-only

//! What those who have not proved themselves say under one host id: that they serve. A host in no view does not begin
//! one beside them, for a while.

use super::limits::{CLAIM_PERIODS, CLAIM_STEADY};
use super::time::Instant;

/// One station says that it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Claim {
    incarnation: u64,
    /// The highest sequence heard of it.
    seq: u64,
    /// When it last said so.
    heard: Instant,
    /// How often, without a gap; up to 255, 0: nobody does.
    count: u8,
}

impl Claim {
    const NONE: Claim = Claim {
        incarnation: 0,
        seq: 0,
        heard: Instant(0),
        count: 0,
    };

    fn is_recent(&self, now: Instant, period_ns: u64) -> bool {
        self.count != 0 && now.since(self.heard) <= period_ns.saturating_mul(CLAIM_PERIODS)
    }

    fn is_of(&self, incarnation: u64) -> bool {
        self.count != 0 && self.incarnation == incarnation
    }

    fn follow(&mut self, seq: u64, serving: bool, now: Instant, period_ns: u64) {
        if seq <= self.seq {
            return;
        }
        if !serving {
            *self = Claim::NONE;
            return;
        }
        let before = if self.is_recent(now, period_ns) {
            self.count
        } else {
            0
        };
        self.seq = seq;
        self.heard = now;
        self.count = before.saturating_add(1);
    }
}

/// Who says so under one host id. Stations with that id take turns as its candidate, and none of them may make the others'
/// service forgotten: there is a place for two, so that one is known already when the other has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Claims([Claim; 2]);

impl Claims {
    /// Nobody says so.
    pub(super) const NONE: Claims = Claims([Claim::NONE; 2]);

    /// Whether somebody says it again and again, as a host that is there does.
    pub(super) fn is_steady(&self, now: Instant, period_ns: u64) -> bool {
        let mut claims = self.0.iter();
        claims.any(|claim| claim.count >= CLAIM_STEADY && claim.is_recent(now, period_ns))
    }

    /// A frame says that its sender serves, or that it does not. As long as those that have the places say so, no other
    /// counts: whoever replays old frames could end the claim of a host that is there, or keep one alive with frames
    /// in any order.
    pub(super) fn note(&mut self, id: (u64, u64), serving: bool, now: Instant, period_ns: u64) {
        let (incarnation, seq) = id;
        let mut known = self.0.iter_mut();
        if let Some(claim) = known.find(|claim| claim.is_of(incarnation)) {
            claim.follow(seq, serving, now, period_ns);
            return;
        }
        let mut free = self.0.iter_mut();
        let place = free.find(|claim| !claim.is_recent(now, period_ns));
        if let Some(claim) = place.filter(|_| serving) {
            *claim = Claim {
                incarnation,
                seq,
                heard: now,
                count: 1,
            };
        }
    }

    /// An incarnation has proved itself: what it says is no claim any more.
    pub(super) fn prove(&mut self, incarnation: u64) {
        self.forget(|claim| claim.is_of(incarnation));
    }

    /// Forgets what has not been said for this long.
    pub(super) fn expire(&mut self, now: Instant, silence_ns: u64) {
        self.forget(|claim| claim.count != 0 && now.since(claim.heard) >= silence_ns);
    }

    fn forget(&mut self, gone: impl Fn(&Claim) -> bool) {
        for claim in self.0.iter_mut().filter(|claim| gone(claim)) {
            *claim = Claim::NONE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: u64 = 100;

    #[test]
    fn one_frame_is_no_host_that_is_there() {
        let mut claims = Claims::NONE;
        claims.note((1, 10), true, Instant(1000), P);
        assert!(!claims.is_steady(Instant(1000), P));
        claims.note((1, 10), true, Instant(1100), P);
        assert!(!claims.is_steady(Instant(1100), P), "the same frame again");
        claims.note((1, 11), true, Instant(1200), P);
        assert!(claims.is_steady(Instant(1500), P));
        assert!(!claims.is_steady(Instant(1501), P));
        // After a gap it counts anew.
        claims.note((1, 12), true, Instant(1600), P);
        assert!(!claims.is_steady(Instant(1600), P));
    }

    #[test]
    fn who_serves_is_known_when_another_of_its_id_has_gone() {
        let mut claims = Claims::NONE;
        for n in 0..5 {
            claims.note((1, n + 1), true, Instant(1000 + n * P), P);
            claims.note((2, n + 1), true, Instant(1000 + n * P), P);
        }
        for n in 5..10 {
            claims.note((2, n + 1), true, Instant(1000 + n * P), P);
            assert!(claims.is_steady(Instant(1000 + n * P), P));
        }
        // And so it is when that one says that it serves no more, or proves itself.
        for (quit, stay) in [(1, 2), (2, 1)] {
            let mut claims = claims;
            claims.note((1, 100), true, Instant(2000), P);
            claims.note((1, 101), true, Instant(2000), P);
            claims.note((quit, 102), false, Instant(2000), P);
            assert!(claims.is_steady(Instant(2000), P));
            claims.prove(stay);
            assert_eq!(claims, Claims::NONE);
        }
    }

    #[test]
    fn a_third_station_counts_when_one_of_two_is_silent() {
        let mut claims = Claims::NONE;
        for seq in 1..3 {
            for station in 1..4 {
                claims.note((station, seq), true, Instant(1000), P);
            }
        }
        claims.prove(1);
        claims.prove(2);
        assert_eq!(claims, Claims::NONE, "the third had no place");
        claims.note((3, 3), true, Instant(1000), P);
        claims.note((3, 4), true, Instant(1000), P);
        assert!(claims.is_steady(Instant(1000), P));
        claims.expire(Instant(1500), 5 * P);
        assert_eq!(claims, Claims::NONE);
    }
}
