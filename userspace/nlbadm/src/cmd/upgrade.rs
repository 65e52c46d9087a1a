// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm upgrade`: replaces the module in the kernel by the installed one. This host leaves its clusters in order, when
//! the others can do without it, and joins them again.
//!
//! Whatever fails, the host ends in its clusters if any module makes them, and the failure says which one.

use std::{
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
    config::InitialState,
    failure::{Exit, Failure},
    host::Host,
    kernel::Kernel,
    module::{self, Loader, Standing},
    output, warn,
};

/// Connections get this time where no unit says otherwise, in seconds; dist/systemd/nlb-serve@.service has the same.
const DRAIN: u32 = 60;

/// A host that was heard so long ago may be on its way back, in milliseconds: the time of a boot.
const BACK: u32 = 120_000;

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

/// Replaces the module, and prints what is done.
pub(crate) fn run<K: Kernel + Host + Loader>(
    kernel: &mut K,
    args: &Upgrade,
) -> Result<(), Failure> {
    let installed = match module::standing(kernel)? {
        Standing::Other(installed) => installed,
        Standing::Same => {
            return say("nothing to do: the module in the kernel is the installed one");
        }
        Standing::NotLoaded => return say("nothing to do: no module is loaded"),
        Standing::NotInstalled => {
            return say("nothing to do: no module is installed that could be loaded instead");
        }
    };
    let clusters = kernel.clusters()?;
    if args.dry_run {
        return say(&runs_on(&clusters, &installed));
    }
    if !kernel.alone()? {
        let text = "another process replaces the module at this moment; `journalctl -u nlb-upgrade` tells of it";
        return Err(Failure::new(Exit::Exists, text));
    }
    let seats = seats(kernel, args, clusters).map_err(untouched)?;
    check_users(kernel, seats.len()).map_err(untouched)?;
    if let Some(text) = module::unfit(&installed) {
        return Err(untouched(Failure::new(Exit::NoModule, text)));
    }
    leave(kernel, args, &seats)?;
    let replaced = replace(kernel);
    let joined = join(kernel, &seats);
    match (replaced, joined) {
        (Ok(()), Ok(())) => {
            module::forget_kept(kernel)?;
            say(&format!(
                "the module of {installed} is in the kernel now, {}",
                named(&seats)
            ))
        }
        (Ok(()), Err(failure)) => Err(failure.context("with the new module")),
        (Err(failure), Ok(())) => Err(failure.context(format!(
            "the module was not replaced, {} with the old one",
            named(&seats)
        ))),
        (Err(replaced), Err(joined)) => Err(replaced.context(format!("{joined}"))),
    }
}

fn say(text: &str) -> Result<(), Failure> {
    output::write(&format!("{text}\n"))?;
    Ok(())
}

fn untouched(failure: Failure) -> Failure {
    failure.context("the module was not replaced, and nothing was changed")
}

/// Which clusters run with the old module, and what replaces it.
fn runs_on(clusters: &[Cluster], installed: &str) -> String {
    let names: Vec<_> = clusters.iter().map(described).collect();
    let who = match names.as_slice() {
        [] => "no cluster uses it".to_owned(),
        names => format!("{} goes on with it", names.join(", ")),
    };
    format!(
        "the module in the kernel is not the installed one ({installed}): {who}. `systemctl start nlb-upgrade` replaces it, \
         and so does a reboot"
    )
}

fn described(cluster: &Cluster) -> String {
    format!("cluster {} on {}", cluster.name, cluster.ifname)
}

fn named(seats: &[Seat]) -> String {
    let names: Vec<_> = seats.iter().map(|seat| described(&seat.cluster)).collect();
    match names.as_slice() {
        [] => "and there was no cluster".to_owned(),
        names => format!("and {} goes on", names.join(", ")),
    }
}

/// All clusters of this host, each with what it is made again of.
fn seats<K: Kernel + Host>(
    kernel: &mut K,
    args: &Upgrade,
    clusters: Vec<Cluster>,
) -> Result<Vec<Seat>, Failure> {
    let seat = |cluster: Cluster| {
        let about = described(&cluster);
        if cluster.state.is(HostState::Draining) {
            let text = "this host drains: somebody is at work on it";
            return Err(Failure::new(Exit::Exists, text).context(about));
        }
        let again = Again::of(kernel, &cluster).map_err(|failure| failure.context(about))?;
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
fn leave<K: Kernel + Host>(kernel: &mut K, args: &Upgrade, seats: &[Seat]) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(args.turn_timeout.into());
    loop {
        wait_for_turn(kernel, seats, deadline).map_err(untouched)?;
        if drain(kernel, seats)? {
            break;
        }
    }
    let left = seats.iter().try_for_each(|seat| drainstop(kernel, seat));
    let down = left.and_then(|()| seats.iter().try_for_each(|seat| take_down(kernel, seat)));
    down.map_err(|failure| {
        come_back(kernel, seats);
        failure.context("the module was not replaced")
    })
}

fn serves(seat: &Seat) -> bool {
    seat.cluster.state.is(HostState::Converged)
}

/// Waits until nothing speaks against leaving, for a while that is longer the more hosts come before this one: of two that
/// begin to wait at once, one leaves and the other sees it.
fn wait_for_turn<K: Kernel>(
    kernel: &mut K,
    seats: &[Seat],
    deadline: Instant,
) -> Result<(), Failure> {
    let mut clear_since = None;
    let mut told = None;
    loop {
        match hindrance(kernel, seats)? {
            None => {
                let since = *clear_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= lead(kernel, seats)? {
                    return Ok(());
                }
            }
            Some(text) => {
                clear_since = None;
                if Instant::now() >= deadline {
                    return Err(Failure::new(Exit::Exists, text));
                }
                if told.as_ref() != Some(&text) {
                    say(&format!("waiting: {text}"))?;
                    told = Some(text);
                }
            }
        }
        sleep(LOOK);
    }
}

/// What speaks against leaving now.
fn hindrance(kernel: &mut impl Kernel, seats: &[Seat]) -> Result<Option<String>, Failure> {
    for seat in seats.iter().filter(|seat| serves(seat)) {
        let name = &seat.cluster.name;
        let others = others(kernel, seat)?;
        if let Some(other) = others.iter().find(|other| is_under_way(other)) {
            let (id, state) = (other.host_id, &other.state);
            return Ok(Some(match other.out_reason.known() {
                Some(OutReason::None) => format!("host {id} of {name} is {state}"),
                _ => format!("host {id} of {name} is out: {}", other.out_reason),
            }));
        }
        if !others.iter().any(takes) {
            return Ok(Some(format!(
                "no other host of {name} serves, so clients would be served by nobody"
            )));
        }
    }
    Ok(None)
}

fn others(kernel: &mut impl Kernel, seat: &Seat) -> Result<Vec<Member>, Failure> {
    let mut members = kernel.members(seat.cluster.ifindex)?;
    members.retain(|member| !member.this);
    Ok(members)
}

/// Whether a host takes new connections.
fn takes(member: &Member) -> bool {
    member.member && member.state.is(HostState::Converged)
}

/// Whether a host is about to leave, or may be on its way back. One that is out for a reason that lasts is not.
fn is_under_way(member: &Member) -> bool {
    let recent = member.last_heard_ms.is_some_and(|ms| ms < BACK);
    let lasts = ![
        OutReason::None,
        OutReason::Left,
        OutReason::Dead,
        OutReason::NotFresh,
        OutReason::Listening,
    ]
    .into_iter()
    .any(|reason| member.out_reason.is(reason));
    recent && !lasts && !takes(member)
}

/// For how long it must stay so: two seconds, or four heartbeats, for each host with a lower id.
fn lead(kernel: &mut impl Kernel, seats: &[Seat]) -> Result<Duration, Failure> {
    let mut longest = Duration::ZERO;
    for seat in seats.iter().filter(|seat| serves(seat)) {
        let before = others(kernel, seat)?;
        let before = before
            .iter()
            .filter(|other| other.host_id < seat.cluster.host_id);
        let before = u32::try_from(before.count()).unwrap_or(0);
        let each = Duration::from_secs(2).max(4 * period(seat));
        longest = longest.max(before * each);
    }
    Ok(longest)
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
            if others(kernel, seat)?.iter().any(first) {
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

/// Takes the module out of the kernel and loads the installed one; if that is refused, the old one again.
fn replace<K: Kernel + Host + Loader>(kernel: &mut K) -> Result<(), Failure> {
    let old = module::loaded(kernel)?;
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = kernel.unload() {
        // Somebody may be reading a list of it.
        if Instant::now() >= deadline {
            return Err(Failure::from(error).context("rmmod nlb"));
        }
        sleep(LOOK);
    }
    let Err(error) = kernel.load(None) else {
        return Ok(());
    };
    let failure = Failure::from(error).context("modprobe nlb");
    let again = match module::kept(kernel, &old) {
        Some(file) => kernel.load(Some(&file)).map_err(Failure::from),
        None => Err(Failure::new(Exit::NoModule, "no package has kept it")),
    };
    Err(match again {
        Ok(()) => failure,
        Err(why) => failure.context(format!("the old module could not be loaded again ({why})")),
    })
}

/// Makes all clusters again, and waits until the host serves where it did.
fn join<K: Kernel + Host>(kernel: &mut K, seats: &[Seat]) -> Result<(), Failure> {
    let mut failures = Vec::new();
    for seat in seats {
        if let Err(failure) = seat.again.make(kernel) {
            failures.push(failure.context(format!(
                "{} could not be made again: mend the cause, then `systemctl restart nlb@{}`",
                described(&seat.cluster),
                seat.cluster.name
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
