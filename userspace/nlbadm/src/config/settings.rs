// SPDX-License-Identifier: GPL-2.0-only

//! All that one host is set to in a cluster, whether a file says so or the module does.

use std::net::IpAddr;

use nlb_core::{
    genl::{Affinity, Echo, Mode, Responder},
    mac::{Mac, virtual_mac},
    rules::{Rule, RuleState},
};
use nlb_netlink::{
    Code, Named,
    object::{Cluster, ClusterKey, NewCluster, NewRule, PortRule, SettingsChange},
};

use crate::failure::{Exit, Failure};

/// The address by which a host calls itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dedicated {
    /// The first of the interface, whichever that is.
    Follows,
    /// This one.
    Is(IpAddr),
    /// One that the interface does not have now; the module does not say which.
    Missing,
}

/// All that one host is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) cluster: String,
    pub(crate) interface: String,
    pub(crate) host_id: u8,
    pub(crate) vips: Vec<IpAddr>,
    pub(crate) mode: Mode,
    /// Where it is not the one that mode and VIPs lead to.
    pub(crate) virtual_mac: Option<Mac>,
    pub(crate) period_ms: u32,
    pub(crate) tolerance: u32,
    pub(crate) echo: Echo,
    pub(crate) responder: Responder,
    pub(crate) allow_other_interfaces: bool,
    pub(crate) sessions_max: u32,
    pub(crate) dedicated: Dedicated,
    pub(crate) weight: u8,
    /// Id of the key that frames are sent with; none in a cluster without a key.
    pub(crate) key_id: Option<u8>,
    pub(crate) rules: Vec<NewRule>,
}

impl Settings {
    /// What the module has. Where rules and settings wait for the other hosts, it is these: they were asked for last.
    ///
    /// # Errors
    ///
    /// If a value is of a newer module than this program.
    pub(crate) fn running(cluster: &Cluster, rules: &[PortRule]) -> Result<Self, Failure> {
        let mode = known(cluster.mode, "mode")?;
        let waiting = cluster.pending.is_some();
        let staged = &cluster.staged;
        let rules = rules.iter().filter(|rule| rule.pending == waiting);
        Ok(Settings {
            cluster: cluster.name.clone(),
            interface: cluster.ifname.clone(),
            host_id: cluster.host_id,
            vips: match staged.vips.as_slice() {
                [] => cluster.vips.clone(),
                vips => vips.to_vec(),
            },
            mode,
            virtual_mac: given_mac(cluster, mode),
            period_ms: staged.period_ms.unwrap_or(cluster.period_ms),
            tolerance: staged.tolerance.unwrap_or(cluster.tolerance),
            echo: known(staged.echo.unwrap_or(cluster.echo), "echo")?,
            responder: known(staged.responder.unwrap_or(cluster.responder), "responder")?,
            allow_other_interfaces: cluster.allow_other_interfaces,
            sessions_max: cluster.sessions_max.unwrap_or_default(),
            dedicated: match (cluster.dedicated_follows, cluster.dedicated_ip) {
                (true, _) => Dedicated::Follows,
                (false, Some(address)) => Dedicated::Is(address),
                (false, None) => Dedicated::Missing,
            },
            weight: cluster.weight.unwrap_or_default(),
            key_id: cluster.key_id,
            rules: rules.map(new_rule).collect::<Result<_, _>>()?,
        })
    }

    /// The request that makes it, but for the interface's index and address, which `up` looks for.
    pub(crate) fn request(&self, key: ClusterKey) -> NewCluster {
        NewCluster {
            ifindex: 0,
            name: self.cluster.clone(),
            host_id: self.host_id,
            mode: self.mode,
            vips: self.vips.clone(),
            dedicated_ip: None,
            dedicated_follows: self.dedicated == Dedicated::Follows,
            affinity: Affinity::Single,
            period_ms: self.period_ms,
            tolerance: self.tolerance,
            weight: Some(self.weight),
            key,
            rules: Some(self.rules.clone()),
            virtual_mac: self.virtual_mac,
            allow_other_interfaces: self.allow_other_interfaces,
            echo: self.echo,
            responder: self.responder,
            sessions_max: Some(self.sessions_max),
        }
    }

    /// All that all hosts share and that can change while the cluster serves, as one change.
    pub(crate) fn shared(&self) -> SettingsChange {
        SettingsChange {
            vips: Some(self.vips.clone()),
            period_ms: Some(self.period_ms),
            tolerance: Some(self.tolerance),
            echo: Some(self.echo),
            responder: Some(self.responder),
            rules: Some(self.rules.clone()),
        }
    }

    /// What of that is other than in these settings; none if nothing but the rules is.
    pub(crate) fn shared_change(&self, from: &Settings) -> Option<SettingsChange> {
        let change = SettingsChange {
            vips: (self.vips != from.vips).then(|| self.vips.clone()),
            period_ms: (self.period_ms != from.period_ms).then_some(self.period_ms),
            tolerance: (self.tolerance != from.tolerance).then_some(self.tolerance),
            echo: (self.echo != from.echo).then_some(self.echo),
            responder: (self.responder != from.responder).then_some(self.responder),
            rules: None,
        };
        (!change.is_empty()).then(|| SettingsChange {
            rules: (self.rules != from.rules).then(|| self.rules.clone()),
            ..change
        })
    }

    /// The same, without a virtual MAC if it is the one that mode and VIPs lead to anyway.
    pub(crate) fn with_mac(self, given: Option<Mac>) -> Self {
        let own = derived_macs(self.mode, &self.vips);
        Settings {
            virtual_mac: given.filter(|given| !own.contains(&Some(*given))),
            ..self
        }
    }
}

fn known<T: Named>(code: Code<T>, what: &str) -> Result<T, Failure> {
    code.known().ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            format!("the module has a {what} that this nlbadm does not know ({code}): it is of another version"),
        )
    })
}

fn new_rule(rule: &PortRule) -> Result<NewRule, Failure> {
    Ok(NewRule {
        rule: Rule {
            vip: rule.vip,
            protocols: known(rule.protocols, "protocol")?,
            first_port: rule.first_port,
            last_port: rule.last_port,
            mode: known(rule.mode, "filtering mode")?,
            affinity: known(rule.affinity, "affinity")?,
            prefix_v4: rule.prefix_v4,
            prefix_v6: rule.prefix_v6,
            track: known(rule.track, "way of tracking")?,
            health: known(rule.health_action, "health action")?,
            // What the host does about it stays: `enable`, `disable` and `drain` are not of the file.
            state: RuleState::Enabled,
        },
        weight: rule.weight,
        priority: rule.priority,
        state: None,
    })
}

/// The virtual MACs that mode and VIPs lead to, for IPv4 and for IPv6 VIPs, where there are such.
fn derived_macs(mode: Mode, vips: &[IpAddr]) -> [Option<Mac>; 2] {
    [IpAddr::is_ipv4, IpAddr::is_ipv6].map(|family: fn(&IpAddr) -> bool| {
        let first = vips.iter().find(|vip| family(vip))?;
        // Only groups of IP multicast are of a family.
        let from = if mode == Mode::Igmp {
            first
        } else {
            vips.first()?
        };
        Some(virtual_mac(mode, *from))
    })
}

/// The virtual MAC that was given for a cluster, if one was.
fn given_mac(cluster: &Cluster, mode: Mode) -> Option<Mac> {
    let [v4, v6] = derived_macs(mode, &cluster.vips);
    let first = cluster.virtual_mac?;
    // The module tells one MAC if both families have the same, or there is one family.
    let second = cluster.virtual_mac_v6.unwrap_or(first);
    let pairs = match v4 {
        Some(_) => [(v4, first), (v6, second)],
        None => [(v6, first), (v6, first)],
    };
    let other = pairs
        .into_iter()
        .find(|(own, is)| own.is_some_and(|own| own != *is));
    other.map(|(_, is)| is)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;

    fn given(mode: Mode, vips: &[&str], v4: Mac, v6: Option<Mac>) -> Option<Mac> {
        let mut cluster = fake::cluster(2, "eth0");
        cluster.vips = vips.iter().map(|vip| vip.parse().unwrap()).collect();
        cluster.mode = mode.into();
        cluster.virtual_mac = Some(v4);
        cluster.virtual_mac_v6 = v6;
        Settings::running(&cluster, &[]).unwrap().virtual_mac
    }

    #[test]
    fn a_virtual_mac_counts_where_it_is_not_derived() {
        let other = [0x03, 1, 2, 3, 4, 5];
        let v4 = "192.0.2.10";
        let v6 = "2001:db8::10";
        for mode in [Mode::Unicast, Mode::Multicast] {
            for vips in [&[v4, v6][..], &[v6, v4], &[v6], &[v4]] {
                let own = virtual_mac(mode, vips[0].parse().unwrap());
                assert_eq!(given(mode, vips, own, None), None, "{mode:?} {vips:?}");
                assert_eq!(given(mode, vips, other, None), Some(other));
            }
        }
        let [own4, own6] = [v4, v6].map(|vip| virtual_mac(Mode::Igmp, vip.parse().unwrap()));
        let (group4, group6) = ([1, 0, 0x5e, 1, 2, 3], [0x33, 0x33, 1, 2, 3, 4]);
        assert_eq!(given(Mode::Igmp, &[v4, v6], own4, Some(own6)), None);
        assert_eq!(
            given(Mode::Igmp, &[v6, v4], group4, Some(own6)),
            Some(group4)
        );
        assert_eq!(
            given(Mode::Igmp, &[v4, v6], own4, Some(group6)),
            Some(group6)
        );
        assert_eq!(given(Mode::Igmp, &[v6], own6, None), None);
        assert_eq!(given(Mode::Igmp, &[v6], group6, None), Some(group6));
    }

    #[test]
    fn rules_that_wait_are_those_that_count() {
        let mut cluster = fake::cluster(2, "eth0");
        let mut waiting = fake::rule(0, 443, 443);
        waiting.pending = true;
        let rules = [fake::rule(0, 80, 80), waiting];
        let ports = |cluster: &Cluster| {
            let settings = Settings::running(cluster, &rules).unwrap();
            let ports = settings.rules.iter().map(|new| new.rule.first_port);
            ports.collect::<Vec<_>>()
        };
        assert_eq!(ports(&cluster), [80]);
        cluster.pending = Some(7);
        assert_eq!(ports(&cluster), [443]);
    }

    #[test]
    fn a_value_of_a_newer_module_is_no_value_of_ours() {
        let mut cluster = fake::cluster(2, "eth0");
        cluster.echo = Code::from_number(99);
        let failure = Settings::running(&cluster, &[]).unwrap_err();
        assert!(failure.message.contains("unknown-99"), "{failure}");
    }
}
