// SPDX-License-Identifier: GPL-2.0-only

//! What a machine that sleeps means to its clusters.
//!
//! Before it sleeps its hosts let go of all they own, as if their interfaces were cut: the others take over at once, in a
//! change of a few frames, and not after the silence of a dead host. They take nothing until the machine has woken up. So
//! a host serves no packet on awakening before it is in order: it owns nothing, and as its clock has gone on meanwhile,
//! the first thing that its node does is to notice the pause (PROTOCOL 3.6).

use crate::kapi::netdevice::Rtnl;
use crate::kapi::once::Once;
use crate::kapi::pm_notifier::SleepWatcher;
use crate::l2::mac_filter;
use crate::nlb_core::node::Command;
use crate::registry::Registry;

/// The machine is about to sleep, or sleeps.
static ASLEEP: Once<bool> = Once::new(false);

/// Whether the machine is about to sleep: no interface can serve a cluster then. Context: any.
pub(crate) fn is_asleep() -> bool {
    ASLEEP.load()
}

impl SleepWatcher for Registry {
    fn sleep_changed(&self, asleep: bool) {
        ASLEEP.store(asleep);
        // A cluster that is made meanwhile sees the word, or is in the list: whoever makes one holds the RTNL.
        let rtnl = Rtnl::lock();
        self.each(|driver| {
            let usable = mac_filter::look(&rtnl, driver.cluster());
            // A node that takes no part does not care.
            let _ = driver.command(Command::Carrier(usable));
        });
    }
}
