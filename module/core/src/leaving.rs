// SPDX-License-Identifier: GPL-2.0-only

//! What leaves this host from a VIP: answers to SYNs, which only the owner of a bucket may give, and what this host
//! begins itself, whose answers are to come home whoever owns the bucket.

use super::decide::{bucket, Buckets};
use super::filter::{words_ne, Filter, RuleEntry, Storage, VipEntry};
use super::health::Turn;
use super::judge::{entry_of, hash, ports, Side};
use super::kind::{is_syn, is_syn_ack, TCP_ACK, TCP_FLAGS, TCP_RST};
use super::packet::{
    locate, Address, Extent, Flow, Fragment, Located, PROTO_AH, PROTO_ESP, PROTO_GRE, PROTO_ICMP,
    PROTO_ICMPV6, PROTO_SCTP, PROTO_TCP, PROTO_UDP, PROTO_UDPLITE, V4_HEADER, V6_HEADER,
};

/// What becomes of a packet that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Leaving {
    /// It goes its way.
    Untouched,
    /// A SYN-ACK of a bucket that this host owns. It goes its way; the caller looks whether it has a SYN cookie. The number
    /// of the rule, or [`super::filter::NO_RULE`].
    SynAck(u8),
    /// A SYN-ACK of a bucket that this host does not own (any more). The new owner answers the client, and would
    /// be answered twice: dropped. The number of the rule.
    LateSynAck(u8),
    /// It comes from an address that is guarded like a VIP and not served: dropped.
    NotInForce,
    /// A reset that answers a SYN: no service listens. It goes its way. The number of the rule.
    Reset(u8),
    /// It goes its way, and what answers it is this host's. The caller sees to it that this host is known to hold
    /// sessions of the bucket, and remembers the session if there is one: TCP has a socket.
    Opened {
        /// Slot of the bucket map.
        slot: u16,
        /// Bucket, which this host does not own.
        bucket: u16,
        /// The session as its answers have it: the one that is spoken to is the client.
        session: Option<Flow>,
        /// The number of the rule.
        rule: u8,
    },
    /// It goes its way. This host owns the bucket, so the answers come by themselves; but if it comes from a datagram
    /// socket that is connected to one peer, the caller remembers the session for the case that the bucket moves.
    Own {
        /// The session as its answers have it.
        session: Flow,
        /// The number of the rule.
        rule: u8,
    },
}

impl Leaving {
    /// What the packet is to those that were accepted, and the number of its rule; nothing if it answers none.
    #[must_use]
    pub fn turn(&self) -> Option<(Turn, u8)> {
        match self {
            Leaving::SynAck(rule) | Leaving::LateSynAck(rule) => Some((Turn::SynAck, *rule)),
            Leaving::Reset(rule) => Some((Turn::Reset, *rule)),
            Leaving::Own { session, rule }
            | Leaving::Opened {
                session: Some(session),
                rule,
                ..
            } if session.protocol == PROTO_UDP => Some((Turn::Reply, *rule)),
            _ => None,
        }
    }
}

/// Whether an IPv4 or IPv6 packet, of which `l3` are the first bytes, comes from a VIP: what little most packets
/// have to pay.
#[inline(always)]
#[must_use]
pub fn is_from_vip<S: Storage>(filter: &Filter<S>, l3: &[u8]) -> bool {
    source(filter, l3).is_some()
}

#[inline(always)]
fn source<'a, S: Storage>(filter: &'a Filter<S>, l3: &[u8]) -> Option<&'a VipEntry> {
    match l3.first()? >> 4 {
        4 => {
            let source = l3
                .first_chunk::<V4_HEADER>()?
                .get(12..)?
                .first_chunk::<4>()?;
            filter.vip_v4(u32::from_ne_bytes(*source))
        }
        6 if filter.has_v6 => {
            let source = l3
                .first_chunk::<V6_HEADER>()?
                .get(8..)?
                .first_chunk::<16>()?;
            filter.vip_v6(words_ne(source))
        }
        _ => None,
    }
}

/// Decides about a packet that leaves by the cluster interface; `l3` are its bytes from the network header on, at
/// least [`super::packet::SNAP_LEN`] or all.
pub fn leaving<S: Storage, B: Buckets>(filter: &Filter<S>, buckets: &B, l3: &[u8]) -> Leaving {
    let Some(vip) = source(filter, l3) else {
        return Leaving::Untouched;
    };
    if vip.is_guarded() {
        return Leaving::NotInForce;
    }
    let Ok(it) = locate(l3, Extent::judged()) else {
        return Leaving::Untouched;
    };
    if matches!(it.fragment, Fragment::Later { .. }) {
        return Leaving::Untouched;
    }
    match kind(&it) {
        Kind::Other => Leaving::Untouched,
        Kind::SynAck => match place(filter, buckets, vip, &it) {
            (entry, _, false) => Leaving::LateSynAck(entry.number),
            (entry, _, true) => Leaving::SynAck(entry.number),
        },
        Kind::Reset => {
            let (entry, _) = entry_of(filter, vip, it.protocol, it.transport, Side::Vip);
            Leaving::Reset(entry.number)
        }
        Kind::Syn => opened(place(filter, buckets, vip, &it), None),
        Kind::Session => {
            let place = place(filter, buckets, vip, &it);
            let session = answering(&it);
            match place {
                (entry, _, true) => Leaving::Own {
                    session,
                    rule: entry.number,
                },
                _ => opened(place, Some(session)),
            }
        }
    }
}

/// What leaves.
enum Kind {
    SynAck,
    /// A reset that answers a SYN: no other has the sequence 0 (RFC 9293 section 3.10.7.1).
    Reset,
    /// The first segment of a connection that this host opens.
    Syn,
    /// A packet of something that has no socket which could be asked for it.
    Session,
    Other,
}

fn kind(it: &Located<'_>) -> Kind {
    match (it.protocol, it.dst) {
        (PROTO_TCP, _) => match it.transport.get(TCP_FLAGS) {
            Some(&flags) if is_syn_ack(flags) => Kind::SynAck,
            Some(&flags) if is_syn(flags) => Kind::Syn,
            Some(&flags) if is_refusal(flags, it.transport) => Kind::Reset,
            _ => Kind::Other,
        },
        (PROTO_UDP | PROTO_UDPLITE | PROTO_SCTP, _) if it.transport.len() >= 4 => Kind::Session,
        (PROTO_GRE | PROTO_ESP | PROTO_AH, _) => Kind::Session,
        // Echo requests: those who answer them answer to the VIP.
        (PROTO_ICMP, Address::V4(_)) if it.transport.first() == Some(&8) => Kind::Session,
        (PROTO_ICMPV6, Address::V6(_)) if it.transport.first() == Some(&128) => Kind::Session,
        _ => Kind::Other,
    }
}

fn is_refusal(flags: u8, segment: &[u8]) -> bool {
    flags & (TCP_RST | TCP_ACK) == TCP_RST | TCP_ACK && segment.get(4..8) == Some(&[0; 4])
}

fn opened((entry, bucket, mine): (&RuleEntry, u16, bool), session: Option<Flow>) -> Leaving {
    if mine {
        return Leaving::Untouched;
    }
    Leaving::Opened {
        slot: entry.slot(),
        bucket,
        session,
        rule: entry.number,
    }
}

/// The rule of what answers the packet, its bucket, and whether this host owns it.
fn place<'a, S: Storage, B: Buckets>(
    filter: &'a Filter<S>,
    buckets: &B,
    vip: &VipEntry,
    it: &Located<'_>,
) -> (&'a RuleEntry, u16, bool) {
    let (entry, port) = entry_of(filter, vip, it.protocol, it.transport, Side::Vip);
    let bucket = bucket(hash(filter, entry, it.dst, port));
    let mine = buckets.mine(entry.slot(), bucket >> 6);
    (
        entry,
        bucket,
        mine.wrapping_shr(u32::from(bucket & 63)) & 1 != 0,
    )
}

/// The flow of what answers a packet.
fn answering(it: &Located<'_>) -> Flow {
    let [vip_port, client_port] = ports(it);
    Flow {
        protocol: it.protocol,
        client: it.dst.into(),
        client_port,
        vip: it.src.into(),
        vip_port,
    }
}
