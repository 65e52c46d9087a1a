// SPDX-License-Identifier: GPL-2.0-only
//! Company for a real host: all other members of its cluster, as nodes of the
//! same core in one process. They join it, and then heartbeats of theirs are
//! sent in bursts, so that the cost of receiving one can be told.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant as Clock};

use anyhow::{Context, Result, bail, ensure};
use nlb_core::auth::{Authenticator, Verified};
use nlb_core::config::{Config, Dedicated, Rules, SlotKind, Terms, Timing, cluster_id};
use nlb_core::host::HostId;
use nlb_core::limits::{BUCKETS, ETHERTYPE, FRAME_MAX, HOSTS_MAX, TAG_LEN};
use nlb_core::node::{Command, Node};
use nlb_core::peer::Path;
use nlb_core::store::Sizes;
use nlb_core::time::{Instant, NS_PER_MS};
use nlb_core::wire::{HEADER_LEN, Kind, VERSIONS};
use nlb_tables::Tables;
use pnet_datalink::{Channel, DataLinkReceiver, DataLinkSender};

use crate::key::Key;

/// Who to be.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The interface on which the real host is; it has host id 1.
    #[arg(long)]
    dev: String,
    /// Name of the cluster.
    #[arg(long)]
    cluster: String,
    /// Its key, as `nlbadm genkey` prints it.
    #[arg(long)]
    key_file: PathBuf,
    /// Hosts of the cluster, with the real one.
    #[arg(long)]
    hosts: u8,
    /// Milliseconds between two heartbeats.
    #[arg(long)]
    period_ms: u64,
    /// Heartbeats that may be missed.
    #[arg(long)]
    tolerance: u32,
    /// Bursts that are sent and measured.
    #[arg(long, default_value_t = 4)]
    bursts: u32,
    /// Where the frames of the last burst are left, for `--again`.
    #[arg(long)]
    save: PathBuf,
    /// Send what is saved once more, whoever may receive it now.
    #[arg(long)]
    again: bool,
}

/// The address and load weight of no host in particular matter here.
const WEIGHT: u8 = 50;

/// Bytes of an Ethernet header.
const ETHERNET_LEN: usize = 14;

/// Where the body of a heartbeat has the digests of settings and rules, and
/// how many weights there are (`docs/protocol.md`, 1.2).
const SETTINGS_AT: usize = HEADER_LEN + 64;
const RULES_AT: usize = HEADER_LEN + 72;
const WEIGHTS_AT: usize = HEADER_LEN + 108;

/// Run and print the costs as JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut link = Link::open(&args.dev)?;
    let frames = if args.again {
        let frames = load(&args.save)?;
        for _ in 0..args.bursts {
            link.measure(&frames)?;
        }
        frames
    } else {
        let mut company = Company::new(args, &mut link)?;
        company.converge(&mut link)?;
        let mut frames = Vec::new();
        for _ in 0..args.bursts {
            frames = company.burst(&mut link)?;
            company.rest(&mut link)?;
        }
        ensure!(company.complete(), "the hosts have not stayed together");
        save(&args.save, &frames)?;
        frames
    };
    let bytes = frames.first().map_or(0, |frame| frame.len() - ETHERNET_LEN);
    println!(
        "{{\"hosts\":{},\"frames\":{},\"bytes\":{bytes},\"blocks\":{},\"ns\":{}}}",
        args.hosts,
        frames.len(),
        blocks(bytes),
        link.best
    );
    Ok(())
}

/// SHA-256 blocks of a frame under a prepared key: the message, with its
/// padding of at least 9 bytes. The one block of HMAC's outer hash, which comes
/// on top, is not counted.
fn blocks(bytes: usize) -> usize {
    (bytes.saturating_sub(TAG_LEN) + 9).div_ceil(64)
}

fn save(path: &PathBuf, frames: &[Vec<u8>]) -> Result<()> {
    let mut bytes = Vec::new();
    for frame in frames {
        bytes.extend_from_slice(&u16::try_from(frame.len())?.to_be_bytes());
        bytes.extend_from_slice(frame);
    }
    fs::write(path, bytes).with_context(|| path.display().to_string())
}

fn load(path: &PathBuf) -> Result<Vec<Vec<u8>>> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    let (mut rest, mut frames) = (&bytes[..], Vec::new());
    while let Some((len, tail)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*len));
        ensure!(tail.len() >= len, "{}: cut short", path.display());
        let (frame, tail) = tail.split_at(len);
        frames.push(frame.to_vec());
        rest = tail;
    }
    Ok(frames)
}

/// The wire to the real host.
struct Link {
    sender: Box<dyn DataLinkSender>,
    receiver: Box<dyn DataLinkReceiver>,
    mac: [u8; 6],
    /// Least nanoseconds for a frame of a burst.
    best: u128,
}

impl Link {
    fn open(device: &str) -> Result<Self> {
        let interface = pnet_datalink::interfaces()
            .into_iter()
            .find(|interface| interface.name == device)
            .with_context(|| format!("no interface {device}"))?;
        let mac = interface.mac.context("it has no MAC")?.octets();
        let config = pnet_datalink::Config {
            read_timeout: Some(Duration::from_millis(1)),
            promiscuous: true,
            ..Default::default()
        };
        match pnet_datalink::channel(&interface, config)? {
            Channel::Ethernet(sender, receiver) => Ok(Self {
                sender,
                receiver,
                mac,
                best: u128::MAX,
            }),
            _ => bail!("{device} is not Ethernet"),
        }
    }

    fn send(&mut self, frame: &[u8]) -> Result<()> {
        let sent = self.sender.send_to(frame, None);
        sent.context("the frame does not fit the send buffer")?
            .context("send")
    }

    /// The next frame of the protocol, with its Ethernet header; none if there
    /// is none within a millisecond.
    fn receive(&mut self) -> Result<Option<Vec<u8>>> {
        match self.receiver.next() {
            Ok(frame) if frame.get(12..14) == Some(&ETHERTYPE.to_be_bytes()[..]) => {
                Ok((frame.get(6..12) != Some(&self.mac[..])).then(|| frame.to_vec()))
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Ok(None),
            Err(error) => Err(error).context("receive"),
        }
    }

    /// Sends frames and notes what one of them took. On a virtual Ethernet pair
    /// each is received before the call returns.
    fn measure(&mut self, frames: &[Vec<u8>]) -> Result<()> {
        let began = Clock::now();
        for frame in frames {
            self.send(frame)?;
        }
        let count = u128::try_from(frames.len().max(1))?;
        self.best = self.best.min(began.elapsed().as_nanos() / count);
        Ok(())
    }
}

/// Frames that never left this process are believed.
struct Trusting<'a>(&'a Key);

impl Authenticator for Trusting<'_> {
    fn authenticated(&self) -> bool {
        true
    }

    fn key_id(&self) -> u8 {
        self.0.key_id()
    }

    fn stamp(&self, key_id: u8, header: &[u8]) -> Option<u64> {
        self.0.stamp(key_id, header)
    }

    fn sign(&self, key_id: u8, message: &[u8]) -> Option<[u8; TAG_LEN]> {
        self.0.sign(key_id, message)
    }

    fn verify(&self, _key_id: u8, _message: &[u8], _tag: &[u8; TAG_LEN]) -> Verified {
        Verified::Ok
    }
}

/// All hosts but the first.
struct Company {
    nodes: Vec<Node<Tables>>,
    key: Key,
    hosts: u32,
    period_ns: u64,
    tolerance: u32,
    /// The Ethernet header of all frames.
    head: Vec<u8>,
    began: Clock,
}

impl Company {
    /// Hosts with the settings and rules that the first heartbeat of the real
    /// one tells.
    fn new(args: &Args, link: &mut Link) -> Result<Self> {
        let period_ns = args.period_ms * NS_PER_MS;
        let heartbeat = first_heartbeat(link, 20 * period_ns)?;
        let word = |at: usize| -> Result<u64> {
            let bytes = heartbeat
                .get(ETHERNET_LEN + at..)
                .and_then(|b| b.first_chunk());
            Ok(u64::from_be_bytes(
                *bytes.context("the heartbeat is too short")?,
            ))
        };
        let slots = heartbeat[ETHERNET_LEN + WEIGHTS_AT];
        let mut company = Self {
            nodes: Vec::new(),
            key: Key::read(1, &args.key_file)?,
            hosts: u32::from(args.hosts),
            period_ns,
            tolerance: args.tolerance,
            head: [&heartbeat[..6], &link.mac[..], &ETHERTYPE.to_be_bytes()[..]].concat(),
            began: Clock::now(),
        };
        let now = company.now();
        for host in (2..=args.hosts).filter_map(HostId::new) {
            let config = Config {
                cluster_id: cluster_id(args.cluster.as_bytes()),
                host,
                buckets: u16::try_from(BUCKETS)?,
                terms: Terms {
                    settings: word(SETTINGS_AT)?,
                    timing: Timing {
                        period_ns,
                        tolerance: args.tolerance,
                    },
                },
                rules: rules(word(RULES_AT)?, slots, host),
                dedicated: Dedicated::new(&[10, 0, 0, host.get()]).unwrap_or(Dedicated::NONE),
                versions: VERSIONS,
            };
            let mut node = Node::new(
                &config,
                Tables::new(Sizes::new(HOSTS_MAX, usize::from(slots), BUCKETS)),
            )
            .map_err(|error| anyhow::anyhow!("configuration: {error:?}"))?;
            node.handle_command(now, Command::Start, fastrand::u64(1..))
                .map_err(|error| anyhow::anyhow!("start: {error:?}"))?;
            company.nodes.push(node);
        }
        Ok(company)
    }

    fn now(&self) -> Instant {
        // Never the time 0, which is before all others.
        Instant(1 + u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Whether all see all as members.
    fn complete(&self) -> bool {
        let all = |node: &Node<Tables>| node.view_members().len() == self.hosts;
        self.nodes.iter().all(all)
    }

    fn converge(&mut self, link: &mut Link) -> Result<()> {
        let end = self.now().after(self.silence() * 4);
        while !self.complete() {
            ensure!(self.now() < end, "the hosts do not converge");
            self.step(link)?;
        }
        // Until nothing of the convergence is left to be told.
        self.rest(link)
    }

    fn silence(&self) -> u64 {
        self.period_ns * u64::from(self.tolerance)
    }

    /// Lives on, until clocks that ran ahead for a burst are right again.
    fn rest(&mut self, link: &mut Link) -> Result<()> {
        let end = self
            .now()
            .after(self.ahead() * self.period_ns + 3 * self.period_ns);
        while self.now() < end {
            self.step(link)?;
        }
        Ok(())
    }

    /// Heartbeats of a host in a burst: fewer than may be missed, as none is
    /// heard meanwhile.
    fn ahead(&self) -> u64 {
        u64::from(self.tolerance / 2)
    }

    /// One turn: a frame of the real host, if there is one, timers, and what
    /// follows.
    fn step(&mut self, link: &mut Link) -> Result<()> {
        if let Some(frame) = link.receive()? {
            let now = self.now();
            for node in &mut self.nodes {
                let _ = node.handle_frame(now, Path::Segment, &frame[ETHERNET_LEN..], &self.key);
            }
        }
        let now = self.now();
        for node in &mut self.nodes {
            if node.poll_timeout() <= now {
                node.handle_timeout(now);
            }
        }
        self.pass_on(link)
    }

    /// Everything that is to be sent, to each other and on the wire.
    fn pass_on(&mut self, link: &mut Link) -> Result<()> {
        let mut buffer = [0; FRAME_MAX];
        let mut idle = false;
        while !idle {
            idle = true;
            for sender in 0..self.nodes.len() {
                while let Some(sent) = self.nodes[sender].poll_transmit(&mut buffer, &self.key) {
                    idle = false;
                    let message = &buffer[..sent.len];
                    let now = self.now();
                    for (_, node) in self
                        .nodes
                        .iter_mut()
                        .enumerate()
                        .filter(|(n, _)| *n != sender)
                    {
                        let _ =
                            node.handle_frame(now, Path::Segment, message, &Trusting(&self.key));
                    }
                    link.send(&[&self.head[..], message].concat())?;
                }
                while self.nodes[sender].poll_event().is_some() {}
            }
        }
        Ok(())
    }

    /// Sends and measures heartbeats of all hosts, as if time had passed
    /// between them, and says which these were.
    fn burst(&mut self, link: &mut Link) -> Result<Vec<Vec<u8>>> {
        let mut frames = Vec::new();
        let mut buffer = [0; FRAME_MAX];
        let now = self.now();
        for turn in 1..=self.ahead() {
            for node in &mut self.nodes {
                node.handle_timeout(now.after(turn * self.period_ns));
                while let Some(sent) = node.poll_transmit(&mut buffer, &self.key) {
                    frames.push([&self.head[..], &buffer[..sent.len]].concat());
                }
            }
        }
        let first = self.ahead() * u64::try_from(self.nodes.len())?;
        ensure!(
            u64::try_from(frames.len())? == first,
            "not one frame in each period"
        );
        link.measure(&frames)?;
        Ok(frames)
    }
}

/// The rules of a cluster with one rule, by their digest: its slot is shared by
/// weight, and the one for what no rule covers belongs to the default host.
fn rules(digest: u64, slots: u8, host: HostId) -> Rules {
    let mut rules = Rules::one(digest, WEIGHT);
    rules.slots = u16::from(slots);
    let last = usize::from(slots).saturating_sub(1);
    rules.kinds[last] = SlotKind::Single;
    rules.weights[last] = host.get();
    rules
}

fn first_heartbeat(link: &mut Link, ns: u64) -> Result<Vec<u8>> {
    let began = Clock::now();
    while began.elapsed() < Duration::from_nanos(ns) {
        let Some(frame) = link.receive()? else {
            continue;
        };
        let message = &frame[ETHERNET_LEN..];
        if message.len() > WEIGHTS_AT && message[5] == Kind::Heartbeat as u8 {
            return Ok(frame);
        }
    }
    bail!("nobody is heard")
}
