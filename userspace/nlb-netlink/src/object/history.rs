// SPDX-License-Identifier: GPL-2.0-only

//! The history of convergence.

use netlink_packet_core::DecodeError;
use nlb_core::state::Cause;

use super::required;
use crate::{attribute::HistoryAttribute, code::Code, reply::HistoryGet};

/// One convergence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convergence {
    /// The generation that was agreed.
    pub generation: u64,
    /// Its members; bit n stands for host id n + 1.
    pub members: u64,
    /// Why the cluster converged.
    pub cause: Option<Code<Cause>>,
    /// The host that the cause is about.
    pub host_id: Option<u8>,
    /// Milliseconds since the commit.
    pub age_ms: u64,
    /// Microseconds from the first proposal to the commit.
    pub took_us: Option<u32>,
    /// Buckets that moved, over all maps.
    pub moved: Option<u32>,
}

impl Convergence {
    /// An entry from the attributes of a reply.
    ///
    /// # Errors
    ///
    /// If the generation is missing.
    pub fn from_attributes(attributes: Vec<HistoryAttribute>) -> Result<Self, DecodeError> {
        let reply = HistoryGet::from(attributes);
        Ok(Convergence {
            generation: required(reply.generation, "generation of a convergence")?,
            members: reply.members.unwrap_or_default(),
            cause: reply.cause,
            host_id: reply.host_id.filter(|&id| id != 0),
            age_ms: reply.age_ms.unwrap_or_default(),
            took_us: reply.took_us,
            moved: reply.moved,
        })
    }
}
