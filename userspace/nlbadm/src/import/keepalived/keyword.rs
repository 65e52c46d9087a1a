// SPDX-License-Identifier: GPL-2.0-only

//! The keywords of a VRRP instance: what each becomes, or what is told of it.

use super::block::Item;
use crate::{
    import::{draft::Draft, note::Kind},
    source::excerpt,
};

/// Keywords outside of blocks that are about keepalived itself.
pub(super) fn top_is_known(word: &str) -> bool {
    let words = [
        "net_namespace",
        "instance",
        "use_pid_dir",
        "static_ipaddress",
        "static_routes",
        "static_rules",
        "track_group",
        "vrrp_track_process",
        "track_file",
        "vrrp_track_file",
        "bfd_instance",
        "SSL",
        "linkbeat_interfaces",
        "linkbeat_use_polling",
        "interface_up_down_delays",
        "garp_group",
    ];
    words.contains(&word)
}

/// Adds what an instance says to a draft.
pub(super) fn instance(draft: &mut Draft, instance: &Item) {
    for item in &instance.block {
        match item.keyword() {
            "virtual_ipaddress" => addresses(draft, item),
            "virtual_ipaddress_excluded" => {
                addresses(draft, item);
                let text = "virtual_ipaddress_excluded: an address is a VIP like the others; heartbeats tell of none of them";
                draft.notes.at(Kind::Differs, item.line, text);
            }
            word => tell(draft, word, item),
        }
    }
}

fn tell(draft: &mut Draft, word: &str, item: &Item) {
    let (kind, text) = match word {
        // Read elsewhere, or without any effect on what is served.
        "interface" | "state" | "unicast_peer" | "unicast_src_ip" | "mcast_src_ip" | "version" => {
            return;
        }
        "virtual_router_id" => (
            Kind::NoCounterpart,
            "virtual_router_id: a cluster is told from others by its name and key".into(),
        ),
        "priority" => (
            Kind::Differs,
            format!(
                "priority {}: the host of the lowest id serves what no rule shares out, and `weight` says how much a host takes",
                item.word(1)
            ),
        ),
        "advert_int" => (
            Kind::Differs,
            format!(
                "advert_int {}: with nlb's own default of 200 ms and 5 heartbeats a host that dies is replaced within 1.4 s; \
                 `period` and `tolerance` change that",
                item.word(1)
            ),
        ),
        "authentication" => (
            Kind::NoCounterpart,
            "authentication: the password is not taken over; nlb's key signs every frame".into(),
        ),
        "nopreempt" | "preempt" | "preempt_delay" => (
            Kind::Differs,
            format!(
                "{word}: a host that returns takes new clients again and no connection breaks; with `state = \"stopped\"` it waits \
                 for `nlbadm start`"
            ),
        ),
        "track_script" | "track_process" | "track_file" | "track_bfd" => (
            Kind::NoCounterpart,
            format!(
                "{word}: `health = \"passive\"` of a rule, or a check of yours that calls `nlbadm disable RULE` or `drainstop`"
            ),
        ),
        "track_interface" | "dont_track_primary" | "linkbeat_use_polling" => (
            Kind::NoCounterpart,
            format!(
                "{word}: a host whose cluster interface is cut serves nothing; other interfaces are not watched"
            ),
        ),
        "virtual_routes" | "virtual_rules" => (
            Kind::Decide,
            format!("{word}: routes and rules do not move with VIPs; set them up on every host"),
        ),
        "use_vmac" | "use_ipvlan" | "vmac_xmit_base" | "vmac_addr" | "vmac_netlink_base" => (
            Kind::Differs,
            format!("{word}: the virtual MAC is made of mode and VIP: `nlbadm ip2mac` prints it"),
        ),
        _ if word.starts_with("notify") || word == "smtp_alert" => (
            Kind::NoCounterpart,
            format!(
                "{word}: `nlbadm monitor -j` prints events, one JSON object on each line, for programs to act on"
            ),
        ),
        _ if word.starts_with("garp_")
            || word.starts_with("lower_prio")
            || word.starts_with("higher_prio") =>
        {
            (
                Kind::NoCounterpart,
                format!("{word}: nlb announces its VIPs by itself"),
            )
        }
        "promote_secondaries"
        | "accept"
        | "no_accept"
        | "strict_mode"
        | "skip_check_adv_addr"
        | "debug"
        | "check_unicast_src"
        | "ttl"
        | "unicast_ttl"
        | "native_ipv6"
        | "lvs_sync_daemon_interface"
        | "lvs_sync_daemon"
        | "old_unicast_checksum"
        | "down_timer_adverts"
        | "thread_timer_expired"
        | "track_srcip"
        | "kernel_rx_buf_size"
        | "notify_priority_changes"
        | "start_down"
        | "startup_delay"
        | "rogue" => (
            Kind::NoCounterpart,
            format!("{word}: it is about VRRP or keepalived itself"),
        ),
        _ => (
            Kind::NotUnderstood,
            format!("{} in a VRRP instance", excerpt(word)),
        ),
    };
    draft.notes.at(kind, item.line, text);
}

/// `192.0.2.10/24 dev eth0 label eth0:1`, one on each line.
fn addresses(draft: &mut Draft, block: &Item) {
    for item in &block.block {
        let address = item.keyword().split('/').next().unwrap_or_default();
        let Some(vip) = draft.add_vip(item.line, address) else {
            continue;
        };
        let mut rest = item.words.iter().skip(1);
        while let Some(word) = rest.next() {
            match (word.as_str(), rest.next()) {
                ("dev", Some(device)) if draft.interface.as_ref() != Some(device) => {
                    let text = format!(
                        "{vip} is on the device {device}: a VIP of a cluster is on the segment of the cluster's interface"
                    );
                    draft.notes.at(Kind::Decide, item.line, text);
                }
                ("dev" | "label" | "scope" | "brd" | "broadcast" | "preferred_lft", Some(_)) => {}
                ("home" | "mngtmpaddr" | "noprefixroute" | "-nodad" | "no_track", _) => {}
                (other, _) => {
                    let text = format!("{} of the address {vip}", excerpt(other));
                    draft.notes.at(Kind::NotUnderstood, item.line, text);
                }
            }
        }
    }
}
