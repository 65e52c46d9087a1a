// SPDX-License-Identifier: GPL-2.0-only

//! IPv6 neighbour discovery for the VIPs: answered here, with the virtual MAC, and guarded on the way out.
//!
//! As for ARP ([`super::arp`]): nothing that leaves the host may bind a VIP to the NIC's own MAC, and no
//! question may carry a VIP as its source. What arrives is checked as RFC 4861 section 7.1 demands.

use super::filter::{Filter, Responder, Storage};
use super::mac::{self, Mac};
use super::packet::{PROTO_ICMPV6, V6_HEADER};
use super::reason::Reason;
use core::net::{IpAddr, Ipv6Addr};

/// Bytes of an advertisement with one option, from the IPv6 header on.
pub const ADVERTISEMENT_LEN: usize = V6_HEADER + MESSAGE + OPTION;

/// Bytes that tell for which address a message speaks, from the IPv6 header on.
pub const TOLD_LEN: usize = V6_HEADER + MESSAGE;

/// The MAC of all nodes (ff02::1): where announcements go.
pub const ALL_NODES_MAC: Mac = [0x33, 0x33, 0, 0, 0, 1];

/// The group of all nodes.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Bytes of a solicitation or advertisement without options: ICMPv6 header, flags, target.
const MESSAGE: usize = 24;
/// Bytes of a router solicitation without options.
const ROUTER_MESSAGE: usize = 8;
/// Bytes of an option that holds a MAC.
const OPTION: usize = 8;

const ROUTER_SOLICITATION: u8 = 133;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// Option: MAC of the sender (solicitations).
const SOURCE_MAC: u8 = 1;
/// Option: MAC of the target (advertisements).
const TARGET_MAC: u8 = 2;

/// Advertisement flags: it answers a solicitation; it replaces what is known.
const FLAG_SOLICITED: u8 = 0x40;
const FLAG_OVERRIDE: u8 = 0x20;

/// The hop limit that shows that no router has forwarded the packet.
const HOPS: u8 = 255;

/// A neighbour message that passed the checks.
#[derive(Clone, Copy, Debug)]
struct Message {
    src: Ipv6Addr,
    target: Ipv6Addr,
    /// The MAC in the option that belongs to this kind of message.
    mac: Option<Mac>,
}

/// What becomes of a neighbour message that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum NdVerdict {
    /// Not about a VIP: the stack's.
    Pass(Reason),
    /// About a VIP: the stack must not see it.
    Drop(Reason),
    /// To be answered, and the message dropped.
    Reply {
        /// Destination MAC of the answer. The Ethernet source is the NIC's own MAC.
        to: Mac,
        /// The answer, from the IPv6 header on.
        bytes: [u8; ADVERTISEMENT_LEN],
    },
    /// Another station claims the VIP: to be reported, and the message dropped.
    Conflict {
        /// The VIP.
        vip: Ipv6Addr,
        /// The MAC that the station claims it for.
        mac: Mac,
    },
}

/// Decides about a neighbour message that arrived.
///
/// `from` is the source MAC of the frame, `l3` all bytes from the IPv6 header to the end of the packet; a caller
/// may cut them at [`super::packet::SNAP_LEN`], as no message about a VIP is that long.
pub fn arrived<S: Storage>(
    filter: &Filter<S>,
    is_default_host: bool,
    from: Mac,
    l3: &[u8],
) -> NdVerdict {
    let (spoken_for, vip) = match subject(filter, l3) {
        Subject::Foreign => return NdVerdict::Pass(Reason::NdForeign),
        Subject::NotInForce => return NdVerdict::Drop(Reason::NdNotResponder),
        Subject::Vip { spoken_for, vip } => (spoken_for, vip),
    };
    let Some(message) = Message::check(l3) else {
        return NdVerdict::Drop(Reason::NdMalformed);
    };
    if spoken_for {
        return claimed(filter, vip, message.mac.unwrap_or(from));
    }
    if !mac::is_station(message.mac.unwrap_or(from)) {
        return NdVerdict::Drop(Reason::NdMalformed);
    }
    if filter.responder == Responder::DefaultHost && !is_default_host {
        return NdVerdict::Drop(Reason::NdNotResponder);
    }
    answer(filter, &message, from)
}

/// What a message that arrived is about.
enum Subject {
    /// No VIP.
    Foreign,
    /// An address that is guarded like a VIP. The stack must not answer, for it may have it.
    NotInForce,
    /// A VIP; whether its sender speaks for it.
    Vip { spoken_for: bool, vip: Ipv6Addr },
}

// Out of line, for the stack of the caller holds a copy of the message.
#[inline(never)]
fn subject<S: Storage>(filter: &Filter<S>, l3: &[u8]) -> Subject {
    let Some((kind, src, target)) = glance(l3) else {
        return Subject::Foreign;
    };
    let about = is_vip(filter, target) && matches!(kind, SOLICITATION | ADVERTISEMENT);
    if about && filter.is_guarded(target.into()) {
        return Subject::NotInForce;
    }
    // What is no VIP any more may be another station's by now.
    if is_vip(filter, src) && !filter.is_guarded(src.into()) {
        return Subject::Vip {
            spoken_for: true,
            vip: src,
        };
    }
    if !about {
        return Subject::Foreign;
    }
    Subject::Vip {
        spoken_for: kind == ADVERTISEMENT,
        vip: target,
    }
}

/// Another station speaks for a VIP: a host of this cluster, or a stranger.
fn claimed<S>(filter: &Filter<S>, vip: Ipv6Addr, mac: Mac) -> NdVerdict {
    if mac == filter.mac_v6 {
        NdVerdict::Drop(Reason::NdPeer)
    } else {
        NdVerdict::Conflict { vip, mac }
    }
}

/// Answers a solicitation. One without a source is a question whether the address is in use (RFC 4862): all
/// nodes hear that it is.
fn answer<S>(filter: &Filter<S>, message: &Message, from: Mac) -> NdVerdict {
    let vip = message.target;
    if message.src.is_unspecified() {
        let bytes = advertisement(vip, ALL_NODES, FLAG_OVERRIDE, filter.mac_v6);
        return NdVerdict::Reply {
            to: ALL_NODES_MAC,
            bytes,
        };
    }
    let flags = FLAG_SOLICITED | FLAG_OVERRIDE;
    NdVerdict::Reply {
        to: message.mac.unwrap_or(from),
        bytes: advertisement(vip, message.src, flags, filter.mac_v6),
    }
}

/// An unsolicited advertisement of a VIP, from the IPv6 header on: to be sent to [`ALL_NODES_MAC`].
#[must_use]
pub fn announcement<S: Storage>(filter: &Filter<S>, vip: Ipv6Addr) -> [u8; ADVERTISEMENT_LEN] {
    advertisement(vip, ALL_NODES, FLAG_OVERRIDE, filter.mac_v6)
}

/// The address that a message speaks for: the target of an advertisement, or else the source.
#[must_use]
pub fn speaks_for(l3: &[u8]) -> Option<Ipv6Addr> {
    let (kind, src, target) = glance(l3)?;
    Some(if kind == ADVERTISEMENT { target } else { src })
}

/// A question for a VIP in this host's own name, from the IPv6 header on: to be sent to [`solicited_mac`].
#[must_use]
pub fn question(own_mac: Mac, own: Ipv6Addr, vip: Ipv6Addr) -> [u8; ADVERTISEMENT_LEN] {
    message(
        SOLICITATION,
        (own, solicited_node(vip)),
        (vip, 0),
        (SOURCE_MAC, own_mac),
    )
}

/// The MAC of the group that questions for an address are sent to (RFC 2464 section 7).
#[must_use]
pub fn solicited_mac(target: Ipv6Addr) -> Mac {
    let [.., w, x, y, z] = solicited_node(target).octets();
    [0x33, 0x33, w, x, y, z]
}

/// What becomes of a neighbour message on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum NdOut {
    /// Leaves as it is.
    Untouched,
    /// Was changed in place, and leaves so.
    Mended,
    /// Must not leave.
    Drop,
}

/// Guards a neighbour message on its way out of any interface of the namespace.
///
/// `own_mac` is the MAC of that interface, `link_local` its link-local address; `l3` are all bytes from the IPv6
/// header on. A solicitation whose source is a VIP leaves with the link-local address and the NIC's own MAC, its
/// checksum mended; without a link-local address it cannot. A question whether a VIP is in use does not leave:
/// it is, by this cluster. An advertisement that binds a VIP to another MAC than the virtual one is dropped.
pub fn leaving<S: Storage>(
    filter: &Filter<S>,
    l3: &mut [u8],
    own_mac: Mac,
    link_local: Option<Ipv6Addr>,
) -> NdOut {
    let Some((kind, src, target)) = glance(l3) else {
        return NdOut::Untouched;
    };
    match kind {
        ADVERTISEMENT if is_vip(filter, target) => {
            let mac = Message::check(l3).and_then(|message| message.mac);
            if mac == Some(filter.mac_v6) {
                NdOut::Untouched
            } else {
                NdOut::Drop
            }
        }
        SOLICITATION if src.is_unspecified() && is_vip(filter, target) => NdOut::Drop,
        SOLICITATION | ROUTER_SOLICITATION if is_vip(filter, src) => {
            match link_local.and_then(|source| mend(l3, source, own_mac)) {
                Some(()) => NdOut::Mended,
                None => NdOut::Drop,
            }
        }
        _ => NdOut::Untouched,
    }
}

/// Replaces the source of a solicitation, and the MAC in its option if there is one.
fn mend(l3: &mut [u8], source: Ipv6Addr, own_mac: Mac) -> Option<()> {
    let kind = *l3.get(V6_HEADER)?;
    *l3.get_mut(8..24)?.first_chunk_mut::<16>()? = source.octets();
    let body = if kind == ROUTER_SOLICITATION {
        ROUTER_MESSAGE
    } else {
        MESSAGE
    };
    let payload = payload_len(l3)?;
    let icmp = l3.get_mut(V6_HEADER..)?.get_mut(..payload)?;
    let mut options = icmp.get_mut(body..)?;
    while let Some(&[kind, units, ..]) = options.first_chunk::<2>() {
        let size = usize::from(units)
            .checked_mul(8)
            .filter(|&size| size != 0)?;
        let (option, rest) = options.split_at_mut_checked(size)?;
        if let (SOURCE_MAC, Some(mac)) = (kind, option.get_mut(2..OPTION)) {
            mac.copy_from_slice(&own_mac);
        }
        options = rest;
    }
    *l3.get_mut(CHECKSUM_AT..)?.first_chunk_mut::<2>()? = [0, 0];
    let sum = checksum(l3)?;
    *l3.get_mut(CHECKSUM_AT..)?.first_chunk_mut::<2>()? = sum.to_be_bytes();
    Some(())
}

/// Where the ICMPv6 checksum is.
const CHECKSUM_AT: usize = V6_HEADER + 2;

fn is_vip<S: Storage>(filter: &Filter<S>, address: Ipv6Addr) -> bool {
    filter.is_vip(IpAddr::V6(address))
}

/// Kind, source and target of a neighbour message, unchecked; the target is that of solicitations and
/// advertisements. `None` if it is no neighbour message.
fn glance(l3: &[u8]) -> Option<(u8, Ipv6Addr, Ipv6Addr)> {
    if l3.get(6) != Some(&PROTO_ICMPV6) {
        return None;
    }
    let kind = *l3.get(V6_HEADER)?;
    let target = match kind {
        ROUTER_SOLICITATION => Ipv6Addr::UNSPECIFIED,
        _ => address(l3, V6_HEADER + 8)?,
    };
    (ROUTER_SOLICITATION..=137)
        .contains(&kind)
        .then_some((kind, address(l3, 8)?, target))
}

fn address(l3: &[u8], at: usize) -> Option<Ipv6Addr> {
    l3.get(at..)?
        .first_chunk::<16>()
        .map(|octets| Ipv6Addr::from(*octets))
}

fn payload_len(l3: &[u8]) -> Option<usize> {
    l3.get(4..)?
        .first_chunk::<2>()
        .map(|bytes| usize::from(u16::from_be_bytes(*bytes)))
}

impl Message {
    /// Checks a message as RFC 4861 sections 7.1.1 and 7.1.2 demand, and its source as the stack does before it comes
    /// that far (`ip6_rcv_core` of the kernel): an answer to a group would be malformed itself.
    fn check(l3: &[u8]) -> Option<Message> {
        let (kind, src, target) = glance(l3)?;
        let dst = address(l3, 24)?;
        let icmp = l3.get(V6_HEADER..)?.get(..payload_len(l3)?)?;
        let body = if kind == ROUTER_SOLICITATION {
            ROUTER_MESSAGE
        } else {
            MESSAGE
        };
        let (&hops, &code) = (l3.get(7)?, icmp.get(1)?);
        if hops != HOPS || code != 0 || icmp.len() < body || target.is_multicast() {
            return None;
        }
        if src.is_multicast() || src.is_loopback() || src.to_ipv4_mapped().is_some() {
            return None;
        }
        let wanted = if kind == ADVERTISEMENT {
            TARGET_MAC
        } else {
            SOURCE_MAC
        };
        let mac = find_mac(icmp.get(body..)?, wanted).ok()?;
        let solicited = kind == ADVERTISEMENT && *icmp.get(4)? & FLAG_SOLICITED != 0;
        if solicited && dst.is_multicast() {
            return None;
        }
        if kind == SOLICITATION
            && src.is_unspecified()
            && (mac.is_some() || dst != solicited_node(target))
        {
            return None;
        }
        (checksum(l3)? == 0).then_some(Message { src, target, mac })
    }
}

/// The MAC in the option of a kind; an error if an option has no length or is cut off.
fn find_mac(mut options: &[u8], wanted: u8) -> Result<Option<Mac>, ()> {
    let mut mac = None;
    while let Some((&kind, rest)) = options.split_first() {
        let size = usize::from(*rest.first().ok_or(())?).wrapping_mul(8);
        if size == 0 {
            return Err(());
        }
        let option = options.get(..size).ok_or(())?;
        if kind == wanted && mac.is_none() {
            mac = option.get(2..).and_then(<[u8]>::first_chunk).copied();
        }
        options = options.get(size..).ok_or(())?;
    }
    Ok(mac)
}

/// The group that a solicitation for an address is sent to (RFC 4291 section 2.7.1).
#[must_use]
pub fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., g, h] = target.segments();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | (g & 0xff), h)
}

/// The ICMPv6 checksum of a packet without extension headers (RFC 4443 section 2.3): 0 if the one inside is
/// right, the one to put inside if that is 0 now. `None` if the packet is cut off.
fn checksum(l3: &[u8]) -> Option<u16> {
    let payload = payload_len(l3)?;
    let icmp = l3.get(V6_HEADER..)?.get(..payload)?;
    let addresses = l3.get(8..V6_HEADER)?;
    let pseudo = (payload as u64).saturating_add(u64::from(PROTO_ICMPV6));
    let mut sum = words(addresses)
        .chain(words(icmp))
        .fold(pseudo, u64::saturating_add);
    while sum > 0xffff {
        sum = (sum & 0xffff).saturating_add(sum >> 16);
    }
    Some(!(sum as u16))
}

/// The 16-bit words of bytes; an odd last byte is padded with zero.
fn words(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(high) << 8,
        _ => 0,
    })
}

/// An advertisement of a VIP, from the IPv6 header on.
fn advertisement(vip: Ipv6Addr, to: Ipv6Addr, flags: u8, mac: Mac) -> [u8; ADVERTISEMENT_LEN] {
    message(ADVERTISEMENT, (vip, to), (vip, flags), (TARGET_MAC, mac))
}

/// A neighbour message with one option: its kind, source and destination, target and flags, the option's kind and MAC.
fn message(
    kind: u8,
    (src, dst): (Ipv6Addr, Ipv6Addr),
    (target, flags): (Ipv6Addr, u8),
    (option, mac): (u8, Mac),
) -> [u8; ADVERTISEMENT_LEN] {
    const PAYLOAD: u8 = (MESSAGE + OPTION) as u8;
    let mut bytes = [0u8; ADVERTISEMENT_LEN];
    let head = [0x60, 0, 0, 0, 0, PAYLOAD, PROTO_ICMPV6, HOPS];
    let icmp = [kind, 0, 0, 0, flags, 0, 0, 0];
    let (src, dst, target) = (src.octets(), dst.octets(), target.octets());
    let parts = [&head[..], &src, &dst, &icmp, &target, &[option, 1], &mac];
    for (byte, value) in bytes
        .iter_mut()
        .zip(parts.iter().flat_map(|part| part.iter()))
    {
        *byte = *value;
    }
    let sum = checksum(&bytes).unwrap_or(0).to_be_bytes();
    if let Some(place) = bytes
        .get_mut(CHECKSUM_AT..)
        .and_then(<[u8]>::first_chunk_mut::<2>)
    {
        *place = sum;
    }
    bytes
}
