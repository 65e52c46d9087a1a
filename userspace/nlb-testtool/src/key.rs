// SPDX-License-Identifier: GPL-2.0-only
//! A cluster's key, as a holder of it uses it.

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use nlb_core::auth::{Authenticator, STAMP_LABEL, Verified};
use nlb_core::limits::{KEY_LEN, SEED_LEN, TAG_LEN};
use nlb_core::siphash::SipKey;
use sha2::Sha256;

/// What stands in a key file as `nlbadm genkey` prints it.
pub(crate) struct Secrets {
    pub(crate) key: [u8; KEY_LEN],
    pub(crate) seed: [u8; SEED_LEN],
}

impl Secrets {
    /// Those of a file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let (key, seed) = (line(&text, "key")?, line(&text, "seed")?);
        Ok(Self {
            key: key
                .try_into()
                .ok()
                .context("the key is too short or too long")?,
            seed: seed
                .try_into()
                .ok()
                .context("the seed is too short or too long")?,
        })
    }
}

/// What stands behind a word.
fn line(text: &str, word: &str) -> Result<Vec<u8>> {
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    let encoded = found.with_context(|| format!("no line with a {word}"))?;
    Ok(STANDARD.decode(encoded.trim())?)
}

/// One key; it signs and verifies.
pub(crate) struct Key {
    id: u8,
    hmac: Hmac<Sha256>,
    stamp: SipKey,
}

impl Key {
    /// A key of these bytes.
    pub(crate) fn new(id: u8, raw: &[u8]) -> Self {
        let hmac = Hmac::new_from_slice(raw).expect("HMAC takes keys of every length");
        let stamp = SipKey::new(&tag(&hmac, STAMP_LABEL));
        Self { id, hmac, stamp }
    }

    /// The key of a file as `nlbadm genkey` prints it.
    pub(crate) fn read(id: u8, path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Ok(Self::new(id, &line(&text, "key")?))
    }
}

/// HMAC-SHA256, cut to the length of a tag.
fn tag(hmac: &Hmac<Sha256>, bytes: &[u8]) -> [u8; TAG_LEN] {
    let mut mac = hmac.clone();
    mac.update(bytes);
    let mut tag = [0; TAG_LEN];
    tag.copy_from_slice(&mac.finalize().into_bytes()[..TAG_LEN]);
    tag
}

impl Authenticator for Key {
    fn authenticated(&self) -> bool {
        true
    }

    fn key_id(&self) -> u8 {
        self.id
    }

    fn stamp(&self, key_id: u8, header: &[u8]) -> Option<u64> {
        (key_id == self.id).then(|| self.stamp.hash(header))
    }

    fn sign(&self, key_id: u8, message: &[u8]) -> Option<[u8; TAG_LEN]> {
        (key_id == self.id).then(|| tag(&self.hmac, message))
    }

    fn verify(&self, key_id: u8, message: &[u8], given: &[u8; TAG_LEN]) -> Verified {
        match self.sign(key_id, message) {
            None => Verified::UnknownKey,
            Some(right) if right == *given => Verified::Ok,
            Some(_) => Verified::Bad,
        }
    }
}
