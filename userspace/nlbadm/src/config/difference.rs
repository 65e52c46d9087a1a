// SPDX-License-Identifier: GPL-2.0-only

//! What differs between two settings of a host, and what it takes to change it.

use nlb_core::limits::WEIGHT_DEFAULT;

use super::{Dedicated, Settings, text};

/// Where a setting stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// `[cluster]`: the same on every host.
    Cluster,
    /// `[host.NAME]`
    Host,
}

/// A setting of the file.
pub(super) struct Row {
    pub(super) key: &'static str,
    pub(super) side: Side,
    /// Whether it can change while the host serves.
    pub(super) live: bool,
    /// Its value in the file; none where it is left out.
    pub(super) write: fn(&Settings) -> Option<String>,
}

const fn row(side: Side, key: &'static str, write: fn(&Settings) -> Option<String>) -> Row {
    Row {
        key,
        side,
        live: false,
        write,
    }
}

const fn live(row: Row) -> Row {
    Row { live: true, ..row }
}

/// All settings but the rules, in the order of the file.
pub(super) const ROWS: [Row; 16] = [
    row(Side::Cluster, "name", |it| Some(text::quoted(&it.cluster))),
    live(row(Side::Cluster, "vips", |it| {
        let vips: Vec<_> = it.vips.iter().map(text::quoted).collect();
        Some(format!("[{}]", vips.join(", ")))
    })),
    row(Side::Cluster, "mode", |it| {
        Some(text::quoted(it.mode.name()))
    }),
    row(Side::Cluster, "virtual-mac", |it| {
        it.virtual_mac
            .map(|mac| text::quoted(crate::output::text::mac(mac)))
    }),
    live(row(Side::Cluster, "period", |it| {
        Some(text::quoted(format!("{}ms", it.period_ms)))
    })),
    live(row(Side::Cluster, "tolerance", |it| {
        Some(it.tolerance.to_string())
    })),
    live(row(Side::Cluster, "echo", |it| {
        Some(text::quoted(it.echo.name()))
    })),
    live(row(Side::Cluster, "responder", |it| {
        Some(text::quoted(it.responder.name()))
    })),
    row(Side::Cluster, "allow-other-interfaces", |it| {
        it.allow_other_interfaces.then(|| "true".into())
    }),
    row(Side::Cluster, "no-key", |it| {
        it.key_id.is_none().then(|| "true".into())
    }),
    row(Side::Cluster, "key-id", |it| {
        it.key_id.map(|id| id.to_string())
    }),
    row(Side::Host, "id", |it| Some(it.host_id.to_string())),
    row(Side::Host, "interface", |it| {
        Some(text::quoted(&it.interface))
    }),
    row(Side::Host, "dedicated", |it| match it.dedicated {
        Dedicated::Is(address) => Some(text::quoted(address)),
        Dedicated::Follows | Dedicated::Missing => None,
    }),
    live(row(Side::Host, "weight", |it| {
        (it.weight != WEIGHT_DEFAULT).then(|| it.weight.to_string())
    })),
    live(row(Side::Host, "sessions-max", |it| {
        Some(it.sessions_max.to_string())
    })),
];

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) key: &'static str,
    /// Whether it stands in `[cluster]`, and is the same on every host.
    pub(crate) shared: bool,
    /// Whether it can change while the host serves.
    pub(crate) live: bool,
    /// Values as the file writes them; none where it leaves them out.
    pub(crate) running: Option<String>,
    pub(crate) wanted: Option<String>,
}

/// A rule in one or both of two lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RuleLine {
    Both(String),
    Running(String),
    Wanted(String),
}

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) changes: Vec<Change>,
    /// All rules, in order; empty if none differs.
    pub(crate) rules: Vec<RuleLine>,
}

impl Difference {
    /// What differs between what runs, if anything does, and what is wanted.
    pub(crate) fn new(running: Option<&Settings>, wanted: &Settings) -> Self {
        let changes = ROWS.iter().filter_map(|row| change(row, running, wanted));
        let lines = |it: &Settings| {
            let lines = it.rules.iter().map(|new| text::rule(new, it.host_id));
            lines.collect::<Vec<_>>()
        };
        let (before, after) = (running.map(lines).unwrap_or_default(), lines(wanted));
        Difference {
            changes: changes.collect(),
            rules: if before == after {
                Vec::new()
            } else {
                merged(&before, &after)
            },
        }
    }

    /// Whether nothing differs.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.rules.is_empty()
    }

    /// The settings that cannot change while the host serves.
    pub(crate) fn fixed(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| !change.live)
    }
}

fn change(row: &Row, running: Option<&Settings>, wanted: &Settings) -> Option<Change> {
    // The module does not tell an address that is not on the interface: it may be this one.
    if row.key == "dedicated" && running.is_some_and(|it| it.dedicated == Dedicated::Missing) {
        return None;
    }
    let (before, after) = (running.and_then(row.write), (row.write)(wanted));
    // Virtual MAC and heartbeat MAC are made of the primary VIP.
    let same_primary = running.is_none_or(|it| it.vips.first() == wanted.vips.first());
    (before != after).then_some(Change {
        key: row.key,
        shared: row.side == Side::Cluster,
        live: row.live && (row.key != "vips" || same_primary),
        running: before,
        wanted: after,
    })
}

/// Two lists as one: what is in both, in the order of both, and between that what is in one of them.
fn merged(before: &[String], after: &[String]) -> Vec<RuleLine> {
    let common = common(before, after);
    let at = |one: usize, other: usize| common.get(one).and_then(|row| row.get(other)).copied();
    let (mut lines, mut one, mut other) = (Vec::new(), 0, 0);
    loop {
        match (before.get(one), after.get(other)) {
            (None, None) => return lines,
            (Some(old), Some(new)) if old == new => {
                lines.push(RuleLine::Both(old.clone()));
                one += 1;
                other += 1;
            }
            (Some(old), new) if new.is_none() || at(one + 1, other) >= at(one, other + 1) => {
                lines.push(RuleLine::Running(old.clone()));
                one += 1;
            }
            (_, Some(new)) => {
                lines.push(RuleLine::Wanted(new.clone()));
                other += 1;
            }
            (Some(_), None) => return lines,
        }
    }
}

/// How many lines two lists have in common from each pair of places on.
fn common(before: &[String], after: &[String]) -> Vec<Vec<usize>> {
    let mut table = vec![vec![0; after.len() + 1]; before.len() + 1];
    for (one, old) in before.iter().enumerate().rev() {
        for (other, new) in after.iter().enumerate().rev() {
            table[one][other] = if old == new {
                table[one + 1][other + 1] + 1
            } else {
                table[one + 1][other].max(table[one][other + 1])
            };
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(before: &str, after: &str) -> String {
        let list = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let lines = merged(&list(before), &list(after));
        let line = |line: &RuleLine| match line {
            RuleLine::Both(text) => format!(" {text}"),
            RuleLine::Running(text) => format!(" -{text}"),
            RuleLine::Wanted(text) => format!(" +{text}"),
        };
        lines.iter().map(line).collect::<String>().trim().into()
    }

    #[test]
    fn lists_are_compared_by_what_they_have_in_common() {
        for (before, after, both) in [
            ("", "", ""),
            ("a", "", "-a"),
            ("", "a b", "+a +b"),
            ("a b c", "a c", "a -b c"),
            ("a c", "a b c", "a +b c"),
            ("a b", "b a", "-a b +a"),
            ("a b c", "a x c", "a -b +x c"),
            ("a", "b", "-a +b"),
        ] {
            assert_eq!(lines(before, after), both, "{before:?} {after:?}");
        }
    }
}
