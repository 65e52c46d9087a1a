// SPDX-License-Identifier: GPL-2.0-only

//! The kernel's connection tracking, where it is loaded: asked without a dependency on it, so that it can come and go.
//!
//! Its functions are found by name when its module is there, and forgotten before that module goes: the chain of
//! module events is called before a module's exit, and what is under RCU then has left before the exit begins.

use super::bindings;
use super::inet::{found, Ends, TcpFlow, TcpSocket};
use super::netdevice::{Device, Net};
use super::once::Once;
use super::rcu::ReadSide;
use core::cell::UnsafeCell;
use core::marker::PhantomPinned;
use core::net::IpAddr;
use kernel::c_str;
use kernel::prelude::*;

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
/// `nf_conntrack_find_get`, which stays valid for whoever has read it under RCU.
pub(crate) struct Conntrack {
    block: UnsafeCell<bindings::notifier_block>,
    find: Once<*mut c_void>,
    _pin: PhantomPinned,
}

// SAFETY: The block is touched by the chain only, under its own lock.
unsafe impl Send for Conntrack {}
// SAFETY: As above.
unsafe impl Sync for Conntrack {}

impl Conntrack {
    /// Looks whether it is there, from now on. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new() -> Result<Pin<KBox<Self>>> {
        let conntrack = KBox::pin(
            Self {
                block: UnsafeCell::new(bindings::notifier_block {
                    notifier_call: Some(Self::event),
                    next: core::ptr::null_mut(),
                    priority: 0,
                }),
                find: Once::new(core::ptr::null_mut()),
                _pin: PhantomPinned,
            },
            GFP_KERNEL,
        )?;
        // INVARIANT: Registered, and pinned.
        // SAFETY: The block is valid and stays where it is until `drop` unregisters it. This cannot fail for a block
        // that is on no chain.
        unsafe { bindings::register_module_notifier(conntrack.block.get()) };
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
        // INVARIANT: The module cannot go while it is held; when it does after that, `event` is told before.
        self.find.store(find);
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
        let find = self.find.load();
        if find.is_null() {
            return TcpSocket::None;
        }
        let mut awaited = 0u32;
        let (client_port, local_port) = (ends.client.1.to_be(), ends.local.1.to_be());
        let found = match (ends.client.0, ends.local.0) {
            // SAFETY: `find` is the function by the type invariant, and RCU is held; so is the device. The addresses
            // are of the length that the flag says, and live during the call.
            (IpAddr::V4(from), IpAddr::V4(to)) => unsafe {
                bindings::nlb_helper_ct_lookup(
                    find,
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

/// Looks at the TCP connections of a namespace whose addresses this host translates, if connection tracking is loaded.
/// `each` is called with a spin lock held and must be short. Context: process, without locks.
pub(crate) fn each_tcp<F: FnMut(TcpFlow)>(net: Net<'_>, each: &mut F) {
    // SAFETY: The namespace is alive; `found::<F>` is called during the call only, with this context, from one thread.
    unsafe {
        bindings::nlb_helper_ct_walk(
            net.as_ptr(),
            Some(found::<F>),
            core::ptr::from_mut(each).cast(),
        );
    }
}

impl Drop for Conntrack {
    fn drop(&mut self) {
        // SAFETY: Registered by the type invariant. This waits for whoever is inside the chain.
        unsafe { bindings::unregister_module_notifier(self.block.get()) };
    }
}
