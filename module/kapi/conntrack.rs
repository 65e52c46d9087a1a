// SPDX-License-Identifier: GPL-2.0-only

//! The kernel's connection tracking, where it is loaded: asked without a dependency on it, so that it can come and go.
//!
//! Its function is found by name when its module is there. Two things keep a packet from using it when it goes:
//!
//! - The module's exit frees the table, and is run before the chain of module events is called (`delete_module` in
//!   kernel/module/main.c). But the module is marked as going before, and its exit waits for all RCU read sides first;
//!   so each look-up asks whether it is marked, under RCU.
//! - Its memory, with the mark in it, is freed after the chain was called: there the function is forgotten, and whoever
//!   may have read it is waited for.

use super::bindings;
use super::inet::{found, Ends, TcpFlow, TcpSocket};
use super::netdevice::{Device, Net};
use super::once::Once;
use super::rcu::ReadSide;
use core::cell::UnsafeCell;
use core::marker::PhantomPinned;
use core::net::IpAddr;
use kernel::c_str;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::Arc;

/// `enum module_state` of include/linux/module.h.
const MODULE_STATE_LIVE: c_ulong = 0;
const MODULE_STATE_GOING: c_ulong = 2;

/// The module, and what is wanted of it.
const MODULE: &CStr = c_str!("nf_conntrack");
const FIND: &CStr = c_str!("nf_conntrack_find_get");

/// Connection tracking.
///
/// # Invariants
///
/// `block` is registered with the chain of module events until `drop`. `find` is null, or the address of
/// `nf_conntrack_find_get`, and then `owner` is its module, or null if it is part of the kernel. Both stay valid for
/// whoever has read `find` under RCU; it may be called after `owner` was seen to be alive.
pub(crate) struct Conntrack {
    block: UnsafeCell<bindings::notifier_block>,
    find: Once<*mut c_void>,
    owner: Once<*mut c_void>,
    _pin: PhantomPinned,
}

// SAFETY: The block is touched by the chain only, under its own lock.
unsafe impl Send for Conntrack {}
// SAFETY: As above.
unsafe impl Sync for Conntrack {}

impl Conntrack {
    /// Looks whether it is there, from now on. One is enough for all that ask. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let conntrack = Arc::new(
            Self {
                block: UnsafeCell::new(bindings::notifier_block {
                    notifier_call: Some(Self::event),
                    next: core::ptr::null_mut(),
                    priority: 0,
                }),
                find: Once::new(core::ptr::null_mut()),
                owner: Once::new(core::ptr::null_mut()),
                _pin: PhantomPinned,
            },
            GFP_KERNEL,
        )?;
        // INVARIANT: Registered, and what is in an `Arc` does not move.
        // SAFETY: The block is valid and stays where it is until `drop` unregisters it, which does nothing to a block
        // that is on no chain.
        to_result(unsafe { bindings::register_module_notifier(conntrack.block.get()) })?;
        conntrack.acquire();
        Ok(conntrack)
    }

    /// Finds the function, if the module is there.
    fn acquire(&self) {
        // SAFETY: A text that ends with a zero.
        let find = unsafe { bindings::__symbol_get(FIND.as_char_ptr()) };
        if find.is_null() {
            return;
        }
        let mut owner = core::ptr::null_mut();
        // SAFETY: A text that ends with a zero; the function's module is held.
        if unsafe { bindings::nlb_helper_module_named(MODULE.as_char_ptr(), &mut owner) } {
            self.owner.store(owner);
            // INVARIANT: The module cannot go while it is held; when it does after that, `event` is told before its
            // memory is freed. Who sees the function sees its module.
            self.find.store_release(find);
        }
        // SAFETY: Held above.
        unsafe { bindings::__symbol_put(FIND.as_char_ptr()) };
    }

    /// # Safety
    ///
    /// Called by the chain of module events with the block of a living value and a module.
    unsafe extern "C" fn event(
        block: *mut bindings::notifier_block,
        event: c_ulong,
        module: *mut c_void,
    ) -> c_int {
        // SAFETY: By the contract of this function.
        let (this, is_it) = unsafe {
            let block = block.cast::<UnsafeCell<bindings::notifier_block>>();
            let this = &*kernel::container_of!(block, Self, block);
            let is_it = bindings::nlb_helper_module_is(module, MODULE.as_char_ptr());
            (this, is_it)
        };
        match event {
            MODULE_STATE_LIVE if is_it => this.acquire(),
            MODULE_STATE_GOING if is_it => {
                this.find.store(core::ptr::null_mut());
                // SAFETY: The chain is called in process context, where one may sleep.
                unsafe { bindings::synchronize_rcu() };
            }
            _ => {}
        }
        // NOTIFY_DONE
        0
    }

    /// Whether there is anything to look in. Context: any.
    #[inline(always)]
    pub(crate) fn is_loaded(&self) -> bool {
        !self.find.load().is_null()
    }

    /// Looks for a connection of another host or a container that this host translates addresses for: what a socket
    /// is to its own. `protocol`: TCP, UDP, UDP-Lite or SCTP. Context: any, under RCU.
    pub(crate) fn lookup(
        &self,
        _side: &ReadSide,
        device: &Device,
        protocol: u8,
        ends: &Ends,
    ) -> TcpSocket {
        let find = self.find.load_acquire();
        if find.is_null() {
            return TcpSocket::None;
        }
        let owner = self.owner.load();
        let mut awaited = 0u32;
        let (client_port, local_port) = (ends.client.1.to_be(), ends.local.1.to_be());
        let found = match (ends.client.0, ends.local.0) {
            // SAFETY: `find` is the function and `owner` its module by the type invariant, and RCU is held; so is the
            // device. The addresses are of the length that the flag says, and live during the call.
            (IpAddr::V4(from), IpAddr::V4(to)) => unsafe {
                bindings::nlb_helper_ct_lookup(
                    find,
                    owner,
                    device.as_ptr(),
                    false,
                    protocol,
                    from.octets().as_ptr(),
                    client_port,
                    to.octets().as_ptr(),
                    local_port,
                    &mut awaited,
                )
            },
            // SAFETY: As above.
            (IpAddr::V6(from), IpAddr::V6(to)) => unsafe {
                bindings::nlb_helper_ct_lookup(
                    find,
                    owner,
                    device.as_ptr(),
                    true,
                    protocol,
                    from.octets().as_ptr(),
                    client_port,
                    to.octets().as_ptr(),
                    local_port,
                    &mut awaited,
                )
            },
            _ => bindings::NLB_CT_NONE,
        };
        match found {
            bindings::NLB_CT_ESTABLISHED => TcpSocket::Established,
            bindings::NLB_CT_HALF_OPEN => TcpSocket::HalfOpen(awaited),
            _ => TcpSocket::None,
        }
    }
}

/// A walk over the connections whose addresses this host translates, part by part.
///
/// # Invariants
///
/// `table` holds the other module.
pub(crate) struct ConntrackWalk {
    table: bindings::nlb_ct_table,
    seen: *const c_void,
    next: u32,
    since_ms: u32,
}

impl ConntrackWalk {
    /// At the beginning; nothing if connection tracking is not loaded. Connections without a packet for `since_ms` do not count
    /// as living. Its module cannot go while this lives. Context: process.
    pub(crate) fn new(since_ms: u32) -> Option<Self> {
        // SAFETY: Plain data, for which zero means "not held".
        let mut table = unsafe { core::mem::zeroed() };
        // SAFETY: The table is valid for writes.
        let held = unsafe { bindings::nlb_helper_ct_table_get(&mut table) };
        // INVARIANT: As just held.
        held.then_some(Self {
            table,
            seen: core::ptr::null(),
            next: 0,
            since_ms,
        })
    }

    /// Looks at the TCP connections of the next part. False if that was all. `each` is called with a spin lock held and
    /// must be short. Context: process, without locks. Errors: `EAGAIN` if the table was resized meanwhile, and the walk
    /// has to begin anew.
    pub(crate) fn look<F: FnMut(TcpFlow)>(&mut self, net: Net<'_>, each: &mut F) -> Result<bool> {
        // SAFETY: The symbols are held by the type invariant; the namespace is alive.
        let parts = unsafe { bindings::nlb_helper_ct_parts(&self.table, net.as_ptr()) };
        if self.next >= parts {
            return Ok(false);
        }
        // SAFETY: As above; `found::<F>` is called during the call only, with this context, from one thread.
        let same = unsafe {
            bindings::nlb_helper_ct_walk(
                &self.table,
                net.as_ptr(),
                self.next,
                self.since_ms,
                &mut self.seen,
                Some(found::<F>),
                core::ptr::from_mut(each).cast(),
            )
        };
        self.next = self.next.saturating_add(1);
        same.then_some(true).ok_or(EAGAIN)
    }
}

impl Drop for ConntrackWalk {
    fn drop(&mut self) {
        // SAFETY: Held by the type invariant, and given back once.
        unsafe { bindings::nlb_helper_ct_table_put(&self.table) };
    }
}

impl Drop for Conntrack {
    fn drop(&mut self) {
        // SAFETY: Registered by the type invariant. This waits for whoever is inside the chain.
        unsafe { bindings::unregister_module_notifier(self.block.get()) };
    }
}
