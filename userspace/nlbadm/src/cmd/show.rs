// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm show`

use crate::{
    cli::Target,
    failure::Failure,
    kernel::Kernel,
    output::cluster::{ClusterShape, Clusters},
};

/// All clusters, or that of one interface.
pub(crate) fn run(kernel: &mut impl Kernel, target: &Target) -> Result<Clusters, Failure> {
    let clusters = match target.interface {
        Some(_) => vec![super::cluster(kernel, target)?],
        None => kernel.clusters()?,
    };
    let mut shapes = Vec::new();
    for cluster in clusters {
        let members = kernel.members(cluster.ifindex)?;
        shapes.push(ClusterShape::new(&cluster, &members));
    }
    Ok(Clusters(shapes))
}
