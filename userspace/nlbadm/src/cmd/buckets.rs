// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm buckets`

use crate::{cli::Buckets, failure::Failure, kernel::Kernel, output::json::BucketsShape};

/// The bucket maps of a cluster.
pub(crate) fn run(kernel: &mut impl Kernel, args: &Buckets) -> Result<BucketsShape, Failure> {
    let cluster = super::cluster(kernel, &args.target)?;
    let maps = kernel.buckets(cluster.ifindex)?;
    Ok(BucketsShape {
        interface: cluster.ifname,
        maps: maps.into_iter().map(Into::into).collect(),
        all: args.all,
    })
}
