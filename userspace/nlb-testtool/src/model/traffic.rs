// SPDX-License-Identifier: GPL-2.0-only
//! Traffic on all devices: a thread that sends one frame after the other, each
//! on a random device, into it from the switch or out of it. What becomes of
//! them is nobody's business; that nothing breaks is.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::IntoRawFd;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use etherparse::{ArpHardwareId, ArpOperation, ArpPacket, EtherType, PacketBuilder, VlanId};
use fastrand::Rng;
use pnet_datalink::{Channel, ChannelType, Config, DataLinkSender, NetworkInterface};
use socket2::{Domain, Socket, Type};

use super::place::enter;

/// The VIPs of both clusters.
pub(super) const VIPS: [(Ipv4Addr, Ipv6Addr); 2] = [
    (
        Ipv4Addr::new(10, 0, 0, 10),
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0xa),
    ),
    (
        Ipv4Addr::new(10, 0, 0, 20),
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x14),
    ),
];

/// A station that exists nowhere else.
const STRANGER: [u8; 6] = [2, 0x66, 0x75, 0x7a, 0x7a, 3];

/// One in so many packets is sent by the stack of a namespace.
const BY_THE_STACK: u8 = 8;

/// Where frames are sent.
struct Device {
    place: String,
    index: u32,
    sender: Box<dyn DataLinkSender>,
}

#[derive(Default)]
struct Targets {
    devices: Vec<Device>,
    /// A socket in each namespace.
    stacks: Vec<(String, UdpSocket)>,
}

/// The thread, and what it sends on.
pub(super) struct Traffic {
    targets: Arc<Mutex<Targets>>,
    ends: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    /// Traffic with so long a pause after each frame.
    pub(super) fn start(seed: u64, pause: Duration) -> Result<Self> {
        let targets = Arc::new(Mutex::new(Targets::default()));
        let (ends, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let sender = Sender {
            targets: targets.clone(),
            ends: ends.clone(),
            sent: sent.clone(),
            frames: frames()?,
            rng: Rng::with_seed(seed),
        };
        let thread = std::thread::spawn(move || sender.run(pause));
        Ok(Self {
            targets,
            ends,
            sent,
            thread: Some(thread),
        })
    }

    fn targets(&self) -> std::sync::MutexGuard<'_, Targets> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends on a device from now on.
    pub(super) fn add(&self, place: &str, name: &str, index: u32) -> Result<()> {
        let _inside = enter(place)?;
        let sender = open(name, index)?;
        let place = place.to_owned();
        let mut targets = self.targets();
        targets.devices.push(Device {
            place,
            index,
            sender,
        });
        Ok(())
    }

    /// Sends by the stack of a namespace from now on.
    pub(super) fn add_place(&self, place: &str) -> Result<()> {
        let _inside = enter(place)?;
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.set_nonblocking(true)?;
        self.targets().stacks.push((place.to_owned(), socket));
        Ok(())
    }

    /// Lets go of a device.
    pub(super) fn forget(&self, place: &str, index: u32) {
        let is_it = |it: &Device| it.place == place && it.index == index;
        self.targets().devices.retain(|it| !is_it(it));
    }

    /// Lets go of a namespace, which could not end otherwise.
    pub(super) fn forget_place(&self, place: &str) {
        let mut targets = self.targets();
        targets.devices.retain(|it| it.place != place);
        targets.stacks.retain(|it| it.0 != place);
    }

    /// Ends it; how many packets were sent.
    pub(super) fn end(mut self) -> u64 {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of its own has been printed.
            let _ = thread.join();
        }
        self.sent.load(Ordering::Relaxed)
    }
}

fn open(name: &str, index: u32) -> Result<Box<dyn DataLinkSender>> {
    // Of protocol 0, it receives nothing.
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    let interface = NetworkInterface {
        name: name.to_owned(),
        description: String::new(),
        index,
        mac: None,
        ips: Vec::new(),
        flags: 0,
    };
    let config = Config {
        channel_type: ChannelType::Layer3(0),
        socket_fd: Some(socket.into_raw_fd()),
        ..Config::default()
    };
    match pnet_datalink::channel(&interface, config).with_context(|| name.to_owned())? {
        Channel::Ethernet(sender, _) => Ok(sender),
        _ => bail!("{name}: no channel of Ethernet"),
    }
}

struct Sender {
    targets: Arc<Mutex<Targets>>,
    ends: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    frames: Vec<Vec<u8>>,
    rng: Rng,
}

impl Sender {
    fn run(mut self, pause: Duration) {
        while !self.ends.load(Ordering::Relaxed) {
            self.send();
            sleep(pause);
        }
    }

    /// A device may be down or gone: then this frame is not sent, which does not matter.
    fn send(&mut self) {
        let Self {
            targets,
            frames,
            rng,
            ..
        } = self;
        let mut targets = targets.lock().unwrap_or_else(PoisonError::into_inner);
        let done = if rng.u8(..BY_THE_STACK) == 0 {
            let stack = rng.choice(&targets.stacks);
            let to = Ipv4Addr::new(10, 0, rng.u8(..3), rng.u8(1..));
            stack.is_some_and(|(_, socket)| socket.send_to(b"?", (to, 9)).is_ok())
        } else {
            match (rng.choice(&mut targets.devices), rng.choice(&*frames)) {
                (Some(device), Some(frame)) => {
                    matches!(device.sender.send_to(frame, None), Some(Ok(())))
                }
                _ => false,
            }
        };
        self.sent.fetch_add(u64::from(done), Ordering::Relaxed);
    }
}

/// What VIPs resolve to in each mode, and everybody.
fn receivers(vip: Ipv4Addr) -> [[u8; 6]; 4] {
    let [a, b, c, d] = vip.octets();
    [
        [2, 0xbf, a, b, c, d],
        [3, 0xbf, a, b, c, d],
        [1, 0, 0x5e, 0x7f, c, d],
        [0xff; 6],
    ]
}

/// Packets to each VIP in each mode, with and without a VLAN tag; questions and claims; frames that are none of ours.
fn frames() -> Result<Vec<Vec<u8>>> {
    let mut frames = Vec::new();
    for (vip, vip6) in VIPS {
        for to in receivers(vip) {
            frames.extend(packets(to, vip, vip6)?);
        }
        for (operation, sender) in [
            (ArpOperation::REQUEST, Ipv4Addr::new(10, 0, 0, 99)),
            (ArpOperation::REPLY, vip),
        ] {
            let arp = ArpPacket::new(
                ArpHardwareId::ETHERNET,
                EtherType::IPV4,
                operation,
                &STRANGER,
                &sender.octets(),
                &[0; 6],
                &vip.octets(),
            )?;
            let mut frame = Vec::new();
            PacketBuilder::ethernet2(STRANGER, [0xff; 6])
                .arp(arp)
                .write(&mut frame)?;
            frames.push(frame);
        }
    }
    // A heartbeat that is none.
    let mut frame = [&[3, 0xbf, 10, 0, 0, 10][..], &STRANGER, &[0x88, 0xb5]].concat();
    frame.extend([0x55; 80]);
    frames.push(frame);
    Ok(frames)
}

fn packets(to: [u8; 6], vip: Ipv4Addr, vip6: Ipv6Addr) -> Result<Vec<Vec<u8>>> {
    let client = Ipv4Addr::new(10, 1, 0, 7).octets();
    let client6 = Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 7).octets();
    let mut frames = Vec::new();
    for tag in [None, Some(1u16)] {
        let start = || match tag {
            None => PacketBuilder::ethernet2(STRANGER, to).ipv4(client, vip.octets(), 64),
            Some(id) => PacketBuilder::ethernet2(STRANGER, to)
                .single_vlan(VlanId::try_new(id).unwrap_or(VlanId::ZERO))
                .ipv4(client, vip.octets(), 64),
        };
        let mut add = |write: &dyn Fn(&mut Vec<u8>) -> Result<()>| -> Result<()> {
            let mut frame = Vec::new();
            write(&mut frame)?;
            frames.push(frame);
            Ok(())
        };
        add(&|frame| Ok(start().udp(4000, 443).write(frame, &[0x55; 40])?))?;
        add(&|frame| Ok(start().tcp(4001, 80, 1, 1000).syn().write(frame, &[])?))?;
        add(&|frame| Ok(start().tcp(4002, 80, 9, 1000).ack(5).write(frame, &[])?))?;
        add(&|frame| {
            Ok(start()
                .icmpv4_echo_request(1, 1)
                .write(frame, &[0x55; 40])?)
        })?;
    }
    let six = || PacketBuilder::ethernet2(STRANGER, to).ipv6(client6, vip6.octets(), 64);
    let mut frame = Vec::new();
    six().udp(4000, 443).write(&mut frame, &[0x55; 40])?;
    frames.push(frame);
    let mut frame = Vec::new();
    six().tcp(4001, 80, 1, 1000).syn().write(&mut frame, &[])?;
    frames.push(frame);
    // A fragment whose first one went another way.
    let mut fragment = frames[0].clone();
    fragment[20..22].copy_from_slice(&[0x20, 0x05]);
    frames.push(fragment);
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use super::frames;

    #[test]
    fn there_are_frames_of_each_sort() {
        let frames = frames().unwrap();
        let of = |ethertype: [u8; 2]| frames.iter().filter(|it| it[12..14] == ethertype).count();
        assert!(of([8, 0]) > 30 && of([0x86, 0xdd]) > 10 && of([8, 6]) == 4);
        assert!(of([0x81, 0]) > 30 && of([0x88, 0xb5]) == 1);
        assert!(frames.iter().all(|it| it.len() >= 42));
    }
}
