// SPDX-License-Identifier: GPL-2.0-only

//! What the packet path is told of a frame, and how it finds the transport header behind IPv4 options and
//! IPv6 extension headers.

use super::filter::words_ne;
use super::limits::{EXTENSION_BYTES_MAX, EXTENSION_HEADERS_MAX, QUOTED_EXTENSION_BYTES_MAX};
use super::reason::Reason;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// EtherType of IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;

/// ICMP.
pub const PROTO_ICMP: u8 = 1;
/// TCP.
pub const PROTO_TCP: u8 = 6;
/// UDP.
pub const PROTO_UDP: u8 = 17;
/// GRE.
pub const PROTO_GRE: u8 = 47;
/// ESP.
pub const PROTO_ESP: u8 = 50;
/// AH. Not walked past as an extension header: it is a tunnel's data, and goes where its control goes.
pub const PROTO_AH: u8 = 51;
/// ICMPv6.
pub const PROTO_ICMPV6: u8 = 58;
/// SCTP.
pub const PROTO_SCTP: u8 = 132;
/// UDP-Lite.
pub const PROTO_UDPLITE: u8 = 136;

/// IPv6 extension headers that are walked past (RFC 8200 section 4).
const NEXT_HOP_BY_HOP: u8 = 0;
const NEXT_ROUTING: u8 = 43;
const NEXT_FRAGMENT: u8 = 44;
const NEXT_DESTINATION: u8 = 60;

/// Bytes of an IPv4 header without options.
pub(super) const V4_HEADER: usize = 20;
/// Bytes of an IPv6 header.
pub(super) const V6_HEADER: usize = 40;

/// Bytes from the network header with which every decision can be made: IPv6 header, extension headers, ICMPv6
/// header, the inner IPv6 header with its extension headers, and eight bytes of the inner transport header.
///
/// A caller whose linear bytes are fewer (paged buffers) copies this many and asks again when it gets
/// [`super::verdict::Verdict::Short`].
pub const SNAP_LEN: usize =
    V6_HEADER + EXTENSION_BYTES_MAX + 8 + V6_HEADER + QUOTED_EXTENSION_BYTES_MAX + 8;

/// Whom the frame is for, as the device driver says (the kernel's `pkt_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The NIC's own MAC.
    Host,
    /// All stations.
    Broadcast,
    /// A group.
    Multicast,
    /// Another station: a secondary unicast MAC, or a promiscuous NIC.
    OtherHost,
}

/// What is known of a frame besides its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// EtherType, host byte order.
    pub ethertype: u16,
    /// A VLAN id is in `vlan_tci`: the frame belongs to another network.
    pub vlan: bool,
    /// The destination MAC is a virtual MAC of the cluster.
    pub dst_is_virtual_mac: bool,
    /// Whom the frame is for.
    pub target: Target,
    /// The buffer holds several segments merged by GRO, so an IP length of 0 stands for "all of it".
    pub merged: bool,
    /// Bytes from the network header to the end of the buffer, paged parts included.
    pub len: u32,
}

/// A TCP, UDP, SCTP or UDP-Lite flow, or one without ports, seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// IP protocol number.
    pub protocol: u8,
    /// The client.
    pub client: IpAddr,
    /// The client's port; 0 without ports.
    pub client_port: u16,
    /// The VIP.
    pub vip: IpAddr,
    /// The port at the VIP; 0 without ports.
    pub vip_port: u16,
}

/// An address in the form that is looked up and hashed: its bytes read in native order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    V4(u32),
    V6([u64; 2]),
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> IpAddr {
        match address {
            Address::V4(word) => IpAddr::V4(Ipv4Addr::from(word.to_ne_bytes())),
            Address::V6([first, second]) => {
                let high = u128::from(u64::from_be(first));
                let low = u128::from(u64::from_be(second));
                IpAddr::V6(Ipv6Addr::from((high << 64) | low))
            }
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Address {
        match address {
            IpAddr::V4(address) => Address::V4(u32::from_ne_bytes(address.octets())),
            IpAddr::V6(address) => Address::V6(words_ne(&address.octets())),
        }
    }
}

/// Whether a packet is a fragment, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fragment {
    /// The whole packet.
    Whole,
    /// The first of several; it has the ports.
    First(FragmentId),
    /// One of the others; `offset` in bytes.
    Later { id: FragmentId, offset: u16 },
}

/// The identification of a fragment. RFC 791 counts the protocol to it, RFC 8200 does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FragmentId {
    pub(super) id: u32,
    pub(super) protocol: u8,
}

/// A packet whose headers have been found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Located<'a> {
    pub(super) src: Address,
    pub(super) dst: Address,
    pub(super) protocol: u8,
    /// What is given of the bytes behind the IP headers.
    pub(super) transport: &'a [u8],
    /// How many bytes the packet has there.
    pub(super) transport_len: u32,
    pub(super) fragment: Fragment,
}

/// Why the headers of a packet cannot be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes given end too early, but the packet does not.
    Short,
    /// The packet is malformed.
    Malformed(Reason),
}

/// How much there is of a packet, given or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// Bytes that exist from the IP header on.
    len: u32,
    /// A length field of 0 stands for all of them.
    merged: bool,
    /// The packet may be cut off before its end: it is quoted in an ICMP error.
    cut: bool,
    /// Bytes of IPv6 extension headers that are walked past.
    room: usize,
}

impl Extent {
    /// A packet in a frame: no longer than the frame.
    pub(super) fn frame(meta: &Meta) -> Extent {
        Extent {
            len: meta.len,
            merged: meta.merged,
            cut: false,
            room: EXTENSION_BYTES_MAX,
        }
    }

    /// The beginning of a packet inside an ICMP error, of which `len` bytes exist.
    pub(super) fn quoted(len: u32) -> Extent {
        Extent {
            len,
            merged: false,
            cut: true,
            room: QUOTED_EXTENSION_BYTES_MAX,
        }
    }

    /// A packet that has been judged already, whose frame is not known.
    pub(super) fn judged() -> Extent {
        Extent {
            len: u32::MAX,
            merged: true,
            cut: true,
            room: EXTENSION_BYTES_MAX,
        }
    }

    /// What is wrong if `given` bytes are too few.
    fn missing(&self, given: &[u8], reason: Reason) -> Fault {
        if (given.len() as u64) < u64::from(self.len) {
            Fault::Short
        } else {
            Fault::Malformed(reason)
        }
    }

    /// The length of a packet whose length field says `said`, checked; `unsaid` if the field is 0.
    fn total(&self, said: u32, header: usize, unsaid: bool) -> Result<u32, Fault> {
        if self.merged && unsaid {
            Ok(self.len)
        } else if (said as usize) < header || (said > self.len && !self.cut) {
            Err(Fault::Malformed(Reason::MalformedLength))
        } else {
            Ok(said.min(self.len))
        }
    }
}

/// Finds the transport header of an IPv4 packet.
pub(super) fn locate_v4(l3: &[u8], extent: Extent) -> Result<Located<'_>, Fault> {
    let Some(head) = l3.first_chunk::<V4_HEADER>() else {
        return Err(extent.missing(l3, Reason::MalformedTruncated));
    };
    if head[0] >> 4 != 4 {
        return Err(Fault::Malformed(Reason::MalformedVersion));
    }
    let header = usize::from(head[0] & 0x0f).wrapping_mul(4);
    if header < V4_HEADER {
        return Err(Fault::Malformed(Reason::MalformedHeaderLength));
    }
    let said = u32::from(u16::from_be_bytes([head[2], head[3]]));
    let total = extent.total(said, V4_HEADER, said == 0)?;
    if header as u32 > total {
        return Err(Fault::Malformed(Reason::MalformedHeaderLength));
    }
    let Some(transport) = l3.get(header..) else {
        return Err(extent.missing(l3, Reason::MalformedTruncated));
    };
    let id = FragmentId {
        id: u32::from(u16::from_be_bytes([head[4], head[5]])),
        protocol: head[9],
    };
    let field = u16::from_be_bytes([head[6], head[7]]);
    let fragment = match (field & 0x1fff, field & 0x2000) {
        (0, 0) => Fragment::Whole,
        (0, _) => Fragment::First(id),
        (offset, _) => Fragment::Later {
            id,
            offset: offset.wrapping_mul(8),
        },
    };
    let transport_len = total.saturating_sub(header as u32);
    Ok(Located {
        src: Address::V4(u32::from_ne_bytes([head[12], head[13], head[14], head[15]])),
        dst: Address::V4(u32::from_ne_bytes([head[16], head[17], head[18], head[19]])),
        protocol: head[9],
        transport: cut(transport, transport_len),
        transport_len,
        fragment,
    })
}

/// Bytes without what lies behind the packet in the frame (padding).
fn cut(bytes: &[u8], len: u32) -> &[u8] {
    bytes.get(..len as usize).unwrap_or(bytes)
}

/// Finds the transport header of an IPv6 packet behind its extension headers.
pub(super) fn locate_v6(l3: &[u8], extent: Extent) -> Result<Located<'_>, Fault> {
    let Some((head, behind)) = l3.split_first_chunk::<V6_HEADER>() else {
        return Err(extent.missing(l3, Reason::MalformedTruncated));
    };
    if head[0] >> 4 != 6 {
        return Err(Fault::Malformed(Reason::MalformedVersion));
    }
    let payload = u32::from(u16::from_be_bytes([head[4], head[5]]));
    if payload == 0 && !extent.merged && head[6] == NEXT_HOP_BY_HOP {
        return Err(Fault::Malformed(Reason::MalformedJumbogram));
    }
    let total = extent.total(
        payload.wrapping_add(V6_HEADER as u32),
        V6_HEADER,
        payload == 0,
    )?;
    let len = total.saturating_sub(V6_HEADER as u32);
    let chain = Chain {
        protocol: head[6],
        transport: cut(behind, len),
        len,
        fragment: Fragment::Whole,
    };
    let chain = chain.walk(extent.room)?;
    let [s0, s1, d0, d1] = addresses(head);
    Ok(Located {
        src: Address::V6([s0, s1]),
        dst: Address::V6([d0, d1]),
        protocol: chain.protocol,
        transport: chain.transport,
        transport_len: chain.len,
        fragment: chain.fragment,
    })
}

/// Source and destination of an IPv6 header, as words read in native order.
#[inline(always)]
pub(super) fn addresses(head: &[u8; V6_HEADER]) -> [u64; 4] {
    let [_, _, _, _, _, _, _, _, rest @ ..] = head;
    let word = |at: usize| match rest.get(at..).and_then(<[u8]>::first_chunk) {
        Some(bytes) => u64::from_ne_bytes(*bytes),
        None => 0,
    };
    [word(0), word(8), word(16), word(24)]
}

/// A chain of extension headers, walked up to `transport`.
struct Chain<'a> {
    protocol: u8,
    transport: &'a [u8],
    len: u32,
    fragment: Fragment,
}

impl Chain<'_> {
    /// Walks to the end of the chain: at most [`EXTENSION_HEADERS_MAX`] headers and `room` bytes.
    fn walk(mut self, mut room: usize) -> Result<Self, Fault> {
        for position in 0..=EXTENSION_HEADERS_MAX {
            let next = self.protocol;
            let is_extension = matches!(
                next,
                NEXT_HOP_BY_HOP | NEXT_ROUTING | NEXT_FRAGMENT | NEXT_DESTINATION
            );
            if !is_extension || matches!(self.fragment, Fragment::Later { .. }) {
                return Ok(self);
            }
            if next == NEXT_HOP_BY_HOP && position != 0 {
                break;
            }
            room = self.step(room)?;
        }
        Err(Fault::Malformed(Reason::MalformedExtension))
    }

    /// Walks past one header: the room that is left.
    fn step(&mut self, room: usize) -> Result<usize, Fault> {
        const FAULT: Fault = Fault::Malformed(Reason::MalformedExtension);
        let missing = if (self.transport.len() as u64) < u64::from(self.len) {
            Fault::Short
        } else {
            FAULT
        };
        let Some(head) = self.transport.first_chunk::<8>() else {
            return Err(if self.len < 8 { FAULT } else { missing });
        };
        let size = match self.protocol {
            NEXT_FRAGMENT => 8,
            _ => usize::from(head[1]).wrapping_add(1).wrapping_mul(8),
        };
        let room = room.checked_sub(size).ok_or(FAULT)?;
        self.len = self.len.checked_sub(size as u32).ok_or(FAULT)?;
        if self.protocol == NEXT_FRAGMENT {
            self.fragment = fragment_v6(head);
        }
        self.protocol = head[0];
        self.transport = self.transport.get(size..).ok_or(missing)?;
        Ok(room)
    }
}

/// Reads a fragment header (RFC 8200 section 4.5). An atomic fragment (RFC 6946) is a whole packet.
fn fragment_v6(head: &[u8; 8]) -> Fragment {
    let id = FragmentId {
        id: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
        protocol: 0,
    };
    let field = u16::from_be_bytes([head[2], head[3]]);
    match (field & 0xfff8, field & 1) {
        (0, 0) => Fragment::Whole,
        (0, _) => Fragment::First(id),
        (offset, _) => Fragment::Later { id, offset },
    }
}

/// Finds the transport header of a packet of either family, by its version field.
pub(super) fn locate(l3: &[u8], extent: Extent) -> Result<Located<'_>, Fault> {
    match l3.first().map(|first| first >> 4) {
        Some(4) => locate_v4(l3, extent),
        Some(6) => locate_v6(l3, extent),
        Some(_) => Err(Fault::Malformed(Reason::MalformedVersion)),
        None => Err(extent.missing(l3, Reason::MalformedTruncated)),
    }
}

/// Why too few bytes behind the IP headers are given: the packet is cut off, or only the caller's copy.
pub(super) fn missing_transport(located: &Located<'_>, reason: Reason) -> Fault {
    if (located.transport.len() as u64) < u64::from(located.transport_len) {
        Fault::Short
    } else {
        Fault::Malformed(reason)
    }
}
