// SPDX-License-Identifier: GPL-2.0-only

//! The monotonic clock.

use super::bindings;

/// Nanoseconds of `CLOCK_MONOTONIC`, which the module's timers use as well. Context: any.
pub(crate) fn now_ns() -> u64 {
    // SAFETY: `ktime_get` may be called in any context once time keeping runs, long before modules load.
    let now = unsafe { bindings::ktime_get() };
    now.unsigned_abs()
}
