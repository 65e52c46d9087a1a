// SPDX-License-Identifier: GPL-2.0-only

//! Keys of the simulated hosts.

use hmac::{Hmac, KeyInit, Mac};
use nlb_core::auth::{Authenticator, Verified};
use sha2::Sha256;

use crate::plan::AuthKind;

/// The keys that a simulated host knows, and the one that it sends with.
#[derive(Clone, Debug)]
pub(crate) struct Keyring {
    kind: AuthKind,
    known: Vec<(u8, u64)>,
    active: u8,
}

impl Keyring {
    /// A ring with one key, in use; none for a cluster without a key.
    pub(crate) fn new(kind: AuthKind, id: u8, secret: u64) -> Self {
        match kind {
            AuthKind::Open => Keyring {
                kind,
                known: Vec::new(),
                active: 0,
            },
            _ => Keyring {
                kind,
                known: vec![(id, secret)],
                active: id,
            },
        }
    }

    /// First step of a rotation: another key is understood.
    pub(crate) fn add(&mut self, id: u8, secret: u64) {
        self.drop_key(id);
        self.known.push((id, secret));
    }

    /// Second step: it is used to send.
    pub(crate) fn use_key(&mut self, id: u8) {
        if self.secret(id).is_some() {
            self.active = id;
        }
    }

    /// Third step: another one is forgotten.
    pub(crate) fn drop_key(&mut self, id: u8) {
        self.known.retain(|(known, _)| *known != id);
    }

    /// Whether it is the one that is used to send.
    pub(crate) fn sends_with(&self, id: u8) -> bool {
        self.active == id
    }

    fn secret(&self, id: u8) -> Option<u64> {
        self.known
            .iter()
            .find(|(known, _)| *known == id)
            .map(|(_, secret)| *secret)
    }
}

impl Authenticator for Keyring {
    fn authenticated(&self) -> bool {
        self.kind != AuthKind::Open
    }

    fn key_id(&self) -> u8 {
        self.active
    }

    fn stamp(&self, key_id: u8, header: &[u8]) -> Option<u64> {
        if self.kind == AuthKind::Open {
            return (key_id == 0).then_some(0);
        }
        let tag = fast(self.secret(key_id)? ^ STAMP, header);
        Some(u64::from_le_bytes([
            tag[0], tag[1], tag[2], tag[3], tag[4], tag[5], tag[6], tag[7],
        ]))
    }

    fn sign(&self, key_id: u8, message: &[u8]) -> Option<[u8; 16]> {
        if self.kind == AuthKind::Open {
            return (key_id == 0).then_some([0; 16]);
        }
        Some(tag(self.kind, self.secret(key_id)?, message))
    }

    fn verify(&self, key_id: u8, message: &[u8], tag: &[u8; 16]) -> Verified {
        match self.sign(key_id, message) {
            None => Verified::UnknownKey,
            Some(right) if right == *tag => Verified::Ok,
            Some(_) => Verified::Bad,
        }
    }
}

/// Makes the key of the stamp another one than that of the tag.
const STAMP: u64 = 0x7374_616d_7073_7461;

/// Computes the tag of a frame under a key that is given by its number.
///
/// The adversary of the simulator knows neither key nor function, so the fast one is as good as the slow one to
/// it; every bit of the input reaches every bit of the tag.
pub(crate) fn tag(kind: AuthKind, key: u64, bytes: &[u8]) -> [u8; 16] {
    match kind {
        AuthKind::Open => [0; 16],
        AuthKind::Fast => fast(key, bytes),
        AuthKind::Hmac => hmac(key, bytes),
    }
}

fn hmac(key: u64, bytes: &[u8]) -> [u8; 16] {
    let mut long = [0u8; 32];
    for (index, chunk) in long.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&(key ^ index as u64).to_le_bytes());
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&long).expect("HMAC takes keys of every length");
    mac.update(bytes);
    let whole = mac.finalize().into_bytes();
    let mut tag = [0u8; 16];
    tag.copy_from_slice(&whole[..16]);
    tag
}

/// Two pairs of words that do not wait for each other take 32 bytes at a time: every frame is checked by each of up to
/// 63 receivers.
fn fast(key: u64, bytes: &[u8]) -> [u8; 16] {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (mut low, mut high) = (key ^ bytes.len() as u64, key.rotate_left(32) ^ ODD);
    let (mut other_low, mut other_high) = (!key, key.rotate_left(17) ^ ODD);
    let mut chunks = bytes.chunks_exact(32);
    for chunk in &mut chunks {
        (low, high) = mix(low ^ word(&chunk[..8]), high ^ word(&chunk[8..16]));
        (other_low, other_high) = mix(
            other_low ^ word(&chunk[16..24]),
            other_high ^ word(&chunk[24..]),
        );
    }
    for chunk in chunks.remainder().chunks(8) {
        (low, high) = mix(low ^ word(chunk), high);
    }
    (low, high) = mix(low ^ other_low, high ^ other_high.rotate_left(23));
    for _ in 0..3 {
        (low, high) = mix(low ^ ODD, high);
    }
    let mut tag = [0u8; 16];
    tag[..8].copy_from_slice(&low.to_le_bytes());
    tag[8..].copy_from_slice(&high.to_le_bytes());
    tag
}

/// Up to eight bytes as a number.
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0u8; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

/// Mixes two words by multiplications with odd numbers, which lose nothing, and by adding each to the other.
fn mix(low: u64, high: u64) -> (u64, u64) {
    let low = low.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let high = high.wrapping_mul(0x94d0_49bb_1331_11eb).rotate_left(31) ^ low;
    (low.rotate_left(27).wrapping_add(high), high)
}
