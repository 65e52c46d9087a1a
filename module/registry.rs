// SPDX-License-Identifier: GPL-2.0-only

//! All clusters of this machine, by network namespace and interface.
//!
//! *Locking*: the RTNL comes before the registry's mutex. Whatever makes or removes a cluster holds both, for
//! devices and their address lists belong to the RTNL; whatever only looks a cluster up takes the mutex.
//!
//! *Teardown* of a cluster, on request, with its interface or its namespace (the module stays as long as there is one):
//! 0. the device of its VIPs goes, so that nothing here answers to them when the guard is gone;
//! 1. it is taken out of the registry, so that no request finds it;
//! 2. the node is halted for good: it owns nothing, says farewell once and arms no timer; what takes long in its name is
//!    told to end;
//! 3. its hooks are unregistered;
//! 4. one grace period is waited for: no packet is inside the hooks;
//! 5. the last reference to the driver stops the walks, waiting for a running one, and then the timer;
//! 6. the memory is freed and the reference to the device is given back.
//!
//! Many clusters that end together go through step 3 together, so that the grace period of the first one that is dropped
//! is that of all. For namespaces that end the kernel itself waits for one between steps 3 and 4, and takes the devices of
//! the VIPs away with all others, after step 6 and without a step 0: until then the stack may answer for them.
//!
//! The hooks on the other interfaces belong to the namespace: that of an interface is unregistered when it goes; with
//! the last cluster all are, in step 3, and what they work on is given back after step 4.
//!
//! Contexts that may still hold the driver after step 4: a netlink request that found it before step 1. It ends
//! by itself, and everything that it can do to a halted node is refused.

use crate::cluster::driver::Driver;
use crate::kapi::address_device::AddressDeviceKind;
use crate::kapi::conntrack::Conntrack;
use crate::kapi::device_notifier::DeviceWatcher;
use crate::kapi::genetlink::Family;
use crate::kapi::netdevice::{DeviceRef, Listed, Net, NetId, Rtnl};
use crate::kapi::once::Once;
use crate::kapi::pernet::NamespaceWatcher;
use crate::kapi::vector::Grow;
use crate::l2::mac_filter;
use crate::l2::vip_watch::{self, AddressWatch};
use crate::namespace::{bid_farewell, Attached, Detached, Namespace};
use crate::netlink::notify;
use crate::nlb_core::genl::EventKind;
use crate::nlb_core::node::Command;
use crate::quota::Quotas;
use kernel::prelude::*;
use kernel::str::BStr;
use kernel::sync::{Arc, Mutex};

/// All clusters.
#[pin_data]
pub(crate) struct Registry {
    #[pin]
    namespaces: Mutex<KVec<Namespace>>,
    /// Grows whenever a cluster comes or goes.
    generation: Once<u32>,
    family: Arc<Family>,
    conntrack: Arc<Conntrack>,
    addresses: Arc<AddressWatch>,
    quotas: Arc<Quotas>,
    vip_devices: AddressDeviceKind,
}

impl Registry {
    /// No clusters yet. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new(family: Arc<Family>, addresses: Arc<AddressWatch>) -> Result<Arc<Self>> {
        let conntrack = Conntrack::new()?;
        let quotas = Quotas::new()?;
        let vip_devices = AddressDeviceKind::new()?;
        Arc::pin_init(
            pin_init!(Self {
                namespaces <- kernel::new_mutex!(KVec::new(), "nlb::Registry"),
                generation: Once::new(1),
                family,
                conntrack,
                addresses,
                quotas,
                vip_devices,
            }),
            GFP_KERNEL,
        )
    }

    /// The netlink family.
    pub(crate) fn family(&self) -> &Arc<Family> {
        &self.family
    }

    /// The kernel's connection tracking.
    pub(crate) fn conntrack(&self) -> &Arc<Conntrack> {
        &self.conntrack
    }

    /// How many clusters each user has.
    pub(crate) fn quotas(&self) -> &Arc<Quotas> {
        &self.quotas
    }

    /// Which state of the list this is, for dumps. Context: any.
    pub(crate) fn generation(&self) -> u32 {
        self.generation.load()
    }

    /// The list has changed. Context: under the mutex.
    fn changed(&self) {
        self.generation
            .store(self.generation.load().wrapping_add(1));
    }

    /// The cluster on an interface. Context: process.
    pub(crate) fn find(&self, net: NetId, ifindex: u32) -> Option<Arc<Driver>> {
        self.find_it(net, |attached| attached.ifindex() == ifindex)
    }

    /// The same of a cluster that is told by something else.
    fn find_it(&self, net: NetId, is_it: impl Fn(&Attached) -> bool) -> Option<Arc<Driver>> {
        let namespaces = self.namespaces.lock();
        let namespace = namespaces.iter().find(|n| n.is(net))?;
        let attached = namespace.clusters().iter().find(|it| is_it(it))?;
        Some(attached.driver().clone())
    }

    /// The cluster at a place in the list of a namespace. Context: process.
    pub(crate) fn nth(&self, net: NetId, index: usize) -> Option<Arc<Driver>> {
        let namespaces = self.namespaces.lock();
        let namespace = namespaces.iter().find(|n| n.is(net))?;
        Some(namespace.clusters().get(index)?.driver().clone())
    }

    /// Looks at the clusters of a namespace. Context: as [`Registry::each`].
    fn each_beside(&self, net: NetId, look: impl Fn(&Driver)) {
        let namespaces = self.namespaces.lock();
        let namespace = namespaces.iter().find(|n| n.is(net));
        for attached in namespace.iter().flat_map(|n| n.clusters()) {
            look(attached.driver());
        }
    }

    /// Looks at all clusters. Context: process; `look` must not take the registry's mutex.
    pub(crate) fn each(&self, mut look: impl FnMut(&Driver)) {
        let namespaces = self.namespaces.lock();
        for attached in namespaces.iter().flat_map(Namespace::clusters) {
            look(attached.driver());
        }
    }

    /// Attaches a cluster to its interface, and makes the device of its VIPs: from here on packets and time reach it. It is
    /// stopped.
    ///
    /// Context: process, RTNL. Errors: `EBUSY` if the interface has a cluster, `ENXIO` if it leaves, `ENOMEM`, or what
    /// a device or netfilter says; nothing is left behind then.
    pub(crate) fn attach(&self, rtnl: &Rtnl, driver: Arc<Driver>) -> Result {
        let device = driver.cluster().device().listed(rtnl).ok_or(ENXIO)?;
        let net = device.net();
        self.guard(rtnl, &device, net, driver.clone())?;
        // Outside the mutex, which is taken again when all are told of the device.
        let made = driver
            .cluster()
            .vip_device()
            .make(rtnl, net, &self.vip_devices);
        if let Err(error) = made {
            drop(self.detach(rtnl, net.id(), device.ifindex()));
            return Err(error);
        }
        notify::cluster_event(driver.cluster(), EventKind::ClusterNew);
        driver.look_for_dedicated();
        // A node that is stopped takes it.
        let missing = vip_watch::look(driver.cluster()).missing;
        let _ = driver.command(Command::VipMissing(missing));
        Ok(())
    }

    /// Lets packets and time reach a cluster; the first half of [`Registry::attach`].
    fn guard(&self, rtnl: &Rtnl, device: &Listed<'_>, net: Net<'_>, driver: Arc<Driver>) -> Result {
        let mut namespaces = self.namespaces.lock();
        let place = match namespaces.iter().position(|n| n.is(net.id())) {
            Some(place) => place,
            None => {
                namespaces.append(Namespace::new(rtnl, net)?, GFP_KERNEL)?;
                namespaces.len().saturating_sub(1)
            }
        };
        let namespace = namespaces.get_mut(place).ok_or(ENOMEM)?;
        let attached = self
            .addresses
            .add(driver.clone())
            .and_then(|()| namespace.attach(rtnl, *device, driver.clone()));
        if let Err(error) = attached {
            self.addresses.remove(&driver);
            if namespace.clusters().is_empty() {
                drop(namespaces.remove(place));
            }
            return Err(error);
        }
        self.changed();
        Ok(())
    }

    /// Takes the cluster of an interface down; what is left of it is to be dropped. Context: process, RTNL. Errors:
    /// `ENOENT` if there is none.
    pub(crate) fn detach(&self, rtnl: &Rtnl, net: NetId, ifindex: u32) -> Result<Detached> {
        self.detach_it(rtnl, net, |attached| attached.ifindex() == ifindex)
    }

    /// The same of a cluster that is told by something else.
    fn detach_it(
        &self,
        rtnl: &Rtnl,
        net: NetId,
        is_it: impl Fn(&Attached) -> bool,
    ) -> Result<Detached> {
        // Outside the mutex, which is taken again when all are told of the device.
        if let Some(driver) = self.find_it(net, &is_it) {
            driver.cluster().vip_device().remove(rtnl);
        }
        let mut namespaces = self.namespaces.lock();
        let place = namespaces.iter().position(|n| n.is(net)).ok_or(ENOENT)?;
        let namespace = namespaces.get_mut(place).ok_or(ENOENT)?;
        let cluster = namespace.detach(rtnl, is_it).ok_or(ENOENT)?;
        let last = namespace.clusters().is_empty();
        bid_farewell(&self.addresses, cluster.driver());
        self.changed();
        Ok(Detached {
            _cluster: cluster,
            _namespace: if last {
                namespaces.remove(place).ok()
            } else {
                None
            },
        })
    }

    /// Takes a namespace that was stopped out of the list.
    fn take_stopped(&self, is_it: impl Fn(&Namespace) -> bool) -> Option<Namespace> {
        let mut namespaces = self.namespaces.lock();
        let place = namespaces.iter().position(|n| n.is_stopped() && is_it(n))?;
        namespaces.remove(place).ok()
    }
}

/// Lets a cluster look for its VIPs.
fn look_soon(driver: &Driver) {
    driver.cluster().presence().note();
    driver.expire_soon();
}

impl DeviceWatcher for Registry {
    fn device_leaves(&self, rtnl: &Rtnl, net: Net<'_>, device: &DeviceRef<'_>) {
        if device.is_address_device() {
            self.each_beside(net.id(), |driver| {
                driver.cluster().vip_device().forget(rtnl, device);
            });
            return;
        }
        // Most interfaces have no cluster.
        drop(self.detach_it(rtnl, net.id(), |attached| attached.is_on(device)));
        {
            let mut namespaces = self.namespaces.lock();
            // Last, for the end of a cluster makes its interface one like any other.
            if let Some(namespace) = namespaces.iter_mut().find(|n| n.is(net.id())) {
                namespace.forget(rtnl, device);
                return;
            }
        }
        // The device goes before its namespace has ended: it must not wait for references that are left.
        drop(self.take_stopped(|namespace| namespace.is_rest_of(net.id())));
    }

    fn device_changed(&self, rtnl: &Rtnl, device: &Listed<'_>) {
        let net = device.net().id();
        if device.is_address_device() {
            // Set down, or put into a VRF.
            self.each_beside(net, |driver| {
                driver.cluster().vip_device().look(rtnl, device);
                look_soon(driver);
            });
            return;
        }
        if let Some(driver) = self.find(net, device.ifindex()) {
            let usable = mac_filter::look(rtnl, driver.cluster());
            // A node that takes no part does not care.
            let _ = driver.command(Command::Carrier(usable));
        }
        // Without a word of addresses, those of a device that is set down or comes into a VRF are not this host's any more.
        self.each_beside(net, look_soon);
        let mut namespaces = self.namespaces.lock();
        let Some(namespace) = namespaces.iter_mut().find(|n| n.is(net)) else {
            return;
        };
        if namespace.watch(rtnl, device).is_err() {
            let name = device.name();
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            let name = BStr::from_bytes(name);
            pr_warn!("no memory to keep VIPs off {name}; its next change tries again\n");
        }
    }
}

impl NamespaceWatcher for Registry {
    fn namespace_ends(&self, net: Net<'_>) {
        // Most namespaces have no clusters, and need no RTNL.
        if self.nth(net.id(), 0).is_none() {
            return;
        }
        let rtnl = Rtnl::lock();
        let mut namespaces = self.namespaces.lock();
        if let Some(namespace) = namespaces.iter_mut().find(|n| n.is(net.id())) {
            namespace.stop(&rtnl, |driver| bid_farewell(&self.addresses, driver));
            self.changed();
        }
    }

    fn namespaces_ended(&self) {
        // One by one, so that the mutex is held for moments only.
        while let Some(namespace) = self.take_stopped(|_| true) {
            drop(namespace);
        }
    }
}
