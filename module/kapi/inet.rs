// SPDX-License-Identifier: GPL-2.0-only

//! The kernel's own tables of TCP connections.

use super::bindings;
use super::netdevice::Device;
use super::rcu::ReadSide;
use core::net::IpAddr;

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

/// Looks for a TCP connection of this host that packets from `device` would reach, by its addresses and ports (in
/// host byte order), the client's first. Addresses of different families belong to none. Context: any, under RCU.
pub(crate) fn tcp_lookup(
    _side: &ReadSide,
    device: &Device,
    client: (IpAddr, u16),
    local: (IpAddr, u16),
) -> TcpSocket {
    let states = match (client.0, local.0) {
        // SAFETY: The device is held, RCU as well; a reference that the look-up takes is given back inside.
        (IpAddr::V4(from), IpAddr::V4(to)) => unsafe {
            bindings::nlb_helper_tcp4_state(
                device.as_ptr(),
                u32::from_ne_bytes(from.octets()),
                client.1.to_be(),
                u32::from_ne_bytes(to.octets()),
                local.1,
            )
        },
        // SAFETY: As above; both addresses are 16 bytes that live during the call.
        (IpAddr::V6(from), IpAddr::V6(to)) => unsafe {
            bindings::nlb_helper_tcp6_state(
                device.as_ptr(),
                from.octets().as_ptr(),
                client.1.to_be(),
                to.octets().as_ptr(),
                local.1,
            )
        },
        _ => 0,
    };
    match states {
        0 => TcpSocket::None,
        state if state == 1 << TCP_TIME_WAIT => TcpSocket::TimeWait,
        state if state == 1 << TCP_NEW_SYN_RECV => TcpSocket::HalfOpen,
        _ => TcpSocket::Established,
    }
}
