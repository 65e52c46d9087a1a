// SPDX-License-Identifier: GPL-2.0-only

//! Words that one side writes while others read them, without a lock and without order.

use core::cell::UnsafeCell;

/// A word for `READ_ONCE` and `WRITE_ONCE`.
///
/// A load sees one of the values that were stored, whole; nothing is said about the order of two words. The
/// kernel crate's atomics offer the same as relaxed operations, but as calls of C functions; this is one
/// instruction, which matters on the packet path.
///
/// # Invariants
///
/// The value is read and written by aligned volatile accesses of its own size only, which all architectures
/// of Linux do in one piece for types up to a machine word.
#[repr(transparent)]
pub(crate) struct Once<T: Copy>(UnsafeCell<T>);

// SAFETY: The only accesses are whole-word volatile ones, by the type invariant.
unsafe impl<T: Copy + Send> Sync for Once<T> {}

impl<T: Copy> Once<T> {
    /// A word with a first value. Refuses to compile for what is wider than a machine word.
    pub(crate) const fn new(value: T) -> Self {
        const { assert!(size_of::<T>() <= size_of::<usize>()) };
        Self(UnsafeCell::new(value))
    }

    /// `READ_ONCE`. Context: any.
    #[inline(always)]
    pub(crate) fn load(&self) -> T {
        // SAFETY: The pointer is valid and aligned; concurrent stores are whole by the type invariant.
        unsafe { self.0.get().read_volatile() }
    }

    /// `WRITE_ONCE`. Context: any; writers are serialised by the caller.
    #[inline(always)]
    pub(crate) fn store(&self, value: T) {
        // SAFETY: The pointer is valid and aligned; concurrent loads are whole by the type invariant.
        unsafe { self.0.get().write_volatile(value) }
    }
}
