// SPDX-License-Identifier: GPL-2.0-only

//! What the packet path is told of a frame, and the fields of the headers in it.

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
/// AH.
pub const PROTO_AH: u8 = 51;
/// ICMPv6.
pub const PROTO_ICMPV6: u8 = 58;
/// SCTP.
pub const PROTO_SCTP: u8 = 132;
/// UDP-Lite.
pub const PROTO_UDPLITE: u8 = 136;

/// Bytes from the network header with which every decision can be made: IPv6 header, 128 bytes of extension
/// headers, ICMPv6 header, the inner IPv6 header, 64 bytes of inner extension headers, the inner ports.
///
/// A caller whose linear bytes are fewer (paged buffers) copies this many and asks again when it gets
/// [`super::decide::Verdict::Short`].
pub const SNAP_LEN: usize = 288;

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
    pub client: core::net::IpAddr,
    /// The client's port; 0 without ports.
    pub client_port: u16,
    /// The VIP.
    pub vip: core::net::IpAddr,
    /// The port at the VIP; 0 without ports.
    pub vip_port: u16,
}
