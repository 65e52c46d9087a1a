// SPDX-License-Identifier: GPL-2.0-only

//! What checks found.

use serde::Serialize;

use super::{
    Report,
    paint::{doctor_line, paint},
    table::layout,
};
use crate::obstacle::{Finding, Verdict};

/// Answer of `doctor`.
#[derive(Debug, Serialize)]
pub(crate) struct Checkup {
    /// Of nlbadm.
    pub(crate) version: &'static str,
    /// Release of the kernel.
    pub(crate) kernel: String,
    pub(crate) problems: usize,
    pub(crate) warnings: usize,
    pub(crate) checks: Vec<Finding>,
}

impl Checkup {
    pub(crate) fn new(kernel: &str, checks: Vec<Finding>) -> Self {
        let count = |verdict| {
            let found = checks.iter().filter(|finding| finding.verdict == verdict);
            found.count()
        };
        Checkup {
            version: env!("CARGO_PKG_VERSION"),
            kernel: kernel.to_owned(),
            problems: count(Verdict::Problem),
            warnings: count(Verdict::Warning),
            checks,
        }
    }
}

impl Report for Checkup {
    fn painted(&self) -> String {
        paint(&self.human(), doctor_line)
    }

    fn human(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .checks
            .iter()
            .map(|finding| {
                vec![
                    finding.verdict.name().to_owned(),
                    finding.interface.clone().unwrap_or_else(|| "-".into()),
                    finding.check.to_owned(),
                    finding.line(),
                ]
            })
            .collect();
        format!(
            "nlbadm {} on Linux {}\n{}{}, {}\n",
            self.version,
            self.kernel,
            layout("", &rows),
            counted(self.problems, "problem"),
            counted(self.warnings, "warning"),
        )
    }
}

fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
