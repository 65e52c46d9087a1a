// SPDX-License-Identifier: GPL-2.0-only

//! The memory of first fragments.

use super::common::*;
use nlb_core::decide::Answer;
use nlb_core::filter::Filter;
use nlb_core::fragments::{recall, remember, Cells, FragmentKey, WAYS};
use nlb_core::limits::FRAGMENT_MEMORY_NS;
use nlb_core::time::Instant;
use std::cell::Cell;

struct Table(Vec<Cell<u64>>);

impl Table {
    fn new(len: usize) -> Table {
        Table(vec![Cell::new(0); len])
    }
}

impl Cells for Table {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn load(&self, index: usize) -> u64 {
        self.0.get(index).map_or(0, Cell::get)
    }
    fn store(&self, index: usize, value: u64) {
        if let Some(cell) = self.0.get(index) {
            cell.set(value);
        }
    }
}

fn filter() -> Filter<Heap> {
    build(&settings(&[[192, 0, 2, 10].into()], &[]))
}

/// A fragment: of which client, with which identification, at which offset in units of eight bytes.
fn fragment(client: u8, id: u16, offset: u16) -> Vec<u8> {
    let mut packet = ipv4([198, 51, 100, client], [192, 0, 2, 10], 17, &[0; 16]);
    packet[4..6].copy_from_slice(&id.to_be_bytes());
    packet[6..8].copy_from_slice(&(0x2000 | offset).to_be_bytes());
    packet
}

fn key(packet: &[u8]) -> FragmentKey {
    FragmentKey::of(&filter(), packet).expect("a fragment has a key")
}

#[test]
fn later_fragments_follow_the_first() {
    let table = Table::new(64);
    let now = Instant(1 << 40);
    for (client, accepted) in [(1, true), (2, false)] {
        remember(&table, key(&fragment(client, 7, 0)), accepted, now);
    }
    assert_eq!(recall(&table, key(&fragment(1, 7, 2)), now), Answer::Known);
    assert_eq!(
        recall(&table, key(&fragment(2, 7, 2)), now),
        Answer::Refused
    );
    assert_eq!(
        recall(&table, key(&fragment(1, 8, 2)), now),
        Answer::Unknown,
        "another packet"
    );
    assert_eq!(
        recall(&table, key(&fragment(3, 7, 2)), now),
        Answer::Unknown,
        "another client"
    );
}

#[test]
fn a_whole_packet_has_no_key() {
    let packet = ipv4([198, 51, 100, 1], [192, 0, 2, 10], 17, &[0; 16]);
    assert_eq!(FragmentKey::of(&filter(), &packet), None);
    assert_eq!(FragmentKey::of(&filter(), &packet[..10]), None);
}

#[test]
fn a_first_fragment_is_forgotten_in_time() {
    let table = Table::new(64);
    let now = Instant(1 << 40);
    remember(&table, key(&fragment(1, 7, 0)), true, now);
    assert_eq!(
        recall(
            &table,
            key(&fragment(1, 7, 2)),
            now.after(FRAGMENT_MEMORY_NS - 1_000_000_000)
        ),
        Answer::Known
    );
    assert_eq!(
        recall(
            &table,
            key(&fragment(1, 7, 2)),
            now.after(FRAGMENT_MEMORY_NS + 1_000_000_000)
        ),
        Answer::Unknown
    );
}

#[test]
fn the_latest_verdict_on_a_packet_counts() {
    let table = Table::new(64);
    let now = Instant(1 << 40);
    remember(&table, key(&fragment(1, 7, 0)), false, now);
    remember(&table, key(&fragment(1, 7, 0)), true, now);
    assert_eq!(recall(&table, key(&fragment(1, 7, 2)), now), Answer::Known);
}

#[test]
fn a_full_table_forgets_the_oldest_and_never_mixes_up() {
    let table = Table::new(WAYS);
    for id in 0..100 {
        let now = Instant((1 << 40) + (u64::from(id) << 29));
        remember(&table, key(&fragment(1, id, 0)), id % 2 == 0, now);
        for earlier in 0..=id {
            let expected = match (id - earlier < WAYS as u16, earlier % 2) {
                (false, _) => Answer::Unknown,
                (true, 0) => Answer::Known,
                (true, _) => Answer::Refused,
            };
            assert_eq!(
                recall(&table, key(&fragment(1, earlier, 2)), now),
                expected,
                "{earlier} after {id}"
            );
        }
    }
}

#[test]
fn a_table_that_cannot_be_used_remembers_nothing() {
    let now = Instant(1 << 40);
    for len in [0, 1, 3, 5, 100] {
        let table = Table::new(len);
        remember(&table, key(&fragment(1, 7, 0)), true, now);
        assert_eq!(
            recall(&table, key(&fragment(1, 7, 2)), now),
            Answer::Unknown
        );
    }
}
