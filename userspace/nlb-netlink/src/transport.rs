// SPDX-License-Identifier: GPL-2.0-only

//! What carries netlink datagrams: a socket, or a script in tests.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use netlink_sys::{
    Socket, SocketAddr,
    protocols::{NETLINK_GENERIC, NETLINK_NETFILTER, NETLINK_ROUTE, NETLINK_SOCK_DIAG},
};

/// Room for one datagram of the kernel: it fills up to 32 KiB in a dump.
pub const RECEIVE_BUFFER: usize = 64 * 1024;

/// Socket buffer in bytes: a burst of events or heartbeats waits here while this program is not running.
const SOCKET_BUFFER: u32 = 1024 * 1024;

/// Flag of `recv(2)`: the length returned is that of the datagram, even if it was cut.
const MSG_TRUNC: i32 = 0x20;

/// Carries netlink datagrams.
pub trait Transport {
    /// Sends one datagram to the kernel.
    ///
    /// # Errors
    ///
    /// As `send(2)`.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;

    /// Waits for one datagram of the kernel.
    ///
    /// # Errors
    ///
    /// As `recv(2)`; `ENOBUFS` if the kernel had to drop some.
    fn receive(&mut self) -> io::Result<Vec<u8>>;

    /// Joins a multicast group.
    ///
    /// # Errors
    ///
    /// As `setsockopt(2)`.
    fn join(&mut self, group: u32) -> io::Result<()>;
}

/// A netlink socket of the running kernel.
#[derive(Debug)]
pub struct NetlinkSocket {
    socket: Socket,
}

impl NetlinkSocket {
    /// A socket for generic netlink.
    ///
    /// # Errors
    ///
    /// As `socket(2)`, `bind(2)` and `setsockopt(2)`.
    pub fn generic() -> io::Result<Self> {
        NetlinkSocket::open(NETLINK_GENERIC)
    }

    /// A socket for rtnetlink.
    ///
    /// # Errors
    ///
    /// As `socket(2)`, `bind(2)` and `setsockopt(2)`.
    pub fn route() -> io::Result<Self> {
        NetlinkSocket::open(NETLINK_ROUTE)
    }

    /// A socket for the tables of sockets.
    ///
    /// # Errors
    ///
    /// As `socket(2)`, `bind(2)` and `setsockopt(2)`.
    pub fn sock_diag() -> io::Result<Self> {
        NetlinkSocket::open(NETLINK_SOCK_DIAG)
    }

    /// A socket for connection tracking.
    ///
    /// # Errors
    ///
    /// As `socket(2)`, `bind(2)` and `setsockopt(2)`.
    pub fn netfilter() -> io::Result<Self> {
        NetlinkSocket::open(NETLINK_NETFILTER)
    }

    fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.set_ext_ack(true)?;
        // Refusals then carry the header of the request alone: the extack is always inside the buffer.
        socket.set_cap_ack(true)?;
        socket.set_netlink_get_strict_chk(true)?;
        socket.set_rx_buf_sz(SOCKET_BUFFER)?;
        Ok(NetlinkSocket { socket })
    }
}

/// To wait for notifications beside other things.
impl AsFd for NetlinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Transport for NetlinkSocket {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let sent = self.socket.send_to(datagram, &SocketAddr::new(0, 0), 0)?;
        if sent == datagram.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let mut buffer = Vec::with_capacity(RECEIVE_BUFFER);
            let (length, sender) = match self.socket.recv_from(&mut buffer, MSG_TRUNC) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if length > buffer.len() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("a netlink datagram of {length} bytes does not fit the buffer"),
                ));
            }
            // Another process can send to this socket; only the kernel has port number 0.
            if sender.port_number() == 0 {
                return Ok(buffer);
            }
        }
    }

    fn join(&mut self, group: u32) -> io::Result<()> {
        self.socket.add_membership(group)
    }
}
