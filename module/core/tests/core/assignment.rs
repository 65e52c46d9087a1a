// SPDX-License-Identifier: GPL-2.0-only

//! Bucket assignment against a plain statement of Webster's method, over random sequences of joins, leaves and changes
//! of weight.

use nlb_core::assign::{assign, Weights};
use nlb_core::config::SlotKind;
use nlb_core::host::{HostId, HostSet};
use proptest::prelude::*;

struct Table([u8; 64], HostSet);

impl Weights for Table {
    fn eligible(&self) -> HostSet {
        self.1
    }

    fn weight(&self, host: HostId) -> u8 {
        self.0[host.index()]
    }
}

/// Gives one bucket after the other to the host with the highest weight ÷ (2 × owned + 1); the lower id of equals.
fn webster(buckets: usize, weights: &Table) -> [u16; 64] {
    let mut owned = [0u16; 64];
    for _ in 0..buckets {
        let mut best: Option<usize> = None;
        for host in weights
            .1
            .iter()
            .map(HostId::index)
            .filter(|host| weights.0[*host] > 0)
        {
            let odd = |host: usize| 2 * u64::from(owned[host]) + 1;
            let wins = |other: usize| {
                u64::from(weights.0[host]) * odd(other) > u64::from(weights.0[other]) * odd(host)
            };
            if best.is_none_or(wins) {
                best = Some(host);
            }
        }
        let Some(best) = best else { break };
        owned[best] += 1;
    }
    owned
}

fn count(map: &[u8]) -> [u16; 64] {
    let mut owned = [0u16; 64];
    for owner in map.iter().filter(|owner| **owner != 0) {
        owned[usize::from(*owner) - 1] += 1;
    }
    owned
}

/// What happens to a cluster: a host gets this weight, or 0: it is gone.
fn history() -> impl Strategy<Value = Vec<(usize, u8)>> {
    proptest::collection::vec((0usize..64, prop_oneof![Just(0u8), 1u8..=100]), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn quotas_are_websters_and_nothing_moves_between_hosts_that_stay(
        events in history(),
        buckets in prop_oneof![Just(60usize), Just(64), Just(257), Just(1024), Just(4096)],
        equal in any::<bool>(),
    ) {
        let mut map = vec![0u8; buckets];
        let mut table = Table([0; 64], HostSet::EMPTY);
        for (host, weight) in events {
            let id = HostId::from_index(host).unwrap();
            let weight = if equal && weight > 0 { 50 } else { weight };
            table.0[host] = weight;
            table.1 = if weight == 0 { table.1.without(id) } else { table.1.with(id) };
            let before = map.clone();
            let moved = assign(&mut map, SlotKind::Weighted, &table);
            let owned = count(&map);
            prop_assert_eq!(owned, webster(buckets, &table));
            let changed = before.iter().zip(&map).filter(|(old, new)| old != new);
            prop_assert_eq!(changed.clone().count(), moved.buckets as usize);
            // Whatever moved came from, or went to, the host that the event was about.
            let collateral = changed.filter(|(old, new)| **old != id.get() && **new != id.get() && **old != 0);
            prop_assert_eq!(collateral.count(), 0);
            if table.1.is_empty() {
                prop_assert!(map.iter().all(|owner| *owner == 0));
            }
        }
    }

    #[test]
    fn several_changes_at_once_move_no_more_than_they_must(
        before in proptest::collection::vec(0u8..=100, 64),
        after in proptest::collection::vec(0u8..=100, 64),
    ) {
        let table = |weights: &[u8]| {
            let mut table = Table([0; 64], HostSet::EMPTY);
            for (host, weight) in HostId::all().zip(weights) {
                table.0[host.index()] = *weight;
                table.1.insert(host);
            }
            table
        };
        let mut map = vec![0u8; 4096];
        assign(&mut map, SlotKind::Weighted, &table(&before));
        let old = count(&map);
        let moved = assign(&mut map, SlotKind::Weighted, &table(&after));
        let new = count(&map);
        let least: u32 = old.iter().zip(&new).map(|(old, new)| u32::from(old.saturating_sub(*new))).sum();
        let from_nobody = 4096 - old.iter().map(|n| u32::from(*n)).sum::<u32>();
        prop_assert_eq!(moved.buckets, least + from_nobody);
        for (host, (old, new)) in HostId::all().zip(old.iter().zip(&new)) {
            prop_assert_eq!(moved.losers.contains(host), new < old);
        }
    }
}

#[test]
fn equal_weights_are_within_two_percent_at_every_size() {
    for hosts in 1..=64usize {
        let mut table = Table([0; 64], HostSet::EMPTY);
        for host in HostId::all().take(hosts) {
            table.0[host.index()] = 50;
            table.1.insert(host);
        }
        let mut map = vec![0u8; 4096];
        assign(&mut map, SlotKind::Weighted, &table);
        let most = count(&map).into_iter().max().unwrap();
        let ratio = f64::from(most) * hosts as f64 / 4096.0;
        assert!(ratio <= 1.02, "{hosts} hosts: {ratio}");
    }
}

#[test]
fn a_single_slot_belongs_to_the_best_priority() {
    let mut table = Table([0; 64], HostSet(0b1110));
    table.0[0] = 1;
    table.0[1] = 7;
    table.0[2] = 3;
    table.0[3] = 3;
    let mut map = vec![2u8; 64];
    let moved = assign(&mut map, SlotKind::Single, &table);
    assert!(
        map.iter().all(|owner| *owner == 3),
        "host 1 is not eligible, host 3 beats host 4 by its id"
    );
    assert_eq!(moved.buckets, 64);
    assert!(moved.losers.contains(HostId::new(2).unwrap()));
    table.1 = HostSet::EMPTY;
    assign(&mut map, SlotKind::Single, &table);
    assert!(map.iter().all(|owner| *owner == 0));
}
