// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm relay`: carries heartbeats over UDP on another network.
//!
//! The frames are the module's own, signed by it and checked by it; this program only carries them. It drops what
//! cannot be a frame or comes from a stranger before it costs the module anything.
//!
//! Three threads: one takes frames from the module and sends them, one receives datagrams and hands them over, and
//! the main one waits for signals.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use nlb_core::{
    genl::GROUP_RELAY,
    limits::{FRAME_MAX, TAG_LEN},
    wire::HEADER_LEN,
};
use nlb_netlink::{Client, Error, NetlinkSocket, Notification, object::Heartbeat};
use signal_hook::{
    consts::{SIGINT, SIGTERM, SIGUSR1},
    iterator::Signals,
};

use crate::{
    cli::Relay,
    failure::Failure,
    kernel::{Kernel, connect},
    output::relay::RelayShape,
};

/// Shortest datagram that can be a frame: a header and a tag.
const FRAME_MIN: usize = HEADER_LEN + TAG_LEN;

/// Counters shared by the threads.
#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    send_errors: AtomicU64,
    received: AtomicU64,
    bad_length: AtomicU64,
    not_a_peer: AtomicU64,
    refused: AtomicU64,
    overruns: AtomicU64,
}

impl Counters {
    fn shape(&self) -> RelayShape {
        // Relaxed, here and where they are counted: each is a number of its own, nothing is ordered by it.
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RelayShape {
            sent: read(&self.sent),
            send_errors: read(&self.send_errors),
            received: read(&self.received),
            bad_length: read(&self.bad_length),
            not_a_peer: read(&self.not_a_peer),
            refused: read(&self.refused),
            overruns: read(&self.overruns),
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// What makes the main thread act.
enum Wake {
    Signal(i32),
    Failed(Failure),
}

/// Carries heartbeats until SIGTERM or SIGINT; SIGUSR1 prints the counters, and so does the end.
pub(crate) fn run(kernel: &mut impl Kernel, json: bool, args: &Relay) -> Result<(), Failure> {
    let interface = super::interface(kernel, &args.interface)?;
    check_peers(args)?;
    let mut outgoing = connect()?;
    let incoming = connect()?;
    outgoing.subscribe(GROUP_RELAY)?;
    let socket = UdpSocket::bind(args.listen).map_err(|error| {
        Failure::from(error).context(format!("cannot listen on {}", args.listen))
    })?;
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGUSR1])?;

    let counters = Arc::new(Counters::default());
    let peers = Peers {
        socket,
        addresses: args.peers.clone(),
        counters: Arc::clone(&counters),
    };
    let (wake, woken) = mpsc::channel();
    let sender = Sender {
        ifindex: interface.index,
        client: outgoing,
        peers: peers.try_clone()?,
    };
    let receiver = Receiver {
        ifindex: interface.index,
        client: incoming,
        peers,
    };
    spawn(&wake, move || sender.run());
    spawn(&wake, move || receiver.run());
    thread::spawn(move || {
        for signal in signals.forever() {
            if wake.send(Wake::Signal(signal)).is_err() {
                return;
            }
        }
    });

    // Nobody listens where there is no systemd; that is no failure.
    drop(sd_notify::notify(&[sd_notify::NotifyState::Ready]));
    loop {
        match woken.recv() {
            Ok(Wake::Signal(SIGUSR1)) => report(json, &counters)?,
            Ok(Wake::Signal(_)) | Err(mpsc::RecvError) => {
                drop(sd_notify::notify(&[sd_notify::NotifyState::Stopping]));
                return report(json, &counters).map_err(Failure::from);
            }
            Ok(Wake::Failed(failure)) => return Err(failure.context("relay")),
        }
    }
}

/// Runs one direction in a thread of its own; its failure wakes the main thread.
fn spawn(
    wake: &mpsc::Sender<Wake>,
    direction: impl FnOnce() -> Result<(), Failure> + Send + 'static,
) {
    let wake = wake.clone();
    thread::spawn(move || {
        if let Err(failure) = direction() {
            // The main thread is gone only if the process ends anyway.
            drop(wake.send(Wake::Failed(failure)));
        }
    });
}

fn report(json: bool, counters: &Counters) -> io::Result<()> {
    crate::output::print_line(json, &counters.shape())
}

fn check_peers(args: &Relay) -> Result<(), Failure> {
    for peer in &args.peers {
        if peer.is_ipv4() != args.listen.is_ipv4() {
            return Err(Failure::usage(format!(
                "the peer {peer} and the listening address {} are of different address families",
                args.listen
            )));
        }
        if *peer == args.listen {
            return Err(Failure::usage(format!(
                "the peer {peer} is this relay itself"
            )));
        }
        if peer.port() == 0 || peer.ip().is_unspecified() {
            return Err(Failure::usage(format!("{peer} is no address of a peer")));
        }
    }
    Ok(())
}

/// From the module to the peers.
struct Sender {
    ifindex: u32,
    client: Client<NetlinkSocket>,
    peers: Peers,
}

impl Sender {
    fn run(mut self) -> Result<(), Failure> {
        loop {
            let notifications = match self.client.notifications() {
                Ok(notifications) => notifications,
                // The next heartbeats tell the same anew.
                Err(Error::Lost) => {
                    count(&self.peers.counters.overruns);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            for notification in notifications {
                if let Notification::Heartbeat(heartbeat) = notification {
                    if heartbeat.ifindex == self.ifindex {
                        self.peers.send(&heartbeat.frame);
                    }
                }
            }
        }
    }
}

/// From the peers to the module.
struct Receiver {
    ifindex: u32,
    client: Client<NetlinkSocket>,
    peers: Peers,
}

impl Receiver {
    fn run(mut self) -> Result<(), Failure> {
        loop {
            if let Some(frame) = self.peers.receive()? {
                let heartbeat = Heartbeat {
                    ifindex: self.ifindex,
                    frame,
                };
                settle(self.client.heartbeat(heartbeat), &self.peers.counters)?;
            }
        }
    }
}

/// What the module said to a frame: counted, unless it makes going on pointless.
fn settle(result: Result<(), Error>, counters: &Counters) -> Result<(), Failure> {
    const EPERM: i32 = 1;
    const ENODEV: i32 = 19;
    match result {
        Ok(()) => count(&counters.received),
        // The interface has gone for good, or we may not do this at all.
        Err(error) if matches!(error.errno(), Some(ENODEV | EPERM)) => return Err(error.into()),
        // No cluster at the moment, or a frame that the module does not like.
        Err(Error::Refused(_)) => count(&counters.refused),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The other relays, over one socket.
struct Peers {
    socket: UdpSocket,
    addresses: Vec<SocketAddr>,
    counters: Arc<Counters>,
}

impl Peers {
    /// The same for another thread.
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Peers {
            socket: self.socket.try_clone()?,
            addresses: self.addresses.clone(),
            counters: Arc::clone(&self.counters),
        })
    }

    /// Sends a frame to each. A peer that cannot be reached does not keep the others from hearing: errors are counted
    /// alone.
    fn send(&self, frame: &[u8]) {
        for address in &self.addresses {
            match self.socket.send_to(frame, address) {
                Ok(_) => count(&self.counters.sent),
                Err(_) => count(&self.counters.send_errors),
            }
        }
    }

    /// Waits for a datagram; the frame, if it can be one.
    fn receive(&self) -> io::Result<Option<Vec<u8>>> {
        // One byte more than a frame, so that a longer datagram is seen to be longer.
        let mut buffer = [0; FRAME_MAX + 1];
        let (length, from) = match self.socket.recv_from(&mut buffer) {
            Ok(received) => received,
            Err(error) if transient(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let datagram = buffer.get(..length).unwrap_or_default();
        match admit(datagram, from, &self.addresses) {
            Admission::Frame => return Ok(Some(datagram.to_vec())),
            Admission::BadLength => count(&self.counters.bad_length),
            Admission::NotAPeer => count(&self.counters.not_a_peer),
        }
        Ok(None)
    }
}

/// An ICMP error of an earlier datagram surfaces here; the socket is fine.
fn transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}

/// What becomes of a datagram.
#[derive(Debug, PartialEq, Eq)]
enum Admission {
    Frame,
    BadLength,
    NotAPeer,
}

/// Only the address of the sender counts, not its port: address translation may change that.
fn admit(datagram: &[u8], from: SocketAddr, peers: &[SocketAddr]) -> Admission {
    if !peers.iter().any(|peer| peer.ip() == from.ip()) {
        Admission::NotAPeer
    } else if (FRAME_MIN..=FRAME_MAX).contains(&datagram.len()) {
        Admission::Frame
    } else {
        Admission::BadLength
    }
}

#[cfg(test)]
mod tests {
    use nlb_core::wire::{Frame, FrameError};

    use super::*;
    use crate::failure::Exit;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn rubbish_and_strangers_are_told_apart() {
        let peers = [at("192.0.2.2:7000"), at("192.0.2.3:7000")];
        let frame = [0; FRAME_MAX + 1];
        for (length, from, admission) in [
            (FRAME_MIN, "192.0.2.2:7000", Admission::Frame),
            (FRAME_MAX, "192.0.2.3:9", Admission::Frame),
            (FRAME_MIN - 1, "192.0.2.2:7000", Admission::BadLength),
            (FRAME_MAX + 1, "192.0.2.2:7000", Admission::BadLength),
            (0, "192.0.2.2:7000", Admission::BadLength),
            (FRAME_MIN, "192.0.2.4:7000", Admission::NotAPeer),
        ] {
            assert_eq!(admit(&frame[..length], at(from), &peers), admission);
        }
    }

    #[test]
    fn a_relay_is_not_its_own_peer() {
        let args = |peer: &str| Relay {
            interface: "eth0".into(),
            listen: at("192.0.2.1:7000"),
            peers: vec![at(peer)],
        };
        assert!(check_peers(&args("192.0.2.2:7000")).is_ok());
        for peer in [
            "192.0.2.1:7000",
            "[2001:db8::2]:7000",
            "192.0.2.2:0",
            "0.0.0.0:7000",
        ] {
            assert_eq!(
                check_peers(&args(peer)).unwrap_err().exit,
                Exit::Usage,
                "{peer}"
            );
        }
    }

    /// A relay on the loopback interface whose only peer is the socket that is returned.
    fn pair() -> (Peers, UdpSocket) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.connect(socket.local_addr().unwrap()).unwrap();
        let peers = Peers {
            socket,
            addresses: vec![peer.local_addr().unwrap()],
            counters: Arc::default(),
        };
        (peers, peer)
    }

    #[test]
    fn a_frame_goes_to_every_peer_that_can_be_reached() {
        let (mut peers, peer) = pair();
        // No IPv6 from an IPv4 socket: this one cannot be reached.
        peers.addresses.push(at("[::1]:9"));
        peers.send(&[7; FRAME_MIN]);
        let mut buffer = [0; FRAME_MAX];
        assert_eq!(peer.recv(&mut buffer).unwrap(), FRAME_MIN);
        let shape = peers.counters.shape();
        assert_eq!((shape.sent, shape.send_errors), (1, 1));
    }

    #[test]
    fn a_frame_arrives_and_rubbish_is_counted() {
        let (peers, peer) = pair();
        for (datagram, frame) in [
            (vec![1; FRAME_MIN - 1], None),
            (vec![2; FRAME_MAX + 1], None),
            (vec![3; FRAME_MAX], Some(vec![3; FRAME_MAX])),
        ] {
            peer.send(&datagram).unwrap();
            assert_eq!(peers.receive().unwrap(), frame);
        }
        assert_eq!(peers.counters.shape().bad_length, 2);
    }

    #[test]
    fn a_refused_frame_is_counted_and_a_lost_interface_is_the_end() {
        let counters = Counters::default();
        settle(Ok(()), &counters).unwrap();
        settle(Err(crate::fake::refusal(22)), &counters).unwrap();
        settle(Err(crate::fake::refusal(2)), &counters).unwrap();
        let shape = counters.shape();
        assert_eq!((shape.received, shape.refused), (1, 2));
        let end = settle(Err(crate::fake::refusal(19)), &counters).unwrap_err();
        assert_eq!(end.exit, Exit::NoInterface);
    }

    #[test]
    fn fuzz_relay_datagram() {
        let mut frame = vec![0; FRAME_MIN + 20];
        frame[..8].copy_from_slice(b"nb\x01\x01\x02\x01\x00\x05");
        frame[23] = 1;
        frame[31] = 1;
        frame[33] = frame.len() as u8;
        let (peer, stranger) = (at("192.0.2.2:7000"), at("198.51.100.2:7000"));
        let fuzz = nlb_fuzz::Fuzz::new("relay-datagram").seeds([frame]);
        fuzz.longest(FRAME_MAX + 200).run(|datagram| {
            let admission = admit(datagram, peer, &[peer]);
            assert_eq!(admit(datagram, stranger, &[peer]), Admission::NotAPeer);
            let parsed = Frame::parse(datagram);
            // What is a frame is carried; only padding, which a relay never adds, can make it too long.
            if parsed.is_ok() && datagram.len() <= FRAME_MAX {
                assert_eq!(admission, Admission::Frame);
            }
            if admission == Admission::BadLength && datagram.len() <= FRAME_MAX {
                assert_eq!(parsed.map(|frame| frame.header), Err(FrameError::Length));
            }
            nlb_fuzz::outcome(format!(
                "{admission:?} {:?}",
                parsed.map(|frame| frame.header.host)
            ))
        });
    }
}
