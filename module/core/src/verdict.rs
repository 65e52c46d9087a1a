// SPDX-License-Identifier: GPL-2.0-only

//! What becomes of a packet, and the question that is put to the caller's tables where they alone can tell.

use super::reason::Reason;

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
        /// The rule, or [`super::filter::NO_RULE`].
        rule: u8,
        /// It is a first fragment: the caller remembers what became of it, so that later ones follow.
        fragment: bool,
        /// What the caller remembers of its session.
        note: Note,
    },
    /// Dropped.
    Drop {
        /// Why.
        reason: Reason,
        /// The rule, or [`super::filter::NO_RULE`].
        rule: u8,
        /// It is a first fragment: the caller remembers what became of it, so that later ones follow.
        fragment: bool,
    },
    /// The caller's tables decide.
    Ask(Question),
    /// IPv6 neighbour discovery: to be given to [`super::nd::arrived`].
    Neighbour,
    /// Too few of the packet's bytes were given: ask again with [`super::packet::SNAP_LEN`] bytes, or all.
    Short,
}

impl Verdict {
    /// The reason, if the verdict is final.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match *self {
            Verdict::Pass(reason)
            | Verdict::Accept { reason, .. }
            | Verdict::Drop { reason, .. } => Some(reason),
            Verdict::Neighbour => Some(Reason::PassedNeighbour),
            Verdict::Ask(_) | Verdict::Short => None,
        }
    }
}

/// What is remembered of the session of a packet that is served because its bucket is owned, so that the session goes
/// on here when the bucket moves: [`super::session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Nothing: sockets are asked, or nobody asks.
    Nothing,
    /// A session, of which this may be the first packet.
    First,
    /// A session.
    Later,
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

/// A question to the caller's tables: is the flow of this packet ([`super::decide::flow`]) known here?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Where to look.
    pub tables: Tables,
    /// The rule, or [`super::filter::NO_RULE`].
    pub rule: u8,
    /// This host owns the bucket.
    pub mine: bool,
    /// Some other live host reports residual sessions of the bucket.
    pub others: bool,
    /// The packet is a SYN-ACK: not of a connection that was made to the VIP.
    pub syn_ack: bool,
    /// The packet is an ICMP error: the flow is the one inside it.
    pub icmp_error: bool,
    /// It is a first fragment: the caller remembers what became of it, so that later ones follow.
    pub fragment: bool,
    /// No rule covers it.
    pub uncovered: bool,
    /// What is remembered of its session, if it is served because the bucket is owned.
    pub note: Note,
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
    #[inline]
    pub fn resolve(&self, answer: Answer) -> Verdict {
        match self.tables {
            Tables::Fragments => self.resolve_fragment(answer),
            Tables::Tcp | Tables::Sessions => self.resolve_flow(answer),
        }
    }

    /// A later fragment follows the first. One without memory passes on every host: only the host that serves
    /// the first one can put the packet together, and at the others it expires in silence.
    fn resolve_fragment(&self, answer: Answer) -> Verdict {
        match answer {
            Answer::Known | Answer::Cookie => self.accept(Reason::AcceptedFragment, Note::Nothing),
            Answer::Refused => self.drop(Reason::DroppedFragment),
            Answer::Unknown => self.accept(Reason::PassedFragment, Note::Nothing),
        }
    }

    #[inline]
    fn resolve_flow(&self, answer: Answer) -> Verdict {
        match answer {
            // It is remembered already, or it has a socket.
            Answer::Known if self.mine => self.accept(self.owner(), Note::Nothing),
            Answer::Known => self.accept(Reason::AcceptedResidual, Note::Nothing),
            Answer::Cookie => self.accept(Reason::AcceptedCookie, Note::Nothing),
            Answer::Refused | Answer::Unknown if !self.mine => self.drop(Reason::DroppedNoSession),
            Answer::Refused | Answer::Unknown if self.syn_ack => self.drop(Reason::SilentSynAck),
            Answer::Refused | Answer::Unknown if self.others => self.drop(Reason::SilentMidFlow),
            // Nobody has it: the stack says so (a RST, a port unreachable), and the client begins anew at once.
            Answer::Refused | Answer::Unknown => self.accept(self.owner(), self.note),
        }
    }

    /// The reason of serving a packet of a bucket that is owned.
    #[inline]
    fn owner(&self) -> Reason {
        if self.uncovered {
            Reason::AcceptedDefaultHost
        } else {
            Reason::AcceptedOwner
        }
    }

    #[inline]
    fn accept(&self, reason: Reason, note: Note) -> Verdict {
        Verdict::Accept {
            reason,
            rule: self.rule,
            fragment: self.fragment,
            note,
        }
    }

    #[inline]
    fn drop(&self, reason: Reason) -> Verdict {
        Verdict::Drop {
            reason,
            rule: self.rule,
            fragment: self.fragment,
        }
    }
}
