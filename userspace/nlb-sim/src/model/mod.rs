// SPDX-License-Identifier: GPL-2.0-only

//! `nlb-sim model-check`: every interleaving of deliveries, losses, timers, crashes, joins and leaves of a small cluster,
//! over the same core, by a depth-first search that remembers a 128-bit hash of every state it has seen.
//!
//! What is bounded: time (a horizon, so that sequences and clocks stay finite), the number of each fault, and how long
//! a frame may be under way. Within these bounds nothing is left out; what is left out of the hash of a state (events
//! and history waiting to be read) is read by nobody in the core.

mod reduce;
mod state;

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::process::ExitCode;
use std::time::Instant as Clock;

use state::{BEGIN, State, Step};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Ends a search at so many distinct states.
    #[arg(long, default_value_t = 12_000_000)]
    states: usize,
    /// A search that ends there is good enough: only a violation fails.
    #[arg(long)]
    share: bool,
    /// Only the model with this name.
    #[arg(long)]
    only: Option<String>,
    /// Prints the steps that lead to a violation.
    #[arg(long)]
    trace: bool,
    /// Follows every order of steps, also of those that cannot matter to one another.
    #[arg(long)]
    unreduced: bool,
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
    /// Orders of steps that cannot matter to one another are followed once (see [`reduce`]).
    reduced: bool,
}

const MODELS: [Bounds; 6] = [
    Bounds {
        name: "2-hosts-join-leave",
        hosts: 2,
        first: 1,
        crashes: 0,
        losses: 0,
        joins: 1,
        leaves: 1,
        delay: 1,
        faults_until: 6,
        horizon: 15,
        must_close: true,
        reduced: true,
    },
    Bounds {
        name: "2-hosts-crash-loss",
        hosts: 2,
        first: 2,
        crashes: 1,
        losses: 1,
        joins: 1,
        leaves: 0,
        delay: 0,
        faults_until: 4,
        horizon: 15,
        must_close: true,
        reduced: true,
    },
    Bounds {
        name: "2-hosts-join-leave-loss",
        hosts: 2,
        first: 1,
        crashes: 0,
        losses: 1,
        joins: 1,
        leaves: 1,
        delay: 0,
        faults_until: 6,
        horizon: 16,
        must_close: true,
        reduced: true,
    },
    Bounds {
        name: "2-hosts-all",
        hosts: 2,
        first: 2,
        crashes: 1,
        losses: 1,
        joins: 1,
        leaves: 1,
        delay: 0,
        faults_until: 4,
        horizon: 16,
        must_close: false,
        reduced: true,
    },
    Bounds {
        name: "3-hosts-leave",
        hosts: 3,
        first: 3,
        crashes: 0,
        losses: 1,
        joins: 0,
        leaves: 1,
        delay: 0,
        faults_until: 6,
        horizon: 15,
        must_close: false,
        reduced: true,
    },
    Bounds {
        name: "3-hosts-crash-loss-join",
        hosts: 3,
        first: 2,
        crashes: 1,
        losses: 1,
        joins: 1,
        leaves: 0,
        delay: 0,
        faults_until: 7,
        horizon: 19,
        must_close: false,
        reduced: true,
    },
];

/// The set of states holds hashes already.
#[derive(Default)]
struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes
            .iter()
            .fold(self.0, |value, byte| (value << 8) | u64::from(*byte));
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64;
    }
}

type Seen = HashSet<u128, BuildHasherDefault<Taken>>;

/// Distinct states that prove something of a model that does not close.
const ENOUGH: usize = 10_000_000;

/// The verb `model-check`.
pub(crate) fn main(args: &Args) -> ExitCode {
    let begin = Clock::now();
    let mut good = true;
    let mut states = 0;
    for bounds in MODELS.iter().filter(|bounds| {
        args.only
            .as_ref()
            .is_none_or(|only| bounds.name.contains(only.as_str()))
    }) {
        let bounds = Bounds {
            reduced: !args.unreduced,
            ..*bounds
        };
        let (passed, seen) = check(&bounds, args);
        good &= passed;
        states += seen;
    }
    println!(
        "{states} distinct states in all, {:.0} s, at most {} MB",
        begin.elapsed().as_secs_f64(),
        peak_mb()
    );
    if good && states > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The most memory that this process ever had, in megabytes; 0 if the kernel does not say.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| {
        let kb = line.strip_prefix("VmHWM:")?.split_whitespace().next()?;
        kb.parse::<u64>().ok()
    });
    peak.unwrap_or(0) / 1024
}

/// Searches one model: whether nothing was violated and enough was seen, and how many states that were.
fn check(bounds: &Bounds, args: &Args) -> (bool, usize) {
    let begin = Clock::now();
    let mut search = Search {
        bounds,
        seen: Seen::default(),
        transitions: 0,
        ends: 0,
        depth_max: 0,
    };
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
        if closed { "closed" } else { "bounded" },
    );
    if let Some((text, path)) = violation {
        println!("VIOLATED: {text} after {} steps", path.len());
        if args.trace {
            replay(bounds, &path);
        }
        return (false, search.seen.len());
    }
    let enough = closed || args.share || (!bounds.must_close && search.seen.len() >= ENOUGH);
    if !enough {
        println!("FAILED: neither closed nor {ENOUGH} states");
    }
    (enough, search.seen.len())
}

/// A search in depth.
struct Search<'a> {
    bounds: &'a Bounds,
    seen: Seen,
    transitions: u64,
    ends: u64,
    depth_max: usize,
}

/// A state whose successors are being looked at: the step that led to it, and those of its successors that are left.
struct Level {
    by: Option<Step>,
    successors: reduce::Successors,
}

type Violated = (String, Vec<Step>);

impl Search<'_> {
    /// True if all states within the bounds were seen, false if there were too many.
    fn run(&mut self, states_max: usize) -> Result<bool, Violated> {
        let mut levels = Vec::new();
        self.enter(&mut levels, None, State::first(self.bounds))?;
        while let Some(level) = levels.last_mut() {
            let Some((step, state)) = level.successors.pop() else {
                levels.pop();
                continue;
            };
            if self.seen.len() >= states_max {
                return Ok(false);
            }
            self.enter(&mut levels, Some(step), state)?;
        }
        Ok(true)
    }

    /// Goes on from a state that was not seen before, or judges it if it is an end.
    fn enter(
        &mut self,
        levels: &mut Vec<Level>,
        by: Option<Step>,
        state: State,
    ) -> Result<(), Violated> {
        if !self.seen.insert(state.key()) {
            return Ok(());
        }
        let path = |levels: &[Level], last: Option<Step>| {
            let steps = levels.iter().map(|level| level.by);
            steps.chain([by, last]).flatten().collect()
        };
        let successors = match reduce::successors(&state, self.bounds) {
            Ok(successors) => successors,
            Err((step, text)) => return Err((text, path(levels, Some(step)))),
        };
        self.transitions += successors.len() as u64;
        if successors.is_empty() {
            self.ends += 1;
            return match state.unconverged(self.bounds) {
                Some(text) => Err((text, path(levels, None))),
                None => Ok(()),
            };
        }
        levels.push(Level { by, successors });
        self.depth_max = self.depth_max.max(levels.len());
        Ok(())
    }
}

/// Prints what happens along a path.
fn replay(bounds: &Bounds, path: &[Step]) {
    let mut state = State::first(bounds);
    for step in path {
        let what = match step {
            Step::Deliver(flight) | Step::Lose(flight) => {
                let flight = &state.flights[*flight];
                format!(
                    "{step:?}: kind {} of host {} to host {}",
                    flight.bytes[5],
                    flight.from + 1,
                    flight.to + 1
                )
            }
            _ => format!("{step:?}"),
        };
        println!("{:>5} {what}", state.now - BEGIN);
        match state.after(*step, bounds) {
            Ok(next) => state = next,
            Err(_) => break,
        }
        let views: Vec<String> = state
            .nodes
            .iter()
            .map(|placed| {
                placed
                    .as_ref()
                    .map_or("-".to_owned(), |placed| placed.say())
            })
            .collect();
        println!("      {}", views.join(" | "));
    }
}
