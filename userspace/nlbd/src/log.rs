// SPDX-License-Identifier: GPL-2.0-only

//! Lines for the journal.

use std::{
    fmt,
    io::{self, Write},
};

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
