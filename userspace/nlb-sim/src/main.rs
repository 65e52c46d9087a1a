// SPDX-License-Identifier: GPL-2.0-only

//! The simulator of nlb's protocol: the real core of the module under virtual time and a hostile network.
//!
//! `run` plays seeds, `mutants` shows that it can fail, `model-check` searches small clusters exhaustively and
//! `bench-assign` measures what a change of the members moves.

mod act;
mod adversary;
mod auth;
mod bench_assign;
mod carry;
mod check;
mod converge;
mod expect;
mod fault;
mod frames;
mod host;
mod inject;
mod maglev;
mod model;
mod mutants;
mod network;
mod plan;
mod power;
mod queue;
mod run;
mod segment;
mod session;
mod stats;
mod survey;
mod trace;
mod webster;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Deterministic simulation of nlb's protocol.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays seeds; ends with 1 if a property did not hold in one of them.
    Run(run::Args),
    /// Builds broken variants of the core and requires that each is caught.
    Mutants(mutants::Args),
    /// Searches all interleavings of a small cluster.
    ModelCheck(model::Args),
    /// Measures what joins, leaves and reweightings move, beside modulo and Maglev.
    BenchAssign(bench_assign::Args),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::main(&args),
        Command::Mutants(args) => mutants::main(&args),
        Command::ModelCheck(args) => model::main(&args),
        Command::BenchAssign(args) => bench_assign::main(&args),
    }
}
