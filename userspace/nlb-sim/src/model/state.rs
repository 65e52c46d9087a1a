// SPDX-License-Identifier: GPL-2.0-only

//! A state of a model: nodes, frames under way, and what may still go wrong.

use std::hash::{Hash, Hasher};
use std::rc::Rc;

use nlb_core::auth::NoKey;
use nlb_core::config::{Config, Dedicated, Rules, SlotKind, SlotSet, Terms, Timing};
use nlb_core::host::HostId;
use nlb_core::limits::{FRAME_MAX, SLOTS_MAX};
use nlb_core::node::{Command, Node};
use nlb_core::peer::Path;
use nlb_core::state::HostState;
use nlb_core::store::Sizes;
use nlb_core::time::Instant;
use nlb_core::wire::GenId;
use nlb_tables::Tables;

use super::Bounds;

/// One heartbeat period, in the nanoseconds of the model.
pub(super) const PERIOD: u64 = 16;

/// Heartbeats that may be missed: the least that the project allows, so that one lost frame evicts nobody.
const TOLERANCE: u32 = 3;

/// Buckets of the one slot.
const BUCKETS: u16 = 4;

/// When the clocks of the model begin: not at zero, which means "never" in places.
pub(super) const BEGIN: u64 = 1 << 32;

/// Frames under way at one time; more means a storm.
const FRAMES_MAX: usize = 256;

/// A node, with its hash so that it is computed once.
pub(super) struct Placed {
    node: Node<Tables>,
    hash: u128,
}

/// A frame on its way to one host.
#[derive(Clone)]
pub(super) struct Flight {
    pub(super) from: u8,
    pub(super) to: u8,
    at: u64,
    hash: u128,
    pub(super) bytes: Rc<[u8]>,
}

#[derive(Clone)]
pub(super) struct State {
    pub(super) now: u64,
    pub(super) nodes: Vec<Option<Rc<Placed>>>,
    pub(super) flights: Vec<Flight>,
    crashes: u8,
    losses: u8,
    joins: u8,
    leaves: u8,
    /// When the last fault happened.
    calm_since: u64,
}

/// One step of the model.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Deliver(usize),
    Lose(usize),
    Timer(usize),
    Advance(u64),
    Crash(usize),
    Join(usize),
    Leave(usize),
}

/// Two different 64-bit hashes of one stream of bytes.
#[derive(Default)]
struct Wide {
    low: u64,
    high: u64,
}

impl Wide {
    fn word(&mut self, word: u64) {
        self.low = (self.low ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
        self.high = (self.high.rotate_left(23) ^ word).wrapping_mul(0xd6e8_feb8_6659_fd93);
    }

    fn value(&self) -> u128 {
        (u128::from(self.low ^ (self.low >> 31)) << 64) | u128::from(self.high ^ (self.high >> 29))
    }
}

impl Hasher for Wide {
    fn finish(&self) -> u64 {
        self.low
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.word(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.word(value);
    }
}

impl Placed {
    fn new(node: Node<Tables>) -> Rc<Placed> {
        let mut hasher = Wide::default();
        node.hash(&mut hasher);
        Rc::new(Placed {
            hash: hasher.value(),
            node,
        })
    }

    pub(super) fn say(&self) -> String {
        let owned = self.node.owned_word(0, 0);
        format!(
            "{} {} gen {} owns {owned:04b}",
            self.node.state().name(),
            self.node.out_reason().name(),
            self.node.generation().number
        )
    }
}

fn config(host: usize) -> Config {
    let mut weights = [0; SLOTS_MAX];
    weights[0] = 50;
    let kinds = [SlotKind::Weighted; SLOTS_MAX];
    Config {
        cluster_id: 1,
        host: HostId::from_index(host).expect("a model has three hosts at most"),
        buckets: BUCKETS,
        terms: Terms {
            settings: 1,
            timing: Timing {
                period_ns: PERIOD,
                tolerance: TOLERANCE,
            },
        },
        rules: Rules {
            digest: 1,
            terms: None,
            slots: 1,
            kinds,
            weights,
            kept: SlotSet::ALL,
        },
        dedicated: Dedicated::NONE,
        versions: (1, 1),
    }
}

impl State {
    pub(super) fn first(bounds: &Bounds) -> State {
        let mut state = State {
            now: BEGIN,
            nodes: vec![None; bounds.hosts],
            flights: Vec::new(),
            crashes: bounds.crashes,
            losses: bounds.losses,
            joins: bounds.joins,
            leaves: bounds.leaves,
            calm_since: BEGIN,
        };
        for host in 0..bounds.first {
            state.start(host);
        }
        state
    }

    /// A number that two different states have in common only by accident.
    pub(super) fn key(&self) -> u128 {
        let mut hasher = Wide::default();
        hasher.word(self.now);
        hasher.word(self.calm_since);
        hasher.word(u64::from_le_bytes([
            self.crashes,
            self.losses,
            self.joins,
            self.leaves,
            0,
            0,
            0,
            0,
        ]));
        for placed in &self.nodes {
            let hash = placed.as_ref().map_or(0, |placed| placed.hash);
            hasher.word(hash as u64);
            hasher.word((hash >> 64) as u64);
        }
        // Frames to one host from one sender keep their order; apart from that their order means nothing.
        let mut flights: Vec<(u8, u8, usize, u64, u128)> = self
            .flights
            .iter()
            .enumerate()
            .map(|(order, flight)| (flight.to, flight.from, order, flight.at, flight.hash))
            .collect();
        flights.sort_unstable();
        for (to, from, _, at, hash) in flights {
            hasher.word((u64::from(to) << 8) | u64::from(from));
            hasher.word(at);
            hasher.word(hash as u64);
            hasher.word((hash >> 64) as u64);
        }
        hasher.value()
    }

    /// What can happen next.
    pub(super) fn steps(&self, bounds: &Bounds) -> Vec<Step> {
        let mut steps = Vec::new();
        let faults = self.now < BEGIN + bounds.faults_until * PERIOD;
        // The first frame of each link can arrive; frames of one link do not overtake one another.
        for (index, flight) in self.flights.iter().enumerate() {
            let first = self.flights[..index]
                .iter()
                .all(|other| (other.from, other.to) != (flight.from, flight.to));
            if first {
                steps.push(Step::Deliver(index));
                if self.losses > 0 && faults {
                    steps.push(Step::Lose(index));
                }
            }
        }
        let mut next = u64::MAX;
        let mut due = false;
        for (host, placed) in self.nodes.iter().enumerate() {
            let Some(placed) = placed else {
                if self.joins > 0 && faults {
                    steps.push(Step::Join(host));
                }
                continue;
            };
            let deadline = placed.node.poll_timeout().0;
            if deadline <= self.now {
                due = true;
                steps.push(Step::Timer(host));
            }
            next = next.min(deadline);
            let runs = !matches!(placed.node.state(), HostState::Stopped);
            if self.crashes > 0 && faults && runs {
                steps.push(Step::Crash(host));
            }
            if self.leaves > 0 && faults && placed.node.state() == HostState::Converged {
                steps.push(Step::Leave(host));
            }
        }
        let oldest = self
            .flights
            .iter()
            .map(|flight| flight.at)
            .min()
            .unwrap_or(u64::MAX);
        let in_time = next <= oldest.saturating_add(bounds.delay);
        if !due && in_time && next < BEGIN + bounds.horizon * PERIOD {
            steps.push(Step::Advance(next));
        }
        steps
    }

    /// Whether something may still go wrong.
    pub(super) fn faults_possible(&self, bounds: &Bounds) -> bool {
        let left = self.crashes > 0 || self.losses > 0 || self.joins > 0 || self.leaves > 0;
        left && self.now < BEGIN + bounds.faults_until * PERIOD
    }

    /// The host that a step is of; none if it is of time.
    pub(super) fn host_of(&self, step: &Step) -> Option<usize> {
        match *step {
            Step::Deliver(flight) | Step::Lose(flight) => {
                Some(usize::from(self.flights[flight].to))
            }
            Step::Timer(host) | Step::Crash(host) | Step::Join(host) | Step::Leave(host) => {
                Some(host)
            }
            Step::Advance(_) => None,
        }
    }

    /// Whether time stands still until this host has acted.
    pub(super) fn holds_time(&self, host: usize, bounds: &Bounds) -> bool {
        let due = self.nodes[host]
            .as_ref()
            .is_some_and(|placed| placed.node.poll_timeout().0 <= self.now);
        due || self
            .flights
            .iter()
            .any(|flight| usize::from(flight.to) == host && flight.at + bounds.delay <= self.now)
    }

    /// Whether a frame of every other host is on its way to this one.
    pub(super) fn all_links_hold(&self, host: usize) -> bool {
        (0..self.nodes.len())
            .filter(|other| *other != host && self.nodes[*other].is_some())
            .all(|other| {
                self.flights.iter().any(|flight| {
                    (usize::from(flight.from), usize::from(flight.to)) == (other, host)
                })
            })
    }

    /// What the properties are about, of one host.
    pub(super) fn visible(&self, host: usize) -> Option<(u64, bool, GenId, HostState)> {
        let node = &self.nodes[host].as_ref()?.node;
        let owned = node.owned_word(0, 0);
        Some((owned, node.is_default(), node.generation(), node.state()))
    }

    pub(super) fn after(&self, step: Step, bounds: &Bounds) -> Result<State, String> {
        let mut state = self.clone();
        match step {
            Step::Deliver(index) => {
                let flight = state.flights.remove(index);
                state.input(usize::from(flight.to), |node, now| {
                    node.handle_frame(now, Path::Segment, &flight.bytes, &NoKey);
                })?;
            }
            Step::Lose(index) => {
                state.flights.remove(index);
                state.losses -= 1;
                state.calm_since = state.now;
            }
            Step::Timer(host) => state.input(host, |node, now| node.handle_timeout(now))?,
            Step::Advance(to) => state.now = to,
            Step::Crash(host) => {
                state.nodes[host] = None;
                state
                    .flights
                    .retain(|flight| usize::from(flight.to) != host);
                state.crashes -= 1;
                state.calm_since = state.now;
            }
            Step::Join(host) => {
                state.joins -= 1;
                state.calm_since = state.now;
                state.start(host);
            }
            Step::Leave(host) => {
                state.leaves -= 1;
                state.calm_since = state.now;
                state.input(host, |node, now| {
                    node.handle_command(now, Command::Stop, 0)
                        .expect("a host that serves can leave");
                })?;
            }
        }
        if state.flights.len() > FRAMES_MAX {
            return Err(format!("{} frames are under way", state.flights.len()));
        }
        state.judge(bounds)?;
        Ok(state)
    }

    fn start(&mut self, host: usize) {
        let sizes = Sizes::new(self.nodes.len(), 1, usize::from(BUCKETS));
        let node = Node::new(&config(host), Tables::new(sizes))
            .expect("the model's configuration is valid");
        self.nodes[host] = Some(Placed::new(node));
        // Each incarnation of a host is another number; there are at most two.
        let incarnation = (1 << 40) + (host as u64) * 16 + u64::from(self.joins) + 1;
        let started = self.input(host, |node, now| {
            node.handle_command(now, Command::Start, incarnation)
                .expect("a new node can start");
        });
        started.expect("a start sends a frame or two");
    }

    /// Gives an input to a node and puts what it sends on its way.
    fn input(
        &mut self,
        host: usize,
        give: impl FnOnce(&mut Node<Tables>, Instant),
    ) -> Result<(), String> {
        let Some(placed) = &self.nodes[host] else {
            return Ok(());
        };
        let mut node = placed.node.clone();
        give(&mut node, Instant(self.now));
        let mut buffer = [0u8; FRAME_MAX];
        let mut sent = 0;
        while let Some(transmit) = node.poll_transmit(&mut buffer, &NoKey) {
            sent += 1;
            if sent > FRAMES_MAX {
                return Err(format!("host {} sends without end", host + 1));
            }
            let bytes: Rc<[u8]> = buffer[..transmit.len].into();
            let mut hasher = Wide::default();
            hasher.write(&bytes);
            for to in (0..self.nodes.len()).filter(|to| *to != host && self.nodes[*to].is_some()) {
                let (from, to, at, hash) = (host as u8, to as u8, self.now, hasher.value());
                self.flights.push(Flight {
                    from,
                    to,
                    at,
                    hash,
                    bytes: Rc::clone(&bytes),
                });
            }
        }
        while node.poll_event().is_some() {}
        self.nodes[host] = Some(Placed::new(node));
        Ok(())
    }

    /// What must hold in every state: one owner (of what the default host has, too), and agreement. No fault of the model may let a live host be taken for
    /// dead, so nothing is excused.
    fn judge(&self, _bounds: &Bounds) -> Result<(), String> {
        let placed = || {
            self.nodes
                .iter()
                .enumerate()
                .filter_map(|(host, placed)| Some((host, &placed.as_ref()?.node)))
        };
        for (host, node) in placed() {
            for (other, theirs) in placed().filter(|(other, _)| *other > host) {
                let both = node.owned_word(0, 0) & theirs.owned_word(0, 0);
                if both != 0 {
                    return Err(format!(
                        "one-owner: hosts {} and {} both own {both:04b}",
                        host + 1,
                        other + 1
                    ));
                }
                if node.is_default() && theirs.is_default() {
                    return Err(format!(
                        "one-owner: hosts {} and {} are both the default host",
                        host + 1,
                        other + 1
                    ));
                }
                let same = node.generation() == theirs.generation() && !node.generation().is_none();
                if same
                    && (node.map(0) != theirs.map(0)
                        || node.view_members() != theirs.view_members())
                {
                    return Err(format!(
                        "agreement: hosts {} and {} differ in generation {}",
                        host + 1,
                        other + 1,
                        node.generation().number
                    ));
                }
            }
            let beyond = (0..BUCKETS).find(|bucket| {
                (node.owned_word(0, 0) >> bucket) & 1 == 1
                    && node.owner_of(0, *bucket) != Some(node.config().host)
            });
            if let Some(bucket) = beyond {
                return Err(format!(
                    "agreement: host {} serves bucket {bucket}, which its map gives to another",
                    host + 1
                ));
            }
        }
        Ok(())
    }

    /// At the end of time: why not all live hosts serve in one generation, and every bucket has an owner.
    pub(super) fn unconverged(&self, bounds: &Bounds) -> Option<String> {
        let taking_part: Vec<&Node<Tables>> = self
            .nodes
            .iter()
            .flatten()
            .map(|placed| &placed.node)
            .filter(|node| node.state() != HostState::Stopped)
            .collect();
        let first = taking_part.first()?;
        let owned = taking_part
            .iter()
            .fold(0, |owned, node| owned | node.owned_word(0, 0));
        let converged = taking_part.iter().all(|node| {
            node.state() == HostState::Converged && node.generation() == first.generation()
        });
        if converged && owned == (1 << BUCKETS) - 1 {
            return None;
        }
        let calm = (BEGIN + bounds.horizon * PERIOD - self.calm_since) / PERIOD;
        let views: Vec<String> = self
            .nodes
            .iter()
            .map(|placed| {
                placed
                    .as_ref()
                    .map_or("-".to_owned(), |placed| placed.say())
            })
            .collect();
        Some(format!(
            "heals: {calm} periods after the last fault: {}",
            views.join(" | ")
        ))
    }
}
