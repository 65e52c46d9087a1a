// SPDX-License-Identifier: GPL-2.0-only

//! The virtual MAC: what a VIP resolves to, derived from the primary VIP and the cluster mode.
//!
//! | mode | IPv4 primary w.x.y.z | IPv6 primary |
//! |---|---|---|
//! | unicast | 02-bf-w-x-y-z | 02-bf and 32 bits of a digest |
//! | multicast | 03-bf-w-x-y-z | 03-bf and 32 bits of a digest |
//! | IGMP multicast | 01-00-5e-7f-y-z | 33-33 and 32 bits of a digest (an MLD-joined group) |
//!
//! The IPv4 forms are those of Windows. For IPv6 Windows uses a digest that is not published; ours is the upper
//! 32 bits of SipHash-1-3 over the 16 bytes of the address, with the public key [`DIGEST_KEY`].

use super::genl::Mode;
use super::siphash::SipKey;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A MAC address.
pub type Mac = [u8; 6];

/// Key of the digest that stands for an IPv6 primary VIP. It is public: the virtual MAC is no secret.
pub const DIGEST_KEY: [u8; 16] = *b"nlb virtual MAC.";

/// The virtual MAC of a cluster whose primary VIP is `vip`.
#[must_use]
pub fn virtual_mac(mode: Mode, vip: IpAddr) -> Mac {
    let [w, x, y, z] = match vip {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(address) => digest(address),
    };
    match (mode, vip) {
        (Mode::Unicast, _) => [0x02, 0xbf, w, x, y, z],
        (Mode::Multicast, _) => [0x03, 0xbf, w, x, y, z],
        (Mode::Igmp, IpAddr::V4(_)) => [0x01, 0x00, 0x5e, 0x7f, y, z],
        (Mode::Igmp, IpAddr::V6(_)) => [0x33, 0x33, w, x, y, z],
    }
}

/// The group that the hosts of an IGMP multicast cluster join so that switches with snooping send them the
/// frames of the virtual MAC: 239.255.y.z for IPv4 (as Windows), ff12::digest (transient, link-local scope) for IPv6.
///
/// The IPv6 group lies in the range of RFC 3307 section 4.3 for groups made by hosts (top bit of the last 32
/// set), so the digest's top bit is forced there and in the MAC alike.
#[must_use]
pub fn igmp_group(vip: IpAddr) -> IpAddr {
    match vip {
        IpAddr::V4(address) => {
            let [_, _, y, z] = address.octets();
            IpAddr::V4(Ipv4Addr::new(239, 255, y, z))
        }
        IpAddr::V6(address) => {
            let [w, x, y, z] = digest(address);
            let high = u16::from_be_bytes([w, x]);
            let low = u16::from_be_bytes([y, z]);
            IpAddr::V6(Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, high, low))
        }
    }
}

/// The group whose frames have this MAC, as hosts of an IGMP multicast cluster join it: for a MAC that was set by
/// hand too. `None` if it is no MAC of an IP multicast.
///
/// Thirty-two IPv4 groups share a MAC; of these it is the one in 239.128.0.0/9, which is administratively scoped
/// (RFC 2365), as the default one in 239.255.0.0/16 is. For IPv6 it is a transient group of link-local scope.
#[must_use]
pub fn group_of(mac: Mac) -> Option<IpAddr> {
    match mac {
        [0x01, 0x00, 0x5e, x, y, z] if x & 0x80 == 0 => {
            Some(IpAddr::V4(Ipv4Addr::new(239, x | 0x80, y, z)))
        }
        [0x33, 0x33, w, x, y, z] => {
            let high = u16::from_be_bytes([w, x]);
            let low = u16::from_be_bytes([y, z]);
            Some(IpAddr::V6(Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, high, low)))
        }
        _ => None,
    }
}

/// 32 bits that stand for an IPv6 address; the top bit is always set (see [`igmp_group`]).
fn digest(address: Ipv6Addr) -> [u8; 4] {
    let hash = SipKey::new(&DIGEST_KEY).hash(&address.octets());
    let [w, x, y, z, ..] = hash.to_be_bytes();
    [w | 0x80, x, y, z]
}

/// Whether a virtual MAC that was set by hand is of the kind that the mode needs.
///
/// Unicast wants an individual address. Multicast wants a group address that no switch treats specially: neither
/// broadcast nor the IEEE's 01-80-c2 (never forwarded) nor the ranges of IP multicast (snooped). IGMP multicast
/// wants one of just those ranges: 01-00-5e with a clear top bit in the fourth byte, or 33-33.
#[must_use]
pub const fn is_of_mode(mac: Mac, mode: Mode) -> bool {
    let group = mac[0] & 1 != 0;
    let ip_group = is_ip_group(mac);
    match mode {
        Mode::Unicast => is_station(mac),
        Mode::Multicast => {
            group && !ip_group && !matches!(mac, [0x01, 0x80, 0xc2, ..] | [0xff, 0xff, ..])
        }
        Mode::Igmp => ip_group,
    }
}

/// Whether a MAC is one that a single station can have: neither a group nor zero.
#[must_use]
pub const fn is_station(mac: Mac) -> bool {
    mac[0] & 1 == 0 && !matches!(mac, [0, 0, 0, 0, 0, 0])
}

/// Whether frames to this MAC are IP multicasts: RFC 1112 section 6.4, RFC 2464 section 7.
const fn is_ip_group(mac: Mac) -> bool {
    match mac {
        [0x01, 0x00, 0x5e, fourth, ..] => fourth & 0x80 == 0,
        [0x33, 0x33, ..] => true,
        _ => false,
    }
}
