// SPDX-License-Identifier: GPL-2.0-only

//! State changes.

use std::net::IpAddr;

use netlink_packet_core::DecodeError;
use nlb_core::{
    genl::{EventKind, Health, Stance},
    state::{Cause, HostState, OutReason},
};

use super::required;
use crate::{attribute::EventAttribute, code::Code, reply::EventNtf};

/// A state change; what a kind does not need is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Index of the cluster interface.
    pub ifindex: u32,
    /// Name of the cluster interface.
    pub ifname: Option<String>,
    /// What happened.
    pub kind: Code<EventKind>,
    /// The host that it is about.
    pub host_id: Option<u8>,
    /// State of that host.
    pub state: Option<Code<HostState>>,
    /// Why that host is out.
    pub out_reason: Option<Code<OutReason>>,
    /// Generation.
    pub generation: Option<u64>,
    /// The members; bit n stands for host id n + 1.
    pub members: Option<u64>,
    /// Why the cluster converged.
    pub cause: Option<Code<Cause>>,
    /// Host id of the default host, 0 for none.
    pub default_host: Option<u8>,
    /// The VIP that another station claims.
    pub vip: Option<IpAddr>,
    /// The MAC that it claims it for, or its own.
    pub mac: Option<[u8; 6]>,
    /// Sessions that were left.
    pub sessions: Option<u64>,
    /// Place of the rule in the list; absent for what no rule covers.
    pub rule: Option<u16>,
    /// Whether what is accepted of it is answered.
    pub health: Option<Code<Health>>,
    /// Whether this host takes buckets of the rule.
    pub stance: Option<Code<Stance>>,
}

impl Event {
    /// An event from the attributes of a notification.
    ///
    /// # Errors
    ///
    /// If the interface or the kind is missing.
    pub fn from_attributes(attributes: Vec<EventAttribute>) -> Result<Self, DecodeError> {
        let reply = EventNtf::from(attributes);
        Ok(Event {
            ifindex: required(reply.ifindex, "ifindex of an event")?,
            ifname: reply.ifname,
            kind: required(reply.kind, "kind of an event")?,
            host_id: reply.host_id.filter(|&id| id != 0),
            state: reply.state,
            out_reason: reply.out_reason,
            generation: reply.generation,
            members: reply.members,
            cause: reply.cause,
            default_host: reply.default_host,
            vip: reply.vip,
            mac: reply.mac,
            sessions: reply.sessions,
            rule: reply.rule,
            health: reply.health,
            stance: reply.stance,
        })
    }
}
