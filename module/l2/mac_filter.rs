// SPDX-License-Identifier: GPL-2.0-only

//! What the cluster interface must receive beside its own frames: heartbeats, and the virtual MAC.
//!
//! The interface keeps its own MAC in every mode, so that hosts can talk to each other. The virtual MAC is added: in
//! unicast mode as a secondary unicast address, in multicast mode as a group address, in IGMP mode as a group that
//! the IP stack joins, so that it reports the group and answers queries. Questions for an IPv6 VIP are sent to its
//! solicited-node group; the stack would join that for an address of the interface, and the VIPs are on another device, so
//! it is joined here. The stack forgets all groups of a family when that family leaves the interface, as IPv6 does at an MTU
//! below 1280: then the groups are joined again when the family is back.
//!
//! A switch with snooping that lost a port's groups, because the port was down or its entry was deleted, asks again only if it
//! has a querier. So the groups are reported, unasked, when the interface becomes usable and every minute.

use crate::cluster::context::Cluster;
use crate::kapi::netdevice::{Device, Rtnl};
use crate::kapi::once::Once;
use crate::kapi::rcu::read_lock;
use crate::kapi::work::{Job, Work};
use crate::nlb_core::genl::Mode;
use crate::nlb_core::limits::{GROUP_REPORT_AGAIN_MS, GROUP_REPORT_MS, MTU_MIN};
use crate::nlb_core::mac::{group_of, Mac};
use crate::nlb_core::nd::solicited_node;
use crate::sleep::is_asleep;
use core::net::IpAddr;
use kernel::prelude::*;
use kernel::sync::Arc;

/// A MAC that the interface must receive frames to.
#[derive(Clone, Copy)]
enum Wanted {
    Unicast(Mac),
    Multicast(Mac),
}

impl Wanted {
    fn add(self, device: &Device) -> Result {
        match self {
            Wanted::Unicast(mac) => device.add_unicast(&mac),
            Wanted::Multicast(mac) => device.add_multicast(&mac),
        }
    }

    fn del(self, device: &Device) {
        match self {
            Wanted::Unicast(mac) => device.del_unicast(&mac),
            Wanted::Multicast(mac) => device.del_multicast(&mac),
        }
    }
}

/// A family of IP addresses.
#[derive(Clone, Copy)]
enum Ip {
    V4,
    V6,
}

/// Of which families' groups a cluster holds the memberships now, of all or of none, and whether its interface is usable,
/// so that the groups are reported when it becomes so. Written under the RTNL.
pub(crate) struct Memberships {
    v4: Once<bool>,
    v6: Once<bool>,
    usable: Once<bool>,
}

impl Memberships {
    /// Of none.
    pub(crate) const fn none() -> Self {
        Self {
            v4: Once::new(false),
            v6: Once::new(false),
            usable: Once::new(true),
        }
    }

    fn of(&self, family: Ip) -> &Once<bool> {
        match family {
            Ip::V4 => &self.v4,
            Ip::V6 => &self.v6,
        }
    }
}

/// Joins all groups of a family. Errors: `ENODEV` if the family does not run on the interface, `ENOMEM`; then none is
/// joined.
fn join(rtnl: &Rtnl, cluster: &Cluster, family: Ip) -> Result {
    // With a range, whose end cannot be reached, where `enumerate` could overflow.
    for (done, group) in (0..usize::MAX).zip(groups(cluster, family)) {
        if let Err(error) = cluster.device().join(rtnl, group) {
            for group in groups(cluster, family).take(done) {
                cluster.device().leave(group);
            }
            return Err(error);
        }
    }
    cluster.memberships().of(family).store(true);
    Ok(())
}

/// Leaves them, if they are joined: memberships that were lost with the family are not to be given back a second time, for
/// others may have joined the groups since.
fn leave(cluster: &Cluster, family: Ip) {
    let joined = cluster.memberships().of(family);
    if joined.load() {
        joined.store(false);
        for group in groups(cluster, family) {
            cluster.device().leave(group);
        }
    }
}

/// Whether the interface can serve a cluster now: it has a carrier, and is still what `up` demands of it. One that became a
/// port of another (the stack does not see its frames any more), that does without ARP now, or through which heartbeats do
/// not fit, is as good as cut, and so is that of a machine which is about to sleep. Context: process, RTNL.
pub(crate) fn is_usable(rtnl: &Rtnl, device: &Device) -> bool {
    !is_asleep()
        && device.has_carrier()
        && device.is_ethernet()
        && !device.is_port(rtnl)
        && device.mtu() >= MTU_MIN
}

/// Looks at the interface of a cluster after a change: whether it is usable. Groups that were lost meanwhile are joined
/// again, and all are reported if it has become so. Context: process, RTNL.
pub(crate) fn look(rtnl: &Rtnl, cluster: &Cluster) -> bool {
    keep_joined(rtnl, cluster, Ip::V4);
    keep_joined(rtnl, cluster, Ip::V6);
    let usable = is_usable(rtnl, cluster.device());
    let before = &cluster.memberships().usable;
    if usable && !before.load() {
        report(rtnl, cluster);
    }
    before.store(usable);
    usable
}

/// Reports the groups that the cluster has joined, if its mode has any. Context: process, RTNL.
fn report(rtnl: &Rtnl, cluster: &Cluster) {
    if cluster.description().mode == Mode::Igmp {
        if let Some(device) = cluster.device().listed(rtnl) {
            device.report_groups(rtnl);
        }
    }
}

/// Reports the groups of a cluster every minute.
pub(crate) struct Reporter(Arc<Cluster>);

impl Reporter {
    /// Nothing in those modes that join no group. Context: process. Errors: `ENOMEM`.
    pub(crate) fn start(cluster: &Arc<Cluster>) -> Result<Option<Pin<KBox<Work<Self>>>>> {
        if cluster.description().mode != Mode::Igmp {
            return Ok(None);
        }
        let reporter = Arc::new(Self(cluster.clone()), GFP_KERNEL_ACCOUNT)?;
        Work::new(reporter, GROUP_REPORT_MS).map(Some)
    }
}

impl Job for Reporter {
    fn run(&self) -> u32 {
        // Taking the cluster down waits for this work, and may hold the RTNL meanwhile.
        let Some(rtnl) = Rtnl::try_lock() else {
            return GROUP_REPORT_AGAIN_MS;
        };
        if is_usable(&rtnl, self.0.device()) {
            report(&rtnl, &self.0);
        }
        GROUP_REPORT_MS
    }
}

/// Joins the groups of a family again that had left the interface. What the family does comes before this: its notifier was
/// registered first, and its coming and going are events of their own, so that none of them is missed.
fn keep_joined(rtnl: &Rtnl, cluster: &Cluster, family: Ip) {
    let Some(group) = groups(cluster, family).next() else {
        return;
    };
    let joined = cluster.memberships().of(family);
    if !cluster.device().has_family(rtnl, group) {
        joined.store(false);
    } else if !joined.load() && join(rtnl, cluster, family).is_err() {
        pr_warn!("no memory to join the groups of a cluster again; the next change tries again\n");
    }
}

/// Lets the interface receive what the cluster needs. Context: process, RTNL. Errors: `ENODEV` if the IP stack
/// does not run on the interface, or what the device says; nothing has changed then.
pub(crate) fn open(rtnl: &Rtnl, cluster: &Cluster) -> Result {
    let device = cluster.device();
    let wanted = wanted(cluster);
    for (done, one) in (0..usize::MAX).zip(wanted.into_iter().flatten()) {
        if let Err(error) = one.add(device) {
            for before in wanted.into_iter().flatten().take(done) {
                before.del(device);
            }
            return Err(error);
        }
    }
    let joined = join(rtnl, cluster, Ip::V4).and_then(|()| join(rtnl, cluster, Ip::V6));
    joined.inspect_err(|_| close(cluster))
}

/// Undoes one [`open`]. Context: process, RTNL.
pub(crate) fn close(cluster: &Cluster) {
    leave(cluster, Ip::V4);
    leave(cluster, Ip::V6);
    for one in wanted(cluster).into_iter().flatten() {
        one.del(cluster.device());
    }
}

/// The MACs that heartbeats are sent to, and that the VIPs resolve to unless they are groups that the stack joins.
fn wanted(cluster: &Cluster) -> [Option<Wanted>; 2] {
    let description = cluster.description();
    let (mac, _) = virtual_macs(cluster);
    [
        Some(Wanted::Multicast(description.heartbeat_mac)),
        // Both families share one virtual MAC in these two modes.
        match description.mode {
            Mode::Unicast => mac.map(Wanted::Unicast),
            Mode::Multicast => mac.map(Wanted::Multicast),
            Mode::Igmp => None,
        },
    ]
}

/// The groups of a family that the interface must receive packets to.
fn groups(cluster: &Cluster, family: Ip) -> impl Iterator<Item = IpAddr> + '_ {
    let (mac_v4, mac_v6) = virtual_macs(cluster);
    let mac = match family {
        Ip::V4 => mac_v4,
        Ip::V6 => mac_v6,
    };
    let is_igmp = cluster.description().mode == Mode::Igmp;
    let of_family = move |vip: &&IpAddr| vip.is_ipv6() == matches!(family, Ip::V6);
    let mut vips = cluster.vips().iter().filter(of_family);
    let of_mode = mac
        .filter(|_| is_igmp && vips.next().is_some())
        .and_then(group_of);
    let solicited = cluster
        .vips()
        .iter()
        .filter(of_family)
        .filter_map(|vip| match vip {
            IpAddr::V4(_) => None,
            IpAddr::V6(vip) => Some(IpAddr::V6(solicited_node(*vip))),
        });
    // Not as a method, which pin_init's prelude has by the same name.
    Iterator::chain(of_mode.into_iter(), solicited)
}

/// What the VIPs of each family resolve to. They do not change while the cluster stands.
fn virtual_macs(cluster: &Cluster) -> (Option<Mac>, Option<Mac>) {
    let side = read_lock();
    let filter = cluster.snapshot(&side).map(|snapshot| &snapshot.filter);
    (
        filter.map(|filter| filter.mac_v4()),
        filter.map(|filter| filter.mac_v6()),
    )
}
