// SPDX-License-Identifier: GPL-2.0-only

//! `nlbd`, the optional daemon of a host: it checks whether the services that its clusters are for are well, and gives
//! new clients to the other hosts when they are not. Where the file of a cluster has it on, it does what other hosts ask for, and
//! keeps that file the same on all of them.
//!
//! Packets and membership do not go through it: it may be killed at any moment.

mod daemon;
mod events;
mod exporter;
#[cfg(test)]
mod fake;
mod files;
mod group;
mod health;
mod hold;
mod hooks;
mod host;
mod kernel;
mod log;
mod marks;
mod probe;
mod remote;
mod replica;
mod report;
mod schedule;
mod socket;
mod target;
mod trust;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser};
use log::log;

/// Checks the services of nlb clusters on this host, and gives new clients to other hosts when they are not well. Does what
/// other hosts ask for, where remote control is on.
#[derive(Debug, Parser)]
#[command(name = "nlbd", version)]
struct Arguments {
    /// Files of clusters; a directory stands for all files *.toml in it
    #[arg(value_name = "FILE", default_value = nlbadm::DIRECTORY)]
    files: Vec<PathBuf>,

    /// The section of the files that is for this host [default: the one of its machine id or host name]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// Directory for the socket, and for the note of what was given up; it is made if it is not there
    #[arg(long, value_name = "DIR", default_value = "/run/nlb")]
    run_directory: PathBuf,

    /// Directory for the versions of files that all hosts of a cluster have the same; it is made if it is not there
    #[arg(long, value_name = "DIR", default_value = "/var/lib/nlb")]
    state_directory: PathBuf,

    /// Where metrics are to be had, as OpenMetrics: ADDRESS:PORT, or the path of a Unix socket [default: nowhere]
    #[arg(
        long,
        value_name = "PLACE",
        env = "NLBD_METRICS",
        hide_env_values = true
    )]
    metrics: Option<String>,

    /// Directory of programs that are told of events
    #[arg(long, value_name = "DIR", default_value = "/etc/nlb/hooks.d")]
    hooks: PathBuf,

    /// Print the manual page, and end
    #[arg(long, hide = true)]
    manual: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = if arguments.manual {
        let page = clap_mangen::Man::new(Arguments::command()).section("8");
        page.render(&mut std::io::stdout().lock())
    } else {
        daemon::run(&arguments)
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log!("{error}");
            ExitCode::FAILURE
        }
    }
}
