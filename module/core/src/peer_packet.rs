// SPDX-License-Identifier: GPL-2.0-only

//! The IP headers of packets that hosts of a cluster send each other to a VIP: probes ([`super::delivery`]) and frames of the
//! protocol ([`super::wrapped`]).
//!
//! Their hop limit is 255, and no other is taken: a router would have lowered it, so the sender is on the segment (RFC 5082).

use super::packet::{V4_HEADER, V6_HEADER};
use core::net::{Ipv4Addr, Ipv6Addr};

/// The hop limit of a packet that no router has passed on.
const HOP_LIMIT: u8 = 255;

/// The header of an IPv4 packet of `total` bytes.
pub(super) fn header_v4(protocol: u8, own: Ipv4Addr, vip: Ipv4Addr, total: u16) -> [u8; V4_HEADER] {
    let [high, low] = total.to_be_bytes();
    let head = [0x45, 0, high, low, 0, 0, 0x40, 0, HOP_LIMIT, protocol];
    let sum = checksum(&head, own, vip).to_be_bytes();
    let mut bytes = [0; V4_HEADER];
    fill(&mut bytes, &[&head, &sum, &own.octets(), &vip.octets()]);
    bytes
}

/// The header of an IPv6 packet with so many bytes of payload.
pub(super) fn header_v6(
    protocol: u8,
    own: Ipv6Addr,
    vip: Ipv6Addr,
    payload: u16,
) -> [u8; V6_HEADER] {
    let [high, low] = payload.to_be_bytes();
    let head = [0x60, 0, 0, 0, high, low, protocol, HOP_LIMIT];
    let mut bytes = [0; V6_HEADER];
    fill(&mut bytes, &[&head, &own.octets(), &vip.octets()]);
    bytes
}

/// Writes parts one after the other.
pub(super) fn fill(bytes: &mut [u8], parts: &[&[u8]]) {
    let values = parts.iter().flat_map(|part| part.iter());
    for (byte, value) in bytes.iter_mut().zip(values) {
        *byte = *value;
    }
}

/// How long the header is of a packet of this protocol that no router has passed on, and what follows it; `None` for any
/// other. `l3` are its first bytes.
pub(super) fn payload(l3: &[u8], protocol: u8) -> Option<(usize, &[u8])> {
    let (found, hops, header) = match l3.first()? {
        0x45 => (l3.get(9)?, l3.get(8)?, V4_HEADER),
        byte if byte >> 4 == 6 => (l3.get(6)?, l3.get(7)?, V6_HEADER),
        _ => return None,
    };
    let payload = l3.get(header..)?;
    (*found == protocol && *hops == HOP_LIMIT).then_some((header, payload))
}

/// The checksum of an IPv4 header whose other bytes are these (RFC 791).
fn checksum(head: &[u8; 10], source: Ipv4Addr, destination: Ipv4Addr) -> u16 {
    let word = |pair: &[u8]| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        _ => 0,
    };
    let halves =
        |address: Ipv4Addr| (address.to_bits() >> 16).saturating_add(address.to_bits() & 0xffff);
    let mut sum = head
        .chunks(2)
        .map(word)
        .fold(0, u32::saturating_add)
        .saturating_add(halves(source))
        .saturating_add(halves(destination));
    while sum > 0xffff {
        sum = (sum & 0xffff).saturating_add(sum >> 16);
    }
    !(sum as u16)
}
