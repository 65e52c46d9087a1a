// SPDX-License-Identifier: GPL-2.0-only
//! Requests from many addresses: as many at once as allowed, or one every
//! interval whatever became of those before it.

use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ipnet::IpNet;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::client::{Failure, Outcome, Request, host_in};
use crate::sources::Sources;
use crate::summary::{Attempt, Summary};

/// How requests are made.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to: ADDRESS:PORT.
    #[arg(long)]
    to: SocketAddr,
    /// Where from: a network of which each address is local here.
    #[arg(long)]
    from: IpNet,
    /// Use only the first N addresses of it.
    #[arg(long, default_value_t = 0)]
    sources: u64,
    /// How many requests to make.
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    count: u64,
    /// How many may be under way at once.
    #[arg(long, default_value_t = 64)]
    parallel: usize,
    /// Start one every so many milliseconds instead.
    #[arg(long)]
    interval_ms: Option<u64>,
    /// Give a request up after so many milliseconds.
    #[arg(long, default_value_t = 5000)]
    timeout_ms: u64,
    /// Stop starting requests once this file exists.
    #[arg(long)]
    until: Option<PathBuf>,
    /// Write a line for each request here: start ms, source, port, host id
    /// or failure, connect ms.
    #[arg(long)]
    list: Option<PathBuf>,
    /// UDP datagrams instead of TCP connections, one after the other.
    #[arg(long)]
    udp: bool,
}

/// Make the requests and print the summary as JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    let began = Instant::now();
    let mut attempts = if args.udp {
        run_udp(args, began)?
    } else {
        Run::new(args, began)?.run()?
    };
    let summary = Summary::of(&mut attempts, began.elapsed());
    if let Some(path) = &args.list {
        let file = std::fs::File::create(path).with_context(|| path.display().to_string())?;
        let mut out = std::io::BufWriter::new(file);
        for attempt in &attempts {
            writeln!(out, "{}", attempt.line())?;
        }
        out.flush()?;
    }
    println!("{}", serde_json::to_string(&summary)?);
    Ok(())
}

/// A run of TCP requests.
struct Run<'a> {
    args: &'a Args,
    began: Instant,
    poll: Poll,
    sources: Sources,
    requests: Slab<Request>,
    started: u64,
    next_start: Instant,
    next_look: Instant,
    stopped: bool,
    done: Vec<Attempt>,
}

impl<'a> Run<'a> {
    fn new(args: &'a Args, began: Instant) -> Result<Self> {
        Ok(Self {
            args,
            began,
            poll: Poll::new()?,
            sources: Sources::new(args.from, args.sources),
            requests: Slab::new(),
            started: 0,
            next_start: began,
            next_look: began,
            stopped: false,
            done: Vec::new(),
        })
    }

    fn run(mut self) -> Result<Vec<Attempt>> {
        let mut events = Events::with_capacity(1024);
        loop {
            self.start_due()?;
            if self.requests.is_empty() && self.over() {
                return Ok(self.done);
            }
            self.poll
                .poll(&mut events, Some(self.wait()))
                .or_else(|error| match error.kind() {
                    std::io::ErrorKind::Interrupted => Ok(()),
                    _ => Err(error),
                })?;
            for event in &events {
                self.advance(event.token().0);
            }
            self.give_up_old();
        }
    }

    fn over(&self) -> bool {
        self.stopped || self.started >= self.args.count
    }

    /// Start what may be started now.
    fn start_due(&mut self) -> Result<()> {
        let now = Instant::now();
        if now >= self.next_look {
            self.next_look = now + Duration::from_millis(20);
            self.stopped |= self.args.until.as_ref().is_some_and(|path| path.exists());
        }
        while !self.over() {
            match self.args.interval_ms {
                Some(_) if now < self.next_start => break,
                Some(interval) => self.next_start += Duration::from_millis(interval),
                None if self.requests.len() >= self.args.parallel => break,
                None => {}
            }
            self.start_one()?;
        }
        Ok(())
    }

    fn start_one(&mut self) -> Result<()> {
        self.started += 1;
        let source = self.sources.next();
        match Request::start(source, self.args.to) {
            Ok(request) => {
                let entry = self.requests.vacant_entry();
                let token = Token(entry.key());
                let request = entry.insert(request);
                self.poll.registry().register(
                    &mut request.stream,
                    token,
                    Interest::READABLE | Interest::WRITABLE,
                )?;
            }
            Err(failure) => self.done.push(Attempt {
                start: self.began.elapsed(),
                source: SocketAddr::new(source, 0),
                outcome: Err(failure),
                connect: None,
                total: Duration::ZERO,
            }),
        }
        Ok(())
    }

    /// Until the next start or look at the clock.
    fn wait(&self) -> Duration {
        let tick = Duration::from_millis(20);
        match self.args.interval_ms {
            Some(_) if !self.over() => self
                .next_start
                .saturating_duration_since(Instant::now())
                .min(tick),
            _ => tick,
        }
    }

    fn advance(&mut self, key: usize) {
        if let Some(outcome) = self.requests.get_mut(key).and_then(Request::advance) {
            self.finish(key, outcome);
        }
    }

    fn finish(&mut self, key: usize, outcome: Outcome) {
        let request = self.requests.remove(key);
        self.done.push(Attempt {
            start: request.started.duration_since(self.began),
            source: request.source,
            outcome,
            connect: request.connect_time(),
            total: request.started.elapsed(),
        });
    }

    fn give_up_old(&mut self) {
        let limit = Duration::from_millis(self.args.timeout_ms);
        let old: Vec<usize> = self
            .requests
            .iter()
            .filter(|(_, request)| request.started.elapsed() > limit)
            .map(|(key, _)| key)
            .collect();
        for key in old {
            self.finish(key, Err(Failure::Timeout));
        }
    }
}

/// UDP: each datagram from a socket of its own, its answer awaited.
fn run_udp(args: &Args, began: Instant) -> Result<Vec<Attempt>> {
    let mut sources = Sources::new(args.from, args.sources);
    let mut attempts = Vec::new();
    for _ in 0..args.count {
        if args.until.as_ref().is_some_and(|path| path.exists()) {
            break;
        }
        let started = Instant::now();
        let socket = UdpSocket::bind((sources.next(), 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(args.timeout_ms)))?;
        socket.connect(args.to)?;
        let mut answer = [0; 512];
        let outcome = match socket.send(b"who\n").and_then(|_| socket.recv(&mut answer)) {
            Ok(n) => host_in(&answer[..n]).ok_or(Failure::Garbled),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                Err(Failure::Refused)
            }
            Err(_) => Err(Failure::Timeout),
        };
        attempts.push(Attempt {
            start: started.duration_since(began),
            source: socket.local_addr()?,
            outcome,
            connect: outcome.ok().map(|_| started.elapsed()),
            total: started.elapsed(),
        });
        if let Some(interval) = args.interval_ms {
            std::thread::sleep(Duration::from_millis(interval).saturating_sub(started.elapsed()));
        }
    }
    Ok(attempts)
}
