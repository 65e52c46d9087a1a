// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm down`: leaves a cluster and puts the interface back as it was.

use nlb_core::{genl::Control, state::HostState};
use nlb_netlink::object::Cluster;

use crate::{cli::Target, failure::Failure, kernel::Kernel, warn};

/// `EADDRNOTAVAIL`: the address is gone already.
const EADDRNOTAVAIL: i32 = 99;

/// Stops the host, removes the VIPs that `up` added, then the cluster. In this order: while the cluster is there, the
/// module keeps the stack from answering ARP for the VIPs with the interface's own MAC.
pub(crate) fn run(kernel: &mut impl Kernel, target: &Target) -> Result<(), Failure> {
    let cluster = super::cluster(kernel, target)?;
    take_down(kernel, &cluster)
        .map_err(|failure| failure.context(format!("down {}", cluster.ifname)))
}

fn take_down(kernel: &mut impl Kernel, cluster: &Cluster) -> Result<(), Failure> {
    let ifindex = cluster.ifindex;
    let idle = [HostState::Stopped, HostState::Suspended];
    if !idle.into_iter().any(|state| cluster.state.is(state)) {
        super::stop(kernel, cluster, Control::Stop)?;
    }
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
    use super::*;
    use crate::{
        failure::Exit,
        fake::{Fake, address},
    };

    fn eth0() -> Target {
        Target {
            interface: Some("eth0".into()),
        }
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
        assert_eq!(run(&mut kernel, &eth0()).unwrap_err().exit, Exit::Exists);
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
}
