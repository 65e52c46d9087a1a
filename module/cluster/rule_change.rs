// SPDX-License-Identifier: GPL-2.0-only

//! New port rules for a running cluster, and what this host does about those in force.
//!
//! Rules are compiled first, in process context, whatever memory that takes; what is wrong with them is known before
//! anything has changed. Then the node stages them, and swaps them in when all hosts have the same.

use crate::cluster::context::{Cluster, Refused};
use crate::cluster::driver::Driver;
use crate::cluster::rules::RuleList;
use crate::cluster::settings::Settings;
use crate::kapi::rcu::read_lock;
use crate::nlb_core::filter::FilterError;
use crate::nlb_core::rules::RuleState;
use kernel::prelude::*;

/// Why a change of the rules is refused. It changed nothing.
#[derive(Clone, Copy)]
pub(crate) enum Refusal {
    /// Something is wrong with the rules.
    Filter(FilterError),
    /// It cannot be done now.
    Now(Refused),
    /// There is no rule with this number.
    NoRule,
    /// The primary VIP cannot change.
    Primary,
    /// A VIP is the dedicated IP of this host.
    Dedicated,
    /// There is no memory.
    Memory(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Memory(error)
    }
}

type Result<T = ()> = core::result::Result<T, Refusal>;

/// What this host shall do about one rule; what is not told stays as it is.
#[derive(Clone, Copy, Default)]
pub(crate) struct RuleControl {
    pub(crate) state: Option<RuleState>,
    pub(crate) weight: Option<u8>,
    pub(crate) priority: Option<u8>,
}

/// Replaces the rules by `list`. What this host does about a rule that covers the same as one in force stays as it is,
/// except for the rules (by number) that `told` says so of.
///
/// With other hosts in the cluster the new rules wait until all of them have the same. The rules in force are nothing
/// to wait for: to apply them withdraws those that wait. Context: process, may sleep.
pub(crate) fn replace(driver: &Driver, mut list: RuleList, told: impl Fn(usize) -> bool) -> Result {
    let cluster = driver.cluster();
    let _changes = cluster.changes();
    let now = in_force(cluster)?;
    list.take_states(&now.rules, told);
    install(driver, now.settings, list, None)
}

/// Changes what this host does about a rule in force; at once. Context: process, may sleep.
pub(crate) fn control(driver: &Driver, number: usize, control: RuleControl) -> Result {
    let cluster = driver.cluster();
    let _changes = cluster.changes();
    let InForce {
        rules: mut list,
        settings,
        digest,
    } = in_force(cluster)?;
    let (state, share) = list.get_mut(number).ok_or(Refusal::NoRule)?;
    *state = control.state.unwrap_or(*state);
    share.weight = control.weight.or(share.weight);
    share.priority = control.priority.or(share.priority);
    install(driver, settings, list, Some(digest))
}

/// Changes the load weight of this host in all rules that do not name one; at once. Context: process, may sleep.
pub(crate) fn set_weight(driver: &Driver, weight: u8) -> Result {
    let cluster = driver.cluster();
    let _changes = cluster.changes();
    let now = in_force(cluster)?;
    let before = cluster.weight();
    cluster.set_weight(weight);
    let result = install(driver, now.settings, now.rules, Some(now.digest));
    if result.is_err() {
        cluster.set_weight(before);
    }
    result
}

/// Rules and settings in force, and their digest.
pub(crate) struct InForce {
    pub(crate) rules: RuleList,
    pub(crate) settings: Settings,
    pub(crate) digest: u64,
}

impl InForce {
    /// The same rules once more. Context: process. Errors: `ENOMEM`.
    pub(crate) fn rules_again(&self) -> Result<RuleList> {
        let mut rules = RuleList::new()?;
        rules.extend(&self.rules);
        Ok(rules)
    }

    /// The same settings once more. Context: process. Errors: `ENOMEM`.
    pub(crate) fn settings_again(&self) -> Result<Settings> {
        let mut settings = Settings::unknown()?;
        settings.copy(&self.settings);
        Ok(settings)
    }
}

/// What is in force. Context: process, under [`Cluster::changes`]. Errors: `ENOMEM`.
pub(crate) fn in_force(cluster: &Cluster) -> Result<InForce> {
    let mut now = InForce {
        rules: RuleList::new()?,
        settings: Settings::unknown()?,
        digest: 0,
    };
    if let Some(snapshot) = cluster.snapshot(&read_lock()) {
        now.rules.extend(&snapshot.rules);
        now.settings.copy(&snapshot.settings);
        now.digest = snapshot.digest;
    }
    Ok(now)
}

/// What waits is withdrawn or other than this, so no VIP waits.
fn install(driver: &Driver, mut settings: Settings, list: RuleList, only: Option<u64>) -> Result {
    let cluster = driver.cluster();
    settings.nothing_waits();
    let new = cluster.compile(settings, list)?.map_err(Refusal::Filter)?;
    driver.install(new, only)?.map_err(Refusal::Now)
}
