// SPDX-License-Identifier: GPL-2.0-only

//! One owner, no orphan, and how long a bucket is without an owner.

use std::collections::BTreeMap;

use super::calm::{Calm, Set, each, one};
use super::{Property, Violation};

/// A bucket has an owner.
const OWNED: u64 = u64::MAX;

/// The time limits of a run, in nanoseconds of virtual time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// (tolerance + 2) periods: after this a dead host's buckets have new owners.
    pub(crate) detection: u64,
    /// (tolerance + 5) periods: after this hosts that started together serve.
    pub(crate) cold: u64,
    /// How long replayed frames may keep a host that is in no view from serving, as `Config::hold_ns`.
    pub(crate) held: u64,
    /// How long two owners are excused after a disturbance, of one of them or of who leads them: as long as it may take to notice it.
    pub(crate) doubled: u64,
    /// How long after a disturbance anything may be its consequence: until it is noticed on both sides and the parts
    /// have found together again.
    pub(crate) excuse: u64,
    /// Longest gap in a planned change when no frame is lost: four one-way delays.
    pub(crate) gap: u64,
    /// Longest gap in a planned change when frames are lost or held back.
    pub(crate) gap_rough: u64,
    /// A silence longer than this may count as death: (tolerance - 1) periods.
    pub(crate) silence: u64,
}

/// Who accepts new connections of which bucket, at every moment.
pub(crate) struct Owners {
    slots: usize,
    buckets: usize,
    /// For each slot and bucket the hosts that accept.
    owners: Vec<Set>,
    /// For each slot and bucket since when nobody accepts, or `OWNED`.
    empty_since: Vec<u64>,
    /// For each slot and bucket who accepted last, before nobody did.
    last: Vec<Set>,
    /// For each slot the hosts that may own something; if there are none, nobody has to.
    eligible: Vec<Set>,
    /// Since when each slot has had somebody eligible.
    eligible_since: Vec<u64>,
    /// When frames that prove nothing last kept all from beginning, in nanoseconds; 0: never.
    held_at: u64,
    /// When a host was last given other weights or rules, in nanoseconds; 0: never.
    restarted_at: u64,
    /// When a host was last given less to do, or nothing, in nanoseconds; 0: never.
    unloaded_at: u64,
    /// Buckets that changed since the last check.
    changed: Vec<u32>,
    /// Buckets with more than one owner that are excused for now.
    doubled: Vec<u32>,
    /// For a part of a partition (its lowest host) and a slot: since when a look found a bucket without an owner there.
    orphaned: BTreeMap<(usize, usize), u64>,
    /// For each host those that it has no way to talk to, and that may go on beside it: see `World::note_view`.
    beside: Vec<Set>,
    /// Rules that give slots another meaning come into force: a bucket may be let go of and come back.
    pub(crate) rules_in_flux: bool,
    /// Longest gaps seen, in nanoseconds: planned and smooth, planned and rough.
    pub(crate) gap_max: [u64; 2],
    /// Longest time from a disturbance to the last bucket having an owner, in nanoseconds.
    pub(crate) failover_max: u64,
    /// Longest time after a disturbance at which two hosts that hear each other owned a bucket, in nanoseconds.
    pub(crate) doubled_max: u64,
}

impl Owners {
    pub(crate) fn new(slots: usize, buckets: usize, hosts: usize) -> Self {
        Owners {
            slots,
            buckets,
            owners: vec![0; slots * buckets],
            empty_since: vec![0; slots * buckets],
            last: vec![0; slots * buckets],
            eligible: vec![0; slots],
            eligible_since: vec![0; slots],
            held_at: 0,
            restarted_at: 0,
            unloaded_at: 0,
            changed: Vec::new(),
            doubled: Vec::new(),
            orphaned: BTreeMap::new(),
            beside: vec![0; hosts],
            rules_in_flux: false,
            gap_max: [0; 2],
            failover_max: 0,
            doubled_max: 0,
        }
    }

    /// Enters 64 buckets of a host: `before` are the bits it had, `after` those it has.
    pub(crate) fn enter(&mut self, host: usize, slot: usize, word: usize, before: u64, after: u64) {
        let mut flips = before ^ after;
        while flips != 0 {
            let bit = flips.trailing_zeros() as usize;
            flips &= flips - 1;
            let index = slot * self.buckets + word * 64 + bit;
            if word * 64 + bit >= self.buckets {
                continue;
            }
            if self.owners[index] == one(host) {
                self.last[index] = one(host);
            }
            self.owners[index] ^= one(host);
            self.changed.push(index as u32);
        }
    }

    /// Says who may own something of a slot from now on.
    pub(crate) fn set_eligible(&mut self, now: u64, slot: usize, eligible: Set) {
        if self.eligible[slot] == 0 && eligible != 0 {
            self.begin_slot_from_cold(now, slot);
        }
        self.eligible[slot] = eligible;
    }

    /// A host was given other weights or rules: a change that is being prepared is made anew with them.
    pub(crate) fn restarts(&mut self, now: u64) {
        self.restarted_at = now;
    }

    /// A host was told to leave, to drain, or to take another share.
    pub(crate) fn unloads(&mut self, now: u64) {
        self.unloaded_at = now;
    }

    /// Some host without a view says that frames that prove nothing keep it from beginning: if nobody serves, nobody
    /// has to, for as long as such frames may hold a host.
    pub(crate) fn someone_is_held(&mut self, now: u64, calm: &Calm, limits: &Limits) {
        if is_held(now, calm, limits) && self.owners.iter().all(|owners| *owners == 0) {
            self.held_at = now;
        }
    }

    /// Those who may own something know nothing of who owned it before.
    pub(crate) fn begin_from_cold(&mut self, now: u64) {
        for slot in 0..self.eligible.len() {
            self.begin_slot_from_cold(now, slot);
        }
    }

    fn begin_slot_from_cold(&mut self, now: u64, slot: usize) {
        self.eligible_since[slot] = now;
        let begin = slot * self.buckets;
        for since in &mut self.empty_since[begin..begin + self.buckets] {
            if *since != OWNED {
                *since = now;
            }
        }
    }

    /// Whether anybody may own something of a slot.
    pub(crate) fn somebody_eligible(&self, slot: usize) -> bool {
        self.eligible[slot] != 0
    }

    /// The hosts that accept new connections of a bucket.
    pub(crate) fn of(&self, slot: usize, bucket: usize) -> Set {
        self.owners[slot * self.buckets + bucket]
    }

    /// The hosts that may go on beside one.
    pub(crate) fn beside(&self, host: usize) -> Set {
        self.beside[host]
    }

    /// Says which hosts may go on beside one from now on.
    pub(crate) fn set_beside(&mut self, host: usize, beside: Set) {
        for (other, set) in self.beside.iter_mut().enumerate() {
            *set &= !one(host);
            if beside & one(other) != 0 {
                *set |= one(host);
            }
        }
        self.beside[host] = beside;
    }

    /// Looks at every bucket that changed in this step.
    pub(crate) fn step(&mut self, now: u64, calm: &Calm, limits: &Limits) -> Result<(), Violation> {
        let mut changed = std::mem::take(&mut self.changed);
        for &index in &changed {
            let index = index as usize;
            let owners = self.owners[index];
            if owners.count_ones() > 1 {
                self.two_owners(now, index, calm, limits)?;
                if !self.doubled.contains(&(index as u32)) && self.doubled.len() < DOUBLED_MAX {
                    self.doubled.push(index as u32);
                }
            }
            let since = self.empty_since[index];
            if owners == 0 {
                if since == OWNED {
                    self.empty_since[index] = now;
                }
            } else if since != OWNED {
                self.gap(now, index, since, calm, limits)?;
                self.empty_since[index] = OWNED;
            }
        }
        changed.clear();
        self.changed = changed;
        Ok(())
    }

    /// Looks at everything that lasts: buckets with two owners, and buckets with none.
    pub(crate) fn tick(&mut self, now: u64, calm: &Calm, limits: &Limits) -> Result<(), Violation> {
        let doubled = std::mem::take(&mut self.doubled);
        for index in doubled {
            if self.owners[index as usize].count_ones() > 1 {
                self.two_owners(now, index as usize, calm, limits)?;
                self.doubled.push(index);
            }
        }
        for first in (0..self.empty_since.len()).step_by(64) {
            let last = self.empty_since.len().min(first + 64);
            // Nearly always all have one.
            if self.empty_since[first..last]
                .iter()
                .fold(OWNED, |all, since| all & since)
                == OWNED
            {
                continue;
            }
            for index in first..last {
                let since = self.empty_since[index];
                if since != OWNED && since != now {
                    self.gap(now, index, since, calm, limits)?;
                }
            }
        }
        self.orphans_of_parts(now, calm, limits)
    }

    /// Two hosts accept new connections of one bucket: right only while neither can know of the other.
    fn two_owners(
        &mut self,
        now: u64,
        index: usize,
        calm: &Calm,
        limits: &Limits,
    ) -> Result<(), Violation> {
        let owners = self.owners[index];
        for a in each(owners) {
            for b in each(owners & !((one(a) << 1) - 1)) {
                if !calm.linked(a, b) || !calm.clique(a) || calm.silent(now, a, b) {
                    continue;
                }
                if self.beside[a] & one(b) != 0 {
                    continue;
                }
                let disturbed = calm.disturbed_at(a);
                if now <= disturbed + limits.doubled {
                    self.doubled_max = self.doubled_max.max(now - disturbed);
                    continue;
                }
                return Err(Violation {
                    property: Property::OneOwner,
                    at: now,
                    text: format!(
                        "hosts #{a} and #{b} both own bucket {} of slot {}, undisturbed for {:.3} ms",
                        index % self.buckets,
                        index / self.buckets,
                        (now - disturbed) as f64 / 1e6
                    ),
                });
            }
        }
        Ok(())
    }

    /// A bucket has been without an owner since `since`, until now at least.
    fn gap(
        &mut self,
        now: u64,
        index: usize,
        since: u64,
        calm: &Calm,
        limits: &Limits,
    ) -> Result<(), Violation> {
        let slot = index / self.buckets;
        // Parts of a partition each have to serve; `orphans_of_parts` looks at them.
        if self.eligible[slot] & calm.running == 0 || !calm.whole() {
            return Ok(());
        }
        if calm.running.count_ones() == 1 && is_held(now, calm, limits) {
            self.held_at = now;
        }
        if self.held_at == now {
            return Ok(());
        }
        let host = calm.running.trailing_zeros() as usize;
        let length = now - since;
        // Whoever comes to hosts that were held begins with them.
        let disturbed = calm.troubled_at(host).max(self.held_at);
        if since <= self.eligible_since[slot] {
            // From cold: hosts listen first. Of two with one id the one that stays listens too, and may have
            // started last.
            let begin = self.eligible_since[slot].max(calm.displaced_at());
            let late = now - begin.max(disturbed.min(now));
            if late > limits.cold {
                return Err(self.orphan(now, index, since, disturbed, Property::NoOrphan));
            }
            return Ok(());
        }
        let rough = calm.rough_at() + limits.excuse >= since;
        if disturbed + limits.excuse >= since {
            // Not planned: from the last disturbance on the bucket has an owner within the detection time.
            let mut begin = disturbed.max(since);
            if rough {
                // Where frames come late, commands that follow each other make the change anew again and again.
                begin = begin.max(self.restarted_at);
            }
            let late = now.saturating_sub(begin);
            self.failover_max = self.failover_max.max(late);
            if late > limits.detection {
                return Err(self.orphan(now, index, since, disturbed, Property::NoOrphan));
            }
            return Ok(());
        }
        let back = self.owners[index] == self.last[index];
        self.gap_max[usize::from(rough)] = self.gap_max[usize::from(rough)].max(length);
        let limit = if rough { limits.gap_rough } else { limits.gap };
        if length > limit {
            return Err(self.orphan(now, index, since, disturbed, Property::Gap));
        }
        // Whoever was to have it may have been told that it shall not: meanwhile, or so lately that the leader did not
        // know of it when it asked for the release.
        let revoked = self.unloaded_at + limits.gap / 2 > since;
        if back && !rough && !self.rules_in_flux && !revoked {
            // Nobody needed it to be let go of: it went back to the host that had it.
            return Err(self.orphan(now, index, since, disturbed, Property::Continues));
        }
        Ok(())
    }

    /// In a partition every part serves everything, once it has had the time to notice.
    fn orphans_of_parts(
        &mut self,
        now: u64,
        calm: &Calm,
        limits: &Limits,
    ) -> Result<(), Violation> {
        if calm.whole() {
            self.orphaned.clear();
            return Ok(());
        }
        let mut done: Set = 0;
        for host in each(calm.running) {
            let part = calm.component[host];
            if done & one(host) != 0 {
                continue;
            }
            done |= part;
            for slot in 0..self.slots {
                self.orphan_of_part(now, host, slot, calm, limits)?;
            }
        }
        Ok(())
    }

    /// Looks at one slot in the part of `host`, which is its lowest.
    fn orphan_of_part(
        &mut self,
        now: u64,
        host: usize,
        slot: usize,
        calm: &Calm,
        limits: &Limits,
    ) -> Result<(), Violation> {
        let part = calm.component[host];
        let settled = calm.clique(host)
            && !is_held(now, calm, limits)
            && calm.apart(host)
            && now >= calm.troubled_at(host) + limits.excuse
            && self.eligible[slot] & part != 0
            && now >= self.eligible_since[slot] + limits.excuse;
        let begin = slot * self.buckets;
        let mut buckets = begin..begin + self.buckets;
        let orphan = || buckets.find(|&index| self.owners[index] & part == 0);
        let Some(index) = settled.then(orphan).flatten() else {
            self.orphaned.remove(&(host, slot));
            return Ok(());
        };
        let since = *self.orphaned.entry((host, slot)).or_insert(now);
        if now - since > limits.detection {
            return Err(self.orphan(
                now,
                index,
                since,
                calm.disturbed_at(host),
                Property::NoOrphan,
            ));
        }
        Ok(())
    }

    fn orphan(
        &self,
        now: u64,
        index: usize,
        since: u64,
        disturbed: u64,
        property: Property,
    ) -> Violation {
        Violation {
            property,
            at: now,
            text: format!(
                "bucket {} of slot {} has had no owner for {:.3} ms; last disturbance {:.3} ms ago",
                index % self.buckets,
                index / self.buckets,
                (now - since) as f64 / 1e6,
                (now - disturbed) as f64 / 1e6
            ),
        }
    }
}

/// Whether frames that prove nothing may hold a host that hears nobody else and is in no view, which they do for a
/// bounded time: replayed ones of a host that serves, since it may hear one way only, and those of another key, since its
/// own may be the wrong one.
fn is_held(now: u64, calm: &Calm, limits: &Limits) -> bool {
    calm.attacked_at() != 0 && now < calm.attacked_at() + limits.held
}

/// Doubled buckets that are followed at a time; one would do to find a violation.
const DOUBLED_MAX: usize = 64;
