// SPDX-License-Identifier: GPL-2.0-only

//! What it means to the clusters of a virtual machine that it was set back to a snapshot, or copied: their hosts would go on
//! with what they owned then. A machine that does not say so learns it from the first heartbeat of another host
//! (`core/src/node/set_back.rs`).

use crate::kapi::fork_notifier::ForkWatcher;
use crate::nlb_core::node::Command;
use crate::registry::Registry;

impl ForkWatcher for Registry {
    fn set_back(&self) {
        // A node that takes no part does not care.
        self.each(|driver| {
            let _ = driver.command(Command::SetBack);
        });
    }
}
