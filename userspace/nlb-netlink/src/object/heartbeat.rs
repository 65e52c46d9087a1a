// SPDX-License-Identifier: GPL-2.0-only

//! Heartbeats on the second path.

use netlink_packet_core::DecodeError;

use super::required;
use crate::{attribute::HeartbeatAttribute, reply::HeartbeatNtf};

/// A frame for the second path, or from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Index of the cluster interface.
    pub ifindex: u32,
    /// The frame, without Ethernet header.
    pub frame: Vec<u8>,
}

impl Heartbeat {
    /// A heartbeat from the attributes of a notification.
    ///
    /// # Errors
    ///
    /// If one of the two is missing.
    pub fn from_attributes(attributes: Vec<HeartbeatAttribute>) -> Result<Self, DecodeError> {
        let reply = HeartbeatNtf::from(attributes);
        Ok(Heartbeat {
            ifindex: required(reply.ifindex, "ifindex of a heartbeat")?,
            frame: required(reply.frame, "frame of a heartbeat")?,
        })
    }

    /// The attributes of a request.
    #[must_use]
    pub fn into_attributes(self) -> Vec<HeartbeatAttribute> {
        vec![
            HeartbeatAttribute::Ifindex(self.ifindex),
            HeartbeatAttribute::Frame(self.frame),
        ]
    }
}
