// SPDX-License-Identifier: GPL-2.0-only

//! Where hosts were heard: one that was told to stop is not heard any more, and shall be told to start.

use std::{collections::BTreeMap, net::IpAddr};

use nlbadm::daemon::HostShape;

use crate::kernel::Kernel;

/// Addresses by cluster and host id.
#[derive(Debug, Default)]
pub(crate) struct Book(BTreeMap<(String, u8), IpAddr>);

impl Book {
    /// Notes where the hosts of these clusters are. What cannot be asked is left as it was.
    pub(crate) fn look(&mut self, kernel: &mut impl Kernel, names: &[String]) {
        self.0.retain(|(cluster, _), _| names.contains(cluster));
        if names.is_empty() {
            return;
        }
        for cluster in kernel.clusters().unwrap_or_default() {
            if !names.contains(&cluster.name) {
                continue;
            }
            for member in kernel.members(cluster.ifindex).unwrap_or_default() {
                if let Some(address) = member.dedicated_ip {
                    self.0
                        .insert((cluster.name.clone(), member.host_id), address);
                }
            }
        }
    }

    /// All that is noted.
    pub(crate) fn hosts(&self) -> Vec<HostShape> {
        let shape = |((cluster, host_id), address): (&(String, u8), &IpAddr)| HostShape {
            cluster: cluster.clone(),
            host_id: *host_id,
            address: *address,
        };
        self.0.iter().map(shape).collect()
    }
}
