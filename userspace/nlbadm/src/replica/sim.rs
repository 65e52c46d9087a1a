// SPDX-License-Identifier: GPL-2.0-only

//! Many hosts in virtual time: messages are lost and late, power is cut between any two steps, changes are made at once.
//! In the end all hosts have one version, and no change that was told to be in force is lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{fate::tests::status, version::tests::version, *};

/// A generator of random numbers (SplitMix64): a seed plays the same run again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % end
    }

    /// True so many times in a thousand.
    fn one_of(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }
}

/// What goes wrong, per thousand messages.
#[derive(Clone, Copy)]
struct Faults {
    lost: u64,
    /// Power is cut when a host has a request, before or after it writes.
    cut: u64,
    /// A message takes up to so many milliseconds.
    delay: u64,
}

const NONE: Faults = Faults {
    lost: 0,
    cut: 0,
    delay: 5,
};

/// One host: what outlasts a power cut, and what does not.
#[derive(Default)]
struct Node {
    state: State,
    texts: BTreeSet<Digest>,
    /// It has no power until then, in milliseconds.
    down_until: u64,
    staged_at: Option<u64>,
    next_look: u64,
}

/// A change that is being made on a host.
struct Maker {
    change: Change,
    began: u64,
    own: u8,
    outcome: Option<Outcome>,
    dead: bool,
}

/// Something on its way.
enum Event {
    Ask {
        maker: usize,
        to: u8,
        ask: Ask,
    },
    Answer {
        maker: usize,
        from: u8,
        reply: Result<Reply, String>,
        number: u64,
    },
}

struct World {
    now: u64,
    random: Random,
    faults: Faults,
    nodes: BTreeMap<u8, Node>,
    makers: Vec<Maker>,
    /// By time and number.
    events: BTreeMap<(u64, u64), Event>,
    number: u64,
    /// The asks that have no answer yet, by maker and host: the latest counts.
    open: BTreeMap<(usize, u8), u64>,
    /// No message passes between these two parts.
    cut: BTreeSet<u8>,
}

impl World {
    fn new(seed: u64, hosts: u8, faults: Faults) -> Self {
        let nodes = (1..=hosts).map(|id| (id, Node::default())).collect();
        World {
            now: 0,
            random: Random(seed),
            faults,
            nodes,
            makers: Vec::new(),
            events: BTreeMap::new(),
            number: 0,
            open: BTreeMap::new(),
            cut: BTreeSet::new(),
        }
    }

    /// Begins a change on a host, of all hosts but these, from what is in force there.
    fn begin(&mut self, own: u8, text: &str, without: &[u8]) -> usize {
        let base = self.nodes[&own].state.current.clone();
        let staged = Staged {
            version: version(base.as_ref().map_or(0, |it| it.number) + 1, own, text),
            base: base.clone(),
            hosts: self
                .nodes
                .keys()
                .copied()
                .filter(|id| !without.contains(id))
                .collect(),
        };
        // The content of a version in this world is the text by which it was begun; its digest is enough.
        let base_text = base.map(|base| self.text_of(&base));
        self.makers.push(Maker {
            change: Change::new(own, staged, text.into(), base_text, false),
            began: self.now,
            own,
            outcome: None,
            dead: false,
        });
        let maker = self.makers.len() - 1;
        self.turn(maker);
        maker
    }

    fn text_of(&self, version: &Version) -> String {
        let texts = (0..10).map(|number| format!("text {number}"));
        texts
            .into_iter()
            .find(|text| Digest::of(text) == version.digest)
            .unwrap()
    }

    fn post(&mut self, after: u64, event: Event) {
        self.number += 1;
        self.events.insert((self.now + after, self.number), event);
    }

    /// Lets a change ask whom it wants to.
    fn turn(&mut self, maker: usize) {
        let it = &mut self.makers[maker];
        let age = Duration::from_millis(self.now - it.began);
        let orders = it.change.next(age);
        it.outcome = it.change.outcome();
        for (to, ask) in orders {
            self.send(maker, to, ask);
        }
    }

    fn send(&mut self, maker: usize, to: u8, ask: Ask) {
        let own = self.makers[maker].own;
        self.number += 1;
        let number = self.number;
        self.open.insert((maker, to), number);
        let silence = u64::try_from(ANSWER.as_millis()).unwrap();
        let reply = Err("no answer".to_owned());
        self.post(
            silence,
            Event::Answer {
                maker,
                from: to,
                reply,
                number,
            },
        );
        if own == to || self.passes(own, to) {
            let delay = self.delay();
            self.post(delay, Event::Ask { maker, to, ask });
        }
    }

    fn delay(&mut self) -> u64 {
        1 + self.random.below(self.faults.delay)
    }

    fn passes(&mut self, from: u8, to: u8) -> bool {
        self.cut.contains(&from) == self.cut.contains(&to) && !self.random.one_of(self.faults.lost)
    }

    fn is_up(&self, id: u8) -> bool {
        self.nodes[&id].down_until <= self.now
    }

    /// Cuts the power of a host for a while; changes that are made on it end half way.
    fn cut_power(&mut self, id: u8) {
        let until = self.now + 1 + self.random.below(60_000);
        let node = self.nodes.get_mut(&id).unwrap();
        node.down_until = until;
        // It looks at once when it is back, and waits for word anew.
        node.next_look = until;
        node.staged_at = node.state.staged.is_some().then_some(until);
        for maker in self.makers.iter_mut().filter(|maker| maker.own == id) {
            maker.dead |= maker.outcome.is_none();
        }
    }

    /// What a host makes of a request; none if its power goes before it answers.
    fn handle(&mut self, id: u8, ask: &Ask) -> Option<Reply> {
        if !self.is_up(id) {
            return None;
        }
        if self.random.one_of(self.faults.cut) {
            self.cut_power(id);
            return None;
        }
        let now = self.now;
        let node = self.nodes.get_mut(&id).unwrap();
        let reply = match ask {
            Ask::Status => Reply::Status(Box::new(status(id, &node.state))),
            Ask::Fetch(number) => {
                let version = node.state.find(*number)?.clone();
                assert!(
                    node.texts.contains(&version.digest),
                    "host {id} lost a content"
                );
                let text = self.text_of(&version);
                Reply::Text { version, text }
            }
            ask => match node.state.step(ask) {
                Step::Stays(reply) => reply,
                Step::Becomes { state, text, reply } => {
                    node.texts.extend(text.map(|text| Digest::of(&text)));
                    node.staged_at = state.staged.is_some().then_some(now);
                    node.state = *state;
                    reply
                }
            },
        };
        if self.random.one_of(self.faults.cut) {
            self.cut_power(id);
            return None;
        }
        Some(reply)
    }

    /// One host asks another.
    fn exchange(&mut self, from: u8, to: u8, ask: &Ask) -> Option<Reply> {
        if !self.passes(from, to) {
            return None;
        }
        let reply = self.handle(to, ask)?;
        (self.passes(to, from) && self.is_up(from)).then_some(reply)
    }

    /// What nlbd of a host does now and then.
    fn look(&mut self, id: u8) {
        let ids: Vec<u8> = self.nodes.keys().copied().filter(|it| *it != id).collect();
        let node = self.nodes.get_mut(&id).unwrap();
        // After a start it asks all, later one of them.
        let asks_all = node.next_look == node.down_until;
        node.next_look = self.now + 5000;
        let (state, since) = (node.state.clone(), node.staged_at);
        let some = [ids[usize::try_from(self.random.below(ids.len() as u64)).unwrap()]];
        let asked = if asks_all || state.staged.is_some() {
            &ids[..]
        } else {
            &some
        };
        let mut answers = BTreeMap::new();
        for &peer in asked {
            if let Some(Reply::Status(status)) = self.exchange(id, peer, &Ask::Status) {
                answers.insert(peer, *status);
            }
        }
        if let Some(staged) = &state.staged {
            let age = Duration::from_millis(self.now - since.unwrap());
            let settled = match fate(staged, id, age, &answers) {
                Fate::Commit => Some(Ask::Commit(staged.version.clone())),
                Fate::Withdraw => Some(Ask::Withdraw(staged.version.clone())),
                Fate::Wait => None,
            };
            settled.and_then(|ask| self.handle(id, &ask));
        }
        let newer = |status: &Status| {
            let theirs = status.current.clone()?;
            let own = &self.nodes[&id].state.current;
            own.as_ref()
                .is_none_or(|own| theirs.beats(own))
                .then_some(())
        };
        let from: Vec<u8> = answers
            .iter()
            .filter_map(|(&id, it)| newer(it).map(|()| id))
            .collect();
        for peer in from {
            if let Some(Reply::Text { version, text }) = self.exchange(id, peer, &Ask::Fetch(None))
            {
                self.handle(id, &Ask::Take { version, text });
            }
        }
    }

    /// Lets time pass.
    fn run(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while self.now < end {
            let looks = self
                .nodes
                .values()
                .map(|node| node.next_look.max(node.down_until));
            let next_look = looks.min().unwrap();
            let next_event = self.events.keys().next().map_or(end, |&(at, _)| at);
            self.now = next_look.min(next_event).min(end).max(self.now);
            while let Some(entry) = self.events.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let event = entry.remove();
                self.happen(event);
            }
            let due = |(&id, node): (&u8, &Node)| {
                (node.next_look.max(node.down_until) <= self.now).then_some(id)
            };
            let due: Vec<u8> = self.nodes.iter().filter_map(due).collect();
            for id in due {
                if self.is_up(id) {
                    self.look(id);
                }
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Ask { maker, to, ask } => {
                let Some(number) = self.open.get(&(maker, to)).copied() else {
                    return;
                };
                let own = self.makers[maker].own;
                let Some(reply) = self.handle(to, &ask) else {
                    return;
                };
                if own == to || self.passes(to, own) {
                    let delay = self.delay();
                    let reply = Ok(reply);
                    self.post(
                        delay,
                        Event::Answer {
                            maker,
                            from: to,
                            reply,
                            number,
                        },
                    );
                }
            }
            Event::Answer {
                maker,
                from,
                reply,
                number,
            } => {
                if self.makers[maker].dead || self.open.get(&(maker, from)) != Some(&number) {
                    return;
                }
                self.open.remove(&(maker, from));
                let age = Duration::from_millis(self.now - self.makers[maker].began);
                match self.makers[maker].change.answer(from, reply, age) {
                    Some(ask) => self.send(maker, from, ask),
                    None => self.turn(maker),
                }
            }
        }
    }

    /// All works from now on; what was begun comes to its end.
    fn heal(&mut self) {
        self.faults = NONE;
        self.cut.clear();
        for node in self.nodes.values_mut() {
            node.down_until = node.down_until.min(self.now);
        }
        self.run(200_000);
    }

    /// The version that all have.
    fn one(&self, what: &str) -> Option<Version> {
        let mut all = self.nodes.values();
        let first = &all.next().unwrap().state;
        for node in self.nodes.values() {
            assert_eq!(node.state.staged, None, "{what}: something waits for word");
            assert_eq!(node.state.current, first.current, "{what}: a mixture");
            if let Some(version) = &node.state.current {
                assert!(
                    node.texts.contains(&version.digest),
                    "{what}: a content is lost"
                );
            }
        }
        first.current.clone()
    }

    fn told_in_force(&self, maker: usize) -> bool {
        let outcome = &self.makers[maker].outcome;
        outcome.as_ref().is_some_and(|outcome| outcome.in_force)
    }

    fn is_in_force(&self, maker: usize) -> bool {
        let version = self.makers[maker].change.version();
        self.nodes
            .values()
            .all(|node| node.state.current.as_ref() == Some(version))
    }
}

#[test]
fn sixty_four_hosts_have_a_change_within_two_seconds() {
    let faults = Faults { delay: 100, ..NONE };
    let mut world = World::new(1, 64, faults);
    let maker = world.begin(2, "text 1", &[]);
    while world.makers[maker].outcome.is_none() {
        world.run(10);
    }
    assert!(world.told_in_force(maker));
    assert!(world.is_in_force(maker));
    assert!(world.now < 2000, "{} ms", world.now);
}

#[test]
fn of_two_changes_at_once_one_wins_and_the_other_is_told() {
    for seed in 0..300 {
        let mut world = World::new(seed, 5, NONE);
        let makers = [world.begin(4, "text 1", &[]), world.begin(2, "text 2", &[])];
        world.run(10_000);
        let won: Vec<bool> = makers
            .iter()
            .map(|&maker| world.told_in_force(maker))
            .collect();
        assert_ne!(won[0], won[1], "seed {seed}");
        let loser = makers[usize::from(won[0])];
        let outcome = world.makers[loser].outcome.as_ref().unwrap();
        assert_eq!(
            outcome.why.values().next().unwrap().exit,
            CAME_FIRST,
            "seed {seed}"
        );
        assert_eq!(world.one("").unwrap().origin, if won[0] { 4 } else { 2 });
    }
}

#[test]
fn whatever_is_lost_or_cut_all_end_with_one_version() {
    let mut completed = [0; 3];
    for seed in 0..3000 {
        let faults = Faults {
            lost: [0, 100, 300][usize::try_from(seed % 3).unwrap()],
            cut: [30, 100, 0][usize::try_from(seed / 3 % 3).unwrap()],
            delay: [5, 400, 2500][usize::try_from(seed / 9 % 3).unwrap()],
        };
        let mut world = World::new(seed, 4, NONE);
        let before = world.begin(1, "text 0", &[]);
        world.run(30_000);
        assert!(world.is_in_force(before));
        world.faults = faults;
        if seed % 7 == 0 {
            world.cut.extend([1, 2]);
        }
        let makers = [world.begin(3, "text 1", &[]), world.begin(2, "text 2", &[])];
        let time = world.random.below(60_000);
        world.run(time);
        world.heal();
        let end = world.one(&format!("seed {seed}")).unwrap();
        let told = makers.map(|maker| world.told_in_force(maker));
        assert_ne!(
            told,
            [true, true],
            "seed {seed}: both were told that they won"
        );
        for (maker, told) in makers.into_iter().zip(told) {
            assert!(
                !told || world.is_in_force(maker),
                "seed {seed}: a change was lost"
            );
        }
        completed[usize::from(end.number == 2) + usize::from(told.contains(&true))] += 1;
    }
    // The runs are of all kinds: withdrawn, completed by itself, told.
    assert!(completed.iter().all(|&count| count > 50), "{completed:?}");
}

#[test]
fn power_cut_of_the_host_of_a_change_at_any_moment() {
    let mut kinds = BTreeSet::new();
    for moment in 0..40 {
        let mut world = World::new(moment, 3, NONE);
        let maker = world.begin(2, "text 1", &[]);
        world.run(moment);
        world.cut_power(2);
        world.heal();
        let end = world.one(&format!("after {moment} ms"));
        assert!(end.is_some() || !world.told_in_force(maker));
        kinds.insert(end.is_some());
    }
    assert_eq!(kinds.len(), 2, "some were withdrawn, some completed");
}

#[test]
fn a_host_that_was_away_has_the_newest_version_as_soon_as_it_is_back() {
    let mut world = World::new(5, 4, NONE);
    world.begin(1, "text 1", &[]);
    world.run(2_000);
    world.nodes.get_mut(&3).unwrap().down_until = 100_000;
    world.nodes.get_mut(&3).unwrap().next_look = 100_000;
    let blocked = world.begin(2, "text 2", &[]);
    world.run(10_000);
    let outcome = world.makers[blocked].outcome.clone().unwrap();
    assert_eq!((outcome.in_force, outcome.why.len()), (false, 1));
    let maker = world.begin(2, "text 3", &[3]);
    world.run(10_000);
    assert!(world.told_in_force(maker));
    world.run(100_001 - world.now);
    assert!(world.is_in_force(maker));
}

#[test]
fn parts_that_left_each_other_out_end_with_what_the_lower_host_made() {
    let mut world = World::new(9, 4, NONE);
    world.begin(1, "text 1", &[]);
    world.run(2_000);
    world.cut.extend([1, 2]);
    let makers = [
        world.begin(4, "text 2", &[1, 2]),
        world.begin(2, "text 3", &[3, 4]),
    ];
    world.run(20_000);
    assert!(makers.iter().all(|&maker| world.told_in_force(maker)));
    world.heal();
    assert_eq!(world.one("").unwrap().origin, 2);
    let lost = &world.makers[makers[0]].change.version().clone();
    assert!(
        world.nodes[&4].state.has(lost),
        "its history has the other one"
    );
}
