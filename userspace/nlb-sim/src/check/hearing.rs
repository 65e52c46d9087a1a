// SPDX-License-Identifier: GPL-2.0-only

//! What each host has heard of each other one, and what the others have let it know that they heard of it: a link
//! lives by both.

/// When hosts were heard, for each pair.
pub(crate) struct Hearing {
    n: usize,
    /// When each host last received a heartbeat of each other one, in nanoseconds.
    heard: Vec<u64>,
    /// When it received the one before.
    before: Vec<u64>,
    /// The last reception of its own heartbeats by each other one that a host knows of, in nanoseconds.
    echoed: Vec<u64>,
}

impl Hearing {
    pub(crate) fn new(n: usize) -> Self {
        Hearing {
            n,
            heard: vec![0; n * n],
            before: vec![0; n * n],
            echoed: vec![0; n * n],
        }
    }

    fn pair(&self, from: usize, to: usize) -> usize {
        from * self.n + to
    }

    /// The host starts to take part: silence counts from here.
    pub(crate) fn begins(&mut self, now: u64, host: usize) {
        for other in 0..self.n {
            for pair in [self.pair(other, host), self.pair(host, other)] {
                self.heard[pair] = now;
                self.before[pair] = now;
                self.echoed[pair] = now;
            }
        }
    }

    /// `to` receives a heartbeat that `from` sent at `sent_at`.
    pub(crate) fn hears(&mut self, now: u64, from: usize, to: usize, sent_at: u64) {
        let (there, back) = (self.pair(from, to), self.pair(to, from));
        self.before[there] = self.heard[there];
        self.heard[there] = now;
        // What the sender had received when it sent this. One step back is enough where frames keep their order, and
        // too early rather than too late where they do not.
        let known = if self.heard[back] <= sent_at {
            self.heard[back]
        } else {
            self.before[back]
        };
        self.echoed[there] = self.echoed[there].max(known);
    }

    /// True if `to` has not heard `from` for longer than `silence_ns`.
    pub(crate) fn unheard(&self, now: u64, from: usize, to: usize, silence_ns: u64) -> bool {
        now - self.heard[self.pair(from, to)] > silence_ns
    }

    /// True if `to` knows of no reception of its own heartbeats by `from` since `age_ns`.
    pub(crate) fn unechoed(&self, now: u64, from: usize, to: usize, age_ns: u64) -> bool {
        now - self.echoed[self.pair(from, to)] > age_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_one_way_and_then_the_other_add_up() {
        let mut hearing = Hearing::new(2);
        hearing.begins(0, 0);
        hearing.begins(0, 1);
        hearing.hears(100, 0, 1, 99);
        hearing.hears(110, 1, 0, 109);
        // What 0 sends is lost for 70, and what it has been told is of 100 all that time.
        hearing.hears(170, 1, 0, 169);
        hearing.hears(180, 0, 1, 179);
        // Then what 1 sends is lost for 70.
        assert!(!hearing.unheard(240, 1, 0, 80));
        assert!(!hearing.unheard(240, 0, 1, 80));
        assert!(hearing.unechoed(240, 1, 0, 120));
        hearing.hears(240, 1, 0, 239);
        assert!(!hearing.unechoed(240, 1, 0, 120));
    }

    #[test]
    fn a_late_frame_tells_what_was_known_when_it_was_sent() {
        let mut hearing = Hearing::new(2);
        hearing.hears(100, 0, 1, 99);
        hearing.hears(200, 0, 1, 199);
        hearing.hears(210, 1, 0, 150);
        assert!(hearing.unechoed(210, 1, 0, 109));
        assert!(!hearing.unechoed(210, 1, 0, 110));
    }
}
