// SPDX-License-Identifier: GPL-2.0-only

//! IPVS behind a VIP without connection tracking: the host that had a connection does not know it any more once its bucket
//! has moved, for IPVS has a table of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Finding, Subject, number};
use crate::host::Host;

const NAME: &str = "ip_vs";

pub(super) fn check(subject: &Subject, host: &mut dyn Host) -> Vec<Finding> {
    let Ok(services) = host.read("/proc/net/ip_vs") else {
        return subject.ok(NAME, "IPVS is not loaded");
    };
    let Some(service) = services.lines().find_map(|line| concerned(line, subject)) else {
        return subject.ok(NAME, "IPVS has no service of a VIP");
    };
    match number(host, "/proc/sys/net/ipv4/vs/conntrack") {
        Some(0) => {
            let text = format!(
                "IPVS has the service {service} and no connection tracking: its connections break when their buckets \
                 move, as when a host joins"
            );
            let remedy = "`modprobe nf_conntrack && sysctl -w net.ipv4.vs.conntrack=1`";
            vec![subject.warning(NAME, text).remedy(remedy)]
        }
        Some(_) => subject.ok(NAME, "IPVS tracks its connections"),
        None => subject.not_checked(NAME, "net.ipv4.vs.conntrack cannot be read"),
    }
}

/// The service of a line, if it is of a VIP, or of a mark, which may be that of packets to one.
fn concerned(line: &str, subject: &Subject) -> Option<String> {
    let mut words = line.split_whitespace();
    let protocol = words.next()?;
    let what = words.next()?;
    match protocol {
        "FWM" => Some(format!("of firewall mark {what}")),
        "TCP" | "UDP" | "SCTP" => {
            let (address, port) = what.rsplit_once(':')?;
            let address = parse(address)?;
            let port = u16::from_str_radix(port, 16).ok()?;
            subject.vips.contains(&address).then(|| {
                let endpoint = crate::endpoint::Endpoint {
                    address,
                    port: Some(port),
                };
                format!("{} {endpoint}", protocol.to_lowercase())
            })
        }
        _ => None,
    }
}

/// Eight hexadecimal digits, or eight groups of four in brackets.
fn parse(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')?
            .parse::<Ipv6Addr>()
            .ok()
            .map(IpAddr::V6),
        None => u32::from_str_radix(text, 16)
            .ok()
            .map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fake::{Fake, subject},
        obstacle::Verdict,
    };

    const HEAD: &str = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  \
                        -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n";

    fn looked(services: &str, conntrack: &str) -> Finding {
        let mut host = Fake::host();
        host.file("/proc/net/ip_vs", &format!("{HEAD}{services}"));
        host.file("/proc/sys/net/ipv4/vs/conntrack", conntrack);
        check(&subject(), &mut host).remove(0)
    }

    #[test]
    fn only_services_of_vips_need_connection_tracking() {
        let vip = "TCP  C000020A:0050 rr \n  -> 0A000002:0050      Masq    1      0          0\n";
        let other = "TCP  0A090909:0050 rr \n";
        let six = "UDP  [2001:0db8:0000:0000:0000:0000:0000:0010]:0035 rr \n";
        let finding = looked(vip, "0\n");
        assert_eq!(finding.verdict, Verdict::Warning);
        assert!(
            finding.text.contains("tcp 192.0.2.10:80"),
            "{}",
            finding.text
        );
        assert_eq!(looked(vip, "1\n").verdict, Verdict::Ok);
        assert_eq!(looked(other, "0\n").verdict, Verdict::Ok);
        assert!(looked(six, "0").text.contains("udp [2001:db8::10]:53"));
        assert!(
            looked("FWM  00000001 rr \n", "0")
                .text
                .contains("mark 00000001")
        );
    }

    #[test]
    fn hosts_without_ipvs_are_fine() {
        let findings = check(&subject(), &mut Fake::host());
        assert_eq!(findings[0].verdict, Verdict::Ok);
    }
}
