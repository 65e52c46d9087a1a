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
use crate::cluster::snapshot::Snapshot;
use crate::kapi::netdevice::{Device, Rtnl};
use crate::kapi::once::Once;
use crate::kapi::rcu::read_lock;
use crate::kapi::work::{Job, Work};
use crate::nlb_core::genl::Mode;
use crate::nlb_core::limits::{GROUP_REPORT_AGAIN_MS, GROUP_REPORT_MS, MTU_MIN, VIPS_MAX};
use crate::nlb_core::mac::{group_of, Mac};
use crate::nlb_core::nd::solicited_node;
use crate::sleep::is_asleep;
use core::net::IpAddr;
use kernel::prelude::*;
use kernel::sync::{Arc, Mutex};

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

/// The groups that a cluster has joined and its interface has not lost since, and whether its interface is usable, so that
/// the groups are reported when it becomes so. Written under the RTNL.
#[pin_data]
pub(crate) struct Memberships {
    #[pin]
    joined: Mutex<KVec<IpAddr>>,
    usable: Once<bool>,
}

impl Memberships {
    /// Of none.
    pub(crate) fn none() -> impl PinInit<Self> {
        pin_init!(Self {
            joined <- kernel::new_mutex!(KVec::new(), "nlb::Memberships"),
            usable: Once::new(true),
        })
    }
}

/// Joins groups, and remembers them in a list that has room. Errors: `ENODEV` if a family does not run on the interface,
/// `ENOMEM`; those before are joined then.
fn join(
    rtnl: &Rtnl,
    device: &Device,
    joined: &mut KVec<IpAddr>,
    wanted: impl Iterator<Item = IpAddr>,
) -> Result {
    for group in wanted {
        if !joined.contains(&group) {
            device.join(rtnl, group)?;
            let _ = joined.push_within_capacity(group);
        }
    }
    Ok(())
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
    keep_joined_or_warn(rtnl, cluster);
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

/// As [`keep_joined`]; without memory the next change of the interface tries again. Context: as there.
pub(crate) fn keep_joined_or_warn(rtnl: &Rtnl, cluster: &Cluster) {
    if keep_joined(rtnl, cluster).is_err() {
        pr_warn!("no memory to join the groups of a cluster again; the next change tries again\n");
    }
}

/// Joins the groups that are wanted and that the interface does not have, and leaves the others: VIPs came or went, or a
/// family had left the interface. What the family does comes before this: its notifier was registered first, and its coming
/// and going are events of their own, so that none of them is missed. Context: process, RTNL, for a cluster that is
/// attached. Errors: `ENOMEM`.
fn keep_joined(rtnl: &Rtnl, cluster: &Cluster) -> Result {
    let device = cluster.device();
    let wanted = groups(cluster)?;
    let mut kept = KVec::with_capacity(GROUPS_MAX, GFP_KERNEL_ACCOUNT)?;
    let mut joined = cluster.memberships().joined.lock();
    // Memberships that were lost with the family are not to be given back a second time, for others may have joined the
    // groups since.
    for group in joined.iter().filter(|it| device.has_family(rtnl, **it)) {
        if wanted.contains(group) {
            let _ = kept.push_within_capacity(*group);
        } else {
            device.leave(*group);
        }
    }
    let can_be = wanted.iter().copied();
    let can_be = can_be.filter(|group| device.has_family(rtnl, *group));
    let result = join(rtnl, device, &mut kept, can_be);
    *joined = kept;
    result
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
    join_all(rtnl, cluster).inspect_err(|_| close(cluster))
}

/// Joins all groups of a cluster that has none. Errors: as [`join`].
fn join_all(rtnl: &Rtnl, cluster: &Cluster) -> Result {
    let wanted = groups(cluster)?;
    let mut all = KVec::with_capacity(GROUPS_MAX, GFP_KERNEL_ACCOUNT)?;
    let result = join(rtnl, cluster.device(), &mut all, wanted.iter().copied());
    *cluster.memberships().joined.lock() = all;
    result
}

/// Undoes one [`open`]. Context: process, RTNL.
pub(crate) fn close(cluster: &Cluster) {
    let joined = core::mem::take(&mut *cluster.memberships().joined.lock());
    for group in &joined {
        cluster.device().leave(*group);
    }
    for one in wanted(cluster).into_iter().flatten() {
        one.del(cluster.device());
    }
}

/// The MACs that heartbeats are sent to, and that the VIPs resolve to unless they are groups that the stack joins.
fn wanted(cluster: &Cluster) -> [Option<Wanted>; 2] {
    let description = cluster.description();
    let mac = virtual_mac(cluster);
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

/// The groups that the interface must receive packets to: for the VIPs, and for those of settings that wait, which may come
/// into force where nothing can be joined. Context: process. Errors: `ENOMEM`.
fn groups(cluster: &Cluster) -> Result<KVec<IpAddr>> {
    let mut groups = KVec::with_capacity(GROUPS_MAX, GFP_KERNEL_ACCOUNT)?;
    let is_igmp = cluster.description().mode == Mode::Igmp;
    cluster.look_at_rules(|pending, in_force, _| {
        for snapshot in [in_force, pending].into_iter().flatten() {
            add_groups(&mut groups, snapshot, is_igmp);
        }
    });
    Ok(groups)
}

/// Groups of two settings: one of each VIP, and one of each family where the stack joins that.
const GROUPS_MAX: usize = 2 * (VIPS_MAX + 2);

/// Adds the groups that these settings need, each once. There is room. Context: any.
fn add_groups(groups: &mut KVec<IpAddr>, snapshot: &Snapshot, is_igmp: bool) {
    let mut add = |group: IpAddr| {
        if !groups.contains(&group) {
            let _ = groups.push_within_capacity(group);
        }
    };
    for vip in snapshot.settings.known() {
        if is_igmp {
            group_of(snapshot.filter.mac_of(vip))
                .into_iter()
                .for_each(&mut add);
        }
        if let IpAddr::V6(vip) = vip {
            add(solicited_node(vip).into());
        }
    }
}

/// What the VIPs resolve to, in the modes in which that is one MAC for both families. It does not change while the cluster
/// stands.
fn virtual_mac(cluster: &Cluster) -> Option<Mac> {
    let side = read_lock();
    let snapshot = cluster.snapshot(&side);
    snapshot.map(|snapshot| snapshot.filter.mac_v4())
}
