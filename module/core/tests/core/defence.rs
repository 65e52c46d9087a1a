// SPDX-License-Identifier: GPL-2.0-only

//! When VIPs are defended: soon, once more, and never without end.

use nlb_core::defence::Defence;
use nlb_core::limits::{DEFEND_AGAIN_NS, DEFEND_GAP_MAX_NS, DEFEND_QUIET_NS};
use nlb_core::time::{Instant, NS_PER_MS, NS_PER_SEC};

const START: Instant = Instant(1000 * NS_PER_SEC);

/// Milliseconds from the start.
fn at(ms: u64) -> Instant {
    START.after(ms * NS_PER_MS)
}

/// All announcements until `end`, in ms from the start, with what claims at these times cause.
fn announcements(defence: &mut Defence, claims: &[u64], end: u64) -> Vec<u64> {
    let mut sent = Vec::new();
    for ms in 0..end {
        if claims.contains(&ms) && defence.claimed(at(ms), 0) != 0 {
            sent.push(ms);
        }
        if defence.due() <= at(ms) {
            assert_ne!(defence.expired(at(ms)), 0);
            sent.push(ms);
        }
    }
    sent
}

#[test]
fn a_claim_is_contradicted_at_once_and_once_more() {
    let mut defence = Defence::new();
    assert_eq!(defence.due(), Instant::NEVER);
    assert_eq!(announcements(&mut defence, &[5], 100_000), [5, 1105]);
    assert_eq!(defence.due(), Instant::NEVER);
    assert_eq!(defence.expired(at(100_000)), 0, "nothing is due");
}

#[test]
fn each_of_the_first_claims_is_contradicted_late_enough_to_be_believed_and_within_three_seconds() {
    for gap in (50..2000).step_by(75) {
        let claims: Vec<u64> = (0..4).map(|n| n * gap).collect();
        let sent = announcements(&mut Defence::new(), &claims, 100_000);
        for claim in &claims {
            let believed = claim + DEFEND_AGAIN_NS / NS_PER_MS;
            assert!(
                sent.iter().any(|&ms| ms >= believed && ms <= claim + 3000),
                "a claim at {claim} of {claims:?}: {sent:?}"
            );
        }
    }
}

#[test]
fn only_the_claimed_vips_are_announced() {
    let mut defence = Defence::new();
    assert_eq!(defence.claimed(at(0), 3), 1 << 3);
    assert_eq!(defence.claimed(at(10), 63), 0, "too soon");
    assert_eq!(defence.expired(at(1100)), (1 << 3) | (1 << 63));
    // The second claim was ten milliseconds late for that.
    let due = defence.due();
    assert_ne!(due, Instant::NEVER);
    assert_eq!(defence.expired(due), (1 << 3) | (1 << 63));
    assert_eq!(defence.due(), Instant::NEVER);
    assert_eq!(
        defence.claimed(at(30_000), 1),
        1 << 1,
        "the others are at peace"
    );
}

#[test]
fn a_station_that_never_stops_is_contradicted_at_the_pace_of_the_rfc() {
    let claims: Vec<u64> = (0..6000).map(|n| n * 100).collect();
    let sent = announcements(&mut Defence::new(), &claims, 600_000);
    let late = sent.iter().filter(|&&ms| ms >= 300_000).count() as u64;
    let slow = 300 * NS_PER_SEC / DEFEND_GAP_MAX_NS;
    assert!(
        (slow - 1..=slow + 1).contains(&late),
        "{late} in five minutes"
    );
    let quick = sent.iter().filter(|&&ms| ms < 60_000).count();
    assert!(quick <= 14, "{quick} in the first minute");
}

#[test]
fn two_that_defend_the_same_vip_do_not_storm() {
    let mut both = [Defence::new(), Defence::new()];
    let (mut sent, mut late) = (0, 0);
    let mut heard = [true, false];
    for ms in 0..600_000 {
        let mut hears = [false, false];
        for (one, other) in [(0, 1), (1, 0)] {
            let mut speaks = heard[one] && both[one].claimed(at(ms), 0) != 0;
            speaks |= both[one].expired(at(ms)) != 0;
            hears[other] |= speaks;
            sent += u64::from(speaks);
            late += u64::from(speaks && ms >= 60_000);
        }
        heard = hears;
    }
    assert!(sent <= 150, "{sent} frames in ten minutes");
    assert!(
        late <= 2 * 540 / 10 + 4,
        "{late} frames after the first minute"
    );
}

#[test]
fn after_a_minute_of_peace_the_next_claim_is_news_again() {
    let mut defence = Defence::new();
    let claims: Vec<u64> = (0..100).map(|n| n * 200).collect();
    announcements(&mut defence, &claims, 60_000);
    let later = 60_000 + DEFEND_QUIET_NS / NS_PER_MS;
    assert_ne!(defence.claimed(at(later), 0), 0);
    assert_eq!(defence.due(), at(later).after(DEFEND_AGAIN_NS));
}
