// SPDX-License-Identifier: GPL-2.0-only
//! The golden packets, one after the other into the real hook.
//!
//! Each frame is sent out of the switch's end of a host's cable. What the hook
//! made of it is read from the host: the counters by reason must have changed
//! by exactly one packet of the right reason, those of the rules likewise, and
//! the stack must have received what was let through, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{setsockopt, sockopt::TcpRepair};
use nlb_core::reason::Reason;
use nlb_netlink::{Client, NetlinkSocket};
use pnet_datalink::{Channel, Config, DataLinkReceiver};
use serde::Serialize;
use socket2::{Domain, Protocol, Socket, Type};

use crate::goldentable::{Line, Session, Table, unhex};
use crate::inject::Sender;

/// What to do with the table.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The table, as scripts/golden/table.py prints it.
    #[arg(long)]
    table: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Name the clusters of the table.
    Clusters,
    /// Print the rules of a cluster, as a file for nlbadm.
    Rules { cluster: String },
    /// Print the numbers of the rules that are disabled on the host.
    Disabled { cluster: String },
    /// Print the options that nlbadm makes the cluster with.
    Options { cluster: String },
    /// Count the packets.
    Count,
    /// Have the connections because of which buckets have sessions, until killed.
    Witness(WitnessArgs),
    /// Send packets, and compare what becomes of them.
    Run(RunArgs),
}

/// Whose connections to have.
#[derive(clap::Args)]
struct WitnessArgs {
    /// The cluster.
    #[arg(long)]
    cluster: String,
    /// For the packets of these states: owner/moved/others/default.
    #[arg(long = "state", required = true)]
    states: Vec<String>,
    /// Written once they are there.
    #[arg(long)]
    ready: PathBuf,
}

/// Which packets to send, and where.
#[derive(clap::Args)]
struct RunArgs {
    /// The cluster.
    #[arg(long)]
    cluster: String,
    /// The packets of these states: owner/moved/others/default.
    #[arg(long = "state", required = true)]
    states: Vec<String>,
    /// The switch's end of the host's cable.
    #[arg(long)]
    dev: String,
    /// The host's network namespace.
    #[arg(long)]
    netns: PathBuf,
    /// The interface of the host's cluster.
    #[arg(long, default_value = "eth0")]
    ifname: String,
    /// Only packets that belong to a connection, which the host has.
    #[arg(long)]
    known: bool,
}

#[derive(Serialize)]
struct Report {
    frames: usize,
    right: usize,
    /// What differs, for people: the first few.
    wrong: Vec<String>,
}

/// Carry out what is asked.
pub(crate) fn run(args: &Args) -> Result<()> {
    let table = Table::read(&args.table)?;
    match &args.what {
        What::Clusters => table
            .clusters
            .iter()
            .for_each(|cluster| println!("{}", cluster.name)),
        What::Rules { cluster } => print!("{}", table.cluster(cluster)?.rule_file()?),
        What::Disabled { cluster } => {
            for number in table.cluster(cluster)?.disabled_rules() {
                println!("{number}");
            }
        }
        What::Options { cluster } => {
            let cluster = table.cluster(cluster)?;
            let vips: String = cluster
                .all("vip")
                .map(|vip| format!(" --vip {vip}"))
                .collect();
            let (mode, echo) = (cluster.need("mode")?, cluster.need("echo")?);
            println!("--mode {mode} --echo {echo}{vips}");
        }
        What::Count => println!("{}", table.packets.len()),
        What::Witness(args) => witness(&table, args)?,
        What::Run(args) => println!("{}", serde_json::to_string(&send_all(&table, args)?)?),
    }
    Ok(())
}

/// A connection that is there without a packet having been sent for it, and
/// that goes in the same way.
pub(crate) fn connection(session: Session) -> Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(session.vip),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    let context = || format!("the connection {session:?}");
    setsockopt(&socket, TcpRepair, &1).context("TCP_REPAIR")?;
    socket
        .bind(&session.vip.into())
        .and_then(|()| socket.connect(&session.client.into()))
        .with_context(context)?;
    Ok(socket)
}

fn witness(table: &Table, args: &WitnessArgs) -> Result<()> {
    let mut sessions = BTreeSet::new();
    for line in table.packets(&args.cluster, &args.states) {
        sessions.extend(line.session("witness")?);
    }
    let held: Vec<Socket> = sessions
        .into_iter()
        .map(connection)
        .collect::<Result<_>>()?;
    std::fs::write(&args.ready, format!("{}\n", held.len()))?;
    loop {
        std::thread::park();
    }
}

fn send_all(table: &Table, args: &RunArgs) -> Result<Report> {
    let mut host = Host::open(args)?;
    let mut report = Report {
        frames: 0,
        right: 0,
        wrong: Vec::new(),
    };
    for line in table.packets(&args.cluster, &args.states) {
        let session = line.session("session")?;
        let asked = line.need("verdict")? == "ask";
        if args.known && !(asked && session.is_some()) {
            continue;
        }
        report.frames += 1;
        let expected = Expected::of(line, args.known)?;
        // It is there while the packet is on its way.
        let held = session.filter(|_| args.known).map(connection).transpose()?;
        let difference = host.try_packet(line, &expected)?;
        drop(held);
        match difference {
            None => report.right += 1,
            Some(text) if report.wrong.len() < 20 => {
                report.wrong.push(format!("{}: {text}", line.name));
            }
            Some(_) => {}
        }
    }
    Ok(report)
}

/// What must become of a packet.
struct Expected {
    reason: String,
    rule: Option<u16>,
    verdict: Verdict,
    reply: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Pass,
    Accept,
    Drop,
}

impl Expected {
    fn of(line: &Line, known: bool) -> Result<Self> {
        let verdict = line.need("verdict")?;
        let (verdict, reason) = match verdict {
            "ask" => {
                let reason = match line.get("settled") {
                    // No connection can be in its bucket, as the walk over the kernel's has found.
                    Some(settled) if !known => settled,
                    _ => line.need(if known { "known" } else { "unknown" })?,
                };
                (reason.split('-').next().unwrap_or_default(), reason)
            }
            "neighbour" => line
                .need("nd")?
                .split_once(',')
                .context("an action and a reason")?,
            verdict => (verdict, line.need("reason")?),
        };
        Ok(Self {
            reason: reason.to_owned(),
            rule: line.need("rule")?.parse().ok(),
            verdict: match verdict {
                "pass" | "passed" => Verdict::Pass,
                "accept" | "accepted" => Verdict::Accept,
                "drop" | "dropped" | "silent" => Verdict::Drop,
                other => bail!("no such verdict: {other}"),
            },
            reply: line.get("reply").map(|_| line.bytes("reply")).transpose()?,
        })
    }

    /// How many packets the IP layer receives of the frame.
    fn delivered(&self, frame: &[u8], own_mac: [u8; 6]) -> u64 {
        let is_ip = matches!(frame.get(12..14), Some([0x08, 0x00] | [0x86, 0xdd]));
        // What is passed is as it was: a frame for another station, or with the
        // tag of another network, is none that IP receives.
        let for_host = frame.first().is_some_and(|first| first & 1 != 0)
            || frame.get(..6) == Some(&own_mac[..]);
        match self.verdict {
            Verdict::Drop => 0,
            Verdict::Accept => 1,
            Verdict::Pass => u64::from(is_ip && for_host),
        }
    }
}

/// The counts of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counts {
    reasons: BTreeMap<String, u64>,
    /// Accepted and dropped, by rule.
    rules: BTreeMap<u16, (u64, u64)>,
    /// Packets that reached IP.
    received: u64,
}

/// The host that packets are sent to.
struct Host {
    sender: Sender,
    receiver: Box<dyn DataLinkReceiver>,
    client: Client<NetlinkSocket>,
    ifname: String,
    ifindex: u32,
    mac: [u8; 6],
    /// As they were last seen.
    counts: Counts,
}

/// How long a packet may take to be counted.
const PATIENCE: Duration = Duration::from_secs(5);

impl Host {
    /// The sockets of the wire belong to the switch, all others to the host.
    fn open(args: &RunArgs) -> Result<Self> {
        let sender = Sender::open(&args.dev)?;
        let receiver = receiver(&args.dev)?;
        let netns = File::open(&args.netns).with_context(|| args.netns.display().to_string())?;
        setns(&netns, CloneFlags::CLONE_NEWNET).context("setns")?;
        let interface = pnet_datalink::interfaces()
            .into_iter()
            .find(|interface| interface.name == args.ifname)
            .with_context(|| format!("no interface {}", args.ifname))?;
        let mut host = Self {
            sender,
            receiver,
            client: Client::new(NetlinkSocket::generic()?)?,
            ifname: args.ifname.clone(),
            ifindex: interface.index,
            mac: interface.mac.context("the interface has a MAC")?.octets(),
            counts: Counts::default(),
        };
        host.counts = host.counts()?;
        Ok(host)
    }

    fn counts(&mut self) -> Result<Counts> {
        let counters = self.client.counters(self.ifindex)?;
        let names: BTreeSet<_> = counters.iter().map(|counter| &counter.name).collect();
        ensure!(
            names.len() == counters.len(),
            "two counters have the same name"
        );
        let rules = self.client.rules(self.ifindex)?;
        Ok(Counts {
            reasons: counters
                .into_iter()
                .filter(|counter| Reason::from_name(&counter.name).is_some_and(is_of_arrivals))
                .map(|counter| (counter.name, counter.value))
                .collect(),
            rules: rules
                .into_iter()
                .filter(|rule| !rule.pending)
                .map(|rule| {
                    let counts = (rule.accepted.unwrap_or(0), rule.dropped.unwrap_or(0));
                    (rule.number, counts)
                })
                .collect(),
            received: received(&self.ifname)?,
        })
    }

    /// Sends a packet; what differs from what must become of it.
    fn try_packet(&mut self, line: &Line, expected: &Expected) -> Result<Option<String>> {
        let frame = line.bytes("frame")?;
        if expected.reply.is_some() {
            self.drain();
        }
        for earlier in line.all("after") {
            self.send(&unhex(earlier)?)?;
        }
        // Nothing else happens there: the counts are still those after the last frame.
        let before = self.counts.clone();
        self.send(&frame)?;
        let after = &self.counts;
        let mut wanted = before.clone();
        *wanted.reasons.entry(expected.reason.clone()).or_default() += 1;
        wanted.received += expected.delivered(&frame, self.mac);
        if let Some(number) = expected.rule {
            let counts = wanted.rules.entry(number).or_default();
            match expected.verdict {
                Verdict::Accept => counts.0 += 1,
                _ => counts.1 += 1,
            }
        }
        if *after != wanted {
            return Ok(Some(difference(&before, &wanted, after)));
        }
        match &expected.reply {
            Some(reply) if !self.hears(reply)? => Ok(Some("the reply is another one".to_owned())),
            _ => Ok(None),
        }
    }

    /// Sends a frame, and waits until it has been counted.
    fn send(&mut self, frame: &[u8]) -> Result<()> {
        self.sender.send(frame)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self.counts()?;
            if now.reasons != self.counts.reasons || Instant::now() > deadline {
                self.counts = now;
                return Ok(());
            }
        }
    }

    /// Passes over what has come from the host so far.
    fn drain(&mut self) {
        while self.receiver.next().is_ok() {}
    }

    /// Whether the host sends that frame.
    fn hears(&mut self, reply: &[u8]) -> Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.receiver.next() {
                Ok(frame) if frame.get(..reply.len()) == Some(reply) => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {}
                Err(error) => return Err(error).context("receive"),
            }
        }
        Ok(false)
    }
}

/// Whether a reason is one for what arrives. What the host's own stack sends
/// meanwhile is guarded and counted too, and is not in the table.
fn is_of_arrivals(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::ArpLeakDropped
            | Reason::ArpLeakMended
            | Reason::NdLeakDropped
            | Reason::NdLeakMended
            | Reason::DroppedVirtualSource
    )
}

fn receiver(dev: &str) -> Result<Box<dyn DataLinkReceiver>> {
    let interface = pnet_datalink::interfaces()
        .into_iter()
        .find(|interface| interface.name == dev)
        .with_context(|| format!("no interface {dev}"))?;
    let config = Config {
        read_timeout: Some(Duration::from_millis(1)),
        ..Config::default()
    };
    match pnet_datalink::channel(&interface, config)? {
        Channel::Ethernet(_, receiver) => Ok(receiver),
        _ => bail!("{dev} is not Ethernet"),
    }
}

/// Packets that IPv4 has received in this namespace, and IPv6 on an interface.
/// (IPv4 does not count by interface; here it has only one.)
fn received(ifname: &str) -> Result<u64> {
    let v4 = std::fs::read_to_string("/proc/net/snmp")?;
    let mut lines = v4.lines().filter(|line| line.starts_with("Ip: "));
    let (names, values) = (lines.next(), lines.next());
    let (names, values) = names.zip(values).context("two lines of IPv4 counters")?;
    let v4 = names
        .split(' ')
        .zip(values.split(' '))
        .find(|(name, _)| *name == "InReceives")
        .context("the counter InReceives")?;
    let path = Path::new("/proc/net/dev_snmp6").join(ifname);
    let v6 = std::fs::read_to_string(path)?;
    let v6 = v6
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace))
        .find(|(name, _)| *name == "Ip6InReceives")
        .context("the counter Ip6InReceives")?;
    Ok(v4.1.parse::<u64>()? + v6.1.trim().parse::<u64>()?)
}

/// What happened, beside what should have.
fn difference(before: &Counts, wanted: &Counts, after: &Counts) -> String {
    let of = |now: &Counts| {
        let mut changes: Vec<String> = now
            .reasons
            .iter()
            .filter_map(|(name, value)| {
                let by = value - before.reasons.get(name).copied().unwrap_or(0);
                (by > 0).then(|| format!("{name} {by}"))
            })
            .collect();
        for (number, (accepted, dropped)) in &now.rules {
            let (old_accepted, old_dropped) = before.rules.get(number).copied().unwrap_or_default();
            let by = (accepted - old_accepted, dropped - old_dropped);
            if by != (0, 0) {
                changes.push(format!("rule {number} {by:?}"));
            }
        }
        changes.push(format!("received {}", now.received - before.received));
        changes.join(", ")
    };
    format!("{} instead of {}", of(after), of(wanted))
}
