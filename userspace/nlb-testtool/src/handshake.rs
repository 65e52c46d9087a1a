// SPDX-License-Identifier: GPL-2.0-only
//! TCP connections that stop half way: a SYN is sent and answered, and only
//! when a file exists come the ACK and a request. What happened in between,
//! the server must not mind. The addresses are nobody's, so that no kernel
//! answers in their name.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};
use ipnet::IpNet;
use pnet_datalink::{Channel, Config, DataLinkReceiver, MacAddr};
use serde::Serialize;

use crate::client::host_in;
use crate::inject::Sender;
use crate::sources::Sources;

/// Which connections to begin.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The interface.
    #[arg(long)]
    dev: String,
    /// The MAC to send from: the one that the answers are sent to.
    #[arg(long)]
    from_mac: MacAddr,
    /// The virtual MAC.
    #[arg(long)]
    to_mac: MacAddr,
    /// ADDRESS:PORT of `tt serve`.
    #[arg(long)]
    to: SocketAddrV4,
    /// A network that is routed here, and of which no address is local.
    #[arg(long)]
    from: IpNet,
    /// How many connections.
    #[arg(long)]
    count: usize,
    /// Written once every SYN was answered.
    #[arg(long)]
    ready: PathBuf,
    /// The handshakes go on once this file exists.
    #[arg(long)]
    until: PathBuf,
    /// Seconds to wait for what is to come after that.
    #[arg(long, default_value_t = 8)]
    wait_s: u64,
}

/// The sequence number of the SYNs.
const FIRST: u32 = 1000;
const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
/// What is not answered is sent again so often.
const AGAIN: Duration = Duration::from_millis(700);

struct Connection {
    client: Ipv4Addr,
    /// Sequence number of the SYN-ACK, and of another one if there was one.
    server: Option<u32>,
    twice: bool,
    host: Option<u8>,
    reset: bool,
    due: Instant,
}

#[derive(Serialize)]
struct Report {
    connections: usize,
    /// SYNs that two hosts answered.
    answered_twice: usize,
    answered: usize,
    reset: usize,
    hosts: BTreeMap<u8, usize>,
}

/// All connections come from this port.
const PORT: u16 = 40_000;

struct Run<'a> {
    args: &'a Args,
    sender: Sender,
    receiver: Box<dyn DataLinkReceiver>,
    connections: Vec<Connection>,
}

/// Begin the connections, finish them, and print the report as JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut run = Run::new(args)?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while run.connections.iter().any(|one| one.server.is_none()) {
        run.turn(|connection| connection.server.is_none(), false)?;
        if Instant::now() > deadline {
            bail!("not every SYN was answered");
        }
    }
    std::fs::write(&args.ready, "")?;
    while !args.until.exists() {
        run.turn(|_| false, false)?;
    }
    let deadline = Instant::now() + Duration::from_secs(args.wait_s);
    while Instant::now() < deadline && run.connections.iter().any(Connection::is_open) {
        run.turn(Connection::is_open, true)?;
    }
    println!("{}", serde_json::to_string(&run.report())?);
    Ok(())
}

impl<'a> Run<'a> {
    fn new(args: &'a Args) -> Result<Self> {
        let interface = pnet_datalink::interfaces()
            .into_iter()
            .find(|interface| interface.name == args.dev)
            .with_context(|| format!("no interface {}", args.dev))?;
        let config = Config {
            read_timeout: Some(Duration::from_millis(10)),
            read_buffer_size: 65536,
            ..Config::default()
        };
        let Channel::Ethernet(_, receiver) = pnet_datalink::channel(&interface, config)? else {
            bail!("{} is not Ethernet", args.dev);
        };
        let mut sources = Sources::new(args.from, 0);
        let connections = (0..args.count).map(|_| match sources.next() {
            IpAddr::V4(client) => Ok(Connection::new(client)),
            IpAddr::V6(_) => bail!("--from is an IPv4 network"),
        });
        Ok(Self {
            args,
            sender: Sender::open(&args.dev)?,
            receiver,
            connections: connections.collect::<Result<_>>()?,
        })
    }

    /// Sends what is due for the connections that want it, and takes what has come.
    fn turn(&mut self, wants: impl Fn(&Connection) -> bool, finish: bool) -> Result<()> {
        let now = Instant::now();
        for number in 0..self.connections.len() {
            let connection = &mut self.connections[number];
            if !wants(connection) || connection.due > now {
                continue;
            }
            connection.due = now + AGAIN;
            let frame = self.frame(number, finish)?;
            self.sender.send(&frame)?;
        }
        let until = now + Duration::from_millis(20);
        while Instant::now() < until {
            match self.receiver.next() {
                Ok(frame) => {
                    if let Some(heard) = heard(frame, self.args.to) {
                        self.take(heard);
                    }
                }
                Err(error) if error.kind() == ErrorKind::TimedOut => break,
                Err(error) => return Err(error).context("receive"),
            }
        }
        Ok(())
    }

    /// The SYN of a connection, or its ACK with the request.
    fn frame(&self, number: usize, finish: bool) -> Result<Vec<u8>> {
        let connection = &self.connections[number];
        let (from, to) = (self.args.from_mac.octets(), self.args.to_mac.octets());
        let ip = PacketBuilder::ethernet2(from, to).ipv4(
            connection.client.octets(),
            self.args.to.ip().octets(),
            64,
        );
        let mut frame = Vec::new();
        if finish {
            let server = connection.server.context("its SYN was answered")?;
            ip.tcp(PORT, self.args.to.port(), FIRST + 1, 64_000)
                .ack(server.wrapping_add(1))
                .psh()
                .write(&mut frame, REQUEST)?;
        } else {
            ip.tcp(PORT, self.args.to.port(), FIRST, 64_000)
                .syn()
                .write(&mut frame, &[])?;
        }
        Ok(frame)
    }

    fn take(&mut self, heard: Heard) {
        let found = self
            .connections
            .iter_mut()
            .find(|connection| connection.client == heard.client);
        let Some(connection) = found else { return };
        if heard.syn {
            connection.twice |= connection.server.is_some_and(|server| server != heard.seq);
            connection.server.get_or_insert(heard.seq);
        }
        connection.reset |= heard.reset;
        connection.host = connection.host.or(heard.host);
    }

    fn report(&self) -> Report {
        let count =
            |what: fn(&Connection) -> bool| self.connections.iter().filter(|one| what(one)).count();
        let mut hosts = BTreeMap::new();
        for host in self.connections.iter().filter_map(|one| one.host) {
            *hosts.entry(host).or_default() += 1;
        }
        Report {
            connections: self.connections.len(),
            answered_twice: count(|one| one.twice),
            answered: count(|one| one.host.is_some()),
            reset: count(|one| one.reset),
            hosts,
        }
    }
}

impl Connection {
    fn new(client: Ipv4Addr) -> Self {
        Self {
            client,
            server: None,
            twice: false,
            host: None,
            reset: false,
            due: Instant::now(),
        }
    }

    fn is_open(&self) -> bool {
        self.host.is_none() && !self.reset
    }
}

/// What a segment of the server says.
struct Heard {
    client: Ipv4Addr,
    seq: u32,
    syn: bool,
    reset: bool,
    host: Option<u8>,
}

fn heard(frame: &[u8], server: SocketAddrV4) -> Option<Heard> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let ip = packet.net.as_ref()?.ipv4_ref()?.header();
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
        return None;
    };
    let ours = ip.source_addr() == *server.ip()
        && tcp.source_port() == server.port()
        && tcp.destination_port() == PORT;
    ours.then(|| Heard {
        client: ip.destination_addr(),
        seq: tcp.sequence_number(),
        syn: tcp.syn() && tcp.ack(),
        reset: tcp.rst(),
        host: host_in(tcp.payload()),
    })
}
