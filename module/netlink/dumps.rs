// SPDX-License-Identifier: GPL-2.0-only

//! Lists that netlink tells: what they are of, and how they are told in several buffers.
//!
//! *Context*: process. A list is not copied: between two buffers it may change, and the receiver is told so by a number
//! of the state that it is in.

use crate::cluster::driver::Driver;
use crate::cluster::snapshot::Snapshot;
use crate::kapi::genetlink::{Dump, Progress};
use crate::kapi::netlink::Message;
use crate::netlink::fill;
use crate::netlink::operations::find;
use crate::nlb_core::genl::{counter, Command};
use crate::registry::Registry;
use crate::stats::Stats;
use kernel::c_str;
use kernel::prelude::*;

/// Writes one message for each index from the cursor on, until there is none or the buffer is full. `generation`
/// numbers the states of what is dumped.
pub(crate) fn dump_each(
    dump: &mut Dump<'_>,
    command: Command,
    generation: impl Fn() -> u32,
    exists: impl Fn(usize) -> bool,
    fill: impl Fn(&mut Message, usize) -> Result,
) -> Result<Progress> {
    let from = |index| exists(index).then_some(index);
    dump_some(dump, command, generation, from, fill)
}

/// The same where not each index has something; `from` says which is the first one that has, from one on.
fn dump_some(
    dump: &mut Dump<'_>,
    command: Command,
    generation: impl Fn() -> u32,
    from: impl Fn(usize) -> Option<usize>,
    fill: impl Fn(&mut Message, usize) -> Result,
) -> Result<Progress> {
    dump.set_generation(generation());
    while let Some(cursor) = from(dump.cursor()) {
        match dump.message(command as u8, |message| fill(message, cursor)) {
            Ok(true) => dump.set_cursor(cursor.saturating_add(1)),
            Ok(false) => return Ok(Progress::More),
            // It went while it was being written, and it was the last one.
            Err(error) if error == ENOENT => break,
            Err(error) => return Err(error),
        }
    }
    // The end of the dump is marked if the state has changed since the last message.
    dump.set_generation(generation());
    Ok(Progress::Done)
}

/// What is dumped has no states that would have to fit together.
pub(crate) fn unnumbered() -> u32 {
    0
}

/// The number of the state that members, maps and history of a cluster are in.
fn node_generation(driver: &Driver) -> u32 {
    driver
        .cluster()
        .look(|node, _, _| node.generation().number as u32)
}

/// The clusters of a namespace.
pub(crate) fn cluster_dump(registry: &Registry, dump: &mut Dump<'_>) -> Result<Progress> {
    let net = dump.request().net().id();
    let found = |index| registry.nth(net, index);
    let admin = dump.request().is_admin();
    dump_each(
        dump,
        Command::ClusterGet,
        || registry.generation(),
        |index| found(index).is_some(),
        |message, index| fill::cluster(message, found(index).ok_or(ENOENT)?.cluster(), admin),
    )
}

/// The hosts of a cluster.
pub(crate) fn member_dump(registry: &Registry, dump: &mut Dump<'_>) -> Result<Progress> {
    let driver = find(registry, &dump.request())?;
    dump_some(
        dump,
        Command::MemberGet,
        || node_generation(&driver),
        |index| fill::member_from(driver.cluster(), index),
        |message, place| fill::member(message, driver.cluster(), place),
    )
}

/// The rules in force by number, then those that wait for the other hosts.
pub(crate) fn rule_dump(registry: &Registry, dump: &mut Dump<'_>) -> Result<Progress> {
    let driver = find(registry, &dump.request())?;
    let cluster = driver.cluster();
    let generation = || {
        cluster.look_at_rules(|waiting, in_force, _| {
            let digest = |snapshot: Option<&Snapshot>| snapshot.map_or(0, |it| it.digest as u32);
            digest(waiting) ^ digest(in_force).rotate_left(1)
        })
    };
    dump_each(
        dump,
        Command::RuleGet,
        generation,
        |index| index < fill::rules(cluster),
        |message, index| fill::rule(message, cluster, index),
    )
}

/// The bucket maps, then who has residue in which.
pub(crate) fn bucket_dump(registry: &Registry, dump: &mut Dump<'_>) -> Result<Progress> {
    let driver = find(registry, &dump.request())?;
    let slots = driver
        .cluster()
        .look(|node, _, _| usize::from(node.config().rules.slots));
    // The maps, and after them what is residue.
    let parts = slots.saturating_mul(fill::PARTS_PER_SLOT);
    let cluster = driver.cluster();
    dump_some(
        dump,
        Command::BucketGet,
        || node_generation(&driver),
        |index| match index.checked_sub(parts) {
            None => Some(index),
            Some(place) => {
                fill::residue_from(cluster, place, slots).map(|place| parts.saturating_add(place))
            }
        },
        |message, index| match index.checked_sub(parts) {
            None => fill::buckets(message, cluster, index),
            Some(place) => fill::residue(message, cluster, place),
        },
    )
}

/// The counters, of all packets or of those of a rule.
pub(crate) fn counter_dump(registry: &Registry, dump: &mut Dump<'_>) -> Result<Progress> {
    let request = dump.request();
    let driver = find(registry, &request)?;
    let cluster = driver.cluster();
    let rule = request.get(counter::RULE).map(|attribute| attribute.u16());
    let rules =
        cluster.look_at_rules(|_, in_force, _| in_force.map_or(0, |it| it.rules.rules().len()));
    if rule.is_some_and(|rule| usize::from(rule) >= rules) {
        return Err(request.refuse_at(
            counter::RULE,
            EINVAL,
            c_str!("there is no rule with this number"),
        ));
    }
    dump_each(
        dump,
        Command::CounterGet,
        unnumbered,
        |index| index < Stats::len(rule.is_some()),
        |message, index| fill::counter(message, cluster, rule, index),
    )
}

/// The history of convergence.
pub(crate) fn history_dump(registry: &Registry, dump: &mut Dump<'_>) -> Result<Progress> {
    let driver = find(registry, &dump.request())?;
    dump_each(
        dump,
        Command::HistoryGet,
        || node_generation(&driver),
        |index| {
            driver
                .cluster()
                .look(|node, _, _| node.history().nth(index).is_some())
        },
        |message, index| fill::history(message, driver.cluster(), index),
    )
}
