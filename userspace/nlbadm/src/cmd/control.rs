// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm start`, `stop`, `drain`, `drainstop`, `suspend`, `resume`

use nlb_core::genl::Control;
use nlb_netlink::object::ClusterChange;

use crate::{cli::Target, failure::Failure, kernel::Kernel};

/// Asks the module. `stop` and `suspend` wait until the host has left; what becomes of the others, `show` and `monitor`
/// tell.
pub(crate) fn run(
    kernel: &mut impl Kernel,
    target: &Target,
    control: Control,
) -> Result<(), Failure> {
    let cluster = super::cluster(kernel, target)?;
    // A host without a VIP serves nothing: the stack forgets addresses when the interface is set down, and whoever
    // starts the host wants it to serve.
    if control == Control::Start {
        super::up::add_vips(kernel, cluster.ifindex, &cluster.vips, &mut Vec::new())
            .map_err(|failure| failure.context(format!("start {}", cluster.ifname)))?;
    }
    let result = match control {
        Control::Stop | Control::Suspend => super::stop(kernel, &cluster, control),
        _ => kernel.change(cluster.ifindex, ClusterChange::Control(control)),
    };
    result.map_err(|error| {
        Failure::from(error).context(format!("{} {}", control.name(), cluster.ifname))
    })
}
