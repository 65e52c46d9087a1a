// SPDX-License-Identifier: GPL-2.0-only

//! Remote control: what one host of a cluster asks others to do, over TCP, sealed with a key of its own. The hosts tell
//! each other of the file of their cluster by the same port, with another key.
//!
//! `nlbadm` asks, `nlbd` answers. The channel here is bytes in and bytes out; whoever uses it carries them.

mod caller;
mod channel;
mod order;

pub(crate) use self::order::{Change, Done, Order, Reply, Request};
pub use self::{
    caller::{Caller, ask_of_file},
    channel::{Called, Calling, Channel, FRAME_MAX, GREETING_MAX, Purpose, Refused, call, frame},
};

use std::{fmt, path::Path};

use hmac::{Hmac, KeyInit, Mac};
use nlb_core::limits::KEY_LEN;
use sha2::Sha256;

use crate::{
    config::Config,
    failure::Failure,
    keyfile::{self, KeyFile},
};

/// The TCP port on which hosts are asked: that of Windows NLB's remote control, which is UDP (KB 198516).
pub const PORT: u16 = 2504;

/// What the key of the file is made of, beside another key.
const REPLICA: &[u8] = b"nlb: the file of a cluster on all hosts, 1";

/// The key of remote control, or that of the file. That of the heartbeats gives no control.
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

    /// The key by which hosts tell each other of the file of their cluster; none if they do not. It is made of the key of
    /// remote control where there is one, and of that of the heartbeats elsewhere.
    ///
    /// # Errors
    ///
    /// If that key cannot be read, is not right, or can be read by others than its owner.
    pub fn of_file(config: &Config) -> Result<Option<Self>, Failure> {
        if !config.replicates() {
            return Ok(None);
        }
        let key = match (config.control_key(), config.key()) {
            (Some(path), heartbeats) => ControlKey::read(path, heartbeats)?,
            (None, Some(path)) => ControlKey::read(path, None)?,
            // Such a file is refused.
            (None, None) => return Ok(None),
        };
        Ok(Some(key.derived()))
    }

    /// Whether this, the key of the file, is the one that a text makes of the file, too. If it were another, the hosts that
    /// have the text could not be asked by those that have not.
    ///
    /// # Errors
    ///
    /// If it is another one, or cannot be read.
    pub fn stays(&self, path: &Path, text: &str) -> Result<(), Failure> {
        let config = Config::parse(path, text.into())?;
        match Self::of_file(&config)? {
            Some(key) if key != *self => Err(Failure::usage(
                "with remote-control, key-file or control-key-file of this file, hosts tell each other of it by another key: \
                 change these on each host by hand, and `systemctl reload nlbd` there",
            )),
            _ => Ok(()),
        }
    }

    fn derived(&self) -> Self {
        // A key of any length is one.
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0);
        let mac = mac.map(|mac| mac.chain_update(REPLICA).finalize().into_bytes());
        ControlKey(mac.map_or(self.0, Into::into))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn the_file_has_a_key_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str, byte: &str, mode: u32| {
            fs::write(at(name), format!("key {}A=\n", byte.repeat(42))).unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        write("own", "A", 0o600);
        write("control", "B", 0o600);
        let key = |lines: &str| {
            let text = format!(
                "[cluster]\nvips = [\"192.0.2.10\"]\ninterface = \"eth1\"\nkey-file = \"own\"\n{lines}\n[host.a]\nid = 1\n"
            );
            let config = Config::parse(&at("web.toml"), text).unwrap();
            ControlKey::of_file(&config)
        };
        let control = "remote-control = true\ncontrol-key-file = \"control\"\n";
        assert_eq!(key(control).unwrap(), None, "it is off");
        let alone = key("replicate = true").unwrap().unwrap();
        let with = key(&format!("{control}replicate = true")).unwrap().unwrap();
        let [own, control_key] =
            ["own", "control"].map(|name| ControlKey::read(&at(name), None).unwrap());
        let all = [&alone, &with, &own, &control_key].map(|key| key.0);
        for (number, key) in all.iter().enumerate() {
            assert!(
                !all[..number].contains(key),
                "key {number} is that of something else"
            );
        }
        let text = |lines: &str| {
            format!(
                "[cluster]\nvips = [\"192.0.2.10\"]\ninterface = \"eth1\"\nkey-file = \"own\"\n{lines}\n[host.a]\nid = 1\n"
            )
        };
        let file = at("web.toml");
        assert!(
            alone
                .stays(&file, &text("replicate = true\ntolerance = 7"))
                .is_ok()
        );
        assert!(
            alone
                .stays(&file, &text(&format!("{control}replicate = true")))
                .is_err()
        );
        assert!(alone.stays(&file, &text("")).is_ok(), "others refuse that");
        write("own", "A", 0o644);
        assert!(key("replicate = true").is_err(), "others can read it");
    }
}
