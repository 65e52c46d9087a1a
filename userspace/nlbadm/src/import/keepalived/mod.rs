// SPDX-License-Identifier: GPL-2.0-only

//! keepalived.conf: the addresses of VRRP instances, and what virtual servers tell of rules and hosts.
//!
//! The VRRP instances of an interface are one cluster. Where virtual servers of IPVS have its addresses, their real
//! servers are its hosts: with nlb they share the clients without a director. Else one host serves everything, as with VRRP.

mod block;
mod keyword;
mod server;

use std::net::IpAddr;

use self::{
    block::Item,
    server::{Server, servers},
};
use super::{
    draft::{Draft, DraftHost, Rules},
    note::{Kind, Notes},
};
use crate::source::excerpt;

/// A VRRP instance.
struct Instance<'a> {
    item: &'a Item,
    interface: Option<&'a str>,
}

pub(super) fn read(text: &str) -> Vec<Draft> {
    let mut notes = Notes::default();
    let items = block::parse(text, &mut notes);
    let instances: Vec<_> = items
        .iter()
        .filter(|item| item.keyword() == "vrrp_instance")
        .map(|item| Instance {
            item,
            interface: item.get("interface").map(|it| it.word(1)),
        })
        .collect();
    let servers = servers(&items, &mut notes);
    let name = top(&items, &mut notes);
    let mut interfaces: Vec<Option<&str>> = Vec::new();
    for instance in &instances {
        if !interfaces.contains(&instance.interface) {
            interfaces.push(instance.interface);
        }
    }
    let mut drafts: Vec<Draft> = interfaces
        .into_iter()
        .map(|interface| {
            let own = instances.iter().filter(|it| it.interface == interface);
            cluster(interface, own, &servers, &name, &notes)
        })
        .collect();
    strangers(&servers, &mut drafts, &notes);
    drafts
}

/// What stands outside of instances and servers; the name of this host, if it is told.
fn top(items: &[Item], notes: &mut Notes) -> Option<String> {
    let mut name = None;
    for item in items {
        match item.keyword() {
            "vrrp_instance" | "virtual_server" | "virtual_server_group" => {}
            "global_defs" => {
                let id = item.get("router_id").map(|it| it.word(1).to_owned());
                name = id.filter(|name| !name.is_empty());
                notes.at(
                    Kind::NoCounterpart,
                    item.line,
                    "global_defs: mails and settings of keepalived itself; `nlbadm monitor -j` prints events for other programs",
                );
            }
            "vrrp_script" => {
                let script = item.get("script").map(|it| it.words.get(1..).unwrap_or_default().join(" "));
                let text = format!(
                    "the check {} ({}): nlb runs no scripts; `health = \"passive\"` of a rule gives clients that get no answer to \
                     other hosts, and a check of yours can call `nlbadm disable RULE`, `enable` or `drainstop`",
                    item.word(1),
                    script.unwrap_or_default()
                );
                notes.at(Kind::NoCounterpart, item.line, text);
            }
            "vrrp_sync_group" => notes.at(
                Kind::NoCounterpart,
                item.line,
                "vrrp_sync_group: clusters of several interfaces do not move together; all VIPs of an interface are one cluster",
            ),
            "include" | "include_r" | "include_m" | "include_w" | "include_b" => notes.at(
                Kind::NotUnderstood,
                item.line,
                format!("{}: what is in other files is not read; put all of it into one", excerpt(item.word(1))),
            ),
            word if keyword::top_is_known(word) => {
                notes.at(Kind::NoCounterpart, item.line, format!("{word}: it is about keepalived itself"));
            }
            word => notes.at(Kind::NotUnderstood, item.line, excerpt(word)),
        }
    }
    name
}

/// The cluster of an interface.
fn cluster<'a>(
    interface: Option<&str>,
    instances: impl Iterator<Item = &'a Instance<'a>>,
    servers: &[Server],
    name: &Option<String>,
    notes: &Notes,
) -> Draft {
    let instances: Vec<_> = instances.collect();
    let first = instances.first().map_or("", |it| it.item.word(1));
    let mut draft = Draft::new(first);
    draft.interface = interface.map(str::to_owned);
    draft.notes.extend(notes);
    for instance in &instances {
        keyword::instance(&mut draft, instance.item);
    }
    let own: Vec<_> = servers
        .iter()
        .filter(|it| draft.vips.contains(&it.vip))
        .collect();
    if own.is_empty() {
        draft.rules = Rules::OneHost;
        let text = "one host serves everything, as with VRRP; without `rule = []` all hosts share the clients";
        draft.notes.whole(Kind::Differs, text);
        draft.hosts = routers(&mut draft.notes, &instances, name);
    } else {
        server::apply(&mut draft, &own);
    }
    if instances.len() > 1 {
        let line = instances[1].item.line;
        let text = "several VRRP instances of one interface are one cluster: one host is the default one for all of its VIPs";
        draft.notes.at(Kind::Differs, line, text);
    }
    draft
}

/// The hosts that speak VRRP: this one and its peers. The lowest id is the default host, as the master is.
fn routers(
    notes: &mut Notes,
    instances: &[&Instance<'_>],
    name: &Option<String>,
) -> Vec<DraftHost> {
    let Some(first) = instances.first() else {
        return Vec::new();
    };
    let master = match first.item.get("state").map(|it| it.word(1)) {
        Some("MASTER") => true,
        Some("BACKUP") => false,
        _ => {
            let text =
                "which host is the master: the one of the lowest id serves while it is there";
            notes.at(Kind::Decide, first.item.line, text);
            true
        }
    };
    let address = |it: Option<&Item>| it.and_then(|it| it.word(1).parse::<IpAddr>().ok());
    let source = first
        .item
        .get("unicast_src_ip")
        .or(first.item.get("mcast_src_ip"));
    let this = DraftHost {
        name: name.clone(),
        dedicated: address(source),
        ..DraftHost::new(if master { 1 } else { 2 })
    };
    let peers = first
        .item
        .get("unicast_peer")
        .map_or(&[][..], |it| &it.block);
    let peers: Vec<_> = peers
        .iter()
        .filter_map(|it| it.keyword().parse::<IpAddr>().ok())
        .collect();
    let others = peers.len().max(1);
    let own = this.id;
    let mut hosts: Vec<_> = (1..=u8::MAX)
        .filter(|id| *id != own)
        .take(others)
        .enumerate()
        .map(|(index, id)| DraftHost {
            dedicated: peers.get(index).copied(),
            ..DraftHost::new(id)
        })
        .chain([this])
        .collect();
    hosts.sort_by_key(|host| host.id);
    if name.is_some() {
        let text = "router_id is taken for the host name of this machine";
        notes.whole(Kind::Decide, text);
    }
    hosts
}

/// Servers of addresses that no instance has.
fn strangers(servers: &[Server], drafts: &mut Vec<Draft>, notes: &Notes) {
    let known = |server: &&Server| drafts.iter().any(|draft| draft.vips.contains(&server.vip));
    let strange: Vec<_> = servers.iter().filter(|server| !known(server)).collect();
    let Some(first) = strange.first() else {
        return;
    };
    let mut draft = Draft::new("imported");
    draft.notes.extend(notes);
    for server in &strange {
        if !draft.vips.contains(&server.vip) {
            draft.vips.push(server.vip);
        }
    }
    let text = "no VRRP instance has the address of this virtual server: it is taken for a VIP of a cluster of its own";
    draft.notes.at(Kind::Decide, first.line, text);
    server::apply(&mut draft, &strange);
    drafts.push(draft);
}
