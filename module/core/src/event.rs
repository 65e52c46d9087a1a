// SPDX-License-Identifier: GPL-2.0-only

//! What a node tells its caller, and what it remembers of its past.

use super::host::{HostId, HostSet};
use super::state::{Cause, HostState, OutReason};
use super::time::Instant;

/// Something happened. Events are for people and for the caller's own bookkeeping; nothing of the
/// protocol depends on their being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// This host's own state, or the reason why it is out, changed.
    State {
        /// The new state.
        state: HostState,
        /// Why it is no member, or owns nothing.
        out: OutReason,
    },
    /// A generation was committed here.
    Converged {
        /// Its number.
        generation: u64,
        /// Its members.
        members: HostSet,
        /// What made it necessary.
        cause: Cause,
        /// The host that the cause is about.
        host: Option<HostId>,
    },
    /// Why another host is out changed; [`OutReason::None`]: it is let in again.
    HostOut {
        /// That host.
        host: HostId,
        /// Why it is out.
        reason: OutReason,
    },
    /// A host was heard, and proved its freshness, for the first time or after it was dead.
    HostSeen {
        /// That host.
        host: HostId,
    },
    /// The default host changed.
    DefaultHost {
        /// The new one, if there is one.
        host: Option<HostId>,
    },
    /// A drainstop has come to its end and the host leaves.
    Drained {
        /// Sessions that are left, as far as they were counted: some if its time was up.
        left: u64,
    },
    /// This host was set back to an earlier state. It has stopped, and the caller starts it: under a new incarnation.
    SetBack {
        /// It was draining, and is to do so again.
        draining: bool,
    },
    /// The staged rules are in force from this generation on: the caller must use them from now on.
    RulesActivated {
        /// Digest of the rules that are now in force.
        digest: u64,
    },
}

/// One committed generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HistoryEntry {
    /// Number of the generation.
    pub generation: u64,
    /// Its members.
    pub members: HostSet,
    /// What made it necessary.
    pub cause: Cause,
    /// The host that the cause is about.
    pub host: Option<HostId>,
    /// When it was committed here.
    pub at: Instant,
    /// Nanoseconds from the first proposal that was seen here to the commit.
    pub took_ns: u64,
    /// Buckets that moved, over all slots.
    pub moved: u32,
}

/// A queue in a caller-provided slice; what finds no room displaces the oldest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ring {
    start: u16,
    len: u16,
}

impl Ring {
    /// An empty ring.
    pub(super) const EMPTY: Ring = Ring { start: 0, len: 0 };

    /// Adds at the end.
    pub(super) fn push<T>(&mut self, slice: &mut [Option<T>], value: T) {
        let size = slice.len();
        if size == 0 {
            return;
        }
        if usize::from(self.len) == size {
            self.start = wrap(self.start, 1, size);
            self.len = self.len.saturating_sub(1);
        }
        if let Some(place) = slice.get_mut(usize::from(wrap(self.start, self.len, size))) {
            *place = Some(value);
            self.len = self.len.saturating_add(1);
        }
    }

    /// Takes the oldest.
    pub(super) fn pop<T>(&mut self, slice: &mut [Option<T>]) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        let value = slice
            .get_mut(usize::from(self.start))
            .and_then(Option::take);
        self.start = wrap(self.start, 1, slice.len());
        self.len = self.len.saturating_sub(1);
        value
    }

    /// Looks at all, oldest first.
    pub(super) fn iter<T: Copy>(self, slice: &[Option<T>]) -> impl Iterator<Item = T> + '_ {
        (0..self.len).filter_map(move |n| {
            let place = wrap(self.start, n, slice.len());
            slice.get(usize::from(place)).copied().flatten()
        })
    }
}

/// `start + n` in a ring of `size` places.
fn wrap(start: u16, n: u16, size: usize) -> u16 {
    let sum = usize::from(start).saturating_add(usize::from(n));
    sum.checked_rem(size).unwrap_or(0) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_ring_displaces_the_oldest() {
        let mut slice = [None; 3];
        let mut ring = Ring::EMPTY;
        for n in 0..5 {
            ring.push(&mut slice, n);
        }
        assert!(ring.iter(&slice).eq([2, 3, 4]));
        assert_eq!(ring.pop(&mut slice), Some(2));
        ring.push(&mut slice, 5);
        assert!(ring.iter(&slice).eq([3, 4, 5]));
        assert_eq!(
            [
                ring.pop(&mut slice),
                ring.pop(&mut slice),
                ring.pop(&mut slice)
            ],
            [Some(3), Some(4), Some(5)]
        );
        assert_eq!(ring.pop(&mut slice), None);
    }
}
