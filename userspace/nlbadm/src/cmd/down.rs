// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm down`: leaves a cluster, whose VIPs go with it.

use nlb_core::genl::Control;
use nlb_netlink::object::{Cluster, ClusterChange};

use super::vips;
use crate::{
    cli::{Down, Target},
    failure::Failure,
    host::Host,
    kernel::Kernel,
    warn,
};

/// Takes one cluster down, or all of this network namespace.
pub(crate) fn run<K: Kernel + Host>(kernel: &mut K, args: &Down) -> Result<(), Failure> {
    if args.all {
        all(kernel)
    } else {
        one(kernel, &args.target)
    }
}

fn one<K: Kernel + Host>(kernel: &mut K, target: &Target) -> Result<(), Failure> {
    let cluster = super::cluster(kernel, target)?;
    leave(kernel, &cluster)
        .and_then(|()| take_down(kernel, &cluster))
        .map_err(|failure| about(&cluster, failure))
}

/// Asks all hosts to leave before it waits for the first one, so that this takes as long as the slowest. A cluster that
/// stays does not keep the others: the failure names each that stayed, and its exit code is that of the first.
fn all<K: Kernel + Host>(kernel: &mut K) -> Result<(), Failure> {
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

/// Waits until the host has left, ends the connections that nobody serves then, and removes the cluster. The module takes the VIPs away while it still keeps the stack from
/// answering ARP for them; those that other interfaces have stay.
fn take_down<K: Kernel + Host>(kernel: &mut K, cluster: &Cluster) -> Result<(), Failure> {
    if super::is_idle(cluster) {
        return remove(kernel, cluster);
    }
    super::wait_left(kernel, cluster)
        .map_err(Failure::from)
        .and_then(|()| remove(kernel, cluster))
        .map_err(|failure| failure.context("the host has stopped, but its cluster is still there"))
}

fn remove<K: Kernel + Host>(kernel: &mut K, cluster: &Cluster) -> Result<(), Failure> {
    super::connections::end(kernel, cluster);
    kernel.remove(cluster.ifindex)?;
    match vips::left(kernel, &cluster.vips) {
        Ok(places) => {
            for place in places {
                warn(Some(place.left_behind()));
            }
        }
        Err(error) => warn(Some(format!(
            "whether a VIP is left on this host could not be seen: {error}"
        ))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        failure::Exit,
        fake::{self, Fake},
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
    fn a_host_leaves_before_its_cluster_goes() {
        let mut kernel = Fake::in_cluster();
        run(&mut kernel, &eth0()).unwrap();
        assert_eq!(kernel.changes, ["stop on 2", "remove from 2"]);
    }

    #[test]
    fn a_cluster_that_stays_is_told_of() {
        let mut kernel = Fake::in_cluster();
        kernel.refuse.push(("remove", 16));
        let failure = run(&mut kernel, &eth0()).unwrap_err();
        assert_eq!(failure.exit, Exit::Exists);
        assert!(failure.message.contains("has stopped"), "{failure}");
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
