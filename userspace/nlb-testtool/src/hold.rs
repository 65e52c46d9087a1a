// SPDX-License-Identifier: GPL-2.0-only
//! Connections that stay and transfer all the time: the witnesses of every
//! change that must not break one.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ipnet::IpNet;
use mio::{Events, Interest, Poll, Token};
use serde::Serialize;

use crate::client::open;
use crate::held::{Held, MESSAGE_LEN, Part};
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
    /// So many more that send nothing until they are told to.
    #[arg(long, default_value_t = 0)]
    quiet: usize,
    /// Each sends a message every so many milliseconds.
    #[arg(long, default_value_t = 500)]
    interval_ms: u64,
    /// All must stand within so many seconds.
    #[arg(long, default_value_t = 60)]
    setup_s: u64,
    /// Close them once this file exists, as clients do.
    #[arg(long)]
    until: PathBuf,
    /// All must then be closed by the server too within so many seconds.
    #[arg(long, default_value_t = 60)]
    end_s: u64,
    /// Written once all connections stand: "HOST COUNT" lines.
    #[arg(long)]
    ready: PathBuf,
    /// Lines that are added to this file are carried out: "mark": times of
    /// breaks count from now; "speak": every quiet connection sends a message,
    /// and its times count from now; "close N": those to host N are closed, as
    /// clients close them.
    #[arg(long)]
    orders: Option<PathBuf>,
}

/// What became of the connections to one host.
#[derive(Serialize, Default)]
struct HostReport {
    connections: u64,
    broken: u64,
    closed: u64,
    worst_stall_ms: u64,
    /// From the last mark to the first break and to the last one.
    first_break_ms: Option<i64>,
    last_break_ms: Option<i64>,
}

#[derive(Serialize)]
struct Report {
    connections: usize,
    broken: u64,
    /// In order, by both sides.
    closed: u64,
    /// How they broke.
    causes: BTreeMap<&'static str, u64>,
    worst_stall_ms: u64,
    messages: u64,
    bytes: u64,
    /// Connections that send every interval, by host.
    hosts: BTreeMap<u8, HostReport>,
    /// Those that send when they are told to.
    quiet: BTreeMap<u8, HostReport>,
}

/// A run.
struct Run<'a> {
    args: &'a Args,
    poll: Poll,
    events: Events,
    held: Vec<Held>,
    orders: Option<BufReader<std::fs::File>>,
    mark: Instant,
    quiet_mark: Instant,
}

/// Open the connections, keep them busy, end them, and print the report as
/// JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    println!("{}", serde_json::to_string(&hold(args)?)?);
    Ok(())
}

fn hold(args: &Args) -> Result<Report> {
    let orders = args.orders.as_deref().map(open_orders).transpose()?;
    let mut run = Run {
        args,
        poll: Poll::new()?,
        events: Events::with_capacity(1024),
        held: Vec::with_capacity(args.count + args.quiet),
        orders,
        mark: Instant::now(),
        quiet_mark: Instant::now(),
    };
    run.set_up()?;
    run.write_ready()?;
    run.keep()?;
    run.end()?;
    Ok(run.report())
}

fn open_orders(path: &Path) -> Result<BufReader<std::fs::File>> {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .open(path);
    Ok(BufReader::new(
        file.with_context(|| path.display().to_string())?,
    ))
}

impl Run<'_> {
    /// In batches, so that no listen queue overflows.
    fn set_up(&mut self) -> Result<()> {
        let mut sources = Sources::new(self.args.from, 0);
        let all = self.args.count + self.args.quiet;
        let deadline = Instant::now() + Duration::from_secs(self.args.setup_s);
        loop {
            let waiting = self.held.iter().filter(|one| one.host.is_none()).count();
            if waiting == 0 && self.held.len() == all {
                return Ok(());
            }
            for _ in waiting..64 {
                if self.held.len() < all {
                    self.open_one(SocketAddr::new(sources.next(), 0))?;
                }
            }
            self.turn()?;
            let failed = self.held.iter().filter(|one| !one.stands()).count();
            if failed > 0 || Instant::now() > deadline {
                bail!("{failed} connections failed to come up, {waiting} still waiting");
            }
        }
    }

    fn open_one(&mut self, source: SocketAddr) -> Result<()> {
        let number = self.held.len();
        let part = if number < self.args.count {
            Part::Busy
        } else {
            Part::Quiet
        };
        let stream = open(Some(source), self.args.to)?;
        let mut one = Held::new(u64::try_from(number)?, stream, part);
        self.poll.registry().register(
            &mut one.stream,
            Token(number),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        self.held.push(one);
        Ok(())
    }

    fn keep(&mut self) -> Result<()> {
        let interval = Duration::from_millis(self.args.interval_ms);
        while !self.args.until.exists() {
            let now = Instant::now();
            for one in &mut self.held {
                one.ask_if_due(now, interval);
            }
            self.turn()?;
            self.carry_out_orders()?;
        }
        Ok(())
    }

    /// Whoever just exits leaves it to its kernel to close: that answers an
    /// echo that is unread, or still under way, by a reset, and nobody learns
    /// what became of the connections.
    fn end(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(self.args.end_s);
        self.held.iter_mut().for_each(Held::close);
        while self.held.iter().any(Held::stands) && Instant::now() < deadline {
            self.turn()?;
        }
        self.held.iter_mut().for_each(Held::give_up);
        Ok(())
    }

    fn turn(&mut self) -> Result<()> {
        let wait = Some(Duration::from_millis(20));
        match self.poll.poll(&mut self.events, wait) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &self.events {
            if let Some(one) = self.held.get_mut(event.token().0) {
                one.advance();
            }
        }
        Ok(())
    }

    fn carry_out_orders(&mut self) -> Result<()> {
        let Some(orders) = &mut self.orders else {
            return Ok(());
        };
        let mut line = String::new();
        // A line is written in one piece, so what is there is whole.
        while orders.read_line(&mut line)? > 0 {
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["speak"] => {
                    self.quiet_mark = Instant::now();
                    self.held
                        .iter_mut()
                        .filter(|one| one.part == Part::Quiet)
                        .for_each(Held::ask);
                }
                ["close", host] => {
                    let host = host.parse().context("close: a host id")?;
                    self.held
                        .iter_mut()
                        .filter(|one| one.host == Some(host))
                        .for_each(Held::close);
                }
                ["mark"] => {
                    self.mark = Instant::now();
                    self.quiet_mark = self.mark;
                }
                _ => bail!("no such order: {line}"),
            }
            line.clear();
        }
        Ok(())
    }

    fn write_ready(&self) -> Result<()> {
        let mut hosts: BTreeMap<u8, u64> = BTreeMap::new();
        for host in self.held.iter().filter_map(|one| one.host) {
            *hosts.entry(host).or_default() += 1;
        }
        let lines: String = hosts
            .iter()
            .map(|(host, count)| format!("{host} {count}\n"))
            .collect();
        // Renamed into place, so that a reader never sees half of it.
        let partial = self.args.ready.with_extension("tmp");
        std::fs::write(&partial, lines)?;
        std::fs::rename(&partial, &self.args.ready)?;
        Ok(())
    }

    fn report(&self) -> Report {
        let now = Instant::now();
        let mut report = Report {
            connections: self.held.len(),
            broken: 0,
            closed: 0,
            causes: BTreeMap::new(),
            worst_stall_ms: 0,
            messages: 0,
            bytes: 0,
            hosts: BTreeMap::new(),
            quiet: BTreeMap::new(),
        };
        for one in &self.held {
            let (hosts, mark) = match one.part {
                Part::Busy => (&mut report.hosts, self.mark),
                Part::Quiet => (&mut report.quiet, self.quiet_mark),
            };
            let host = hosts.entry(one.host.unwrap_or(0)).or_default();
            host.add(one, now, mark);
            report.broken += u64::from(one.broken.is_some());
            report.closed += u64::from(one.closed);
            report.worst_stall_ms = report.worst_stall_ms.max(host.worst_stall_ms);
            report.messages += one.messages;
            if let Some(end) = one.broken {
                *report.causes.entry(end.cause).or_default() += 1;
            }
        }
        report.bytes = report.messages * MESSAGE_LEN;
        report
    }
}

impl HostReport {
    fn add(&mut self, one: &Held, now: Instant, mark: Instant) {
        self.connections += 1;
        self.closed += u64::from(one.closed);
        self.worst_stall_ms = self.worst_stall_ms.max(one.stall_ms(now));
        if let Some(end) = one.broken {
            self.broken += 1;
            let after = ms_between(mark, end.at);
            self.first_break_ms = Some(self.first_break_ms.map_or(after, |old| old.min(after)));
            self.last_break_ms = self.last_break_ms.max(Some(after));
        }
    }
}

/// Milliseconds from one moment to another, negative if that was before.
fn ms_between(from: Instant, to: Instant) -> i64 {
    let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    match to.checked_duration_since(from) {
        Some(after) => ms(after),
        None => -ms(from.duration_since(to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    /// A run of one connection to a server in this process, which is told to
    /// end when the first message has come; from there on the server is `end`.
    fn run_to(name: &str, end: impl FnOnce(TcpStream, [u8; 16]) + Send + 'static) -> Report {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = std::env::temp_dir().join(format!("tt-hold-{}-{name}", std::process::id()));
        let args = Args {
            to: listener.local_addr().unwrap(),
            from: "127.0.0.1/32".parse().unwrap(),
            count: 1,
            quiet: 0,
            interval_ms: 10,
            setup_s: 10,
            until: base.with_extension("until"),
            end_s: 1,
            ready: base.with_extension("ready"),
            orders: None,
        };
        let until = args.until.clone();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0]).unwrap();
            stream.write_all(b"host 3\nE").unwrap();
            let mut message = [0; 16];
            stream.read_exact(&mut message).unwrap();
            std::fs::write(until, "").unwrap();
            end(stream, message);
        });
        let report = hold(&args).unwrap();
        server.join().unwrap();
        std::fs::remove_file(&args.until).unwrap();
        std::fs::remove_file(&args.ready).unwrap();
        report
    }

    #[test]
    fn the_last_echo_is_taken_before_the_end() {
        let report = run_to("echo", |mut stream, message| {
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
            std::thread::sleep(Duration::from_millis(50));
            // Were the socket gone, a reset would come back and no second one
            // could be written.
            stream.write_all(&message[..8]).unwrap();
            std::thread::sleep(Duration::from_millis(50));
            stream.write_all(&message[8..]).unwrap();
        });
        assert_eq!((report.closed, report.broken), (1, 0));
        assert!(report.worst_stall_ms >= 90);
    }

    #[test]
    fn a_server_that_resets_instead_of_closing_breaks_it() {
        let report = run_to("reset", |mut stream, message| {
            stream.write_all(&message).unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
            let socket = socket2::Socket::from(stream);
            socket.set_linger(Some(Duration::ZERO)).unwrap();
        });
        assert_eq!((report.closed, report.broken), (0, 1));
        assert_eq!(report.causes.keys().collect::<Vec<_>>(), [&"reset"]);
    }

    #[test]
    fn a_server_that_never_closes_breaks_it() {
        let report = run_to("silent", |mut stream, message| {
            stream.write_all(&message).unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
            std::thread::sleep(Duration::from_millis(1500));
        });
        assert_eq!((report.closed, report.broken), (0, 1));
        assert_eq!(report.causes.keys().collect::<Vec<_>>(), [&"no end"]);
    }
}
