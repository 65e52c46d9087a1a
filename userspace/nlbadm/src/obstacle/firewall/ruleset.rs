// SPDX-License-Identifier: GPL-2.0-only

//! What `nft -j list ruleset` prints: a flat list of tables, chains, rules and sets (libnftables-json(5)).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Family, table, and the name of what is in it.
pub(super) type Name = (String, String, String);

/// A chain, with its rules in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    pub(super) name: Name,
    /// Where packets enter it, if it is no chain that others jump to.
    pub(super) hook: Option<String>,
    /// `filter`, `nat` or `route`.
    pub(super) kind: String,
    /// Whether its policy is to drop.
    pub(super) drops: bool,
    /// The devices of an ingress.
    pub(super) devices: Vec<String>,
    pub(super) rules: Vec<Rule>,
}

/// A rule: its statements, from left to right.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) handle: u64,
    pub(super) statements: Vec<Value>,
}

/// All that nft tells of.
#[derive(Debug, Default)]
pub(super) struct Ruleset {
    chains: BTreeMap<Name, Chain>,
    sets: BTreeMap<Name, Vec<Value>>,
}

#[derive(Deserialize)]
struct Listed {
    nftables: Vec<Map<String, Value>>,
}

fn text(object: &Value, key: &str) -> String {
    let value = object.get(key).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

fn list(object: &Value, key: &str) -> Vec<Value> {
    match object.get(key) {
        Some(Value::Array(values)) => values.clone(),
        Some(Value::Null) | None => Vec::new(),
        Some(one) => vec![one.clone()],
    }
}

impl Ruleset {
    pub(super) fn parse(output: &str) -> Result<Self, serde_json::Error> {
        let listed: Listed = serde_json::from_str(output)?;
        let mut ruleset = Ruleset::default();
        for (kind, object) in listed.nftables.into_iter().flatten() {
            let name = |key| {
                (
                    text(&object, "family"),
                    text(&object, "table"),
                    text(&object, key),
                )
            };
            match kind.as_str() {
                "chain" => ruleset.add_chain(name("name"), &object),
                "rule" => {
                    let rule = Rule {
                        handle: object.get("handle").and_then(Value::as_u64).unwrap_or(0),
                        statements: list(&object, "expr"),
                    };
                    let chain = ruleset.chains.entry(name("chain")).or_default();
                    chain.rules.push(rule);
                }
                "set" => {
                    ruleset.sets.insert(name("name"), list(&object, "elem"));
                }
                _ => {}
            }
        }
        Ok(ruleset)
    }

    fn add_chain(&mut self, name: Name, object: &Value) {
        let devices = list(object, "dev");
        let hook = text(object, "hook");
        // Its rules follow it, but nothing promises that.
        let chain = self.chains.entry(name.clone()).or_default();
        chain.name = name;
        chain.hook = Some(hook).filter(|hook| !hook.is_empty());
        chain.kind = text(object, "type");
        chain.drops = text(object, "policy") == "drop";
        chain.devices = devices
            .iter()
            .filter_map(|device| device.as_str().map(str::to_owned))
            .collect();
    }

    /// The chains that packets enter by themselves.
    pub(super) fn base_chains(&self) -> impl Iterator<Item = &Chain> {
        self.chains.values().filter(|chain| chain.hook.is_some())
    }

    /// Another chain of the same table.
    pub(super) fn chain(&self, beside: &Name, name: &str) -> Option<&Chain> {
        self.chains
            .get(&(beside.0.clone(), beside.1.clone(), name.to_owned()))
    }

    /// The elements of a set of the same table.
    pub(super) fn set(&self, beside: &Name, name: &str) -> Option<&[Value]> {
        let name = (beside.0.clone(), beside.1.clone(), name.to_owned());
        self.sets.get(&name).map(Vec::as_slice)
    }
}
