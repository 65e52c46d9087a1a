// SPDX-License-Identifier: GPL-2.0-only

//! What becomes of a rule, or of a whole host, whose service is not well: a state machine without input and output.
//!
//! It knows what it gave up itself, and leaves alone whatever an operator does. While no other host takes what is given up,
//! it is not given up: if all hosts gave it up in the same moment, all take it again, and each tries anew after a time of
//! its own. Then the first one gives it up, and the others see that they are needed.

use std::time::{Duration, Instant};

use crate::health::State;

/// What the kernel says of a rule or a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) stance: Stance,
    /// Whether this host serves at all, so that there is something to give up.
    pub(crate) serves: bool,
    /// Whether another host takes it now, or would.
    pub(crate) others: bool,
    /// Whether nobody takes it now.
    pub(crate) nobody: bool,
    /// Incarnation of this host: another one after its cluster was made anew.
    pub(crate) incarnation: u64,
}

/// What this host does about a rule, or as a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stance {
    /// It takes new connections.
    Takes,
    /// It takes none, and serves the old ones.
    Drains,
    /// A host that is on its way into its cluster. What it does then does not show: it may drain underneath.
    Joins,
    /// Something that nlbd never does: disabled, stopped, suspended.
    Otherwise,
}

/// What is known of the services behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Unwell if one of them is, well if all are.
    pub(crate) state: State,
    /// Whether it is given up even where no other host takes it.
    pub(crate) last: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing, and why.
    Stay(Why),
    /// Note it, and take no new connections.
    GiveUp,
    /// Take new connections again, and strike out the note.
    TakeBack,
    /// Strike out the note: it is an operator's business now, or not there any more.
    Forget,
}

/// Why nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The host takes it, and may.
    Taken,
    /// Given up, as it should be.
    GivenUp,
    /// An operator has said what this host does about it.
    Operator,
    /// The host takes no part.
    Out,
    /// No other host takes it.
    Last,
    /// There is no such cluster, or no such rule.
    Absent,
}

impl Why {
    /// For people; empty where all is as it should be.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Why::Taken => "",
            Why::GivenUp => "given up",
            Why::Operator => "left alone: an operator has set what this host does",
            Why::Out => "nothing to give up: this host takes no part",
            Why::Last => "kept: no other host takes it",
            Why::Absent => "not in force on this host",
        }
    }
}

/// First pause after it was taken back because nobody took it, and the longest.
const PAUSE_MIN: Duration = Duration::from_secs(10);
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// Nothing was given up here.
    Free,
    /// It was given up here, by this incarnation of the host.
    GivenUp { incarnation: u64 },
    /// It was given up here, and an operator took it again.
    Overruled,
}

/// What nlbd does about a rule or a host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    hold: Hold,
    /// Nothing is given up before this moment.
    pause_until: Option<Instant>,
    pause: Duration,
}

impl Holding {
    /// Nothing was given up.
    pub(crate) const FREE: Holding = Holding {
        hold: Hold::Free,
        pause_until: None,
        pause: PAUSE_MIN,
    };

    /// It was given up before, by the note of it.
    pub(crate) const fn noted(incarnation: u64) -> Self {
        Holding {
            hold: Hold::GivenUp { incarnation },
            ..Holding::FREE
        }
    }

    /// Whether it is given up, which is noted, and by which incarnation.
    pub(crate) const fn given_up(&self) -> Option<u64> {
        match self.hold {
            Hold::GivenUp { incarnation } => Some(incarnation),
            Hold::Free | Hold::Overruled => None,
        }
    }

    /// Whether nothing was given up, nor taken again by an operator: as long as the services are well, there is nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.hold == Hold::Free && self.pause_until.is_none()
    }

    /// What is to be done; the caller says by [`Holding::done`] that it was.
    pub(crate) fn step(&self, wish: Wish, seen: Option<Seen>, now: Instant) -> Step {
        let Some(seen) = seen else {
            // With it went what was given up there.
            return match self.hold {
                Hold::Free => Step::Stay(Why::Absent),
                Hold::GivenUp { .. } | Hold::Overruled => Step::Forget,
            };
        };
        match self.hold {
            Hold::Free => self.free(wish, seen, now),
            Hold::GivenUp { incarnation } => Self::held(wish, seen, incarnation),
            Hold::Overruled if wish.state == State::Well => Step::Forget,
            Hold::Overruled => Step::Stay(Why::Operator),
        }
    }

    fn free(&self, wish: Wish, seen: Seen, now: Instant) -> Step {
        match seen.stance {
            Stance::Takes => {}
            Stance::Joins => return Step::Stay(Why::Out),
            Stance::Drains | Stance::Otherwise => return Step::Stay(Why::Operator),
        }
        if wish.state != State::Unwell {
            return Step::Stay(Why::Taken);
        }
        if !seen.serves {
            return Step::Stay(Why::Out);
        }
        let paused = self.pause_until.is_some_and(|until| now < until);
        if !wish.last && (paused || !seen.others) {
            return Step::Stay(Why::Last);
        }
        Step::GiveUp
    }

    fn held(wish: Wish, seen: Seen, incarnation: u64) -> Step {
        match seen.stance {
            Stance::Joins if seen.incarnation == incarnation => Step::Stay(Why::Out),
            // An operator, or the cluster was made anew.
            Stance::Takes | Stance::Joins | Stance::Otherwise => Step::Forget,
            Stance::Drains if wish.state == State::Well => Step::TakeBack,
            Stance::Drains if seen.nobody && seen.serves && !wish.last => Step::TakeBack,
            Stance::Drains => Step::Stay(Why::GivenUp),
        }
    }

    /// A step was taken. `random`, from 0 to 1, tells this host's pauses from those of others.
    pub(crate) fn done(&mut self, step: Step, wish: Wish, seen: Seen, now: Instant, random: f64) {
        let incarnation = seen.incarnation;
        match step {
            Step::Stay(_) => {
                if self.hold == Hold::Free && wish.state == State::Well {
                    *self = Holding::FREE;
                } else if self.given_up().is_some() {
                    // The host may have been stopped and started, which leaves its rules as they were.
                    self.hold = Hold::GivenUp { incarnation };
                }
            }
            Step::GiveUp => self.hold = Hold::GivenUp { incarnation },
            Step::TakeBack => {
                self.hold = Hold::Free;
                if wish.state == State::Unwell {
                    self.pause_until = Some(now + self.pause.mul_f64(1.0 + random));
                    self.pause = (self.pause * 2).min(PAUSE_MAX);
                } else {
                    *self = Holding::FREE;
                }
            }
            Step::Forget => {
                let again = self.given_up() == Some(incarnation);
                self.hold = if again && seen.stance == Stance::Takes {
                    Hold::Overruled
                } else {
                    Hold::Free
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Seen = Seen {
        stance: Stance::Takes,
        serves: true,
        others: true,
        nobody: false,
        incarnation: 7,
    };

    const fn wish(state: State) -> Wish {
        Wish { state, last: false }
    }

    const WELL: Wish = wish(State::Well);
    const UNWELL: Wish = wish(State::Unwell);
    const UNKNOWN: Wish = wish(State::Unknown);

    const fn stance(stance: Stance) -> Seen {
        Seen { stance, ..SEEN }
    }

    const DRAINS: Seen = stance(Stance::Drains);

    /// Takes the step that is to be done.
    fn act(holding: &mut Holding, wish: Wish, seen: Seen, now: Instant) -> Step {
        let step = holding.step(wish, Some(seen), now);
        holding.done(step, wish, seen, now, 0.5);
        step
    }

    fn given_up(now: Instant) -> Holding {
        let mut holding = Holding::FREE;
        assert_eq!(act(&mut holding, UNWELL, SEEN, now), Step::GiveUp);
        holding
    }

    #[test]
    fn what_is_not_well_is_given_up_and_taken_back_when_it_is() {
        let now = Instant::now();
        let mut holding = Holding::FREE;
        for wish in [WELL, UNKNOWN] {
            assert_eq!(act(&mut holding, wish, SEEN, now), Step::Stay(Why::Taken));
        }
        assert_eq!(act(&mut holding, UNWELL, SEEN, now), Step::GiveUp);
        assert_eq!(holding.given_up(), Some(7));
        for wish in [UNWELL, UNKNOWN] {
            assert_eq!(
                act(&mut holding, wish, DRAINS, now),
                Step::Stay(Why::GivenUp)
            );
        }
        assert_eq!(act(&mut holding, WELL, DRAINS, now), Step::TakeBack);
        assert_eq!(holding.given_up(), None);
        // And again, without a pause.
        assert_eq!(act(&mut holding, UNWELL, SEEN, now), Step::GiveUp);
    }

    #[test]
    fn what_the_operator_did_stays() {
        let now = Instant::now();
        for other in [Stance::Drains, Stance::Otherwise] {
            let mut holding = Holding::FREE;
            for wish in [UNWELL, WELL] {
                assert_eq!(
                    act(&mut holding, wish, stance(other), now),
                    Step::Stay(Why::Operator)
                );
            }
        }
        // Disabled after it was given up: not enabled when the service is well.
        let mut holding = given_up(now);
        let disabled = stance(Stance::Otherwise);
        assert_eq!(act(&mut holding, UNWELL, disabled, now), Step::Forget);
        assert_eq!(
            act(&mut holding, WELL, disabled, now),
            Step::Stay(Why::Operator)
        );
    }

    #[test]
    fn what_an_operator_takes_again_is_given_up_only_after_it_was_well() {
        let now = Instant::now();
        let mut holding = given_up(now);
        assert_eq!(act(&mut holding, UNWELL, SEEN, now), Step::Forget);
        for wish in [UNWELL, UNKNOWN] {
            assert_eq!(
                act(&mut holding, wish, SEEN, now),
                Step::Stay(Why::Operator)
            );
        }
        assert_eq!(act(&mut holding, WELL, SEEN, now), Step::Forget);
        assert_eq!(act(&mut holding, UNWELL, SEEN, now), Step::GiveUp);
    }

    #[test]
    fn a_cluster_that_was_made_anew_is_no_word_of_an_operator() {
        let now = Instant::now();
        let mut holding = given_up(now);
        let anew = Seen {
            incarnation: 8,
            ..SEEN
        };
        assert_eq!(act(&mut holding, UNWELL, anew, now), Step::Forget);
        assert_eq!(act(&mut holding, UNWELL, anew, now), Step::GiveUp);
    }

    #[test]
    fn a_host_that_was_stopped_and_started_still_knows_what_it_gave_up() {
        let now = Instant::now();
        let mut holding = given_up(now);
        let later = Seen {
            incarnation: 9,
            ..DRAINS
        };
        let stay = Step::Stay(Why::GivenUp);
        assert_eq!(act(&mut holding, UNWELL, later, now), stay);
        // What an operator does then is an operator's word.
        let enabled = Seen {
            stance: Stance::Takes,
            ..later
        };
        assert_eq!(act(&mut holding, UNWELL, enabled, now), Step::Forget);
        let left = Step::Stay(Why::Operator);
        assert_eq!(act(&mut holding, UNWELL, enabled, now), left);
    }

    #[test]
    fn a_host_that_joins_again_still_knows_that_it_drains() {
        let now = Instant::now();
        let joins = Seen {
            serves: false,
            ..stance(Stance::Joins)
        };
        let mut holding = given_up(now);
        for wish in [UNWELL, UNKNOWN, WELL] {
            assert_eq!(act(&mut holding, wish, joins, now), Step::Stay(Why::Out));
        }
        assert_eq!(holding.given_up(), Some(7));
        assert_eq!(act(&mut holding, WELL, DRAINS, now), Step::TakeBack);
        // Without a drain there is nothing to give up, and the operator has said nothing.
        for wish in [WELL, UNWELL] {
            assert_eq!(act(&mut holding, wish, joins, now), Step::Stay(Why::Out));
        }
        assert_eq!(act(&mut holding, UNWELL, SEEN, now), Step::GiveUp);
        // A host that was stopped and started, or made anew, drains no more.
        let anew = Seen {
            incarnation: 8,
            ..joins
        };
        assert_eq!(act(&mut holding, UNWELL, anew, now), Step::Forget);
        let anew = Seen {
            incarnation: 8,
            ..SEEN
        };
        assert_eq!(act(&mut holding, UNWELL, anew, now), Step::GiveUp);
    }

    #[test]
    fn the_note_of_another_life_counts() {
        let now = Instant::now();
        let mut holding = Holding::noted(7);
        assert_eq!(
            act(&mut holding, UNKNOWN, DRAINS, now),
            Step::Stay(Why::GivenUp)
        );
        assert_eq!(act(&mut holding, WELL, DRAINS, now), Step::TakeBack);
    }

    #[test]
    fn the_last_host_keeps_it_and_takes_it_when_it_becomes_the_last() {
        let now = Instant::now();
        let alone = Seen {
            others: false,
            ..SEEN
        };
        let mut holding = Holding::FREE;
        assert_eq!(act(&mut holding, UNWELL, alone, now), Step::Stay(Why::Last));
        assert_eq!(act(&mut holding, UNWELL, SEEN, now), Step::GiveUp);
        let left = Seen {
            others: false,
            nobody: true,
            ..DRAINS
        };
        for state in [UNWELL, UNKNOWN] {
            let mut holding = holding;
            assert_eq!(act(&mut holding, state, left, now), Step::TakeBack);
        }
        // Unless the file says otherwise.
        let anyway = Wish {
            last: true,
            ..UNWELL
        };
        assert_eq!(
            act(&mut holding, anyway, left, now),
            Step::Stay(Why::GivenUp)
        );
        let mut holding = Holding::FREE;
        assert_eq!(act(&mut holding, anyway, alone, now), Step::GiveUp);
    }

    #[test]
    fn pauses_get_longer_up_to_a_bound_and_end_when_it_is_well() {
        let mut now = Instant::now();
        let left = Seen {
            nobody: true,
            ..DRAINS
        };
        let mut holding = given_up(now);
        for pause in [15, 30, 60, 120, 240, 450, 450] {
            assert_eq!(act(&mut holding, UNWELL, left, now), Step::TakeBack);
            let second = Duration::from_secs(1);
            now += Duration::from_secs(pause) - second;
            assert_eq!(act(&mut holding, UNWELL, SEEN, now), Step::Stay(Why::Last));
            now += second;
            assert_eq!(act(&mut holding, UNWELL, SEEN, now), Step::GiveUp);
        }
        assert_eq!(act(&mut holding, UNWELL, left, now), Step::TakeBack);
        assert_eq!(act(&mut holding, WELL, SEEN, now), Step::Stay(Why::Taken));
        assert_eq!(act(&mut holding, UNWELL, SEEN, now), Step::GiveUp);
    }

    #[test]
    fn nothing_is_given_up_by_a_host_that_takes_no_part() {
        let now = Instant::now();
        let out = Seen {
            serves: false,
            ..SEEN
        };
        let mut holding = Holding::FREE;
        assert_eq!(act(&mut holding, UNWELL, out, now), Step::Stay(Why::Out));
        assert_eq!(holding.step(UNWELL, None, now), Step::Stay(Why::Absent));
        assert_eq!(given_up(now).step(UNWELL, None, now), Step::Forget);
    }

    /// Whatever comes, in whatever order: what it takes back it has given up itself, under the same incarnation or an earlier
    /// one; it gives up what the host takes and another host can, or what may be given up by the last; and it never acts
    /// against what an operator has set.
    #[test]
    fn nothing_is_done_that_an_operator_or_clients_would_mind() {
        let mut random = fastrand::Rng::with_seed(1);
        let stances = [Stance::Takes, Stance::Drains, Stance::Otherwise];
        let states = [State::Unknown, State::Well, State::Unwell];
        let mut counts = [0; 3];
        for _ in 0..2_000 {
            let (mut holding, mut now) = (Holding::FREE, Instant::now());
            let (mut seen, mut ours) = (SEEN, false);
            let mut beneath = None;
            for _ in 0..50 {
                now += Duration::from_secs(random.u64(0..30));
                let wish = Wish {
                    state: states[random.usize(0..3)],
                    last: random.u8(0..8) == 0,
                };
                match random.u8(0..11) {
                    // An operator, or the cluster made anew.
                    0 if seen.stance != Stance::Joins => {
                        seen.stance = stances[random.usize(0..3)];
                        ours &= seen.stance == Stance::Drains;
                    }
                    // Started anew, which ends a drain of the host.
                    1 => {
                        seen.incarnation += 1;
                        if seen.stance == Stance::Joins {
                            (beneath, ours) = (Some(Stance::Takes), false);
                        }
                    }
                    2 => seen.serves = !seen.serves,
                    3 => seen.others = !seen.others,
                    // The host leaves its view for a moment, and is in it again as it was.
                    4 => match beneath.take() {
                        Some(stance) => seen.stance = stance,
                        None => beneath = Some(std::mem::replace(&mut seen.stance, Stance::Joins)),
                    },
                    _ => {}
                }
                seen.nobody = !seen.others && seen.stance != Stance::Takes;
                let step = holding.step(wish, Some(seen), now);
                match step {
                    Step::GiveUp => {
                        assert!(wish.state == State::Unwell && seen.stance == Stance::Takes);
                        assert!(seen.serves && (seen.others || wish.last));
                        (seen.stance, ours) = (Stance::Drains, true);
                        counts[0] += 1;
                    }
                    Step::TakeBack => {
                        assert!(ours && seen.stance == Stance::Drains);
                        assert!(wish.state == State::Well || (seen.nobody && !wish.last));
                        (seen.stance, ours) = (Stance::Takes, false);
                        counts[1] += 1;
                    }
                    Step::Forget => counts[2] += 1,
                    Step::Stay(_) => {}
                }
                holding.done(step, wish, seen, now, random.f64());
                assert_eq!(holding.given_up().is_some(), ours, "{seen:?}");
            }
        }
        assert!(counts.iter().all(|&count| count > 500), "{counts:?}");
    }
}
