// SPDX-License-Identifier: GPL-2.0-only

//! The checkers: what must hold after every event, whatever has gone wrong.

pub(crate) mod agreement;
pub(crate) mod calm;
pub(crate) mod hearing;
pub(crate) mod owner;

use std::fmt;

/// The properties of the protocol, by the names that its design gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Property {
    /// Hosts with the same generation have the same members, maps and rules.
    Agreement,
    /// No two hosts accept new connections of one bucket.
    OneOwner,
    /// A bucket without an owner has a new one in time.
    NoOrphan,
    /// In a planned change a bucket is without an owner for a few frames only.
    Gap,
    /// Only buckets that must move do.
    Minimal,
    /// Each host is within one bucket of its weighted share.
    Balanced,
    /// Who must be kept out is kept out by name, and the rest serve on.
    Stable,
    /// No frame of the adversary is accepted.
    Attack,
    /// All converge within a bound after everything has healed.
    Heals,
    /// Convergence never stops service.
    Continues,
    /// Who holds sessions of a bucket that another owns is known to the owner.
    Residue,
    /// A change is through within its time.
    Timing,
    /// The core ends its work in bounded steps.
    Bounded,
    /// The core does not panic.
    Panic,
}

impl Property {
    /// All of them.
    #[cfg(test)]
    const ALL: [Property; 14] = [
        Property::Agreement,
        Property::OneOwner,
        Property::NoOrphan,
        Property::Gap,
        Property::Minimal,
        Property::Balanced,
        Property::Stable,
        Property::Attack,
        Property::Heals,
        Property::Continues,
        Property::Timing,
        Property::Bounded,
        Property::Panic,
        Property::Residue,
    ];

    /// The name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Property::Agreement => "agreement",
            Property::OneOwner => "one-owner",
            Property::NoOrphan => "no-orphan",
            Property::Gap => "gap",
            Property::Minimal => "minimal",
            Property::Balanced => "balanced",
            Property::Stable => "stable",
            Property::Attack => "attack",
            Property::Heals => "heals",
            Property::Continues => "continues",
            Property::Residue => "residue",
            Property::Timing => "timing",
            Property::Bounded => "bounded",
            Property::Panic => "panic",
        }
    }
}

/// A property that did not hold.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// Which one.
    pub(crate) property: Property,
    /// Virtual time in nanoseconds.
    pub(crate) at: u64,
    /// What was seen.
    pub(crate) text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at {:.6} s: {}",
            self.property.name(),
            self.at as f64 / 1e9,
            self.text
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::Property;

    /// The protocol on paper says of each property who watches it: these watchers exist, and no other does.
    #[test]
    fn the_protocol_names_the_checkers_that_there_are() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let core = root.join("module/core");
        let page = root.join("docs/protocol.md");
        let text = std::fs::read_to_string(page).expect("the protocol is there");
        let table = text
            .lines()
            .skip_while(|line| !line.starts_with("| property"))
            .skip(2)
            .take_while(|line| line.starts_with('|'));
        let mut named = BTreeSet::new();
        for row in table {
            let watchers = row.trim_end_matches('|').rsplit('|').next().unwrap_or("");
            let words: Vec<&str> = watchers.split('`').skip(1).step_by(2).collect();
            assert!(!words.is_empty(), "nobody watches: {row}");
            for word in words {
                if word.contains('/') {
                    assert!(core.join(word).exists(), "{word} is not there");
                } else {
                    named.insert(word.to_owned());
                }
            }
        }
        let all: BTreeSet<String> = Property::ALL
            .iter()
            .map(|property| property.name().to_owned())
            .collect();
        assert_eq!(named, all);
    }
}
