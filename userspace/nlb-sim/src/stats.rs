// SPDX-License-Identifier: GPL-2.0-only

//! What a set of runs went through: the distribution that is printed beside the verdict.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::check::Violation;
use crate::fault::{Kind, Tempo};

/// What one run did.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    /// Hash of everything that happened.
    pub(crate) hash: u64,
    pub(crate) hosts: usize,
    pub(crate) buckets: usize,
    pub(crate) period_ns: u64,
    pub(crate) tempo: Tempo,
    /// Virtual time that passed, in nanoseconds.
    pub(crate) virtual_ns: u64,
    /// Faults that found somebody to happen to, by kind.
    pub(crate) faults: BTreeMap<Kind, u32>,
    pub(crate) events: u64,
    pub(crate) frames_accepted: u64,
    pub(crate) frames_refused: u64,
    pub(crate) attack_frames: u64,
    pub(crate) generations: u64,
    /// Generations whose shares could not be checked.
    pub(crate) unchecked: u64,
    /// Joins, leaves and so on whose time was checked.
    pub(crate) expectations: BTreeMap<&'static str, u64>,
    /// Times that a session was compared with an owner that is not its host.
    pub(crate) sessions: u64,
    /// Longest gap of a planned change in one-way delays, times 1000.
    pub(crate) gap_milli: u64,
    /// Longest failover in parts of what it may take, (tolerance + 2) periods, times 1000.
    pub(crate) failover_milli: u64,
    /// Longest time after a disturbance with two owners that hear each other, in the same parts.
    pub(crate) doubled_milli: u64,
    /// Time from the healing to convergence in periods, times 1000.
    pub(crate) heal_milli: u64,
    /// Which authentication, as printed.
    pub(crate) auth: &'static str,
    pub(crate) violation: Option<Violation>,
    /// Last lines of the trace, if there was a violation.
    pub(crate) tail: Vec<String>,
}

/// Sums over many runs.
#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) runs: u64,
    pub(crate) failed: u64,
    hosts: BTreeMap<&'static str, u64>,
    buckets: BTreeMap<usize, u64>,
    periods_ms: BTreeMap<u64, u64>,
    auth: BTreeMap<&'static str, u64>,
    one_by_one: u64,
    faults: BTreeMap<Kind, u64>,
    faults_min: Option<u32>,
    faults_sum: u64,
    virtual_ns: u64,
    virtual_ns_min: Option<u64>,
    events: u64,
    frames: [u64; 3],
    generations: u64,
    unchecked: u64,
    expectations: BTreeMap<&'static str, u64>,
    sessions: u64,
    gap_milli: u64,
    failover_milli: u64,
    doubled_milli: u64,
    heal_milli: u64,
    /// Violations by name of the property.
    violations: BTreeMap<&'static str, u64>,
}

impl Summary {
    /// Adds a run.
    pub(crate) fn add(&mut self, run: &Outcome) {
        self.runs += 1;
        *self.hosts.entry(class(run.hosts)).or_default() += 1;
        *self.buckets.entry(run.buckets).or_default() += 1;
        *self
            .periods_ms
            .entry(run.period_ns / 1_000_000)
            .or_default() += 1;
        *self.auth.entry(run.auth).or_default() += 1;
        self.one_by_one += u64::from(run.tempo == Tempo::OneByOne);
        let mut faults = 0;
        for (&kind, &count) in &run.faults {
            *self.faults.entry(kind).or_default() += u64::from(count);
            faults += count;
        }
        self.faults_sum += u64::from(faults);
        self.events += run.events;
        self.frames[0] += run.frames_accepted;
        self.frames[1] += run.frames_refused;
        self.frames[2] += run.attack_frames;
        self.generations += run.generations;
        self.unchecked += run.unchecked;
        for (&what, &count) in &run.expectations {
            *self.expectations.entry(what).or_default() += count;
        }
        self.sessions += run.sessions;
        self.virtual_ns += run.virtual_ns;
        if let Some(violation) = &run.violation {
            self.failed += 1;
            *self
                .violations
                .entry(violation.property.name())
                .or_default() += 1;
        } else {
            // A run that failed ended early and proves nothing about the least or the longest.
            self.faults_min = Some(self.faults_min.map_or(faults, |least| least.min(faults)));
            self.virtual_ns_min = Some(
                self.virtual_ns_min
                    .map_or(run.virtual_ns, |least| least.min(run.virtual_ns)),
            );
            self.gap_milli = self.gap_milli.max(run.gap_milli);
            self.failover_milli = self.failover_milli.max(run.failover_milli);
            self.doubled_milli = self.doubled_milli.max(run.doubled_milli);
            self.heal_milli = self.heal_milli.max(run.heal_milli);
        }
    }

    /// The distribution, for people.
    pub(crate) fn print(&self) -> String {
        let mut text = String::new();
        let share = |count: u64| count as f64 * 100.0 / self.runs.max(1) as f64;
        let _ = write!(text, "hosts:   ");
        for (class, count) in &self.hosts {
            let _ = write!(text, " {class}: {count} ({:.1} %)", share(*count));
        }
        let _ = write!(text, "\nbuckets: ");
        for (buckets, count) in &self.buckets {
            let _ = write!(text, " {buckets}: {:.1} %", share(*count));
        }
        let _ = write!(text, "\nperiod:  ");
        for (ms, count) in &self.periods_ms {
            let _ = write!(text, " {ms} ms: {:.1} %", share(*count));
        }
        let _ = write!(text, "\nkeys:    ");
        for (auth, count) in &self.auth {
            let _ = write!(text, " {auth}: {:.1} %", share(*count));
        }
        let _ = write!(
            text,
            "\nfaults:   {} in all, {:.1} a run, {} at least, one by one in {:.1} % of the runs;",
            self.faults_sum,
            self.faults_sum as f64 / self.runs.max(1) as f64,
            self.faults_min.unwrap_or(0),
            share(self.one_by_one)
        );
        for (kind, count) in &self.faults {
            let _ = write!(text, " {} {count}", kind.name());
        }
        let _ = write!(
            text,
            "\nvirtual:  {:.1} h in all, {:.1} s a run at least; {} events; {} generations ({} of them without known inputs); {} looks at a session whose bucket another owns\ntimed:   ",
            self.virtual_ns as f64 / 3.6e12,
            self.virtual_ns_min.unwrap_or(0) as f64 / 1e9,
            self.events,
            self.generations,
            self.unchecked,
            self.sessions
        );
        for (what, count) in &self.expectations {
            let _ = write!(text, " {count} {what}");
        }
        let _ = write!(
            text,
            "\nframes:   {} accepted, {} refused, {} of the adversary (an accepted one is a violation)",
            self.frames[0], self.frames[1], self.frames[2]
        );
        let _ = write!(
            text,
            "\nworst:    planned gap {:.3} one-way delays (of 4), failover {:.3} of (tolerance + 2) periods, two owners until {:.3} of them after a disturbance, healed in {:.3} periods",
            self.gap_milli as f64 / 1e3,
            self.failover_milli as f64 / 1e3,
            self.doubled_milli as f64 / 1e3,
            self.heal_milli as f64 / 1e3
        );
        for (name, count) in &self.violations {
            let _ = write!(text, "\nVIOLATED: {name} in {count} runs");
        }
        text
    }

    /// Share of runs with more than 32 hosts, in percent.
    pub(crate) fn large_percent(&self) -> f64 {
        let large = self.hosts.get(class(64)).copied().unwrap_or(0);
        large as f64 * 100.0 / self.runs.max(1) as f64
    }
}

/// The size class of a cluster.
fn class(hosts: usize) -> &'static str {
    match hosts {
        0..=1 => "1",
        2..=3 => "2-3",
        4..=8 => "4-8",
        9..=32 => "9-32",
        _ => "over 32",
    }
}
