// SPDX-License-Identifier: GPL-2.0-only

//! A bound on how many digests are computed for frames that may be forged.

use super::time::Instant;

/// A token bucket: one token pays for one digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bucket {
    tokens: u16,
    filled: Instant,
}

impl Bucket {
    /// An empty bucket that was last filled at the beginning of time.
    pub(super) const EMPTY: Bucket = Bucket {
        tokens: 0,
        filled: Instant(0),
    };

    /// Takes a token, after refilling at one token in each `interval_ns` up to `size`.
    pub(super) fn take(&mut self, now: Instant, interval_ns: u64, size: u16) -> bool {
        let gained = now.since(self.filled).checked_div(interval_ns).unwrap_or(0);
        if gained > 0 {
            let room = u64::from(size.saturating_sub(self.tokens));
            self.tokens = self.tokens.saturating_add(gained.min(room) as u16);
            // The remainder stays with the bucket unless it is full, so that the long-term rate is exact.
            let spent = gained.saturating_mul(interval_ns);
            self.filled = if gained >= room {
                now
            } else {
                self.filled.after(spent)
            };
        }
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_at_their_rate_and_not_beyond_the_size() {
        let mut bucket = Bucket::EMPTY;
        let start = Instant(1_000_000);
        assert!((0..4).all(|_| bucket.take(start, 10, 4)));
        assert!(!bucket.take(start, 10, 4));
        assert!(!bucket.take(start.after(9), 10, 4));
        assert!(bucket.take(start.after(15), 10, 4));
        assert!(!bucket.take(start.after(19), 10, 4));
        assert!(bucket.take(start.after(20), 10, 4));
    }
}
