// SPDX-License-Identifier: GPL-2.0-only

//! What becomes of a staged change whose host gives no word any more: it has crashed, or the network is cut.

use std::{collections::BTreeMap, time::Duration};

use super::message::{Staged, Status};

/// How long a host may take to answer.
pub const ANSWER: Duration = Duration::from_secs(3);

/// How long a change may take until all have staged it. After that it is taken back.
pub const DECIDE: Duration = Duration::from_secs(8);

/// How long a host waits for word on a staged change, before it asks the others: [`DECIDE`], two answers of the others, one
/// of the host of the change, and a little more.
pub const HOLD: Duration = Duration::from_secs(20);

/// How long it waits for hosts that do not answer.
pub const GIVE_UP: Duration = Duration::from_secs(40);

/// What to do with a staged change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is in force on another host: here as well.
    Commit,
    /// It is in force nowhere, and will not be.
    Withdraw,
    /// It is not known yet.
    Wait,
}

/// What to do with a change that was staged so long ago, by what the other hosts say that take part; those that did not
/// answer are not there.
///
/// A change comes into force when all have staged it, within [`DECIDE`], and the host of the change comes last. So after
/// [`HOLD`], a change that is in force nowhere will not be any more. If all that have it in force do not answer, it is
/// withdrawn here, and comes with them: a version in force wins over none.
#[must_use]
pub fn fate(staged: &Staged, own: u8, age: Duration, answers: &BTreeMap<u8, Status>) -> Fate {
    let version = &staged.version;
    if answers.values().any(|status| status.has(version)) {
        return Fate::Commit;
    }
    let silent = |id: &u8| *id != own && !answers.contains_key(id);
    let all = !staged.hosts.iter().any(silent);
    match age {
        age if age < HOLD => Fate::Wait,
        age if all || age >= GIVE_UP => Fate::Withdraw,
        _ => Fate::Wait,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::{message::FileState, state::State, version::tests::version},
        *,
    };

    /// How a host stands that has this state.
    pub(in crate::replica) fn status(host: u8, state: &State) -> Status {
        Status {
            host,
            name: format!("h{host}"),
            clock: 0,
            current: state.current.clone(),
            staged: state.staged.clone(),
            history: state.history.clone(),
            file: FileState::Same,
            applied: true,
            waits_for: Vec::new(),
            trouble: None,
            peers: Vec::new(),
        }
    }

    #[test]
    fn a_change_without_word_ends_as_the_others_know() {
        let staged = Staged {
            version: version(1, 1, "a"),
            base: None,
            hosts: vec![1, 2, 3],
        };
        let waits = State {
            staged: Some(staged.clone()),
            ..State::default()
        };
        let has = waits.committed().unwrap();
        let none = State::default();
        let seconds = Duration::from_secs;
        for (age, answers, expected) in [
            (seconds(1), vec![(1, &waits), (3, &waits)], Fate::Wait),
            (seconds(1), vec![(3, &has)], Fate::Commit),
            (HOLD, vec![(1, &waits), (3, &waits)], Fate::Withdraw),
            (HOLD, vec![(1, &none), (3, &waits)], Fate::Withdraw),
            (HOLD, vec![(3, &waits)], Fate::Wait),
            (GIVE_UP, vec![(3, &waits)], Fate::Withdraw),
            (GIVE_UP, vec![(3, &has)], Fate::Commit),
            (GIVE_UP, vec![], Fate::Withdraw),
        ] {
            let answers = answers
                .into_iter()
                .map(|(id, state)| (id, status(id, state)));
            let found = fate(&staged, 2, age, &answers.collect());
            assert_eq!(found, expected, "after {age:?}");
        }
    }
}
