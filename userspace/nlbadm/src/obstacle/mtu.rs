// SPDX-License-Identifier: GPL-2.0-only

//! An MTU through which heartbeats do not fit. `up` is refused then, and an interface whose MTU is made
//! smaller later counts as cut.

use nlb_core::limits::MTU_MIN;

use super::{Finding, Subject};
use crate::host::Host;

const NAME: &str = "mtu";

pub(super) fn check(subject: &Subject, _host: &mut dyn Host) -> Vec<Finding> {
    let interface = &subject.interface;
    let Some(link) = subject.link() else {
        return subject.not_checked(NAME, format!("{interface} is gone"));
    };
    if link.mtu >= MTU_MIN {
        return subject.ok(NAME, format!("the MTU of {interface} is {}", link.mtu));
    }
    let text = format!(
        "the MTU of {interface} is {}, and heartbeats need {MTU_MIN}: this host cannot be a member",
        link.mtu
    );
    vec![
        subject
            .problem(NAME, text)
            .remedy(format!("`ip link set {interface} mtu {MTU_MIN}`")),
    ]
}

#[cfg(test)]
mod tests {
    use nlb_netlink::device::Link;

    use super::*;
    use crate::{fake::Fake, obstacle::Verdict};

    #[test]
    fn heartbeats_have_to_fit() {
        for (mtu, verdict) in [
            (576, Verdict::Problem),
            (1279, Verdict::Problem),
            (1280, Verdict::Ok),
            (1450, Verdict::Ok),
            (9000, Verdict::Ok),
        ] {
            let subject = Subject {
                index: 2,
                links: vec![Link {
                    index: 2,
                    mtu,
                    ..Link::default()
                }],
                ..Subject::default()
            };
            let findings = check(&subject, &mut Fake::default());
            assert_eq!(findings[0].verdict, verdict, "{mtu}");
        }
    }
}
