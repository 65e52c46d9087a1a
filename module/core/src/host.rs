// SPDX-License-Identifier: GPL-2.0-only

//! Host ids, and sets of them.
//!
//! A set is one `u64`: bit n stands for host id n + 1, on the wire and in the netlink interface alike.

use super::limits::HOSTS_MAX;

/// The id of a host: 1 to [`HOSTS_MAX`]. The lowest is of highest priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(u8);

impl HostId {
    /// The lowest id.
    pub const FIRST: HostId = HostId(1);

    /// The host id with this number, if it is in the range 1 to [`HOSTS_MAX`].
    #[must_use]
    pub const fn new(number: u8) -> Option<HostId> {
        if number >= 1 && number as usize <= HOSTS_MAX {
            Some(HostId(number))
        } else {
            None
        }
    }

    /// The number: 1 to [`HOSTS_MAX`].
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The position of this host in a table of all hosts, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        (self.0 as usize).saturating_sub(1)
    }

    /// The host at this position of a table of all hosts, if it is one.
    #[must_use]
    pub const fn from_index(index: usize) -> Option<HostId> {
        if index < HOSTS_MAX {
            HostId::new((index as u8).saturating_add(1))
        } else {
            None
        }
    }

    /// All host ids, lowest first.
    pub fn all() -> impl Iterator<Item = HostId> {
        HostSet(u64::MAX).iter()
    }
}

/// A set of hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostSet(pub u64);

impl HostSet {
    /// No host.
    pub const EMPTY: HostSet = HostSet(0);

    /// Only this host.
    #[must_use]
    pub const fn only(host: HostId) -> HostSet {
        HostSet(1u64.wrapping_shl(host.index() as u32))
    }

    /// The `count` lowest host ids.
    #[must_use]
    pub const fn lowest_ids(count: usize) -> HostSet {
        if count >= HOSTS_MAX {
            HostSet(u64::MAX)
        } else {
            HostSet(!u64::MAX.wrapping_shl(count as u32))
        }
    }

    /// The `count` lowest hosts of this set.
    #[must_use]
    pub fn first(self, count: usize) -> HostSet {
        let mut first = HostSet::EMPTY;
        for host in self.iter() {
            if first.len() as usize >= count {
                break;
            }
            first.insert(host);
        }
        first
    }

    /// Whether `host` is in the set.
    #[must_use]
    pub const fn contains(self, host: HostId) -> bool {
        self.0 & HostSet::only(host).0 != 0
    }

    /// Adds `host`.
    pub const fn insert(&mut self, host: HostId) {
        self.0 |= HostSet::only(host).0;
    }

    /// Takes `host` away.
    pub const fn remove(&mut self, host: HostId) {
        self.0 &= !HostSet::only(host).0;
    }

    /// This set with `host` in it.
    #[must_use]
    pub const fn with(self, host: HostId) -> HostSet {
        HostSet(self.0 | HostSet::only(host).0)
    }

    /// This set without `host`.
    #[must_use]
    pub const fn without(self, host: HostId) -> HostSet {
        HostSet(self.0 & !HostSet::only(host).0)
    }

    /// Hosts of this set that are not in `other`.
    #[must_use]
    pub const fn minus(self, other: HostSet) -> HostSet {
        HostSet(self.0 & !other.0)
    }

    /// Hosts of either set.
    #[must_use]
    pub const fn union(self, other: HostSet) -> HostSet {
        HostSet(self.0 | other.0)
    }

    /// Hosts of both sets.
    #[must_use]
    pub const fn intersection(self, other: HostSet) -> HostSet {
        HostSet(self.0 & other.0)
    }

    /// How many hosts there are.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is no host.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The host of lowest id.
    #[must_use]
    pub const fn lowest(self) -> Option<HostId> {
        if self.0 == 0 {
            None
        } else {
            HostId::from_index(self.0.trailing_zeros() as usize)
        }
    }

    /// The hosts, lowest id first.
    pub fn iter(self) -> impl Iterator<Item = HostId> {
        let mut rest = self;
        core::iter::from_fn(move || {
            let host = rest.lowest()?;
            rest.remove(host);
            Some(host)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_outside_the_range_are_none() {
        assert_eq!(HostId::new(0), None);
        assert_eq!(HostId::new(65), None);
        assert_eq!(HostId::new(64).map(HostId::index), Some(63));
        assert_eq!(HostId::from_index(64), None);
        assert_eq!(HostId::all().count(), HOSTS_MAX);
    }

    #[test]
    fn a_set_yields_its_hosts_in_order() {
        let mut set = HostSet::EMPTY;
        for number in [64, 3, 17] {
            set.insert(HostId::new(number).unwrap());
        }
        let numbers: [Option<u8>; 4] = {
            let mut hosts = set.iter().map(HostId::get);
            [hosts.next(), hosts.next(), hosts.next(), hosts.next()]
        };
        assert_eq!(numbers, [Some(3), Some(17), Some(64), None]);
        assert_eq!(
            set.without(HostId::new(3).unwrap())
                .lowest()
                .map(HostId::get),
            Some(17)
        );
        assert_eq!(set.len(), 3);
        assert_eq!(set.first(2).iter().map(HostId::get).sum::<u8>(), 20);
        assert_eq!(HostSet::lowest_ids(3).0, 7);
        assert_eq!(HostSet::lowest_ids(0), HostSet::EMPTY);
        assert_eq!(HostSet::lowest_ids(64).len(), 64);
    }
}
