// SPDX-License-Identifier: GPL-2.0-only

//! What the cluster interface must receive beside its own frames: heartbeats, and the virtual MAC.
//!
//! The interface keeps its own MAC in every mode, so that hosts can talk to each other. The virtual MAC is added: in
//! unicast mode as a secondary unicast address, in multicast mode as a group address, in IGMP mode as a group that
//! the IP stack joins, so that it reports the group and answers queries.

use super::cluster::Cluster;
use super::kapi::netdevice::{Device, Rtnl};
use super::kapi::rcu::read_lock;
use super::nlb_core::genl::Mode;
use super::nlb_core::limits::FRAME_MAX;
use super::nlb_core::mac::{group_of, Mac};
use super::sleep::is_asleep;
use core::net::IpAddr;
use kernel::prelude::*;

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

impl Wanted {
    fn add(self, rtnl: &Rtnl, device: &Device) -> Result {
        match self {
            Wanted::Unicast(mac) => device.add_unicast(&mac),
            Wanted::Multicast(mac) => device.add_multicast(&mac),
            Wanted::Group(group) => device.join(rtnl, group),
        }
    }

    fn del(self, device: &Device) {
        match self {
            Wanted::Unicast(mac) => device.del_unicast(&mac),
            Wanted::Multicast(mac) => device.del_multicast(&mac),
            Wanted::Group(group) => device.leave(group),
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

/// Looks at the interface of a cluster after a change: whether it is usable. Context: process, RTNL.
pub(crate) fn look(rtnl: &Rtnl, cluster: &Cluster) -> bool {
    is_usable(rtnl, cluster.device())
}

/// Lets the interface receive what the cluster needs. Context: process, RTNL. Errors: `ENODEV` if the IP stack
/// does not run on the interface, or what the device says; nothing has changed then.
pub(crate) fn open(rtnl: &Rtnl, cluster: &Cluster) -> Result {
    let wanted = wanted(cluster);
    for (place, one) in wanted.iter().flatten().enumerate() {
        if let Err(error) = one.add(rtnl, cluster.device()) {
            for done in wanted.iter().flatten().take(place) {
                done.del(cluster.device());
            }
            return Err(error);
        }
    }
    Ok(())
}

/// Undoes one [`open`]. Context: process, RTNL.
pub(crate) fn close(cluster: &Cluster) {
    for one in wanted(cluster).iter().flatten() {
        one.del(cluster.device());
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
