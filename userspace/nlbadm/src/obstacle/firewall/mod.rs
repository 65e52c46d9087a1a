// SPDX-License-Identifier: GPL-2.0-only

//! A firewall on this host that drops what nlb has accepted, or heartbeats. The tool `nft` lists the rules; a packet of each
//! port in use is led through them. What a rule that is not understood may have accepted is not checked.

mod compare;
mod packet;
mod ruleset;
#[cfg(test)]
mod tests;
mod walk;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
};

use nlb_core::rules::{FilteringMode, Protocols, RuleState};
use nlb_netlink::object::PortRule;

pub(super) use self::packet::Transport;
use self::{
    packet::{Packet, What},
    ruleset::Ruleset,
    walk::{Place, dropped},
};
use super::{Finding, Subject, Verdict, socket::Served};
use crate::host::Host;

const NAME: &str = "firewall";

/// Ports of a rule that are tried one by one; of a wider one those that a program serves.
const FEW_PORTS: u16 = 64;

/// Tries the firewall, for the rules in force.
pub(crate) fn check(subject: &Subject, rules: &[PortRule], host: &mut dyn Host) -> Vec<Finding> {
    let mut findings = legacy(subject, host);
    let text = match host.run("nft", &["-j", "list", "ruleset"]) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            findings.extend(subject.not_checked(NAME, "nft is not installed"));
            return findings;
        }
        Err(error) => {
            findings.extend(subject.not_checked(NAME, format!("nft: {error}")));
            return findings;
        }
    };
    let ruleset = match Ruleset::parse(&text) {
        Ok(ruleset) => ruleset,
        Err(error) => {
            findings.extend(subject.not_checked(NAME, format!("the output of nft: {error}")));
            return findings;
        }
    };
    let served = Served::read(host);
    let tried = try_all(subject, &ruleset, packets(subject, rules, &served));
    if tried.is_empty() {
        findings.extend(subject.ok(
            NAME,
            "drops neither heartbeats nor connections to ports in use",
        ));
    }
    findings.extend(tried);
    findings
}

/// Rules of the older iptables, which nft does not list.
fn legacy(subject: &Subject, host: &mut dyn Host) -> Vec<Finding> {
    for (file, tool) in [
        ("/proc/net/ip_tables_names", "iptables-legacy"),
        ("/proc/net/ip6_tables_names", "ip6tables-legacy"),
    ] {
        if host.read(file).is_ok_and(|names| !names.trim().is_empty()) {
            return subject.not_checked(NAME, format!("rules of {tool}; `{tool} -S` shows them"));
        }
    }
    Vec::new()
}

/// One packet of each sort that has to pass.
fn packets(subject: &Subject, rules: &[PortRule], served: &Served) -> Vec<What> {
    let mut packets = vec![What::Heartbeat];
    for &vip in &subject.vips {
        for transport in [Transport::Tcp, Transport::Udp] {
            for port in ports(rules, served, transport, vip) {
                packets.push(What::Service {
                    vip,
                    transport,
                    port,
                });
            }
        }
    }
    packets
}

/// The ports of a VIP that are in use: those of rules that name few of one transport, else those that a program serves.
/// (Of UDP, where any program that asks a name server looks like one that serves, by the VIP's own address.)
fn ports(rules: &[PortRule], served: &Served, transport: Transport, vip: IpAddr) -> BTreeSet<u16> {
    let wide = served.ports(transport, vip, transport == Transport::Tcp);
    let narrow = served.ports(transport, vip, true);
    // Without rules the default host serves everything.
    if !rules.iter().any(|rule| !rule.pending) {
        return wide;
    }
    let mut ports = BTreeSet::new();
    let disabled = |rule: &PortRule| {
        rule.mode.is(FilteringMode::Disabled) || rule.state.is(RuleState::Disabled)
    };
    let concerned = rules
        .iter()
        .filter(|rule| !rule.pending && !disabled(rule))
        .filter(|rule| rule.vip.is_none_or(|of| of == vip))
        .filter(|rule| covers(rule, transport));
    for rule in concerned {
        let range = rule.first_port..=rule.last_port;
        let few = rule.last_port.saturating_sub(rule.first_port) < FEW_PORTS;
        match (few, rule.protocols.is(Protocols::Both)) {
            (true, false) => ports.extend(range),
            (true, true) => ports.extend(narrow.range(range)),
            (false, _) => ports.extend(wide.range(range)),
        }
    }
    ports
}

fn covers(rule: &PortRule, transport: Transport) -> bool {
    let own = match transport {
        Transport::Tcp => Protocols::Tcp,
        Transport::Udp => Protocols::Udp,
    };
    rule.protocols.is(own) || rule.protocols.is(Protocols::Both)
}

/// What is dropped, together by what drops it.
fn try_all(subject: &Subject, ruleset: &Ruleset, packets: Vec<What>) -> Vec<Finding> {
    let beneath = subject.beneath();
    let names = beneath.iter().map(|link| link.name.clone()).collect();
    let bridge = subject
        .link()
        .is_some_and(|link| link.kind.as_deref() == Some("bridge"));
    let mut packet = Packet {
        what: What::Heartbeat,
        interface: subject.interface.clone(),
        beneath: names,
        bridge,
    };
    let mut places: BTreeMap<(Place, bool), Vec<What>> = BTreeMap::new();
    for what in packets {
        packet.what = what;
        if let Some(found) = dropped(ruleset, &packet) {
            places.entry(found).or_default().push(what);
        }
    }
    places
        .iter()
        .map(|((place, certain), packets)| finding(subject, place, *certain, packets))
        .collect()
}

fn finding(subject: &Subject, place: &Place, certain: bool, packets: &[What]) -> Finding {
    let mut targets: BTreeMap<IpAddr, Vec<String>> = BTreeMap::new();
    for packet in packets {
        if let What::Service {
            vip,
            transport,
            port,
        } = packet
        {
            let port = format!("{} {port}", transport.name());
            targets.entry(*vip).or_default().push(port);
        }
    }
    let heartbeats = packets.contains(&What::Heartbeat);
    let mut what = Vec::new();
    if heartbeats {
        what.push("heartbeats (EtherType 0x88b5)".to_owned());
    }
    for (vip, ports) in targets {
        what.push(format!("connections to {vip} at {}", ports.join(", ")));
    }
    let text = format!("{place} drops {}", what.join(" and "));
    if !certain {
        let text = format!(
            "{text}, unless a rule accepts them that is about certain clients or not understood here"
        );
        return subject
            .finding(NAME, Verdict::NotChecked, text)
            .remedy(place.remedy());
    }
    // A policy may be meant for ports that are not for clients.
    let finding = if heartbeats || place.rule.is_some() {
        subject.problem(NAME, text)
    } else {
        subject.warning(NAME, text)
    };
    finding.remedy(place.remedy())
}
