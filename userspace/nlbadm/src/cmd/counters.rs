// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm counters`

use crate::{cli::Counters, failure::Failure, kernel::Kernel, output::counters::CountersShape};

/// The counters of a cluster, or of the packets of one rule; those that are zero only if asked for.
pub(crate) fn run(kernel: &mut impl Kernel, args: &Counters) -> Result<CountersShape, Failure> {
    let cluster = super::cluster(kernel, &args.target)?;
    let mut counters = kernel.counters_of(cluster.ifindex, args.rule)?;
    counters.retain(|counter| args.all || counter.value != 0);
    Ok(CountersShape {
        interface: cluster.ifname,
        rule: args.rule,
        counters,
    })
}
