// SPDX-License-Identifier: GPL-2.0-only

//! What `crm configure show` prints: statements of words, a backslash at the end of a line that goes on.

use super::{Cloned, Constraint, Group, Node, Pair, Primitive, Resources};
use crate::{import::note::Kind, source::excerpt};

/// A word and its line.
#[derive(Clone, Debug)]
struct Word {
    line: usize,
    text: String,
}

impl Word {
    fn pair(&self) -> Option<Pair> {
        let (key, value) = self.text.split_once('=')?;
        let named = !key.is_empty() && !key.contains(['<', '>', '!']);
        named.then(|| Pair {
            line: self.line,
            key: key.into(),
            value: value.into(),
        })
    }
}

pub(super) fn parse(text: &str) -> Resources {
    let mut resources = Resources::default();
    for statement in statements(text) {
        if let Some((head, rest)) = statement.split_first() {
            read(&mut resources, head, rest);
        }
    }
    resources
}

/// The words of each statement.
fn statements(text: &str) -> Vec<Vec<Word>> {
    let mut statements = Vec::new();
    let mut words = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end();
        let goes_on = line.ends_with('\\');
        let line = line.trim_end_matches('\\');
        // A comment stands on lines of its own.
        if !line.trim_start().starts_with('#') {
            split(index + 1, line, &mut words);
        }
        if !goes_on && !words.is_empty() {
            statements.push(std::mem::take(&mut words));
        }
    }
    statements.push(words);
    statements
}

/// The words of a line; quotes keep blanks together, and are no part of a word.
fn split(line: usize, text: &str, words: &mut Vec<Word>) {
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, _) if c.is_whitespace() => {
                words.extend(word.take().map(|text| Word { line, text }));
            }
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word.map(|text| Word { line, text }));
}

fn read(resources: &mut Resources, head: &Word, rest: &[Word]) {
    match (head.text.as_str(), rest) {
        ("node", [name, rest @ ..]) => node(resources, name, rest),
        ("primitive", [id, agent, rest @ ..]) => {
            let parameters = section(resources, "params", rest);
            resources.primitives.push(Primitive {
                line: head.line,
                id: id.text.clone(),
                agent: agent.text.clone(),
                parameters,
            });
        }
        ("clone", [id, member, rest @ ..]) => {
            let meta = section(resources, "meta", rest);
            resources.clones.push(Cloned {
                line: head.line,
                id: id.text.clone(),
                member: member.text.clone(),
                meta,
            });
        }
        ("group", [id, rest @ ..]) => resources.groups.push(Group {
            id: id.text.clone(),
            members: rest
                .iter()
                .map(|word| word.text.clone())
                .take_while(|text| !matches!(text.as_str(), "meta" | "params"))
                .collect(),
        }),
        ("location" | "colocation" | "collocation" | "order", [id, rest @ ..]) => {
            resources.constraints.push(Constraint {
                line: head.line,
                id: id.text.clone(),
                kind: head.text.clone(),
                about: rest.iter().flat_map(|word| names(&word.text)).collect(),
            });
        }
        _ if QUIET.contains(&head.text.as_str()) => {
            let mut pairs = rest.iter().filter_map(Word::pair);
            let name = pairs.find(|pair| pair.key == "cluster-name");
            resources.name = name.map(|pair| pair.value).or(resources.name.take());
            let text = format!("{}: it is about the cluster manager", head.text);
            resources.notes.at(Kind::NoCounterpart, head.line, text);
        }
        _ => {
            let text = format!("the statement {}", excerpt(&head.text));
            resources.notes.at(Kind::NotUnderstood, head.line, text);
        }
    }
}

/// Statements about the cluster manager itself.
const QUIET: [&str; 14] = [
    "property",
    "rsc_defaults",
    "op_defaults",
    "ms",
    "master",
    "bundle",
    "rsc_ticket",
    "fencing_topology",
    "tag",
    "user",
    "role",
    "acl_target",
    "acl_group",
    "alert",
];

/// The names in a word of a constraint: `web:Started`, `vip`, `(`.
fn names(word: &str) -> Option<String> {
    let name = word.split(':').next().unwrap_or_default();
    let name = name.trim_matches(|c: char| "()[]".contains(c));
    (!name.is_empty()).then(|| name.to_owned())
}

/// `node 1: web1`, `node web1`; attributes may follow.
fn node(resources: &mut Resources, first: &Word, rest: &[Word]) {
    let (id, name) = match (first.text.strip_suffix(':'), rest) {
        (Some(id), [name, ..]) => (id.parse().ok(), name.text.as_str()),
        _ => (None, first.text.as_str()),
    };
    // `web1:normal` says of which type it is.
    let name = name.split(':').next().unwrap_or_default();
    resources.nodes.push(Node {
        id,
        name: name.into(),
    });
}

/// The pairs below a word; those before any such word are parameters.
fn section(resources: &mut Resources, wanted: &str, words: &[Word]) -> Vec<Pair> {
    let mut now = "params";
    let mut pairs = Vec::new();
    for word in words {
        match word.text.as_str() {
            "params" => now = "params",
            "meta" => now = "meta",
            "op" | "operations" | "utilization" => now = "else",
            _ if now != wanted => {}
            text => match word.pair() {
                Some(pair) => pairs.push(pair),
                None => {
                    let text = format!("the word {} among {wanted}", excerpt(text));
                    resources.notes.at(Kind::NotUnderstood, word.line, text);
                }
            },
        }
    }
    pairs
}
