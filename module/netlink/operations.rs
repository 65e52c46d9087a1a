// SPDX-License-Identifier: GPL-2.0-only

//! The generic netlink family `nlb`: what is asked, and who answers.
//!
//! *Context*: process. Requests that make or remove a cluster take the RTNL, then the registry's mutex; the
//! others find their cluster under the mutex and work on it without.
//!
//! *Locking*: requests run beside each other, netlink has no lock for them (`parallel_ops`). What makes a cluster holds
//! the RTNL from the look for an old one to the end. What changes rules or a weight holds [`Cluster::changes`] from
//! the look at those in force until the new ones are handed to the node. All else is one access to the node or the keys
//! under their lock, or one word; a key that is added and then sent with takes two, and another request in between may
//! have removed it, which is refused as such.

use crate::cluster::context::{Cluster, Refused};
use crate::cluster::driver::Driver;
use crate::cluster::rule_change::{self, Refusal};
use crate::kapi::clock::now_ns;
use crate::kapi::genetlink::{Operation, Request, Service};
use crate::kapi::netdevice::{Device, Rtnl};
use crate::kapi::netlink::not_supported;
use crate::kapi::param;
use crate::kapi::user::User;
use crate::l2::announcements;
use crate::l2::mac_filter;
use crate::netlink::cluster_request::{refuse_filter, refuse_second, sessions_max, NewCluster};
pub(crate) use crate::netlink::dumps::{
    bucket_dump, cluster_dump, counter_dump, history_dump, member_dump, rule_dump,
};
use crate::netlink::fill;
pub(crate) use crate::netlink::key_request::{key_del, key_dump, key_set};
use crate::netlink::policy;
use crate::netlink::rule_request::{self, RuleRequest};
use crate::netlink::settings_request;
use crate::nlb_core::config::SlotKind;
use crate::nlb_core::filter::FilterError;
use crate::nlb_core::genl::{self, cluster, heartbeat, key, rule, Command, Control, HostState};
use crate::nlb_core::node;
use crate::nlb_core::time::{Instant, NS_PER_SEC};
use crate::quota::{Charge, Denied};
use crate::registry::Registry;
use kernel::c_str;
use kernel::prelude::*;
use kernel::sync::Arc;

/// Room for the attributes of a cluster with 64 IPv6 VIPs that nobody answers for, and as many that wait: 3 × 64 × 20
/// bytes, and the rest.
const CLUSTER_SIZE: usize = 4864;

/// Room for the answer to who owns a flow.
const OWNER_SIZE: usize = 512;

impl Service for Registry {
    const NAME: &'static str = genl::FAMILY;
    const VERSION: u8 = genl::VERSION;
    // Heartbeats are authenticated but not secret; still, only an administrator needs them.
    const GROUPS: &'static [(&'static str, bool)] = policy::GROUPS;
    const OPERATIONS: &'static [Operation<Self>] = policy::OPERATIONS;

    fn is_secret(command: u8, kind: u16) -> bool {
        if command == Command::ClusterNew as u8 {
            kind == cluster::KEY || kind == cluster::HASH_SEED
        } else {
            command == Command::KeySet as u8 && kind == key::KEY
        }
    }
}

/// The index of the interface that a request is about; attribute 1 in all sets.
fn ifindex(request: &Request<'_>) -> Result<u32> {
    match request.get(cluster::IFINDEX) {
        Some(attribute) => Ok(attribute.u32()),
        None => Err(request.refuse(EINVAL, c_str!("the interface index is missing"))),
    }
}

/// The cluster that a request is about.
pub(crate) fn find(registry: &Registry, request: &Request<'_>) -> Result<Arc<Driver>> {
    let ifindex = ifindex(request)?;
    registry.find(request.net().id(), ifindex).ok_or_else(|| {
        request.refuse_at(
            cluster::IFINDEX,
            ENOENT,
            c_str!("there is no cluster on this interface"),
        )
    })
}

pub(crate) fn cluster_get(registry: &Registry, request: &Request<'_>) -> Result {
    let driver = find(registry, request)?;
    request.reply(
        registry.family(),
        Command::ClusterGet as u8,
        CLUSTER_SIZE,
        |message| fill::cluster(message, driver.cluster(), request.is_admin()),
    )
}

/// Whether the user that owns the namespace of the request may have one cluster more; `None` if nobody counts them, for
/// the namespace belongs to the initial user namespace. Errors: `EPERM` or `ENOSPC`, with a text; `ENOMEM`.
fn charge(registry: &Registry, request: &Request<'_>) -> Result<Option<Charge>> {
    let Some(user) = User::owner_of(request.net()) else {
        return Ok(None);
    };
    if !param::allow_user_namespaces() {
        return Err(request.refuse(
            EPERM,
            c_str!("clusters in network namespaces of user namespaces are not allowed on this machine; its root allows them by the module parameter allow_user_namespaces"),
        ));
    }
    match registry.quotas().charge(user, param::user_clusters_max()) {
        Ok(charge) => Ok(Some(charge)),
        Err(Denied::Memory(error)) => Err(error),
        Err(Denied::Limit) => Err(request.refuse(
            ENOSPC,
            c_str!("the owner of this user namespace has as many clusters as the module parameter user_clusters_max allows"),
        )),
    }
}

pub(crate) fn cluster_new(registry: &Registry, request: &Request<'_>) -> Result {
    let ifindex = ifindex(request)?;
    let charge = charge(registry, request)?;
    let rtnl = Rtnl::lock();
    let net = request.net();
    let listed = net.device(&rtnl, ifindex).map_err(|error| {
        request.refuse_at(
            cluster::IFINDEX,
            error,
            c_str!("there is no such interface"),
        )
    })?;
    let device = Device::hold(&listed)?;
    if let Some(driver) = registry.find(net.id(), ifindex) {
        return Err(refuse_second(request, driver.cluster()));
    }
    let new = NewCluster::read(request, &rtnl, &device)?;
    let usable = mac_filter::is_usable(&rtnl, &device);
    let cluster = Cluster::new(
        device,
        new.description,
        &new.config,
        new.snapshot,
        new.base,
        new.weight,
        new.keys,
        registry.family().clone(),
        registry.conntrack().clone(),
        charge,
    )?;
    let driver = Driver::new(cluster).map_err(|error| {
        if error != ENODEV {
            return error;
        }
        request.refuse(EBUSY, c_str!("the module is being unloaded"))
    })?;
    registry.attach(&rtnl, driver.clone()).map_err(|error| {
        if error != ENODEV {
            return error;
        }
        request.refuse_at(
            cluster::VIP,
            not_supported(),
            c_str!("the interface lacks the IP family of a VIP: IPv6 may be disabled there (disable_ipv6)"),
        )
    })?;
    // A node that is stopped takes both, whatever comes first.
    let _ = driver.command(node::Command::Carrier(usable));
    if new.start {
        let _ = driver.command(node::Command::Start);
    }
    Ok(())
}

pub(crate) fn cluster_del(registry: &Registry, request: &Request<'_>) -> Result {
    let ifindex = ifindex(request)?;
    let rtnl = Rtnl::lock();
    let detached = registry.detach(&rtnl, request.net().id(), ifindex);
    // What is left of it goes without the RTNL, which others wait for.
    drop(rtnl);
    detached.map(drop).map_err(|error| {
        request.refuse_at(
            cluster::IFINDEX,
            error,
            c_str!("there is no cluster on this interface"),
        )
    })
}

/// Carries out one control, or changes one parameter: of two, the second could be refused after the first was done.
pub(crate) fn cluster_set(registry: &Registry, request: &Request<'_>) -> Result {
    let driver = find(registry, request)?;
    let changes = [cluster::CONTROL, cluster::WEIGHT, cluster::SESSIONS_MAX];
    if let Some(second) = changes.into_iter().filter(|it| request.has(*it)).nth(1) {
        return Err(request.refuse_at(
            second,
            EINVAL,
            c_str!("one request changes one thing: send another one for this"),
        ));
    }
    let control = match request.get(cluster::CONTROL) {
        None => None,
        Some(attribute) => Some(Control::from_u8(attribute.u8()).ok_or_else(|| {
            request.refuse_at(cluster::CONTROL, EINVAL, c_str!("no such control"))
        })?),
    };
    let deadline = match request.get(cluster::DRAIN_TIMEOUT_S) {
        // As Windows does it: until no session is left.
        None => Instant::NEVER,
        Some(attribute) if control == Some(Control::Drainstop) => {
            let timeout = u64::from(attribute.u32()).saturating_mul(NS_PER_SEC);
            Instant(now_ns()).after(timeout)
        }
        Some(_) => {
            return Err(request.refuse_at(
                cluster::DRAIN_TIMEOUT_S,
                EINVAL,
                c_str!("only a drainstop has a timeout"),
            ))
        }
    };
    let sessions_max = match request.get(cluster::SESSIONS_MAX) {
        Some(_) => Some(sessions_max(request)?),
        None => None,
    };
    if let Some(attribute) = request.get(cluster::WEIGHT) {
        let weight = attribute.u8();
        if weight > SlotKind::Weighted.weight_max() {
            let error = node::CommandError::Weight;
            return Err(refuse(request, cluster::WEIGHT, error));
        }
        rule_change::set_weight(&driver, weight)
            .map_err(|refusal| refuse_change(request, cluster::WEIGHT, refusal))?;
    }
    if let Some(max) = sessions_max {
        driver.cluster().sessions().set_max(max);
    }
    let Some(control) = control else {
        return Ok(());
    };
    let command = match control {
        Control::Start => node::Command::Start,
        Control::Stop => node::Command::Stop,
        Control::Drain => node::Command::Drain,
        Control::Drainstop => node::Command::Drainstop { deadline },
        Control::Suspend => node::Command::Suspend,
        Control::Resume => node::Command::Resume,
        Control::Announce => return announce(request, &driver),
    };
    driver
        .command(command)
        .map_err(|error| refuse(request, cluster::CONTROL, error))
}

/// Announces the VIPs, if this host serves them.
fn announce(request: &Request<'_>, driver: &Driver) -> Result {
    let cluster = driver.cluster();
    let state = cluster.look(|node, _, _| node.state());
    if !matches!(state, HostState::Converged | HostState::Draining) {
        return Err(request.refuse_at(
            cluster::CONTROL,
            EINVAL,
            c_str!("the host does not serve: start it first, or ask another one"),
        ));
    }
    announcements::begin_anywhere(cluster);
    driver.wake();
    Ok(())
}

/// Says why the node did not carry out a command.
fn refuse(request: &Request<'_>, kind: u16, error: node::CommandError) -> Error {
    use node::CommandError;
    match error {
        CommandError::Suspended => request.refuse_at(
            kind,
            EBUSY,
            c_str!("the host is suspended: resume it first"),
        ),
        CommandError::NotSuspended => {
            request.refuse_at(kind, EINVAL, c_str!("the host is not suspended"))
        }
        CommandError::Stopped => {
            request.refuse_at(kind, EINVAL, c_str!("the host is stopped: start it first"))
        }
        CommandError::Weight => {
            request.refuse_at(kind, EINVAL, c_str!("the load weight must be 0 to 100"))
        }
        CommandError::Changing => request.refuse_at(
            kind,
            EBUSY,
            c_str!("other rules are being put in force: try again"),
        ),
        CommandError::Random | CommandError::Slot | CommandError::Rules => {
            request.refuse_at(kind, EINVAL, c_str!("the command cannot be carried out"))
        }
    }
}

/// Says why the rules were not changed; `kind` is the attribute that asked for it, nested ones if the rules are.
fn refuse_change(request: &Request<'_>, kind: u16, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Memory(error) => error,
        Refusal::Primary => request.refuse_at(
            kind,
            not_supported(),
            c_str!("the primary VIP (in IGMP mode the first one of each family) gives the virtual MAC, and stays: take the cluster down and up again for another"),
        ),
        Refusal::Dedicated => request.refuse_at(
            kind,
            EINVAL,
            c_str!("the dedicated IP must not be a VIP"),
        ),
        Refusal::NoRule => {
            request.refuse_at(kind, EINVAL, c_str!("there is no rule with this number"))
        }
        Refusal::Filter(FilterError::Rule(error)) => rule_request::refuse(request, kind, error),
        Refusal::Filter(_) => request.refuse_at(
            kind,
            EINVAL,
            c_str!("the lookup tables for these rules cannot be built"),
        ),
        Refusal::Now(Refused::Node(error)) => refuse(request, kind, error),
        Refusal::Now(Refused::Waiting) => request.refuse_at(
            kind,
            EBUSY,
            c_str!(
                "other rules or settings wait for the other hosts; `nlbadm set --withdraw` forgets them"
            ),
        ),
        Refusal::Now(Refused::Replaced | Refused::Unfreed) => request.refuse_at(
            kind,
            EBUSY,
            c_str!("other rules or settings have just come into force: look at them and try again"),
        ),
    }
}

pub(crate) fn rule_set(registry: &Registry, request: &Request<'_>) -> Result {
    let driver = find(registry, request)?;
    let RuleRequest { list, told } = RuleRequest::read(request, rule::RULE)?;
    rule_change::replace(&driver, list, |number| told.contains(number))
        .map_err(|refusal| refuse_change(request, rule::RULE, refusal))
}

pub(crate) fn settings_set(registry: &Registry, request: &Request<'_>) -> Result {
    let driver = find(registry, request)?;
    let change = settings_request::read(request)?;
    driver
        .change_settings(change)
        .map_err(|refusal| match refusal {
            Refusal::Filter(error) => refuse_filter(request, error),
            _ => refuse_change(request, cluster::VIP, refusal),
        })?;
    // Which groups it needs depends on the VIPs. Under the RTNL nobody takes it down meanwhile.
    let rtnl = Rtnl::lock();
    if !driver.cluster().is_closing() {
        mac_filter::keep_joined_or_warn(&rtnl, driver.cluster());
    }
    Ok(())
}

pub(crate) fn rule_control(registry: &Registry, request: &Request<'_>) -> Result {
    let driver = find(registry, request)?;
    let (number, control) = rule_request::control(request)?;
    rule_change::control(&driver, number, control)
        .map_err(|refusal| refuse_change(request, rule::NUMBER, refusal))
}

pub(crate) fn owner_get(registry: &Registry, request: &Request<'_>) -> Result {
    let driver = find(registry, request)?;
    let question = fill::Question::read(request)?;
    request.reply(
        registry.family(),
        Command::OwnerGet as u8,
        OWNER_SIZE,
        |message| fill::owner(message, driver.cluster(), &question),
    )
}

pub(crate) fn heartbeat_in(registry: &Registry, request: &Request<'_>) -> Result {
    let driver = find(registry, request)?;
    let Some(frame) = request.get(heartbeat::FRAME) else {
        return Err(request.refuse(EINVAL, c_str!("the frame is missing")));
    };
    driver.frame_relayed(frame.payload);
    Ok(())
}
