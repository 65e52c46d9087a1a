// SPDX-License-Identifier: GPL-2.0-only

//! What the tests of the packet half share: storage, ownership words in arrays, and frames made by hand.

pub mod table;

use nlb_core::decide::Buckets;
use nlb_core::filter::{
    storage_len, Filter, FilterError, PlaceV4, PlaceV6, Responder, RuleEntry, Settings, Storage,
    RULE_ENTRIES, VIP_SLOTS,
};
use nlb_core::genl::{Echo, Mode};
use nlb_core::packet::{Meta, Target, ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use nlb_core::rules::Rule;
use std::net::IpAddr;

/// The seed of the tests' clusters.
pub const SEED: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// A filter's storage on the heap.
#[derive(Clone, Debug)]
pub struct Heap {
    vips_v4: Box<[PlaceV4; VIP_SLOTS]>,
    vips_v6: Box<[PlaceV6; VIP_SLOTS]>,
    rules: Box<[RuleEntry; RULE_ENTRIES]>,
    index: Vec<u16>,
}

impl Heap {
    pub fn for_settings(settings: &Settings<'_>) -> Heap {
        let len = storage_len(settings);
        Heap {
            vips_v4: Box::new([PlaceV4::EMPTY; VIP_SLOTS]),
            vips_v6: Box::new([PlaceV6::EMPTY; VIP_SLOTS]),
            rules: Box::new([RuleEntry::EMPTY; RULE_ENTRIES]),
            index: vec![0; len.index],
        }
    }
}

impl Storage for Heap {
    fn vips_v4(&self) -> &[PlaceV4; VIP_SLOTS] {
        &self.vips_v4
    }
    fn vips_v6(&self) -> &[PlaceV6; VIP_SLOTS] {
        &self.vips_v6
    }
    fn rules(&self) -> &[RuleEntry; RULE_ENTRIES] {
        &self.rules
    }
    fn index(&self) -> &[u16] {
        &self.index
    }
    fn vips_v4_mut(&mut self) -> &mut [PlaceV4; VIP_SLOTS] {
        &mut self.vips_v4
    }
    fn vips_v6_mut(&mut self) -> &mut [PlaceV6; VIP_SLOTS] {
        &mut self.vips_v6
    }
    fn rules_mut(&mut self) -> &mut [RuleEntry; RULE_ENTRIES] {
        &mut self.rules
    }
    fn index_mut(&mut self) -> &mut [u16] {
        &mut self.index
    }
}

/// Slot of the default host's map in the tests.
pub const DEFAULT_SLOT: u16 = 64;

/// Settings with the tests' usual values.
pub fn settings<'a>(vips: &'a [IpAddr], rules: &'a [Rule]) -> Settings<'a> {
    Settings {
        vips,
        guarded: &[],
        rules,
        seed: &SEED,
        mode: Mode::Multicast,
        virtual_mac: None,
        default_slot: DEFAULT_SLOT,
        spread_slot: DEFAULT_SLOT,
        echo: Echo::DefaultHost,
        responder: Responder::DefaultHost,
    }
}

pub fn try_build(settings: &Settings<'_>) -> Result<Filter<Heap>, FilterError> {
    Filter::build(settings, Heap::for_settings(settings))
}

pub fn build(settings: &Settings<'_>) -> Filter<Heap> {
    try_build(settings).expect("settings of a test are valid")
}

/// Ownership words: the same for all slots, unless a slot is singled out.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    pub mine: u64,
    pub moved: u64,
    pub others: u64,
    pub default_host: bool,
}

impl Words {
    pub const ALL: Words = Words {
        mine: u64::MAX,
        moved: 0,
        others: 0,
        default_host: true,
    };
    pub const NONE: Words = Words {
        mine: 0,
        moved: 0,
        others: 0,
        default_host: false,
    };
}

impl Buckets for Words {
    fn mine(&self, slot: u16, _word: u16) -> u64 {
        match (slot, self.default_host) {
            (DEFAULT_SLOT, true) => u64::MAX,
            (DEFAULT_SLOT, false) => 0,
            _ => self.mine,
        }
    }
    fn moved(&self, _slot: u16, _word: u16) -> u64 {
        self.moved
    }
    fn others(&self, _slot: u16, _word: u16) -> u64 {
        self.others
    }
    fn is_default_host(&self) -> bool {
        self.default_host
    }
}

/// Facts of a frame to the virtual MAC whose buffer ends with the packet.
pub fn meta(l3: &[u8]) -> Meta {
    let ipv6 = l3.first().is_some_and(|first| first >> 4 == 6);
    Meta {
        ethertype: if ipv6 { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 },
        vlan: false,
        dst_is_virtual_mac: true,
        target: Target::Multicast,
        merged: false,
        len: u32::try_from(l3.len()).expect("a frame is short"),
    }
}

/// An IPv4 packet without options.
pub fn ipv4(src: [u8; 4], dst: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let total = u16::try_from(20 + payload.len()).expect("a packet is short");
    let mut packet = vec![0x45, 0];
    packet.extend(total.to_be_bytes());
    packet.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
    packet.extend(src);
    packet.extend(dst);
    packet.extend(payload);
    packet
}

/// A TCP header without options or data.
pub fn tcp(src: u16, dst: u16, flags: u8) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(src.to_be_bytes());
    header.extend(dst.to_be_bytes());
    header.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    header
}

/// A UDP datagram.
pub fn udp(src: u16, dst: u16, data: &[u8]) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(src.to_be_bytes());
    header.extend(dst.to_be_bytes());
    header.extend(
        u16::try_from(8 + data.len())
            .expect("a datagram is short")
            .to_be_bytes(),
    );
    header.extend([0, 0]);
    header.extend(data);
    header
}
