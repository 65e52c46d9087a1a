// SPDX-License-Identifier: GPL-2.0-only

//! The packet decision: is it for a VIP, and is it for this host.
//!
//! [`decide`] reads nothing but its arguments: the compiled configuration, the ownership words, and the bytes.
//! Where only the caller's tables can tell (sockets, sessions, connection tracking), it returns a [`Question`],
//! and [`Question::resolve`] makes a verdict of the answer.

use super::filter::{Filter, RuleEntry, Storage, Transport, NO_RULE};
use super::limits::BUCKETS;
use super::packet::{
    Flow, Meta, Target, ETHERTYPE_IPV4, ETHERTYPE_IPV6, PROTO_TCP, PROTO_UDP,
};
use super::reason::Reason;
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

    /// Buckets of which some other live host reports residual sessions.
    fn others(&self, slot: u16, word: u16) -> u64 {
        let _ = (slot, word);
        0
    }

    /// Whether this host is the default host.
    fn is_default_host(&self) -> bool;
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Untouched: as if nlb were not there.
    Pass(Reason),
    /// Served here. The caller makes the packet one for this host if, and only if, the frame's destination is
    /// the virtual MAC.
    Accept {
        /// Why.
        reason: Reason,
        /// The rule, or [`NO_RULE`].
        rule: u8,
        /// It is a first fragment: later ones are to follow it.
        fragment: bool,
    },
    /// Dropped.
    Drop {
        /// Why.
        reason: Reason,
        /// The rule, or [`NO_RULE`].
        rule: u8,
        /// It is a first fragment: later ones are to follow it.
        fragment: bool,
    },
    /// The caller's tables decide.
    Ask(Question),
    /// IPv6 neighbour discovery: to be given to the neighbour part.
    Neighbour,
    /// Too few of the packet's bytes were given: ask again with [`super::packet::SNAP_LEN`] bytes, or all.
    Short,
}

impl Verdict {
    /// The reason, if the verdict is final.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match *self {
            Verdict::Pass(reason) | Verdict::Accept { reason, .. } | Verdict::Drop { reason, .. } => Some(reason),
            Verdict::Neighbour => Some(Reason::PassedNeighbour),
            Verdict::Ask(_) | Verdict::Short => None,
        }
    }
}

/// Which tables can answer a [`Question`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// TCP sockets (established, half-open, TIME_WAIT), then connection tracking.
    Tcp,
    /// The session table, then connection tracking.
    Sessions,
    /// The memory of first fragments.
    Fragments,
}

/// A question to the caller's tables: is the flow of this packet known here?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Where to look.
    pub tables: Tables,
    /// The rule, or [`NO_RULE`].
    pub rule: u8,
    /// This host owns the bucket.
    pub mine: bool,
    /// Some other live host reports residual sessions of the bucket.
    pub others: bool,
    /// The packet is a SYN-ACK: not of a connection that was made to the VIP.
    pub syn_ack: bool,
    /// The packet is an ICMP error: the flow is the one inside it.
    pub icmp_error: bool,
    /// It is a first fragment: later ones are to follow it.
    pub fragment: bool,
    /// No rule covers it.
    pub uncovered: bool,
}

/// What the caller's tables say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The flow is known here (for fragments: the first one was served here).
    Known,
    /// An ACK that is unknown, but carries a SYN cookie valid here.
    Cookie,
    /// Fragments only: the first one was dropped here.
    Refused,
    /// Not known here.
    Unknown,
}

impl Question {
    /// The verdict that follows from the answer.
    pub fn resolve(&self, answer: Answer) -> Verdict {
        let accept = |reason| self.accept(reason);
        let drop = |reason| self.drop(reason);
        match (self.tables, answer) {
            (Tables::Fragments, Answer::Known | Answer::Cookie) => accept(Reason::AcceptedFragment),
            (Tables::Fragments, Answer::Refused) => drop(Reason::DroppedFragment),
            (Tables::Fragments, Answer::Unknown) => Verdict::Pass(Reason::PassedFragment),
            (_, Answer::Known) if self.mine => accept(self.owner_reason()),
            (_, Answer::Known) => accept(Reason::AcceptedResidual),
            (_, Answer::Cookie) => accept(Reason::AcceptedCookie),
            (_, Answer::Refused | Answer::Unknown) if !self.mine => drop(Reason::DroppedNoSession),
            _ if self.icmp_error => accept(self.owner_reason()),
            _ if self.syn_ack => drop(Reason::SilentSynAck),
            _ if self.others => drop(Reason::SilentMidFlow),
            _ => accept(self.owner_reason()),
        }
    }

    fn owner_reason(&self) -> Reason {
        if self.uncovered {
            Reason::AcceptedDefaultHost
        } else {
            Reason::AcceptedOwner
        }
    }

    fn accept(&self, reason: Reason) -> Verdict {
        Verdict::Accept {
            reason,
            rule: self.rule,
            fragment: self.fragment,
        }
    }

    fn drop(&self, reason: Reason) -> Verdict {
        Verdict::Drop {
            reason,
            rule: self.rule,
            fragment: self.fragment,
        }
    }
}

/// Decides about a frame whose bytes from the network header are `l3` (as many as are linear).
#[inline]
pub fn decide<S: Storage, B: Buckets>(filter: &Filter<S>, buckets: &B, meta: &Meta, l3: &[u8]) -> Verdict {
    match meta.ethertype {
        ETHERTYPE_IPV4 => ipv4(filter, buckets, meta, l3),
        ETHERTYPE_IPV6 => Verdict::Pass(Reason::PassedForeign),
        _ => Verdict::Pass(Reason::PassedNotIp),
    }
}

/// What a packet is to the connection that it belongs to; decides which question is asked about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A bare SYN: it belongs to the owner alone, whatever any table says.
    Syn,
    /// A SYN-ACK: of a connection that some host opened from the VIP.
    SynAck,
    /// Any other TCP segment.
    MidFlow,
    /// A datagram of a session that is tracked.
    Tracked,
    /// A datagram that stands for itself.
    Untracked,
}

/// Judges a packet of a rule by its hash. `kind` is asked for only if the answer can depend on it.
#[inline(always)]
fn settle<B: Buckets>(
    buckets: &B,
    entry: &RuleEntry,
    hash: u64,
    fragment: bool,
    kind: impl FnOnce() -> Option<Kind>,
) -> Verdict {
    if entry.disabled {
        return drop(Reason::DroppedDisabled, entry, fragment);
    }
    let bucket = (hash >> BUCKET_SHIFT) as u16;
    let word = bucket >> 6;
    let bit = u32::from(bucket & 63);
    let mine = buckets.mine(entry.slot, word).wrapping_shr(bit) & 1 != 0;
    let moved = buckets.moved(entry.slot, word).wrapping_shr(bit) & 1 != 0;
    if !mine && !moved {
        return drop(entry.dropped, entry, fragment);
    }
    let Some(kind) = kind() else {
        return drop(Reason::MalformedTransport, entry, fragment);
    };
    if mine && !moved && kind != Kind::SynAck {
        return accept(entry.accepted, entry, fragment);
    }
    let others = buckets.others(entry.slot, word).wrapping_shr(bit) & 1 != 0;
    ask(entry, mine, others, kind, fragment)
}

/// A hash is shifted by this to a bucket: 64 less the bits of a bucket number.
const BUCKET_SHIFT: u32 = 64 - BUCKETS.trailing_zeros();

/// Judges a packet of a bucket that moved, or a SYN-ACK.
#[cold]
#[inline(never)]
fn ask(entry: &RuleEntry, mine: bool, others: bool, kind: Kind, fragment: bool) -> Verdict {
    let tables = match kind {
        Kind::Syn | Kind::Untracked if mine => return accept(entry.accepted, entry, fragment),
        Kind::Syn | Kind::Untracked => return drop(entry.dropped, entry, fragment),
        Kind::SynAck | Kind::MidFlow => Tables::Tcp,
        Kind::Tracked => Tables::Sessions,
    };
    Verdict::Ask(Question {
        tables,
        rule: entry.number,
        mine,
        others,
        syn_ack: kind == Kind::SynAck,
        icmp_error: false,
        fragment,
        uncovered: entry.number == NO_RULE,
    })
}

#[inline(always)]
fn accept(reason: Reason, entry: &RuleEntry, fragment: bool) -> Verdict {
    Verdict::Accept {
        reason,
        rule: entry.number,
        fragment,
    }
}

#[inline(always)]
fn drop(reason: Reason, entry: &RuleEntry, fragment: bool) -> Verdict {
    Verdict::Drop {
        reason,
        rule: entry.number,
        fragment,
    }
}

/// A packet to a VIP that no rule needs to be asked about.
fn refuse(reason: Reason) -> Verdict {
    Verdict::Drop {
        reason,
        rule: NO_RULE,
        fragment: false,
    }
}

/// The bytes given end before what is needed: either more of them exist, or the packet is malformed.
#[cold]
fn short(meta: &Meta, l3: &[u8], malformed: Reason) -> Verdict {
    if (l3.len() as u64) < u64::from(meta.len) {
        Verdict::Short
    } else {
        refuse(malformed)
    }
}

/// Where the flags of a TCP header are.
const TCP_FLAGS: usize = 13;
/// SYN, ACK and RST of these flags.
const TCP_SYN: u8 = 0x02;
const TCP_RST: u8 = 0x04;
const TCP_ACK: u8 = 0x10;

/// What a TCP segment is to its connection.
#[inline(always)]
fn tcp_kind(flags: u8) -> Kind {
    match flags & (TCP_SYN | TCP_ACK | TCP_RST) {
        TCP_SYN => Kind::Syn,
        flags if flags == TCP_SYN | TCP_ACK => Kind::SynAck,
        _ => Kind::MidFlow,
    }
}

/// Decides about an IPv4 packet.
#[inline]
fn ipv4<S: Storage, B: Buckets>(filter: &Filter<S>, buckets: &B, meta: &Meta, l3: &[u8]) -> Verdict {
    let Some(header) = l3.first_chunk::<20>() else {
        return short(meta, l3, Reason::MalformedTruncated);
    };
    let dst = u32::from_ne_bytes([header[16], header[17], header[18], header[19]]);
    let Some(vip) = filter.vip_v4(dst) else {
        return Verdict::Pass(Reason::PassedForeign);
    };
    if meta.vlan {
        return Verdict::Pass(Reason::PassedVlan);
    }
    if meta.target == Target::OtherHost && !meta.dst_is_virtual_mac {
        return Verdict::Pass(Reason::PassedOtherHost);
    }
    let transport = match header[9] {
        PROTO_TCP => Transport::Tcp,
        PROTO_UDP => Transport::Udp,
        _ => return ipv4_slow(filter, buckets, meta, l3),
    };
    let Some(head) = l3.first_chunk::<24>() else {
        return short(meta, l3, Reason::MalformedTransport);
    };
    let total = u32::from(u16::from_be_bytes([head[2], head[3]]));
    let fragment = u16::from_be_bytes([head[6], head[7]]) & 0x3fff;
    let need = if transport == Transport::Tcp { 40 } else { 28 };
    if head[0] != 0x45 || fragment != 0 || total < need || total > meta.len || odd_source(head[12], head[15]) {
        return ipv4_slow(filter, buckets, meta, l3);
    }
    let entry = filter.rule(vip, transport, [head[22], head[23]]);
    let client = u32::from_le_bytes([head[12], head[13], head[14], head[15]]);
    let port = u16::from_le_bytes([head[20], head[21]]);
    let hash = filter.key.hash_v4(client & entry.mask_v4, port & entry.mask_port);
    settle(buckets, entry, hash, false, || match transport {
        Transport::Tcp => l3.get(20 + TCP_FLAGS).map(|&flags| tcp_kind(flags)),
        Transport::Udp if entry.track => Some(Kind::Tracked),
        Transport::Udp => Some(Kind::Untracked),
    })
}

/// Whether a source address needs a closer look: zero, loopback, multicast and broadcast are among these.
#[inline(always)]
fn odd_source(first: u8, _last: u8) -> bool {
    first == 0 || first == 127 || first >= 224
}

/// Packets off the fast path: options, fragments, odd sources, other protocols, malformed ones.
#[cold]
#[inline(never)]
fn ipv4_slow<S: Storage, B: Buckets>(filter: &Filter<S>, buckets: &B, meta: &Meta, l3: &[u8]) -> Verdict {
    let _ = (meta, l3);
    let entry = filter.uncovered();
    settle(buckets, entry, 0, false, || Some(Kind::Untracked))
}

/// The IPv4 flow of a packet that a [`Question`] was asked about.
#[must_use]
pub fn flow(l3: &[u8]) -> Option<Flow> {
    let head = l3.first_chunk::<24>()?;
    Some(Flow {
        protocol: head[9],
        client: IpAddr::V4(Ipv4Addr::new(head[12], head[13], head[14], head[15])),
        client_port: u16::from_be_bytes([head[20], head[21]]),
        vip: IpAddr::V4(Ipv4Addr::new(head[16], head[17], head[18], head[19])),
        vip_port: u16::from_be_bytes([head[22], head[23]]),
    })
}
