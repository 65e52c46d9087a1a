// SPDX-License-Identifier: GPL-2.0-only

//! What can go wrong between this program and the kernel.

use std::{fmt, io};

use netlink_packet_core::DecodeError;
use thiserror::Error;

/// What can go wrong between this program and the kernel.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel knows no family of this name: the module is not loaded.
    #[error("the kernel has no generic netlink family {0:?}")]
    NoFamily(&'static str),
    /// The family is of another version than this library.
    #[error("the module has version {module} of the netlink family, and this program {ours}")]
    OtherVersion {
        /// The module's.
        module: u32,
        /// This library's.
        ours: u8,
    },
    /// The family has no such multicast group.
    #[error("the generic netlink family has no multicast group {0:?}")]
    NoGroup(&'static str),
    /// The kernel refused a request.
    #[error("{0}")]
    Refused(Refusal),
    /// What the kernel sent cannot be read.
    #[error("what the kernel sent cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// A list changed while it was read, every time that it was read.
    #[error("the list changed while it was read, {0} times in a row")]
    Torn(usize),
    /// Notifications came faster than they were read, and some are lost.
    #[error("notifications were lost because they came faster than they were read")]
    Lost,
    /// The socket failed.
    #[error("netlink socket: {0}")]
    Io(#[from] io::Error),
}

impl Error {
    /// The error number of a refusal, positive.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Error::Refused(refusal) => Some(refusal.errno),
            _ => None,
        }
    }
}

/// Why the kernel refused a request: the error number, and what the extended acknowledgement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Error number, positive.
    pub errno: i32,
    /// The kernel's words.
    pub text: Option<String>,
    /// The attribute that was wrong, by its name in the specification.
    pub attribute: Option<String>,
    /// The attribute that was missing, by its name in the specification.
    pub missing: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => f.write_str(text)?,
            None => {
                let text = io::Error::from_raw_os_error(self.errno).to_string();
                // The number in brackets is for programs; they have the exit code.
                f.write_str(text.split(" (os error").next().unwrap_or(&text))?;
            }
        }
        if let Some(attribute) = &self.attribute {
            write!(f, " (attribute {attribute})")?;
        }
        if let Some(missing) = &self.missing {
            write!(f, " (missing attribute {missing})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(errno: i32) -> Refusal {
        Refusal {
            errno,
            text: None,
            attribute: None,
            missing: None,
        }
    }

    #[test]
    fn without_a_text_the_error_number_speaks() {
        assert_eq!(refusal(1).to_string(), "Operation not permitted");
    }

    #[test]
    fn the_attribute_is_named() {
        let refusal = Refusal {
            text: Some("host id must be 1 to 64".into()),
            attribute: Some("cluster.host-id".into()),
            ..refusal(22)
        };
        assert_eq!(
            refusal.to_string(),
            "host id must be 1 to 64 (attribute cluster.host-id)"
        );
    }
}
