// SPDX-License-Identifier: GPL-2.0-only

//! When a host asks for the VIPs, and what it makes of the answers.

use nlb_core::host::HostId;
use nlb_core::inquiry::{Inquiry, Role};
use nlb_core::limits::{INQUIRE_FIRST_NS, INQUIRE_GAP_NS, INQUIRE_TRIES};
use nlb_core::time::{Instant, NS_PER_SEC};

/// It asks, and host 1 has to answer.
const ASKING: Role = Role::Asking(match HostId::new(1) {
    Some(host) => host,
    None => unreachable!(),
});

/// A host counts as dead after a second.
const DEAD_NS: u64 = NS_PER_SEC;

/// Two VIPs.
const VIPS: u64 = 0b11;

/// Looks each tenth of a second for so many seconds; `answer` says which of the VIPs asked for are answered for until the next
/// look. Returns when it asked, in tenths of a second, for which, and what it took for unanswered in the end.
fn run(
    inquiry: &mut Inquiry,
    role: Role,
    seconds: u64,
    answer: impl Fn(u64, u64) -> u64,
) -> (Vec<(u64, u64)>, u64) {
    let (mut asked, mut heard, mut unanswered) = (Vec::new(), 0, 0);
    for tenth in 0..seconds * 10 {
        let step = inquiry.look(
            Instant(tenth * NS_PER_SEC / 10),
            role,
            DEAD_NS,
            VIPS,
            heard,
            tenth * 7_919_777_777,
        );
        if step.ask != 0 {
            asked.push((tenth, step.ask));
        }
        heard = answer(tenth, step.ask);
        unanswered = step.unanswered;
    }
    (asked, unanswered)
}

#[test]
fn a_host_without_a_role_asks_nothing() {
    let mut inquiry = Inquiry::new();
    assert_eq!(run(&mut inquiry, Role::None, 600, |_, _| 0), (vec![], 0));
    assert_eq!(inquiry.due(), Instant::NEVER);
}

#[test]
fn answered_questions_come_each_thirty_to_sixty_seconds() {
    for role in [ASKING, Role::Answering] {
        let (asked, unanswered) = run(&mut Inquiry::new(), role, 3600, |_, asked| asked);
        assert_eq!(unanswered, 0, "{role:?}");
        assert_eq!(asked[0].0, INQUIRE_FIRST_NS * 10 / NS_PER_SEC, "{role:?}");
        for pair in asked.windows(2) {
            let gap = (pair[1].0 - pair[0].0) * NS_PER_SEC / 10;
            // An answer is waited for before the next gap begins.
            assert!(
                (INQUIRE_GAP_NS..=2 * INQUIRE_GAP_NS + 2 * NS_PER_SEC).contains(&gap),
                "{role:?}: {gap}"
            );
            assert_eq!(pair[1].1, VIPS);
        }
    }
}

#[test]
fn a_vip_that_nobody_answers_for_is_known_within_ten_seconds_of_the_first_question() {
    let mut inquiry = Inquiry::new();
    let (asked, unanswered) = run(&mut inquiry, ASKING, 10, |_, asked| asked & 0b01);
    assert_eq!(unanswered, 0b10);
    let again: Vec<u64> = asked.iter().skip(1).map(|(_, vips)| *vips).collect();
    assert_eq!(again, vec![0b10; INQUIRE_TRIES as usize - 1]);
    // A word for it, asked for or not, ends that.
    let now = Instant(11 * NS_PER_SEC);
    assert_eq!(
        inquiry.look(now, ASKING, DEAD_NS, VIPS, 0, 0).unanswered,
        0b10
    );
    assert_eq!(
        inquiry.look(now, ASKING, DEAD_NS, VIPS, 0b10, 0).unanswered,
        0
    );
}

#[test]
fn one_answer_that_gets_lost_is_no_alarm() {
    let (_, unanswered) = run(&mut Inquiry::new(), ASKING, 600, |tenth, asked| {
        if tenth % 40 < 25 {
            0
        } else {
            asked
        }
    });
    assert_eq!(unanswered, 0);
}

#[test]
fn the_one_that_answers_waits_for_no_answer() {
    let (asked, unanswered) = run(&mut Inquiry::new(), Role::Answering, 600, |_, _| 0);
    assert!(asked.len() > 5);
    assert_eq!(unanswered, 0);
}

#[test]
fn another_role_begins_anew() {
    let mut inquiry = Inquiry::new();
    let (_, unanswered) = run(&mut inquiry, ASKING, 20, |_, _| 0);
    assert_eq!(unanswered, VIPS);
    let now = Instant(21 * NS_PER_SEC);
    assert_eq!(
        inquiry
            .look(now, Role::Answering, DEAD_NS, VIPS, 0, 0)
            .unanswered,
        0
    );
    assert_eq!(inquiry.due(), now.after(INQUIRE_FIRST_NS));
}

#[test]
fn a_host_that_has_died_is_replaced_before_its_silence_is_held_against_it() {
    // Ten seconds of silence, and it answered until now.
    let dead_ns = 10 * NS_PER_SEC;
    for died in 0..60 {
        let mut inquiry = Inquiry::new();
        let mut heard = 0;
        for tenth in 0..2000 {
            let now = Instant(tenth * NS_PER_SEC / 10);
            let replaced = tenth >= (died + 10) * 10;
            let role = if replaced { Role::Answering } else { ASKING };
            let step = inquiry.look(now, role, dead_ns, VIPS, heard, tenth);
            assert_eq!(step.unanswered, 0, "died after {died} s");
            heard = if tenth < died * 10 { step.ask } else { 0 };
        }
    }
}
