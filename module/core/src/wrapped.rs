// SPDX-License-Identifier: GPL-2.0-only

//! A frame of the protocol inside an IP packet, for segments that pass IP and withhold the EtherType: Neutron's port security,
//! filters of libvirt and other hypervisors.
//!
//! The packet is one that a client could send, to a VIP in a frame to the virtual MAC: where that does not pass, no client is
//! served either. It comes from the host's own address, as filters against spoofing want it. After the IP header (protocol
//! 254, RFC 3692: for experiments) come seven bytes of a mark, one of flags, and the frame.
//!
//! The frame is as authentic as any. The flags are not: a station that forges them brings hosts to send each frame twice for a
//! while.

use super::packet::{V4_HEADER, V6_HEADER};
use super::peer_packet::{fill, header_v4, header_v6, payload};
use core::net::{Ipv4Addr, Ipv6Addr};

/// IP protocol of a wrapped frame.
pub const PROTO_WRAPPED: u8 = 254;

const MARK: [u8; 7] = *b"nlbwrap";

/// The sender does not hear every host without a wrapping.
const NEEDED: u8 = 1;

/// Bytes between the IP header and the frame.
pub const WRAP_LEN: usize = MARK.len() + 1;

/// Bytes before a frame in an IPv4 packet.
pub const HEAD_V4: usize = V4_HEADER + WRAP_LEN;

/// Bytes before a frame in an IPv6 packet.
pub const HEAD_V6: usize = V6_HEADER + WRAP_LEN;

/// What is before a frame of `len` bytes in an IPv4 packet; `None` if it is too long for one.
#[must_use]
pub fn head_v4(own: Ipv4Addr, vip: Ipv4Addr, len: usize, needed: bool) -> Option<[u8; HEAD_V4]> {
    let total = u16::try_from(HEAD_V4.checked_add(len)?).ok()?;
    let header = header_v4(PROTO_WRAPPED, own, vip, total);
    let mut bytes = [0; HEAD_V4];
    fill(&mut bytes, &[&header, &MARK, &[u8::from(needed)]]);
    Some(bytes)
}

/// The same in an IPv6 packet.
#[must_use]
pub fn head_v6(own: Ipv6Addr, vip: Ipv6Addr, len: usize, needed: bool) -> Option<[u8; HEAD_V6]> {
    let payload = u16::try_from(WRAP_LEN.checked_add(len)?).ok()?;
    let header = header_v6(PROTO_WRAPPED, own, vip, payload);
    let mut bytes = [0; HEAD_V6];
    fill(&mut bytes, &[&header, &MARK, &[u8::from(needed)]]);
    Some(bytes)
}

/// Where a wrapped frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrapped {
    /// Bytes before it, from the IP header on.
    pub at: usize,
    /// The sender needs answers to be wrapped.
    pub needed: bool,
}

/// Finds the frame in a packet to a VIP; `None` if there is none. `l3` are its first bytes, as many as there are in one piece.
#[must_use]
pub fn wrapped(l3: &[u8]) -> Option<Wrapped> {
    let (header, rest) = payload(l3, PROTO_WRAPPED)?;
    let (mark, flags) = rest.first_chunk::<WRAP_LEN>()?.split_at(MARK.len());
    (mark == MARK).then_some(Wrapped {
        at: header.saturating_add(WRAP_LEN),
        needed: flags.first()? & NEEDED != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: &[u8] = b"nb and more";

    #[test]
    fn what_is_wrapped_is_found() {
        let (own, vip) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 10));
        let head = head_v4(own, vip, FRAME.len(), true).unwrap();
        assert_eq!(
            head,
            [
                0x45, 0, 0, 39, 0, 0, 0x40, 0, 255, 254, 0xf6, 0xcc, 192, 0, 2, 1, 192, 0, 2, 10,
                b'n', b'l', b'b', b'w', b'r', b'a', b'p', 1
            ]
        );
        let packet = [&head[..], FRAME].concat();
        let found = wrapped(&packet).unwrap();
        assert_eq!((&packet[found.at..], found.needed), (FRAME, true));

        let (own, vip) = ("fe80::1".parse().unwrap(), "2001:db8::10".parse().unwrap());
        let packet = [&head_v6(own, vip, FRAME.len(), false).unwrap()[..], FRAME].concat();
        assert_eq!(packet[4..8], [0, 19, 254, 255]);
        let found = wrapped(&packet).unwrap();
        assert_eq!((&packet[found.at..], found.needed), (FRAME, false));
    }

    #[test]
    fn other_packets_are_left_alone() {
        let (own, vip) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 10));
        let head = head_v4(own, vip, FRAME.len(), true).unwrap();
        for (at, value) in [
            (0, 0x46),
            (0, 0),
            (8, 254),
            (9, 253),
            (20, b'x'),
            (26, b'x'),
        ] {
            let mut other = head;
            other[at] = value;
            assert_eq!(wrapped(&other), None, "byte {at}");
        }
        for len in 0..head.len() {
            assert_eq!(wrapped(&head[..len]), None, "{len} bytes");
        }
        assert_eq!(head_v4(own, vip, 65_535, true), None);
    }

    #[test]
    fn fuzz_wrapped() {
        let own = Ipv4Addr::new(192, 0, 2, 1);
        let head = head_v4(own, own, 4, true).unwrap();
        nlb_fuzz::Fuzz::new("wrapped")
            .seeds([&head[..]])
            .run(|l3| match wrapped(l3) {
                Some(found) => {
                    assert!(found.at <= l3.len());
                    nlb_fuzz::outcome((found.at, found.needed))
                }
                None => 0,
            });
    }
}
