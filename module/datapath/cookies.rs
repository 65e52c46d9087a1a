// SPDX-License-Identifier: GPL-2.0-only

//! When this host last answered a client by a SYN cookie. Until such a cookie has expired, an ACK without a socket may
//! carry one; at all other times nobody has to look for it.
//!
//! Buckets that were let go of meanwhile hold connections that no walk can see: whoever got a cookie may come back with
//! it, and is this host's. So they stay residue until the last cookie that can be of them has expired.

use crate::kapi::clock::now_ns;
use crate::kapi::once::Once;
use crate::nlb_core::limits::SYN_COOKIE_NS;
use crate::nlb_core::time::NS_PER_SEC;

/// Cookies that were on their way out while a bucket was let go of have left by so many nanoseconds later.
const UNDER_WAY_NS: u64 = NS_PER_SEC;

/// SYN cookies that left by the cluster interface. Times are in nanoseconds; 0: never.
pub(crate) struct Cookies {
    /// When the last one left.
    given: Once<u64>,
    /// When buckets were last let go of.
    released: Once<u64>,
}

impl Cookies {
    /// None was given yet.
    pub(crate) const fn none() -> Self {
        Self {
            given: Once::new(0),
            released: Once::new(0),
        }
    }

    /// One leaves. Context: softirq; of two that leave at once either may be the last.
    pub(crate) fn give(&self) {
        self.given.store(now_ns());
    }

    /// Whether one may still come back. Context: any.
    #[inline(always)]
    pub(crate) fn may_return(&self) -> bool {
        match self.given.load() {
            0 => false,
            given => now_ns().saturating_sub(given) < SYN_COOKIE_NS,
        }
    }

    /// Buckets may have been let go of. Context: under the lock of the node.
    pub(crate) fn release(&self) {
        self.released.store(now_ns());
    }

    /// Whether one of a bucket that was let go of may still come back. Context: process, after whoever saw the bucket
    /// as this host's has left the packet path.
    pub(crate) fn may_return_to_residue(&self) -> bool {
        let (given, released) = (self.given.load(), self.released.load());
        let last = given.min(released.saturating_add(UNDER_WAY_NS));
        given != 0 && released != 0 && now_ns().saturating_sub(last) < SYN_COOKIE_NS
    }
}
