// SPDX-License-Identifier: GPL-2.0-only

//! An MTU through which no heartbeat of the longest kind fits. `up` is refused then, and an interface whose MTU is made
//! smaller later counts as cut.

use nlb_core::limits::FRAME_MAX;

use super::{Finding, Subject};
use crate::host::Host;

const NAME: &str = "mtu";

pub(super) fn check(subject: &Subject, _host: &mut dyn Host) -> Vec<Finding> {
    let interface = &subject.interface;
    let Some(link) = subject.link() else {
        return subject.not_checked(NAME, format!("{interface} is gone"));
    };
    if link.mtu as usize >= FRAME_MAX {
        return subject.ok(NAME, format!("the MTU of {interface} is {}", link.mtu));
    }
    let text = format!(
        "the MTU of {interface} is {}, and heartbeats have up to {FRAME_MAX} bytes: this host cannot be a member",
        link.mtu
    );
    vec![
        subject
            .problem(NAME, text)
            .remedy(format!("`ip link set {interface} mtu {FRAME_MAX}`")),
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
            (1450, Verdict::Problem),
            (1499, Verdict::Problem),
            (1500, Verdict::Ok),
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
