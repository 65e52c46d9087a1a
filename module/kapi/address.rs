// SPDX-License-Identifier: GPL-2.0-only

//! IP addresses of a device, and who wants to know when they come and go.

use super::bindings;
use super::netdevice::{Device, DeviceRef};
use super::once::Once;
use core::cell::UnsafeCell;
use core::marker::PhantomPinned;
use core::net::{IpAddr, Ipv4Addr};
use kernel::prelude::*;
use kernel::sync::Arc;

impl Device {
    /// Whether packets to this address that arrive on the device are for this host, whichever device of the namespace (and
    /// of its VRF) has the address. An IPv6 address whose uniqueness is still being checked counts: nobody is told when
    /// the check has passed. One that failed it does not. Context: any but hard interrupts.
    pub(crate) fn delivers(&self, address: IpAddr) -> bool {
        // SAFETY: Held by the type invariant of `Device`; the address lives during the call.
        unsafe {
            match address {
                IpAddr::V4(address) => bindings::nlb_helper_is_local4(
                    self.as_ptr(),
                    u32::from_ne_bytes(address.octets()),
                ),
                IpAddr::V6(address) => {
                    bindings::nlb_helper_is_local6(self.as_ptr(), address.octets().as_ptr())
                }
            }
        }
    }
}

impl Device {
    /// The global IPv4 addresses of the device, in the kernel's order; one that comes or goes meanwhile may be missed, or
    /// another told twice. Context: any but hard interrupts.
    pub(crate) fn own_v4(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        (0..c_uint::MAX).map_while(|nth| {
            let mut address = 0u32;
            // SAFETY: Held by the type invariant of `Device`; the address is written if the helper says so.
            unsafe { bindings::nlb_helper_own4(self.as_ptr(), nth, &mut address) }
                .then(|| Ipv4Addr::from(address.to_ne_bytes()))
        })
    }
}

/// Who wants to know of the addresses of devices.
pub(crate) trait AddressWatcher: Send + Sync + 'static {
    /// An address of a device came or went. Context: process or softirq; must not sleep.
    fn addresses_changed(&self, device: &DeviceRef<'_>);
}

/// Notifiers of the IPv4 and the IPv6 stack for all devices, registered while it lives. One is enough for all that is to
/// be known: unregistering it waits for a grace period, in process context.
///
/// # Invariants
///
/// The blocks are not moved until `drop`; each is in its chain if its flag says so.
pub(crate) struct AddressNotifier<T: AddressWatcher> {
    v4: UnsafeCell<bindings::notifier_block>,
    v6: UnsafeCell<bindings::notifier_block>,
    has_v4: Once<bool>,
    has_v6: Once<bool>,
    watcher: Arc<T>,
    _pin: PhantomPinned,
}

// SAFETY: The blocks are touched by the chains only, under their own locks; the watcher is `Send + Sync`.
unsafe impl<T: AddressWatcher> Send for AddressNotifier<T> {}
// SAFETY: As above.
unsafe impl<T: AddressWatcher> Sync for AddressNotifier<T> {}

impl<T: AddressWatcher> AddressNotifier<T> {
    /// Registers. Context: process, not within one of the chains. Errors: `ENOMEM`, or what the chains say.
    pub(crate) fn new(watcher: Arc<T>) -> Result<Pin<KBox<Self>>> {
        let block = |call| {
            UnsafeCell::new(bindings::notifier_block {
                notifier_call: Some(call),
                next: core::ptr::null_mut(),
                priority: 0,
            })
        };
        let notifier = KBox::pin(
            Self {
                v4: block(Self::changed_v4),
                v6: block(Self::changed_v6),
                has_v4: Once::new(false),
                has_v6: Once::new(false),
                watcher,
                _pin: PhantomPinned,
            },
            GFP_KERNEL,
        )?;
        // SAFETY: The block is valid and stays where it is until `drop` unregisters it.
        kernel::error::to_result(unsafe {
            bindings::register_inetaddr_notifier(notifier.v4.get())
        })?;
        // INVARIANT: Registered above; pinned.
        notifier.has_v4.store(true);
        // SAFETY: As above.
        kernel::error::to_result(unsafe {
            bindings::register_inet6addr_notifier(notifier.v6.get())
        })?;
        // INVARIANT: As above.
        notifier.has_v6.store(true);
        Ok(notifier)
    }

    /// Tells the watcher.
    ///
    /// # Safety
    ///
    /// `dev` is a device that is valid during the call.
    unsafe fn changed(&self, dev: *const bindings::net_device) -> c_int {
        // SAFETY: By the contract of this function.
        if let Some(device) = unsafe { DeviceRef::from_raw(dev.cast_mut()) } {
            self.watcher.addresses_changed(&device);
        }
        // NOTIFY_DONE
        0
    }

    /// # Safety
    ///
    /// Called by the chain of IPv4 addresses with the block of a living notifier and an address.
    unsafe extern "C" fn changed_v4(
        block: *mut bindings::notifier_block,
        _event: c_ulong,
        address: *mut c_void,
    ) -> c_int {
        // SAFETY: By the contract of this function.
        let (this, dev) = unsafe {
            let block = block.cast::<UnsafeCell<bindings::notifier_block>>();
            let this = &*kernel::container_of!(block, Self, v4);
            (this, bindings::nlb_helper_ifa4_dev(address))
        };
        // SAFETY: An address holds its device.
        unsafe { this.changed(dev) }
    }

    /// # Safety
    ///
    /// Called by the chain of IPv6 addresses with the block of a living notifier and an address.
    unsafe extern "C" fn changed_v6(
        block: *mut bindings::notifier_block,
        _event: c_ulong,
        address: *mut c_void,
    ) -> c_int {
        // SAFETY: By the contract of this function.
        let (this, dev) = unsafe {
            let block = block.cast::<UnsafeCell<bindings::notifier_block>>();
            let this = &*kernel::container_of!(block, Self, v6);
            (this, bindings::nlb_helper_ifa6_dev(address))
        };
        // SAFETY: An address holds its device.
        unsafe { this.changed(dev) }
    }
}

impl<T: AddressWatcher> Drop for AddressNotifier<T> {
    fn drop(&mut self) {
        // SAFETY: Registered by the type invariant. Both calls wait for those that are inside.
        unsafe {
            if self.has_v6.load() {
                bindings::unregister_inet6addr_notifier(self.v6.get());
            }
            if self.has_v4.load() {
                bindings::unregister_inetaddr_notifier(self.v4.get());
            }
        }
    }
}
