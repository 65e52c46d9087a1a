// SPDX-License-Identifier: GPL-2.0-only

//! Who owns which bucket: Webster quotas, and as few moves as they allow.
//!
//! Quotas are those of Webster's (Sainte-Laguë's) divisor method, in integers. A divisor method is coherent: when a
//! host leaves, no other loses a bucket, and when one joins, none but it gains one; so moving only what is above
//! a quota, to where something is below, moves nothing between two hosts that both stay.

use super::config::SlotKind;
use super::host::{HostId, HostSet};
use super::limits::HOSTS_MAX;

/// A number for each host.
type Table = [u16; HOSTS_MAX];

/// What the assignment of one slot starts from, apart from its previous map.
pub trait Weights {
    /// Hosts that may own buckets at all.
    fn eligible(&self) -> HostSet;
    /// Load weight or handling priority of a host in this slot.
    fn weight(&self, host: HostId) -> u8;
}

/// What an assignment changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Buckets that have another owner than before.
    pub buckets: u32,
    /// Hosts that owned one of them before.
    pub losers: HostSet,
}

impl Moved {
    fn count(&mut self, owner: u8) {
        self.buckets = self.buckets.saturating_add(1);
        if let Some(host) = HostId::new(owner) {
            self.losers.insert(host);
        }
    }
}

/// Turns the previous map of a slot into the next one. `map` has an owner for each bucket, 0 for nobody. The
/// result depends on nothing but the arguments.
#[inline(never)]
pub fn assign<W: Weights>(map: &mut [u8], kind: SlotKind, weights: &W) -> Moved {
    match kind {
        SlotKind::Weighted => assign_weighted(map, weights),
        SlotKind::Single => assign_single(map, weights),
    }
}

fn assign_single<W: Weights>(map: &mut [u8], weights: &W) -> Moved {
    let owner = best_priority(weights).map_or(0, HostId::get);
    let mut moved = Moved::default();
    for bucket in map.iter_mut().filter(|bucket| **bucket != owner) {
        moved.count(*bucket);
        *bucket = owner;
    }
    moved
}

/// The eligible host of best handling priority; the lowest host id of several.
fn best_priority<W: Weights>(weights: &W) -> Option<HostId> {
    weights
        .eligible()
        .iter()
        .filter(|host| weights.weight(*host) > 0)
        .min_by_key(|host| weights.weight(*host))
}

fn assign_weighted<W: Weights>(map: &mut [u8], weights: &W) -> Moved {
    let quota = quotas(map.len(), weights);
    let mut owned = [0u16; HOSTS_MAX];
    for bucket in map.iter() {
        bump(&mut owned, *bucket);
    }
    let mut takers = Takers {
        quota: &quota,
        owned: &mut owned,
        next: 0,
    };
    let mut moved = Moved::default();
    for bucket in map.iter_mut() {
        if takers.keeps(*bucket) {
            continue;
        }
        let owner = takers.next();
        if owner != *bucket {
            takers.drop_one(*bucket);
            moved.count(*bucket);
            *bucket = owner;
        }
    }
    moved
}

/// Hosts with room below their quota, lowest id first.
struct Takers<'a> {
    quota: &'a Table,
    owned: &'a mut Table,
    next: usize,
}

impl Takers<'_> {
    /// Whether the owner of a bucket may keep it: it exists and is not above its quota.
    fn keeps(&self, owner: u8) -> bool {
        let Some(host) = HostId::new(owner) else {
            return false;
        };
        let (owned, quota) = (at(self.owned, host), at(self.quota, host));
        owned <= quota
    }

    /// The host that takes the next bucket: the first below its quota; 0 if nobody may own any.
    fn next(&mut self) -> u8 {
        while let Some(host) = HostId::from_index(self.next) {
            if at(self.owned, host) < at(self.quota, host) {
                bump(self.owned, host.get());
                return host.get();
            }
            self.next = self.next.saturating_add(1);
        }
        0
    }

    fn drop_one(&mut self, owner: u8) {
        if let Some(count) = HostId::new(owner).and_then(|host| self.owned.get_mut(host.index())) {
            *count = count.saturating_sub(1);
        }
    }
}

fn at(table: &Table, host: HostId) -> u16 {
    table.get(host.index()).copied().unwrap_or(0)
}

fn bump(table: &mut Table, owner: u8) {
    if let Some(count) = HostId::new(owner).and_then(|host| table.get_mut(host.index())) {
        *count = count.saturating_add(1);
    }
}

/// Webster quotas of `buckets` buckets: all zero if no eligible host has a weight.
///
/// Rounding each share to the nearest number of buckets is right but for at most half a bucket for each host; the
/// rest is given to, or taken from, those whom Webster's order names next. O(hosts²) and not O(hosts × buckets).
#[inline(never)]
fn quotas<W: Weights>(buckets: usize, weights: &W) -> Table {
    let mut quota = [0u16; HOSTS_MAX];
    let eligible = weights.eligible();
    let total = eligible.iter().fold(0u64, |sum, host| {
        sum.saturating_add(u64::from(weights.weight(host)))
    });
    if total == 0 {
        return quota;
    }
    let buckets = buckets as u64;
    let mut given = 0u64;
    for host in eligible.iter() {
        let exact = u64::from(weights.weight(host)).saturating_mul(buckets);
        let rounded = rounded_share(exact, total);
        given = given.saturating_add(rounded);
        if let Some(place) = quota.get_mut(host.index()) {
            *place = rounded as u16;
        }
    }
    while given < buckets {
        let Some(host) = next_to_gain(&quota, weights) else {
            break;
        };
        bump(&mut quota, host.get());
        given = given.saturating_add(1);
    }
    while given > buckets {
        let Some(host) = next_to_lose(&quota, weights) else {
            break;
        };
        if let Some(place) = quota.get_mut(host.index()) {
            *place = place.saturating_sub(1);
        }
        given = given.saturating_sub(1);
    }
    quota
}

/// `exact / total`, rounded to the nearest whole number, halves up.
fn rounded_share(exact: u64, total: u64) -> u64 {
    exact
        .saturating_mul(2)
        .saturating_add(total)
        .checked_div(total.saturating_mul(2))
        .unwrap_or(0)
}

/// Webster's order: `a` gets its next bucket before `b` does, that is, w_a / (2 q_a + 1) > w_b / (2 q_b + 1), and
/// of equals the lower host id. `q` is the odd number below the fraction.
fn comes_first(
    (weight_a, odd_a, a): (u8, u32, HostId),
    (weight_b, odd_b, b): (u8, u32, HostId),
) -> bool {
    let left = u64::from(weight_a).saturating_mul(u64::from(odd_b));
    let right = u64::from(weight_b).saturating_mul(u64::from(odd_a));
    left > right || (left == right && a < b)
}

/// The host to which Webster's order gives the next bucket.
fn next_to_gain<W: Weights>(quota: &Table, weights: &W) -> Option<HostId> {
    let rank = |host| {
        (
            weights.weight(host),
            u32::from(at(quota, host))
                .saturating_mul(2)
                .saturating_add(1),
            host,
        )
    };
    let hosts = weights
        .eligible()
        .iter()
        .filter(|host| weights.weight(*host) > 0);
    hosts.reduce(|best, host| {
        if comes_first(rank(host), rank(best)) {
            host
        } else {
            best
        }
    })
}

/// The host to which Webster's order gave the last bucket.
fn next_to_lose<W: Weights>(quota: &Table, weights: &W) -> Option<HostId> {
    let rank = |host| {
        (
            weights.weight(host),
            u32::from(at(quota, host))
                .saturating_mul(2)
                .saturating_sub(1),
            host,
        )
    };
    let hosts = weights
        .eligible()
        .iter()
        .filter(|host| at(quota, *host) > 0);
    hosts.reduce(|last, host| {
        if comes_first(rank(host), rank(last)) {
            last
        } else {
            host
        }
    })
}
