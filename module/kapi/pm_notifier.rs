// SPDX-License-Identifier: GPL-2.0-only

//! Notifications of the machine's sleep: suspension and hibernation.

use super::bindings;
use super::once::Once;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::marker::PhantomPinned;
use kernel::ffi::{c_int, c_ulong};
use kernel::prelude::*;
use kernel::sync::Arc;

/// Who wants to know when the machine sleeps.
pub(crate) trait SleepWatcher: Send + Sync + 'static {
    /// The machine is about to sleep, or it has woken up or could not sleep. Called in process context, without locks;
    /// may sleep. All devices and timers still work, or work again.
    fn sleep_changed(&self, asleep: bool);
}

/// A notifier of sleep, registered while it lives.
///
/// # Invariants
///
/// `block` is not moved until `drop`, and in the chain if `registered` says so.
pub(crate) struct SleepNotifier<T: SleepWatcher> {
    block: UnsafeCell<bindings::notifier_block>,
    registered: Once<bool>,
    watcher: Arc<T>,
    _pin: PhantomPinned,
}

// SAFETY: The block is touched by the notifier chain only, under its own lock; the watcher is `Send + Sync`.
unsafe impl<T: SleepWatcher> Send for SleepNotifier<T> {}
// SAFETY: As above.
unsafe impl<T: SleepWatcher> Sync for SleepNotifier<T> {}

impl<T: SleepWatcher> SleepNotifier<T> {
    /// Registers. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new(watcher: Arc<T>) -> Result<Pin<KBox<Self>>> {
        let block = bindings::notifier_block {
            notifier_call: Some(Self::callback),
            next: core::ptr::null_mut(),
            priority: 0,
        };
        let notifier = KBox::pin(
            Self {
                block: UnsafeCell::new(block),
                registered: Once::new(false),
                watcher,
                _pin: PhantomPinned,
            },
            GFP_KERNEL,
        )?;
        // SAFETY: The block is valid and stays so until `drop` unregisters it.
        kernel::error::to_result(unsafe {
            bindings::nlb_helper_pm_register(notifier.block.get())
        })?;
        // INVARIANT: Registered above; pinned.
        notifier.registered.store(true);
        Ok(notifier)
    }

    /// # Safety
    ///
    /// Called by the chain of sleep notifiers with the `block` of a living `SleepNotifier<T>`.
    unsafe extern "C" fn callback(
        block: *mut bindings::notifier_block,
        event: c_ulong,
        _: *mut c_void,
    ) -> c_int {
        let asleep = match event as u32 {
            bindings::PM_SUSPEND_PREPARE
            | bindings::PM_HIBERNATION_PREPARE
            | bindings::PM_RESTORE_PREPARE => true,
            bindings::PM_POST_SUSPEND
            | bindings::PM_POST_HIBERNATION
            | bindings::PM_POST_RESTORE => false,
            // NOTIFY_DONE: nothing of ours.
            _ => return 0,
        };
        // SAFETY: `block` is a field of a living `SleepNotifier<T>`, by the contract of this function.
        let this = unsafe {
            &*kernel::container_of!(
                block.cast::<UnsafeCell<bindings::notifier_block>>(),
                Self,
                block
            )
        };
        this.watcher.sleep_changed(asleep);
        0
    }
}

impl<T: SleepWatcher> Drop for SleepNotifier<T> {
    fn drop(&mut self) {
        if !self.registered.load() {
            return;
        }
        // SAFETY: Registered by the type invariant. The call waits for running notifications.
        unsafe { bindings::nlb_helper_pm_unregister(self.block.get()) };
    }
}
