// SPDX-License-Identifier: GPL-2.0-only

//! Netfilter hooks, registered as a group and taken down with one grace period.
//!
//! A hook hangs on a device, or in a namespace, and must not outlive it. So each hook holds a reference: to its device,
//! or to the loopback device of its namespace; the kernel frees neither before it is given back. An owner that forgets
//! a hook holds up the end of the device, which the kernel complains of, but nothing is used after it was freed.

use super::bindings;
use super::netdevice::{Device, DeviceRef, Listed, Net, Rtnl};
use super::rcu::{GracePeriod, ReadSide};
use super::skb::Skb;
use super::vector::Grow;
use kernel::prelude::*;
use kernel::sync::Arc;

/// What becomes of a packet.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on its way.
    Accept,
    /// It is freed, and the drop monitor is told why; who sent it, if this host did, is told that it may not.
    Drop(DropReason),
    /// The same, but who sent it is told that it was sent.
    Swallow(DropReason),
    /// It has reached its goal in the hook and is freed as such, which a drop monitor does not see.
    Consume,
}

/// Why a packet is freed: of the kernel's reasons (`enum skb_drop_reason`) those that hooks have use for.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum DropReason {
    /// A filter decided so.
    Filtered = bindings::skb_drop_reason_SKB_DROP_REASON_NETFILTER_DROP,
    /// There is no socket for it.
    NoSocket = bindings::skb_drop_reason_SKB_DROP_REASON_NO_SOCKET,
    /// A header is cut off.
    HeaderTruncated = bindings::skb_drop_reason_SKB_DROP_REASON_HDR_TRUNC,
    /// The IP header contradicts itself.
    BadHeader = bindings::skb_drop_reason_SKB_DROP_REASON_IP_INHDR,
    /// It is not as long as it says.
    TooSmall = bindings::skb_drop_reason_SKB_DROP_REASON_PKT_TOO_SMALL,
    /// It is longer than can be.
    TooBig = bindings::skb_drop_reason_SKB_DROP_REASON_PKT_TOO_BIG,
    /// Nobody can have its source address.
    InvalidSource = bindings::skb_drop_reason_SKB_DROP_REASON_IP_INVALID_SOURCE,
    /// An IPv6 extension header that cannot be.
    BadExtension = bindings::skb_drop_reason_SKB_DROP_REASON_IPV6_BAD_EXTHDR,
    /// A message of IPv6 neighbour discovery that cannot be.
    BadNeighbourMessage = bindings::skb_drop_reason_SKB_DROP_REASON_IPV6_NDISC_BAD_OPTIONS,
    /// The source MAC is one that nobody may send from.
    InvalidSourceMac = bindings::skb_drop_reason_SKB_DROP_REASON_MAC_INVALID_SOURCE,
}

/// A packet in the hands of a hook that says itself what becomes of it, see [`OwningHook`].
pub(crate) struct Lent<'a>(&'a mut Skb);

/// What became of a packet: netfilter's number. Whoever has one has given the packet back.
#[must_use]
#[repr(transparent)]
pub(crate) struct Done(c_uint);

impl Lent<'_> {
    /// It goes on its way.
    #[inline(always)]
    pub(crate) fn accept(self) -> Done {
        Done(bindings::NF_ACCEPT)
    }

    /// It is freed by netfilter, which tells the drop monitor just that: what costs least.
    #[inline(always)]
    pub(crate) fn refuse(self) -> Done {
        Done(bindings::NF_DROP)
    }

    /// What a verdict says.
    #[inline(always)]
    pub(crate) fn finish(self, verdict: Verdict) -> Done {
        Done(carry_out(verdict, self.0))
    }
}

impl core::ops::Deref for Lent<'_> {
    type Target = Skb;

    #[inline(always)]
    fn deref(&self) -> &Skb {
        self.0
    }
}

impl core::ops::DerefMut for Lent<'_> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Skb {
        self.0
    }
}

/// A hook function whose every instruction counts: it returns what netfilter wants, so that functions of rare cases can
/// be its last calls, and nobody has to look at what they return.
///
/// Called as [`Hook`].
pub(crate) trait OwningHook: 'static {
    /// What it works on.
    type Target: Send + Sync + 'static;

    /// Decides a packet.
    fn handle(target: &Self::Target, side: &ReadSide, skb: Lent<'_>) -> Done;
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
    Ingress(Listed<'a>),
    /// About to be sent by a device.
    Egress(Listed<'a>),
    /// ARP of the kernel's own, sent by any device of a namespace.
    ArpOut(Net<'a>),
    /// IPv6 of the host's own, sent by any device of a namespace; the data begins with the IPv6 header.
    Ip6Out(Net<'a>),
    /// IPv4 that was received by any device of a namespace, before routing; the data begins with the IPv4 header.
    Ip4In(Net<'a>),
    /// The same for IPv6.
    Ip6In(Net<'a>),
}

impl Point<'_> {
    /// Protocol family and hook number, as netfilter wants them.
    fn number(&self) -> (c_uint, c_uint) {
        match self {
            Point::Ingress(_) => (bindings::NFPROTO_NETDEV, bindings::NLB_NETDEV_INGRESS),
            Point::Egress(_) => (bindings::NFPROTO_NETDEV, bindings::NLB_NETDEV_EGRESS),
            Point::ArpOut(_) => (bindings::NFPROTO_ARP, bindings::NF_ARP_OUT),
            Point::Ip6Out(_) => (bindings::NFPROTO_IPV6, bindings::NLB_INET_LOCAL_OUT),
            Point::Ip4In(_) => (bindings::NFPROTO_IPV4, bindings::NLB_INET_PRE_ROUTING),
            Point::Ip6In(_) => (bindings::NFPROTO_IPV6, bindings::NLB_INET_PRE_ROUTING),
        }
    }

    /// The namespace, the device if it is that of one, and what keeps both from being freed.
    fn place(
        &self,
        rtnl: &Rtnl,
    ) -> Result<(*mut bindings::net, *mut bindings::net_device, Device)> {
        match self {
            Point::Ingress(device) | Point::Egress(device) => {
                let held = Device::hold(device)?;
                Ok((device.net().as_ptr(), device.as_ptr(), held))
            }
            Point::ArpOut(net) | Point::Ip6Out(net) | Point::Ip4In(net) | Point::Ip6In(net) => {
                Ok((net.as_ptr(), core::ptr::null_mut(), net.anchor(rtnl)?))
            }
        }
    }
}

/// Hooks run before those of nft and others, whose netdev chains start at priorities around 0: what this host
/// does not serve should cost nothing more.
const PRIORITY: c_int = -500;

/// What netfilter calls.
type HookFn = unsafe extern "C" fn(
    *mut c_void,
    *mut bindings::sk_buff,
    *const bindings::nf_hook_state,
) -> c_uint;

/// A registered hook.
///
/// # Invariants
///
/// `ops` is registered from [`register`] until [`Registered::unregister`], for the device `anchor`, or in the namespace
/// whose loopback device that is.
pub(super) struct Registered {
    pub(super) ops: KBox<bindings::nf_hook_ops>,
    anchor: Device,
    /// Set when it was unregistered: after this no CPU is inside the hook.
    pub(super) left: Option<GracePeriod>,
}

/// Registers a hook. Context: process, RTNL. Errors: `ENOMEM`, or as netfilter says.
///
/// # Safety
///
/// `hook` may be called with `target` until a grace period after the hook was unregistered.
pub(super) unsafe fn register(
    rtnl: &Rtnl,
    point: &Point<'_>,
    target: *const c_void,
    hook: HookFn,
) -> Result<Registered> {
    // SAFETY: The operations are plain data for which zero means "not set".
    let mut ops: KBox<bindings::nf_hook_ops> =
        KBox::new(unsafe { core::mem::zeroed() }, GFP_KERNEL_ACCOUNT)?;
    let (net, dev, anchor) = point.place(rtnl)?;
    let (pf, hooknum) = point.number();
    ops.hook = Some(hook);
    ops.dev = dev;
    ops.priv_ = target.cast_mut();
    ops.pf = pf as u8;
    ops.hooknum = hooknum;
    ops.priority = PRIORITY;
    // SAFETY: The operations stay valid until they are unregistered; namespace and device are held by `anchor` until
    // then, and the rest is by the contract of this function.
    kernel::error::to_result(unsafe { bindings::nf_register_net_hook(net, &*ops) })?;
    // INVARIANT: Registered above, where `anchor` says.
    Ok(Registered {
        ops,
        anchor,
        left: None,
    })
}

impl Registered {
    /// Unregisters it, if it is not. CPUs that are inside the hook stay there: what it works on must outlive `left`.
    /// Context: process, RTNL, which the helper checks.
    pub(super) fn unregister(&mut self) {
        if self.left.is_none() {
            // SAFETY: Registered by the type invariant, and held by `anchor`.
            unsafe { bindings::nlb_helper_unhook(self.anchor.as_ptr(), &*self.ops) };
            self.left = Some(GracePeriod::from_now());
        }
    }

    /// Waits until no CPU is inside the hook, which was unregistered. Context: process, may sleep.
    pub(super) fn wait(&self) {
        if let Some(left) = &self.left {
            left.wait();
        }
    }

    /// Frees the operations of an unregistered hook after a grace period: whoever lists hooks reads them under RCU
    /// (net/netfilter/nfnetlink_hook.c). Context: process, may sleep.
    pub(super) fn free_later(self) {
        let ops = KBox::into_raw(self.ops);
        // SAFETY: The operations were allocated by `kmalloc`, as a `KBox` is, are unregistered by the contract of this
        // function, and nobody else frees them.
        unsafe { bindings::nlb_helper_free_later(ops.cast()) };
    }
}

/// A registered hook and what it works on.
///
/// # Invariants
///
/// `target` came from `Arc::into_raw` of what `release` takes back.
struct Entry {
    registered: Registered,
    target: *const c_void,
    release: unsafe fn(*const c_void),
}

/// Hooks that come and go together.
///
/// Unregistering does not wait for CPUs that are inside a hook (net/netfilter/core.c), so `drop` unregisters all that
/// still are registered, waits for a grace period since the last one was unregistered, and only then gives back what
/// they work on. Of several groups that are unregistered first and then dropped, only the first one waits.
///
/// Context of `drop`: process, may sleep; with the RTNL, unless all were unregistered before.
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

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Registers a hook. Context: process, RTNL. Errors: `ENOMEM`, or as netfilter says. Nothing is left behind on
    /// an error.
    pub(crate) fn add<H: Hook>(
        &mut self,
        rtnl: &Rtnl,
        point: Point<'_>,
        target: Arc<H::Target>,
    ) -> Result {
        self.register(rtnl, point, target, call::<H>)
    }

    /// Registers a hook that says itself what becomes of packets. As [`Hooks::add`].
    pub(crate) fn add_owning<H: OwningHook>(
        &mut self,
        rtnl: &Rtnl,
        point: Point<'_>,
        target: Arc<H::Target>,
    ) -> Result {
        self.register(rtnl, point, target, call_owning::<H>)
    }

    /// Registers a hook that is told the device. As [`Hooks::add`].
    pub(crate) fn add_output<H: OutputHook>(
        &mut self,
        rtnl: &Rtnl,
        point: Point<'_>,
        target: Arc<H::Target>,
    ) -> Result {
        self.register(rtnl, point, target, call_output::<H>)
    }

    /// Registers a hook that is told the device. As [`Hooks::add`].
    pub(crate) fn add_input<H: InputHook>(
        &mut self,
        rtnl: &Rtnl,
        point: Point<'_>,
        target: Arc<H::Target>,
    ) -> Result {
        self.register(rtnl, point, target, call_input::<H>)
    }

    fn register<T: Send + Sync + 'static>(
        &mut self,
        rtnl: &Rtnl,
        point: Point<'_>,
        target: Arc<T>,
        hook: HookFn,
    ) -> Result {
        self.entries.room_for(1, GFP_KERNEL_ACCOUNT)?;
        let target = Arc::into_raw(target);
        // SAFETY: `target` stays what it is until `drop`, which waits for a grace period.
        let registered = match unsafe { register(rtnl, &point, target.cast(), hook) } {
            Ok(registered) => registered,
            Err(error) => {
                // SAFETY: From `into_raw` above, and the hook was not registered.
                drop(unsafe { Arc::from_raw(target) });
                return Err(error);
            }
        };
        let entry = Entry {
            registered,
            target: target.cast(),
            release: release::<T>,
        };
        // The room was reserved above, so this cannot fail, and the entry cannot get lost.
        let _ = self.entries.push_within_capacity(entry);
        Ok(())
    }

    /// Unregisters all of them, so that `drop` has only to wait. Context: process, RTNL.
    pub(crate) fn unregister(&mut self, _rtnl: &Rtnl) {
        self.unregister_all();
    }

    fn unregister_all(&mut self) {
        for entry in &mut self.entries {
            entry.registered.unregister();
        }
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        self.unregister_all();
        for entry in &self.entries {
            // No CPU is inside the hook after this, and none can enter.
            entry.registered.wait();
            // SAFETY: `target` came from `into_raw` and is given back once; the hook does not use it any more.
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
/// As [`call`].
unsafe extern "C" fn call_owning<H: OwningHook>(
    target: *mut c_void,
    skb: *mut bindings::sk_buff,
    _state: *const bindings::nf_hook_state,
) -> c_uint {
    // SAFETY: As in `call`.
    let target = unsafe { &*target.cast::<H::Target>() };
    // SAFETY: By the contract of this function.
    let skb = unsafe { Skb::from_raw(skb) };
    // SAFETY: Hooks run under RCU until they return.
    let side = unsafe { ReadSide::assume() };
    H::handle(target, side, Lent(skb)).0
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
pub(super) unsafe extern "C" fn call_input<H: InputHook>(
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
        Verdict::Drop(reason) => skb.drop_for(reason as u32, true),
        Verdict::Swallow(reason) => skb.drop_for(reason as u32, false),
        Verdict::Consume => {
            skb.consume();
            bindings::NF_STOLEN
        }
    }
}
