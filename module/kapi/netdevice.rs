// SPDX-License-Identifier: GPL-2.0-only

//! Network namespaces, their devices, and the RTNL.
//!
//! A device is seen in one of three ways. [`DeviceRef`]: the kernel lends it for the time of a call. [`Listed`]: it is
//! in the list of its namespace, and the RTNL keeps it there; only in such a state may anything be registered for it.
//! [`Device`]: a reference, which outlasts the call; the kernel does not free a device, nor the namespace that the
//! device is in, before the last reference was given back (`netdev_wait_allrefs_any()` in net/core/dev.c).

use super::bindings;
use super::rcu::ReadSide;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::net::{IpAddr, Ipv6Addr};
use core::ptr::NonNull;
use kernel::prelude::*;

/// A network namespace, borrowed from something that keeps it alive.
///
/// # Invariants
///
/// The namespace is alive for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct Net<'a> {
    ptr: NonNull<bindings::net>,
    _life: core::marker::PhantomData<&'a ()>,
}

/// Tells namespaces apart without keeping them alive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct NetId(usize);

impl Net<'_> {
    /// # Safety
    ///
    /// `ptr` is a namespace that stays alive for the lifetime chosen.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::net) -> Option<Net<'a>> {
        // INVARIANT: By the contract of this function.
        NonNull::new(ptr).map(|ptr| Net {
            ptr,
            _life: core::marker::PhantomData,
        })
    }

    /// # Safety
    ///
    /// As [`Net::from_raw`], and `ptr` is not null.
    unsafe fn from_dev<'a>(ptr: *mut bindings::net) -> Net<'a> {
        Net {
            // SAFETY: By the contract of this function.
            ptr: unsafe { NonNull::new_unchecked(ptr) },
            _life: core::marker::PhantomData,
        }
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::net {
        self.ptr.as_ptr()
    }

    /// Its identity.
    pub(crate) fn id(&self) -> NetId {
        NetId(self.ptr.as_ptr().addr())
    }

    /// The devices that are listed in it. Context: process, RTNL, which keeps the list as it is.
    pub(crate) fn devices<'a>(&'a self, _rtnl: &'a Rtnl) -> impl Iterator<Item = Listed<'a>> {
        let next = |dev: *mut bindings::net_device| {
            // SAFETY: The namespace is alive, the RTNL is held; `dev` is null or in the list.
            let dev = unsafe { bindings::nlb_helper_next_device(self.as_ptr(), dev) };
            // SAFETY: No device of the list goes away while the RTNL is held.
            let device = unsafe { DeviceRef::from_raw(dev) };
            // INVARIANT: It is in the list, and the RTNL is held for `'a`.
            device.map(Listed)
        };
        core::iter::successors(next(core::ptr::null_mut()), move |device| {
            next(device.as_ptr())
        })
    }

    /// The device with this index. Context: process, RTNL. Errors: `ENODEV` if there is none.
    pub(crate) fn device<'a>(&'a self, _rtnl: &'a Rtnl, ifindex: u32) -> Result<Listed<'a>> {
        let ifindex = c_int::try_from(ifindex).map_err(|_| ENODEV)?;
        // SAFETY: The RTNL is held, the namespace is alive.
        let dev = unsafe { bindings::__dev_get_by_index(self.as_ptr(), ifindex) };
        // SAFETY: No device of the list goes away while the RTNL is held.
        let device = unsafe { DeviceRef::from_raw(dev) };
        // INVARIANT: It was found in the list, and the RTNL is held for `'a`.
        device.map(Listed).ok_or(ENODEV)
    }

    /// A reference to the loopback device, which never leaves its namespace: the namespace stays for as long as the
    /// reference is held. Context: process, RTNL. Errors: `ENODEV` if the namespace ends, `ENOMEM`.
    pub(super) fn anchor(&self, rtnl: &Rtnl) -> Result<Device> {
        self.device(rtnl, bindings::LOOPBACK_IFINDEX)
            .and_then(|loopback| Device::hold(&loopback))
    }
}

/// The RTNL is held while it lives.
///
/// # Invariants
///
/// `rtnl_lock()` was called by this thread and not yet undone, or the RTNL is held by the caller of a notifier
/// (then `owned` is false).
pub(crate) struct Rtnl {
    owned: bool,
    _not_send: core::marker::PhantomData<*mut ()>,
}

impl Rtnl {
    /// Evidence for the time of a call that is made with the RTNL held.
    ///
    /// # Safety
    ///
    /// The caller's caller holds the RTNL for as long as the value lives.
    pub(super) unsafe fn assume() -> Self {
        // INVARIANT: By the contract of this function.
        Self {
            owned: false,
            _not_send: core::marker::PhantomData,
        }
    }

    /// Takes the RTNL if it is free. Context: process, also where a holder of the RTNL may wait for the caller.
    pub(crate) fn try_lock() -> Option<Self> {
        // SAFETY: Process context.
        let owned = unsafe { bindings::rtnl_trylock() } != 0;
        owned.then_some(Self {
            owned,
            _not_send: core::marker::PhantomData,
        })
    }

    /// Takes the RTNL. Context: process, may sleep; before any lock of ours.
    pub(crate) fn lock() -> Self {
        // SAFETY: Process context; no caller holds the RTNL.
        unsafe { bindings::rtnl_lock() };
        Self {
            owned: true,
            _not_send: core::marker::PhantomData,
        }
    }
}

impl Drop for Rtnl {
    fn drop(&mut self) {
        if self.owned {
            // SAFETY: Taken in `lock` by this thread.
            unsafe { bindings::rtnl_unlock() };
        }
    }
}

/// A reference to a device.
///
/// While it is held, the kernel waits at the end of the device's life, and at the end of the life of whatever namespace
/// the device is in then. So an owner gives it back soon after the device was unregistered, or all of that waits for it.
///
/// # Invariants
///
/// A tracked reference is held.
pub(crate) struct Device {
    dev: NonNull<bindings::net_device>,
    tracker: KBox<UnsafeCell<bindings::netdevice_tracker>>,
}

// SAFETY: The reference may be given back on any thread; fields are read by their own rules.
unsafe impl Send for Device {}
// SAFETY: As above.
unsafe impl Sync for Device {}

impl Device {
    /// A reference to a listed device. Context: process. Errors: `ENOMEM`.
    pub(crate) fn hold(device: &Listed<'_>) -> Result<Self> {
        let dev = device.dev;
        // SAFETY: A tracker is plain data (or nothing), set by `netdev_hold`.
        let tracker = unsafe { MaybeUninit::zeroed().assume_init() };
        let tracker = KBox::new(UnsafeCell::new(tracker), GFP_KERNEL_ACCOUNT)?;
        // SAFETY: A listed device is valid, and its life has not ended; the tracker is valid and stays where it is.
        unsafe { bindings::nlb_helper_dev_hold(dev.as_ptr(), tracker.get()) };
        // INVARIANT: Just held.
        Ok(Self { dev, tracker })
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::net_device {
        self.dev.as_ptr()
    }

    /// The namespace it is in. Context: process, RTNL, which keeps it there.
    pub(crate) fn net<'a>(&'a self, _rtnl: &'a Rtnl) -> Net<'a> {
        // SAFETY: The device is held, and the RTNL, without which it does not leave its namespace; that one is alive
        // while the device is in it. The pointer is never null.
        unsafe { Net::from_dev(bindings::nlb_helper_dev_net(self.as_ptr())) }
    }

    /// The namespace it is in. It may leave it meanwhile, which the namespace outlives for as long as the read side is
    /// held: moving the device waits for a grace period. Context: any.
    pub(crate) fn net_now<'a>(&'a self, _side: &'a ReadSide) -> Net<'a> {
        // SAFETY: The device is held, and the read side; see above. The pointer is never null.
        unsafe { Net::from_dev(bindings::nlb_helper_dev_net_rcu(self.as_ptr())) }
    }

    /// The device, if it is listed in its namespace. Context: process, RTNL.
    pub(crate) fn listed<'a>(&'a self, rtnl: &'a Rtnl) -> Option<Listed<'a>> {
        self.as_device_ref().listed(rtnl)
    }

    /// Interface index; changes only with the namespace.
    pub(crate) fn ifindex(&self) -> u32 {
        // SAFETY: Held by the type invariant.
        unsafe { (*self.as_ptr()).ifindex }.unsigned_abs()
    }

    /// Copies the name, NUL-padded. A concurrent rename may tear it; it is for people only.
    pub(crate) fn name(&self) -> [u8; 16] {
        // SAFETY: Held by the type invariant; the name is an array of 16 bytes.
        unsafe { (&raw const (*self.as_ptr()).name).cast::<[u8; 16]>().read() }
    }

    /// The device's own MAC.
    pub(crate) fn mac(&self) -> [u8; 6] {
        // SAFETY: Held by the type invariant; Ethernet devices have at least six bytes there.
        unsafe { (*self.as_ptr()).dev_addr.cast::<[u8; 6]>().read() }
    }

    /// Whether it speaks Ethernet and resolves neighbours.
    pub(crate) fn is_ethernet(&self) -> bool {
        // SAFETY: Held by the type invariant.
        let (kind, flags) = unsafe { ((*self.as_ptr()).type_, (*self.as_ptr()).flags) };
        u32::from(kind) == bindings::ARPHRD_ETHER && flags & bindings::NLB_IFF_NOARP == 0
    }

    /// Whether it is a loopback device.
    pub(crate) fn is_loopback(&self) -> bool {
        // SAFETY: Held by the type invariant.
        unsafe { (*self.as_ptr()).flags & bindings::NLB_IFF_LOOPBACK != 0 }
    }

    /// Whether it is up and has a carrier. Context: any.
    pub(crate) fn has_carrier(&self) -> bool {
        // SAFETY: Held by the type invariant.
        unsafe { bindings::nlb_helper_dev_carrier(self.as_ptr()) }
    }

    /// Lets the device receive frames to a multicast MAC; counted, so that others may ask for the same.
    /// Context: process, RTNL. Errors: as the device's address list says.
    pub(crate) fn add_multicast(&self, mac: &[u8; 6]) -> Result {
        // SAFETY: Held by the type invariant; six bytes, the address length of Ethernet.
        kernel::error::to_result(unsafe { bindings::dev_mc_add(self.as_ptr(), mac.as_ptr()) })
    }

    /// Undoes one [`Device::add_multicast`]. Context: process, RTNL.
    pub(crate) fn del_multicast(&self, mac: &[u8; 6]) {
        if self.has_ethernet_addresses() {
            // SAFETY: As for `add_multicast`. An error says that it is gone already.
            let _ = unsafe { bindings::dev_mc_del(self.as_ptr(), mac.as_ptr()) };
        }
    }

    /// Whether its addresses are as long as those of Ethernet. When it becomes a device of another kind the old ones go,
    /// and the kernel would look at more bytes than a MAC has.
    fn has_ethernet_addresses(&self) -> bool {
        // SAFETY: Held by the type invariant.
        usize::from(unsafe { (*self.as_ptr()).addr_len }) == 6
    }
}

impl Device {
    /// Lets the device receive frames to a unicast MAC beside its own; counted. A device that cannot filter by more
    /// than one MAC becomes promiscuous. Context: process, RTNL. Errors: as the device's address list says.
    pub(crate) fn add_unicast(&self, mac: &[u8; 6]) -> Result {
        // SAFETY: Held by the type invariant; six bytes, the address length of Ethernet.
        kernel::error::to_result(unsafe { bindings::dev_uc_add(self.as_ptr(), mac.as_ptr()) })
    }

    /// Undoes one [`Device::add_unicast`]. Context: process, RTNL.
    pub(crate) fn del_unicast(&self, mac: &[u8; 6]) {
        if self.has_ethernet_addresses() {
            // SAFETY: As for `add_unicast`. An error says that it is gone already.
            let _ = unsafe { bindings::dev_uc_del(self.as_ptr(), mac.as_ptr()) };
        }
    }

    /// Lets the IP stack join a multicast group on the device; counted. It reports the group and answers queries.
    /// Context: process, RTNL. Errors: `ENODEV` if that family does not run on the device.
    pub(crate) fn join(&self, _rtnl: &Rtnl, group: IpAddr) -> Result {
        // SAFETY: Held by the type invariant, the RTNL is held; the addresses live during the calls.
        kernel::error::to_result(unsafe {
            match group {
                IpAddr::V4(group) => {
                    bindings::nlb_helper_join4(self.as_ptr(), u32::from_ne_bytes(group.octets()))
                }
                IpAddr::V6(group) => {
                    bindings::nlb_helper_join6(self.as_ptr(), group.octets().as_ptr())
                }
            }
        })
    }

    /// Undoes one [`Device::join`]. Context: process, RTNL.
    pub(crate) fn leave(&self, group: IpAddr) {
        // SAFETY: As for `join`; the helpers do nothing if the family is gone from the device, and the group with it.
        unsafe {
            match group {
                IpAddr::V4(group) => {
                    bindings::nlb_helper_leave4(self.as_ptr(), u32::from_ne_bytes(group.octets()))
                }
                IpAddr::V6(group) => {
                    bindings::nlb_helper_leave6(self.as_ptr(), group.octets().as_ptr());
                }
            }
        }
    }

    /// Whether the IP stack runs on the device for the family of an address. Context: process, RTNL.
    pub(crate) fn has_family(&self, _rtnl: &Rtnl, address: IpAddr) -> bool {
        // SAFETY: Held by the type invariant; the RTNL is held.
        unsafe { bindings::nlb_helper_has_family(self.as_ptr(), address.is_ipv6()) }
    }

    /// Whether frames to a secondary unicast MAC reach the device. Those that share the NIC of another device and
    /// are told apart by their one MAC (macvlan but passthru, ipvlan) get none. Context: process, RTNL.
    pub(crate) fn takes_unicast(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: Held by the type invariant.
        unsafe { bindings::nlb_helper_dev_takes_unicast(self.as_ptr()) }
    }

    /// Whether the device knows multicast.
    pub(crate) fn takes_multicast(&self) -> bool {
        // SAFETY: Held by the type invariant.
        unsafe { (*self.as_ptr()).flags & bindings::NLB_IFF_MULTICAST != 0 }
    }

    /// Whether the device is a port of a bridge, a bond or a team, so that the IP stack sees its frames on that.
    /// Context: process, RTNL.
    pub(crate) fn is_port(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: Held by the type invariant; the RTNL is held.
        unsafe { bindings::nlb_helper_dev_is_port(self.as_ptr()) }
    }

    /// The longest payload of a frame, in bytes.
    pub(crate) fn mtu(&self) -> u32 {
        // SAFETY: Held by the type invariant.
        unsafe { bindings::nlb_helper_dev_mtu(self.as_ptr()) }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: The reference is held by the type invariant and given back once.
        unsafe { bindings::nlb_helper_dev_put(self.as_ptr(), self.tracker.get()) };
    }
}

/// A device lent by the kernel for as long as a hook runs.
///
/// # Invariants
///
/// The device is valid for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct DeviceRef<'a> {
    dev: NonNull<bindings::net_device>,
    _life: core::marker::PhantomData<&'a ()>,
}

impl Device {
    /// The device, lent.
    pub(crate) fn as_device_ref(&self) -> DeviceRef<'_> {
        // INVARIANT: Held by the type invariant of `Device`.
        DeviceRef {
            dev: self.dev,
            _life: core::marker::PhantomData,
        }
    }
}

/// A device that is listed in its namespace: what is registered for it now will be told when it leaves, for that is
/// told to all after the device was taken out of the list.
///
/// # Invariants
///
/// The device is in the list of its namespace, and the RTNL, without which it does not leave the list, is held for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct Listed<'a>(DeviceRef<'a>);

impl<'a> Listed<'a> {
    /// Lets the IP stack report all groups of the device again, unasked, as a bond does for a new active port
    /// (`bond_resend_igmp_join_requests()`). Context: process, RTNL.
    pub(crate) fn report_groups(&self, _rtnl: &Rtnl) {
        // SAFETY: The device is listed, and the RTNL held, by the type invariant.
        unsafe {
            bindings::call_netdevice_notifiers(
                bindings::netdev_cmd_NETDEV_RESEND_IGMP as c_ulong,
                self.as_ptr(),
            )
        };
    }

    /// The namespace whose list it is in.
    pub(crate) fn net(&self) -> Net<'a> {
        // SAFETY: The device is valid and does not leave its namespace for `'a`, which is alive while the device is in
        // it. The pointer is never null.
        unsafe { Net::from_dev(bindings::nlb_helper_dev_net(self.as_ptr())) }
    }
}

impl<'a> core::ops::Deref for Listed<'a> {
    type Target = DeviceRef<'a>;

    fn deref(&self) -> &DeviceRef<'a> {
        &self.0
    }
}

impl<'a> DeviceRef<'a> {
    /// The device, if it is listed in its namespace. One that leaves is not, from before `NETDEV_UNREGISTER` on, even
    /// where it only moves and stays registered. Context: process, RTNL.
    pub(crate) fn listed(self, _rtnl: &'a Rtnl) -> Option<Listed<'a>> {
        // SAFETY: The device is valid by the type invariant and the RTNL is held, so that its namespace is alive.
        let listed = unsafe { bindings::nlb_helper_dev_listed(self.as_ptr()) };
        // INVARIANT: As just found; the RTNL is held for `'a`.
        listed.then_some(Listed(self))
    }

    /// # Safety
    ///
    /// `dev` is null or a device that stays valid for the lifetime chosen.
    pub(super) unsafe fn from_raw(dev: *mut bindings::net_device) -> Option<DeviceRef<'a>> {
        // INVARIANT: By the contract of this function.
        NonNull::new(dev).map(|dev| DeviceRef {
            dev,
            _life: core::marker::PhantomData,
        })
    }

    /// The device's own MAC; none if its addresses are not those of Ethernet.
    pub(crate) fn mac(&self) -> Option<[u8; 6]> {
        // SAFETY: Valid by the type invariant; six bytes are there, for the address length says so.
        unsafe {
            let dev = self.dev.as_ptr();
            (usize::from((*dev).addr_len) == 6).then(|| (*dev).dev_addr.cast::<[u8; 6]>().read())
        }
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::net_device {
        self.dev.as_ptr()
    }

    /// Interface index; changes only with the namespace.
    pub(crate) fn ifindex(&self) -> u32 {
        // SAFETY: Valid by the type invariant.
        unsafe { (*self.as_ptr()).ifindex }.unsigned_abs()
    }

    /// Copies the name, NUL-padded; for people only.
    pub(crate) fn name(&self) -> [u8; 16] {
        // SAFETY: Valid by the type invariant; the name is an array of 16 bytes.
        unsafe { (&raw const (*self.as_ptr()).name).cast::<[u8; 16]>().read() }
    }

    /// Whether it is a port of a bridge, a bond or a team, so that the IP stack sees its frames on that.
    /// Context: process, RTNL.
    pub(crate) fn is_port(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: Valid by the type invariant; the RTNL is held.
        unsafe { bindings::nlb_helper_dev_is_port(self.as_ptr()) }
    }

    /// Whether other devices take some of its frames before the IP stack does: ports, and what macvlan, ipvlan
    /// or macsec devices are made on. Context: process, RTNL.
    pub(crate) fn shares_frames(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: Valid by the type invariant; the RTNL is held.
        unsafe { bindings::netdev_is_rx_handler_busy(self.as_ptr()) }
    }

    /// Whether it is this device.
    #[inline(always)]
    pub(crate) fn is(&self, device: &Device) -> bool {
        self.dev == device.dev
    }

    /// Whether it is in the same namespace as this device. Context: any.
    pub(crate) fn is_beside(&self, device: &Device) -> bool {
        // SAFETY: Both are valid by their type invariants.
        unsafe { bindings::nlb_helper_same_net(self.as_ptr(), device.as_ptr()) }
    }

    /// Whether it is a loopback device.
    pub(crate) fn is_loopback(&self) -> bool {
        // SAFETY: Valid by the type invariant.
        unsafe { (*self.dev.as_ptr()).flags & bindings::NLB_IFF_LOOPBACK != 0 }
    }

    /// Whether it is a VRF, to which packets come from its ports.
    pub(crate) fn is_vrf(&self) -> bool {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::nlb_helper_dev_is_vrf(self.dev.as_ptr()) }
    }

    /// The link-local IPv6 address of the device, if it has one that is in use. Context: any but hard interrupts,
    /// under RCU.
    pub(crate) fn link_local(&self, _side: &ReadSide) -> Option<Ipv6Addr> {
        let mut octets = [0u8; 16];
        // SAFETY: Valid by the type invariant; the helper writes 16 bytes if it says that it did.
        unsafe { bindings::nlb_helper_link_local(self.dev.as_ptr(), octets.as_mut_ptr()) }
            .then(|| Ipv6Addr::from(octets))
    }
}
