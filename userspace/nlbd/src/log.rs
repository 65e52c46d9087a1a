// SPDX-License-Identifier: GPL-2.0-only

//! Lines for the journal.

use std::{
    collections::BTreeSet,
    fmt,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

/// So many lines are remembered at most.
const TOLD_MAX: usize = 256;

/// The lines that are not to be printed again.
static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Prints a line to the standard error; see [`line`].
macro_rules! log {
    ($($argument:tt)*) => {
        $crate::log::line(format_args!($($argument)*))
    };
}
pub(crate) use log;

/// Prints a line to the standard error, if somebody reads it.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    drop(writeln!(io::stderr(), "nlbd: {text}"));
}

/// Prints a line if it was not printed before. Whether it was now.
pub(crate) fn once(text: &str) -> bool {
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.contains(text) {
        return false;
    }
    if told.len() >= TOLD_MAX {
        told.clear();
    }
    told.insert(text.into());
    line(format_args!("{text}"));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_printed_once() {
        assert!(once("a line of this test"));
        assert!(!once("a line of this test"));
    }
}
