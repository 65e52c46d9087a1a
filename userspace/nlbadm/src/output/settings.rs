// SPDX-License-Identifier: GPL-2.0-only

//! Settings that were changed, and those that wait for other hosts.

use std::net::IpAddr;

use nlb_netlink::object::Cluster;
use serde::Serialize;

use super::{Report, rules::waiting, text::list};

/// Answer of `set` and `vip`, where these change what all hosts share.
#[derive(Debug, Serialize)]
pub(crate) struct SettingsShape {
    pub(crate) interface: String,
    pub(crate) in_force: bool,
    pub(crate) waits_for: Vec<u8>,
    /// This host lacks the address of a new VIP, and the others wait for it.
    pub(crate) held: bool,
}

impl Report for SettingsShape {
    fn human(&self) -> String {
        if self.in_force {
            "in force\n".into()
        } else if self.held {
            format!("staged, and {}\n", held(&self.interface))
        } else {
            format!("staged; they {}\n", waiting(&self.waits_for))
        }
    }
}

/// What to do about an address that is missing.
pub(super) fn held(interface: &str) -> String {
    format!(
        "held here: the address of a new VIP is missing on this host; `nlbadm start {interface}` puts it in place"
    )
}

/// Settings that wait for other hosts; null where a setting stays.
#[derive(Debug, Serialize)]
pub(crate) struct StagedShape {
    pub(crate) vips: Option<Vec<IpAddr>>,
    pub(crate) period_ms: Option<u32>,
    pub(crate) tolerance: Option<u32>,
    pub(crate) echo: Option<String>,
    pub(crate) responder: Option<String>,
    /// This host lacks the address of a new VIP, and the others wait for it.
    pub(crate) held: bool,
}

impl StagedShape {
    /// None if no settings wait.
    pub(crate) fn new(cluster: &Cluster) -> Option<Self> {
        let staged = &cluster.staged;
        (!staged.is_empty()).then(|| StagedShape {
            vips: (!staged.vips.is_empty()).then(|| staged.vips.clone()),
            period_ms: staged.period_ms,
            tolerance: staged.tolerance,
            echo: staged.echo.map(|echo| echo.to_string()),
            responder: staged.responder.map(|responder| responder.to_string()),
            held: cluster.held,
        })
    }

    /// What they are, for people.
    pub(super) fn text(&self) -> String {
        let parts = [
            self.vips
                .as_deref()
                .map(|vips| format!("vip {}", list(vips))),
            self.period_ms.map(|period| format!("period {period}ms")),
            self.tolerance.map(|it| format!("tolerance {it}")),
            self.echo.as_ref().map(|echo| format!("echo {echo}")),
            self.responder.as_ref().map(|it| format!("responder {it}")),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        parts.join(", ")
    }
}
