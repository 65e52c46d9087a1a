// SPDX-License-Identifier: GPL-2.0-only

//! The schema for editors knows what the parser knows.

use nlb_core::{
    genl::{Affinity, Echo, Mode, Responder},
    limits::{RULES_MAX, SESSIONS_MAX_MAX, TOLERANCE_MAX, TOLERANCE_MIN, VIPS_MAX},
    rules::{FilteringMode, HealthAction, Protocols, Track},
};
use nlb_netlink::Named;
use serde_json::Value;

use super::{InitialState, contents::HOST_ID_MAX, health, keys::Table};

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../../dist/nlb.schema.json")).unwrap()
}

/// Where the schema has a table.
fn pointer(table: Table) -> &'static str {
    match table {
        Table::Top => "",
        Table::Cluster => "/properties/cluster",
        Table::Host => "/properties/host/additionalProperties",
        Table::Rule => "/properties/rule/items",
        Table::Check => "/properties/rule/items/properties/check",
    }
}

/// What the schema says of a key.
fn key(table: Table, key: &str) -> Value {
    let path = format!("{}/properties/{key}", pointer(table));
    let found = schema().pointer(&path).cloned();
    found.unwrap_or_else(|| panic!("{path} is not in the schema"))
}

#[test]
fn the_schema_has_the_keys_of_the_parser() {
    for table in Table::ALL {
        let schema = schema();
        let found = schema.pointer(pointer(table)).unwrap();
        assert_eq!(found["additionalProperties"], false, "{}", table.name());
        let properties = found["properties"].as_object().unwrap();
        let mut keys: Vec<_> = properties.keys().map(String::as_str).collect();
        let mut known = table.keys().to_vec();
        keys.sort_unstable();
        known.sort_unstable();
        assert_eq!(keys, known, "{}", table.name());
    }
}

#[test]
fn the_schema_has_the_words_of_the_parser() {
    fn names<T: Named>() -> Vec<&'static str> {
        T::VALUES.iter().map(|value| value.name()).collect()
    }
    let checks = health::words().map(|(key, words)| (Table::Check, key, words));
    for (table, name, words) in checks.into_iter().chain([
        (Table::Cluster, "mode", names::<Mode>()),
        (Table::Cluster, "echo", names::<Echo>()),
        (Table::Cluster, "responder", names::<Responder>()),
        (Table::Cluster, "affinity", names::<Affinity>()),
        (Table::Rule, "affinity", names::<Affinity>()),
        (Table::Rule, "protocols", names::<Protocols>()),
        (Table::Rule, "mode", names::<FilteringMode>()),
        (Table::Rule, "track", names::<Track>()),
        (Table::Rule, "health", names::<HealthAction>()),
        (
            Table::Host,
            "state",
            InitialState::ALL.map(InitialState::name).to_vec(),
        ),
    ]) {
        let mut written: Vec<_> = key(table, name)["enum"]
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap().to_owned())
            .collect();
        let mut words = words;
        written.sort_unstable();
        words.sort_unstable();
        assert_eq!(written, words, "{name}");
    }
}

#[test]
fn the_schema_has_the_bounds_of_the_parser() {
    let bounds = |table, name| {
        let key = key(table, name);
        [key["minimum"].as_u64(), key["maximum"].as_u64()]
    };
    let range = |from: u32, to: u32| [Some(u64::from(from)), Some(u64::from(to))];
    assert_eq!(
        bounds(Table::Cluster, "tolerance"),
        range(TOLERANCE_MIN, TOLERANCE_MAX)
    );
    assert_eq!(bounds(Table::Cluster, "key-id"), range(1, 255));
    assert_eq!(bounds(Table::Host, "id"), range(1, HOST_ID_MAX));
    assert_eq!(bounds(Table::Host, "weight"), range(0, 100));
    for run in ["rise", "fall"] {
        assert_eq!(bounds(Table::Check, run), range(1, health::RUN_MAX));
    }
    let schema = schema();
    let max = |path: &str| schema.pointer(path).and_then(Value::as_u64);
    assert_eq!(
        max("/$defs/sessions-max/maximum"),
        Some(SESSIONS_MAX_MAX.into())
    );
    assert_eq!(max("/properties/rule/maxItems"), Some(RULES_MAX as u64));
    assert_eq!(
        max("/properties/cluster/properties/vips/maxItems"),
        Some(VIPS_MAX as u64)
    );
    assert_eq!(
        max("/properties/host/maxProperties"),
        Some(HOST_ID_MAX.into())
    );
}
