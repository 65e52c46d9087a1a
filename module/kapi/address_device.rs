// SPDX-License-Identifier: GPL-2.0-only

//! A device that has addresses and carries no packets. Its addresses are there as long as it is, whatever becomes of other
//! devices.

use super::bindings;
use super::netdevice::{Device, DeviceRef, Listed, Net, Rtnl};
use super::once::Once;
use core::cell::UnsafeCell;
use kernel::prelude::*;

/// The kind of such devices, known to rtnetlink while it lives: by it the kernel takes them down with their namespace,
/// where others would move to the initial one. It lives as long as the module; whoever has a device holds that.
///
/// # Invariants
///
/// The kind is registered.
pub(crate) struct AddressDeviceKind(());

impl AddressDeviceKind {
    /// Registers the kind. Context: process, without locks. Errors: `EEXIST`, `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Process context. The kind is unregistered before the module goes, in `drop`.
        kernel::error::to_result(unsafe { bindings::nlb_helper_address_device_register() })?;
        // INVARIANT: Just registered.
        Ok(Self(()))
    }
}

impl Drop for AddressDeviceKind {
    fn drop(&mut self) {
        // SAFETY: Registered by the type invariant. No device of the kind is left: each was taken away, or went with a
        // namespace, whose end is waited for when the notifier of namespaces is dropped.
        unsafe { bindings::nlb_helper_address_device_unregister() };
    }
}

/// The address device of somebody, or none.
///
/// # Invariants
///
/// `made` is touched with the RTNL held, or by the owner alone. A device in it was made here, and not unregistered by us.
pub(crate) struct AddressDevice {
    made: UnsafeCell<Option<Device>>,
    /// Its index, or 0.
    ifindex: Once<u32>,
    /// Whether it is up.
    up: Once<bool>,
}

// SAFETY: The device may be given back on any thread; `made` is touched with the RTNL held.
unsafe impl Send for AddressDevice {}
// SAFETY: As above.
unsafe impl Sync for AddressDevice {}

impl AddressDevice {
    /// None.
    pub(crate) const fn none() -> Self {
        // INVARIANT: There is no device.
        Self {
            made: UnsafeCell::new(None),
            ifindex: Once::new(0),
            up: Once::new(false),
        }
    }

    /// Takes out what is there, with the RTNL held.
    fn replace(&self, _rtnl: &Rtnl, new: Option<Device>) -> Option<Device> {
        let ifindex = new.as_ref().map_or(0, Device::ifindex);
        self.ifindex.store(ifindex);
        self.up.store(new.is_some());
        // SAFETY: The RTNL is held, by the type invariant nobody else touches it; no reference to it is kept.
        unsafe { core::ptr::replace(self.made.get(), new) }
    }

    /// Makes the device, up, without addresses. Context: process, RTNL, without locks that a watcher of devices takes.
    /// Errors: `ENOMEM`, or what a notifier says.
    pub(crate) fn make(&self, rtnl: &Rtnl, net: Net<'_>, _kind: &AddressDeviceKind) -> Result {
        // SAFETY: The RTNL is held and the namespace alive; the kind is registered.
        let made = kernel::error::from_err_ptr(unsafe {
            bindings::nlb_helper_address_device_make(net.as_ptr())
        })?;
        // SAFETY: Just made, and in the list of its namespace; the RTNL is held, so it stays there.
        let listed = unsafe { DeviceRef::from_raw(made) }.and_then(|it| it.listed(rtnl));
        let held = listed.ok_or(ENODEV).and_then(|it| Device::hold(&it));
        match held {
            Ok(device) => {
                // INVARIANT: Just made.
                drop(self.replace(rtnl, Some(device)));
                Ok(())
            }
            Err(error) => {
                // SAFETY: Just registered; the RTNL is held.
                unsafe { bindings::unregister_netdevice_queue(made, core::ptr::null_mut()) };
                Err(error)
            }
        }
    }

    /// Takes the device away, and its addresses with it, if there is one. Context: process, RTNL, without locks that a
    /// watcher of devices takes.
    pub(crate) fn remove(&self, rtnl: &Rtnl) {
        // Out of the cell before its end is told to all.
        if let Some(device) = self.replace(rtnl, None) {
            if device.listed(rtnl).is_some() {
                // SAFETY: It is registered, by being listed, and the RTNL is held. The memory is freed when the RTNL is
                // given back, after the last reference.
                unsafe {
                    bindings::unregister_netdevice_queue(device.as_ptr(), core::ptr::null_mut());
                }
            }
            drop(device);
        }
    }

    /// Gives the device back if it is this one, which somebody else unregisters. Context: process, RTNL.
    pub(crate) fn forget(&self, rtnl: &Rtnl, device: &DeviceRef<'_>) {
        if self.ifindex.load() == device.ifindex() && device.is_address_device() {
            drop(self.replace(rtnl, None));
        }
    }

    /// Looks at the device, if it is this one, after it was set up or down. Context: process, RTNL.
    pub(crate) fn look(&self, _rtnl: &Rtnl, device: &Listed<'_>) {
        if self.ifindex.load() == device.ifindex() {
            self.up.store(device.is_up());
        }
    }

    /// Whether there is one, and it is up. While it is down, IPv6 packets to its addresses are not delivered. Context: any.
    pub(crate) fn is_up(&self) -> bool {
        self.up.load()
    }

    /// Its index, if there is one. Context: any.
    pub(crate) fn ifindex(&self) -> Option<u32> {
        let ifindex = self.ifindex.load();
        (ifindex != 0).then_some(ifindex)
    }
}

impl DeviceRef<'_> {
    /// Whether it is up.
    fn is_up(&self) -> bool {
        // SAFETY: Valid by the type invariant.
        unsafe { (*self.as_ptr()).flags & bindings::NLB_IFF_UP != 0 }
    }

    /// Whether it is a device of this kind, on which no packet arrives.
    pub(crate) fn is_address_device(&self) -> bool {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::nlb_helper_is_address_device(self.as_ptr()) }
    }
}
