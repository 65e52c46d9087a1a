// SPDX-License-Identifier: GPL-2.0-only

//! The end of network namespaces, many at a time.
//!
//! The kernel ends namespaces in batches (`cleanup_net()` in net/core/net_namespace.c): for all of a batch it says that
//! they end, waits for one grace period, and says that they have ended; only then their devices go, but for those of
//! drivers that take theirs down in between. The functions that are called are not told for whom, so there can be one
//! watcher only.

use super::bindings;
use super::netdevice::Net;
use super::once::Once;
use core::cell::UnsafeCell;
use core::marker::PhantomPinned;
use kernel::prelude::*;
use kernel::sync::Arc;

/// Who wants to know when namespaces end. Both functions are called in process context, without locks, may sleep and
/// take the RTNL.
pub(crate) trait NamespaceWatcher: Send + Sync + 'static {
    /// A namespace begins to end: no process and no socket is in it any more, its devices still are.
    fn namespace_ends(&self, net: Net<'_>);

    /// The namespaces that began to end have ended, and a grace period has passed in between. Devices may be
    /// unregistered before this.
    fn namespaces_ended(&self);
}

/// The address of the watcher, or 0.
static WATCHER: Once<u64> = Once::new(0);

/// A watcher of all namespaces, registered while it lives. Its end is that of each namespace to the watcher.
///
/// # Invariants
///
/// `operations` is not moved until `drop`, and registered if `registered` says so; as long as it is, [`WATCHER`] is the
/// address of `watcher`.
pub(crate) struct NamespaceNotifier<T: NamespaceWatcher> {
    operations: UnsafeCell<bindings::pernet_operations>,
    registered: Once<bool>,
    watcher: Arc<T>,
    _pin: PhantomPinned,
}

// SAFETY: The operations are touched by the list of them only, under its own lock; the watcher is `Send + Sync`.
unsafe impl<T: NamespaceWatcher> Send for NamespaceNotifier<T> {}
// SAFETY: As above.
unsafe impl<T: NamespaceWatcher> Sync for NamespaceNotifier<T> {}

impl<T: NamespaceWatcher> NamespaceNotifier<T> {
    /// Registers. Context: process, without locks. Errors: `EBUSY` if there is a watcher, `ENOMEM`.
    pub(crate) fn new(watcher: Arc<T>) -> Result<Pin<KBox<Self>>> {
        // SAFETY: Plain data for which zero means "not set".
        let mut operations: bindings::pernet_operations = unsafe { core::mem::zeroed() };
        operations.pre_exit = Some(Self::ends);
        operations.exit_batch = Some(Self::ended);
        let notifier = KBox::pin(
            Self {
                operations: UnsafeCell::new(operations),
                registered: Once::new(false),
                watcher,
                _pin: PhantomPinned,
            },
            GFP_KERNEL,
        )?;
        let address = (&raw const *notifier.watcher).expose_provenance() as u64;
        if !WATCHER.exchange(0, address) {
            return Err(EBUSY);
        }
        // The operations of devices are called before those of the devices' own end.
        // SAFETY: The operations are valid and stay so until `drop` unregisters them.
        let result = kernel::error::to_result(unsafe {
            bindings::register_pernet_device(notifier.operations.get())
        });
        if result.is_err() {
            WATCHER.store(0);
        } else {
            // INVARIANT: Registered, pinned, and the address was stored above.
            notifier.registered.store(true);
        }
        result.map(|()| notifier)
    }

    /// The watcher that is registered.
    ///
    /// # Safety
    ///
    /// Called by an operation of a registered `NamespaceNotifier<T>`, for the time of that call.
    unsafe fn watcher<'a>() -> &'a T {
        // SAFETY: There is one such value at a time, and by its type invariant this is the address of its watcher.
        unsafe { &*core::ptr::with_exposed_provenance::<T>(WATCHER.load() as usize) }
    }

    /// # Safety
    ///
    /// Called by the kernel with a namespace that begins to end.
    unsafe extern "C" fn ends(net: *mut bindings::net) {
        // SAFETY: By the contract of this function; the namespace is alive during the call.
        let (watcher, net) = unsafe { (Self::watcher(), Net::from_raw(net)) };
        if let Some(net) = net {
            watcher.namespace_ends(net);
        }
    }

    /// # Safety
    ///
    /// Called by the kernel for the namespaces of a batch.
    unsafe extern "C" fn ended(_batch: *mut bindings::list_head) {
        // SAFETY: By the contract of this function.
        unsafe { Self::watcher() }.namespaces_ended();
    }
}

impl<T: NamespaceWatcher> Drop for NamespaceNotifier<T> {
    fn drop(&mut self) {
        if !self.registered.load() {
            return;
        }
        // SAFETY: Registered by the type invariant. The call waits for batches that are under way, and ends every
        // namespace for this watcher.
        unsafe { bindings::unregister_pernet_device(self.operations.get()) };
        WATCHER.store(0);
    }
}
