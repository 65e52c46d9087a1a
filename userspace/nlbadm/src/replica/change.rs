// SPDX-License-Identifier: GPL-2.0-only

//! A change of the file on all hosts, or on none: whom to ask for what, and what became of it. No input, no output, no
//! clock.
//!
//! All hosts stage it, the one with the lowest id first: of two changes at once, the one that reaches that host first wins,
//! and the other is taken back. When all have staged it, it comes into force: on the other hosts first and on that of the
//! change last, so that a power cut there leaves no version in force that nobody can be asked for.

use std::{collections::BTreeMap, time::Duration};

use super::{
    fate::DECIDE,
    message::{Ask, Refusal, Reply, Staged},
    version::Version,
};

/// Exit code of nlbadm where somebody else's change came first.
pub const CAME_FIRST: u8 = 10;

/// A change that is being made.
#[derive(Debug)]
pub struct Change {
    /// The host of the change.
    own: u8,
    staged: Staged,
    text: String,
    /// The content of the version that it is made from, for hosts that lack it.
    base_text: Option<String>,
    /// Whether it ends when it is known that all could have it.
    trial: bool,
    hosts: BTreeMap<u8, Part>,
    phase: Phase,
    /// Why it is taken back, where no host is the reason.
    late: bool,
    /// Whether hosts were told to bring it into force.
    decided: bool,
}

/// How far all are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The lowest host stages it.
    Lead,
    /// All others do.
    Stage,
    /// It comes into force on the others.
    Commit,
    /// On the host of the change.
    Last,
    /// It is taken back.
    Withdraw,
    Done,
}

/// How far one host is.
#[derive(Clone, Debug, Default)]
struct Part {
    /// What it was asked for and has not answered.
    asked: Option<Ask>,
    /// Whether it has staged it.
    staged: bool,
    /// Whether it may have done so, for all that is known.
    maybe: bool,
    committed: bool,
    /// Whether it was given the version that it lacked, or was told twice.
    again: bool,
    /// What keeps it from that.
    why: Option<Why>,
}

/// Why a host does not have a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// As the exit code of nlbadm.
    pub exit: u8,
    /// In words.
    pub message: String,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether a host has said that it is in force.
    pub in_force: bool,
    /// Whether it is decided, and comes into force on all. Otherwise nothing has changed.
    pub decided: bool,
    /// Whether all hosts could have had it.
    pub accepted: bool,
    /// What keeps hosts from it. Those that have no entry have it, if it is in force.
    pub why: BTreeMap<u8, Why>,
}

impl Change {
    /// A change on these hosts, made on one of them. `trial`: it is taken back when all have staged it.
    #[must_use]
    pub fn new(
        own: u8,
        staged: Staged,
        text: String,
        base_text: Option<String>,
        trial: bool,
    ) -> Self {
        let hosts = staged.hosts.iter().map(|&id| (id, Part::default()));
        Change {
            own,
            hosts: hosts.collect(),
            staged,
            text,
            base_text,
            trial,
            phase: Phase::Lead,
            late: false,
            decided: false,
        }
    }

    /// The version that it makes.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.staged.version
    }

    /// Whom to ask for what, so long after it began. Each of them answers, or is said not to have answered.
    pub fn next(&mut self, now: Duration) -> Vec<(u8, Ask)> {
        let mut orders = Vec::new();
        // Each round leads to a later phase, or to nothing.
        while orders.is_empty() && !self.hosts.values().any(|part| part.asked.is_some()) {
            let Some(phase) = self.after(now) else { break };
            self.phase = phase;
            self.decided |= phase == Phase::Commit;
            orders = self.orders();
        }
        for (id, ask) in &orders {
            if let Some(part) = self.hosts.get_mut(id) {
                part.asked = Some(ask.clone());
            }
        }
        orders
    }

    /// The phase that follows when all answers are there; none if nothing follows.
    fn after(&self, now: Duration) -> Option<Phase> {
        let is_lead = |id: &u8| self.hosts.keys().next() == Some(id);
        let staged = |lead_only: bool| {
            let mut asked = self
                .hosts
                .iter()
                .filter(|(id, _)| !lead_only || is_lead(id));
            asked.all(|(_, part)| part.staged)
        };
        let refused = self.hosts.values().any(|part| part.why.is_some());
        Some(match self.phase {
            Phase::Lead | Phase::Stage if refused || self.late => Phase::Withdraw,
            // It begins.
            Phase::Lead if !staged(true) => Phase::Lead,
            Phase::Lead => Phase::Stage,
            Phase::Stage if !staged(false) => Phase::Stage,
            Phase::Stage if self.trial || now > DECIDE => Phase::Withdraw,
            Phase::Stage => Phase::Commit,
            Phase::Commit => Phase::Last,
            Phase::Last | Phase::Withdraw => Phase::Done,
            Phase::Done => return None,
        })
    }

    fn orders(&self) -> Vec<(u8, Ask)> {
        let stage = || Ask::Stage {
            change: self.staged.clone(),
            text: self.text.clone(),
        };
        let version = || self.version().clone();
        let mut orders = Vec::new();
        for (&id, part) in &self.hosts {
            let ask = match self.phase {
                Phase::Lead if Some(&id) == self.hosts.keys().next() => stage(),
                Phase::Stage if !part.staged => stage(),
                Phase::Commit if id != self.own => Ask::Commit(version()),
                Phase::Last if id == self.own => Ask::Commit(version()),
                Phase::Withdraw if part.staged || part.maybe => Ask::Withdraw(version()),
                _ => continue,
            };
            orders.push((id, ask));
        }
        orders
    }

    /// What a host has answered, or why there is no answer. What to ask it next, before all others.
    pub fn answer(&mut self, id: u8, reply: Result<Reply, String>, now: Duration) -> Option<Ask> {
        self.late |= now > DECIDE && matches!(self.phase, Phase::Lead | Phase::Stage);
        let phase = self.phase;
        let again = match phase {
            Phase::Lead | Phase::Stage => self.staged_by(id, reply),
            Phase::Commit | Phase::Last => self.committed_by(id, reply),
            // A host that was not told finds out by itself.
            _ => {
                self.hosts.get_mut(&id)?.asked = None;
                None
            }
        };
        self.hosts.get_mut(&id)?.asked.clone_from(&again);
        again
    }

    fn staged_by(&mut self, id: u8, reply: Result<Reply, String>) -> Option<Ask> {
        let late = self.late;
        let given = self.staged.base.clone().zip(self.base_text.clone());
        let stage = Ask::Stage {
            change: self.staged.clone(),
            text: self.text.clone(),
        };
        let part = self.hosts.get_mut(&id)?;
        match reply {
            Ok(Reply::Done) if matches!(part.asked, Some(Ask::Take { .. })) => {
                return (!late).then_some(stage);
            }
            Ok(Reply::Done) => part.staged = true,
            Ok(Reply::Refused(Refusal::Behind)) if !part.again && !late => {
                part.again = true;
                if let Some((version, text)) = given {
                    return Some(Ask::Take { version, text });
                }
                part.why = Some(Why::refused(&Refusal::Behind));
            }
            Ok(Reply::Refused(refusal)) => part.why = Some(Why::refused(&refusal)),
            Ok(_) => part.why = Some(Why::other_release()),
            Err(why) => {
                part.maybe = true;
                part.why = Some(Why::new(1, why));
            }
        }
        None
    }

    fn committed_by(&mut self, id: u8, reply: Result<Reply, String>) -> Option<Ask> {
        let version = self.staged.version.clone();
        let text = self.text.clone();
        let part = self.hosts.get_mut(&id)?;
        match reply {
            Ok(Reply::Done) => {
                part.committed = true;
                part.why = None;
            }
            // It has given up to wait, or has another in force that loses.
            Ok(Reply::Refused(Refusal::NotStaged))
                if !matches!(part.asked, Some(Ask::Take { .. })) =>
            {
                return Some(Ask::Take { version, text });
            }
            Ok(Reply::Refused(refusal)) => part.why = Some(Why::refused(&refusal)),
            Ok(_) => part.why = Some(Why::other_release()),
            Err(_) if !part.again => {
                part.again = true;
                return Some(Ask::Commit(version));
            }
            Err(why) => {
                let why = format!(
                    "{why}; it has staged the change, and takes it when it hears of the others"
                );
                part.why = Some(Why::new(1, why));
            }
        }
        None
    }

    /// What became of it; none as long as it is not known.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        if self.phase != Phase::Done {
            return None;
        }
        let mut why: BTreeMap<u8, Why> = BTreeMap::new();
        for (&id, part) in &self.hosts {
            why.extend(part.why.clone().map(|why| (id, why)));
        }
        let accepted = why.is_empty() && self.hosts.values().all(|part| part.staged);
        if accepted && self.late {
            let text = format!(
                "the hosts took longer than {} s to stage it",
                DECIDE.as_secs()
            );
            why.insert(self.own, Why::new(1, text));
        }
        Some(Outcome {
            in_force: self.hosts.values().any(|part| part.committed),
            decided: self.decided,
            accepted: accepted && !self.late,
            why,
        })
    }
}

impl Why {
    pub(crate) fn new(exit: u8, message: impl Into<String>) -> Self {
        Why {
            exit,
            message: message.into(),
        }
    }

    /// A reply that is none.
    pub(crate) fn other_release() -> Self {
        Why::new(
            1,
            "it answers otherwise than this release does: install the same release on all hosts",
        )
    }

    /// Why a host refuses.
    pub(crate) fn refused(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::CameFirst(version) => Why::new(
                CAME_FIRST,
                format!(
                    "somebody else's change came first: {version}; `nlbadm versions` shows it, and what the file says now is \
                     the place to begin again"
                ),
            ),
            Refusal::UnderWay(version) => Why::new(
                CAME_FIRST,
                format!(
                    "somebody else's change came first, and is not decided yet: {version}; try again in a minute"
                ),
            ),
            Refusal::Behind => Why::new(1, "it lacks the version from which the change was made"),
            Refusal::NotStaged => Why::new(1, "it has forgotten the change"),
            Refusal::Unable { exit, message } => Why::new(*exit, crate::source::printable(message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::version::tests::version, *};

    const NOW: Duration = Duration::from_millis(100);

    fn change(own: u8, trial: bool) -> Change {
        let staged = Staged {
            version: version(8, own, "new"),
            base: Some(version(7, 1, "old")),
            hosts: vec![1, 2, 3],
        };
        Change::new(own, staged, "new".into(), Some("old".into()), trial)
    }

    fn asks(change: &mut Change) -> Vec<(u8, &'static str)> {
        let name = |(id, ask)| (id, name_of(&ask));
        change.next(NOW).into_iter().map(name).collect()
    }

    fn name_of(ask: &Ask) -> &'static str {
        match ask {
            Ask::Stage { .. } => "stage",
            Ask::Commit(_) => "commit",
            Ask::Withdraw(_) => "withdraw",
            Ask::Take { .. } => "take",
            Ask::Status | Ask::Fetch(_) | Ask::Again(_) => "look",
        }
    }

    fn done(change: &mut Change, ids: &[u8]) {
        for &id in ids {
            assert_eq!(change.answer(id, Ok(Reply::Done), NOW), None);
        }
    }

    #[test]
    fn the_lowest_host_is_first_and_that_of_the_change_last() {
        let mut change = change(2, false);
        assert_eq!(asks(&mut change), [(1, "stage")]);
        assert_eq!(asks(&mut change), [], "host 1 has not answered");
        done(&mut change, &[1]);
        assert_eq!(asks(&mut change), [(2, "stage"), (3, "stage")]);
        done(&mut change, &[3, 2]);
        assert_eq!(asks(&mut change), [(1, "commit"), (3, "commit")]);
        done(&mut change, &[1]);
        assert_eq!((asks(&mut change), change.outcome()), (vec![], None));
        done(&mut change, &[3]);
        assert_eq!(asks(&mut change), [(2, "commit")]);
        done(&mut change, &[2]);
        assert_eq!(asks(&mut change), []);
        let outcome = change.outcome().unwrap();
        assert!(outcome.in_force && outcome.accepted && outcome.why.is_empty());
    }

    #[test]
    fn one_that_cannot_is_named_and_all_others_take_it_back() {
        let mut change = change(2, false);
        asks(&mut change);
        done(&mut change, &[1]);
        asks(&mut change);
        let refusal = Refusal::Unable {
            exit: 5,
            message: "no interface eth9".into(),
        };
        change.answer(3, Ok(Reply::Refused(refusal)), NOW);
        done(&mut change, &[2]);
        assert_eq!(asks(&mut change), [(1, "withdraw"), (2, "withdraw")]);
        done(&mut change, &[1, 2]);
        assert_eq!(asks(&mut change), []);
        let outcome = change.outcome().unwrap();
        assert!(!outcome.in_force);
        assert_eq!(outcome.why, [(3, Why::new(5, "no interface eth9"))].into());
    }

    #[test]
    fn the_second_of_two_changes_asks_nobody_else() {
        let mut change = change(3, false);
        asks(&mut change);
        let refusal = Refusal::UnderWay(version(8, 2, "other"));
        change.answer(1, Ok(Reply::Refused(refusal)), NOW);
        assert_eq!(asks(&mut change), []);
        let outcome = change.outcome().unwrap();
        assert_eq!(outcome.why[&1].exit, CAME_FIRST);
        assert!(outcome.why[&1].message.contains("version 8 by h2"));
    }

    #[test]
    fn no_answer_is_no_consent_and_may_have_to_be_taken_back() {
        let mut change = change(2, false);
        asks(&mut change);
        done(&mut change, &[1]);
        asks(&mut change);
        change.answer(3, Err("no answer".into()), NOW);
        done(&mut change, &[2]);
        let all = [(1, "withdraw"), (2, "withdraw"), (3, "withdraw")];
        assert_eq!(asks(&mut change), all);
        change.answer(3, Err("no answer".into()), NOW);
        done(&mut change, &[1, 2]);
        assert_eq!(asks(&mut change), []);
        assert!(!change.outcome().unwrap().in_force);
    }

    #[test]
    fn a_host_that_is_behind_gets_what_it_lacks() {
        let mut change = change(2, false);
        asks(&mut change);
        let behind = || Ok(Reply::Refused(Refusal::Behind));
        let take = change.answer(1, behind(), NOW).unwrap();
        assert_eq!(name_of(&take), "take");
        let stage = change.answer(1, Ok(Reply::Done), NOW).unwrap();
        assert_eq!(name_of(&stage), "stage");
        assert_eq!(change.answer(1, behind(), NOW), None, "once");
        assert_eq!(asks(&mut change), []);
        assert!(!change.outcome().unwrap().in_force);
    }

    #[test]
    fn what_is_decided_comes_into_force_though_a_host_gives_no_word() {
        let mut change = change(2, false);
        asks(&mut change);
        done(&mut change, &[1]);
        asks(&mut change);
        done(&mut change, &[2, 3]);
        asks(&mut change);
        let not_staged = Ok(Reply::Refused(Refusal::NotStaged));
        assert_eq!(name_of(&change.answer(1, not_staged, NOW).unwrap()), "take");
        done(&mut change, &[1]);
        let commit = change.answer(3, Err("no answer".into()), NOW).unwrap();
        assert_eq!(name_of(&commit), "commit", "told twice");
        assert_eq!(change.answer(3, Err("no answer".into()), NOW), None);
        assert_eq!(asks(&mut change), [(2, "commit")]);
        done(&mut change, &[2]);
        assert_eq!(asks(&mut change), []);
        let outcome = change.outcome().unwrap();
        assert!(outcome.in_force);
        assert_eq!(outcome.why.keys().collect::<Vec<_>>(), [&3]);
    }

    #[test]
    fn a_trial_and_what_takes_too_long_change_nothing() {
        for trial in [true, false] {
            let mut change = change(1, trial);
            asks(&mut change);
            done(&mut change, &[1]);
            asks(&mut change);
            done(&mut change, &[2]);
            let now = if trial { NOW } else { 2 * DECIDE };
            assert_eq!(change.answer(3, Ok(Reply::Done), now), None);
            let all = [(1, "withdraw"), (2, "withdraw"), (3, "withdraw")];
            assert_eq!(asks(&mut change), all);
            done(&mut change, &[1, 2, 3]);
            assert_eq!(asks(&mut change), []);
            let outcome = change.outcome().unwrap();
            assert_eq!((outcome.in_force, outcome.accepted), (false, trial));
        }
    }
}
