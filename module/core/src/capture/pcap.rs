// SPDX-License-Identifier: GPL-2.0-only

//! Captures of an Ethernet interface, and the ways in which frames travel on it.

extern crate std;

use std::format;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::vec;
use std::vec::Vec;

use super::super::limits::ETHERTYPE;
use super::super::wrapped::{head_v4, head_v6};
use super::row::Row;

/// A capture of an Ethernet interface, as tcpdump writes it.
pub(super) struct Capture(pub(super) Vec<u8>);

impl Capture {
    pub(super) fn new() -> Self {
        let mut bytes = vec![];
        for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 0xffff, 1] {
            bytes.extend(word.to_le_bytes());
        }
        Capture(bytes)
    }

    /// Adds a frame of which the capture has `kept` bytes.
    pub(super) fn add_cut(&mut self, ethertype: u16, part: &[u8], kept: u32) {
        let at = self.0.len();
        self.add(ethertype, &[part]);
        self.0.truncate(at + 16 + kept as usize);
        self.0[at + 8..at + 12].copy_from_slice(&kept.to_le_bytes());
    }

    pub(super) fn add(&mut self, ethertype: u16, parts: &[&[u8]]) {
        let to = [0x03, 0xbf, 192, 0, 2, 10];
        let from = [0x52, 0x54, 0, 0, 0, 1];
        let mut frame = [&to[..], &from, &ethertype.to_be_bytes()].concat();
        parts.iter().for_each(|part| frame.extend(*part));
        let len = u32::try_from(frame.len()).unwrap();
        for word in [0, 0, len, len] {
            self.0.extend(word.to_le_bytes());
        }
        self.0.extend(frame);
    }
}

pub(super) const V4: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 10)];
pub(super) const V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10),
];

/// Puts a frame into a capture in one of the ways that frames travel.
pub(super) fn carry(capture: &mut Capture, row: &mut Row, way: usize, frame: &[u8]) {
    let flags = |row: &mut Row, needed: bool| {
        row.text("nlb.wrap.flags", format!("0x{:02x}", u8::from(needed)));
        row.flag("nlb.wrap.needed", needed);
    };
    match way {
        1 => {
            let head = head_v4(V4[0], V4[1], frame.len(), true).unwrap();
            flags(row, true);
            capture.add(0x0800, &[&head, frame]);
        }
        2 => {
            let head = head_v6(V6[0], V6[1], frame.len(), false).unwrap();
            flags(row, false);
            capture.add(0x86dd, &[&head, frame]);
        }
        3 => capture.add(0x0800, &[&datagram(frame), frame]),
        // In a VLAN, and with the padding of a short frame.
        4 => {
            let inner = ETHERTYPE.to_be_bytes();
            row.text("nlb.padding", "000000");
            capture.add(0x8100, &[&[0, 7], &inner, frame, &[0; 3]]);
        }
        _ => capture.add(ETHERTYPE, &[frame]),
    }
}

/// The IPv4 and UDP headers of a frame that a relay carries.
fn datagram(frame: &[u8]) -> Vec<u8> {
    let udp = 8 + u16::try_from(frame.len()).unwrap();
    let [total, len] = [udp + 20, udp].map(u16::to_be_bytes);
    let mut head = vec![0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, 17, 0, 0];
    head.extend(V4[0].octets());
    head.extend(V4[1].octets());
    head.extend([0x1f, 0x0a, 0x1f, 0x0a, len[0], len[1], 0, 0]);
    head
}
