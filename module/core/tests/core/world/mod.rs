// SPDX-License-Identifier: GPL-2.0-only

//! A small network of nodes in virtual time, for tests of the protocol: one segment, a fixed delay, links that can be
//! cut one way. After every event no two hosts may own the same bucket, unless the test allows it.

use std::collections::BTreeMap;

use nlb_core::auth::{Authenticator, Verified};
use nlb_core::config::{cluster_id, Config, Dedicated, Rules, Terms, Timing};
use nlb_core::event::Event;
use nlb_core::host::HostId;
use nlb_core::limits::FRAME_MAX;
use nlb_core::node::{Command, Node, Tally};
use nlb_core::peer::Path;
use nlb_core::received::Received;
use nlb_core::state::HostState;
use nlb_core::store::Sizes;
use nlb_core::time::Instant;
use nlb_core::wire::Kind;
pub use nlb_tables::Tables;

pub const MS: u64 = 1_000_000;
pub const PERIOD: u64 = 200 * MS;
pub const TOLERANCE: u32 = 5;

/// A toy key: nothing that anyone could rely on, but it tells keys and altered bytes apart.
#[derive(Clone, Copy)]
pub struct ToyKey(pub u64);

impl ToyKey {
    fn hash(&self, bytes: &[u8]) -> u64 {
        bytes.iter().fold(self.0 ^ 0x9e37_79b9, |hash, byte| {
            (hash.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3_0101)
        })
    }
}

impl Authenticator for ToyKey {
    fn authenticated(&self) -> bool {
        true
    }

    fn key_id(&self) -> u8 {
        1
    }

    fn stamp(&self, key_id: u8, header: &[u8]) -> Option<u64> {
        (key_id == 1).then(|| self.hash(header))
    }

    fn sign(&self, key_id: u8, message: &[u8]) -> Option<[u8; 16]> {
        let hash = u128::from(self.hash(message)) * 3;
        (key_id == 1).then(|| hash.to_be_bytes())
    }

    fn verify(&self, key_id: u8, message: &[u8], tag: &[u8; 16]) -> Verified {
        match self.sign(key_id, message) {
            None => Verified::UnknownKey,
            Some(right) if right == *tag => Verified::Ok,
            Some(_) => Verified::Bad,
        }
    }
}

pub fn config(host: u8) -> Config {
    Config {
        cluster_id: cluster_id(b"test"),
        host: HostId::new(host).unwrap(),
        buckets: 256,
        terms: Terms {
            settings: 1,
            timing: Timing {
                period_ns: PERIOD,
                tolerance: TOLERANCE,
            },
        },
        rules: Rules::one(1, 50),
        dedicated: Dedicated::NONE,
        versions: (1, 1),
    }
}

enum What {
    Frame {
        to: usize,
        path: Path,
        bytes: Vec<u8>,
    },
}

pub struct World {
    pub nodes: Vec<Node<Tables>>,
    pub now: Instant,
    pub delay: u64,
    /// Frames come up to so much later than that, at random.
    pub jitter: u64,
    /// So many of a thousand frames get lost.
    pub loss: u64,
    /// So much longer do steps of changes take.
    pub change_delay: u64,
    /// The key of each host.
    pub keys: Vec<ToyKey>,
    /// `cut[a][b]`: nothing that a sends reaches b.
    pub cut: Vec<Vec<bool>>,
    pub crashed: Vec<bool>,
    pub events: Vec<Vec<Event>>,
    pub received: BTreeMap<Received, u64>,
    /// Frames after which there was nothing to be done.
    pub quiet: u64,
    pub sent: Vec<(usize, Vec<u8>)>,
    pub record: bool,
    /// There is a second path, which loses nothing.
    pub relay: bool,
    pub check_owners: bool,
    /// Nanoseconds by which the clock of each host is behind.
    pub behind: Vec<u64>,
    /// Longest frame that is sent, in bytes.
    pub room: usize,
    /// The longest that was.
    pub longest: usize,
    queue: BTreeMap<(Instant, u64), What>,
    count: u64,
    random: u64,
}

impl World {
    pub fn new(hosts: usize) -> World {
        World::with((1..=hosts).map(|host| config(host as u8)).collect())
    }

    pub fn with(configs: Vec<Config>) -> World {
        let hosts = configs.len();
        let sizes = |config: &Config| Sizes::new(64, 4, usize::from(config.buckets));
        World {
            nodes: configs
                .iter()
                .map(|c| Node::new(c, Tables::new(sizes(c))).unwrap())
                .collect(),
            now: Instant(1_000_000_000),
            delay: MS,
            jitter: 0,
            loss: 0,
            change_delay: 0,
            keys: vec![ToyKey(77); hosts],
            cut: vec![vec![false; hosts]; hosts],
            crashed: vec![false; hosts],
            events: vec![Vec::new(); hosts],
            received: BTreeMap::new(),
            quiet: 0,
            sent: Vec::new(),
            record: false,
            relay: false,
            check_owners: true,
            behind: vec![0; hosts],
            room: FRAME_MAX,
            longest: 0,
            queue: BTreeMap::new(),
            count: 0,
            random: 1000,
        }
    }

    /// Hosts that all serve, and have nothing under way.
    pub fn serving(hosts: usize) -> World {
        World::new(hosts).into_serving()
    }

    /// The same of hosts that were made already.
    pub fn into_serving(mut self) -> World {
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        self.start_all();
        self.run_to(20 * PERIOD, |world| world.serves(&all));
        self.run(5 * PERIOD);
        self
    }

    pub fn command(&mut self, index: usize, command: Command) {
        self.random = self.random.wrapping_add(7919);
        let now = self.clock(index);
        self.nodes[index]
            .handle_command(now, command, self.random)
            .unwrap();
        self.drain(index);
    }

    /// A host walks over its sessions: `found` tells the buckets of slot and word that have some.
    pub fn walk_with(&mut self, index: usize, found: impl Fn(u16, u16) -> u64) {
        self.nodes[index].begin_walk();
        let now = self.clock(index);
        let node = &mut self.nodes[index];
        let slots = node.config().rules.slots;
        let places = (0..slots).flat_map(|slot| (0..4).map(move |word| (slot, word)));
        let sessions = places.map(|(slot, word)| u64::from(found(slot, word).count_ones()));
        let tally = Tally {
            sessions: sessions.sum(),
            more_may_come: false,
        };
        node.end_walk(now, found, tally);
        self.drain(index);
    }

    /// All hosts find that they have no sessions.
    pub fn walk_all(&mut self) {
        for index in 0..self.nodes.len() {
            if !self.crashed[index] {
                self.walk_with(index, |_, _| 0);
            }
        }
    }

    /// What the clock of a host shows.
    fn clock(&self, index: usize) -> Instant {
        Instant(self.now.0 - self.behind[index])
    }

    /// A host as it is, and what its clock shows.
    pub fn save(&self, index: usize) -> (Node<Tables>, Instant) {
        (self.nodes[index].clone(), self.clock(index))
    }

    /// A host goes on as it was when it was saved, and so does its clock.
    pub fn set_back(&mut self, index: usize, (node, clock): &(Node<Tables>, Instant)) {
        self.nodes[index] = node.clone();
        self.behind[index] = self.now.since(*clock);
        self.drain(index);
    }

    pub fn start_all(&mut self) {
        for index in 0..self.nodes.len() {
            self.command(index, Command::Start);
        }
    }

    /// A crash forgets everything; `start` brings the host back under a new incarnation.
    pub fn crash(&mut self, index: usize) {
        let config = *self.nodes[index].config();
        let sizes = Sizes::new(64, 4, usize::from(config.buckets));
        self.nodes[index] = Node::new(&config, Tables::new(sizes)).unwrap();
        self.crashed[index] = true;
    }

    pub fn start(&mut self, index: usize) {
        self.crashed[index] = false;
        self.command(index, Command::Start);
    }

    pub fn deliver(&mut self, to: usize, path: Path, bytes: &[u8]) -> Received {
        let now = self.clock(to);
        let node = &mut self.nodes[to];
        let before = (node.ownership_changes(), node.poll_timeout());
        let heard = node.hear(now, path, bytes, &self.keys[to]);
        let received = heard.received;
        if heard.quiet {
            self.quiet += 1;
            assert_eq!(node.ownership_changes(), before.0);
            assert!(node.poll_timeout() >= before.1);
            let mut buf = [0; FRAME_MAX];
            assert_eq!(node.poll_transmit(&mut buf, &self.keys[to]), None);
            assert_eq!(node.poll_event(), None);
        }
        *self.received.entry(received).or_default() += 1;
        self.drain(to);
        received
    }

    /// The timer of a host expires now, whenever it was due.
    pub fn expire(&mut self, index: usize) {
        let now = self.clock(index);
        self.nodes[index].handle_timeout(now);
        self.drain(index);
    }

    /// A number below `below`, the same in each run.
    pub fn random_below(&mut self, below: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.random >> 33) % below.max(1)
    }

    fn carry(&mut self, to: usize, path: Path, bytes: &[u8], mut delay: u64) {
        self.count += 1;
        if self.loss > 0 && self.random_below(1000) < self.loss {
            return;
        }
        if self.jitter > 0 {
            delay += self.random_below(self.jitter);
        }
        if bytes[5] == Kind::Change as u8 {
            delay += self.change_delay;
        }
        let bytes = bytes.to_vec();
        let what = What::Frame { to, path, bytes };
        self.queue.insert((self.now.after(delay), self.count), what);
    }

    fn drain(&mut self, index: usize) {
        let mut buf = vec![0; self.room];
        let mut frames = 0;
        while let Some(transmit) = self.nodes[index].poll_transmit(&mut buf, &self.keys[index]) {
            frames += 1;
            self.longest = self.longest.max(transmit.len);
            assert!(frames < 400, "a node does not stop sending");
            let bytes = buf[..transmit.len].to_vec();
            if self.record {
                self.sent.push((index, bytes.clone()));
            }
            for to in (0..self.nodes.len()).filter(|to| *to != index) {
                if self.crashed[to] {
                    continue;
                }
                if !self.cut[index][to] {
                    self.carry(to, Path::Segment, &bytes, self.delay);
                }
                if self.relay {
                    self.carry(to, Path::Relay, &bytes, 2 * self.delay);
                }
            }
        }
        while let Some(event) = self.nodes[index].poll_event() {
            self.events[index].push(event);
            if let Event::SetBack { draining } = event {
                // As the module does.
                self.command(index, Command::Start);
                if draining {
                    self.command(index, Command::Drain);
                }
            }
        }
        if self.check_owners {
            self.assert_one_owner();
        }
    }

    pub fn assert_one_owner(&self) {
        let words = usize::from(self.nodes[0].config().buckets).div_ceil(64) as u16;
        for word in 0..words {
            let mut seen = 0u64;
            for node in &self.nodes {
                let owned = node.owned_word(0, word);
                assert_eq!(seen & owned, 0, "two owners at {:?}", self.now);
                seen |= owned;
            }
        }
        let defaults = self.nodes.iter().filter(|node| node.is_default()).count();
        assert!(defaults <= 1, "two default hosts at {:?}", self.now);
    }

    /// Runs until `until`.
    pub fn run_until(&mut self, until: Instant) {
        let mut steps = 0u64;
        loop {
            steps += 1;
            assert!(steps < 3_000_000, "livelock at {:?}", self.now);
            let timer = (0..self.nodes.len())
                .filter(|index| !self.crashed[*index])
                .map(|index| {
                    (
                        self.nodes[index].poll_timeout().after(self.behind[index]),
                        index,
                    )
                })
                .min();
            let frame = self.queue.first_key_value().map(|(key, _)| key.0);
            let frame_first = match (frame, timer) {
                (Some(at), Some((due, _))) => at <= due,
                (Some(_), None) => true,
                (None, _) => false,
            };
            let next = if frame_first {
                frame.unwrap()
            } else {
                timer.map_or(Instant::NEVER, |(due, _)| due)
            };
            if next > until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next);
            if frame_first {
                let (_, What::Frame { to, path, bytes }) = self.queue.pop_first().unwrap();
                if !self.crashed[to] {
                    self.deliver(to, path, &bytes);
                }
            } else {
                let index = timer.unwrap().1;
                let now = self.clock(index);
                self.nodes[index].handle_timeout(now);
                self.drain(index);
            }
        }
    }

    pub fn run(&mut self, ns: u64) {
        self.run_until(self.now.after(ns));
    }

    /// Runs in steps of a millisecond until `done`, for at most `ns`; says how long it took.
    pub fn run_to(&mut self, ns: u64, done: impl Fn(&World) -> bool) -> u64 {
        let start = self.now;
        while !done(self) {
            assert!(
                self.now.since(start) < ns,
                "not done after {} ms: {}",
                ns / MS,
                self.summary()
            );
            self.run(MS);
        }
        self.now.since(start)
    }

    pub fn summary(&self) -> String {
        let line = |node: &Node<Tables>| {
            format!(
                "\n  host {} {:?} out {:?} gen {:?} members {:x} leader {:?} owns {}",
                node.config().host.get(),
                node.state(),
                node.out_reason(),
                node.generation(),
                node.view_members().0,
                node.leader(),
                owned(node)
            )
        };
        self.nodes.iter().map(line).collect()
    }

    /// Whether exactly these hosts (by index) agree on being the members, and own all buckets together.
    pub fn serves(&self, hosts: &[usize]) -> bool {
        let members: u64 = hosts
            .iter()
            .map(|index| 1u64 << self.nodes[*index].config().host.index())
            .sum();
        let first = &self.nodes[hosts[0]];
        let agree = hosts.iter().all(|index| {
            let node = &self.nodes[*index];
            node.view_members().0 == members
                && node.generation() == first.generation()
                && node.map_digest() == first.map_digest()
                && matches!(node.state(), HostState::Converged | HostState::Draining)
        });
        let all: u32 = hosts.iter().map(|index| owned(&self.nodes[*index])).sum();
        agree && all == u32::from(first.config().buckets)
    }
}

pub fn owned(node: &Node<Tables>) -> u32 {
    let words = usize::from(node.config().buckets).div_ceil(64) as u16;
    (0..words)
        .map(|word| node.owned_word(0, word).count_ones())
        .sum()
}
