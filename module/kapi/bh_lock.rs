// SPDX-License-Identifier: GPL-2.0-only

//! A spin lock that process context shares with softirqs: `spin_lock_bh`.

use super::bindings;
use core::ops::{Deref, DerefMut};
use kernel::new_spinlock;
use kernel::prelude::*;
use kernel::sync::lock::spinlock::SpinLockGuard;
use kernel::sync::SpinLock;

/// Bottom halves are off on this CPU while it lives.
///
/// # Invariants
///
/// `local_bh_disable()` was called on this CPU and not yet undone; the type is not `Send`.
pub(crate) struct BhGuard(core::marker::PhantomData<*mut ()>);

impl BhGuard {
    /// Turns them off. Context: process or softirq.
    pub(crate) fn new() -> Self {
        // SAFETY: May be called in any context but hard interrupt, where no caller of this module runs.
        unsafe { bindings::nlb_helper_bh_disable() };
        // INVARIANT: It was just called.
        Self(core::marker::PhantomData)
    }
}

impl Drop for BhGuard {
    fn drop(&mut self) {
        // SAFETY: Undoes the call of `new`, on the same CPU, by the type invariant.
        unsafe { bindings::nlb_helper_bh_enable() };
    }
}

/// A spin lock whose holder cannot be interrupted by a softirq.
#[pin_data]
pub(crate) struct BhLock<T> {
    #[pin]
    inner: SpinLock<T>,
}

/// The lock is held while it lives.
pub(crate) struct BhLockGuard<'a, T> {
    // Dropped first: the lock must be free before bottom halves may run again.
    inner: SpinLockGuard<'a, T>,
    _bh: BhGuard,
}

impl<T> BhLock<T> {
    /// A lock around a value.
    pub(crate) fn new(value: T) -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- new_spinlock!(value, "nlb::BhLock"),
        })
    }

    /// Takes the lock. Context: process or softirq; the holder must not sleep.
    pub(crate) fn lock(&self) -> BhLockGuard<'_, T> {
        let bh = BhGuard::new();
        BhLockGuard {
            inner: self.inner.lock(),
            _bh: bh,
        }
    }
}

impl<T> Deref for BhLockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: Unpin> DerefMut for BhLockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}
