// SPDX-License-Identifier: GPL-2.0-only

//! Stations that ask for a VIP again and again, though they get an answer each time.
//!
//! Routers of some makers refuse a group's MAC for an address (RFC 1812 section 3.3.2 tells them to), and a filter between may
//! drop the answers. Then the station asks again for each packet that it has, and its clients reach nobody. Those that are
//! answered ask once in a while: Linux after 15 to 45 s, others after minutes.

use super::limits::{ASKERS, ASKS_MANY, ASKS_SPAN_NS};
use super::mac::Mac;
use super::time::Instant;

/// A station, since when its questions are counted, and how many there were.
#[derive(Clone, Copy, Debug)]
struct Asker {
    mac: Mac,
    since: Instant,
    count: u32,
}

/// The stations that asked last, as many as fit.
#[derive(Clone, Copy, Debug)]
pub struct Askers {
    list: [Asker; ASKERS],
}

impl Askers {
    /// Nobody has asked.
    #[must_use]
    pub const fn new() -> Askers {
        Askers {
            list: [Asker {
                mac: [0; 6],
                since: Instant(0),
                count: 0,
            }; ASKERS],
        }
    }

    /// A station got an answer; whether it keeps asking. That is told once in [`ASKS_SPAN_NS`] as long as it does.
    pub fn asked(&mut self, now: Instant, mac: Mac) -> bool {
        let known = self.list.iter().any(|it| it.count > 0 && it.mac == mac);
        // Without room the one that is counted longest makes some: a flood of made-up stations hides those that are real.
        let oldest = self.list.iter().map(|it| it.since).min();
        let place = self.list.iter_mut().find(|it| {
            if known {
                it.count > 0 && it.mac == mac
            } else {
                Some(it.since) == oldest
            }
        });
        let Some(it) = place else {
            return false;
        };
        if !known || now.since(it.since) >= ASKS_SPAN_NS {
            *it = Asker {
                mac,
                since: now,
                count: 0,
            };
        }
        it.count = it.count.saturating_add(1);
        it.count == ASKS_MANY
    }
}

impl Default for Askers {
    fn default() -> Askers {
        Askers::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::time::NS_PER_SEC;
    use super::*;

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
}
