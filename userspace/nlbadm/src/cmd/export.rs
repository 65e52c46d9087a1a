// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm export`: the running state of a cluster as a file, which changes nothing when it is applied.

use nlb_core::state::HostState;
use nlb_netlink::object::Cluster;

use crate::{
    cli::Export,
    config::{self, InitialState, Machine, Settings},
    failure::Failure,
    host::Host,
    kernel::Kernel,
    output::config::Exported,
};

/// Writes the file of a cluster, with a section for this host.
pub(crate) fn run<K: Kernel + Host>(kernel: &mut K, args: &Export) -> Result<Exported, Failure> {
    let cluster = super::cluster(kernel, &args.target)?;
    let rules = kernel.rules(cluster.ifindex)?;
    let members = kernel.members(cluster.ifindex)?;
    let settings = Settings::running(&cluster, &rules)?;
    let machine = Machine::read(kernel);
    let host = match &args.host {
        Some(name) => name.clone(),
        None if machine.hostname.is_empty() => format!("host-{}", cluster.host_id),
        None => machine.hostname,
    };
    let file = config::export(&settings, &host, state(&cluster), &members);
    Ok(Exported {
        interface: cluster.ifname,
        cluster: cluster.name,
        host,
        file,
    })
}

/// The initial state that leads to what the host does now.
fn state(cluster: &Cluster) -> InitialState {
    if cluster.state.is(HostState::Stopped) {
        InitialState::Stopped
    } else if cluster.state.is(HostState::Suspended) {
        InitialState::Suspended
    } else {
        InitialState::Started
    }
}
