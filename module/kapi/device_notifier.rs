// SPDX-License-Identifier: GPL-2.0-only

//! What happens to network devices.

use super::bindings;
use super::netdevice::{DeviceRef, Listed, Net, Rtnl};
use super::once::Once;
use core::cell::UnsafeCell;
use core::marker::PhantomPinned;
use kernel::prelude::*;
use kernel::sync::Arc;

/// Who wants to know what happens to devices. Both functions are called in process context, with the RTNL held.
pub(crate) trait DeviceWatcher: Send + Sync + 'static {
    /// A device leaves a namespace: it is unregistered, moves to another one, or has become a device of another kind. All
    /// that was registered for it must be taken back. Called again, from second to second, while references to an
    /// unregistered device are left; its index may be that of another device by then.
    fn device_leaves(&self, rtnl: &Rtnl, net: Net<'_>, device: &DeviceRef<'_>);

    /// A device is new, it was set up or down, or its carrier, its flags, its MTU or what it is a port of changed. One
    /// that leaves is not told of: handlers that are called after this one still change it then.
    fn device_changed(&self, rtnl: &Rtnl, device: &Listed<'_>);
}

/// What happened to a device.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    Leaves,
    Changed,
    /// It is a device of another kind now: one has left, and another one has come.
    Replaced,
}

/// A netdevice notifier in all namespaces, registered while it lives.
///
/// # Invariants
///
/// `block` is not moved until `drop`, and in the chain if `registered` says so.
pub(crate) struct Notifier<T: DeviceWatcher> {
    block: UnsafeCell<bindings::notifier_block>,
    registered: Once<bool>,
    watcher: Arc<T>,
    _pin: PhantomPinned,
}

// SAFETY: The block is touched by the notifier chain only, under its own lock; the watcher is `Send + Sync`.
unsafe impl<T: DeviceWatcher> Send for Notifier<T> {}
// SAFETY: As above.
unsafe impl<T: DeviceWatcher> Sync for Notifier<T> {}

impl<T: DeviceWatcher> Notifier<T> {
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
            bindings::register_netdevice_notifier(notifier.block.get())
        })?;
        // INVARIANT: Registered above; pinned.
        notifier.registered.store(true);
        Ok(notifier)
    }

    /// # Safety
    ///
    /// Called by the netdevice notifier chain with the `block` of a living `Notifier<T>`, with the RTNL held.
    unsafe extern "C" fn callback(
        block: *mut bindings::notifier_block,
        event: c_ulong,
        info: *mut c_void,
    ) -> c_int {
        let event = match event as bindings::netdev_cmd {
            bindings::netdev_cmd_NETDEV_UNREGISTER => Event::Leaves,
            // A device that becomes one of another kind, as a bond does for its first member, is no longer what
            // hooks and addresses were made for. Before that it is only asked for (PRE_TYPE_CHANGE): a handler that is
            // called after this one may forbid it, and nobody would tell.
            bindings::netdev_cmd_NETDEV_POST_TYPE_CHANGE => Event::Replaced,
            bindings::netdev_cmd_NETDEV_REGISTER
            | bindings::netdev_cmd_NETDEV_UP
            | bindings::netdev_cmd_NETDEV_DOWN
            | bindings::netdev_cmd_NETDEV_CHANGE
            | bindings::netdev_cmd_NETDEV_CHANGEMTU
            | bindings::netdev_cmd_NETDEV_CHANGEUPPER => Event::Changed,
            // NOTIFY_DONE: nothing of ours.
            _ => return 0,
        };
        // SAFETY: `block` is a field of a living `Notifier<T>`, by the contract of this function.
        let this = unsafe {
            &*kernel::container_of!(
                block.cast::<UnsafeCell<bindings::notifier_block>>(),
                Self,
                block
            )
        };
        // SAFETY: The caller of the chain holds the RTNL.
        let rtnl = unsafe { Rtnl::assume() };
        // SAFETY: The chain passes a `netdev_notifier_info` whose device is valid during the call, and so is the
        // namespace that it is in.
        let (net, device) = unsafe {
            let dev = (*info.cast::<bindings::netdev_notifier_info>()).dev;
            (
                Net::from_raw(bindings::nlb_helper_dev_net(dev)),
                DeviceRef::from_raw(dev),
            )
        };
        let (Some(net), Some(device)) = (net, device) else {
            return 0;
        };
        if event != Event::Changed {
            this.watcher.device_leaves(&rtnl, net, &device);
        }
        // After `NETDEV_UNREGISTER` handlers of other modules take upper devices off, which is told as a change.
        if event != Event::Leaves {
            if let Some(listed) = device.listed(&rtnl) {
                this.watcher.device_changed(&rtnl, &listed);
            }
        }
        0
    }
}

impl<T: DeviceWatcher> Drop for Notifier<T> {
    fn drop(&mut self) {
        if !self.registered.load() {
            return;
        }
        // SAFETY: Registered by the type invariant. The call waits for running notifications, and tells this
        // one that every device is unregistered, so that what hangs on devices is taken down before it returns.
        unsafe { bindings::unregister_netdevice_notifier(self.block.get()) };
    }
}
