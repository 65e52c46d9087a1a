// SPDX-License-Identifier: GPL-2.0-only

//! Keys: those that a cluster knows, and new ones.

use nlb_netlink::object::Key;
use serde::Serialize;

use super::Report;

/// Answer of `key list`.
#[derive(Debug, Serialize)]
pub(crate) struct KeysShape {
    pub(crate) interface: String,
    pub(crate) keys: Vec<KeyShape>,
}

/// A key, without its bytes.
#[derive(Debug, Serialize)]
pub(crate) struct KeyShape {
    pub(crate) id: u8,
    pub(crate) send: bool,
}

impl From<Key> for KeyShape {
    fn from(key: Key) -> Self {
        KeyShape {
            id: key.id,
            send: key.send,
        }
    }
}

/// Answer of `genkey`.
#[derive(Debug, Serialize)]
pub(crate) struct GenkeyShape {
    pub(crate) key: String,
    pub(crate) seed: String,
}

impl Report for KeysShape {
    fn human(&self) -> String {
        if self.keys.is_empty() {
            return "no key: anyone on the segment can take part\n".into();
        }
        self.keys
            .iter()
            .map(|key| match key.send {
                true => format!("{}  accepted, used for sending\n", key.id),
                false => format!("{}  accepted\n", key.id),
            })
            .collect()
    }
}

impl Report for GenkeyShape {
    fn human(&self) -> String {
        format!("key {}\nseed {}\n", self.key, self.seed)
    }
}
