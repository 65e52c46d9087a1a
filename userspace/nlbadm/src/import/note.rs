// SPDX-License-Identifier: GPL-2.0-only

//! What is told of a line that a file of nlb does not say by itself.

use serde::Serialize;

use crate::source::printable;

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The reader does not know these words.
    NotUnderstood,
    /// The operator has to decide.
    Decide,
    /// It behaves in another way under nlb.
    Differs,
    /// Nothing in nlb is like it.
    NoCounterpart,
}

impl Kind {
    /// All of them, in the order in which they are printed.
    pub(crate) const ALL: [Kind; 4] = [
        Kind::NotUnderstood,
        Kind::Decide,
        Kind::Differs,
        Kind::NoCounterpart,
    ];

    /// The heading of such notes.
    pub(crate) const fn heading(self) -> &'static str {
        match self {
            Kind::NotUnderstood => "Not understood, and so left out",
            Kind::Decide => "To decide",
            Kind::Differs => "Different under nlb",
            Kind::NoCounterpart => "Without a counterpart in nlb",
        }
    }
}

/// What is told, and the lines that it is about; they count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Note {
    pub(crate) kind: Kind,
    pub(crate) lines: Vec<usize>,
    pub(crate) text: String,
}

impl Note {
    /// "line 3: ", "lines 3, 7: ", or nothing where it is about none.
    pub(crate) fn place(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(ToString::to_string).collect();
        match lines.len() {
            0 => String::new(),
            1 => format!("line {}: ", lines[0]),
            _ => format!("lines {}: ", lines.join(", ")),
        }
    }
}

/// The notes of a cluster: what is said twice is said once, with both lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Vec<Note>);

impl Notes {
    /// Adds a note about a line.
    pub(crate) fn at(&mut self, kind: Kind, line: usize, text: impl AsRef<str>) {
        self.add(kind, Some(line), text.as_ref());
    }

    /// Adds a note about the whole.
    pub(crate) fn whole(&mut self, kind: Kind, text: impl AsRef<str>) {
        self.add(kind, None, text.as_ref());
    }

    /// Adds all notes of others.
    pub(crate) fn extend(&mut self, others: &Notes) {
        for note in &others.0 {
            if note.lines.is_empty() {
                self.whole(note.kind, &note.text);
            }
            for line in &note.lines {
                self.at(note.kind, *line, &note.text);
            }
        }
    }

    fn add(&mut self, kind: Kind, line: Option<usize>, text: &str) {
        let text = printable(text);
        let same = |note: &&mut Note| note.kind == kind && note.text == text;
        match self.0.iter_mut().find(same) {
            Some(note) => note
                .lines
                .extend(line.filter(|it| !note.lines.contains(it))),
            None => self.0.push(Note {
                kind,
                lines: line.into_iter().collect(),
                text,
            }),
        }
    }

    /// All of them, by kind, then in the order of their lines.
    pub(crate) fn sorted(&self) -> Vec<Note> {
        let mut notes = self.0.clone();
        for note in &mut notes {
            note.lines.sort_unstable();
        }
        notes.sort_by(|a, b| (a.kind, a.lines.first()).cmp(&(b.kind, b.lines.first())));
        notes
    }
}
