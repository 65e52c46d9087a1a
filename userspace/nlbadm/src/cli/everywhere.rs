// SPDX-License-Identifier: GPL-2.0-only

//! Verbs about the file that all hosts of a cluster have the same.

use std::str::FromStr;

use clap::Args;

use super::{
    hosts::{Hosts, hosts},
    value::cluster_name,
};

/// Whether a file is for all hosts.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Everywhere {
    /// Apply it on all hosts of the cluster or on none, by nlbd; this host among them
    #[arg(
        long,
        value_name = "all",
        value_parser = ["all"],
        conflicts_with_all = ["restart", "host", "no_start", "start", "wait"]
    )]
    pub(crate) on: Option<String>,

    /// With --on all: leave these hosts out, by ids or names
    #[arg(long, value_name = "HOSTS", value_parser = hosts, requires = "on")]
    pub(crate) without: Option<Hosts>,
}

/// Arguments of `versions`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Versions {
    /// Name of the cluster; may be left out if there is one file in /etc/nlb
    #[arg(value_name = "NAME", value_parser = cluster_name)]
    pub(crate) cluster: Option<String>,

    /// Print the content of this version instead
    #[arg(long, value_name = "N")]
    pub(crate) content: Option<u64>,
}

/// Arguments of `rollback`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Rollback {
    /// Number of the version, as `nlbadm versions` shows them [default: the one before], and name of the cluster, which may
    /// be left out if there is one file in /etc/nlb
    #[arg(value_name = "N|NAME", num_args = 0..=2)]
    words: Vec<Word>,

    /// Leave these hosts out, by ids or names
    #[arg(long, value_name = "HOSTS", value_parser = hosts)]
    pub(crate) without: Option<Hosts>,

    /// Tell whether all hosts could have it, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// A number, or a name.
#[derive(Clone, Debug)]
enum Word {
    Number(u64),
    Name(String),
}

impl FromStr for Word {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(number) => Ok(Word::Number(number)),
            Err(_) => cluster_name(text).map(Word::Name),
        }
    }
}

impl Rollback {
    /// The version that is meant, if one is told.
    pub(crate) fn number(&self) -> Option<u64> {
        self.words.iter().find_map(|word| match word {
            Word::Number(number) => Some(*number),
            Word::Name(_) => None,
        })
    }

    /// The cluster that is meant, if one is told.
    pub(crate) fn cluster(&self) -> Option<&str> {
        self.words.iter().find_map(|word| match word {
            Word::Name(name) => Some(name.as_str()),
            Word::Number(_) => None,
        })
    }
}
