// SPDX-License-Identifier: GPL-2.0-only

//! The second chance: what the tables of this host answer to the questions of the packet decision.
//!
//! *Context*: softirq, under RCU. Asked for buckets that moved, for SYN-ACKs and for later fragments alone, so that
//! in the steady state nobody pays for it.

use crate::cluster::context::Cluster;
use crate::cluster::snapshot::Snapshot;
use crate::datapath::sessions::Kept;
use crate::kapi::clock::now_ns;
use crate::kapi::inet::{tcp_cookie, tcp_lookup, Ends, TcpSocket};
use crate::kapi::rcu::ReadSide;
use crate::netlink::notify;
use crate::nlb_core::decide::{self, Answer, Note, Question, Tables};
use crate::nlb_core::fragments::{recall, FragmentKey};
use crate::nlb_core::genl::{EventKind, Trace};
use crate::nlb_core::imagine::Imagined;
use crate::nlb_core::packet::{Flow, PROTO_SCTP, PROTO_TCP, PROTO_UDP, PROTO_UDPLITE};
use crate::nlb_core::reason::Reason;
use crate::nlb_core::socket::{Segment, Socket};
use crate::nlb_core::time::Instant;
use crate::stats::Event;

/// Asks the tables of this host whether the flow of a packet is known here. `l3` are its bytes from the network
/// header on, as they were decided about.
#[cold]
#[inline(never)]
pub(crate) fn ask(
    cluster: &Cluster,
    side: &ReadSide,
    snapshot: &Snapshot,
    question: &Question,
    l3: &[u8],
) -> Answer {
    if question.tables == Tables::Fragments {
        return match FragmentKey::of(&snapshot.filter, l3) {
            Some(key) => recall(cluster.fragments(), key, Instant(now_ns())),
            None => Answer::Unknown,
        };
    }
    match decide::flow(l3) {
        Some(flow) => known(cluster, side, *question, flow, l3),
        None => Answer::Unknown,
    }
}

/// Asks the tables of this host about the flow of a packet. Inlined where the flow's addresses are known to be of IPv4.
#[inline(always)]
pub(crate) fn known(
    cluster: &Cluster,
    side: &ReadSide,
    question: Question,
    flow: Flow,
    l3: &[u8],
) -> Answer {
    match question.tables {
        Tables::Tcp if flow.protocol == PROTO_TCP => tcp(cluster, side, question, flow, l3),
        Tables::Sessions => session(cluster, side, &question, &flow),
        Tables::Tcp | Tables::Fragments => Answer::Unknown,
    }
}

/// What the tables of this host have of a flow. Context: any, under RCU.
pub(crate) fn trace(cluster: &Cluster, side: &ReadSide, flow: &Flow) -> Trace {
    let found = match flow.protocol {
        PROTO_TCP => tcp_lookup(side, cluster.device(), &ends(flow)),
        _ => TcpSocket::None,
    };
    match found {
        TcpSocket::Established => Trace::Socket,
        TcpSocket::HalfOpen(_) => Trace::HalfOpen,
        TcpSocket::TimeWait => Trace::TimeWait,
        TcpSocket::None if cluster.sessions().recall(side, flow, false) => Trace::Session,
        TcpSocket::None if tracked(cluster, side, *flow) != Socket::None => Trace::Conntrack,
        TcpSocket::None => Trace::None,
    }
}

/// What the packet path would count a packet of a flow as, the first one or a later one; `None` for what is no packet.
/// Nothing is remembered of it. Context: any, under RCU.
pub(crate) fn imagined(
    cluster: &Cluster,
    side: &ReadSide,
    snapshot: &Snapshot,
    flow: &Flow,
    first: bool,
) -> Option<Reason> {
    let packet = Imagined::of(flow, first)?;
    let (meta, l3) = (packet.meta(), packet.l3());
    let verdict = match decide::decide(&snapshot.filter, &snapshot.owners, &meta, l3) {
        decide::Verdict::Ask(question) => {
            // A session that is merely asked about does not become younger, as by an ICMP error.
            let glance = Question {
                icmp_error: true,
                ..question
            };
            question.resolve(ask(cluster, side, snapshot, &glance, l3))
        }
        verdict => verdict,
    };
    verdict.reason()
}

/// Asks the table of sessions, then connection tracking.
fn session(cluster: &Cluster, side: &ReadSide, question: &Question, flow: &Flow) -> Answer {
    if cluster.sessions().recall(side, flow, !question.icmp_error) {
        return Answer::Known;
    }
    tracked(cluster, side, *flow).answer(|| None)
}

/// What connection tracking knows of a flow. Without ports it knows tunnels by their own keys: not asked.
#[cold]
#[inline(never)]
fn tracked(cluster: &Cluster, side: &ReadSide, flow: Flow) -> Socket {
    match flow.protocol {
        PROTO_TCP | PROTO_UDP | PROTO_UDPLITE | PROTO_SCTP => {
            let (device, ends) = (cluster.device(), ends(&flow));
            socket(
                cluster
                    .conntrack()
                    .lookup(side, device, flow.protocol, &ends),
            )
        }
        _ => Socket::None,
    }
}

#[inline(always)]
fn ends(flow: &Flow) -> Ends {
    Ends {
        client: (flow.client, flow.client_port),
        local: (flow.vip, flow.vip_port),
    }
}

#[inline(always)]
fn socket(found: TcpSocket) -> Socket {
    match found {
        TcpSocket::None => Socket::None,
        TcpSocket::HalfOpen(awaited) => Socket::HalfOpen { awaited },
        TcpSocket::TimeWait => Socket::TimeWait,
        TcpSocket::Established => Socket::Established,
    }
}

/// Remembers the session of a packet that is served because its bucket is owned.
#[cold]
#[inline(never)]
pub(crate) fn remember_session(cluster: &Cluster, side: &ReadSide, note: Note, l3: &[u8]) {
    if let Some(flow) = decide::flow(l3) {
        remember(cluster, side, &flow, note);
    }
}

/// Remembers a session. Context: any, under RCU.
pub(crate) fn remember(cluster: &Cluster, side: &ReadSide, flow: &Flow, note: Note) {
    match cluster.sessions().note(side, flow, note == Note::First) {
        Kept::Yes => {}
        Kept::Later => cluster.stats().event(Event::SessionTableGrows),
        Kept::Full(tell) => {
            cluster.stats().event(Event::SessionNoRoom);
            if tell {
                notify::cluster_event(cluster, EventKind::SessionsFull);
            }
        }
    }
}

/// Asks the tables of TCP connections, then connection tracking, then for a SYN cookie.
#[inline(always)]
fn tcp(cluster: &Cluster, side: &ReadSide, question: Question, flow: Flow, l3: &[u8]) -> Answer {
    let found = socket(tcp_lookup(side, cluster.device(), &ends(&flow)));
    if found.answer(|| Segment::of(l3)) == Answer::Known {
        return Answer::Known;
    }
    let conntrack = cluster.conntrack().is_loaded();
    if conntrack && tracked(cluster, side, flow).answer(|| Segment::of(l3)) == Answer::Known {
        return Answer::Known;
    }
    if cluster.cookies().may_return() {
        cookie(cluster, side, question, flow, l3)
    } else {
        Answer::Unknown
    }
}

/// Looks for a SYN cookie of this host.
#[cold]
#[inline(never)]
fn cookie(cluster: &Cluster, side: &ReadSide, question: Question, flow: Flow, l3: &[u8]) -> Answer {
    let (device, ends) = (cluster.device(), ends(&flow));
    match Segment::of(l3) {
        Some(segment)
            if question.cookie_decides(segment)
                && tcp_cookie(side, device, &ends, segment.seq, segment.ack) =>
        {
            Answer::Cookie
        }
        _ => Answer::Unknown,
    }
}
