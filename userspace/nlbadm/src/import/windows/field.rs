// SPDX-License-Identifier: GPL-2.0-only

//! The parameters of a cluster and of a host: which say something to nlb, and what is told of the others.

use nlb_core::{
    genl::{Echo, Mode},
    limits::{PERIOD_MS_MAX, PERIOD_MS_MIN, TOLERANCE_MAX, TOLERANCE_MIN},
    mac::{is_of_mode, virtual_mac},
};

use super::lines::{Object, Property};
use crate::{
    cli::value::mac,
    config::InitialState,
    import::{draft::Draft, note::Kind},
};

/// Windows' defaults.
const PERIOD_MS: u32 = 1000;
const TOLERANCE: u32 = 5;

/// Keys that need no word: they are read elsewhere, or say nothing that counts outside of Windows.
const SILENT: [&str; 53] = [
    "currenttime",
    "parametersversion",
    "currentversion",
    "effectiveversion",
    "effectivenlbversion",
    "nlbversion",
    "installdate",
    "hostpriority",
    "hostid",
    "clusteripaddress",
    "clusternetworkmask",
    "clustername",
    "dedicatedipaddress",
    "dedicatednetworkmask",
    "dedicatedipaddresses",
    "numberofdedicatedipaddresses",
    "mcastipaddress",
    "multicastipaddress",
    "multicastsupportenable",
    "igmpsupport",
    "operationmode",
    "mode",
    "iptomacenable",
    "masksourcemac",
    "multicastarpenable",
    "numactions",
    "numpackets",
    "numalivemsgs",
    "descriptorsperalloc",
    "maxdescriptorallocs",
    "tcpconnectiontimeout",
    "ipsecconnectiontimeout",
    "ipsecdescriptortimeout",
    "gredescriptortimeout",
    "hoststate",
    "state",
    "status",
    "persistedstates",
    "netmonalivemsgs",
    "ipchangedelay",
    "connectioncleanupdelay",
    "remotecontroludpport",
    "remotecontrolcode",
    "remotemaintenanceenabled",
    "identityheartbeatperiod",
    "identityheartbeatenabled",
    "name",
    "hostname",
    "ipaddress",
    "subnetmask",
    "interfacename",
    "clusterprimaryip",
    "maxconnectiondescriptors",
];

/// Adds what the parameters of an object say to a draft.
pub(super) fn tell(draft: &mut Draft, object: &Object) {
    if let Some(mode) = mode(object) {
        draft.mode = Some(mode);
    }
    heartbeats(draft, object);
    for property in &object.properties {
        tell_one(draft, property);
    }
}

/// Whether a parameter is on; none where it is neither on nor off.
fn switch(property: &Property) -> Option<bool> {
    match property.value.to_ascii_uppercase().as_str() {
        "ENABLED" | "YES" | "TRUE" | "1" => Some(true),
        "DISABLED" | "NO" | "FALSE" | "0" | "" | "00000000" => Some(false),
        _ => None,
    }
}

fn is_on(object: &Object, key: &str) -> Option<bool> {
    object.get(&[key]).and_then(switch)
}

/// The mode of a cluster, if the object tells it.
fn mode(object: &Object) -> Option<Mode> {
    if let Some(word) = object.get(&["operationmode", "mode"]) {
        let word = word.value.to_ascii_lowercase().replace([' ', '-', '_'], "");
        return match word.as_str() {
            "unicast" | "0" | "1" => Some(Mode::Unicast),
            "multicast" | "2" => Some(Mode::Multicast),
            "igmpmulticast" | "igmp" | "3" => Some(Mode::Igmp),
            _ => None,
        };
    }
    match (
        is_on(object, "multicastsupportenable"),
        is_on(object, "igmpsupport"),
    ) {
        (Some(true), Some(true)) => Some(Mode::Igmp),
        (Some(true), _) => Some(Mode::Multicast),
        (Some(false), _) => Some(Mode::Unicast),
        (None, _) => None,
    }
}

fn heartbeats(draft: &mut Draft, object: &Object) {
    let period = object.get(&[
        "alivemsgperiod",
        "heartbeatperiod",
        "clusterheartbeatperiod",
    ]);
    let tolerance = object.get(&[
        "alivemsgtolerance",
        "heartbeattolerance",
        "clusterheartbeattolerance",
    ]);
    let number = |it: Option<&Property>| it.and_then(|it| it.value.parse::<u32>().ok());
    match (number(period), number(tolerance)) {
        (Some(PERIOD_MS), None | Some(TOLERANCE)) | (None, Some(TOLERANCE)) => {
            let line = period.or(tolerance).map_or(0, |it| it.line);
            let text = "heartbeats had Windows' default of 1000 ms and 5; nlb's own, 200 ms and 5, replaces a host within 1.4 s";
            draft.notes.at(Kind::Differs, line, text);
        }
        (ms, missed) => {
            draft.period_ms = ms.filter(|ms| (PERIOD_MS_MIN..=PERIOD_MS_MAX).contains(ms));
            draft.tolerance = missed.filter(|it| (TOLERANCE_MIN..=TOLERANCE_MAX).contains(it));
        }
    }
    let lost = [
        (
            period,
            draft.period_ms.is_none() && number(period) != Some(PERIOD_MS),
        ),
        (
            tolerance,
            draft.tolerance.is_none() && number(tolerance) != Some(TOLERANCE),
        ),
    ];
    for (property, lost) in lost {
        if let (Some(it), true) = (property, lost) {
            let text = format!("{} = {:?} is none that nlb takes", it.key, it.value);
            draft.notes.at(Kind::NotUnderstood, it.line, text);
        }
    }
}

fn tell_one(draft: &mut Draft, property: &Property) {
    let on = switch(property);
    let (kind, text) = match (property.key.as_str(), on) {
        ("clusternetworkaddress" | "networkaddress" | "macaddress", _) => {
            return network_address(draft, property);
        }
        ("filtericmp" | "icmpfilteringenabled", Some(true)) => {
            draft.echo = Some(Echo::Drop);
            return;
        }
        ("filtericmp" | "icmpfilteringenabled", Some(false)) => (
            Kind::Differs,
            "pings to a VIP were answered by every host; the default host does: `echo = \"all\"` is as it was",
        ),
        ("remotecontrolenabled", Some(true)) => (
            Kind::NoCounterpart,
            "remote control by UDP: `nlbadm` is run on each host, by ssh for example",
        ),
        ("bdateaming" | "bdateamactive", Some(true)) => (
            Kind::NoCounterpart,
            "teaming of two clusters (both directions of a connection on one host)",
        ),
        ("scalesingleclient", Some(true)) => (
            Kind::NoCounterpart,
            "ScaleSingleClient: affinity none shares the connections of a client",
        ),
        (
            "remotecontrolenabled" | "bdateaming" | "bdateamactive" | "scalesingleclient",
            Some(false),
        ) => return,
        (
            "teamid" | "bdateamid" | "master" | "bdateammaster" | "reversehash"
            | "bdateamreversehash",
            _,
        ) => return,
        ("nbtsupportenable", _) => return,
        ("clustermodeonstart" | "initialhoststate" | "hostinitialstate", _) => return,
        ("retainsuspended" | "persistsuspendonreboot", _) => return,
        ("unicastinterhostcommsupport", _) => return,
        ("adapterguid" | "interfaceguid" | "pscomputername" | "adapter", _) => return,
        ("interface", _) => (
            Kind::Decide,
            "the interface has another name on Linux: see `ip link`",
        ),
        ("alivemsgperiod" | "alivemsgtolerance" | "heartbeatperiod" | "heartbeattolerance", _) => {
            return;
        }
        ("clusterheartbeatperiod" | "clusterheartbeattolerance", _) => return,
        (key, _) if SILENT.contains(&key) => return,
        (key, _) => {
            let text = format!("{key} = {:?}", property.value);
            draft.notes.at(Kind::NotUnderstood, property.line, text);
            return;
        }
    };
    draft.notes.at(kind, property.line, text);
}

/// The virtual MAC, where it is not the one that nlb makes as well.
fn network_address(draft: &mut Draft, property: &Property) {
    let mode = draft.mode.unwrap_or(Mode::Unicast);
    let text = match mac(&property.value) {
        Ok(mac)
            if draft
                .vips
                .first()
                .is_some_and(|vip| virtual_mac(mode, *vip) == mac) =>
        {
            return;
        }
        Ok(mac) if is_of_mode(mac, mode) => {
            draft.virtual_mac = Some(mac);
            return;
        }
        Ok(_) => "the virtual MAC is none of its mode; nlb makes one of mode and VIP".to_owned(),
        Err(why) => format!("the virtual MAC: {why}"),
    };
    draft.notes.at(Kind::NotUnderstood, property.line, text);
}

/// What a host does when it starts.
pub(super) fn initial_state(object: &Object) -> InitialState {
    let value = object.get(&["clustermodeonstart", "initialhoststate", "hostinitialstate"]);
    match value.map(|it| it.value.to_ascii_lowercase()).as_deref() {
        Some("stopped") => InitialState::Stopped,
        Some("suspended") => InitialState::Suspended,
        _ => InitialState::Started,
    }
}
