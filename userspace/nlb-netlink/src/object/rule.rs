// SPDX-License-Identifier: GPL-2.0-only

//! Port rules.

use std::net::IpAddr;

use netlink_packet_core::DecodeError;
use nlb_core::{
    genl::{Affinity, Health, Stance},
    rules::{
        FilteringMode, HealthAction, PREFIX_V4_DEFAULT, PREFIX_V6_DEFAULT, Protocols, Rule,
        RuleState, Track,
    },
};

use super::required;
use crate::{attribute::RuleAttribute, code::Code, reply::RuleGet, value::Nest};

/// A port rule as one host sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRule {
    /// Place in the list, from 0.
    pub number: u16,
    /// Whether it is of the list that waits for the other hosts.
    pub pending: bool,
    /// The VIP that it is for; all if absent.
    pub vip: Option<IpAddr>,
    /// The protocols that it covers.
    pub protocols: Code<Protocols>,
    /// First port of the range.
    pub first_port: u16,
    /// Last port of the range, inclusive.
    pub last_port: u16,
    /// What becomes of the traffic.
    pub mode: Code<FilteringMode>,
    /// What of a client decides its host.
    pub affinity: Code<Affinity>,
    /// Bits of an IPv4 address that affinity network looks at.
    pub prefix_v4: u8,
    /// Bits of an IPv6 address that affinity network looks at.
    pub prefix_v6: u8,
    /// Which UDP sessions are tracked.
    pub track: Code<Track>,
    /// What a host does when it answers nothing of the rule.
    pub health_action: Code<HealthAction>,
    /// This host's load weight; that of the cluster if absent.
    pub weight: Option<u8>,
    /// This host's handling priority; its host id if absent.
    pub priority: Option<u8>,
    /// What this host does about it.
    pub state: Code<RuleState>,
    /// Buckets that this host owns.
    pub buckets_owned: Option<u32>,
    /// Packets that this host served.
    pub accepted: Option<u64>,
    /// Packets that this host left to others.
    pub dropped: Option<u64>,
    /// Whether what this host served is answered.
    pub health: Code<Health>,
    /// Whether this host takes buckets of the rule.
    pub stance: Code<Stance>,
}

impl PortRule {
    /// A rule from the attributes of a reply.
    ///
    /// # Errors
    ///
    /// If the number is missing.
    pub fn from_attributes(attributes: Vec<RuleAttribute>) -> Result<Self, DecodeError> {
        let reply = RuleGet::from(attributes);
        Ok(PortRule {
            number: required(reply.number, "number of a rule")?,
            pending: reply.pending,
            vip: reply.vip,
            protocols: reply.protocols.unwrap_or(Protocols::Both.into()),
            first_port: reply.first_port.unwrap_or(0),
            last_port: reply.last_port.unwrap_or(u16::MAX),
            mode: reply.mode.unwrap_or(FilteringMode::Multiple.into()),
            affinity: reply.affinity.unwrap_or(Affinity::Single.into()),
            prefix_v4: reply.prefix_v4.unwrap_or(PREFIX_V4_DEFAULT),
            prefix_v6: reply.prefix_v6.unwrap_or(PREFIX_V6_DEFAULT),
            track: reply.track.unwrap_or(Track::Quic.into()),
            health_action: reply.health_action.unwrap_or(HealthAction::Report.into()),
            weight: reply.weight,
            priority: reply.priority,
            state: reply.state.unwrap_or(RuleState::Enabled.into()),
            buckets_owned: reply.buckets_owned,
            accepted: reply.accepted,
            dropped: reply.dropped,
            health: reply.health.unwrap_or(Health::Unknown.into()),
            stance: reply.stance.unwrap_or(Stance::Takes.into()),
        })
    }

    /// Whether the rule covers a port of a VIP.
    #[must_use]
    pub fn covers(&self, vip: IpAddr, port: u16) -> bool {
        self.vip.is_none_or(|own| own == vip) && (self.first_port..=self.last_port).contains(&port)
    }
}

/// A port rule of a list that shall be in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRule {
    /// What all hosts must say alike. Its state is not looked at.
    pub rule: Rule,
    /// This host's load weight; that of the cluster if absent.
    pub weight: Option<u8>,
    /// This host's handling priority; its host id if absent.
    pub priority: Option<u8>,
    /// What this host does about it; as before if absent.
    pub state: Option<RuleState>,
}

impl NewRule {
    /// The attribute that holds the rule.
    #[must_use]
    pub fn to_nest(&self) -> Nest<RuleAttribute> {
        use RuleAttribute as A;
        let rule = &self.rule;
        let mut attributes: Vec<_> = rule.vip.map(A::Vip).into_iter().collect();
        attributes.extend([
            A::Protocols(rule.protocols.into()),
            A::FirstPort(rule.first_port),
            A::LastPort(rule.last_port),
            A::Mode(rule.mode.into()),
            A::Affinity(rule.affinity.into()),
            A::PrefixV4(rule.prefix_v4),
            A::PrefixV6(rule.prefix_v6),
            A::Track(rule.track.into()),
        ]);
        // A module of a version before health actions takes a rule that does without.
        if rule.health != HealthAction::Report {
            attributes.push(A::HealthAction(rule.health.into()));
        }
        attributes.extend(self.weight.map(A::Weight));
        attributes.extend(self.priority.map(A::Priority));
        attributes.extend(self.state.map(|state| A::State(state.into())));
        Nest(attributes)
    }

    /// The attributes of the request to replace the rules of the cluster on an interface.
    #[must_use]
    pub fn list(ifindex: u32, rules: &[NewRule]) -> Vec<RuleAttribute> {
        let rules = rules.iter().map(|rule| RuleAttribute::Rule(rule.to_nest()));
        [RuleAttribute::Ifindex(ifindex)]
            .into_iter()
            .chain(rules)
            .collect()
    }
}

/// What can be changed of a rule in force, on this host alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleChange {
    /// What this host does about it.
    State(RuleState),
    /// Load weight of this host, 0–100.
    Weight(u8),
    /// Handling priority of this host, 1–64.
    Priority(u8),
}

impl RuleChange {
    /// The attributes of the request for a rule of the cluster on an interface.
    #[must_use]
    pub fn to_attributes(self, ifindex: u32, number: u16) -> Vec<RuleAttribute> {
        use RuleAttribute as A;
        let change = match self {
            RuleChange::State(state) => A::State(state.into()),
            RuleChange::Weight(weight) => A::Weight(weight),
            RuleChange::Priority(priority) => A::Priority(priority),
        };
        vec![A::Ifindex(ifindex), A::Number(number), change]
    }
}
