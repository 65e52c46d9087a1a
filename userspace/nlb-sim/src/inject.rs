// SPDX-License-Identifier: GPL-2.0-only

//! How faults happen to a world, and how they end.

use std::rc::Rc;

use fastrand::Rng;
use nlb_core::config::SlotKind;
use nlb_core::node::Command;
use nlb_core::time::Instant;

use crate::adversary::Attack;
use crate::auth::Keyring;
use crate::check::{Property, Violation};
use crate::expect::What;
use crate::fault::{Fault, Kind};
use crate::host::{self, Role, Wish};
use crate::network::Way;
use crate::plan::{AuthKind, Versions};
use crate::world::{Event, LOSS_BORNE, STRANGERS, World};

/// A set of directed links.
pub(crate) type Links = Vec<(Way, usize, usize)>;

/// A part of a fault that happens at a time of its own.
pub(crate) enum Act {
    PowerOn(usize),
    PowerOff(usize),
    Resume(usize),
    Cut(Links),
    Mend(Links),
    /// What is taken away from the rates of loss, duplication and reordering.
    Clear {
        loss: u32,
        duplicate: u32,
        reorder: u32,
    },
    /// A host that rests or drains takes part again.
    Return(usize),
    Carrier(usize),
    Vip(usize),
    KeyAdd(usize, u8),
    KeyUse(usize, u8),
    KeyDrop(usize, u8),
    RotationEnds,
    Dismiss(usize),
    Stage(usize, u64),
}

impl World<'_> {
    /// The secret of a key id, the same on all hosts.
    pub(crate) fn secret(&self, id: u8) -> u64 {
        self.plan.seed ^ 0x6b65_7930 ^ u64::from(id)
    }

    pub(crate) fn later(&mut self, at: u64, act: Act) {
        self.queue.push(at, Event::Act(act));
    }

    /// A fault of the plan begins.
    pub(crate) fn fault(&mut self, number: usize) -> Result<(), Violation> {
        let fault = self.plan.faults[number];
        let mut rng = Rng::with_seed(fault.pick);
        let before = self.now();
        self.note_act();
        self.say(|| {
            format!(
                "fault {number}: {} for {:.3} s",
                fault.kind.name(),
                fault.lasts as f64 / 1e9
            )
        });
        let happened = self.happen(fault, &mut rng)?;
        debug_assert_eq!(before, self.now(), "a fault takes no time");
        if happened {
            *self.faults.entry(fault.kind).or_default() += 1;
        }
        Ok(())
    }

    fn happen(&mut self, fault: Fault, rng: &mut Rng) -> Result<bool, Violation> {
        let end = self.now() + fault.lasts;
        match fault.kind {
            Kind::Crash | Kind::Flap => self.crash(fault, rng),
            Kind::Pause => self.pause(rng, end),
            Kind::Partition | Kind::SegmentSplit | Kind::RelayDown | Kind::OneWay | Kind::Deaf => {
                Ok(self.cut_links(fault.kind, rng, end))
            }
            Kind::Swizzle => Ok(self.swizzle(rng, fault.lasts)),
            Kind::Loss | Kind::Reorder | Kind::Duplicate => Ok(self.weather(fault.kind, rng, end)),
            Kind::Leave | Kind::Drain | Kind::Drainstop | Kind::Suspend => {
                self.withdraw(fault.kind, rng, end)
            }
            Kind::Reweight => self.reweight(rng),
            Kind::Carrier | Kind::VipMissing => self.interface(fault.kind, rng, end),
            Kind::Rotate => Ok(self.rotate(rng, fault.lasts)),
            Kind::DuplicateId | Kind::Stranger => self.stranger(fault.kind, rng, end),
            Kind::Attack => Ok(self.attack(rng, fault.lasts)),
            Kind::ChangeRules => Ok(self.change_rules(rng, fault.lasts)),
        }
    }

    fn choose(&self, rng: &mut Rng, fits: impl Fn(&host::Host) -> bool) -> Option<usize> {
        let n = self.plan.hosts.len();
        let fitting: Vec<usize> = (0..n).filter(|&index| fits(&self.hosts[index])).collect();
        rng.choice(fitting)
    }

    fn crash(&mut self, fault: Fault, rng: &mut Rng) -> Result<bool, Violation> {
        let Some(index) = self.choose(rng, |host| host.node.is_some()) else {
            return Ok(false);
        };
        let end = self.now() + fault.lasts;
        self.power_off(index)?;
        if fault.kind == Kind::Flap {
            let turns = rng.u64(2..=6);
            for turn in 1..=turns {
                let at = self.now() + fault.lasts * (2 * turn - 1) / (2 * turns + 1);
                self.later(at, Act::PowerOn(index));
                self.later(at + fault.lasts / (2 * turns + 1), Act::PowerOff(index));
            }
        }
        self.later(end, Act::PowerOn(index));
        Ok(true)
    }

    fn pause(&mut self, rng: &mut Rng, end: u64) -> Result<bool, Violation> {
        let Some(index) = self.choose(rng, |host| host.node.is_some() && host.paused.is_none())
        else {
            return Ok(false);
        };
        let now = self.now();
        self.calm.disturb(now, index);
        self.show_bits(index, false);
        self.hosts[index].paused = Some(now);
        self.hosts[index].wake = u64::MAX;
        self.survey();
        self.later(end, Act::Resume(index));
        self.owners.step(now, &self.calm, &self.limits)?;
        Ok(true)
    }

    /// A host that stood still goes on: what comes first, a frame that waited or its timer, is a matter of luck. The
    /// bits of the packet path count again from the first input on.
    pub(crate) fn resume(&mut self, index: usize) -> Result<(), Violation> {
        let Some(since) = self.hosts[index].paused.take() else {
            return Ok(());
        };
        let now = self.now();
        self.say(|| format!("#{index} goes on after {:.3} s", (now - since) as f64 / 1e9));
        self.show_bits(index, true);
        let backlog = std::mem::take(&mut self.hosts[index].backlog);
        let timer_first = self.rng.bool();
        if let Some((way, frame)) = backlog.front().filter(|_| !timer_first) {
            self.receive(index, *way, &frame.bytes);
        } else {
            let clock = self.hosts[index].clock(now);
            if let Some(node) = &mut self.hosts[index].node {
                node.handle_timeout(clock);
            }
        }
        self.survey();
        self.calm.disturb(now, index);
        self.calm.begins(now, index);
        self.after(index)?;
        let silence = self.plan.period_ns * u64::from(self.plan.tolerance);
        if now - since > silence + silence / 20
            && self.hosts[index].bits.iter().any(|bits| *bits != 0)
        {
            let text = format!(
                "host #{index} serves after it stood still for {:.3} ms",
                (now - since) as f64 / 1e6
            );
            return Err(self.violation(Property::OneOwner, text));
        }
        for command in std::mem::take(&mut self.hosts[index].unheard) {
            self.command(index, command)?;
        }
        for (way, frame) in backlog {
            self.queue.push(
                now,
                Event::Deliver {
                    to: index,
                    way,
                    frame,
                },
            );
        }
        Ok(())
    }

    fn cut_links(&mut self, kind: Kind, rng: &mut Rng, end: u64) -> bool {
        let n = self.plan.hosts.len();
        let all = self.router() + 1;
        if n < 2 {
            return false;
        }
        let mut links: Links = Vec::new();
        let ways: &[Way] = match kind {
            Kind::SegmentSplit => &[Way::Segment],
            Kind::RelayDown if !self.network.relay_exists => return false,
            Kind::RelayDown => &[Way::Relay],
            _ => &Way::BOTH,
        };
        // Strangers and the router are on one side or the other too.
        let side: Vec<bool> = (0..all).map(|_| rng.bool()).collect();
        let one = rng.usize(0..n);
        let other = (one + rng.usize(1..n)) % n;
        let deaf = rng.bool();
        for &way in ways {
            for from in 0..all {
                for to in (0..all).filter(|&to| to != from) {
                    let cut = match kind {
                        Kind::Partition | Kind::SegmentSplit => side[from] != side[to],
                        Kind::RelayDown => true,
                        Kind::OneWay => (from, to) == (one, other),
                        _ => (deaf && to == one) || (!deaf && from == one),
                    };
                    if cut {
                        links.push((way, from, to));
                    }
                }
            }
        }
        if links.is_empty() {
            return false;
        }
        self.cut(&links);
        self.later(end, Act::Mend(links));
        true
    }

    pub(crate) fn cut(&mut self, links: &Links) {
        for &(way, from, to) in links {
            self.network.cut(way, from, to);
        }
        self.segment_changed(links);
        self.survey();
    }

    /// A host that loses or regains the rest of the segment finds out by its silence, as others find out a death.
    pub(crate) fn segment_changed(&mut self, links: &Links) {
        let now = self.now();
        let n = self.hosts.len();
        for &(way, from, to) in links {
            if way == Way::Segment && from >= n && to < n {
                self.calm.disturb(now, to);
            }
        }
    }

    /// Links fail one by one, and come back one by one in another order.
    fn swizzle(&mut self, rng: &mut Rng, lasts: u64) -> bool {
        let n = self.plan.hosts.len();
        if n < 2 {
            return false;
        }
        let now = self.now();
        for _ in 0..rng.usize(2..=2 + n) {
            let from = rng.usize(0..n);
            let to = (from + rng.usize(1..n)) % n;
            let links: Links = Way::BOTH.into_iter().map(|way| (way, from, to)).collect();
            let begin = now + rng.u64(0..=lasts / 2);
            self.later(begin, Act::Cut(links.clone()));
            self.later(
                begin + 1 + rng.u64(0..=now + lasts - begin),
                Act::Mend(links),
            );
        }
        true
    }

    fn weather(&mut self, kind: Kind, rng: &mut Rng, end: u64) -> bool {
        let (mut loss, mut duplicate, mut reorder) = (0, 0, 0);
        match kind {
            Kind::Loss => loss = rng.u32(5..=LOSS_BORNE),
            Kind::Duplicate => duplicate = rng.u32(10..=500),
            _ => reorder = rng.u32(10..=500),
        }
        let weather = &mut self.network.weather;
        weather.loss += loss;
        weather.duplicate += duplicate;
        weather.reorder += reorder;
        weather.reorder_ns_max = self.plan.period_ns * 2;
        let weather = self.network.weather;
        self.say(|| format!("{weather:?}"));
        self.later(
            end,
            Act::Clear {
                loss,
                duplicate,
                reorder,
            },
        );
        true
    }

    fn withdraw(&mut self, kind: Kind, rng: &mut Rng, end: u64) -> Result<bool, Violation> {
        let Some(index) = self.choose(rng, |host| host.runs() && host.wish == Wish::Serve) else {
            return Ok(false);
        };
        // A drain in the middle of a convergence: another host crashes or comes back in the same moment.
        if rng.u8(0..3) == 0 {
            if let Some(other) = self.choose(rng, |host| host.runs() && host.wish == Wish::Serve) {
                if other != index {
                    let after = self.now() + rng.u64(0..=self.plan.delay_ns[0] * 8);
                    self.later(after, Act::PowerOff(other));
                    self.later(end, Act::PowerOn(other));
                }
            }
        }
        let (wish, command) = match kind {
            Kind::Leave => (Wish::Rest, Command::Stop),
            Kind::Drain => (Wish::Drain, Command::Drain),
            Kind::Suspend => (Wish::Rest, Command::Suspend),
            _ => {
                let deadline = self.hosts[index].clock(self.now() + rng.u64(0..=end - self.now()));
                let deadline = if rng.bool() { deadline } else { Instant::NEVER };
                (Wish::Rest, Command::Drainstop { deadline })
            }
        };
        self.hosts[index].wish = wish;
        self.hosts[index].suspended = kind == Kind::Suspend;
        self.set_eligible();
        match kind {
            Kind::Leave | Kind::Suspend => self.expect(What::Leave(index)),
            Kind::Drain => self.expect(What::Drain(index)),
            _ => {}
        }
        self.command(index, command)?;
        self.later(end, Act::Return(index));
        Ok(true)
    }

    fn reweight(&mut self, rng: &mut Rng) -> Result<bool, Violation> {
        let Some(index) = self.choose(rng, |_| true) else {
            return Ok(false);
        };
        let slot = rng.usize(0..self.plan.slots.len());
        let rules = &mut self.hosts[index].config.rules;
        let weight = match rules.kinds[slot] {
            SlotKind::Weighted if rng.u8(0..6) == 0 => 0,
            SlotKind::Weighted => rng.u8(1..=100),
            SlotKind::Single => rng.u8(1..=64),
        };
        rules.weights[slot] = weight;
        self.set_eligible();
        self.command(
            index,
            Command::SetWeight {
                slot: slot as u16,
                weight,
            },
        )?;
        // Rules that are staged carry weights too, which an administrator keeps up to date.
        let pending = self.hosts[index]
            .node
            .as_ref()
            .map_or(0, |node| node.pending());
        if pending != 0 {
            let mut rules = self.hosts[index].config.rules;
            rules.digest = pending;
            self.command(index, Command::Stage(rules))?;
        }
        Ok(true)
    }

    fn interface(&mut self, kind: Kind, rng: &mut Rng, end: u64) -> Result<bool, Violation> {
        let Some(index) = self.choose(rng, |host| host.runs()) else {
            return Ok(false);
        };
        let now = self.now();
        if kind == Kind::VipMissing {
            self.hosts[index].vip_missing += 1;
            self.set_eligible();
            self.calm.disturb(now, index);
            self.command(index, Command::VipMissing(true))?;
            self.owns_nothing(index, "lacks a VIP")?;
            self.later(end, Act::Vip(index));
            return Ok(true);
        }
        self.hosts[index].carrier_down += 1;
        let links = self.cable(index);
        self.cut(&links);
        self.calm.disturb(now, index);
        self.command(index, Command::Carrier(false))?;
        self.owns_nothing(index, "has no carrier")?;
        self.later(end, Act::Carrier(index));
        Ok(true)
    }

    /// A host that is cut off, or lacks a VIP, lets go of everything at once.
    fn owns_nothing(&self, index: usize, why: &str) -> Result<(), Violation> {
        if self.hosts[index].bits.iter().all(|bits| *bits == 0) {
            return Ok(());
        }
        Err(self.violation(
            Property::Stable,
            format!("host #{index} {why} and still takes new connections"),
        ))
    }

    /// All links of a host's cluster interface.
    pub(crate) fn cable(&self, index: usize) -> Links {
        (0..=self.router())
            .filter(|&other| other != index)
            .flat_map(|other| [(Way::Segment, index, other), (Way::Segment, other, index)])
            .collect()
    }

    /// Three steps, each at a time of its own on every host, and no step before the one before is done everywhere.
    fn rotate(&mut self, rng: &mut Rng, lasts: u64) -> bool {
        if self.rotating || self.plan.auth == AuthKind::Open || self.key_id > 200 {
            return false;
        }
        self.rotating = true;
        self.key_id += 1;
        let (new, old) = (self.key_id, self.key_id - 1);
        let now = self.now();
        let step = lasts / 3;
        for index in 0..self.hosts.len() {
            self.later(now + rng.u64(0..=step), Act::KeyAdd(index, new));
            self.later(now + step + 1 + rng.u64(0..=step), Act::KeyUse(index, new));
            self.later(
                now + 2 * step + 2 + self.limits.gap + rng.u64(0..=step),
                Act::KeyDrop(index, old),
            );
        }
        self.later(now + 3 * step + 3 + self.limits.gap, Act::RotationEnds);
        true
    }

    fn stranger(&mut self, kind: Kind, rng: &mut Rng, end: u64) -> Result<bool, Violation> {
        let n = self.plan.hosts.len();
        let Some(index) = (n..n + STRANGERS).find(|&index| self.hosts[index].power_on_at == 0)
        else {
            return Ok(false);
        };
        let Some(twin) = self.choose(rng, |host| host.runs()) else {
            return Ok(false);
        };
        let mut config = self.hosts[twin].config;
        let mut role = Role::DuplicateId;
        if kind == Kind::Stranger {
            let taken = |id: u8| self.hosts.iter().any(|host| host.id.get() == id);
            let free: Vec<u8> = (1..=self.ids() as u8).filter(|id| !taken(*id)).collect();
            let Some(id) = rng.choice(free).and_then(nlb_core::host::HostId::new) else {
                return Ok(false);
            };
            config.host = id;
            role = [
                Role::OtherRules,
                Role::OtherSettings,
                Role::OtherVersion,
                Role::OtherKey,
            ][rng.usize(0..4)];
            if role == Role::OtherVersion && self.plan.versions != Versions::Old {
                role = Role::OtherRules;
            }
            match role {
                Role::OtherRules => config.rules.digest ^= 0x5555_0000,
                Role::OtherSettings => config.terms.settings ^= 0x5555,
                Role::OtherVersion => config.versions = (2, 2),
                _ => {}
            }
        }
        if role == Role::OtherKey && self.plan.auth == AuthKind::Open {
            return Ok(false);
        }
        let keys = if role == Role::OtherKey {
            Keyring::new(self.plan.auth, self.key_id, !self.secret(self.key_id))
        } else {
            self.keys_as_of_now(twin)
        };
        let host = &mut self.hosts[index];
        host.id = config.host;
        host.config = config;
        host.role = role;
        host.keys = keys;
        host.wish = Wish::Serve;
        host.carrier_down = 0;
        host.vip_missing = 0;
        self.say(|| {
            format!(
                "#{index} is a stranger: {role:?} with id {}",
                config.host.get()
            )
        });
        if role == Role::OtherKey {
            self.calm.attack(self.now());
        }
        self.power_on(index)?;
        self.expect(What::KeptOut(index));
        self.later(end, Act::Dismiss(index));
        Ok(true)
    }

    fn attack(&mut self, rng: &mut Rng, lasts: u64) -> bool {
        if self.plan.auth == AuthKind::Open || self.adversary.doing.is_some() {
            return false;
        }
        let attack = [Attack::Mixed, Attack::Mixed, Attack::Replay, Attack::Flood][rng.usize(0..4)];
        let (lasts, pause) = match attack {
            // 40 frames in 0.8 ms are 50,000 a second; a tenth of a second of that is 5,000 frames.
            Attack::Flood => (lasts.min(100_000_000), 800_000),
            _ => (lasts, lasts / 100 + 1),
        };
        self.adversary.doing = Some((attack, self.now() + lasts, pause));
        let now = self.now();
        self.queue.push(now, Event::Adversary);
        true
    }

    /// The adversary sends.
    pub(crate) fn adversary_turn(&mut self) {
        let Some((attack, until, pause)) = self.adversary.doing else {
            return;
        };
        let now = self.now();
        if now > until || self.healed {
            self.adversary.doing = None;
            return;
        }
        self.calm.attack(now);
        let n = self.hosts.len();
        let relay = self.network.relay_exists;
        for shot in self.adversary.turn(attack) {
            let rng = &mut self.adversary.rng;
            let way = if relay && rng.u8(0..4) == 0 {
                Way::Relay
            } else {
                Way::Segment
            };
            let target = if attack == Attack::Flood || rng.bool() {
                Some(rng.usize(0..n))
            } else {
                None
            };
            for to in (0..n).filter(|to| target.is_none_or(|target| target == *to)) {
                let delay = self.adversary.rng.u64(0..=self.plan.delay_ns[0]);
                let bytes = Rc::clone(&shot.bytes);
                let copy_of = shot.copy_of.as_ref().map(Rc::clone);
                self.queue.push(
                    now + delay,
                    Event::Attack {
                        to,
                        way,
                        bytes,
                        copy_of,
                    },
                );
            }
        }
        if attack != Attack::Flood {
            self.haunt();
        }
        self.queue.push(now + pause, Event::Adversary);
    }

    /// The adversary repeats the last words of those who are silent, to everybody.
    fn haunt(&mut self) {
        let now = self.now();
        let at = now + self.plan.delay_ns[0];
        for sent in self.adversary.last_words(now, self.plan.period_ns * 3 / 2) {
            let bytes: Rc<[u8]> = sent.bytes.as_ref().into();
            for to in (0..self.hosts.len()).filter(|to| *to != sent.from) {
                let shot = Event::Attack {
                    to,
                    way: Way::Segment,
                    bytes: Rc::clone(&bytes),
                    copy_of: Some(Rc::clone(&sent)),
                };
                self.queue.push(at, shot);
            }
        }
    }

    /// Every host is told the new rules at a time of its own; a host without power starts with them.
    fn change_rules(&mut self, rng: &mut Rng, lasts: u64) -> bool {
        self.rules_digest += 1;
        let now = self.now();
        for index in 0..self.plan.hosts.len() {
            self.later(
                now + rng.u64(0..=lasts),
                Act::Stage(index, self.rules_digest),
            );
        }
        true
    }
}
