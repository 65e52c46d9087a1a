// SPDX-License-Identifier: GPL-2.0-only
//! How often a loop runs in a given time: under a counted clock the loops that
//! are missing from it are the instructions that something else has executed.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Milliseconds.
    #[arg(long, default_value_t = 1000)]
    ms: u64,
}

/// Additions between two looks at the clock: some microseconds.
const ADDITIONS: u64 = 2000;

/// Run and print the number of loops and the time taken as JSON.
pub(crate) fn run(args: &Args) {
    let began = Instant::now();
    let mut loops = 0u64;
    let mut sum = 0u64;
    while began.elapsed() < Duration::from_millis(args.ms) {
        for number in 0..ADDITIONS {
            sum = black_box(sum.wrapping_add(number));
        }
        loops += 1;
    }
    println!(
        "{{\"loops\":{loops},\"ns\":{}}}",
        began.elapsed().as_nanos()
    );
}
