// SPDX-License-Identifier: GPL-2.0-only

//! The configuration file of a cluster: TOML, the same on all hosts, each of which finds its own section.

mod check;
mod contents;
mod difference;
mod example;
mod health;
mod keys;
mod machine;
#[cfg(test)]
mod schema;
mod settings;
#[cfg(test)]
mod tests;
mod text;
mod value;

use std::{
    fs::File,
    io::{self, Read},
    net::IpAddr,
    ops::Range,
    path::{Path, PathBuf},
};

use nlb_core::{
    genl::{Affinity, Echo, Mode, Responder},
    limits::{PERIOD_MS_DEFAULT, SESSIONS_MAX_DEFAULT, TOLERANCE_DEFAULT, WEIGHT_DEFAULT},
    rules::Rule,
};
use nlb_netlink::object::NewRule;
use toml::{Spanned, de::DeTable};

use self::contents::{Contents, FileCluster, FileHost, get};
pub(crate) use self::{
    difference::{Change, Difference, RuleLine},
    example::EXAMPLE,
    health::FileCheck,
    settings::{Dedicated, Settings},
    text::{export, header, keys as rule_keys, quoted},
    value::InitialState,
};
pub use self::{
    health::{Action, HealthCheck, HttpProbe, Probe},
    machine::Machine,
};
use crate::{cli::value::cluster_name, failure::Failure, rulefile::RuleFile, source::Source};

/// Where files of clusters and keys are.
pub const DIRECTORY: &str = "/etc/nlb";

/// Longest file, in bytes. One with every rule, VIP and host has some 30 KiB.
const FILE_MAX: u64 = 256 * 1024;

/// Key of frames, unless the file says another.
const KEY_ID: u8 = 1;

/// A file that is right.
#[derive(Debug)]
pub struct Config {
    source: Source,
    name: String,
    cluster: FileCluster,
    vips: Vec<IpAddr>,
    /// In order of their ids.
    hosts: Vec<Section>,
    /// None: the default rule.
    rules: Option<RuleFile>,
    key: Option<PathBuf>,
    control_key: Option<PathBuf>,
    checks: Vec<RuleCheck>,
}

/// A rule whose service is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCheck {
    /// The rule.
    pub rule: Rule,
    /// How it is checked.
    pub check: HealthCheck,
}

/// The section of a host.
#[derive(Debug)]
pub struct Section {
    /// Its name in the file.
    pub name: String,
    /// Host id, 1 to 64.
    pub id: u8,
    /// Interface on the segment of the cluster.
    pub interface: String,
    span: Range<usize>,
    host: FileHost,
}

impl Config {
    /// Reads a file and checks all of it; `-` is the standard input.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is not right, with the place.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let input: io::Result<Box<dyn Read>> = if path.as_os_str() == "-" {
            Ok(Box::new(io::stdin()))
        } else {
            File::open(path).map(|file| Box::new(file) as Box<dyn Read>)
        };
        let mut bytes = Vec::new();
        let read = input.and_then(|input| input.take(FILE_MAX + 1).read_to_end(&mut bytes));
        read.map_err(|error| {
            Failure::usage(format!(
                "the file {name} cannot be read: {error}; `nlbadm export` writes one of a running cluster"
            ))
        })?;
        if bytes.len() as u64 > FILE_MAX {
            return Err(Failure::usage(format!(
                "{name} has more than {} KiB: no configuration is that long, is it another file?",
                FILE_MAX / 1024
            )));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let good = String::from_utf8_lossy(&error.as_bytes()[..at]).into_owned();
            let end = good.len();
            Source::with_columns(name.clone(), good).refuse(
                Some(end..end),
                "this is no text in UTF-8: save it in that encoding, or is it another file?",
            )
        })?;
        Config::parse(path, text)
    }

    /// A text as the content of the file at a path, which may name the cluster.
    ///
    /// # Errors
    ///
    /// If it is not right, with the place.
    pub fn parse(path: &Path, text: String) -> Result<Self, Failure> {
        let source = Source::with_columns(path.display().to_string(), text);
        let wrong = |error: toml::de::Error| {
            // What the parser says of a line that ends too early has several lines.
            source.refuse(error.span(), error.message())
        };
        let table = DeTable::parse(source.text()).map_err(wrong)?;
        keys::check(&source, table.get_ref())?;
        let contents: Contents = toml::from_str(source.text()).map_err(wrong)?;
        Config::of(path, source.clone(), contents)
    }

    fn of(path: &Path, source: Source, contents: Contents) -> Result<Self, Failure> {
        let Some(cluster) = contents.cluster else {
            return Err(Failure::usage(format!(
                "{} has no table [cluster]; `nlbadm help check` shows a file with every key",
                source.name()
            )));
        };
        let (at, cluster) = (cluster.span(), cluster.into_inner());
        let name = match get(&cluster.name) {
            Some(name) => name.0.0.clone(),
            None => name_of(path).map_err(|why| source.refuse(Some(at.clone()), &why))?,
        };
        let key = key_path(path, &name, &cluster);
        let control_key = control_key_path(path, &name, &cluster);
        let vips = check::vips(&source, at, &cluster)?;
        let hosts = check::hosts(&source, &cluster, contents.host)?;
        let rules = contents
            .rule
            .map(|rules| RuleFile::within(source.clone(), rules));
        let mut config = Config {
            source,
            name,
            cluster,
            vips,
            hosts,
            rules,
            key,
            control_key,
            checks: Vec::new(),
        };
        check::all(&config)?;
        config.checks = config.read_checks()?;
        Ok(config)
    }

    /// The name of the file.
    pub(crate) fn file(&self) -> &str {
        self.source.name()
    }

    /// The name of the cluster.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The VIPs; the first is the primary.
    #[must_use]
    pub fn vips(&self) -> &[IpAddr] {
        &self.vips
    }

    /// How many rules it has, the default rule included.
    pub(crate) fn rules(&self) -> usize {
        self.rules.as_ref().map_or(1, RuleFile::len)
    }

    /// The rules whose service is checked, in their order.
    #[must_use]
    pub fn checks(&self) -> &[RuleCheck] {
        &self.checks
    }

    fn read_checks(&self) -> Result<Vec<RuleCheck>, Failure> {
        let written = self.rules.iter().flat_map(RuleFile::checks);
        let read = |(rule, written): (Rule, &Spanned<FileCheck>)| {
            let check = health::check(&self.source, &rule, &self.vips, written)?;
            Ok(RuleCheck { rule, check })
        };
        written.map(read).collect()
    }

    /// The sections of hosts, in order of their ids.
    #[must_use]
    pub fn hosts(&self) -> &[Section] {
        &self.hosts
    }

    /// The file of the key; none if there shall be no key.
    #[must_use]
    pub fn key(&self) -> Option<&Path> {
        self.key.as_deref()
    }

    /// The file of the key of remote control; none if there shall be no remote control.
    #[must_use]
    pub fn control_key(&self) -> Option<&Path> {
        self.control_key.as_deref()
    }

    /// Whether the hosts keep this file the same everywhere.
    #[must_use]
    pub fn replicates(&self) -> bool {
        get(&self.cluster.replicate).is_some_and(|&it| it)
    }

    /// All of the text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.source.text()
    }

    /// What a host shall be set to.
    pub(crate) fn settings(&self, section: &Section) -> Settings {
        let Section { host, .. } = section;
        let cluster = &self.cluster;
        let sessions_max = get(&host.sessions_max).or(get(&cluster.sessions_max));
        let settings = Settings {
            cluster: self.name.clone(),
            interface: section.interface.clone(),
            host_id: section.id,
            vips: self.vips.clone(),
            mode: get(&cluster.mode).map_or(Mode::Multicast, |it| it.0.0),
            virtual_mac: None,
            period_ms: get(&cluster.period).map_or(PERIOD_MS_DEFAULT, |period| {
                u32::try_from(period.0.as_millis()).unwrap_or(u32::MAX)
            }),
            tolerance: get(&cluster.tolerance).map_or(TOLERANCE_DEFAULT, |it| it.0),
            echo: get(&cluster.echo).map_or(Echo::DefaultHost, |it| it.0.0),
            responder: get(&cluster.responder).map_or(Responder::DefaultHost, |it| it.0.0),
            allow_other_interfaces: get(&cluster.allow_other_interfaces).is_some_and(|&it| it),
            sessions_max: sessions_max.map_or(SESSIONS_MAX_DEFAULT, |it| it.0),
            dedicated: get(&host.dedicated).map_or(Dedicated::Follows, |it| Dedicated::Is(it.0)),
            weight: get(&host.weight).map_or(WEIGHT_DEFAULT, |it| it.byte()),
            key_id: self
                .key
                .as_ref()
                .map(|_| get(&cluster.key_id).map_or(KEY_ID, |it| it.byte())),
            rules: self.rules_of(section.id),
        };
        settings.with_mac(get(&cluster.virtual_mac).map(|it| it.0))
    }

    fn rules_of(&self, host: u8) -> Vec<NewRule> {
        if let Some(rules) = &self.rules {
            return rules.for_host(host);
        }
        let affinity = get(&self.cluster.affinity).map_or(Affinity::Single, |it| it.0.0);
        vec![NewRule {
            rule: Rule::all(affinity),
            weight: None,
            priority: None,
            state: None,
        }]
    }

    /// The section of this machine: the one that is named, or that has its machine id, or its host name.
    ///
    /// # Errors
    ///
    /// If there is none, or the one of its host name is for another machine.
    pub fn section(&self, machine: &Machine, named: Option<&str>) -> Result<&Section, Failure> {
        let by_name = |name: &str| self.hosts.iter().find(|section| section.name == name);
        if let Some(name) = named {
            return by_name(name).ok_or_else(|| self.no_section(&format!("for the host {name}")));
        }
        let id_of = |section: &Section| get(&section.host.machine_id).map(|id| id.0.0.clone());
        let by_id = self
            .hosts
            .iter()
            .find(|section| machine.id.is_some() && id_of(section) == machine.id);
        if let Some(section) = by_id {
            return Ok(section);
        }
        let Some(section) = by_name(&machine.hostname).or_else(|| by_name(machine.short())) else {
            return Err(self.no_section(&format!(
                "for this machine, which is {:?}",
                machine.hostname
            )));
        };
        match id_of(section) {
            None => Ok(section),
            Some(_) => Err(self.source.refuse(
                Some(section.span.clone()),
                &format!(
                    "[host.{}] is for another machine: its machine-id is not this one's, {}; was the machine cloned? \
                     Say which host it is with --host, or mend the machine-id",
                    section.name,
                    machine.id.as_deref().unwrap_or("which has none")
                ),
            )),
        }
    }

    fn no_section(&self, whom: &str) -> Failure {
        let names: Vec<_> = self.hosts.iter().map(|host| host.name.as_str()).collect();
        Failure::usage(format!(
            "{} has no section {whom}; there are {}: add one, or say which one is meant with --host",
            self.file(),
            names.join(", ")
        ))
    }
}

impl Section {
    /// The address that the file gives the host; none if it takes that of the interface.
    #[must_use]
    pub fn dedicated(&self) -> Option<IpAddr> {
        get(&self.host.dedicated).map(|it| it.0)
    }

    /// What the host does when its cluster has been made.
    pub(crate) fn state(&self) -> InitialState {
        get(&self.host.state).map_or_else(InitialState::default, |it| it.0)
    }
}

/// The name of a cluster from that of its file: `/etc/nlb/web.toml` is of the cluster `web`.
fn name_of(path: &Path) -> Result<String, String> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    match stem.filter(|_| path.as_os_str() != "-") {
        Some(stem) => cluster_name(stem)
            .map_err(|why| format!("the file's name cannot be the cluster's ({why}): give [cluster] a name")),
        None => Err("the cluster has no name, and none can be taken from that of the file: give [cluster] a name".into()),
    }
}

/// Where the key is: as the file says, or beside the other keys; none if there shall be none.
fn key_path(path: &Path, name: &str, cluster: &FileCluster) -> Option<PathBuf> {
    if get(&cluster.no_key).is_some_and(|&it| it) {
        return None;
    }
    Some(match get(&cluster.key_file) {
        Some(key) => beside(path, &key.0),
        None => Path::new(DIRECTORY).join(format!("{name}.key")),
    })
}

/// Where the key of remote control is; none if there shall be no remote control.
fn control_key_path(path: &Path, name: &str, cluster: &FileCluster) -> Option<PathBuf> {
    if !get(&cluster.remote_control).is_some_and(|&it| it) {
        return None;
    }
    Some(match get(&cluster.control_key_file) {
        Some(key) => beside(path, &key.0),
        None => default_control_key(name),
    })
}

/// Where the key of remote control is, unless the file of the cluster says another place.
pub(crate) fn default_control_key(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{name}.control"))
}

/// A path that begins where a file is, if it is relative.
fn beside(file: &Path, path: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(path)
}

/// The place of a key that is there.
fn place<T>(key: &Option<Spanned<T>>) -> Option<Range<usize>> {
    key.as_ref().map(Spanned::span)
}
