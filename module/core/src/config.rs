// SPDX-License-Identifier: GPL-2.0-only

//! What a node is told when it is made: who it is, and what all hosts of its cluster agree on.

use super::host::HostId;
use super::limits::{BUCKETS, HOLD_NS_MIN, HOLD_SILENCES, SLOTS_MAX};

/// How the buckets of a slot find their owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotKind {
    /// Shared in proportion to the hosts' load weights, 0 to 100.
    Weighted,
    /// All to the host of the best (lowest) handling priority, 1 to 64; 0 keeps a host out. Equal
    /// priorities: the lowest host id.
    Single,
}

/// A set of slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SlotSet([u64; SLOTS_MAX.div_ceil(64)]);

impl SlotSet {
    /// No slot.
    pub const EMPTY: SlotSet = SlotSet([0; SLOTS_MAX.div_ceil(64)]);
    /// Every slot.
    pub const ALL: SlotSet = SlotSet([u64::MAX; SLOTS_MAX.div_ceil(64)]);

    /// Adds a slot; one that cannot be is not added.
    pub fn insert(&mut self, slot: u16) {
        if let Some(word) = self.0.get_mut(usize::from(slot >> 6)) {
            *word |= 1u64.wrapping_shl(u32::from(slot & 63));
        }
    }

    /// Takes a slot away.
    pub(super) fn remove(&mut self, slot: usize) {
        if let Some(word) = self.0.get_mut(slot >> 6) {
            *word &= !1u64.wrapping_shl((slot & 63) as u32);
        }
    }

    /// Whether no slot is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Whether a slot is in the set.
    #[must_use]
    pub fn contains(&self, slot: usize) -> bool {
        let word = self.0.get(slot >> 6).copied().unwrap_or(0);
        word.wrapping_shr((slot & 63) as u32) & 1 != 0
    }
}

/// The settings that can change while the cluster serves, as far as a node has to know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// Digest of the settings that all hosts must share (mode, VIPs, hash seed, timing).
    pub settings: u64,
    /// The rhythm of the heartbeats.
    pub timing: Timing,
}

/// The rhythm of the heartbeats, the same on all hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    /// Nanoseconds between two heartbeats. Not 0.
    pub period_ns: u64,
    /// Heartbeats that may be missed before a host counts as dead. Not 0.
    pub tolerance: u32,
}

impl Timing {
    /// Nanoseconds of silence after which a host counts as dead: tolerance × period.
    #[must_use]
    pub const fn silence_ns(&self) -> u64 {
        self.period_ns.saturating_mul(self.tolerance as u64)
    }

    /// Checks the ranges.
    fn check(&self) -> Result<(), ConfigError> {
        if self.period_ns == 0 || self.tolerance == 0 {
            return Err(ConfigError::Timing);
        }
        Ok(())
    }
}

/// The bucket maps that a rule set needs: one slot for each rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    /// Digest of the rule set, and of the settings that go with it. Hosts with different digests never serve together.
    pub digest: u64,
    /// For rules that are staged: the settings that come into force with them; `None` if these stay as they are.
    pub terms: Option<Terms>,
    /// Slots in use: 1 to [`SLOTS_MAX`].
    pub slots: u16,
    /// Kind of each slot.
    pub kinds: [SlotKind; SLOTS_MAX],
    /// This host's load weight or handling priority in each slot.
    pub weights: [u8; SLOTS_MAX],
    /// For rules that are staged: slots whose packets are the same as under the rules in force, each in the
    /// same bucket ([`super::rules::kept`]). In the others every bucket counts as moved by the change.
    pub kept: SlotSet,
}

impl Rules {
    /// One weighted slot, in which this host has `weight`.
    #[must_use]
    pub const fn one(digest: u64, weight: u8) -> Rules {
        let mut rules = Rules {
            digest,
            terms: None,
            slots: 1,
            kinds: [SlotKind::Weighted; SLOTS_MAX],
            weights: [0; SLOTS_MAX],
            kept: SlotSet::EMPTY,
        };
        if let Some(first) = rules.weights.first_mut() {
            *first = weight;
        }
        rules
    }

    /// Checks the ranges.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if let Some(terms) = &self.terms {
            terms.timing.check()?;
        }
        let slots = usize::from(self.slots);
        if slots == 0 || slots > SLOTS_MAX {
            return Err(ConfigError::Slots);
        }
        let kinds = self.kinds.get(..slots).unwrap_or(&[]);
        if kinds
            .iter()
            .zip(&self.weights)
            .any(|(kind, weight)| *weight > kind.weight_max())
        {
            return Err(ConfigError::Weight);
        }
        Ok(())
    }
}

impl SlotKind {
    /// The highest load weight or handling priority.
    #[must_use]
    pub const fn weight_max(self) -> u8 {
        match self {
            SlotKind::Weighted => 100,
            SlotKind::Single => 64,
        }
    }
}

/// The dedicated IP of a host, as it is told to the others: 0 (none), 4 or 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dedicated {
    len: u8,
    bytes: [u8; 16],
}

impl Dedicated {
    /// No address.
    pub const NONE: Dedicated = Dedicated {
        len: 0,
        bytes: [0; 16],
    };

    /// An address of 4 or 16 bytes in network order; none for 0 bytes.
    #[must_use]
    pub fn new(address: &[u8]) -> Option<Dedicated> {
        if !matches!(address.len(), 0 | 4 | 16) {
            return None;
        }
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(address.iter()) {
            *to = *from;
        }
        Some(Dedicated {
            len: address.len() as u8,
            bytes,
        })
    }

    /// The address in network order: 0, 4 or 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

/// What a node is told when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Which cluster: [`cluster_id`] of its name. Frames of others are none of ours.
    pub cluster_id: u64,
    /// This host.
    pub host: HostId,
    /// Buckets of a slot: [`BUCKETS`], or fewer in a model. 1 to [`BUCKETS`].
    pub buckets: u16,
    /// The settings in force.
    pub terms: Terms,
    /// The rules in force.
    pub rules: Rules,
    /// This host's dedicated IP.
    pub dedicated: Dedicated,
    /// Lowest and highest protocol version that this node speaks: within [`super::wire::VERSIONS`].
    pub versions: (u8, u8),
}

/// Why a configuration cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// `buckets` is not in 1 to [`BUCKETS`].
    Buckets,
    /// The number of slots is not in 1 to [`SLOTS_MAX`].
    Slots,
    /// A load weight is above 100 or a handling priority above 64.
    Weight,
    /// `period_ns` is 0 or `tolerance` is 0.
    Timing,
    /// `versions` is empty or not within [`super::wire::VERSIONS`].
    Versions,
    /// The storage is smaller than [`super::store::Sizes`] says.
    Storage,
}

impl Config {
    /// Nanoseconds of silence after which a host counts as dead.
    #[must_use]
    pub const fn silence_ns(&self) -> u64 {
        self.terms.timing.silence_ns()
    }

    /// For how long frames that nobody can prove keep a host that is in no view from leading one: [`HOLD_SILENCES`] times
    /// the silence, and not less than [`HOLD_NS_MIN`].
    #[must_use]
    pub const fn hold_ns(&self) -> u64 {
        let hold = self.silence_ns().saturating_mul(HOLD_SILENCES);
        if hold < HOLD_NS_MIN {
            HOLD_NS_MIN
        } else {
            hold
        }
    }

    /// Checks the ranges.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.buckets == 0 || usize::from(self.buckets) > BUCKETS {
            return Err(ConfigError::Buckets);
        }
        self.terms.timing.check()?;
        let (low, high) = self.versions;
        let (min, max) = super::wire::VERSIONS;
        if low < min || high > max || low > high {
            return Err(ConfigError::Versions);
        }
        self.rules.check()
    }
}

/// The number of a cluster on the wire: FNV-1a over its name. It tells clusters on one segment apart; it
/// protects nothing.
#[must_use]
pub const fn cluster_id(name: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut rest = name;
    while let Some((byte, tail)) = rest.split_first() {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
        rest = tail;
    }
    hash
}
