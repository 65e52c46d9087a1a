// SPDX-License-Identifier: GPL-2.0-only

//! Whether what this host serves is answered: looks at what the hooks count, tells what has changed, and gives up rules that
//! say so. How it is judged is in `core/src/health.rs`, when a rule is given up in `core/src/stance.rs`.

use crate::cluster::context::Cluster;
use crate::kapi::bh_lock::BhLock;
use crate::kapi::once::Once;
use crate::kapi::rcu::read_lock;
use crate::netlink::notify;
use crate::nlb_core::config::SlotSet;
use crate::nlb_core::genl::{Health, HealthAction, Stance};
use crate::nlb_core::health::{Sight, Sums, Watch};
use crate::nlb_core::limits::{HEALTH_LOOK_NS, SLOTS_MAX};
use crate::nlb_core::node::Command;
use crate::nlb_core::reason::Reason;
use crate::nlb_core::stance::{Memory, Others, Seen};
use crate::nlb_core::time::Instant;
use kernel::prelude::*;

/// What is known of the rules of a cluster.
struct Watches {
    /// A row for what no rule covers, then one for each number that a rule can have.
    rows: KVec<Watch>,
    /// The same rows: what came of it.
    memories: KVec<Memory>,
    /// The rules that they are about; `None`: this host has served nothing since it last began to.
    digest: Option<u64>,
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
            memories: KVec::from_elem(Memory::NEW, Reason::ROWS, GFP_KERNEL_ACCOUNT)?,
            digest: None,
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

    /// Whether it is time for a look; the next one is due after it. A host that serves nothing has nothing to look at, and knows
    /// nothing when it serves again. Context: as [`act`].
    pub(crate) fn begin_look(&self, now: Instant, serves: bool) -> bool {
        if !serves {
            if self.due() != Instant::NEVER {
                self.due.store(Instant::NEVER.0);
                self.watches.lock().digest = None;
            }
            return false;
        }
        let looks = self.due() == Instant::NEVER || now >= self.due();
        if looks {
            self.due.store(now.after(HEALTH_LOOK_NS).0);
        }
        looks
    }

    /// What is known of the rule with this number, or of what no rule covers. Context: any but hard interrupts.
    pub(crate) fn of(&self, rule: Option<u16>) -> Health {
        let row = rule.map_or(0, |rule| usize::from(rule).saturating_add(1));
        let watches = self.watches.lock();
        let row = watches.rows.get(row).filter(|_| watches.digest.is_some());
        row.map_or(Health::Unknown, Watch::health)
    }
}

/// The rules that a look is about.
struct Looked {
    digest: u64,
    rules: usize,
    /// Those that are given up when they are not answered.
    passive: SlotSet,
}

impl Looked {
    fn of(cluster: &Cluster) -> Option<Self> {
        let side = read_lock();
        let snapshot = cluster.snapshot(&side)?;
        let rules = snapshot.rules.rules();
        let mut passive = SlotSet::EMPTY;
        for (number, rule) in (0..u16::MAX).zip(rules) {
            if rule.health == HealthAction::Passive {
                passive.insert(number);
            }
        }
        Some(Self {
            digest: snapshot.digest,
            rules: rules.len(),
            passive,
        })
    }
}

/// Looks at the counters, tells what has changed, and hands the rules that are given up or taken again to `carry_out`, which
/// says whether it was done. Context: any, without locks that a driver could take; one at a time.
#[inline(never)]
pub(crate) fn act(cluster: &Cluster, carry_out: impl Fn(Command) -> bool) {
    let Some(looked) = Looked::of(cluster) else {
        return;
    };
    let rows = looked.rules.saturating_add(1).min(Reason::ROWS);
    begin_anew(cluster, rows, looked.digest);
    for row in 0..rows {
        let sight = Sight {
            // Where there are no rules, the default host is what one rule for everything would make of it.
            is_rule: row != 0 || looked.rules == 0,
            asked_elsewhere: cluster.description().allow_other_interfaces,
        };
        if let Some((health, log)) = look(cluster, row, sight) {
            notify::rule_health(cluster, rule_of(row), health, log);
        }
    }
    if !looked.passive.is_empty() {
        weigh_all(cluster, &looked, rows, carry_out);
    }
}

/// The rule that a row is about; `None`: what no rule covers.
fn rule_of(row: usize) -> Option<u16> {
    row.checked_sub(1).and_then(|rule| u16::try_from(rule).ok())
}

/// Gives rules up and takes them again, all in one change.
#[inline(never)]
fn weigh_all(cluster: &Cluster, looked: &Looked, rows: usize, carry_out: impl Fn(Command) -> bool) {
    let before = cluster.look(|node, _, _| *node.stances());
    let mut stances = before;
    for (row, stance) in (1..rows).zip(stances.iter_mut()) {
        let Some(rule) = rule_of(row).filter(|rule| looked.passive.contains(usize::from(*rule)))
        else {
            continue;
        };
        let others = cluster.look(|node, _, _| node.others_in(usize::from(rule)));
        *stance = weigh(cluster, row, *stance, others);
    }
    if stances == before {
        return;
    }
    let done = take(looked.digest, &stances, carry_out);
    for (row, (before, stance)) in (1..rows).zip(before.iter().zip(&stances)) {
        if let Some(rule) = rule_of(row).filter(|_| done && before != stance) {
            let (health, log) = told(cluster, row);
            notify::rule_stance(cluster, rule, health, *stance, log);
        }
    }
}

/// Takes these stances. Out of line, for a command is large, and is not needed any more when it was carried out.
#[inline(never)]
fn take(rules: u64, stances: &[Stance; SLOTS_MAX], carry_out: impl Fn(Command) -> bool) -> bool {
    carry_out(Command::Take {
        rules,
        stances: *stances,
    })
}

/// Forgets what is known of other rules, or of a time before this host served.
fn begin_anew(cluster: &Cluster, rows: usize, digest: u64) {
    let mut watches = cluster.healths().watches.lock();
    if watches.digest == Some(digest) {
        return;
    }
    watches.digest = Some(digest);
    let syns = watches
        .rows
        .iter()
        .map(Watch::syns_lately)
        .fold(0, u64::saturating_add);
    for (row, watch) in (0..rows).zip(watches.rows.iter_mut()) {
        watch.begin_anew(cluster.stats().sums_of(row), syns);
    }
    for memory in watches.memories.iter_mut() {
        *memory = Memory::NEW;
    }
}

/// Looks at a row; what is known of it, if that is news to be told, and whether the log shall have it.
fn look(cluster: &Cluster, row: usize, sight: Sight) -> Option<(Health, bool)> {
    let sums = cluster.stats().sums_of(row);
    let mut watches = cluster.healths().watches.lock();
    let watch = watches.rows.get_mut(row)?;
    let before = watch.health();
    let after = watch.look(&sums, sight);
    let is_well = |health| matches!(health, Health::Unknown | Health::Answers);
    if before == after || (is_well(before) && is_well(after)) {
        return None;
    }
    Some((after, !is_well(after) && watch.may_log()))
}

/// What this host shall do about a rule from now on.
fn weigh(cluster: &Cluster, row: usize, stance: Stance, others: Others) -> Stance {
    let mut watches = cluster.healths().watches.lock();
    let Watches { rows, memories, .. } = &mut *watches;
    let (Some(watch), Some(memory)) = (rows.get_mut(row), memories.get_mut(row)) else {
        return stance;
    };
    let seen = Seen {
        health: watch.health(),
        asked: watch.asked(),
    };
    let wanted = memory.look(stance, seen, others);
    if wanted == Stance::Tries && stance != wanted {
        // What clients met before says nothing of those to come.
        let syns = watch.syns_lately();
        watch.begin_anew(cluster.stats().sums_of(row), syns);
    }
    wanted
}

/// What is known of a rule, and whether the log shall have what became of it.
fn told(cluster: &Cluster, row: usize) -> (Health, bool) {
    let mut watches = cluster.healths().watches.lock();
    let health = watches.rows.get(row).map_or(Health::Unknown, Watch::health);
    let log = watches.memories.get_mut(row).is_some_and(Memory::may_log);
    (health, log)
}
