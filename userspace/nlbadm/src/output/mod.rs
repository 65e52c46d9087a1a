// SPDX-License-Identifier: GPL-2.0-only

//! What nlbadm prints: one structure for each answer, as JSON or, in the manner of `wg show`, as text for people.
//!
//! The keys of JSON are stable: programs rely on them, and they are only added to. Enumerations are their names, sets of
//! hosts are lists of host ids, what is not known is null. 64-bit digests are hexadecimal strings, because many readers
//! of JSON cut such numbers to 53 bits.

pub(crate) mod buckets;
pub(crate) mod checks;
pub(crate) mod cluster;
pub(crate) mod config;
pub(crate) mod connections;
pub(crate) mod counters;
pub(crate) mod display;
pub(crate) mod doctor;
pub(crate) mod event;
pub(crate) mod everywhere;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod macs;
pub(crate) mod owner;
mod paint;
pub(crate) mod port;
pub(crate) mod relay;
pub(crate) mod remote;
pub(crate) mod rules;
pub(crate) mod settings;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod upgrade;

use std::io::{self, Write};

use serde::Serialize;

/// An answer that can be printed both ways.
pub(crate) trait Report: Serialize {
    /// The text for people, with its last line break.
    fn human(&self) -> String;

    /// The same, coloured for a terminal.
    fn painted(&self) -> String {
        self.human()
    }
}

/// Prints an answer: text, or indented JSON.
pub(crate) fn print(json: bool, report: &impl Report) -> io::Result<()> {
    let text = if json {
        let mut text = serde_json::to_string_pretty(report)?;
        text.push('\n');
        text
    } else if has_colours() {
        report.painted()
    } else {
        report.human()
    };
    write(&text)
}

/// Whether the standard output is a terminal that shows colours, and the user has not said no (`NO_COLOR`).
fn has_colours() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Prints one answer of many: text, or one line of JSON. It is out before this returns.
pub(crate) fn print_line(json: bool, report: &impl Report) -> io::Result<()> {
    let text = if json {
        let mut text = serde_json::to_string(report)?;
        text.push('\n');
        text
    } else {
        report.human()
    };
    write(&text)
}

/// Writes text to the standard output.
pub(crate) fn write(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}
