// SPDX-License-Identifier: GPL-2.0-only

//! The virtual MACs that belong to an address.

use std::net::IpAddr;

use serde::Serialize;

use super::{Report, table::layout};

/// Answer of `ip2mac`.
#[derive(Debug, Serialize)]
pub(crate) struct MacsShape {
    pub(crate) address: IpAddr,
    pub(crate) unicast: String,
    pub(crate) multicast: String,
    pub(crate) igmp: String,
    /// The group that the hosts join in that mode.
    pub(crate) igmp_group: IpAddr,
}

impl Report for MacsShape {
    fn human(&self) -> String {
        let rows = [
            ("unicast", &self.unicast),
            ("multicast", &self.multicast),
            ("igmp", &format!("{}  joins {}", self.igmp, self.igmp_group)),
        ]
        .map(|(mode, mac)| vec![format!("{mode}:"), mac.clone()]);
        layout("", &rows)
    }
}
