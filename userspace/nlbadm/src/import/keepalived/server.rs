// SPDX-License-Identifier: GPL-2.0-only

//! Virtual servers of IPVS: they share clients out, as a rule of nlb does.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use nlb_core::{
    genl::Affinity,
    rules::{FilteringMode, HealthAction, Protocols, Rule},
};

use super::block::Item;
use crate::import::{
    draft::{Draft, DraftHost, DraftRule, Rules},
    note::{Kind, Notes},
};
use crate::source::excerpt;

/// A virtual server at an address and a port.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) line: usize,
    pub(super) vip: IpAddr,
    /// None: all.
    port: Option<u16>,
    protocols: Protocols,
    affinity: Affinity,
    checked: bool,
    real: Vec<Real>,
    notes: Notes,
}

/// A real server.
#[derive(Clone, Debug)]
struct Real {
    line: usize,
    address: IpAddr,
    port: Option<u16>,
    weight: u32,
}

/// The virtual servers of a file, those of a group one by one.
pub(super) fn servers(items: &[Item], notes: &mut Notes) -> Vec<Server> {
    let mut servers = Vec::new();
    for item in items.iter().filter(|it| it.keyword() == "virtual_server") {
        match item.word(1) {
            "fwmark" => notes.at(
                Kind::NoCounterpart,
                item.line,
                "a virtual server of a firewall mark: a rule of nlb is chosen by VIP, protocol and ports",
            ),
            "group" => {
                let is_it = |it: &&Item| it.keyword() == "virtual_server_group" && it.word(1) == item.word(2);
                match items.iter().find(is_it) {
                    Some(group) => servers.extend(group.block.iter().filter_map(|it| server(item, &it.words, it.line, notes))),
                    None => notes.at(Kind::NotUnderstood, item.line, format!("no virtual_server_group {}", excerpt(item.word(2)))),
                }
            }
            _ => servers.extend(server(item, item.words.get(1..).unwrap_or_default(), item.line, notes)),
        }
    }
    servers
}

fn endpoint(words: &[String]) -> Option<(IpAddr, Option<u16>)> {
    let [address, rest @ ..] = words else {
        return None;
    };
    let address = address.parse().ok()?;
    match rest.first().map(|port| port.parse()) {
        None => Some((address, None)),
        Some(Ok(0)) => Some((address, None)),
        Some(port) => Some((address, Some(port.ok()?))),
    }
}

/// A server whose address and port are these words.
fn server(item: &Item, words: &[String], line: usize, notes: &mut Notes) -> Option<Server> {
    let Some((vip, port)) = endpoint(words) else {
        let text = format!("the virtual server {}", excerpt(&words.join(" ")));
        notes.at(Kind::NotUnderstood, line, text);
        return None;
    };
    if crate::endpoint::usable_vip(&vip.to_string()).is_err() {
        notes.at(Kind::NotUnderstood, line, format!("{vip} cannot be a VIP"));
        return None;
    }
    let mut server = Server {
        line,
        vip,
        port,
        protocols: Protocols::Tcp,
        affinity: Affinity::None,
        checked: false,
        real: Vec::new(),
        notes: Notes::default(),
    };
    for item in &item.block {
        server.read(item);
    }
    Some(server)
}

impl Server {
    fn read(&mut self, item: &Item) {
        let (kind, text) = match item.keyword() {
            "protocol" => match item.word(1).to_ascii_uppercase().as_str() {
                "TCP" => return,
                "UDP" => {
                    self.protocols = Protocols::Udp;
                    return;
                }
                other => (Kind::NotUnderstood, format!("protocol {}", excerpt(other))),
            },
            "persistence_timeout" => {
                self.affinity = Affinity::Single;
                let text = "persistence_timeout is affinity single: a client keeps its host for as long as that host takes part";
                (Kind::Differs, text.into())
            }
            "persistence_granularity" => {
                self.affinity = Affinity::Network;
                let text = "persistence_granularity is affinity network, of a /24 or /64: `prefix-v4` and `prefix-v6` change that";
                (Kind::Decide, text.into())
            }
            "lb_algo" | "lvs_sched" if matches!(item.word(1), "sh" | "mh" | "dh") => {
                self.affinity = Affinity::Single;
                return;
            }
            "lb_algo" | "lvs_sched" => (
                Kind::Differs,
                format!(
                    "{} {}: nlb shares by a hash of the client and by load weights, not by load",
                    item.keyword(),
                    item.word(1)
                ),
            ),
            "lb_kind" | "lvs_method" => match item.word(1) {
                "DR" => return,
                other => (
                    Kind::Decide,
                    format!(
                        "{} {other}: the hosts of a cluster are on the segment of the VIP; see that they are",
                        item.keyword()
                    ),
                ),
            },
            "real_server" => return self.read_real(item),
            "sorry_server" => (
                Kind::NoCounterpart,
                "sorry_server: where no host serves, nobody answers".into(),
            ),
            word if is_checker(word) => {
                self.checked = true;
                return;
            }
            word if SILENT.contains(&word) => (
                Kind::NoCounterpart,
                format!("{word}: it is about keepalived's checks or about IPVS"),
            ),
            word => (
                Kind::NotUnderstood,
                format!("{} in a virtual server", excerpt(word)),
            ),
        };
        self.notes.at(kind, item.line, text);
    }

    fn read_real(&mut self, item: &Item) {
        let Some((address, port)) = endpoint(item.words.get(1..).unwrap_or_default()) else {
            let words = item.words.join(" ");
            self.notes
                .at(Kind::NotUnderstood, item.line, excerpt(&words));
            return;
        };
        let mut real = Real {
            line: item.line,
            address,
            port,
            weight: 1,
        };
        for item in &item.block {
            match item.keyword() {
                "weight" => match item.word(1).parse() {
                    Ok(weight) => real.weight = weight,
                    Err(_) => {
                        let text = format!("the weight {}", excerpt(item.word(1)));
                        self.notes.at(Kind::NotUnderstood, item.line, text);
                    }
                },
                word if is_checker(word) => {
                    self.checked = true;
                    let text = format!(
                        "{word}: `health = \"passive\"` is written: a host whose service does not answer gives its clients to the \
                         others, and no check has to be sent"
                    );
                    self.notes.at(Kind::Differs, item.line, text);
                }
                word if SILENT.contains(&word) || word.starts_with("notify") => {
                    let text = format!("{word}: it is about keepalived's checks or about IPVS");
                    self.notes.at(Kind::NoCounterpart, item.line, text);
                }
                word => {
                    let text = format!("{} in a real server", excerpt(word));
                    self.notes.at(Kind::NotUnderstood, item.line, text);
                }
            }
        }
        self.real.push(real);
    }

    fn rule(&self, hosts: &[DraftHost], notes: &mut Notes) -> DraftRule {
        let mut rule = DraftRule::new(
            self.line,
            Rule {
                vip: Some(self.vip),
                protocols: self.protocols,
                first_port: self.port.unwrap_or(0),
                last_port: self.port.unwrap_or(u16::MAX),
                mode: FilteringMode::Multiple,
                health: match self.checked {
                    true => HealthAction::Passive,
                    false => HealthAction::Report,
                },
                ..Rule::all(self.affinity)
            },
        );
        let scaled = scale(&self.real);
        if scaled
            .values()
            .zip(scaled.values().skip(1))
            .any(|(a, b)| a != b)
            || scaled.len() < hosts.len()
        {
            rule.weights = hosts
                .iter()
                .map(|host| {
                    (
                        host.id,
                        host.dedicated
                            .and_then(|it| scaled.get(&it))
                            .copied()
                            .unwrap_or(0),
                    )
                })
                .collect();
        }
        for real in self.real.iter().filter(|real| real.port != self.port) {
            if let (Some(port), Some(own)) = (real.port, self.port) {
                let to = SocketAddr::new(real.address, port);
                let text = format!(
                    "{to}: nlb changes no packets; the service listens on port {own} of {} on each host",
                    self.vip
                );
                notes.at(Kind::Decide, real.line, text);
            }
        }
        rule
    }
}

/// Weights from 0 to 100, in proportion to those of real servers.
fn scale(real: &[Real]) -> BTreeMap<IpAddr, u8> {
    let most = real.iter().map(|it| it.weight).max().unwrap_or(0).max(1);
    real.iter()
        .map(|it| {
            let weight = match most {
                0..=100 => it.weight,
                _ if it.weight == 0 => 0,
                _ => u32::try_from(u64::from(it.weight) * 100 / u64::from(most))
                    .unwrap_or(100)
                    .max(1),
            };
            (it.address, u8::try_from(weight).unwrap_or(100))
        })
        .collect()
}

fn is_checker(word: &str) -> bool {
    word.ends_with("_CHECK") || matches!(word, "HTTP_GET" | "SSL_GET" | "FILE_CHECK")
}

/// Keywords of checks and of IPVS.
const SILENT: [&str; 22] = [
    "delay_loop",
    "delay_before_retry",
    "retry",
    "warmup",
    "alpha",
    "omega",
    "ops",
    "quorum",
    "hysteresis",
    "quorum_up",
    "quorum_down",
    "ha_suspend",
    "virtualhost",
    "inhibit_on_failure",
    "smtp_alert",
    "no_smtp_alert",
    "uthreshold",
    "lthreshold",
    "connect_timeout",
    "lvs_sync",
    "mh-port",
    "ip_family",
];

/// Adds the rules and hosts of servers to a draft.
pub(super) fn apply(draft: &mut Draft, servers: &[&Server]) {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for server in servers {
        draft.notes.extend(&server.notes);
        for real in &server.real {
            if !addresses.contains(&real.address) && !draft.vips.contains(&real.address) {
                addresses.push(real.address);
            }
        }
    }
    draft.hosts = (1..=u8::MAX)
        .zip(&addresses)
        .map(|(id, address)| DraftHost {
            dedicated: Some(*address),
            ..DraftHost::new(id)
        })
        .collect();
    let mut notes = Notes::default();
    let rules = servers.iter().map(|it| it.rule(&draft.hosts, &mut notes));
    draft.rules = Rules::List(rules.collect());
    draft.notes.extend(&notes);
    let text = "the real servers are the hosts of the cluster, each with its address as the dedicated one; the directors are not \
                needed any more. VIPs on the loopback of real servers and settings of arp_ignore for them go: `nlbadm doctor` tells";
    draft.notes.whole(Kind::Differs, text);
}
