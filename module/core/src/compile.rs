// SPDX-License-Identifier: GPL-2.0-only

//! Builds a [`Filter`]: checks the settings, and fills its tables.

use super::filter::{
    mac_word, words_ne, Filter, FilterError, Multipliers, PlaceV4, PlaceV6, RuleEntry, Settings,
    Storage, StorageLen, Transport, VipEntry, NO_RULE, NO_SLOT, PAGE, RULE_ENTRIES, TRIES,
};
use super::genl::{Affinity, Mode};
use super::limits::{RULES_MAX, VIPS_MAX};
use super::mac::{self, Mac};
use super::reason::Reason;
use super::rules::{
    self, FilteringMode, Protocols, Rule, RuleState, Track, PORT_IKE, PORT_L2TP, PORT_NAT_T,
    PORT_PPTP, PORT_QUIC,
};
use super::siphash::SipKey;
use core::net::{IpAddr, Ipv6Addr};

/// Entries for each rule: for ordinary ports, for a tunnel's ports, for QUIC's port.
const VARIANTS: usize = 3;

/// Port tables of a VIP: one for each [`Transport`].
const TRANSPORTS: usize = 2;

/// Pages of a VIP's two tables that hold a special port, and so may differ from their neighbours under one
/// rule: TCP 1723; UDP 443 and 500 (one page), 1701, 4500.
const SPECIAL_PAGES: usize = 4;

/// The ports at which a page cannot be taken for uniform, whatever the rules.
const SPECIAL_PORTS: [u16; 5] = [PORT_QUIC, PORT_IKE, PORT_L2TP, PORT_PPTP, PORT_NAT_T];

/// See [`super::filter::Filter::build`].
pub(super) fn build<S: Storage>(
    settings: &Settings<'_>,
    mut storage: S,
) -> Result<Filter<S>, FilterError> {
    check_vips(settings.vips, settings.guarded)?;
    rules::check(settings.rules, settings.vips)?;
    let (mac_v4, mac_v6) = virtual_macs(settings)?;
    let need = storage_len(settings);
    if storage.index().len() < need.index {
        return Err(FilterError::Storage);
    }
    fill_rules(settings, storage.rules_mut());
    let mut pages = Pages::new(settings.rules, table_count(settings));
    let shared = pages
        .add_tables(storage.index_mut(), None)
        .ok_or(FilterError::Storage)?;
    let multipliers = find_multipliers([settings.vips, settings.guarded], &mut storage)?;
    for &address in settings.guarded {
        put_vip(address, VipEntry::GUARDED, &multipliers, &mut storage);
    }
    for &vip in settings.vips {
        let entry = if has_own_rules(settings.rules, vip) {
            pages
                .add_tables(storage.index_mut(), Some(vip))
                .ok_or(FilterError::Storage)?
        } else {
            shared
        };
        put_vip(vip, entry, &multipliers, &mut storage);
    }
    Ok(Filter {
        storage,
        key: SipKey::new(settings.seed),
        multipliers,
        has_v6: all_of([settings.vips, settings.guarded]).any(|vip| vip.is_ipv6()),
        mac_v4,
        mac_v6,
        mac_words: [mac_v4, mac_v6].map(|[a, b, c, d, e, f]| mac_word([a, b, c, d, e, f, 0, 0])),
        echo: settings.echo,
        responder: settings.responder,
        spread: if settings.spread_slot == settings.default_slot {
            uncovered(settings)
        } else {
            RuleEntry::EMPTY.with(
                settings.spread_slot,
                Reason::AcceptedOwner,
                Reason::DroppedNotOwner,
            )
        },
    })
}

/// See [`super::filter::storage_len`].
pub(super) fn storage_len(settings: &Settings<'_>) -> StorageLen {
    let rules = settings.rules.len();
    let tables = table_count(settings);
    let mixed: usize = settings
        .rules
        .iter()
        .map(mixed_pages)
        .fold(0, usize::saturating_add);
    let special = tables.saturating_mul(SPECIAL_PAGES / TRANSPORTS);
    let pages = tables
        .saturating_add(rules)
        .saturating_add(1) // the uniform page of no rule
        .saturating_add(1) // scratch: a page is filled before it is known to exist already
        .saturating_add(mixed)
        .saturating_add(special);
    StorageLen {
        index: pages.saturating_mul(PAGE),
    }
}

/// Port tables: a pair that the VIPs without rules of their own share, and a pair for each other VIP.
fn table_count(settings: &Settings<'_>) -> usize {
    let own = settings
        .vips
        .iter()
        .filter(|&&vip| has_own_rules(settings.rules, vip))
        .fold(0usize, |own, _| own.saturating_add(1));
    own.saturating_add(1).saturating_mul(TRANSPORTS)
}

/// Whether a rule is for this VIP alone.
fn has_own_rules(rules: &[Rule], vip: IpAddr) -> bool {
    rules.iter().any(|rule| rule.vip == Some(vip))
}

/// Most pages that are not uniform because the rule begins or ends in them.
fn mixed_pages(rule: &Rule) -> usize {
    let begins = rule.first_port & 0xff != 0;
    let ends = rule.last_port & 0xff != 0xff;
    let same = begins && ends && rule.first_port >> 8 == rule.last_port >> 8;
    let edges = if same {
        1
    } else {
        usize::from(begins).saturating_add(usize::from(ends))
    };
    match rule.protocols {
        Protocols::Both => edges.saturating_mul(TRANSPORTS),
        Protocols::Tcp | Protocols::Udp => edges,
    }
}

/// The addresses of both lists.
fn all_of(lists: [&[IpAddr]; 2]) -> impl Iterator<Item = IpAddr> + '_ {
    lists.into_iter().flatten().copied()
}

/// Refuses addresses that cannot be VIPs.
fn check_vips(vips: &[IpAddr], guarded: &[IpAddr]) -> Result<(), FilterError> {
    if vips.is_empty() {
        return Err(FilterError::NoVip);
    }
    if vips.len().saturating_add(guarded.len()) > VIPS_MAX {
        return Err(FilterError::TooManyVips);
    }
    for (at, vip) in vips.iter().enumerate() {
        if !rules::can_be_vip(*vip) {
            return Err(FilterError::BadVip(at));
        }
        if vips.iter().take(at).any(|earlier| earlier == vip) {
            return Err(FilterError::DuplicateVip(at));
        }
    }
    Ok(())
}

/// The virtual MACs for IPv4 and for IPv6 VIPs.
fn virtual_macs(settings: &Settings<'_>) -> Result<(Mac, Mac), FilterError> {
    let primary = *settings.vips.first().ok_or(FilterError::NoVip)?;
    if let Some(given) = settings.virtual_mac {
        if !mac::is_of_mode(given, settings.mode) {
            return Err(FilterError::VirtualMac);
        }
    }
    if settings.mode != Mode::Igmp {
        let one = settings
            .virtual_mac
            .unwrap_or(mac::virtual_mac(settings.mode, primary));
        return Ok((one, one));
    }
    let first_v4 = settings.vips.iter().find(|vip| vip.is_ipv4()).copied();
    let first_v6 = settings.vips.iter().find(|vip| vip.is_ipv6()).copied();
    let given = |v6: bool| {
        settings
            .virtual_mac
            .filter(|given| matches!(given, [0x33, ..]) == v6)
    };
    let derived = |vip: Option<IpAddr>| mac::virtual_mac(Mode::Igmp, vip.unwrap_or(primary));
    Ok((
        given(false).unwrap_or(derived(first_v4)),
        given(true).unwrap_or(derived(first_v6)),
    ))
}

/// Fills the rule entries: the one for no rule, then for all rules those of each variant.
fn fill_rules(settings: &Settings<'_>, entries: &mut [RuleEntry; RULE_ENTRIES]) {
    const { assert!(RULES_MAX * VARIANTS < RULE_ENTRIES) };
    let none = uncovered(settings);
    let rules = (0..=RULES_MAX).zip(settings.rules);
    let plain = rules.clone().map(|(number, rule)| RuleEntry {
        track: rule.track == Track::On,
        ..rule_entry(number, rule, rule.affinity)
    });
    let tunnel = rules.clone().map(|(number, rule)| RuleEntry {
        track: true,
        ..rule_entry(number, rule, tunnel_affinity(rule.affinity))
    });
    let quic = rules.map(|(number, rule)| RuleEntry {
        track: rule.track != Track::Off,
        ..rule_entry(number, rule, rule.affinity)
    });
    let all = core::iter::once(none)
        .chain(plain)
        .chain(tunnel)
        .chain(quic);
    for (entry, value) in entries.iter_mut().zip(all) {
        *entry = value;
    }
}

/// The affinity for a tunnel's ports, so that its control goes where its data goes, which has no ports.
fn tunnel_affinity(affinity: Affinity) -> Affinity {
    match affinity {
        Affinity::None => Affinity::Single,
        other => other,
    }
}

fn rule_entry(number: usize, rule: &Rule, affinity: Affinity) -> RuleEntry {
    let (bits_v4, bits_v6) = match affinity {
        Affinity::None | Affinity::Single => (32, 128),
        Affinity::Network => (rule.prefix_v4, rule.prefix_v6),
    };
    let number = u8::try_from(number).unwrap_or(NO_RULE);
    let mask_port = if affinity == Affinity::None {
        u16::MAX
    } else {
        0
    };
    let (slot, dropped) =
        if rule.mode == FilteringMode::Disabled || rule.state == RuleState::Disabled {
            (NO_SLOT, Reason::DroppedDisabled)
        } else {
            (u16::from(number), Reason::DroppedNotOwner)
        };
    RuleEntry {
        mask_v4: u64::from(mask_v4(bits_v4)) | (u64::from(mask_port) << 32),
        mask_v6: mask_v6(bits_v6),
        number,
        ..RuleEntry::EMPTY
    }
    .with(slot, Reason::AcceptedOwner, dropped)
}

/// The entry for what no rule covers.
fn uncovered(settings: &Settings<'_>) -> RuleEntry {
    RuleEntry::EMPTY.with(
        settings.default_slot,
        Reason::AcceptedDefaultHost,
        Reason::DroppedNotDefaultHost,
    )
}

/// The mask of a prefix, as the address' bytes read little-endian.
fn mask_v4(bits: u8) -> u32 {
    let mask = u32::MAX
        .checked_shl(32u32.saturating_sub(u32::from(bits)))
        .unwrap_or(0);
    u32::from_le_bytes(mask.to_be_bytes())
}

/// The mask of a prefix, as two words of the address' bytes read little-endian.
fn mask_v6(bits: u8) -> [u64; 2] {
    let mask = u128::MAX
        .checked_shl(128u32.saturating_sub(u32::from(bits)))
        .unwrap_or(0);
    super::filter::words_le(&Ipv6Addr::from(mask).octets())
}

/// Searches for multipliers that keep the VIPs apart, and clears the two VIP tables.
fn find_multipliers<S: Storage>(
    vips: [&[IpAddr]; 2],
    storage: &mut S,
) -> Result<Multipliers, FilterError> {
    let mut random = SplitMix(0);
    let mut multipliers = Multipliers { v4: 0, v6: [0; 2] };
    for v6 in [false, true] {
        let mut tries = 0u32;
        loop {
            multipliers = match v6 {
                false => Multipliers {
                    v4: (random.next() >> 32) as u32 | 1,
                    ..multipliers
                },
                true => Multipliers {
                    v6: [random.next() | 1, random.next() | 1],
                    ..multipliers
                },
            };
            let apart = match v6 {
                false => place_v4(vips, &multipliers, storage.vips_v4_mut()),
                true => place_v6(vips, &multipliers, storage.vips_v6_mut()),
            };
            if apart {
                break;
            }
            tries = tries.wrapping_add(1);
            if tries == TRIES {
                return Err(FilterError::VipHash);
            }
        }
    }
    Ok(multipliers)
}

/// Puts the IPv4 VIPs into their table, without their port tables; false if two of them collide.
///
/// A free place holds an address that is looked up elsewhere. The unspecified address is looked up in place 0, so all
/// others hold that; it is no VIP.
fn place_v4(vips: [&[IpAddr]; 2], multipliers: &Multipliers, table: &mut [PlaceV4]) -> bool {
    table.fill(PlaceV4::EMPTY);
    for vip in all_of(vips) {
        let IpAddr::V4(address) = vip else {
            continue;
        };
        let address = u32::from_ne_bytes(address.octets());
        match table.get_mut(multipliers.place_v4(address)) {
            Some(place) if place.address == 0 => place.address = address,
            _ => return false,
        }
    }
    let elsewhere = (1..=u32::MAX).find(|&address| multipliers.place_v4(address) != 0);
    match (table.first_mut(), elsewhere) {
        (Some(first), Some(address)) if first.address == 0 => first.address = address,
        (Some(_), Some(_)) => {}
        _ => return false,
    }
    true
}

/// The same for IPv6.
fn place_v6(vips: [&[IpAddr]; 2], multipliers: &Multipliers, table: &mut [PlaceV6]) -> bool {
    table.fill(PlaceV6::EMPTY);
    for vip in all_of(vips) {
        let IpAddr::V6(address) = vip else {
            continue;
        };
        let address = words_ne(&address.octets());
        match table.get_mut(multipliers.place_v6(address)) {
            Some(place) if place.address == [0; 2] => place.address = address,
            _ => return false,
        }
    }
    let elsewhere = (1..=u64::MAX)
        .map(|word| [word, 0])
        .find(|&address| multipliers.place_v6(address) != 0);
    match (table.first_mut(), elsewhere) {
        (Some(first), Some(address)) if first.address == [0; 2] => first.address = address,
        (Some(_), Some(_)) => {}
        _ => return false,
    }
    true
}

/// Tells the place of a VIP where its port tables are.
fn put_vip<S: Storage>(vip: IpAddr, entry: VipEntry, multipliers: &Multipliers, storage: &mut S) {
    let place = match vip {
        IpAddr::V4(address) => {
            let at = multipliers.place_v4(u32::from_ne_bytes(address.octets()));
            let place = storage.vips_v4_mut().get_mut(at);
            place.map(|place| &mut place.vip)
        }
        IpAddr::V6(address) => {
            let at = multipliers.place_v6(words_ne(&address.octets()));
            let place = storage.vips_v6_mut().get_mut(at);
            place.map(|place| &mut place.vip)
        }
    };
    if let Some(place) = place {
        *place = entry;
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): multipliers that look random and are the same in every build.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Fills port tables and pages: the tables first, so that no page is ever compared with an unfinished table.
struct Pages<'a> {
    rules: &'a [Rule],
    next_table: usize,
    first_page: usize,
    next_page: usize,
}

impl<'a> Pages<'a> {
    fn new(rules: &'a [Rule], tables: usize) -> Pages<'a> {
        Pages {
            rules,
            next_table: 0,
            first_page: tables,
            next_page: tables,
        }
    }

    /// Adds the two tables of a VIP (or of all VIPs without rules of their own): where they begin.
    fn add_tables(&mut self, index: &mut [u16], vip: Option<IpAddr>) -> Option<VipEntry> {
        let tcp = self.add_table(index, vip, Transport::Tcp)?;
        let udp = self.add_table(index, vip, Transport::Udp)?;
        Some(VipEntry::new(tcp, udp))
    }

    fn add_table(
        &mut self,
        index: &mut [u16],
        vip: Option<IpAddr>,
        transport: Transport,
    ) -> Option<u16> {
        let number = self.next_table;
        let table = number.checked_mul(PAGE)?;
        self.next_table = number.checked_add(1)?;
        for high in 0..=u8::MAX {
            let page = self.add_page(index, vip, transport, high)?;
            *index.get_mut(table.checked_add(usize::from(high))?)? = u16::try_from(page).ok()?;
        }
        u16::try_from(number).ok()
    }

    /// Fills the next free page and keeps it, unless one with the same content exists: its number.
    fn add_page(
        &mut self,
        index: &mut [u16],
        vip: Option<IpAddr>,
        transport: Transport,
        high: u8,
    ) -> Option<usize> {
        let start = self.next_page.checked_mul(PAGE)?;
        let (before, after) = index.split_at_mut_checked(start)?;
        let page = after.get_mut(..PAGE)?;
        self.fill_page(page, vip, transport, high);
        let pages = before.chunks_exact(PAGE).enumerate().skip(self.first_page);
        for (number, other) in pages.rev() {
            if other == page {
                return Some(number);
            }
        }
        let number = self.next_page;
        self.next_page = number.checked_add(1)?;
        Some(number)
    }

    fn fill_page(&self, page: &mut [u16], vip: Option<IpAddr>, transport: Transport, high: u8) {
        let first = u16::from_be_bytes([high, 0]);
        let last = u16::from_be_bytes([high, 0xff]);
        let inside = |port: u16| first < port && port <= last;
        let mixed = SPECIAL_PORTS
            .iter()
            .any(|&port| port >> 8 == u16::from(high))
            || self.rules.iter().any(|rule| {
                inside(rule.first_port) || (first <= rule.last_port && rule.last_port < last)
            });
        if mixed {
            for (cell, low) in page.iter_mut().zip(0..=u8::MAX) {
                *cell = self.entry(vip, transport, u16::from_be_bytes([high, low]));
            }
        } else {
            page.fill(self.entry(vip, transport, first));
        }
    }

    /// Number of the rule entry for a port.
    fn entry(&self, vip: Option<IpAddr>, transport: Transport, port: u16) -> u16 {
        let protocols = match transport {
            Transport::Tcp => Protocols::Tcp,
            Transport::Udp => Protocols::Udp,
        };
        let tunnel = rules::is_tunnel_port(protocols, port);
        let port = match transport {
            Transport::Udp if tunnel => PORT_IKE,
            _ => port,
        };
        let covers = |rule: &Rule| {
            (rule.vip.is_none() || rule.vip == vip)
                && rule.protocols.overlaps(protocols)
                && rule.has_port(port)
        };
        let Some(number) = self.rules.iter().position(covers) else {
            return 0;
        };
        let variant: usize = match transport {
            _ if tunnel => 1,
            Transport::Udp if port == PORT_QUIC => 2,
            _ => 0,
        };
        let skip = self.rules.len().saturating_mul(variant);
        u16::try_from(number.saturating_add(skip).saturating_add(1)).unwrap_or(0)
    }
}
