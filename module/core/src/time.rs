// SPDX-License-Identifier: GPL-2.0-only

//! Points in time, as the caller's monotonic clock tells them.

/// Nanoseconds in a millisecond.
pub const NS_PER_MS: u64 = 1_000_000;

/// Nanoseconds in a second.
pub const NS_PER_SEC: u64 = 1_000_000_000;

/// A point in time: nanoseconds of a monotonic clock whose zero does not matter.
///
/// The core never asks for the time; it is told. All arithmetic saturates, so that a clock that jumps far
/// ahead (a paused virtual machine) is one late event and not an overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

impl Instant {
    /// The end of time: a deadline that never comes.
    pub const NEVER: Instant = Instant(u64::MAX);

    /// The instant `ns` nanoseconds later.
    #[must_use]
    pub const fn after(self, ns: u64) -> Instant {
        Instant(self.0.saturating_add(ns))
    }

    /// Nanoseconds from `earlier` to here; 0 if `earlier` is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
