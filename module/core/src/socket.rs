// SPDX-License-Identifier: GPL-2.0-only

//! What the kernel's tables of TCP connections say of a segment, and what that answers.

use super::kind::{TCP_ACK, TCP_FLAGS, TCP_RST, TCP_SYN};
use super::packet::{locate, Extent, Fragment, PROTO_TCP};
use super::verdict::{Answer, Question};

/// The fields of a TCP header that tell whether a half-open connection, or a SYN cookie, awaits the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledged sequence number; means nothing without the ACK flag.
    pub ack: u32,
    flags: u8,
}

impl Segment {
    /// Reads the TCP header of a packet; `None` if it is no TCP, or a fragment, or its header is not given.
    #[must_use]
    pub fn of(l3: &[u8]) -> Option<Segment> {
        let it = locate(l3, Extent::judged()).ok()?;
        if it.protocol != PROTO_TCP || matches!(it.fragment, Fragment::Later { .. }) {
            return None;
        }
        let [_, _, _, _, a, b, c, d, e, f, g, h, _, flags, ..] =
            *it.transport.first_chunk::<{ TCP_FLAGS + 1 }>()?;
        Some(Segment {
            seq: u32::from_be_bytes([a, b, c, d]),
            ack: u32::from_be_bytes([e, f, g, h]),
            flags,
        })
    }

    /// Whether it acknowledges something and neither begins nor ends a connection by force: what the last step of
    /// a handshake is, with data or without.
    #[must_use]
    pub fn is_plain_ack(&self) -> bool {
        self.flags & (TCP_SYN | TCP_ACK | TCP_RST) == TCP_ACK
    }
}

/// What the tables say of a 4-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// There is none.
    None,
    /// A half-open one: a SYN was answered by a SYN-ACK, whose acknowledgement has this number.
    HalfOpen {
        /// The number.
        awaited: u32,
    },
    /// One in TIME_WAIT.
    TimeWait,
    /// One that is opened from here, established, or closing.
    Established,
}

impl Socket {
    /// What that answers to a question about a segment, which is read only where it matters; an ICMP error has none.
    ///
    /// A half-open connection is served the one segment that it waits for. The client may have been answered by
    /// the new owner meanwhile, with another sequence number: what it sends then is not for here, and the reset
    /// that this host would send for it would break the connection there.
    #[must_use]
    #[inline]
    pub fn answer(self, segment: impl FnOnce() -> Option<Segment>) -> Answer {
        match self {
            Socket::None => Answer::Unknown,
            Socket::TimeWait | Socket::Established => Answer::Known,
            Socket::HalfOpen { awaited } => match segment() {
                Some(segment) if segment.is_plain_ack() && segment.ack == awaited => Answer::Known,
                _ => Answer::Unknown,
            },
        }
    }
}

impl Question {
    /// Whether a SYN cookie in this segment would change the verdict: a connection that was begun under a SYN flood
    /// has no socket yet, and belongs to the host whose cookie it carries.
    #[must_use]
    pub fn cookie_decides(&self, segment: Segment) -> bool {
        let for_somebody_else = !self.mine || self.others;
        for_somebody_else && !self.syn_ack && !self.icmp_error && segment.is_plain_ack()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Note, Tables};

    fn segment(flags: u8, ack: u32) -> Segment {
        Segment { seq: 1, ack, flags }
    }

    #[test]
    fn a_half_open_connection_is_served_its_own_acknowledgement_alone() {
        let half_open = Socket::HalfOpen { awaited: 1001 };
        let answer = |flags, ack| half_open.answer(|| Some(segment(flags, ack)));
        assert_eq!(answer(TCP_ACK, 1001), Answer::Known);
        assert_eq!(answer(TCP_ACK | 0x08, 1001), Answer::Known);
        assert_eq!(answer(TCP_ACK | 0x01, 1001), Answer::Known);
        assert_eq!(answer(TCP_ACK, 1000), Answer::Unknown);
        assert_eq!(answer(TCP_ACK, 1002), Answer::Unknown);
        assert_eq!(answer(TCP_ACK | TCP_RST, 1001), Answer::Unknown);
        assert_eq!(answer(TCP_ACK | TCP_SYN, 1001), Answer::Unknown);
        assert_eq!(answer(TCP_RST, 1001), Answer::Unknown);
        assert_eq!(answer(0, 1001), Answer::Unknown);
        assert_eq!(half_open.answer(|| None), Answer::Unknown);
    }

    #[test]
    fn other_connections_are_served_whatever_comes() {
        for socket in [Socket::TimeWait, Socket::Established] {
            assert_eq!(socket.answer(|| None), Answer::Known);
            assert_eq!(socket.answer(|| Some(segment(TCP_RST, 0))), Answer::Known);
            assert_eq!(socket.answer(|| Some(segment(0, 7))), Answer::Known);
        }
        assert_eq!(
            Socket::None.answer(|| Some(segment(TCP_ACK, 7))),
            Answer::Unknown
        );
    }

    #[test]
    fn a_cookie_is_asked_for_where_it_decides() {
        let question = |mine, others| Question {
            tables: Tables::Tcp,
            rule: 0,
            mine,
            others,
            syn_ack: false,
            icmp_error: false,
            fragment: false,
            uncovered: false,
            note: Note::Nothing,
        };
        let ack = segment(TCP_ACK, 7);
        assert!(question(false, false).cookie_decides(ack));
        assert!(question(true, true).cookie_decides(ack));
        // Nobody else can have it: the stack looks for a cookie itself, and answers if there is none.
        assert!(!question(true, false).cookie_decides(ack));
        for other in [0, TCP_RST, TCP_ACK | TCP_RST, TCP_ACK | TCP_SYN] {
            assert!(!question(false, false).cookie_decides(segment(other, 7)));
        }
        let about_icmp = Question {
            icmp_error: true,
            ..question(false, false)
        };
        assert!(!about_icmp.cookie_decides(ack));
    }
}
