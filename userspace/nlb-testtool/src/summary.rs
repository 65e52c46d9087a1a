// SPDX-License-Identifier: GPL-2.0-only
//! What a run of requests came to.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Serialize;

use crate::client::Outcome;

/// A connection that takes longer than this needed its SYN sent again: the
/// first repetition comes after one second.
const PROMPT: Duration = Duration::from_millis(900);

/// One finished request.
pub(crate) struct Attempt {
    /// Since the run began.
    pub(crate) start: Duration,
    pub(crate) source: SocketAddr,
    pub(crate) outcome: Outcome,
    pub(crate) connect: Option<Duration>,
    pub(crate) total: Duration,
}

impl Attempt {
    /// Answered, and without a repeated SYN.
    fn prompt(&self) -> bool {
        self.outcome.is_ok() && self.connect.is_some_and(|time| time < PROMPT)
    }

    /// A line of the list: start and connect time in ms, source, answer.
    pub(crate) fn line(&self) -> String {
        let connect = self
            .connect
            .map_or_else(|| "-".to_owned(), |time| time.as_millis().to_string());
        let outcome = match self.outcome {
            Ok(host) => host.to_string(),
            Err(failure) => failure.name().to_owned(),
        };
        format!(
            "{} {} {} {} {}",
            self.start.as_millis(),
            self.source.ip(),
            self.source.port(),
            outcome,
            connect
        )
    }
}

/// Requests of the clients that one host served before the disturbance.
#[derive(Serialize, Default)]
struct Group {
    requests: u64,
    failed: u64,
    /// Answered, but only after a repeated SYN.
    late: u64,
    /// From the start of the first request that was not answered promptly to
    /// the first promptly answered one after the last such; 0 if none.
    gap_ms: u64,
}

/// The report of a run.
#[derive(Serialize)]
pub(crate) struct Summary {
    requests: u64,
    answered: u64,
    /// Answers by host id.
    hosts: BTreeMap<u8, u64>,
    /// Failures by kind.
    failures: BTreeMap<&'static str, u64>,
    late: u64,
    /// Source addresses that more than one host answered.
    sources_moved: u64,
    sources: u64,
    gap_ms: u64,
    /// Groups by the host that answered a source address first.
    by_first_host: BTreeMap<u8, Group>,
    seconds: f64,
}

impl Summary {
    /// Sum up the attempts of a run.
    pub(crate) fn of(attempts: &mut [Attempt], elapsed: Duration) -> Self {
        attempts.sort_by_key(|attempt| attempt.start);
        let mut hosts = BTreeMap::new();
        let mut failures = BTreeMap::new();
        let mut first: BTreeMap<IpAddr, u8> = BTreeMap::new();
        let mut moved = std::collections::BTreeSet::new();
        for attempt in attempts.iter() {
            match attempt.outcome {
                Ok(host) => {
                    *hosts.entry(host).or_default() += 1;
                    let source = attempt.source.ip();
                    if *first.entry(source).or_insert(host) != host {
                        moved.insert(source);
                    }
                }
                Err(failure) => *failures.entry(failure.name()).or_default() += 1,
            }
        }
        let mut groups: BTreeMap<u8, Vec<&Attempt>> = BTreeMap::new();
        for attempt in attempts.iter() {
            if let Some(host) = first.get(&attempt.source.ip()) {
                groups.entry(*host).or_default().push(attempt);
            }
        }
        let all: Vec<&Attempt> = attempts.iter().collect();
        let whole = Group::of(&all);
        Self {
            requests: whole.requests,
            answered: whole.requests - whole.failed,
            hosts,
            failures,
            late: whole.late,
            sources_moved: moved.len() as u64,
            sources: first.len() as u64,
            gap_ms: whole.gap_ms,
            by_first_host: groups
                .iter()
                .map(|(host, attempts)| (*host, Group::of(attempts)))
                .collect(),
            seconds: elapsed.as_secs_f64(),
        }
    }
}

impl Group {
    /// `attempts` are in order of their start.
    fn of(attempts: &[&Attempt]) -> Self {
        let mut group = Self::default();
        let mut first_bad = None;
        let mut after_last_bad = None;
        for attempt in attempts {
            group.requests += 1;
            if attempt.prompt() {
                after_last_bad = after_last_bad.or(Some(attempt.start));
                continue;
            }
            match attempt.outcome {
                Ok(_) => group.late += 1,
                Err(_) => group.failed += 1,
            }
            first_bad = first_bad.or(Some(attempt.start));
            after_last_bad = None;
        }
        if let Some(from) = first_bad {
            // A run that ends in failures has a gap at least to its end.
            let to = after_last_bad
                .or_else(|| attempts.last().map(|attempt| attempt.start + attempt.total))
                .unwrap_or(from);
            group.gap_ms = u64::try_from((to - from).as_millis()).unwrap_or(u64::MAX);
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Failure;

    fn attempt(start: u64, source: u8, outcome: Outcome, connect: u64) -> Attempt {
        Attempt {
            start: Duration::from_millis(start),
            source: SocketAddr::new([10, 1, 0, source].into(), 1000),
            connect: outcome.ok().map(|_| Duration::from_millis(connect)),
            outcome,
            total: Duration::from_millis(connect + 1),
        }
    }

    #[test]
    fn gap_runs_to_the_first_prompt_answer_after_the_last_bad_one() {
        let mut attempts = vec![
            attempt(0, 1, Ok(1), 1),
            attempt(10, 2, Ok(2), 1),
            attempt(100, 1, Err(Failure::Timeout), 0),
            attempt(110, 2, Ok(2), 1),
            attempt(900, 1, Ok(3), 1000),
            attempt(1200, 1, Ok(3), 1),
        ];
        let summary = Summary::of(&mut attempts, Duration::from_secs(2));
        assert_eq!(summary.gap_ms, 1100);
        assert_eq!(summary.late, 1);
        assert_eq!(summary.failures.get("timeout"), Some(&1));
        assert_eq!(summary.by_first_host[&1].gap_ms, 1100);
        assert_eq!(summary.by_first_host[&2].gap_ms, 0);
        assert_eq!(summary.sources_moved, 1);
    }
}
