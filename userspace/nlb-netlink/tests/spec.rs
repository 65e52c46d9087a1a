// SPDX-License-Identifier: GPL-2.0-only

//! `module/specs/nlb.yaml` and `nlb_core::genl` say the same: every number, name and type, both ways.

use std::collections::BTreeMap;

use nlb_core::{
    genl::{self, Affinity, Command, Control, Echo, EventKind, Mode, Responder, Trace},
    limits,
    rules::{FilteringMode, Protocols, RuleState, Track},
    state::{Cause, HostState, OutReason},
};
use nlb_netlink::{
    Named,
    attribute::{
        AttributeSet, BucketAttribute, ClusterAttribute, CounterAttribute, EventAttribute,
        HeartbeatAttribute, HistoryAttribute, KeyAttribute, MemberAttribute, OwnerAttribute, Row,
        RuleAttribute,
    },
    client::spec_name,
    message::Attributes,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Spec {
    name: String,
    definitions: Vec<Definition>,
    attribute_sets: Vec<Set>,
    operations: List<Operation>,
    mcast_groups: List<Group>,
}

#[derive(Deserialize)]
struct List<T> {
    list: Vec<T>,
}

#[derive(Deserialize)]
struct Definition {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    value: Option<u64>,
    entries: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    value: u8,
}

#[derive(Deserialize)]
struct Set {
    name: String,
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    value: u16,
    #[serde(rename = "enum")]
    enumeration: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Operation {
    name: String,
    value: u8,
    attribute_set: String,
    #[serde(default)]
    flags: Vec<String>,
    mcgrp: Option<String>,
    #[serde(rename = "do")]
    one: Option<Exchange>,
    dump: Option<Exchange>,
    event: Option<Names>,
}

#[derive(Deserialize)]
struct Exchange {
    request: Option<Names>,
    reply: Option<Names>,
}

#[derive(Deserialize)]
struct Names {
    attributes: Vec<String>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
}

fn spec() -> Spec {
    let text = include_str!("../../../module/specs/nlb.yaml");
    yaml_serde::from_str(text).unwrap()
}

fn entries<T: Named>() -> (&'static str, Vec<(u8, &'static str)>) {
    let values = T::VALUES.iter().map(|value| (value.number(), value.name()));
    (T::ENUM, values.collect())
}

#[test]
fn the_family_has_its_name_and_groups() {
    let spec = spec();
    assert_eq!(spec.name, genl::FAMILY);
    let groups: Vec<_> = spec
        .mcast_groups
        .list
        .iter()
        .map(|group| &group.name[..])
        .collect();
    assert_eq!(groups, [genl::GROUP_EVENTS, genl::GROUP_RELAY]);
}

#[test]
fn enumerations_are_the_same() {
    let ours: BTreeMap<_, _> = [
        entries::<Affinity>(),
        entries::<Cause>(),
        entries::<Control>(),
        entries::<Echo>(),
        entries::<EventKind>(),
        entries::<FilteringMode>(),
        entries::<HostState>(),
        entries::<Mode>(),
        entries::<OutReason>(),
        entries::<Protocols>(),
        entries::<Responder>(),
        entries::<RuleState>(),
        entries::<Trace>(),
        entries::<Track>(),
    ]
    .into();
    let spec = spec();
    let theirs: BTreeMap<_, Vec<_>> = spec
        .definitions
        .iter()
        .filter(|definition| definition.kind == "enum")
        .map(|definition| {
            let entries = definition.entries.iter().flatten();
            let values = entries.map(|entry| (entry.value, &entry.name[..]));
            (&definition.name[..], values.collect())
        })
        .collect();
    assert_eq!(theirs, ours);
}

#[test]
fn limits_are_the_same() {
    let ours: BTreeMap<_, u64> = [
        ("hosts-max", limits::HOSTS_MAX as u64),
        ("buckets", limits::BUCKETS as u64),
        ("vips-max", limits::VIPS_MAX as u64),
        ("name-max", limits::NAME_MAX as u64),
        ("period-ms-min", limits::PERIOD_MS_MIN.into()),
        ("period-ms-max", limits::PERIOD_MS_MAX.into()),
        ("tolerance-min", limits::TOLERANCE_MIN.into()),
        ("tolerance-max", limits::TOLERANCE_MAX.into()),
        ("sessions-max-max", limits::SESSIONS_MAX_MAX.into()),
        ("key-len", limits::KEY_LEN as u64),
        ("seed-len", limits::SEED_LEN as u64),
        ("frame-max", limits::FRAME_MAX as u64),
    ]
    .into();
    let spec = spec();
    let theirs: BTreeMap<_, _> = spec
        .definitions
        .iter()
        .filter(|definition| definition.kind == "const")
        .map(|definition| (&definition.name[..], definition.value.unwrap()))
        .collect();
    assert_eq!(theirs, ours);
}

/// Number, name, type and enumeration of each attribute.
type Rows = Vec<(u16, String, String, Option<String>)>;

fn rows<A: AttributeSet>() -> (String, Rows) {
    let row = |row: &Row| {
        let kind = row.spec_type.to_owned();
        (
            row.number,
            spec_name(row.constant),
            kind,
            row.spec_enum.map(str::to_owned),
        )
    };
    (A::SET.to_owned(), A::TABLE.iter().map(row).collect())
}

#[test]
fn attributes_are_the_same() {
    let ours: BTreeMap<_, _> = [
        rows::<BucketAttribute>(),
        rows::<ClusterAttribute>(),
        rows::<CounterAttribute>(),
        rows::<EventAttribute>(),
        rows::<HeartbeatAttribute>(),
        rows::<HistoryAttribute>(),
        rows::<KeyAttribute>(),
        rows::<MemberAttribute>(),
        rows::<OwnerAttribute>(),
        rows::<RuleAttribute>(),
    ]
    .into();
    let theirs: BTreeMap<_, Rows> = spec()
        .attribute_sets
        .into_iter()
        .map(|set| {
            let rows = set
                .attributes
                .into_iter()
                .map(|a| (a.value, a.name, a.kind, a.enumeration));
            (set.name, rows.collect())
        })
        .collect();
    assert_eq!(theirs, ours);
}

#[test]
fn commands_are_the_same_and_use_the_same_sets() {
    let ours: Vec<_> = Command::ALL
        .iter()
        .map(|&command| (command as u8, command.name(), Attributes::table(command).0))
        .collect();
    let spec = spec();
    let theirs: Vec<_> = spec
        .operations
        .list
        .iter()
        .map(|operation| {
            (
                operation.value,
                &operation.name[..],
                &operation.attribute_set[..],
            )
        })
        .collect();
    assert_eq!(theirs, ours);
}

#[test]
fn operations_use_attributes_of_their_set() {
    let spec = spec();
    let sets: BTreeMap<_, Vec<_>> = spec
        .attribute_sets
        .iter()
        .map(|set| {
            (
                &set.name,
                set.attributes
                    .iter()
                    .map(|attribute| &attribute.name)
                    .collect(),
            )
        })
        .collect();
    for operation in &spec.operations.list {
        let exchanges = [&operation.one, &operation.dump];
        let named = exchanges
            .into_iter()
            .flatten()
            .flat_map(|exchange| [&exchange.request, &exchange.reply])
            .flatten()
            .chain(&operation.event);
        for name in named.flat_map(|names| &names.attributes) {
            assert!(
                sets[&operation.attribute_set].contains(&name),
                "{}: {name}",
                operation.name
            );
        }
        assert_eq!(
            operation.event.is_some(),
            operation.mcgrp.is_some(),
            "{}",
            operation.name
        );
        assert_eq!(
            operation.name.ends_with("-ntf"),
            operation.event.is_some(),
            "{}",
            operation.name
        );
    }
}

/// What nobody may do, by the table of `docs/security.md`: names of operations.
fn forbidden_to_nobody() -> Vec<String> {
    let text = include_str!("../../../docs/security.md");
    let (_, table) = text.split_once("| operation |").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.filter(|row| row.ends_with("| no |"))
        .map(|row| row.split('`').nth(1).unwrap().to_owned())
        .collect()
}

#[test]
fn what_needs_the_capability_is_what_nobody_may_do() {
    let spec = spec();
    let admin = |operation: &&Operation| operation.flags.iter().any(|it| it == "uns-admin-perm");
    let mut flagged: Vec<_> = spec.operations.list.iter().filter(admin).collect();
    flagged.sort_by_key(|operation| &operation.name);
    let flagged: Vec<_> = flagged.iter().map(|it| it.name.clone()).collect();
    // That of a group is no operation.
    let mut forbidden = forbidden_to_nobody();
    forbidden.retain(|name| !name.starts_with("group "));
    forbidden.sort();
    assert_eq!(flagged, forbidden);
}
