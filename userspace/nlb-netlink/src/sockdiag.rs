// SPDX-License-Identifier: GPL-2.0-only

//! Messages of `sock_diag` about TCP sockets (linux/inet_diag.h). The crate for them wants a newer compiler than the one
//! that this project holds to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use netlink_packet_core::{
    DecodeError, NetlinkDeserializable, NetlinkHeader, NetlinkPayload, NetlinkSerializable,
};

use crate::extack::AttributeNames;

/// `SOCK_DIAG_BY_FAMILY` and `SOCK_DESTROY` of linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
const DESTROY: u16 = 21;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;

/// States that are asked for: all but `TCP_TIME_WAIT`, `TCP_CLOSE` and `TCP_LISTEN`.
const STATES: u32 = 0xfff & !(1 << 6) & !(1 << 7) & !(1 << 10);

/// `INET_DIAG_NOCOOKIE`: whatever socket has these addresses and ports.
const ANY_COOKIE: [u8; 8] = [0xff; 8];

/// Bytes of `struct inet_diag_sockid`, of `struct inet_diag_req_v2` with it, and of `struct inet_diag_msg`.
const ID_LEN: usize = 48;
const REQUEST_LEN: usize = 8 + ID_LEN;
const SOCKET_LEN: usize = 4 + ID_LEN + 20;

/// Addresses and ports of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketId {
    /// Its own.
    pub local: SocketAddr,
    /// The other end's, of the same family.
    pub remote: SocketAddr,
    /// Index of the interface that it is bound to; 0: to none.
    pub interface: u32,
}

/// What is asked of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// All TCP sockets of a family that are connected.
    All {
        /// IPv6.
        v6: bool,
    },
    /// To end this one.
    End(SocketId),
}

/// A TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Its state, a number of include/net/tcp_states.h.
    pub state: u8,
    /// Its addresses and ports.
    pub id: SocketId,
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiagMessage {
    /// To the kernel.
    Request(Asked),
    /// Of the kernel.
    Socket(Socket),
}

impl AttributeNames for DiagMessage {
    fn attribute_name(&self, _kind: u16) -> Option<String> {
        None
    }
}

impl From<DiagMessage> for NetlinkPayload<DiagMessage> {
    fn from(message: DiagMessage) -> Self {
        NetlinkPayload::InnerMessage(message)
    }
}

impl NetlinkSerializable for DiagMessage {
    fn message_type(&self) -> u16 {
        match self {
            DiagMessage::Request(Asked::End(_)) => DESTROY,
            _ => BY_FAMILY,
        }
    }

    fn buffer_len(&self) -> usize {
        match self {
            DiagMessage::Request(_) => REQUEST_LEN,
            DiagMessage::Socket(_) => SOCKET_LEN,
        }
    }

    fn serialize(&self, buffer: &mut [u8]) {
        let mut bytes = Vec::with_capacity(SOCKET_LEN);
        match self {
            DiagMessage::Request(Asked::All { v6 }) => {
                let family = if *v6 { AF_INET6 } else { AF_INET };
                bytes.extend([family, IPPROTO_TCP, 0, 0]);
                bytes.extend(STATES.to_ne_bytes());
            }
            DiagMessage::Request(Asked::End(id)) => {
                bytes.extend([family(id), IPPROTO_TCP, 0, 0]);
                bytes.extend(u32::MAX.to_ne_bytes());
                put_id(&mut bytes, id);
            }
            DiagMessage::Socket(socket) => {
                bytes.extend([family(&socket.id), socket.state, 0, 0]);
                put_id(&mut bytes, &socket.id);
            }
        }
        bytes.resize(self.buffer_len(), 0);
        buffer[..bytes.len()].copy_from_slice(&bytes);
    }
}

impl NetlinkDeserializable for DiagMessage {
    type Error = DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        if header.message_type != BY_FAMILY {
            return Err(format!("{} is no message about sockets", header.message_type).into());
        }
        let socket = parse(payload).ok_or_else(|| {
            DecodeError::from(format!("{} bytes are no TCP socket", payload.len()))
        })?;
        Ok(DiagMessage::Socket(socket))
    }
}

fn family(id: &SocketId) -> u8 {
    if id.local.is_ipv6() {
        AF_INET6
    } else {
        AF_INET
    }
}

fn put_id(bytes: &mut Vec<u8>, id: &SocketId) {
    bytes.extend(id.local.port().to_be_bytes());
    bytes.extend(id.remote.port().to_be_bytes());
    for address in [id.local.ip(), id.remote.ip()] {
        let mut room = [0; 16];
        match address {
            IpAddr::V4(v4) => room[..4].copy_from_slice(&v4.octets()),
            IpAddr::V6(v6) => room = v6.octets(),
        }
        bytes.extend(room);
    }
    bytes.extend(id.interface.to_ne_bytes());
    bytes.extend(ANY_COOKIE);
}

fn parse(payload: &[u8]) -> Option<Socket> {
    let [family, state, _, _, id @ ..] = payload.get(..SOCKET_LEN)? else {
        return None;
    };
    let port = |at: usize| Some(u16::from_be_bytes(id.get(at..at + 2)?.try_into().ok()?));
    let address = |at: usize| {
        let bytes: [u8; 16] = id.get(at..at + 16)?.try_into().ok()?;
        let [a, b, c, d, ..] = bytes;
        match *family {
            AF_INET => Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d))),
            AF_INET6 => Some(IpAddr::V6(Ipv6Addr::from(bytes))),
            _ => None,
        }
    };
    Some(Socket {
        state: *state,
        id: SocketId {
            local: SocketAddr::new(address(4)?, port(0)?),
            remote: SocketAddr::new(address(20)?, port(2)?),
            interface: u32::from_ne_bytes(id.get(36..40)?.try_into().ok()?),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(local: &str, remote: &str) -> SocketId {
        SocketId {
            local: local.parse().unwrap(),
            remote: remote.parse().unwrap(),
            interface: 3,
        }
    }

    fn header(message_type: u16) -> NetlinkHeader {
        let mut header = NetlinkHeader::default();
        header.message_type = message_type;
        header
    }

    #[test]
    fn a_request_to_end_a_socket_is_what_the_kernel_reads() {
        let message = DiagMessage::Request(Asked::End(id("192.0.2.10:80", "198.51.100.7:5000")));
        assert_eq!(message.message_type(), 21);
        let mut bytes = [0xee; 56];
        message.serialize(&mut bytes);
        let mut wanted = vec![2, 6, 0, 0, 255, 255, 255, 255, 0, 80, 0x13, 0x88];
        wanted.extend([192, 0, 2, 10]);
        wanted.extend([0; 12]);
        wanted.extend([198, 51, 100, 7]);
        wanted.extend([0; 12]);
        wanted.extend(3u32.to_ne_bytes());
        wanted.extend([255; 8]);
        assert_eq!(bytes[..], wanted);
    }

    #[test]
    fn what_is_asked_for_are_connections_of_one_family() {
        for (v6, family) in [(false, 2), (true, 10)] {
            let message = DiagMessage::Request(Asked::All { v6 });
            assert_eq!((message.message_type(), message.buffer_len()), (20, 56));
            let mut bytes = [0xee; 56];
            message.serialize(&mut bytes);
            assert_eq!(bytes[..4], [family, 6, 0, 0]);
            // Established is 1, TIME_WAIT 6, CLOSE 7, LISTEN 10.
            assert_eq!(bytes[4..8], 0b1011_0011_1111_u32.to_ne_bytes());
            assert_eq!(bytes[8..], [0; 48]);
        }
    }

    #[test]
    fn sockets_of_both_families_are_read_and_noise_is_not() {
        for (local, remote) in [
            ("192.0.2.10:80", "198.51.100.7:5000"),
            ("[2001:db8::10]:80", "[2001:db8:1::7]:5000"),
            ("[::ffff:192.0.2.10]:80", "[::ffff:198.51.100.7]:5000"),
        ] {
            let id = id(local, remote);
            let socket = DiagMessage::Socket(Socket { state: 1, id });
            let mut bytes = [0; 72];
            socket.serialize(&mut bytes);
            assert_eq!(
                DiagMessage::deserialize(&header(20), &bytes).unwrap(),
                socket
            );
            for len in 0..72 {
                assert!(DiagMessage::deserialize(&header(20), &bytes[..len]).is_err());
            }
            assert!(DiagMessage::deserialize(&header(19), &bytes).is_err());
            bytes[0] = 1;
            assert!(DiagMessage::deserialize(&header(20), &bytes).is_err());
        }
    }
}
