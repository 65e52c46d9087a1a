// SPDX-License-Identifier: GPL-2.0-only

//! What the relay of heartbeats did.

use serde::Serialize;

use super::Report;

/// Counters of `relay`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RelayShape {
    /// Frames sent, once for each peer.
    pub(crate) sent: u64,
    /// Frames that could not be sent to a peer.
    pub(crate) send_errors: u64,
    /// Datagrams handed to the module.
    pub(crate) received: u64,
    /// Datagrams too short or too long to be a frame.
    pub(crate) bad_length: u64,
    /// Datagrams of a sender that is no peer.
    pub(crate) not_a_peer: u64,
    /// Frames that the module refused.
    pub(crate) refused: u64,
    /// Times that frames of the module were lost because they were not read in time.
    pub(crate) overruns: u64,
}

impl Report for RelayShape {
    fn human(&self) -> String {
        format!(
            "sent {}, send errors {}, received {}, bad length {}, not a peer {}, refused {}, overruns {}\n",
            self.sent,
            self.send_errors,
            self.received,
            self.bad_length,
            self.not_a_peer,
            self.refused,
            self.overruns
        )
    }
}
