// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm apply`: makes this host what a file says, by the smallest change, or changes nothing.

mod again;
mod follow;
mod live;
mod restart;
#[cfg(test)]
mod tests;

use std::{
    io,
    thread::sleep,
    time::{Duration, Instant},
};

use nlb_core::{
    genl::Control,
    state::{HostState, OutReason},
};
use nlb_netlink::object::{Cluster, ClusterKey, NewCluster};

pub(super) use self::again::Again;
pub use self::follow::{Followed, could, fits, follow};
use super::{control, rules, up, vips};
use crate::{
    cli::{Apply, Target},
    config::{Config, Dedicated, Difference, InitialState, Machine, Settings},
    failure::{Exit, Failure},
    host::Host,
    kernel::Kernel,
    keyfile,
    output::{
        self,
        config::{Action, Applied},
        text::named,
    },
    warn,
};

/// How often it is looked whether an interface has come.
const LOOK: Duration = Duration::from_millis(100);

/// What this host shall be.
struct Goal {
    settings: Settings,
    key: ClusterKey,
    /// What it does when its cluster has been made.
    state: InitialState,
}

/// What it is.
struct Running {
    cluster: Cluster,
    settings: Settings,
}

/// Makes this host what a file says, and prints the difference before that.
pub(crate) fn run<K: Kernel + Host>(
    kernel: &mut K,
    json: bool,
    args: &Apply,
) -> Result<(), Failure> {
    let (report, result) = make(kernel, args, |report| {
        // A reader of JSON gets one object, when all is known.
        let diff = if json { String::new() } else { report.diff() };
        output::write(&diff)
    })?;
    if json || result.is_ok() {
        output::print(json, &report)?;
    }
    result
}

/// Makes this host what a file says. All that can be checked is checked before the first change, and the difference is
/// told before it. What is returned tells what differed, and whether it was done.
fn make<K: Kernel + Host>(
    kernel: &mut K,
    args: &Apply,
    mut tell: impl FnMut(&Applied) -> io::Result<()>,
) -> Result<(Applied, Result<(), Failure>), Failure> {
    let config = Config::read(&args.file)?;
    let machine = Machine::read(kernel);
    let section = config.section(&machine, args.host.as_deref())?;
    let settings = config.settings(section);
    let goal = Goal {
        key: read_key(&config, &settings)?,
        settings,
        state: match section.state() {
            InitialState::Started if args.no_start => InitialState::Stopped,
            state => state,
        },
    };
    if let Some(limit) = args.wait {
        wait_for_interface(kernel, &goal.settings.interface, limit.into())?;
    }
    let running = find(kernel, &goal.settings)?;
    let before = running.as_ref().map(|running| &running.settings);
    let difference = Difference::new(before, &goal.settings);
    let action = action(running.as_ref(), &difference);
    let mut report = Applied::new(&config, section, action, &difference);
    tell(&report)?;
    let result = if action == Action::Restart && !args.restart {
        Err(restart::refusal(&config, &difference))
    } else {
        perform(kernel, args, &goal, running.as_ref(), &mut report)
            .map_err(|failure| failure.context(format!("apply {}", config.file())))
    };
    Ok((report, result))
}

/// The smallest change that does it.
fn action(running: Option<&Running>, difference: &Difference) -> Action {
    match running {
        None => Action::Up,
        Some(_) if difference.is_empty() => Action::None,
        Some(_) if difference.fixed().next().is_none() => Action::Change,
        Some(_) => Action::Restart,
    }
}

fn perform<K: Kernel + Host>(
    kernel: &mut K,
    args: &Apply,
    goal: &Goal,
    running: Option<&Running>,
    report: &mut Applied,
) -> Result<(), Failure> {
    match (report.action, running) {
        (Action::Change, Some(running)) if !args.dry_run => {
            live::run(kernel, running, &goal.settings)?;
        }
        (Action::None | Action::Change, Some(_)) => {}
        (Action::Restart, Some(running)) => restart::run(kernel, args, goal, running)?,
        _ => {
            let new = prepare(kernel, goal, None)?;
            if !args.dry_run {
                up::build(kernel, &new, goal.state)?;
            }
        }
    }
    report.done = !args.dry_run;
    if args.start && !args.dry_run {
        report.started = start(kernel, goal)?;
    } else if let Some(running) = running {
        warn(hindrance(running, goal));
    }
    if let Some(running) = running {
        report.waits_for = rules::settle(kernel, running.cluster.clone())?;
        if !args.dry_run {
            vips::tidy(kernel, running.cluster.ifindex)?;
        }
    }
    Ok(())
}

/// Starts a host that is stopped, if the file starts it; one that is suspended obeys nothing but `resume`.
fn start<K: Kernel + Host>(kernel: &mut K, goal: &Goal) -> Result<bool, Failure> {
    let target = Target {
        interface: Some(goal.settings.interface.clone()),
    };
    let stopped = super::cluster(kernel, &target)?
        .state
        .is(HostState::Stopped);
    if goal.state != InitialState::Started || !stopped {
        return Ok(false);
    }
    control::run(kernel, &target, Control::Start)?;
    Ok(true)
}

/// The request for the cluster, when it is known that the host can have it.
fn prepare<K: Kernel + Host>(
    kernel: &mut K,
    goal: &Goal,
    leaving: Option<u32>,
) -> Result<NewCluster, Failure> {
    let new = goal.settings.request(goal.key.clone());
    let dedicated = match goal.settings.dedicated {
        Dedicated::Is(address) => Some(address),
        Dedicated::Follows | Dedicated::Missing => None,
    };
    up::prepare(kernel, new, &goal.settings.interface, dedicated, leaving)
}

/// What keeps the host from serving though nothing differs from the file, and what helps. The initial state is for a cluster
/// that is made: what an operator has stopped since stays so.
fn hindrance(running: &Running, goal: &Goal) -> Option<String> {
    let cluster = &running.cluster;
    let interface = &cluster.ifname;
    if goal.state != InitialState::Started {
        return None;
    }
    let stays = |verbs: &str| {
        format!(
            "this host is {}, and stays so: {verbs} lets it take part",
            cluster.state
        )
    };
    match cluster.state.known()? {
        HostState::Stopped => Some(stays(&format!("`nlbadm start {interface}`"))),
        HostState::Suspended => Some(stays(&format!(
            "`nlbadm resume {interface} && nlbadm start {interface}`"
        ))),
        _ if cluster.out_reason.is(OutReason::VipMissing) => Some(format!(
            "a VIP is missing on this host, so it serves nothing: `nlbadm start {interface}` puts it back"
        )),
        _ => None,
    }
}

/// The key, which others must not be able to read.
fn read_key(config: &Config, settings: &Settings) -> Result<ClusterKey, Failure> {
    match (config.key(), settings.key_id) {
        (Some(path), Some(id)) => {
            if keyfile::open_to_others(path).unwrap_or(false) {
                return Err(keyfile::refuse_open(path));
            }
            Ok(up::key_of(path, id)?.0)
        }
        _ => Ok(ClusterKey::NoKey),
    }
}

/// The cluster that the file is about, if this host is in it.
fn find(kernel: &mut impl Kernel, wanted: &Settings) -> Result<Option<Running>, Failure> {
    let clusters = kernel.clusters()?;
    let there = |cluster: &&Cluster| cluster.ifname == wanted.interface;
    if let Some(other) = clusters
        .iter()
        .find(|cluster| there(cluster) && cluster.name != wanted.cluster)
    {
        return Err(Failure::new(
            Exit::Exists,
            format!(
                "{0} is in another cluster, {1}, as host {2}: nothing was changed; `nlbadm down {0}` leaves that one",
                other.ifname, other.name, other.host_id
            ),
        ));
    }
    let same: Vec<&Cluster> = clusters
        .iter()
        .filter(|cluster| cluster.name == wanted.cluster)
        .collect();
    let cluster = match same.as_slice() {
        [] => return Ok(None),
        [one] => *one,
        several => match several.iter().copied().find(there) {
            Some(cluster) => cluster,
            None => {
                let names: Vec<_> = several.iter().map(|it| it.ifname.as_str()).collect();
                return Err(Failure::new(
                    Exit::Exists,
                    format!(
                        "the cluster {} is on {}: take one of them down first",
                        wanted.cluster,
                        names.join(" and ")
                    ),
                ));
            }
        },
    };
    let rules = kernel.rules(cluster.ifindex)?;
    Ok(Some(Running {
        settings: Settings::running(cluster, &rules)?,
        cluster: cluster.clone(),
    }))
}

/// Waits until there is an interface: at boot its driver may be late, and devices of VLANs and bonds are made by others.
fn wait_for_interface(kernel: &mut impl Kernel, name: &str, seconds: u64) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while kernel.interface(name)?.is_none() {
        if Instant::now() >= deadline {
            let failure = Failure::no_interface(name);
            return Err(failure.context(format!("after {seconds} s")));
        }
        sleep(LOOK);
    }
    Ok(())
}

/// What to say of hosts that have not the same rules and settings yet.
pub(crate) fn waiting(hosts: &[u8]) -> String {
    match hosts {
        [] => "it is about to come into force".into(),
        hosts => format!("it waits for {}: apply the same file there", named(hosts)),
    }
}
