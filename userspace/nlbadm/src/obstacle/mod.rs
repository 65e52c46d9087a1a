// SPDX-License-Identifier: GPL-2.0-only

//! Obstacles: what on this host keeps packets or heartbeats from a cluster that is set up rightly. One file for each sort.
//!
//! A check looks at one interface, through [`Host`], and says what it found in one line. Those that `show` makes as well
//! are cheap, need no permission, and are silent unless the cluster is concerned.

mod address;
mod arp_ignore;
mod bridge;
mod firewall;
mod ip_vs;
mod manager;
mod member;
mod mtu;
mod nic;
mod program;
mod replaced;
mod reverse_path;
mod service;
mod socket;

use std::net::{IpAddr, Ipv4Addr};

use nlb_netlink::{
    Error,
    device::Link,
    object::{Cluster, PortRule},
};
use serde::Serialize;

pub(crate) use self::{
    bridge::NAME as BRIDGE,
    firewall::check as firewall,
    member::{check as member, module},
    replaced::check as replaced,
    service::check as service,
};
use crate::host::Host;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Ok,
    NotChecked,
    /// It may keep clients from being served.
    Warning,
    /// It keeps clients from being served.
    Problem,
}

impl Verdict {
    /// The name that people read.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::NotChecked => "not checked",
            Verdict::Warning => "warning",
            Verdict::Problem => "problem",
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) check: &'static str,
    /// Null if it is about the host.
    pub(crate) interface: Option<String>,
    pub(crate) verdict: Verdict,
    /// What is wrong, and what it leads to.
    pub(crate) text: String,
    /// What mends it, if anything is known to.
    pub(crate) remedy: Option<String>,
}

impl Finding {
    /// One about the host.
    pub(crate) fn new(check: &'static str, verdict: Verdict, text: impl Into<String>) -> Self {
        Finding {
            check,
            interface: None,
            verdict,
            text: text.into(),
            remedy: None,
        }
    }

    fn remedy(self, remedy: impl Into<String>) -> Self {
        Finding {
            remedy: Some(remedy.into()),
            ..self
        }
    }

    /// Whether it has to be told where nobody has asked for checks.
    pub(crate) fn is_bad(&self) -> bool {
        matches!(self.verdict, Verdict::Warning | Verdict::Problem)
    }

    /// Text and remedy.
    pub(crate) fn line(&self) -> String {
        match &self.remedy {
            Some(remedy) => format!("{}; remedy: {remedy}", self.text),
            None => self.text.clone(),
        }
    }
}

/// The interface that checks look at, and what they have to know of its cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    pub(crate) interface: String,
    pub(crate) index: u32,
    /// The VIPs; none where there is no cluster yet.
    pub(crate) vips: Vec<IpAddr>,
    /// All devices of the namespace.
    pub(crate) links: Vec<Link>,
}

impl Subject {
    /// An interface and the VIPs that it has, or will have.
    pub(crate) fn new(
        host: &mut dyn Host,
        interface: &str,
        index: u32,
        vips: &[IpAddr],
    ) -> Result<Self, Error> {
        Ok(Subject {
            interface: interface.into(),
            index,
            vips: vips.to_vec(),
            links: host.links()?,
        })
    }

    fn finding(&self, check: &'static str, verdict: Verdict, text: impl Into<String>) -> Finding {
        Finding {
            interface: Some(self.interface.clone()),
            ..Finding::new(check, verdict, text)
        }
    }

    fn ok(&self, check: &'static str, text: impl Into<String>) -> Vec<Finding> {
        vec![self.finding(check, Verdict::Ok, text)]
    }

    fn warning(&self, check: &'static str, text: impl Into<String>) -> Finding {
        self.finding(check, Verdict::Warning, text)
    }

    fn problem(&self, check: &'static str, text: impl Into<String>) -> Finding {
        self.finding(check, Verdict::Problem, text)
    }

    fn not_checked(&self, check: &'static str, text: impl Into<String>) -> Vec<Finding> {
        vec![self.finding(check, Verdict::NotChecked, text)]
    }

    /// The cluster interface.
    fn link(&self) -> Option<&Link> {
        self.links.iter().find(|link| link.index == self.index)
    }

    fn name_of(&self, index: u32) -> &str {
        let link = self.links.iter().find(|link| link.index == index);
        link.map_or("another interface", |link| link.name.as_str())
    }

    /// The cluster interface and all that its frames come through: ports of a bond or bridge, what a VLAN is on.
    fn beneath(&self) -> Vec<&Link> {
        let mut found: Vec<&Link> = self.link().into_iter().collect();
        let mut next = 0;
        while let Some(&above) = found.get(next) {
            for link in &self.links {
                let below = link.port_of == Some(above.index) || above.lower == Some(link.index);
                if below && !found.iter().any(|known| known.index == link.index) {
                    found.push(link);
                }
            }
            next += 1;
        }
        found
    }

    /// The IPv4 VIPs.
    fn vips_v4(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.vips.iter().filter_map(|vip| match vip {
            IpAddr::V4(vip) => Some(*vip),
            IpAddr::V6(_) => None,
        })
    }

    /// Whether packets of IPv4 concern the cluster; they may where it has no VIPs yet.
    fn has_v4(&self) -> bool {
        self.vips.is_empty() || self.vips.iter().any(IpAddr::is_ipv4)
    }

    /// Whether packets of IPv6 concern the cluster.
    fn has_v6(&self) -> bool {
        self.vips.is_empty() || self.vips.iter().any(IpAddr::is_ipv6)
    }
}

/// Checks one thing at one interface.
type Check = fn(&Subject, &mut dyn Host) -> Vec<Finding>;

/// Those that `show` makes.
const CHEAP: [Check; 8] = [
    mtu::check,
    reverse_path::check,
    arp_ignore::check,
    program::check,
    bridge::check,
    ip_vs::check,
    address::check,
    manager::check,
];

/// What has to be told of a cluster beside what is asked for: clients that are not answered, and warnings and problems of
/// the checks that cost little. What cannot be read is not told of here.
pub(crate) fn standing(host: &mut dyn Host, cluster: &Cluster, rules: &[PortRule]) -> Vec<Finding> {
    let subject = Subject::new(host, &cluster.ifname, cluster.ifindex, &cluster.vips);
    let Ok(subject) = subject else {
        return Vec::new();
    };
    let mut findings = service(&subject, cluster, rules);
    findings.retain(Finding::is_bad);
    findings.extend(bad(&subject, host, &CHEAP));
    findings
}

/// What has to be told when a cluster is to be made.
pub(crate) fn beforehand(subject: &Subject, host: &mut dyn Host) -> Vec<Finding> {
    let mut findings = bad(subject, host, &CHEAP);
    findings.extend(bad(subject, host, &[nic::check]));
    findings
}

/// Every check of an interface but those that need to know more of its cluster.
pub(crate) fn all(subject: &Subject, host: &mut dyn Host) -> Vec<Finding> {
    CHEAP
        .into_iter()
        .chain([program::tcx as Check, nic::check])
        .flat_map(|check| check(subject, host))
        .collect()
}

fn bad(subject: &Subject, host: &mut dyn Host, checks: &[Check]) -> Vec<Finding> {
    let findings = checks.iter().flat_map(|check| check(subject, host));
    findings.filter(Finding::is_bad).collect()
}

/// A number in a file of the kernel; none if there is none.
fn number(host: &mut dyn Host, path: &str) -> Option<u32> {
    host.read(path).ok()?.trim().parse().ok()
}

/// A parameter of IPv4 as the kernel takes it for an interface: the greater one of its own and that of all.
fn greatest(host: &mut dyn Host, interface: &str, parameter: &str) -> Option<u32> {
    let mut value =
        |name: &str| number(host, &format!("/proc/sys/net/ipv4/conf/{name}/{parameter}"));
    let all = value("all")?;
    value(interface).map(|own| own.max(all))
}

/// The command that sets a parameter of an interface. A name with a dot in it takes slashes.
fn set_parameter(interface: &str, parameter: &str, value: u32) -> String {
    let separator = if interface.contains('.') { '/' } else { '.' };
    let name = ["net", "ipv4", "conf", interface, parameter].join(&separator.to_string());
    format!("`sysctl -w {name}={value}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, port_of: Option<u32>, lower: Option<u32>) -> Link {
        Link {
            index,
            name: format!("d{index}"),
            port_of,
            lower,
            ..Link::default()
        }
    }

    #[test]
    fn what_is_beneath_a_vlan_of_a_bond_is_found() {
        let subject = Subject {
            index: 5,
            links: vec![
                link(1, None, None),
                link(2, Some(4), None),
                link(3, Some(4), None),
                link(4, None, None),
                link(5, None, Some(4)),
            ],
            ..Subject::default()
        };
        let found: Vec<_> = subject.beneath().iter().map(|link| link.index).collect();
        assert_eq!(found, [5, 4, 2, 3]);
    }

    #[test]
    fn names_with_dots_take_slashes() {
        assert_eq!(
            set_parameter("eth0", "rp_filter", 2),
            "`sysctl -w net.ipv4.conf.eth0.rp_filter=2`"
        );
        assert_eq!(
            set_parameter("eth0.5", "rp_filter", 2),
            "`sysctl -w net/ipv4/conf/eth0.5/rp_filter=2`"
        );
    }
}
