// SPDX-License-Identifier: GPL-2.0-only

//! Bucket maps.

use std::collections::BTreeMap;

use netlink_packet_core::DecodeError;
use nlb_core::limits::BUCKETS;

use super::required;
use crate::attribute::BucketAttribute;

/// A bucket map: which host owns which bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketMap {
    /// Slot of the map: the number of its rule; the one after the last is for what no rule covers.
    pub slot: u16,
    /// Generation of the map.
    pub generation: u64,
    /// A host id for each bucket, 0 for nobody.
    pub owners: Vec<u8>,
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
            let (slot, first, owners, generation) = parts(piece)?;
            let map = maps.entry(slot).or_insert_with(|| BucketMap {
                slot,
                generation,
                owners: Vec::new(),
            });
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

fn parts(attributes: Vec<BucketAttribute>) -> Result<(u16, u16, Vec<u8>, u64), DecodeError> {
    use BucketAttribute as A;
    let (mut slot, mut first, mut owners, mut generation) = (None, None, None, 0);
    for attribute in attributes {
        match attribute {
            A::Slot(value) => slot = Some(value),
            A::First(value) => first = Some(value),
            A::Owners(value) => owners = Some(value),
            A::Generation(value) => generation = value,
            A::IfIndex(_) | A::Other(_) => {}
        }
    }
    Ok((
        required(slot, "slot of a bucket map")?,
        required(first, "first bucket of a map")?,
        required(owners, "owners of a bucket map")?,
        generation,
    ))
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
    fn a_piece_outside_the_map_is_an_error() {
        assert!(BucketMap::from_dump([piece(0, 4095, vec![1, 1])]).is_err());
        assert!(BucketMap::from_dump([piece(0, 4095, vec![1])]).is_ok());
    }
}
