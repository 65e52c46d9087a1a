// SPDX-License-Identifier: GPL-2.0-only
//! Many TCP connections of this host that are there without a packet having
//! been sent for them: a full table of the kernel's, in a moment.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Result, bail};
use ipnet::IpNet;

use crate::golden::connection;
use crate::goldentable::Session;
use crate::sources::Sources;

/// Which connections.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where they end here: an address that this host has, and a port.
    #[arg(long)]
    to: SocketAddr,
    /// Addresses of the other ends, one for each connection.
    #[arg(long)]
    from: IpNet,
    /// How many.
    #[arg(long)]
    count: u32,
    /// This file says how many there are, once there are.
    #[arg(long)]
    ready: PathBuf,
}

/// Port of the other ends.
const PORT: u16 = 40_000;

/// Make them, and keep them until this process is ended.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut sources = Sources::new(args.from, 0);
    let mut held = Vec::new();
    for _ in 0..args.count {
        let client: IpAddr = sources.next();
        if client.is_ipv4() != args.to.is_ipv4() {
            bail!("--from and --to are of different families");
        }
        held.push(connection(Session {
            client: SocketAddr::new(client, PORT),
            vip: args.to,
        })?);
    }
    std::fs::write(&args.ready, format!("{}\n", held.len()))?;
    loop {
        std::thread::park();
    }
}
