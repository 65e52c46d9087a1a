// SPDX-License-Identifier: GPL-2.0-only

//! NICs that pass frames to the virtual MAC only where somebody outside of this host has allowed it. Whether that is so
//! cannot be seen here; a host that does not get them says so later (`starved`).

use super::{Finding, Subject};
use crate::host::Host;

const NAME: &str = "nic";

pub(super) fn check(subject: &Subject, host: &mut dyn Host) -> Vec<Finding> {
    let mut findings = Vec::new();
    for link in subject.beneath() {
        let name = &link.name;
        let Some((bus, device)) = &link.hardware else {
            continue;
        };
        match bus.as_str() {
            "vmbus" => {
                let text = format!(
                    "{name} is a NIC of Hyper-V: it gets no frames to the virtual MAC unless MAC address spoofing is \
                     enabled for it"
                );
                let remedy = "on the Hyper-V host, `Set-VMNetworkAdapter -VMName NAME -MacAddressSpoofing On`";
                findings.push(subject.warning(NAME, text).remedy(remedy));
            }
            "pci" if host.exists(&format!("/sys/bus/pci/devices/{device}/physfn")) => {
                let text = format!(
                    "{name} is a virtual function (SR-IOV): it gets no frames to the virtual MAC unless it is trusted"
                );
                let remedy =
                    "on the host that has the card, `ip link set PF vf N trust on spoofchk off`";
                findings.push(subject.warning(NAME, text).remedy(remedy));
            }
            _ => {}
        }
    }
    if findings.is_empty() {
        findings = subject.ok(NAME, "no NIC that is known to withhold frames");
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fake::{Fake, subject},
        obstacle::Verdict,
    };

    #[test]
    fn nics_that_need_a_word_from_outside_are_named() {
        for (bus, physfn, verdict, words) in [
            ("vmbus", false, Verdict::Warning, "spoofing"),
            ("pci", true, Verdict::Warning, "trusted"),
            ("pci", false, Verdict::Ok, ""),
            ("virtio", false, Verdict::Ok, ""),
        ] {
            let mut subject = subject();
            subject.links[1].hardware = Some((bus.into(), "0000:00:03.0".into()));
            let mut host = Fake::host();
            if physfn {
                host.file("/sys/bus/pci/devices/0000:00:03.0/physfn", "");
            }
            let finding = check(&subject, &mut host).remove(0);
            assert_eq!(finding.verdict, verdict, "{bus} {physfn}");
            assert!(finding.text.contains(words), "{}", finding.text);
        }
    }
}
