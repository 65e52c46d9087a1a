// SPDX-License-Identifier: GPL-2.0-only

//! Whether what a host accepts is answered.

use super::common::*;
use nlb_core::genl::Health;
use nlb_core::health::{Sight, Sums, Turn, Watch};
use nlb_core::limits::HEALTH_FORGET_LOOKS;

const RULE: Sight = Sight {
    is_rule: true,
    asked_elsewhere: false,
};
const UNCOVERED: Sight = Sight {
    is_rule: false,
    ..RULE
};

/// What happens between two looks.
#[derive(Clone, Copy, Default)]
struct Second {
    syns: u64,
    datagrams: u64,
    syn_acks: u64,
    resets: u64,
    replies: u64,
    /// Packets of clients that were answered.
    going_on: u64,
}

const NOTHING: Second = Second {
    syns: 0,
    datagrams: 0,
    syn_acks: 0,
    resets: 0,
    replies: 0,
    going_on: 0,
};

struct Rule {
    sums: Sums,
    watch: Watch,
    sight: Sight,
}

impl Rule {
    fn new(sight: Sight) -> Rule {
        let sums = Sums {
            turns: [7; Turn::COUNT],
            accepted: 1000,
        };
        Rule {
            sums,
            watch: Watch::new(sums),
            sight,
        }
    }

    /// So many seconds like this one; the health after each.
    fn after(&mut self, seconds: usize, second: Second) -> Vec<Health> {
        let looks = (0..seconds).map(|_| {
            for (turn, count) in [
                (Turn::Syn, second.syns),
                (Turn::Datagram, second.datagrams),
                (Turn::SynAck, second.syn_acks),
                (Turn::Reset, second.resets),
                (Turn::Reply, second.replies),
            ] {
                self.sums.turns[turn as usize] += count;
            }
            self.sums.accepted += second.syns + second.datagrams + second.going_on;
            self.watch.look(&self.sums, self.sight)
        });
        looks.collect()
    }

    fn settles(&mut self, second: Second) -> Health {
        *self.after(10, second).last().expect("ten looks")
    }
}

fn tcp_second(syns: u64, syn_acks: u64, resets: u64) -> Second {
    Second {
        syns,
        syn_acks,
        resets,
        going_on: syn_acks * 3,
        ..NOTHING
    }
}

#[test]
fn a_service_that_answers_is_no_news() {
    for syns in [1, 3, 1000] {
        let mut rule = Rule::new(RULE);
        let looks = rule.after(300, tcp_second(syns, syns, 0));
        assert!(looks.iter().all(|it| *it == Health::Answers), "{syns}");
    }
}

#[test]
fn a_burst_of_clients_that_is_over_was_answered() {
    for syns in [1, 3, 60, 5000] {
        let mut rule = Rule::new(RULE);
        let mut looks = rule.after(1, tcp_second(syns, syns, 0));
        looks.extend(rule.after(50, NOTHING));
        looks.extend(rule.after(1, tcp_second(syns, syns, 0)));
        assert!(looks.iter().all(|it| *it == Health::Answers), "{syns}");
    }
}

#[test]
fn answers_that_come_after_a_look_are_answers() {
    let mut rule = Rule::new(RULE);
    for _ in 0..100 {
        let asked = rule.after(1, tcp_second(50, 0, 0));
        let answered = rule.after(1, tcp_second(0, 50, 0));
        assert!(asked
            .iter()
            .chain(&answered)
            .all(|it| *it != Health::Silent));
    }
}

#[test]
fn a_firewall_shows_within_three_seconds_and_so_does_its_end() {
    for before in [NOTHING, tcp_second(20, 20, 0)] {
        let mut rule = Rule::new(RULE);
        rule.after(20, before);
        let looks = rule.after(3, tcp_second(5, 0, 0));
        assert_eq!(looks[2], Health::Silent);
        assert_eq!(rule.after(1, tcp_second(5, 5, 0)), [Health::Answers]);
    }
}

#[test]
fn one_client_that_tries_again_is_enough() {
    let mut rule = Rule::new(RULE);
    let one = tcp_second(1, 0, 0);
    rule.after(2, one);
    rule.after(1, NOTHING);
    rule.after(1, one);
    assert_eq!(rule.after(1, NOTHING), [Health::Silent]);
}

#[test]
fn a_service_that_takes_some_is_silent_until_it_takes_nearly_all() {
    let mut rule = Rule::new(RULE);
    assert_eq!(rule.settles(tcp_second(20, 10, 0)), Health::Silent);
    assert_eq!(rule.settles(tcp_second(20, 17, 0)), Health::Silent);
    assert_eq!(rule.settles(tcp_second(20, 20, 0)), Health::Answers);
    assert_eq!(rule.settles(tcp_second(20, 17, 0)), Health::Answers);
}

#[test]
fn resets_say_that_no_service_listens_if_it_was_to() {
    let refused = tcp_second(4, 0, 4);
    assert_eq!(Rule::new(RULE).settles(refused), Health::Refuses);
    assert_eq!(Rule::new(UNCOVERED).settles(refused), Health::Unknown);
    let unanswered = tcp_second(4, 0, 0);
    assert_eq!(Rule::new(UNCOVERED).settles(unanswered), Health::Unknown);
    // Somebody who tries ports of a rule for all of them.
    let mut rule = Rule::new(RULE);
    let looks = rule.after(50, tcp_second(40, 2, 38));
    assert!(looks.iter().all(|it| *it == Health::Answers));
}

#[test]
fn answers_by_another_interface_are_believed() {
    let mut rule = Rule::new(RULE);
    let elsewhere = Second {
        syns: 10,
        going_on: 30,
        ..NOTHING
    };
    let looks = rule.after(30, elsewhere);
    assert!(looks.iter().all(|it| *it == Health::Answers));
    assert_eq!(rule.settles(tcp_second(10, 0, 0)), Health::Silent);
    // Where answers are seen to leave, clients of before prove nothing.
    let mut rule = Rule::new(RULE);
    rule.after(5, tcp_second(10, 10, 0));
    assert_eq!(rule.settles(elsewhere), Health::Silent);
}

#[test]
fn answers_to_nothing_that_was_accepted_are_told() {
    let mut rule = Rule::new(RULE);
    assert_eq!(rule.settles(tcp_second(0, 3, 0)), Health::Unasked);
    let mut rule = Rule::new(Sight {
        asked_elsewhere: true,
        ..RULE
    });
    assert_eq!(rule.settles(tcp_second(0, 3, 0)), Health::Answers);
}

#[test]
fn a_flood_whose_syn_acks_are_repeated_is_answered() {
    let mut rule = Rule::new(RULE);
    let mut looks = rule.after(20, tcp_second(1000, 1000, 0));
    for gap in [1, 2, 4, 8, 16] {
        looks.extend(rule.after(gap - 1, NOTHING));
        looks.extend(rule.after(1, tcp_second(0, 20_000, 0)));
    }
    assert!(looks.iter().all(|it| *it == Health::Answers), "{looks:?}");
}

#[test]
fn datagrams_are_missed_where_each_had_its_answer() {
    let second = |datagrams, replies| Second {
        datagrams,
        replies,
        ..NOTHING
    };
    let mut rule = Rule::new(RULE);
    assert_eq!(rule.settles(second(10, 10)), Health::Answers);
    assert_eq!(rule.settles(second(10, 0)), Health::Silent);
    assert_eq!(rule.settles(second(10, 10)), Health::Answers);
    // In the second in which answers end, few are left.
    let mut rule = Rule::new(RULE);
    rule.after(2, second(20, 20));
    rule.after(1, second(100, 1));
    assert_eq!(rule.settles(second(100, 0)), Health::Silent);
    // It is known after a quiet hour that datagrams are answered.
    let mut rule = Rule::new(RULE);
    rule.after(3, second(20, 20));
    assert_eq!(rule.after(3600, NOTHING)[3599], Health::Unknown);
    assert_eq!(rule.settles(second(20, 0)), Health::Silent);
    // A log server, and one that answers at times.
    assert_eq!(Rule::new(RULE).settles(second(1000, 0)), Health::Unknown);
    let mut rule = Rule::new(RULE);
    for _ in 0..100 {
        rule.after(9, second(50, 0));
        assert_eq!(rule.after(1, second(50, 20)), [Health::Answers]);
    }
    assert_eq!(rule.settles(second(50, 0)), Health::Answers);
}

#[test]
fn without_clients_nothing_is_known_after_a_while() {
    let mut rule = Rule::new(RULE);
    assert_eq!(rule.settles(tcp_second(5, 0, 0)), Health::Silent);
    let forget = HEALTH_FORGET_LOOKS as usize;
    let looks = rule.after(forget, NOTHING);
    assert!(looks[..forget - 1].iter().all(|it| *it == Health::Silent));
    assert_eq!(looks[forget - 1], Health::Unknown);
    assert_eq!(rule.after(1, tcp_second(1, 1, 0)), [Health::Answers]);
    // One client in two minutes, who tries once: never three in a row.
    let mut rule = Rule::new(RULE);
    for _ in 0..50 {
        let looks = rule.after(1, tcp_second(1, 0, 0));
        assert_eq!(looks, [Health::Unknown]);
        assert_eq!(rule.after(120, NOTHING)[119], Health::Unknown);
    }
}

#[test]
fn repeated_answers_after_a_change_of_rules_are_no_news() {
    let mut rule = Rule::new(RULE);
    rule.after(5, tcp_second(20, 20, 0));
    let syns = rule.watch.syns_lately();
    assert_eq!(syns, 100);
    rule.watch.begin_anew(rule.sums, syns);
    let looks = rule.after(60, tcp_second(0, 5, 0));
    assert!(looks.iter().all(|it| *it != Health::Unasked));
}

#[test]
fn the_log_has_a_line_in_a_minute() {
    let mut rule = Rule::new(RULE);
    let lines = (0..600).filter(|_| {
        rule.after(1, NOTHING);
        rule.watch.may_log()
    });
    assert_eq!(lines.count(), 10);
}

#[test]
fn accepted_packets_are_told_off_the_fast_path() {
    let from =
        |protocol, payload: &[u8]| ipv4([198, 51, 100, 7], [192, 0, 2, 10], protocol, payload);
    for (packet, turn) in [
        (from(6, &tcp(40000, 80, 0x02)), Some(Turn::Syn)),
        (from(6, &tcp(40000, 80, 0xc2)), Some(Turn::Syn)),
        (from(6, &tcp(40000, 80, 0x12)), None),
        (from(6, &tcp(40000, 80, 0x10)), None),
        (from(17, &udp(40000, 53, b"")), Some(Turn::Datagram)),
        (from(1, &[8; 8]), None),
        (vec![0x45; 10], None),
    ] {
        assert_eq!(Turn::of_accepted(&packet), turn, "{packet:?}");
    }
    let mut later = from(17, &udp(40000, 53, b""));
    later[7] = 1;
    assert_eq!(Turn::of_accepted(&later), None);
}
