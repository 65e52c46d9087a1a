// SPDX-License-Identifier: GPL-2.0-only

//! The verbs, one file for each.

pub(crate) mod apply;
pub(crate) mod buckets;
pub(crate) mod check;
pub(crate) mod checks;
pub(crate) mod completions;
pub(crate) mod connections;
pub(crate) mod control;
pub(crate) mod counters;
pub(crate) mod display;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod everywhere;
pub(crate) mod export;
pub(crate) mod genkey;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod ip2mac;
pub(crate) mod key;
pub(crate) mod metrics;
pub(crate) mod monitor;
pub(crate) mod owner;
pub(crate) mod queryport;
pub(crate) mod relay;
pub(crate) mod reload;
pub(crate) mod remote;
pub(crate) mod rules;
pub(crate) mod set;
pub(crate) mod settings;
pub(crate) mod show;
pub(crate) mod up;
pub(crate) mod upgrade;
mod vips;

pub(crate) use self::everywhere::clock_note;

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use nlb_core::{genl::Control, state::HostState};
use nlb_netlink::{
    Error,
    object::{Cluster, ClusterChange},
    route::Interface,
};

use crate::{
    cli::Target,
    failure::{Exit, Failure},
    kernel::Kernel,
};

/// How often it is looked whether what is waited for has come.
const POLL: Duration = Duration::from_millis(10);

/// What a busy machine may be late by.
const GRACE: Duration = Duration::from_secs(1);

/// The interface of a name.
fn interface(kernel: &mut impl Kernel, name: &str) -> Result<Interface, Failure> {
    kernel
        .interface(name)?
        .ok_or_else(|| Failure::no_interface(name))
}

/// The cluster that is meant: that of the interface, or of the name where there is no such interface, or the only one.
fn cluster(kernel: &mut impl Kernel, target: &Target) -> Result<Cluster, Failure> {
    let clusters = kernel.clusters()?;
    match &target.interface {
        Some(name) => match clusters.iter().find(|cluster| cluster.ifname == *name) {
            Some(cluster) => Ok(cluster.clone()),
            // Tell a name that is mistyped from an interface without a cluster.
            None => match kernel.interface(name)? {
                Some(interface) => Err(Failure::no_cluster(&interface.name)),
                None => named(clusters, name),
            },
        },
        None => only(clusters),
    }
}

/// The cluster on an interface as it is now; none if it has gone.
fn as_it_is(kernel: &mut impl Kernel, ifindex: u32) -> Result<Option<Cluster>, Error> {
    let mut clusters = kernel.clusters()?.into_iter();
    Ok(clusters.find(|cluster| cluster.ifindex == ifindex))
}

/// The cluster of a name, where there is no interface that is called so.
fn named(mut clusters: Vec<Cluster>, name: &str) -> Result<Cluster, Failure> {
    clusters.retain(|cluster| cluster.name == name);
    if clusters.is_empty() {
        return Err(Failure::new(
            Exit::NoInterface,
            format!(
                "there is no interface {name} here, and no cluster of that name; `ip link` and `nlbadm` list those there are"
            ),
        ));
    }
    only(clusters)
}

/// Asks the host of a cluster to leave, and waits until it has.
fn stop(kernel: &mut impl Kernel, cluster: &Cluster, control: Control) -> Result<(), Error> {
    kernel.change(cluster.ifindex, ClusterChange::Control(control))?;
    wait_left(kernel, cluster)
}

/// Whether the host of a cluster takes no part in it.
fn is_idle(cluster: &Cluster) -> bool {
    [HostState::Stopped, HostState::Suspended]
        .into_iter()
        .any(|state| cluster.state.is(state))
}

/// Waits until a host that was asked to leave has done so: the others take over first, which takes a few frames.
/// A host that has not left after twice the time in which it would count as dead leaves without them, so a little more
/// than that is waited for. A look that fails is no reason to stop half way: it is tried again until then.
fn wait_left(kernel: &mut impl Kernel, cluster: &Cluster) -> Result<(), Error> {
    let silence = u64::from(cluster.period_ms) * u64::from(cluster.tolerance);
    let deadline = Instant::now() + Duration::from_millis(2 * silence) + GRACE;
    loop {
        let now = as_it_is(kernel, cluster.ifindex);
        let waits = match &now {
            Ok(now) => now.as_ref().is_some_and(|now| !is_idle(now)),
            Err(_) => true,
        };
        if !waits || Instant::now() >= deadline {
            return now.map(drop);
        }
        sleep(POLL);
    }
}

/// The only cluster there is.
fn only(mut clusters: Vec<Cluster>) -> Result<Cluster, Failure> {
    match (clusters.pop(), clusters.as_slice()) {
        (None, _) => Err(Failure::new(
            Exit::NoCluster,
            "there is no cluster on this host; `nlbadm up --help` tells how to make one",
        )),
        (Some(cluster), []) => Ok(cluster),
        (Some(last), rest) => {
            let names: Vec<_> = rest
                .iter()
                .chain([&last])
                .map(|c| c.ifname.as_str())
                .collect();
            Err(Failure::usage(format!(
                "there are several clusters: say which interface you mean, {}",
                names.join(" or ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{self, Fake};

    fn chosen(kernel: &mut Fake, name: Option<&str>) -> Result<u32, Failure> {
        let target = Target {
            interface: name.map(str::to_owned),
        };
        cluster(kernel, &target).map(|cluster| cluster.ifindex)
    }

    #[test]
    fn the_interface_may_be_left_out_if_there_is_one_cluster() {
        let mut kernel = Fake::in_cluster();
        assert_eq!(chosen(&mut kernel, None), Ok(2));
        assert_eq!(chosen(&mut kernel, Some("eth0")), Ok(2));
        kernel.clusters.push(fake::cluster(3, "eth1"));
        assert_eq!(chosen(&mut kernel, Some("eth1")), Ok(3));
        let failure = chosen(&mut kernel, None).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("eth0 or eth1"), "{failure}");
        kernel.clusters[1].name = "mail".into();
        assert_eq!(chosen(&mut kernel, Some("mail")), Ok(3));
        kernel.clusters[0].name = "mail".into();
        let failure = chosen(&mut kernel, Some("mail")).unwrap_err();
        assert!(failure.message.contains("eth0 or eth1"), "{failure}");
    }

    #[test]
    fn no_interface_and_no_cluster_are_told_apart() {
        let mut kernel = Fake::host();
        assert_eq!(chosen(&mut kernel, None).unwrap_err().exit, Exit::NoCluster);
        assert_eq!(
            chosen(&mut kernel, Some("eth0")).unwrap_err().exit,
            Exit::NoCluster
        );
        assert_eq!(
            chosen(&mut kernel, Some("eth9")).unwrap_err().exit,
            Exit::NoInterface
        );
    }
}
