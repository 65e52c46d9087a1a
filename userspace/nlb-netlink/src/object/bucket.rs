// SPDX-License-Identifier: GPL-2.0-only

//! Bucket maps.

use std::collections::BTreeMap;

use netlink_packet_core::DecodeError;
use nlb_core::limits::BUCKETS;

use super::required;
use crate::{attribute::BucketAttribute, reply::BucketGet};

/// A bucket map: which host owns which bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketMap {
    /// Slot of the map: the number of its rule; the one after the last is for what no rule covers.
    pub slot: u16,
    /// Generation of the map.
    pub generation: u64,
    /// A host id for each bucket, 0 for nobody.
    pub owners: Vec<u8>,
    /// What hosts may hold of buckets that they do not own, by host id.
    pub residue: Vec<Residue>,
}

/// The buckets of a map that a host does not own but may hold sessions of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residue {
    /// The host.
    pub host_id: u8,
    /// The buckets, in their order.
    pub buckets: Vec<u16>,
}

impl BucketMap {
    /// The maps from the messages of a dump; a map may come in pieces.
    ///
    /// # Errors
    ///
    /// If a piece lacks an attribute or lies outside a map.
    pub fn from_dump(
        pieces: impl IntoIterator<Item = Vec<BucketAttribute>>,
    ) -> Result<Vec<Self>, DecodeError> {
        let mut maps: BTreeMap<u16, BucketMap> = BTreeMap::new();
        for piece in pieces {
            let piece = BucketGet::from(piece);
            let slot = required(piece.slot, "slot of a bucket map")?;
            let map = maps.entry(slot).or_insert_with(|| BucketMap {
                slot,
                generation: piece.generation.unwrap_or_default(),
                owners: Vec::new(),
                residue: Vec::new(),
            });
            if let Some(host_id) = piece.holder {
                let bits = required(piece.residue, "residue of a host")?;
                map.residue.push(Residue {
                    host_id,
                    buckets: buckets(&bits)?,
                });
                continue;
            }
            let first = required(piece.first, "first bucket of a map")?;
            let owners = required(piece.owners, "owners of a bucket map")?;
            let first = usize::from(first);
            let end = first.saturating_add(owners.len());
            if end > BUCKETS {
                return Err(format!("the module sent buckets up to {end} of {BUCKETS}").into());
            }
            if map.owners.len() < end {
                map.owners.resize(end, 0);
            }
            if let Some(range) = map.owners.get_mut(first..end) {
                range.copy_from_slice(&owners);
            }
        }
        Ok(maps.into_values().collect())
    }
}

/// The numbers of the bits that are set.
fn buckets(bits: &[u8]) -> Result<Vec<u16>, DecodeError> {
    if bits.len() * 8 > BUCKETS {
        return Err(format!(
            "the module sent {} bits for {BUCKETS} buckets",
            bits.len() * 8
        )
        .into());
    }
    let words = bits.chunks_exact(8).map(|word| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(word);
        u64::from_ne_bytes(bytes)
    });
    let buckets = (0u16..).step_by(64).zip(words).flat_map(|(first, word)| {
        (0..64u16).filter_map(move |bit| ((word >> bit) & 1 != 0).then_some(first + bit))
    });
    Ok(buckets.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(slot: u16, first: u16, owners: Vec<u8>) -> Vec<BucketAttribute> {
        vec![
            BucketAttribute::Slot(slot),
            BucketAttribute::First(first),
            BucketAttribute::Owners(owners),
            BucketAttribute::Generation(7),
        ]
    }

    #[test]
    fn pieces_are_joined_by_slot() {
        let maps = BucketMap::from_dump([
            piece(0, 0, vec![1, 2]),
            piece(1, 0, vec![3]),
            piece(0, 2, vec![1]),
        ])
        .unwrap();
        assert_eq!(maps.len(), 2);
        assert_eq!(maps[0].owners, [1, 2, 1]);
        assert_eq!(maps[1].owners, [3]);
        assert_eq!(maps[1].generation, 7);
    }

    #[test]
    fn residue_is_the_numbers_of_its_bits() {
        let mut bits = [0u64; 64];
        bits[0] = 0b101;
        bits[63] = 1 << 63;
        let bits = bits.map(u64::to_ne_bytes).concat();
        let residue = |bits: Vec<u8>| {
            vec![
                BucketAttribute::Slot(0),
                BucketAttribute::Holder(3),
                BucketAttribute::Residue(bits),
            ]
        };
        let maps = BucketMap::from_dump([piece(0, 0, vec![1, 2]), residue(bits.clone())]).unwrap();
        assert_eq!(maps[0].owners, [1, 2]);
        assert_eq!(maps[0].residue.len(), 1);
        assert_eq!(maps[0].residue[0].host_id, 3);
        assert_eq!(maps[0].residue[0].buckets, [0, 2, 4095]);
        assert!(BucketMap::from_dump([residue([&bits[..], &[0; 8]].concat())]).is_err());
        let mut without = residue(bits);
        without.truncate(2);
        assert!(BucketMap::from_dump([without]).is_err());
    }

    #[test]
    fn a_piece_outside_the_map_is_an_error() {
        assert!(BucketMap::from_dump([piece(0, 4095, vec![1, 1])]).is_err());
        assert!(BucketMap::from_dump([piece(0, 4095, vec![1])]).is_ok());
    }
}
