// SPDX-License-Identifier: GPL-2.0-only

//! The packet decision: is it for a VIP, and is it for this host.
//!
//! [`decide`] reads nothing but its arguments: the compiled configuration, the ownership words, and the bytes.
//! Where only the caller's tables can tell (sockets, sessions, connection tracking, first fragments), it returns
//! a [`Question`], and [`Question::resolve`] makes a verdict of the answer.
//!
//! Order of work: foreign traffic is told apart first, then the plain TCP or UDP packet that is not this
//! host's is dropped; all else is off the fast path, in [`super::judge`].

pub use super::explain::{explain, place_of, Explanation, Place};
use super::filter::{Filter, RuleEntry, Storage, Transport, VipEntry, NO_RULE, NO_SLOT};
use super::health::Turn;
use super::judge;
pub use super::judge::flow;
use super::kind;
use super::limits::BUCKETS;
use super::packet::{
    addresses, Flow, Meta, Target, ETHERTYPE_IPV4, ETHERTYPE_IPV6, PROTO_ICMPV6, PROTO_TCP,
    PROTO_UDP, V4_HEADER, V6_HEADER,
};
use super::reason::Reason;
pub use super::verdict::{Answer, Note, Question, Tables, Verdict};
use core::net::{IpAddr, Ipv4Addr};

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

    /// The words of [`Buckets::mine`] and [`Buckets::moved`] at once: what the fast path asks for. `None`: there is no
    /// such slot, as [`NO_SLOT`] is none.
    #[inline(always)]
    fn word(&self, slot: u16, word: u16) -> Option<(u64, u64)> {
        (slot != NO_SLOT).then(|| (self.mine(slot, word), self.moved(slot, word)))
    }

    /// Buckets of which some other live host reports residual sessions.
    fn others(&self, slot: u16, word: u16) -> u64 {
        let _ = (slot, word);
        0
    }

    /// Whether this host is the default host.
    fn is_default_host(&self) -> bool;
}

/// What the destination address says, before anything else is looked at.
#[derive(Clone, Copy, Debug)]
pub enum Glance<'a> {
    /// To no VIP: [`Reason::PassedForeign`].
    Foreign,
    /// To this VIP; how the rest is judged depends on the frame being one for the cluster.
    Vip(&'a VipEntry),
    /// It takes a closer look: [`decide`].
    Unclear,
}

/// A plain packet whose verdict takes more than the bit of its bucket.
///
/// A reference and a word, which fit two registers: whoever hands it on needs no stack for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved<'a> {
    entry: &'a RuleEntry,
    /// The bucket, and [`Moved::MINE`].
    place: u32,
}

impl<'a> Moved<'a> {
    /// The bit that says that this host owns the bucket.
    const MINE: u32 = 1 << 16;

    #[inline(always)]
    fn new(entry: &'a RuleEntry, bucket: u16, mine: bool) -> Moved<'a> {
        let place = u32::from(bucket) | if mine { Moved::MINE } else { 0 };
        Moved { entry, place }
    }

    #[inline(always)]
    fn bucket(self) -> u16 {
        self.place as u16
    }

    #[inline(always)]
    fn is_mine(self) -> bool {
        self.place & Moved::MINE != 0
    }
}

/// Somebody who carries out what the fast path comes to, each outcome at its place: a verdict that is returned would
/// have to be packed and told apart again, for ten instructions.
pub trait Outcome<'a>: Sized {
    /// What is left of it.
    type Done;

    /// The bytes from the network header on, as many as are linear.
    fn head(&self) -> &[u8];

    /// The same, where they are needed once more and late: whoever reads them anew there need not keep where they are
    /// while the hash is computed.
    #[inline(always)]
    fn head_again(&self) -> &[u8] {
        self.head()
    }

    /// The rule's bucket is this host's: as [`Verdict::Accept`], for the reason of the rule.
    fn accept(self, entry: &'a RuleEntry) -> Self::Done;

    /// The same of a packet that asks for an answer: a SYN, or a datagram.
    #[inline(always)]
    fn accept_turn(self, entry: &'a RuleEntry, turn: Turn) -> Self::Done {
        let _ = turn;
        self.accept(entry)
    }

    /// As [`Verdict::Drop`], for the reason of the rule.
    fn refuse(self, entry: &'a RuleEntry) -> Self::Done;

    /// The bucket moved, or the packet is a SYN-ACK or of a tracked session: [`moved`].
    fn moved(self, it: Moved<'a>) -> Self::Done;

    /// It takes a closer look: [`closer`].
    fn unclear(self) -> Self::Done;
}

/// The outcome of the fast path as a value: what [`Bytes`] makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fast<'a> {
    /// [`Outcome::accept`]
    Accept(&'a RuleEntry),
    /// [`Outcome::refuse`]
    Drop(&'a RuleEntry),
    /// [`Outcome::moved`]
    Moved(Moved<'a>),
    /// [`Outcome::unclear`]
    Unclear,
}

/// The bytes of a packet from the network header on, for a caller who wants the outcome as a value.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'b>(pub &'b [u8]);

impl<'a> Outcome<'a> for Bytes<'_> {
    type Done = Fast<'a>;

    #[inline(always)]
    fn head(&self) -> &[u8] {
        self.0
    }

    #[inline(always)]
    fn accept(self, entry: &'a RuleEntry) -> Fast<'a> {
        Fast::Accept(entry)
    }

    #[inline(always)]
    fn refuse(self, entry: &'a RuleEntry) -> Fast<'a> {
        Fast::Drop(entry)
    }

    #[inline(always)]
    fn moved(self, it: Moved<'a>) -> Fast<'a> {
        Fast::Moved(it)
    }

    #[inline(always)]
    fn unclear(self) -> Fast<'a> {
        Fast::Unclear
    }
}

/// Bytes of an IPv4 packet that the fast path reads at least: header and ports.
pub const FAST_V4: usize = V4_HEADER + 4;

/// The same for IPv6.
pub const FAST_V6: usize = V6_HEADER + 4;

/// Tells foreign IPv4 traffic apart; `l3` are the bytes from the network header.
///
/// [`decide`] does all of this by itself. A caller whose instructions count calls [`glance_v4`], checks that the
/// frame is for the cluster ([`is_for_cluster`]), calls [`fast_v4`] with an [`Outcome`] that calls [`moved`] or
/// [`closer`] where these are needed, and [`decide`] if the glance was unclear or the frame is not for the cluster: so
/// no verdict is packed and unpacked, and nothing of the frame is read that the verdict does not depend on.
#[inline(always)]
#[must_use]
pub fn glance_v4<'a, S: Storage>(filter: &'a Filter<S>, l3: &[u8]) -> Glance<'a> {
    let Some(header) = l3.first_chunk::<V4_HEADER>() else {
        return Glance::Unclear;
    };
    match filter.vip_v4(u32::from_ne_bytes(bytes::<16, 4>(header))) {
        Some(vip) => Glance::Vip(vip),
        None => Glance::Foreign,
    }
}

/// Tells foreign IPv6 traffic apart, as [`glance_v4`] does.
#[inline(always)]
#[must_use]
pub fn glance_v6<'a, S: Storage>(filter: &'a Filter<S>, l3: &[u8]) -> Glance<'a> {
    if !filter.has_v6 {
        return Glance::Foreign;
    }
    let Some(header) = l3.first_chunk::<V6_HEADER>() else {
        return Glance::Unclear;
    };
    let [_, _, dst @ ..] = addresses(header);
    match filter.vip_v6(dst) {
        Some(vip) => Glance::Vip(vip),
        None if header[6] == PROTO_ICMPV6 => Glance::Unclear,
        None => Glance::Foreign,
    }
}

/// Whether a frame that holds a packet for a VIP is one for this cluster.
#[inline(always)]
#[must_use]
pub fn is_for_cluster(meta: &Meta) -> bool {
    !meta.vlan && (meta.target != Target::OtherHost || meta.dst_is_virtual_mac)
}

/// Decides about a plain IPv4 packet to a VIP: no options, no fragment, TCP or UDP, a bucket that did not move.
///
/// `len` are the bytes from the network header to the end of the buffer.
#[inline(always)]
pub fn fast_v4<'a, S: Storage, B: Buckets, O: Outcome<'a>>(
    filter: &'a Filter<S>,
    buckets: &B,
    vip: &VipEntry,
    len: u32,
    outcome: O,
) -> O::Done {
    let Some(head) = outcome.head().first_chunk::<FAST_V4>() else {
        return outcome.unclear();
    };
    // A fragment is as little plain as another protocol: both are told by one comparison.
    let (table, least) = match u32::from_ne_bytes(bytes::<6, 4>(head)) & PLAIN_MASK {
        PLAIN_TCP => (vip.table(Transport::Tcp), judge::TCP_HEADER),
        PLAIN_UDP => (vip.table(Transport::Udp), judge::UDP_HEADER),
        _ => return outcome.unclear(),
    };
    let address = u32::from_le_bytes(bytes::<12, 4>(head));
    let total = u32::from(u16::from_be_bytes(bytes::<2, 2>(head)));
    let lengths_odd = total < least.wrapping_add(V4_HEADER as u32) || total > len;
    if head[0] != PLAIN_V4 || lengths_odd || is_odd_source_v4(address as u8) {
        return outcome.unclear();
    }
    let Some(entry) = filter.rule(table, [head[22], head[23]]) else {
        return outcome.unclear();
    };
    // Both ports; the mask takes the client's.
    let ports = u32::from_le_bytes(bytes::<20, 4>(head));
    let client = u64::from(address) | (u64::from(ports) << 32);
    let hash = filter.key.hash_v4(client & entry.mask_v4);
    settle_fast(buckets, entry, hash, outcome, 9, V4_HEADER)
}

/// Decides about a plain IPv6 packet to a VIP: no extension headers, TCP or UDP, a bucket that did not move.
///
/// Arguments as with [`fast_v4`].
#[inline(always)]
pub fn fast_v6<'a, S: Storage, B: Buckets, O: Outcome<'a>>(
    filter: &'a Filter<S>,
    buckets: &B,
    vip: &VipEntry,
    len: u32,
    outcome: O,
) -> O::Done {
    let l3 = outcome.head();
    let (Some(header), Some(head)) = (l3.first_chunk::<V6_HEADER>(), l3.first_chunk::<FAST_V6>())
    else {
        return outcome.unclear();
    };
    let (table, least) = match head[6] {
        PROTO_TCP => (vip.table(Transport::Tcp), judge::TCP_HEADER),
        PROTO_UDP => (vip.table(Transport::Udp), judge::UDP_HEADER),
        _ => return outcome.unclear(),
    };
    let payload = u32::from(u16::from_be_bytes(bytes::<4, 2>(head)));
    let lengths_odd = payload < least || payload.wrapping_add(V6_HEADER as u32) > len;
    if head[0] >> 4 != 6 || lengths_odd || is_odd_source_v6(head[8]) {
        return outcome.unclear();
    }
    let Some(entry) = filter.rule(table, [head[42], head[43]]) else {
        return outcome.unclear();
    };
    let [first, second, ..] = addresses(header);
    let port = u16::from_le_bytes(bytes::<40, 2>(head));
    let hash = hash_v6(
        filter,
        entry,
        [u64::from_le(first), u64::from_le(second)],
        port,
    );
    settle_fast(buckets, entry, hash, outcome, 6, V6_HEADER)
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
    let v6 = match meta.ethertype {
        ETHERTYPE_IPV4 => false,
        ETHERTYPE_IPV6 => true,
        _ => return Verdict::Pass(Reason::PassedNotIp),
    };
    let glance = if v6 {
        glance_v6(filter, l3)
    } else {
        glance_v4(filter, l3)
    };
    let vip = match glance {
        Glance::Foreign => return Verdict::Pass(Reason::PassedForeign),
        Glance::Unclear => return judge::unclear(meta, l3),
        Glance::Vip(vip) => vip,
    };
    if !is_for_cluster(meta) {
        return judge::not_for_cluster(meta);
    }
    let fast = if v6 {
        fast_v6(filter, buckets, vip, meta.len, Bytes(l3))
    } else {
        fast_v4(filter, buckets, vip, meta.len, Bytes(l3))
    };
    match fast {
        Fast::Accept(entry) => Verdict::Accept {
            reason: entry.reason_accepted(),
            rule: entry.number,
            fragment: false,
            note: Note::Nothing,
        },
        Fast::Drop(entry) => Verdict::Drop {
            reason: entry.reason_dropped(),
            rule: entry.number,
            fragment: false,
        },
        Fast::Moved(it) => moved(buckets, it, l3),
        Fast::Unclear => closer(filter, buckets, meta, vip, l3),
    }
}

/// What nearly all packets of buckets that moved are, segments in the midst of TCP connections over IPv4: the question
/// that [`moved`] would put, and the flow that it is about. `None`: it is something else, for [`moved`].
#[inline(always)]
#[must_use]
pub fn mid_flow_v4<B: Buckets>(buckets: &B, it: Moved<'_>, l3: &[u8]) -> Option<(Question, Flow)> {
    let head = l3.first_chunk::<{ V4_HEADER + kind::TCP_FLAGS + 1 }>()?;
    let flags = head[V4_HEADER + kind::TCP_FLAGS];
    if head[0] != 0x45 || head[9] != PROTO_TCP || kind::tcp_kind(flags) != kind::Kind::MidFlow {
        return None;
    }
    let others = buckets.others(it.entry.slot(), it.bucket() >> 6);
    let question = Question {
        tables: Tables::Tcp,
        rule: it.entry.number,
        mine: it.is_mine(),
        others: others.wrapping_shr(u32::from(it.bucket() & 63)) & 1 != 0,
        syn_ack: false,
        icmp_error: false,
        fragment: false,
        uncovered: it.entry.number == NO_RULE,
        note: Note::Nothing,
    };
    let flow = Flow {
        protocol: PROTO_TCP,
        client: IpAddr::V4(Ipv4Addr::from(bytes::<12, 4>(head))),
        client_port: u16::from_be_bytes(bytes::<20, 2>(head)),
        vip: IpAddr::V4(Ipv4Addr::from(bytes::<16, 4>(head))),
        vip_port: u16::from_be_bytes(bytes::<22, 2>(head)),
    };
    Some((question, flow))
}

/// Decides about a plain packet of a bucket that moved, a SYN-ACK, or a packet of a tracked session; `l3` as given to
/// [`fast_v4`] or [`fast_v6`].
pub fn moved<B: Buckets>(buckets: &B, it: Moved<'_>, l3: &[u8]) -> Verdict {
    judge::moved(buckets, it.entry, it.bucket(), l3)
}

/// Decides about any packet to a VIP in a frame for the cluster: what [`decide`] does if the fast path has no
/// verdict.
pub fn closer<S: Storage, B: Buckets>(
    filter: &Filter<S>,
    buckets: &B,
    meta: &Meta,
    vip: &VipEntry,
    l3: &[u8],
) -> Verdict {
    judge::packet(filter, buckets, meta, vip, l3)
}

/// `LEN` bytes of a header from `AT` on. Unlike single bytes put together, they are read at once even where one of them
/// is looked at as well.
#[inline(always)]
fn bytes<const AT: usize, const LEN: usize>(header: &[u8]) -> [u8; LEN] {
    match header.get(AT..).and_then(<[u8]>::first_chunk::<LEN>) {
        Some(bytes) => *bytes,
        // Never, for the callers' headers are longer than that.
        None => [0; LEN],
    }
}

/// Version 4 and a header without options.
const PLAIN_V4: u8 = 0x45;

/// Of the bytes 6 to 9 of an IPv4 header: more fragments and the offset, not the time to live, and the protocol.
const PLAIN_MASK: u32 = u32::from_ne_bytes([0x3f, 0xff, 0, 0xff]);
const PLAIN_TCP: u32 = u32::from_ne_bytes([0, 0, 0, PROTO_TCP]);
const PLAIN_UDP: u32 = u32::from_ne_bytes([0, 0, 0, PROTO_UDP]);

/// Whether the first byte of an IPv4 source is one that few clients have: 0/8, multicast, and the range that
/// broadcast is in.
#[inline(always)]
fn is_odd_source_v4(first: u8) -> bool {
    first.wrapping_sub(1) >= 223
}

/// Whether the first byte of an IPv6 source is one that few clients have: unspecified, loopback and IPv4-mapped
/// addresses begin with 0, multicasts with ff.
#[inline(always)]
fn is_odd_source_v6(first: u8) -> bool {
    first.wrapping_sub(1) >= 254
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
    let client = [first & mask_first, second & mask_second];
    filter.key.hash_v6(client, port & entry.mask_port())
}

/// A hash is shifted by this to a bucket: 64 less the bits of a bucket number.
const BUCKET_SHIFT: u32 = u64::BITS - BUCKETS.trailing_zeros();

/// The bucket of a hash, by multiply-shift: as [`BUCKETS`] is a power of two, its top bits.
#[inline(always)]
pub(super) fn bucket(hash: u64) -> u16 {
    const { assert!(BUCKETS.is_power_of_two() && BUCKETS > 1 && BUCKETS <= 1 << 16) };
    (hash >> BUCKET_SHIFT) as u16
}

/// Judges a packet of a rule by its hash, if the bucket did not move. Its protocol is at `protocol_at`, its transport
/// header at `transport_at`; both are looked at only if the bucket is owned.
#[inline(always)]
fn settle_fast<'a, B: Buckets, O: Outcome<'a>>(
    buckets: &B,
    entry: &'a RuleEntry,
    hash: u64,
    outcome: O,
    protocol_at: usize,
    transport_at: usize,
) -> O::Done {
    let bucket = bucket(hash);
    let bit = u32::from(bucket & 63);
    let Some((mine, moved)) = buckets.word(entry.slot(), bucket >> 6) else {
        // The rule is disabled; its reason of dropping says so.
        return outcome.refuse(entry);
    };
    if (mine | moved).wrapping_shr(bit) & 1 == 0 {
        return outcome.refuse(entry);
    }
    // Rotated, for shifts as above would share a mask with it, which would be made for packets that are dropped as well.
    let is_set = |word: u64| word.rotate_right(bit) & 1 != 0;
    if is_set(moved) {
        return outcome.moved(Moved::new(entry, bucket, is_set(mine)));
    }
    let l3 = outcome.head_again();
    let flags = l3.get(transport_at.wrapping_add(kind::TCP_FLAGS));
    match (l3.get(protocol_at), flags) {
        (Some(&PROTO_UDP), _) if !entry.track => outcome.accept_turn(entry, Turn::Datagram),
        (Some(&PROTO_UDP), _) | (_, None) => outcome.moved(Moved::new(entry, bucket, true)),
        (_, Some(flags)) if flags & kind::TCP_SYN == 0 => outcome.accept(entry),
        (_, Some(&flags)) if kind::is_syn_ack(flags) => {
            outcome.moved(Moved::new(entry, bucket, true))
        }
        (_, Some(&flags)) if kind::is_syn(flags) => outcome.accept_turn(entry, Turn::Syn),
        _ => outcome.accept(entry),
    }
}
