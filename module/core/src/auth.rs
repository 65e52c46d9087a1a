// SPDX-License-Identifier: GPL-2.0-only

//! What the core needs of a keyed hash.
//!
//! Two values protect a frame. The *tag* is HMAC-SHA256 cut to 128 bits over everything before it; nothing
//! of a frame counts before its tag was verified. The *stamp* is a 64-bit keyed hash of the header alone,
//! dozens of nanoseconds cheap: a flood of forged frames fails it before any digest is paid for, so that
//! the budget of digests is left to frames whose header a key holder once made.

use super::limits::TAG_LEN;

/// What a key is derived from for the stamp: the stamp key is the first 16 bytes of
/// HMAC-SHA256(cluster key, this), and the stamp is SipHash-1-3 of the header before it.
pub const STAMP_LABEL: &[u8] = b"nlb header stamp 1";

/// What became of the check of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// The tag was made with this key over these bytes.
    Ok,
    /// No such key is known here.
    UnknownKey,
    /// The key is known and the tag is wrong.
    Bad,
}

/// The keys of a cluster, as the caller holds them. The core never sees a key.
pub trait Authenticator {
    /// Whether the cluster has a key. One with a key never accepts key id 0, one without accepts no other.
    fn authenticated(&self) -> bool;

    /// The id of the key that frames are sent with: 1 to 255, or 0 for a cluster without a key.
    fn key_id(&self) -> u8;

    /// The stamp of a header (see [`STAMP_LABEL`]); `None` if the key is not known. Without a key: 0.
    fn stamp(&self, key_id: u8, header: &[u8]) -> Option<u64>;

    /// The tag of a message; `None` if the key is not known. Without a key: zeros.
    fn sign(&self, key_id: u8, message: &[u8]) -> Option<[u8; TAG_LEN]>;

    /// Checks a tag in constant time.
    fn verify(&self, key_id: u8, message: &[u8], tag: &[u8; TAG_LEN]) -> Verified;
}

/// The authenticator of a cluster without a key: it proves nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKey;

impl Authenticator for NoKey {
    fn authenticated(&self) -> bool {
        false
    }

    fn key_id(&self) -> u8 {
        0
    }

    fn stamp(&self, key_id: u8, _header: &[u8]) -> Option<u64> {
        (key_id == 0).then_some(0)
    }

    fn sign(&self, key_id: u8, _message: &[u8]) -> Option<[u8; TAG_LEN]> {
        (key_id == 0).then_some([0; TAG_LEN])
    }

    fn verify(&self, key_id: u8, _message: &[u8], tag: &[u8; TAG_LEN]) -> Verified {
        if key_id != 0 {
            Verified::UnknownKey
        } else if *tag == [0; TAG_LEN] {
            Verified::Ok
        } else {
            Verified::Bad
        }
    }
}
