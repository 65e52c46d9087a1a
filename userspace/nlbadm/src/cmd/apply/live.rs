// SPDX-License-Identifier: GPL-2.0-only

//! Changes while the host serves: all of them, or none.

use nlb_netlink::{
    Error,
    object::{ClusterChange, NewRule},
};

use super::Running;
use crate::{config::Settings, failure::Failure, kernel::Kernel, warn};

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
}

/// Makes the changes. If one is refused, those before it are undone.
pub(super) fn run(
    kernel: &mut impl Kernel,
    running: &Running,
    wanted: &Settings,
) -> Result<(), Failure> {
    let ifindex = running.cluster.ifindex;
    let steps = steps(running, wanted);
    for (number, step) in steps.iter().enumerate() {
        let Err(error) = step.forth(kernel, ifindex) else {
            continue;
        };
        for done in steps[..number].iter().rev() {
            if let Err(error) = done.back(kernel, ifindex) {
                warn(Some(format!("a change could not be undone: {error}")));
            }
        }
        return Err(Failure::from(error).context(step.name()));
    }
    Ok(())
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
    if now.rules != wanted.rules {
        let rules = Step::Rules {
            to: &wanted.rules,
            back: &now.rules,
        };
        // While rules wait for other hosts no weight can change: they are withdrawn first. New rules come last, for they
        // are what may have to wait.
        let at = if running.cluster.pending.is_some() {
            0
        } else {
            steps.len()
        };
        steps.insert(at, rules);
    }
    steps
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
        }
    }

    fn forth(&self, kernel: &mut impl Kernel, ifindex: u32) -> Result<(), Error> {
        match self {
            Step::Set { to, .. } => kernel.change(ifindex, *to),
            Step::Rules { to, .. } => kernel.set_rules(ifindex, to),
        }
    }

    fn back(&self, kernel: &mut impl Kernel, ifindex: u32) -> Result<(), Error> {
        match self {
            Step::Set { back, .. } => kernel.change(ifindex, *back),
            Step::Rules { back, .. } => kernel.set_rules(ifindex, back),
        }
    }
}
