// SPDX-License-Identifier: GPL-2.0-only

//! The file of a cluster from a draft.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use nlb_core::genl::Affinity;
use nlb_netlink::object::NewRule;

use super::{
    Format, Kind, Note,
    draft::{Draft, DraftHost, DraftRule, Rules},
};
use crate::{
    config::{Config, header, quoted, rule_keys},
    source::printable,
};

/// Longest line of comments.
const WIDTH: usize = 100;

/// Writes the file, with its notes as comments; the notes too. Where `nlbadm check` would refuse the file, a note says why.
pub(crate) fn write(draft: &Draft, format: Format, source: &str) -> (String, Vec<Note>) {
    let text = with_head(draft, format, source);
    let file = format!("{}.toml", draft.name);
    match Config::parse(Path::new(&file), text.clone()) {
        Ok(_) => (text, draft.notes.sorted()),
        Err(failure) => {
            let mut draft = draft.clone();
            // The place is one in a file that grows by this very line.
            let why = failure.message.split_once(": ").map_or("", |(_, why)| why);
            draft.notes.whole(
                Kind::Decide,
                format!("`nlbadm check` does not take the file yet: {why}"),
            );
            (with_head(&draft, format, source), draft.notes.sorted())
        }
    }
}

fn with_head(draft: &Draft, format: Format, source: &str) -> String {
    let mut text = String::new();
    comment(
        &mut text,
        "",
        &format!(
            "Made by `nlbadm import` of {} ({}). Read it before you use it; `nlbadm check` tells whether it is complete.",
            printable(source),
            format.name()
        ),
    );
    let notes = draft.notes.sorted();
    for kind in Kind::ALL {
        let mut of_kind = notes.iter().filter(|note| note.kind == kind).peekable();
        if of_kind.peek().is_some() {
            let _ = write!(text, "#\n# {}:\n", kind.heading());
        }
        for note in of_kind {
            comment(&mut text, "- ", &format!("{}{}", note.place(), note.text));
        }
    }
    body(&mut text, draft);
    text
}

/// Comment lines of some words, the first with a mark.
fn comment(text: &mut String, mark: &str, words: &str) {
    let mut line = format!("# {mark}");
    let indent = format!("# {:1$}", "", mark.len());
    let mut empty = true;
    for word in words.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{line}");
            line.clone_from(&indent);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    let _ = writeln!(text, "{line}");
}

fn body(text: &mut String, draft: &Draft) {
    if let Rules::OneHost = draft.rules {
        text.push_str("\n# One host serves everything, and another one if it fails.\nrule = []\n");
    }
    text.push_str("\n[cluster]\n");
    let mut key = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "{key} = {value}");
        }
    };
    let vips: Vec<_> = draft.vips.iter().map(quoted).collect();
    key("name", Some(quoted(&draft.name)));
    key("vips", Some(format!("[{}]", vips.join(", "))));
    key(
        "interface",
        Some(quoted(draft.interface.as_deref().unwrap_or("eth0"))),
    );
    key("mode", draft.mode.map(|mode| quoted(mode.name())));
    let mac = draft.virtual_mac.map(crate::output::text::mac);
    key("virtual-mac", mac.map(quoted));
    key(
        "period",
        draft.period_ms.map(|ms| quoted(format!("{ms}ms"))),
    );
    key("tolerance", draft.tolerance.map(|it| it.to_string()));
    key("echo", draft.echo.map(|echo| quoted(echo.name())));
    match &draft.rules {
        Rules::Default(Affinity::Single) | Rules::OneHost => {}
        Rules::Default(affinity) => key("affinity", Some(quoted(affinity.name()))),
        Rules::List(rules) => rules.iter().for_each(|it| rule(text, it)),
    }
    draft.hosts.iter().for_each(|it| host(text, it));
}

fn rule(text: &mut String, draft: &DraftRule) {
    text.push_str("\n[[rule]]\n");
    let new = NewRule {
        rule: draft.rule,
        weight: None,
        priority: None,
        state: None,
    };
    for (key, value) in rule_keys(&new, 0) {
        let _ = writeln!(text, "{key} = {value}");
    }
    for (key, numbers) in [
        ("weights", &draft.weights),
        ("priorities", &draft.priorities),
    ] {
        if !numbers.is_empty() {
            let _ = writeln!(text, "{key} = {}", table(numbers));
        }
    }
}

fn table(numbers: &BTreeMap<u8, u8>) -> String {
    let pairs: Vec<_> = numbers
        .iter()
        .map(|(id, n)| format!("{id} = {n}"))
        .collect();
    format!("{{ {} }}", pairs.join(", "))
}

fn host(text: &mut String, host: &DraftHost) {
    let name = match &host.name {
        Some(name) => header(name),
        None => format!("host-{}", host.id),
    };
    let _ = write!(text, "\n[host.{name}]\nid = {}\n", host.id);
    if let Some(address) = host.dedicated {
        let _ = writeln!(text, "dedicated = {}", quoted(address));
    }
    if let Some(weight) = host.weight {
        let _ = writeln!(text, "weight = {weight}");
    }
    if host.state != crate::config::InitialState::default() {
        let _ = writeln!(text, "state = {}", quoted(host.state.name()));
    }
}
