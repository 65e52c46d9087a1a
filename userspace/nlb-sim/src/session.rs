// SPDX-License-Identifier: GPL-2.0-only

//! Sessions of clients, the walks by which hosts look for theirs, and the checker of residue: nobody answers for a
//! connection that lives elsewhere, and in the end nobody is silent for nothing.
//!
//! Draws have a generator of their own, so that sessions do not change what else a seed does.

use fastrand::Rng;
use nlb_core::host::HostId;
use nlb_core::node::{Node, Tally};
use nlb_core::state::HostState;
use nlb_tables::Tables;

use crate::check::{Property, Violation};
use crate::host::{Host, Role};
use crate::world::{Event, World};

/// Sessions at one time in a run: enough that most changes move some, and few enough to look at all of them often.
const SESSIONS_MAX: usize = 32;

/// A connection that a host has accepted as the owner of its bucket.
struct Session {
    host: usize,
    incarnation: u64,
    slot: usize,
    /// What is hashed.
    key: u64,
    /// What its slot means: the digest of the rules that last gave it another meaning.
    meaning: u64,
    /// The rules that were in force on its host when it was last looked at.
    rules: u64,
    until: u64,
}

/// What a walk that is under way has seen at its beginning.
struct Walk {
    incarnation: u64,
    /// What was hashed for the sessions that there were.
    keys: Vec<u64>,
    found: Vec<u64>,
}

/// All sessions of a run.
pub(crate) struct Sessions {
    rng: Rng,
    list: Vec<Session>,
    walks: Vec<Option<Walk>>,
    /// Ownership has changed somewhere since the sessions were last compared with it.
    pub(crate) moved: bool,
    /// Times that a session was compared with an owner that is not its host.
    pub(crate) compared: u64,
}

impl Sessions {
    pub(crate) fn new(seed: u64, hosts: usize) -> Self {
        Sessions {
            rng: Rng::with_seed(seed.rotate_left(31) ^ 0x7365_7373_696f_6e73),
            list: Vec::new(),
            walks: (0..hosts).map(|_| None).collect(),
            moved: false,
            compared: 0,
        }
    }
}

impl Session {
    /// Its bucket among so many.
    fn bucket(&self, buckets: usize) -> usize {
        let mixed = (self.key ^ self.meaning.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_mul(0xd6e8_feb8_6659_fd93);
        (mixed >> 32) as usize % buckets
    }

    /// Takes over the rules in force on its host. False if it is not known what its slot means under them.
    fn follow(&mut self, rules: u64) -> bool {
        if rules == self.rules + 1 {
            self.rules = rules;
            // As `World::stage` makes them.
            if rules % 2 == 1 {
                self.meaning = rules;
            }
        }
        rules == self.rules
    }
}

fn has(word: u64, bucket: usize) -> bool {
    (word >> (bucket % 64)) & 1 == 1
}

/// The node of a host that handles packets now.
fn at_work(host: &Host) -> Option<&Node<Tables>> {
    let node = host.node.as_ref().filter(|_| host.paused.is_none())?;
    let takes_part = !matches!(node.state(), HostState::Stopped | HostState::Suspended);
    (takes_part && host.role == Role::Member).then_some(node)
}

impl World<'_> {
    /// Lets clients and walks begin.
    pub(crate) fn begin_sessions(&mut self) {
        self.queue.push(self.plan.period_ns, Event::Clients);
        for host in 0..self.hosts.len() {
            self.later_walk(host);
        }
    }

    fn later_walk(&mut self, host: usize) {
        let period = self.plan.period_ns;
        let at = self.now() + self.sessions.rng.u64(period / 4..=period);
        self.queue.push(at, Event::Walk(host));
    }

    /// Clients open connections; whoever owns the bucket accepts.
    pub(crate) fn clients(&mut self) -> Result<(), Violation> {
        let now = self.now();
        self.queue
            .push(now + self.plan.period_ns / 2, Event::Clients);
        self.look_at_sessions()?;
        if self.healed {
            return Ok(());
        }
        let period = self.plan.period_ns;
        let lasts = self.sessions.rng.u64(period / 2..=period * 30);
        let slot = self.sessions.rng.usize(0..self.plan.slots.len());
        let key = self.sessions.rng.u64(..);
        let opened: Vec<Session> = self
            .hosts
            .iter()
            .enumerate()
            .filter_map(|(host, it)| {
                let node = at_work(it)?;
                let rules = node.config().rules.digest;
                let session = Session {
                    host,
                    incarnation: node.incarnation(),
                    slot,
                    key,
                    meaning: rules,
                    rules,
                    until: (now + lasts).min(self.plan.heal_at.max(now)),
                };
                let bucket = session.bucket(self.plan.buckets);
                let owned = node.owned_word(slot as u16, (bucket / 64) as u16);
                has(owned, bucket).then_some(session)
            })
            .collect();
        for session in opened {
            if self.sessions.list.len() >= SESSIONS_MAX {
                self.sessions.list.remove(0);
            }
            self.sessions.list.push(session);
        }
        Ok(())
    }

    /// Ends what is over: sessions whose time has come, whose host is gone, or of which nothing is known any more.
    fn end_sessions(&mut self) {
        let now = self.now();
        let (hosts, healed) = (&self.hosts, self.healed);
        self.sessions.list.retain_mut(|session| {
            let Some(node) = &hosts[session.host].node else {
                return false;
            };
            let stopped = matches!(node.state(), HostState::Stopped | HostState::Suspended);
            !stopped
                && !healed
                && now < session.until
                && node.incarnation() == session.incarnation
                && session.follow(node.config().rules.digest)
        });
    }

    /// Looks at all sessions if the ownership has changed anywhere since they were last looked at.
    pub(crate) fn look_at_moved_sessions(&mut self) -> Result<(), Violation> {
        if !std::mem::take(&mut self.sessions.moved) || self.sessions.list.is_empty() {
            return Ok(());
        }
        self.look_at_sessions()
    }

    /// Each session is served by its host, and every other host that owns its bucket stays silent.
    fn look_at_sessions(&mut self) -> Result<(), Violation> {
        self.end_sessions();
        let mut compared = 0;
        for session in &self.sessions.list {
            let Some(node) = at_work(&self.hosts[session.host]) else {
                continue;
            };
            let bucket = session.bucket(self.plan.buckets);
            let (slot, word) = (session.slot as u16, (bucket / 64) as u16);
            let served = node.owned_word(slot, word) | node.residue_word(slot, word);
            if !has(served, bucket) {
                return Err(self.violation(
                    Property::Residue,
                    format!(
                        "host #{} has a session in bucket {bucket} of slot {slot} and would not serve it",
                        session.host
                    ),
                ));
            }
            for (index, host) in self.hosts.iter().enumerate() {
                let Some(other) = at_work(host).filter(|_| index != session.host) else {
                    continue;
                };
                let same_rules = other.config().rules.digest == session.rules;
                if !same_rules || !has(other.owned_word(slot, word), bucket) {
                    continue;
                }
                compared += 1;
                if !has(other.others_word(slot, word), bucket)
                    && !self.apart_lately(session.host, index)
                    && !self.has_double(session.host)
                {
                    return Err(self.violation(
                        Property::Residue,
                        format!(
                            "host #{index} would answer for a session of host #{} in bucket {bucket} of slot {slot}",
                            session.host
                        ),
                    ));
                }
            }
        }
        self.sessions.compared += compared;
        Ok(())
    }

    /// Whether another host has the id of this one: who hears both believes one of them and refuses the other, and with
    /// it what it says of its sessions.
    fn has_double(&self, host: usize) -> bool {
        self.twins(host).any(|twin| self.hosts[twin].node.is_some())
    }

    /// Whether two hosts may take each other for dead, or did so lately. Where most frames come late, that includes the
    /// time that it takes a host that has restarted to prove itself.
    fn apart_lately(&self, a: usize, b: usize) -> bool {
        let (calm, now) = (&self.calm, self.now());
        let troubled = calm.troubled_at(a).max(calm.troubled_at(b));
        !calm.linked(a, b)
            || !calm.clique(a)
            || now <= troubled + self.limits.doubled
            || calm.silent(now, a, b)
    }

    /// The buckets in which a host has those of its sessions that `seen` says.
    fn sessions_of(&self, host: usize, seen: impl Fn(u64) -> bool) -> Vec<u64> {
        let words = self.plan.buckets.div_ceil(64);
        let mut found = vec![0; self.plan.slots.len() * words];
        let of_host = |it: &&Session| it.host == host && seen(it.key);
        for session in self.sessions.list.iter().filter(of_host) {
            let bucket = session.bucket(self.plan.buckets);
            found[session.slot * words + bucket / 64] |= 1 << (bucket % 64);
        }
        found
    }

    /// A host begins or ends a walk over its sessions.
    pub(crate) fn walk(&mut self, host: usize) -> Result<(), Violation> {
        self.end_sessions();
        self.later_walk(host);
        let walk = self.sessions.walks[host].take();
        if at_work(&self.hosts[host]).is_none() {
            return Ok(());
        }
        // A session that is there all the time is seen; one that was made or has ended meanwhile may be or not.
        let [seen_early, seen_late] = [self.sessions.rng.bool(), self.sessions.rng.bool()];
        let seen = |key: u64| match &walk {
            Some(walk) => seen_late || walk.keys.contains(&key),
            None => true,
        };
        let now_found = self.sessions_of(host, seen);
        let keys = self.sessions.list.iter().map(|session| session.key);
        let keys: Vec<u64> = keys.collect();
        let clock = self.hosts[host].clock(self.now());
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(());
        };
        let incarnation = node.incarnation();
        let Some(walk) = walk.filter(|walk| walk.incarnation == incarnation) else {
            if node.wants_walk() {
                node.begin_walk();
                self.sessions.walks[host] = Some(Walk {
                    incarnation,
                    keys,
                    found: now_found,
                });
            }
            return Ok(());
        };
        let words = self.plan.buckets.div_ceil(64);
        let found = |slot: u16, word: u16| {
            let place = usize::from(slot) * words + usize::from(word);
            let early = if seen_early { walk.found[place] } else { 0 };
            early | now_found[place]
        };
        let places = 0..node.config().rules.slots;
        let places = places.flat_map(|slot| (0..words).map(move |word| (slot, word as u16)));
        let sessions = places.map(|(slot, word)| u64::from(found(slot, word).count_ones()));
        let tally = Tally {
            sessions: sessions.sum(),
            more_may_come: false,
        };
        node.end_walk(clock, found, tally);
        self.after(host)
    }

    /// At the end, when there are no sessions any more: nobody has residue, and all know it.
    pub(crate) fn residue_left(&self) -> Option<String> {
        self.hosts.iter().enumerate().find_map(|(index, host)| {
            let node = at_work(host)?;
            let unknown = node.residue_unknown();
            if node.residue_count() != 0 {
                return Some(format!(
                    "host #{index} has residue in {} buckets although there are no sessions",
                    node.residue_count()
                ));
            }
            if !unknown.is_empty() {
                let ids: Vec<u8> = unknown.iter().map(HostId::get).collect();
                return Some(format!(
                    "host #{index} does not know the residue of {ids:?}"
                ));
            }
            let words = self.plan.buckets.div_ceil(64);
            let silent = (0..self.plan.slots.len() * words).find(|place| {
                node.moved_word((place / words) as u16, (place % words) as u16) != 0
            })?;
            Some(format!(
                "host #{index} is silent in word {} of slot {} for nobody",
                silent % words,
                silent / words
            ))
        })
    }
}
