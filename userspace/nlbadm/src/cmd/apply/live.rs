// SPDX-License-Identifier: GPL-2.0-only

//! Changes while the host serves: all of them, or none.

use nlb_netlink::{
    Error,
    object::{ClusterChange, NewRule, SettingsChange},
};

use super::{super::vips, Running};
use crate::{config::Settings, failure::Failure, host::Host, kernel::Kernel, warn};

/// One request, and the one that undoes it.
enum Step<'a> {
    Set {
        to: ClusterChange,
        back: ClusterChange,
    },
    Rules {
        to: &'a [NewRule],
        back: &'a [NewRule],
    },
    /// What all hosts share, the rules as well if others are wanted.
    Settings {
        to: SettingsChange,
        back: SettingsChange,
    },
}

/// Makes the changes. If one is refused, those before it are undone.
pub(super) fn run<K: Kernel + Host>(
    kernel: &mut K,
    running: &Running,
    wanted: &Settings,
) -> Result<(), Failure> {
    let ifindex = running.cluster.ifindex;
    vips::check_new(kernel, &running.cluster, &wanted.vips)?;
    let steps = steps(running, wanted);
    for (number, step) in steps.iter().enumerate() {
        if let Err(error) = step.forth(kernel, ifindex) {
            undo(kernel, ifindex, &steps[..number]);
            return Err(Failure::from(error).context(step.name()));
        }
    }
    if running.settings.vips == wanted.vips {
        return Ok(());
    }
    vips::put_all(kernel, &running.cluster, &wanted.vips)
        .inspect_err(|_| undo(kernel, ifindex, &steps))
}

/// Takes back what was done, the last first.
fn undo(kernel: &mut impl Kernel, ifindex: u32, steps: &[Step<'_>]) {
    for done in steps.iter().rev() {
        if let Err(error) = done.back(kernel, ifindex) {
            warn(Some(format!("a change could not be undone: {error}")));
        }
    }
}

/// The changes in an order in which each can be made.
fn steps<'a>(running: &'a Running, wanted: &'a Settings) -> Vec<Step<'a>> {
    let now = &running.settings;
    let mut steps = Vec::new();
    if now.weight != wanted.weight {
        steps.push(Step::Set {
            to: ClusterChange::Weight(wanted.weight),
            back: ClusterChange::Weight(now.weight),
        });
    }
    if now.sessions_max != wanted.sessions_max {
        steps.push(Step::Set {
            to: ClusterChange::SessionsMax(wanted.sessions_max),
            back: ClusterChange::SessionsMax(now.sessions_max),
        });
    }
    let waits = running.cluster.pending.is_some();
    if let Some(step) = shared_step(now, wanted, waits) {
        // While rules or settings wait for other hosts no weight can change: they are withdrawn first. New ones come last,
        // for they are what may have to wait.
        let at = if waits { 0 } else { steps.len() };
        steps.insert(at, step);
    }
    steps
}

/// The change of rules and of what else all hosts share, if these differ. `waits`: what `now` says waits for other hosts.
fn shared_step<'a>(now: &'a Settings, wanted: &'a Settings, waits: bool) -> Option<Step<'a>> {
    let settings = wanted.shared_change(now).zip(now.shared_change(wanted));
    if settings.is_none() && now.rules == wanted.rules {
        return None;
    }
    // What a request does not tell stays as it is in force, and that is not as it waits: all is told.
    let settings = if waits {
        Some((wanted.shared(), now.shared()))
    } else {
        settings
    };
    Some(match settings {
        Some((to, back)) => Step::Settings { to, back },
        None => Step::Rules {
            to: &wanted.rules,
            back: &now.rules,
        },
    })
}

impl Step<'_> {
    fn name(&self) -> &'static str {
        match self {
            Step::Set {
                to: ClusterChange::Weight(_),
                ..
            } => "weight",
            Step::Set { .. } => "sessions-max",
            Step::Rules { .. } => "rules",
            Step::Settings { .. } => "settings",
        }
    }

    fn forth(&self, kernel: &mut impl Kernel, ifindex: u32) -> Result<(), Error> {
        match self {
            Step::Set { to, .. } => kernel.change(ifindex, *to),
            Step::Rules { to, .. } => kernel.set_rules(ifindex, to),
            Step::Settings { to, .. } => kernel.change_settings(ifindex, to),
        }
    }

    fn back(&self, kernel: &mut impl Kernel, ifindex: u32) -> Result<(), Error> {
        match self {
            Step::Set { back, .. } => kernel.change(ifindex, *back),
            Step::Rules { back, .. } => kernel.set_rules(ifindex, back),
            Step::Settings { back, .. } => kernel.change_settings(ifindex, back),
        }
    }
}
