// SPDX-License-Identifier: GPL-2.0-only

//! Whether what this host accepts is answered, as the module's hooks see it.

use nlb_core::genl::{Health, Stance};
use nlb_netlink::{
    Code,
    object::{Cluster, PortRule},
};

use super::{Finding, Subject, Verdict};
use crate::rulename;

const NAME: &str = "service";

/// Whether clients of each rule in force are answered.
pub(crate) fn check(subject: &Subject, cluster: &Cluster, rules: &[PortRule]) -> Vec<Finding> {
    let rules = rules.iter().filter(|rule| !rule.pending);
    let mut findings: Vec<_> = rules
        .filter_map(|rule| {
            let what = format!("rule {} ({})", rule.number, rulename::coverage(rule));
            given_up(subject, &what, rule).or_else(|| finding(subject, &what, rule.health))
        })
        .collect();
    findings.extend(finding(subject, "what no rule covers", cluster.health));
    if findings.is_empty() {
        return subject.ok(NAME, "as far as there are clients, they are answered");
    }
    findings
}

/// A rule whose clients this host gives to the others, for want of answers.
fn given_up(subject: &Subject, what: &str, rule: &PortRule) -> Option<Finding> {
    let text = if rule.stance.is(Stance::GaveUp) {
        "clients got no answer here; this host gave the rule up and tries again later"
    } else if rule.stance.is(Stance::Tries) {
        "clients got no answer here; this host tries a few again"
    } else {
        return None;
    };
    let finding = subject.finding(NAME, Verdict::Problem, format!("{what}: {text}"));
    Some(finding.remedy(
        "look at the service, the firewall of this host (INPUT and OUTPUT) and its return path (rp_filter, routes); the other \
         hosts serve new clients meanwhile, if any answers",
    ))
}

fn finding(subject: &Subject, what: &str, health: Code<Health>) -> Option<Finding> {
    let (text, remedy) = if health.is(Health::Silent) {
        (
            "clients are accepted here and get no answer",
            "look at the firewall of this host (INPUT and OUTPUT), at its return path (rp_filter, routes), and whether the \
             service hangs; `nlbadm drain` gives new clients to the other hosts meanwhile",
        )
    } else if health.is(Health::Refuses) {
        (
            "clients are refused: no service listens here",
            "start the service; `nlbadm drain` gives new clients to the other hosts meanwhile",
        )
    } else if health.is(Health::Unasked) {
        (
            "clients are answered here that the cluster did not accept, and by every host",
            "a program (XDP, tc) takes packets before the cluster sees them: take it from the interface",
        )
    } else {
        return None;
    };
    let finding = subject.finding(NAME, Verdict::Problem, format!("{what}: {text}"));
    Some(finding.remedy(remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{cluster, rule, subject};

    fn found(health: Health) -> Vec<Finding> {
        let mut web = rule(0, 80, 80);
        web.health = health.into();
        let mut waits = rule(0, 443, 443);
        waits.pending = true;
        waits.health = Health::Silent.into();
        check(&subject(), &cluster(2, "eth0"), &[web, waits])
    }

    #[test]
    fn clients_that_are_answered_and_no_clients_are_fine() {
        for health in [Health::Unknown, Health::Answers] {
            let findings = found(health);
            assert_eq!(findings.len(), 1);
            assert_eq!(findings[0].verdict, Verdict::Ok);
        }
    }

    #[test]
    fn each_fault_names_rule_and_remedy() {
        for (health, word) in [
            (Health::Silent, "firewall"),
            (Health::Refuses, "start the service"),
            (Health::Unasked, "XDP"),
        ] {
            let findings = found(health);
            assert_eq!(findings.len(), 1);
            assert_eq!(findings[0].verdict, Verdict::Problem);
            let line = findings[0].line();
            assert!(
                line.starts_with("rule 0 (80") && line.contains(word),
                "{line}"
            );
        }
    }

    #[test]
    fn a_rule_that_was_given_up_is_told_until_it_is_taken_again() {
        for (stance, word) in [
            (Stance::GaveUp, "gave the rule up"),
            (Stance::Tries, "tries a few"),
        ] {
            for health in [Health::Silent, Health::Refuses, Health::Unknown] {
                let mut web = rule(0, 80, 80);
                (web.health, web.stance) = (health.into(), stance.into());
                let findings = check(&subject(), &cluster(2, "eth0"), &[web]);
                assert_eq!(findings.len(), 1);
                assert_eq!(findings[0].verdict, Verdict::Problem);
                assert!(findings[0].line().contains(word), "{}", findings[0].line());
            }
        }
    }

    #[test]
    fn a_cluster_without_rules_has_a_service_as_well() {
        let mut cluster = cluster(2, "eth0");
        cluster.health = Health::Silent.into();
        let findings = check(&subject(), &cluster, &[]);
        assert!(findings[0].text.starts_with("what no rule covers: "));
    }
}
