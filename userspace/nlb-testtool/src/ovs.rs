// SPDX-License-Identifier: GPL-2.0-only
//! Makes Open vSwitch datapaths with ports, or deletes them: the kernel takes
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
const PORT_NO: u16 = 1;
const PORT_TYPE: u16 = 2;
const PORT_NAME: u16 = 3;
const PORT_UPCALL_PID: u16 = 5;
const TYPE_NETDEV: u32 = 1;

/// Make the datapath and its port, or delete it.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let Some(port) = &args.port else {
        return delete(&args.datapath);
    };
    add(&args.datapath)?;
    add_port(&args.datapath, port)
}

fn index(name: &str) -> anyhow::Result<[u8; 4]> {
    Ok(nix::net::if_::if_nametoindex(name)?.to_ne_bytes())
}

/// No process takes upcalls: their port is 0.
const NO_PROCESS: [u8; 4] = 0u32.to_ne_bytes();

/// Makes a datapath.
pub(crate) fn add(datapath: &str) -> anyhow::Result<()> {
    // Before the attributes stands the index of the datapath's device; a new one has none.
    let body = [
        0u32.to_ne_bytes().to_vec(),
        attribute(DATAPATH_NAME, &text(datapath)),
        attribute(DATAPATH_UPCALL_PID, &NO_PROCESS),
    ]
    .concat();
    request("ovs_datapath", NEW, &body).context("the datapath")
}

/// Deletes a datapath; its ports stay as devices.
pub(crate) fn delete(datapath: &str) -> anyhow::Result<()> {
    request("ovs_datapath", DEL, &index(datapath)?).context("the datapath")
}

/// Makes a device a port of a datapath, whose number is the index of the device: the datapath finds no port by its name once
/// the device has another one.
pub(crate) fn add_port(datapath: &str, port: &str) -> anyhow::Result<()> {
    let body = [
        index(datapath)?.to_vec(),
        attribute(PORT_NO, &index(port)?),
        attribute(PORT_TYPE, &TYPE_NETDEV.to_ne_bytes()),
        attribute(PORT_NAME, &text(port)),
        attribute(PORT_UPCALL_PID, &NO_PROCESS),
    ]
    .concat();
    request("ovs_vport", NEW, &body).context("the port")
}

/// Makes a port of a datapath an ordinary device.
pub(crate) fn remove_port(datapath: &str, port: &str) -> anyhow::Result<()> {
    let body = [index(datapath)?.to_vec(), attribute(PORT_NO, &index(port)?)].concat();
    request("ovs_vport", DEL, &body).context("the port")
}
