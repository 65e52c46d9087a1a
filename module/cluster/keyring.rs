// SPDX-License-Identifier: GPL-2.0-only

//! The keys of a cluster: known by id, one of them used for sending.
//!
//! A rotation is three steps, each on all hosts before the next: add the new key, send with it, drop the old
//! one. At every moment each host knows the key that any other sends with.

use crate::kapi::hmac::{equal, overwrite, wipe, HmacKey};
use crate::nlb_core::auth::{Authenticator, Verified, STAMP_LABEL};
use crate::nlb_core::limits::{KEYS_MAX, KEY_LEN, TAG_LEN};
use crate::nlb_core::siphash::SipKey;
use kernel::prelude::*;

/// A key in the forms in which it is used; the raw bytes are not kept.
pub(crate) struct Key {
    id: u8,
    hmac: HmacKey,
    stamp: SipKey,
}

impl Key {
    /// Prepares a key, in memory of its own. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new(id: u8, raw: &[u8; KEY_LEN]) -> Result<KBox<Self>> {
        KBox::init(
            init!(Self {
                id,
                hmac <- HmacKey::init(raw),
                stamp: stamp_key(hmac),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // The prepared key wipes itself.
        overwrite(&mut self.stamp, SipKey::new(&[0; 16]));
    }
}

/// The key of the stamps, which is made of the cluster's.
fn stamp_key(hmac: &HmacKey) -> SipKey {
    let mut derived = hmac.tag(STAMP_LABEL);
    let key = SipKey::new(derived.first_chunk().unwrap_or(&[0; 16]));
    wipe(&mut derived);
    key
}

/// The keys of a cluster. Wiped when dropped.
pub(crate) struct Keyring {
    keys: [Option<KBox<Key>>; KEYS_MAX],
    sending: u8,
    authenticated: bool,
}

impl Keyring {
    /// The keyring of a cluster that is meant to have no key.
    pub(crate) const fn without_key() -> Self {
        Self {
            keys: [const { None }; KEYS_MAX],
            sending: 0,
            authenticated: false,
        }
    }

    /// A keyring with one key, used for sending. Context: process. Errors: `ENOMEM`.
    pub(crate) fn with_key(id: u8, raw: &[u8; KEY_LEN]) -> Result<Self> {
        let mut keyring = Self::without_key();
        keyring.authenticated = true;
        keyring.sending = id;
        if let Some(place) = keyring.keys.first_mut() {
            *place = Some(Key::new(id, raw)?);
        }
        Ok(keyring)
    }

    /// Knows one key more. Context: under the lock of the node. Errors: the key is given back with `EEXIST` if
    /// its id is known, `ENOSPC` if there is no room, `EINVAL` if the cluster is one without a key.
    pub(crate) fn add(&mut self, key: KBox<Key>) -> core::result::Result<(), (KBox<Key>, Error)> {
        if !self.authenticated {
            return Err((key, EINVAL));
        }
        if self.find(key.id).is_some() {
            return Err((key, EEXIST));
        }
        match self.keys.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Some(key);
                Ok(())
            }
            None => Err((key, ENOSPC)),
        }
    }

    /// Sends with the key of this id from now on. Errors: `ENOENT` if it is not known.
    pub(crate) fn send_with(&mut self, id: u8) -> Result {
        self.find(id).ok_or(ENOENT)?;
        self.sending = id;
        Ok(())
    }

    /// Forgets a key; it is wiped when what is returned is dropped. Errors: `ENOENT` if it is not known,
    /// `EBUSY` if frames are sent with it.
    pub(crate) fn remove(&mut self, id: u8) -> Result<KBox<Key>> {
        let place = self
            .keys
            .iter_mut()
            .find(|place| place.as_ref().is_some_and(|key| key.id == id))
            .ok_or(ENOENT)?;
        if self.sending == id {
            return Err(EBUSY);
        }
        place.take().ok_or(ENOENT)
    }

    /// The id of the key at a place of the list.
    pub(crate) fn nth(&self, index: usize) -> Option<u8> {
        self.keys.iter().flatten().nth(index).map(|key| key.id)
    }

    fn find(&self, id: u8) -> Option<&Key> {
        self.keys
            .iter()
            .flatten()
            .map(|key| &**key)
            .find(|key| key.id == id)
    }
}

impl Authenticator for Keyring {
    fn authenticated(&self) -> bool {
        self.authenticated
    }

    fn key_id(&self) -> u8 {
        self.sending
    }

    fn stamp(&self, key_id: u8, header: &[u8]) -> Option<u64> {
        if !self.authenticated {
            return (key_id == 0).then_some(0);
        }
        Some(self.find(key_id)?.stamp.hash(header))
    }

    fn sign(&self, key_id: u8, message: &[u8]) -> Option<[u8; TAG_LEN]> {
        if !self.authenticated {
            return (key_id == 0).then_some([0; TAG_LEN]);
        }
        self.find(key_id)?.hmac.tag(message).first_chunk().copied()
    }

    fn verify(&self, key_id: u8, message: &[u8], tag: &[u8; TAG_LEN]) -> Verified {
        if self.authenticated != (key_id != 0) {
            return Verified::UnknownKey;
        }
        match self.sign(key_id, message) {
            None => Verified::UnknownKey,
            Some(expected) if equal(&expected, tag) => Verified::Ok,
            Some(_) => Verified::Bad,
        }
    }
}
