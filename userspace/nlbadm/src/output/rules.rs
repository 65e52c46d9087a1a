// SPDX-License-Identifier: GPL-2.0-only

//! The port rules of a cluster: those in force, and those that wait for other hosts.

use std::net::IpAddr;

use nlb_core::rules::FilteringMode;
use nlb_netlink::object::{Cluster, Member, PortRule};
use serde::Serialize;

use super::{
    Report,
    buckets::share_percent,
    table::table,
    text::{hex, ids, percent},
};
use crate::rulename;

/// Answer of `rules`.
#[derive(Debug, Serialize)]
pub(crate) struct RulesShape {
    pub(crate) interface: String,
    /// Load weight of this host in rules that do not name one.
    pub(crate) weight: Option<u8>,
    pub(crate) rules: Vec<RuleShape>,
    /// Null if no rules wait for other hosts.
    pub(crate) pending: Option<PendingShape>,
}

/// Rules that wait for other hosts.
#[derive(Debug, Serialize)]
pub(crate) struct PendingShape {
    pub(crate) digest: String,
    pub(crate) waits_for: Vec<u8>,
    pub(crate) rules: Vec<RuleShape>,
}

/// A port rule.
#[derive(Debug, Serialize)]
pub(crate) struct RuleShape {
    pub(crate) number: u16,
    /// Null: all.
    pub(crate) vip: Option<IpAddr>,
    pub(crate) protocols: String,
    pub(crate) first_port: u16,
    pub(crate) last_port: u16,
    pub(crate) mode: String,
    pub(crate) affinity: String,
    pub(crate) prefix_v4: u8,
    pub(crate) prefix_v6: u8,
    pub(crate) track: String,
    /// What a host does when it answers nothing of the rule.
    pub(crate) health_action: String,
    /// Null: that of the host.
    pub(crate) weight: Option<u8>,
    /// Null: the host id.
    pub(crate) priority: Option<u8>,
    pub(crate) state: String,
    pub(crate) buckets: Option<u32>,
    pub(crate) share_percent: Option<f64>,
    pub(crate) accepted: Option<u64>,
    pub(crate) dropped: Option<u64>,
    /// Whether what this host served is answered.
    pub(crate) health: String,
    /// Whether this host takes buckets of the rule.
    pub(crate) stance: String,
    /// What it covers, and what the affinity looks at, for people.
    #[serde(skip)]
    pub(crate) text: [String; 2],
}

impl RulesShape {
    pub(crate) fn new(cluster: &Cluster, members: &[Member], rules: &[PortRule]) -> Self {
        let list = |pending: bool| {
            let rules = rules.iter().filter(|rule| rule.pending == pending);
            rules.map(RuleShape::new).collect()
        };
        RulesShape {
            interface: cluster.ifname.clone(),
            weight: cluster.weight,
            rules: list(false),
            pending: cluster.pending.map(|digest| PendingShape {
                digest: hex(digest),
                waits_for: waiting_hosts(cluster, members),
                rules: list(true),
            }),
        }
    }
}

impl RuleShape {
    fn new(rule: &PortRule) -> Self {
        // What nobody serves has no buckets of its own.
        let is_served = !rule.mode.is(FilteringMode::Disabled);
        let owned = rule.buckets_owned.filter(|_| is_served);
        RuleShape {
            number: rule.number,
            vip: rule.vip,
            protocols: rule.protocols.to_string(),
            first_port: rule.first_port,
            last_port: rule.last_port,
            mode: rule.mode.to_string(),
            affinity: rule.affinity.to_string(),
            prefix_v4: rule.prefix_v4,
            prefix_v6: rule.prefix_v6,
            track: rule.track.to_string(),
            health_action: rule.health_action.to_string(),
            weight: rule.weight,
            priority: rule.priority,
            state: rule.state.to_string(),
            buckets: owned,
            share_percent: owned.map(|buckets| share_percent(buckets as usize)),
            accepted: rule.accepted,
            dropped: rule.dropped,
            health: rule.health.to_string(),
            stance: rule.stance.to_string(),
            text: [rulename::ports(rule), rulename::affinity(rule)],
        }
    }
}

/// The members that have not staged the rules that wait on this host; nobody if none wait.
pub(crate) fn waiting_hosts(cluster: &Cluster, members: &[Member]) -> Vec<u8> {
    let lacks = |member: &&Member| {
        cluster.pending.is_some()
            && member.member
            && !member.this
            && member.pending != cluster.pending
    };
    let hosts = members.iter().filter(lacks);
    hosts.map(|member| member.host_id).collect()
}

/// Answer of `rules apply`.
#[derive(Debug, Serialize)]
pub(crate) struct AppliedShape {
    pub(crate) rules: usize,
    pub(crate) in_force: bool,
    pub(crate) waits_for: Vec<u8>,
}

/// Answer of `rules check`.
#[derive(Debug, Serialize)]
pub(crate) struct CheckedShape {
    pub(crate) rules: usize,
}

impl Report for RulesShape {
    fn human(&self) -> String {
        let mut text = rules(&self.rules);
        if let Some(pending) = &self.pending {
            text.push_str(&format!(
                "\nnew rules, which {}:\n",
                waiting(&pending.waits_for)
            ));
            text.push_str(&rules(&pending.rules));
        }
        text
    }
}

fn rules(rules: &[RuleShape]) -> String {
    if rules.is_empty() {
        return "no rules: the default host serves everything\n".into();
    }
    let heading = [
        "rule",
        "vip",
        "protocols",
        "ports",
        "mode",
        "affinity",
        "weight",
        "state",
        "share",
    ];
    table("", heading, rules.iter().map(rule))
}

fn rule(rule: &RuleShape) -> Vec<String> {
    let [ports, affinity] = &rule.text;
    let single = rule.mode == FilteringMode::Single.name();
    let is_served = rule.mode != FilteringMode::Disabled.name();
    let part = match (rule.weight, rule.priority) {
        _ if !is_served => "-".into(),
        (_, Some(priority)) if single => format!("priority {priority}"),
        (_, None) if single => "priority by host id".into(),
        (Some(weight), _) => weight.to_string(),
        (None, _) => "of the host".into(),
    };
    vec![
        rule.number.to_string(),
        rule.vip.map_or_else(|| "all".into(), |vip| vip.to_string()),
        rule.protocols.clone(),
        ports.clone(),
        rule.mode.clone(),
        affinity.clone(),
        part,
        if is_served {
            rule.state.clone()
        } else {
            "-".into()
        },
        rule.share_percent.map_or_else(|| "-".into(), percent),
    ]
}

/// Whom rules wait for.
pub(super) fn waiting(hosts: &[u8]) -> String {
    match hosts {
        [] => "are about to come into force".into(),
        [host] => format!("wait until host {host} has the same"),
        hosts => format!("wait until hosts {} have the same", ids(hosts)),
    }
}

impl Report for AppliedShape {
    fn human(&self) -> String {
        if self.in_force {
            "in force\n".into()
        } else {
            format!("staged; they {}\n", waiting(&self.waits_for))
        }
    }
}

impl Report for CheckedShape {
    fn human(&self) -> String {
        match self.rules {
            0 => "no rules: the default host serves everything\n".into(),
            1 => "1 rule, nothing wrong with it\n".into(),
            number => format!("{number} rules, nothing wrong with them\n"),
        }
    }
}
