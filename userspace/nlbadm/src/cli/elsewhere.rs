// SPDX-License-Identifier: GPL-2.0-only

//! Verbs that other hosts can be asked for.

use std::time::Duration;

use clap::Args;

use super::{
    Target,
    hosts::{Hosts, hosts},
};
use crate::rulename::RuleName;

/// The hosts that shall do it.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Elsewhere {
    /// Ask these hosts of the cluster by remote control, instead of doing it here: ids or names, as 3; 1,4-6; web2; all
    #[arg(long, value_name = "HOSTS", value_parser = hosts)]
    pub(crate) on: Option<Hosts>,

    /// With --on: how long each may take to answer, with a unit, up to 1h [default: 10s, or longer where the cluster is slow]
    #[arg(long, value_name = "TIME", value_parser = reply_within, requires = "on")]
    pub(crate) reply_within: Option<Duration>,
}

/// The longest that somebody may want to wait.
const REPLY_WITHIN_MAX: Duration = Duration::from_secs(3600);

fn reply_within(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time.is_zero() || time > REPLY_WITHIN_MAX {
        return Err("it is a time of more than 0s, and up to 1h".into());
    }
    Ok(time)
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
