// SPDX-License-Identifier: GPL-2.0-only

//! `nlb-sim model-check`: every interleaving of deliveries, losses, timers, crashes, joins and leaves of a small cluster,
//! over the same core, by a depth-first search that remembers a 128-bit hash of every state it has seen.
//!
//! What is bounded: time (a horizon, so that sequences and clocks stay finite), the number of each fault, and how long
//! a frame may be under way. Within these bounds nothing is left out; what is left out of the hash of a state (events
//! and history waiting to be read) is read by nobody in the core.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant as Clock;

use nlb_core::auth::NoKey;
use nlb_core::config::{Config, Dedicated, Rules, SlotKind, SlotSet};
use nlb_core::host::HostId;
use nlb_core::limits::{FRAME_MAX, SLOTS_MAX};
use nlb_core::node::{Command, Node};
use nlb_core::peer::Path;
use nlb_core::state::HostState;
use nlb_core::time::Instant;

use crate::host::Store;

/// One heartbeat period, in the nanoseconds of the model.
const PERIOD: u64 = 16;

/// Heartbeats that may be missed: the least that the project allows, so that one lost frame evicts nobody.
const TOLERANCE: u32 = 3;

/// Buckets of the one slot.
const BUCKETS: u16 = 4;

/// When the clocks of the model begin: not at zero, which means "never" in places.
const BEGIN: u64 = 1 << 32;

/// Frames under way at one time; more means a storm.
const FRAMES_MAX: usize = 256;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Ends a search at so many distinct states.
    #[arg(long, default_value_t = 12_000_000)]
    states: usize,
    /// Only the model with this name.
    #[arg(long)]
    only: Option<String>,
    /// Prints the steps that lead to a violation.
    #[arg(long)]
    trace: bool,
}

/// What may happen in a model, and how often.
#[derive(Clone, Copy)]
struct Bounds {
    name: &'static str,
    hosts: usize,
    /// Hosts that run from the beginning.
    first: usize,
    crashes: u8,
    losses: u8,
    joins: u8,
    leaves: u8,
    /// Longest time that a frame is under way.
    delay: u64,
    /// Faults happen up to here, in periods.
    faults_until: u64,
    /// The end of time, in periods: long enough after the last fault for all to converge.
    horizon: u64,
    /// The search has to close, however many states it takes.
    must_close: bool,
}

const MODELS: [Bounds; 4] = [
    Bounds { name: "2-hosts-join-leave", hosts: 2, first: 1, crashes: 0, losses: 0, joins: 1, leaves: 1, delay: 1, faults_until: 6, horizon: 15, must_close: true },
    Bounds { name: "2-hosts-crash-loss", hosts: 2, first: 2, crashes: 1, losses: 1, joins: 1, leaves: 0, delay: 0, faults_until: 6, horizon: 18, must_close: true },
    Bounds { name: "3-hosts-leave", hosts: 3, first: 3, crashes: 0, losses: 1, joins: 0, leaves: 1, delay: 0, faults_until: 6, horizon: 15, must_close: false },
    Bounds { name: "3-hosts-crash-loss-join", hosts: 3, first: 2, crashes: 1, losses: 1, joins: 1, leaves: 0, delay: 0, faults_until: 7, horizon: 19, must_close: false },
];

/// A node, with its hash so that it is computed once.
struct Placed {
    node: Node<Store>,
    hash: u128,
}

/// A frame on its way to one host.
#[derive(Clone)]
struct Flight {
    from: u8,
    to: u8,
    at: u64,
    hash: u128,
    bytes: Rc<[u8]>,
}

#[derive(Clone)]
struct State {
    now: u64,
    nodes: Vec<Option<Rc<Placed>>>,
    flights: Vec<Flight>,
    crashes: u8,
    losses: u8,
    joins: u8,
    leaves: u8,
    /// When the last fault happened.
    calm_since: u64,
}

/// One step of the model.
#[derive(Clone, Copy, Debug)]
enum Step {
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
        self.low = (self.low ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        self.high = (self.high.rotate_left(23) ^ word).wrapping_mul(0xd6e8_feb8_6659_fd93);
    }

    fn value(&self) -> u128 {
        u128::from(self.low ^ self.low >> 31) << 64 | u128::from(self.high ^ self.high >> 29)
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

/// The set of states holds hashes already.
#[derive(Default)]
struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |value, byte| value << 8 | u64::from(*byte));
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64;
    }
}

type Seen = HashSet<u128, BuildHasherDefault<Taken>>;

/// The verb `model-check`.
pub(crate) fn main(args: &Args) -> ExitCode {
    let mut good = true;
    for bounds in MODELS.iter().filter(|bounds| args.only.as_ref().is_none_or(|only| bounds.name.contains(only.as_str()))) {
        good &= check(bounds, args);
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Searches one model; true if nothing was violated and enough was seen.
fn check(bounds: &Bounds, args: &Args) -> bool {
    let begin = Clock::now();
    let mut search = Search { bounds, seen: Seen::default(), transitions: 0, ends: 0, depth_max: 0 };
    let result = search.run(args.states);
    let seconds = begin.elapsed().as_secs_f64();
    let (closed, violation) = match result {
        Ok(closed) => (closed, None),
        Err((text, path)) => (false, Some((text, path))),
    };
    println!(
        "{}: {} distinct states, {} transitions, {} ends, depth {}, {} in {seconds:.1} s",
        bounds.name,
        search.seen.len(),
        search.transitions,
        search.ends,
        search.depth_max,
        if closed { "closed" } else { "not closed" },
    );
    if let Some((text, path)) = violation {
        println!("VIOLATED: {text} after {} steps", path.len());
        if args.trace {
            replay(bounds, &path);
        }
        return false;
    }
    let enough = closed || (!bounds.must_close && search.seen.len() >= 10_000_000);
    if !enough {
        println!("FAILED: neither closed nor 10,000,000 states");
    }
    enough
}

/// A search in depth.
struct Search<'a> {
    bounds: &'a Bounds,
    seen: Seen,
    transitions: u64,
    ends: u64,
    depth_max: usize,
}

/// A state whose successors are being looked at.
struct Level {
    state: State,
    steps: Vec<Step>,
    next: usize,
}

type Violated = (String, Vec<Step>);

impl Search<'_> {
    /// True if all states within the bounds were seen, false if there were too many.
    fn run(&mut self, states_max: usize) -> Result<bool, Violated> {
        let first = State::first(self.bounds);
        self.seen.insert(first.key());
        let steps = first.steps(self.bounds);
        let mut levels = vec![Level { state: first, steps, next: 0 }];
        while let Some(level) = levels.last_mut() {
            let Some(&step) = level.steps.get(level.next) else {
                levels.pop();
                continue;
            };
            level.next += 1;
            let result = level.state.after(step, self.bounds);
            self.transitions += 1;
            let failed = |text: String, levels: &[Level]| {
                let path = levels.iter().map(|level| level.steps[level.next - 1]).collect();
                (text, path)
            };
            let state = match result {
                Ok(state) => state,
                Err(text) => return Err(failed(text, &levels)),
            };
            if !self.seen.insert(state.key()) {
                continue;
            }
            let steps = state.steps(self.bounds);
            if steps.is_empty() {
                self.ends += 1;
                if let Some(text) = state.unconverged(self.bounds) {
                    return Err(failed(text, &levels));
                }
                continue;
            }
            if self.seen.len() >= states_max {
                return Ok(false);
            }
            levels.push(Level { state, steps, next: 0 });
            self.depth_max = self.depth_max.max(levels.len());
        }
        Ok(true)
    }
}

/// Prints what happens along a path.
fn replay(bounds: &Bounds, path: &[Step]) {
    let mut state = State::first(bounds);
    for step in path {
        let what = match step {
            Step::Deliver(flight) | Step::Lose(flight) => {
                let flight = &state.flights[*flight];
                format!("{step:?}: kind {} of host {} to host {}", flight.bytes[5], flight.from + 1, flight.to + 1)
            }
            _ => format!("{step:?}"),
        };
        println!("{:>5} {what}", state.now - BEGIN);
        match state.after(*step, bounds) {
            Ok(next) => state = next,
            Err(_) => break,
        }
        let views: Vec<String> = state.nodes.iter().map(|placed| placed.as_ref().map_or("-".to_owned(), |placed| placed.say())).collect();
        println!("      {}", views.join(" | "));
    }
}

impl Placed {
    fn new(node: Node<Store>) -> Rc<Placed> {
        let mut hasher = Wide::default();
        node.hash(&mut hasher);
        Rc::new(Placed { hash: hasher.value(), node })
    }

    fn say(&self) -> String {
        let owned = self.node.owned_word(0, 0);
        format!("{} {} gen {} owns {owned:04b}", self.node.state().name(), self.node.out_reason().name(), self.node.generation().number)
    }
}

fn config(host: usize) -> Config {
    let mut weights = [0; SLOTS_MAX];
    weights[0] = 50;
    let kinds = [SlotKind::Weighted; SLOTS_MAX];
    Config {
        cluster_id: 1,
        host: HostId::from_index(host).expect("a model has three hosts at most"),
        period_ns: PERIOD,
        tolerance: TOLERANCE,
        buckets: BUCKETS,
        settings: 1,
        rules: Rules { digest: 1, slots: 1, kinds, weights, kept: SlotSet::ALL },
        dedicated: Dedicated::NONE,
        versions: (1, 1),
        moved_window_ns: PERIOD,
    }
}

impl State {
    fn first(bounds: &Bounds) -> State {
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
    fn key(&self) -> u128 {
        let mut hasher = Wide::default();
        hasher.word(self.now);
        hasher.word(self.calm_since);
        hasher.word(u64::from_le_bytes([self.crashes, self.losses, self.joins, self.leaves, 0, 0, 0, 0]));
        for placed in &self.nodes {
            let hash = placed.as_ref().map_or(0, |placed| placed.hash);
            hasher.word(hash as u64);
            hasher.word((hash >> 64) as u64);
        }
        // Frames to one host from one sender keep their order; apart from that their order means nothing.
        let mut flights: Vec<(u8, u8, usize, u64, u128)> =
            self.flights.iter().enumerate().map(|(order, flight)| (flight.to, flight.from, order, flight.at, flight.hash)).collect();
        flights.sort_unstable();
        for (to, from, _, at, hash) in flights {
            hasher.word(u64::from(to) << 8 | u64::from(from));
            hasher.word(at);
            hasher.word(hash as u64);
            hasher.word((hash >> 64) as u64);
        }
        hasher.value()
    }

    /// What can happen next.
    fn steps(&self, bounds: &Bounds) -> Vec<Step> {
        let mut steps = Vec::new();
        let faults = self.now < BEGIN + bounds.faults_until * PERIOD;
        // The first frame of each link can arrive; frames of one link do not overtake one another.
        for (index, flight) in self.flights.iter().enumerate() {
            let first = self.flights[..index].iter().all(|other| (other.from, other.to) != (flight.from, flight.to));
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
        let oldest = self.flights.iter().map(|flight| flight.at).min().unwrap_or(u64::MAX);
        let in_time = next <= oldest.saturating_add(bounds.delay);
        if !due && in_time && next < BEGIN + bounds.horizon * PERIOD {
            steps.push(Step::Advance(next));
        }
        steps
    }

    fn after(&self, step: Step, bounds: &Bounds) -> Result<State, String> {
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
                state.flights.retain(|flight| usize::from(flight.to) != host);
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
                    node.handle_command(now, Command::Stop, 0).expect("a host that serves can leave");
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
        let store = Store::new(self.nodes.len(), 1, usize::from(BUCKETS));
        let node = Node::new(&config(host), store).expect("the model's configuration is valid");
        self.nodes[host] = Some(Placed::new(node));
        // Each incarnation of a host is another number; there are at most two.
        let incarnation = (1 << 40) + (host as u64) * 16 + u64::from(self.joins) + 1;
        let started = self.input(host, |node, now| {
            node.handle_command(now, Command::Start, incarnation).expect("a new node can start");
        });
        started.expect("a start sends a frame or two");
    }

    /// Gives an input to a node and puts what it sends on its way.
    fn input(&mut self, host: usize, give: impl FnOnce(&mut Node<Store>, Instant)) -> Result<(), String> {
        let Some(placed) = &self.nodes[host] else { return Ok(()) };
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
                self.flights.push(Flight { from, to, at, hash, bytes: Rc::clone(&bytes) });
            }
        }
        while node.poll_event().is_some() {}
        self.nodes[host] = Some(Placed::new(node));
        Ok(())
    }

    /// What must hold in every state: one owner, and agreement. No fault of the model may let a live host be taken for
    /// dead, so nothing is excused.
    fn judge(&self, _bounds: &Bounds) -> Result<(), String> {
        let placed = || self.nodes.iter().enumerate().filter_map(|(host, placed)| Some((host, &placed.as_ref()?.node)));
        for (host, node) in placed() {
            for (other, theirs) in placed().filter(|(other, _)| *other > host) {
                let both = node.owned_word(0, 0) & theirs.owned_word(0, 0);
                if both != 0 {
                    return Err(format!("one-owner: hosts {} and {} both own {both:04b}", host + 1, other + 1));
                }
                let same = node.generation() == theirs.generation() && !node.generation().is_none();
                if same && (node.map(0) != theirs.map(0) || node.view_members() != theirs.view_members()) {
                    return Err(format!("agreement: hosts {} and {} differ in generation {}", host + 1, other + 1, node.generation().number));
                }
            }
            let beyond = (0..BUCKETS).find(|bucket| {
                node.owned_word(0, 0) >> bucket & 1 == 1 && node.owner_of(0, *bucket) != Some(node.config().host)
            });
            if let Some(bucket) = beyond {
                return Err(format!("agreement: host {} serves bucket {bucket}, which its map gives to another", host + 1));
            }
        }
        Ok(())
    }

    /// At the end of time: why not all live hosts serve in one generation, and every bucket has an owner.
    fn unconverged(&self, bounds: &Bounds) -> Option<String> {
        let taking_part: Vec<&Node<Store>> =
            self.nodes.iter().flatten().map(|placed| &placed.node).filter(|node| node.state() != HostState::Stopped).collect();
        let first = taking_part.first()?;
        let owned = taking_part.iter().fold(0, |owned, node| owned | node.owned_word(0, 0));
        let converged = taking_part.iter().all(|node| node.state() == HostState::Converged && node.generation() == first.generation());
        if converged && owned == (1 << BUCKETS) - 1 {
            return None;
        }
        let calm = (BEGIN + bounds.horizon * PERIOD - self.calm_since) / PERIOD;
        let views: Vec<String> = self.nodes.iter().map(|placed| placed.as_ref().map_or("-".to_owned(), |placed| placed.say())).collect();
        Some(format!("heals: {calm} periods after the last fault: {}", views.join(" | ")))
    }
}
