// SPDX-License-Identifier: GPL-2.0-only

//! How health checks stand.

use serde::Serialize;

use super::{Report, table::table};
use crate::daemon::CheckShape;

/// Answer of `checks`.
#[derive(Debug, Serialize)]
pub(crate) struct ChecksShape {
    pub(crate) checks: Vec<CheckShape>,
}

impl Report for ChecksShape {
    fn human(&self) -> String {
        if self.checks.is_empty() {
            return "no checks: a rule gets one by a table [rule.check] in the file of its cluster; see `nlbadm help check`\n".into();
        }
        let heading = ["CLUSTER", "RULE", "CHECK", "STATE", "SINCE", "LAST ANSWER"];
        table("", heading, self.checks.iter().map(row))
    }
}

fn row(check: &CheckShape) -> Vec<String> {
    let mut state = check.state.clone();
    if let Some(note) = &check.note {
        state.push_str(&format!(" ({note})"));
    }
    vec![
        check.cluster.clone(),
        check.rule.clone(),
        check.check.clone(),
        state,
        seconds(&check.since),
        check.message.clone().unwrap_or_else(|| "none yet".into()),
    ]
}

/// A time without its fraction.
fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_a_table() {
        let check = |state: &str, given_up: bool, note: Option<&str>| CheckShape {
            cluster: "web".into(),
            rule: "tcp 80".into(),
            check: "http://192.0.2.10:80/health".into(),
            state: state.into(),
            since: "2026-01-02T03:04:05.678Z".into(),
            message: (state != "unknown").then(|| "answered 200 OK".into()),
            checked: None,
            answers: Default::default(),
            action: "give-up".into(),
            given_up,
            note: note.map(str::to_owned),
        };
        let checks = vec![
            check("well", false, None),
            check("unwell", true, Some("given up")),
            check("unknown", false, None),
        ];
        insta::assert_snapshot!(ChecksShape { checks }.human());
        assert!(
            ChecksShape { checks: vec![] }
                .human()
                .contains("[rule.check]")
        );
    }
}
