// SPDX-License-Identifier: GPL-2.0-only
//! An attacker who has recorded frames: sends them again, whole or altered,
//! as fast as told.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use fastrand::Rng;
use nlb_core::wire::HEADER_LEN;

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
    /// Change so many bits of each frame.
    #[arg(long, default_value_t = 0)]
    alter: u32,
    /// Where they are.
    #[arg(long, value_enum, default_value_t = Part::Any)]
    part: Part,
    /// Raise the sequence by so much, and by one more with each frame, as
    /// somebody would who wants to be newer than the true sender.
    #[arg(long)]
    ahead: Option<u64>,
    /// Repeats a run exactly.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Part of a frame of nlb.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Part {
    /// All that follows the EtherType.
    Any,
    /// What the stamp covers, and the stamp.
    Header,
    /// What only the tag covers, and the tag.
    Body,
}

impl Part {
    /// Its bits in a frame of that many bytes; a shorter one has none of its
    /// body.
    fn bits(self, length: usize) -> std::ops::Range<usize> {
        let body = (ETHERNET_LEN + HEADER_LEN).min(length);
        let bytes = match self {
            Self::Any => ETHERNET_LEN..length,
            Self::Header => ETHERNET_LEN..body,
            Self::Body => body..length,
        };
        bytes.start * 8..bytes.end * 8
    }
}

/// Bytes of an Ethernet header.
const ETHERNET_LEN: usize = 14;

/// Where the sequence stands, the Ethernet header included.
const SEQUENCE_AT: usize = ETHERNET_LEN + 24;

fn raise_sequence(frame: &mut [u8], by: u64) {
    if let Some(place) = frame.get_mut(SEQUENCE_AT..SEQUENCE_AT + 8) {
        let old = place.try_into().map_or(0, u64::from_be_bytes);
        place.copy_from_slice(&old.wrapping_add(by).to_be_bytes());
    }
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
        if let Some(ahead) = args.ahead {
            raise_sequence(&mut frame, ahead.wrapping_add(number));
        }
        let bits = args.part.bits(frame.len());
        for _ in 0..args.alter {
            if bits.is_empty() {
                break;
            }
            let bit = rng.usize(bits.clone());
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
