// SPDX-License-Identifier: GPL-2.0-only

//! What can be given up: a rule of a cluster on this host, or the host in a cluster; and what the kernel says of it.

use std::{fmt, net::IpAddr};

use nlb_core::{
    genl::Control,
    rules::{FilteringMode, Protocols, Rule, RuleState},
    state::HostState,
};
use nlb_netlink::{
    Error,
    object::{BucketMap, Cluster, ClusterChange, Member, PortRule, RuleChange},
};
use serde::{Deserialize, Serialize};

use crate::{
    hold::{Seen, Stance},
    kernel::Kernel,
};

/// Least difference of two load weights that is worth a change.
const WEIGHT_STEP: u8 = 5;

/// What can be given up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Target {
    /// Name of the cluster.
    pub(crate) cluster: String,
    /// None: the host, with all of its rules.
    pub(crate) rule: Option<Coverage>,
}

/// What a rule covers. Two rules of a cluster never cover the same, and the number of a rule may change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Coverage {
    vip: Option<IpAddr>,
    protocols: u8,
    first_port: u16,
    last_port: u16,
}

impl From<&Rule> for Coverage {
    fn from(rule: &Rule) -> Self {
        Coverage {
            vip: rule.vip,
            protocols: rule.protocols as u8,
            first_port: rule.first_port,
            last_port: rule.last_port,
        }
    }
}

impl Coverage {
    fn is_of(&self, rule: &PortRule) -> bool {
        self.vip == rule.vip
            && self.protocols == rule.protocols.number()
            && (self.first_port, self.last_port) == (rule.first_port, rule.last_port)
    }
}

/// As nlbadm names rules: "tcp 443 of 192.0.2.10".
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Protocols::from_u8(self.protocols) {
            Some(Protocols::Both) | None => {}
            Some(protocols) => write!(f, "{} ", protocols.name())?,
        }
        match (self.first_port, self.last_port) {
            (0, u16::MAX) => f.write_str("all ports")?,
            (first, last) if first == last => write!(f, "{first}")?,
            (first, last) => write!(f, "{first}-{last}")?,
        }
        match self.vip {
            Some(vip) => write!(f, " of {vip}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "cluster {}, rule {rule}", self.cluster),
            None => write!(f, "cluster {}, this host", self.cluster),
        }
    }
}

/// A target as the kernel knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    ifindex: u32,
    /// Number of the rule; none for the host.
    number: Option<u16>,
    /// Load weight of this host there.
    weight: Option<u8>,
}

impl Target {
    /// Where it is, and how it stands; none if there is no such cluster, or no such rule in force.
    ///
    /// # Errors
    ///
    /// If the kernel refuses to tell, or the socket fails.
    pub(crate) fn look(&self, kernel: &mut impl Kernel) -> Result<Option<(Place, Seen)>, Error> {
        let clusters = match kernel.clusters() {
            Err(Error::NoFamily(_)) => return Ok(None),
            other => other?,
        };
        let Some(cluster) = clusters.into_iter().find(|it| it.name == self.cluster) else {
            return Ok(None);
        };
        let ifindex = cluster.ifindex;
        let members = kernel.members(ifindex)?;
        let rules = kernel.rules(ifindex)?;
        let Some(coverage) = &self.rule else {
            let maps = kernel.buckets(ifindex)?;
            let place = Place {
                ifindex,
                number: None,
                weight: cluster.weight,
            };
            return Ok(Some((place, host(&cluster, &members, &rules, &maps))));
        };
        let in_force = |rule: &&PortRule| !rule.pending && coverage.is_of(rule);
        let Some(rule) = rules.iter().find(in_force) else {
            return Ok(None);
        };
        let maps = kernel.buckets(ifindex)?;
        let place = Place {
            ifindex,
            number: Some(rule.number),
            weight: rule.weight.or(cluster.weight),
        };
        Ok(Some((place, of_rule(&cluster, &members, rule, &maps))))
    }
}

impl Place {
    /// Takes no new connections any more.
    pub(crate) fn give_up(self, kernel: &mut impl Kernel) -> Result<(), Error> {
        self.set(kernel, RuleState::Draining, Control::Drain)
    }

    /// Takes new connections again.
    pub(crate) fn take_back(self, kernel: &mut impl Kernel) -> Result<(), Error> {
        self.set(kernel, RuleState::Enabled, Control::Start)
    }

    /// Sets the load weight of this host in a rule, if it differs by so much that buckets are worth moving. Whether it did.
    pub(crate) fn weigh(self, kernel: &mut impl Kernel, weight: u8) -> Result<bool, Error> {
        let (Some(number), Some(now)) = (self.number, self.weight) else {
            return Ok(false);
        };
        if now.abs_diff(weight) < WEIGHT_STEP {
            return Ok(false);
        }
        kernel.change_rule(self.ifindex, number, RuleChange::Weight(weight))?;
        Ok(true)
    }

    fn set(
        self,
        kernel: &mut impl Kernel,
        state: RuleState,
        control: Control,
    ) -> Result<(), Error> {
        match self.number {
            Some(number) => kernel.change_rule(self.ifindex, number, RuleChange::State(state)),
            None => kernel.change(self.ifindex, ClusterChange::Control(control)),
        }
    }
}

/// Whether another member takes new connections.
fn another_serves(members: &[Member]) -> bool {
    let serves = |member: &Member| member.member && member.state.is(HostState::Converged);
    members.iter().any(|member| !member.this && serves(member))
}

fn incarnation(members: &[Member]) -> u64 {
    let this = members.iter().find(|member| member.this);
    this.map_or(0, |member| member.incarnation)
}

/// Whether another host has buckets of a map.
fn another_owns(cluster: &Cluster, map: &BucketMap) -> bool {
    let another = |&owner: &u8| owner != 0 && owner != cluster.host_id;
    map.owners.iter().any(another)
}

/// Whether nobody has buckets of a map.
fn unowned(map: &BucketMap) -> bool {
    !map.owners.is_empty() && map.owners.iter().all(|&owner| owner == 0)
}

fn host(cluster: &Cluster, members: &[Member], rules: &[PortRule], maps: &[BucketMap]) -> Seen {
    let stance = if cluster.state.is(HostState::Draining) {
        Stance::Drains
    } else if cluster.state.is(HostState::Converged) {
        Stance::Takes
    } else if cluster.state.is(HostState::Joining) {
        Stance::Joins
    } else {
        Stance::Otherwise
    };
    let another = another_serves(members);
    let rule_of = |map: &BucketMap| {
        let of_map = |rule: &&PortRule| !rule.pending && rule.number == map.slot;
        rules.iter().find(of_map)
    };
    // Of each map that this host has buckets of, others must have some too, or all at once.
    let shared = maps.iter().all(|map| {
        let rule = rule_of(map);
        let whole = rule.is_none_or(|rule| rule.mode.is(FilteringMode::Single));
        let dropped = rule.is_some_and(|rule| rule.mode.is(FilteringMode::Disabled));
        dropped || whole || !map.owners.contains(&cluster.host_id) || another_owns(cluster, map)
    });
    // A rule that this host itself does not enable, or has no weight in, is not served by taking the host back.
    let missed = |map: &BucketMap| {
        let serves = |rule: &PortRule| {
            let weight = rule.weight.or(cluster.weight);
            rule.state.is(RuleState::Enabled)
                && (rule.mode.is(FilteringMode::Single)
                    || rule.mode.is(FilteringMode::Multiple) && weight != Some(0))
        };
        unowned(map) && rule_of(map).is_some_and(serves)
    };
    let none_owned = !maps.is_empty() && maps.iter().all(unowned);
    Seen {
        stance,
        serves: cluster.state.is(HostState::Converged) || stance == Stance::Drains,
        others: another && shared,
        nobody: none_owned || maps.iter().any(missed),
        incarnation: incarnation(members),
    }
}

fn of_rule(cluster: &Cluster, members: &[Member], rule: &PortRule, maps: &[BucketMap]) -> Seen {
    let stance = if rule.state.is(RuleState::Enabled) {
        Stance::Takes
    } else if rule.state.is(RuleState::Draining) {
        Stance::Drains
    } else {
        Stance::Otherwise
    };
    let map = maps.iter().find(|map| map.slot == rule.number);
    // In mode single one host has all buckets, and whether others would take them shows only when it lets go.
    let others = map.is_some_and(|map| another_owns(cluster, map))
        || rule.mode.is(FilteringMode::Single) && another_serves(members);
    Seen {
        stance,
        serves: cluster.state.is(HostState::Converged),
        others,
        nobody: map.is_some_and(unowned),
        incarnation: incarnation(members),
    }
}
