// SPDX-License-Identifier: GPL-2.0-only

//! The kernel's own tables of TCP connections.

use super::bindings;
use super::netdevice::{Device, Net};
use super::rcu::ReadSide;
use core::ffi::c_void;
use core::net::IpAddr;

/// What the table of connections says of a 4-tuple.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TcpSocket {
    /// There is none.
    None,
    /// A half-open one: a SYN was answered, the ACK with this number is awaited.
    HalfOpen(u32),
    /// One in TIME_WAIT.
    TimeWait,
    /// An established or closing one, or one that is opened from here.
    Established,
}

/// Addresses and ports of a TCP connection, ports in host byte order.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    /// The other end.
    pub(crate) client: (IpAddr, u16),
    /// The end here.
    pub(crate) local: (IpAddr, u16),
}

/// `TCP_TIME_WAIT` of include/net/tcp_states.h, whose numbers are part of the kernel's ABI.
const TCP_TIME_WAIT: u32 = 6;

/// `TCP_NEW_SYN_RECV` of the same file.
const TCP_NEW_SYN_RECV: u32 = 12;

/// Looks for a TCP connection of this host that packets from `device` would reach. Addresses of different families
/// belong to none. Context: any, under RCU.
#[inline(always)]
pub(crate) fn tcp_lookup(_side: &ReadSide, device: &Device, ends: &Ends) -> TcpSocket {
    let (client_port, local_port) = (ends.client.1.to_be(), ends.local.1);
    let mut awaited = 0u32;
    let states = match (ends.client.0, ends.local.0) {
        // SAFETY: The device is held, RCU as well; a reference that the look-up takes is given back inside.
        (IpAddr::V4(from), IpAddr::V4(to)) => unsafe {
            bindings::nlb_helper_tcp4_state(
                device.as_ptr(),
                u32::from_ne_bytes(from.octets()),
                client_port,
                u32::from_ne_bytes(to.octets()),
                local_port,
                &mut awaited,
            )
        },
        // SAFETY: As above; both addresses are 16 bytes that live during the call.
        (IpAddr::V6(from), IpAddr::V6(to)) => unsafe {
            bindings::nlb_helper_tcp6_state(
                device.as_ptr(),
                from.octets().as_ptr(),
                client_port,
                to.octets().as_ptr(),
                local_port,
                &mut awaited,
            )
        },
        _ => 0,
    };
    match states {
        0 => TcpSocket::None,
        state if state == 1 << TCP_TIME_WAIT => TcpSocket::TimeWait,
        state if state == 1 << TCP_NEW_SYN_RECV => TcpSocket::HalfOpen(awaited),
        _ => TcpSocket::Established,
    }
}

/// A TCP connection of this host.
pub(crate) struct TcpFlow {
    /// Address and port of the client.
    pub(crate) client: (IpAddr, u16),
    /// Own address and port.
    pub(crate) local: (IpAddr, u16),
    /// It is not in TIME_WAIT, nor is it an entry of connection tracking that is only waiting for its end.
    pub(crate) lives: bool,
}

/// A walk over the TCP connections of a namespace: established, in TIME_WAIT and half-open ones.
///
/// It misses no connection that lasts from its beginning to its end; others it may see or not.
pub(crate) struct TcpWalk {
    /// Chain of the table to go on with.
    next: u32,
}

impl TcpWalk {
    /// At the beginning.
    pub(crate) fn new() -> Self {
        Self { next: 0 }
    }

    /// Looks at the next connections: a unit of the budget for each chain of the table, and eight for each connection.
    /// False if that was all. `each` is called with a spin lock held and must be short. Context: process, without locks.
    pub(crate) fn look<F: FnMut(TcpFlow)>(
        &mut self,
        net: Net<'_>,
        budget: u32,
        each: &mut F,
    ) -> bool {
        // SAFETY: The namespace is alive; `found::<F>` is called during the call only, with this context, from one
        // thread.
        self.next = unsafe {
            bindings::nlb_helper_tcp_walk(
                net.as_ptr(),
                self.next,
                budget,
                Some(found::<F>),
                core::ptr::from_mut(each).cast(),
            )
        };
        self.next != 0
    }
}

/// # Safety
///
/// `context` is the `F` of [`TcpWalk::look`], `client` and `local` are addresses of 16 bytes if `v6`, of 4 bytes otherwise.
pub(super) unsafe extern "C" fn found<F: FnMut(TcpFlow)>(
    context: *mut c_void,
    v6: bool,
    client: *const c_void,
    client_port: u16,
    local: *const c_void,
    local_port: u16,
    lives: bool,
) {
    let address = |at: *const c_void| -> IpAddr {
        if v6 {
            // SAFETY: By the contract of this function; bytes have no alignment.
            IpAddr::from(unsafe { at.cast::<[u8; 16]>().read() })
        } else {
            // SAFETY: As above.
            IpAddr::from(unsafe { at.cast::<[u8; 4]>().read() })
        }
    };
    // SAFETY: By the contract of this function.
    let each = unsafe { &mut *context.cast::<F>() };
    each(TcpFlow {
        client: (address(client), client_port),
        local: (address(local), local_port),
        lives,
    });
}

/// Whether an ACK carries a SYN cookie that this host made, for a listener that packets from `device` would reach:
/// its sequence and acknowledged number. Only a listener that has sent cookies lately can be sent one. Context: any,
/// under RCU.
pub(crate) fn tcp_cookie(
    _side: &ReadSide,
    device: &Device,
    ends: &Ends,
    seq: u32,
    ack: u32,
) -> bool {
    let (client_port, local_port) = (ends.client.1.to_be(), ends.local.1);
    match (ends.client.0, ends.local.0) {
        // SAFETY: The device is held, RCU as well, under which listeners stay.
        (IpAddr::V4(from), IpAddr::V4(to)) => unsafe {
            bindings::nlb_helper_tcp4_cookie(
                device.as_ptr(),
                u32::from_ne_bytes(from.octets()),
                client_port,
                u32::from_ne_bytes(to.octets()),
                local_port,
                seq,
                ack,
            )
        },
        // SAFETY: As above; both addresses are 16 bytes that live during the call.
        (IpAddr::V6(from), IpAddr::V6(to)) => unsafe {
            bindings::nlb_helper_tcp6_cookie(
                device.as_ptr(),
                from.octets().as_ptr(),
                client_port,
                to.octets().as_ptr(),
                local_port,
                seq,
                ack,
            )
        },
        _ => false,
    }
}
