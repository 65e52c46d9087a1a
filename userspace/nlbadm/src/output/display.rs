// SPDX-License-Identifier: GPL-2.0-only

//! All about a cluster, in one answer.

use serde::Serialize;

use super::{
    Report, cluster::Clusters, counters::CountersShape, history::HistoryShape, rules::RulesShape,
};

/// Answer of `display`.
#[derive(Debug, Serialize)]
pub(crate) struct DisplayShape {
    /// As `show` tells it: a list of one.
    pub(crate) show: Clusters,
    pub(crate) rules: RulesShape,
    pub(crate) history: HistoryShape,
    pub(crate) counters: CountersShape,
}

impl Report for DisplayShape {
    fn human(&self) -> String {
        self.parts(self.show.human())
    }

    fn painted(&self) -> String {
        self.parts(self.show.painted())
    }
}

impl DisplayShape {
    fn parts(&self, show: String) -> String {
        [
            show,
            self.rules.human(),
            self.history.human(),
            self.counters.human(),
        ]
        .join("\n")
    }
}
