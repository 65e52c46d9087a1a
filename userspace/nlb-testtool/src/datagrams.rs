// SPDX-License-Identifier: GPL-2.0-only
//! UDP sessions that stay: each talks to one host all the time, and says so
//! when another one answers. They look like QUIC to a module that knows its
//! first byte: an Initial until the first answer, short headers after it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ipnet::IpNet;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use serde::Serialize;

use crate::client::host_in;
use crate::sources::Sources;

/// Which sessions to keep.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to: ADDRESS:PORT of `tt serve`.
    #[arg(long)]
    to: SocketAddr,
    /// Where from: a network of which each address is local here.
    #[arg(long)]
    from: IpNet,
    /// How many sessions.
    #[arg(long)]
    count: usize,
    /// Each sends a datagram every so many milliseconds.
    #[arg(long, default_value_t = 200)]
    interval_ms: u64,
    /// Bytes of a datagram; beyond the MTU it goes in fragments.
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// All must have been answered within so many seconds.
    #[arg(long, default_value_t = 30)]
    setup_s: u64,
    /// Stop once this file exists; at once if none is named.
    #[arg(long)]
    until: Option<PathBuf>,
    /// Written once all sessions were answered: "HOST COUNT" lines.
    #[arg(long)]
    ready: Option<PathBuf>,
}

/// The first byte of an Initial, and of a packet with a short header (RFC
/// 9000 section 17).
const INITIAL: u8 = 0xc0;
const SHORT: u8 = 0x40;

/// A session.
struct Session {
    socket: UdpSocket,
    /// Who answered first.
    host: Option<u8>,
    sent: u64,
    answered: u64,
    /// Answers from somebody else.
    strange: u64,
    due: Instant,
}

#[derive(Serialize)]
struct Report {
    sessions: usize,
    sent: u64,
    answered: u64,
    /// Sessions that more than one host answered.
    moved: usize,
    /// Sessions by the host that answered first.
    hosts: BTreeMap<u8, usize>,
}

/// Keep the sessions and print the report as JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut sources = Sources::new(args.from, 0);
    let mut sessions = Vec::with_capacity(args.count);
    for number in 0..args.count {
        let mut socket = UdpSocket::bind(SocketAddr::new(sources.next(), 0))?;
        socket.connect(args.to)?;
        poll.registry()
            .register(&mut socket, Token(number), Interest::READABLE)?;
        sessions.push(Session {
            socket,
            host: None,
            sent: 0,
            answered: 0,
            strange: 0,
            due: Instant::now(),
        });
    }
    let mut events = Events::with_capacity(1024);
    let deadline = Instant::now() + Duration::from_secs(args.setup_s);
    while sessions.iter().any(|session| session.host.is_none()) {
        turn(args, &mut poll, &mut events, &mut sessions)?;
        if Instant::now() > deadline {
            let silent = sessions.iter().filter(|one| one.host.is_none()).count();
            bail!("{silent} sessions were never answered");
        }
    }
    if let Some(ready) = &args.ready {
        let lines: String = hosts(&sessions)
            .iter()
            .map(|(host, count)| format!("{host} {count}\n"))
            .collect();
        let partial = ready.with_extension("tmp");
        std::fs::write(&partial, lines)?;
        std::fs::rename(&partial, ready)?;
    }
    if let Some(until) = &args.until {
        while !until.exists() {
            turn(args, &mut poll, &mut events, &mut sessions)?;
        }
    }
    let report = Report {
        sessions: sessions.len(),
        sent: sessions.iter().map(|one| one.sent).sum(),
        answered: sessions.iter().map(|one| one.answered).sum(),
        moved: sessions.iter().filter(|one| one.strange > 0).count(),
        hosts: hosts(&sessions),
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn hosts(sessions: &[Session]) -> BTreeMap<u8, usize> {
    let mut hosts = BTreeMap::new();
    for host in sessions.iter().filter_map(|session| session.host) {
        *hosts.entry(host).or_default() += 1;
    }
    hosts
}

fn turn(args: &Args, poll: &mut Poll, events: &mut Events, sessions: &mut [Session]) -> Result<()> {
    let now = Instant::now();
    for session in sessions.iter_mut().filter(|session| session.due <= now) {
        session.due = now + Duration::from_millis(args.interval_ms);
        session.send(args.size)?;
    }
    match poll.poll(events, Some(Duration::from_millis(10))) {
        Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
        _ => {}
    }
    for event in events.iter() {
        if let Some(session) = sessions.get_mut(event.token().0) {
            session.receive()?;
        }
    }
    Ok(())
}

impl Session {
    fn send(&mut self, size: usize) -> Result<()> {
        let mut datagram = vec![0x55; size.max(6)];
        let first = if self.host.is_none() { INITIAL } else { SHORT };
        // The version of a long header is 1.
        datagram[..5].copy_from_slice(&[first, 0, 0, 0, 1]);
        match self.socket.send(&datagram) {
            Ok(_) => self.sent += 1,
            // A full queue, or an ICMP error about an earlier one: it counts as unanswered.
            Err(error) if is_passing(&error) => self.sent += 1,
            Err(error) => return Err(error).context("send"),
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<()> {
        let mut buffer = [0; 2048];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(got) => {
                    let host = host_in(&buffer[..got]);
                    self.answered += 1;
                    if self.host.is_none() {
                        self.host = host;
                    } else if host != self.host {
                        self.strange += 1;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error).context("receive"),
            }
        }
    }
}

fn is_passing(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::WouldBlock | ErrorKind::HostUnreachable
    )
}
