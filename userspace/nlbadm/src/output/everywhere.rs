// SPDX-License-Identifier: GPL-2.0-only

//! The file that all hosts have the same: a change of it, and its versions.

use std::{cmp::Ordering, collections::BTreeMap, fmt::Write};

use serde::Serialize;

use super::{Report, rules::waiting, table::table};
use crate::{
    cmd::clock_note,
    replica::{FileState, Outcome, Status, Version, clock},
    source::printable,
};

/// What became of a change.
#[derive(Debug, Serialize)]
pub(crate) struct ChangeShape {
    cluster: String,
    version: VersionShape,
    /// Whether it is in force; else nothing has changed.
    in_force: bool,
    /// Whether it was to be tried only.
    dry_run: bool,
    hosts: Vec<HostShape>,
    /// The hosts that rules and settings still wait for; null if they wait for none.
    waits_for: Option<Vec<u8>>,
}

/// One host in a change.
#[derive(Debug, Serialize)]
pub(crate) struct HostShape {
    pub(crate) host_id: u8,
    pub(crate) name: String,
    /// Whether the operator has left it out.
    pub(crate) left_out: bool,
    /// Whether it is what the version says.
    pub(crate) done: bool,
    /// Why not, as an exit code.
    pub(crate) exit: Option<u8>,
    pub(crate) message: Option<String>,
    /// What there is to say beside that.
    pub(crate) note: Option<String>,
    #[serde(skip)]
    pub(crate) waits_for: Vec<u8>,
}

/// A version of the file.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct VersionShape {
    number: u64,
    /// SHA-256 of the content.
    digest: String,
    /// Where it was applied.
    host_id: u8,
    host: String,
    /// RFC 3339, UTC, by the clock of that host.
    time: String,
    note: Option<String>,
}

impl VersionShape {
    fn new(version: &Version) -> Self {
        VersionShape {
            number: version.number,
            digest: version.digest.to_string(),
            host_id: version.origin,
            host: printable(&version.host),
            time: clock(version.time),
            note: version.note.as_deref().map(printable),
        }
    }
}

impl ChangeShape {
    pub(crate) fn new(
        cluster: &str,
        version: &Version,
        outcome: &Outcome,
        dry_run: bool,
        hosts: Vec<HostShape>,
    ) -> Self {
        // A host that was asked before the last one had the file waited for that one.
        let done: Vec<u8> = hosts
            .iter()
            .filter(|it| it.done)
            .map(|it| it.host_id)
            .collect();
        let mut left: Vec<u8> = hosts
            .iter()
            .flat_map(|it| it.waits_for.iter().copied())
            .collect();
        left.retain(|id| !done.contains(id));
        left.sort_unstable();
        left.dedup();
        ChangeShape {
            cluster: cluster.into(),
            version: VersionShape::new(version),
            in_force: outcome.in_force,
            dry_run,
            hosts,
            waits_for: (!left.is_empty()).then_some(left),
        }
    }
}

impl Report for ChangeShape {
    fn human(&self) -> String {
        let number = self.version.number;
        let mut text = table(
            "",
            ["HOST", "NAME", "RESULT"],
            self.hosts.iter().map(|host| self.row(host)),
        );
        let _ = match (self.in_force, self.dry_run) {
            (true, _) => writeln!(text, "version {number} of {} is in force", self.cluster),
            (false, true) => writeln!(text, "nothing was changed"),
            (false, false) => Ok(()),
        };
        if let Some(hosts) = &self.waits_for {
            let _ = writeln!(text, "rules and settings of it wait: {}", waiting(hosts));
        }
        text
    }
}

impl ChangeShape {
    fn row(&self, host: &HostShape) -> Vec<String> {
        let result = match &host.message {
            Some(message) => message.as_str(),
            None if host.left_out => "left out; it takes the version when it can be reached",
            None if host.done => "done",
            None if self.dry_run => "it could have it",
            None => "as before",
        };
        let note = host.note.iter().map(|note| format!("; {note}"));
        vec![
            host.host_id.to_string(),
            host.name.clone(),
            format!("{result}{}", note.collect::<String>()),
        ]
    }
}

/// The versions of a file, and which host has which.
#[derive(Debug, Serialize)]
pub(crate) struct VersionsShape {
    cluster: String,
    /// The number of the version in force on this host; null before the first change.
    current: Option<u64>,
    /// The newest first.
    versions: Vec<VersionShape>,
    hosts: Vec<HostVersion>,
}

/// Which version a host has.
#[derive(Debug, Serialize)]
struct HostVersion {
    host_id: u8,
    name: String,
    /// Number of the version in force there; null before the first change, and if it does not answer.
    version: Option<u64>,
    /// SHA-256 of its content.
    digest: Option<String>,
    /// `same`, `edited` or `missing`: the file, beside the version; null if the host does not answer.
    file: Option<FileState>,
    /// Whether the host was made what it says; null if it does not answer.
    applied: Option<bool>,
    /// The version of a change that is not decided yet.
    staged: Option<u64>,
    /// What keeps it from having the version, or from answering, and what else there is to say.
    messages: Vec<String>,
}

impl VersionsShape {
    /// `now`: seconds since 1970.
    pub(crate) fn new(
        cluster: &str,
        own: &Status,
        names: &BTreeMap<u8, String>,
        mut others: BTreeMap<u8, Result<Status, String>>,
        now: u64,
    ) -> Self {
        others.insert(own.host, Ok(own.clone()));
        let line = |(host_id, status)| {
            let name = names.get(&host_id).cloned().unwrap_or_default();
            HostVersion::new(host_id, name, status, now)
        };
        VersionsShape {
            cluster: cluster.into(),
            current: own.current.as_ref().map(|current| current.number),
            versions: known(own, &others)
                .iter()
                .rev()
                .map(VersionShape::new)
                .collect(),
            hosts: others.into_iter().map(line).collect(),
        }
    }
}

/// The versions that hosts know, the oldest first. What another host had before the first one is not of interest here.
fn known(own: &Status, others: &BTreeMap<u8, Result<Status, String>>) -> Vec<Version> {
    let mut known = own.history.clone();
    for status in others.values().flatten() {
        let new = |it: &&Version| it.number > 0 && !known.contains(it);
        let new: Vec<Version> = status.history.iter().filter(new).cloned().collect();
        known.extend(new);
    }
    known.sort_by(|a, b| {
        if a.beats(b) {
            Ordering::Greater
        } else {
            Ordering::Less
        }
    });
    known
}

impl HostVersion {
    fn new(host_id: u8, name: String, status: Result<Status, String>, now: u64) -> Self {
        let mut line = HostVersion {
            host_id,
            name,
            version: None,
            digest: None,
            file: None,
            applied: None,
            staged: None,
            messages: Vec::new(),
        };
        match status {
            Ok(status) => {
                line.version = status.current.as_ref().map(|it| it.number);
                line.digest = status.current.as_ref().map(|it| it.digest.to_string());
                line.file = Some(status.file);
                line.applied = Some(status.applied);
                line.staged = status.staged.map(|staged| staged.version.number);
                line.messages
                    .extend(status.trouble.map(|it| printable(&it)));
                line.messages.extend(clock_note(status.clock, now));
            }
            Err(why) => line.messages.push(printable(&why)),
        }
        line
    }

    fn row(&self) -> Vec<String> {
        let number =
            |number: Option<u64>| number.map_or_else(|| "-".into(), |it: u64| it.to_string());
        let mut words = Vec::new();
        match self.file {
            Some(FileState::Edited) => words.push("its file was edited there since".to_owned()),
            Some(FileState::Missing) => words.push("its file is missing".to_owned()),
            _ => {}
        }
        if self.applied == Some(false) && self.file == Some(FileState::Same) {
            words.push("it is not what the file says".into());
        }
        if let Some(staged) = self.staged {
            words.push(format!("version {staged} is not decided yet"));
        }
        words.extend(self.messages.iter().cloned());
        vec![
            self.host_id.to_string(),
            self.name.clone(),
            number(self.version),
            words.join("; "),
        ]
    }
}

impl Report for VersionsShape {
    fn human(&self) -> String {
        let mut text = String::new();
        if self.versions.is_empty() {
            let _ = writeln!(
                text,
                "no change was made on all hosts yet: `nlbadm apply FILE --on all` makes the first"
            );
        } else {
            let row = |version: &VersionShape| {
                vec![
                    version.number.to_string(),
                    version.time.clone(),
                    format!("{} ({})", version.host, version.host_id),
                    version.digest.chars().take(12).collect(),
                    version.note.clone().unwrap_or_default(),
                ]
            };
            let heading = ["VERSION", "TIME", "FROM", "SHA-256", "NOTE"];
            text.push_str(&table("", heading, self.versions.iter().map(row)));
        }
        text.push('\n');
        let heading = ["HOST", "NAME", "VERSION", "NOTE"];
        text.push_str(&table("", heading, self.hosts.iter().map(HostVersion::row)));
        text
    }
}

/// The content of a version.
#[derive(Debug, Serialize)]
pub(crate) struct ContentShape {
    version: VersionShape,
    text: String,
}

impl ContentShape {
    pub(crate) fn new(version: &Version, text: String) -> Self {
        ContentShape {
            version: VersionShape::new(version),
            text,
        }
    }
}

impl Report for ContentShape {
    fn human(&self) -> String {
        self.text.clone()
    }
}
