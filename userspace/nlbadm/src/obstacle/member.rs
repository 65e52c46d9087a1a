// SPDX-License-Identifier: GPL-2.0-only

//! What the module itself knows: whether it is there, whether this host is a member, and which others are not.

use nlb_core::state::{HostState, OutReason};
use nlb_netlink::object::{Cluster, Member};

use super::{Finding, Subject, Verdict};
use crate::{
    failure::{Exit, Failure},
    output::{
        cluster::remedy,
        text::{ids, mac, named},
    },
};

const NAME: &str = "member";

/// Whether the module is there, from what it answered.
pub(crate) fn module(answer: Result<usize, &Failure>) -> Finding {
    const NAME: &str = "module";
    match answer {
        Ok(1) => Finding::new(NAME, Verdict::Ok, "loaded, with 1 cluster here"),
        Ok(count) => Finding::new(
            NAME,
            Verdict::Ok,
            format!("loaded, with {count} clusters here"),
        ),
        Err(failure) if failure.exit == Exit::NoModule => {
            Finding::new(NAME, Verdict::Problem, failure.message.clone())
        }
        Err(failure) => Finding::new(NAME, Verdict::NotChecked, failure.message.clone()),
    }
}

/// Whether this host and the others take part, and what the module has noticed.
pub(crate) fn check(subject: &Subject, cluster: &Cluster, members: &[Member]) -> Vec<Finding> {
    let mut findings = vec![this_host(subject, cluster)];
    let others = members.iter().filter(|member| !member.this);
    for other in others {
        // One that has said goodbye is no trouble.
        let trouble = ![OutReason::None, OutReason::Left]
            .into_iter()
            .any(|fine| other.out_reason.is(fine));
        if trouble {
            let id = other.host_id;
            let text = format!("host {id} is out: {}", other.out_reason);
            findings.push(
                subject
                    .warning(NAME, text)
                    .remedy(format!("`nlbadm doctor` on host {id}")),
            );
        }
    }
    let wrapped = members.iter().filter(|member| member.heard_wrapped);
    let wrapped: Vec<u8> = wrapped.map(|member| member.host_id).collect();
    if !wrapped.is_empty() {
        let text = format!(
            "heartbeats of {} arrive inside IP packets alone: something on the way drops EtherType 0x88b5",
            named(&wrapped)
        );
        findings.push(
            subject
                .warning(NAME, text)
                .remedy("let it pass, in the filters of switches and hypervisors"),
        );
    }
    if cluster.starved != 0 {
        let text = "frames to the virtual MAC do not arrive here, though heartbeats do";
        findings.push(
            subject
                .problem(NAME, text)
                .remedy("`nlbadm show` tells what the switch needs"),
        );
    }
    if let Some(claim) = &cluster.conflict {
        let text = format!(
            "the station {} claimed the VIP {} {} s ago: it takes clients from the cluster",
            mac(claim.mac),
            claim.vip,
            claim.age_ms / 1000
        );
        findings.push(
            subject
                .problem(NAME, text)
                .remedy("find that station, and take the address from it"),
        );
    }
    if let Some(pending) = cluster.pending {
        let waits: Vec<u8> = members
            .iter()
            .filter(|member| member.member && member.pending != Some(pending))
            .map(|member| member.host_id)
            .collect();
        if !waits.is_empty() {
            let text = format!("new rules wait until {} has them", named(&waits));
            findings.push(
                subject
                    .warning(NAME, text)
                    .remedy("`nlbadm rules apply FILE` there"),
            );
        }
    }
    findings
}

/// How this host stands.
fn this_host(subject: &Subject, cluster: &Cluster) -> Finding {
    let who = format!("host {} of {}", cluster.host_id, cluster.name);
    let interface = &subject.interface;
    let idle = |text: &str, verb: &str| {
        subject
            .warning(NAME, format!("{who} {text}"))
            .remedy(format!("`nlbadm {verb} {interface}`"))
    };
    let reason = cluster.out_reason;
    if cluster.state.is(HostState::Stopped) {
        return idle("is stopped, and takes no part", "start");
    }
    if cluster.state.is(HostState::Suspended) {
        return idle("is suspended, and takes no part", "resume");
    }
    let joins = [OutReason::Listening, OutReason::NotFresh];
    if joins.into_iter().any(|fine| reason.is(fine)) {
        return subject.warning(NAME, format!("{who} is about to join ({reason})"));
    }
    if !reason.is(OutReason::None) {
        let finding = subject.problem(NAME, format!("{who} is out: {reason}"));
        return match remedy(&reason.to_string()) {
            Some(remedy) => finding.remedy(remedy.replace("IFACE", interface)),
            None => finding,
        };
    }
    if cluster.state.is(HostState::Draining) {
        return idle("drains, and takes no new connections", "start");
    }
    if !cluster.state.is(HostState::Converged) {
        return subject.warning(
            NAME,
            format!("{who} has not converged yet ({})", cluster.state),
        );
    }
    let members: Vec<u8> = cluster.member_ids().collect();
    let text = format!("{who} has converged; members {}", ids(&members));
    subject.finding(NAME, Verdict::Ok, text)
}

#[cfg(test)]
mod tests {
    use nlb_netlink::object::Claim;

    use super::*;
    use crate::fake::{cluster, member, subject};

    fn verdict(change: impl FnOnce(&mut Cluster)) -> (Verdict, String) {
        let mut cluster = cluster(2, "eth0");
        change(&mut cluster);
        let finding = check(&subject(), &cluster, &[]).pop().unwrap();
        (finding.verdict, finding.line())
    }

    #[test]
    fn a_member_is_fine_and_one_that_is_out_says_why() {
        let (found, text) = verdict(|_| {});
        assert_eq!(
            (found, text.as_str()),
            (Verdict::Ok, "host 1 of web has converged; members 1, 2")
        );
        let (found, text) = verdict(|it| it.out_reason = OutReason::VipMissing.into());
        assert_eq!(found, Verdict::Problem);
        assert!(
            text.contains("out: vip-missing") && text.contains("`nlbadm start eth0`"),
            "{text}"
        );
        let (found, text) = verdict(|it| it.state = HostState::Suspended.into());
        assert_eq!(found, Verdict::Warning);
        assert!(text.contains("`nlbadm resume eth0`"), "{text}");
        assert_eq!(
            verdict(|it| it.out_reason = OutReason::Listening.into()).0,
            Verdict::Warning
        );
        assert_eq!(
            verdict(|it| it.state = HostState::Joining.into()).0,
            Verdict::Warning
        );
    }

    #[test]
    fn what_the_module_noticed_is_a_problem() {
        assert_eq!(verdict(|it| it.starved = 1).0, Verdict::Problem);
        let claim = Claim {
            vip: "192.0.2.10".parse().unwrap(),
            mac: [2, 0, 0, 0, 0, 9],
            age_ms: 5_000,
        };
        let (found, text) = verdict(|it| it.conflict = Some(claim));
        assert_eq!(found, Verdict::Problem);
        assert!(text.contains("02:00:00:00:00:09"), "{text}");
    }

    #[test]
    fn other_hosts_that_are_out_are_named_unless_they_left() {
        let members = [
            member(1, HostState::Converged, OutReason::None, None),
            member(2, HostState::Converged, OutReason::Left, Some(9)),
            member(3, HostState::Converged, OutReason::Dead, Some(9)),
        ];
        let findings = check(&subject(), &cluster(2, "eth0"), &members);
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[1].text, "host 3 is out: dead");
    }

    #[test]
    fn rules_that_wait_are_told() {
        let mut cluster = cluster(2, "eth0");
        cluster.pending = Some(9);
        let members = [
            member(1, HostState::Converged, OutReason::None, None),
            member(2, HostState::Converged, OutReason::None, Some(9)),
        ];
        let mut first = members.clone();
        first[0].pending = Some(9);
        let findings = check(&subject(), &cluster, &first);
        assert_eq!(findings[1].text, "new rules wait until host 2 has them");
    }

    #[test]
    fn a_missing_module_is_a_problem() {
        let missing = Failure::new(Exit::NoModule, "the module is not loaded");
        assert_eq!(module(Err(&missing)).verdict, Verdict::Problem);
        let refused = Failure::new(Exit::Failed, "refused");
        assert_eq!(module(Err(&refused)).verdict, Verdict::NotChecked);
        assert_eq!(module(Ok(2)).verdict, Verdict::Ok);
    }
}
