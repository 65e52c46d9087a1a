// SPDX-License-Identifier: GPL-2.0-only

//! Verbs that other hosts can be asked for.

use std::time::Duration;

use clap::Args;

use super::{Target, hosts::Hosts};
use crate::rulename::RuleName;

/// The hosts that shall do it.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Elsewhere {
    /// Ask these hosts of the cluster by remote control, instead of doing it here: ids or names, as 3; 1,4-6; web2; all
    #[arg(long, value_name = "HOSTS", value_parser = hosts)]
    pub(crate) host: Option<Hosts>,

    /// With --host: how long each may take to answer, with a unit [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, requires = "host")]
    pub(crate) reply_within: Option<Duration>,
}

fn hosts(text: &str) -> Result<Hosts, String> {
    text.parse()
}

/// A cluster, on this host or others.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Controlled {
    #[command(flatten)]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) elsewhere: Elsewhere,
}

/// A rule of a cluster, on this host or others.
#[derive(Args, Clone, Debug)]
pub(crate) struct RuleControl {
    /// Its number, or a port that it covers: 192.0.2.10:443, all:443
    #[arg(value_name = "RULE")]
    pub(crate) rule: RuleName,

    #[command(flatten)]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) elsewhere: Elsewhere,
}
