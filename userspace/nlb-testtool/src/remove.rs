// SPDX-License-Identifier: GPL-2.0-only
//! `tt remove`: removes a cluster as a program may that does not stop it before, as `nlbadm down` does. Its VIPs stay on
//! the interface.

use std::io::stdin;
use std::path::PathBuf;

use anyhow::{Context, Result};
use nlb_netlink::{Client, NetlinkSocket};

/// Arguments of `tt remove`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Cluster interface.
    interface: String,
    /// Get ready, and then wait for a line on standard input.
    #[arg(long)]
    wait: bool,
    /// Write a line to this file, which may be the kernel's trace_marker, just before it asks.
    #[arg(long)]
    mark: Option<PathBuf>,
}

/// Removes it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let name = args.interface.as_str();
    let ifindex = nix::net::if_::if_nametoindex(name).with_context(|| name.to_owned())?;
    let mut client = Client::new(NetlinkSocket::generic()?)?;
    if args.wait {
        stdin().read_line(&mut String::new())?;
    }
    if let Some(file) = &args.mark {
        std::fs::write(file, "removal begins\n").with_context(|| file.display().to_string())?;
    }
    Ok(client.remove(ifindex)?)
}
