// SPDX-License-Identifier: GPL-2.0-only
//! Hostile frames: random ones of each EtherType that matters, and valid ones
//! cut short at every length. A seed makes a run repeatable.

use std::net::Ipv4Addr;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use etherparse::{ArpHardwareId, ArpOperation, ArpPacket, EtherType, PacketBuilder};
use fastrand::Rng;
use pnet_datalink::{Channel, Config, DataLinkSender, MacAddr};

/// What to send.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The interface to send on.
    #[arg(long)]
    dev: String,
    /// Destination MACs, used in turn.
    #[arg(long = "to-mac", required = true)]
    to_macs: Vec<MacAddr>,
    /// The address under attack.
    #[arg(long)]
    vip: Ipv4Addr,
    /// EtherTypes in hexadecimal, used in turn.
    #[arg(long = "ethertype", value_parser = parse_hex,
          default_values = ["0800", "0806", "86dd", "88b5", "8100"])]
    ethertypes: Vec<u16>,
    /// How many random frames.
    #[arg(long, default_value_t = 0)]
    random: u64,
    /// Also send valid frames cut short at every length.
    #[arg(long)]
    truncated: bool,
    /// Repeats a run exactly.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) fn parse_hex(text: &str) -> Result<u16, std::num::ParseIntError> {
    u16::from_str_radix(text, 16)
}

/// The source of all frames: a station that exists nowhere else.
const OWN_MAC: [u8; 6] = [0x02, 0x66, 0x75, 0x7a, 0x7a, 0x01];

/// Send the frames and print how many.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut sender = Sender::open(&args.dev)?;
    let mut rng = Rng::with_seed(args.seed);
    if args.truncated {
        for mac in &args.to_macs {
            for whole in templates(mac.octets(), args.vip)? {
                for length in 14..=whole.len() {
                    sender.send(&whole[..length])?;
                }
            }
        }
    }
    for number in 0..args.random {
        sender.send(&random_frame(args, number, &mut rng))?;
    }
    println!("{{\"sent\":{}}}", sender.sent);
    Ok(())
}

/// Sends raw frames and counts them.
pub(crate) struct Sender {
    channel: Box<dyn DataLinkSender>,
    pub(crate) sent: u64,
}

impl Sender {
    /// On an interface, by its name.
    pub(crate) fn open(device: &str) -> Result<Self> {
        let interface = pnet_datalink::interfaces()
            .into_iter()
            .find(|interface| interface.name == device)
            .with_context(|| format!("no interface {device}"))?;
        match pnet_datalink::channel(&interface, Config::default())? {
            Channel::Ethernet(channel, _) => Ok(Self { channel, sent: 0 }),
            _ => bail!("{device} is not Ethernet"),
        }
    }

    /// Send one frame.
    pub(crate) fn send(&mut self, frame: &[u8]) -> Result<()> {
        match self.channel.send_to(frame, None) {
            Some(Ok(())) => self.sent += 1,
            // Its own transmit queue is full: a flood goes on regardless.
            Some(Err(error)) if error.raw_os_error() == Some(ENOBUFS) => {}
            Some(Err(error)) => return Err(error).context("send"),
            None => bail!("the frame does not fit the send buffer"),
        }
        Ok(())
    }
}

/// "No buffer space available", which has no stable `ErrorKind`.
const ENOBUFS: i32 = 105;

/// Frames that would be accepted, were they whole.
fn templates(to: [u8; 6], vip: Ipv4Addr) -> Result<Vec<Vec<u8>>> {
    let from = Ipv4Addr::from_str("10.1.255.1")?.octets();
    let mut frames = Vec::new();

    let mut arp = Vec::new();
    PacketBuilder::ethernet2(OWN_MAC, to)
        .arp(ArpPacket::new(
            ArpHardwareId::ETHERNET,
            EtherType::IPV4,
            ArpOperation::REQUEST,
            &OWN_MAC,
            &from,
            &[0; 6],
            &vip.octets(),
        )?)
        .write(&mut arp)?;
    frames.push(arp);

    let mut syn = Vec::new();
    PacketBuilder::ethernet2(OWN_MAC, to)
        .ipv4(from, vip.octets(), 64)
        .tcp(40000, 80, 1, 1000)
        .syn()
        .write(&mut syn, &[])?;
    frames.push(syn);

    let mut udp = Vec::new();
    PacketBuilder::ethernet2(OWN_MAC, to)
        .ipv4(from, vip.octets(), 64)
        .udp(40000, 53)
        .write(&mut udp, &[0x55; 32])?;
    frames.push(udp);

    let mut icmp = Vec::new();
    PacketBuilder::ethernet2(OWN_MAC, to)
        .ipv4(from, vip.octets(), 64)
        .icmpv4_echo_request(1, 1)
        .write(&mut icmp, &[0x55; 32])?;
    frames.push(icmp);
    Ok(frames)
}

fn random_frame(args: &Args, number: u64, rng: &mut Rng) -> Vec<u8> {
    let turn = usize::try_from(number).unwrap_or(0);
    let to = args.to_macs[turn % args.to_macs.len()];
    let ethertype = args.ethertypes[turn % args.ethertypes.len()];
    let length = if rng.bool() {
        rng.usize(0..64)
    } else {
        rng.usize(0..1500)
    };
    let mut frame = Vec::with_capacity(14 + length);
    frame.extend_from_slice(&to.octets());
    frame.extend_from_slice(&OWN_MAC);
    frame.extend_from_slice(&ethertype.to_be_bytes());
    frame.extend(std::iter::repeat_with(|| rng.u8(..)).take(length));
    // Pure noise is refused at its first byte, so two in three frames get a
    // head that leads further in.
    if ethertype == 0x0800 && number % 3 != 0 {
        disguise_as_ipv4(&mut frame, args.vip, rng);
    } else if ethertype == 0x0806 && number % 3 != 0 {
        disguise_as_arp(&mut frame, args.vip);
    }
    frame
}

fn put(frame: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = frame.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

fn disguise_as_ipv4(frame: &mut [u8], vip: Ipv4Addr, rng: &mut Rng) {
    let head = 0x40 | rng.u8(3..16);
    let length = u16::try_from(frame.len().saturating_sub(14)).unwrap_or(u16::MAX);
    put(frame, 14, &[head]);
    put(frame, 16, &length.to_be_bytes());
    let protocol = *rng.choice(&[1, 6, 17, 47, 50, 132]).unwrap_or(&6);
    put(frame, 23, &[protocol]);
    put(frame, 30, &vip.octets());
}

fn disguise_as_arp(frame: &mut [u8], vip: Ipv4Addr) {
    put(frame, 14, &[0, 1, 8, 0, 6, 4, 0]);
    put(frame, 38, &vip.octets());
}
