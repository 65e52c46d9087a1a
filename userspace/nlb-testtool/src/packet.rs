// SPDX-License-Identifier: GPL-2.0-only
//! One packet as it is asked for, from an address that need not be one's own,
//! in a frame that need not be for anybody.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, bail};
use etherparse::{IpNumber, PacketBuilder, PacketBuilderStep};
use pnet_datalink::MacAddr;

use crate::inject::Sender;

/// What to send.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The interface to send on.
    #[arg(long)]
    dev: String,
    /// The MAC that it claims to come from.
    #[arg(long, default_value = "02:66:75:7a:7a:02")]
    from_mac: MacAddr,
    /// Destination MAC.
    #[arg(long)]
    to_mac: MacAddr,
    /// Source address and port (0 where there is none).
    #[arg(long)]
    from: SocketAddr,
    /// Destination address and port.
    #[arg(long)]
    to: SocketAddr,
    /// What it carries.
    #[command(subcommand)]
    what: What,
    /// How often.
    #[arg(long, default_value_t = 1, global = true)]
    count: u64,
    /// Payload in hexadecimal.
    #[arg(long, default_value = "", value_parser = parse_bytes, global = true)]
    data: Bytes,
}

#[derive(clap::Subcommand)]
enum What {
    /// A TCP segment.
    Tcp {
        /// Letters of its flags: S, A, F, R, P.
        #[arg(long, default_value = "")]
        flags: String,
        #[arg(long, default_value_t = 0)]
        seq: u32,
        #[arg(long, default_value_t = 0)]
        ack: u32,
    },
    /// A UDP datagram.
    Udp,
    /// Whatever follows the IP header is the payload.
    Protocol {
        /// Number of the protocol.
        number: u8,
    },
}

/// Bytes of an argument.
#[derive(Clone, Debug)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

pub(crate) fn parse_bytes(text: &str) -> Result<Bytes, String> {
    if !text.is_ascii() || text.len() % 2 != 0 {
        return Err("two hexadecimal digits for each byte".into());
    }
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|error| error.to_string())?;
            u8::from_str_radix(pair, 16).map_err(|error| error.to_string())
        })
        .collect::<Result<_, _>>()
        .map(Bytes)
}

/// Send it and print how often.
pub(crate) fn run(args: &Args) -> Result<()> {
    let frame = frame(args)?;
    let mut sender = Sender::open(&args.dev)?;
    for _ in 0..args.count {
        sender.send(&frame)?;
    }
    println!("{{\"sent\":{}}}", sender.sent);
    Ok(())
}

fn frame(args: &Args) -> Result<Vec<u8>> {
    let ethernet = PacketBuilder::ethernet2(args.from_mac.octets(), args.to_mac.octets());
    let ip = match (args.from.ip(), args.to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ethernet.ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => ethernet.ipv6(from.octets(), to.octets(), 64),
        _ => bail!("source and destination are of one family"),
    };
    let mut frame = Vec::new();
    let data = &args.data.0;
    match &args.what {
        What::Tcp { flags, seq, ack } => tcp(args, ip, flags, *seq, *ack, &mut frame)?,
        What::Udp => ip
            .udp(args.from.port(), args.to.port())
            .write(&mut frame, data)?,
        What::Protocol { number } => ip.write(&mut frame, IpNumber(*number), data)?,
    }
    Ok(frame)
}

fn tcp(
    args: &Args,
    ip: PacketBuilderStep<etherparse::IpHeaders>,
    flags: &str,
    seq: u32,
    ack: u32,
    frame: &mut Vec<u8>,
) -> Result<()> {
    let mut segment = ip.tcp(args.from.port(), args.to.port(), seq, 64_000);
    for flag in flags.chars() {
        segment = match flag {
            'S' => segment.syn(),
            'A' => segment.ack(ack),
            'F' => segment.fin(),
            'R' => segment.rst(),
            'P' => segment.psh(),
            _ => bail!("no such flag: {flag}"),
        };
    }
    segment.write(frame, &args.data.0)?;
    Ok(())
}
