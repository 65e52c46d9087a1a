// SPDX-License-Identifier: GPL-2.0-only

//! When a host gives a rule's buckets up because what it serves is not answered, and when it takes them again.
//!
//! Whoever gave a rule up sees no new clients of it, so it cannot see that its service is well again: after a while it takes
//! a few buckets and looks. Each time that it does so in vain it waits twice as long.
//!
//! Where no other host takes the rule, whoever gave it up serves on, and sees at once when it is answered again.

use super::genl::{Health, Stance};
use super::limits::{
    ANSWERS_LOOKS, FORGIVE_LOOKS, GAVE_UP_LOOKS_MAX, GAVE_UP_LOOKS_MIN, GIVE_UP_LOOKS, TRY_LOOKS,
};

/// What is remembered of a rule. One look is [`super::limits::HEALTH_LOOK_NS`].
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    stance: Stance,
    /// Looks since it has this stance.
    looks: u32,
    /// Looks in a row that found no answers.
    failing: u32,
    /// Looks in a row that found answers.
    answered: u32,
    /// Looks for which it was last given up; 0: it was not, for long.
    gave_up: u32,
}

impl Memory {
    /// Nothing has happened.
    pub const NEW: Memory = Memory {
        stance: Stance::Takes,
        looks: 0,
        failing: 0,
        answered: 0,
        gave_up: 0,
    };

    /// What the host shall do about the rule from now on. `stance` is what it does now, `others_take` whether another host
    /// takes the rule.
    pub fn look(&mut self, stance: Stance, health: Health, others_take: bool) -> Stance {
        if self.stance != stance {
            *self = Memory {
                stance,
                gave_up: self.gave_up,
                ..Memory::NEW
            };
        }
        self.looks = self.looks.saturating_add(1);
        let count = |so_far: u32, goes_on: bool| if goes_on { so_far.saturating_add(1) } else { 0 };
        let failing = matches!(health, Health::Silent | Health::Refuses);
        self.failing = count(self.failing, failing);
        self.answered = count(self.answered, health == Health::Answers);
        let answers = self.answered >= ANSWERS_LOOKS;
        match stance {
            Stance::Takes if self.failing >= GIVE_UP_LOOKS => self.give_up(),
            Stance::Tries if self.failing > 0 => self.give_up(),
            Stance::Tries if answers || self.looks >= TRY_LOOKS => Stance::Takes,
            Stance::GaveUp if !others_take => {
                self.looks = 0;
                if answers {
                    Stance::Takes
                } else {
                    stance
                }
            }
            Stance::GaveUp if self.looks >= self.gave_up => Stance::Tries,
            _ => {
                if stance == Stance::Takes && self.looks >= FORGIVE_LOOKS {
                    self.gave_up = 0;
                }
                stance
            }
        }
    }

    fn give_up(&mut self) -> Stance {
        let twice = self.gave_up.saturating_mul(2);
        self.gave_up = twice.clamp(GAVE_UP_LOOKS_MIN, GAVE_UP_LOOKS_MAX);
        Stance::GaveUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks until the stance is `wanted`.
    fn until(memory: &mut Memory, stance: &mut Stance, wanted: Stance, health: Health) -> u32 {
        for looks in 1..2000 {
            *stance = memory.look(*stance, health, true);
            if *stance == wanted {
                return looks;
            }
        }
        panic!("it stays {}", stance.name());
    }

    #[test]
    fn two_looks_give_a_rule_up_and_one_does_not() {
        let mut memory = Memory::NEW;
        for _ in 0..100 {
            for health in [
                Health::Silent,
                Health::Answers,
                Health::Refuses,
                Health::Unknown,
            ] {
                assert_eq!(memory.look(Stance::Takes, health, true), Stance::Takes);
            }
        }
        for health in [Health::Silent, Health::Refuses] {
            let (mut memory, mut stance) = (Memory::NEW, Stance::Takes);
            assert_eq!(until(&mut memory, &mut stance, Stance::GaveUp, health), 2);
        }
        for health in [Health::Unasked, Health::Unknown] {
            let mut memory = Memory::NEW;
            assert!((0..100).all(|_| memory.look(Stance::Takes, health, true) == Stance::Takes));
        }
    }

    #[test]
    fn each_trial_in_vain_waits_twice_as_long_up_to_ten_minutes() {
        let (mut memory, mut stance) = (Memory::NEW, Stance::Takes);
        until(&mut memory, &mut stance, Stance::GaveUp, Health::Silent);
        for looks in [30, 60, 120, 240, 480, 600, 600] {
            // What it last knew changes nothing: it sees no clients.
            let took = until(&mut memory, &mut stance, Stance::Tries, Health::Silent);
            assert_eq!(took, looks);
            assert_eq!(
                until(&mut memory, &mut stance, Stance::GaveUp, Health::Silent),
                1
            );
        }
    }

    #[test]
    fn answers_end_a_trial_and_so_does_a_minute_without_clients() {
        for (health, looks) in [(Health::Answers, 3), (Health::Unknown, 60)] {
            let (mut memory, mut stance) = (Memory::NEW, Stance::Takes);
            until(&mut memory, &mut stance, Stance::GaveUp, Health::Refuses);
            until(&mut memory, &mut stance, Stance::Tries, Health::Unknown);
            assert_eq!(
                until(&mut memory, &mut stance, Stance::Takes, health),
                looks
            );
        }
    }

    #[test]
    fn what_fails_soon_again_waits_longer_and_later_it_does_not() {
        for (well, looks) in [(500, 60), (600, 30)] {
            let (mut memory, mut stance) = (Memory::NEW, Stance::Takes);
            until(&mut memory, &mut stance, Stance::GaveUp, Health::Silent);
            until(&mut memory, &mut stance, Stance::Tries, Health::Unknown);
            until(&mut memory, &mut stance, Stance::Takes, Health::Answers);
            for _ in 0..well {
                assert_eq!(memory.look(stance, Health::Answers, true), Stance::Takes);
            }
            until(&mut memory, &mut stance, Stance::GaveUp, Health::Silent);
            assert_eq!(
                until(&mut memory, &mut stance, Stance::Tries, Health::Unknown),
                looks
            );
        }
    }

    #[test]
    fn the_last_host_serves_on_and_sees_at_once_that_it_is_answered() {
        let (mut memory, mut stance) = (Memory::NEW, Stance::Takes);
        until(&mut memory, &mut stance, Stance::GaveUp, Health::Silent);
        for _ in 0..1000 {
            assert_eq!(memory.look(stance, Health::Silent, false), Stance::GaveUp);
        }
        let answers: [Stance; 3] = [(); 3].map(|()| memory.look(stance, Health::Answers, false));
        assert_eq!(answers, [Stance::GaveUp, Stance::GaveUp, Stance::Takes]);
    }
}
