// SPDX-License-Identifier: GPL-2.0-only

//! The part of the packet decision that is off the fast path: buckets that moved, fragments, ICMP, tunnels,
//! IPv4 options, IPv6 extension headers, odd and malformed packets.

use super::decide::{bucket, hash_v6, Buckets};
use super::filter::{Filter, RuleEntry, Storage, Transport, VipEntry, NO_RULE};
use super::genl::Echo;
use super::kind::{datagram_kind, kind_of, tcp_kind, Kind, KIND_LEN, TCP_FLAGS};
use super::packet::{
    locate, locate_v4, locate_v6, missing_transport, Address, Extent, Fault, Flow, Fragment,
    Located, Meta, ETHERTYPE_IPV6, PROTO_AH, PROTO_ESP, PROTO_GRE, PROTO_ICMP, PROTO_ICMPV6,
    PROTO_SCTP, PROTO_TCP, PROTO_UDP, PROTO_UDPLITE, V4_HEADER, V6_HEADER,
};
use super::reason::Reason;
use super::rules::{PORT_IKE, PORT_PPTP};
use super::verdict::{Note, Question, Tables, Verdict};
use core::net::IpAddr;

/// Bytes of a TCP header without options.
pub(super) const TCP_HEADER: u32 = 20;
/// Bytes of a UDP header.
pub(super) const UDP_HEADER: u32 = 8;
/// Bytes of an SCTP common header.
const SCTP_HEADER: u32 = 12;
/// Bytes of an ICMP header.
const ICMP_HEADER: u32 = 8;
/// Least TCP bytes of a first fragment: with fewer the flags are in the second (RFC 1858 section 3).
const TCP_FIRST_FRAGMENT: u32 = 16;

const ICMP_ECHO: u8 = 8;
const ICMPV6_ECHO: u8 = 128;

/// Judges a packet of an owned or moved bucket that needs a closer look: a SYN-ACK, or one that cannot be read.
#[inline]
fn ask(entry: &RuleEntry, mine: bool, others: bool, kind: Kind, fragment: bool) -> Verdict {
    let rule = entry.number;
    let tables = match kind {
        Kind::Unreadable => return Verdict::Short,
        Kind::First
        | Kind::FirstDatagram
        | Kind::Untracked
        | Kind::Datagram
        | Kind::Lone
        | Kind::TcpError
        | Kind::OtherError
            if mine =>
        {
            return Verdict::Accept {
                reason: entry.reason_accepted(),
                rule,
                fragment,
                note: kind.note(),
            };
        }
        Kind::First | Kind::FirstDatagram | Kind::Untracked => {
            return Verdict::Drop {
                reason: entry.reason_dropped(),
                rule,
                fragment,
            };
        }
        Kind::SynAck | Kind::MidFlow | Kind::TcpError => Tables::Tcp,
        Kind::MidSession | Kind::Datagram | Kind::Lone | Kind::OtherError => Tables::Sessions,
    };
    Verdict::Ask(Question {
        tables,
        rule,
        mine,
        others,
        syn_ack: kind == Kind::SynAck,
        icmp_error: matches!(kind, Kind::TcpError | Kind::OtherError),
        fragment,
        uncovered: rule == NO_RULE,
        note: kind.note(),
    })
}

/// A packet that was dropped before a rule was looked up.
fn refuse(reason: Reason) -> Verdict {
    Verdict::Drop {
        reason,
        rule: NO_RULE,
        fragment: false,
    }
}

fn fault(fault: Fault) -> Verdict {
    match fault {
        Fault::Short => Verdict::Short,
        Fault::Malformed(reason) => refuse(reason),
    }
}

/// A packet for a VIP in a frame that is not for the cluster.
#[cold]
#[inline(never)]
pub(super) fn not_for_cluster(meta: &Meta) -> Verdict {
    Verdict::Pass(if meta.vlan {
        Reason::PassedVlan
    } else {
        Reason::PassedOtherHost
    })
}

/// Judges what a glance cannot: a packet without a whole IP header, and ICMPv6 to an address that is no VIP, as
/// neighbour discovery uses multicasts.
#[cold]
#[inline(never)]
pub(super) fn unclear(meta: &Meta, l3: &[u8]) -> Verdict {
    let v6 = meta.ethertype == ETHERTYPE_IPV6;
    match l3.get(V6_HEADER) {
        Some(135 | 136) if v6 && !meta.vlan => Verdict::Neighbour,
        Some(_) => Verdict::Pass(Reason::PassedForeign),
        None if (l3.len() as u64) < u64::from(meta.len) => Verdict::Short,
        None if l3.len() == V6_HEADER => Verdict::Pass(Reason::PassedForeign),
        // What is malformed on another network is malformed for others to see.
        None if meta.vlan => Verdict::Pass(Reason::PassedVlan),
        None => refuse(Reason::MalformedTruncated),
    }
}

/// Judges a packet to a VIP off the fast path.
#[cold]
#[inline(never)]
pub(super) fn packet<S: Storage, B: Buckets>(
    filter: &Filter<S>,
    buckets: &B,
    meta: &Meta,
    vip: &VipEntry,
    l3: &[u8],
) -> Verdict {
    if vip.is_guarded() {
        return Verdict::Drop {
            reason: Reason::DroppedNotInForce,
            rule: NO_RULE,
            fragment: false,
        };
    }
    let extent = Extent::frame(meta);
    let located = match meta.ethertype {
        ETHERTYPE_IPV6 => locate_v6(l3, extent),
        _ => locate_v4(l3, extent),
    };
    match located {
        Ok(located) => judge(filter, buckets, vip, &located),
        Err(found) => fault(found),
    }
}

/// Judges a packet of a rule by its hash. `kind` is asked for only if the verdict can depend on it.
fn settle<B: Buckets>(
    buckets: &B,
    entry: &RuleEntry,
    hash: u64,
    fragment: bool,
    kind: impl FnOnce() -> Kind,
) -> Verdict {
    if entry.is_disabled() {
        let reason = Reason::DroppedDisabled;
        return Verdict::Drop {
            reason,
            rule: entry.number,
            fragment,
        };
    }
    settle_bucket(buckets, entry, bucket(hash), fragment, kind)
}

#[inline]
fn settle_bucket<B: Buckets>(
    buckets: &B,
    entry: &RuleEntry,
    bucket: u16,
    fragment: bool,
    kind: impl FnOnce() -> Kind,
) -> Verdict {
    let rule = entry.number;
    let (word, bit) = (bucket >> 6, u32::from(bucket & 63));
    let is_set = |bits: u64| bits.wrapping_shr(bit) & 1 != 0;
    let (mine, moved) = buckets.word(entry.slot(), word).unwrap_or((0, 0));
    let (mine, moved) = (is_set(mine), is_set(moved));
    if !mine && !moved {
        return Verdict::Drop {
            reason: entry.reason_dropped(),
            rule,
            fragment,
        };
    }
    let kind = kind();
    if !moved && !matches!(kind, Kind::SynAck | Kind::Unreadable) {
        return Verdict::Accept {
            reason: entry.reason_accepted(),
            rule,
            fragment,
            note: kind.note(),
        };
    }
    ask(
        entry,
        mine,
        is_set(buckets.others(entry.slot(), word)),
        kind,
        fragment,
    )
}

/// Judges a plain packet that the fast path found to be of a moved bucket, or a SYN-ACK, or of a tracked session.
pub(super) fn moved<B: Buckets>(buckets: &B, entry: &RuleEntry, bucket: u16, l3: &[u8]) -> Verdict {
    let v4 = l3.first().is_some_and(|first| first >> 4 == 4);
    let (header, protocol, length) = if v4 {
        (V4_HEADER, 9, 2)
    } else {
        (V6_HEADER, 6, 4)
    };
    let transport = l3.get(header..).unwrap_or_default();
    settle_bucket(buckets, entry, bucket, false, || match l3.get(protocol) {
        Some(&PROTO_TCP) => {
            let flags = transport.get(TCP_FLAGS);
            flags.map_or(Kind::Unreadable, |&flags| tcp_kind(flags))
        }
        _ if entry.track => {
            let said = l3.get(length..).and_then(<[u8]>::first_chunk::<2>);
            let said = said.map_or(0, |bytes| usize::from(u16::from_be_bytes(*bytes)));
            let len = if v4 {
                said.saturating_sub(V4_HEADER)
            } else {
                said
            };
            if transport.len() < len.min(KIND_LEN as usize) {
                return Kind::Unreadable;
            }
            datagram_kind(transport.get(..len).unwrap_or(transport))
        }
        _ => Kind::Lone,
    })
}

/// Judges a packet whose headers have been found.
fn judge<S: Storage, B: Buckets>(
    filter: &Filter<S>,
    buckets: &B,
    vip: &VipEntry,
    it: &Located<'_>,
) -> Verdict {
    let is_neighbour = matches!(it.src, Address::V6(_)) && it.protocol == PROTO_ICMPV6;
    if is_neighbour {
        match it.transport.first() {
            Some(133..=137) => return Verdict::Neighbour,
            // What it is has to be known before its source is judged: a question whether an address is in use has none.
            None if it.transport_len > 0 => {
                return fault(missing_transport(it, Reason::MalformedTransport))
            }
            _ => {}
        }
    }
    if is_bad_source(it.src) {
        return refuse(Reason::MalformedSource);
    }
    let first = match it.fragment {
        Fragment::Whole => false,
        Fragment::First(_) => true,
        Fragment::Later { offset, .. } => return later_fragment(it.protocol, offset),
    };
    let least = least_transport(it.protocol, first);
    if it.transport_len < least {
        return refuse(if first {
            Reason::MalformedFragment
        } else {
            Reason::MalformedTransport
        });
    }
    if (it.transport.len() as u64) < u64::from(least) {
        return fault(missing_transport(it, Reason::MalformedTransport));
    }
    match (it.protocol, it.src) {
        (PROTO_ICMP, Address::V4(_)) | (PROTO_ICMPV6, Address::V6(_)) => {
            icmp(filter, buckets, vip, it, first)
        }
        _ => {
            let (entry, client_port) =
                entry_of(filter, vip, it.protocol, it.transport, Side::Client);
            let hash = hash(filter, entry, it.src, client_port);
            settle(buckets, entry, hash, first, || kind_of(entry, it))
        }
    }
}

/// A later fragment, which has no ports. One that overwrites the flags of a TCP header is an attack (RFC 3128).
fn later_fragment(protocol: u8, offset: u16) -> Verdict {
    if protocol == PROTO_TCP && u32::from(offset) < TCP_FIRST_FRAGMENT {
        return refuse(Reason::MalformedFragment);
    }
    Verdict::Ask(Question {
        tables: Tables::Fragments,
        rule: NO_RULE,
        mine: false,
        others: false,
        syn_ack: false,
        icmp_error: false,
        fragment: false,
        uncovered: false,
        note: Note::Nothing,
    })
}

/// Bytes that a transport header has at least.
fn least_transport(protocol: u8, first_fragment: bool) -> u32 {
    match protocol {
        PROTO_TCP if first_fragment => TCP_FIRST_FRAGMENT,
        PROTO_TCP => TCP_HEADER,
        PROTO_UDP | PROTO_UDPLITE => UDP_HEADER,
        PROTO_SCTP if first_fragment => UDP_HEADER,
        PROTO_SCTP => SCTP_HEADER,
        PROTO_ICMP | PROTO_ICMPV6 => ICMP_HEADER,
        _ => 0,
    }
}

/// Whether a source address is one that no client can have.
fn is_bad_source(src: Address) -> bool {
    match IpAddr::from(src) {
        IpAddr::V4(address) => {
            let [first, ..] = address.octets();
            first == 0 || address.is_multicast() || address.is_broadcast()
        }
        IpAddr::V6(address) => {
            address.is_unspecified()
                || address.is_loopback()
                || address.is_multicast()
                || address.to_ipv4_mapped().is_some()
        }
    }
}

/// Who wrote the ports of a transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The client: source is the client's port.
    Client,
    /// The VIP, in a packet that an ICMP error quotes: destination is the client's port.
    Vip,
}

/// The rule for a packet by its transport header, and the client's port as its bytes read little-endian.
///
/// GRE goes where TCP 1723 goes, ESP and AH where UDP 500 goes: the data of a tunnel is to meet its control.
pub(super) fn entry_of<'a, S: Storage>(
    filter: &'a Filter<S>,
    vip: &VipEntry,
    protocol: u8,
    transport: &[u8],
    side: Side,
) -> (&'a RuleEntry, u16) {
    let table = match protocol {
        PROTO_TCP | PROTO_SCTP => Transport::Tcp,
        PROTO_UDP | PROTO_UDPLITE => Transport::Udp,
        _ => return (portless_entry(filter, vip, protocol), 0),
    };
    let Some(&[a, b, c, d]) = transport.first_chunk::<4>() else {
        return (filter.uncovered(), 0);
    };
    let (client_port, vip_port) = match side {
        Side::Client => ([a, b], [c, d]),
        Side::Vip => ([c, d], [a, b]),
    };
    (
        filter
            .rule(vip.table(table), vip_port)
            .unwrap_or(filter.uncovered()),
        u16::from_le_bytes(client_port),
    )
}

/// The rule for a protocol without ports.
fn portless_entry<'a, S: Storage>(
    filter: &'a Filter<S>,
    vip: &VipEntry,
    protocol: u8,
) -> &'a RuleEntry {
    let entry = match protocol {
        PROTO_GRE => filter.rule(vip.table(Transport::Tcp), PORT_PPTP.to_be_bytes()),
        PROTO_ESP | PROTO_AH => filter.rule(vip.table(Transport::Udp), PORT_IKE.to_be_bytes()),
        PROTO_ICMP | PROTO_ICMPV6 => None,
        _ => Some(&filter.spread),
    };
    entry.unwrap_or(filter.uncovered())
}

/// The hash of a client under a rule; the port as its bytes read little-endian.
pub(super) fn hash<S>(filter: &Filter<S>, entry: &RuleEntry, client: Address, port: u16) -> u64 {
    match client {
        Address::V4(word) => {
            let client = u64::from(u32::from_le(word)) | (u64::from(port) << 32);
            filter.key.hash_v4(client & entry.mask_v4)
        }
        Address::V6([first, second]) => hash_v6(
            filter,
            entry,
            [u64::from_le(first), u64::from_le(second)],
            port,
        ),
    }
}

/// Judges an ICMP or ICMPv6 packet.
fn icmp<S: Storage, B: Buckets>(
    filter: &Filter<S>,
    buckets: &B,
    vip: &VipEntry,
    it: &Located<'_>,
    first: bool,
) -> Verdict {
    let v6 = it.protocol == PROTO_ICMPV6;
    match (v6, it.transport.first()) {
        (false, Some(&ICMP_ECHO)) | (true, Some(&ICMPV6_ECHO)) => echo(filter, buckets, it, first),
        (false, Some(3 | 4 | 5 | 11 | 12)) | (true, Some(1..=4)) => {
            icmp_error(filter, buckets, vip, it, first)
        }
        _ => {
            let entry = filter.uncovered();
            settle(
                buckets,
                entry,
                hash(filter, entry, it.src, 0),
                first,
                || Kind::Lone,
            )
        }
    }
}

/// Judges an echo request.
fn echo<S: Storage, B: Buckets>(
    filter: &Filter<S>,
    buckets: &B,
    it: &Located<'_>,
    first: bool,
) -> Verdict {
    let entry = match filter.echo {
        Echo::DefaultHost => filter.uncovered(),
        Echo::Hash => &filter.spread,
        Echo::All => {
            return Verdict::Accept {
                reason: Reason::AcceptedEcho,
                rule: NO_RULE,
                fragment: first,
                note: Note::Nothing,
            };
        }
        Echo::Drop => {
            return Verdict::Drop {
                reason: Reason::DroppedEcho,
                rule: NO_RULE,
                fragment: first,
            };
        }
    };
    settle(
        buckets,
        entry,
        hash(filter, entry, it.src, 0),
        first,
        || Kind::Untracked,
    )
}

/// Judges an ICMP error: it goes where the flow goes whose packet it quotes. That packet was sent by the VIP, so
/// the client is its destination.
fn icmp_error<S: Storage, B: Buckets>(
    filter: &Filter<S>,
    buckets: &B,
    vip: &VipEntry,
    it: &Located<'_>,
    first: bool,
) -> Verdict {
    let inner = match quoted(it) {
        Ok(inner) => inner,
        Err(found) => return fault(found),
    };
    let (entry, port) = match inner.fragment {
        // The quoted packet is a later fragment: it has no ports, so its owner cannot be found.
        Fragment::Later { .. } => (filter.uncovered(), 0),
        _ if inner.transport_len < 4 && has_ports(inner.protocol) => {
            return refuse(Reason::MalformedIcmp)
        }
        _ if inner.transport.len() < 4 && has_ports(inner.protocol) => return Verdict::Short,
        _ => entry_of(filter, vip, inner.protocol, inner.transport, Side::Vip),
    };
    let kind = if inner.protocol == PROTO_TCP {
        Kind::TcpError
    } else {
        Kind::OtherError
    };
    settle(
        buckets,
        entry,
        hash(filter, entry, inner.dst, port),
        first,
        || kind,
    )
}

fn has_ports(protocol: u8) -> bool {
    matches!(protocol, PROTO_TCP | PROTO_UDP | PROTO_UDPLITE | PROTO_SCTP)
}

/// The packet that an ICMP error quotes; it must be of the same family, and sent by the VIP.
fn quoted<'a>(it: &Located<'a>) -> Result<Located<'a>, Fault> {
    const FAULT: Fault = Fault::Malformed(Reason::MalformedIcmp);
    let extent = Extent::quoted(it.transport_len.saturating_sub(ICMP_HEADER));
    let bytes = it.transport.get(ICMP_HEADER as usize..).ok_or(FAULT)?;
    let inner = match it.src {
        Address::V4(_) => locate_v4(bytes, extent),
        Address::V6(_) => locate_v6(bytes, extent),
    };
    match inner {
        Ok(inner) if inner.src == it.dst => Ok(inner),
        Err(Fault::Short) => Err(Fault::Short),
        _ => Err(FAULT),
    }
}

/// The flow of a packet that a [`Question`] was asked about: of an ICMP error, the flow inside it.
///
/// `l3` are the bytes that were given to [`super::decide::decide`].
#[must_use]
pub fn flow(l3: &[u8]) -> Option<Flow> {
    let it = locate(l3, Extent::judged()).ok()?;
    let is_error = matches!(
        (it.protocol, it.transport.first()?),
        (PROTO_ICMP, 3 | 4 | 5 | 11 | 12) | (PROTO_ICMPV6, 1..=4)
    );
    if is_error {
        let inner = quoted(&it).ok()?;
        let [vip_port, client_port] = ports(&inner);
        return Some(Flow {
            protocol: inner.protocol,
            client: inner.dst.into(),
            client_port,
            vip: inner.src.into(),
            vip_port,
        });
    }
    let [client_port, vip_port] = ports(&it);
    Some(Flow {
        protocol: it.protocol,
        client: it.src.into(),
        client_port,
        vip: it.dst.into(),
        vip_port,
    })
}

/// Source and destination port; zero where there are none.
pub(super) fn ports(it: &Located<'_>) -> [u16; 2] {
    match it.transport.first_chunk::<4>() {
        Some(&[a, b, c, d]) if has_ports(it.protocol) => {
            [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
        }
        _ => [0, 0],
    }
}

/// The rule for a flow, and the client's port as its bytes read little-endian.
pub(super) fn entry_for_flow<'a, S: Storage>(
    filter: &'a Filter<S>,
    vip: &VipEntry,
    flow: &Flow,
) -> (&'a RuleEntry, u16) {
    let ([a, b], [c, d]) = (flow.client_port.to_be_bytes(), flow.vip_port.to_be_bytes());
    entry_of(filter, vip, flow.protocol, &[a, b, c, d], Side::Client)
}
