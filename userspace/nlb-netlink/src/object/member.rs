// SPDX-License-Identifier: GPL-2.0-only

//! A host of a cluster.

use std::net::IpAddr;

use netlink_packet_core::DecodeError;
use nlb_core::state::{HostState, OutReason};

use super::required;
use crate::{attribute::MemberAttribute, code::Code};

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
}

impl Member {
    /// A host from the attributes of a reply.
    ///
    /// # Errors
    ///
    /// If the host id is missing.
    pub fn from_attributes(attributes: Vec<MemberAttribute>) -> Result<Self, DecodeError> {
        use MemberAttribute as A;
        let mut host_id = None;
        let mut host = Member {
            host_id: 0,
            state: HostState::Stopped.into(),
            out_reason: OutReason::None.into(),
            last_heard_ms: None,
            incarnation: 0,
            buckets_owned: 0,
            this: false,
            default: false,
            heard_segment: false,
            heard_relay: false,
            loss_permille: None,
            dedicated_ip: None,
            weight: None,
            member: false,
            pending: None,
            residue: None,
            residue_ms: None,
        };
        for attribute in attributes {
            match attribute {
                A::HostId(value) => host_id = Some(value),
                A::State(value) => host.state = value,
                A::OutReason(value) => host.out_reason = value,
                A::LastHeardMs(value) => host.last_heard_ms = Some(value),
                A::Incarnation(value) => host.incarnation = value,
                A::BucketsOwned(value) => host.buckets_owned = value,
                A::This(()) => host.this = true,
                A::Default(()) => host.default = true,
                A::Paths(value) => {
                    host.heard_segment = value & 1 != 0;
                    host.heard_relay = value & 2 != 0;
                }
                A::LossPermille(value) => host.loss_permille = Some(value),
                A::DedicatedIp(value) => host.dedicated_ip = Some(value),
                A::Weight(value) => host.weight = Some(value),
                A::Member(()) => host.member = true,
                A::Pending(value) => host.pending = Some(value).filter(|&digest| digest != 0),
                A::Residue(value) => host.residue = Some(value),
                A::ResidueMs(value) => host.residue_ms = Some(value),
                A::IfIndex(_) | A::Other(_) => {}
            }
        }
        host.host_id = required(host_id, "host-id of a host")?;
        Ok(host)
    }
}
