// SPDX-License-Identifier: GPL-2.0-only

//! Notifications of the machine's being set back or copied, where it is a virtual one that says so (`CONFIG_VMGENID`).

use super::bindings;
use super::once::Once;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::marker::PhantomPinned;
use kernel::ffi::{c_int, c_ulong};
use kernel::prelude::*;
use kernel::sync::Arc;

/// Who wants to know when the machine was set back or copied.
pub(crate) trait ForkWatcher: Send + Sync + 'static {
    /// It was; the kernel's random numbers are new already. Called in process context, without locks; may sleep.
    fn set_back(&self);
}

/// A notifier of that, registered while it lives.
///
/// # Invariants
///
/// `block` is not moved until `drop`, and in the chain if `registered` says so.
pub(crate) struct ForkNotifier<T: ForkWatcher> {
    block: UnsafeCell<bindings::notifier_block>,
    registered: Once<bool>,
    watcher: Arc<T>,
    _pin: PhantomPinned,
}

// SAFETY: The block is touched by the notifier chain only, under its own lock; the watcher is `Send + Sync`.
unsafe impl<T: ForkWatcher> Send for ForkNotifier<T> {}
// SAFETY: As above.
unsafe impl<T: ForkWatcher> Sync for ForkNotifier<T> {}

impl<T: ForkWatcher> ForkNotifier<T> {
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
            bindings::nlb_helper_vmfork_register(notifier.block.get())
        })?;
        // INVARIANT: Registered above; pinned.
        notifier.registered.store(true);
        Ok(notifier)
    }

    /// # Safety
    ///
    /// Called by the chain of forks of the machine with the `block` of a living `ForkNotifier<T>`.
    unsafe extern "C" fn callback(
        block: *mut bindings::notifier_block,
        _: c_ulong,
        _: *mut c_void,
    ) -> c_int {
        // SAFETY: `block` is a field of a living `ForkNotifier<T>`, by the contract of this function.
        let this = unsafe {
            &*kernel::container_of!(
                block.cast::<UnsafeCell<bindings::notifier_block>>(),
                Self,
                block
            )
        };
        this.watcher.set_back();
        // NOTIFY_DONE
        0
    }
}

impl<T: ForkWatcher> Drop for ForkNotifier<T> {
    fn drop(&mut self) {
        if !self.registered.load() {
            return;
        }
        // SAFETY: Registered by the type invariant. The call waits for running notifications.
        unsafe { bindings::nlb_helper_vmfork_unregister(self.block.get()) };
    }
}
