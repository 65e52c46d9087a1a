// SPDX-License-Identifier: GPL-2.0-only

//! Netfilter hooks, registered as a group and taken down with one grace period.

use super::bindings;
use super::netdevice::{Device, DeviceRef, Net};
use super::rcu::{synchronize_net, ReadSide};
use super::skb::Skb;
use core::ptr::NonNull;
use kernel::prelude::*;
use kernel::sync::Arc;

/// What becomes of a packet.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on its way.
    Accept,
    /// It is freed, with netfilter's drop reason.
    Drop,
    /// It has reached its goal in the hook and is freed as such, which a drop monitor does not see.
    Consume,
}

/// A hook function and what it works on.
///
/// Called under RCU, in softirq or process context with bottom halves off. It must not sleep.
pub(crate) trait Hook: 'static {
    /// What it works on.
    type Target: Send + Sync + 'static;

    /// Decides a packet.
    fn handle(target: &Self::Target, side: &ReadSide, skb: &mut Skb) -> Verdict;
}

/// A hook function that is told which device a packet goes to.
///
/// Called under RCU, in softirq or process context. It must not sleep.
pub(crate) trait OutputHook: 'static {
    /// What it works on.
    type Target: Send + Sync + 'static;

    /// Decides a packet that leaves by `device`.
    fn handle(
        target: &Self::Target,
        side: &ReadSide,
        skb: &mut Skb,
        device: &DeviceRef<'_>,
    ) -> Verdict;
}

/// A hook function that is told which device a packet comes from; else as [`OutputHook`].
pub(crate) trait InputHook: 'static {
    /// What it works on.
    type Target: Send + Sync + 'static;

    /// Decides a packet that came from `device`.
    fn handle(
        target: &Self::Target,
        side: &ReadSide,
        skb: &mut Skb,
        device: &DeviceRef<'_>,
    ) -> Verdict;
}

/// Where a hook is put.
pub(crate) enum Point<'a> {
    /// Received by a device, before any protocol.
    Ingress(&'a Device),
    /// About to be sent by a device.
    Egress(&'a Device),
    /// ARP of the kernel's own, sent by any device of a namespace.
    ArpOut(Net<'a>),
    /// IPv6 of the host's own, sent by any device of a namespace; the data begins with the IPv6 header.
    Ip6Out(Net<'a>),
    /// IPv4 that was received by any device of a namespace, before routing; the data begins with the IPv4 header.
    Ip4In(Net<'a>),
    /// The same for IPv6.
    Ip6In(Net<'a>),
}

/// Hooks run before those of nft and others, whose netdev chains start at priorities around 0: what this host
/// does not serve should cost nothing more.
const PRIORITY: c_int = -500;

/// A registered hook.
///
/// # Invariants
///
/// `ops` is registered in `net` until it is unregistered by the group; `target` came from `Arc::into_raw` of
/// what `release` takes back.
struct Entry {
    ops: KBox<bindings::nf_hook_ops>,
    net: NonNull<bindings::net>,
    target: *const c_void,
    release: unsafe fn(*const c_void),
}

/// Hooks that come and go together.
///
/// Unregistering does not wait for CPUs that are inside a hook (net/netfilter/core.c), so `drop` unregisters
/// all, waits one grace period for all of them, and only then gives back what they work on.
pub(crate) struct Hooks {
    entries: KVec<Entry>,
}

// SAFETY: Entries hold pointers to registered operations and to `Send + Sync` targets.
unsafe impl Send for Hooks {}
// SAFETY: As above; nothing is changed through a shared reference.
unsafe impl Sync for Hooks {}

impl Hooks {
    /// No hooks yet.
    pub(crate) const fn new() -> Self {
        Self {
            entries: KVec::new(),
        }
    }

    /// Registers a hook. Context: process. Errors: `ENOMEM`, or as netfilter says. Nothing is left behind on
    /// an error.
    pub(crate) fn add<H: Hook>(&mut self, point: Point<'_>, target: Arc<H::Target>) -> Result {
        self.register(point, target, call::<H>)
    }

    /// Registers a hook that is told the device. As [`Hooks::add`].
    pub(crate) fn add_output<H: OutputHook>(
        &mut self,
        point: Point<'_>,
        target: Arc<H::Target>,
    ) -> Result {
        self.register(point, target, call_output::<H>)
    }

    /// Registers a hook that is told the device. As [`Hooks::add`].
    pub(crate) fn add_input<H: InputHook>(
        &mut self,
        point: Point<'_>,
        target: Arc<H::Target>,
    ) -> Result {
        self.register(point, target, call_input::<H>)
    }

    fn register<T: Send + Sync + 'static>(
        &mut self,
        point: Point<'_>,
        target: Arc<T>,
        hook: unsafe extern "C" fn(
            *mut c_void,
            *mut bindings::sk_buff,
            *const bindings::nf_hook_state,
        ) -> c_uint,
    ) -> Result {
        self.entries.reserve(1, GFP_KERNEL)?;
        // SAFETY: The operations are plain data for which zero means "not set".
        let mut ops: KBox<bindings::nf_hook_ops> =
            KBox::new(unsafe { core::mem::zeroed() }, GFP_KERNEL)?;
        let (net, dev, pf, hooknum) = match point {
            Point::Ingress(device) => (
                device.net().as_ptr(),
                device.as_ptr(),
                bindings::NFPROTO_NETDEV,
                bindings::NLB_NETDEV_INGRESS,
            ),
            Point::Egress(device) => (
                device.net().as_ptr(),
                device.as_ptr(),
                bindings::NFPROTO_NETDEV,
                bindings::NLB_NETDEV_EGRESS,
            ),
            Point::ArpOut(net) => (
                net.as_ptr(),
                core::ptr::null_mut(),
                bindings::NFPROTO_ARP,
                bindings::NF_ARP_OUT,
            ),
            Point::Ip6Out(net) => (
                net.as_ptr(),
                core::ptr::null_mut(),
                bindings::NFPROTO_IPV6,
                bindings::NLB_INET_LOCAL_OUT,
            ),
            Point::Ip4In(net) => (
                net.as_ptr(),
                core::ptr::null_mut(),
                bindings::NFPROTO_IPV4,
                bindings::NLB_INET_PRE_ROUTING,
            ),
            Point::Ip6In(net) => (
                net.as_ptr(),
                core::ptr::null_mut(),
                bindings::NFPROTO_IPV6,
                bindings::NLB_INET_PRE_ROUTING,
            ),
        };
        let target = Arc::into_raw(target);
        ops.hook = Some(hook);
        ops.dev = dev;
        ops.priv_ = target.cast_mut().cast();
        ops.pf = pf as u8;
        ops.hooknum = hooknum;
        ops.priority = PRIORITY;
        // SAFETY: The operations stay valid until they are unregistered in `drop`; namespace and device are
        // alive now, and whoever owns the group drops it before they go.
        let result = unsafe { bindings::nf_register_net_hook(net, &*ops) };
        if let Err(error) = kernel::error::to_result(result) {
            // SAFETY: From `into_raw` above, and the hook was not registered.
            drop(unsafe { Arc::from_raw(target) });
            return Err(error);
        }
        let entry = Entry {
            ops,
            // SAFETY: A namespace's pointer is never null.
            net: unsafe { NonNull::new_unchecked(net) },
            target: target.cast(),
            release: release::<T>,
        };
        // The room was reserved above, so this cannot fail, and the entry cannot get lost.
        let _ = self.entries.push_within_capacity(entry);
        Ok(())
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        for entry in &self.entries {
            // SAFETY: Registered by the type invariant, and unregistered only here.
            unsafe { bindings::nf_unregister_net_hook(entry.net.as_ptr(), &*entry.ops) };
        }
        // No CPU is inside one of the hooks after this, and none can enter.
        synchronize_net();
        for entry in &self.entries {
            // SAFETY: `target` came from `into_raw` and is given back once; no hook uses it any more.
            unsafe { (entry.release)(entry.target) };
        }
    }
}

/// # Safety
///
/// `target` came from `Arc::<T>::into_raw` and is given back only here.
unsafe fn release<T>(target: *const c_void) {
    // SAFETY: By the contract of this function.
    drop(unsafe { Arc::from_raw(target.cast::<T>()) });
}

/// # Safety
///
/// Called by netfilter with the `priv` given at registration and a valid buffer that is the hook's to read.
unsafe extern "C" fn call<H: Hook>(
    target: *mut c_void,
    skb: *mut bindings::sk_buff,
    _state: *const bindings::nf_hook_state,
) -> c_uint {
    // SAFETY: `target` is the `Arc<H::Target>` given at registration, released only after a grace period; hooks
    // run under RCU.
    let target = unsafe { &*target.cast::<H::Target>() };
    // SAFETY: By the contract of this function.
    let skb = unsafe { Skb::from_raw(skb) };
    // SAFETY: Hooks run under RCU until they return.
    let side = unsafe { ReadSide::assume() };
    carry_out(H::handle(target, side, skb), skb)
}

/// # Safety
///
/// As [`call`]; `state` is that of an output hook.
unsafe extern "C" fn call_output<H: OutputHook>(
    target: *mut c_void,
    skb: *mut bindings::sk_buff,
    state: *const bindings::nf_hook_state,
) -> c_uint {
    // SAFETY: As in `call`.
    let target = unsafe { &*target.cast::<H::Target>() };
    // SAFETY: By the contract of this function; the device stays while the hook runs, which is under RCU.
    let device = unsafe { DeviceRef::from_raw((*state).out) };
    let Some(device) = device else {
        return bindings::NF_ACCEPT;
    };
    // SAFETY: By the contract of this function.
    let skb = unsafe { Skb::from_raw(skb) };
    // SAFETY: Hooks run under RCU until they return.
    let side = unsafe { ReadSide::assume() };
    carry_out(H::handle(target, side, skb, &device), skb)
}

/// # Safety
///
/// As [`call`]; `state` is that of an input hook.
unsafe extern "C" fn call_input<H: InputHook>(
    target: *mut c_void,
    skb: *mut bindings::sk_buff,
    state: *const bindings::nf_hook_state,
) -> c_uint {
    // SAFETY: As in `call`.
    let target = unsafe { &*target.cast::<H::Target>() };
    // SAFETY: By the contract of this function; the device stays while the hook runs, which is under RCU.
    let device = unsafe { DeviceRef::from_raw((*state).in_) };
    let Some(device) = device else {
        return bindings::NF_ACCEPT;
    };
    // SAFETY: By the contract of this function.
    let skb = unsafe { Skb::from_raw(skb) };
    // SAFETY: Hooks run under RCU until they return.
    let side = unsafe { ReadSide::assume() };
    carry_out(H::handle(target, side, skb, &device), skb)
}

/// What netfilter is told of a verdict.
#[inline(always)]
fn carry_out(verdict: Verdict, skb: &mut Skb) -> c_uint {
    match verdict {
        Verdict::Accept => bindings::NF_ACCEPT,
        Verdict::Drop => bindings::NF_DROP,
        Verdict::Consume => {
            skb.consume();
            bindings::NF_STOLEN
        }
    }
}
