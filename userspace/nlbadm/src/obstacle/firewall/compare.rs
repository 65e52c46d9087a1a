// SPDX-License-Identifier: GPL-2.0-only

//! Comparisons of nft, for a packet of which not everything is known.

use std::net::IpAddr;

use serde_json::Value;

use super::{
    packet::{Field, Known},
    ruleset::{Name, Ruleset},
};

/// Whether something holds for the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum So {
    Certain,
    /// For some clients.
    Some,
    Perhaps,
    Not,
}

impl So {
    pub(super) fn from(holds: bool) -> Self {
        if holds { So::Certain } else { So::Not }
    }

    pub(super) fn not(self) -> Self {
        match self {
            So::Certain => So::Not,
            So::Not => So::Certain,
            other => other,
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (So::Not, _) | (_, So::Not) => So::Not,
            (So::Perhaps, _) | (_, So::Perhaps) => So::Perhaps,
            (So::Some, _) | (_, So::Some) => So::Some,
            _ => So::Certain,
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (So::Certain, _) | (_, So::Certain) => So::Certain,
            (So::Perhaps, _) | (_, So::Perhaps) => So::Perhaps,
            (So::Some, _) | (_, So::Some) => So::Some,
            _ => So::Not,
        }
    }
}

/// Whether a comparison of nft holds for a field of the packet. Sets are those of the table that `name` is in.
pub(super) fn compare(
    ruleset: &Ruleset,
    name: &Name,
    field: &Field,
    operator: &str,
    right: &Value,
) -> So {
    let known = match field {
        Field::Absent => return So::Not,
        Field::OfClient => return So::Some,
        Field::Unknown => return So::Perhaps,
        Field::Has(known) => known.clone(),
        Field::Port(port) => Known {
            number: Some((*port).into()),
            ..Known::default()
        },
    };
    let order = || Some((known.number?, right.as_u64()?));
    match (operator, order()) {
        ("==" | "in" | "", _) => equal(ruleset, name, &known, right),
        ("!=", _) => equal(ruleset, name, &known, right).not(),
        ("<", Some((left, right))) => So::from(left < right),
        ("<=", Some((left, right))) => So::from(left <= right),
        (">", Some((left, right))) => So::from(left > right),
        (">=", Some((left, right))) => So::from(left >= right),
        _ => So::Perhaps,
    }
}

/// Whether a value is, or is one of, what is on the right.
fn equal(ruleset: &Ruleset, name: &Name, known: &Known, right: &Value) -> So {
    let any = |values: &[Value]| {
        let each = values
            .iter()
            .map(|value| equal(ruleset, name, known, value));
        each.fold(So::Not, So::or)
    };
    match right {
        Value::Number(number) => match (known.number, number.as_u64()) {
            (Some(own), Some(other)) => So::from(own == other),
            _ => So::Perhaps,
        },
        Value::String(text) => match text.strip_prefix('@') {
            Some(set) => ruleset.set(name, set).map_or(So::Perhaps, any),
            None => word(known, text),
        },
        Value::Array(values) => any(values),
        Value::Object(object) => match object.iter().next() {
            Some((kind, Value::Array(values))) if kind == "set" => any(values),
            Some((kind, Value::Array(ends))) if kind == "range" => match ends.as_slice() {
                [first, last] => within(known, first, last),
                _ => So::Perhaps,
            },
            Some((kind, prefix)) if kind == "prefix" => in_prefix(known, prefix),
            Some((kind, element)) if kind == "elem" => {
                let value = element.get("val");
                value.map_or(So::Perhaps, |value| equal(ruleset, name, known, value))
            }
            _ => So::Perhaps,
        },
        _ => So::Perhaps,
    }
}

fn word(known: &Known, text: &str) -> So {
    if let Some(own) = known.address {
        return text
            .parse()
            .map_or(So::Perhaps, |other: IpAddr| So::from(own == other));
    }
    let matches = |own: &String| match text.strip_suffix('*') {
        Some(start) => own.starts_with(start),
        None => own == text,
    };
    if known.words.iter().any(matches) {
        return So::Certain;
    }
    let digits = text.strip_prefix("0x");
    let number = match digits {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    match (known.number, number) {
        (Some(own), Some(other)) => So::from(own == other),
        // The name of a service, which depends on a file.
        (Some(_), None) if known.words.is_empty() => So::Perhaps,
        _ => So::Not,
    }
}

fn within(known: &Known, first: &Value, last: &Value) -> So {
    let address = |value: &Value| value.as_str()?.parse::<IpAddr>().ok();
    if let (Some(own), Some(first), Some(last)) = (known.address, address(first), address(last)) {
        return So::from(first <= own && own <= last);
    }
    match (known.number, first.as_u64(), last.as_u64()) {
        (Some(own), Some(first), Some(last)) => So::from(first <= own && own <= last),
        _ => So::Perhaps,
    }
}

fn in_prefix(known: &Known, prefix: &Value) -> So {
    let text = prefix
        .get("addr")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let (Some(own), Ok(other), Some(bits)) = (
        known.address,
        text.parse::<IpAddr>(),
        prefix.get("len").and_then(Value::as_u64),
    ) else {
        return So::Perhaps;
    };
    let same = match (own, other) {
        (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros(),
        _ => return So::Not,
    };
    So::from(u64::from(same) >= bits)
}
