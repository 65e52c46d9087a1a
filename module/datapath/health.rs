// SPDX-License-Identifier: GPL-2.0-only

//! Whether what this host serves is answered: looks at what the hooks count, and tells what has changed. How it is judged
//! is in `core/src/health.rs`.

use crate::cluster::context::Cluster;
use crate::kapi::bh_lock::BhLock;
use crate::kapi::clock::now_ns;
use crate::kapi::once::Once;
use crate::kapi::rcu::read_lock;
use crate::netlink::notify;
use crate::nlb_core::genl::Health;
use crate::nlb_core::health::{Sight, Sums, Watch};
use crate::nlb_core::limits::HEALTH_LOOK_NS;
use crate::nlb_core::reason::Reason;
use crate::nlb_core::time::Instant;
use kernel::prelude::*;

/// What is known of the rules of a cluster.
struct Watches {
    /// A row for what no rule covers, then one for each number that a rule can have.
    rows: KVec<Watch>,
    /// The rules that they are about.
    digest: u64,
}

/// What is known of what a cluster serves here.
#[pin_data]
pub(crate) struct Healths {
    #[pin]
    watches: BhLock<Watches>,
    due: Once<u64>,
}

impl Healths {
    /// Nothing is known. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new() -> Result<impl PinInit<Self>> {
        let watches = Watches {
            rows: KVec::from_elem(
                Watch::new(Sums::default()),
                Reason::ROWS,
                GFP_KERNEL_ACCOUNT,
            )?,
            digest: 0,
        };
        Ok(pin_init!(Self {
            watches <- BhLock::new(watches),
            due: Once::new(Instant::NEVER.0),
        }))
    }

    /// When it is to be looked again; [`Instant::NEVER`] if it is not. Context: any.
    pub(crate) fn due(&self) -> Instant {
        Instant(self.due.load())
    }

    /// What is known of the rule with this number, or of what no rule covers. Context: any but hard interrupts.
    pub(crate) fn of(&self, rule: Option<u16>) -> Health {
        let row = rule.map_or(0, |rule| usize::from(rule).saturating_add(1));
        let watches = self.watches.lock();
        watches.rows.get(row).map_or(Health::Unknown, Watch::health)
    }
}

/// Looks at the counters if it is time to, and tells what has changed. A host that serves nothing has nothing to look at.
/// Context: any, without locks that a driver could take; one at a time.
#[inline(never)]
pub(crate) fn act(cluster: &Cluster, serves: bool) {
    let healths = cluster.healths();
    let now = Instant(now_ns());
    if !serves {
        healths.due.store(Instant::NEVER.0);
        return;
    }
    if healths.due() != Instant::NEVER && now < healths.due() {
        return;
    }
    healths.due.store(now.after(HEALTH_LOOK_NS).0);
    let Some((rules, digest)) = cluster
        .snapshot(&read_lock())
        .map(|snapshot| (snapshot.rules.rules().len(), snapshot.digest))
    else {
        return;
    };
    begin_anew(cluster, digest);
    for row in 0..=rules.min(Reason::ROWS - 1) {
        let sight = Sight {
            // Where there are no rules, the default host is what one rule for everything would make of it.
            is_rule: row != 0 || rules == 0,
            asked_elsewhere: cluster.description().allow_other_interfaces,
        };
        if let Some(health) = look(cluster, row, sight) {
            let rule = row.checked_sub(1).and_then(|rule| u16::try_from(rule).ok());
            notify::rule_health(cluster, rule, health);
        }
    }
}

/// Forgets what is known of other rules.
fn begin_anew(cluster: &Cluster, digest: u64) {
    let mut watches = cluster.healths().watches.lock();
    if watches.digest == digest {
        return;
    }
    watches.digest = digest;
    for (row, watch) in (0..usize::MAX).zip(watches.rows.iter_mut()) {
        *watch = Watch::new(cluster.stats().sums_of(row));
    }
}

/// Looks at a row; what is known of it, if that is news to be told.
fn look(cluster: &Cluster, row: usize, sight: Sight) -> Option<Health> {
    let sums = cluster.stats().sums_of(row);
    let mut watches = cluster.healths().watches.lock();
    let watch = watches.rows.get_mut(row)?;
    let before = watch.health();
    let after = watch.look(&sums, sight);
    let is_well = |health| matches!(health, Health::Unknown | Health::Answers);
    (before != after && !(is_well(before) && is_well(after))).then_some(after)
}
