// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm down`: leaves a cluster and puts the interface back as it was.

use nlb_core::genl::Control;
use nlb_netlink::object::{Cluster, ClusterChange};

use crate::{
    cli::{Down, Target},
    failure::Failure,
    kernel::Kernel,
    warn,
};

/// `EADDRNOTAVAIL`: the address is gone already.
const EADDRNOTAVAIL: i32 = 99;

/// Takes one cluster down, or all of this network namespace.
pub(crate) fn run(kernel: &mut impl Kernel, args: &Down) -> Result<(), Failure> {
    if args.all {
        all(kernel)
    } else {
        one(kernel, &args.target)
    }
}

fn one(kernel: &mut impl Kernel, target: &Target) -> Result<(), Failure> {
    let cluster = super::cluster(kernel, target)?;
    leave(kernel, &cluster)
        .and_then(|()| take_down(kernel, &cluster))
        .map_err(|failure| about(&cluster, failure))
}

/// Asks all hosts to leave before it waits for the first one, so that this takes as long as the slowest. A cluster that
/// stays does not keep the others: the failure names each that stayed, and its exit code is that of the first.
fn all(kernel: &mut impl Kernel) -> Result<(), Failure> {
    let clusters = kernel.clusters()?;
    let asked: Vec<_> = clusters.iter().map(|it| leave(kernel, it)).collect();
    let failures = clusters.iter().zip(asked).filter_map(|(cluster, asked)| {
        asked
            .and_then(|()| take_down(kernel, cluster))
            .err()
            .map(|failure| about(cluster, failure))
    });
    let first = failures.reduce(|first, next| Failure {
        message: format!("{first}; {next}"),
        ..first
    });
    first.map_or(Ok(()), Err)
}

fn about(cluster: &Cluster, failure: Failure) -> Failure {
    failure.context(format!("down {}", cluster.ifname))
}

/// Asks the host to leave, if it takes part.
fn leave(kernel: &mut impl Kernel, cluster: &Cluster) -> Result<(), Failure> {
    if !super::is_idle(cluster) {
        kernel.change(cluster.ifindex, ClusterChange::Control(Control::Stop))?;
    }
    Ok(())
}

/// Waits until the host has left, removes the VIPs that `up` added, then the cluster. In this order: while the cluster
/// is there, the module keeps the stack from answering ARP for the VIPs with the interface's own MAC.
fn take_down(kernel: &mut impl Kernel, cluster: &Cluster) -> Result<(), Failure> {
    if super::is_idle(cluster) {
        return remove(kernel, cluster);
    }
    super::wait_left(kernel, cluster)
        .map_err(Failure::from)
        .and_then(|()| remove(kernel, cluster))
        .map_err(|failure| failure.context("the host has stopped, but its cluster is still there"))
}

fn remove(kernel: &mut impl Kernel, cluster: &Cluster) -> Result<(), Failure> {
    let ifindex = cluster.ifindex;
    let mut removed = Vec::new();
    for address in kernel.addresses(ifindex)? {
        if !address.ours || !cluster.vips.contains(&address.address) {
            continue;
        }
        match kernel.delete_address(ifindex, address.address) {
            Ok(()) => removed.push(address.address),
            Err(error) if error.errno() == Some(EADDRNOTAVAIL) => {}
            Err(error) => warn(Some(format!(
                "the VIP {} could not be removed from {}: {error}",
                address.address, cluster.ifname
            ))),
        }
    }
    kernel.remove(ifindex).map_err(|error| {
        // The cluster is still there, stopped: its VIPs belong on the interface.
        for &address in &removed {
            if let Err(error) = kernel.add_address(ifindex, address) {
                warn(Some(format!(
                    "the VIP {address} could not be put back: {error}"
                )));
            }
        }
        Failure::from(error)
    })
}

#[cfg(test)]
mod tests {
    use nlb_core::state::HostState;

    use super::*;
    use crate::{
        failure::Exit,
        fake::{self, Fake, address},
    };

    fn eth0() -> Down {
        Down {
            target: Target {
                interface: Some("eth0".into()),
            },
            all: false,
        }
    }

    fn everything() -> Down {
        Down {
            target: Target::default(),
            all: true,
        }
    }

    /// A host with a cluster on eth0, and one on eth1.
    fn two() -> Fake {
        let mut kernel = Fake::in_cluster();
        kernel.clusters.push(fake::cluster(3, "eth1"));
        kernel.addresses.clear();
        kernel
    }

    #[test]
    fn the_vips_go_before_the_cluster() {
        let mut kernel = Fake::in_cluster();
        run(&mut kernel, &eth0()).unwrap();
        assert_eq!(
            kernel.changes,
            [
                "stop on 2",
                "delete 192.0.2.10 from 2",
                "delete 2001:db8::10 from 2",
                "remove from 2"
            ]
        );
    }

    #[test]
    fn what_up_did_not_add_stays() {
        let mut kernel = Fake::in_cluster();
        kernel.addresses = vec![
            address("192.0.2.10", 32, false),
            address("192.0.2.99", 32, true),
        ];
        kernel.clusters[0].state = HostState::Stopped.into();
        run(&mut kernel, &eth0()).unwrap();
        assert_eq!(kernel.changes, ["remove from 2"]);
    }

    #[test]
    fn the_vips_come_back_if_the_cluster_stays() {
        let mut kernel = Fake::in_cluster();
        kernel.refuse.push(("remove", 16));
        let failure = run(&mut kernel, &eth0()).unwrap_err();
        assert_eq!(failure.exit, Exit::Exists);
        assert!(failure.message.contains("has stopped"), "{failure}");
        assert!(kernel.changes.contains(&"add 192.0.2.10 to 2".into()));
    }

    #[test]
    fn not_permitted_changes_nothing() {
        let mut kernel = Fake::in_cluster();
        kernel.refuse.push(("stop", 1));
        let failure = run(&mut kernel, &eth0()).unwrap_err();
        assert_eq!(failure.exit, Exit::NotPermitted);
        assert!(failure.message.contains("CAP_NET_ADMIN"), "{failure}");
        assert_eq!(kernel.changes, ["stop on 2"]);
    }

    #[test]
    fn all_are_asked_to_leave_before_any_is_waited_for() {
        let mut kernel = two();
        run(&mut kernel, &everything()).unwrap();
        assert_eq!(
            kernel.changes,
            ["stop on 2", "stop on 3", "remove from 2", "remove from 3"]
        );
    }

    #[test]
    fn all_of_none_is_done() {
        let mut kernel = Fake::host();
        run(&mut kernel, &everything()).unwrap();
        assert!(kernel.changes.is_empty(), "{:?}", kernel.changes);
    }

    #[test]
    fn one_that_stays_does_not_keep_the_others() {
        let mut kernel = two();
        kernel.refuse.push(("stop on 2", 1));
        let failure = run(&mut kernel, &everything()).unwrap_err();
        assert_eq!(failure.exit, Exit::NotPermitted);
        assert!(failure.message.contains("down eth0"), "{failure}");
        assert!(!failure.message.contains("eth1"), "{failure}");
        assert_eq!(kernel.changes, ["stop on 2", "stop on 3", "remove from 3"]);
    }

    #[test]
    fn each_that_stays_is_named() {
        let mut kernel = two();
        kernel.refuse.push(("remove", 16));
        let failure = run(&mut kernel, &everything()).unwrap_err();
        assert_eq!(failure.exit, Exit::Exists);
        for name in ["down eth0", "down eth1"] {
            assert!(failure.message.contains(name), "{failure}");
        }
    }
}
