// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm check`, `apply` and `export`

use std::fmt::Write;

use serde::Serialize;

use super::Report;
use crate::{
    cmd::apply::waiting,
    config::{Config, Difference, RuleLine, Section},
};

/// A file that is right.
#[derive(Debug, Serialize)]
pub(crate) struct CheckedConfig {
    file: String,
    cluster: String,
    vips: usize,
    rules: usize,
    hosts: Vec<HostShape>,
    /// Rules whose service is checked.
    checks: usize,
    /// The section of this machine, or of the host that is named; null if there is none.
    this: Option<String>,
}

#[derive(Debug, Serialize)]
struct HostShape {
    name: String,
    host_id: u8,
    interface: String,
}

impl CheckedConfig {
    pub(crate) fn new(config: &Config, this: Option<&Section>) -> Self {
        let host = |section: &Section| HostShape {
            name: section.name.clone(),
            host_id: section.id,
            interface: section.interface.clone(),
        };
        CheckedConfig {
            file: config.file().into(),
            cluster: config.name().into(),
            vips: config.vips().len(),
            rules: config.rules(),
            hosts: config.hosts().iter().map(host).collect(),
            checks: config.checks().len(),
            this: this.map(|section| section.name.clone()),
        }
    }
}

/// "1 rule", "3 rules".
fn number(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

impl Report for CheckedConfig {
    fn human(&self) -> String {
        let mut text = format!(
            "nothing wrong with it: cluster {}, {}, {}, {}\n",
            self.cluster,
            number(self.vips, "VIP"),
            number(self.rules, "rule"),
            number(self.hosts.len(), "host")
        );
        if self.checks > 0 {
            let checks = number(self.checks, "service");
            let _ = writeln!(text, "{checks} to be checked by nlbd");
        }
        if let Some(this) = &self.this {
            let _ = writeln!(text, "this host is {this}");
        }
        text
    }
}

/// The running state as a file.
#[derive(Debug, Serialize)]
pub(crate) struct Exported {
    pub(crate) interface: String,
    pub(crate) cluster: String,
    pub(crate) host: String,
    /// The text of the file.
    pub(crate) file: String,
}

impl Report for Exported {
    fn human(&self) -> String {
        self.file.clone()
    }
}

/// What it takes to make a host what the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// It is so.
    None,
    /// The cluster is made.
    Up,
    /// It changes while it serves.
    Change,
    /// It leaves and joins again.
    Restart,
}

/// What differed, and what was done.
#[derive(Debug, Serialize)]
pub(crate) struct Applied {
    file: String,
    cluster: String,
    interface: String,
    host: String,
    host_id: u8,
    pub(crate) action: Action,
    /// Whether it was done.
    pub(crate) done: bool,
    /// Whether the host was stopped, and has been started beside that.
    pub(crate) started: bool,
    changes: Vec<ChangeShape>,
    rules: Vec<RuleShape>,
    /// The hosts that rules wait for; null if none wait.
    pub(crate) waits_for: Option<Vec<u8>>,
}

#[derive(Debug, Serialize)]
struct ChangeShape {
    table: String,
    key: &'static str,
    /// As the file writes it; null where it is left out.
    running: Option<String>,
    file: Option<String>,
    /// Whether it can change while the host serves.
    live: bool,
}

#[derive(Debug, Serialize)]
struct RuleShape {
    rule: String,
    running: bool,
    file: bool,
}

impl Applied {
    pub(crate) fn new(
        config: &Config,
        section: &Section,
        action: Action,
        difference: &Difference,
    ) -> Self {
        let changes = difference.changes.iter().map(|change| ChangeShape {
            table: match change.shared {
                true => "cluster".into(),
                false => format!("host.{}", section.name),
            },
            key: change.key,
            running: change.running.clone(),
            file: change.wanted.clone(),
            live: change.live,
        });
        let rules = difference.rules.iter().map(|line| {
            let (rule, running, file) = match line {
                RuleLine::Both(rule) => (rule, true, true),
                RuleLine::Running(rule) => (rule, true, false),
                RuleLine::Wanted(rule) => (rule, false, true),
            };
            RuleShape {
                rule: rule.clone(),
                running,
                file,
            }
        });
        Applied {
            file: config.file().into(),
            cluster: config.name().into(),
            interface: section.interface.clone(),
            host: section.name.clone(),
            host_id: section.id,
            action,
            done: false,
            started: false,
            changes: changes.collect(),
            rules: rules.collect(),
            waits_for: None,
        }
    }

    /// What differs, as a diff; empty if nothing does.
    pub(crate) fn diff(&self) -> String {
        let mut text = String::new();
        if self.changes.is_empty() && self.rules.is_empty() {
            return text;
        }
        let _ = writeln!(text, "--- {} as it runs", self.cluster);
        let _ = writeln!(text, "+++ {} for {}", self.file, self.host);
        let mut table = "";
        for change in &self.changes {
            if change.table != table {
                table = &change.table;
                let _ = writeln!(text, " [{table}]");
            }
            for (sign, value) in [('-', &change.running), ('+', &change.file)] {
                if let Some(value) = value {
                    let _ = writeln!(text, "{sign}{} = {value}", change.key);
                }
            }
        }
        if !self.rules.is_empty() {
            text.push_str(" [[rule]]\n");
        }
        for rule in &self.rules {
            let sign = match (rule.running, rule.file) {
                (true, false) => '-',
                (false, true) => '+',
                _ => ' ',
            };
            let _ = writeln!(text, "{sign}{}", rule.rule);
        }
        text
    }
}

impl Report for Applied {
    fn human(&self) -> String {
        let Applied {
            host,
            host_id,
            cluster,
            ..
        } = self;
        let mut text = match (self.action, self.done) {
            (Action::None, _) => format!("nothing to do: {host} is what the file says"),
            (Action::Up, false) => "it would be made; nothing was changed".into(),
            (Action::Change, false) => {
                "it can change while the host serves; nothing was changed".into()
            }
            (Action::Restart, false) => {
                "the host would leave and join again; nothing was changed".into()
            }
            (Action::Up, true) => format!("{host} is host {host_id} of the cluster {cluster}"),
            (Action::Change, true) => "changed while the host serves".into(),
            (Action::Restart, true) => "changed; the host has left and joined again".into(),
        };
        if self.started {
            text.push_str("; it takes part now");
        }
        if let Some(hosts) = &self.waits_for {
            let _ = write!(text, "; {}", waiting(hosts));
        }
        text.push('\n');
        text
    }
}
