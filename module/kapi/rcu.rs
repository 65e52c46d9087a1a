// SPDX-License-Identifier: GPL-2.0-only

//! A box that readers see under RCU and that a writer replaces whole.

use super::bindings;
use super::once::Once;
use core::ptr::{self, NonNull};
use kernel::prelude::*;
use kernel::sync::rcu;

/// Evidence that the code runs under RCU: inside a hook, or with a guard.
///
/// # Invariants
///
/// The RCU read side is held for as long as a reference to it lives.
pub(crate) struct ReadSide(());

impl ReadSide {
    /// # Safety
    ///
    /// The caller is under RCU for the lifetime chosen.
    pub(super) unsafe fn assume<'a>() -> &'a ReadSide {
        // INVARIANT: By the contract of this function.
        &ReadSide(())
    }
}

/// The RCU read side, held while it lives.
pub(crate) struct ReadGuard {
    _guard: rcu::Guard,
    side: ReadSide,
}

impl core::ops::Deref for ReadGuard {
    type Target = ReadSide;

    fn deref(&self) -> &ReadSide {
        &self.side
    }
}

/// Enters the RCU read side. Context: any; the holder must not sleep.
pub(crate) fn read_lock() -> ReadGuard {
    // INVARIANT: The evidence lives as long as the guard.
    ReadGuard {
        _guard: rcu::read_lock(),
        side: ReadSide(()),
    }
}

/// Waits until every CPU has left the RCU read sides and packet handlers of now. Context: process, may sleep;
/// expedited if the RTNL is held.
pub(crate) fn synchronize_net() {
    // SAFETY: All callers are in process context, hold no spin lock and no RCU read lock.
    unsafe { bindings::synchronize_net() };
}

/// A grace period: it has passed when every CPU has left the RCU read sides and packet handlers of the moment that it
/// was asked for. One that passes for another one's sake will do: of many that are asked for together and then waited
/// for one by one, only the first is waited for.
#[derive(Clone, Copy)]
pub(crate) struct GracePeriod(c_ulong);

impl GracePeriod {
    /// From now on. It begins when it is waited for, or for somebody else. Context: any.
    pub(crate) fn from_now() -> Self {
        // SAFETY: No requirements.
        Self(unsafe { bindings::get_state_synchronize_rcu() })
    }

    /// From now on, and it begins by itself. Context: any but with interrupts off.
    pub(crate) fn start() -> Self {
        // SAFETY: No requirements beyond those of this function.
        Self(unsafe { bindings::start_poll_synchronize_rcu() })
    }

    /// Whether it has passed. Context: any.
    pub(crate) fn has_passed(&self) -> bool {
        // SAFETY: No requirements.
        unsafe { bindings::poll_state_synchronize_rcu(self.0) }
    }

    /// Waits until it has passed. Context: process, may sleep; expedited if the RTNL is held.
    pub(crate) fn wait(&self) {
        // SAFETY: All callers are in process context, hold no spin lock and no RCU read lock.
        unsafe { bindings::nlb_helper_wait_rcu(self.0) };
    }
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

    /// What is published now, for as long as the read side is held.
    #[inline(always)]
    pub(crate) fn load<'a>(&'a self, _side: &'a ReadSide) -> Option<&'a T> {
        // The address dependency of the reads through the pointer orders them, as in `rcu_dereference`.
        let current = self.current.load();
        // SAFETY: By the type invariant the pointer is null or valid until a grace period after it was taken
        // out, and the read side holds that off.
        unsafe { current.as_ref() }
    }

    /// Publishes `new` and returns what was there, which nobody sees any more: a grace period has passed.
    /// Context: process, may sleep; writers are serialised by the caller's lock.
    pub(crate) fn replace(&self, new: Option<KBox<T>>) -> Option<KBox<T>> {
        self.exchange(new).map(Retired::into_box)
    }

    /// Publishes `new` without waiting: what was there may still be seen, and is to be dropped where one may sleep.
    /// Context: any; writers are serialised by the caller's lock.
    pub(crate) fn swap(&self, new: KBox<T>) -> Option<Retired<T>> {
        self.exchange(Some(new))
    }

    fn exchange(&self, new: Option<KBox<T>>) -> Option<Retired<T>> {
        let new = new.map_or(ptr::null_mut(), KBox::into_raw);
        let old = self.current.load();
        // The contents must be visible before the pointer is: `rcu_assign_pointer`.
        // INVARIANT: `new` is null or came from `into_raw`.
        self.current.store_release(new);
        // INVARIANT: It came from `into_raw` by the invariant of the cell, and was taken out above.
        NonNull::new(old).map(|old| Retired {
            old,
            unseen: GracePeriod::from_now(),
        })
    }
}

/// What was published once and is not any more. Dropping it waits until a grace period has passed since, and frees it:
/// context process, may sleep.
///
/// # Invariants
///
/// The pointer came from `KBox::into_raw` and was taken out of its [`RcuCell`] before `unseen` was asked for; readers of
/// before may use it until that has passed.
pub(crate) struct Retired<T> {
    old: NonNull<T>,
    unseen: GracePeriod,
}

// SAFETY: `T` is dropped on whatever thread this is dropped on.
unsafe impl<T: Send + Sync> Send for Retired<T> {}
// SAFETY: Nothing can be done through a shared reference.
unsafe impl<T: Send + Sync> Sync for Retired<T> {}

impl<T> Retired<T> {
    /// Waits for a grace period; nobody sees it after that. Context: process, may sleep.
    pub(crate) fn into_box(self) -> KBox<T> {
        self.unseen.wait();
        let retired = core::mem::ManuallyDrop::new(self);
        // SAFETY: It came from `into_raw` by the type invariant, is given back once, and a grace period has passed
        // since it was taken out.
        unsafe { KBox::from_raw(retired.old.as_ptr()) }
    }
}

impl<T> Drop for Retired<T> {
    fn drop(&mut self) {
        self.unseen.wait();
        // SAFETY: As in `into_box`, which keeps this from being called.
        drop(unsafe { KBox::from_raw(self.old.as_ptr()) });
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
