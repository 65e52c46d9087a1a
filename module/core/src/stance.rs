// SPDX-License-Identifier: GPL-2.0-only

//! When a host gives a rule's buckets up because what it serves is not answered, and when it takes them again.
//!
//! Whoever gave a rule up sees no new clients of it, so it cannot see that its service is well again: after a while it takes
//! a few buckets and looks. Each time that it does so in vain it waits twice as long.
//!
//! Where no other host takes the rule, whoever gave it up serves on with all the others, and sees that it is answered again.
//! When the first of them takes the rule again, the others follow if they were answered before it did: a fault of what all
//! hosts depend on ends for all.

use super::genl::{Health, Stance};
use super::limits::{
    ANSWERS_LOOKS, FORGIVE_LOOKS, GAVE_UP_LOOKS_MAX, GAVE_UP_LOOKS_MIN, GIVE_UP_LOOKS,
    HEALTH_LOG_LOOKS, TRY_LOOKS,
};

/// What a look has found of a rule.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Whether it is answered.
    pub health: Health,
    /// Clients came since the last look. Without them what is known is what was known before.
    pub asked: bool,
}

/// What the other members do about a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// One takes buckets of it, or would if there were more.
    Take,
    /// None does, and one could: it gave the rule up as well.
    Could,
    /// None could.
    Cannot,
}

/// What is remembered of a rule. One look is [`super::limits::HEALTH_LOOK_NS`].
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    stance: Stance,
    /// Looks since it has this stance.
    looks: u32,
    /// Looks since others have taken the rule, which was given up.
    taken: u32,
    /// Looks with clients, one after the other, that found no answers.
    failing: u32,
    /// Looks in a row that found answers.
    answered: u32,
    /// Looks for which it was last given up; 0: it was not, for long.
    gave_up: u32,
    /// Looks since the log had a line about it.
    told: u32,
}

impl Memory {
    /// Nothing has happened.
    pub const NEW: Memory = Memory {
        stance: Stance::Takes,
        looks: 0,
        taken: 0,
        failing: 0,
        answered: 0,
        gave_up: 0,
        told: HEALTH_LOG_LOOKS,
    };

    /// What the host shall do about the rule from now on. `stance` is what it does now.
    pub fn look(&mut self, stance: Stance, seen: Seen, others: Others) -> Stance {
        if self.stance != stance {
            *self = Memory {
                stance,
                gave_up: self.gave_up,
                told: self.told,
                ..Memory::NEW
            };
        }
        self.count(seen);
        let answers = self.answered >= ANSWERS_LOOKS;
        match stance {
            Stance::Takes if self.failing >= GIVE_UP_LOOKS && others != Others::Cannot => {
                self.give_up(others)
            }
            Stance::Takes => {
                if self.looks >= FORGIVE_LOOKS {
                    self.gave_up = 0;
                }
                stance
            }
            Stance::Tries if self.failing > 0 => self.give_up(others),
            Stance::Tries if answers || self.looks >= TRY_LOOKS => Stance::Takes,
            Stance::Tries => stance,
            Stance::GaveUp => self.wait(others, answers),
        }
    }

    fn count(&mut self, seen: Seen) {
        self.looks = self.looks.saturating_add(1);
        self.told = self.told.saturating_add(1);
        self.answered = if seen.health == Health::Answers {
            self.answered.saturating_add(1)
        } else {
            0
        };
        if !matches!(seen.health, Health::Silent | Health::Refuses) {
            self.failing = 0;
        } else if seen.asked {
            self.failing = self.failing.saturating_add(1);
        }
    }

    /// Gives the rule up, for longer each time that it is in vain. Where all have given it up nobody else is better.
    fn give_up(&mut self, others: Others) -> Stance {
        let again = if others == Others::Take {
            self.gave_up.saturating_mul(2)
        } else {
            self.gave_up
        };
        self.gave_up = again.clamp(GAVE_UP_LOOKS_MIN, GAVE_UP_LOOKS_MAX);
        Stance::GaveUp
    }

    /// What becomes of a rule that was given up.
    fn wait(&mut self, others: Others, answers: bool) -> Stance {
        self.taken = if others == Others::Take {
            self.taken.saturating_add(1)
        } else {
            0
        };
        let rested = self.looks >= GAVE_UP_LOOKS_MIN;
        if rested && answers && self.answered > self.taken {
            // Answers to clients that it had itself: nobody else took them.
            Stance::Takes
        } else if self.taken >= self.gave_up.max(GAVE_UP_LOOKS_MIN) {
            Stance::Tries
        } else {
            Stance::GaveUp
        }
    }

    /// Whether the log has had no line about it for a while; it gets one then.
    pub fn may_log(&mut self) -> bool {
        let may = self.told >= HEALTH_LOG_LOOKS;
        if may {
            self.told = 0;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seen(health: Health) -> Seen {
        Seen {
            health,
            asked: true,
        }
    }

    /// Looks until the stance is `wanted`.
    fn until(memory: &mut Memory, stance: &mut Stance, wanted: Stance, health: Health) -> u32 {
        for looks in 1..2000 {
            *stance = memory.look(*stance, seen(health), Others::Take);
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
                assert_eq!(
                    memory.look(Stance::Takes, seen(health), Others::Take),
                    Stance::Takes
                );
            }
        }
        for health in [Health::Silent, Health::Refuses] {
            let (mut memory, mut stance) = (Memory::NEW, Stance::Takes);
            assert_eq!(until(&mut memory, &mut stance, Stance::GaveUp, health), 2);
        }
        for health in [Health::Unasked, Health::Unknown] {
            let mut memory = Memory::NEW;
            assert!((0..100)
                .all(|_| memory.look(Stance::Takes, seen(health), Others::Take) == Stance::Takes));
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
                assert_eq!(
                    memory.look(stance, seen(Health::Answers), Others::Take),
                    Stance::Takes
                );
            }
            until(&mut memory, &mut stance, Stance::GaveUp, Health::Silent);
            assert_eq!(
                until(&mut memory, &mut stance, Stance::Tries, Health::Unknown),
                looks
            );
        }
    }

    #[test]
    fn clients_that_came_once_are_no_reason() {
        for health in [Health::Silent, Health::Refuses] {
            let mut memory = Memory::NEW;
            let once = memory.look(Stance::Takes, seen(health), Others::Take);
            assert_eq!(once, Stance::Takes);
            let quiet = Seen {
                health,
                asked: false,
            };
            for _ in 0..100 {
                assert_eq!(memory.look(once, quiet, Others::Take), Stance::Takes);
            }
            assert_eq!(
                memory.look(once, seen(health), Others::Take),
                Stance::GaveUp
            );
        }
    }

    #[test]
    fn a_host_beside_which_no_other_could_serve_gives_nothing_up() {
        let mut memory = Memory::NEW;
        for _ in 0..1000 {
            let stance = memory.look(Stance::Takes, seen(Health::Silent), Others::Cannot);
            assert_eq!(stance, Stance::Takes);
        }
    }

    #[test]
    fn where_all_gave_it_up_it_is_taken_again_when_it_is_answered_and_has_rested() {
        let (mut memory, mut stance) = (Memory::NEW, Stance::Takes);
        until(&mut memory, &mut stance, Stance::GaveUp, Health::Silent);
        for _ in 0..1000 {
            stance = memory.look(stance, seen(Health::Silent), Others::Could);
            assert_eq!(stance, Stance::GaveUp);
        }
        for wanted in [Stance::GaveUp, Stance::GaveUp, Stance::Takes] {
            assert_eq!(
                memory.look(stance, seen(Health::Answers), Others::Could),
                wanted
            );
        }
        // A fault that comes and goes moves it twice a minute at the most, and makes no wait longer.
        let (mut memory, mut stance, mut changes) = (Memory::NEW, Stance::Takes, 0);
        for look in 0..600 {
            let health = if look / 4 % 2 == 0 {
                Health::Silent
            } else {
                Health::Answers
            };
            let next = memory.look(stance, seen(health), Others::Could);
            changes += u32::from(next != stance);
            stance = next;
        }
        assert!((10..=40).contains(&changes), "{changes} in ten minutes");
        assert_eq!(memory.gave_up, GAVE_UP_LOOKS_MIN);
    }

    #[test]
    fn who_was_answered_before_others_took_it_follows_and_who_was_not_waits() {
        for (before, follows) in [(2, true), (0, false)] {
            let (mut memory, mut stance) = (Memory::NEW, Stance::Takes);
            until(&mut memory, &mut stance, Stance::GaveUp, Health::Silent);
            for _ in 0..GAVE_UP_LOOKS_MIN {
                stance = memory.look(stance, seen(Health::Silent), Others::Could);
            }
            for _ in 0..before {
                stance = memory.look(stance, seen(Health::Answers), Others::Could);
            }
            let took = until(&mut memory, &mut stance, Stance::Takes, Health::Answers);
            if follows {
                assert_eq!(took, 1);
            } else {
                assert_eq!(took, GAVE_UP_LOOKS_MIN + 3, "by a trial");
            }
        }
    }

    #[test]
    fn the_log_has_a_line_in_a_minute() {
        let mut memory = Memory::NEW;
        assert!(memory.may_log() && !memory.may_log());
        for _ in 0..HEALTH_LOG_LOOKS {
            assert!(!memory.may_log());
            memory.look(Stance::Takes, seen(Health::Answers), Others::Take);
        }
        assert!(memory.may_log());
    }
}
