// SPDX-License-Identifier: GPL-2.0-only

//! The keys that each table may have. The types of [`super::contents`] are asked for them, so that there is one list.

use std::{fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
    forward_to_deserialize_any,
};
use toml::de::{DeTable, DeValue};

use super::{
    contents::{Contents, FileCluster, FileHost},
    health::FileCheck,
};
use crate::{failure::Failure, rulefile::FileRule, source::Source};

/// How alike two keys must be for one to be taken for the other, from 0 to 1.
const ALIKE: f64 = 0.75;

/// The tables of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// The file itself.
    Top,
    /// `[cluster]`
    Cluster,
    /// `[host.NAME]`
    Host,
    /// `[[rule]]`
    Rule,
    /// `[rule.check]`
    Check,
}

impl Table {
    /// All of them.
    pub(super) const ALL: [Self; 5] = [
        Table::Top,
        Table::Cluster,
        Table::Host,
        Table::Rule,
        Table::Check,
    ];

    /// What people call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Table::Top => "the file",
            Table::Cluster => "[cluster]",
            Table::Host => "[host.NAME]",
            Table::Rule => "[[rule]]",
            Table::Check => "[rule.check]",
        }
    }

    /// The keys that it may have.
    pub(super) fn keys(self) -> &'static [&'static str] {
        match self {
            Table::Top => keys_of::<Contents>(),
            Table::Cluster => keys_of::<FileCluster>(),
            Table::Host => keys_of::<FileHost>(),
            Table::Rule => keys_of::<FileRule>(),
            Table::Check => keys_of::<FileCheck>(),
        }
    }
}

/// Refuses a key that its table does not have, and tells what may have been meant.
pub(super) fn check(source: &Source, file: &DeTable<'_>) -> Result<(), Failure> {
    check_table(source, file, Table::Top)?;
    for (key, value) in file {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("cluster", DeValue::Table(cluster)) => check_table(source, cluster, Table::Cluster)?,
            ("host", DeValue::Table(hosts)) => {
                for host in hosts.values() {
                    if let DeValue::Table(host) = host.get_ref() {
                        check_table(source, host, Table::Host)?;
                    }
                }
            }
            ("rule", DeValue::Array(rules)) => {
                for rule in rules {
                    if let DeValue::Table(rule) = rule.get_ref() {
                        check_table(source, rule, Table::Rule)?;
                        if let Some(DeValue::Table(check)) =
                            rule.get("check").map(|check| check.get_ref())
                        {
                            check_table(source, check, Table::Check)?;
                        }
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_table(source: &Source, found: &DeTable<'_>, table: Table) -> Result<(), Failure> {
    let unknown = found
        .keys()
        .filter(|key| !table.keys().contains(&key.get_ref().as_ref()));
    // The first in the file, not in the alphabet.
    match unknown.min_by_key(|key| key.span().start) {
        None => Ok(()),
        Some(key) => Err(refuse(source, key.span(), key.get_ref(), table)),
    }
}

fn refuse(source: &Source, at: Range<usize>, key: &str, table: Table) -> Failure {
    let short: String = key.chars().take(40).collect();
    let name = table.name();
    let elsewhere = Table::ALL
        .into_iter()
        .find(|other| other.keys().contains(&key));
    let advice = match (nearest(key, table.keys()), elsewhere) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, Some(Table::Top)) => "it stands outside of all tables".into(),
        (None, Some(other)) => format!("it belongs into {}", other.name()),
        (None, None) => format!("there are {}", table.keys().join(", ")),
    };
    source.refuse(Some(at), &format!("{name} has no key `{short}`; {advice}"))
}

/// The key that is most like another one, if one is.
pub(super) fn nearest(key: &str, keys: &[&'static str]) -> Option<&'static str> {
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(key, known);
    // What is much longer than any key is like none, and comparing takes its length times theirs.
    if key.len() > 64 {
        return None;
    }
    let alike = |known: &&str| {
        likeness(known) >= ALIKE
            || (key.len() > 2 && (known.starts_with(key) || key.starts_with(*known)))
    };
    let near = keys.iter().copied().filter(alike);
    near.max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
}

/// The names of the fields of a structure, as serde knows them.
fn keys_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    match T::deserialize(Ask) {
        Err(Told(keys)) => keys,
        Ok(_) => &[],
    }
}

/// A deserializer that has nothing to give: it answers with the fields that it is asked for.
struct Ask;

/// The fields, as an error.
#[derive(Debug)]
struct Told(&'static [&'static str]);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fields")
    }
}

impl std::error::Error for Told {}

impl de::Error for Told {
    fn custom<M: fmt::Display>(_: M) -> Self {
        Told(&[])
    }
}

impl<'de> Deserializer<'de> for Ask {
    type Error = Told;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Told> {
        Err(Told(&[]))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Told> {
        Err(Told(fields))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_tell_their_keys() {
        assert_eq!(Table::Top.keys(), ["cluster", "rule", "host"]);
        assert!(Table::Cluster.keys().contains(&"allow-other-interfaces"));
        assert!(Table::Host.keys().contains(&"machine-id"));
        assert!(Table::Rule.keys().contains(&"prefix-v4"));
    }

    #[test]
    fn the_nearest_key_is_found_and_no_far_one() {
        let keys = Table::Cluster.keys();
        for (wrong, right) in [
            ("vip", "vips"),
            ("periode", "period"),
            ("tolerence", "tolerance"),
            ("keyfile", "key-file"),
            ("key_file", "key-file"),
            ("virtual-mca", "virtual-mac"),
        ] {
            assert_eq!(nearest(wrong, keys), Some(right), "{wrong}");
        }
        for wrong in ["", "x", "nothing-like-it", &"v".repeat(100_000)] {
            assert_eq!(nearest(wrong, keys), None);
        }
    }
}
