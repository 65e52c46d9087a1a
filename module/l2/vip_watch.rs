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
use crate::kapi::vector::Grow;
use crate::nlb_core::node::Command;
use kernel::prelude::*;
use kernel::sync::{Arc, SpinLock};

/// Whether addresses of the interface came or went since they were looked at.
pub(crate) struct Presence {
    changed: Once<bool>,
}

impl Presence {
    /// Nothing has changed.
    pub(crate) const fn new() -> Self {
        Self {
            changed: Once::new(false),
        }
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

/// What the node is to be told of the addresses. Context: process or softirq, not under the lock of the node.
pub(crate) fn look(cluster: &Cluster) -> Command {
    let has = |vip| cluster.device().delivers(vip);
    let all = cluster.vip_device().is_up() && cluster.vips().iter().copied().all(has);
    // A node that takes no part keeps it in mind for when it does.
    Command::VipMissing(!all)
}

/// The same, if they have changed since the last time. Context: as [`look`], from one context at a time.
pub(crate) fn look_again(cluster: &Cluster) -> Option<Command> {
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
