// SPDX-License-Identifier: GPL-2.0-only

//! The history of convergence.

use netlink_packet_core::DecodeError;
use nlb_core::state::Cause;

use super::required;
use crate::{attribute::HistoryAttribute, code::Code};

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
        use HistoryAttribute as A;
        let mut generation = None;
        let mut entry = Convergence {
            generation: 0,
            members: 0,
            cause: None,
            host_id: None,
            age_ms: 0,
            took_us: None,
            moved: None,
        };
        for attribute in attributes {
            match attribute {
                A::Generation(value) => generation = Some(value),
                A::Members(value) => entry.members = value,
                A::Cause(value) => entry.cause = Some(value),
                A::HostId(value) => entry.host_id = Some(value).filter(|&id| id != 0),
                A::AgeMs(value) => entry.age_ms = value,
                A::TookUs(value) => entry.took_us = Some(value),
                A::Moved(value) => entry.moved = Some(value),
                A::IfIndex(_) | A::Other(_) => {}
            }
        }
        entry.generation = required(generation, "generation of a convergence")?;
        Ok(entry)
    }
}
