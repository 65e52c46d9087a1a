// SPDX-License-Identifier: GPL-2.0-only

//! Whether a service is well, by the answers of its check.

/// What one check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    /// What was found, in one line.
    pub(crate) text: String,
    /// The load weight that the service wants, from 1 to 100, if it said so.
    pub(crate) weight: Option<u8>,
}

/// What an answer says about the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
    /// Nothing: the check itself did not work.
    Unknown,
}

impl Answer {
    pub(crate) fn good(text: impl Into<String>) -> Self {
        Answer {
            verdict: Verdict::Good,
            text: text.into(),
            weight: None,
        }
    }

    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Answer {
            verdict: Verdict::Bad,
            text: text.into(),
            weight: None,
        }
    }

    pub(crate) fn unknown(text: impl Into<String>) -> Self {
        Answer {
            verdict: Verdict::Unknown,
            text: text.into(),
            weight: None,
        }
    }

    /// The same answer, with the load weight that stands in what the service said.
    pub(crate) fn with_weight(self, said: &str) -> Self {
        Answer {
            weight: weight_in(said),
            ..self
        }
    }
}

/// The number after the first `weight=`, within the bounds of load weights. A service that wants nothing is not well.
fn weight_in(said: &str) -> Option<u8> {
    let (_, rest) = said.split_once("weight=")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).take(4).count();
    let number: u16 = rest.get(..digits)?.parse().ok()?;
    u8::try_from(number.clamp(1, 100)).ok()
}

/// How a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not enough answers yet.
    Unknown,
    Well,
    Unwell,
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            State::Unknown => "unknown",
            State::Well => "well",
            State::Unwell => "unwell",
        }
    }
}

/// The state of a service, and what speaks for another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Health {
    state: State,
    /// Answers of one kind in a row, the last of all included.
    run: u32,
    good: bool,
}

impl Health {
    /// Nothing is known.
    pub(crate) const NEW: Health = Health {
        state: State::Unknown,
        run: 0,
        good: false,
    };

    pub(crate) const fn state(&self) -> State {
        self.state
    }

    /// Takes an answer. The service counts as well after `rise` good ones in a row, and as not well after `fall` bad ones.
    /// Whether its state has changed.
    pub(crate) fn tell(&mut self, verdict: Verdict, rise: u32, fall: u32) -> bool {
        let good = match verdict {
            Verdict::Good => true,
            Verdict::Bad => false,
            Verdict::Unknown => return false,
        };
        if self.good != good {
            self.good = good;
            self.run = 0;
        }
        self.run = self.run.saturating_add(1);
        let (state, enough) = if good {
            (State::Well, rise)
        } else {
            (State::Unwell, fall)
        };
        if self.state == state || self.run < enough {
            return false;
        }
        self.state = state;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells answers, `+` good, `-` bad, `?` neither; the states after each, `w` well, `u` unwell, `.` unknown.
    fn told(answers: &str, rise: u32, fall: u32) -> String {
        let mut health = Health::NEW;
        let mut states = String::new();
        for answer in answers.chars() {
            let verdict = match answer {
                '+' => Verdict::Good,
                '-' => Verdict::Bad,
                _ => Verdict::Unknown,
            };
            let before = health.state();
            assert_eq!(
                health.tell(verdict, rise, fall),
                health.state() != before,
                "{answers}"
            );
            states.push(match health.state() {
                State::Unknown => '.',
                State::Well => 'w',
                State::Unwell => 'u',
            });
        }
        states
    }

    #[test]
    fn rise_and_fall_are_answers_in_a_row() {
        for (answers, states) in [
            ("++---++", ".wwwuuw"),
            ("---+-++", "..uuuuw"),
            ("++--+--+---", ".wwwwwwwwwu"),
            ("+-+-+-", "......"),
        ] {
            assert_eq!(told(answers, 2, 3), states, "{answers}");
        }
        assert_eq!(told("+-+", 1, 1), "wuw");
    }

    #[test]
    fn an_answer_that_tells_nothing_neither_counts_nor_breaks_a_run() {
        assert_eq!(told("+?+--??-?+", 2, 3), "..wwwwwuuu");
        assert_eq!(told("????", 1, 1), "....");
    }

    #[test]
    fn a_weight_is_found_in_what_a_service_says() {
        for (said, weight) in [
            ("weight=70", Some(70)),
            ("OK - all is well | load=3 weight=7;;;0;100", Some(7)),
            ("weight=0", Some(1)),
            ("weight=101 weight=5", Some(100)),
            ("weight=99999999999999999999", Some(100)),
            ("weight=", None),
            ("weight= 5", None),
            ("weight=-5", None),
            ("well", None),
        ] {
            assert_eq!(weight_in(said), weight, "{said}");
        }
    }

    #[test]
    fn a_run_has_no_end() {
        let mut health = Health::NEW;
        health.run = u32::MAX - 1;
        for _ in 0..3 {
            health.tell(Verdict::Bad, 1, 1);
        }
        assert_eq!(health.state(), State::Unwell);
    }
}
