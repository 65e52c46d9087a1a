// SPDX-License-Identifier: GPL-2.0-only

//! Counters.

use netlink_packet_core::DecodeError;

use super::required;
use crate::{attribute::CounterAttribute, reply::CounterGet};

/// A counter, summed over all CPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: u64,
}

impl Counter {
    /// A counter from the attributes of a reply.
    ///
    /// # Errors
    ///
    /// If its name or its value is missing.
    pub fn from_attributes(attributes: Vec<CounterAttribute>) -> Result<Self, DecodeError> {
        let reply = CounterGet::from(attributes);
        Ok(Counter {
            name: required(reply.name, "name of a counter")?,
            value: required(reply.value, "value of a counter")?,
        })
    }
}
