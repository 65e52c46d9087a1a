// SPDX-License-Identifier: GPL-2.0-only

//! The two paths between hosts: the segment, and the relay over another network.
//!
//! Every directed link of every path can be cut by several faults at a time, so cuts are counted.

use fastrand::Rng;

/// A path as the network numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The cluster interface.
    Segment = 0,
    /// The relay.
    Relay = 1,
}

impl Way {
    pub(crate) const BOTH: [Way; 2] = [Way::Segment, Way::Relay];
}

/// What the network does to frames at the moment. Rates are in parts per 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weather {
    /// Frames lost.
    pub(crate) loss: u32,
    /// Frames delivered twice.
    pub(crate) duplicate: u32,
    /// Frames held back long enough to arrive behind later ones.
    pub(crate) reorder: u32,
    /// Longest hold-back of such a frame, in nanoseconds.
    pub(crate) reorder_ns_max: u64,
}

impl Weather {
    /// Nothing is lost, doubled or held back.
    pub(crate) const FAIR: Weather = Weather {
        loss: 0,
        duplicate: 0,
        reorder: 0,
        reorder_ns_max: 0,
    };
}

/// What becomes of one frame on one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It never arrives.
    Lost,
    /// It arrives after so many nanoseconds.
    Arrives(u64),
    /// It arrives twice.
    Twice(u64, u64),
}

/// The links between `n` hosts. In fair weather a link keeps the order of its frames, as a switch does; the two paths
/// overtake one another all the time.
pub(crate) struct Network {
    n: usize,
    cuts: [Vec<u16>; 2],
    /// When the last frame that was not held back arrives.
    last: [Vec<u64>; 2],
    /// Whether there is a relay at all.
    pub(crate) relay_exists: bool,
    /// Shortest one-way delay of each path, in nanoseconds.
    pub(crate) delay_ns: [u64; 2],
    /// What is added to it at random, at most.
    pub(crate) jitter_ns: [u64; 2],
    /// What the weather is like.
    pub(crate) weather: Weather,
}

impl Network {
    pub(crate) fn new(
        n: usize,
        relay_exists: bool,
        delay_ns: [u64; 2],
        jitter_ns: [u64; 2],
    ) -> Self {
        Network {
            n,
            cuts: [vec![0; n * n], vec![0; n * n]],
            last: [vec![0; n * n], vec![0; n * n]],
            relay_exists,
            delay_ns,
            jitter_ns,
            weather: Weather::FAIR,
        }
    }

    /// Cuts the directed link once more.
    pub(crate) fn cut(&mut self, way: Way, from: usize, to: usize) {
        self.cuts[way as usize][from * self.n + to] += 1;
    }

    /// Takes one cut of the directed link away.
    pub(crate) fn mend(&mut self, way: Way, from: usize, to: usize) {
        let cut = &mut self.cuts[way as usize][from * self.n + to];
        assert!(*cut > 0, "a link is mended as often as it was cut");
        *cut -= 1;
    }

    /// Mends every link and clears the weather.
    pub(crate) fn mend_all(&mut self) {
        for cuts in &mut self.cuts {
            cuts.fill(0);
        }
        self.weather = Weather::FAIR;
    }

    /// True if frames pass from one host to the other on this path.
    pub(crate) fn passes(&self, way: Way, from: usize, to: usize) -> bool {
        (way == Way::Segment || self.relay_exists)
            && self.cuts[way as usize][from * self.n + to] == 0
    }

    /// True if frames pass from one host to the other on some path.
    pub(crate) fn connected(&self, from: usize, to: usize) -> bool {
        Way::BOTH.into_iter().any(|way| self.passes(way, from, to))
    }

    /// Decides what becomes of a frame that is sent now.
    pub(crate) fn fate(
        &mut self,
        rng: &mut Rng,
        now: u64,
        way: Way,
        from: usize,
        to: usize,
    ) -> Fate {
        if !self.passes(way, from, to) {
            return Fate::Lost;
        }
        let weather = self.weather;
        // One draw decides all rates: ten bits each.
        let draw = rng.u64(..);
        if (draw & 1023) < u64::from(weather.loss) {
            return Fate::Lost;
        }
        let delay = self.delay(rng, way);
        if ((draw >> 10) & 1023) < u64::from(weather.reorder) {
            return Fate::Arrives(delay + rng.u64(0..=weather.reorder_ns_max));
        }
        let last = &mut self.last[way as usize][from * self.n + to];
        *last = (now + delay).max(*last);
        let delay = *last - now;
        if ((draw >> 20) & 1023) < u64::from(weather.duplicate) {
            let again = self.delay(rng, way) + rng.u64(0..=weather.reorder_ns_max);
            return Fate::Twice(delay, again);
        }
        Fate::Arrives(delay)
    }

    fn delay(&self, rng: &mut Rng, way: Way) -> u64 {
        self.delay_ns[way as usize] + rng.u64(0..=self.jitter_ns[way as usize])
    }
}
