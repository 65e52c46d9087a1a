// SPDX-License-Identifier: GPL-2.0-only

//! The files of clusters that this host is in.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use nlbadm::{Config, Failure, Machine, Section, remote::ControlKey};

use crate::{host::ClusterChecks, log, remote::Access, replica::Setup};

/// The files of clusters, and what each said when it was right last.
#[derive(Debug)]
pub(crate) struct Files {
    /// Files, and directories, which stand for all files `*.toml` in them.
    paths: Vec<PathBuf>,
    /// The section that is for this host, if it is told.
    section: Option<String>,
    /// None: this host has no part in the cluster.
    good: BTreeMap<PathBuf, Option<Part>>,
}

/// What a file says to this host.
#[derive(Clone, Debug)]
struct Part {
    checks: ClusterChecks,
    vips: Vec<IpAddr>,
    /// Whether there shall be remote control, and the key of it.
    control: Option<ControlKey>,
    /// Whether all hosts have the file the same.
    replica: Option<Setup>,
}

/// What the files say.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// The checks, by clusters.
    pub(crate) checks: Vec<ClusterChecks>,
    /// The clusters with remote control.
    pub(crate) access: Access,
    /// The clusters whose file all hosts have the same.
    pub(crate) replicas: Vec<Setup>,
    /// Whether there was a file that could not be read.
    pub(crate) unread: bool,
}

impl Files {
    /// The files at these paths, and which section is this host's, if that is told.
    pub(crate) fn new(paths: Vec<PathBuf>, section: Option<String>) -> Self {
        Files {
            paths,
            section,
            good: BTreeMap::new(),
        }
    }

    /// Reads the files again. A file that is not right is told, and counts as it was when it was right last.
    pub(crate) fn read(&mut self, machine: &Machine) -> Read {
        let mut unread = false;
        let mut files = Vec::new();
        for path in &self.paths {
            match listed(path) {
                Ok(listed) => files.extend(listed),
                Err(error) => {
                    unread = true;
                    log!("{}: {error}", path.display());
                    // Those of it that were known count as they were.
                    let known = self.good.keys().filter(|file| file.starts_with(path));
                    files.extend(known.cloned());
                }
            }
        }
        let mut before = std::mem::take(&mut self.good);
        for file in files {
            match part(&file, machine, self.section.as_deref()) {
                Ok(part) => {
                    self.good.insert(file, part);
                }
                Err(failure) => {
                    unread = true;
                    log!("{failure}");
                    if let Some(known) = before.remove(&file) {
                        // Remote control is on where a file says so, and this one may no longer say it.
                        let known = known.map(|part| Part {
                            control: None,
                            ..part
                        });
                        self.good.insert(file, known);
                    }
                }
            }
        }
        let mut read = Read {
            unread,
            ..Read::default()
        };
        for part in self.good.values().flatten() {
            read.access.vips.extend(&part.vips);
            read.checks.push(part.checks.clone());
        }
        read.access.keys = self.keys();
        read.replicas = self.replicas();
        read
    }

    /// The clusters whose file all hosts have the same. Where two files are of one cluster, nobody knows which one it is.
    fn replicas(&self) -> Vec<Setup> {
        let parts = || self.good.values().flatten();
        let of = |name: &str| parts().filter(|part| part.checks.cluster == name).count();
        let setups = parts().filter_map(|part| part.replica.clone());
        let (one, several): (Vec<_>, Vec<_>) = setups.partition(|it| of(&it.cluster) == 1);
        for setup in several {
            log!(
                "no replication of {}: there are several files of it",
                setup.cluster
            );
        }
        one
    }

    /// The keys of remote control. Where two files are of one cluster, nobody knows which one counts.
    fn keys(&self) -> BTreeMap<String, ControlKey> {
        let mut keys: BTreeMap<String, Option<ControlKey>> = BTreeMap::new();
        for part in self.good.values().flatten() {
            let cluster = &part.checks.cluster;
            if keys.contains_key(cluster) {
                log!("no remote control of {cluster}: there are several files of it");
                keys.insert(cluster.clone(), None);
            } else {
                keys.insert(cluster.clone(), part.control.clone());
            }
        }
        let on = |(name, key): (String, Option<ControlKey>)| Some((name, key?));
        keys.into_iter().filter_map(on).collect()
    }
}

/// What a file says; nothing if it has no section for this host.
fn part(file: &Path, machine: &Machine, section: Option<&str>) -> Result<Option<Part>, Failure> {
    let config = Config::read(file)?;
    let own = match config.section(machine, section) {
        Ok(own) => own,
        Err(failure) => {
            log!("no part in the cluster {}: {failure}", config.name());
            return Ok(None);
        }
    };
    Ok(Some(Part {
        checks: ClusterChecks {
            cluster: config.name().into(),
            checks: config.checks().to_vec(),
        },
        vips: config.vips().to_vec(),
        control: control(&config),
        replica: replica(&config, file, own, section),
    }))
}

/// What there is to know where all hosts have the file the same. Without a right key they do not.
fn replica(config: &Config, file: &Path, own: &Section, section: Option<&str>) -> Option<Setup> {
    let key = ControlKey::of_file(config);
    let key = key.map_err(|failure| log!("no replication of {}: {failure}", config.name()));
    let host = |it: &Section| (it.id, it.name.clone(), it.dedicated());
    Some(Setup {
        cluster: config.name().into(),
        file: file.into(),
        section: section.map(str::to_owned),
        own: own.id,
        name: own.name.clone(),
        key: key.ok()??,
        hosts: config.hosts().iter().map(host).collect(),
    })
}

/// The key of remote control. Without a right one there is none; the checks do not depend on it.
fn control(config: &Config) -> Option<ControlKey> {
    let key = ControlKey::read(config.control_key()?, config.key());
    key.map_err(|failure| log!("no remote control of {}: {failure}", config.name()))
        .ok()
}

/// The files that a path stands for, in their order. A directory that is not there has none.
fn listed(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(vec![path.into()]),
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.extension().is_none() => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let file = entry?.path();
        if file.extension() == Some(OsStr::new("toml")) && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(cluster: &str, checks: usize) -> String {
        let rule = |number| {
            format!(
                "[[rule]]\nports = {}\n[rule.check]\ntype = \"tcp\"\n",
                80 + number
            )
        };
        let rules: String = (0..checks).map(rule).collect();
        format!(
            "[cluster]\nname = \"{cluster}\"\nvips = [\"192.0.2.10\"]\ninterface = \"eth1\"\n{rules}[host.a]\nid = 1\n"
        )
    }

    /// The clusters with their numbers of checks.
    fn read(files: &mut Files) -> (Vec<(String, usize)>, bool) {
        let read = files.read(&Machine::default());
        let count = |it: &ClusterChecks| (it.cluster.clone(), it.checks.len());
        (read.checks.iter().map(count).collect(), read.unread)
    }

    #[test]
    fn a_file_that_is_not_right_counts_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut files = Files::new(vec![folder.path().into()], Some("a".into()));
        assert_eq!(read(&mut files), (vec![], false));
        fs::write(at("a.toml"), file("a", 1)).unwrap();
        fs::write(at("b.toml"), file("b", 2)).unwrap();
        fs::write(at("b.key"), "no file of a cluster").unwrap();
        assert_eq!(
            read(&mut files),
            (vec![("a".into(), 1), ("b".into(), 2)], false)
        );
        fs::write(at("b.toml"), "[cluster").unwrap();
        assert_eq!(
            read(&mut files),
            (vec![("a".into(), 1), ("b".into(), 2)], true)
        );
        fs::write(at("b.toml"), file("b", 3)).unwrap();
        fs::remove_file(at("a.toml")).unwrap();
        assert_eq!(read(&mut files), (vec![("b".into(), 3)], false));
    }

    #[test]
    fn a_directory_that_cannot_be_read_counts_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("nlb.d");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("a.toml"), file("a", 1)).unwrap();
        let mut files = Files::new(vec![directory.clone()], Some("a".into()));
        assert_eq!(read(&mut files), (vec![("a".into(), 1)], false));
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(read(&mut files), (vec![("a".into(), 1)], true));
    }

    #[test]
    fn a_host_without_a_section_has_no_checks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        fs::write(&path, file("a", 1)).unwrap();
        let mut files = Files::new(vec![path.clone()], Some("b".into()));
        assert_eq!(read(&mut files), (vec![], false));
        let mut files = Files::new(vec![path], None);
        assert_eq!(read(&mut files), (vec![], false));
    }

    #[test]
    fn remote_control_is_off_without_a_key_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str, byte: char, mode: u32| {
            let text = format!("key {}A=\n", byte.to_string().repeat(42));
            fs::write(at(name), text).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            fs::set_permissions(at(name), mode).unwrap();
        };
        let on = "key-file = \"a.key\"\nremote-control = true\ncontrol-key-file = \"a.control\"\n";
        let text = file("a", 1).replace("[[rule]]", &format!("{on}[[rule]]"));
        let mut files = Files::new(vec![at("a.toml")], Some("a".into()));
        write("a.key", 'A', 0o600);
        let mut clusters = |text: &str| {
            fs::write(at("a.toml"), text).unwrap();
            let read = files.read(&Machine::default());
            assert_eq!((read.checks.len(), read.unread), (1, false));
            read.access.keys.len()
        };
        assert_eq!(clusters(&text), 0, "there is no key");
        write("a.control", 'A', 0o600);
        assert_eq!(clusters(&text), 0, "it is that of the heartbeats");
        write("a.control", 'B', 0o644);
        assert_eq!(clusters(&text), 0, "others can read it");
        write("a.control", 'B', 0o600);
        assert_eq!(clusters(&text), 1);
        assert_eq!(
            clusters(
                &text
                    .replace("true", "false")
                    .replace("control-key-file = \"a.control\"\n", "")
            ),
            0
        );
        // One that is not right any more does not say that it is on.
        assert_eq!(clusters(&text), 1);
        fs::write(at("a.toml"), "[cluster").unwrap();
        let read = files.read(&Machine::default());
        assert_eq!(
            (read.checks.len(), read.access.keys.len(), read.unread),
            (1, 0, true)
        );
        // Nor do two files of one cluster.
        fs::write(at("a.toml"), &text).unwrap();
        fs::write(at("b.toml"), &text).unwrap();
        let mut files = Files::new(vec![at("a.toml"), at("b.toml")], Some("a".into()));
        assert_eq!(files.read(&Machine::default()).access.keys.len(), 0);
    }

    #[test]
    fn a_directory_may_be_absent_and_a_file_may_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| vec![folder.path().join(name)];
        assert_eq!(read(&mut Files::new(path("nlb"), None)), (vec![], false));
        assert_eq!(
            read(&mut Files::new(path("web.toml"), None)),
            (vec![], true)
        );
    }
}
