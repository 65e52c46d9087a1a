// SPDX-License-Identifier: GPL-2.0-only

//! Counters.

use netlink_packet_core::DecodeError;

use super::required;
use crate::attribute::CounterAttribute;

/// A counter, summed over all CPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: u64,
}

impl Counter {
    /// The counters of one message, which may hold several.
    ///
    /// # Errors
    ///
    /// If a value comes before any name, or a name has no value.
    pub fn from_attributes(attributes: Vec<CounterAttribute>) -> Result<Vec<Self>, DecodeError> {
        use CounterAttribute as A;
        let mut counters = Vec::new();
        let mut name = None;
        for attribute in attributes {
            match attribute {
                A::Name(value) => name = Some(value),
                A::Value(value) => counters.push(Counter {
                    name: required(name.take(), "name of a counter")?,
                    value,
                }),
                A::IfIndex(_) | A::Rule(_) | A::Other(_) => {}
            }
        }
        match name {
            None => Ok(counters),
            Some(name) => Err(format!("the module sent no value of the counter {name}").into()),
        }
    }
}
