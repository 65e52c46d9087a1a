// SPDX-License-Identifier: GPL-2.0-only

use std::{path::PathBuf, time::Duration};

use nlb_core::{
    genl::Affinity,
    rules::{FilteringMode, Rule, RuleState},
    state::HostState,
};
use nlbadm::Probe;
use tempfile::TempDir;

use super::*;
use crate::fake::Fake;

fn rule(port: u16) -> Rule {
    Rule {
        first_port: port,
        last_port: port,
        ..Rule::all(Affinity::None)
    }
}

fn check(port: u16, action: Action) -> RuleCheck {
    RuleCheck {
        rule: rule(port),
        check: HealthCheck {
            probe: Probe::Systemd("web.service".into()),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            rise: 1,
            fall: 1,
            action,
            last: false,
        },
    }
}

fn web(checks: &[RuleCheck]) -> Vec<ClusterChecks> {
    vec![ClusterChecks {
        cluster: "web".into(),
        checks: checks.to_vec(),
    }]
}

/// A host with a kernel, and the file of its notes.
struct Bench {
    fake: Fake,
    host: Host<Fake>,
    path: PathBuf,
    _folder: TempDir,
    now: Instant,
}

impl Bench {
    fn new(rules: &[u16], checks: &[RuleCheck]) -> Self {
        let fake = Fake::new(rules.iter().map(|&port| rule(port)).collect());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks.json");
        let mut bench = Bench {
            host: Host::new(fake.clone(), Marks::read(&path).unwrap()),
            fake,
            path,
            _folder: folder,
            now: Instant::now(),
        };
        bench.set(checks);
        bench
    }

    fn set(&mut self, checks: &[RuleCheck]) {
        self.host
            .set(web(checks), false, self.now, SystemTime::UNIX_EPOCH);
    }

    /// The process is killed, and another one begins.
    fn again(&mut self, checks: &[RuleCheck], unread: bool) {
        self.host = Host::new(self.fake.clone(), Marks::read(&self.path).unwrap());
        self.host
            .set(web(checks), unread, self.now, SystemTime::UNIX_EPOCH);
    }

    /// The check in this place of the list finds something.
    fn found(&mut self, place: usize, verdict: Verdict) {
        self.said(place, verdict, None);
    }

    /// The same, with a load weight.
    fn said(&mut self, place: usize, verdict: Verdict, weight: Option<u8>) {
        let id = self.host.watches()[place].id;
        let answer = Answer {
            verdict,
            text: "said so".into(),
            weight,
        };
        self.host
            .answer(id, answer, self.now, SystemTime::UNIX_EPOCH);
    }

    /// What was changed since this was asked last.
    fn changes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.fake.0.borrow_mut().changes)
    }

    fn note(&self, place: usize) -> (bool, &str) {
        self.host.stands(&self.host.watches()[place])
    }

    fn noted(&self) -> usize {
        Marks::read(&self.path).unwrap().iter().count()
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_bad_check_gives_its_rule_up_and_a_good_one_takes_it_back() {
    let mut bench = Bench::new(&[80, 443], &[check(443, Action::GiveUp)]);
    bench.found(0, Verdict::Good);
    assert_eq!(
        bench.fake.0.borrow().asked,
        0,
        "a good check costs the kernel nothing"
    );
    bench.found(0, Verdict::Bad);
    assert_eq!(bench.changes(), ["rule 1 draining"]);
    assert_eq!(bench.note(0), (true, "given up"));
    assert_eq!(bench.noted(), 1);
    bench.found(0, Verdict::Bad);
    assert_eq!(bench.changes(), NOTHING);
    bench.found(0, Verdict::Good);
    assert_eq!(bench.changes(), ["rule 1 enabled"]);
    assert_eq!(bench.note(0), (false, ""));
    assert_eq!(bench.noted(), 0);
}

#[test]
fn another_process_takes_back_what_the_first_gave_up() {
    let checks = [check(80, Action::GiveUp)];
    let mut bench = Bench::new(&[80], &checks);
    bench.found(0, Verdict::Bad);
    bench.again(&checks, false);
    assert_eq!(bench.note(0), (true, "given up"));
    bench.found(0, Verdict::Good);
    assert_eq!(bench.changes(), ["rule 0 draining", "rule 0 enabled"]);
    assert_eq!(bench.noted(), 0);
}

#[test]
fn a_check_that_is_gone_takes_back_unless_its_file_could_not_be_read() {
    let checks = [check(80, Action::GiveUp)];
    let mut bench = Bench::new(&[80], &checks);
    bench.found(0, Verdict::Bad);
    bench.again(&[], true);
    assert_eq!(bench.changes(), ["rule 0 draining"]);
    bench.again(&[], false);
    assert_eq!(bench.changes(), ["rule 0 enabled"]);
    assert_eq!(bench.noted(), 0);
    // The same without a new process.
    bench.set(&checks);
    bench.found(0, Verdict::Bad);
    bench.set(&[]);
    assert_eq!(bench.changes(), ["rule 0 draining", "rule 0 enabled"]);
}

#[test]
fn what_nobody_takes_is_taken_back_though_a_file_could_not_be_read() {
    let mut bench = Bench::new(&[80], &[check(80, Action::GiveUp)]);
    bench.found(0, Verdict::Bad);
    bench.again(&[], true);
    assert_eq!(bench.changes(), ["rule 0 draining"]);
    bench.fake.0.borrow_mut().other = false;
    bench.host.look(bench.now);
    assert_eq!(bench.changes(), ["rule 0 enabled"]);
    assert_eq!(bench.noted(), 0);
}

#[test]
fn what_cannot_be_noted_is_not_given_up() {
    let mut bench = Bench::new(&[80], &[check(80, Action::GiveUp)]);
    std::fs::create_dir(bench.path.with_extension("json.new")).unwrap();
    bench.found(0, Verdict::Bad);
    assert_eq!(bench.changes(), NOTHING);
    let (given_up, note) = bench.note(0);
    assert!(!given_up && note.contains("cannot be noted"), "{note}");
}

#[test]
fn what_the_kernel_refuses_is_tried_again() {
    let mut bench = Bench::new(&[80], &[check(80, Action::GiveUp)]);
    bench.fake.0.borrow_mut().refuses = true;
    bench.found(0, Verdict::Bad);
    assert_eq!((bench.note(0).0, bench.noted()), (false, 0));
    bench.fake.0.borrow_mut().refuses = false;
    bench.found(0, Verdict::Bad);
    assert_eq!(bench.changes(), ["rule 0 draining"]);
}

#[test]
fn the_last_host_keeps_a_rule_and_takes_one_when_it_becomes_the_last() {
    let mut bench = Bench::new(&[80], &[check(80, Action::GiveUp)]);
    bench.fake.0.borrow_mut().other = false;
    bench.found(0, Verdict::Bad);
    assert_eq!(bench.note(0), (false, "kept: no other host takes it"));
    bench.fake.0.borrow_mut().other = true;
    bench.found(0, Verdict::Bad);
    assert_eq!(bench.changes(), ["rule 0 draining"]);
    bench.fake.0.borrow_mut().other = false;
    bench.host.look(bench.now);
    assert_eq!(bench.changes(), ["rule 0 enabled"]);
    // The other host is back, and the pause holds for a while.
    bench.fake.0.borrow_mut().other = true;
    bench.found(0, Verdict::Bad);
    assert_eq!(bench.changes(), NOTHING);
    bench.now += Duration::from_secs(20);
    bench.found(0, Verdict::Bad);
    assert_eq!(bench.changes(), ["rule 0 draining"]);
}

#[test]
fn in_mode_single_another_member_is_enough() {
    let mut single = check(80, Action::GiveUp);
    single.rule.mode = FilteringMode::Single;
    let mut bench = Bench::new(&[80], &[single]);
    bench.fake.0.borrow_mut().rules[0].0.mode = FilteringMode::Single;
    bench.found(0, Verdict::Bad);
    assert_eq!(bench.changes(), ["rule 0 draining"]);
}

#[test]
fn an_operator_comes_first() {
    for state in [RuleState::Disabled, RuleState::Draining] {
        let mut bench = Bench::new(&[80], &[check(80, Action::GiveUp)]);
        bench.fake.0.borrow_mut().rules[0].1 = state;
        bench.found(0, Verdict::Bad);
        bench.found(0, Verdict::Good);
        assert_eq!(bench.changes(), NOTHING);
    }
    // A host that is out has nothing to give up.
    let mut bench = Bench::new(&[80], &[check(80, Action::GiveUp)]);
    bench.fake.0.borrow_mut().state = HostState::Stopped;
    bench.found(0, Verdict::Bad);
    assert_eq!(bench.changes(), NOTHING);
    assert!(bench.note(0).1.contains("takes no part"));
}

#[test]
fn a_host_drains_while_one_of_its_services_is_not_well() {
    let checks = [check(80, Action::Drain), check(443, Action::Drain)];
    let mut bench = Bench::new(&[80, 443], &checks);
    bench.found(0, Verdict::Bad);
    assert_eq!(bench.changes(), ["Control(Drain)"]);
    bench.found(1, Verdict::Bad);
    bench.found(0, Verdict::Good);
    assert_eq!(bench.changes(), NOTHING);
    assert_eq!(bench.note(0), (true, "given up"));
    bench.found(1, Verdict::Good);
    assert_eq!(bench.changes(), ["Control(Start)"]);
    // A host that an operator has stopped stays so.
    bench.found(0, Verdict::Bad);
    bench.fake.0.borrow_mut().state = HostState::Stopped;
    bench.found(0, Verdict::Good);
    bench.found(1, Verdict::Good);
    assert_eq!(bench.changes(), ["Control(Drain)"]);
    assert_eq!(bench.noted(), 0);
}

#[test]
fn a_host_that_is_the_last_for_one_rule_does_not_drain() {
    let mut bench = Bench::new(&[80, 443], &[check(80, Action::Drain)]);
    bench.fake.0.borrow_mut().only_here = vec![1];
    bench.found(0, Verdict::Bad);
    assert_eq!(bench.changes(), NOTHING);
    assert_eq!(bench.note(0), (false, "kept: no other host takes it"));
    // One that it does not take itself, or that is dropped everywhere, does not matter.
    for (mode, state) in [
        (FilteringMode::Multiple, RuleState::Disabled),
        (FilteringMode::Disabled, RuleState::Enabled),
        (FilteringMode::Single, RuleState::Enabled),
    ] {
        let mut bench = Bench::new(&[80, 443], &[check(80, Action::Drain)]);
        let mut world = bench.fake.0.borrow_mut();
        world.only_here = vec![1];
        (world.rules[1].0.mode, world.rules[1].1) = (mode, state);
        drop(world);
        bench.found(0, Verdict::Bad);
        assert_eq!(bench.changes(), ["Control(Drain)"], "{mode:?}");
    }
}

#[test]
fn a_host_is_taken_back_when_nobody_takes_one_of_its_rules() {
    for (mode, state, weight, back) in [
        (FilteringMode::Multiple, RuleState::Enabled, 50, true),
        (FilteringMode::Multiple, RuleState::Enabled, 0, false),
        (FilteringMode::Multiple, RuleState::Disabled, 50, false),
        (FilteringMode::Single, RuleState::Enabled, 0, true),
        (FilteringMode::Disabled, RuleState::Enabled, 50, false),
    ] {
        let mut bench = Bench::new(&[80, 443], &[check(80, Action::Drain)]);
        bench.found(0, Verdict::Bad);
        let mut world = bench.fake.0.borrow_mut();
        (world.only_here, world.weight) = (vec![1], weight);
        (world.rules[1].0.mode, world.rules[1].1) = (mode, state);
        drop(world);
        bench.changes();
        bench.host.look(bench.now);
        assert_eq!(
            bench.changes().len(),
            usize::from(back),
            "{mode:?} {state:?}"
        );
    }
}

#[test]
fn a_host_that_joins_again_is_taken_back_afterwards() {
    let mut bench = Bench::new(&[80], &[check(80, Action::Drain)]);
    bench.found(0, Verdict::Bad);
    bench.fake.0.borrow_mut().state = HostState::Joining;
    bench.found(0, Verdict::Bad);
    bench.found(0, Verdict::Good);
    assert_eq!(bench.changes(), ["Control(Drain)"]);
    assert_eq!(bench.noted(), 1);
    bench.fake.0.borrow_mut().state = HostState::Draining;
    bench.host.look(bench.now);
    assert_eq!(bench.changes(), ["Control(Start)"]);
    assert_eq!(bench.noted(), 0);
}

#[test]
fn a_check_that_stays_keeps_what_is_known() {
    let (one, two) = (check(80, Action::GiveUp), check(443, Action::GiveUp));
    let mut bench = Bench::new(&[80, 443], std::slice::from_ref(&one));
    bench.found(0, Verdict::Good);
    let id = bench.host.watches()[0].id;
    bench.set(&[two, one.clone()]);
    let states: Vec<_> = bench
        .host
        .watches()
        .iter()
        .map(|it| it.health.state())
        .collect();
    assert_eq!(states, [State::Unknown, State::Well]);
    assert_eq!(bench.host.watches()[1].id, id);
    let mut slower = one;
    slower.check.interval *= 2;
    bench.set(&[slower]);
    assert_eq!(bench.host.watches()[0].health.state(), State::Unknown);
    // An answer that was under way is nobody's.
    bench
        .host
        .answer(id, Answer::bad("late"), bench.now, SystemTime::UNIX_EPOCH);
    assert_eq!(bench.changes(), NOTHING);
}

#[test]
fn a_rule_that_is_not_in_force_is_told() {
    let mut bench = Bench::new(&[443], &[check(80, Action::GiveUp)]);
    bench.found(0, Verdict::Bad);
    assert_eq!(bench.note(0), (false, "not in force on this host"));
}

#[test]
fn a_service_says_its_weight_while_it_is_well() {
    let mut bench = Bench::new(&[80], &[check(80, Action::Weight)]);
    bench.said(0, Verdict::Good, Some(70));
    assert_eq!(bench.changes(), ["rule 0 weight 70"]);
    bench.said(0, Verdict::Good, Some(72));
    bench.found(0, Verdict::Good);
    assert_eq!(bench.changes(), NOTHING);
    bench.said(0, Verdict::Bad, Some(10));
    assert_eq!(bench.changes(), ["rule 0 draining"]);
    bench.said(0, Verdict::Good, Some(10));
    assert_eq!(bench.changes(), ["rule 0 enabled", "rule 0 weight 10"]);
    // Not of a rule that an operator has disabled, nor where nobody asked for it.
    bench.fake.0.borrow_mut().rules[0].1 = RuleState::Disabled;
    bench.said(0, Verdict::Good, Some(90));
    assert_eq!(bench.changes(), NOTHING);
    let mut bench = Bench::new(&[80], &[check(80, Action::GiveUp)]);
    bench.said(0, Verdict::Good, Some(90));
    assert_eq!(bench.changes(), NOTHING);
}

#[test]
fn what_happens_is_told_once() {
    let mut bench = Bench::new(&[80], &[check(80, Action::GiveUp)]);
    let told = |bench: &mut Bench| -> Vec<String> {
        let news = bench.host.news();
        news.iter()
            .map(|it| serde_json::to_string(it).unwrap())
            .collect()
    };
    bench.found(0, Verdict::Bad);
    assert_eq!(
        told(&mut bench),
        [
            r#"{"event":"check-state","cluster":"web","rule":"80","state":"unwell","message":"said so"}"#,
            r#"{"event":"check-action","cluster":"web","rule":"80","action":"given-up"}"#,
        ]
    );
    bench.fake.0.borrow_mut().rules[0].1 = RuleState::Enabled;
    bench.found(0, Verdict::Bad);
    assert!(told(&mut bench)[0].contains("left-to-operator"));
    bench.found(0, Verdict::Good);
    assert_eq!(told(&mut bench).len(), 1, "the state alone");
    bench.found(0, Verdict::Bad);
    bench.changes();
    let mut anew = bench.fake.0.borrow_mut();
    (anew.rules[0].1, anew.incarnation) = (RuleState::Enabled, 8);
    drop(anew);
    told(&mut bench);
    bench.found(0, Verdict::Bad);
    assert!(told(&mut bench)[0].contains("gone"));
    bench.found(0, Verdict::Bad);
    assert_eq!(bench.changes(), ["rule 0 draining"]);
}

#[test]
fn what_is_given_up_of_a_rule_goes_with_the_rule() {
    let mut bench = Bench::new(&[80], &[check(80, Action::GiveUp)]);
    bench.found(0, Verdict::Bad);
    let rules = std::mem::take(&mut bench.fake.0.borrow_mut().rules);
    bench.host.look(bench.now);
    assert_eq!((bench.note(0).0, bench.noted()), (false, 0));
    // It is there again, and takes new connections as a new one does.
    bench.fake.0.borrow_mut().rules = vec![(rules[0].0, RuleState::Enabled)];
    bench.changes();
    bench.found(0, Verdict::Bad);
    assert_eq!(bench.changes(), ["rule 0 draining"]);
}
