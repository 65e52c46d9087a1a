// SPDX-License-Identifier: GPL-2.0-only

//! Which successors of a state are followed: partial-order reduction by persistent sets.
//!
//! Steps of different hosts commute: each changes one node, takes the first frame of links to that node, and puts frames
//! at the end of links from it. So it is enough to follow all steps of *one* host `h`, whose later order with those of
//! the others makes no difference, if
//!
//! - nothing that the others do can give `h` a step that it does not have now. A link to `h` that holds a frame keeps that
//!   frame as its first, so this is so if every link to `h` holds one;
//! - time cannot advance before `h` has acted: its timer is due, or a frame to it must arrive now;
//! - no fault may happen any more: faults share their budgets, and so do not commute;
//! - none of the steps changes what the properties are about (buckets, generation, state): otherwise one order might
//!   show what another hides.
//!
//! No run of the model comes back to a state that it left (sequences grow), so no step is put off for ever.

use super::Bounds;
use super::state::{State, Step};

/// Steps, each with the state that it leads to.
pub(super) type Successors = Vec<(Step, State)>;

/// A step that leads to a state in which something is violated, and what.
type Wrong = (Step, String);

/// The successors to follow, or the step that violates something.
pub(super) fn successors(state: &State, bounds: &Bounds) -> Result<Successors, Wrong> {
    let steps = state.steps(bounds);
    if bounds.reduced && steps.len() > 1 && !state.faults_possible(bounds) {
        for host in 0..state.nodes.len() {
            if let Some(successors) = of_one_host(state, bounds, &steps, host)? {
                return Ok(successors);
            }
        }
    }
    follow(state, bounds, &steps)
}

/// All successors by these steps.
fn follow(state: &State, bounds: &Bounds, steps: &[Step]) -> Result<Successors, Wrong> {
    let one = |step: &Step| match state.after(*step, bounds) {
        Ok(next) => Ok((*step, next)),
        Err(text) => Err((*step, text)),
    };
    steps.iter().map(one).collect()
}

/// The successors by the steps of one host, if these are enough.
fn of_one_host(
    state: &State,
    bounds: &Bounds,
    steps: &[Step],
    host: usize,
) -> Result<Option<Successors>, Wrong> {
    let own: Vec<Step> = steps
        .iter()
        .copied()
        .filter(|step| state.host_of(step) == Some(host))
        .collect();
    let others_act = steps
        .iter()
        .any(|step| state.host_of(step).is_some_and(|other| other != host));
    let waits = state.holds_time(host, bounds) && state.all_links_hold(host);
    if own.is_empty() || !others_act || !waits {
        return Ok(None);
    }
    let successors = follow(state, bounds, &own)?;
    let unseen = successors
        .iter()
        .all(|(_, next)| next.visible(host) == state.visible(host));
    Ok(unseen.then_some(successors))
}
