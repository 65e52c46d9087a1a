// SPDX-License-Identifier: GPL-2.0-only
//! A random model of all device events: devices of several namespaces come,
//! change, move and go, with traffic on all of them, while two administrators
//! make and remove clusters on them and read everything; and what the kernel
//! and the module show must agree with what the model knows.
//!
//! All follows from a seed, but for the order in which the three act: their
//! requests overlap. A part of the sequence runs by `--only`, a kept sequence
//! by `--replay`. The switch (namespace `sw`, bridge `br0`) and the host that
//! stays are the scenario's.

pub(crate) mod administrator;
mod check;
mod choice;
mod event;
mod kernel;
mod links;
mod place;
mod register;
mod request;
mod run;
mod sequence;
mod traffic;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use run::Run;
use sequence::Only;

/// What to do, and where.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The same seed is the same sequence.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Device events of the sequence.
    #[arg(long, default_value_t = 1000)]
    events: u32,
    /// Of the sequence, only the steps of these numbers: 1-20,33.
    #[arg(long)]
    only: Option<Only>,
    /// The steps of this file, in place of the sequence of a seed.
    #[arg(long)]
    replay: Option<PathBuf>,
    /// Print the steps and do nothing.
    #[arg(long)]
    list: bool,
    /// Key file of the cluster.
    #[arg(long, default_value = "/run/test/key")]
    key_file: PathBuf,
    /// Namespace of the host that stays: its eth0 gets a cluster, as host 1.
    #[arg(long, default_value = "h1")]
    stays: String,
    /// The module, which is loaded.
    #[arg(long, default_value = "/nlb/nlb.ko")]
    module: PathBuf,
    /// Milliseconds between two heartbeats.
    #[arg(long, default_value_t = 200)]
    period_ms: u32,
    /// Device events between two looks.
    #[arg(long, default_value_t = 20)]
    look_every: u32,
    /// Times by which a slow kernel takes longer.
    #[arg(long, default_value_t = 1)]
    patience: u32,
    /// Milliseconds after each frame of the traffic.
    #[arg(long, default_value_t = 3)]
    pause_ms: u64,
    /// Make a mistake that a look must find, to try what finds it.
    #[arg(long, value_enum)]
    plant: Option<Plant>,
}

/// A mistake of the model itself.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Plant {
    /// The cluster of a device that had another name once is thought to move with it to another namespace.
    RenamedMoves,
}

impl Args {
    fn patience(&self, seconds: u64) -> Duration {
        Duration::from_secs(seconds * u64::from(self.patience))
    }
}

/// Run, and print what happened as JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut sequence = match &args.replay {
        None => sequence::of_seed(args.seed, args.events),
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            sequence::of_file(&text)?
        }
    };
    if let Some(only) = &args.only {
        sequence.retain(|one| only.has(one.number));
    }
    if args.list {
        for one in &sequence {
            println!("{one}");
        }
        return Ok(());
    }
    Run::start(args)?.all(&sequence)
}
