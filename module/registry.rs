// SPDX-License-Identifier: GPL-2.0-only

//! All clusters of this machine, by network namespace and interface.
//!
//! *Locking*: the RTNL comes before the registry's mutex. Whatever makes or removes a cluster holds both, for
//! devices and their address lists belong to the RTNL; whatever only looks a cluster up takes the mutex.
//!
//! *Teardown* of a cluster, on request, with its interface, its namespace or the module:
//! 1. it is taken out of the registry, so that no request finds it;
//! 2. the node is halted for good: it owns nothing, says farewell once and arms no timer;
//! 3. its hooks are unregistered, and one grace period is waited for: no packet is inside them;
//! 4. the last reference to the port stops the walks, waiting for a running one, and then the timer;
//! 5. the memory is freed and the reference to the device is given back.
//!
//! The hooks on the other interfaces belong to the namespace: that of an interface is unregistered when it goes; with
//! the last cluster all are, then one grace period is waited for, and then what they work on is given back.
//!
//! Contexts that may still hold the port after step 3: a netlink request that found it before step 1. It ends
//! by itself, and everything that it can do to a halted node is refused.

use super::discovery::Ip6Output;
use super::egress::Egress;
use super::ingress::Ingress;
use super::kapi::address::{AddressNotifier, AddressWatcher};
use super::kapi::device_hooks::DeviceHooks;
use super::kapi::device_notifier::DeviceWatcher;
use super::kapi::genetlink::Family;
use super::kapi::netdevice::{DeviceRef, Listed, Net, NetId, Rtnl};
use super::kapi::netfilter::{Hooks, Point};
use super::kapi::once::Once;
use super::neighbour::{ArpOutput, ClusterList, Guard};
use super::nlb_core::genl::EventKind;
use super::nlb_core::node::Command;
use super::notify;
use super::port::Port;
use super::reception;
use super::stray::{self, Stray, Way};
use kernel::prelude::*;
use kernel::sync::{Arc, Mutex};

/// A cluster with everything that hangs on its interface.
struct Attached {
    // Dropped first: step 3 of the teardown.
    hooks: Hooks,
    addresses: Option<Pin<KBox<AddressNotifier<Port>>>>,
    port: Arc<Port>,
    ifindex: u32,
}

impl Drop for Attached {
    fn drop(&mut self) {
        let cluster = self.port.cluster();
        // Step 2.
        self.port.close();
        reception::close(cluster);
        notify::cluster_event(cluster, EventKind::ClusterDel);
    }
}

/// The clusters of a network namespace.
struct Namespace {
    id: NetId,
    /// On the interfaces without a cluster.
    strays: DeviceHooks<Stray>,
    /// For those interfaces that cannot have the hook of `strays`, while there are any.
    shared_strays: Hooks,
    _hooks: Hooks,
    guard: Arc<Guard>,
    /// The list that the guard does not use, see [`Namespace::publish`].
    spare: Option<KBox<ClusterList>>,
    clusters: KVec<Attached>,
}

impl Namespace {
    /// Makes sure that [`Namespace::publish`] has the memory for one cluster more. Errors: `ENOMEM`.
    fn reserve(&mut self) -> Result {
        let len = self.clusters.len();
        self.clusters.reserve(1, GFP_KERNEL)?;
        if let Some(spare) = &mut self.spare {
            spare.reserve(len + 1, GFP_KERNEL)?;
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
            let _ = list.push_within_capacity(attached.port.shared_cluster());
        }
        self.spare = self.guard.set(list);
    }

    /// Watches each interface for packets to VIPs that have no business there, after a change of the clusters.
    /// Context: process, RTNL. Errors: `ENOMEM`, or as netfilter says; then some are not watched.
    fn watch_all(&mut self, rtnl: &Rtnl, net: Net<'_>) -> Result {
        for device in net.devices(rtnl) {
            self.watch(rtnl, &device)?;
        }
        Ok(())
    }

    /// Watches an interface that may have changed. As [`Namespace::watch_all`].
    fn watch(&mut self, rtnl: &Rtnl, device: &Listed<'_>) -> Result {
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
            self.shared_strays = Hooks::new();
        }
        Ok(())
    }

    /// Where packets of an interface are looked at. Context: process, RTNL.
    fn way(&self, rtnl: &Rtnl, device: &DeviceRef<'_>) -> Way {
        let has_cluster = self
            .clusters
            .iter()
            .any(|attached| device.is(attached.port.cluster().device()));
        if has_cluster {
            Way::None
        } else {
            stray::way(rtnl, device)
        }
    }
}

/// All clusters.
#[pin_data]
pub(crate) struct Registry {
    #[pin]
    namespaces: Mutex<KVec<Namespace>>,
    /// Grows whenever a cluster comes or goes.
    generation: Once<u32>,
    family: Arc<Family>,
}

impl Registry {
    /// No clusters yet. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new(family: Arc<Family>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                namespaces <- kernel::new_mutex!(KVec::new(), "nlb::Registry"),
                generation: Once::new(1),
                family,
            }),
            GFP_KERNEL,
        )
    }

    /// The netlink family.
    pub(crate) fn family(&self) -> &Arc<Family> {
        &self.family
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
    pub(crate) fn find(&self, net: NetId, ifindex: u32) -> Option<Arc<Port>> {
        let namespaces = self.namespaces.lock();
        let namespace = namespaces.iter().find(|n| n.id == net)?;
        let attached = namespace.clusters.iter().find(|a| a.ifindex == ifindex)?;
        Some(attached.port.clone())
    }

    /// The cluster at a place in the list of a namespace. Context: process.
    pub(crate) fn nth(&self, net: NetId, index: usize) -> Option<Arc<Port>> {
        let namespaces = self.namespaces.lock();
        let namespace = namespaces.iter().find(|n| n.id == net)?;
        Some(namespace.clusters.get(index)?.port.clone())
    }

    /// Attaches a cluster to its interface: from here on packets and time reach it. It is stopped.
    ///
    /// Context: process, RTNL. Errors: `EBUSY` if the interface has a cluster, `ENXIO` if it leaves, `ENOMEM`, or what
    /// the device or netfilter says; nothing is left behind then.
    pub(crate) fn attach(&self, rtnl: &Rtnl, port: Arc<Port>) -> Result {
        let cluster = port.cluster();
        let device = cluster.device().listed(rtnl).ok_or(ENXIO)?;
        let ifindex = device.ifindex();
        let mut namespaces = self.namespaces.lock();
        let place = Self::namespace(rtnl, &mut namespaces, device.net())?;
        let namespace = namespaces.get_mut(place).ok_or(ENOMEM)?;
        if namespace.clusters.iter().any(|a| a.ifindex == ifindex) {
            return Err(EBUSY);
        }
        let result = namespace
            .reserve()
            .and_then(|()| reception::open(rtnl, cluster));
        if let Err(error) = result {
            Self::tidy(rtnl, &mut namespaces, place);
            return Err(error);
        }
        // From here on dropping it undoes everything.
        let mut attached = Attached {
            hooks: Hooks::new(),
            addresses: None,
            port: port.clone(),
            ifindex,
        };
        let hooked = attached
            .hooks
            .add::<Egress>(rtnl, Point::Egress(device), port.clone())
            .and_then(|()| {
                attached
                    .hooks
                    .add_owning::<Ingress>(rtnl, Point::Ingress(device), port.clone())
            })
            .and_then(|()| AddressNotifier::new(port.clone()))
            .map(|notifier| attached.addresses = Some(notifier));
        if let Err(error) = hooked {
            drop(attached);
            Self::tidy(rtnl, &mut namespaces, place);
            return Err(error);
        }
        // There is room, it was reserved.
        let _ = namespace.clusters.push_within_capacity(attached);
        namespace.publish();
        if let Err(error) = namespace.watch_all(rtnl, device.net()) {
            drop(namespace.clusters.pop());
            Self::tidy(rtnl, &mut namespaces, place);
            return Err(error);
        }
        self.changed();
        notify::cluster_event(port.cluster(), EventKind::ClusterNew);
        port.addresses_changed();
        Ok(())
    }

    /// Takes the cluster of an interface down. Context: process, RTNL. Errors: `ENOENT` if there is none.
    pub(crate) fn detach(&self, rtnl: &Rtnl, net: NetId, ifindex: u32) -> Result {
        let mut namespaces = self.namespaces.lock();
        let place = namespaces.iter().position(|n| n.id == net).ok_or(ENOENT)?;
        let namespace = namespaces.get_mut(place).ok_or(ENOENT)?;
        let index = namespace
            .clusters
            .iter()
            .position(|a| a.ifindex == ifindex)
            .ok_or(ENOENT)?;
        let attached = namespace.clusters.remove(index).map_err(|_| ENOENT)?;
        drop(attached);
        Self::tidy(rtnl, &mut namespaces, place);
        self.changed();
        Ok(())
    }

    /// The place of a namespace in the list, which is made if it is not there.
    fn namespace(rtnl: &Rtnl, namespaces: &mut KVec<Namespace>, net: Net<'_>) -> Result<usize> {
        if let Some(place) = namespaces.iter().position(|n| n.id == net.id()) {
            return Ok(place);
        }
        namespaces.reserve(1, GFP_KERNEL)?;
        let guard = Arc::new(Guard::new(), GFP_KERNEL)?;
        let _ = guard.set(KBox::new(KVec::new(), GFP_KERNEL)?);
        let mut hooks = Hooks::new();
        hooks.add::<ArpOutput>(rtnl, Point::ArpOut(net), guard.clone())?;
        hooks.add_output::<Ip6Output>(rtnl, Point::Ip6Out(net), guard.clone())?;
        let place = namespaces.len();
        // There is room, it was reserved.
        let _ = namespaces.push_within_capacity(Namespace {
            id: net.id(),
            strays: DeviceHooks::new(guard.clone()),
            shared_strays: Hooks::new(),
            _hooks: hooks,
            guard,
            spare: Some(KBox::new(KVec::new(), GFP_KERNEL)?),
            clusters: KVec::new(),
        });
        Ok(place)
    }

    /// Forgets a namespace without clusters, and lets the guard of another know what is left.
    fn tidy(rtnl: &Rtnl, namespaces: &mut KVec<Namespace>, place: usize) {
        let Some(namespace) = namespaces.get_mut(place) else {
            return;
        };
        let Some(left) = namespace.clusters.first().map(|left| left.port.clone()) else {
            let _ = namespaces.remove(place);
            return;
        };
        namespace.publish();
        let net = left.cluster().device().net(rtnl);
        if namespace.watch_all(rtnl, net).is_err() {
            pr_warn!("no memory to keep VIPs off an interface whose cluster ended\n");
        }
    }

    /// Does something with a namespace, if it has clusters. Context: process, RTNL.
    fn with(&self, net: NetId, work: impl FnOnce(&mut Namespace)) {
        let mut namespaces = self.namespaces.lock();
        if let Some(namespace) = namespaces.iter_mut().find(|n| n.id == net) {
            work(namespace);
        }
    }
}

impl DeviceWatcher for Registry {
    fn device_leaves(&self, rtnl: &Rtnl, net: Net<'_>, device: &DeviceRef<'_>) {
        // Most interfaces have no cluster.
        let _ = self.detach(rtnl, net.id(), device.ifindex());
        // Last, for the end of a cluster makes its interface one like any other.
        self.with(net.id(), |namespace| namespace.strays.remove(rtnl, device));
    }

    fn device_changed(&self, rtnl: &Rtnl, device: &Listed<'_>) {
        let net = device.net().id();
        if let Some(port) = self.find(net, device.ifindex()) {
            let usable = reception::is_usable(rtnl, port.cluster().device());
            // A node that takes no part does not care.
            let _ = port.command(Command::Carrier(usable));
        }
        self.with(net, |namespace| {
            if namespace.watch(rtnl, device).is_err() {
                let name = device.name();
                let name = CStr::from_bytes_until_nul(&name).unwrap_or_default();
                pr_warn!("no memory to keep VIPs off {name:?}; its next change tries again\n");
            }
        });
    }
}
