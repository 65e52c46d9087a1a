// SPDX-License-Identifier: GPL-2.0-only
//! Makes an Open vSwitch datapath with one port, or deletes it: the kernel takes
//! both over generic netlink alone, and the daemon that usually does it is no part of the
//! guests. The datapath has no flows, so it drops what its port receives.

use anyhow::Context;

use crate::genl::{attribute, request, text};

/// What is made.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Name of the datapath, which is that of its internal device.
    #[arg(long)]
    datapath: String,
    /// Name of the device that becomes its port; without one the datapath is deleted.
    #[arg(long)]
    port: Option<String>,
}

/// linux/openvswitch.h: the commands NEW and DEL of both families, and the attributes of each.
const NEW: u8 = 1;
const DEL: u8 = 2;
const DATAPATH_NAME: u16 = 1;
const DATAPATH_UPCALL_PID: u16 = 2;
const PORT_TYPE: u16 = 2;
const PORT_NAME: u16 = 3;
const PORT_UPCALL_PID: u16 = 5;
const TYPE_NETDEV: u32 = 1;

/// Make the datapath and its port, or delete it.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let Some(port) = &args.port else {
        let index = nix::net::if_::if_nametoindex(args.datapath.as_str())?;
        return request("ovs_datapath", DEL, &index.to_ne_bytes()).context("the datapath");
    };
    // Before the attributes stands the index of the datapath's device; a new one has none. No
    // process takes upcalls: their port is 0.
    let no_process = 0u32.to_ne_bytes();
    let datapath = [
        0u32.to_ne_bytes().to_vec(),
        attribute(DATAPATH_NAME, &text(&args.datapath)),
        attribute(DATAPATH_UPCALL_PID, &no_process),
    ]
    .concat();
    request("ovs_datapath", NEW, &datapath).context("the datapath")?;
    let index = nix::net::if_::if_nametoindex(args.datapath.as_str())?;
    let port = [
        index.to_ne_bytes().to_vec(),
        attribute(PORT_TYPE, &TYPE_NETDEV.to_ne_bytes()),
        attribute(PORT_NAME, &text(port)),
        attribute(PORT_UPCALL_PID, &no_process),
    ]
    .concat();
    request("ovs_vport", NEW, &port).context("the port")
}
