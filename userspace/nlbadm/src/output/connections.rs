// SPDX-License-Identifier: GPL-2.0-only

//! The TCP connections to the VIPs of a cluster.

use std::net::SocketAddr;

use nlb_netlink::tcp::{Table, TcpConnection};
use serde::Serialize;

use super::{Report, table::table};

/// Answer of `connections`.
#[derive(Debug, Serialize)]
pub(crate) struct ConnectionsShape {
    pub(crate) interface: String,
    pub(crate) connections: Vec<ConnectionShape>,
    /// Sessions without a socket that the module remembers: UDP, tunnels.
    pub(crate) sessions: Option<u32>,
}

/// A connection.
#[derive(Debug, Serialize)]
pub(crate) struct ConnectionShape {
    pub(crate) client: SocketAddr,
    pub(crate) vip: SocketAddr,
    pub(crate) state: &'static str,
    /// `socket`, or `conntrack`: of a container or another machine behind this host.
    pub(crate) table: &'static str,
}

impl From<&TcpConnection> for ConnectionShape {
    fn from(it: &TcpConnection) -> Self {
        ConnectionShape {
            client: it.client,
            vip: it.local,
            state: it.state,
            table: match it.table {
                Table::Sockets { .. } => "socket",
                Table::Tracking { .. } => "conntrack",
            },
        }
    }
}

impl Report for ConnectionsShape {
    fn human(&self) -> String {
        let mut text = if self.connections.is_empty() {
            "no TCP connections\n".into()
        } else {
            let heading = ["client", "vip", "state", "table"];
            table("", heading, self.connections.iter().map(row))
        };
        match self.sessions {
            None | Some(0) => {}
            Some(1) => text.push_str("and 1 session of UDP or a tunnel\n"),
            Some(count) => text.push_str(&format!("and {count} sessions of UDP or tunnels\n")),
        }
        text
    }
}

fn row(it: &ConnectionShape) -> Vec<String> {
    vec![
        it.client.to_string(),
        it.vip.to_string(),
        it.state.into(),
        it.table.into(),
    ]
}
