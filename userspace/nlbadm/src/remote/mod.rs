// SPDX-License-Identifier: GPL-2.0-only

//! Remote control: what one host of a cluster asks others to do, over TCP, sealed with a key of its own.
//!
//! `nlbadm` asks, `nlbd` answers. The channel here is bytes in and bytes out; whoever uses it carries them.

mod channel;
mod order;

pub use self::channel::{Called, Calling, Channel, FRAME_MAX, GREETING_MAX, Refused, call, frame};
pub(crate) use self::order::{Change, Done, Order, Reply, Request};

use std::{fmt, path::Path};

use nlb_core::limits::KEY_LEN;

use crate::{
    failure::Failure,
    keyfile::{self, KeyFile},
};

/// The TCP port on which hosts are asked: that of Windows NLB's remote control, which is UDP (KB 198516).
pub const PORT: u16 = 2504;

/// The key of remote control. That of the heartbeats gives no control.
#[derive(Clone, PartialEq, Eq)]
pub struct ControlKey(pub(crate) [u8; KEY_LEN]);

/// Keys are not for logs.
impl fmt::Debug for ControlKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ControlKey")
    }
}

impl ControlKey {
    /// Reads a key file as `nlbadm genkey` prints it; its seed has no meaning here.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is not right, can be read by others than its owner, or holds the key of the heartbeats,
    /// which is in the file `heartbeats`.
    pub fn read(path: &Path, heartbeats: Option<&Path>) -> Result<Self, Failure> {
        let (file, open) = KeyFile::read(path)?;
        if open.is_some() {
            return Err(keyfile::refuse_open(path));
        }
        // Where that cannot be read it cannot be compared; the operator is told of that elsewhere.
        let own = heartbeats.and_then(|path| KeyFile::read(path).ok());
        if own.is_some_and(|(own, _)| own.key == file.key) {
            return Err(Failure::usage(format!(
                "the key of remote control, {}, is that of the heartbeats: make another, `(umask 077; nlbadm genkey >{})`, \
                 once for all hosts",
                path.display(),
                path.display()
            )));
        }
        Ok(ControlKey(file.key))
    }
}
