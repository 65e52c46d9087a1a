// SPDX-License-Identifier: GPL-2.0-only

//! Network Load Balancing of Windows: what `nlb params`, `nlb display` and PowerShell's cmdlets print.
//!
//! The output of several hosts may stand in one file: then the load weights and handling priorities of each are known.

mod expand;
mod facts;
mod field;
mod lines;
mod rule;

use super::draft::Draft;

pub(super) fn read(text: &str) -> Vec<Draft> {
    facts::drafts(lines::read(text))
}
