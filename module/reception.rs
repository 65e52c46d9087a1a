// SPDX-License-Identifier: GPL-2.0-only

//! What the cluster interface must receive beside its own frames: heartbeats, and the virtual MAC.
//!
//! The interface keeps its own MAC in every mode, so that hosts can talk to each other. The virtual MAC is added: in
//! unicast mode as a secondary unicast address, in multicast mode as a group address, in IGMP mode as a group that
//! the IP stack joins, so that it reports the group and answers queries. The stack forgets all groups of a family when
//! that family leaves the interface, as IPv6 does at an MTU below 1280: then the group is joined again when the family is
//! back.
//!
//! A switch with snooping that lost a port's groups, because the port was down or its entry was deleted, asks again only if it
//! has a querier. So the groups are reported, unasked, when the interface becomes usable and every minute.

use super::cluster::Cluster;
use super::kapi::netdevice::{Device, Rtnl};
use super::kapi::once::Once;
use super::kapi::rcu::read_lock;
use super::kapi::work::{Job, Work};
use super::nlb_core::genl::Mode;
use super::nlb_core::limits::{FRAME_MAX, GROUP_REPORT_AGAIN_MS, GROUP_REPORT_MS};
use super::nlb_core::mac::{group_of, Mac};
use super::sleep::is_asleep;
use core::net::IpAddr;
use kernel::prelude::*;
use kernel::sync::Arc;

/// Something that the interface must receive.
#[derive(Clone, Copy)]
enum Wanted {
    /// Frames to a unicast MAC.
    Unicast(Mac),
    /// Frames to a multicast MAC.
    Multicast(Mac),
    /// Packets to an IP multicast group.
    Group(IpAddr),
}

/// Of which groups a cluster holds a membership now, and whether its interface is usable, so that the groups are reported
/// when it becomes so. Written under the RTNL.
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

    fn of(&self, group: IpAddr) -> &Once<bool> {
        match group {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) => &self.v6,
        }
    }
}

impl Wanted {
    fn add(self, rtnl: &Rtnl, cluster: &Cluster) -> Result {
        let device = cluster.device();
        match self {
            Wanted::Unicast(mac) => device.add_unicast(&mac),
            Wanted::Multicast(mac) => device.add_multicast(&mac),
            Wanted::Group(group) => {
                device.join(rtnl, group)?;
                cluster.memberships().of(group).store(true);
                Ok(())
            }
        }
    }

    fn del(self, cluster: &Cluster) {
        let device = cluster.device();
        match self {
            Wanted::Unicast(mac) => device.del_unicast(&mac),
            Wanted::Multicast(mac) => device.del_multicast(&mac),
            Wanted::Group(group) => {
                // A membership that was lost with its family is not to be given back a second time: others may have joined
                // the group since.
                let joined = cluster.memberships().of(group);
                if joined.load() {
                    joined.store(false);
                    device.leave(group);
                }
            }
        }
    }
}

/// Whether the interface can serve a cluster now: it has a carrier, and is still what `up` demands of it. One that became a
/// port of another (the stack does not see its frames any more), that does without ARP now, or through which no frame of
/// the longest kind fits, is as good as cut, and so is that of a machine which is about to sleep. Context: process, RTNL.
pub(crate) fn is_usable(rtnl: &Rtnl, device: &Device) -> bool {
    !is_asleep()
        && device.has_carrier()
        && device.is_ethernet()
        && !device.is_port(rtnl)
        && device.mtu() as usize >= FRAME_MAX
}

/// Looks at the interface of a cluster after a change: whether it is usable. Groups that were lost meanwhile are joined
/// again, and all are reported if it has become so. Context: process, RTNL.
pub(crate) fn look(rtnl: &Rtnl, cluster: &Cluster) -> bool {
    for one in wanted(cluster).into_iter().flatten() {
        if let Wanted::Group(group) = one {
            keep_joined(rtnl, cluster, group);
        }
    }
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

/// Joins a group again whose family had left the interface. What the family does comes before this: its notifier was
/// registered first, and its coming and going are events of their own, so that none of them is missed.
fn keep_joined(rtnl: &Rtnl, cluster: &Cluster, group: IpAddr) {
    let joined = cluster.memberships().of(group);
    if !cluster.device().has_family(rtnl, group) {
        joined.store(false);
    } else if !joined.load() && Wanted::Group(group).add(rtnl, cluster).is_err() {
        pr_warn!("no memory to join the group of a cluster again; the next change tries again\n");
    }
}

/// Lets the interface receive what the cluster needs. Context: process, RTNL. Errors: `ENODEV` if the IP stack
/// does not run on the interface, or what the device says; nothing has changed then.
pub(crate) fn open(rtnl: &Rtnl, cluster: &Cluster) -> Result {
    let wanted = wanted(cluster);
    for one in wanted.iter().flatten() {
        if let Err(error) = one.add(rtnl, cluster) {
            let before = |it: &&_| !core::ptr::eq::<Wanted>(*it, one);
            for done in wanted.iter().flatten().take_while(before) {
                done.del(cluster);
            }
            return Err(error);
        }
    }
    Ok(())
}

/// Undoes one [`open`]. Context: process, RTNL.
pub(crate) fn close(cluster: &Cluster) {
    for one in wanted(cluster).iter().flatten() {
        one.del(cluster);
    }
}

fn wanted(cluster: &Cluster) -> [Option<Wanted>; 3] {
    let description = cluster.description();
    let heartbeats = Some(Wanted::Multicast(description.heartbeat_mac));
    let side = read_lock();
    let Some(snapshot) = cluster.snapshot(&side) else {
        return [heartbeats, None, None];
    };
    let (mac_v4, mac_v6) = (snapshot.filter.mac_v4(), snapshot.filter.mac_v6());
    match description.mode {
        // Both families share one virtual MAC in these two modes.
        Mode::Unicast => [heartbeats, Some(Wanted::Unicast(mac_v4)), None],
        Mode::Multicast => [heartbeats, Some(Wanted::Multicast(mac_v4)), None],
        Mode::Igmp => {
            let group = |mac: Mac, used: bool| group_of(mac).filter(|_| used).map(Wanted::Group);
            [
                heartbeats,
                group(mac_v4, cluster.vips().iter().any(IpAddr::is_ipv4)),
                group(mac_v6, cluster.vips().iter().any(IpAddr::is_ipv6)),
            ]
        }
    }
}
