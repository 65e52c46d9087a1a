// SPDX-License-Identifier: GPL-2.0-only

//! What there is to be measured on this host, in the text format of OpenMetrics: clusters, hosts, rules, counters, and
//! the checks of nlbd.

use std::{fmt, path::Path, sync::atomic::AtomicU64};

use nlb_core::state::{HostState, OutReason};
use nlb_netlink::{
    Named,
    object::{BucketMap, Cluster, Counter as Count, Member, PortRule},
};
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::{
    daemon::CheckShape,
    failure::{Exit, Failure},
    kernel::{Kernel, Linux},
    module::MODULE,
    rulename,
};

/// How readers of metrics are told the format.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Names and values.
type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge>;
type Counters = Family<Labels, Counter>;
/// Gauges that are no whole numbers.
type Ratios = Family<Labels, Gauge<f64, AtomicU64>>;

/// The metrics of this host and of these checks. Without the module there are none of clusters.
///
/// # Errors
///
/// If the kernel refuses to tell, or the socket fails.
pub fn text(checks: &[CheckShape]) -> Result<String, Failure> {
    let loaded = Path::new(MODULE).exists();
    of(loaded.then(Linux::default).as_mut(), checks)
}

/// The same of a kernel, if it has the module.
pub(crate) fn of(
    kernel: Option<&mut impl Kernel>,
    checks: &[CheckShape],
) -> Result<String, Failure> {
    let mut registry = Registry::default();
    let loaded = Gauge::<i64>::default();
    registry.register(
        "nlb_module_loaded",
        "Whether the module is in the kernel",
        loaded.clone(),
    );
    loaded.set(kernel.is_some().into());
    if let Some(kernel) = kernel {
        let metrics = ClusterMetrics::new(&mut registry);
        let rules = RuleMetrics::new(&mut registry);
        for cluster in kernel.clusters()? {
            metrics.cluster(&cluster);
            metrics.members(&cluster, &kernel.members(cluster.ifindex)?);
            metrics.counters(&cluster, &kernel.counters_of(cluster.ifindex, None)?);
            let maps = maps(kernel, &cluster)?;
            for rule in kernel.rules(cluster.ifindex)? {
                if !rule.pending {
                    rules.rule(&cluster, &rule, &maps);
                }
            }
        }
    }
    CheckMetrics::new(&mut registry).checks(checks);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|fmt::Error| {
        Failure::new(Exit::Failed, "the metrics could not be written".to_owned())
    })?;
    Ok(in_order(&text))
}

/// The bucket maps; none for a user who may not see them, who gets all other metrics.
fn maps(kernel: &mut impl Kernel, cluster: &Cluster) -> Result<Vec<BucketMap>, Failure> {
    const EPERM: i32 = 1;
    match kernel.buckets(cluster.ifindex) {
        Err(error) if error.errno() == Some(EPERM) => Ok(Vec::new()),
        other => Ok(other?),
    }
}

/// The same text with the values of each metric in the order of their labels, which people and programs that compare like.
fn in_order(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let mut ordered = String::with_capacity(text.len());
    for run in lines.chunk_by(|one, next| !one.starts_with('#') && !next.starts_with('#')) {
        let mut run = run.to_vec();
        run.sort_unstable();
        for line in run {
            ordered.push_str(line);
            ordered.push('\n');
        }
    }
    ordered
}

/// Registers a family of metrics.
fn family<M>(registry: &mut Registry, name: &'static str, help: &'static str) -> M
where
    M: Clone + Default + prometheus_client::registry::Metric,
{
    let family = M::default();
    registry.register(name, help, family.clone());
    family
}

/// Sets the one of several words that holds to 1, and the others to 0.
fn one_of(gauges: &Gauges, labels: &Labels, name: &'static str, words: &[&str], holds: &str) {
    for &word in words {
        let mut labels = labels.clone();
        labels.push((name, word.to_owned()));
        gauges.get_or_create(&labels).set((word == holds).into());
    }
}

fn names<T: Named>() -> Vec<&'static str> {
    T::VALUES.iter().map(|value| value.name()).collect()
}

/// A number as a gauge has it.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn of_cluster(cluster: &Cluster) -> Labels {
    vec![("cluster", cluster.name.clone())]
}

/// Metrics of a cluster as this host sees it.
struct ClusterMetrics {
    info: Gauges,
    state: Gauges,
    out: Gauges,
    members: Gauges,
    generation: Gauges,
    pending: Gauges,
    conflict: Gauges,
    unanswered: Gauges,
    starved: Gauges,
    sessions: Gauges,
    sessions_limit: Gauges,
    residue: Gauges,
    member_up: Gauges,
    member_heard: Ratios,
    member_loss: Ratios,
    outcomes: Counters,
}

impl ClusterMetrics {
    fn new(registry: &mut Registry) -> Self {
        let mut gauges = |name, help| family(registry, name, help);
        ClusterMetrics {
            info: gauges(
                "nlb_cluster_info",
                "What does not change: interface, host id, mode",
            ),
            state: gauges("nlb_host_state", "1 for the state that this host is in"),
            out: gauges("nlb_host_out", "1 for the reason why this host is out"),
            members: gauges("nlb_cluster_members", "Members that this host agrees on"),
            generation: gauges(
                "nlb_cluster_generation",
                "Number of the agreed outcome; each change raises it",
            ),
            pending: gauges(
                "nlb_cluster_rules_pending",
                "Whether rules wait here for other hosts",
            ),
            conflict: gauges(
                "nlb_cluster_vip_conflict",
                "Whether another station claims a VIP",
            ),
            unanswered: gauges(
                "nlb_cluster_vips_unanswered",
                "VIPs for which nobody answers the questions of this host",
            ),
            starved: gauges(
                "nlb_host_starved",
                "Whether frames to VIPs do not reach this host though heartbeats do",
            ),
            sessions: gauges(
                "nlb_host_sessions",
                "Sessions without a socket that are remembered",
            ),
            sessions_limit: gauges(
                "nlb_host_sessions_limit",
                "Sessions without a socket that may be remembered",
            ),
            residue: gauges(
                "nlb_host_residual_buckets",
                "Buckets of others that this host may hold connections of",
            ),
            member_up: gauges("nlb_member_up", "Whether the host is a member"),
            member_heard: family(
                registry,
                "nlb_member_last_heard_seconds",
                "Time since the last heartbeat of another host",
            ),
            member_loss: family(
                registry,
                "nlb_member_heartbeat_loss_ratio",
                "Share of the last heartbeats of another host that were lost",
            ),
            outcomes: family(
                registry,
                "nlb_outcomes",
                "Packets, frames and events, by what became of them: the counters of nlbadm counters",
            ),
        }
    }

    fn cluster(&self, cluster: &Cluster) {
        let labels = of_cluster(cluster);
        let set = |gauges: &Gauges, value: u64| {
            gauges.get_or_create(&labels).set(number(value));
        };
        let mut info = labels.clone();
        info.extend([
            ("interface", cluster.ifname.clone()),
            ("host_id", cluster.host_id.to_string()),
            ("mode", cluster.mode.to_string()),
        ]);
        self.info.get_or_create(&info).set(1);
        let state = cluster.state.to_string();
        one_of(&self.state, &labels, "state", &names::<HostState>(), &state);
        if !cluster.out_reason.is(OutReason::None) {
            let mut out = labels.clone();
            out.push(("reason", cluster.out_reason.to_string()));
            self.out.get_or_create(&out).set(1);
        }
        set(&self.members, cluster.members.count_ones().into());
        set(&self.generation, cluster.generation);
        set(&self.pending, cluster.pending.is_some().into());
        set(&self.conflict, cluster.conflict.is_some().into());
        set(&self.unanswered, cluster.unanswered_vips.len() as u64);
        set(&self.starved, u64::from(cluster.starved != 0));
        for (gauges, value) in [
            (&self.sessions, cluster.sessions),
            (&self.sessions_limit, cluster.sessions_max),
            (&self.residue, cluster.residue),
        ] {
            if let Some(value) = value {
                set(gauges, value.into());
            }
        }
    }

    fn members(&self, cluster: &Cluster, members: &[Member]) {
        for member in members {
            let mut labels = of_cluster(cluster);
            labels.push(("host_id", member.host_id.to_string()));
            self.member_up
                .get_or_create(&labels)
                .set(member.member.into());
            if let Some(ms) = member.last_heard_ms {
                self.member_heard
                    .get_or_create(&labels)
                    .set(f64::from(ms) / 1e3);
            }
            if let Some(permille) = member.loss_permille {
                self.member_loss
                    .get_or_create(&labels)
                    .set(f64::from(permille) / 1e3);
            }
        }
    }

    fn counters(&self, cluster: &Cluster, counters: &[Count]) {
        for counter in counters {
            let mut labels = of_cluster(cluster);
            labels.push(("outcome", counter.name.clone()));
            self.outcomes.get_or_create(&labels).inc_by(counter.value);
        }
    }
}

/// Metrics of the rules in force.
struct RuleMetrics {
    state: Gauges,
    health: Gauges,
    owned: Gauges,
    unowned: Gauges,
    packets: Counters,
}

impl RuleMetrics {
    fn new(registry: &mut Registry) -> Self {
        RuleMetrics {
            state: family(
                registry,
                "nlb_rule_state",
                "1 for what this host does about the rule",
            ),
            health: family(
                registry,
                "nlb_rule_health",
                "1 for whether what this host accepts of the rule is answered",
            ),
            owned: family(
                registry,
                "nlb_rule_buckets_owned",
                "Buckets of the rule that this host owns",
            ),
            unowned: family(
                registry,
                "nlb_rule_buckets_unowned",
                "Buckets of the rule that no host owns: their clients are not served",
            ),
            packets: family(
                registry,
                "nlb_rule_packets",
                "Packets of the rule that this host accepted, and dropped, which others serve",
            ),
        }
    }

    fn rule(&self, cluster: &Cluster, rule: &PortRule, maps: &[BucketMap]) {
        let mut labels = of_cluster(cluster);
        labels.push(("rule", rulename::coverage(rule)));
        let state = rule.state.to_string();
        let states = names::<nlb_core::rules::RuleState>();
        one_of(&self.state, &labels, "state", &states, &state);
        let health = rule.health.to_string();
        let healths = names::<nlb_core::genl::Health>();
        one_of(&self.health, &labels, "health", &healths, &health);
        if let Some(owned) = rule.buckets_owned {
            self.owned.get_or_create(&labels).set(owned.into());
        }
        if let Some(map) = maps.iter().find(|map| map.slot == rule.number) {
            let unowned = map.owners.iter().filter(|&&owner| owner == 0).count();
            self.unowned
                .get_or_create(&labels)
                .set(number(unowned as u64));
        }
        for (outcome, packets) in [("accepted", rule.accepted), ("dropped", rule.dropped)] {
            if let Some(packets) = packets {
                let mut labels = labels.clone();
                labels.push(("outcome", outcome.to_owned()));
                self.packets.get_or_create(&labels).inc_by(packets);
            }
        }
    }
}

/// Metrics of the checks of nlbd.
struct CheckMetrics {
    state: Gauges,
    given_up: Gauges,
    answers: Counters,
}

impl CheckMetrics {
    fn new(registry: &mut Registry) -> Self {
        CheckMetrics {
            state: family(
                registry,
                "nlb_check_state",
                "1 for the state of the service that is checked",
            ),
            given_up: family(
                registry,
                "nlb_check_given_up",
                "Whether nlbd has given up what the check is about on this host",
            ),
            answers: family(
                registry,
                "nlb_check_answers",
                "Answers of the check, by what they told",
            ),
        }
    }

    fn checks(&self, checks: &[CheckShape]) {
        for check in checks {
            let labels = vec![
                ("cluster", check.cluster.clone()),
                ("rule", check.rule.clone()),
                ("check", check.check.clone()),
            ];
            let states = ["unknown", "well", "unwell"];
            one_of(&self.state, &labels, "state", &states, &check.state);
            self.given_up
                .get_or_create(&labels)
                .set(check.given_up.into());
            let answers = &check.answers;
            for (verdict, count) in [
                ("good", answers.good),
                ("bad", answers.bad),
                ("unknown", answers.unknown),
            ] {
                let mut labels = labels.clone();
                labels.push(("verdict", verdict.to_owned()));
                self.answers.get_or_create(&labels).inc_by(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    fn check(given_up: bool) -> CheckShape {
        CheckShape {
            cluster: "web".into(),
            rule: "tcp 80".into(),
            check: "http://192.0.2.10:80/a\"b\\".into(),
            state: "unwell".into(),
            since: String::new(),
            message: None,
            checked: None,
            answers: crate::daemon::Answers {
                good: 5,
                bad: 3,
                unknown: 0,
            },
            action: "give-up".into(),
            given_up,
            note: None,
        }
    }

    /// Host 1 of three, with one rule, of which nobody owns two buckets.
    fn measured() -> Fake {
        let mut kernel = Fake::in_cluster();
        kernel.rules = vec![PortRule {
            accepted: Some(3),
            dropped: Some(4),
            ..crate::fake::rule(0, 80, 80)
        }];
        kernel.maps = vec![BucketMap {
            slot: 0,
            generation: 7,
            owners: vec![1, 2, 0, 0],
            residue: Vec::new(),
        }];
        kernel.counters = vec![Count {
            name: "accepted-owner".into(),
            value: 12,
        }];
        kernel.clusters[0].out_reason = OutReason::Starved.into();
        kernel
    }

    #[test]
    fn a_host_in_a_cluster_is_measured() {
        let text = of(Some(&mut measured()), &[check(true)]).unwrap();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn without_the_module_there_is_little_to_measure() {
        let text = of(None::<&mut Fake>, &[]).unwrap();
        assert!(text.contains("\nnlb_module_loaded 0\n"), "{text}");
        assert!(!text.contains("cluster="), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    /// Names, as conventions have them: a prefix, and what a counter ends with.
    #[test]
    fn names_are_those_of_conventions() {
        let text = of(Some(&mut measured()), &[check(false)]).unwrap();
        let mut kinds = std::collections::BTreeMap::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(name.starts_with("nlb_"), "{name}");
                kinds.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                let counter = name.strip_suffix("_total").unwrap_or(name);
                let kind = kinds.get(counter).unwrap_or_else(|| panic!("{line}"));
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            }
        }
        assert!(kinds.len() > 20);
    }

    /// The names of all metrics, as they are written with their values.
    fn all_names() -> std::collections::BTreeSet<String> {
        let text = of(Some(&mut measured()), &[check(false)]).unwrap();
        let values = text.lines().filter(|line| !line.starts_with('#'));
        let name = |line: &str| line.split(['{', ' ']).next().unwrap_or_default().to_owned();
        values.map(name).collect()
    }

    #[test]
    fn the_page_knows_every_metric() {
        let page = include_str!("../../../docs/monitoring.md");
        for name in all_names() {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn alerts_are_about_metrics_that_there_are() {
        let alerts = include_str!("../../../dist/prometheus/nlb-alerts.yml");
        let names = all_names();
        let expressions = alerts
            .lines()
            .filter_map(|line| line.trim().strip_prefix("expr: "));
        let mut found = 0;
        for expression in expressions {
            let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for word in words.filter(|word| word.starts_with("nlb_")) {
                assert!(names.contains(word), "{word}");
                found += 1;
            }
        }
        assert!(found > 10);
    }
}
