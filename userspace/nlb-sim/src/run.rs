// SPDX-License-Identifier: GPL-2.0-only

//! `nlb-sim run`: plays one seed or many.

use std::cell::RefCell;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::stats::{Outcome, Summary};
use crate::trace::Verbosity;
use crate::world;

/// Seeds that once found something, one a line with its name; they are played before all others.
const REGRESSIONS: &str = include_str!("../regressions.txt");

/// One run in so many is played twice and must have the same trace hash.
const TWICE_EVERY: u64 = 50;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many seeds to play.
    #[arg(long, default_value_t = 2000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Plays this seed alone.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Prints every step (with --seed).
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Leaves out the faults with these numbers (with --seed), to find the ones that matter.
    #[arg(long, value_delimiter = ',', requires = "seed")]
    without: Vec<usize>,
    /// Looks for a smaller set of faults that still fails (with --seed).
    #[arg(long, requires = "seed")]
    shrink: bool,
    /// Threads; one for each processor unless given.
    #[arg(long)]
    jobs: Option<usize>,
    /// Ends at the first violation.
    #[arg(long)]
    first: bool,
    /// Begins no new seed after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Plays only the seeds that once found something.
    #[arg(long, conflicts_with = "seed")]
    regressions: bool,
    /// Leaves out the seeds that once found something.
    #[arg(long)]
    no_regressions: bool,
}

thread_local! {
    /// The message of the last panic on this thread.
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The message of the last panic on this thread.
pub(crate) fn last_panic() -> String {
    LAST_PANIC.with_borrow(String::clone)
}

/// The verb `run`.
pub(crate) fn main(args: &Args) -> ExitCode {
    // A panic of the core is caught and reported with its seed; its message is part of that report.
    std::panic::set_hook(Box::new(|info| LAST_PANIC.set(info.to_string())));
    match args.seed {
        Some(seed) => one(seed, args),
        None => many(args),
    }
}

fn verdict(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn one(seed: u64, args: &Args) -> ExitCode {
    let plan = Plan::draw(seed);
    let mut without = args.without.clone();
    let verbosity = if args.trace && !args.shrink {
        Verbosity::Print
    } else {
        Verbosity::Tail
    };
    let mut outcome = world::play(&plan, &without, verbosity);
    if args.shrink && outcome.violation.is_some() {
        for fault in 0..plan.faults.len() {
            if without.contains(&fault) {
                continue;
            }
            without.push(fault);
            let smaller = world::play(&plan, &without, Verbosity::Tail);
            if smaller.violation.is_some() {
                outcome = smaller;
            } else {
                without.pop();
            }
        }
        let list: Vec<String> = without.iter().map(usize::to_string).collect();
        println!("enough without faults {}", list.join(","));
        if args.trace {
            outcome = world::play(&plan, &without, Verbosity::Print);
        }
    }
    let again = world::play(&plan, &without, Verbosity::Hash);
    print_failure(&outcome, !args.trace);
    println!(
        "seed {seed}: trace hash {:016x}, {} events",
        outcome.hash, outcome.events
    );
    if again.hash != outcome.hash {
        println!(
            "VIOLATED: deterministic: the same seed gave {:016x} the second time",
            again.hash
        );
    }
    let mut summary = Summary::default();
    summary.add(&outcome);
    println!("{}", summary.print());
    verdict(outcome.violation.is_none() && again.hash == outcome.hash)
}

/// Prints why a run failed and how to see it again.
fn print_failure(outcome: &Outcome, with_tail: bool) {
    let Some(violation) = &outcome.violation else {
        return;
    };
    println!("seed {}: VIOLATED: {violation}", outcome.seed);
    if with_tail {
        for line in &outcome.tail {
            println!("    {line}");
        }
    }
}

/// The seeds of the regression file.
pub(crate) fn regressions() -> impl Iterator<Item = u64> {
    REGRESSIONS.lines().filter_map(|line| {
        let line = line.split('#').next().unwrap_or("").trim();
        line.split_whitespace().next().map(|seed| {
            seed.parse()
                .expect("a regression line begins with its seed")
        })
    })
}

fn many(args: &Args) -> ExitCode {
    let mut seeds: Vec<u64> = if args.no_regressions {
        Vec::new()
    } else {
        regressions().collect()
    };
    let named = seeds.len();
    if !args.regressions {
        seeds.extend(args.from..args.from.saturating_add(args.seeds));
    }
    let jobs = args
        .jobs
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
        .max(1);
    let begin = Instant::now();
    let mut summary = Summary::default();
    let mut replays_differ = 0u64;
    let mut replays = 0u64;
    for (outcome, second) in play_all(&seeds, jobs, args) {
        if let Some(hash) = second {
            replays += 1;
            if hash != outcome.hash {
                replays_differ += 1;
                println!(
                    "seed {}: VIOLATED: deterministic: {:016x}, then {hash:016x}",
                    outcome.seed, outcome.hash
                );
            }
        }
        if outcome.violation.is_some() {
            print_failure(&outcome, summary.failed == 0);
        }
        summary.add(&outcome);
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{} seeds ({named} of them named regressions, then from {}) in {seconds:.1} s with {jobs} threads: {:.0} seeds a minute",
        summary.runs,
        args.from,
        summary.runs as f64 * 60.0 / seconds
    );
    println!("{}", summary.print());
    println!("replay:   {replays} runs played twice, {replays_differ} differed");
    println!(
        "verdict:  {} of {} seeds failed",
        summary.failed, summary.runs
    );
    let enough_large = args.regressions || summary.runs < 200 || summary.large_percent() >= 10.0;
    if !enough_large {
        println!(
            "FAILED: only {:.1} % of the seeds had more than 32 hosts",
            summary.large_percent()
        );
    }
    verdict(summary.failed == 0 && replays_differ == 0 && enough_large)
}

/// Plays the seeds on several threads; the outcomes come in the order in which they end. Some are played twice, and
/// the hash of the second time comes with them.
fn play_all(seeds: &[u64], jobs: usize, args: &Args) -> Vec<(Outcome, Option<u64>)> {
    let next = AtomicU64::new(0);
    let enough = AtomicBool::new(false);
    let deadline = args
        .seconds
        .map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..jobs {
            let sender = sender.clone();
            let (next, enough) = (&next, &enough);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed) as usize;
                    let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
                    let Some(&seed) = seeds
                        .get(index)
                        .filter(|_| !late && !enough.load(Ordering::Relaxed))
                    else {
                        return;
                    };
                    let plan = Plan::draw(seed);
                    let mut outcome = world::play(&plan, &[], Verbosity::Hash);
                    if outcome.violation.is_some() {
                        enough.store(args.first, Ordering::Relaxed);
                        outcome = world::play(&plan, &[], Verbosity::Tail);
                    }
                    let second = (index as u64 % TWICE_EVERY == 0)
                        .then(|| world::play(&plan, &[], Verbosity::Hash).hash);
                    if sender.send((outcome, second)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        receiver.into_iter().collect()
    })
}
