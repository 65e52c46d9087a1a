// SPDX-License-Identifier: GPL-2.0-only

//! The checks of this host, of all its clusters: answers in, changes of the kernel's state out.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Instant, SystemTime},
};

use nlb_netlink::Error;
use nlbadm::{Action, HealthCheck, RuleCheck, daemon::Answers};
use serde::Serialize;

use crate::{
    health::{Answer, Health, State, Verdict},
    hold::{Holding, Seen, Stance, Step, Why, Wish},
    kernel::Kernel,
    log,
    marks::Marks,
    target::{Coverage, Place, Target},
};

/// The number of a check, which is never used twice.
pub(crate) type CheckId = u64;

/// The checks of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClusterChecks {
    /// Its name.
    pub(crate) cluster: String,
    pub(crate) checks: Vec<RuleCheck>,
}

/// A check, and what it has found.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) id: CheckId,
    pub(crate) cluster: String,
    pub(crate) check: RuleCheck,
    pub(crate) health: Health,
    /// Since when the service has been as it is.
    pub(crate) since: SystemTime,
    /// The last answer, and when it came.
    pub(crate) last: Option<(Answer, SystemTime)>,
    /// How many answers there were.
    pub(crate) answers: Answers,
}

impl Watch {
    /// What is given up when the service is not well.
    pub(crate) fn target(&self) -> Target {
        let rule = match self.check.check.action {
            Action::GiveUp | Action::Weight => Some(Coverage::from(&self.check.rule)),
            Action::Drain => None,
        };
        Target {
            cluster: self.cluster.clone(),
            rule,
        }
    }

    /// Its name in the log.
    fn name(&self) -> String {
        let rule = Coverage::from(&self.check.rule);
        format!("cluster {}, rule {rule}", self.cluster)
    }
}

/// What is done about a target, and what is to be known of that.
#[derive(Debug)]
struct Held {
    holding: Holding,
    note: String,
}

/// A service that is another than before, or what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum News {
    /// The state of a service has changed.
    CheckState {
        cluster: String,
        rule: String,
        state: &'static str,
        message: String,
    },
    /// A rule, or the host where that is null, was given up or taken again.
    CheckAction {
        cluster: String,
        rule: Option<String>,
        action: &'static str,
    },
}

/// The checks of this host, and what it gave up.
#[derive(Debug)]
pub(crate) struct Host<K> {
    kernel: K,
    marks: Marks,
    watches: Vec<Watch>,
    held: BTreeMap<Target, Held>,
    /// What happened since this was asked for last.
    news: Vec<News>,
    /// Whether a file could not be read, so that it is not known whether a check is gone.
    unread: bool,
    next: CheckId,
}

impl<K: Kernel> Host<K> {
    /// A host without checks, which finds what an earlier process gave up.
    pub(crate) fn new(kernel: K, marks: Marks) -> Self {
        let noted = |(target, incarnation): (&Target, u64)| {
            let held = Held {
                holding: Holding::noted(incarnation),
                note: String::new(),
            };
            (target.clone(), held)
        };
        let held = marks.iter().map(noted).collect();
        Host {
            kernel,
            marks,
            watches: Vec::new(),
            held,
            news: Vec::new(),
            unread: true,
            next: 0,
        }
    }

    /// The checks.
    pub(crate) fn watches(&self) -> &[Watch] {
        &self.watches
    }

    /// What is to be known of what a check acts on: whether it is given up, and a note.
    pub(crate) fn stands(&self, watch: &Watch) -> (bool, &str) {
        self.held.get(&watch.target()).map_or((false, ""), |held| {
            (held.holding.given_up().is_some(), held.note.as_str())
        })
    }

    /// What happened since this was asked for last.
    pub(crate) fn news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Takes these checks in place of those that there are; what is known of one that stays is kept. `unread` says that
    /// there may be more: then what no check is about is taken back only if nobody else takes it.
    pub(crate) fn set(
        &mut self,
        clusters: Vec<ClusterChecks>,
        unread: bool,
        now: Instant,
        at: SystemTime,
    ) {
        let mut before = std::mem::take(&mut self.watches);
        for ClusterChecks { cluster, checks } in clusters {
            for check in checks {
                let same = |watch: &Watch| watch.cluster == cluster && watch.check == check;
                let watch = match before.iter().position(same) {
                    Some(place) => before.swap_remove(place),
                    None => self.watch(cluster.clone(), check, at),
                };
                self.watches.push(watch);
            }
        }
        self.unread = unread;
        let targets: BTreeSet<_> = self.watches.iter().map(Watch::target).collect();
        self.held
            .retain(|target, held| held.holding.given_up().is_some() || targets.contains(target));
        for target in targets {
            let held = || Held {
                holding: Holding::FREE,
                note: String::new(),
            };
            self.held.entry(target).or_insert_with(held);
        }
        self.look(now);
    }

    fn watch(&mut self, cluster: String, check: RuleCheck, at: SystemTime) -> Watch {
        self.next += 1;
        Watch {
            id: self.next,
            cluster,
            check,
            health: Health::NEW,
            since: at,
            last: None,
            answers: Answers::default(),
        }
    }

    /// Takes the answer of a check; one of a check that is not there any more is dropped.
    pub(crate) fn answer(&mut self, id: CheckId, answer: Answer, now: Instant, at: SystemTime) {
        let Some(watch) = self.watches.iter_mut().find(|watch| watch.id == id) else {
            return;
        };
        let HealthCheck { rise, fall, .. } = watch.check.check;
        if watch.health.tell(answer.verdict, rise, fall) {
            watch.since = at;
            self.news.push(News::CheckState {
                cluster: watch.cluster.clone(),
                rule: Coverage::from(&watch.check.rule).to_string(),
                state: watch.health.state().name(),
                message: answer.text.clone(),
            });
            log!(
                "{}: {}: {}",
                watch.name(),
                watch.health.state().name(),
                answer.text
            );
        }
        let count = match answer.verdict {
            Verdict::Good => &mut watch.answers.good,
            Verdict::Bad => &mut watch.answers.bad,
            Verdict::Unknown => &mut watch.answers.unknown,
        };
        *count += 1;
        let weight = answer.weight.filter(|_| {
            watch.check.check.action == Action::Weight && watch.health.state() == State::Well
        });
        watch.last = Some((answer, at));
        let target = watch.target();
        self.settle(&target, now);
        if let Some(weight) = weight {
            self.weigh(&target, weight);
        }
    }

    /// Sets the load weight of this host in a rule that it takes, as the service wants it.
    fn weigh(&mut self, target: &Target, weight: u8) {
        let done = match target.look(&mut self.kernel) {
            Ok(Some((place, seen))) if seen.stance == Stance::Takes => {
                place.weigh(&mut self.kernel, weight)
            }
            Ok(_) => Ok(false),
            Err(error) => Err(error),
        };
        match done {
            Ok(true) => log!("{target}: load weight {weight}"),
            Ok(false) => {}
            Err(error) => log!("{target}: load weight {weight}: {error}"),
        }
    }

    /// Looks at everything that something is or may have to be done about.
    pub(crate) fn look(&mut self, now: Instant) {
        let targets: Vec<_> = self.held.keys().cloned().collect();
        for target in targets {
            self.settle(&target, now);
        }
    }

    /// What the checks of a target say. Where there are none any more, it is taken back; where that is not known, it is
    /// taken back only if nobody else takes it.
    fn wish(&self, target: &Target) -> Wish {
        let mut of_target = self
            .watches
            .iter()
            .filter(|watch| watch.target() == *target)
            .peekable();
        if of_target.peek().is_none() {
            let state = if self.unread {
                State::Unknown
            } else {
                State::Well
            };
            return Wish { state, last: false };
        }
        let (mut state, mut last) = (State::Well, true);
        for watch in of_target {
            match watch.health.state() {
                State::Unwell => {
                    state = State::Unwell;
                    last &= watch.check.check.last;
                }
                State::Unknown if state == State::Well => state = State::Unknown,
                State::Unknown | State::Well => {}
            }
        }
        let last = last && state == State::Unwell;
        Wish { state, last }
    }

    /// Does what is to be done about a target. The kernel is asked only if there may be something.
    fn settle(&mut self, target: &Target, now: Instant) {
        let Some(held) = self.held.get(target) else {
            return;
        };
        let wish = self.wish(target);
        if wish.state != State::Unwell && held.holding.is_idle() {
            if let Some(held) = self.held.get_mut(target) {
                held.note.clear();
            }
            return;
        }
        let note = match self.step(target, wish, now) {
            Ok(note) => note,
            Err(text) => {
                let known = self.held.get(target).is_some_and(|held| held.note == text);
                if !known {
                    log!("{target}: {text}");
                }
                text
            }
        };
        if let Some(held) = self.held.get_mut(target) {
            held.note = note;
        }
        let gone = |held: &Held| held.holding.given_up().is_none();
        let watched = self.watches.iter().any(|watch| watch.target() == *target);
        if !watched && self.held.get(target).is_some_and(gone) {
            self.held.remove(target);
        }
    }

    /// Takes one step; what is to be known then, or why it could not be taken.
    fn step(&mut self, target: &Target, wish: Wish, now: Instant) -> Result<String, String> {
        let found = target
            .look(&mut self.kernel)
            .map_err(|error| error.to_string())?;
        let seen = found.map(|(_, seen)| seen);
        let Some(held) = self.held.get(target) else {
            return Ok(String::new());
        };
        let step = held.holding.step(wish, seen, now);
        let note = text_of(step);
        if matches!(step, Step::Stay(Why::Last | Why::Operator)) && held.note != note {
            log!("{target}: {note}");
        }
        let Some((place, seen)) = found else {
            if step == Step::Forget {
                self.forget(target);
            }
            return Ok(note);
        };
        self.act(target, step, place, seen)?;
        if let Some(held) = self.held.get_mut(target) {
            held.holding.done(step, wish, seen, now, fastrand::f64());
        }
        Ok(note)
    }

    /// What was given up is not there any more, nor is anything to be taken back.
    fn forget(&mut self, target: &Target) {
        self.strike(target);
        if let Some(held) = self.held.get_mut(target) {
            held.holding = Holding::FREE;
        }
        log!("{target}: gone, with what was given up there");
        self.tell(target, "gone");
    }

    fn act(&mut self, target: &Target, step: Step, place: Place, seen: Seen) -> Result<(), String> {
        let refused = |error: Error| error.to_string();
        let action = match step {
            Step::Stay(_) => return Ok(()),
            Step::GiveUp => {
                let noted = self.marks.note(target, seen.incarnation);
                noted.map_err(|error| format!("not given up, for it cannot be noted: {error}"))?;
                let given_up = place.give_up(&mut self.kernel).map_err(refused);
                if given_up.is_err() {
                    self.strike(target);
                }
                given_up?;
                log!("{target}: given up: no new connections");
                "given-up"
            }
            Step::TakeBack => {
                place.take_back(&mut self.kernel).map_err(refused)?;
                self.strike(target);
                log!("{target}: taken again");
                "taken-again"
            }
            Step::Forget => {
                self.strike(target);
                match self.given_up_by(target) {
                    // The service is well again, so what the operator said of it when it was not is over.
                    None => return Ok(()),
                    Some(incarnation) if incarnation == seen.incarnation => {
                        log!("{target}: left to the operator");
                        "left-to-operator"
                    }
                    // The cluster was made anew.
                    Some(_) => {
                        log!("{target}: gone, with what was given up there");
                        "gone"
                    }
                }
            }
        };
        self.tell(target, action);
        Ok(())
    }

    fn tell(&mut self, target: &Target, action: &'static str) {
        self.news.push(News::CheckAction {
            cluster: target.cluster.clone(),
            rule: target.rule.as_ref().map(Coverage::to_string),
            action,
        });
    }

    /// The incarnation that gave a target up, if it is.
    fn given_up_by(&self, target: &Target) -> Option<u64> {
        self.held.get(target)?.holding.given_up()
    }

    fn strike(&mut self, target: &Target) {
        if let Err(error) = self.marks.strike(target) {
            log!("{target}: the note of it cannot be struck out: {error}");
        }
    }
}

/// What is to be known after a step.
fn text_of(step: Step) -> String {
    match step {
        Step::Stay(why) => why.text().into(),
        Step::GiveUp => "given up".into(),
        Step::TakeBack => String::new(),
        Step::Forget => String::new(),
    }
}
