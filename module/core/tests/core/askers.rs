// SPDX-License-Identifier: GPL-2.0-only

//! Stations that keep asking for a VIP.

use nlb_core::askers::Askers;
use nlb_core::limits::{ASKERS, ASKS_MANY, ASKS_SPAN_NS};
use nlb_core::mac::Mac;
use nlb_core::time::{Instant, NS_PER_SEC};

fn mac(number: u8) -> Mac {
    [2, 0, 0, 0, 0, number]
}

/// When a station that asks each so many seconds is told of, in an hour.
fn told(askers: &mut Askers, gap_s: u64, mac: Mac) -> Vec<u64> {
    (1..3600)
        .step_by(gap_s as usize)
        .filter(|second| askers.asked(Instant(second * NS_PER_SEC), mac))
        .collect()
}

#[test]
fn a_station_that_is_answered_is_no_news() {
    for gap in [5, 15, 45] {
        assert_eq!(told(&mut Askers::new(), gap, mac(1)), []);
    }
}

#[test]
fn a_station_that_asks_each_second_is_told_of_and_again_each_half_minute() {
    let told = told(&mut Askers::new(), 1, mac(1));
    assert_eq!(told[0], u64::from(ASKS_MANY));
    for pair in told.windows(2) {
        assert_eq!((pair[1] - pair[0]) * NS_PER_SEC, ASKS_SPAN_NS);
    }
}

#[test]
fn one_is_found_among_many() {
    let mut askers = Askers::new();
    let mut told = Vec::new();
    for second in 1..100 {
        for station in 2..ASKERS as u8 {
            if second % 20 == 0 {
                assert!(!askers.asked(Instant(second * NS_PER_SEC), mac(station)));
            }
        }
        if askers.asked(Instant(second * NS_PER_SEC), mac(1)) {
            told.push(second);
        }
    }
    assert!(told.len() >= 3, "{told:?}");
}

#[test]
fn a_flood_of_stations_is_bounded() {
    let mut askers = Askers::new();
    for number in 0..100_000u32 {
        let [a, b, c, d] = number.to_be_bytes();
        assert!(!askers.asked(Instant(u64::from(number)), [2, 0, a, b, c, d]));
    }
}
