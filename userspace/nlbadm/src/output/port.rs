// SPDX-License-Identifier: GPL-2.0-only

//! One rule on this host.

use nlb_core::genl::Stance;
use serde::Serialize;

use super::{Report, rules::RuleShape, table::layout, text::percent};

/// Answer of `queryport`.
#[derive(Debug, Serialize)]
pub(crate) struct PortShape {
    pub(crate) interface: String,
    pub(crate) rule: RuleShape,
}

impl Report for PortShape {
    fn human(&self) -> String {
        let rule = &self.rule;
        let vip = rule
            .vip
            .map_or_else(|| "all VIPs".into(), |vip| vip.to_string());
        let [ports, affinity] = &rule.text;
        let covers = format!("{} {ports} of {vip}", rule.protocols);
        let mut rows = vec![
            ("rule:", format!("{} of {}", rule.number, self.interface)),
            ("covers:", covers),
            ("mode:", format!("{}, affinity {affinity}", rule.mode)),
            ("state:", rule.state.clone()),
            ("service:", rule.health.clone()),
            ("this host:", takes(&rule.stance).into()),
        ];
        if let Some(share) = rule.share_percent {
            rows.push(("share:", percent(share)));
        }
        for (name, count) in [("accepted:", rule.accepted), ("dropped:", rule.dropped)] {
            if let Some(count) = count {
                rows.push((name, format!("{count} packets")));
            }
        }
        let rows: Vec<_> = rows
            .into_iter()
            .map(|(name, text)| vec![name.to_owned(), text])
            .collect();
        layout("", &rows)
    }
}

/// Whether the host takes its share, in words.
fn takes(stance: &str) -> &str {
    let words = [
        (Stance::Takes, "takes its share"),
        (
            Stance::GaveUp,
            "gave the rule up: its clients got no answer here",
        ),
        (
            Stance::Tries,
            "tries again whether its clients get an answer",
        ),
    ];
    let known = words.iter().find(|(known, _)| known.name() == stance);
    known.map_or(stance, |(_, words)| words)
}
