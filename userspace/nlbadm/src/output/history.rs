// SPDX-License-Identifier: GPL-2.0-only

//! When and why a cluster converged.

use nlb_netlink::object::{Convergence, host_ids};
use serde::Serialize;

use super::{
    Report,
    table::table,
    text::{ids, milliseconds},
};

/// Answer of `history`, newest first.
#[derive(Debug, Serialize)]
pub(crate) struct HistoryShape {
    pub(crate) interface: String,
    pub(crate) history: Vec<ConvergenceShape>,
}

/// One convergence.
#[derive(Debug, Serialize)]
pub(crate) struct ConvergenceShape {
    pub(crate) generation: u64,
    pub(crate) cause: Option<String>,
    pub(crate) host_id: Option<u8>,
    pub(crate) members: Vec<u8>,
    pub(crate) age_ms: u64,
    pub(crate) took_us: Option<u32>,
    pub(crate) moved: Option<u32>,
}

impl From<Convergence> for ConvergenceShape {
    fn from(entry: Convergence) -> Self {
        ConvergenceShape {
            generation: entry.generation,
            cause: entry.cause.map(|cause| cause.to_string()),
            host_id: entry.host_id,
            members: host_ids(entry.members).collect(),
            age_ms: entry.age_ms,
            took_us: entry.took_us,
            moved: entry.moved,
        }
    }
}

impl Report for HistoryShape {
    fn human(&self) -> String {
        if self.history.is_empty() {
            return "the cluster has not converged yet\n".into();
        }
        let heading = [
            "generation",
            "ago",
            "cause",
            "host",
            "members",
            "moved",
            "took",
        ];
        table("", heading, self.history.iter().map(convergence))
    }
}

fn convergence(entry: &ConvergenceShape) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    vec![
        entry.generation.to_string(),
        milliseconds(entry.age_ms),
        or_dash(entry.cause.clone()),
        or_dash(entry.host_id.map(|id| id.to_string())),
        ids(&entry.members),
        or_dash(entry.moved.map(|moved| moved.to_string())),
        or_dash(
            entry
                .took_us
                .map(|us| format!("{}.{:03} ms", us / 1000, us % 1000)),
        ),
    ]
}
