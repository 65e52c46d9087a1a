// SPDX-License-Identifier: GPL-2.0-only

//! A text that was read, and how places in it are told.

use std::ops::Range;

use crate::failure::Failure;

/// Longest message about a text, in characters: a part of the text may stand in it.
const MESSAGE_MAX: usize = 240;

/// A text that was read.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    name: String,
    text: String,
    /// Whether places have a column.
    columns: bool,
}

impl Source {
    /// A text whose places are told by line.
    pub(crate) fn with_lines(name: String, text: String) -> Self {
        Source {
            name,
            text,
            columns: false,
        }
    }

    /// A text whose places are told by line and column.
    pub(crate) fn with_columns(name: String, text: String) -> Self {
        Source {
            columns: true,
            ..Source::with_lines(name, text)
        }
    }

    /// The name of the file.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// All of it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// " line N", or " line N column M", for a place if it is known; both count from 1.
    pub(crate) fn place(&self, span: Option<Range<usize>>) -> String {
        let Some(before) = span.and_then(|span| self.text.get(..span.start)) else {
            return String::new();
        };
        let line = before.matches('\n').count() + 1;
        if !self.columns {
            return format!(" line {line}");
        }
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(begin..).map_or(0, |rest| rest.chars().count()) + 1;
        format!(" line {line} column {column}")
    }

    /// The name of the file, and the place.
    pub(crate) fn at(&self, span: Option<Range<usize>>) -> String {
        format!("{}{}", self.name, self.place(span))
    }

    /// What is wrong at a place, in one line of bounded length.
    pub(crate) fn refuse(&self, span: Option<Range<usize>>, why: &str) -> Failure {
        Failure::usage(format!("{}: {}", self.at(span), printable(why)))
    }
}

/// A text in one line, without what would steer a terminal, and not longer than a message may be.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    let mut short: String = text.chars().take(MESSAGE_MAX).map(shown).collect();
    if short.len() < text.len() && text.chars().nth(MESSAGE_MAX).is_some() {
        short.push('…');
    }
    short
}

/// Longest excerpt of a text, in characters.
const EXCERPT_MAX: usize = 40;

/// The beginning of a text, in quotes.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_MAX) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_one() {
        let text = "one\nzwölf = 3\n";
        let source = Source::with_columns("f".into(), text.into());
        assert_eq!(source.at(Some(0..1)), "f line 1 column 1");
        let at = text.find('=').unwrap();
        assert_eq!(source.at(Some(at..at)), "f line 2 column 7");
        assert_eq!(source.at(None), "f");
        let lines = Source::with_lines("f".into(), text.into());
        assert_eq!(lines.at(Some(at..at)), "f line 2");
        assert_eq!(lines.at(Some(999..1000)), "f");
    }

    #[test]
    fn messages_are_short_and_tame() {
        assert_eq!(printable("a\nb\u{1b}[2J"), "a b\u{fffd}[2J");
        let long = printable(&"ä".repeat(5000));
        assert_eq!(long.chars().count(), MESSAGE_MAX + 1);
        assert!(long.ends_with('…'));
        let exact = "x".repeat(MESSAGE_MAX);
        assert_eq!(printable(&exact), exact);
    }
}
