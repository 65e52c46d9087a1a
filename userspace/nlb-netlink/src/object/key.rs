// SPDX-License-Identifier: GPL-2.0-only

//! The keys of a cluster, without their bytes.

use netlink_packet_core::DecodeError;

use super::required;
use crate::{attribute::KeyAttribute, reply::KeyGet};

/// A key that the module knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its id, 1–255.
    pub id: u8,
    /// Whether frames are sent with it.
    pub send: bool,
}

impl Key {
    /// A key from the attributes of a reply.
    ///
    /// # Errors
    ///
    /// If the id is missing.
    pub fn from_attributes(attributes: Vec<KeyAttribute>) -> Result<Self, DecodeError> {
        let reply = KeyGet::from(attributes);
        Ok(Key {
            id: required(reply.id, "id of a key")?,
            send: reply.send,
        })
    }
}
