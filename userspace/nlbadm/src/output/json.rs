// SPDX-License-Identifier: GPL-2.0-only

//! The shapes of nlbadm's answers. The keys are stable: programs rely on them, and they are only added to.
//!
//! Enumerations are their names, sets of hosts are lists of host ids, what is not known is null. 64-bit digests are
//! hexadecimal strings, because many readers of JSON cut such numbers to 53 bits.

use std::net::IpAddr;

use nlb_core::{
    delivery::{FAMILY_V4, FAMILY_V6},
    limits::BUCKETS,
    state::OutReason,
};
use nlb_netlink::{
    Code,
    object::{
        Answer, BucketMap, Cluster, Convergence, Counter, Event, Key, Member, PortRule, Question,
        Residue, host_ids,
    },
};
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{cli::Protocol, rulename};

/// Answer of `show`: a list of clusters.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Clusters(pub(crate) Vec<ClusterShape>);

/// A cluster.
#[derive(Debug, Serialize)]
pub(crate) struct ClusterShape {
    pub(crate) interface: String,
    pub(crate) ifindex: u32,
    pub(crate) name: String,
    pub(crate) host_id: u8,
    pub(crate) state: String,
    /// Null if the host is not out.
    pub(crate) out_reason: Option<String>,
    pub(crate) mode: String,
    pub(crate) vips: Vec<IpAddr>,
    pub(crate) virtual_mac: Option<String>,
    /// Null if it is `virtual_mac`.
    pub(crate) virtual_mac_v6: Option<String>,
    /// Another station that claims a VIP, if there was one lately.
    pub(crate) conflict: Option<ClaimShape>,
    /// `ipv4`, `ipv6`: no frame to VIPs of that family reaches this host, though heartbeats do.
    pub(crate) starved: Vec<&'static str>,
    /// Packets for a VIP are served whichever interface they arrive on.
    pub(crate) allow_other_interfaces: bool,
    /// What becomes of echo requests.
    pub(crate) echo: String,
    /// Who answers ARP requests and neighbour solicitations.
    pub(crate) responder: String,
    /// Sessions without a socket that are remembered, and how many may be.
    pub(crate) sessions: Option<u32>,
    pub(crate) sessions_max: Option<u32>,
    pub(crate) dedicated_ip: Option<IpAddr>,
    pub(crate) affinity: String,
    pub(crate) weight: Option<u8>,
    pub(crate) period_ms: u32,
    pub(crate) tolerance: u32,
    pub(crate) authenticated: bool,
    pub(crate) key_id: Option<u8>,
    pub(crate) generation: u64,
    pub(crate) cause: Option<String>,
    pub(crate) members: Vec<u8>,
    pub(crate) default_host: Option<u8>,
    pub(crate) buckets_owned: u32,
    pub(crate) pending: Option<String>,
    /// The members that have not staged the rules that wait here.
    pub(crate) pending_hosts: Vec<u8>,
    /// Number of port rules in force.
    pub(crate) rules: Option<u16>,
    pub(crate) hosts: Vec<HostShape>,
    /// Connections that this host had when it last looked for them, which it does while it has residue; null before.
    pub(crate) connections: Option<u64>,
    /// Buckets, over all maps, that this host does not own but may hold connections of.
    pub(crate) residue: Option<u32>,
    /// How long that look took, and how many connections it saw, whosever they were.
    pub(crate) walk_us: Option<u32>,
    pub(crate) walk_seen: Option<u32>,
}

/// The families in a set of them.
fn families(set: u8) -> Vec<&'static str> {
    [(FAMILY_V4, "ipv4"), (FAMILY_V6, "ipv6")]
        .into_iter()
        .filter(|(family, _)| set & family != 0)
        .map(|(_, name)| name)
        .collect()
}

/// A claim of another station to a VIP.
#[derive(Debug, Serialize)]
pub(crate) struct ClaimShape {
    pub(crate) vip: IpAddr,
    pub(crate) mac: String,
    pub(crate) age_ms: u64,
}

/// A host of a cluster.
#[derive(Debug, Serialize)]
pub(crate) struct HostShape {
    pub(crate) host_id: u8,
    pub(crate) state: String,
    pub(crate) out_reason: Option<String>,
    pub(crate) member: bool,
    #[serde(rename = "self")]
    pub(crate) this: bool,
    pub(crate) default: bool,
    pub(crate) dedicated_ip: Option<IpAddr>,
    pub(crate) last_heard_ms: Option<u32>,
    /// `segment`, `relay`.
    pub(crate) paths: Vec<&'static str>,
    pub(crate) loss_permille: Option<u32>,
    pub(crate) weight: Option<u8>,
    pub(crate) buckets: u32,
    pub(crate) share_percent: f64,
    pub(crate) incarnation: String,
    /// Buckets, over all maps, that it does not own but may hold connections of; null while that is not known.
    pub(crate) residue: Option<u32>,
    /// For how long it has had some without a break; null if it has none.
    pub(crate) residue_ms: Option<u64>,
}

impl ClusterShape {
    pub(crate) fn new(cluster: &Cluster, members: &[Member]) -> Self {
        ClusterShape {
            interface: cluster.ifname.clone(),
            ifindex: cluster.ifindex,
            name: cluster.name.clone(),
            host_id: cluster.host_id,
            state: cluster.state.to_string(),
            out_reason: out_reason(cluster.out_reason),
            mode: cluster.mode.to_string(),
            vips: cluster.vips.clone(),
            virtual_mac: cluster.virtual_mac.map(mac),
            virtual_mac_v6: cluster.virtual_mac_v6.map(mac),
            conflict: cluster.conflict.map(|claim| ClaimShape {
                vip: claim.vip,
                mac: mac(claim.mac),
                age_ms: claim.age_ms,
            }),
            starved: families(cluster.starved),
            allow_other_interfaces: cluster.allow_other_interfaces,
            echo: cluster.echo.to_string(),
            responder: cluster.responder.to_string(),
            sessions: cluster.sessions,
            sessions_max: cluster.sessions_max,
            dedicated_ip: cluster.dedicated_ip,
            affinity: cluster.affinity.to_string(),
            weight: cluster.weight,
            period_ms: cluster.period_ms,
            tolerance: cluster.tolerance,
            authenticated: cluster.key_id.is_some(),
            key_id: cluster.key_id,
            generation: cluster.generation,
            cause: cluster.cause.map(|cause| cause.to_string()),
            members: cluster.member_ids().collect(),
            default_host: cluster.default_host,
            buckets_owned: cluster.buckets_owned,
            pending: cluster.pending.map(hex),
            pending_hosts: waiting_hosts(cluster, members),
            rules: cluster.rules,
            hosts: members.iter().map(HostShape::new).collect(),
            connections: cluster.walk_found,
            residue: cluster.residue,
            walk_us: cluster.walk_us,
            walk_seen: cluster.walk_seen,
        }
    }
}

impl HostShape {
    fn new(member: &Member) -> Self {
        let paths = [
            ("segment", member.heard_segment),
            ("relay", member.heard_relay),
        ];
        HostShape {
            host_id: member.host_id,
            state: member.state.to_string(),
            out_reason: out_reason(member.out_reason),
            member: member.member,
            this: member.this,
            default: member.default,
            dedicated_ip: member.dedicated_ip,
            last_heard_ms: member.last_heard_ms,
            paths: paths
                .into_iter()
                .filter_map(|(name, heard)| heard.then_some(name))
                .collect(),
            loss_permille: member.loss_permille,
            weight: member.weight,
            buckets: member.buckets_owned,
            share_percent: share_percent(member.buckets_owned as usize),
            incarnation: hex(member.incarnation),
            residue: member.residue,
            residue_ms: member.residue_ms,
        }
    }
}

/// The members that have not staged the rules that wait on this host; nobody if none wait.
pub(crate) fn waiting_hosts(cluster: &Cluster, members: &[Member]) -> Vec<u8> {
    let lacks = |member: &&Member| {
        cluster.pending.is_some()
            && member.member
            && !member.this
            && member.pending != cluster.pending
    };
    let hosts = members.iter().filter(lacks);
    hosts.map(|member| member.host_id).collect()
}

/// Answer of `rules`.
#[derive(Debug, Serialize)]
pub(crate) struct RulesShape {
    pub(crate) interface: String,
    /// Load weight of this host in rules that do not name one.
    pub(crate) weight: Option<u8>,
    pub(crate) rules: Vec<RuleShape>,
    /// Null if no rules wait for other hosts.
    pub(crate) pending: Option<PendingShape>,
}

/// Rules that wait for other hosts.
#[derive(Debug, Serialize)]
pub(crate) struct PendingShape {
    pub(crate) digest: String,
    pub(crate) waits_for: Vec<u8>,
    pub(crate) rules: Vec<RuleShape>,
}

/// A port rule.
#[derive(Debug, Serialize)]
pub(crate) struct RuleShape {
    pub(crate) number: u16,
    /// Null: all.
    pub(crate) vip: Option<IpAddr>,
    pub(crate) protocols: String,
    pub(crate) first_port: u16,
    pub(crate) last_port: u16,
    pub(crate) mode: String,
    pub(crate) affinity: String,
    pub(crate) prefix_v4: u8,
    pub(crate) prefix_v6: u8,
    pub(crate) track: String,
    /// Null: that of the host.
    pub(crate) weight: Option<u8>,
    /// Null: the host id.
    pub(crate) priority: Option<u8>,
    pub(crate) state: String,
    pub(crate) buckets: Option<u32>,
    pub(crate) share_percent: Option<f64>,
    pub(crate) accepted: Option<u64>,
    pub(crate) dropped: Option<u64>,
    /// What it covers, and what the affinity looks at, for people.
    #[serde(skip)]
    pub(crate) text: [String; 2],
}

impl RulesShape {
    pub(crate) fn new(cluster: &Cluster, members: &[Member], rules: &[PortRule]) -> Self {
        let list = |pending: bool| {
            let rules = rules.iter().filter(|rule| rule.pending == pending);
            rules.map(RuleShape::new).collect()
        };
        RulesShape {
            interface: cluster.ifname.clone(),
            weight: cluster.weight,
            rules: list(false),
            pending: cluster.pending.map(|digest| PendingShape {
                digest: hex(digest),
                waits_for: waiting_hosts(cluster, members),
                rules: list(true),
            }),
        }
    }
}

impl RuleShape {
    fn new(rule: &PortRule) -> Self {
        RuleShape {
            number: rule.number,
            vip: rule.vip,
            protocols: rule.protocols.to_string(),
            first_port: rule.first_port,
            last_port: rule.last_port,
            mode: rule.mode.to_string(),
            affinity: rule.affinity.to_string(),
            prefix_v4: rule.prefix_v4,
            prefix_v6: rule.prefix_v6,
            track: rule.track.to_string(),
            weight: rule.weight,
            priority: rule.priority,
            state: rule.state.to_string(),
            buckets: rule.buckets_owned,
            share_percent: rule
                .buckets_owned
                .map(|buckets| share_percent(buckets as usize)),
            accepted: rule.accepted,
            dropped: rule.dropped,
            text: [rulename::ports(rule), rulename::affinity(rule)],
        }
    }
}

/// Answer of `rules apply`.
#[derive(Debug, Serialize)]
pub(crate) struct AppliedShape {
    pub(crate) rules: usize,
    pub(crate) in_force: bool,
    pub(crate) waits_for: Vec<u8>,
}

/// Answer of `rules check`.
#[derive(Debug, Serialize)]
pub(crate) struct CheckedShape {
    pub(crate) rules: usize,
}

/// Answer of `owner`.
#[derive(Debug, Serialize)]
pub(crate) struct OwnerShape {
    pub(crate) interface: String,
    #[serde(skip)]
    pub(crate) ifindex: u32,
    pub(crate) client: IpAddr,
    pub(crate) client_port: Option<u16>,
    pub(crate) vip: IpAddr,
    pub(crate) vip_port: Option<u16>,
    pub(crate) protocol: &'static str,
    /// Null if no rule covers the flow.
    pub(crate) rule: Option<u16>,
    /// What the rule covers, for people.
    #[serde(skip)]
    pub(crate) coverage: Option<String>,
    pub(crate) affinity: Option<String>,
    pub(crate) hash: Option<String>,
    pub(crate) bucket: Option<u16>,
    /// Null if nobody serves the flow.
    pub(crate) owner: Option<u8>,
    #[serde(rename = "self")]
    pub(crate) this: bool,
    pub(crate) reason: String,
    pub(crate) generation: u64,
    /// Hosts that do not own the bucket but may hold connections of it: the owner leaves what it does not know to them.
    pub(crate) holders: Vec<u8>,
    /// Hosts of which it is not known what they hold: they count as holding everything.
    pub(crate) holders_unknown: Vec<u8>,
    /// What the tables of this host have of the flow; null if the module does not say.
    pub(crate) trace: Option<String>,
    /// What this host counts a packet that begins the flow as.
    pub(crate) first: Option<String>,
    /// What this host counts a later packet of the flow as.
    pub(crate) later: Option<String>,
}

impl OwnerShape {
    pub(crate) fn new(
        cluster: &Cluster,
        question: Question,
        protocol: Protocol,
        answer: Answer,
    ) -> Self {
        let given = |port: u16| Some(port).filter(|&port| port != 0);
        OwnerShape {
            interface: cluster.ifname.clone(),
            ifindex: cluster.ifindex,
            client: question.client,
            client_port: given(question.client_port),
            vip: question.vip,
            vip_port: given(question.vip_port),
            protocol: protocol.name(),
            rule: answer.rule,
            coverage: None,
            affinity: answer.affinity.map(|affinity| affinity.to_string()),
            hash: answer.hash.map(hex),
            bucket: answer.bucket,
            owner: answer.owner,
            this: answer.this,
            reason: answer.reason,
            generation: answer.generation,
            holders: host_ids(answer.holders).collect(),
            holders_unknown: host_ids(answer.holders_unknown).collect(),
            trace: answer.trace.map(|trace| trace.to_string()),
            first: answer.first,
            later: answer.later,
        }
    }
}

/// Answer of `counters`.
#[derive(Debug, Serialize)]
pub(crate) struct CountersShape {
    pub(crate) interface: String,
    /// Of whose packets alone; null: of all.
    pub(crate) rule: Option<u16>,
    #[serde(serialize_with = "counters_as_map")]
    pub(crate) counters: Vec<Counter>,
}

fn counters_as_map<S: Serializer>(counters: &[Counter], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(counters.len()))?;
    for counter in counters {
        map.serialize_entry(&counter.name, &counter.value)?;
    }
    map.end()
}

/// Answer of `history`, newest first.
#[derive(Debug, Serialize)]
pub(crate) struct HistoryShape {
    pub(crate) interface: String,
    pub(crate) history: Vec<ConvergenceShape>,
}

/// One convergence.
#[derive(Debug, Serialize)]
pub(crate) struct ConvergenceShape {
    pub(crate) generation: u64,
    pub(crate) cause: Option<String>,
    pub(crate) host_id: Option<u8>,
    pub(crate) members: Vec<u8>,
    pub(crate) age_ms: u64,
    pub(crate) took_us: Option<u32>,
    pub(crate) moved: Option<u32>,
}

impl From<Convergence> for ConvergenceShape {
    fn from(entry: Convergence) -> Self {
        ConvergenceShape {
            generation: entry.generation,
            cause: entry.cause.map(|cause| cause.to_string()),
            host_id: entry.host_id,
            members: host_ids(entry.members).collect(),
            age_ms: entry.age_ms,
            took_us: entry.took_us,
            moved: entry.moved,
        }
    }
}

/// Answer of `buckets`.
#[derive(Debug, Serialize)]
pub(crate) struct BucketsShape {
    pub(crate) interface: String,
    pub(crate) maps: Vec<MapShape>,
    /// Whether the text for people lists the ranges as well.
    #[serde(skip)]
    pub(crate) all: bool,
}

/// A bucket map.
#[derive(Debug, Serialize)]
pub(crate) struct MapShape {
    /// The number of the rule; the slot after the last is for what no rule covers.
    pub(crate) slot: u16,
    /// What the rule covers, for people.
    #[serde(skip)]
    pub(crate) rule: Option<String>,
    pub(crate) generation: u64,
    pub(crate) hosts: Vec<ShareShape>,
    pub(crate) ranges: Vec<RangeShape>,
    /// Hosts that may hold connections of buckets that others own.
    pub(crate) residue: Vec<ResidueShape>,
}

/// What a host may hold of a map without owning it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ResidueShape {
    pub(crate) host_id: u8,
    pub(crate) buckets: usize,
    /// For how long that host has had residue, in this map or another; null while that is not known.
    pub(crate) since_ms: Option<u64>,
    /// First and last bucket of each range.
    pub(crate) ranges: Vec<[u16; 2]>,
}

impl From<Residue> for ResidueShape {
    fn from(residue: Residue) -> Self {
        let mut ranges: Vec<[u16; 2]> = Vec::new();
        for &bucket in &residue.buckets {
            match ranges.last_mut() {
                Some([_, last]) if last.checked_add(1) == Some(bucket) => *last = bucket,
                _ => ranges.push([bucket, bucket]),
            }
        }
        ResidueShape {
            host_id: residue.host_id,
            buckets: residue.buckets.len(),
            since_ms: None,
            ranges,
        }
    }
}

/// What one host owns of a map.
#[derive(Debug, Serialize)]
pub(crate) struct ShareShape {
    /// Null: the buckets that nobody owns.
    pub(crate) host_id: Option<u8>,
    pub(crate) buckets: usize,
    pub(crate) share_percent: f64,
}

/// Buckets beside each other that have one owner.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RangeShape {
    pub(crate) first: usize,
    pub(crate) last: usize,
    pub(crate) host_id: Option<u8>,
}

impl From<BucketMap> for MapShape {
    fn from(map: BucketMap) -> Self {
        let host = |id: u8| Some(id).filter(|&id| id != 0);
        let mut ids = map.owners.clone();
        ids.sort_unstable();
        ids.dedup();
        let hosts = ids
            .into_iter()
            .map(|id| {
                let buckets = map.owners.iter().filter(|&&owner| owner == id).count();
                ShareShape {
                    host_id: host(id),
                    buckets,
                    share_percent: share_percent(buckets),
                }
            })
            .collect();
        let mut ranges: Vec<RangeShape> = Vec::new();
        for (bucket, &owner) in map.owners.iter().enumerate() {
            match ranges.last_mut() {
                Some(range) if range.host_id == host(owner) => range.last = bucket,
                _ => ranges.push(RangeShape {
                    first: bucket,
                    last: bucket,
                    host_id: host(owner),
                }),
            }
        }
        MapShape {
            slot: map.slot,
            rule: None,
            generation: map.generation,
            hosts,
            ranges,
            residue: map.residue.into_iter().map(Into::into).collect(),
        }
    }
}

/// Answer of `key list`.
#[derive(Debug, Serialize)]
pub(crate) struct KeysShape {
    pub(crate) interface: String,
    pub(crate) keys: Vec<KeyShape>,
}

/// A key, without its bytes.
#[derive(Debug, Serialize)]
pub(crate) struct KeyShape {
    pub(crate) id: u8,
    pub(crate) send: bool,
}

impl From<Key> for KeyShape {
    fn from(key: Key) -> Self {
        KeyShape {
            id: key.id,
            send: key.send,
        }
    }
}

/// One line of `monitor`.
#[derive(Debug, Serialize)]
pub(crate) struct EventShape {
    /// When nlbadm heard of it: RFC 3339, UTC.
    pub(crate) time: String,
    pub(crate) event: String,
    pub(crate) interface: Option<String>,
    pub(crate) ifindex: u32,
    pub(crate) host_id: Option<u8>,
    pub(crate) state: Option<String>,
    pub(crate) out_reason: Option<String>,
    pub(crate) generation: Option<u64>,
    pub(crate) members: Option<Vec<u8>>,
    pub(crate) cause: Option<String>,
    pub(crate) default_host: Option<u8>,
    /// A VIP that another station claims.
    pub(crate) vip: Option<IpAddr>,
    /// The MAC that it claims it for, or its own.
    pub(crate) mac: Option<String>,
    /// Connections that were left.
    pub(crate) sessions: Option<u64>,
}

impl EventShape {
    pub(crate) fn new(time: String, event: Event) -> Self {
        EventShape {
            time,
            event: event.kind.to_string(),
            interface: event.ifname,
            ifindex: event.ifindex,
            host_id: event.host_id,
            state: event.state.map(|state| state.to_string()),
            out_reason: event.out_reason.and_then(out_reason),
            generation: event.generation,
            members: event.members.map(|set| host_ids(set).collect()),
            cause: event.cause.map(|cause| cause.to_string()),
            default_host: event.default_host.filter(|&id| id != 0),
            vip: event.vip,
            mac: event.mac.map(mac),
            sessions: event.sessions,
        }
    }
}

/// Counters of `relay`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RelayShape {
    /// Frames sent, once for each peer.
    pub(crate) sent: u64,
    /// Frames that could not be sent to a peer.
    pub(crate) send_errors: u64,
    /// Datagrams handed to the module.
    pub(crate) received: u64,
    /// Datagrams too short or too long to be a frame.
    pub(crate) bad_length: u64,
    /// Datagrams of a sender that is no peer.
    pub(crate) not_a_peer: u64,
    /// Frames that the module refused.
    pub(crate) refused: u64,
    /// Times that frames of the module were lost because they were not read in time.
    pub(crate) overruns: u64,
}

/// Answer of `ip2mac`.
#[derive(Debug, Serialize)]
pub(crate) struct MacsShape {
    pub(crate) address: IpAddr,
    pub(crate) unicast: String,
    pub(crate) multicast: String,
    pub(crate) igmp: String,
    /// The group that the hosts join in that mode.
    pub(crate) igmp_group: IpAddr,
}

/// Answer of `genkey`.
#[derive(Debug, Serialize)]
pub(crate) struct GenkeyShape {
    pub(crate) key: String,
    pub(crate) seed: String,
}

/// A MAC as Linux writes it.
pub(crate) fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}

/// The share of buckets, in percent with two digits.
fn share_percent(buckets: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few thousand buckets")]
    let share = buckets as f64 / BUCKETS as f64;
    (share * 10_000.0).round() / 100.0
}

fn hex(value: u64) -> String {
    format!("{value:#018x}")
}

fn out_reason(code: Code<OutReason>) -> Option<String> {
    (!code.is(OutReason::None)).then(|| code.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_a_map_without_gap() {
        let shape = MapShape::from(BucketMap {
            slot: 0,
            generation: 1,
            owners: vec![1, 1, 2, 0, 0, 2],
            residue: vec![Residue {
                host_id: 3,
                buckets: vec![0, 1, 4, 5],
            }],
        });
        assert_eq!(shape.residue[0].ranges, [[0, 1], [4, 5]]);
        let ranges: Vec<_> = shape
            .ranges
            .iter()
            .map(|range| (range.first, range.last, range.host_id))
            .collect();
        assert_eq!(
            ranges,
            [
                (0, 1, Some(1)),
                (2, 2, Some(2)),
                (3, 4, None),
                (5, 5, Some(2))
            ]
        );
        let shares: Vec<_> = shape
            .hosts
            .iter()
            .map(|share| (share.host_id, share.buckets))
            .collect();
        assert_eq!(shares, [(None, 2), (Some(1), 2), (Some(2), 2)]);
    }
}
