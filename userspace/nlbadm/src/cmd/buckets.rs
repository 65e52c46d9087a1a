// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm buckets`

use crate::{
    cli::Buckets,
    failure::Failure,
    kernel::Kernel,
    output::buckets::{BucketsShape, MapShape},
    rulename::coverage,
};

/// The bucket maps of a cluster.
pub(crate) fn run(kernel: &mut impl Kernel, args: &Buckets) -> Result<BucketsShape, Failure> {
    let cluster = super::cluster(kernel, &args.target)?;
    let maps = kernel.buckets(cluster.ifindex)?;
    let rules = kernel.rules(cluster.ifindex)?;
    let mut maps: Vec<MapShape> = maps.into_iter().map(Into::into).collect();
    let members = kernel.members(cluster.ifindex)?;
    for residue in maps.iter_mut().flat_map(|map| &mut map.residue) {
        let host = members.iter().find(|it| it.host_id == residue.host_id);
        residue.since_ms = host.and_then(|host| host.residue_ms);
    }
    for map in &mut maps {
        let rule = rules
            .iter()
            .find(|rule| !rule.pending && rule.number == map.slot);
        map.rule = rule.map(coverage);
    }
    Ok(BucketsShape {
        interface: cluster.ifname,
        maps,
        all: args.all,
    })
}
