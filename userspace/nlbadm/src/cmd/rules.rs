// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm rules`, and `enable`, `disable` and `drain` of one rule

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use nlb_core::rules::RuleState;
use nlb_netlink::object::{Cluster, RuleChange};

use crate::{
    cli::Target,
    failure::Failure,
    kernel::Kernel,
    output::rules::{AppliedShape, CheckedShape, RulesShape, waiting_hosts},
    rulefile::RuleFile,
    rulename::RuleName,
};

/// The rules of a cluster.
pub(crate) fn show(kernel: &mut impl Kernel, target: &Target) -> Result<RulesShape, Failure> {
    let cluster = super::cluster(kernel, target)?;
    let members = kernel.members(cluster.ifindex)?;
    let rules = kernel.rules(cluster.ifindex)?;
    Ok(RulesShape::new(&cluster, &members, &rules))
}

/// Replaces the rules of a cluster by those of a file. If all other hosts have the same already, it waits until they
/// are in force.
pub(crate) fn apply(
    kernel: &mut impl Kernel,
    target: &Target,
    file: &RuleFile,
    unchecked: bool,
) -> Result<AppliedShape, Failure> {
    let cluster = super::cluster(kernel, target)?;
    if !unchecked {
        file.check_for(&cluster.vips)?;
    }
    let rules = file.for_host(cluster.host_id);
    kernel
        .set_rules(cluster.ifindex, &rules)
        .map_err(|error| Failure::from(error).context(format!("rules of {}", cluster.ifname)))?;
    let handed_over = format!(
        "rules of {} are handed over, but whether they are in force is unknown",
        cluster.ifname
    );
    let waits_for = settle(kernel, cluster).map_err(|failure| failure.context(handed_over))?;
    Ok(AppliedShape {
        rules: rules.len(),
        in_force: waits_for.is_none(),
        waits_for: waits_for.unwrap_or_default(),
    })
}

/// The hosts that the rules wait for; none at all if they are in force.
pub(super) fn settle(
    kernel: &mut impl Kernel,
    cluster: Cluster,
) -> Result<Option<Vec<u8>>, Failure> {
    // A change is made of a few frames; what a host has staged is told with the next heartbeat.
    let periods = Duration::from_millis(4 * u64::from(cluster.period_ms));
    let deadline = Instant::now() + periods + super::GRACE;
    loop {
        let now = super::as_it_is(kernel, cluster.ifindex)?;
        let Some(now) = now.filter(|now| now.pending.is_some()) else {
            return Ok(None);
        };
        let waits_for = waiting_hosts(&now, &kernel.members(cluster.ifindex)?);
        if !waits_for.is_empty() || Instant::now() >= deadline {
            return Ok(Some(waits_for));
        }
        sleep(super::POLL);
    }
}

/// Checks a file without the kernel.
pub(crate) fn check(file: &RuleFile) -> Result<CheckedShape, Failure> {
    file.check()?;
    Ok(CheckedShape {
        rules: file.for_host(1).len(),
    })
}

/// Changes what this host does about one rule.
pub(crate) fn control(
    kernel: &mut impl Kernel,
    name: RuleName,
    target: &Target,
    state: RuleState,
) -> Result<(), Failure> {
    let cluster = super::cluster(kernel, target)?;
    change(kernel, &cluster, name, RuleChange::State(state))
}

/// Changes this host's part in one rule.
pub(super) fn change(
    kernel: &mut impl Kernel,
    cluster: &Cluster,
    name: RuleName,
    change: RuleChange,
) -> Result<(), Failure> {
    let number = name.find(&kernel.rules(cluster.ifindex)?)?;
    kernel
        .change_rule(cluster.ifindex, number, change)
        .map_err(|error| {
            Failure::from(error).context(format!("rule {number} of {}", cluster.ifname))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        failure::Exit,
        fake::{Fake, rule},
    };

    fn file(text: &str) -> RuleFile {
        RuleFile::parse("rules.toml".into(), text.into()).unwrap()
    }

    fn applied(kernel: &mut Fake, text: &str) -> Result<AppliedShape, Failure> {
        apply(kernel, &Target::default(), &file(text), false)
    }

    #[test]
    fn rules_of_this_host_are_asked_for() {
        let mut kernel = Fake::in_cluster();
        let done = applied(
            &mut kernel,
            "[[rule]]\nports = 443\nweights = { 1 = 7, 2 = 8 }",
        )
        .unwrap();
        assert!(done.in_force);
        assert_eq!(kernel.changes, ["rules 443-443 weight 7 on 2"]);
    }

    #[test]
    fn whom_the_rules_wait_for_is_told() {
        let mut kernel = Fake::in_cluster();
        kernel.clusters[0].pending = Some(7);
        let done = applied(&mut kernel, "").unwrap();
        assert!(!done.in_force);
        let members = kernel
            .members
            .iter()
            .filter(|member| member.member && !member.this);
        let others: Vec<_> = members.map(|member| member.host_id).collect();
        assert!(!others.is_empty());
        assert_eq!(done.waits_for, others);
    }

    #[test]
    fn what_is_wrong_is_refused_before_the_kernel_hears_of_it() {
        let mut kernel = Fake::in_cluster();
        let failure = applied(&mut kernel, "[[rule]]\nvip = \"203.0.113.1\"").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(kernel.changes, [""; 0]);
        // The kernel says the same, if it is asked.
        let wrong = file("[[rule]]\nports = \"90-80\"");
        apply(&mut kernel, &Target::default(), &wrong, true).unwrap();
        assert_eq!(kernel.changes, ["rules 90-80 on 2"]);
        kernel.refuse.push(("rules", 16));
        assert_eq!(applied(&mut kernel, "").unwrap_err().exit, Exit::Exists);
    }

    #[test]
    fn one_rule_is_controlled_by_its_number() {
        let mut kernel = Fake {
            rules: vec![rule(0, 443, 443), rule(1, 8000, 8099)],
            ..Fake::in_cluster()
        };
        let name = "all:8050".parse().unwrap();
        control(&mut kernel, name, &Target::default(), RuleState::Draining).unwrap();
        assert_eq!(kernel.changes, ["rule 1 draining on 2"]);
        let name = "5".parse().unwrap();
        let failure =
            control(&mut kernel, name, &Target::default(), RuleState::Enabled).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
    }
}
