// SPDX-License-Identifier: GPL-2.0-only

//! Counters, one set for each CPU.

use super::bindings;
use core::ptr::NonNull;
use kernel::prelude::*;

/// A row of 64-bit counters for each CPU, so that no cache line is written by two of them.
///
/// # Invariants
///
/// `row` is a per-CPU allocation of `len` words that this value owns.
pub(crate) struct Counters {
    row: NonNull<u64>,
    len: usize,
}

// SAFETY: The per-CPU allocation belongs to no thread; increments are done by `this_cpu_inc`.
unsafe impl Send for Counters {}
// SAFETY: As above; sums read with `READ_ONCE`.
unsafe impl Sync for Counters {}

impl Counters {
    /// `len` counters at zero. Context: process, may sleep. Errors: `ENOMEM`.
    pub(crate) fn new(len: usize) -> Result<Self> {
        // SAFETY: Process context; the length is small and not zero.
        let row = unsafe { bindings::nlb_helper_percpu_alloc(len.max(1)) };
        // INVARIANT: Freshly allocated with `len` words or more.
        Ok(Self {
            row: NonNull::new(row).ok_or(ENOMEM)?,
            len,
        })
    }

    /// Adds one; an index that does not exist adds nothing. Context: any.
    #[inline]
    pub(crate) fn inc(&self, index: usize) {
        if index < self.len {
            // SAFETY: By the type invariant the allocation has `len` words, and `index` is below that.
            unsafe { this_cpu_inc(self.row.as_ptr(), index) };
        }
    }

    /// Sum over all CPUs; 0 for an index that does not exist. Context: any.
    pub(crate) fn sum(&self, index: usize) -> u64 {
        if index >= self.len {
            return 0;
        }
        // SAFETY: By the type invariant the allocation has `len` words, and `index` is below that.
        unsafe { bindings::nlb_helper_percpu_sum(self.row.as_ptr(), index) }
    }
}

/// `this_cpu_inc`: one instruction, as the kernel's macro makes it, without the call that a helper in C costs each
/// packet.
///
/// # Safety
///
/// `row` is a per-CPU pointer to valid words, and `index` the number of one of them.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn this_cpu_inc(row: *mut u64, index: usize) {
    // SAFETY: A per-CPU pointer is an offset from the base in `gs` (arch/x86/include/asm/percpu.h); the word there
    // is valid by the contract of this function, and one instruction cannot be torn by an interrupt.
    unsafe { kernel::asm!("incq %gs:({},{},8)"; in(reg) row, in(reg) index, options(nostack)) };
}

/// As above, where the module has no assembly.
///
/// # Safety
///
/// `row` is a per-CPU pointer to valid words, and `index` the number of one of them.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
unsafe fn this_cpu_inc(row: *mut u64, index: usize) {
    // SAFETY: By the contract of this function.
    unsafe { bindings::nlb_helper_percpu_inc(row, index) };
}

impl Drop for Counters {
    fn drop(&mut self) {
        // SAFETY: By the type invariant this value owns the allocation, and nobody else has it any more.
        unsafe { bindings::free_percpu(self.row.as_ptr().cast()) };
    }
}
