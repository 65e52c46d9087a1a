// SPDX-License-Identifier: GPL-2.0-only

//! Settings that all hosts of a cluster share, changed while it serves: `nlbadm set --period …`, `nlbadm vip add` and `del`.
//!
//! The module waits until all hosts have the same settings, and until the addresses of new VIPs are on this host. Addresses
//! that are no VIPs any more it keeps quiet until they are taken off here.

use std::net::IpAddr;

use nlb_netlink::object::{Cluster, SettingsChange};

use super::{rules::settle, vips};
use crate::{
    cli::VipVerb, failure::Failure, host::Host, kernel::Kernel, output::settings::SettingsShape,
};

/// Hands settings over. If all other hosts have the same already, it waits until they are in force.
///
/// # Errors
///
/// If the kernel refuses them, or a new VIP cannot be an address of this host; then nothing has changed.
pub(super) fn change<K: Kernel + Host>(
    kernel: &mut K,
    cluster: &Cluster,
    change: &SettingsChange,
) -> Result<SettingsShape, Failure> {
    let context = format!("settings of {}", cluster.ifname);
    vips::check_new(kernel, cluster, change.vips.as_deref().unwrap_or_default())?;
    kernel
        .change_settings(cluster.ifindex, change)
        .map_err(|error| Failure::from(error).context(&context))?;
    if let Some(added) = change.vips.as_ref() {
        if let Err(failure) = vips::put_all(kernel, cluster, added) {
            if let Err(failure) = withdraw(kernel, cluster) {
                crate::warn(Some(format!("the change could not be undone: {failure}")));
            }
            return Err(failure.context(context));
        }
    }
    let handed_over =
        format!("{context} are handed over, but whether they are in force is unknown");
    let end = |failure: Failure| failure.context(&handed_over);
    let waits_for = settle(kernel, cluster.clone()).map_err(end)?;
    vips::tidy(kernel, cluster.ifindex).map_err(end)?;
    let now = super::as_it_is(kernel, cluster.ifindex).map_err(|error| end(error.into()))?;
    Ok(SettingsShape {
        interface: cluster.ifname.clone(),
        in_force: waits_for.is_none(),
        held: now.is_some_and(|now| now.held),
        waits_for: waits_for.unwrap_or_default(),
    })
}

/// Withdraws rules and settings that wait: those in force are asked for again.
///
/// # Errors
///
/// If the kernel refuses it: they are just coming into force.
pub(super) fn withdraw<K: Kernel + Host>(kernel: &mut K, cluster: &Cluster) -> Result<(), Failure> {
    let back = SettingsChange {
        vips: Some(cluster.vips.clone()),
        ..SettingsChange::default()
    };
    kernel.change_settings(cluster.ifindex, &back)?;
    vips::tidy(kernel, cluster.ifindex)
}

/// Adds VIPs, or takes them away.
pub(crate) fn vip<K: Kernel + Host>(
    kernel: &mut K,
    verb: &VipVerb,
) -> Result<SettingsShape, Failure> {
    let (VipVerb::Add { target, .. } | VipVerb::Del { target, .. }) = verb;
    let cluster = super::cluster(kernel, target)?;
    let next = match verb {
        VipVerb::Add { vips, .. } => with(&cluster, &vips.0),
        VipVerb::Del { vips, .. } => without(&cluster, &vips.0),
    }?;
    change(
        kernel,
        &cluster,
        &SettingsChange {
            vips: Some(next),
            ..SettingsChange::default()
        },
    )
}

/// The VIPs that were asked for last: where some wait, these.
fn asked_for(cluster: &Cluster) -> &[IpAddr] {
    match cluster.staged.vips.as_slice() {
        [] => &cluster.vips,
        waiting => waiting,
    }
}

fn with(cluster: &Cluster, more: &[IpAddr]) -> Result<Vec<IpAddr>, Failure> {
    let mut vips = asked_for(cluster).to_vec();
    for vip in more {
        if vips.contains(vip) {
            return Err(Failure::usage(format!(
                "{vip} is a VIP of {} already",
                cluster.name
            )));
        }
        vips.push(*vip);
    }
    Ok(vips)
}

fn without(cluster: &Cluster, less: &[IpAddr]) -> Result<Vec<IpAddr>, Failure> {
    let vips = asked_for(cluster);
    if let Some(vip) = less.iter().find(|vip| !vips.contains(vip)) {
        return Err(Failure::usage(format!(
            "{vip} is no VIP of {}: it has {}",
            cluster.name,
            crate::output::text::list(vips)
        )));
    }
    let left = vips.iter().filter(|vip| !less.contains(vip));
    Ok(left.copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::{Addresses, Elsewhere, Target},
        failure::Exit,
        fake::Fake,
    };

    fn add(vips: &[&str]) -> VipVerb {
        VipVerb::Add {
            vips: Addresses(vips.iter().map(|vip| vip.parse().unwrap()).collect()),
            target: Target::default(),
            elsewhere: Elsewhere::default(),
        }
    }

    fn del(vips: &[&str]) -> VipVerb {
        let VipVerb::Add {
            vips,
            target,
            elsewhere,
        } = add(vips)
        else {
            unreachable!();
        };
        VipVerb::Del {
            vips,
            target,
            elsewhere,
        }
    }

    #[test]
    fn a_vip_is_handed_over_before_its_address_is_put_in_place() {
        let mut kernel = Fake::in_cluster();
        let shape = vip(&mut kernel, &add(&["192.0.2.11"])).unwrap();
        assert!(shape.in_force);
        assert_eq!(
            kernel.changes,
            [
                "settings vips 192.0.2.10 2001:db8::10 192.0.2.11 on 2",
                "set up 9 beside 2",
                "add 192.0.2.10 to 9",
                "add 2001:db8::10 to 9",
                "add 192.0.2.11 to 9",
            ]
        );
    }

    #[test]
    fn an_address_that_was_a_vip_is_taken_off() {
        let mut kernel = Fake::in_cluster();
        vip(&mut kernel, &del(&["2001:db8::10"])).unwrap();
        assert_eq!(
            kernel.changes.first().unwrap(),
            "settings vips 192.0.2.10 on 2"
        );
        assert_eq!(kernel.changes.last().unwrap(), "remove 2001:db8::10 from 9");
    }

    #[test]
    fn what_cannot_be_an_address_here_is_withdrawn() {
        let mut kernel = Fake::in_cluster();
        kernel.refuse.push(("add 192.0.2.11", 13));
        let failure = vip(&mut kernel, &add(&["192.0.2.11"])).unwrap_err();
        assert_eq!(failure.exit, Exit::NotPermitted);
        let last = kernel.changes.iter().rfind(|it| it.starts_with("settings"));
        assert_eq!(last.unwrap(), "settings vips 192.0.2.10 2001:db8::10 on 2");
        assert_eq!(kernel.clusters[0].vips.len(), 2);
    }

    #[test]
    fn a_vip_that_waits_can_be_taken_away_again() {
        let mut kernel = Fake::in_cluster();
        let waiting = ["192.0.2.10", "2001:db8::10", "192.0.2.11"];
        kernel.clusters[0].staged.vips = waiting.iter().map(|vip| vip.parse().unwrap()).collect();
        vip(&mut kernel, &del(&["192.0.2.11"])).unwrap();
        let first = kernel.changes.first().unwrap();
        assert_eq!(first, "settings vips 192.0.2.10 2001:db8::10 on 2");
    }

    #[test]
    fn what_makes_no_difference_is_a_mistake() {
        let mut kernel = Fake::in_cluster();
        for verb in [add(&["192.0.2.10"]), del(&["192.0.2.12"])] {
            assert_eq!(vip(&mut kernel, &verb).unwrap_err().exit, Exit::Usage);
        }
        assert_eq!(kernel.changes, [""; 0]);
    }
}
