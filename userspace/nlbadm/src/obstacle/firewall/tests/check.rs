// SPDX-License-Identifier: GPL-2.0-only

//! The whole check, over what nft prints.

use super::super::*;
use crate::fake::{Fake, rule, subject};

const TABLE: &str = r#"{"table": {"family": "inet", "name": "filter", "handle": 1}}"#;

fn chain(policy: &str) -> String {
    format!(
        r#"{TABLE}, {{"chain": {{"family": "inet", "table": "filter", "name": "input", "handle": 1, "type": "filter",
        "hook": "input", "prio": 0, "policy": "{policy}"}}}}"#
    )
}

fn line(handle: u32, expressions: &str) -> String {
    format!(
        r#", {{"rule": {{"family": "inet", "table": "filter", "chain": "input", "handle": {handle},
        "expr": [{expressions}]}}}}"#
    )
}

const PORT_80: &str = r#"{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}},
    "right": 80}}"#;

/// The findings with these objects of nft, for a host that serves ports 80 and 22.
fn looked(objects: &str, rules: &[PortRule]) -> Vec<Finding> {
    let mut host = Fake::host();
    host.file(
        "/proc/net/tcp",
        "head\n 0: 00000000:0050 00000000:0000 0A\n 1: 00000000:0016 00000000:0000 0A\n",
    );
    host.output = vec![("nft", format!(r#"{{"nftables": [{objects}]}}"#))];
    check(&subject(), rules, &mut host)
}

fn only(objects: &str) -> Finding {
    let mut findings = looked(objects, &[rule(0, 0, u16::MAX)]);
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.remove(0)
}

#[test]
fn a_rule_that_drops_a_port_is_a_problem() {
    let objects = chain("accept") + &line(7, &format!(r#"{PORT_80}, {{"drop": null}}"#));
    let finding = only(&objects);
    assert_eq!(finding.verdict, Verdict::Problem);
    assert_eq!(
        finding.text,
        "a rule of the nft chain inet filter input drops connections to 192.0.2.10 at tcp 80"
    );
    assert!(finding.remedy.unwrap().contains("handle 7"));
}

#[test]
fn a_policy_that_drops_is_a_warning() {
    let objects = chain("drop") + &line(7, &format!(r#"{PORT_80}, {{"accept": null}}"#));
    let finding = only(&objects);
    assert_eq!(finding.verdict, Verdict::Warning);
    assert!(finding.text.ends_with("at tcp 22"), "{}", finding.text);
    let narrow = PortRule {
        protocols: Protocols::Tcp.into(),
        ..rule(0, 80, 80)
    };
    assert_eq!(looked(&objects, &[narrow])[0].verdict, Verdict::Ok);
}

#[test]
fn what_may_have_been_accepted_is_not_checked() {
    let objects = chain("drop") + &line(7, r#"{"fib": {}}, {"xt": null}, {"accept": null}"#);
    let finding = only(&objects);
    assert_eq!(finding.verdict, Verdict::NotChecked);
    assert!(
        finding.text.contains("at tcp 22, tcp 80, unless"),
        "{}",
        finding.text
    );
}

#[test]
fn an_empty_ruleset_drops_nothing() {
    assert_eq!(only("").verdict, Verdict::Ok);
}

#[test]
fn what_cannot_be_looked_at_is_told() {
    let mut host = Fake::host();
    host.file("/proc/net/ip_tables_names", "filter\n");
    let findings = check(&subject(), &[], &mut host);
    let texts: Vec<_> = findings
        .iter()
        .map(|finding| finding.text.as_str())
        .collect();
    assert_eq!(
        texts,
        [
            "rules of iptables-legacy; `iptables-legacy -S` shows them",
            "nft is not installed"
        ]
    );
}

#[test]
fn rules_tell_which_ports_are_in_use() {
    let mut host = Fake::host();
    host.file(
        "/proc/net/tcp",
        "head\n 0: 00000000:0050 00000000:0000 0A\n",
    );
    host.file(
        "/proc/net/udp",
        "head\n 0: 00000000:0035 00000000:0000 07\n",
    );
    let served = Served::read(&mut host);
    let vip: IpAddr = "192.0.2.10".parse().unwrap();
    let ports = |rules: &[PortRule], transport| {
        let ports = ports(rules, &served, transport, vip);
        ports.into_iter().collect::<Vec<_>>()
    };
    let only = |protocols: Protocols, first, last| PortRule {
        protocols: protocols.into(),
        ..rule(0, first, last)
    };
    assert_eq!(ports(&[], Transport::Tcp), [80]);
    assert_eq!(ports(&[rule(0, 0, u16::MAX)], Transport::Udp), [0; 0]);
    assert_eq!(ports(&[rule(0, 53, 53)], Transport::Udp), [53]);
    assert_eq!(ports(&[rule(0, 53, 53)], Transport::Tcp), [0; 0]);
    assert_eq!(
        ports(&[only(Protocols::Tcp, 443, 444)], Transport::Tcp),
        [443, 444]
    );
    assert_eq!(
        ports(&[only(Protocols::Tcp, 443, 444)], Transport::Udp),
        [0; 0]
    );
    let disabled = PortRule {
        mode: FilteringMode::Disabled.into(),
        ..only(Protocols::Tcp, 443, 444)
    };
    assert_eq!(ports(&[disabled], Transport::Tcp), [0; 0]);
}
