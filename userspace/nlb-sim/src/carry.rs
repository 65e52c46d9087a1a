// SPDX-License-Identifier: GPL-2.0-only

//! Frames on their way: what hosts send, what the network makes of it, what arrives, and what was never sent by a host.

use std::rc::Rc;

use nlb_core::peer::Path;
use nlb_core::received::Received;

use crate::check::{Property, Violation};
use crate::frames::is_heartbeat;
use crate::host::{Role, Sent};
use crate::network::{Fate, Way};
use crate::world::{BACKLOG_MAX, Event, TRANSMIT_MAX, World};

impl World<'_> {
    pub(crate) fn deliver(
        &mut self,
        to: usize,
        way: Way,
        frame: &Rc<Sent>,
    ) -> Result<(), Violation> {
        if self.hosts[to].paused.is_some() {
            if self.hosts[to].backlog.len() < BACKLOG_MAX {
                self.hosts[to].backlog.push_back((way, Rc::clone(frame)));
            }
            return Ok(());
        }
        if self.hosts[to].node.is_none() {
            return Ok(());
        }
        let now = self.now();
        let pair = frame.from * self.hosts.len() + to;
        if frame.serial > self.delivered[pair] {
            self.delivered[pair] = frame.serial;
            // A link lives by echoes, and no other frame carries them.
            if is_heartbeat(&frame.bytes) {
                self.calm.heard(now, frame.from, to, frame.at);
            }
        }
        let received = self.receive(to, way, &frame.bytes);
        self.note_outlived(to, frame, received);
        self.trace
            .word((frame.serial << 8) | u64::from(received as u8));
        if received.accepted() {
            self.frames_accepted += 1;
            if frame.serial <= self.accepted[pair] {
                return Err(self.violation(
                    Property::Attack,
                    format!(
                        "host #{to} accepted frame {} of host #{} after frame {}",
                        frame.serial, frame.from, self.accepted[pair]
                    ),
                ));
            }
            self.accepted[pair] = frame.serial;
        } else {
            self.frames_refused += 1;
        }
        if received != Received::OtherPath && received != Received::Stale {
            self.say(|| {
                let (kind, incarnation) = (frame.bytes[5], &frame.bytes[16..18]);
                let (from, serial, name) = (frame.from, frame.serial, received.name());
                format!("#{to} <- #{from} {way:?} kind {kind} frame {serial} of {incarnation:02x?}: {name}")
            });
        }
        self.after(to)
    }

    /// Tells the checkers of a frame that has outlived its sender and still counts as heard.
    fn note_outlived(&mut self, to: usize, frame: &Sent, received: Received) {
        let sender = &self.hosts[frame.from];
        let dead = sender.node.is_none() || sender.paused.is_some();
        // Of a session, whatever it says, and not only the other path's copy of what was heard before.
        let counts = received.accepted() || received == Received::NotForUs;
        if counts && (dead || sender.power_on_at > frame.at) {
            self.calm.outlived(self.queue.now(), to);
        }
    }

    /// Gives bytes to the node of a host that runs.
    pub(crate) fn receive(&mut self, to: usize, way: Way, bytes: &[u8]) -> Received {
        let path = match way {
            Way::Segment => Path::Segment,
            Way::Relay => Path::Relay,
        };
        let host = &mut self.hosts[to];
        let clock = host.clock(self.queue.now());
        match &mut host.node {
            Some(node) => node.handle_frame(clock, path, bytes, &host.keys),
            None => Received::Stopped,
        }
    }

    /// A frame of the adversary arrives. Only an exact copy that overtakes the original, of a frame that this host has
    /// not had, and that was sent after this host began, is no attack but a delay.
    pub(crate) fn attacked(
        &mut self,
        to: usize,
        way: Way,
        bytes: &[u8],
        copy_of: Option<&Sent>,
    ) -> Result<(), Violation> {
        if self.hosts[to].node.is_none() || self.hosts[to].paused.is_some() {
            return Ok(());
        }
        self.attack_frames += 1;
        let received = self.receive(to, way, bytes);
        self.trace.word(u64::from(received as u8));
        let genuine = received as u8 <= Received::DuplicateId as u8;
        if let Some(sent) = copy_of.filter(|_| genuine && way == Way::Segment) {
            self.bridged(sent.from, to);
        }
        if received.accepted() {
            let delayed = copy_of.filter(|sent| {
                sent.serial > self.accepted[sent.from * self.hosts.len() + to]
                    && sent.at >= self.hosts[to].power_on_at
            });
            let Some(sent) = delayed else {
                let what = if copy_of.is_some() {
                    "replayed"
                } else {
                    "forged or altered"
                };
                return Err(self.violation(
                    Property::Attack,
                    format!("host #{to} accepted a {what} frame as {}", received.name()),
                ));
            };
            let pair = sent.from * self.hosts.len() + to;
            self.accepted[pair] = sent.serial;
            // Whoever carries genuine frames across a cut makes a link there, for as long as it likes to.
            let now = self.now();
            self.delivered[pair] = self.delivered[pair].max(sent.serial);
            if is_heartbeat(&sent.bytes) {
                self.calm.heard(now, sent.from, to, sent.at);
            }
            self.note_outlived(to, sent, received);
        }
        self.after(to)
    }

    pub(crate) fn drain(&mut self, index: usize) -> Result<(), Violation> {
        for _ in 0..TRANSMIT_MAX {
            let host = &mut self.hosts[index];
            let Some(node) = &mut host.node else {
                return Ok(());
            };
            let Some(transmit) = node.poll_transmit(&mut self.buffer, &host.keys) else {
                return self.drain_events(index);
            };
            self.serial += 1;
            let bytes: Box<[u8]> = self.buffer[..transmit.len].into();
            self.trace.bytes(&bytes);
            self.agreement.hear(&bytes);
            let sent = Rc::new(Sent {
                from: index,
                serial: self.serial,
                at: self.queue.now(),
                bytes,
            });
            if host.role == Role::Member {
                self.adversary.record(&sent);
            }
            if self.trace.wants_lines() {
                if let Some(text) = crate::frames::describe(&sent.bytes) {
                    self.say(|| format!("#{index} sends frame {}: {text}", sent.serial));
                }
            }
            if transmit.segment {
                self.broadcast(&sent, Way::Segment);
            }
            if transmit.relay && self.network.relay_exists {
                self.broadcast(&sent, Way::Relay);
            }
        }
        Err(self.violation(
            Property::Bounded,
            format!("host #{index} sends without end"),
        ))
    }

    pub(crate) fn broadcast(&mut self, sent: &Rc<Sent>, way: Way) {
        let now = self.queue.now();
        for to in 0..self.hosts.len() {
            if to == sent.from || self.hosts[to].node.is_none() {
                continue;
            }
            let fate = self.network.fate(&mut self.rng, now, way, sent.from, to);
            match fate {
                Fate::Lost => {
                    if self.network.passes(way, sent.from, to) {
                        self.calm.rough(now);
                    }
                }
                Fate::Arrives(delay) => {
                    if delay > self.limits.gap {
                        self.calm.rough(now);
                    }
                    self.queue.push(
                        now + delay,
                        Event::Deliver {
                            to,
                            way,
                            frame: Rc::clone(sent),
                        },
                    );
                }
                Fate::Twice(first, second) => {
                    for delay in [first, second] {
                        self.queue.push(
                            now + delay,
                            Event::Deliver {
                                to,
                                way,
                                frame: Rc::clone(sent),
                            },
                        );
                    }
                }
            }
        }
    }
}
