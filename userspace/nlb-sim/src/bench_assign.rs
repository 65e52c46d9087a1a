// SPDX-License-Identifier: GPL-2.0-only

//! `nlb-sim bench-assign`: what a join, a leave or a reweighting moves, beside modulo and Maglev on the same
//! sequences of events.

use std::process::ExitCode;
use std::thread;

use fastrand::Rng;
use nlb_core::assign::{Weights, assign};
use nlb_core::config::SlotKind;
use nlb_core::host::{HostId, HostSet};
use nlb_core::limits::BUCKETS;

use crate::maglev::{MAGLEV_SIZE, maglev, modulo};
use crate::webster;

/// Events of one sequence.
const EVENTS: usize = 24;

/// A share below this many buckets is left out of max/ideal: one bucket more or less is the whole of it.
const IDEAL_MIN: f64 = 4.0;

/// The promise for equal weights: the most loaded host has at most so much of the mean.
const EQUAL_MAX: f64 = 1.02;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many sequences of events.
    #[arg(long, default_value_t = 10_000)]
    sequences: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
}

/// Hosts with their weights, in order of their ids.
type Hosts = Vec<(u8, u64)>;

/// The hosts as the core wants them.
struct Table<'a>(&'a Hosts);

impl Weights for Table<'_> {
    fn eligible(&self) -> HostSet {
        self.0
            .iter()
            .filter_map(|(id, _)| HostId::new(*id))
            .fold(HostSet::EMPTY, HostSet::with)
    }

    fn weight(&self, host: HostId) -> u8 {
        self.0
            .iter()
            .find(|(id, _)| *id == host.get())
            .map_or(0, |(_, weight)| *weight as u8)
    }
}

/// What one way of assigning did over all events.
#[derive(Clone, Copy, Default)]
struct Tally {
    entries: u64,
    moved: u64,
    collateral: u64,
    worst: f64,
}

impl Tally {
    fn change(&mut self, old: &[u8], new: &[u8], subject: u8) {
        self.entries += new.len() as u64;
        for (before, after) in old
            .iter()
            .zip(new)
            .filter(|(before, after)| before != after)
        {
            self.moved += 1;
            self.collateral += u64::from(*before != subject && *after != subject && *before != 0);
        }
    }

    fn balance(&mut self, map: &[u8], hosts: &Hosts) {
        let total: u64 = hosts.iter().map(|(_, weight)| weight).sum();
        let mut counts = [0u64; 65];
        for owner in map {
            counts[usize::from(*owner)] += 1;
        }
        for &(id, weight) in hosts {
            let ideal = weight as f64 * map.len() as f64 / total as f64;
            if ideal >= IDEAL_MIN {
                self.worst = self.worst.max(counts[usize::from(id)] as f64 / ideal);
            }
        }
    }

    fn add(&mut self, other: &Tally) {
        self.entries += other.entries;
        self.moved += other.moved;
        self.collateral += other.collateral;
        self.worst = self.worst.max(other.worst);
    }
}

/// What a share of the sequences gave.
#[derive(Default)]
struct Result {
    events: u64,
    ours: Tally,
    maglev: Tally,
    modulo: Tally,
    /// Hosts that had more or less than Webster's share, and by how much at most.
    off: u64,
    off_max: u32,
}

/// The verb `bench-assign`.
pub(crate) fn main(args: &Args) -> ExitCode {
    let jobs = thread::available_parallelism().map_or(1, usize::from) as u64;
    let mut total = [Result::default(), Result::default()];
    thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs)
            .map(|job| scope.spawn(move || share(args, job, jobs)))
            .collect();
        for thread in threads {
            let part = thread.join().expect("a sequence panicked");
            for (total, part) in total.iter_mut().zip(part) {
                total.events += part.events;
                total.ours.add(&part.ours);
                total.maglev.add(&part.maglev);
                total.modulo.add(&part.modulo);
                total.off += part.off;
                total.off_max = total.off_max.max(part.off_max);
            }
        }
    });
    let equal = equal_weights();
    println!(
        "{} sequences of {EVENTS} joins, leaves and reweightings, 3-64 hosts, {BUCKETS} buckets",
        args.sequences
    );
    println!(
        "{:<34} {:>9} {:>12} {:>16}",
        "", "moved", "collateral", "worst max/ideal"
    );
    for (name, result) in ["equal weights", "weights 1-100"].iter().zip(&total) {
        row(&format!("min-move + Webster, {name}"), &result.ours);
        row(&format!("Maglev {MAGLEV_SIZE}, {name}"), &result.maglev);
        row(&format!("modulo {BUCKETS}, {name}"), &result.modulo);
    }
    let off = total[0].off + total[1].off;
    let off_max = total[0].off_max.max(total[1].off_max);
    let collateral = total[0].ours.collateral + total[1].ours.collateral;
    println!(
        "modulo knows no weights; max/ideal is over hosts whose ideal share is {IDEAL_MIN} entries or more"
    );
    println!(
        "{} events; hosts off Webster's share: {off}, by {off_max} at most (of 1)",
        total[0].events + total[1].events
    );
    println!("equal weights, each N from 1 to 64: worst max/mean {equal:.4} (of {EQUAL_MAX})");
    println!("collateral: {collateral} (of 0)");
    if collateral == 0 && off_max <= 1 && equal <= EQUAL_MAX {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn row(name: &str, tally: &Tally) {
    let percent = |count: u64| count as f64 * 100.0 / tally.entries.max(1) as f64;
    println!(
        "{name:<34} {:>7.2} % {:>10.4} % {:>16.4}",
        percent(tally.moved),
        percent(tally.collateral),
        tally.worst
    );
}

/// Plays every `jobs`-th sequence: those with equal weights, and those with weights of all sizes.
fn share(args: &Args, job: u64, jobs: u64) -> [Result; 2] {
    let mut results = [Result::default(), Result::default()];
    for number in (args.from..args.from + args.sequences).filter(|number| number % jobs == job) {
        let mut rng = Rng::with_seed(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let weighted = rng.bool();
        sequence(&mut rng, weighted, &mut results[usize::from(weighted)]);
    }
    results
}

fn sequence(rng: &mut Rng, weighted: bool, result: &mut Result) {
    let weight = |rng: &mut Rng| if weighted { rng.u64(1..=100) } else { 50 };
    let mut ids: Vec<u8> = (1..=64).collect();
    rng.shuffle(&mut ids);
    let count = rng.usize(3..=64);
    let mut hosts: Hosts = ids
        .iter()
        .take(count)
        .map(|id| (*id, weight(rng)))
        .collect();
    hosts.sort_unstable();
    let mut map = vec![0u8; BUCKETS];
    assign(&mut map, SlotKind::Weighted, &Table(&hosts));
    let mut others = (maglev(&hosts), modulo(&hosts, BUCKETS));
    for _ in 0..EVENTS {
        let subject = event(rng, &mut hosts, weighted);
        let mut next = map.clone();
        assign(&mut next, SlotKind::Weighted, &Table(&hosts));
        result.events += 1;
        result.ours.change(&map, &next, subject);
        result.ours.balance(&next, &hosts);
        quota(&next, &hosts, result);
        map = next;
        let next = (maglev(&hosts), modulo(&hosts, BUCKETS));
        result.maglev.change(&others.0, &next.0, subject);
        result.maglev.balance(&next.0, &hosts);
        result.modulo.change(&others.1, &next.1, subject);
        result.modulo.balance(&next.1, &hosts);
        others = next;
    }
}

/// A host joins, leaves or gets another weight; returns which.
fn event(rng: &mut Rng, hosts: &mut Hosts, weighted: bool) -> u8 {
    let weight = if weighted { rng.u64(1..=100) } else { 50 };
    let kind = rng.u8(0..if weighted { 3 } else { 2 });
    if (kind == 0 || hosts.len() == 3) && hosts.len() < 64 {
        let free: Vec<u8> = (1..=64)
            .filter(|id| hosts.iter().all(|(taken, _)| taken != id))
            .collect();
        let id = rng
            .choice(free)
            .expect("fewer than 64 hosts leave an id free");
        hosts.push((id, weight));
        hosts.sort_unstable();
        return id;
    }
    let place = rng.usize(0..hosts.len());
    let id = hosts[place].0;
    if kind == 2 {
        hosts[place].1 = weight;
    } else {
        hosts.remove(place);
    }
    id
}

fn quota(map: &[u8], hosts: &Hosts, result: &mut Result) {
    let quotas = webster::quotas(hosts, map.len());
    let mut counts = [0u32; 65];
    for owner in map {
        counts[usize::from(*owner)] += 1;
    }
    for (count, quota) in counts.iter().zip(&quotas) {
        let off = count.abs_diff(*quota);
        result.off += u64::from(off > 0);
        result.off_max = result.off_max.max(off);
    }
}

/// The worst max/mean of a canonical map for hosts of equal weight.
fn equal_weights() -> f64 {
    (1..=64u8)
        .map(|n| {
            let hosts: Hosts = (1..=n).map(|id| (id, 50)).collect();
            let mut map = vec![0u8; BUCKETS];
            assign(&mut map, SlotKind::Weighted, &Table(&hosts));
            let most = (1..=n)
                .map(|id| map.iter().filter(|owner| **owner == id).count())
                .max()
                .unwrap_or(0);
            most as f64 * f64::from(n) / BUCKETS as f64
        })
        .fold(0.0, f64::max)
}
