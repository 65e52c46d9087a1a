// SPDX-License-Identifier: GPL-2.0-only
//! An attacker who has recorded frames: sends them again, whole or altered,
//! as fast as told.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use fastrand::Rng;

use crate::{capture, inject};

/// What to send.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The interface to send on.
    #[arg(long)]
    dev: String,
    /// The recording, with whole frames.
    #[arg(long)]
    file: PathBuf,
    /// Only frames of this EtherType, in hexadecimal.
    #[arg(long, value_parser = inject::parse_hex)]
    ethertype: u16,
    /// How many frames; the recording is repeated as often as needed.
    #[arg(long)]
    count: u64,
    /// Frames per second; as fast as possible if left out.
    #[arg(long)]
    rate: Option<u32>,
    /// Change so many bits of each frame, anywhere after its EtherType.
    #[arg(long, default_value_t = 0)]
    alter: u32,
    /// Repeats a run exactly.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Send the frames and print how many, in which time.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut recorded = Vec::new();
    capture::frames(&args.file, |frame| {
        if frame.get(12..14) == Some(&args.ethertype.to_be_bytes()[..]) {
            recorded.push(frame.to_vec());
        }
    })?;
    if recorded.is_empty() {
        bail!("{}: no frame of that EtherType", args.file.display());
    }
    let mut sender = inject::Sender::open(&args.dev)?;
    let mut rng = Rng::with_seed(args.seed);
    let began = Instant::now();
    for (number, frame) in (0..args.count).zip(recorded.iter().cycle()) {
        if let Some(rate) = args.rate {
            let due = began + Duration::from_secs(1) * u32::try_from(number)? / rate;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let mut frame = frame.clone();
        for _ in 0..args.alter {
            let bit = rng.usize(14 * 8..frame.len() * 8);
            frame[bit / 8] ^= 1 << (bit % 8);
        }
        sender.send(&frame)?;
    }
    println!(
        "{{\"sent\":{},\"recorded\":{},\"seconds\":{}}}",
        sender.sent,
        recorded.len(),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}
