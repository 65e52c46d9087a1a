// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm upgrade`: replaces the module in the kernel by the installed one. This host leaves its clusters in order, when
//! the others can do without it, and joins them again.
//!
//! Whatever fails, the host ends in its clusters if any module makes them, and the failure says which one.

#[cfg(test)]
mod tests;
mod turn;

use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use nlb_core::{
    genl::Control,
    state::{HostState, OutReason},
};
use nlb_netlink::object::{Cluster, ClusterChange, Member};

use super::{apply::Again, control, down};
use crate::{
    cli::{Down, Target, Upgrade, seconds},
    config::{self, InitialState},
    failure::{Exit, Failure},
    host::Host,
    kernel::Kernel,
    module::{self, Loader, Standing},
    output::upgrade::Upgraded,
    warn,
};

/// Connections get this time where no unit says otherwise, in seconds; dist/systemd/nlb-serve@.service has the same.
const DRAIN: u32 = 60;

/// How often it is looked whether what is waited for has come.
const LOOK: Duration = Duration::from_millis(100);

/// How long a request that somebody else makes may use the module.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the host may take to serve again.
const JOIN: Duration = Duration::from_secs(90);

/// A cluster of this host, and how it comes back.
struct Seat {
    cluster: Cluster,
    again: Again,
    /// How long its connections may take to end, in seconds.
    drain: u32,
}

/// Replaces the module; what is waited for meanwhile is told on standard error.
pub(crate) fn run<K: Kernel + Host + Loader>(
    kernel: &mut K,
    args: &Upgrade,
) -> Result<Upgraded, Failure> {
    perform(kernel, args, Path::new(config::DIRECTORY))
}

/// The same, with the files of clusters in this directory.
fn perform<K: Kernel + Host + Loader>(
    kernel: &mut K,
    args: &Upgrade,
    directory: &Path,
) -> Result<Upgraded, Failure> {
    let standing = module::standing(kernel)?;
    let Standing::Other(installed) = &standing else {
        return Ok(Upgraded::new(&standing, &[], false));
    };
    let clusters = kernel.clusters()?;
    if args.dry_run {
        return Ok(Upgraded::new(&standing, &clusters, false));
    }
    if !kernel.alone()? {
        let text = "another process replaces the module at this moment; `journalctl -u nlb-upgrade` tells of it";
        return Err(Failure::new(Exit::Exists, text));
    }
    if let Some(text) = module::unfit(installed) {
        return Err(untouched(Failure::new(Exit::NoModule, text)));
    }
    let seats = take_leave(kernel, args, directory)?;
    let old = module::loaded(kernel)?;
    let joined = replace(kernel, None).and_then(|()| {
        join(kernel, &seats).map_err(|failure| failure.context("with the new module"))
    });
    joined.map_err(|failure| go_back(kernel, &seats, &old, failure))?;
    if let Err(error) = module::forget_kept(kernel) {
        warn(Some(format!(
            "the old module could not be removed: {error}"
        )));
    }
    Ok(Upgraded::new(&standing, &clusters, true))
}

/// Takes the old module again, after a failure, which the answer tells with what became of it.
fn go_back<K: Kernel + Host + Loader>(
    kernel: &mut K,
    seats: &[Seat],
    old: &[u8],
    failure: Failure,
) -> Failure {
    let mut old_again = || {
        if module::loaded(kernel).is_ok_and(|now| now == old) {
            return Ok(());
        }
        let file = module::kept(kernel, old)
            .ok_or_else(|| Failure::new(Exit::NoModule, "no package has kept the old module"))?;
        // To ask for clusters where there is no module would be to load it.
        if module::loaded(kernel).is_ok() {
            for seat in seats {
                if super::as_it_is(kernel, seat.cluster.ifindex)?.is_some() {
                    take_down(kernel, seat)?;
                }
            }
        }
        replace(kernel, Some(&file))
    };
    let back = old_again().and_then(|()| join(kernel, seats));
    failure.context(match back {
        Ok(()) => format!("the old module is in the kernel again, and {}", with_it(seats)),
        Err(why) => format!(
            "this host is in no cluster ({why}): mend the cause, then `modprobe nlb` and `systemctl restart 'nlb@*'`"
        ),
    })
}

fn untouched(failure: Failure) -> Failure {
    failure.context("the module was not replaced, and nothing was changed")
}

fn described(cluster: &Cluster) -> String {
    format!("cluster {} on {}", cluster.name, cluster.ifname)
}

/// How the clusters stand with the module that is in the kernel now.
fn with_it(seats: &[Seat]) -> String {
    let names: Vec<_> = seats.iter().map(|seat| described(&seat.cluster)).collect();
    match names.as_slice() {
        [] => "no cluster uses it".to_owned(),
        names => format!("{} is as it was", names.join(", ")),
    }
}

/// All clusters of this host, each with what it is made again of.
fn seats<K: Kernel + Host>(
    kernel: &mut K,
    args: &Upgrade,
    directory: &Path,
) -> Result<Vec<Seat>, Failure> {
    let clusters = kernel.clusters()?;
    let seat = |cluster: Cluster| {
        let about = described(&cluster);
        if cluster.state.is(HostState::Draining) {
            let text = "this host drains: somebody is at work on it";
            return Err(Failure::new(Exit::Exists, text).context(about));
        }
        let again =
            Again::of(kernel, &cluster, directory).map_err(|failure| failure.context(about))?;
        let drain = args
            .drain_timeout
            .unwrap_or_else(|| drain_of(kernel, &cluster.name));
        Ok(Seat {
            cluster,
            again,
            drain,
        })
    };
    clusters.into_iter().map(seat).collect()
}

/// How long the unit of a cluster gives its connections.
fn drain_of(host: &mut dyn Host, name: &str) -> u32 {
    let unit = format!("nlb-serve@{name}.service");
    let shown = host.run(
        "systemctl",
        &["show", "--value", "--property=Environment", &unit],
    );
    let shown = shown.unwrap_or_default();
    let limit = shown
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("NLB_DRAIN="))
        .next_back();
    limit.and_then(|limit| seconds(limit).ok()).unwrap_or(DRAIN)
}

/// Whether anybody but the clusters of this network namespace uses the module: then it cannot be taken out of the kernel.
fn check_users(host: &mut dyn Host, clusters: usize) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    while module::users(host).is_some_and(|users| users > clusters) {
        if Instant::now() >= deadline {
            let text =
                "clusters of other network namespaces use the module too: take these down first";
            return Err(Failure::new(Exit::Exists, text));
        }
        sleep(LOOK);
    }
    Ok(())
}

/// Leaves all clusters when the others can do without this host, and takes them down.
fn take_leave<K: Kernel + Host>(
    kernel: &mut K,
    args: &Upgrade,
    directory: &Path,
) -> Result<Vec<Seat>, Failure> {
    let deadline = Instant::now() + Duration::from_secs(args.turn_timeout.into());
    loop {
        let waiting = seats(kernel, args, directory).map_err(untouched)?;
        if let Some(seat) = waiting.iter().find(|seat| joins(seat)) {
            if Instant::now() >= deadline {
                let text = format!("this host still joins {}", seat.cluster.name);
                return Err(untouched(Failure::new(Exit::Exists, text)));
            }
            sleep(LOOK);
            continue;
        }
        turn::wait(kernel, &waiting, deadline).map_err(untouched)?;
        // Somebody may have stopped the host meanwhile, or changed a cluster.
        let seats = seats(kernel, args, directory).map_err(untouched)?;
        check_users(kernel, seats.len()).map_err(untouched)?;
        if drain(kernel, &seats)? {
            leave(kernel, &seats)?;
            return Ok(seats);
        }
    }
}

/// Lets connections end, and takes all clusters down; if that fails, the host is in all of them again.
fn leave<K: Kernel + Host>(kernel: &mut K, seats: &[Seat]) -> Result<(), Failure> {
    let left = seats.iter().try_for_each(|seat| drainstop(kernel, seat));
    let down = left.and_then(|()| seats.iter().try_for_each(|seat| take_down(kernel, seat)));
    down.map_err(|failure| {
        come_back(kernel, seats);
        failure.context("the module was not replaced")
    })
}

/// Whether this host is about to serve: to leave now would be to leave with connections in a moment.
fn joins(seat: &Seat) -> bool {
    let comes = [OutReason::None, OutReason::NotFresh, OutReason::Listening]
        .into_iter()
        .any(|reason| seat.cluster.out_reason.is(reason));
    comes && !serves(seat) && seat.again.state() == InitialState::Started
}

fn serves(seat: &Seat) -> bool {
    seat.cluster.state.is(HostState::Converged)
}

fn period(seat: &Seat) -> Duration {
    Duration::from_millis(seat.cluster.period_ms.into())
}

/// Takes no new connections any more; whether it stays so. Where another host has begun to drain at the same moment, the one
/// with the higher id takes its clients back.
fn drain<K: Kernel + Host>(kernel: &mut K, seats: &[Seat]) -> Result<bool, Failure> {
    for seat in seats.iter().filter(|seat| serves(seat)) {
        let change = ClusterChange::Control(Control::Drain);
        if let Err(error) = kernel.change(seat.cluster.ifindex, change) {
            come_back(kernel, seats);
            return Err(untouched(error.into()));
        }
    }
    let longest = seats.iter().map(period).max().unwrap_or_default();
    let until = Instant::now() + 3 * longest;
    loop {
        for seat in seats.iter().filter(|seat| serves(seat)) {
            let own = seat.cluster.host_id;
            let first = |other: &Member| other.host_id < own && other.state.is(HostState::Draining);
            if turn::others(kernel, seat)?.iter().any(first) {
                come_back(kernel, seats);
                return Ok(false);
            }
        }
        if Instant::now() >= until {
            return Ok(true);
        }
        sleep(LOOK.min(longest));
    }
}

/// Lets connections end as long as they may, and stops.
fn drainstop(kernel: &mut impl Kernel, seat: &Seat) -> Result<(), Failure> {
    if !serves(seat) {
        return Ok(());
    }
    let timeout_s = Some(seat.drain);
    kernel.change(seat.cluster.ifindex, ClusterChange::Drainstop { timeout_s })?;
    control::wait_drained(kernel, &seat.cluster, timeout_s)
        .map_err(|failure| failure.context(described(&seat.cluster)))
}

fn take_down<K: Kernel + Host>(kernel: &mut K, seat: &Seat) -> Result<(), Failure> {
    let target = Target {
        interface: Some(seat.cluster.ifname.clone()),
    };
    down::run(kernel, &Down { target, all: false })
}

/// Lets this host take part where it did, and makes clusters again that have gone.
fn come_back<K: Kernel + Host>(kernel: &mut K, seats: &[Seat]) {
    for seat in seats {
        let back = match super::as_it_is(kernel, seat.cluster.ifindex) {
            Ok(None) => seat.again.make(kernel),
            Ok(Some(_)) if serves(seat) => {
                let change = ClusterChange::Control(Control::Start);
                kernel
                    .change(seat.cluster.ifindex, change)
                    .map_err(Failure::from)
            }
            Ok(Some(_)) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if let Err(failure) = back {
            warn(Some(failure.context(described(&seat.cluster)).to_string()));
        }
    }
}

/// Takes the module out of the kernel, if there is one, and loads the installed one, or that of a file.
fn replace<K: Host + Loader>(kernel: &mut K, file: Option<&str>) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    while module::loaded(kernel).is_ok() {
        let Err(error) = kernel.unload() else {
            break;
        };
        // Somebody may be reading a list of it.
        if Instant::now() >= deadline {
            return Err(Failure::from(error).context("rmmod nlb"));
        }
        sleep(LOOK);
    }
    let what = match file {
        None => "modprobe nlb".to_owned(),
        Some(file) => format!("insmod {file}"),
    };
    kernel
        .load(file)
        .map_err(|error| Failure::from(error).context(what))
}

/// Makes all clusters again, and waits until the host serves where it did.
fn join<K: Kernel + Host>(kernel: &mut K, seats: &[Seat]) -> Result<(), Failure> {
    let mut failures = Vec::new();
    for seat in seats {
        if let Err(failure) = seat.again.make(kernel) {
            failures.push(failure.context(format!(
                "{} could not be made again",
                described(&seat.cluster)
            )));
        }
    }
    for seat in seats {
        if failures.is_empty() && seat.again.state() == InitialState::Started {
            failures.extend(wait_serves(kernel, seat).err());
        }
    }
    let first = failures.into_iter().reduce(|first, next| Failure {
        message: format!("{first}; {next}"),
        ..first
    });
    first.map_or(Ok(()), Err)
}

fn wait_serves(kernel: &mut impl Kernel, seat: &Seat) -> Result<(), Failure> {
    let deadline = Instant::now() + JOIN;
    let name = &seat.cluster.name;
    loop {
        let clusters = kernel.clusters()?;
        let now = clusters.iter().find(|cluster| cluster.name == *name);
        let state = match now {
            Some(now)
                if now.state.is(HostState::Converged) && now.out_reason.is(OutReason::None) =>
            {
                return Ok(());
            }
            Some(now) => format!("{} ({})", now.state, now.out_reason),
            None => "gone".into(),
        };
        if Instant::now() >= deadline {
            let text = format!(
                "{} is made, but this host does not serve: it is {state}; `nlbadm doctor`",
                described(&seat.cluster)
            );
            return Err(Failure::new(Exit::Failed, text));
        }
        sleep(LOOK);
    }
}
