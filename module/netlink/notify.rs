// SPDX-License-Identifier: GPL-2.0-only

//! What userspace is told without having asked: state changes, and heartbeats for the second path.

use crate::cluster::context::Cluster;
use crate::cluster::tables::NodeTables;
use crate::kapi::netlink::Message;
use crate::kapi::rcu::read_lock;
use crate::l2::conflict::Claim;
use crate::netlink::cluster_request::address_bytes;
use crate::netlink::log;
use crate::netlink::policy::{GROUP_EVENTS, GROUP_RELAY};
use crate::netlink::sent::{event_ntf, heartbeat_ntf};
use crate::nlb_core::event::Event;
use crate::nlb_core::genl::{Command, EventKind, Health, Stance};
use crate::nlb_core::host::HostId;
use crate::nlb_core::mac::Mac;
use crate::nlb_core::node::Node;
use crate::nlb_core::state::{Cause, HostState, OutReason};
use kernel::prelude::*;

/// Room for what a relayed heartbeat has beside its bytes: two attribute headers and an index.
const RELAY_ROOM: usize = 64;

/// Room for a state change: all attributes with their headers are less than half of it.
const EVENT_SIZE: usize = 256;

/// An event with what must be known of the node at that moment.
pub(crate) struct Told {
    pub(crate) event: Event,
    generation: u64,
    members: u64,
    default_host: Option<HostId>,
}

impl Told {
    /// Context: under the lock of the node.
    pub(crate) fn of(node: &Node<NodeTables>, event: Event) -> Self {
        Self {
            event,
            generation: node.generation().number,
            members: node.view_members().0,
            default_host: node.default_host(),
        }
    }
}

/// What a notification says beside which cluster it is about.
#[derive(Default)]
struct Fields {
    host: Option<HostId>,
    state: Option<HostState>,
    out: Option<OutReason>,
    cause: Option<Cause>,
    claim: Option<Claim>,
    mac: Option<Mac>,
    sessions: Option<u64>,
    rule: Option<u16>,
    health: Option<Health>,
    stance: Option<Stance>,
}

/// Tells that something happened in a cluster. Context: any.
pub(crate) fn event(cluster: &Cluster, told: &Told) {
    let own = cluster.look(|node, _, _| node.config().host);
    let (kind, fields) = match told.event {
        Event::State { state, out } => (
            EventKind::State,
            Fields {
                host: Some(own),
                state: Some(state),
                out: Some(out),
                ..Fields::default()
            },
        ),
        Event::Converged { cause, host, .. } => (
            EventKind::Converged,
            Fields {
                host,
                cause: Some(cause),
                ..Fields::default()
            },
        ),
        Event::HostOut { host, reason } => (
            EventKind::HostOut,
            Fields {
                host: Some(host),
                out: Some(reason),
                ..Fields::default()
            },
        ),
        Event::HostSeen { host } => (
            EventKind::HostSeen,
            Fields {
                host: Some(host),
                ..Fields::default()
            },
        ),
        Event::Drained { left } => (
            EventKind::Drained,
            Fields {
                host: Some(own),
                sessions: Some(left),
                ..Fields::default()
            },
        ),
        Event::DefaultHost { .. } => (EventKind::DefaultHost, Fields::default()),
        Event::SetBack { .. } => return cluster_event(cluster, EventKind::SetBack),
        // Rules are staged by whoever asked for it, who sees the generation change.
        Event::RulesActivated { .. } => return,
    };
    if let (EventKind::State, Some(out)) = (kind, fields.out) {
        log::out(cluster, out);
    }
    send(cluster, kind, Some(told), &fields);
}

/// Tells that something happened to a cluster as a whole. Context: any.
pub(crate) fn cluster_event(cluster: &Cluster, kind: EventKind) {
    log::cluster(cluster, kind);
    send(cluster, kind, None, &Fields::default());
}

/// Tells that a station keeps asking for a VIP. Context: any.
pub(crate) fn asker(cluster: &Cluster, mac: &Mac) {
    log::asker(cluster, mac);
    let fields = Fields {
        mac: Some(*mac),
        ..Fields::default()
    };
    send(cluster, EventKind::Asking, None, &fields);
}

/// Tells whether what is accepted of a rule, or of what no rule covers, is answered; in the kernel's log too if `log`.
/// Context: any.
pub(crate) fn rule_health(cluster: &Cluster, rule: Option<u16>, health: Health, log: bool) {
    if log {
        log::health(cluster, rule, health);
    }
    let fields = Fields {
        rule,
        health: Some(health),
        ..Fields::default()
    };
    send(cluster, EventKind::RuleHealth, None, &fields);
}

/// Tells that this host gives a rule's buckets up, tries a few, or takes its share again; in the kernel's log too if `log`.
/// Context: any.
pub(crate) fn rule_stance(cluster: &Cluster, rule: u16, health: Health, stance: Stance, log: bool) {
    if log {
        log::stance(cluster, rule, stance);
    }
    let fields = Fields {
        rule: Some(rule),
        health: Some(health),
        stance: Some(stance),
        ..Fields::default()
    };
    send(cluster, EventKind::RuleHealth, None, &fields);
}

/// Tells that another station claims a VIP. Context: any.
pub(crate) fn conflict(cluster: &Cluster, claim: &Claim) {
    log::conflict(cluster, claim);
    let fields = Fields {
        claim: Some(*claim),
        ..Fields::default()
    };
    send(cluster, EventKind::Conflict, None, &fields);
}

fn send(cluster: &Cluster, kind: EventKind, told: Option<&Told>, fields: &Fields) {
    let device = cluster.device();
    let side = read_lock();
    cluster.family().notify(
        device.net_now(&side),
        GROUP_EVENTS,
        Command::EventNtf as u8,
        EVENT_SIZE,
        |message| {
            message.put_u32(event_ntf::IFINDEX, device.ifindex())?;
            message.put_text(event_ntf::IFNAME, &device.name())?;
            message.put_u8(event_ntf::KIND, kind as u8)?;
            put_fields(message, fields)?;
            if let Some(told) = told {
                message.put_u64(event_ntf::GENERATION, told.generation)?;
                message.put_u64(event_ntf::MEMBERS, told.members)?;
                message.put_u8(
                    event_ntf::DEFAULT_HOST,
                    told.default_host.map_or(0, HostId::get),
                )?;
            }
            Ok(())
        },
    );
}

fn put_fields(message: &mut Message, fields: &Fields) -> Result {
    if let Some(host) = fields.host {
        message.put_u8(event_ntf::HOST_ID, host.get())?;
    }
    if let Some(state) = fields.state {
        message.put_u8(event_ntf::STATE, state as u8)?;
    }
    if let Some(out) = fields.out {
        message.put_u8(event_ntf::OUT_REASON, out as u8)?;
    }
    if let Some(cause) = fields.cause {
        message.put_u8(event_ntf::CAUSE, cause as u8)?;
    }
    if let Some(sessions) = fields.sessions {
        message.put_u64(event_ntf::SESSIONS, sessions)?;
    }
    if let Some(mac) = fields.mac {
        message.put(event_ntf::MAC, &mac)?;
    }
    if let Some(rule) = fields.rule {
        message.put_u16(event_ntf::RULE, rule)?;
    }
    if let Some(health) = fields.health {
        message.put_u8(event_ntf::HEALTH, health as u8)?;
    }
    if let Some(stance) = fields.stance {
        message.put_u8(event_ntf::STANCE, stance as u8)?;
    }
    if let Some(claim) = fields.claim {
        let mut buffer = [0u8; 16];
        message.put(event_ntf::VIP, address_bytes(claim.vip, &mut buffer))?;
        message.put(event_ntf::MAC, &claim.mac)?;
    }
    Ok(())
}

/// Hands a heartbeat to whoever carries it on the second path. Context: any.
pub(crate) fn relay(cluster: &Cluster, frame: &[u8]) {
    let device = cluster.device();
    let side = read_lock();
    cluster.family().notify(
        device.net_now(&side),
        GROUP_RELAY,
        Command::HeartbeatNtf as u8,
        frame.len().saturating_add(RELAY_ROOM),
        |message| {
            message.put_u32(heartbeat_ntf::IFINDEX, device.ifindex())?;
            message.put(heartbeat_ntf::FRAME, frame)
        },
    );
}
