// SPDX-License-Identifier: GPL-2.0-only

//! VIPs in the files of network managers: a manager puts its addresses on an interface at boot, without the cluster, and takes
//! others off.

use std::{io, net::IpAddr};

use super::{Finding, Subject, Verdict};
use crate::host::Host;

const NAME: &str = "manager";

/// Directories, and how the names of files in them end that a manager reads.
const PLACES: [(&str, &str); 5] = [
    ("/etc/network", "interfaces"),
    ("/etc/network/interfaces.d", ""),
    ("/etc/systemd/network", ".network"),
    ("/etc/netplan", ".yaml"),
    ("/etc/NetworkManager/system-connections", ""),
];

/// Words of lines that name an address which is somebody else's.
const OTHERS: [&str; 8] = [
    "dns",
    "gateway",
    "route",
    "via",
    "nameserver",
    "ntp",
    "destination",
    "pointopoint",
];

pub(super) fn check(subject: &Subject, host: &mut dyn Host) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (directory, ending) in PLACES {
        for path in host.files(directory) {
            if !path.ends_with(ending) {
                continue;
            }
            match host.read(&path) {
                Ok(text) => findings.extend(look(subject, &path, &text)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    findings.extend(subject.not_checked(NAME, format!("{path}: {error}")));
                }
            }
        }
    }
    if findings.is_empty() {
        findings = subject.ok(NAME, "no file of a network manager has a VIP");
    }
    findings
}

fn look(subject: &Subject, path: &str, text: &str) -> Vec<Finding> {
    let found = own_addresses(text).filter(|(_, address)| subject.vips.contains(address));
    let finding = |(line, vip): (usize, IpAddr)| {
        let text = format!(
            "{path}, line {line}, has the VIP {vip}: the network manager sets it without regard to the cluster, at \
             boot for instance, and this host alone answers for it then"
        );
        subject
            .finding(NAME, Verdict::Warning, text)
            .remedy("take it out of that file, for nlb brings it with the cluster")
    };
    found.map(finding).collect()
}

/// The addresses that a file gives to interfaces, each with the number of its line. What belongs to a list of name servers
/// or routes in YAML, by its indentation, is left out as well.
fn own_addresses(text: &str) -> impl Iterator<Item = (usize, IpAddr)> {
    let mut others: Option<usize> = None;
    text.lines().enumerate().flat_map(move |(index, line)| {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        if content.is_empty() || content.starts_with(['#', ';']) {
            return Vec::new();
        }
        if others.is_some_and(|outer| indent <= outer) {
            others = None;
        }
        let lower = content.to_lowercase();
        if OTHERS.iter().any(|word| lower.contains(word)) {
            if lower.trim_end().ends_with(':') {
                others = others.or(Some(indent));
            }
            return Vec::new();
        }
        if others.is_some() {
            return Vec::new();
        }
        addresses(content)
            .map(|address| (index + 1, address))
            .collect()
    })
}

/// All addresses of a line, with or without a prefix.
fn addresses(line: &str) -> impl Iterator<Item = IpAddr> {
    line.split(|byte: char| !byte.is_ascii_hexdigit() && byte != '.' && byte != ':')
        .filter_map(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, subject};

    fn lines(text: &str) -> Vec<(usize, String)> {
        let found = own_addresses(text).filter(|(_, address)| subject().vips.contains(address));
        found.map(|(line, vip)| (line, vip.to_string())).collect()
    }

    #[test]
    fn the_files_of_each_manager_are_understood() {
        let four = |line| vec![(line, "192.0.2.10".to_owned())];
        let six = |line| vec![(line, "2001:db8::10".to_owned())];
        let interfaces = "auto eth0\niface eth0 inet static\n\taddress 192.0.2.10/24\n";
        assert_eq!(lines(interfaces), four(3));
        assert_eq!(lines("\tup ip addr add 192.0.2.10/32 dev eth0\n"), four(1));
        assert_eq!(lines("[Network]\nAddress=192.0.2.10/24\n"), four(2));
        assert_eq!(
            lines("[ipv4]\naddress1=192.0.2.10/24,192.0.2.254\n"),
            four(2)
        );
        assert_eq!(
            lines("      addresses: [192.0.2.1/24, 192.0.2.10/32]\n"),
            four(1)
        );
        assert_eq!(lines("        - \"2001:DB8:0::10/64\"\n"), six(1));
    }

    #[test]
    fn addresses_of_others_are_left_out() {
        for text in [
            "# address 192.0.2.10\n",
            "address 192.0.2.100/24\n",
            "gateway 192.0.2.10\n",
            "DNS=192.0.2.10\n",
            "[Route]\nGateway=192.0.2.10\nDestination=192.0.2.10/32\n",
            "      nameservers:\n        search: [lab]\n        addresses:\n          - 192.0.2.10\n",
            "      nameservers:\n        addresses: [192.0.2.10]\n",
        ] {
            assert_eq!(lines(text), [], "{text}");
        }
        let after = "  nameservers:\n    addresses: [192.0.2.10]\n  addresses: [192.0.2.10/24]\n";
        assert_eq!(lines(after).len(), 1);
    }

    #[test]
    fn fuzz_manager_file() {
        let fuzz = nlb_fuzz::Fuzz::new("manager_file").seeds([
            "iface eth0 inet static\n\taddress 192.0.2.10/24\n\tgateway 192.0.2.254\n",
            "  nameservers:\n    addresses: [192.0.2.10]\n  addresses: [2001:db8::10/64]\n",
        ]);
        fuzz.longest(300).inputs(20_000).run(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let found: Vec<_> = own_addresses(&text).collect();
            let count = text.lines().count();
            assert!(found.iter().all(|(line, _)| (1..=count).contains(line)));
            nlb_fuzz::outcome(format!("{found:?}"))
        });
    }

    #[test]
    fn files_that_cannot_be_read_are_not_checked() {
        let mut host = Fake::host();
        host.file(
            "/etc/network/interfaces",
            "iface eth0 inet static\naddress 192.0.2.10\n",
        );
        host.file("/etc/network/if-up.d", "address 192.0.2.10\n");
        host.file("/etc/netplan/a.yaml", "");
        host.unreadable = vec!["/etc/netplan/a.yaml".into()];
        let findings = check(&subject(), &mut host);
        let verdicts: Vec<_> = findings.iter().map(|finding| finding.verdict).collect();
        assert_eq!(verdicts, [Verdict::Warning, Verdict::NotChecked]);
        let text = &findings[0].text;
        assert!(
            text.starts_with("/etc/network/interfaces, line 2,"),
            "{text}"
        );
    }
}
