// SPDX-License-Identifier: GPL-2.0-only

//! Other settings for a running cluster.
//!
//! Like new rules they are compiled first, and come into force when all hosts have the same (`rule_change.rs`). VIPs take
//! more: a new one must be on this host when it comes into force, and one that goes may be on it still after that, and at
//! no time may the stack answer for either. So the packet path guards both:
//! 1. the settings in force are put in force once more, with the new VIPs guarded;
//! 2. the new settings are staged, with the VIPs that they lack guarded. The node tells the others of them when the
//!    addresses of the new VIPs are here (`vip_watch.rs`), which `nlbadm` adds;
//! 3. when they are in force, `nlbadm` removes the addresses that are VIPs no more, and what is not on this host is
//!    guarded no longer ([`tidy`]).

use crate::cluster::context::Cluster;
use crate::cluster::driver::install;
use crate::cluster::rule_change::{in_force, InForce, Refusal};
use crate::cluster::rules::RuleList;
use crate::cluster::settings::Settings;
use crate::cluster::snapshot::Snapshot;
use crate::kapi::hrtimer::Timer;
use crate::kapi::rcu::read_lock;
use crate::l2::vip_watch::{is_held, is_here};
use crate::nlb_core::config::SlotSet;
use crate::nlb_core::genl::{Echo, Responder};
use core::net::IpAddr;
use kernel::prelude::*;

type Changed = core::result::Result<(), Refusal>;

/// What shall be otherwise; what is not told stays as it is.
pub(crate) struct SettingsChange {
    pub(crate) vips: Option<KVec<IpAddr>>,
    pub(crate) period_ms: Option<u32>,
    pub(crate) tolerance: Option<u32>,
    pub(crate) echo: Option<Echo>,
    pub(crate) responder: Option<Responder>,
    /// Other rules, and those of them (by number) that say what this host does about them.
    pub(crate) rules: Option<(RuleList, SlotSet)>,
}

impl SettingsChange {
    /// Whether nothing shall be otherwise.
    pub(crate) fn is_empty(&self) -> bool {
        let timing = self.period_ms.or(self.tolerance);
        let addresses = self.vips.is_none() && self.rules.is_none();
        addresses && timing.is_none() && self.echo.is_none() && self.responder.is_none()
    }

    /// Makes the changes. Errors: `ENOMEM`, or [`Refusal::Primary`].
    fn apply(&self, settings: &mut Settings) -> Changed {
        if let Some(vips) = &self.vips {
            // Virtual MAC and heartbeat MAC are made of it: the hosts would not hear each other for a while.
            if vips.first() != settings.vips().first() {
                return Err(Refusal::Primary);
            }
            settings.set_vips(vips)?;
        }
        settings.period_ms = self.period_ms.unwrap_or(settings.period_ms);
        settings.tolerance = self.tolerance.unwrap_or(settings.tolerance);
        settings.echo = self.echo.unwrap_or(settings.echo);
        settings.responder = self.responder.unwrap_or(settings.responder);
        Ok(())
    }
}

/// Stages other settings, or puts them in force at once if there is nobody to wait for. Context: process, may sleep.
pub(crate) fn change(cluster: &Cluster, timer: &Timer<Cluster>, change: SettingsChange) -> Changed {
    let _changes = cluster.changes();
    let now = in_force(cluster)?;
    let mut next = now.settings_again()?;
    change.apply(&mut next)?;
    let rules = match change.rules {
        Some((mut rules, told)) => {
            rules.take_states(&now.rules, |number| told.contains(number));
            rules
        }
        None => now.rules_again()?,
    };
    let dedicated = [cluster.dedicated(), cluster.description().dedicated];
    let is_dedicated = |vip: &IpAddr| dedicated.contains(&Some(*vip));
    if next.vips().iter().any(is_dedicated) {
        return Err(Refusal::Dedicated);
    }
    let mut guarding = now.settings_again()?;
    guarding.guard(next.vips(), &now.settings, |vip| may_be_here(cluster, vip))?;
    next.guard(&[], &guarding, |_| true)?;
    let new = cluster.compile(next, rules)?.map_err(Refusal::Filter)?;
    if moves_a_mac(cluster, &new) {
        return Err(Refusal::Primary);
    }
    if new.digest != now.digest && guarding.waiting() != now.settings.waiting() {
        put_in_force_again(cluster, timer, &now, guarding)?;
    }
    let held = is_held(cluster);
    install(cluster, timer, new, None, held)?.map_err(Refusal::Now)
}

/// Whether a VIP that stays would resolve to another MAC: in IGMP mode the first VIP of each family gives that.
fn moves_a_mac(cluster: &Cluster, new: &Snapshot) -> bool {
    let side = read_lock();
    let Some(now) = cluster.snapshot(&side) else {
        return false;
    };
    let mut stay = now.settings.vips().iter().copied();
    stay.any(|vip| {
        new.settings.vips().contains(&vip) && now.filter.mac_of(vip) != new.filter.mac_of(vip)
    })
}

/// Puts what is in force in force once more, with other addresses guarded.
fn put_in_force_again(
    cluster: &Cluster,
    timer: &Timer<Cluster>,
    now: &InForce,
    settings: Settings,
) -> Changed {
    let again = cluster
        .compile(settings, now.rules_again()?)?
        .map_err(Refusal::Filter)?;
    install(cluster, timer, again, Some(now.digest), false)?.map_err(Refusal::Now)
}

/// Whether an address may be on this host: while the device of the VIPs is down, nothing tells. Context: process or softirq.
fn may_be_here(cluster: &Cluster, address: IpAddr) -> bool {
    is_here(cluster, address) || !cluster.vip_device().is_up()
}

/// Whether something is guarded that is not on this host any more, or waits though nothing is staged. Context: process.
pub(crate) fn is_untidy(cluster: &Cluster) -> bool {
    let untidy = {
        let side = read_lock();
        cluster.snapshot(&side).is_some_and(|snapshot| {
            let mut former = snapshot.settings.former().iter();
            !snapshot.settings.waiting().is_empty() || former.any(|vip| !may_be_here(cluster, *vip))
        })
    };
    // While other settings are staged it could not be mended.
    untidy && cluster.look(|node, _, _| node.staged()) == 0
}

/// Guards no longer what is not on this host any more. Context: process, may sleep.
pub(crate) fn tidy(cluster: &Cluster, timer: &Timer<Cluster>) {
    let _changes = cluster.changes();
    let tidied = in_force(cluster).and_then(|now| {
        let mut settings = now.settings_again()?;
        settings.guard(&[], &now.settings, |vip| may_be_here(cluster, vip))?;
        put_in_force_again(cluster, timer, &now, settings)
    });
    // If other settings have been staged meanwhile, it is tried again when they are in force.
    if let Err(Refusal::Memory(_)) = tidied {
        pr_warn!("no memory to forget a VIP that is gone; this is tried again\n");
    }
}
