// SPDX-License-Identifier: GPL-2.0-only

//! The answers as text for people, in the manner of `wg show`.

use std::net::IpAddr;

use nlb_core::{
    genl::{Echo, EventKind, Mode, Responder, Trace},
    limits::BUCKETS,
    rules::FilteringMode,
};

use super::{
    Report,
    json::{
        AppliedShape, BucketsShape, CheckedShape, ClusterShape, Clusters, ConvergenceShape,
        CountersShape, EventShape, GenkeyShape, HistoryShape, HostShape, KeysShape, MacsShape,
        MapShape, OwnerShape, RelayShape, RuleShape, RulesShape,
    },
    table::layout,
};

impl Report for Clusters {
    fn human(&self) -> String {
        if self.0.is_empty() {
            return "no clusters on this host; `nlbadm up --help` tells how to make one\n".into();
        }
        let clusters: Vec<_> = self.0.iter().map(cluster).collect();
        clusters.join("\n")
    }
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
        format!("  remedy: {remedy}; see SWITCHES.md"),
    ]
}

fn cluster(cluster: &ClusterShape) -> String {
    let mut lines = vec![
        format!("cluster: {}", cluster.name),
        format!("  interface: {}", cluster.interface),
        format!("  host: {} ({})", cluster.host_id, standing(cluster)),
        format!("  mode: {}", cluster.mode),
        format!("  vip: {}", list(&cluster.vips)),
    ];
    if let Some(mac) = &cluster.virtual_mac {
        lines.push(match &cluster.virtual_mac_v6 {
            Some(v6) => format!("  virtual mac: {mac}, for IPv6 {v6}"),
            None => format!("  virtual mac: {mac}"),
        });
    }
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
    if let Some(number) = cluster.rules.filter(|&number| number != 1) {
        lines.push(format!("  rules: {number}; `nlbadm rules` shows them"));
    }
    if cluster.pending.is_some() {
        lines.push(format!(
            "  new rules: they {}",
            waiting(&cluster.pending_hosts)
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

/// What this host may still serve of buckets that others own.
fn residue(buckets: u32, sessions: Option<u64>) -> String {
    let sessions = match sessions {
        Some(1) => ", 1 connection in all".into(),
        Some(count) => format!(", {count} connections in all"),
        None => String::new(),
    };
    format!("may hold connections of {buckets} buckets that others own{sessions}")
}

/// Hosts by their ids.
fn named(hosts: &[u8]) -> String {
    match hosts {
        [host] => format!("host {host}"),
        hosts => format!("hosts {}", list(hosts)),
    }
}

/// Whom rules wait for.
fn waiting(hosts: &[u8]) -> String {
    match hosts {
        [] => "are about to come into force".into(),
        [host] => format!("wait until host {host} has the same"),
        hosts => format!("wait until hosts {} have the same", list(hosts)),
    }
}

impl Report for RulesShape {
    fn human(&self) -> String {
        let mut text = rules(&self.rules);
        if let Some(pending) = &self.pending {
            text.push_str(&format!(
                "\nnew rules, which {}:\n",
                waiting(&pending.waits_for)
            ));
            text.push_str(&rules(&pending.rules));
        }
        text
    }
}

fn rules(rules: &[RuleShape]) -> String {
    if rules.is_empty() {
        return "no rules: the default host serves everything\n".into();
    }
    let heading = [
        "rule",
        "vip",
        "protocols",
        "ports",
        "mode",
        "affinity",
        "weight",
        "state",
        "share",
    ];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(rules.iter().map(rule));
    layout("", &rows)
}

fn rule(rule: &RuleShape) -> Vec<String> {
    let [ports, affinity] = &rule.text;
    let single = rule.mode == FilteringMode::Single.name();
    let part = match (rule.weight, rule.priority) {
        (_, Some(priority)) if single => format!("priority {priority}"),
        (_, None) if single => "priority by host id".into(),
        (Some(weight), _) => weight.to_string(),
        (None, _) => "of the host".into(),
    };
    vec![
        rule.number.to_string(),
        rule.vip.map_or_else(|| "all".into(), |vip| vip.to_string()),
        rule.protocols.clone(),
        ports.clone(),
        rule.mode.clone(),
        affinity.clone(),
        part,
        rule.state.clone(),
        rule.share_percent.map_or_else(|| "-".into(), percent),
    ]
}

impl Report for AppliedShape {
    fn human(&self) -> String {
        if self.in_force {
            "in force\n".into()
        } else {
            format!("staged; they {}\n", waiting(&self.waits_for))
        }
    }
}

impl Report for CheckedShape {
    fn human(&self) -> String {
        format!("{} rules, nothing wrong with them\n", self.rules)
    }
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
    text.push_str(&format!(", members {}", list(&cluster.members)));
    text.push_str(&match cluster.default_host {
        Some(id) => format!(", default host {id}"),
        None => ", no default host".into(),
    });
    text
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
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(hosts.iter().map(host));
    layout("  ", &rows)
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
    let mark = if host.default { "default host" } else { "" };
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
        mark.into(),
    ]
}

impl Report for OwnerShape {
    fn human(&self) -> String {
        let mut lines = vec![format!(
            "{} -> {} {}",
            endpoint(self.client, self.client_port),
            endpoint(self.vip, self.vip_port),
            self.protocol
        )];
        let affinity = match &self.affinity {
            Some(affinity) => format!(", affinity {affinity}"),
            None => String::new(),
        };
        lines.push(match self.rule {
            Some(number) => match &self.coverage {
                Some(coverage) => format!("  rule: {number} ({coverage}){affinity}"),
                None => format!("  rule: {number}{affinity}"),
            },
            None if self.owner.is_some() => "  rule: none, so it is the default host's".into(),
            None => "  rule: none".into(),
        });
        if let Some(bucket) = self.bucket {
            let hash = match &self.hash {
                Some(hash) => format!(", hash {hash}"),
                None => String::new(),
            };
            lines.push(format!("  bucket: {bucket} of {BUCKETS}{hash}"));
        }
        lines.push(match self.owner {
            Some(id) if self.this => format!("  owner: host {id}, this host"),
            Some(id) => format!("  owner: host {id}"),
            None => "  owner: nobody".into(),
        });
        lines.push(format!("  reason: {}", self.reason));
        if !self.holders.is_empty() {
            lines.push(format!(
                "  residue: {} may hold connections of this bucket; the owner leaves those that it does not know alone",
                named(&self.holders)
            ));
        }
        if !self.holders_unknown.is_empty() {
            lines.push(format!(
                "  residue: unknown of {}, which may hold anything",
                named(&self.holders_unknown)
            ));
        }
        if let (Some(first), Some(later)) = (&self.first, &self.later) {
            lines.push(format!("  here: {}", here(self, first, later)));
        }
        lines.push(format!("  generation: {}", self.generation));
        lines.join("\n") + "\n"
    }
}

/// What this host does with packets of a flow, and what it has of it.
fn here(owner: &OwnerShape, first: &str, later: &str) -> String {
    let mut text = if first == later {
        format!("its packets count as {first}")
    } else {
        format!("a packet that begins it counts as {first}, a later one as {later}")
    };
    let known = owner
        .trace
        .as_deref()
        .filter(|name| *name != Trace::None.name());
    text.push_str(&match known {
        Some(trace) => format!("; it is known here: {trace}"),
        None => "; it is not known here".into(),
    });
    text
}

impl Report for CountersShape {
    fn human(&self) -> String {
        if self.counters.is_empty() {
            return "all counters are zero\n".into();
        }
        let width = self
            .counters
            .iter()
            .map(|counter| counter.value.to_string().len())
            .max()
            .unwrap_or(0);
        self.counters
            .iter()
            .map(|counter| format!("{:>width$}  {}\n", counter.value, counter.name))
            .collect()
    }
}

impl Report for HistoryShape {
    fn human(&self) -> String {
        if self.history.is_empty() {
            return "the cluster has not converged yet\n".into();
        }
        let heading = [
            "generation",
            "ago",
            "cause",
            "host",
            "members",
            "moved",
            "took",
        ];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        rows.extend(self.history.iter().map(convergence));
        layout("", &rows)
    }
}

fn convergence(entry: &ConvergenceShape) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    vec![
        entry.generation.to_string(),
        milliseconds(entry.age_ms),
        or_dash(entry.cause.clone()),
        or_dash(entry.host_id.map(|id| id.to_string())),
        list(&entry.members),
        or_dash(entry.moved.map(|moved| moved.to_string())),
        or_dash(
            entry
                .took_us
                .map(|us| format!("{}.{:03} ms", us / 1000, us % 1000)),
        ),
    ]
}

impl Report for BucketsShape {
    fn human(&self) -> String {
        if self.maps.is_empty() {
            return "no bucket map yet\n".into();
        }
        let maps: Vec<_> = self
            .maps
            .iter()
            .map(|map| bucket_map(map, self.all))
            .collect();
        maps.join("\n")
    }
}

fn bucket_map(map: &MapShape, all: bool) -> String {
    let host = |id: Option<u8>| id.map_or_else(|| "nobody".into(), |id| format!("host {id}"));
    let rule = match &map.rule {
        Some(coverage) => format!("rule {} ({coverage})", map.slot),
        None => "what no rule covers".into(),
    };
    let mut text = format!("{rule}, generation {}\n", map.generation);
    let shares: Vec<_> = map
        .hosts
        .iter()
        .map(|share| {
            vec![
                host(share.host_id),
                format!("{} buckets", share.buckets),
                percent(share.share_percent),
            ]
        })
        .collect();
    text.push_str(&layout("  ", &shares));
    for residue in &map.residue {
        let since = match residue.since_ms {
            Some(ms) => format!(", for {}", milliseconds(ms)),
            None => String::new(),
        };
        text.push_str(&format!(
            "  residue: host {} may hold connections of {} buckets that others own{since}\n",
            residue.host_id, residue.buckets
        ));
    }
    if all {
        let ranges: Vec<_> = map
            .ranges
            .iter()
            .map(|range| {
                vec![
                    format!("{}-{}", range.first, range.last),
                    host(range.host_id),
                ]
            })
            .collect();
        text.push_str(&layout("    ", &ranges));
    }
    text
}

impl Report for KeysShape {
    fn human(&self) -> String {
        if self.keys.is_empty() {
            return "no key: anyone on the segment can take part\n".into();
        }
        self.keys
            .iter()
            .map(|key| match key.send {
                true => format!("{}  accepted, used for sending\n", key.id),
                false => format!("{}  accepted\n", key.id),
            })
            .collect()
    }
}

impl Report for EventShape {
    fn human(&self) -> String {
        let mut words = vec![
            self.time.clone(),
            self.interface
                .clone()
                .unwrap_or_else(|| format!("interface {}", self.ifindex)),
            self.event.clone(),
        ];
        words.extend(self.host_id.map(|id| format!("host {id}")));
        words.extend(self.state.clone());
        // A host that is out for no reason is not out any more.
        if self.event == EventKind::HostOut.name() && self.out_reason.is_none() {
            words.push("let in again".into());
        }
        words.extend(
            self.out_reason
                .as_ref()
                .map(|reason| format!("out: {reason}")),
        );
        words.extend(self.generation.map(|number| format!("generation {number}")));
        words.extend(self.cause.as_ref().map(|cause| format!("cause {cause}")));
        words.extend(
            self.members
                .as_ref()
                .map(|members| format!("members {}", list(members))),
        );
        words.extend(self.default_host.map(|id| format!("default host {id}")));
        if let (Some(vip), Some(mac)) = (self.vip, &self.mac) {
            words.push(format!("{vip} is claimed by {mac}"));
        }
        words.extend(
            self.sessions
                .map(|count| format!("{count} connections left")),
        );
        let (head, tail) = words.split_at(3);
        let mut text = head.join(" ");
        if !tail.is_empty() {
            text.push_str(": ");
            text.push_str(&tail.join(", "));
        }
        text.push('\n');
        text
    }
}

impl Report for RelayShape {
    fn human(&self) -> String {
        format!(
            "sent {}, send errors {}, received {}, bad length {}, not a peer {}, refused {}, overruns {}\n",
            self.sent,
            self.send_errors,
            self.received,
            self.bad_length,
            self.not_a_peer,
            self.refused,
            self.overruns
        )
    }
}

impl Report for MacsShape {
    fn human(&self) -> String {
        let rows = [
            ("unicast", &self.unicast),
            ("multicast", &self.multicast),
            ("igmp", &format!("{}  joins {}", self.igmp, self.igmp_group)),
        ]
        .map(|(mode, mac)| vec![format!("{mode}:"), mac.clone()]);
        layout("", &rows)
    }
}

impl Report for GenkeyShape {
    fn human(&self) -> String {
        format!("key {}\nseed {}\n", self.key, self.seed)
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    if items.is_empty() {
        return "none".into();
    }
    let items: Vec<_> = items.iter().map(T::to_string).collect();
    items.join(", ")
}

fn endpoint(address: IpAddr, port: Option<u16>) -> String {
    crate::endpoint::Endpoint { address, port }.to_string()
}

fn percent(share: f64) -> String {
    format!("{share:.1} %")
}

/// A time for people: two units at most.
fn milliseconds(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
        3_600_000..86_400_000 => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
        _ => format!("{} d {} h", ms / 86_400_000, ms % 86_400_000 / 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_fits() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_400, "1.4 s"),
            (59_999, "59.9 s"),
            (61_000, "1 min 1 s"),
            (3_661_000, "1 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(milliseconds(ms), text);
        }
    }
}
