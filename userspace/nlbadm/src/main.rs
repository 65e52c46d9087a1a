// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm` configures and shows nlb clusters.

use std::process::ExitCode;

fn main() -> ExitCode {
    nlbadm::main()
}
