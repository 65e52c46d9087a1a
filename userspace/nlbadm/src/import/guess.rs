// SPDX-License-Identifier: GPL-2.0-only

//! Which system a text is of.

use super::Format;

/// The system of a text.
///
/// # Errors
///
/// In words, if it has marks of none or of several.
pub(crate) fn guess(text: &str) -> Result<Format, String> {
    let marks = [
        (Format::Pacemaker, pacemaker as fn(&str) -> bool),
        (Format::Keepalived, keepalived),
        (Format::Windows, windows),
    ];
    let found: Vec<_> = marks
        .iter()
        .filter(|(_, mark)| text.lines().any(mark))
        .map(|(format, _)| *format)
        .collect();
    if let [format] = found[..] {
        return Ok(format);
    }
    if text.lines().any(pcs) {
        return Err(
            "this is what `pcs resource config` prints for people: give the output of `pcs cluster cib` instead".into(),
        );
    }
    let names: Vec<_> = found.iter().map(|format| format.name()).collect();
    Err(match names[..] {
        [] => "this is not known as Pacemaker's, keepalived's or Windows' configuration: say which it is with --from".into(),
        _ => format!(
            "this looks like {}: say which it is with --from",
            names.join(" and like ")
        ),
    })
}

fn begins(line: &str, words: &[&str]) -> bool {
    let first = line.split(|c: char| c.is_whitespace() || c == '{').next();
    words.contains(&first.unwrap_or_default())
}

fn pacemaker(line: &str) -> bool {
    begins(line, &["primitive", "clone", "node", "property"])
        || [
            "<cib",
            "<configuration",
            "<resources",
            "<primitive",
            "<clone",
        ]
        .iter()
        .any(|tag| line.trim_start().starts_with(tag))
}

fn keepalived(line: &str) -> bool {
    let words = [
        "vrrp_instance",
        "virtual_server",
        "global_defs",
        "vrrp_script",
        "vrrp_sync_group",
    ];
    begins(line.trim_start(), &words)
}

fn windows(line: &str) -> bool {
    let key = line.split([':', '=']).next().unwrap_or_default().trim();
    let keys = [
        "HostPriority",
        "ClusterIPAddress",
        "OperationMode",
        "StartPort",
        "HostID",
        "SubnetMask",
    ];
    (keys.contains(&key) && key.len() < line.trim().len())
        || line.contains("Cluster Control Utility")
        || (line.contains("StartPort") && line.contains("EndPort"))
}

fn pcs(line: &str) -> bool {
    line.contains("(class=ocf provider=heartbeat type=IPaddr2)")
}
