// SPDX-License-Identifier: GPL-2.0-only

//! What a seed draws before the run begins: the cluster, its hosts, its network and its faults.

use fastrand::Rng;
use nlb_core::time::{NS_PER_MS, NS_PER_SEC};

use crate::fault::{self, Fault, Tempo};

/// Shortest virtual time of a run, in nanoseconds.
pub(crate) const RUN_NS_MIN: u64 = 60 * NS_PER_SEC;

/// How frames are authenticated in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthKind {
    /// HMAC-SHA256 cut to 128 bits, by the crates that userspace uses.
    Hmac,
    /// A keyed mixing function that is quick and, to this adversary, as opaque as an HMAC.
    Fast,
    /// No key: everybody may take part, so the adversary stays away.
    Open,
}

/// Which versions of the protocol the hosts of a run speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versions {
    /// All speak the old one alone; a stranger may come that does not.
    Old,
    /// Some speak the old one alone and some both, as in the middle of an upgrade.
    Mixed,
    /// All speak both.
    Both,
}

/// What a map slot shares out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SlotPlan {
    /// By load weight, one for each host of the plan.
    Weighted(Vec<u8>),
    /// By handling priority, one for each host of the plan.
    Single(Vec<u8>),
}

/// One host of the plan.
#[derive(Clone, Debug)]
pub(crate) struct HostPlan {
    /// Host id, 1 to 64.
    pub(crate) id: u8,
    /// Virtual time of its first start, in nanoseconds.
    pub(crate) start: u64,
    /// How fast its clock runs, in parts per million beside the true one.
    pub(crate) drift_ppm: i64,
}

/// Everything that is fixed before a run begins.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) hosts: Vec<HostPlan>,
    pub(crate) period_ns: u64,
    pub(crate) tolerance: u32,
    pub(crate) buckets: usize,
    pub(crate) slots: Vec<SlotPlan>,
    pub(crate) auth: AuthKind,
    pub(crate) relay: bool,
    pub(crate) versions: Versions,
    pub(crate) delay_ns: [u64; 2],
    pub(crate) jitter_ns: [u64; 2],
    /// Timers fire late by up to this, in nanoseconds.
    pub(crate) late_ns_max: u64,
    pub(crate) tempo: Tempo,
    pub(crate) faults: Vec<Fault>,
    /// End of the safety phase: from here on nothing new goes wrong.
    pub(crate) heal_at: u64,
}

impl Plan {
    /// Draws the plan of a seed.
    pub(crate) fn draw(seed: u64) -> Plan {
        // The seed is mixed first: neighbouring seeds shall have nothing in common.
        let mut rng =
            Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x6e6c_622d_7369_6d21);
        let n = hosts(&mut rng);
        let period_ns = period(&mut rng, n) * NS_PER_MS;
        let large = n > 32;
        let tolerance = if rng.u8(0..4) == 0 {
            rng.u32(3..=if large { 5 } else { 8 })
        } else {
            5
        };
        let detection = period_ns * u64::from(tolerance + 2);
        let cold_together = rng.u8(0..3) != 0;
        let hosts = host_plans(&mut rng, n, cold_together, period_ns);
        // A frame crosses a segment in far less than a period: a tenth is already a bad network.
        let delay_ns = [
            rng.u64(20_000..=period_ns / 40),
            rng.u64(100_000..=period_ns / 25),
        ];
        let jitter_ns = [rng.u64(0..=period_ns / 40), rng.u64(0..=period_ns / 25)];
        // Waiting for a large cluster to settle after each fault costs most of all.
        let one_by_one = if large {
            rng.u8(0..8) == 0
        } else {
            rng.u8(0..5) < 2
        };
        let tempo = if one_by_one {
            Tempo::OneByOne
        } else {
            Tempo::Chaos
        };
        let settle = detection * 2 + period_ns * 4;
        let begin = period_ns * 12 + hosts.iter().map(|host| host.start).max().unwrap_or(0);
        let faults_end = (RUN_NS_MIN - settle).max(begin + settle);
        let faults = fault::draw(&mut rng, tempo, begin, faults_end, detection, settle);
        let heal_at = faults
            .iter()
            .map(|fault| fault.at + fault.lasts)
            .max()
            .unwrap_or(begin)
            + period_ns;
        let buckets = match rng.u8(0..8) {
            0 | 1 => 4096,
            2 => 1024,
            3 => 512,
            4 => 128,
            _ => 64,
        };
        Plan {
            seed,
            buckets: if large { buckets.max(128) } else { buckets },
            slots: slots(&mut rng, n),
            auth: match rng.u8(0..10) {
                0 => AuthKind::Hmac,
                1 => AuthKind::Open,
                _ => AuthKind::Fast,
            },
            relay: rng.bool() && (!large || rng.bool()),
            versions: [Versions::Old, Versions::Mixed, Versions::Both][rng.usize(0..3)],
            delay_ns,
            jitter_ns,
            late_ns_max: if rng.bool() {
                50_000
            } else {
                rng.u64(50_000..=period_ns / 20)
            },
            hosts,
            period_ns,
            tolerance,
            tempo,
            faults,
            heal_at: heal_at.max(faults_end),
        }
    }

    /// How long a host may be dead before its buckets have a new owner, in nanoseconds.
    pub(crate) fn detection_ns(&self) -> u64 {
        self.period_ns * u64::from(self.tolerance + 2)
    }
}

/// Draws the number of hosts: one seed in eight is larger than Windows ever was, most are small because small
/// clusters meet rare situations more often in the same time.
fn hosts(rng: &mut Rng) -> usize {
    match rng.u8(0..16) {
        0 | 1 => rng.usize(33..=64),
        2..=4 => rng.usize(9..=32),
        5 => 1,
        6..=10 => rng.usize(2..=3),
        _ => rng.usize(3..=8),
    }
}

/// Draws the heartbeat period in milliseconds. What a run costs grows with hosts² / period.
fn period(rng: &mut Rng, n: usize) -> u64 {
    let choice: &[u64] = match n {
        0..=3 => &[10, 20, 50, 100, 200],
        4..=8 => &[50, 100, 200, 200, 500],
        9..=32 => &[200, 500, 1000],
        _ => &[1000, 2000, 2000],
    };
    choice[rng.usize(0..choice.len())]
}

fn host_plans(rng: &mut Rng, n: usize, together: bool, period_ns: u64) -> Vec<HostPlan> {
    // A node looks through all ids up to the highest: most small clusters have small ones.
    let highest = if rng.u8(0..4) == 0 {
        64
    } else {
        (n as u8 + 4).min(64)
    };
    let mut ids: Vec<u8> = (1..=highest).collect();
    rng.shuffle(&mut ids);
    ids.truncate(n);
    let wild = rng.u8(0..4) == 0;
    let drift_max = if wild { 20_000 } else { 100 };
    ids.into_iter()
        .map(|id| HostPlan {
            id,
            start: if together {
                rng.u64(0..=period_ns)
            } else {
                rng.u64(0..=period_ns * 20)
            },
            drift_ppm: rng.i64(-drift_max..=drift_max),
        })
        .collect()
}

fn slots(rng: &mut Rng, n: usize) -> Vec<SlotPlan> {
    let count = rng.usize(1..=3);
    (0..count)
        .map(|_| match rng.u8(0..6) {
            0 => SlotPlan::Single({
                let mut priorities: Vec<u8> = (1..=64).collect();
                rng.shuffle(&mut priorities);
                priorities.truncate(n);
                priorities
            }),
            1..=3 => SlotPlan::Weighted(vec![50; n]),
            _ => SlotPlan::Weighted((0..n).map(|_| rng.u8(1..=100)).collect()),
        })
        .collect()
}
