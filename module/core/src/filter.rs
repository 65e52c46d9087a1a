// SPDX-License-Identifier: GPL-2.0-only

//! The compiled configuration that the packet path reads: VIPs and rules in tables of constant lookup time.
//!
//! All tables live in storage of the caller ([`Storage`]); [`storage_len`] tells how much of it. A filter is
//! built once, in process context, and never changed; a new configuration is a new filter.
//!
//! * VIPs: one open table for each family, addressed by a multiplicative hash whose multiplier is searched for
//!   at build time until no two VIPs collide. One probe, one comparison, whatever the number of VIPs; a free
//!   place holds an address that is never looked up there, so that nothing has to say that it is free.
//! * Ports: for each VIP and transport a table of 256 page numbers (high byte of the port), each page a table
//!   of 256 rule numbers (low byte). Equal pages and equal tables are shared.
//!
//! Entry 0 of the rules stands for "no rule": its bucket map has one owner, the default host.

use super::compile;
pub use super::digest::{digest_together, rules_digest, settings_digest};
pub use super::genl::Responder;
use super::genl::{Echo, Mode};
use super::limits::{SEED_LEN, VIPS_MAX};
use super::mac::Mac;
use super::reason::Reason;
use super::rules::{Rule, RuleError};
use super::siphash::SipKey;
use core::fmt;
use core::net::IpAddr;

/// Entries of the open VIP table of a family: eight times [`VIPS_MAX`], so that a multiplier without a
/// collision is found within some fifty tries even for 64 VIPs.
pub const VIP_SLOTS: usize = 512;

/// Bits that a VIP's hash is shifted by to index a table of [`VIP_SLOTS`] entries.
pub(super) const VIP_SHIFT_V4: u32 = 32 - 9;
/// The same for the 64-bit hash of an IPv6 address.
pub(super) const VIP_SHIFT_V6: u32 = 64 - 9;

/// Entries of the table of rules: as many as a byte can tell apart, so that the packet path finds one without asking
/// whether it is there.
pub const RULE_ENTRIES: usize = 256;

/// Entries of a port table and of a page: one for each value of a byte.
pub(super) const PAGE: usize = 256;

/// Multipliers that are tried before the VIPs are refused. Each try fails with a chance of at most 98.5 %.
pub(super) const TRIES: u32 = 1 << 14;

/// The number that stands for no rule, in verdicts.
pub const NO_RULE: u8 = u8::MAX;

/// A VIP of the filter: the pages of the index at which its port tables begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VipEntry {
    /// Of TCP, and of UDP in the upper half: read at once, before it is known which.
    tables: u32,
}

impl VipEntry {
    const EMPTY: VipEntry = VipEntry { tables: 0 };

    /// Of an address that is guarded and not served. No index has a table of these numbers, so that the packet path
    /// finds no rule for it and takes the closer look that every odd packet takes.
    pub(super) const GUARDED: VipEntry = VipEntry { tables: u32::MAX };

    /// Whether the address is guarded and not served.
    #[inline]
    pub(super) fn is_guarded(&self) -> bool {
        *self == VipEntry::GUARDED
    }

    /// With these port tables.
    pub(super) fn new(tcp: u16, udp: u16) -> VipEntry {
        VipEntry {
            tables: u32::from(tcp) | (u32::from(udp) << 16),
        }
    }

    /// The port table of a transport.
    #[inline(always)]
    pub(super) fn table(&self, transport: Transport) -> u16 {
        match transport {
            Transport::Tcp => self.tables as u16,
            Transport::Udp => (self.tables >> 16) as u16,
        }
    }
}

/// A place of the table of IPv4 VIPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceV4 {
    /// The bytes of the address read in native order.
    pub(super) address: u32,
    pub(super) vip: VipEntry,
}

impl PlaceV4 {
    /// A place before it is filled.
    pub const EMPTY: PlaceV4 = PlaceV4 {
        address: 0,
        vip: VipEntry::EMPTY,
    };
}

/// A place of the table of IPv6 VIPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceV6 {
    /// The bytes of the address read as two words in native order.
    pub(super) address: [u64; 2],
    pub(super) vip: VipEntry,
}

impl PlaceV6 {
    /// A place before it is filled.
    pub const EMPTY: PlaceV6 = PlaceV6 {
        address: [0; 2],
        vip: VipEntry::EMPTY,
    };
}

/// A rule of the filter, as the packet path wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleEntry {
    /// Bits of an IPv4 client that decide: its address and, from bit 32 on, its port (all or none), each read
    /// little-endian.
    pub(super) mask_v4: u64,
    /// Bits of the client's IPv6 address that decide, as two words read little-endian.
    pub(super) mask_v6: [u64; 2],
    /// Slot of the bucket map, or [`NO_SLOT`]: everything that the rule covers is dropped.
    pub(super) slot: u16,
    /// Counter of the packets that are served because their bucket is owned, see [`Reason::counter`].
    pub(super) accepted: u16,
    /// Counter of those that are dropped because it is not, or because the rule is disabled.
    pub(super) dropped: u16,
    /// Number of the rule in verdicts, or [`NO_RULE`].
    pub(super) number: u8,
    /// UDP sessions are tracked.
    pub(super) track: bool,
}

/// The slot of rules that are disabled. No bucket map has it, so that the packet path need not ask.
pub const NO_SLOT: u16 = u16::MAX;

// Entries are found by a shift.
const _: () = assert!(core::mem::size_of::<RuleEntry>() == 32);

impl RuleEntry {
    /// The rule, or [`NO_RULE`].
    #[must_use]
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Number of the counter of packets that the owner of their bucket serves, see [`Reason::counter`].
    #[inline(always)]
    #[must_use]
    pub fn accepted(&self) -> u16 {
        self.accepted
    }

    /// The same of packets that are not served.
    #[inline(always)]
    #[must_use]
    pub fn dropped(&self) -> u16 {
        self.dropped
    }

    /// Reason of serving a packet because its bucket is owned.
    #[must_use]
    pub fn reason_accepted(&self) -> Reason {
        Reason::of_counter(self.accepted)
    }

    /// Reason of dropping a packet because its bucket is not owned, or because the rule is disabled.
    #[must_use]
    pub fn reason_dropped(&self) -> Reason {
        Reason::of_counter(self.dropped)
    }

    /// Whether everything that the rule covers is dropped.
    #[inline]
    pub(super) fn is_disabled(&self) -> bool {
        self.slot == NO_SLOT
    }

    /// Slot of the bucket map, or [`NO_SLOT`].
    #[inline(always)]
    pub(super) fn slot(&self) -> u16 {
        self.slot
    }

    /// Bits of the client's port that decide: all or none.
    #[inline(always)]
    pub(super) fn mask_port(&self) -> u16 {
        (self.mask_v4 >> 32) as u16
    }

    /// The same rule on another slot, for other reasons.
    pub(super) const fn with(self, slot: u16, accepted: Reason, dropped: Reason) -> RuleEntry {
        RuleEntry {
            slot,
            accepted: accepted.counter(self.number),
            dropped: dropped.counter(self.number),
            ..self
        }
    }

    /// The entry for traffic that no rule covers: by client address, on the default slot.
    pub const EMPTY: RuleEntry = RuleEntry {
        mask_v4: u32::MAX as u64,
        mask_v6: [u64::MAX; 2],
        slot: 0,
        accepted: 0,
        dropped: 0,
        number: NO_RULE,
        track: false,
    }
    .with(
        0,
        Reason::AcceptedDefaultHost,
        Reason::DroppedNotDefaultHost,
    );
}

/// Where a filter keeps its tables. The lengths are those of [`storage_len`], or more.
pub trait Storage {
    /// The IPv4 VIPs.
    fn vips_v4(&self) -> &[PlaceV4; VIP_SLOTS];
    /// The IPv6 VIPs.
    fn vips_v6(&self) -> &[PlaceV6; VIP_SLOTS];
    /// The rules.
    fn rules(&self) -> &[RuleEntry; RULE_ENTRIES];
    /// Port tables and pages.
    fn index(&self) -> &[u16];
    /// The IPv4 VIPs, to be filled.
    fn vips_v4_mut(&mut self) -> &mut [PlaceV4; VIP_SLOTS];
    /// The IPv6 VIPs, to be filled.
    fn vips_v6_mut(&mut self) -> &mut [PlaceV6; VIP_SLOTS];
    /// The rules, to be filled.
    fn rules_mut(&mut self) -> &mut [RuleEntry; RULE_ENTRIES];
    /// The tables, to be filled.
    fn index_mut(&mut self) -> &mut [u16];
}

/// Elements of each part of a [`Storage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageLen {
    /// Elements of [`Storage::index`].
    pub index: usize,
}

/// What a filter is made of.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// The VIPs; the first is the primary. 1 to [`VIPS_MAX`].
    pub vips: &'a [IpAddr],
    /// Addresses that nobody serves now, and that no host may answer for: VIPs of staged settings, which hosts have before
    /// they are in force, and those that were VIPs, which hosts may have still. None is in `vips`; with these
    /// [`VIPS_MAX`] at most.
    pub guarded: &'a [IpAddr],
    /// The rules; the place in the list is number and slot.
    pub rules: &'a [Rule],
    /// The hash seed.
    pub seed: &'a [u8; SEED_LEN],
    /// The cluster mode.
    pub mode: Mode,
    /// The virtual MAC, where it is not the one that mode and primary VIP lead to.
    pub virtual_mac: Option<Mac>,
    /// Slot of the bucket map for traffic that no rule covers. All its buckets belong to the default host.
    pub default_slot: u16,
    /// Slot of the bucket map for traffic without ports that is spread by client address (unknown protocols,
    /// echo requests by hash). [`Settings::default_slot`] if there is no such map.
    pub spread_slot: u16,
    /// Echo requests.
    pub echo: Echo,
    /// Who answers ARP and ND.
    pub responder: Responder,
}

/// Why a filter cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterError {
    /// No VIP.
    NoVip,
    /// More than [`VIPS_MAX`] VIPs.
    TooManyVips,
    /// The same VIP twice; the place of the second.
    DuplicateVip(usize),
    /// An address that cannot be a VIP (unspecified, loopback, multicast, broadcast, link-local); its place.
    BadVip(usize),
    /// A fault in the rules.
    Rule(RuleError),
    /// The virtual MAC given is not of the kind of the cluster mode.
    VirtualMac,
    /// The storage is shorter than [`storage_len`] says.
    Storage,
    /// No multiplier keeps the VIPs apart. Not to be expected for any real set.
    VipHash,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            FilterError::NoVip => write!(f, "a cluster needs a VIP"),
            FilterError::TooManyVips => write!(f, "more than {VIPS_MAX} VIPs"),
            FilterError::DuplicateVip(vip) => write!(f, "VIP {vip} is given twice"),
            FilterError::BadVip(vip) => write!(
                f,
                "VIP {vip} is not a unicast address that clients can reach"
            ),
            FilterError::Rule(error) => error.fmt(f),
            FilterError::VirtualMac => {
                write!(f, "the virtual MAC is not of the kind of the cluster mode")
            }
            FilterError::Storage => write!(f, "storage of the filter is too short"),
            FilterError::VipHash => write!(f, "the VIPs cannot be told apart by the lookup table"),
        }
    }
}

impl From<RuleError> for FilterError {
    fn from(error: RuleError) -> FilterError {
        FilterError::Rule(error)
    }
}

/// The compiled configuration.
#[derive(Clone, Debug)]
pub struct Filter<S> {
    pub(super) storage: S,
    pub(super) key: SipKey,
    pub(super) multipliers: Multipliers,
    pub(super) has_v6: bool,
    pub(super) mac_v4: Mac,
    pub(super) mac_v6: Mac,
    /// The two once more, as [`mac_word`] has them.
    pub(super) mac_words: [u64; 2],
    pub(super) echo: Echo,
    pub(super) responder: Responder,
    /// The entry for traffic without ports that is spread by client address.
    pub(super) spread: RuleEntry,
}

/// What the VIPs are multiplied by to index their tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Multipliers {
    pub(super) v4: u32,
    pub(super) v6: [u64; 2],
}

impl Multipliers {
    /// Place of an IPv4 address, read in native order, in its table.
    #[inline(always)]
    pub(super) fn place_v4(&self, address: u32) -> usize {
        (address.wrapping_mul(self.v4) >> VIP_SHIFT_V4) as usize
    }

    /// Place of an IPv6 address, read as two words in native order, in its table.
    #[inline(always)]
    pub(super) fn place_v6(&self, [first, second]: [u64; 2]) -> usize {
        let [by_first, by_second] = self.v6;
        let sum = first
            .wrapping_mul(by_first)
            .wrapping_add(second.wrapping_mul(by_second));
        (sum >> VIP_SHIFT_V6) as usize
    }
}

/// Which of a VIP's port tables a packet is looked up in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// TCP, and what is keyed like it.
    Tcp,
    /// UDP, and what is keyed like it.
    Udp,
}

impl<S: Storage> Filter<S> {
    /// Checks the settings and builds the filter in `storage`, for process context: two milliseconds
    /// for 64 rules, 40 for a rule of its own for each of 64 VIPs.
    ///
    /// # Errors
    ///
    /// [`FilterError`] names the first fault.
    pub fn build(settings: &Settings<'_>, storage: S) -> Result<Filter<S>, FilterError> {
        compile::build(settings, storage)
    }

    /// The storage, to be used again for another filter.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// The key of the hash, to be overwritten when the filter is not used any more: it is made of the seed, a secret.
    pub fn key_mut(&mut self) -> &mut SipKey {
        &mut self.key
    }

    /// The virtual MAC that IPv4 VIPs resolve to.
    #[must_use]
    pub fn mac_v4(&self) -> Mac {
        self.mac_v4
    }

    /// The virtual MAC that IPv6 VIPs resolve to: another one in IGMP multicast mode, where it is an MLD-joined
    /// group; the same otherwise.
    #[must_use]
    pub fn mac_v6(&self) -> Mac {
        self.mac_v6
    }

    /// The virtual MAC that a VIP of this family resolves to.
    #[must_use]
    pub fn mac_of(&self, vip: IpAddr) -> Mac {
        match vip {
            IpAddr::V4(_) => self.mac_v4,
            IpAddr::V6(_) => self.mac_v6,
        }
    }

    /// Whether there are IPv6 VIPs.
    #[inline(always)]
    #[must_use]
    pub fn has_v6(&self) -> bool {
        self.has_v6
    }

    /// Whether a destination MAC is a virtual MAC of this cluster.
    #[inline]
    #[must_use]
    pub fn is_virtual_mac(&self, mac: &Mac) -> bool {
        *mac == self.mac_v4 || *mac == self.mac_v6
    }

    /// Whether a frame goes to the virtual MAC of IPv4 VIPs; `head` are its first bytes.
    #[inline(always)]
    #[must_use]
    pub fn is_to_mac_v4(&self, head: [u8; 8]) -> bool {
        let [mac, _] = self.mac_words;
        mac_word(head) == mac
    }

    /// Whether a frame goes to the virtual MAC of IPv6 VIPs; `head` are its first bytes.
    #[inline(always)]
    #[must_use]
    pub fn is_to_mac_v6(&self, head: [u8; 8]) -> bool {
        let [_, mac] = self.mac_words;
        mac_word(head) == mac
    }

    /// Whether an address is a VIP of this cluster, or guarded like one.
    #[must_use]
    pub fn is_vip(&self, address: IpAddr) -> bool {
        self.vip(address).is_some()
    }

    /// Whether an address is guarded like a VIP, and not served.
    #[inline(never)]
    #[must_use]
    pub fn is_guarded(&self, address: IpAddr) -> bool {
        self.vip(address).is_some_and(VipEntry::is_guarded)
    }

    /// The VIP with this address.
    fn vip(&self, address: IpAddr) -> Option<&VipEntry> {
        match address {
            IpAddr::V4(address) => self.vip_v4(u32::from_ne_bytes(address.octets())),
            IpAddr::V6(address) => self.vip_v6(words_ne(&address.octets())),
        }
    }

    /// The VIP with this address, its bytes read in native order.
    #[inline(always)]
    pub(super) fn vip_v4(&self, address: u32) -> Option<&VipEntry> {
        let place = self
            .storage
            .vips_v4()
            .get(self.multipliers.place_v4(address))?;
        (place.address == address).then_some(&place.vip)
    }

    /// The VIP with this address, its bytes read as two words in native order.
    #[inline(always)]
    pub(super) fn vip_v6(&self, address: [u64; 2]) -> Option<&VipEntry> {
        let place = self
            .storage
            .vips_v6()
            .get(self.multipliers.place_v6(address))?;
        (place.address == address).then_some(&place.vip)
    }

    /// The rule for a port, given as its two bytes in network order, in a port table of a VIP; the entry for no rule if
    /// none covers it. There is always an entry, but the packet path does not panic if tables are broken.
    #[inline(always)]
    pub(super) fn rule(&self, table: u16, port: [u8; 2]) -> Option<&RuleEntry> {
        let [high, low] = port;
        let index = self.storage.index();
        let page = *index.get((usize::from(table) << 8) | usize::from(high))?;
        let number = *index.get((usize::from(page) << 8) | usize::from(low))?;
        self.storage.rules().get(usize::from(number as u8))
    }

    /// The entry for traffic that no rule covers.
    pub(super) fn uncovered(&self) -> &RuleEntry {
        let [first, ..] = self.storage.rules();
        first
    }
}

/// Elements that each part of a [`Storage`] needs for these settings.
///
/// The figure for the index is an upper bound: pages that turn out equal are shared.
#[must_use]
pub fn storage_len(settings: &Settings<'_>) -> StorageLen {
    compile::storage_len(settings)
}

/// The first six of eight bytes as a word, for frames to be compared with a MAC at once.
#[inline(always)]
pub(super) fn mac_word(head: [u8; 8]) -> u64 {
    u64::from_le_bytes(head) << 16
}

/// The sixteen bytes of an IPv6 address as two words in native order.
#[inline(always)]
pub(super) fn words_ne(bytes: &[u8; 16]) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *bytes;
    [
        u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
        u64::from_ne_bytes([i, j, k, l, m, n, o, p]),
    ]
}

/// The sixteen bytes of an IPv6 address as two words read little-endian.
#[inline(always)]
pub(super) fn words_le(bytes: &[u8; 16]) -> [u64; 2] {
    let [first, second] = words_ne(bytes);
    [u64::from_le(first), u64::from_le(second)]
}
