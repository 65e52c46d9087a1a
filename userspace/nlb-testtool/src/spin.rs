// SPDX-License-Identifier: GPL-2.0-only
//! What interrupts a loop in userspace again and again, in the rhythm of a
//! given period: under a counted clock, in instructions.
//!
//! The loop looks at the clock and does nothing else, so a turn always takes
//! the same time, and a longer one was interrupted for the difference. The
//! kernel has much to do that differs from run to run: its own threads, RCU,
//! what is left of a scenario before. So no sum is taken. Interruptions are
//! sorted by their phase in the period; what comes back at the same phase is
//! periodic, and the median over all periods is what it costs.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// How long, and in which rhythm.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Milliseconds of the period.
    #[arg(long)]
    period_ms: u64,
    /// Periods that are watched.
    #[arg(long, default_value_t = 45)]
    periods: u64,
}

/// A turn of the loop that takes so many nanoseconds more than the shortest
/// one was interrupted; an interrupt takes more than that to return.
const INTERRUPTED_NS: u64 = 400;

/// Interruptions whose phases are so close, in nanoseconds, are taken for one
/// that comes back: it may be held up by the end of a turn, or of an interrupt.
const JITTER_NS: u64 = 5_000;

/// Room for interruptions: memory that is there before the loop begins.
const INTERRUPTIONS_MAX: usize = 1 << 17;

/// A turn of the loop: when it began, and how long it took, in nanoseconds.
#[derive(Clone, Copy)]
struct Turn {
    began: u64,
    took: u64,
}

/// Run, and print what was seen as JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    let period = Duration::from_millis(args.period_ms);
    let period_ns = u64::try_from(period.as_nanos())?;
    ensure!(period_ns > 0 && args.periods > 0, "no time to watch");
    let (long, turns) = watch(period_ns * args.periods);
    ensure!(
        long.len() < INTERRUPTIONS_MAX,
        "more interruptions than there is room for"
    );
    let series = periodic(&long, period_ns, args.periods);
    println!(
        "{{\"periods\":{},\"turns\":{turns},\"interruptions\":{},\"stolen\":{},\"periodic\":{},\"series\":{series:?}}}",
        args.periods,
        long.len(),
        long.iter().map(|turn| turn.took).sum::<u64>(),
        series.iter().sum::<u64>(),
    );
    Ok(())
}

/// Watches for so many nanoseconds: the turns that were interrupted, each with
/// the time that it took over the shortest one, and the number of all turns.
fn watch(ns: u64) -> (Vec<Turn>, u64) {
    let mut long = vec![Turn { began: 1, took: 1 }; INTERRUPTIONS_MAX];
    long.clear();
    let (mut last, mut turns, mut shortest) = (0, 0, u64::MAX);
    let began = Instant::now();
    while last < ns {
        let now = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let took = now - last;
        shortest = shortest.min(took);
        if took > INTERRUPTED_NS && long.len() < INTERRUPTIONS_MAX {
            long.push(Turn { began: last, took });
        }
        last = now;
        turns += 1;
    }
    for turn in &mut long {
        turn.took -= shortest;
    }
    (long, turns)
}

/// What comes back in each period: for each phase, the median of what it took
/// there, in the order of the phases. What is missing in half of the periods
/// has the median 0 and is left out.
fn periodic(long: &[Turn], period_ns: u64, periods: u64) -> Vec<u64> {
    let mut by_phase = long.to_vec();
    by_phase.sort_by_key(|turn| turn.began % period_ns);
    by_phase
        .chunk_by(|a, b| b.began % period_ns - a.began % period_ns <= JITTER_NS)
        .map(|group| {
            let mut took = vec![0; usize::try_from(periods).unwrap_or(0)];
            for turn in group {
                let period = usize::try_from(turn.began / period_ns).unwrap_or(usize::MAX);
                if let Some(sum) = took.get_mut(period) {
                    *sum += turn.took;
                }
            }
            median(&mut took)
        })
        .filter(|&took| took > 0)
        .collect()
}

/// Of an even number, the lower of the two in the middle.
fn median(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Turn, periodic};

    const MS: u64 = 1_000_000;
    const PERIOD: u64 = 11 * MS;
    const PERIODS: u64 = 45;

    fn every(first: u64, step: u64, took: u64) -> Vec<Turn> {
        (0..)
            .map(|n| Turn {
                began: first + n * step,
                took,
            })
            .take_while(|turn| turn.began < PERIOD * PERIODS)
            .collect()
    }

    #[test]
    fn ticks_of_another_rhythm_are_left_out() {
        let ticks = every(15_981, 4 * MS, 3_400);
        assert_eq!(periodic(&ticks, PERIOD, PERIODS), Vec::<u64>::new());
        let beats = every(873_000, PERIOD, 42_253);
        assert_eq!(
            periodic(&[ticks, beats].concat(), PERIOD, PERIODS),
            [42_253]
        );
    }

    #[test]
    fn what_happens_now_and_then_is_left_out() {
        let beats = [
            every(2 * MS, PERIOD, 65_367),
            every(8 * MS, PERIOD, 63_986),
            // Every third of the first takes longer, and once there is a lot else.
            every(2 * MS + 1_000, 3 * PERIOD, 20_000),
            every(50 * MS, 1_000 * MS, 557_856),
        ];
        assert_eq!(periodic(&beats.concat(), PERIOD, PERIODS), [65_367, 63_986]);
    }

    #[test]
    fn a_beat_may_be_held_up_a_little() {
        let beats: Vec<Turn> = every(3 * MS, PERIOD, 40_000)
            .iter()
            .enumerate()
            .map(|(n, turn)| Turn {
                began: turn.began + u64::try_from(n).unwrap_or(0) * 100,
                ..*turn
            })
            .collect();
        assert_eq!(periodic(&beats, PERIOD, PERIODS), [40_000]);
    }

    #[test]
    fn half_of_the_periods_are_not_enough() {
        let beats = every(3 * MS, 2 * PERIOD, 40_000);
        assert_eq!(beats.len(), 23);
        assert_eq!(periodic(&beats, PERIOD, PERIODS + 1), Vec::<u64>::new());
    }
}
