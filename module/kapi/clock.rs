// SPDX-License-Identifier: GPL-2.0-only

//! The clock of the module: monotonic, and it goes on while the machine sleeps.

use super::bindings;

/// Nanoseconds of `CLOCK_BOOTTIME`, which the module's timers use as well. Context: any.
///
/// `CLOCK_MONOTONIC` stands still while the machine is suspended: a host would wake up and not know that the others have
/// long taken it for dead.
pub(crate) fn now_ns() -> u64 {
    // SAFETY: It may be called in any context once time keeping runs, long before modules load.
    let now = unsafe { bindings::ktime_get_with_offset(bindings::tk_offsets_TK_OFFS_BOOT) };
    now.unsigned_abs()
}
