// SPDX-License-Identifier: GPL-2.0-only

//! What the checkers know about the world and the hosts do not: who runs, who can reach whom, and since when
//! nothing has been wrong.

use super::hearing::Hearing;
use crate::network::Network;

/// A set of simulated hosts, one bit each. Strangers come on top of the 64 of a cluster.
pub(crate) type Set = u128;

/// The set of one host.
pub(crate) fn one(host: usize) -> Set {
    1 << host
}

/// The hosts of a set.
pub(crate) fn each(set: Set) -> impl Iterator<Item = usize> {
    let mut rest = set;
    std::iter::from_fn(move || {
        if rest == 0 {
            return None;
        }
        let host = rest.trailing_zeros() as usize;
        rest &= rest - 1;
        Some(host)
    })
}

/// The truth about hosts and links.
pub(crate) struct Calm {
    /// Hosts that run and take part: powered, not paused, started.
    pub(crate) running: Set,
    /// For each host those it shares a component with, itself among them.
    pub(crate) component: Vec<Set>,
    /// For each host whether all of its component hear each other directly.
    clique: Vec<bool>,
    /// For each host those it has links to in both directions.
    linked: Vec<Set>,
    /// For each host those whose frames reach it.
    hears: Vec<Set>,
    /// When each host last lost or regained power, links or frames in a row, in nanoseconds.
    disturbed: Vec<u64>,
    /// When a frame was last lost or held back, in nanoseconds.
    rough: u64,
    /// When the adversary last sent anything, in nanoseconds; 0: never.
    attacked: u64,
    /// When a station with another key was last there while a host heard nobody else, in nanoseconds; 0: never.
    foreign: Vec<u64>,
    /// When more was last lost or late than heartbeats can bear, in nanoseconds; 0: never.
    storm: u64,
    /// When each host last took a late frame of a dead one for a sign of life, in nanoseconds; 0: never.
    outlived: Vec<u64>,
    /// When each host last began to take part, in nanoseconds.
    began: Vec<u64>,
    /// When the last host began to which another one gave its place up before it served, in nanoseconds; 0: never.
    displaced: u64,
    hearing: Hearing,
    /// A silence longer than this may count as death, in nanoseconds.
    silence: u64,
    /// A link may end when nothing younger than this is echoed on it, in nanoseconds.
    echo_age: u64,
    n: usize,
}

impl Calm {
    /// `silence` and `echo_age`: how long a host may be unheard, and how old what it echoes may be, before its link can
    /// end, in nanoseconds.
    pub(crate) fn new(n: usize, silence: u64, echo_age: u64) -> Self {
        Calm {
            running: 0,
            component: (0..n).map(one).collect(),
            clique: vec![true; n],
            linked: (0..n).map(one).collect(),
            hears: vec![0; n],
            disturbed: vec![0; n],
            rough: 0,
            attacked: 0,
            foreign: vec![0; n],
            storm: 0,
            outlived: vec![0; n],
            began: vec![0; n],
            displaced: 0,
            hearing: Hearing::new(n),
            silence,
            echo_age,
            n,
        }
    }

    /// A frame was lost on a link that should carry it, or held back.
    pub(crate) fn rough(&mut self, now: u64) {
        self.rough = now;
    }

    /// When a frame was last lost or held back.
    pub(crate) fn rough_at(&self) -> u64 {
        self.rough
    }

    /// The adversary sends something.
    pub(crate) fn attack(&mut self, now: u64) {
        self.attacked = now;
    }

    /// A station with another key is there. Who hears nobody else takes it for a cluster whose key it lacks.
    pub(crate) fn foreign(&mut self, now: u64) {
        for host in each(self.running) {
            if self.component[host] == one(host) {
                self.foreign[host] = now;
            }
        }
    }

    /// More is lost or late than heartbeats can bear: nothing is promised about how long anything takes.
    pub(crate) fn storm(&mut self, now: u64) {
        self.storm = now;
    }

    /// A frame that was held back reaches a host after its sender has died. Nobody can tell that: the silence that tells a
    /// death begins here.
    pub(crate) fn outlived(&mut self, now: u64, host: usize) {
        self.outlived[host] = now;
    }

    /// A host gives its place up to another one, which has its id and does not serve yet. That is right only if the other
    /// one began before this host had listened, which takes `silence_ns`.
    pub(crate) fn displace(&mut self, host: usize, by: usize, silence_ns: u64) {
        if self.began[by] < self.began[host] + silence_ns {
            self.displaced = self.displaced.max(self.began[by]);
        }
    }

    /// When the last host began to which another one rightly gave its place up before either served; 0: never.
    pub(crate) fn displaced_at(&self) -> u64 {
        self.displaced
    }

    /// From when on a host's buckets, or its cluster's, have to have owners in time, as far as its peers are concerned.
    pub(crate) fn troubled_at(&self, host: usize) -> u64 {
        let held =
            each(self.component[host]).map(|other| self.foreign[other].max(self.outlived[other]));
        let held = held.max().unwrap_or(0);
        self.disturbed_at(host).max(self.storm).max(held)
    }

    /// When the adversary last sent anything; 0: never.
    pub(crate) fn attacked_at(&self) -> u64 {
        self.attacked
    }

    /// Something happened to this host that its peers, and those that hear it, cannot tell from its death.
    pub(crate) fn disturb(&mut self, now: u64, host: usize) {
        for other in 0..self.n {
            if self.component[host] & one(other) != 0 || self.hears[other] & one(host) != 0 {
                self.disturbed[other] = now;
            }
        }
        self.disturbed[host] = now;
    }

    /// When the component of the host was last disturbed.
    pub(crate) fn disturbed_at(&self, host: usize) -> u64 {
        each(self.component[host])
            .map(|other| self.disturbed[other])
            .max()
            .unwrap_or(0)
    }

    /// `to` receives a heartbeat that `from` sent at `sent_at`. A silence before it was a disturbance.
    pub(crate) fn heard(&mut self, now: u64, from: usize, to: usize, sent_at: u64) {
        // A host that takes no part hears others, and sends them nothing.
        let both_run = (one(from) | one(to)) & !self.running == 0;
        let was_quiet = self.hearing.unheard(now, from, to, self.silence)
            || both_run && self.quiet(now, from, to);
        self.hearing.hears(now, from, to, sent_at);
        if was_quiet {
            self.disturb(now, from);
            self.disturb(now, to);
        }
    }

    /// The host starts to take part: silence counts from here, and so does its own listening.
    pub(crate) fn begins(&mut self, now: u64, host: usize) {
        self.began[host] = now;
        self.hearing.begins(now, host);
    }

    /// True if the link of the two running hosts may have ended for want of heartbeats.
    pub(crate) fn silent(&self, now: u64, a: usize, b: usize) -> bool {
        self.quiet(now, a, b) || self.quiet(now, b, a)
    }

    /// True if `to` may take its link with `from` for ended: nothing heard, or nothing of its own echoed.
    fn quiet(&self, now: u64, from: usize, to: usize) -> bool {
        self.hearing.unheard(now, from, to, self.silence)
            || self.hearing.unechoed(now, from, to, self.echo_age)
    }

    /// True if `to` cannot hear `from`, has not heard it for longer than `silence_ns`, or had no chance to hear it twice in that time.
    pub(crate) fn unheard(&self, now: u64, from: usize, to: usize, silence_ns: u64) -> bool {
        let stormy = self.storm != 0 && now - self.storm <= silence_ns;
        stormy || self.hears[to] & one(from) == 0 || self.hearing.unheard(now, from, to, silence_ns)
    }

    /// Marks a disturbance at every running host that has been silent towards another of its component.
    pub(crate) fn look_for_silence(&mut self, now: u64) {
        for a in each(self.running) {
            let peers = self.component[a] & self.running & !((one(a) << 1) - 1);
            for b in each(peers) {
                if self.silent(now, a, b) {
                    self.disturb(now, a);
                    self.disturb(now, b);
                }
            }
        }
    }

    /// True if the two have a link in both directions.
    pub(crate) fn linked(&self, a: usize, b: usize) -> bool {
        self.linked[a] & one(b) != 0
    }

    /// True if all of the host's component have links in both directions.
    pub(crate) fn clique(&self, host: usize) -> bool {
        self.clique[host]
    }

    /// True if the host's component hears nobody outside of it: who hears a cluster that does not hear it must not
    /// serve beside it.
    pub(crate) fn apart(&self, host: usize) -> bool {
        let component = self.component[host];
        each(component).all(|member| self.hears[member] & !component == 0)
    }

    /// True if all running hosts are in one component, each linked to each.
    pub(crate) fn whole(&self) -> bool {
        let Some(first) = each(self.running).next() else {
            return false;
        };
        self.component[first] == self.running && self.clique[first]
    }

    /// Works out links and components anew after a change of links or of who runs. A link between two hosts that
    /// run before and after disturbs both when it comes or goes; a host that starts or leaves disturbs nobody.
    pub(crate) fn survey(&mut self, now: u64, network: &Network, running: Set) {
        let stay = self.running & running;
        self.running = running;
        for host in 0..self.n {
            let mut linked = one(host);
            let heard_before = std::mem::take(&mut self.hears[host]);
            if running & one(host) != 0 {
                for other in
                    each(running & !one(host)).filter(|other| network.connected(*other, host))
                {
                    self.hears[host] |= one(other);
                    if network.connected(host, other) {
                        linked |= one(other);
                    }
                }
            }
            let changed = (linked ^ self.linked[host]) | (heard_before ^ self.hears[host]);
            if stay & one(host) != 0 && changed & stay != 0 {
                self.disturbed[host] = now;
            }
            self.linked[host] = linked;
        }
        self.components();
    }

    fn components(&mut self) {
        let mut done: Set = 0;
        for host in 0..self.n {
            if done & one(host) != 0 {
                continue;
            }
            let mut component = one(host);
            let mut front = component;
            while front != 0 {
                let reached = each(front).fold(0, |set, member| set | self.linked[member]);
                front = reached & !component;
                component |= reached;
            }
            done |= component;
            let clique = each(component).all(|member| self.linked[member] == component);
            for member in each(component) {
                self.component[member] = component;
                self.clique[member] = clique;
            }
        }
    }
}
