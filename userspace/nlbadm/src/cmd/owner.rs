// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm owner`

use nlb_netlink::object::{Cluster, Question};

use crate::{
    cli::{Owner, Target},
    failure::{Exit, Failure},
    kernel::Kernel,
    output::json::OwnerShape,
};

/// Which host serves a connection, and why.
pub(crate) fn run(kernel: &mut impl Kernel, args: &Owner) -> Result<OwnerShape, Failure> {
    if args.client.address.is_ipv4() != args.vip.address.is_ipv4() {
        return Err(Failure::usage(format!(
            "the client {} and the VIP {} are of different address families",
            args.client.address, args.vip.address
        )));
    }
    let cluster = find(kernel, args)?;
    let question = Question {
        ifindex: cluster.ifindex,
        client: args.client.address,
        client_port: args.client.port.unwrap_or(0),
        vip: args.vip.address,
        vip_port: args.vip.port.unwrap_or(0),
        protocol: args.proto.number(),
    };
    let answer = kernel.owner(question)?;
    Ok(OwnerShape::new(&cluster, question, args.proto, answer))
}

/// The cluster of the interface, or the one that has the VIP.
fn find(kernel: &mut impl Kernel, args: &Owner) -> Result<Cluster, Failure> {
    let vip = args.vip.address;
    let cluster = if args.interface.is_some() {
        let target = Target {
            interface: args.interface.clone(),
        };
        super::cluster(kernel, &target)?
    } else {
        let clusters = kernel.clusters()?;
        let (with, without): (Vec<_>, Vec<_>) = clusters
            .into_iter()
            .partition(|cluster| cluster.vips.contains(&vip));
        super::only(if with.is_empty() { without } else { with })?
    };
    if cluster.vips.contains(&vip) {
        Ok(cluster)
    } else {
        let vips: Vec<_> = cluster.vips.iter().map(ToString::to_string).collect();
        Err(Failure::new(
            Exit::Usage,
            format!(
                "{vip} is no VIP of the cluster {} on {}; it has {}",
                cluster.name,
                cluster.ifname,
                vips.join(", ")
            ),
        ))
    }
}
