// SPDX-License-Identifier: GPL-2.0-only
//! A sequence: device events and the requests of two administrators beside
//! them, all of which follow from one seed. Each has a number, by which a part
//! of the sequence can be chosen, and a line, in which it can be kept.
//!
//! ```text
//! 17 devices n5 move d7 n6
//! 18 first n5 d7 up test 9 multicast 46 started
//! 19 second n6 d3 show members
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use fastrand::Rng;

use super::choice::Chooser;
use super::event::Event;
use super::request::Request;
use super::world::World;

/// Who does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Devices(Event),
    /// An administrator, 0 or 1.
    Administrator(usize, Request),
}

/// The administrators' names.
const ADMINISTRATORS: [&str; 2] = ["first", "second"];

/// A step with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbered {
    pub(super) number: u32,
    pub(super) step: Step,
}

impl fmt::Display for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            Step::Devices(event) => write!(f, "{} devices {event}", self.number),
            Step::Administrator(who, request) => {
                write!(f, "{} {} {request}", self.number, ADMINISTRATORS[*who])
            }
        }
    }
}

impl FromStr for Numbered {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let mut words = line.splitn(3, ' ');
        let (Some(number), Some(who), Some(rest)) = (words.next(), words.next(), words.next())
        else {
            bail!("no number, name and event: {line}");
        };
        let step = if who == "devices" {
            Step::Devices(rest.parse()?)
        } else {
            let who = ADMINISTRATORS.iter().position(|name| *name == who);
            Step::Administrator(who.context("nobody of that name")?, rest.parse()?)
        };
        Ok(Self {
            number: number.parse().context("the number")?,
            step,
        })
    }
}

/// The sequence of a seed, with so many device events. Each is followed by a request of each administrator.
pub(super) fn of_seed(seed: u64, events: u32) -> Vec<Numbered> {
    let mut chooser = Chooser::new(seed);
    let mut rngs = [1, 2].map(|who| Rng::with_seed(seed.wrapping_add(who << 32)));
    let mut world = World::default();
    let mut sequence = Vec::new();
    let mut made = 0;
    let mut todo = chooser.first();
    while made < events {
        for event in todo {
            if made == events || !world.is_feasible(&event) {
                continue;
            }
            made += 1;
            world.apply(&event);
            sequence.push(Step::Devices(event));
            for (who, rng) in rngs.iter_mut().enumerate() {
                let request = Request::choose(rng, &world);
                sequence.extend(request.map(|it| Step::Administrator(who, it)));
            }
        }
        todo = chooser.next(&world);
    }
    (1..)
        .zip(sequence)
        .map(|(number, step)| Numbered { number, step })
        .collect()
}

/// The steps of a file: what is behind a # is for people.
pub(super) fn of_file(text: &str) -> Result<Vec<Numbered>> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::parse).collect()
}

/// Numbers of steps: `1-20,33`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Only(BTreeSet<u32>);

impl Only {
    pub(super) fn has(&self, number: u32) -> bool {
        self.0.contains(&number)
    }
}

impl FromStr for Only {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut numbers = BTreeSet::new();
        for range in text.split(',').filter(|range| !range.is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            numbers.extend(first.parse::<u32>()?..=last.parse()?);
        }
        Ok(Self(numbers))
    }
}

#[cfg(test)]
mod tests {
    use super::{Only, Step, of_file, of_seed};

    #[test]
    fn a_sequence_can_be_kept_in_a_file() {
        let sequence = of_seed(5, 300);
        let events = sequence
            .iter()
            .filter(|it| matches!(it.step, Step::Devices(_)));
        assert_eq!(events.count(), 300);
        let mut text = "# a note\n\n".to_owned();
        for one in &sequence {
            text.push_str(&format!("{one}\n"));
        }
        assert_eq!(of_file(&text).unwrap(), sequence);
        for line in [
            "17",
            "17 devices",
            "17 nobody n1 d1 down",
            "x devices netns add n1",
        ] {
            assert!(of_file(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_longer_sequence_begins_as_a_shorter_one() {
        let long = of_seed(5, 300);
        let short = of_seed(5, 100);
        assert_eq!(long[..short.len()], short);
    }

    #[test]
    fn parts_are_named_by_numbers() {
        let only: Only = "1-3,7,9-9".parse().unwrap();
        let numbers: Vec<_> = (0..12).filter(|&it| only.has(it)).collect();
        assert_eq!(numbers, [1, 2, 3, 7, 9]);
        assert!("1-x".parse::<Only>().is_err() && "seven".parse::<Only>().is_err());
    }
}
