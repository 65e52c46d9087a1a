// SPDX-License-Identifier: GPL-2.0-only

//! What one host knows of the file, and what each request makes of it. No input, no output, no clock: whoever uses it writes
//! the new state down before the reply goes out.

use serde::{Deserialize, Serialize};

use super::{
    message::{Ask, Refusal, Reply, Staged},
    version::{Digest, NUMBER_MAX, Version},
};

/// Versions that a host remembers, with their contents.
pub const HISTORY_MAX: usize = 32;

/// What one host knows of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct State {
    /// The version in force; none before the first change.
    pub current: Option<Version>,
    /// What waits for word whether it comes into force.
    pub staged: Option<Staged>,
    /// The version that was put where the file is.
    pub placed: Option<Version>,
    /// The version that the host was made what it says.
    pub followed: Option<Version>,
    /// The versions that were in force, the oldest first, with the current one.
    pub history: Vec<Version>,
}

/// What a request leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing changes.
    Stays(Reply),
    /// This is the state from now on, once it is written down. With a text, that goes first.
    Becomes {
        /// From now on.
        state: Box<State>,
        /// The content that it needs.
        text: Option<String>,
        /// What to say then.
        reply: Reply,
    },
}

impl State {
    /// What a request leads to. Whether this host could live with the content is for others to say, before that.
    #[must_use]
    pub fn step(&self, ask: &Ask) -> Step {
        let step = match ask {
            Ask::Stage { change, text } => self.stage(change).map(|it| (it, Some(text))),
            Ask::Commit(version) => self.commit(version).map(|it| (it, None)),
            Ask::Withdraw(version) => Ok((self.withdraw(version), None)),
            Ask::Take { version, text } => Ok((self.take(version), Some(text))),
            Ask::Again(version) => self.again(version).map(|it| (it, None)),
            // Nothing of it changes anything.
            Ask::Status | Ask::Fetch(_) => Ok((None, None)),
        };
        if let Ask::Stage {
            change: Staged { version, .. },
            text,
        }
        | Ask::Take { version, text } = ask
        {
            if Digest::of(text) != version.digest || !(1..=NUMBER_MAX).contains(&version.number) {
                return Step::Stays(Reply::Refused(Refusal::Unable {
                    exit: 1,
                    message: "the content is not that of the version".into(),
                }));
            }
        }
        match step {
            Ok((Some(state), text)) => Step::Becomes {
                state: Box::new(state),
                text: text.cloned(),
                reply: Reply::Done,
            },
            Ok((None, _)) => Step::Stays(Reply::Done),
            Err(refusal) => Step::Stays(Reply::Refused(refusal)),
        }
    }

    fn stage(&self, change: &Staged) -> Result<Option<State>, Refusal> {
        match &self.staged {
            Some(staged) if staged == change => return Ok(None),
            Some(staged) => return Err(Refusal::UnderWay(staged.version.clone())),
            None => {}
        }
        match (&self.current, &change.base) {
            (current, base) if current == base => {}
            (Some(current), Some(base)) if !base.beats(current) => {
                return Err(Refusal::CameFirst(current.clone()));
            }
            (Some(current), None) => return Err(Refusal::CameFirst(current.clone())),
            _ => return Err(Refusal::Behind),
        }
        Ok(Some(State {
            staged: Some(change.clone()),
            ..self.clone()
        }))
    }

    fn commit(&self, version: &Version) -> Result<Option<State>, Refusal> {
        match &self.staged {
            Some(staged) if staged.version == *version => Ok(Some(self.with(version))),
            _ if self.has(version) => Ok(None),
            _ => Err(Refusal::NotStaged),
        }
    }

    fn withdraw(&self, version: &Version) -> Option<State> {
        let staged = self.staged.as_ref()?;
        (staged.version == *version).then(|| State {
            staged: None,
            ..self.clone()
        })
    }

    fn take(&self, version: &Version) -> Option<State> {
        let newer = |current: &Version| version.beats(current);
        self.current
            .as_ref()
            .is_none_or(newer)
            .then(|| self.with(version))
    }

    fn again(&self, version: &Version) -> Result<Option<State>, Refusal> {
        if self.current.as_ref() != Some(version) {
            return Err(self
                .current
                .clone()
                .map_or(Refusal::Behind, Refusal::CameFirst));
        }
        Ok(Some(State {
            followed: None,
            ..self.clone()
        }))
    }

    /// Whether a version is in force here, or was.
    #[must_use]
    pub fn has(&self, version: &Version) -> bool {
        self.current.as_ref() == Some(version) || self.history.contains(version)
    }

    /// With a version in force. What was staged was made from another one, or is this.
    fn with(&self, version: &Version) -> State {
        let mut state = State {
            current: Some(version.clone()),
            staged: None,
            ..self.clone()
        };
        state.note(version);
        state
    }

    /// Remembers a version.
    pub fn note(&mut self, version: &Version) {
        if self.history.contains(version) {
            return;
        }
        let after = |known: &Version| known.beats(version);
        let at = self.history.iter().position(after);
        self.history
            .insert(at.unwrap_or(self.history.len()), version.clone());
        if self.history.len() > HISTORY_MAX {
            self.history.remove(0);
        }
    }

    /// The state after a staged change has come into force, to be written down beforehand.
    #[must_use]
    pub fn committed(&self) -> Option<State> {
        self.staged
            .as_ref()
            .map(|staged| self.with(&staged.version))
    }

    /// The contents that are needed.
    pub fn digests(&self) -> impl Iterator<Item = Digest> {
        let staged = self.staged.iter().map(|staged| staged.version.digest);
        let known = self.history.iter().chain(&self.current);
        staged.chain(known.map(|version| version.digest))
    }

    /// The version of a number, or the one in force. Of two with one number it is the one that counted.
    #[must_use]
    pub fn find(&self, number: Option<u64>) -> Option<&Version> {
        let Some(number) = number else {
            return self.current.as_ref();
        };
        self.history.iter().rev().find(|it| it.number == number)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::version::tests::version, *};

    fn change(number: u64, origin: u8, base: Option<Version>) -> Ask {
        Ask::Stage {
            change: Staged {
                version: version(number, origin, "text"),
                base,
                hosts: vec![1, 2],
            },
            text: "text".into(),
        }
    }

    fn done(state: &State, ask: &Ask) -> State {
        match state.step(ask) {
            Step::Becomes { state, reply, .. } => {
                assert_eq!(reply, Reply::Done);
                *state
            }
            Step::Stays(reply) => {
                assert_eq!(reply, Reply::Done, "{ask:?}");
                state.clone()
            }
        }
    }

    fn refused(state: &State, ask: &Ask) -> Refusal {
        match state.step(ask) {
            Step::Stays(Reply::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_change_is_staged_and_then_in_force() {
        let state = done(&State::default(), &change(1, 2, None));
        assert_eq!(state.current, None);
        assert_eq!(done(&state, &change(1, 2, None)), state, "told twice");
        let first = version(1, 2, "text");
        let state = done(&state, &Ask::Commit(first.clone()));
        assert_eq!(
            (&state.current, &state.staged),
            (&Some(first.clone()), &None)
        );
        assert_eq!(
            done(&state, &Ask::Commit(first.clone())),
            state,
            "told twice"
        );
        assert_eq!(state.history, std::slice::from_ref(&first));
        let state = done(&state, &change(2, 1, Some(first.clone())));
        let state = done(&state, &Ask::Withdraw(version(2, 1, "text")));
        assert_eq!((state.current, state.staged), (Some(first), None));
    }

    #[test]
    fn one_change_at_a_time_and_from_what_is_in_force() {
        let state = done(&State::default(), &change(1, 2, None));
        let under_way = Refusal::UnderWay(version(1, 2, "text"));
        assert_eq!(refused(&state, &change(1, 1, None)), under_way);
        let first = version(1, 2, "text");
        let state = done(&state, &Ask::Commit(first.clone()));
        let came_first = Refusal::CameFirst(first.clone());
        assert_eq!(refused(&state, &change(1, 1, None)), came_first);
        let other = version(1, 5, "other");
        assert_eq!(refused(&state, &change(2, 1, Some(other))), came_first);
        let later = version(3, 1, "later");
        assert_eq!(refused(&state, &change(4, 1, Some(later))), Refusal::Behind);
        let stranger = Ask::Commit(version(2, 1, "text"));
        assert_eq!(refused(&state, &stranger), Refusal::NotStaged);
    }

    #[test]
    fn what_is_in_force_elsewhere_is_taken_if_it_wins() {
        let take = |number, origin, text: &str| Ask::Take {
            version: version(number, origin, text),
            text: text.into(),
        };
        let state = done(&State::default(), &change(1, 2, None));
        let state = done(&state, &take(4, 3, "a"));
        assert_eq!(state.staged, None, "it was made from an older one");
        assert_eq!(done(&state, &take(3, 1, "b")), state);
        assert_eq!(done(&state, &take(4, 4, "b")), state);
        let state = done(&state, &take(4, 1, "b"));
        assert_eq!(state.current, Some(version(4, 1, "b")));
        let known: Vec<u8> = state.history.iter().map(|it| it.origin).collect();
        assert_eq!(known, [3, 1], "the one that lost is not forgotten");
        assert_eq!(state.find(Some(4)), state.current.as_ref());
    }

    #[test]
    fn the_version_in_force_can_be_followed_again() {
        let first = version(1, 2, "text");
        let state = State {
            followed: Some(first.clone()),
            ..done(
                &done(&State::default(), &change(1, 2, None)),
                &Ask::Commit(first.clone()),
            )
        };
        assert_eq!(done(&state, &Ask::Again(first.clone())).followed, None);
        let other = Ask::Again(version(2, 2, "text"));
        assert_eq!(refused(&state, &other), Refusal::CameFirst(first.clone()));
        assert_eq!(
            refused(&State::default(), &Ask::Again(first)),
            Refusal::Behind
        );
    }

    #[test]
    fn another_content_than_was_promised_is_refused() {
        let mut wrong = change(1, 2, None);
        if let Ask::Stage { text, .. } = &mut wrong {
            text.push(' ');
        }
        assert!(matches!(
            refused(&State::default(), &wrong),
            Refusal::Unable { .. }
        ));
        let endless = Ask::Take {
            version: version(u64::MAX, 1, "a"),
            text: "a".into(),
        };
        assert!(matches!(
            refused(&State::default(), &endless),
            Refusal::Unable { .. }
        ));
    }

    #[test]
    fn the_oldest_version_is_forgotten_first() {
        let mut state = State::default();
        for number in 1..=HISTORY_MAX as u64 + 3 {
            let taken = Ask::Take {
                version: version(number, 1, "a"),
                text: "a".into(),
            };
            state = done(&state, &taken);
        }
        assert_eq!(state.history.len(), HISTORY_MAX);
        assert_eq!(state.find(Some(3)), None);
        assert!(state.find(Some(4)).is_some());
    }
}
