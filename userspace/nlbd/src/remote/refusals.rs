// SPDX-License-Identifier: GPL-2.0-only

//! Connections that were refused, told in few lines: a flood shall not fill the log.

use std::{
    fmt::Display,
    net::IpAddr,
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::log;

/// A line in so much time, at most.
const APART: Duration = Duration::from_secs(10);

/// What is to be told.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    told: Option<Instant>,
    untold: u64,
}

impl Refusals {
    /// One more, from there.
    pub(super) fn tell(&self, from: Option<IpAddr>, why: impl Display, now: Instant) {
        if let Some(untold) = self.count(now) {
            let from = from.map(|from| format!("{from}: ")).unwrap_or_default();
            let others = match untold {
                0 => String::new(),
                untold => format!(" (and {untold} others since the last such line)"),
            };
            log!("remote control: {from}{why}{others}");
        }
    }

    /// How many were not told before this one, if it is told.
    fn count(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().ok()?;
        let soon = |told: Instant| now.saturating_duration_since(told) < APART;
        if state.told.is_some_and(soon) {
            state.untold += 1;
            return None;
        }
        state.told = Some(now);
        Some(std::mem::take(&mut state.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_line_in_ten_seconds_and_none_is_forgotten() {
        let refusals = Refusals::default();
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        assert_eq!(refusals.count(at(0)), Some(0));
        assert_eq!(refusals.count(at(1)), None);
        assert_eq!(refusals.count(at(9)), None);
        assert_eq!(refusals.count(at(10)), Some(2));
        assert_eq!(refusals.count(at(11)), None);
        assert_eq!(refusals.count(at(30)), Some(1));
    }
}
