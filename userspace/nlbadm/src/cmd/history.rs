// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm history`

use crate::{cli::Target, failure::Failure, kernel::Kernel, output::history::HistoryShape};

/// When and why a cluster converged.
pub(crate) fn run(kernel: &mut impl Kernel, target: &Target) -> Result<HistoryShape, Failure> {
    let cluster = super::cluster(kernel, target)?;
    let history = kernel.history(cluster.ifindex)?;
    Ok(HistoryShape {
        interface: cluster.ifname,
        history: history.into_iter().map(Into::into).collect(),
    })
}
