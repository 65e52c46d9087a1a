// SPDX-License-Identifier: GPL-2.0-only
//! Netlink messages that nobody would send: right ones are recorded, their
//! attributes taken out, doubled, exchanged, cut and filled with anything, and
//! the module must refuse each by an error that changes nothing, or do it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use nlb_core::genl::{Affinity, Control, Echo, Mode, Responder};
use nlb_core::limits::{KEY_LEN, SEED_LEN};
use nlb_core::rules::{FilteringMode, Protocols, Rule, RuleState};
use nlb_netlink::client::Client;
use nlb_netlink::object::{
    ClusterChange, ClusterKey, Heartbeat, NewCluster, NewRule, Question, RuleChange,
};
use nlb_netlink::{Error, NetlinkSocket, Transport};
use serde::Serialize;

/// What to send.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The interface whose cluster is made and changed; it has none yet.
    #[arg(long)]
    dev: String,
    /// This host's own address on it.
    #[arg(long)]
    dedicated: Ipv4Addr,
    /// The VIP, which is on the interface.
    #[arg(long)]
    vip: Ipv4Addr,
    /// How many messages.
    #[arg(long)]
    count: u64,
    /// Where the random numbers begin: the same seed sends the same messages.
    #[arg(long)]
    seed: u64,
}

/// Lengths of the headers before the attributes: netlink's, generic netlink's.
const NETLINK_LEN: usize = 16;
const GENERIC_LEN: usize = 4;

/// Length of an attribute's header.
const ATTRIBUTE_LEN: usize = 4;

/// Flags of a message: a request, an answer in any case, a list.
const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;

/// Types of messages that end an answer.
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// In an attribute's type: it holds attributes.
const NESTED: u16 = 0x8000;

/// One in so many messages is sent as it was recorded.
const WHOLE: u8 = 6;

/// How long rules that were accepted may take to come into force.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked whether they are.
const LOOK: Duration = Duration::from_millis(5);

/// Numbers at which checks go wrong.
const EDGES: [u64; 12] = [
    0,
    1,
    64,
    65,
    100,
    101,
    255,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 63,
    u64::MAX,
];

/// What is printed.
#[derive(Default, Serialize)]
struct Report {
    seed: u64,
    sent: u64,
    accepted: u64,
    /// How often each error came, by its number.
    refused: BTreeMap<i32, u64>,
    /// How often each command was sent, by its number.
    commands: BTreeMap<u8, u64>,
    /// How often an accepted message changed the configuration.
    changed: u64,
}

/// Run, and print what was sent and what came back as JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    let ifindex = nix::net::if_::if_nametoindex(args.dev.as_str()).context(args.dev.clone())?;
    let cluster = new_cluster(args, ifindex);
    let seeds = record(&cluster)?;
    let mut module = Module {
        client: Client::new(NetlinkSocket::generic()?)?,
        raw: NetlinkSocket::generic()?,
        cluster,
    };
    let mut maker = Maker {
        random: Rng::with_seed(args.seed),
        seeds,
    };
    let mut report = Report {
        seed: args.seed,
        ..Report::default()
    };
    let mut picture = module.settle()?;
    for number in 1..=args.count {
        let message = maker.next(u32::try_from(number)?);
        let error = module.ask(&message)?;
        report.sent += 1;
        *report.commands.entry(message[NETLINK_LEN]).or_default() += 1;
        if error == 0 {
            report.accepted += 1;
            let now = module.settle()?;
            report.changed += u64::from(now != picture);
            picture = now;
            continue;
        }
        *report.refused.entry(error).or_default() += 1;
        let now = module.picture()?;
        if now != picture {
            bail!(
                "message {number} of seed {} was refused with error {error} and changed something:\n{}\n{picture}\n{now}",
                args.seed,
                hex(&message)
            );
        }
    }
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn new_cluster(args: &Args, ifindex: u32) -> NewCluster {
    NewCluster {
        ifindex,
        name: "messages".to_owned(),
        host_id: 1,
        mode: Mode::Multicast,
        vips: vec![IpAddr::V4(args.vip)],
        dedicated_ip: Some(IpAddr::V4(args.dedicated)),
        dedicated_follows: false,
        affinity: Affinity::Single,
        period_ms: 50,
        tolerance: 3,
        weight: Some(50),
        key: ClusterKey::Key {
            id: 1,
            key: [7; KEY_LEN],
            seed: [9; SEED_LEN],
        },
        rules: None,
        virtual_mac: None,
        allow_other_interfaces: false,
        echo: Echo::All,
        responder: Responder::All,
        sessions_max: Some(1024),
    }
}

/// A socket that keeps what is sent.
struct Recorder {
    socket: NetlinkSocket,
    sent: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl Transport for Recorder {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.sent.borrow_mut().push(datagram.to_vec());
        self.socket.send(datagram)
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        self.socket.receive()
    }

    fn join(&mut self, group: u32) -> io::Result<()> {
        self.socket.join(group)
    }
}

/// Does everything once that can be asked of the module, and leaves no cluster
/// behind: the messages that this took.
fn record(cluster: &NewCluster) -> Result<Vec<Vec<u8>>> {
    let sent = Rc::new(RefCell::new(Vec::new()));
    let mut client = Client::new(Recorder {
        socket: NetlinkSocket::generic()?,
        sent: Rc::clone(&sent),
    })?;
    // The question for the family's number is not one of the family.
    sent.borrow_mut().clear();
    let (ifindex, vip) = (cluster.ifindex, cluster.vips[0]);
    let rule = Rule {
        vip: Some(vip),
        protocols: Protocols::Tcp,
        first_port: 80,
        last_port: 443,
        mode: FilteringMode::Single,
        ..Rule::all(Affinity::Network)
    };
    let rules = [NewRule {
        rule,
        weight: Some(30),
        priority: Some(2),
        state: Some(RuleState::Enabled),
    }];
    client.create(cluster)?;
    client.change(ifindex, ClusterChange::Control(Control::Start))?;
    client.set_rules(ifindex, &rules)?;
    rules_in_force(&mut client)?;
    client.change_rule(ifindex, 0, RuleChange::Weight(10))?;
    client.change(ifindex, ClusterChange::Weight(20))?;
    client.change(ifindex, ClusterChange::SessionsMax(2048))?;
    client.add_key(ifindex, 2, [3; KEY_LEN])?;
    client.use_key(ifindex, 2)?;
    client.delete_key(ifindex, 1)?;
    let question = Question {
        ifindex,
        client: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        client_port: 1024,
        vip,
        vip_port: 80,
        protocol: 6,
    };
    client.owner(question)?;
    let heartbeat = Heartbeat {
        ifindex,
        frame: vec![0; 200],
    };
    // A frame of nothing is refused or dropped; its message is what is wanted.
    match client.heartbeat(heartbeat) {
        Ok(()) | Err(Error::Refused(_)) => {}
        Err(error) => return Err(error.into()),
    }
    client.clusters()?;
    client.members(ifindex)?;
    client.buckets(ifindex)?;
    client.counters(ifindex)?;
    client.history(ifindex)?;
    client.keys(ifindex)?;
    client.rules(ifindex)?;
    let drainstop = ClusterChange::Drainstop { timeout_s: Some(1) };
    client.change(ifindex, drainstop)?;
    client.remove(ifindex)?;
    drop(client);
    let mut seeds = sent.take();
    // What was asked again and again while rules came into force counts once.
    for seed in &mut seeds {
        seed[8..12].fill(0);
    }
    seeds.sort();
    seeds.dedup();
    Ok(seeds)
}

/// Waits until rules that were accepted are in force.
fn rules_in_force<T: Transport>(client: &mut Client<T>) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while client.clusters()?.iter().any(|it| it.pending.is_some()) {
        ensure!(
            Instant::now() < until,
            "rules have waited for {PATIENCE:?} on a host that is alone"
        );
        thread::sleep(LOOK);
    }
    Ok(())
}

/// The module, asked in words and in bytes.
struct Module {
    client: Client<NetlinkSocket>,
    raw: NetlinkSocket,
    cluster: NewCluster,
}

impl Module {
    /// Sends a message; the error that answers it, 0 for none.
    fn ask(&mut self, message: &[u8]) -> Result<i32> {
        self.raw.send(message)?;
        let sequence = &message[8..12];
        loop {
            let datagram = self.raw.receive()?;
            let mut rest = &datagram[..];
            while rest.len() >= NETLINK_LEN {
                let length = u32::from_ne_bytes(rest[..4].try_into()?) as usize;
                ensure!(
                    (NETLINK_LEN..=rest.len()).contains(&length),
                    "an answer of {length} bytes"
                );
                let kind = u16::from_ne_bytes(rest[4..6].try_into()?);
                let ends = kind == ERROR || kind == DONE;
                if ends && &rest[8..12] == sequence {
                    ensure!(length >= NETLINK_LEN + 4, "an end of {length} bytes");
                    let code = i32::from_ne_bytes(rest[NETLINK_LEN..NETLINK_LEN + 4].try_into()?);
                    return Ok(code.saturating_abs());
                }
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
        }
    }

    /// Everything that was configured, as text; nothing that changes by itself.
    fn picture(&mut self) -> Result<String> {
        let mut text = String::new();
        for mut cluster in self.client.clusters()? {
            let keys = self.client.keys(cluster.ifindex)?;
            for mut rule in self.client.rules(cluster.ifindex)? {
                (rule.accepted, rule.dropped, rule.buckets_owned) = (None, None, None);
                rule.health = nlb_core::genl::Health::Unknown.into();
                rule.stance = nlb_core::genl::Stance::Takes.into();
                text += &format!("{rule:?}\n");
            }
            text += &format!(
                "{:?}\n",
                keys.iter()
                    .map(|key| (key.id, key.send))
                    .collect::<Vec<_>>()
            );
            cluster.state = nlb_core::state::HostState::Stopped.into();
            cluster.out_reason = nlb_core::state::OutReason::None.into();
            cluster.health = nlb_core::genl::Health::Unknown.into();
            cluster.generation = 0;
            cluster.members = 0;
            cluster.buckets_owned = 0;
            cluster.starved = 0;
            (cluster.default_host, cluster.cause, cluster.conflict) = (None, None, None);
            (cluster.walk_found, cluster.walk_us, cluster.walk_seen) = (None, None, None);
            (cluster.residue, cluster.sessions) = (None, None);
            text += &format!("{cluster:?}\n");
        }
        Ok(text)
    }

    /// Waits until rules that were accepted are in force, and makes the cluster
    /// anew if there is none: what is configured then.
    fn settle(&mut self) -> Result<String> {
        let ours = self.cluster.ifindex;
        if !self.client.clusters()?.iter().any(|it| it.ifindex == ours) {
            self.client.create(&self.cluster)?;
            let start = ClusterChange::Control(Control::Start);
            self.client.change(ours, start)?;
        }
        rules_in_force(&mut self.client)?;
        self.picture()
    }
}

/// Makes messages of those that were recorded.
struct Maker {
    random: Rng,
    seeds: Vec<Vec<u8>>,
}

/// An attribute: its type, and what it holds.
type Attribute = (u16, Vec<u8>);

impl Maker {
    fn next(&mut self, sequence: u32) -> Vec<u8> {
        let mut message = self
            .random
            .choice(&self.seeds)
            .expect("some were recorded")
            .clone();
        if self.random.u8(..WHOLE) != 0 {
            message = self.change(&message);
        }
        let dump = u16::from_ne_bytes([message[6], message[7]]) & DUMP;
        let length = u32::try_from(message.len()).expect("messages are short");
        message[..4].copy_from_slice(&length.to_ne_bytes());
        message[6..8].copy_from_slice(&(REQUEST | ACK | dump).to_ne_bytes());
        message[8..12].copy_from_slice(&sequence.to_ne_bytes());
        message
    }

    fn change(&mut self, message: &[u8]) -> Vec<u8> {
        let (head, body) = message.split_at(NETLINK_LEN + GENERIC_LEN);
        let mut head = head.to_vec();
        match self.random.u8(..40) {
            0 => head[NETLINK_LEN] = self.random.u8(..24),
            1 => head[NETLINK_LEN + 1] = self.random.u8(..),
            2 => head[7] ^= (DUMP >> 8) as u8,
            // The generic header itself is cut.
            3 => head.truncate(NETLINK_LEN + self.random.usize(..GENERIC_LEN)),
            _ => {}
        }
        if head.len() < NETLINK_LEN + GENERIC_LEN {
            // What is sent has a command in any case: that of the next byte.
            head.resize(NETLINK_LEN + 1, 0);
            return head;
        }
        let mut attributes = split(body);
        for _ in 0..self.random.usize(1..=3) {
            self.change_list(&mut attributes, 0);
        }
        head.extend(join(&attributes));
        if self.random.u8(..20) == 0 && head.len() > NETLINK_LEN + GENERIC_LEN + 2 {
            // An attribute that is said to be longer, or shorter than its header.
            let at = NETLINK_LEN + GENERIC_LEN;
            let length = self.edge() as u16;
            head[at..at + 2].copy_from_slice(&length.to_ne_bytes());
        }
        if self.random.u8(..20) == 0 {
            let more = self.random.usize(1..40);
            head.extend(std::iter::repeat_with(|| self.random.u8(..)).take(more));
        }
        head
    }

    fn change_list(&mut self, list: &mut Vec<Attribute>, depth: u8) {
        if list.is_empty() || self.random.u8(..8) == 0 {
            let stranger = self.stranger();
            let at = self.random.usize(..=list.len());
            list.insert(at, stranger);
            return;
        }
        let at = self.random.usize(..list.len());
        match self.random.u8(..10) {
            0 => drop(list.remove(at)),
            1 => list.insert(at, list[at].clone()),
            2 => {
                let other = self.random.usize(..list.len());
                list.swap(at, other);
            }
            3 => list[at].0 = self.random.u16(..72) | (list[at].0 & NESTED),
            4 => list[at].0 ^= 1 << self.random.u8(13..16),
            5 => {
                let length = self.random.usize(..=list[at].1.len());
                list[at].1.truncate(length);
            }
            6 => {
                let more = self.random.usize(1..80);
                list[at]
                    .1
                    .extend(std::iter::repeat_with(|| self.random.u8(..)).take(more));
            }
            7 if list[at].0 & NESTED != 0 && depth < 4 => {
                let mut inner = split(&list[at].1);
                self.change_list(&mut inner, depth + 1);
                list[at].1 = join(&inner);
            }
            8 => {
                // Inside itself, as deep as it goes.
                let whole = join(&list[at..=at]);
                list[at].1 = whole;
            }
            _ => {
                let number = self
                    .edge()
                    .wrapping_add(self.random.u64(..3))
                    .wrapping_sub(1);
                let bytes = number.to_ne_bytes();
                for (place, byte) in list[at].1.iter_mut().zip(bytes) {
                    *place = byte;
                }
            }
        }
    }

    /// An attribute of any recorded message.
    fn stranger(&mut self) -> Attribute {
        let message = self.random.choice(&self.seeds).expect("some were recorded");
        let attributes = split(message.get(NETLINK_LEN + GENERIC_LEN..).unwrap_or_default());
        self.random
            .choice(&attributes)
            .cloned()
            .unwrap_or_else(|| (self.random.u16(..), Vec::new()))
    }

    fn edge(&mut self) -> u64 {
        *self.random.choice(&EDGES).expect("there are some")
    }
}

/// The attributes in these bytes, up to the first that is none.
fn split(mut bytes: &[u8]) -> Vec<Attribute> {
    let mut list = Vec::new();
    while bytes.len() >= ATTRIBUTE_LEN {
        let length = usize::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
        if !(ATTRIBUTE_LEN..=bytes.len()).contains(&length) {
            break;
        }
        let kind = u16::from_ne_bytes([bytes[2], bytes[3]]);
        list.push((kind, bytes[ATTRIBUTE_LEN..length].to_vec()));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    list
}

/// The bytes of these attributes.
fn join(list: &[Attribute]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, payload) in list {
        // A length that does not fit is one more thing that may be wrong.
        let length = (ATTRIBUTE_LEN + payload.len()) as u16;
        bytes.extend(length.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}
