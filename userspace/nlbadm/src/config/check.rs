// SPDX-License-Identifier: GPL-2.0-only

//! What a file must be beyond the types of its values: complete, and without contradictions.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    net::IpAddr,
    ops::Range,
};

use nlb_core::{genl::Mode, limits::VIPS_MAX, mac::is_of_mode};
use toml::Spanned;

use super::{
    Config, Section,
    contents::{FileCluster, FileHost, HOST_ID_MAX, get},
    place,
};
use crate::{failure::Failure, source::Source};

/// The VIPs, each of which is there once.
pub(super) fn vips(
    source: &Source,
    at: Range<usize>,
    cluster: &FileCluster,
) -> Result<Vec<IpAddr>, Failure> {
    let given = get(&cluster.vips).map_or(&[][..], Vec::as_slice);
    if given.is_empty() {
        let at = place(&cluster.vips).unwrap_or(at);
        let why = "a cluster needs a VIP: write `vips = [\"192.0.2.10\"]` below [cluster]";
        return Err(source.refuse(Some(at), why));
    }
    let mut vips = Vec::new();
    for vip in given {
        let address = vip.get_ref().0.0;
        let why = if vips.contains(&address) {
            format!("the VIP {address} is given twice")
        } else if vips.len() == VIPS_MAX {
            format!("a cluster has at most {VIPS_MAX} VIPs, not {}", given.len())
        } else {
            vips.push(address);
            continue;
        };
        return Err(source.refuse(Some(vip.span()), &why));
    }
    Ok(vips)
}

/// The sections of hosts, in order of their ids.
pub(super) fn hosts(
    source: &Source,
    cluster: &FileCluster,
    given: BTreeMap<String, Spanned<FileHost>>,
) -> Result<Vec<Section>, Failure> {
    if given.is_empty() {
        return Err(Failure::usage(format!(
            "{} has no host: write a section for each, such as [host.web1] with `id = 1` and `interface = \"eth1\"`",
            source.name()
        )));
    }
    let mut hosts = Vec::new();
    for (name, host) in given {
        hosts.push(section(source, cluster, name, host)?);
    }
    hosts.sort_by_key(|section| section.span.start);
    unique(source, &hosts, "the id", |host| {
        Some((host.id, place(&host.host.id)?))
    })?;
    unique(source, &hosts, "the machine-id", |section| {
        let id = section.host.machine_id.as_ref()?;
        Some((id.get_ref().0.0.clone(), id.span()))
    })?;
    unique(source, &hosts, "the dedicated address", |section| {
        let address = section.host.dedicated.as_ref()?;
        Some((address.get_ref().0, address.span()))
    })?;
    hosts.sort_by_key(|section| section.id);
    Ok(hosts)
}

fn section(
    source: &Source,
    cluster: &FileCluster,
    name: String,
    host: Spanned<FileHost>,
) -> Result<Section, Failure> {
    let (span, host) = (host.span(), host.into_inner());
    let refuse = |why: &str| source.refuse(Some(span.clone()), why);
    if name.is_empty() || name.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(refuse(&format!(
            "{name:?} can be no host: a section is named as `hostname` prints it on the host"
        )));
    }
    let Some(id) = get(&host.id) else {
        return Err(refuse(&format!(
            "[host.{name}] has no id: give it one of its own, `id = 1` to {HOST_ID_MAX}; the lowest is the default host"
        )));
    };
    let Some(interface) = get(&host.interface).or(get(&cluster.interface)) else {
        return Err(refuse(&format!(
            "[host.{name}] has no interface: name the one on the cluster's segment, here or for all hosts in [cluster]"
        )));
    };
    Ok(Section {
        id: id.byte(),
        interface: interface.0.0.clone(),
        name,
        span,
        host,
    })
}

/// Refuses a value that two hosts have.
fn unique<T: Debug + PartialEq>(
    source: &Source,
    hosts: &[Section],
    what: &str,
    value: impl Fn(&Section) -> Option<(T, Range<usize>)>,
) -> Result<(), Failure> {
    let mut seen: Vec<(T, Range<usize>, &str)> = Vec::new();
    for host in hosts {
        let Some((own, span)) = value(host) else {
            continue;
        };
        if let Some((_, other, name)) = seen.iter().find(|(other, ..)| *other == own) {
            let other = source.place(Some(other.clone()));
            return Err(source.refuse(
                Some(span),
                &format!(
                    "{what} of [host.{}] is that of [host.{name}],{other}: each host has one of its own",
                    host.name
                ),
            ));
        }
        seen.push((own, span, &host.name));
    }
    Ok(())
}

/// What concerns several tables.
pub(super) fn all(config: &Config) -> Result<(), Failure> {
    key(config)?;
    control_key(config)?;
    replicate(config)?;
    virtual_mac(config)?;
    for host in &config.hosts {
        dedicated(config, host)?;
    }
    let Some(rules) = &config.rules else {
        return Ok(());
    };
    if let Some(at) = place(&config.cluster.affinity) {
        let why = "this is the affinity of the default rule, but the file has rules: give each of them its own";
        return Err(config.source.refuse(Some(at), why));
    }
    rules.check_for(&config.vips)?;
    let ids: BTreeSet<u8> = config.hosts.iter().map(|host| host.id).collect();
    match rules.stranger(&ids) {
        None => Ok(()),
        Some((id, at)) => Err(Failure::usage(format!(
            "{at}: the rule has a number for host id {id}, which no [host.NAME] has"
        ))),
    }
}

fn key(config: &Config) -> Result<(), Failure> {
    let cluster = &config.cluster;
    let given = place(&cluster.key_file).or(place(&cluster.key_id));
    match (config.key(), given) {
        (None, Some(at)) => Err(config.source.refuse(
            Some(at),
            "this is about a key, but `no-key = true` says that there is none: leave out one of them",
        )),
        _ => Ok(()),
    }
}

fn control_key(config: &Config) -> Result<(), Failure> {
    match (config.control_key(), place(&config.cluster.control_key_file)) {
        (None, Some(at)) => Err(config.source.refuse(
            Some(at),
            "this is the key of remote control, which is off: add `remote-control = true`, or leave it out",
        )),
        _ => Ok(()),
    }
}

fn replicate(config: &Config) -> Result<(), Failure> {
    let keys = [config.control_key(), config.key()];
    if !config.replicates() || keys.iter().any(Option::is_some) {
        return Ok(());
    }
    let why = "the hosts of a cluster without a key cannot trust each other with its file: give it a key, or remote control";
    Err(config.source.refuse(place(&config.cluster.replicate), why))
}

fn virtual_mac(config: &Config) -> Result<(), Failure> {
    let Some(mac) = &config.cluster.virtual_mac else {
        return Ok(());
    };
    let mode = get(&config.cluster.mode).map_or(Mode::Multicast, |it| it.0.0);
    if is_of_mode(mac.get_ref().0, mode) {
        return Ok(());
    }
    let why = match mode {
        Mode::Unicast => {
            "in unicast mode the virtual MAC is that of a single station, such as 02:bf:c0:00:02:0a"
        }
        Mode::Multicast => {
            "in multicast mode the virtual MAC is a group's, such as 03:bf:c0:00:02:0a, and none of IP multicast"
        }
        Mode::Igmp => "in igmp mode the virtual MAC begins with 01:00:5e or 33:33",
    };
    Err(config.source.refuse(Some(mac.span()), why))
}

fn dedicated(config: &Config, section: &Section) -> Result<(), Failure> {
    let Some(given) = &section.host.dedicated else {
        return Ok(());
    };
    crate::cmd::up::check_dedicated(given.get_ref().0, &config.vips)
        .map_err(|failure| config.source.refuse(Some(given.span()), &failure.message))
}
