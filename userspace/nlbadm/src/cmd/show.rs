// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm show`

use crate::{
    cli::Target,
    failure::Failure,
    host::Host,
    kernel::Kernel,
    obstacle::{self, Finding},
    output::cluster::{ClusterShape, Clusters},
};

/// All clusters, or that of one interface.
pub(crate) fn run<K: Kernel + Host>(kernel: &mut K, target: &Target) -> Result<Clusters, Failure> {
    let clusters = match target.interface {
        Some(_) => vec![super::cluster(kernel, target)?],
        None => kernel.clusters()?,
    };
    let replaced = obstacle::replaced(kernel).filter(Finding::is_bad);
    let mut shapes = Vec::new();
    for cluster in clusters {
        let members = kernel.members(cluster.ifindex)?;
        let rules = kernel.rules(cluster.ifindex)?;
        let mut obstacles = obstacle::standing(kernel, &cluster, &rules);
        obstacles.extend(replaced.clone());
        shapes.push(ClusterShape::new(&cluster, &members, obstacles));
    }
    Ok(Clusters(shapes))
}
