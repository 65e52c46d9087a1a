// SPDX-License-Identifier: GPL-2.0-only

//! The clusters of this host, and the hosts in them.

use std::net::IpAddr;

use nlb_core::{
    delivery::{FAMILY_V4, FAMILY_V6},
    genl::{Echo, Mode, Responder},
    state::OutReason,
};
use nlb_netlink::{
    Code,
    object::{Cluster, Member},
};
use serde::Serialize;

use super::{
    Report,
    buckets::share_percent,
    paint::{paint, show_line},
    rules::{waiting, waiting_hosts},
    settings::{StagedShape, held},
    table::table,
    text::{hex, ids, list, mac, milliseconds, percent},
};
use crate::obstacle::Finding;

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
    /// VIPs that nobody answers this host's questions for, though another member should.
    pub(crate) unanswered: Vec<IpAddr>,
    /// A station that keeps asking for a VIP, though it is answered.
    pub(crate) asking: Option<String>,
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
    /// Settings that wait for other hosts; null if none do.
    pub(crate) staged: Option<StagedShape>,
    /// Addresses of this host that were VIPs.
    pub(crate) former_vips: Vec<IpAddr>,
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
    /// What on this host may keep clients from being served.
    pub(crate) obstacles: Vec<Finding>,
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
    /// `segment`; `ip`: on the segment, inside IP packets alone; `relay`.
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
    /// Rules that it gave up because its clients got no answer.
    pub(crate) rules_given_up: u16,
}

impl ClusterShape {
    pub(crate) fn new(cluster: &Cluster, members: &[Member], obstacles: Vec<Finding>) -> Self {
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
            unanswered: cluster.unanswered_vips.clone(),
            asking: cluster.asking_mac.map(mac),
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
            staged: StagedShape::new(cluster),
            former_vips: cluster.former_vips.clone(),
            rules: cluster.rules,
            hosts: members.iter().map(HostShape::new).collect(),
            connections: cluster.walk_found,
            residue: cluster.residue,
            walk_us: cluster.walk_us,
            walk_seen: cluster.walk_seen,
            obstacles,
        }
    }
}

impl HostShape {
    fn new(member: &Member) -> Self {
        let paths = [
            ("segment", member.heard_segment && !member.heard_wrapped),
            ("ip", member.heard_segment && member.heard_wrapped),
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
            rules_given_up: member.rules_given_up,
        }
    }
}

pub(super) fn out_reason(code: Code<OutReason>) -> Option<String> {
    (!code.is(OutReason::None)).then(|| code.to_string())
}

impl Report for Clusters {
    fn painted(&self) -> String {
        paint(&self.human(), show_line)
    }

    fn human(&self) -> String {
        if self.0.is_empty() {
            return "no clusters on this host; `nlbadm up --help` tells how to make one\n".into();
        }
        // Who has many reads those first that something is wrong with.
        let mut clusters: Vec<_> = self.0.iter().collect();
        clusters.sort_by_key(|cluster| trouble(cluster).is_empty() && cluster.out_reason.is_none());
        let clusters: Vec<_> = clusters.into_iter().map(cluster).collect();
        clusters.join("\n")
    }
}

/// What is wrong, each with what helps; nothing if all is well.
fn trouble(cluster: &ClusterShape) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(claim) = &cluster.conflict {
        lines.push(format!(
            "  CONFLICT: {} claimed {} {} s ago; no other station may have a VIP of this cluster",
            claim.mac,
            claim.vip,
            claim.age_ms / 1000
        ));
    }
    if !cluster.starved.is_empty() {
        lines.extend(starved(cluster));
    }
    if !cluster.unanswered.is_empty() {
        lines.extend(unanswered(cluster));
    }
    if let Some(station) = &cluster.asking {
        lines.extend(asking(cluster, station));
    }
    for finding in &cluster.obstacles {
        let verdict = finding.verdict.name().to_uppercase();
        lines.push(format!("  {verdict}: {}", finding.line()));
    }
    lines
}

fn cluster(cluster: &ClusterShape) -> String {
    let mut lines = vec![
        format!("cluster: {}", cluster.name),
        format!("  interface: {}", cluster.interface),
        format!("  host: {} ({})", cluster.host_id, standing(cluster)),
    ];
    if let Some(remedy) = cluster.out_reason.as_deref().and_then(remedy) {
        let remedy = remedy.replace("IFACE", &cluster.interface);
        lines.push(format!("  remedy: {remedy}"));
    }
    lines.extend(trouble(cluster));
    lines.push(format!("  mode: {}", cluster.mode));
    lines.push(format!("  vip: {}", list(&cluster.vips)));
    if let Some(mac) = &cluster.virtual_mac {
        lines.push(match &cluster.virtual_mac_v6 {
            Some(v6) => format!("  virtual mac: {mac}, for IPv6 {v6}"),
            None => format!("  virtual mac: {mac}"),
        });
    }
    if let Some(address) = cluster.dedicated_ip {
        lines.push(format!("  dedicated ip: {address}"));
    }
    lines.push(match cluster.weight {
        Some(weight) => format!("  affinity: {}, load weight {weight}", cluster.affinity),
        None => format!("  affinity: {}", cluster.affinity),
    });
    if cluster.echo != Echo::DefaultHost.name() {
        lines.push(format!("  echo requests: {}", cluster.echo));
    }
    if cluster.responder != Responder::DefaultHost.name() {
        lines.push(format!(
            "  questions for a VIP: answered by {}",
            cluster.responder
        ));
    }
    lines.push(format!("  heartbeats: {}", timing(cluster)));
    lines.push(format!("  key: {}", key(cluster)));
    lines.push(format!("  generation: {}", generation(cluster)));
    if let (Some(count @ 1..), Some(max)) = (cluster.sessions, cluster.sessions_max) {
        lines.push(format!("  sessions without a socket: {count} of {max}"));
    }
    match cluster.rules {
        Some(0) => lines.push("  rules: none; the default host serves everything".into()),
        None | Some(1) => {}
        Some(number) => lines.push(format!("  rules: {number}; `nlbadm rules` shows them")),
    }
    lines.extend(staged(cluster));
    if !cluster.former_vips.is_empty() {
        lines.push(format!(
            "  no vip any more: {}, still on this host; `nlbadm start {}` takes it off",
            list(&cluster.former_vips),
            cluster.interface
        ));
    }
    if let Some(buckets) = cluster.residue.filter(|&buckets| buckets != 0) {
        lines.push(format!(
            "  residue: {}",
            residue(buckets, cluster.connections)
        ));
    }
    let mut text = lines.join("\n");
    text.push('\n');
    if !cluster.hosts.is_empty() {
        text.push('\n');
        text.push_str(&hosts(&cluster.hosts));
    }
    text
}

/// What waits for other hosts.
fn staged(cluster: &ClusterShape) -> Vec<String> {
    let Some(settings) = &cluster.staged else {
        let rules = cluster.pending.iter();
        let rules = rules.map(|_| format!("  new rules: they {}", waiting(&cluster.pending_hosts)));
        return rules.collect();
    };
    let mut lines = vec![format!(
        "  new settings ({}): they {}",
        settings.text(),
        waiting(&cluster.pending_hosts)
    )];
    if settings.held {
        lines.push(format!("  {}", held(&cluster.interface)));
    }
    lines
}

/// What a host says whose questions for VIPs are not answered, and what mostly is the cause.
fn unanswered(cluster: &ClusterShape) -> [String; 2] {
    [
        format!(
            "  UNANSWERED: nobody answers this host's ARP or ND for {}, though another member should",
            list(&cluster.unanswered)
        ),
        "  remedy: look for what takes the answers for spoofing (dynamic ARP inspection, ARP checks, port security, ND \
         guard) and let the virtual mac pass there; see docs/switches.md"
            .into(),
    ]
}

/// What the host that answers says of a station that asks again and again, and what helps.
fn asking(cluster: &ClusterShape, station: &str) -> [String; 2] {
    let virtual_mac = cluster.virtual_mac.as_deref().unwrap_or("the virtual mac");
    [
        format!("  ASKING: {station} asks for a VIP again and again: it does not take the answers"),
        format!(
            "  remedy: if it is a router, give it a static entry of each VIP with {virtual_mac}, or use unicast mode; see \
             docs/switches.md"
        ),
    ]
}

/// What a host says to which the switch does not pass the frames of the VIPs, and what helps.
fn starved(cluster: &ClusterShape) -> [String; 2] {
    let families = list(&cluster.starved)
        .replace("ipv", "IPv")
        .replace(", ", " and ");
    let remedy = if cluster.mode == Mode::Unicast.name() {
        "let the switch flood unknown unicast to the ports of all hosts, or use another mode"
    } else {
        "use unicast mode, or turn snooping off there, or make the ports of all hosts router ports"
    };
    [
        format!(
            "  STARVED: frames to the virtual mac ({families}) do not arrive here, though heartbeats do: \
             the switch withholds them"
        ),
        format!("  remedy: {remedy}; see docs/switches.md"),
    ]
}

/// What an operator can do about a host that is out, if anything.
pub(crate) fn remedy(reason: &str) -> Option<&'static str> {
    let remedies = [
        (
            OutReason::DuplicateId,
            "another host has this id; take this one down, and up again with an id that is free",
        ),
        (
            OutReason::RulesDiffer,
            "`nlbadm rules apply FILE`, with the file that the others have",
        ),
        (
            OutReason::SettingsDiffer,
            "mode, VIPs, heartbeats, echo, responder and hash seed must be those of the others; compare `nlbadm show`",
        ),
        (OutReason::Version, "run the same version on all hosts"),
        (
            OutReason::Key,
            "the others do not know the key that this host signs with; compare the key files (sha256sum), and `nlbadm key list`",
        ),
        (
            OutReason::NoLink,
            "heartbeats pass one way only; look for filters in the switch and on the hosts",
        ),
        (
            OutReason::InterfaceCut,
            "check the cable of IFACE, its MTU (1280 at least), its ARP, and that it is no port of another interface",
        ),
        (
            OutReason::VipMissing,
            "`nlbadm start IFACE` puts the VIPs back on their device, in the VRF of IFACE; find out what took them away",
        ),
        (
            OutReason::ServedElsewhere,
            "let EtherType 0x88b5 or IP protocol 254 pass between the hosts, or carry heartbeats another way with `nlbadm relay`",
        ),
    ];
    let found = remedies.iter().find(|(known, _)| known.name() == reason);
    found.map(|(_, remedy)| *remedy)
}

fn standing(cluster: &ClusterShape) -> String {
    match &cluster.out_reason {
        Some(reason) => format!("{}, out: {reason}", cluster.state),
        None => cluster.state.clone(),
    }
}

fn timing(cluster: &ClusterShape) -> String {
    let period = u64::from(cluster.period_ms);
    // A dead host's buckets have new owners within (tolerance + 2) periods.
    let failover = period * (u64::from(cluster.tolerance) + 2);
    format!(
        "every {}, {} may be missed: failover within {}",
        milliseconds(period),
        cluster.tolerance,
        milliseconds(failover)
    )
}

fn key(cluster: &ClusterShape) -> String {
    match cluster.key_id {
        Some(id) => format!("authenticated, key id {id}"),
        None => "NO KEY: anyone on the segment can take part; the hash seed is public".into(),
    }
}

fn generation(cluster: &ClusterShape) -> String {
    if cluster.generation == 0 {
        return "none yet".into();
    }
    let mut text = cluster.generation.to_string();
    if let Some(cause) = &cluster.cause {
        text.push_str(&format!(" ({cause})"));
    }
    text.push_str(&format!(", members {}", ids(&cluster.members)));
    text.push_str(&match cluster.default_host {
        Some(id) => format!(", default host {id}"),
        None => ", no default host".into(),
    });
    text
}

/// What this host may still serve of buckets that others own.
fn residue(buckets: u32, sessions: Option<u64>) -> String {
    let sessions = match sessions {
        Some(1) => ", 1 connection in all".into(),
        Some(count) => format!(", {count} connections in all"),
        None => String::new(),
    };
    format!("may hold connections of {buckets} buckets that others own{sessions}")
}

fn hosts(hosts: &[HostShape]) -> String {
    let heading = [
        "host",
        "state",
        "dedicated ip",
        "last heard",
        "paths",
        "buckets",
        "share",
        "residue",
        "",
    ];
    table("  ", heading, hosts.iter().map(host))
}

fn host(host: &HostShape) -> Vec<String> {
    let state = match &host.out_reason {
        Some(reason) if host.member => format!("{}, {reason}", host.state),
        Some(reason) => format!("out: {reason}"),
        None => host.state.clone(),
    };
    let heard = match host.last_heard_ms {
        _ if host.this => "this host".into(),
        Some(ms) => format!("{} ago", milliseconds(ms.into())),
        None => "never".into(),
    };
    let default = host.default.then(|| "default host".to_owned());
    let given_up = match host.rules_given_up {
        0 => None,
        1 => Some("gave 1 rule up".into()),
        count => Some(format!("gave {count} rules up")),
    };
    let marks: Vec<_> = default.into_iter().chain(given_up).collect();
    vec![
        host.host_id.to_string(),
        state,
        host.dedicated_ip
            .map_or_else(|| "-".into(), |address| address.to_string()),
        heard,
        if host.paths.is_empty() {
            "-".into()
        } else {
            host.paths.join("+")
        },
        host.buckets.to_string(),
        percent(host.share_percent),
        match (host.residue, host.residue_ms) {
            (None, _) => "?".into(),
            (Some(buckets), Some(ms)) => format!("{buckets} for {}", milliseconds(ms)),
            (Some(buckets), None) => buckets.to_string(),
        },
        marks.join(", "),
    ]
}
