// SPDX-License-Identifier: GPL-2.0-only

//! The clusters of one network namespace, and the hooks that guard all of its interfaces for them.
//!
//! *Context*: process, under the RTNL and the registry's mutex.

use crate::cluster::driver::Driver;
use crate::datapath::egress::Egress;
use crate::datapath::ingress::Ingress;
use crate::datapath::other_iface::{self, Stray, Way};
use crate::kapi::device_hooks::DeviceHooks;
use crate::kapi::netdevice::{DeviceRef, Listed, Net, NetId, Rtnl};
use crate::kapi::netfilter::{Hooks, Point};
use crate::kapi::vector::Grow;
use crate::l2::arp::{ArpOutput, ClusterList, Guard};
use crate::l2::mac_filter;
use crate::l2::ndisc::Ip6Output;
use crate::l2::vip_watch::AddressWatch;
use crate::netlink::notify;
use crate::nlb_core::genl::EventKind;
use kernel::prelude::*;
use kernel::sync::Arc;

/// A cluster with everything that hangs on its interface.
pub(crate) struct Attached {
    // Dropped first: step 4 of the teardown.
    hooks: Hooks,
    driver: Arc<Driver>,
    ifindex: u32,
}

impl Attached {
    /// Attaches a cluster to its interface: packets reach it from here on. Errors: as [`Namespace::attach`].
    fn new(rtnl: &Rtnl, device: Listed<'_>, driver: Arc<Driver>) -> Result<Self> {
        mac_filter::open(rtnl, driver.cluster())?;
        let mut attached = Self {
            hooks: Hooks::new(),
            driver,
            ifindex: device.ifindex(),
        };
        let hooked = attached.hook(rtnl, device);
        if hooked.is_err() {
            attached.stop(rtnl);
        }
        hooked.map(|()| attached)
    }

    fn hook(&mut self, rtnl: &Rtnl, device: Listed<'_>) -> Result {
        let driver = &self.driver;
        self.hooks
            .add::<Egress>(rtnl, Point::Egress(device), driver.clone())?;
        self.hooks
            .add_owning::<Ingress>(rtnl, Point::Ingress(device), driver.clone())
    }

    /// Steps 2 and 3 of the teardown: from here on it does nothing, and dropping it has only to wait.
    fn stop(&mut self, rtnl: &Rtnl) {
        self.driver.close();
        mac_filter::close(self.driver.cluster());
        self.hooks.unregister(rtnl);
    }

    /// Its driver.
    pub(crate) fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    /// Its interface.
    pub(crate) fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// Whether it is on this very device. One that has left its namespace may have an index that is another's by now.
    pub(crate) fn is_on(&self, device: &DeviceRef<'_>) -> bool {
        device.is(self.driver.cluster().device())
    }
}

/// The clusters of a network namespace.
pub(crate) struct Namespace {
    id: NetId,
    /// It ends: all is stopped, and what is left waits for being dropped.
    stopped: bool,
    /// On the interfaces without a cluster.
    strays: DeviceHooks<Stray>,
    /// For those interfaces that cannot have the hook of `strays`, while there are any.
    shared_strays: Hooks,
    hooks: Hooks,
    guard: Arc<Guard>,
    /// The list that the guard does not use, see [`Namespace::publish`].
    spare: Option<KBox<ClusterList>>,
    clusters: KVec<Attached>,
}

impl Namespace {
    /// A namespace without clusters. Errors: `ENOMEM`, or as netfilter says.
    pub(crate) fn new(rtnl: &Rtnl, net: Net<'_>) -> Result<Self> {
        let guard = Arc::new(Guard::new(), GFP_KERNEL_ACCOUNT)?;
        let _ = guard.set(KBox::new(KVec::new(), GFP_KERNEL_ACCOUNT)?);
        let mut hooks = Hooks::new();
        hooks.add::<ArpOutput>(rtnl, Point::ArpOut(net), guard.clone())?;
        hooks.add_output::<Ip6Output>(rtnl, Point::Ip6Out(net), guard.clone())?;
        Ok(Self {
            id: net.id(),
            stopped: false,
            strays: DeviceHooks::new(guard.clone()),
            shared_strays: Hooks::new(),
            hooks,
            guard,
            spare: Some(KBox::new(KVec::new(), GFP_KERNEL_ACCOUNT)?),
            clusters: KVec::new(),
        })
    }

    /// Whether it is this namespace, and has not ended.
    pub(crate) fn is(&self, net: NetId) -> bool {
        self.id == net && !self.stopped
    }

    /// Whether it is this namespace, and has ended.
    pub(crate) fn is_rest_of(&self, net: NetId) -> bool {
        self.id == net && self.stopped
    }

    /// Whether it has ended.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Its clusters.
    pub(crate) fn clusters(&self) -> &[Attached] {
        &self.clusters
    }

    /// Attaches a cluster to its interface. Errors: `EBUSY` if the interface has one, `ENOMEM`, or what the device or
    /// netfilter says; nothing is left behind then.
    pub(crate) fn attach(
        &mut self,
        rtnl: &Rtnl,
        device: Listed<'_>,
        driver: Arc<Driver>,
    ) -> Result {
        let ifindex = device.ifindex();
        if self.clusters.iter().any(|a| a.ifindex == ifindex) {
            return Err(EBUSY);
        }
        self.reserve()?;
        let attached = Attached::new(rtnl, device, driver)?;
        // There is room, it was reserved.
        let _ = self.clusters.push_within_capacity(attached);
        self.publish();
        let watched = self.watch_all(rtnl, device.net());
        if watched.is_err() {
            drop(self.detach(rtnl, |attached| attached.ifindex == ifindex));
        }
        watched
    }

    /// Takes a cluster out, if there is such a one, and stops it.
    pub(crate) fn detach(
        &mut self,
        rtnl: &Rtnl,
        is_it: impl Fn(&Attached) -> bool,
    ) -> Option<Attached> {
        let place = self.clusters.iter().position(is_it)?;
        let mut attached = self.clusters.remove(place).ok()?;
        attached.stop(rtnl);
        if let Some(left) = self.clusters.first().map(|left| left.driver.clone()) {
            self.publish();
            let net = left.cluster().device().net(rtnl);
            if self.watch_all(rtnl, net).is_err() {
                pr_warn!("no memory to keep VIPs off an interface whose cluster ended\n");
            }
        } else {
            self.stop(rtnl, |_| ());
        }
        Some(attached)
    }

    /// Stops all that is left; `each` is called for each cluster that ends so.
    pub(crate) fn stop(&mut self, rtnl: &Rtnl, each: impl Fn(&Driver)) {
        self.stopped = true;
        for attached in &mut self.clusters {
            each(&attached.driver);
            attached.stop(rtnl);
        }
        self.strays.unregister(rtnl);
        self.shared_strays.unregister(rtnl);
        self.hooks.unregister(rtnl);
    }

    /// Makes sure that [`Namespace::publish`] has the memory for one cluster more. Errors: `ENOMEM`.
    fn reserve(&mut self) -> Result {
        let len = self.clusters.len();
        self.clusters.room_for(1, GFP_KERNEL_ACCOUNT)?;
        if let Some(spare) = &mut self.spare {
            spare.room_for(len.saturating_add(1), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(())
    }

    /// Lets the guard of all interfaces know which clusters there are.
    ///
    /// There are two lists, the one that is published and a spare one, and both have had room for all clusters
    /// since [`Namespace::reserve`]; so removing a cluster, and with it the last reference to its device, needs
    /// no memory and cannot fail.
    fn publish(&mut self) {
        let Some(mut list) = self.spare.take() else {
            return;
        };
        list.clear();
        for attached in &self.clusters {
            // There is room, as said above.
            let _ = list.push_within_capacity(attached.driver.shared_cluster());
        }
        self.spare = self.guard.set(list);
    }

    /// Watches each interface for packets to VIPs that have no business there, after a change of the clusters.
    /// Errors: `ENOMEM`, or as netfilter says; then some are not watched.
    fn watch_all(&mut self, rtnl: &Rtnl, net: Net<'_>) -> Result {
        for device in net.devices(rtnl) {
            self.watch(rtnl, &device)?;
        }
        Ok(())
    }

    /// Watches an interface that may have changed. As [`Namespace::watch_all`].
    pub(crate) fn watch(&mut self, rtnl: &Rtnl, device: &Listed<'_>) -> Result {
        let net = device.net();
        let way = self.way(rtnl, device);
        if way == Way::Device {
            self.strays.add(rtnl, device)?;
        } else {
            self.strays.remove(rtnl, device);
        }
        if way == Way::Stack && self.shared_strays.is_empty() {
            let mut hooks = Hooks::new();
            hooks.add_input::<Stray>(rtnl, Point::Ip4In(net), self.guard.clone())?;
            hooks.add_input::<Stray>(rtnl, Point::Ip6In(net), self.guard.clone())?;
            self.shared_strays = hooks;
        } else if way != Way::Stack
            && !self.shared_strays.is_empty()
            && !net
                .devices(rtnl)
                .any(|other| self.way(rtnl, &other) == Way::Stack)
        {
            self.watch_each(rtnl, net)?;
            self.shared_strays = Hooks::new();
        }
        Ok(())
    }

    /// Puts the hook on each interface that can have it. Drivers give back the frames of a port, or of what a macvlan
    /// device was made on, after they have told that it is none any more, and tell of that no more: until another event
    /// comes, the hook at the beginning of the IP stack is the one that such an interface has. As [`Namespace::watch_all`].
    fn watch_each(&mut self, rtnl: &Rtnl, net: Net<'_>) -> Result {
        for device in net.devices(rtnl) {
            if self.way(rtnl, &device) == Way::Device {
                self.strays.add(rtnl, &device)?;
            }
        }
        Ok(())
    }

    /// Watches an interface no more, which leaves the namespace.
    pub(crate) fn forget(&mut self, rtnl: &Rtnl, device: &DeviceRef<'_>) {
        self.strays.remove(rtnl, device);
    }

    /// Where packets of an interface are looked at.
    fn way(&self, rtnl: &Rtnl, device: &DeviceRef<'_>) -> Way {
        let has_cluster = self.clusters.iter().any(|attached| attached.is_on(device));
        if has_cluster {
            Way::None
        } else {
            other_iface::way(rtnl, device)
        }
    }
}

/// What a cluster leaves when it was stopped. Dropping it waits for a grace period, and for what runs in its name to
/// end: context process, may sleep, preferably without the RTNL.
#[must_use]
pub(crate) struct Detached {
    pub(crate) _cluster: Attached,
    /// Its namespace, if it was the last one there.
    pub(crate) _namespace: Option<Namespace>,
}

/// Tells who listens, and those whom addresses are told to, that a cluster ends.
pub(crate) fn bid_farewell(addresses: &AddressWatch, driver: &Driver) {
    addresses.remove(driver);
    notify::cluster_event(driver.cluster(), EventKind::ClusterDel);
}
