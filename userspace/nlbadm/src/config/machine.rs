// SPDX-License-Identifier: GPL-2.0-only

//! Which host of the file this machine is.

use crate::{host::Host, kernel::Linux};

/// How this machine is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its host name; empty if it has none.
    pub(crate) hostname: String,
    /// What `/etc/machine-id` holds.
    pub(crate) id: Option<String>,
}

impl Machine {
    /// This machine. What cannot be read is as if it were not there.
    #[must_use]
    pub fn this() -> Self {
        Machine::read(&mut Linux::default())
    }

    /// This machine. What cannot be read is as if it were not there.
    pub(crate) fn read(host: &mut dyn Host) -> Self {
        let mut line = |path: &str| {
            let text = host.read(path).unwrap_or_default();
            Some(text.trim().to_owned()).filter(|line| !line.is_empty())
        };
        let hostname = line("/proc/sys/kernel/hostname").filter(|name| name != "(none)");
        Machine {
            hostname: hostname.unwrap_or_default(),
            id: line("/etc/machine-id"),
        }
    }

    /// The host name up to its first dot.
    pub(crate) fn short(&self) -> &str {
        self.hostname
            .split_once('.')
            .map_or(&self.hostname, |(short, _)| short)
    }
}
