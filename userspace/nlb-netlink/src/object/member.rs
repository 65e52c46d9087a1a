// SPDX-License-Identifier: GPL-2.0-only

//! A host of a cluster.

use std::net::IpAddr;

use netlink_packet_core::DecodeError;
use nlb_core::state::{HostState, OutReason};

use super::required;
use crate::{attribute::MemberAttribute, code::Code, reply::MemberGet};

/// A host of a cluster, as this host knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub host_id: u8,
    /// Its state, as it told last.
    pub state: Code<HostState>,
    /// Why it is out.
    pub out_reason: Code<OutReason>,
    /// Milliseconds since it was heard; absent for this host itself.
    pub last_heard_ms: Option<u32>,
    /// Its incarnation.
    pub incarnation: u64,
    /// Buckets of the default rule that it owns.
    pub buckets_owned: u32,
    /// Whether it is this host.
    pub this: bool,
    /// Whether it is the default host.
    pub default: bool,
    /// Whether it was heard on the segment within the tolerance.
    pub heard_segment: bool,
    /// Whether it was heard on the second path within the tolerance.
    pub heard_relay: bool,
    /// Heard on the segment only inside IP packets.
    pub heard_wrapped: bool,
    /// Heartbeats lost of the last 1000 expected.
    pub loss_permille: Option<u32>,
    /// Its own address.
    pub dedicated_ip: Option<IpAddr>,
    /// Its load weight for the default rule.
    pub weight: Option<u8>,
    /// Whether it is a member of the agreed generation.
    pub member: bool,
    /// Digest of the rules that it has staged.
    pub pending: Option<u64>,
    /// Buckets, over all maps, that it does not own but may hold sessions of; absent while that is not known.
    pub residue: Option<u32>,
    /// Milliseconds for which it has had some without a break.
    pub residue_ms: Option<u64>,
    /// Rules that it gave up because its clients got no answer.
    pub rules_given_up: u16,
}

impl Member {
    /// A host from the attributes of a reply.
    ///
    /// # Errors
    ///
    /// If the host id is missing.
    pub fn from_attributes(attributes: Vec<MemberAttribute>) -> Result<Self, DecodeError> {
        let reply = MemberGet::from(attributes);
        let paths = reply.paths.unwrap_or_default();
        Ok(Member {
            host_id: required(reply.host_id, "host-id of a host")?,
            state: reply.state.unwrap_or(HostState::Stopped.into()),
            out_reason: reply.out_reason.unwrap_or(OutReason::None.into()),
            last_heard_ms: reply.last_heard_ms,
            incarnation: reply.incarnation.unwrap_or_default(),
            buckets_owned: reply.buckets_owned.unwrap_or_default(),
            this: reply.this,
            default: reply.default,
            heard_segment: paths & 1 != 0,
            heard_relay: paths & 2 != 0,
            heard_wrapped: paths & 4 != 0,
            loss_permille: reply.loss_permille,
            dedicated_ip: reply.dedicated_ip,
            weight: reply.weight,
            member: reply.member,
            pending: reply.pending.filter(|&digest| digest != 0),
            residue: reply.residue,
            residue_ms: reply.residue_ms,
            rules_given_up: reply.rules_given_up.unwrap_or(0),
        })
    }
}
