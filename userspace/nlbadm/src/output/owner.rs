// SPDX-License-Identifier: GPL-2.0-only

//! Who owns a flow, and what becomes of it here.

use std::net::IpAddr;

use nlb_core::{genl::Trace, limits::BUCKETS};
use nlb_netlink::object::{Answer, Cluster, Question, host_ids};
use serde::Serialize;

use super::{
    Report,
    text::{endpoint, hex, named},
};
use crate::cli::Protocol;

/// Answer of `owner`.
#[derive(Debug, Serialize)]
pub(crate) struct OwnerShape {
    pub(crate) interface: String,
    #[serde(skip)]
    pub(crate) ifindex: u32,
    pub(crate) client: IpAddr,
    pub(crate) client_port: Option<u16>,
    pub(crate) vip: IpAddr,
    pub(crate) vip_port: Option<u16>,
    pub(crate) protocol: &'static str,
    /// Null if no rule covers the flow.
    pub(crate) rule: Option<u16>,
    /// What the rule covers, for people.
    #[serde(skip)]
    pub(crate) coverage: Option<String>,
    pub(crate) affinity: Option<String>,
    pub(crate) hash: Option<String>,
    pub(crate) bucket: Option<u16>,
    /// Null if nobody serves the flow.
    pub(crate) owner: Option<u8>,
    #[serde(rename = "self")]
    pub(crate) this: bool,
    pub(crate) reason: String,
    pub(crate) generation: u64,
    /// Hosts that do not own the bucket but may hold connections of it: the owner leaves what it does not know to them.
    pub(crate) holders: Vec<u8>,
    /// Hosts of which it is not known what they hold: they count as holding everything.
    pub(crate) holders_unknown: Vec<u8>,
    /// What the tables of this host have of the flow; null if the module does not say.
    pub(crate) trace: Option<String>,
    /// What this host counts a packet that begins the flow as.
    pub(crate) first: Option<String>,
    /// What this host counts a later packet of the flow as.
    pub(crate) later: Option<String>,
}

impl OwnerShape {
    pub(crate) fn new(
        cluster: &Cluster,
        question: Question,
        protocol: Protocol,
        answer: Answer,
    ) -> Self {
        let given = |port: u16| Some(port).filter(|&port| port != 0);
        OwnerShape {
            interface: cluster.ifname.clone(),
            ifindex: cluster.ifindex,
            client: question.client,
            client_port: given(question.client_port),
            vip: question.vip,
            vip_port: given(question.vip_port),
            protocol: protocol.name(),
            rule: answer.rule,
            coverage: None,
            affinity: answer.affinity.map(|affinity| affinity.to_string()),
            hash: answer.hash.map(hex),
            bucket: answer.bucket,
            owner: answer.owner,
            this: answer.this,
            reason: answer.reason,
            generation: answer.generation,
            holders: host_ids(answer.holders).collect(),
            holders_unknown: host_ids(answer.holders_unknown).collect(),
            trace: answer.trace.map(|trace| trace.to_string()),
            first: answer.first,
            later: answer.later,
        }
    }
}

impl Report for OwnerShape {
    fn human(&self) -> String {
        let mut lines = vec![format!(
            "{} -> {} {}",
            endpoint(self.client, self.client_port),
            endpoint(self.vip, self.vip_port),
            self.protocol
        )];
        let affinity = match &self.affinity {
            Some(affinity) => format!(", affinity {affinity}"),
            None => String::new(),
        };
        lines.push(match self.rule {
            Some(number) => match &self.coverage {
                Some(coverage) => format!("  rule: {number} ({coverage}){affinity}"),
                None => format!("  rule: {number}{affinity}"),
            },
            None if self.owner.is_some() => "  rule: none, so it is the default host's".into(),
            None => "  rule: none".into(),
        });
        if let Some(bucket) = self.bucket {
            let hash = match &self.hash {
                Some(hash) => format!(", hash {hash}"),
                None => String::new(),
            };
            lines.push(format!("  bucket: {bucket} of {BUCKETS}{hash}"));
        }
        lines.push(match self.owner {
            Some(id) if self.this => format!("  owner: host {id}, this host"),
            Some(id) => format!("  owner: host {id}"),
            None => "  owner: nobody".into(),
        });
        lines.push(format!("  reason: {}", self.reason));
        if !self.holders.is_empty() {
            lines.push(format!(
                "  residue: {} may hold connections of this bucket; the owner leaves those that it does not know alone",
                named(&self.holders)
            ));
        }
        if !self.holders_unknown.is_empty() {
            lines.push(format!(
                "  residue: unknown of {}, which may hold anything",
                named(&self.holders_unknown)
            ));
        }
        if let (Some(first), Some(later)) = (&self.first, &self.later) {
            lines.push(format!("  here: {}", here(self, first, later)));
        }
        lines.push(format!("  generation: {}", self.generation));
        lines.join("\n") + "\n"
    }
}

/// What this host does with packets of a flow, and what it has of it.
fn here(owner: &OwnerShape, first: &str, later: &str) -> String {
    let mut text = if first == later {
        format!("its packets count as {first}")
    } else {
        format!("a packet that begins it counts as {first}, a later one as {later}")
    };
    let known = owner
        .trace
        .as_deref()
        .filter(|name| *name != Trace::None.name());
    text.push_str(&match known {
        Some(trace) => format!("; it is known here: {trace}"),
        None => "; it is not known here".into(),
    });
    text
}
