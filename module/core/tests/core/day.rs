// SPDX-License-Identifier: GPL-2.0-only

//! A day of a busy cluster in which nothing is wrong: frames come late, one in a hundred gets lost, clients come and go, and
//! no host says a word about it.

use super::world::{World, MS, PERIOD, TOLERANCE};
use nlb_core::aside::{Aside, Place};
use nlb_core::delivery::{Delivery, Sight as Frames, FAMILY_V4, FAMILY_V6};
use nlb_core::genl::Health;
use nlb_core::health::{Sight, Sums, Turn, Watch};
use nlb_core::inquiry::{Inquiry, Role};
use nlb_core::mac::Mac;
use nlb_core::state::OutReason;
use nlb_core::time::{Instant, NS_PER_SEC};

const HOSTS: usize = 3;
const SILENCE: u64 = PERIOD * TOLERANCE as u64;
const DAY: u64 = 24 * 3600 * NS_PER_SEC;

/// Of a hundred answers, probes and questions one gets lost.
const LOST: u64 = 100;

/// What a host watches beside the protocol.
struct Watched {
    delivery: Delivery,
    probed: [Instant; 2],
    inquiry: Inquiry,
    heard: u64,
    aside: Aside,
    health: Watch,
    sums: Sums,
}

impl Watched {
    fn new(now: Instant) -> Self {
        Self {
            delivery: Delivery::new(),
            probed: [now; 2],
            inquiry: Inquiry::new(),
            heard: 0,
            aside: Aside::new(),
            health: Watch::new(Sums::default()),
            sums: Sums::default(),
        }
    }

    /// A second's clients; some of their SYNs, and some of the answers, get lost.
    fn serve(&mut self, world: &mut World) {
        let syns = world.random_below(40);
        let lost = (0..syns).filter(|_| world.random_below(LOST) == 0).count() as u64;
        self.sums.turns[Turn::Syn as usize] += syns;
        self.sums.turns[Turn::SynAck as usize] += syns - lost;
        let datagrams = world.random_below(20);
        self.sums.turns[Turn::Datagram as usize] += datagrams;
        self.sums.turns[Turn::Reply as usize] += datagrams;
        self.sums.accepted += syns + datagrams + 10 * (syns - lost);
    }
}

/// The hosts, what they watch, and what they have said.
struct Day {
    world: World,
    watched: Vec<Watched>,
    said: Vec<String>,
}

impl Day {
    fn new() -> Self {
        let mut world = World::serving(HOSTS);
        (world.loss, world.jitter) = (10, 30 * MS);
        let watched = (0..HOSTS).map(|_| Watched::new(world.now)).collect();
        Self {
            world,
            watched,
            said: Vec::new(),
        }
    }

    /// Probes of the virtual MAC, once in a period.
    fn probe(&mut self, index: usize) {
        let (world, watched) = (&mut self.world, &mut self.watched[index]);
        let (now, node) = (world.now, &world.nodes[index]);
        let look = watched.delivery.look(now, node.beat_ns(), || Frames {
            period_ns: PERIOD,
            silence_ns: SILENCE,
            own: node.config().host,
            members: node.view_members(),
            heard: node.heartbeats_on_segment(now, SILENCE),
            heard_lately: node.heartbeats_on_segment(now, PERIOD + PERIOD / 4),
            probed: watched.probed,
            families: FAMILY_V4 | FAMILY_V6,
        });
        let Some(look) = look else { return };
        if look.starved != 0 {
            self.said
                .push(format!("host {index} is starved at {now:?}"));
        }
        for other in (0..HOSTS).filter(|other| look.probe && *other != index) {
            for family in 0..2 {
                if self.world.random_below(LOST) != 0 {
                    self.watched[other].probed[family] = now;
                }
            }
        }
    }

    /// Questions for two VIPs; the default host answers.
    fn ask(&mut self, index: usize) {
        let (now, random) = (self.world.now, self.world.random_below(1 << 30));
        let node = &self.world.nodes[index];
        let role = match node.default_host() {
            _ if node.is_default() => Role::Answering,
            Some(default) if index == 1 => Role::Asking(default),
            _ => Role::None,
        };
        let watched = &mut self.watched[index];
        let heard = core::mem::take(&mut watched.heard);
        let step = watched
            .inquiry
            .look(now, role, SILENCE, 0b11, heard, random << 8);
        if step.unanswered != 0 {
            self.said
                .push(format!("host {index} gets no answers at {now:?}"));
        }
        for vip in (0..2).filter(|vip| (step.ask >> vip) & 1 != 0 && role != Role::Answering) {
            if self.world.random_below(LOST) != 0 {
                self.watched[index].heard |= 1 << vip;
            }
        }
        let mac: Mac = [2, 0, 0, 0, 0, index as u8];
        let (watched, other) = (&mut self.watched[index], [2, 0, 0, 0, 0, 0]);
        let step = watched.aside.look(now, Place::Among, SILENCE);
        let told = watched.aside.heard(now, other, mac, SILENCE);
        if step.aside || step.ask || told {
            self.said
                .push(format!("host {index} stands aside at {now:?}"));
        }
    }

    /// Clients of a second, and whether they are answered.
    fn serve(&mut self, index: usize) {
        let watched = &mut self.watched[index];
        watched.serve(&mut self.world);
        let sight = Sight {
            is_rule: true,
            asked_elsewhere: false,
        };
        let health = watched.health.look(&watched.sums, sight);
        if !matches!(health, Health::Answers | Health::Unknown) {
            let (name, now) = (health.name(), self.world.now);
            self.said.push(format!("host {index}: {name} at {now:?}"));
        }
    }

    fn events(&mut self) {
        for (index, events) in self.world.events.iter_mut().enumerate() {
            let now = self.world.now;
            self.said.extend(
                events
                    .drain(..)
                    .map(|event| format!("host {index}: {event:?} at {now:?}")),
            );
        }
        let nodes = self.world.nodes.iter();
        let out = nodes.filter(|node| node.out_reason() != OutReason::None);
        self.said
            .extend(out.map(|node| format!("{:?}", node.out_reason())));
    }
}

#[test]
fn nobody_says_a_word_in_a_day_in_which_nothing_is_wrong() {
    let mut day = Day::new();
    day.world.events.iter_mut().for_each(Vec::clear);
    let generation = day.world.nodes[0].generation();
    let end = day.world.now.after(DAY);
    let mut periods = 0;
    while day.world.now < end {
        day.world.run(PERIOD);
        periods += 1;
        for index in 0..HOSTS {
            day.probe(index);
            day.ask(index);
            if periods % 5 == 0 {
                day.serve(index);
            }
        }
        day.events();
        assert!(day.said.is_empty(), "{}", day.said.join("\n"));
    }
    assert_eq!(day.world.nodes[0].generation(), generation);
    assert!(day.world.serves(&[0, 1, 2]));
}
