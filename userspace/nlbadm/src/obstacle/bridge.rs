// SPDX-License-Identifier: GPL-2.0-only

//! A cluster on a bridge whose packets go through iptables while they are bridged, before the bridge's own ingress where nlb
//! is: a published port of a container takes connections to a VIP there, whosever they are. `up` refuses that.

use super::{Finding, Subject, number};
use crate::host::Host;

pub(crate) const NAME: &str = "br_netfilter";

pub(super) fn check(subject: &Subject, host: &mut dyn Host) -> Vec<Finding> {
    let interface = &subject.interface;
    let bridge = subject
        .link()
        .filter(|link| link.kind.as_deref() == Some("bridge"));
    let Some(bridge) = bridge else {
        return subject.ok(NAME, format!("{interface} is no bridge"));
    };
    let mut findings = Vec::new();
    for (concerned, own, family, name) in [
        (
            subject.has_v4(),
            bridge.bridge_filters.0,
            "IPv4",
            "nf_call_iptables",
        ),
        (
            subject.has_v6(),
            bridge.bridge_filters.1,
            "IPv6",
            "nf_call_ip6tables",
        ),
    ] {
        let parameter = format!("bridge-{}", name.replace('_', "-"));
        // Without the module there is no parameter, and the bridge's own setting does nothing.
        let all = number(host, &format!("/proc/sys/net/bridge/{parameter}"));
        let Some(all) = all.filter(|_| concerned) else {
            continue;
        };
        let mut commands = Vec::new();
        if all != 0 {
            commands.push(format!("`sysctl -w net.bridge.{parameter}=0`"));
        }
        if own {
            commands.push(format!("`ip link set {interface} type bridge {name} 0`"));
        }
        if !commands.is_empty() {
            let text = format!(
                "br_netfilter gives iptables the {family} packets of bridge {interface} before nlb gets them: DNAT, as \
                 for a container's published port, takes connections to a VIP on every host"
            );
            findings.push(subject.problem(NAME, text).remedy(commands.join(" and ")));
        }
    }
    if findings.is_empty() {
        findings = subject.ok(NAME, format!("bridge {interface} does without iptables"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fake::{Fake, subject},
        obstacle::Verdict,
    };

    /// The verdict and the remedies, for a bridge or another interface.
    fn looked(kind: Option<&str>, own: (bool, bool), files: &[(&str, &str)]) -> (Verdict, String) {
        let mut subject = subject();
        subject.links[1].kind = kind.map(str::to_owned);
        subject.links[1].bridge_filters = own;
        let mut host = Fake::host();
        for (name, value) in files {
            host.file(
                &format!("/proc/sys/net/bridge/bridge-nf-call-{name}"),
                value,
            );
        }
        let findings = check(&subject, &mut host);
        let remedies = findings.iter().filter_map(|finding| finding.remedy.clone());
        (findings[0].verdict, remedies.collect())
    }

    #[test]
    fn a_bridge_must_do_without_iptables() {
        let on: &[_] = &[("iptables", "1\n"), ("ip6tables", "0\n")];
        let (verdict, remedy) = looked(Some("bridge"), (false, false), on);
        assert_eq!(verdict, Verdict::Problem);
        assert_eq!(remedy, "`sysctl -w net.bridge.bridge-nf-call-iptables=0`");
        let off: &[_] = &[("iptables", "0\n"), ("ip6tables", "0\n")];
        let (verdict, remedy) = looked(Some("bridge"), (false, true), off);
        assert_eq!(verdict, Verdict::Problem);
        assert_eq!(remedy, "`ip link set eth0 type bridge nf_call_ip6tables 0`");
        assert_eq!(looked(Some("bridge"), (false, false), off).0, Verdict::Ok);
    }

    #[test]
    fn other_interfaces_and_hosts_without_the_module_are_fine() {
        let on: &[_] = &[("iptables", "1\n")];
        assert_eq!(looked(None, (false, false), on).0, Verdict::Ok);
        assert_eq!(looked(Some("bridge"), (true, true), &[]).0, Verdict::Ok);
    }
}
