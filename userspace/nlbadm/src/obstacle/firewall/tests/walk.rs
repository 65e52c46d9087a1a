// SPDX-License-Identifier: GPL-2.0-only

//! Packets on their way through rulesets.

use std::slice::from_ref;

use serde_json::{Value, json};

use super::super::{
    packet::{Packet, Transport, What},
    ruleset::Ruleset,
    walk::dropped,
};

fn packet(what: What) -> Packet {
    Packet {
        what,
        interface: "eth0".into(),
        beneath: vec!["eth0".into()],
        bridge: false,
    }
}

fn web() -> Packet {
    packet(What::Service {
        vip: "192.0.2.10".parse().unwrap(),
        transport: Transport::Tcp,
        port: 80,
    })
}

fn payload(protocol: &str, field: &str, right: Value) -> Value {
    json!({"match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": field}}, "right": right}})
}

fn meta(key: &str, right: Value) -> Value {
    json!({"match": {"op": "==", "left": {"meta": {"key": key}}, "right": right}})
}

/// Handle of the rule that drops a packet for certain, 0 for the policy; rules are lists of statements.
fn walked(packet: &Packet, chain: Value, rules: &[Value], more: &[Value]) -> Option<u64> {
    let family = chain.get("family").cloned().unwrap_or("inet".into());
    let mut base = json!({"family": family, "table": "t", "name": "base", "type": "filter"});
    for (key, value) in chain.as_object().unwrap() {
        base[key] = value.clone();
    }
    let mut objects = vec![json!({"chain": base})];
    for (index, statements) in rules.iter().enumerate() {
        objects.push(
            json!({"rule": {"family": family, "table": "t", "chain": "base", "handle": index + 1,
            "expr": statements}}),
        );
    }
    objects.extend(more.iter().cloned());
    let text = json!({"nftables": objects}).to_string();
    let (place, certain) = dropped(&Ruleset::parse(&text).unwrap(), packet)?;
    certain.then_some(place.rule.unwrap_or(0))
}

/// The same for a packet to port 80, with a policy.
fn input(policy: &str, rules: &[Value]) -> Option<u64> {
    walked(
        &web(),
        json!({"hook": "input", "policy": policy}),
        rules,
        &[],
    )
}

const ACCEPT: &str = "accept";
const DROP: &str = "drop";

fn then(conditions: &[Value], verdict: &str) -> Value {
    let mut statements = conditions.to_vec();
    statements.push(json!({"counter": {"packets": 0, "bytes": 0}}));
    statements.push(json!({verdict: null}));
    Value::Array(statements)
}

#[test]
fn the_first_rule_that_fits_decides() {
    let port = |right| payload("tcp", "dport", right);
    assert_eq!(input(DROP, &[]), Some(0));
    assert_eq!(input(ACCEPT, &[]), None);
    for right in [
        json!(80),
        json!({"set": [22, 80]}),
        json!({"set": [{"range": [8, 90]}]}),
        json!({"range": [80, 90]}),
    ] {
        assert_eq!(
            input(DROP, &[then(&[port(right.clone())], ACCEPT)]),
            None,
            "{right}"
        );
        assert_eq!(input(ACCEPT, &[then(&[port(right)], DROP)]), Some(1));
    }
    assert_eq!(input(DROP, &[then(&[port(json!(443))], ACCEPT)]), Some(0));
    assert_eq!(
        input(DROP, &[then(&[payload("udp", "dport", json!(80))], ACCEPT)]),
        Some(0)
    );
    let rules = [then(&[port(json!(80))], ACCEPT), then(&[], "reject")];
    assert_eq!(input(ACCEPT, &rules), None);
    let both = [port(json!(80)), meta("iifname", json!("eth*"))];
    assert_eq!(input(ACCEPT, &[then(&both, DROP)]), Some(1));
    assert_eq!(
        input(ACCEPT, &[then(&[meta("iifname", json!("eth1"))], DROP)]),
        None
    );
}

#[test]
fn addresses_and_their_networks_are_compared() {
    for (right, hits) in [
        (json!("192.0.2.10"), true),
        (json!("192.0.2.11"), false),
        (json!({"prefix": {"addr": "192.0.2.0", "len": 24}}), true),
        (json!({"prefix": {"addr": "192.0.3.0", "len": 24}}), false),
        (json!({"range": ["192.0.2.1", "192.0.2.9"]}), false),
    ] {
        let found = input(
            ACCEPT,
            &[then(&[payload("ip", "daddr", right.clone())], DROP)],
        );
        assert_eq!(found, hits.then_some(1), "{right}");
    }
    assert_eq!(
        input(
            ACCEPT,
            &[then(&[payload("ip6", "daddr", json!("::1"))], DROP)]
        ),
        None
    );
}

#[test]
fn usual_rules_of_a_firewall_are_no_obstacle() {
    let state = |right: Value| json!({"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": right}});
    let usual = [
        then(&[state(json!(["established", "related"]))], ACCEPT),
        then(&[state(json!("invalid"))], DROP),
        then(&[payload("ip", "saddr", json!("@blocked"))], DROP),
        then(&[json!({"limit": {"rate": 9, "per": "second"}})], DROP),
        then(&[meta("iifname", json!("lo"))], ACCEPT),
        then(&[payload("icmp", "type", json!("echo-request"))], DROP),
    ];
    assert_eq!(input(ACCEPT, &usual), None);
    assert_eq!(input(DROP, &usual), Some(0));
    let mut with_port = usual.to_vec();
    with_port.push(then(&[payload("tcp", "dport", json!(80))], ACCEPT));
    assert_eq!(input(DROP, &with_port), None);
}

#[test]
fn what_may_accept_keeps_a_drop_from_being_certain() {
    let xt = json!([{"xt": {"type": "match", "name": "multiport"}}, {"accept": null}]);
    assert_eq!(input(DROP, &[xt]), None);
    let client = payload("ip", "saddr", json!("198.51.100.0"));
    let port = payload("tcp", "dport", json!(80));
    assert_eq!(input(DROP, &[then(&[client.clone(), port], ACCEPT)]), None);
    // The administrator's own network is not that of the clients.
    assert_eq!(input(DROP, &[then(&[client], ACCEPT)]), Some(0));
}

#[test]
fn what_iptables_makes_is_understood_as_far_as_nft_tells_of_it() {
    let xt = |kind: &str, name: &str| json!({"xt": {"type": kind, "name": name}});
    let known = json!([xt("match", "conntrack"), {"counter": {}}, {"accept": null}]);
    let port = |more: Value| {
        Value::Array(vec![
            payload("tcp", "dport", json!(80)),
            xt("match", "comment"),
            more,
        ])
    };
    assert_eq!(input(DROP, from_ref(&known)), Some(0));
    assert_eq!(
        input(DROP, &[known.clone(), port(json!({"accept": null}))]),
        None
    );
    assert_eq!(
        input(ACCEPT, &[known, port(xt("target", "REJECT"))]),
        Some(2)
    );
    assert_eq!(input(ACCEPT, &[port(xt("target", "LOG"))]), None);
    // With a port it may be about new connections as well.
    let both = json!([payload("tcp", "dport", json!(80)), xt("match", "state"), {"accept": null}]);
    assert_eq!(input(DROP, &[both]), None);
}

#[test]
fn chains_and_maps_of_verdicts_are_followed() {
    let jump = json!([{"jump": {"target": "web"}}]);
    let more = |verdict: &str| {
        [
            json!({"chain": {"family": "inet", "table": "t", "name": "web"}}),
            json!({"rule": {"family": "inet", "table": "t", "chain": "web", "handle": 9,
                "expr": then(&[payload("tcp", "dport", json!("@ports"))], verdict)}}),
            json!({"set": {"family": "inet", "table": "t", "name": "ports", "elem": [80, 443]}}),
        ]
    };
    let base = |policy: &str| json!({"hook": "input", "policy": policy});
    assert_eq!(
        walked(&web(), base(DROP), from_ref(&jump), &more(ACCEPT)),
        None
    );
    assert_eq!(
        walked(&web(), base(ACCEPT), from_ref(&jump), &more(DROP)),
        Some(9)
    );
    assert_eq!(
        walked(&web(), base(DROP), &[jump], &more("return")),
        Some(0)
    );
    let states = json!([{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [
        ["established", {"accept": null}], ["invalid", {"drop": null}]]}}}]);
    assert_eq!(input(DROP, from_ref(&states)), Some(0));
    assert_eq!(input(ACCEPT, &[states]), None);
    let ports = json!([{"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": {"set": [
        [22, {"drop": null}], [80, {"accept": null}]]}}}]);
    assert_eq!(input(DROP, &[ports]), None);
}

#[test]
fn a_port_of_a_container_is_not_for_the_input() {
    let dnat = [
        json!({"chain": {"family": "ip", "table": "nat", "name": "pre", "type": "nat", "hook": "prerouting"}}),
        json!({"rule": {"family": "ip", "table": "nat", "chain": "pre", "handle": 1, "expr": [
            payload("tcp", "dport", json!(80)), {"dnat": {"addr": "10.88.0.2"}}]}}),
    ];
    let base = json!({"hook": "input", "policy": "drop"});
    assert_eq!(walked(&web(), base, &[], &dnat), None);
}

#[test]
fn heartbeats_come_through_the_ingress_of_their_device() {
    let heartbeat = packet(What::Heartbeat);
    let base = |device: &str| json!({"family": "netdev", "hook": "ingress", "dev": device, "policy": "accept"});
    let drop = then(&[meta("protocol", json!("0x88b5"))], DROP);
    assert_eq!(
        walked(&heartbeat, base("eth0"), from_ref(&drop), &[]),
        Some(1)
    );
    let number = then(&[payload("ether", "type", json!(0x88b5))], DROP);
    assert_eq!(
        walked(&heartbeat, base("eth0"), from_ref(&number), &[]),
        Some(1)
    );
    assert_eq!(
        walked(&heartbeat, base("eth1"), from_ref(&number), &[]),
        None
    );
    assert_eq!(walked(&web(), base("eth0"), &[number], &[]), None);
    let port = then(&[payload("tcp", "dport", json!(80))], DROP);
    assert_eq!(walked(&heartbeat, base("eth0"), &[port], &[]), None);
    // The input of IP is none of their business.
    let input = json!({"hook": "input", "policy": "drop"});
    assert_eq!(walked(&heartbeat, input, &[], &[]), None);
}

#[test]
fn fuzz_nft() {
    let rule = |chain: &str, statements: Value| json!({"rule": {"family": "inet", "table": "t", "chain": chain, "handle": 1, "expr": statements}});
    let base = json!({"chain": {"family": "inet", "table": "t", "name": "base", "type": "filter", "hook": "input",
        "policy": "drop"}});
    let seeds = [
        vec![
            base.clone(),
            rule("base", then(&[payload("tcp", "dport", json!(80))], ACCEPT)),
        ],
        vec![
            base.clone(),
            rule(
                "base",
                json!([{"jump": {"target": "base"}}, {"goto": {"target": "base"}}]),
            ),
        ],
        vec![
            base,
            rule(
                "base",
                json!([{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [
            ["established", {"accept": null}], ["new", {"drop": null}]]}}}]),
            ),
        ],
    ];
    let fuzz = nlb_fuzz::Fuzz::new("nft")
        .seeds(seeds.map(|objects| json!({"nftables": objects}).to_string()));
    fuzz.longest(1000).inputs(5_000).run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let found = Ruleset::parse(&text).map(|ruleset| {
            let found = [web(), packet(What::Heartbeat)].map(|packet| dropped(&ruleset, &packet));
            found.map(|found| found.map(|(place, certain)| format!("{place} {certain}")))
        });
        nlb_fuzz::outcome(format!("{:?}", found.ok()))
    });
}
