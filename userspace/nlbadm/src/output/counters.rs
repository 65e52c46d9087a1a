// SPDX-License-Identifier: GPL-2.0-only

//! The counters of a cluster.

use nlb_netlink::object::Counter;
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::Report;

/// Answer of `counters`.
#[derive(Debug, Serialize)]
pub(crate) struct CountersShape {
    pub(crate) interface: String,
    /// Of whose packets alone; null: of all.
    pub(crate) rule: Option<u16>,
    #[serde(serialize_with = "counters_as_map")]
    pub(crate) counters: Vec<Counter>,
}

fn counters_as_map<S: Serializer>(counters: &[Counter], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(counters.len()))?;
    for counter in counters {
        map.serialize_entry(&counter.name, &counter.value)?;
    }
    map.end()
}

impl Report for CountersShape {
    fn human(&self) -> String {
        if self.counters.is_empty() {
            return "all counters are zero\n".into();
        }
        let width = self
            .counters
            .iter()
            .map(|counter| counter.value.to_string().len())
            .max()
            .unwrap_or(0);
        self.counters
            .iter()
            .map(|counter| format!("{:>width$}  {}\n", counter.value, counter.name))
            .collect()
    }
}
