// SPDX-License-Identifier: GPL-2.0-only

//! One netfilter hook on many devices.

use super::netdevice::{DeviceRef, Listed, Rtnl};
use super::netfilter::{call_input, register, InputHook, Point, Registered};
use super::rcu::GracePeriod;
use super::vector::Grow;
use kernel::prelude::*;
use kernel::sync::Arc;

/// One hook function at the ingress of many devices, all with the same target, which come and go one by one.
///
/// As the target lives as long as this, taking a device out need not wait for the CPUs that are inside its hook; `drop`
/// takes all out, waits for a grace period since the last one was, and only then gives the target back. Context of
/// `drop`: as [`Hooks`].
pub(crate) struct DeviceHooks<H: InputHook> {
    registered: KVec<Registered>,
    /// When the last one was taken out.
    left: Option<GracePeriod>,
    target: Arc<H::Target>,
}

// SAFETY: The operations are touched by netfilter and by whoever has this value; the target is `Send + Sync`.
unsafe impl<H: InputHook> Send for DeviceHooks<H> {}
// SAFETY: As above; nothing is changed through a shared reference.
unsafe impl<H: InputHook> Sync for DeviceHooks<H> {}

impl<H: InputHook> DeviceHooks<H> {
    /// On no device yet.
    pub(crate) const fn new(target: Arc<H::Target>) -> Self {
        Self {
            registered: KVec::new(),
            left: None,
            target,
        }
    }

    /// Puts the hook on a device, if it is not there. The device stays until [`DeviceHooks::remove`], which is to be
    /// called when it leaves its namespace. Context: process, RTNL. Errors: `ENOMEM`, or as netfilter says.
    pub(crate) fn add(&mut self, rtnl: &Rtnl, device: &Listed<'_>) -> Result {
        if self.place(device).is_some() {
            return Ok(());
        }
        self.registered.room_for(1, GFP_KERNEL_ACCOUNT)?;
        // SAFETY: The target lives until a grace period after the hook was unregistered, see `drop`.
        let registered = unsafe {
            register(
                rtnl,
                &Point::Ingress(*device),
                (&raw const *self.target).cast(),
                call_input::<H>,
            )
        }?;
        // There is room, it was reserved.
        let _ = self.registered.push_within_capacity(registered);
        Ok(())
    }

    /// Takes the hook off a device, if it is there. Context: process, RTNL.
    pub(crate) fn remove(&mut self, _rtnl: &Rtnl, device: &DeviceRef<'_>) {
        let Some(place) = self.place(device) else {
            return;
        };
        if let Ok(mut registered) = self.registered.remove(place) {
            registered.unregister();
            self.left = registered.left;
            registered.free_later();
        }
    }

    /// Takes all out, so that `drop` has only to wait. Context: process, RTNL.
    pub(crate) fn unregister(&mut self, _rtnl: &Rtnl) {
        self.unregister_all();
    }

    fn unregister_all(&mut self) {
        for registered in &mut self.registered {
            registered.unregister();
        }
    }

    fn place(&self, device: &DeviceRef<'_>) -> Option<usize> {
        self.registered
            .iter()
            .position(|registered| core::ptr::eq(registered.ops.dev, device.as_ptr()))
    }
}

impl<H: InputHook> Drop for DeviceHooks<H> {
    fn drop(&mut self) {
        self.unregister_all();
        for registered in &self.registered {
            registered.wait();
        }
        // Nor is one inside a hook that was taken out before.
        if let Some(left) = &self.left {
            left.wait();
        }
    }
}
