// SPDX-License-Identifier: GPL-2.0-only

//! Who owns a flow, and why.

use std::net::IpAddr;

use netlink_packet_core::DecodeError;
use nlb_core::genl::{Affinity, Trace};

use super::required;
use crate::{attribute::OwnerAttribute, code::Code, reply::OwnerGet};

/// A flow to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Index of the cluster interface.
    pub ifindex: u32,
    /// Address of the client.
    pub client: IpAddr,
    /// Port of the client, 0 if not given.
    pub client_port: u16,
    /// The VIP.
    pub vip: IpAddr,
    /// Port at the VIP, 0 if not given.
    pub vip_port: u16,
    /// IP protocol number.
    pub protocol: u8,
}

impl Question {
    /// The attributes of the request.
    #[must_use]
    pub fn to_attributes(self) -> Vec<OwnerAttribute> {
        use OwnerAttribute as A;
        vec![
            A::Ifindex(self.ifindex),
            A::Client(self.client),
            A::ClientPort(self.client_port),
            A::Vip(self.vip),
            A::VipPort(self.vip_port),
            A::Protocol(self.protocol),
        ]
    }
}

/// The explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Host id of the owner; nobody if absent.
    pub owner: Option<u8>,
    /// Name of the reason of the decision.
    pub reason: String,
    /// Number of the rule; absent if none covers the flow.
    pub rule: Option<u16>,
    /// Affinity of the rule.
    pub affinity: Option<Code<Affinity>>,
    /// The keyed hash; absent if no map decides.
    pub hash: Option<u64>,
    /// The bucket.
    pub bucket: Option<u16>,
    /// Whether the owner is this host.
    pub this: bool,
    /// Generation of the map that was asked.
    pub generation: u64,
    /// Hosts that do not own the bucket but may hold sessions of it; bit n stands for host id n + 1.
    pub holders: u64,
    /// Hosts of which it is not known at the moment what they hold.
    pub holders_unknown: u64,
    /// What the tables of this host have of the flow.
    pub trace: Option<Code<Trace>>,
    /// What this host would count the first packet of the flow as.
    pub first: Option<String>,
    /// What this host would count a later packet of the flow as.
    pub later: Option<String>,
}

impl Answer {
    /// The explanation from the attributes of a reply.
    ///
    /// # Errors
    ///
    /// If the reason is missing.
    pub fn from_attributes(attributes: Vec<OwnerAttribute>) -> Result<Self, DecodeError> {
        let reply = OwnerGet::from(attributes);
        Ok(Answer {
            owner: reply.owner.filter(|&id| id != 0),
            reason: required(reply.reason, "reason of the decision")?,
            rule: reply.rule,
            affinity: reply.affinity,
            hash: reply.hash,
            bucket: reply.bucket,
            this: reply.this,
            generation: reply.generation.unwrap_or_default(),
            holders: reply.holders.unwrap_or_default(),
            holders_unknown: reply.holders_unknown.unwrap_or_default(),
            trace: reply.trace,
            first: reply.first,
            later: reply.later,
        })
    }
}
