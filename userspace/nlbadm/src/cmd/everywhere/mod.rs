// SPDX-License-Identifier: GPL-2.0-only

//! The file that all hosts of a cluster have the same: `apply --on all`, `versions` and `rollback`.

mod run;
mod site;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::SystemTime,
};

pub(crate) use self::run::clock_note;
use self::{
    run::{again, run},
    site::Site,
};
use crate::{
    cli::{Apply, Hosts, Rollback, Versions},
    config::{Config, DIRECTORY},
    failure::{Exit, Failure},
    output::everywhere::{ChangeShape, ContentShape, VersionsShape},
    replica::{Ask, Digest, Reply, Staged, Version},
};

/// Brings a file to all hosts, or to none. The failure, if there is one, comes after the report.
///
/// # Errors
///
/// If the file is not right, or nlbd does not answer on this host.
pub(crate) fn apply(args: &Apply) -> Result<(ChangeShape, Result<(), Failure>), Failure> {
    let config = Config::read(&args.file)?;
    let site = Site::of(&config)?;
    let without = without(args.everywhere.without.as_ref(), &config)?;
    change(&site, &config, None, &without, args.dry_run)
}

/// Brings an earlier version back, as a new one.
///
/// # Errors
///
/// As [`apply`], and if there is no such version.
pub(crate) fn rollback(args: &Rollback) -> Result<(ChangeShape, Result<(), Failure>), Failure> {
    let path = file_of(args.cluster())?;
    let site = Site::of(&Config::read(&path)?)?;
    let number = match args.number() {
        Some(number) => number,
        None => site.before()?,
    };
    let (version, text) = site.content(number)?;
    let config = Config::parse(&path, text)
        .map_err(|failure| failure.context(format!("version {number}")))?;
    let without = without(args.without.as_ref(), &config)?;
    let note = format!("rollback to version {}", version.number);
    change(&site, &config, Some(note), &without, args.dry_run)
}

/// The versions of a file, and which host has which.
///
/// # Errors
///
/// If there is no such file, or nlbd does not answer on this host.
pub(crate) fn versions(args: &Versions) -> Result<VersionsShape, Failure> {
    let site = Site::of(&Config::read(&file_of(args.cluster.as_deref())?)?)?;
    let others = site.others();
    Ok(VersionsShape::new(
        &site.cluster,
        &site.own,
        site.hosts(),
        others,
        now(),
    ))
}

/// The content of a version.
///
/// # Errors
///
/// As [`versions`], and if there is no such version.
pub(crate) fn content(args: &Versions, number: u64) -> Result<ContentShape, Failure> {
    let site = Site::of(&Config::read(&file_of(args.cluster.as_deref())?)?)?;
    let (version, text) = site.content(number)?;
    Ok(ContentShape::new(&version, text))
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// The file of a cluster in /etc/nlb, or the only one there.
fn file_of(cluster: Option<&str>) -> Result<PathBuf, Failure> {
    let directory = Path::new(DIRECTORY);
    if let Some(name) = cluster {
        return Ok(directory.join(format!("{name}.toml")));
    }
    let entries = directory.read_dir().map_err(|error| {
        Failure::usage(format!(
            "{DIRECTORY}: {error}; the files of clusters are there"
        ))
    })?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "toml"))
        .collect();
    files.sort();
    match files.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::usage(format!(
            "there is no file of a cluster in {DIRECTORY}"
        ))),
        several => {
            let names: Vec<_> = several
                .iter()
                .filter_map(|path| path.file_stem()?.to_str())
                .collect();
            Err(Failure::usage(format!(
                "there are several files in {DIRECTORY}: say which cluster, {}",
                names.join(" or ")
            )))
        }
    }
}

fn without(hosts: Option<&Hosts>, config: &Config) -> Result<BTreeSet<u8>, Failure> {
    let named = config
        .hosts()
        .iter()
        .map(|host| (host.id, Some(host.name.clone())));
    let known: BTreeMap<u8, Option<String>> = named.collect();
    hosts.map_or_else(|| Ok(Default::default()), |hosts| hosts.ids(&known))
}

/// Makes a change.
fn change(
    site: &Site,
    config: &Config,
    note: Option<String>,
    without: &BTreeSet<u8>,
    dry_run: bool,
) -> Result<(ChangeShape, Result<(), Failure>), Failure> {
    if !config.replicates() {
        return Err(Failure::usage(format!(
            "{} would end that all hosts have the same file: write `replicate = true` below [cluster]",
            config.file()
        )));
    }
    if config.name() != site.cluster {
        return Err(Failure::usage(format!(
            "the file is of the cluster {}, not of {}: give [cluster] a name, or the file that of the cluster",
            config.name(),
            site.cluster
        )));
    }
    let base = site.own.current.clone();
    let digest = Digest::of(config.text());
    let hosts: BTreeMap<u8, String> = config
        .hosts()
        .iter()
        .map(|host| (host.id, host.name.clone()))
        .collect();
    if let Some(same) = base
        .as_ref()
        .filter(|base| base.digest == digest && !dry_run)
    {
        return Ok(again(site, &hosts, same, without));
    }
    let own = site.own.host;
    if !hosts.contains_key(&own) || without.contains(&own) {
        return Err(Failure::usage(format!(
            "this host, {own}, has to take part in the change: make it on another host to leave this one out"
        )));
    }
    let staged = Staged {
        version: Version {
            number: base.as_ref().map_or(0, |base| base.number) + 1,
            digest,
            origin: own,
            host: site.own.name.clone(),
            time: now(),
            note,
        },
        hosts: hosts
            .keys()
            .copied()
            .filter(|id| !without.contains(id))
            .collect(),
        base,
    };
    run(site, hosts, staged, config.text(), dry_run)
}

/// The failure of a reply that is none of those that were asked for.
fn other_release(reply: &Reply, ask: &Ask) -> Failure {
    let text = match reply {
        Reply::Refused(refusal) => refusal.to_string(),
        _ => format!(
            "nlbd answers otherwise than this nlbadm expects ({ask:?}): install both of one release"
        ),
    };
    Failure::new(Exit::Failed, text)
}
