// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm metrics`: what there is to be measured, once, without nlbd or with it.

use std::path::Path;

use nlb_netlink::Error;

use crate::{
    daemon::{self, CheckShape, Content, SOCKET, Wanted},
    failure::Failure,
    kernel::Kernel,
    metrics,
};

/// The metrics of this host, with those of the checks if nlbd runs here.
pub(crate) fn run(kernel: &mut impl Kernel) -> Result<String, Failure> {
    let checks = checks();
    match kernel.clusters() {
        Err(Error::NoFamily(_)) => metrics::of(None::<&mut crate::kernel::Linux>, &checks),
        _ => metrics::of(Some(kernel), &checks),
    }
}

/// None where nlbd does not run, or is for others.
fn checks() -> Vec<CheckShape> {
    match daemon::ask(Path::new(SOCKET), Wanted::Checks) {
        Ok(Content::Checks(checks)) => checks,
        _ => Vec::new(),
    }
}
