// SPDX-License-Identifier: GPL-2.0-only

//! VIPs that something else than nlb has put on an interface: they stay when the cluster goes, and the host's own stack
//! answers for them then.

use super::{Finding, Subject};
use crate::host::Host;

const NAME: &str = "address";

/// The kind of devices that the module makes for VIPs.
const OWN_KIND: &str = "nlb";

pub(super) fn check(subject: &Subject, host: &mut dyn Host) -> Vec<Finding> {
    let addresses = match host.all_addresses() {
        Ok(addresses) => addresses,
        Err(error) => return subject.not_checked(NAME, error.to_string()),
    };
    let own_device = |index: u32| {
        let mut links = subject.links.iter();
        links.any(|link| link.index == index && link.kind.as_deref() == Some(OWN_KIND))
    };
    let mut findings = Vec::new();
    for address in addresses {
        if address.ours || own_device(address.ifindex) || !subject.vips.contains(&address.address) {
            continue;
        }
        let device = subject.name_of(address.ifindex);
        let vip = address.address;
        let text = format!(
            "something else than nlbadm has put the VIP {vip} on {device}: it stays there when the cluster is taken \
             down, and this host alone answers for it then"
        );
        let remedy = format!(
            "take it out of the configuration that sets it; `ip addr del {vip}/{} dev {device} && nlbadm start {}` \
             puts nlb's in its place",
            address.prefix, subject.interface
        );
        findings.push(subject.warning(NAME, text).remedy(remedy));
    }
    if findings.is_empty() {
        findings = subject.ok(NAME, "nothing but nlb has put a VIP on an interface");
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fake::{Fake, address, subject},
        obstacle::Verdict,
    };

    #[test]
    fn vips_of_others_are_named() {
        let mut subject = subject();
        subject.links[2].kind = Some(OWN_KIND.into());
        let mut host = Fake::host();
        host.devices_addresses = vec![
            (2, address("192.0.2.1", 24, false)),
            (2, address("192.0.2.10", 32, true)),
            (3, address("2001:db8::10", 128, false)),
        ];
        assert_eq!(check(&subject, &mut host)[0].verdict, Verdict::Ok);
        subject.links[2].kind = None;
        let findings = check(&subject, &mut host);
        assert_eq!(findings[0].verdict, Verdict::Warning);
        assert!(findings[0].text.contains("the VIP 2001:db8::10 on eth1"));
        host.devices_addresses = vec![(2, address("192.0.2.10", 24, false))];
        let remedy = check(&subject, &mut host).remove(0).remedy.unwrap();
        assert!(remedy.contains("192.0.2.10/24 dev eth0"), "{remedy}");
    }
}
