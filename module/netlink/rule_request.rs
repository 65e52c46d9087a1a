// SPDX-License-Identifier: GPL-2.0-only

//! What a request says of port rules, checked attribute by attribute.

use crate::cluster::rule_change::RuleControl;
use crate::cluster::rules::{RuleList, Share};
use crate::kapi::genetlink::Request;
use crate::kapi::netlink::Attribute;
use crate::netlink::cluster_request::address;
use crate::nlb_core::config::SlotSet;
use crate::nlb_core::genl::{cluster, rule as at, Affinity};
use crate::nlb_core::limits::{HOSTS_MAX, RULES_MAX};
use crate::nlb_core::rules::{
    FilteringMode, HealthAction, Protocols, Rule, RuleError, RuleState, Track, PREFIX_V4_DEFAULT,
    PREFIX_V6_DEFAULT,
};
use kernel::c_str;
use kernel::prelude::*;

/// A list of rules as a request tells it.
pub(crate) struct RuleRequest {
    pub(crate) list: RuleList,
    /// The rules that say what this host does about them.
    pub(crate) told: SlotSet,
}

impl RuleRequest {
    /// Reads the rules, which are the nested attributes of this kind. Context: process. Errors: as refused, or `ENOMEM`.
    #[inline(never)]
    pub(crate) fn read(request: &Request<'_>, kind: u16) -> Result<Self> {
        let mut this = Self {
            list: RuleList::new()?,
            told: SlotSet::EMPTY,
        };
        let nests = request.attributes().filter(|a| a.kind == kind);
        for (number, nest) in (0..=u16::MAX).zip(nests) {
            let (rule, share) = read_rule(request, &nest)?;
            if nested(&nest, at::STATE).is_some() {
                this.told.insert(number);
            }
            if !this.list.push(rule, share) {
                return Err(request.refuse_in(&nest, EINVAL, TOO_MANY));
            }
        }
        Ok(this)
    }
}

/// The rules that a request about a cluster tells, which may be none; `None` if it says nothing of any. Context: process.
/// Errors: as refused, or `ENOMEM`.
pub(crate) fn of_cluster(request: &Request<'_>) -> Result<Option<RuleRequest>> {
    if request.has(cluster::NO_RULES) {
        if request.has(cluster::RULE) {
            return Err(refuse_both(request));
        }
        return Ok(Some(RuleRequest {
            list: RuleList::new()?,
            told: SlotSet::EMPTY,
        }));
    }
    if !request.has(cluster::RULE) {
        return Ok(None);
    }
    RuleRequest::read(request, cluster::RULE).map(Some)
}

/// Refuses what says that there are no rules, and tells some or how they are.
pub(crate) fn refuse_both(request: &Request<'_>) -> Error {
    let text = c_str!("either there are no rules, or these are");
    request.refuse_at(cluster::NO_RULES, EINVAL, text)
}

/// Reads which rule in force a request is about, and what this host shall do about it.
pub(crate) fn control(request: &Request<'_>) -> Result<(usize, RuleControl)> {
    let Some(number) = request.get(at::NUMBER) else {
        return Err(request.refuse(EINVAL, c_str!("the number of the rule is missing")));
    };
    let state = match request.get(at::STATE) {
        None => None,
        Some(attribute) => Some(rule_state(request, &attribute)?),
    };
    let control = RuleControl {
        state,
        weight: request
            .get(at::WEIGHT)
            .map(|a| weight(request, &a))
            .transpose()?,
        priority: request
            .get(at::PRIORITY)
            .map(|a| priority(request, &a))
            .transpose()?,
    };
    if control.state.is_none() && control.weight.is_none() && control.priority.is_none() {
        return Err(request.refuse(
            EINVAL,
            c_str!("a state, a load weight or a handling priority is needed"),
        ));
    }
    Ok((usize::from(number.u16()), control))
}

const TOO_MANY: &CStr = c_str!("a cluster has at most 64 port rules");

fn nested<'a>(nest: &Attribute<'a>, kind: u16) -> Option<Attribute<'a>> {
    nest.nested().filter(|a| a.kind == kind).last()
}

fn read_rule(request: &Request<'_>, nest: &Attribute<'_>) -> Result<(Rule, Share)> {
    let get = |kind| nested(nest, kind);
    let vip = match get(at::VIP) {
        None => None,
        Some(a) => Some(address(a.payload).ok_or_else(|| {
            request.refuse_in(
                &a,
                EINVAL,
                c_str!("the VIP of a rule must have 4 or 16 bytes"),
            )
        })?),
    };
    let protocols = request.named(
        get(at::PROTOCOLS),
        Protocols::Both,
        Protocols::from_u8,
        c_str!("no such protocols"),
    )?;
    let mode = request.named(
        get(at::MODE),
        FilteringMode::Multiple,
        FilteringMode::from_u8,
        c_str!("no such filtering mode"),
    )?;
    let affinity = request.named(
        get(at::AFFINITY),
        Affinity::Single,
        Affinity::from_u8,
        c_str!("no such affinity"),
    )?;
    let track = request.named(
        get(at::TRACK),
        Track::Quic,
        Track::from_u8,
        c_str!("no such way of tracking"),
    )?;
    let health = request.named(
        get(at::HEALTH_ACTION),
        HealthAction::Report,
        HealthAction::from_u8,
        c_str!("no such health action"),
    )?;
    let state = match get(at::STATE) {
        None => RuleState::Enabled,
        Some(a) => rule_state(request, &a)?,
    };
    let rule = Rule {
        vip,
        protocols,
        first_port: get(at::FIRST_PORT).map_or(0, |a| a.u16()),
        last_port: get(at::LAST_PORT).map_or(u16::MAX, |a| a.u16()),
        mode,
        affinity,
        prefix_v4: get(at::PREFIX_V4).map_or(PREFIX_V4_DEFAULT, |a| a.u8()),
        prefix_v6: get(at::PREFIX_V6).map_or(PREFIX_V6_DEFAULT, |a| a.u8()),
        track,
        health,
        state,
    };
    let share = Share {
        weight: get(at::WEIGHT).map(|a| weight(request, &a)).transpose()?,
        priority: get(at::PRIORITY)
            .map(|a| priority(request, &a))
            .transpose()?,
    };
    Ok((rule, share))
}

fn rule_state(request: &Request<'_>, attribute: &Attribute<'_>) -> Result<RuleState> {
    RuleState::from_u8(attribute.u8())
        .ok_or_else(|| request.refuse_in(attribute, EINVAL, c_str!("no such state of a rule")))
}

fn weight(request: &Request<'_>, attribute: &Attribute<'_>) -> Result<u8> {
    match attribute.u8() {
        weight @ 0..=100 => Ok(weight),
        _ => Err(request.refuse_in(
            attribute,
            EINVAL,
            c_str!("the load weight must be 0 to 100"),
        )),
    }
}

fn priority(request: &Request<'_>, attribute: &Attribute<'_>) -> Result<u8> {
    let priority = attribute.u8();
    if priority == 0 || usize::from(priority) > HOSTS_MAX {
        return Err(request.refuse_in(
            attribute,
            EINVAL,
            c_str!("the handling priority must be 1 to 64"),
        ));
    }
    Ok(priority)
}

/// Says what the core found wrong with a list of rules, whose rules are the nested attributes of this kind.
pub(crate) fn refuse(request: &Request<'_>, kind: u16, error: RuleError) -> Error {
    let (rule, inner, text) = match error {
        RuleError::TooMany => (RULES_MAX, None, TOO_MANY),
        RuleError::ReversedRange { rule } => (
            rule,
            Some(at::LAST_PORT),
            c_str!("the port range of the rule ends before it begins"),
        ),
        RuleError::PortZero { rule } => (
            rule,
            Some(at::FIRST_PORT),
            c_str!("port 0 is allowed in the range 0-65535 only"),
        ),
        RuleError::UnknownVip { rule } => (
            rule,
            Some(at::VIP),
            c_str!("the address of the rule is no VIP of the cluster"),
        ),
        RuleError::Overlap { rule, .. } => (
            rule,
            None,
            c_str!("the rule covers packets that an earlier rule covers"),
        ),
        RuleError::PrefixV4 { rule } => (
            rule,
            Some(at::PREFIX_V4),
            c_str!("an IPv4 prefix length must be 1 to 32"),
        ),
        RuleError::PrefixV6 { rule } => (
            rule,
            Some(at::PREFIX_V6),
            c_str!("an IPv6 prefix length must be 1 to 128"),
        ),
        RuleError::TunnelAffinity { rule } => (
            rule,
            Some(at::AFFINITY),
            c_str!(
                "affinity none would part a tunnel's data, which has no ports, from its control"
            ),
        ),
    };
    let Some(nest) = request.attributes().filter(|a| a.kind == kind).nth(rule) else {
        return request.refuse(EINVAL, text);
    };
    let place = inner.and_then(|inner| nested(&nest, inner)).unwrap_or(nest);
    request.refuse_in(&place, EINVAL, text)
}
