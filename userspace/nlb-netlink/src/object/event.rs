// SPDX-License-Identifier: GPL-2.0-only

//! State changes.

use std::net::IpAddr;

use netlink_packet_core::DecodeError;
use nlb_core::{
    genl::EventKind,
    state::{Cause, HostState, OutReason},
};

use super::required;
use crate::{attribute::EventAttribute, code::Code};

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
}

impl Event {
    /// An event from the attributes of a notification.
    ///
    /// # Errors
    ///
    /// If the interface or the kind is missing.
    pub fn from_attributes(attributes: Vec<EventAttribute>) -> Result<Self, DecodeError> {
        use EventAttribute as A;
        let (mut ifindex, mut kind) = (None, None);
        let mut event = Event {
            ifindex: 0,
            ifname: None,
            kind: Code::from_number(0),
            host_id: None,
            state: None,
            out_reason: None,
            generation: None,
            members: None,
            cause: None,
            default_host: None,
            vip: None,
            mac: None,
            sessions: None,
        };
        for attribute in attributes {
            match attribute {
                A::IfIndex(value) => ifindex = Some(value),
                A::IfName(value) => event.ifname = Some(value),
                A::Kind(value) => kind = Some(value),
                A::HostId(value) => event.host_id = Some(value).filter(|&id| id != 0),
                A::State(value) => event.state = Some(value),
                A::OutReason(value) => event.out_reason = Some(value),
                A::Generation(value) => event.generation = Some(value),
                A::Members(value) => event.members = Some(value),
                A::Cause(value) => event.cause = Some(value),
                A::DefaultHost(value) => event.default_host = Some(value),
                A::Vip(value) => event.vip = Some(value),
                A::Mac(value) => event.mac = Some(value),
                A::Sessions(value) => event.sessions = Some(value),
                A::Other(_) => {}
            }
        }
        event.ifindex = required(ifindex, "ifindex of an event")?;
        event.kind = required(kind, "kind of an event")?;
        Ok(event)
    }
}
