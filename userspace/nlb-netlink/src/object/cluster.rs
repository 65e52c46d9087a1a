// SPDX-License-Identifier: GPL-2.0-only

//! A cluster as one host sees it, and what can be asked of it.

use std::net::IpAddr;

use netlink_packet_core::DecodeError;
use nlb_core::{
    genl::{Affinity, Control, Echo, Health, Mode, Responder},
    limits::{KEY_LEN, SEED_LEN},
    state::{Cause, HostState, OutReason},
};

use super::{NewRule, Staged, required};
use crate::{attribute::ClusterAttribute, code::Code, reply::ClusterGet};

/// A cluster as one host sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Index of the cluster interface.
    pub ifindex: u32,
    /// Name of the cluster interface.
    pub ifname: String,
    /// Name of the cluster.
    pub name: String,
    /// Id of this host, 1–64.
    pub host_id: u8,
    /// Cluster mode.
    pub mode: Code<Mode>,
    /// The VIPs; the first is the primary.
    pub vips: Vec<IpAddr>,
    /// This host's own address on the cluster interface.
    pub dedicated_ip: Option<IpAddr>,
    /// It is the interface's first, and changes with that.
    pub dedicated_follows: bool,
    /// Affinity of the default rule.
    pub affinity: Code<Affinity>,
    /// Milliseconds between two heartbeats.
    pub period_ms: u32,
    /// Heartbeats that may be missed.
    pub tolerance: u32,
    /// What the VIPs resolve to.
    pub virtual_mac: Option<[u8; 6]>,
    /// State of this host.
    pub state: Code<HostState>,
    /// Why this host is out.
    pub out_reason: Code<OutReason>,
    /// The agreed generation, 0 before the first.
    pub generation: u64,
    /// Host id of the default host, if there is one.
    pub default_host: Option<u8>,
    /// The members; bit n stands for host id n + 1.
    pub members: u64,
    /// The key that frames are sent with; none in a cluster without a key.
    pub key_id: Option<u8>,
    /// Load weight of this host for the default rule.
    pub weight: Option<u8>,
    /// Buckets of the default rule that this host owns.
    pub buckets_owned: u32,
    /// Why the cluster converged last.
    pub cause: Option<Code<Cause>>,
    /// Digest of rules and settings that wait for the other hosts.
    pub pending: Option<u64>,
    /// Number of port rules in force.
    pub rules: Option<u16>,
    /// What the IPv6 VIPs resolve to, where it is not `virtual_mac`.
    pub virtual_mac_v6: Option<[u8; 6]>,
    /// The last claim of another station to a VIP, unless it was long ago.
    pub conflict: Option<Claim>,
    /// Whether packets for a VIP are served whichever interface they arrive on.
    pub allow_other_interfaces: bool,
    /// Families of whose VIPs no frame reaches the host: 1 for IPv4, 2 for IPv6, as bits.
    pub starved: u8,
    /// What becomes of echo requests.
    pub echo: Code<Echo>,
    /// Who answers ARP requests and neighbour solicitations.
    pub responder: Code<Responder>,
    /// Sessions of the cluster that the last walk over the tables found here; absent before the first.
    pub walk_found: Option<u64>,
    /// Buckets, over all maps, that this host does not own but may hold sessions of.
    pub residue: Option<u32>,
    /// Microseconds that the last walk took.
    pub walk_us: Option<u32>,
    /// Connections that the last walk looked at, whosever they were.
    pub walk_seen: Option<u32>,
    /// Sessions without a socket that are remembered at most.
    pub sessions_max: Option<u32>,
    /// How many are remembered now; absent without CAP_NET_ADMIN.
    pub sessions: Option<u32>,
    /// VIPs that nobody answers this host's questions for.
    pub unanswered_vips: Vec<IpAddr>,
    /// Index of the device that is made for the VIPs; absent while the namespace ends.
    pub vip_ifindex: Option<u32>,
    /// A station that keeps asking for a VIP.
    pub asking_mac: Option<[u8; 6]>,
    /// Whether what no rule covers is answered.
    pub health: Code<Health>,
    /// Settings that wait for the other hosts.
    pub staged: Staged,
    /// This host lacks the address of a VIP of these, and the others wait for it.
    pub held: bool,
    /// Addresses of this host that were VIPs.
    pub former_vips: Vec<IpAddr>,
}

/// Another station claims a VIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The VIP.
    pub vip: IpAddr,
    /// The MAC that it is claimed for; that of the station, if it is a host of another cluster with this VIP.
    pub mac: [u8; 6],
    /// Milliseconds since it was last claimed.
    pub age_ms: u64,
}

impl Cluster {
    /// A cluster from the attributes of a reply.
    ///
    /// # Errors
    ///
    /// If the interface, the name or the host id is missing.
    pub fn from_attributes(attributes: Vec<ClusterAttribute>) -> Result<Self, DecodeError> {
        let reply = ClusterGet::from(attributes);
        let conflict = match (
            reply.conflict_vip,
            reply.conflict_mac,
            reply.conflict_age_ms,
        ) {
            (Some(vip), Some(mac), Some(age_ms)) => Some(Claim { vip, mac, age_ms }),
            _ => None,
        };
        Ok(Cluster {
            ifindex: required(reply.ifindex, "ifindex of a cluster")?,
            ifname: required(reply.ifname, "ifname of a cluster")?,
            name: required(reply.name, "name of a cluster")?,
            host_id: required(reply.host_id, "host-id of a cluster")?,
            mode: reply.mode.unwrap_or(Code::from_number(0)),
            vips: reply.vip,
            dedicated_ip: reply.dedicated_ip,
            dedicated_follows: reply.dedicated_follows,
            affinity: reply.affinity.unwrap_or(Affinity::None.into()),
            period_ms: reply.period_ms.unwrap_or_default(),
            tolerance: reply.tolerance.unwrap_or_default(),
            virtual_mac: reply.virtual_mac,
            state: reply.state.unwrap_or(HostState::Stopped.into()),
            out_reason: reply.out_reason.unwrap_or(OutReason::None.into()),
            generation: reply.generation.unwrap_or_default(),
            default_host: reply.default_host.filter(|&id| id != 0),
            members: reply.members.unwrap_or_default(),
            // That there is none is what NO_KEY says too.
            key_id: reply.key_id.filter(|&id| id != 0),
            weight: reply.weight,
            buckets_owned: reply.buckets_owned.unwrap_or_default(),
            cause: reply.cause,
            pending: reply.pending.filter(|&digest| digest != 0),
            rules: reply.rules,
            virtual_mac_v6: reply.virtual_mac_v6,
            conflict,
            allow_other_interfaces: reply.allow_other_interfaces,
            starved: reply.starved.unwrap_or_default(),
            echo: reply.echo.unwrap_or(Echo::DefaultHost.into()),
            responder: reply.responder.unwrap_or(Responder::DefaultHost.into()),
            walk_found: reply.walk_found,
            residue: reply.residue,
            walk_us: reply.walk_us,
            walk_seen: reply.walk_seen,
            sessions_max: reply.sessions_max,
            sessions: reply.sessions,
            vip_ifindex: reply.vip_ifindex,
            unanswered_vips: reply.unanswered_vip,
            asking_mac: reply.asking_mac,
            health: reply.health.unwrap_or(Health::Unknown.into()),
            staged: Staged {
                vips: reply.staged_vip,
                period_ms: reply.staged_period_ms,
                tolerance: reply.staged_tolerance,
                echo: reply.staged_echo,
                responder: reply.staged_responder,
            },
            held: reply.held,
            former_vips: reply.former_vip,
        })
    }

    /// The host ids of the members, in order.
    pub fn member_ids(&self) -> impl Iterator<Item = u8> + use<> {
        host_ids(self.members)
    }
}

/// The host ids of a set of hosts; bit n stands for host id n + 1.
pub fn host_ids(set: u64) -> impl Iterator<Item = u8> {
    (0u8..64)
        .filter(move |&bit| set & (1 << bit) != 0)
        .map(|bit| bit + 1)
}

/// Who may take part in a new cluster.
#[derive(Clone, PartialEq, Eq)]
pub enum ClusterKey {
    /// Those who have the key.
    Key {
        /// Id of the key, 1–255.
        id: u8,
        /// The key.
        key: [u8; KEY_LEN],
        /// The hash seed.
        seed: [u8; SEED_LEN],
    },
    /// Everybody on the segment.
    NoKey,
}

/// Keys are not for logs.
impl std::fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ClusterKey::Key { id, .. } => f
                .debug_struct("Key")
                .field("id", id)
                .finish_non_exhaustive(),
            ClusterKey::NoKey => f.write_str("NoKey"),
        }
    }
}

/// What a new cluster needs; it starts stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCluster {
    /// Index of the cluster interface.
    pub ifindex: u32,
    /// Name of the cluster, 1–32 bytes.
    pub name: String,
    /// Id of this host, 1–64.
    pub host_id: u8,
    /// Cluster mode.
    pub mode: Mode,
    /// The VIPs; the first is the primary.
    pub vips: Vec<IpAddr>,
    /// This host's own address.
    pub dedicated_ip: Option<IpAddr>,
    /// It is the interface's first, and changes with that.
    pub dedicated_follows: bool,
    /// Affinity of the default rule; not looked at if the rules are given.
    pub affinity: Affinity,
    /// Milliseconds between two heartbeats.
    pub period_ms: u32,
    /// Heartbeats that may be missed.
    pub tolerance: u32,
    /// Load weight of this host; the module's own default if absent.
    pub weight: Option<u8>,
    /// Who may take part.
    pub key: ClusterKey,
    /// The port rules, of which there may be none; the default rule if they are not given.
    pub rules: Option<Vec<NewRule>>,
    /// The virtual MAC, where it shall be another than the one that mode and primary VIP lead to.
    pub virtual_mac: Option<[u8; 6]>,
    /// Packets for a VIP are served whichever interface they arrive on.
    pub allow_other_interfaces: bool,
    /// What becomes of echo requests.
    pub echo: Echo,
    /// Who answers ARP requests and neighbour solicitations.
    pub responder: Responder,
    /// Sessions without a socket that are remembered at most; the module's own default if absent.
    pub sessions_max: Option<u32>,
}

impl NewCluster {
    /// The attributes of the request.
    #[must_use]
    pub fn to_attributes(&self) -> Vec<ClusterAttribute> {
        use ClusterAttribute as A;
        let mut attributes = vec![
            A::Ifindex(self.ifindex),
            A::Name(self.name.clone()),
            A::HostId(self.host_id),
            A::Mode(self.mode.into()),
        ];
        attributes.extend(self.vips.iter().copied().map(A::Vip));
        attributes.extend(self.dedicated_ip.map(A::DedicatedIp));
        attributes.extend(self.dedicated_follows.then_some(A::DedicatedFollows(())));
        match self.rules.as_deref() {
            None => attributes.push(A::Affinity(self.affinity.into())),
            Some([]) => attributes.push(A::NoRules(())),
            Some(_) => {}
        }
        attributes.extend([A::PeriodMs(self.period_ms), A::Tolerance(self.tolerance)]);
        attributes.extend(self.weight.map(A::Weight));
        match &self.key {
            ClusterKey::Key { id, key, seed } => {
                attributes.extend([A::Key(*key), A::KeyId(*id), A::HashSeed(*seed)]);
            }
            ClusterKey::NoKey => attributes.push(A::NoKey(())),
        }
        attributes.extend(self.virtual_mac.map(A::VirtualMac));
        if self.allow_other_interfaces {
            attributes.push(A::AllowOtherInterfaces(()));
        }
        if self.echo != Echo::DefaultHost {
            attributes.push(A::Echo(self.echo.into()));
        }
        if self.responder != Responder::DefaultHost {
            attributes.push(A::Responder(self.responder.into()));
        }
        attributes.extend(self.sessions_max.map(A::SessionsMax));
        let rules = self.rules.iter().flatten();
        attributes.extend(rules.map(|rule| A::Rule(rule.to_nest())));
        attributes
    }
}

/// What can be changed of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterChange {
    /// What this host does.
    Control(Control),
    /// Drain, and stop after the last session, or after so many seconds though some are left.
    Drainstop {
        /// None: it waits for the last session.
        timeout_s: Option<u32>,
    },
    /// Load weight of this host for the default rule, 0–100.
    Weight(u8),
    /// Sessions without a socket that are remembered at most.
    SessionsMax(u32),
}

impl ClusterChange {
    /// The attributes of the request for the cluster on an interface.
    #[must_use]
    pub fn to_attributes(self, ifindex: u32) -> Vec<ClusterAttribute> {
        use ClusterAttribute as A;
        let mut attributes = vec![A::Ifindex(ifindex)];
        match self {
            ClusterChange::Control(control) => attributes.push(A::Control(control.into())),
            ClusterChange::Drainstop { timeout_s } => {
                attributes.push(A::Control(Control::Drainstop.into()));
                attributes.extend(timeout_s.map(A::DrainTimeoutS));
            }
            ClusterChange::Weight(weight) => attributes.push(A::Weight(weight)),
            ClusterChange::SessionsMax(max) => attributes.push(A::SessionsMax(max)),
        }
        attributes
    }
}
