// SPDX-License-Identifier: GPL-2.0-only

//! Settings as a file writes them.

use std::fmt::Write;

use nlb_core::{
    genl::Affinity,
    rules::{FilteringMode, HealthAction, PREFIX_V4_DEFAULT, PREFIX_V6_DEFAULT, Protocols, Track},
};
use nlb_netlink::object::{Member, NewRule};
use toml::Value;

use super::{
    Settings,
    difference::{ROWS, Side},
    value::InitialState,
};

/// A text in quotes.
pub(crate) fn quoted(text: impl ToString) -> String {
    Value::String(text.to_string()).to_string()
}

/// A key of a table header: bare where that is allowed.
pub(crate) fn header(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(bare) {
        name.into()
    } else {
        quoted(name)
    }
}

/// The keys of a rule as a host says it, each with its value; what is the default is left out, but never all of it.
pub(crate) fn keys(new: &NewRule, host: u8) -> Vec<(&'static str, String)> {
    let rule = &new.rule;
    let mut keys = Vec::new();
    if let Some(vip) = rule.vip {
        keys.push(("vip", quoted(vip)));
    }
    match (rule.first_port, rule.last_port) {
        (0, u16::MAX) => {}
        (first, last) if first == last => keys.push(("ports", first.to_string())),
        (first, last) => keys.push(("ports", quoted(format!("{first}-{last}")))),
    }
    if rule.protocols != Protocols::Both {
        keys.push(("protocols", quoted(rule.protocols.name())));
    }
    if rule.mode != FilteringMode::Multiple {
        keys.push(("mode", quoted(rule.mode.name())));
    }
    if rule.mode == FilteringMode::Multiple || rule.affinity != Affinity::Single {
        keys.push(("affinity", quoted(rule.affinity.name())));
    }
    if rule.prefix_v4 != PREFIX_V4_DEFAULT {
        keys.push(("prefix-v4", rule.prefix_v4.to_string()));
    }
    if rule.prefix_v6 != PREFIX_V6_DEFAULT {
        keys.push(("prefix-v6", rule.prefix_v6.to_string()));
    }
    if rule.track != Track::Quic {
        keys.push(("track", quoted(rule.track.name())));
    }
    if rule.health != HealthAction::Report {
        keys.push(("health", quoted(rule.health.name())));
    }
    if let Some(weight) = new.weight {
        keys.push(("weights", format!("{{ {host} = {weight} }}")));
    }
    if let Some(priority) = new.priority {
        keys.push(("priorities", format!("{{ {host} = {priority} }}")));
    }
    keys
}

/// A rule in one line.
pub(crate) fn rule(new: &NewRule, host: u8) -> String {
    let keys = keys(new, host);
    let keys: Vec<_> = keys
        .iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    keys.join(", ")
}

/// What is said beside the settings.
const HEAD: &str = "\
# Written by `nlbadm export`. The key is in a file of its own, the same on every host, and is not told by the kernel:
# /etc/nlb/NAME.key, unless `key-file` is given below [cluster].
";

const RULE_NUMBERS: &str = "\
# Weights and priorities of rules are those of this host: add those of the others.
";

/// A file with these settings of one host, and what it knows of the others as comments.
pub(crate) fn export(
    settings: &Settings,
    host: &str,
    state: InitialState,
    members: &[Member],
) -> String {
    let mut text = String::from(HEAD);
    if settings.rules.is_empty() {
        text.push_str("\n# One host serves everything, and another one if it fails.\nrule = []\n");
    }
    text.push_str("\n[cluster]\n");
    rows(&mut text, settings, Side::Cluster);
    let own_numbers = |new: &NewRule| new.weight.is_some() || new.priority.is_some();
    if settings.rules.iter().any(own_numbers) {
        text.push('\n');
        text.push_str(RULE_NUMBERS);
    }
    for new in &settings.rules {
        text.push_str("\n[[rule]]\n");
        for (key, value) in keys(new, settings.host_id) {
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    let _ = writeln!(text, "\n[host.{}]", header(host));
    rows(&mut text, settings, Side::Host);
    let _ = writeln!(text, "state = {}", quoted(state.name()));
    others(&mut text, members);
    text
}

fn rows(text: &mut String, settings: &Settings, side: Side) {
    for row in ROWS.iter().filter(|row| row.side == side) {
        if let Some(value) = (row.write)(settings) {
            let _ = writeln!(text, "{} = {value}", row.key);
        }
    }
}

/// The other hosts: what heartbeats tell of them is not enough for a section.
fn others(text: &mut String, members: &[Member]) {
    let mut others = members.iter().filter(|member| !member.this).peekable();
    if others.peek().is_some() {
        text.push_str("\n# Each other host needs a section of its own, named as `hostname` prints it there:\n");
    }
    for member in others {
        let _ = write!(text, "#\n# [host.NAME]\n# id = {}\n", member.host_id);
        if let Some(weight) = member.weight {
            let _ = writeln!(text, "# weight = {weight}");
        }
        if let Some(address) = member.dedicated_ip {
            let _ = writeln!(text, "# its address is {address}");
        }
    }
}
