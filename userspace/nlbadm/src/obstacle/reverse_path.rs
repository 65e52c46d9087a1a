// SPDX-License-Identifier: GPL-2.0-only

//! A strict reverse-path filter on an interface that clients are not answered by: the kernel drops their packets, after nlb
//! has accepted them.

use std::net::Ipv4Addr;

use super::{Finding, Subject, Verdict, greatest, set_parameter};
use crate::host::Host;

const NAME: &str = "rp_filter";

/// A packet is dropped whose sender would not be reached by the interface that it came in by (RFC 3704, 2.2).
const STRICT: u32 = 1;

/// Somewhere beyond all networks that this host has to do with (RFC 5737).
const BEYOND: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

pub(super) fn check(subject: &Subject, host: &mut dyn Host) -> Vec<Finding> {
    let interface = &subject.interface;
    if !subject.has_v4() {
        return subject.ok(NAME, "no VIP is of IPv4");
    }
    match greatest(host, interface, NAME) {
        None => return subject.not_checked(NAME, "the kernel's parameters cannot be read"),
        Some(STRICT) => {}
        Some(_) => return subject.ok(NAME, format!("not strict on {interface}")),
    }
    let from = subject.vips_v4().next();
    let way = match host.way_out(from, BEYOND) {
        // A host that has not the VIP yet cannot send from it.
        Ok(None) => host.way_out(None, BEYOND),
        other => other,
    };
    let way = match way {
        Err(error) => return subject.not_checked(NAME, error.to_string()),
        Ok(None) => return subject.ok(NAME, "strict, but there is no way by another interface"),
        Ok(Some(index)) if index == subject.index => {
            return subject.ok(
                NAME,
                format!("strict, and clients are answered by {interface}"),
            );
        }
        Ok(Some(index)) => subject.name_of(index),
    };
    let text = format!(
        "the reverse-path filter of {interface} is strict, but clients beyond the segment are answered by {way}: the \
         kernel drops their packets to a VIP"
    );
    let finding = match dropped(host) {
        Some(count @ 1..) => {
            let text =
                format!("{text} ({count} dropped by that filter since boot, on all interfaces)");
            subject.finding(NAME, Verdict::Problem, text)
        }
        _ => subject.finding(NAME, Verdict::Warning, text),
    };
    vec![finding.remedy(set_parameter(interface, NAME, 2))]
}

/// How many packets the filter has dropped. The file has lines in pairs: names, and their values.
fn dropped(host: &mut dyn Host) -> Option<u64> {
    let text = host.read("/proc/net/netstat").ok()?;
    let lines: Vec<&str> = text.lines().collect();
    lines.chunks(2).find_map(|pair| {
        let [names, values] = pair else { return None };
        let place = names
            .split_whitespace()
            .position(|name| name == "IPReversePathFilter")?;
        values.split_whitespace().nth(place)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, subject};

    fn host(all: &str, own: &str, way: Option<u32>) -> Fake {
        let mut host = Fake::host();
        host.file("/proc/sys/net/ipv4/conf/all/rp_filter", all);
        host.file("/proc/sys/net/ipv4/conf/eth0/rp_filter", own);
        host.way_out = way;
        host
    }

    #[test]
    fn the_greater_one_of_both_parameters_counts() {
        for (all, own, way, verdict) in [
            ("0\n", "0\n", Some(3), Verdict::Ok),
            ("1\n", "0\n", Some(3), Verdict::Warning),
            ("0\n", "1\n", Some(3), Verdict::Warning),
            ("2\n", "1\n", Some(3), Verdict::Ok),
            ("1\n", "1\n", Some(2), Verdict::Ok),
            ("1\n", "1\n", None, Verdict::Ok),
        ] {
            let findings = check(&subject(), &mut host(all, own, way));
            assert_eq!(findings[0].verdict, verdict, "{all}{own}{way:?}");
        }
    }

    #[test]
    fn packets_that_were_dropped_make_it_a_problem() {
        let mut host = host("1", "1", Some(3));
        let text = "TcpExt: A IPReversePathFilter B\nTcpExt: 1 7 3\nIpExt: A\nIpExt: 9\n";
        host.file("/proc/net/netstat", text);
        let finding = check(&subject(), &mut host).remove(0);
        assert_eq!(finding.verdict, Verdict::Problem);
        assert!(finding.text.contains("(7 dropped"), "{}", finding.text);
        let remedy = finding.remedy.unwrap();
        assert!(
            remedy.contains("net.ipv4.conf.eth0.rp_filter=2"),
            "{remedy}"
        );
    }
}
