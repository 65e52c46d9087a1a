// SPDX-License-Identifier: GPL-2.0-only

//! Whether a host that hears no other serves beside a station that speaks for its VIPs.

use super::world::{owned, World, PERIOD};
use nlb_core::aside::{Aside, Place};
use nlb_core::limits::{ASIDE_MAX_NS, CONFLICT_SHOWN_NS};
use nlb_core::node::Command;
use nlb_core::state::OutReason;
use nlb_core::time::{Instant, NS_PER_MS, NS_PER_SEC};

const LOW: [u8; 6] = [2, 0, 0, 0, 0, 1];
const OWN: [u8; 6] = [2, 0, 0, 0, 0, 2];
const HIGH: [u8; 6] = [2, 0, 0, 0, 0, 3];

/// A host counts as dead after a second.
const DEAD_NS: u64 = NS_PER_SEC;

/// A host that looks each tenth of a second.
struct Host {
    aside: Aside,
    now: Instant,
    asked: u32,
    told: bool,
}

impl Host {
    fn new() -> Self {
        Self {
            aside: Aside::new(),
            now: Instant(NS_PER_SEC),
            asked: 0,
            told: false,
        }
    }

    /// Looks for so long; `from` answers each question. Whether it stands aside at the end.
    fn run(&mut self, place: Place, ns: u64, from: Option<[u8; 6]>) -> bool {
        let end = self.now.after(ns);
        let mut is_aside = false;
        while self.now < end {
            let step = self.aside.look(self.now, place, DEAD_NS);
            is_aside = step.aside;
            if step.ask {
                self.asked += 1;
                self.hear(from);
            }
            self.now = self.now.after(100 * NS_PER_MS);
        }
        is_aside
    }

    fn hear(&mut self, from: Option<[u8; 6]>) {
        if let Some(from) = from {
            self.told |= self.aside.heard(self.now, from, OWN, DEAD_NS);
        }
    }
}

#[test]
fn who_has_not_served_yet_gives_way_whoever_the_other_is() {
    for from in [LOW, HIGH] {
        let mut host = Host::new();
        assert!(!host.run(Place::Joining, DEAD_NS, Some(from)));
        // From the first moment on: it never serves beside the other.
        assert!(host.aside.look(host.now, Place::Alone, DEAD_NS).aside);
        assert!(host.run(Place::Alone, 60 * NS_PER_SEC, Some(from)));
        assert!(host.told);
        // The other is gone.
        assert!(!host.run(Place::Alone, 10 * NS_PER_SEC, None));
    }
}

#[test]
fn where_nobody_answers_it_begins_to_serve_and_asks_no_more() {
    let mut host = Host::new();
    assert!(!host.run(Place::Joining, DEAD_NS, None));
    assert_eq!(host.asked, 2);
    assert!(!host.run(Place::Alone, 3600 * NS_PER_SEC, None));
    assert_eq!(host.asked, 2);
    assert_eq!(host.aside.due(), Instant::NEVER);
}

#[test]
fn of_two_that_serve_the_one_with_the_higher_mac_gives_way() {
    for (from, aside) in [(LOW, true), (HIGH, false)] {
        let mut host = Host::new();
        host.run(Place::Joining, DEAD_NS, None);
        host.run(Place::Alone, 10 * NS_PER_SEC, None);
        host.hear(Some(from));
        assert_eq!(host.run(Place::Alone, 5 * NS_PER_SEC, Some(from)), aside);
        // The one that stays tells of the other as well, when it is heard again.
        host.hear(Some(from));
        assert!(host.told);
    }
}

#[test]
fn one_word_is_not_enough() {
    let mut host = Host::new();
    host.run(Place::Joining, DEAD_NS, None);
    host.run(Place::Alone, 10 * NS_PER_SEC, None);
    for _ in 0..3 {
        host.hear(Some(LOW));
        for _ in 0..100 {
            assert!(!host.run(Place::Alone, 100 * NS_PER_MS, None));
        }
    }
}

#[test]
fn who_hears_heartbeats_serves_with_the_others() {
    let mut host = Host::new();
    assert!(!host.run(Place::Joining, DEAD_NS, Some(LOW)));
    assert!(!host.run(Place::Among, 10 * NS_PER_SEC, Some(LOW)));
    host.hear(Some(LOW));
    assert!(!host.run(Place::Alone, 100 * NS_PER_MS, None));
    // And who stands aside does so as soon as it hears some.
    host.hear(Some(LOW));
    assert!(host.run(Place::Alone, 5 * NS_PER_SEC, Some(LOW)));
    assert!(!host.aside.look(host.now, Place::Among, DEAD_NS).aside);
    assert_eq!(host.aside.due(), Instant::NEVER);
}

#[test]
fn a_station_that_speaks_on_whatever_its_mac_has_others_behind_it() {
    let mut host = Host::new();
    host.run(Place::Joining, DEAD_NS, None);
    host.run(Place::Alone, 10 * NS_PER_SEC, None);
    host.hear(Some(HIGH));
    assert!(!host.run(Place::Alone, 10 * NS_PER_SEC, Some(HIGH)));
    assert!(host.run(Place::Alone, 20 * NS_PER_SEC, Some(HIGH)));
    // One that has stepped aside meanwhile does not speak on.
    let mut host = Host::new();
    host.run(Place::Joining, DEAD_NS, None);
    for _ in 0..20 {
        host.hear(Some(HIGH));
        assert!(!host.run(Place::Alone, 30 * NS_PER_SEC, None));
    }
}

#[test]
fn a_host_that_is_kept_out_asks_rarely() {
    let mut host = Host::new();
    assert!(!host.run(Place::Joining, 300 * NS_PER_SEC, None));
    assert!((40..60).contains(&host.asked), "{}", host.asked);
}

#[test]
fn nobody_keeps_it_from_serving_for_more_than_half_of_the_time() {
    let mut host = Host::new();
    host.run(Place::Joining, DEAD_NS, Some(HIGH));
    assert!(host.run(Place::Alone, ASIDE_MAX_NS, Some(HIGH)));
    // Whoever speaks on keeps it there no longer,
    for _ in 0..ASIDE_MAX_NS / (30 * NS_PER_SEC) {
        host.hear(Some(LOW));
        assert!(!host.run(Place::Alone, 30 * NS_PER_SEC, Some(LOW)));
    }
    // nor who was silent for some minutes.
    assert!(!host.run(Place::Alone, CONFLICT_SHOWN_NS, None));
    host.hear(Some(LOW));
    assert!(!host.run(Place::Alone, 60 * NS_PER_SEC, Some(LOW)));
    // After as long a silence it is a new matter.
    assert!(!host.run(Place::Alone, ASIDE_MAX_NS, None));
    host.hear(Some(LOW));
    assert!(host.run(Place::Alone, 5 * NS_PER_SEC, Some(LOW)));
}

#[test]
fn pauses_do_not_make_it_longer() {
    let mut host = Host::new();
    host.run(Place::Joining, DEAD_NS, None);
    let (mut aside, mut all) = (0, 0);
    for round in 0..200 {
        let pause = 20 + 600 * u64::from(round % 3 == 0);
        host.hear(Some(LOW));
        for (seconds, from) in [(300, Some(LOW)), (pause, None)] {
            for _ in 0..seconds {
                all += 1;
                aside += u64::from(host.run(Place::Alone, NS_PER_SEC, from));
            }
        }
    }
    assert!(
        aside * NS_PER_SEC <= ASIDE_MAX_NS + 10 * NS_PER_SEC,
        "{aside} s of {all} s"
    );
}

#[test]
fn who_stands_aside_owns_nothing_and_joins_when_it_hears_others() {
    let mut world = World::serving(1);
    world.command(0, Command::ServedElsewhere(true));
    world.run(2 * PERIOD);
    assert_eq!(owned(&world.nodes[0]), 0);
    assert!(!world.nodes[0].is_default() && !world.nodes[0].hears_others());
    assert_eq!(world.nodes[0].out_reason(), OutReason::ServedElsewhere);
    world.command(0, Command::ServedElsewhere(false));
    world.run(2 * PERIOD);
    assert!(owned(&world.nodes[0]) > 0 && world.nodes[0].is_default());

    // Two that did not hear each other, and do so again.
    let mut world = World::serving(2);
    world.check_owners = false;
    (world.cut[0][1], world.cut[1][0]) = (true, true);
    world.run(20 * PERIOD);
    world.command(1, Command::ServedElsewhere(true));
    world.run(2 * PERIOD);
    assert!(owned(&world.nodes[0]) > 0 && owned(&world.nodes[1]) == 0);
    (world.cut[0][1], world.cut[1][0]) = (false, false);
    // From the first heartbeat on, whatever it is told until the next look.
    world.run_to(20 * PERIOD, |world| world.nodes[1].hears_others());
    world.command(1, Command::ServedElsewhere(true));
    world.run_to(20 * PERIOD, |world| world.serves(&[0, 1]));
    world.assert_one_owner();
    assert!(world.nodes.iter().all(|node| owned(node) > 0));
}
