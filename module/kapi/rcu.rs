// SPDX-License-Identifier: GPL-2.0-only

//! A box that readers see under RCU and that a writer replaces whole.

use super::bindings;
use super::once::Once;
use core::ptr;
use kernel::prelude::*;
use kernel::sync::rcu;

/// Waits until every CPU has left the RCU read sides and packet handlers of now. Context: process, may sleep;
/// expedited if the RTNL is held.
pub(crate) fn synchronize_net() {
    // SAFETY: All callers are in process context, hold no spin lock and no RCU read lock.
    unsafe { bindings::synchronize_net() };
}

/// A pointer to an immutable `T`, published by RCU.
///
/// # Invariants
///
/// The word is null or came from `KBox::into_raw`, and what it points to is freed only after it was taken out
/// and a grace period has passed.
pub(crate) struct RcuCell<T> {
    current: Once<*mut T>,
}

// SAFETY: `T` is shared by reference and dropped on whatever thread replaces it.
unsafe impl<T: Send + Sync> Send for RcuCell<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for RcuCell<T> {}

impl<T> RcuCell<T> {
    /// An empty cell.
    pub(crate) const fn empty() -> Self {
        // INVARIANT: The word is null.
        Self {
            current: Once::new(ptr::null_mut()),
        }
    }

    /// What is published now, for as long as the guard lives. Context: RCU read side.
    #[inline(always)]
    pub(crate) fn load<'a>(&'a self, _guard: &'a rcu::Guard) -> Option<&'a T> {
        // The address dependency of the reads through the pointer orders them, as in `rcu_dereference`.
        let current = self.current.load();
        // SAFETY: By the type invariant the pointer is null or valid until a grace period after it was taken
        // out, and the guard holds that off.
        unsafe { current.as_ref() }
    }

    /// Publishes `new` and frees what was there after a grace period. Context: process, may sleep; writers are
    /// serialised by the caller's lock.
    pub(crate) fn replace(&self, new: Option<KBox<T>>) {
        let new = new.map_or(ptr::null_mut(), KBox::into_raw);
        let old = self.current.load();
        // The contents must be visible before the pointer is: `rcu_assign_pointer`.
        core::sync::atomic::fence(core::sync::atomic::Ordering::Release);
        // INVARIANT: `new` is null or came from `into_raw`.
        self.current.store(new);
        if !old.is_null() {
            synchronize_net();
            // SAFETY: It came from `into_raw` by the type invariant, was taken out above, and a grace period
            // has passed since.
            drop(unsafe { KBox::from_raw(old) });
        }
    }
}

impl<T> Drop for RcuCell<T> {
    fn drop(&mut self) {
        let current = self.current.load();
        if !current.is_null() {
            // SAFETY: It came from `into_raw` by the type invariant; with `&mut self` there is no reader, for
            // each reader borrows the cell.
            drop(unsafe { KBox::from_raw(current) });
        }
    }
}
