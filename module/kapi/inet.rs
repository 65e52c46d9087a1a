// SPDX-License-Identifier: GPL-2.0-only

//! The kernel's own tables of TCP connections.

use super::bindings;
use super::netdevice::Net;
use kernel::sync::rcu;

/// What the table of connections says of a 4-tuple.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TcpSocket {
    /// There is none.
    None,
    /// A half-open one: a SYN was answered, the ACK is awaited.
    HalfOpen,
    /// One in TIME_WAIT.
    TimeWait,
    /// An established or closing one.
    Established,
}

/// `TCP_TIME_WAIT` of include/net/tcp_states.h, whose numbers are part of the kernel's ABI.
const TCP_TIME_WAIT: u32 = 6;

/// `TCP_NEW_SYN_RECV` of the same file.
const TCP_NEW_SYN_RECV: u32 = 12;

/// Looks for a connection of this host. Addresses are as they stand in the packet, ports in host byte order.
/// Context: any; the guard is the evidence of RCU.
pub(crate) fn tcp4_lookup(
    _guard: &rcu::Guard,
    net: Net<'_>,
    client: ([u8; 4], u16),
    local: ([u8; 4], u16),
    ifindex: u32,
) -> TcpSocket {
    // SAFETY: The namespace is alive, RCU is held; a reference that the look-up takes is given back inside.
    let states = unsafe {
        bindings::nlb_helper_tcp4_state(
            net.as_ptr(),
            u32::from_ne_bytes(client.0),
            client.1.to_be(),
            u32::from_ne_bytes(local.0),
            local.1,
            i32::try_from(ifindex).unwrap_or(0),
        )
    };
    match states {
        0 => TcpSocket::None,
        state if state == 1 << TCP_TIME_WAIT => TcpSocket::TimeWait,
        state if state == 1 << TCP_NEW_SYN_RECV => TcpSocket::HalfOpen,
        _ => TcpSocket::Established,
    }
}
