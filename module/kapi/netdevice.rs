// SPDX-License-Identifier: GPL-2.0-only

//! Network devices, the RTNL, and what happens to devices.

use super::bindings;
use super::once::Once;
use super::rcu::ReadSide;
use core::cell::UnsafeCell;
use core::marker::PhantomPinned;
use core::mem::MaybeUninit;
use core::net::{IpAddr, Ipv6Addr};
use core::ptr::NonNull;
use kernel::prelude::*;
use kernel::sync::Arc;

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

    pub(super) fn as_ptr(&self) -> *mut bindings::net {
        self.ptr.as_ptr()
    }

    /// Its identity.
    pub(crate) fn id(&self) -> NetId {
        NetId(self.ptr.as_ptr().addr())
    }

    /// The devices that are in it. Context: process, RTNL, which keeps the list as it is.
    pub(crate) fn devices<'a>(&'a self, _rtnl: &'a Rtnl) -> impl Iterator<Item = DeviceRef<'a>> {
        let next = |dev: *mut bindings::net_device| {
            // SAFETY: The namespace is alive, the RTNL is held; `dev` is null or in the list.
            let dev = unsafe { bindings::nlb_helper_next_device(self.as_ptr(), dev) };
            // SAFETY: No device of the list goes away while the RTNL is held.
            unsafe { DeviceRef::from_raw(dev) }
        };
        core::iter::successors(next(core::ptr::null_mut()), move |device| {
            next(device.as_ptr())
        })
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

/// A reference to a registered Ethernet-like device.
///
/// # Invariants
///
/// A tracked reference is held. Whoever keeps one drops it when the device is unregistered, so that the
/// namespace which the device is in is alive as well.
pub(crate) struct Device {
    dev: NonNull<bindings::net_device>,
    tracker: KBox<UnsafeCell<bindings::netdevice_tracker>>,
}

// SAFETY: The reference may be given back on any thread; fields are read by their own rules.
unsafe impl Send for Device {}
// SAFETY: As above.
unsafe impl Sync for Device {}

impl Device {
    /// The device with this index, held. Errors: `ENODEV` if there is none, `ENOMEM`.
    pub(crate) fn by_index(_rtnl: &Rtnl, net: Net<'_>, ifindex: u32) -> Result<Self> {
        let ifindex = c_int::try_from(ifindex).map_err(|_| ENODEV)?;
        // SAFETY: The RTNL is held, the namespace is alive.
        let dev = unsafe { bindings::__dev_get_by_index(net.as_ptr(), ifindex) };
        let dev = NonNull::new(dev).ok_or(ENODEV)?;
        // SAFETY: A tracker is plain data (or nothing), set by `netdev_hold`.
        let tracker = unsafe { MaybeUninit::zeroed().assume_init() };
        let tracker = KBox::new(UnsafeCell::new(tracker), GFP_KERNEL)?;
        // SAFETY: The device cannot go away under the RTNL; the tracker is valid and stays where it is.
        if !unsafe { bindings::nlb_helper_dev_hold(dev.as_ptr(), tracker.get()) } {
            return Err(ENODEV);
        }
        // INVARIANT: Just held.
        Ok(Self { dev, tracker })
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::net_device {
        self.dev.as_ptr()
    }

    /// The namespace it is in.
    pub(crate) fn net(&self) -> Net<'_> {
        // SAFETY: The device is held; its namespace is alive by the type invariant.
        let net = unsafe { bindings::nlb_helper_dev_net(self.as_ptr()) };
        // INVARIANT: As above. The pointer of a registered device's namespace is never null.
        Net {
            // SAFETY: Not null, as said.
            ptr: unsafe { NonNull::new_unchecked(net) },
            _life: core::marker::PhantomData,
        }
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
        // SAFETY: As for `add_multicast`. An error says that it is gone already.
        let _ = unsafe { bindings::dev_mc_del(self.as_ptr(), mac.as_ptr()) };
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
        // SAFETY: As for `add_unicast`. An error says that it is gone already.
        let _ = unsafe { bindings::dev_uc_del(self.as_ptr(), mac.as_ptr()) };
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

impl DeviceRef<'_> {
    /// # Safety
    ///
    /// `dev` is null or a device that stays valid for the lifetime chosen.
    pub(super) unsafe fn from_raw<'a>(dev: *mut bindings::net_device) -> Option<DeviceRef<'a>> {
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

/// What happened to a device.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceEvent {
    /// It goes away: unregistered, moved to another namespace, or about to become a device of another kind.
    Unregister,
    /// It is new, it was set up or down, or its carrier, its flags, its MTU or what it is a port of changed.
    Change,
}

/// Who wants to know what happens to devices.
pub(crate) trait DeviceWatcher: Send + Sync + 'static {
    /// Called in process context with the RTNL held, whose evidence is `rtnl`.
    fn device_event(&self, rtnl: &Rtnl, event: DeviceEvent, net: Net<'_>, device: &DeviceRef<'_>);
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
            // A device that becomes one of another kind, as a bond does for its first member, is no longer what
            // hooks and addresses were made for; its address lists are flushed after this.
            bindings::netdev_cmd_NETDEV_UNREGISTER
            | bindings::netdev_cmd_NETDEV_PRE_TYPE_CHANGE => DeviceEvent::Unregister,
            bindings::netdev_cmd_NETDEV_REGISTER
            | bindings::netdev_cmd_NETDEV_POST_TYPE_CHANGE
            | bindings::netdev_cmd_NETDEV_UP
            | bindings::netdev_cmd_NETDEV_DOWN
            | bindings::netdev_cmd_NETDEV_CHANGE
            | bindings::netdev_cmd_NETDEV_CHANGEMTU
            | bindings::netdev_cmd_NETDEV_CHANGEUPPER => DeviceEvent::Change,
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
        // SAFETY: The chain passes a `netdev_notifier_info` whose device is valid during the call.
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
        // The caller of the chain holds the RTNL.
        let rtnl = Rtnl {
            owned: false,
            _not_send: core::marker::PhantomData,
        };
        this.watcher.device_event(&rtnl, event, net, &device);
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
