// SPDX-License-Identifier: GPL-2.0-only

//! nlb: network load balancing without a balancer.
//!
//! Up to 64 hosts on one Ethernet segment share a virtual IP. Every host receives every packet; this module
//! decides by a keyed hash whether this host takes it or drops it, answers ARP with the virtual MAC, and keeps
//! the cluster together by authenticated heartbeats. What is decided, and how, is in `core/`; what touches the
//! kernel unsafely is in `kapi/`; the folders between them connect the two, and each says what it may use.

use kernel::prelude::*;
use kernel::sync::Arc;

mod cluster;
mod datapath;
mod fork;
mod kapi;
mod l2;
mod namespace;
mod netlink;
// The core is a library: here it is private, and other users of it need what this one does not.
#[allow(dead_code, unreachable_pub, unused_imports)]
#[path = "core/src/lib.rs"]
mod nlb_core;
mod probe;
mod quota;
mod registry;
mod sleep;
mod stats;

use kapi::address::AddressNotifier;
use kapi::device_notifier::Notifier;
use kapi::fork_notifier::ForkNotifier;
use kapi::genetlink::{Family, Registration};
use kapi::pernet::NamespaceNotifier;
use kapi::pm_notifier::SleepNotifier;
use l2::vip_watch::AddressWatch;
use registry::Registry;

module! {
    type: NlbModule,
    name: "nlb",
    authors: ["nlb contributors"],
    description: "Network load balancing without a balancer",
    license: "GPL v2",
    alias: ["net-pf-16-proto-16-family-nlb"],
}

/// The module. Each cluster holds a reference to it, so it goes only when there is none. Its fields are dropped in this
/// order, which is that of the teardown:
///
/// 1. the netlink family: no request comes any more, so no cluster is made, and the ones under way have ended;
/// 2. the notifiers of forks and sleep of the machine, namespaces, addresses and devices, which have nothing to tell by then;
/// 3. the registry, empty by then.
struct NlbModule {
    _registration: Registration<Registry>,
    _forks: Pin<KBox<ForkNotifier<Registry>>>,
    _sleep: Pin<KBox<SleepNotifier<Registry>>>,
    _namespaces: Pin<KBox<NamespaceNotifier<Registry>>>,
    _addresses: Pin<KBox<AddressNotifier<AddressWatch>>>,
    _devices: Pin<KBox<Notifier<Registry>>>,
    _registry: Arc<Registry>,
}

impl kernel::Module for NlbModule {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let family = Family::new::<Registry>(module)?;
        let watch = AddressWatch::new()?;
        let registry = Registry::new(family.clone(), watch.clone())?;
        let devices = Notifier::new(registry.clone())?;
        let addresses = AddressNotifier::new(watch)?;
        let namespaces = NamespaceNotifier::new(registry.clone())?;
        let sleep = SleepNotifier::new(registry.clone())?;
        let forks = ForkNotifier::new(registry.clone())?;
        // Last, for requests come from here on.
        let registration = Registration::new(family, registry.clone())?;
        Ok(Self {
            _registration: registration,
            _forks: forks,
            _sleep: sleep,
            _namespaces: namespaces,
            _addresses: addresses,
            _devices: devices,
            _registry: registry,
        })
    }
}
