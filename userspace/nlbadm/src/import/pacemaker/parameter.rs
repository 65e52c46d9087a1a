// SPDX-License-Identifier: GPL-2.0-only

//! The parameters of IPaddr2: which say something to nlb, and what is told of the others.

use nlb_core::{genl::Mode, mac::is_of_mode};

use super::Pair;
use crate::{
    cli::value::mac,
    import::{draft::Draft, note::Kind},
};

/// Meta attributes of a clone that need no word.
pub(super) const META: [&str; 8] = [
    "globally-unique",
    "clone-max",
    "clone-node-max",
    "interleave",
    "notify",
    "ordered",
    "target-role",
    "is-managed",
];

/// Parameters that need no word: nlb does the same by itself, or it is read elsewhere.
const SILENT: [&str; 8] = [
    "ip",
    "ipv6addr",
    "nic",
    "cidr_netmask",
    "netmask",
    "broadcast",
    "iflabel",
    "clusterip_firewall",
];

/// Adds what a parameter says to a draft.
pub(super) fn tell(draft: &mut Draft, pair: &Pair) {
    let Pair { line, key, value } = pair;
    let text = match key.as_str() {
        key if SILENT.contains(&key) => return,
        "clusterip_hash" => return hash(draft, pair),
        "mac" => return virtual_mac(draft, pair),
        "lvs_support" | "lvs_ipv6_addrlabel" | "lvs_ipv6_addrlabel_value" => {
            format!(
                "{key}: there is no IPVS in front; the hosts of the cluster are the real servers"
            )
        }
        "arp_interval"
        | "arp_count"
        | "arp_bg"
        | "arp_sender"
        | "send_arp_opts"
        | "run_arping"
        | "arp_count_refresh"
        | "noprefixroute"
        | "nodad"
        | "preferred_lft"
        | "flush_routes"
        | "unique_clone_address"
        | "proto"
        | "network_namespace"
        | "monitor_retries"
        | "table" => {
            format!("{key}: nlb announces, keeps and checks its VIPs by itself")
        }
        _ => {
            let text = format!("the parameter {key} = {value:?}");
            draft.notes.at(Kind::NotUnderstood, *line, text);
            return;
        }
    };
    draft.notes.at(Kind::NoCounterpart, *line, text);
}

fn hash(draft: &mut Draft, pair: &Pair) {
    let text = match pair.value.as_str() {
        "sourceip" => "clusterip_hash sourceip is affinity single",
        "sourceip-sourceport" => "clusterip_hash sourceip-sourceport is affinity none",
        "sourceip-sourceport-destport" => {
            "clusterip_hash sourceip-sourceport-destport is affinity none: the VIP's port chooses the rule, not the host"
        }
        other => {
            let text = format!("clusterip_hash {other:?}: affinity single is written");
            draft.notes.at(Kind::NotUnderstood, pair.line, text);
            return;
        }
    };
    let text = format!("{text}; another hash, so clients change their hosts once");
    draft.notes.at(Kind::Differs, pair.line, text);
}

fn virtual_mac(draft: &mut Draft, pair: &Pair) {
    match mac(&pair.value) {
        Ok(mac) if is_of_mode(mac, Mode::Multicast) => draft.virtual_mac = Some(mac),
        Ok(mac) if is_of_mode(mac, Mode::Igmp) => {
            draft.mode = Some(Mode::Igmp);
            draft.virtual_mac = Some(mac);
        }
        Ok(_) => {
            let text = "mac: it is that of a single station; nlb makes a multicast one of the VIP";
            draft.notes.at(Kind::Decide, pair.line, text);
        }
        Err(why) => draft
            .notes
            .at(Kind::NotUnderstood, pair.line, format!("mac: {why}")),
    }
}
