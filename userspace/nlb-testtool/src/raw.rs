// SPDX-License-Identifier: GPL-2.0-only
//! A frame as it is given, by a packet socket that calls it something else: the
//! kernel takes the socket's word for what a frame is, other stations do not.

use std::os::fd::IntoRawFd;

use anyhow::{Context, Result, bail};
use pnet_datalink::{Channel, ChannelType, Config};
use socket2::{Domain, Socket, Type};

use crate::inject::parse_hex;
use crate::packet::{Bytes, parse_bytes};

/// What to send.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The interface to send on.
    #[arg(long)]
    dev: String,
    /// The EtherType that the kernel is told, in hexadecimal.
    #[arg(long, value_parser = parse_hex)]
    told: u16,
    /// The frame from its Ethernet header on, in hexadecimal.
    #[arg(value_parser = parse_bytes)]
    frame: Bytes,
}

/// Sends it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let interface = pnet_datalink::interfaces()
        .into_iter()
        .find(|interface| interface.name == args.dev)
        .with_context(|| format!("no interface {}", args.dev))?;
    // A raw socket, bound and sending as one of that EtherType.
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    let config = Config {
        channel_type: ChannelType::Layer3(args.told),
        socket_fd: Some(socket.into_raw_fd()),
        ..Config::default()
    };
    let Channel::Ethernet(mut sender, _) = pnet_datalink::channel(&interface, config)? else {
        bail!("{} is not Ethernet", args.dev);
    };
    let sent = sender.send_to(&args.frame.0, None);
    sent.context("the frame does not fit the send buffer")??;
    Ok(())
}
