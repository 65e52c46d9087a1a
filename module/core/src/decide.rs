// SPDX-License-Identifier: GPL-2.0-only

//! The packet decision: is it for a VIP, and is it for this host.
//!
//! [`decide`] reads nothing but its arguments: the compiled configuration, the ownership words, and the bytes.
//! Where only the caller's tables can tell (sockets, sessions, connection tracking, first fragments), it returns
//! a [`Question`], and [`Question::resolve`] makes a verdict of the answer.
//!
//! Order of work: foreign traffic is told apart first, then the plain TCP or UDP packet that is not this
//! host's is dropped; all else is off the fast path, in [`super::judge`].

use super::filter::{Filter, RuleEntry, Storage, Transport};
pub use super::judge::flow;
use super::judge::{self, Kind};
use super::limits::BUCKETS;
use super::packet::{
    Meta, Target, ETHERTYPE_IPV4, ETHERTYPE_IPV6, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP, V4_HEADER,
    V6_HEADER,
};
use super::reason::Reason;
pub use super::verdict::{Answer, Question, Tables, Verdict};

/// Who owns what, as the packet path sees it. A word holds 64 buckets; bit n of word w is bucket 64 w + n.
///
/// Slots are those of the rules (the number of a rule is its slot), the default slot and the spread slot of the
/// settings. In the default slot all buckets belong to the default host.
pub trait Buckets {
    /// Buckets that this host owns.
    fn mine(&self, slot: u16, word: u16) -> u64;

    /// Buckets of which sessions may live on a host other than the owner: not mine, but I may hold sessions; or
    /// mine, but others may.
    fn moved(&self, slot: u16, word: u16) -> u64;

    /// Buckets of which some other live host reports residual sessions.
    fn others(&self, slot: u16, word: u16) -> u64 {
        let _ = (slot, word);
        0
    }

    /// Whether this host is the default host.
    fn is_default_host(&self) -> bool;
}

/// Decides about a frame whose bytes from the network header are `l3` (as many as are linear).
///
/// Never returns [`Verdict::Short`] if `l3` has [`super::packet::SNAP_LEN`] bytes or all of the packet.
#[inline]
pub fn decide<S: Storage, B: Buckets>(
    filter: &Filter<S>,
    buckets: &B,
    meta: &Meta,
    l3: &[u8],
) -> Verdict {
    match meta.ethertype {
        ETHERTYPE_IPV4 => ipv4(filter, buckets, meta, l3),
        ETHERTYPE_IPV6 => ipv6(filter, buckets, meta, l3),
        _ => Verdict::Pass(Reason::PassedNotIp),
    }
}

/// Decides about an IPv4 packet.
#[inline(always)]
fn ipv4<S: Storage, B: Buckets>(
    filter: &Filter<S>,
    buckets: &B,
    meta: &Meta,
    l3: &[u8],
) -> Verdict {
    let Some(header) = l3.first_chunk::<V4_HEADER>() else {
        return judge::too_short(meta, l3);
    };
    let dst = u32::from_ne_bytes([header[16], header[17], header[18], header[19]]);
    let Some(vip) = filter.vip_v4(dst) else {
        return Verdict::Pass(Reason::PassedForeign);
    };
    if !is_for_cluster(meta) {
        return judge::not_for_cluster(meta);
    }
    let Some((transport, least)) = plain_transport(header[9]) else {
        return judge::ipv4(filter, buckets, meta, vip, l3);
    };
    let Some(head) = l3.first_chunk::<{ V4_HEADER + 4 }>() else {
        return judge::ipv4(filter, buckets, meta, vip, l3);
    };
    let total = u32::from(u16::from_be_bytes([head[2], head[3]]));
    let fragment = u16::from_ne_bytes([head[6], head[7]]) & FRAGMENT_MASK;
    let lengths_odd = total < least.wrapping_add(V4_HEADER as u32) || total > meta.len;
    if head[0] != 0x45 || fragment != 0 || lengths_odd || is_odd_source(head[12]) {
        return judge::ipv4(filter, buckets, meta, vip, l3);
    }
    let entry = filter.rule(vip, transport, [head[22], head[23]]);
    let client = u32::from_le_bytes([head[12], head[13], head[14], head[15]]);
    let port = u16::from_le_bytes([head[20], head[21]]);
    let hash = filter
        .key
        .hash_v4(client & entry.mask_v4, port & entry.mask_port);
    settle(buckets, entry, hash, false, || {
        plain_kind(entry, transport, l3, V4_HEADER)
    })
}

/// The more-fragments bit and the offset of an IPv4 header, in native order.
const FRAGMENT_MASK: u16 = u16::from_ne_bytes([0x3f, 0xff]);

/// Decides about an IPv6 packet.
#[inline(always)]
fn ipv6<S: Storage, B: Buckets>(
    filter: &Filter<S>,
    buckets: &B,
    meta: &Meta,
    l3: &[u8],
) -> Verdict {
    let Some(header) = l3.first_chunk::<V6_HEADER>() else {
        return judge::too_short(meta, l3);
    };
    let [_, _, dst @ ..] = super::packet::addresses(header);
    let Some(vip) = filter.vip_v6(dst) else {
        if header[6] == PROTO_ICMPV6 && filter.has_v6 {
            return judge::foreign_icmpv6(meta, l3);
        }
        return Verdict::Pass(Reason::PassedForeign);
    };
    if !is_for_cluster(meta) {
        return judge::not_for_cluster(meta);
    }
    let Some((transport, least)) = plain_transport(header[6]) else {
        return judge::ipv6(filter, buckets, meta, vip, l3);
    };
    let Some(head) = l3.first_chunk::<{ V6_HEADER + 4 }>() else {
        return judge::ipv6(filter, buckets, meta, vip, l3);
    };
    let payload = u32::from(u16::from_be_bytes([head[4], head[5]]));
    let lengths_odd = payload < least || payload.wrapping_add(V6_HEADER as u32) > meta.len;
    if head[0] >> 4 != 6 || lengths_odd || is_odd_source_v6(head[8]) {
        return judge::ipv6(filter, buckets, meta, vip, l3);
    }
    let entry = filter.rule(vip, transport, [head[42], head[43]]);
    let port = u16::from_le_bytes([head[40], head[41]]);
    let hash = hash_v6(filter, entry, source_v6(header), port);
    settle(buckets, entry, hash, false, || {
        plain_kind(entry, transport, l3, V6_HEADER)
    })
}

/// The source address of an IPv6 header, as two words read little-endian.
#[inline(always)]
fn source_v6(header: &[u8; V6_HEADER]) -> [u64; 2] {
    let [first, second, ..] = super::packet::addresses(header);
    [u64::from_le(first), u64::from_le(second)]
}

/// The hash of an IPv6 client under a rule; its address as two words read little-endian.
#[inline(always)]
pub(super) fn hash_v6<S>(
    filter: &Filter<S>,
    entry: &RuleEntry,
    client: [u64; 2],
    port: u16,
) -> u64 {
    let ([first, second], [mask_first, mask_second]) = (client, entry.mask_v6);
    filter.key.hash_v6(
        [first & mask_first, second & mask_second],
        port & entry.mask_port,
    )
}

/// Whether a frame that holds a packet for a VIP is one for this cluster.
#[inline(always)]
fn is_for_cluster(meta: &Meta) -> bool {
    !meta.vlan && (meta.dst_is_virtual_mac || meta.target != Target::OtherHost)
}

/// The port table of a protocol of the fast path, and the bytes of its shortest header.
#[inline(always)]
fn plain_transport(protocol: u8) -> Option<(Transport, u32)> {
    match protocol {
        PROTO_TCP => Some((Transport::Tcp, judge::TCP_HEADER)),
        PROTO_UDP => Some((Transport::Udp, judge::UDP_HEADER)),
        _ => None,
    }
}

/// Whether the first byte of an IPv4 source is one that no client has: 0/8, 127/8, multicast, or the range that
/// broadcast is in.
#[inline(always)]
fn is_odd_source(first: u8) -> bool {
    first == 0 || first == 127 || first >= 224
}

/// Whether the first byte of an IPv6 source is one that few clients have: unspecified, loopback and IPv4-mapped
/// addresses begin with 0, multicasts with ff.
#[inline(always)]
fn is_odd_source_v6(first: u8) -> bool {
    first == 0 || first == 0xff
}

/// What a plain TCP segment or UDP datagram is to its session; `None` if its header is not there.
#[inline(always)]
fn plain_kind(entry: &RuleEntry, transport: Transport, l3: &[u8], header: usize) -> Kind {
    match transport {
        Transport::Tcp => match l3.get(header.wrapping_add(judge::TCP_FLAGS)) {
            Some(&flags) => judge::tcp_kind(flags),
            None => Kind::Unreadable,
        },
        Transport::Udp if entry.track => judge::datagram_kind(l3.get(header..).unwrap_or_default()),
        Transport::Udp => Kind::Untracked,
    }
}

/// A hash is shifted by this to a bucket: 64 less the bits of a bucket number.
const BUCKET_SHIFT: u32 = u64::BITS - BUCKETS.trailing_zeros();

/// The bucket of a hash, by multiply-shift: as [`BUCKETS`] is a power of two, its top bits.
#[inline(always)]
pub(super) fn bucket(hash: u64) -> u16 {
    const { assert!(BUCKETS.is_power_of_two() && BUCKETS > 1 && BUCKETS <= 1 << 16) };
    (hash >> BUCKET_SHIFT) as u16
}

/// Judges a packet of a rule by its hash. `kind` is asked for only if the verdict can depend on it.
#[inline(always)]
pub(super) fn settle<B: Buckets>(
    buckets: &B,
    entry: &RuleEntry,
    hash: u64,
    fragment: bool,
    kind: impl FnOnce() -> Kind,
) -> Verdict {
    if entry.disabled {
        return Verdict::Drop {
            reason: Reason::DroppedDisabled,
            rule: entry.number,
            fragment,
        };
    }
    let bucket = bucket(hash);
    let (word, bit) = (bucket >> 6, u32::from(bucket & 63));
    let mine = buckets.mine(entry.slot, word).wrapping_shr(bit) & 1 != 0;
    let moved = buckets.moved(entry.slot, word).wrapping_shr(bit) & 1 != 0;
    if !mine && !moved {
        return Verdict::Drop {
            reason: entry.dropped,
            rule: entry.number,
            fragment,
        };
    }
    let kind = kind();
    if !moved && !matches!(kind, Kind::SynAck | Kind::Unreadable) {
        return Verdict::Accept {
            reason: entry.accepted,
            rule: entry.number,
            fragment,
        };
    }
    let others = || buckets.others(entry.slot, word).wrapping_shr(bit) & 1 != 0;
    judge::ask(entry, mine, others(), kind, fragment)
}
