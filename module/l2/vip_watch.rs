// SPDX-License-Identifier: GPL-2.0-only

//! Whether the VIPs are addresses of this host. A host that lacks one cannot serve it, so it says so and owns nothing
//! until the address is back.
//!
//! The VIPs have a device of their own, which comes and goes with the cluster: network managers look after the cluster
//! interface, and would take off what their files do not name. The module makes the device and adds no address by itself:
//! `nlbadm up` does, and `nlbadm start` puts back what is missing. The stack serves a VIP whichever device has it, so
//! one on the cluster interface or on the loopback device does as well.
//!
//! The stack tells of addresses where one may neither sleep nor send. So a change is noted there, under a lock that is
//! held for moments only, and looked at when the cluster's timer expires, which is at once.

use crate::cluster::context::Cluster;
use crate::cluster::driver::Driver;
use crate::kapi::address::AddressWatcher;
use crate::kapi::bh_lock::BhGuard;
use crate::kapi::netdevice::DeviceRef;
use crate::kapi::once::Once;
use crate::kapi::rcu::read_lock;
use crate::kapi::vector::Grow;
use core::net::IpAddr;
use kernel::prelude::*;
use kernel::sync::{Arc, SpinLock};

/// Whether addresses of the interface came or went since they were looked at, or other VIPs came into force.
pub(crate) struct Presence {
    changed: Once<bool>,
    vips_changed: Once<bool>,
}

impl Presence {
    /// Nothing has changed.
    pub(crate) const fn new() -> Self {
        Self {
            changed: Once::new(false),
            vips_changed: Once::new(false),
        }
    }

    /// Other settings are in force, with other VIPs perhaps. Context: as [`Presence::note`].
    pub(crate) fn note_vips(&self) {
        self.vips_changed.store(true);
        self.note();
    }

    /// Whether that was noted since this was called last. Context: any, one at a time.
    pub(crate) fn take_vips_changed(&self) -> bool {
        let changed = self.vips_changed.load();
        if changed {
            self.vips_changed.store(false);
        }
        changed
    }

    /// Something is to be looked at. Context: any; the timer of the cluster is to expire soon.
    pub(crate) fn note(&self) {
        self.changed.store(true);
    }

    /// Whether something is to be looked at. Context: any.
    pub(crate) fn has_changed(&self) -> bool {
        self.changed.load()
    }
}

/// Whether packets to an address are delivered on this host. Context: process or softirq.
pub(crate) fn is_here(cluster: &Cluster, address: IpAddr) -> bool {
    cluster.device().delivers(address)
}

/// Whether VIPs that wait for the other hosts are missing here. Context: process or softirq.
pub(crate) fn is_held(cluster: &Cluster) -> bool {
    let side = read_lock();
    let settings = cluster.snapshot(&side).map(|snapshot| &snapshot.settings);
    let waiting = settings.map_or(&[][..], |settings| settings.waiting());
    !waiting.iter().all(|vip| is_here(cluster, *vip))
}

/// What the node is to be told of the addresses.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    /// A VIP is missing.
    pub(crate) missing: bool,
    /// A VIP that waits is missing.
    pub(crate) held: bool,
}

/// Looks at the addresses. A node that takes no part keeps it in mind for when it does. Context: process or softirq, not under
/// the lock of the node.
pub(crate) fn look(cluster: &Cluster) -> Found {
    let side = read_lock();
    let mut vips = cluster.vips(&side).iter();
    let all = cluster.vip_device().is_up() && vips.all(|vip| is_here(cluster, *vip));
    Found {
        missing: !all,
        held: is_held(cluster),
    }
}

/// The same, if they have changed since the last time. Context: as [`look`], from one context at a time.
pub(crate) fn look_again(cluster: &Cluster) -> Option<Found> {
    let presence = cluster.presence();
    if !presence.has_changed() {
        return None;
    }
    // Before it is looked: what changes after this is looked at again.
    presence.changed.store(false);
    Some(look(cluster))
}

/// The clusters of all namespaces, to be found by their interface where one may not sleep.
#[pin_data]
pub(crate) struct AddressWatch {
    #[pin]
    drivers: SpinLock<KVec<Arc<Driver>>>,
}

impl AddressWatch {
    /// No clusters yet. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                drivers <- kernel::new_spinlock!(KVec::new(), "nlb::AddressWatch"),
            }),
            GFP_KERNEL,
        )
    }

    /// Lets a cluster know of its addresses from now on. Context: process. Errors: `ENOMEM`.
    pub(crate) fn add(&self, driver: Arc<Driver>) -> Result {
        let _bh = BhGuard::new();
        self.drivers.lock().append(driver, GFP_ATOMIC)?;
        Ok(())
    }

    /// Undoes that, if it was done. Context: process.
    pub(crate) fn remove(&self, driver: &Driver) {
        let removed = {
            let _bh = BhGuard::new();
            let mut drivers = self.drivers.lock();
            let place = drivers.iter().position(|it| core::ptr::eq(&**it, driver));
            place.map(|place| drivers.remove(place))
        };
        // Outside the lock, though it is never the last reference.
        drop(removed);
    }
}

impl AddressWatcher for AddressWatch {
    fn addresses_changed(&self, device: &DeviceRef<'_>) {
        let _bh = BhGuard::new();
        let drivers = self.drivers.lock();
        for driver in drivers.iter() {
            let cluster = driver.cluster();
            if device.is_beside(cluster.device()) {
                cluster.presence().note();
                driver.expire_soon();
            }
        }
    }
}
