// SPDX-License-Identifier: GPL-2.0-only

//! What happens, as it happens.

use std::net::IpAddr;

use nlb_core::genl::EventKind;
use nlb_netlink::object::{Event, host_ids};
use serde::Serialize;

use super::{
    Report,
    cluster::out_reason,
    text::{ids, mac},
};

/// One line of `monitor`.
#[derive(Debug, Serialize)]
pub(crate) struct EventShape {
    /// When nlbadm heard of it: RFC 3339, UTC.
    pub(crate) time: String,
    pub(crate) event: String,
    pub(crate) interface: Option<String>,
    pub(crate) ifindex: u32,
    pub(crate) host_id: Option<u8>,
    pub(crate) state: Option<String>,
    pub(crate) out_reason: Option<String>,
    pub(crate) generation: Option<u64>,
    pub(crate) members: Option<Vec<u8>>,
    pub(crate) cause: Option<String>,
    pub(crate) default_host: Option<u8>,
    /// A VIP that another station claims.
    pub(crate) vip: Option<IpAddr>,
    /// The MAC that it claims it for, or its own; that of a station that keeps asking.
    pub(crate) mac: Option<String>,
    /// Connections that were left.
    pub(crate) sessions: Option<u64>,
    /// Number of the rule; null for what no rule covers.
    pub(crate) rule: Option<u16>,
    /// Whether what this host accepts of it is answered.
    pub(crate) health: Option<String>,
    /// Whether the host that reports it takes buckets of the rule.
    pub(crate) stance: Option<String>,
}

impl EventShape {
    pub(crate) fn new(time: String, event: Event) -> Self {
        EventShape {
            time,
            event: event.kind.to_string(),
            interface: event.ifname,
            ifindex: event.ifindex,
            host_id: event.host_id,
            state: event.state.map(|state| state.to_string()),
            out_reason: event.out_reason.and_then(out_reason),
            generation: event.generation,
            members: event.members.map(|set| host_ids(set).collect()),
            cause: event.cause.map(|cause| cause.to_string()),
            default_host: event.default_host.filter(|&id| id != 0),
            vip: event.vip,
            mac: event.mac.map(mac),
            sessions: event.sessions,
            rule: event.rule,
            health: event.health.map(|health| health.to_string()),
            stance: event.stance.map(|stance| stance.to_string()),
        }
    }
}

impl Report for EventShape {
    fn human(&self) -> String {
        let mut words = vec![
            self.time.clone(),
            self.interface
                .clone()
                .unwrap_or_else(|| format!("interface {}", self.ifindex)),
            self.event.clone(),
        ];
        words.extend(self.host_id.map(|id| format!("host {id}")));
        words.extend(self.state.clone());
        // A host that is out for no reason is not out any more.
        if self.event == EventKind::HostOut.name() && self.out_reason.is_none() {
            words.push("let in again".into());
        }
        words.extend(
            self.out_reason
                .as_ref()
                .map(|reason| format!("out: {reason}")),
        );
        words.extend(self.generation.map(|number| format!("generation {number}")));
        words.extend(self.cause.as_ref().map(|cause| format!("cause {cause}")));
        words.extend(
            self.members
                .as_ref()
                .map(|members| format!("members {}", ids(members))),
        );
        words.extend(self.default_host.map(|id| format!("default host {id}")));
        if let (Some(vip), Some(mac)) = (self.vip, &self.mac) {
            words.push(format!("{vip} is claimed by {mac}"));
        }
        if let (None, Some(mac)) = (self.vip, &self.mac) {
            words.push(format!("{mac} keeps asking for a VIP"));
        }
        words.extend(
            self.sessions
                .map(|count| format!("{count} connections left")),
        );
        if let Some(health) = &self.health {
            words.push(match self.rule {
                Some(rule) => format!("rule {rule} {health}"),
                None => format!("what no rule covers {health}"),
            });
        }
        words.extend(self.stance.clone());
        let (head, tail) = words.split_at(3);
        let mut text = head.join(" ");
        if !tail.is_empty() {
            text.push_str(": ");
            text.push_str(&tail.join(", "));
        }
        text.push('\n');
        text
    }
}
