// SPDX-License-Identifier: GPL-2.0-only
//! `tt remove`: removes a cluster as a program may that does not stop it before, as `nlbadm down` does. Its VIPs stay on
//! the interface.

use anyhow::{Context, Result};
use nlb_netlink::{Client, NetlinkSocket};

/// Arguments of `tt remove`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Cluster interface.
    interface: String,
}

/// Removes it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let name = args.interface.as_str();
    let ifindex = nix::net::if_::if_nametoindex(name).with_context(|| name.to_owned())?;
    Ok(Client::new(NetlinkSocket::generic()?)?.remove(ifindex)?)
}
