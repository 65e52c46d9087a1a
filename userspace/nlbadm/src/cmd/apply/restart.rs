// SPDX-License-Identifier: GPL-2.0-only

//! Changes that need the host to leave and join again.

use nlb_core::state::HostState;
use nlb_netlink::object::{Cluster, ClusterChange};

use super::{Goal, Running, prepare};
use crate::{
    cli::{Apply, Down, Target},
    cmd::{self, control, down, up},
    config::{Change, Config, Difference, InitialState},
    failure::{Exit, Failure},
    host::Host,
    kernel::Kernel,
};

/// Why nothing was done, what it would cost, and how it is done.
pub(super) fn refusal(config: &Config, difference: &Difference) -> Failure {
    let fixed: Vec<&Change> = difference.fixed().collect();
    let names = |changes: &[&Change]| {
        let names: Vec<_> = changes.iter().map(|change| change.key).collect();
        names.join(", ")
    };
    let mut text = format!(
        "{}: {} cannot change while the host serves; nothing was changed. With --restart the host takes no new \
         connections, gives those it has the time of --drain-timeout to end, leaves and joins again",
        config.file(),
        names(&fixed)
    );
    let shared: Vec<&Change> = fixed.iter().copied().filter(|it| it.shared).collect();
    if !shared.is_empty() {
        text.push_str(&format!(
            "; hosts that differ in {} do not serve together, so the last host that changes serves alone until then",
            names(&shared)
        ));
    }
    if fixed.iter().any(|change| change.key == "key-id") {
        text.push_str("; `nlbadm key` changes the key without any of this");
    }
    Failure::new(Exit::NeedsRestart, text)
}

/// Leaves and joins again. If the new cluster cannot be made, the old one is.
pub(super) fn run<K: Kernel + Host>(
    kernel: &mut K,
    args: &Apply,
    goal: &Goal,
    running: &Running,
) -> Result<(), Failure> {
    let new = prepare(kernel, goal, Some(running.cluster.ifindex))?;
    if args.dry_run {
        return Ok(());
    }
    let state = state_after(&running.cluster);
    leave(kernel, &running.cluster, args.drain_timeout)?;
    let Err(failure) = up::build(kernel, &new, state) else {
        return Ok(());
    };
    let old = Goal {
        settings: running.settings.clone(),
        key: goal.key.clone(),
        state,
    };
    let again = prepare(kernel, &old, None).and_then(|old| up::build(kernel, &old, state));
    let outcome = match again {
        Ok(()) => "the host is in the cluster as before, with the key of the file".into(),
        Err(failure) => format!(
            "and what was before could not be made again ({failure}): the host is in no cluster; mend the cause and \
             apply the file once more"
        ),
    };
    Err(failure.context(outcome))
}

/// The host does afterwards what it did before; a drain has come to its end.
pub(super) fn state_after(cluster: &Cluster) -> InitialState {
    match cluster.state.known() {
        Some(HostState::Suspended) => InitialState::Suspended,
        Some(HostState::Stopped | HostState::Draining) => InitialState::Stopped,
        _ => InitialState::Started,
    }
}

/// Lets connections end as long as they may, and takes the cluster down.
fn leave<K: Kernel + Host>(kernel: &mut K, cluster: &Cluster, timeout: u32) -> Result<(), Failure> {
    if !cmd::is_idle(cluster) {
        let change = ClusterChange::Drainstop {
            timeout_s: Some(timeout),
        };
        kernel.change(cluster.ifindex, change)?;
        // Where somebody starts the host again meanwhile, it serves: nothing is taken from it then.
        control::wait_drained(kernel, cluster, Some(timeout))?;
    }
    let target = Target {
        interface: Some(cluster.ifname.clone()),
    };
    down::run(kernel, &Down { target, all: false })
}
