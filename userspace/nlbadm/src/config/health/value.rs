// SPDX-License-Identifier: GPL-2.0-only

//! Values of a check: what each may be, and what is said of one that is not.

use std::{ops::RangeInclusive, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use super::Action;
use crate::{config::value::Written, source::excerpt};

/// Bounds of `interval` and `timeout`.
const TIME: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

/// The kinds of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tcp,
    Http,
    Https,
    Command,
    Systemd,
}

/// A value with a name in the file.
pub(super) trait Words: Copy + 'static {
    const ALL: &'static [(Self, &'static str)];
}

impl Words for Kind {
    const ALL: &'static [(Self, &'static str)] = &[
        (Kind::Tcp, "tcp"),
        (Kind::Http, "http"),
        (Kind::Https, "https"),
        (Kind::Command, "command"),
        (Kind::Systemd, "systemd"),
    ];
}

impl Words for Action {
    const ALL: &'static [(Self, &'static str)] = &[
        (Action::GiveUp, "give-up"),
        (Action::Drain, "drain"),
        (Action::Weight, "weight"),
    ];
}

/// The word for a value.
pub(super) fn name<T: Words + PartialEq>(value: T) -> &'static str {
    let word = T::ALL.iter().find(|(known, _)| *known == value);
    word.map_or("", |(_, word)| word)
}

/// The words of the file, for the tests of the schema.
#[cfg(test)]
pub(in crate::config) fn words() -> [(&'static str, Vec<&'static str>); 2] {
    fn of<T: Words>() -> Vec<&'static str> {
        T::ALL.iter().map(|(_, word)| *word).collect()
    }
    [("type", of::<Kind>()), ("action", of::<Action>())]
}

/// A value by its word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice<T>(pub(super) T);

impl<T: Words> Written for Choice<T> {
    const EXPECTED: &'static str = "a word in quotes";

    fn read(text: &str) -> Result<Self, String> {
        let found = T::ALL.iter().find(|(_, word)| *word == text);
        found.map(|(value, _)| Choice(*value)).ok_or_else(|| {
            let words: Vec<_> = T::ALL.iter().map(|(_, word)| *word).collect();
            format!("{} is none of {}", excerpt(text), words.join(", "))
        })
    }
}

/// A time between two checks, or for one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub(super) Duration);

impl Written for Time {
    const EXPECTED: &'static str = "a time with a unit, in quotes, such as \"2s\"";

    fn read(text: &str) -> Result<Self, String> {
        let time = humantime::parse_duration(text).map_err(|error| {
            format!(
                "{}: {error}; write the time with a unit, such as 2s",
                excerpt(text)
            )
        })?;
        if TIME.contains(&time) {
            Ok(Time(time))
        } else {
            Err(format!(
                "{}: a time of checks is from 100ms to 1h",
                excerpt(text)
            ))
        }
    }
}

/// What stands in the line of a request: no blanks, and no control characters.
#[derive(Clone, Debug)]
pub(super) struct Token(pub(super) String);

impl Written for Token {
    const EXPECTED: &'static str = "a text in quotes";

    fn read(text: &str) -> Result<Self, String> {
        if !text.is_empty() && text.len() <= 1024 && text.chars().all(|c| c.is_ascii_graphic()) {
            Ok(Token(text.into()))
        } else {
            Err(format!(
                "{} does not go into a request: 1 to 1024 printable characters of ASCII without blanks",
                excerpt(text)
            ))
        }
    }
}

/// A text that is looked for in an answer.
#[derive(Clone, Debug)]
pub(super) struct Phrase(pub(super) String);

impl Written for Phrase {
    const EXPECTED: &'static str = "a text in quotes";

    fn read(text: &str) -> Result<Self, String> {
        if (1..=1024).contains(&text.len()) {
            Ok(Phrase(text.into()))
        } else {
            Err("the text that is looked for has 1 to 1024 bytes".into())
        }
    }
}

/// The name of a unit.
#[derive(Clone, Debug)]
pub(super) struct Unit(pub(super) String);

impl Written for Unit {
    const EXPECTED: &'static str = "the name of a unit in quotes, such as \"nginx.service\"";

    fn read(text: &str) -> Result<Self, String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        let named = text
            .split_once('.')
            .is_some_and(|(name, kind)| !name.is_empty() && !kind.is_empty());
        if named && text.len() <= 255 && !text.starts_with('-') && text.chars().all(fits) {
            Ok(Unit(text.into()))
        } else {
            Err(format!(
                "{} is no unit: write its whole name, such as nginx.service",
                excerpt(text)
            ))
        }
    }
}

/// Codes of answers by HTTP.
#[derive(Clone, Debug)]
pub(super) struct Status(pub(super) RangeInclusive<u16>);

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Codes;

        fn code(text: &str) -> Option<u16> {
            text.trim()
                .parse()
                .ok()
                .filter(|code| (100..=599).contains(code))
        }

        impl Visitor<'_> for Codes {
            type Value = Status;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a code from 100 to 599, such as 200, or a range, such as \"200-299\"")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Status, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Status, E> {
                let (first, last) = text.split_once('-').unwrap_or((text, text));
                match (code(first), code(last)) {
                    (Some(first), Some(last)) if first <= last => Ok(Status(first..=last)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(Codes)
    }
}
