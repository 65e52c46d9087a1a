// SPDX-License-Identifier: GPL-2.0-only

//! Words that one side writes while others read them, without a lock.

use core::cell::UnsafeCell;
use core::sync::atomic::{fence, Ordering};
use kernel::sync::atomic::Full;
use pin_init::Zeroable;

/// A word for `READ_ONCE` and `WRITE_ONCE`.
///
/// A load sees one of the values that were stored, whole; the order of two words is that of
/// [`Once::store_release`] and [`Once::load_acquire`], and without these there is none. The kernel crate's
/// atomics offer the same, but as calls of C functions; these are one instruction, which matters on the packet
/// path.
///
/// # Invariants
///
/// The value is read and written by aligned volatile accesses of its own size only, which all architectures
/// of Linux do in one piece for types up to a machine word.
#[repr(transparent)]
pub(crate) struct Once<T: Copy>(UnsafeCell<T>);

// SAFETY: The only accesses are whole-word volatile ones, by the type invariant.
unsafe impl<T: Copy + Send> Sync for Once<T> {}

// SAFETY: A word of zeros is a `u64`, and `UnsafeCell` has the layout of what is in it.
unsafe impl Zeroable for Once<u64> {}

impl<T: Copy> Once<T> {
    /// A word with a first value. Refuses to compile for what the machine does not read in one piece.
    pub(crate) const fn new(value: T) -> Self {
        const {
            assert!(size_of::<T>() <= size_of::<usize>() && size_of::<T>().is_power_of_two());
            assert!(align_of::<T>() == size_of::<T>());
        };
        Self(UnsafeCell::new(value))
    }

    /// `READ_ONCE`. Context: any.
    #[inline(always)]
    pub(crate) fn load(&self) -> T {
        // SAFETY: The pointer is valid and aligned; concurrent stores are whole by the type invariant.
        unsafe { self.0.get().read_volatile() }
    }

    /// `WRITE_ONCE`. Context: any; of several writers at a time the last one wins.
    #[inline(always)]
    pub(crate) fn store(&self, value: T) {
        // SAFETY: The pointer is valid and aligned; concurrent loads are whole by the type invariant.
        unsafe { self.0.get().write_volatile(value) }
    }

    /// `smp_load_acquire`: what is read after this is at least as new as what was stored before the value that
    /// this returns, if that was stored by [`Once::store_release`]. Context: any.
    #[inline(always)]
    pub(crate) fn load_acquire(&self) -> T {
        let value = self.load();
        fence(Ordering::Acquire);
        value
    }

    /// `smp_store_release`: see [`Once::load_acquire`]. Context: any.
    #[inline(always)]
    pub(crate) fn store_release(&self, value: T) {
        fence(Ordering::Release);
        self.store(value);
    }

    /// A load that nothing is read after which was read before: `smp_rmb` and `READ_ONCE`. Context: any.
    #[inline(always)]
    pub(crate) fn load_after(&self) -> T {
        fence(Ordering::Acquire);
        self.load()
    }
}

impl Once<u64> {
    /// `cmpxchg`: stores `value` if the word is `expected`, and says whether it was. Fully ordered. Context: any.
    pub(crate) fn exchange(&self, expected: u64, value: u64) -> bool {
        // SAFETY: The word is valid and aligned, and all other accesses are whole, by the type invariant.
        unsafe { kernel::sync::atomic::cmpxchg(self.0.get(), expected, value, Full) }.is_ok()
    }
}
