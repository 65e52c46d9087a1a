// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm import`: the configuration of another system as the file of a cluster.
//!
//! Each format has a reader that makes [`Draft`]s, with a [`Note`] for everything that it leaves to the operator: what has
//! no counterpart, what behaves in another way, what was not understood. One writer makes files of drafts.

mod draft;
mod guess;
mod keepalived;
mod note;
mod pacemaker;
#[cfg(test)]
mod tests;
mod text;
mod windows;
mod write;

use clap::ValueEnum;

pub(crate) use self::{
    draft::Draft,
    guess::guess,
    note::{Kind, Note},
    text::decode,
    write::write,
};

/// The system that a configuration is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// `crm configure show`, or XML of `pcs cluster cib` and `cibadmin -Q`
    Pacemaker,
    /// keepalived.conf
    Keepalived,
    /// `nlb params`, `nlb display`, or `Get-NlbCluster… | Format-List *` of PowerShell
    Windows,
}

impl Format {
    /// The name of the system.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Format::Pacemaker => "pacemaker",
            Format::Keepalived => "keepalived",
            Format::Windows => "windows",
        }
    }
}

/// The clusters that a configuration tells of; one may be without a VIP, if its addresses cannot be VIPs.
///
/// # Errors
///
/// In words, if the text as a whole cannot be read.
pub(crate) fn read(format: Format, text: &str) -> Result<Vec<Draft>, String> {
    let mut drafts = match format {
        Format::Pacemaker => pacemaker::read(text)?,
        Format::Keepalived => keepalived::read(text),
        Format::Windows => windows::read(text),
    };
    drafts.iter_mut().for_each(Draft::settle);
    Ok(drafts)
}
