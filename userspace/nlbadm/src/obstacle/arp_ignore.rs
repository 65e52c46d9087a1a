// SPDX-License-Identifier: GPL-2.0-only

//! A host that does not answer ARP for its own address: the others ask it each period whether the segment reaches it, and
//! routers cannot reach it. For VIPs nlb answers itself, whatever the parameter says.

use super::{Finding, Subject, greatest, set_parameter};
use crate::host::Host;

const NAME: &str = "arp_ignore";

/// No answer for any address.
const NEVER: u32 = 8;

pub(super) fn check(subject: &Subject, host: &mut dyn Host) -> Vec<Finding> {
    let interface = &subject.interface;
    match greatest(host, interface, NAME) {
        None => subject.not_checked(NAME, "the kernel's parameters cannot be read"),
        Some(NEVER) => {
            let text = format!(
                "arp_ignore is {NEVER} for {interface}: the host answers no ARP for its own address, so other hosts \
                 and routers do not reach it"
            );
            // A smaller value of the interface would not do if that of all interfaces is meant.
            let path = "/proc/sys/net/ipv4/conf/all/arp_ignore";
            let all = super::number(host, path) == Some(NEVER);
            let whose = if all { "all" } else { interface.as_str() };
            let remedy = set_parameter(whose, NAME, 1);
            vec![subject.problem(NAME, text).remedy(remedy)]
        }
        Some(_) => subject.ok(NAME, "the host answers ARP for its own address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fake::{Fake, subject},
        obstacle::Verdict,
    };

    #[test]
    fn a_host_has_to_answer_for_its_own_address() {
        for (all, own, verdict, whose) in [
            ("0", "0", Verdict::Ok, ""),
            ("1", "2", Verdict::Ok, ""),
            ("8", "0", Verdict::Problem, "conf.all."),
            ("0", "8", Verdict::Problem, "conf.eth0."),
        ] {
            let mut host = Fake::host();
            host.file("/proc/sys/net/ipv4/conf/all/arp_ignore", all);
            host.file("/proc/sys/net/ipv4/conf/eth0/arp_ignore", own);
            let finding = check(&subject(), &mut host).remove(0);
            assert_eq!(finding.verdict, verdict, "{all} {own}");
            assert!(finding.remedy.unwrap_or_default().contains(whose));
        }
    }
}
