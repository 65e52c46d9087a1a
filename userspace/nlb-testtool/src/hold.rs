// SPDX-License-Identifier: GPL-2.0-only
//! Connections that stay and transfer all the time: the witnesses of every
//! change that must not break one.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ipnet::IpNet;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde::Serialize;

use crate::client::{host_in, open};
use crate::sources::Sources;

/// Which connections to keep.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to: ADDRESS:PORT of `tt serve`.
    #[arg(long)]
    to: SocketAddr,
    /// Where from: a network of which each address is local here.
    #[arg(long)]
    from: IpNet,
    /// How many connections.
    #[arg(long)]
    count: usize,
    /// Each sends a message every so many milliseconds.
    #[arg(long, default_value_t = 500)]
    interval_ms: u64,
    /// All must stand within so many seconds.
    #[arg(long, default_value_t = 60)]
    setup_s: u64,
    /// Stop once this file exists.
    #[arg(long)]
    until: PathBuf,
    /// Written once all connections stand: "HOST COUNT" lines.
    #[arg(long)]
    ready: PathBuf,
}

/// One message; the server's echo comes back whole.
const MESSAGE: &[u8] = b"0123456789abcde\n";

/// One connection of the run.
struct Held {
    stream: TcpStream,
    connected: bool,
    host: Option<u8>,
    greeting: Vec<u8>,
    sent: u64,
    echoed: u64,
    asked: Instant,
    worst: Duration,
    broken: Option<&'static str>,
}

/// What became of the connections to one host.
#[derive(Serialize, Default)]
struct HostReport {
    connections: u64,
    broken: u64,
    worst_stall_ms: u64,
}

#[derive(Serialize)]
struct Report {
    connections: usize,
    broken: u64,
    /// How they broke.
    causes: BTreeMap<&'static str, u64>,
    worst_stall_ms: u64,
    messages: u64,
    hosts: BTreeMap<u8, HostReport>,
}

/// Open the connections, keep them busy, and print the report as JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut sources = Sources::new(args.from, 0);
    let mut held = Vec::with_capacity(args.count);
    let mut events = Events::with_capacity(1024);
    let deadline = Instant::now() + Duration::from_secs(args.setup_s);

    // In batches, so that no listen queue overflows.
    while held.iter().any(|one: &Held| one.host.is_none()) || held.len() < args.count {
        let waiting = held.iter().filter(|one| one.host.is_none()).count();
        for _ in waiting..64 {
            if held.len() == args.count {
                break;
            }
            let mut one = Held::new(open(Some(SocketAddr::new(sources.next(), 0)), args.to)?);
            poll.registry().register(
                &mut one.stream,
                Token(held.len()),
                Interest::READABLE | Interest::WRITABLE,
            )?;
            held.push(one);
        }
        turn(&mut poll, &mut events, &mut held, Duration::from_millis(20))?;
        let failed = held.iter().filter(|one| one.broken.is_some()).count();
        if failed > 0 || Instant::now() > deadline {
            bail!("{failed} connections failed to come up, {waiting} still waiting");
        }
    }
    write_ready(args, &held)?;

    let interval = Duration::from_millis(args.interval_ms);
    while !args.until.exists() {
        let now = Instant::now();
        for one in &mut held {
            one.ask_if_due(now, interval);
        }
        turn(&mut poll, &mut events, &mut held, Duration::from_millis(20))?;
    }
    println!("{}", serde_json::to_string(&report(&held))?);
    Ok(())
}

fn turn(poll: &mut Poll, events: &mut Events, held: &mut [Held], wait: Duration) -> Result<()> {
    match poll.poll(events, Some(wait)) {
        Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
        _ => {}
    }
    for event in events.iter() {
        if let Some(one) = held.get_mut(event.token().0) {
            one.advance();
        }
    }
    Ok(())
}

fn write_ready(args: &Args, held: &[Held]) -> Result<()> {
    let mut hosts: BTreeMap<u8, u64> = BTreeMap::new();
    for host in held.iter().filter_map(|one| one.host) {
        *hosts.entry(host).or_default() += 1;
    }
    let lines: String = hosts
        .iter()
        .map(|(host, count)| format!("{host} {count}\n"))
        .collect();
    // Renamed into place, so that a reader never sees half of it.
    let partial = args.ready.with_extension("tmp");
    std::fs::write(&partial, lines)?;
    std::fs::rename(&partial, &args.ready)?;
    Ok(())
}

fn report(held: &[Held]) -> Report {
    let now = Instant::now();
    let mut hosts: BTreeMap<u8, HostReport> = BTreeMap::new();
    let mut causes = BTreeMap::new();
    for one in held {
        let host = hosts.entry(one.host.unwrap_or(0)).or_default();
        host.connections += 1;
        host.worst_stall_ms = host.worst_stall_ms.max(one.stall_ms(now));
        if let Some(cause) = one.broken {
            host.broken += 1;
            *causes.entry(cause).or_default() += 1;
        }
    }
    Report {
        connections: held.len(),
        broken: hosts.values().map(|host| host.broken).sum(),
        causes,
        worst_stall_ms: hosts.values().map(|h| h.worst_stall_ms).max().unwrap_or(0),
        messages: held.iter().map(|one| one.sent).sum(),
        hosts,
    }
}

impl Held {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            connected: false,
            host: None,
            greeting: Vec::new(),
            sent: 0,
            echoed: 0,
            asked: Instant::now(),
            worst: Duration::ZERO,
            broken: None,
        }
    }

    fn outstanding(&self) -> bool {
        self.echoed < self.sent * MESSAGE.len() as u64
    }

    /// The longest wait for an echo, one under way included.
    fn stall_ms(&self, now: Instant) -> u64 {
        let waiting = if self.outstanding() && self.broken.is_none() {
            now.duration_since(self.asked)
        } else {
            Duration::ZERO
        };
        u64::try_from(self.worst.max(waiting).as_millis()).unwrap_or(u64::MAX)
    }

    /// The next message, once the last has come back.
    fn ask_if_due(&mut self, now: Instant, interval: Duration) {
        if self.broken.is_some() || self.outstanding() || now < self.asked + interval {
            return;
        }
        self.asked = now;
        self.sent += 1;
        if let Err(error) = self.stream.write_all(MESSAGE) {
            self.broken = Some(cause(&error));
        }
    }

    fn advance(&mut self) {
        if self.broken.is_some() {
            return;
        }
        match self.try_advance() {
            Ok(()) => self.broken = Some("closed"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => self.broken = Some(cause(&error)),
        }
    }

    /// Reads until there is nothing left; `Ok` means the peer has closed.
    fn try_advance(&mut self) -> std::io::Result<()> {
        if !self.connected {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            match self.stream.peer_addr() {
                Err(error) if error.kind() == ErrorKind::NotConnected => {
                    return Err(ErrorKind::WouldBlock.into());
                }
                other => other?,
            };
            self.connected = true;
            let _ = self.stream.set_nodelay(true);
            self.stream.write_all(b"E")?;
        }
        let mut buffer = [0; 4096];
        loop {
            let mut got = match self.stream.read(&mut buffer)? {
                0 => return Ok(()),
                n => &buffer[..n],
            };
            if self.host.is_none() {
                // "host N\n" and the echo of the "E" that asked for it.
                self.greeting.extend_from_slice(got);
                got = &[];
                if self.greeting.ends_with(b"\nE") {
                    self.host = host_in(&self.greeting);
                }
            }
            self.echoed += got.len() as u64;
            // The time that the connection took to come up is no stall.
            if self.sent > 0 && !self.outstanding() {
                self.worst = self.worst.max(self.asked.elapsed());
            }
        }
    }
}

fn cause(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionReset => "reset",
        ErrorKind::ConnectionRefused => "refused",
        ErrorKind::TimedOut => "timeout",
        ErrorKind::BrokenPipe => "closed",
        _ => "other",
    }
}
