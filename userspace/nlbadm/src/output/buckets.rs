// SPDX-License-Identifier: GPL-2.0-only

//! Who owns which buckets, and who may hold connections of others.

use nlb_core::limits::BUCKETS;
use nlb_netlink::object::{BucketMap, Residue};
use serde::Serialize;

use super::{
    Report,
    table::layout,
    text::{milliseconds, percent},
};

/// Answer of `buckets`.
#[derive(Debug, Serialize)]
pub(crate) struct BucketsShape {
    pub(crate) interface: String,
    pub(crate) maps: Vec<MapShape>,
    /// Whether the text for people lists the ranges as well.
    #[serde(skip)]
    pub(crate) all: bool,
}

/// A bucket map.
#[derive(Debug, Serialize)]
pub(crate) struct MapShape {
    /// The number of the rule; the slot after the last is for what no rule covers.
    pub(crate) slot: u16,
    /// What the rule covers, for people.
    #[serde(skip)]
    pub(crate) rule: Option<String>,
    pub(crate) generation: u64,
    pub(crate) hosts: Vec<ShareShape>,
    pub(crate) ranges: Vec<RangeShape>,
    /// Hosts that may hold connections of buckets that others own.
    pub(crate) residue: Vec<ResidueShape>,
}

/// What a host may hold of a map without owning it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ResidueShape {
    pub(crate) host_id: u8,
    pub(crate) buckets: usize,
    /// For how long that host has had residue, in this map or another; null while that is not known.
    pub(crate) since_ms: Option<u64>,
    /// First and last bucket of each range.
    pub(crate) ranges: Vec<[u16; 2]>,
}

impl From<Residue> for ResidueShape {
    fn from(residue: Residue) -> Self {
        let mut ranges: Vec<[u16; 2]> = Vec::new();
        for &bucket in &residue.buckets {
            match ranges.last_mut() {
                Some([_, last]) if last.checked_add(1) == Some(bucket) => *last = bucket,
                _ => ranges.push([bucket, bucket]),
            }
        }
        ResidueShape {
            host_id: residue.host_id,
            buckets: residue.buckets.len(),
            since_ms: None,
            ranges,
        }
    }
}

/// What one host owns of a map.
#[derive(Debug, Serialize)]
pub(crate) struct ShareShape {
    /// Null: the buckets that nobody owns.
    pub(crate) host_id: Option<u8>,
    pub(crate) buckets: usize,
    pub(crate) share_percent: f64,
}

/// Buckets beside each other that have one owner.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RangeShape {
    pub(crate) first: usize,
    pub(crate) last: usize,
    pub(crate) host_id: Option<u8>,
}

impl From<BucketMap> for MapShape {
    fn from(map: BucketMap) -> Self {
        let host = |id: u8| Some(id).filter(|&id| id != 0);
        let mut ids = map.owners.clone();
        ids.sort_unstable();
        ids.dedup();
        let hosts = ids
            .into_iter()
            .map(|id| {
                let buckets = map.owners.iter().filter(|&&owner| owner == id).count();
                ShareShape {
                    host_id: host(id),
                    buckets,
                    share_percent: share_percent(buckets),
                }
            })
            .collect();
        let mut ranges: Vec<RangeShape> = Vec::new();
        for (bucket, &owner) in map.owners.iter().enumerate() {
            match ranges.last_mut() {
                Some(range) if range.host_id == host(owner) => range.last = bucket,
                _ => ranges.push(RangeShape {
                    first: bucket,
                    last: bucket,
                    host_id: host(owner),
                }),
            }
        }
        MapShape {
            slot: map.slot,
            rule: None,
            generation: map.generation,
            hosts,
            ranges,
            residue: map.residue.into_iter().map(Into::into).collect(),
        }
    }
}

/// The share of buckets, in percent with two digits.
pub(super) fn share_percent(buckets: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few thousand buckets")]
    let share = buckets as f64 / BUCKETS as f64;
    (share * 10_000.0).round() / 100.0
}

impl Report for BucketsShape {
    fn human(&self) -> String {
        if self.maps.is_empty() {
            return "no bucket map yet\n".into();
        }
        let maps: Vec<_> = self
            .maps
            .iter()
            .map(|map| bucket_map(map, self.all))
            .collect();
        maps.join("\n")
    }
}

fn bucket_map(map: &MapShape, all: bool) -> String {
    let host = |id: Option<u8>| id.map_or_else(|| "nobody".into(), |id| format!("host {id}"));
    let rule = match &map.rule {
        Some(coverage) => format!("rule {} ({coverage})", map.slot),
        None => "what no rule covers".into(),
    };
    let mut text = format!("{rule}, generation {}\n", map.generation);
    let shares: Vec<_> = map
        .hosts
        .iter()
        .map(|share| {
            vec![
                host(share.host_id),
                format!("{} buckets", share.buckets),
                percent(share.share_percent),
            ]
        })
        .collect();
    text.push_str(&layout("  ", &shares));
    for residue in &map.residue {
        let since = match residue.since_ms {
            Some(ms) => format!(", for {}", milliseconds(ms)),
            None => String::new(),
        };
        text.push_str(&format!(
            "  residue: host {} may hold connections of {} buckets that others own{since}\n",
            residue.host_id, residue.buckets
        ));
    }
    if all {
        let ranges: Vec<_> = map
            .ranges
            .iter()
            .map(|range| {
                vec![
                    format!("{}-{}", range.first, range.last),
                    host(range.host_id),
                ]
            })
            .collect();
        text.push_str(&layout("    ", &ranges));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_a_map_without_gap() {
        let shape = MapShape::from(BucketMap {
            slot: 0,
            generation: 1,
            owners: vec![1, 1, 2, 0, 0, 2],
            residue: vec![Residue {
                host_id: 3,
                buckets: vec![0, 1, 4, 5],
            }],
        });
        assert_eq!(shape.residue[0].ranges, [[0, 1], [4, 5]]);
        let ranges: Vec<_> = shape
            .ranges
            .iter()
            .map(|range| (range.first, range.last, range.host_id))
            .collect();
        assert_eq!(
            ranges,
            [
                (0, 1, Some(1)),
                (2, 2, Some(2)),
                (3, 4, None),
                (5, 5, Some(2))
            ]
        );
        let shares: Vec<_> = shape
            .hosts
            .iter()
            .map(|share| (share.host_id, share.buckets))
            .collect();
        assert_eq!(shares, [(None, 2), (Some(1), 2), (Some(2), 2)]);
    }
}
