// SPDX-License-Identifier: GPL-2.0-only

//! What passes on the segment beside frames of the cluster: other traffic, questions and answers.

use nlb_core::host::HostSet;
use nlb_core::node::Command;

use crate::check::Violation;
use crate::check::calm::{each, one};
use crate::network::Way;
use crate::world::{Event, World};

impl World<'_> {
    pub(crate) fn background(&mut self) -> Result<(), Violation> {
        for index in 0..self.hosts.len() {
            if self.hosts[index].runs() && self.network.passes(Way::Segment, self.router(), index) {
                self.command(index, Command::SegmentSeen)?;
            }
            self.ask(index)?;
        }
        let next = self.now() + self.plan.period_ns * 3 / 4;
        self.queue.push(next, Event::Background);
        Ok(())
    }

    /// The adversary gave `to` a genuine frame of `from` on the segment. Where nothing else passes there to the one or from
    /// the other, that is all that either has of the segment, and nobody can tell it from one that is whole. So the
    /// last such frame is a cut.
    pub(crate) fn bridged(&mut self, from: usize, to: usize) {
        let passes = |from, to| self.network.passes(Way::Segment, from, to);
        let mut others = each(self.calm.running).filter(|other| *other != from && *other != to);
        let heard = others.any(|other| passes(from, other));
        if !passes(from, to) && (!self.is_reached_without(to, from) || !heard) {
            let now = self.now();
            self.calm.disturb(now, to);
        }
    }

    /// A host does not run any more. Whom nothing but its frames reached on the segment is cut off by that.
    pub(crate) fn missed_on_segment(&mut self, gone: usize) {
        let now = self.now();
        for host in each(self.calm.running) {
            let was_reached = self.network.passes(Way::Segment, gone, host);
            if was_reached && !self.is_reached_without(host, gone) {
                self.calm.disturb(now, host);
            }
        }
    }

    /// Whether anything passes on the segment to a host from others than this one.
    pub(crate) fn is_reached_without(&self, host: usize, but: usize) -> bool {
        let passes = |from| self.network.passes(Way::Segment, from, host);
        let mut others = each(self.calm.running).filter(|other| *other != host && *other != but);
        passes(self.router()) || others.any(passes)
    }

    /// Whether others hear each other on the segment and none of them hears this host there: it takes itself for cut off,
    /// whatever else it hears.
    pub(crate) fn is_alone_on_segment(&self, host: usize) -> bool {
        let others = self.calm.running & !one(host);
        let passes = |from: usize, to: usize| self.network.passes(Way::Segment, from, to);
        let is_heard = |from: usize| each(others & !one(from)).any(|to| passes(from, to));
        self.network.relay_exists && !is_heard(host) && each(others).any(is_heard)
    }

    /// A host asks those on the segment whom it hears on the second path alone.
    fn ask(&mut self, index: usize) -> Result<(), Violation> {
        let clock = self.hosts[index].clock(self.now());
        let node = self.hosts[index]
            .node
            .as_ref()
            .filter(|_| self.hosts[index].runs());
        let unheard = node.map_or(HostSet::EMPTY, |node| node.unheard_on_segment(clock));
        for host in unheard.iter() {
            self.command(index, Command::PeerAsked(host))?;
            let passes = |from, to| self.network.passes(Way::Segment, from, to);
            let there = |other: &usize| {
                let it = &self.hosts[*other];
                it.runs()
                    && it
                        .node
                        .as_ref()
                        .is_some_and(|node| node.config().host == host)
            };
            let answers = (0..self.hosts.len())
                .filter(there)
                .any(|other| passes(index, other) && passes(other, index));
            if answers {
                self.command(index, Command::PeerSeen(host))?;
            }
        }
        Ok(())
    }
}

/// Whether a command only tells what passes on the segment, as it does all the time.
pub(crate) fn is_of_segment(command: Command) -> bool {
    use Command::{PeerAsked, PeerSeen, SegmentSeen};
    matches!(command, SegmentSeen | PeerSeen(_) | PeerAsked(_))
}
