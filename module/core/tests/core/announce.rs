// SPDX-License-Identifier: GPL-2.0-only

//! When the VIPs are announced again.

use nlb_core::announce::Announcer;
use nlb_core::time::{Instant, NS_PER_MS, NS_PER_SEC};

fn at(ms: u64) -> Instant {
    Instant(ms * NS_PER_MS)
}

/// All announcements that become due until `end`, in ms.
fn due_until(announcer: &mut Announcer, end: u64) -> Vec<u64> {
    let mut sent = Vec::new();
    while announcer.due() <= at(end) {
        let now = announcer.due();
        assert!(announcer.expired(now));
        sent.push(now.0 / NS_PER_MS);
    }
    sent
}

#[test]
fn nothing_is_announced_unasked() {
    let mut announcer = Announcer::new();
    assert_eq!(announcer.due(), Instant::NEVER);
    assert!(!announcer.expired(at(1_000_000_000)));
}

#[test]
fn an_announcement_is_repeated_within_seconds_and_refreshed_for_ten_minutes() {
    let mut announcer = Announcer::new();
    announcer.begin(at(5));
    assert!(!announcer.expired(at(1_004)));
    let sent = due_until(&mut announcer, 10_000_000);
    assert_eq!(sent[..4], [1_005, 3_005, 7_005, 67_005]);
    assert_eq!(sent.len(), 3 + 9);
    assert!(*sent.last().unwrap() <= 5 + 600_000);
    assert_eq!(announcer.due(), Instant::NEVER);
}

#[test]
fn a_late_timer_skips_nothing_and_repeats_nothing() {
    let mut announcer = Announcer::new();
    announcer.begin(at(0));
    assert!(announcer.expired(at(30_000)));
    assert!(!announcer.expired(at(30_000)));
    assert_eq!(announcer.due(), at(32_000));
}

#[test]
fn something_new_begins_the_series_anew() {
    let mut announcer = Announcer::new();
    announcer.begin(at(0));
    due_until(&mut announcer, 400_000);
    announcer.begin(at(400_000));
    let sent = due_until(&mut announcer, 10_000_000);
    assert_eq!(sent[0], 401_000);
    assert!(*sent.last().unwrap() > 900_000);
}

#[test]
fn a_series_that_ends_says_no_more() {
    let mut announcer = Announcer::new();
    announcer.begin(at(0));
    announcer.end();
    assert_eq!(announcer.due(), Instant::NEVER);
    assert!(!announcer.expired(Instant(3_600 * NS_PER_SEC)));
}
