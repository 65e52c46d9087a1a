// SPDX-License-Identifier: GPL-2.0-only

//! What a packet is to the session that it belongs to: whether it begins one, or is in the middle of one.

use super::filter::RuleEntry;
use super::packet::{
    Located, PROTO_AH, PROTO_ESP, PROTO_GRE, PROTO_SCTP, PROTO_TCP, PROTO_UDP, PROTO_UDPLITE,
};
use super::rules::{PORT_IKE, PORT_L2TP, PORT_NAT_T, PORT_QUIC};
use super::verdict::Note;

/// Where the flags of a TCP header are.
pub(super) const TCP_FLAGS: usize = 13;
pub(super) const TCP_SYN: u8 = 0x02;
pub(super) const TCP_RST: u8 = 0x04;
pub(super) const TCP_ACK: u8 = 0x10;

/// Where the type of the first chunk of an SCTP packet is, and the type INIT.
const SCTP_CHUNK: usize = 12;
const SCTP_INIT: u8 = 1;

/// What a packet is to the session that it belongs to; decides which question is asked about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A bare SYN: it belongs to the owner alone, whatever any table says.
    First,
    /// It begins a session that is remembered (an SCTP INIT, a QUIC Initial): as a bare SYN.
    FirstDatagram,
    /// A SYN-ACK: of a connection that some host opened from the VIP.
    SynAck,
    /// Any other TCP segment.
    MidFlow,
    /// A datagram in mid-session.
    MidSession,
    /// A datagram of a tracked session that may be its first: the owner serves it, and a holder of the session.
    Datagram,
    /// A packet that stands for itself.
    Untracked,
    /// A datagram that stands for itself, or an ICMP message that is no error and no echo request: the owner serves it,
    /// and a host that sent from the VIP what it answers.
    Lone,
    /// An ICMP error about a TCP connection.
    TcpError,
    /// An ICMP error about anything else.
    OtherError,
    /// Too few bytes are given to tell.
    Unreadable,
}

impl Kind {
    /// What the caller is to remember of it, if it is served because its bucket is owned.
    pub(super) fn note(self) -> Note {
        match self {
            Kind::FirstDatagram => Note::First,
            Kind::MidSession | Kind::Datagram => Note::Later,
            _ => Note::Nothing,
        }
    }
}

/// Whether the flags of a TCP segment are those of a bare SYN.
#[inline(always)]
pub(super) fn is_syn(flags: u8) -> bool {
    flags & (TCP_SYN | TCP_ACK | TCP_RST) == TCP_SYN
}

/// Whether the flags of a TCP segment are those of a SYN-ACK.
#[inline(always)]
pub(super) fn is_syn_ack(flags: u8) -> bool {
    flags & (TCP_SYN | TCP_ACK | TCP_RST) == TCP_SYN | TCP_ACK
}

/// What a TCP segment is to its connection.
#[inline]
pub(super) fn tcp_kind(flags: u8) -> Kind {
    match flags & (TCP_SYN | TCP_ACK | TCP_RST) {
        TCP_SYN => Kind::First,
        _ if is_syn_ack(flags) => Kind::SynAck,
        _ => Kind::MidFlow,
    }
}

/// What a UDP datagram of a tracked session is to it, as far as its protocol shows.
pub(super) fn datagram_kind(datagram: &[u8]) -> Kind {
    let Some((&[_, _, high, low, ..], data)) = datagram.split_first_chunk::<8>() else {
        return Kind::Datagram;
    };
    match u16::from_be_bytes([high, low]) {
        PORT_QUIC => quic_kind(data),
        PORT_IKE => ike_kind(data),
        PORT_NAT_T => nat_t_kind(data),
        PORT_L2TP => l2tp_kind(data),
        _ => Kind::Datagram,
    }
}

/// RFC 9000 section 17: only long headers begin a connection; short ones and Handshake packets never do.
fn quic_kind(data: &[u8]) -> Kind {
    const VERSION_1: [u8; 4] = [0, 0, 0, 1];
    match *data {
        [first, ..] if first & 0xc0 == 0x40 => Kind::MidSession,
        [first, a, b, c, d, ..] if first & 0xf0 == 0xe0 && [a, b, c, d] == VERSION_1 => {
            Kind::MidSession
        }
        [first, ..] if first & 0x80 != 0 => Kind::FirstDatagram,
        _ => Kind::Datagram,
    }
}

/// RFC 7296 section 3.1: in the first message of an exchange the responder's SPI is zero.
fn ike_kind(data: &[u8]) -> Kind {
    match data.get(8..).and_then(<[u8]>::first_chunk::<8>) {
        Some([0, 0, 0, 0, 0, 0, 0, 0]) => Kind::FirstDatagram,
        Some(_) => Kind::MidSession,
        None => Kind::Datagram,
    }
}

/// RFC 3948 section 2: IKE behind four zero bytes, else ESP or a keepalive.
fn nat_t_kind(data: &[u8]) -> Kind {
    match data.split_first_chunk::<4>() {
        Some(([0, 0, 0, 0], ike)) => ike_kind(ike),
        _ => Kind::MidSession,
    }
}

/// RFC 2661 section 3.1: only a control message to tunnel 0 begins a tunnel.
fn l2tp_kind(data: &[u8]) -> Kind {
    match *data {
        [flags, _, _, _, 0, 0, ..] if flags & 0xc0 == 0xc0 => Kind::FirstDatagram,
        [_, _, _, _, _, _, ..] => Kind::MidSession,
        _ => Kind::Datagram,
    }
}

/// Bytes from the transport header on that show what a packet is to its session: the UDP header, the marker of
/// NAT-T, both SPIs of IKE.
pub(super) const KIND_LEN: u32 = 8 + 4 + 16;

/// What a packet of any protocol but ICMP is to its session.
pub(super) fn kind_of(entry: &RuleEntry, it: &Located<'_>) -> Kind {
    let too_few = (it.transport.len() as u64) < u64::from(it.transport_len.min(KIND_LEN));
    match it.protocol {
        PROTO_TCP => it
            .transport
            .get(TCP_FLAGS)
            .map_or(Kind::Unreadable, |&flags| tcp_kind(flags)),
        PROTO_SCTP | PROTO_UDP | PROTO_UDPLITE if too_few => Kind::Unreadable,
        PROTO_SCTP => match it.transport.get(SCTP_CHUNK) {
            Some(&SCTP_INIT) => Kind::FirstDatagram,
            _ => Kind::MidSession,
        },
        PROTO_UDP | PROTO_UDPLITE if entry.track => datagram_kind(it.transport),
        PROTO_UDP | PROTO_UDPLITE => Kind::Lone,
        PROTO_GRE | PROTO_ESP | PROTO_AH => Kind::MidSession,
        _ => Kind::Untracked,
    }
}
