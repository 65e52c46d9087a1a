// SPDX-License-Identifier: GPL-2.0-only

//! ARP for the VIPs: answered here, with the virtual MAC, and guarded on the way out.
//!
//! Nothing that leaves the host may bind a VIP to the NIC's own MAC, and no request may carry VIP and virtual
//! MAC as its sender: many routers do not answer a sender whose MAC is a group address (Windows' KB 960916).

use super::filter::{Filter, Responder, Storage};
use super::mac::{self, Mac};
use super::reason::Reason;
use core::net::Ipv4Addr;

/// Bytes of an ARP message for IPv4 on Ethernet (RFC 826).
pub const ARP_LEN: usize = 28;

/// Hardware type Ethernet, protocol IPv4, address lengths 6 and 4.
const HEADER: [u8; 6] = [0, 1, 8, 0, 6, 4];

const REQUEST: u16 = 1;
const REPLY: u16 = 2;

/// An ARP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Message {
    operation: u16,
    sender_mac: Mac,
    sender: Ipv4Addr,
    target_mac: Mac,
    target: Ipv4Addr,
}

impl Message {
    fn parse(bytes: &[u8]) -> Option<Message> {
        let [h0, h1, h2, h3, h4, h5, o0, o1, a, b, c, d, e, f, s0, s1, s2, s3, g, h, i, j, k, l, t0, t1, t2, t3] =
            *bytes.first_chunk::<ARP_LEN>()?;
        let operation = u16::from_be_bytes([o0, o1]);
        if [h0, h1, h2, h3, h4, h5] != HEADER {
            return None;
        }
        Some(Message {
            operation,
            sender_mac: [a, b, c, d, e, f],
            sender: Ipv4Addr::new(s0, s1, s2, s3),
            target_mac: [g, h, i, j, k, l],
            target: Ipv4Addr::new(t0, t1, t2, t3),
        })
    }

    fn emit(&self) -> [u8; ARP_LEN] {
        let [h0, h1, h2, h3, h4, h5] = HEADER;
        let [o0, o1] = self.operation.to_be_bytes();
        let [a, b, c, d, e, f] = self.sender_mac;
        let [s0, s1, s2, s3] = self.sender.octets();
        let [g, h, i, j, k, l] = self.target_mac;
        let [t0, t1, t2, t3] = self.target.octets();
        [
            h0, h1, h2, h3, h4, h5, o0, o1, a, b, c, d, e, f, s0, s1, s2, s3, g, h, i, j, k, l, t0,
            t1, t2, t3,
        ]
    }
}

/// What becomes of an ARP message that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum ArpVerdict {
    /// Not about a VIP: the stack's.
    Pass(Reason),
    /// About a VIP: the stack must not see it.
    Drop(Reason),
    /// To be answered, and the message dropped.
    Reply {
        /// Destination MAC of the answer. The Ethernet source is the NIC's own MAC.
        to: Mac,
        /// The answer, from the ARP header on.
        bytes: [u8; ARP_LEN],
    },
    /// Another station claims the VIP: to be reported, and the message dropped.
    Conflict {
        /// The VIP.
        vip: Ipv4Addr,
        /// The MAC that the station claims it for.
        mac: Mac,
    },
}

/// Decides about an ARP message that arrived; `is_default_host` as [`super::decide::Buckets`] says it.
pub fn arrived<S: Storage>(filter: &Filter<S>, is_default_host: bool, bytes: &[u8]) -> ArpVerdict {
    let Some(message) = Message::parse(bytes) else {
        return ArpVerdict::Pass(Reason::ArpMalformed);
    };
    let is_vip = |address: Ipv4Addr| {
        filter
            .vip_v4(u32::from_ne_bytes(address.octets()))
            .is_some()
    };
    // Whose answer it is will be told when the address is a VIP. The stack must not answer, for it may have the address.
    if message.operation == REQUEST && filter.is_guarded(message.target.into()) {
        return ArpVerdict::Drop(Reason::ArpNotResponder);
    }
    // What is no VIP any more may be another station's by now.
    if is_vip(message.sender) && !filter.is_guarded(message.sender.into()) {
        return if message.sender_mac == filter.mac_v4() {
            ArpVerdict::Drop(Reason::ArpPeer)
        } else {
            ArpVerdict::Conflict {
                vip: message.sender,
                mac: message.sender_mac,
            }
        };
    }
    // An answer to a VIP tells of its sender, which is no VIP.
    if !is_vip(message.target) || message.operation != REQUEST {
        return ArpVerdict::Pass(Reason::ArpForeign);
    }
    if !mac::is_station(message.sender_mac) {
        return ArpVerdict::Drop(Reason::ArpMalformed);
    }
    if message.sender_mac == filter.mac_v4() {
        return ArpVerdict::Drop(Reason::ArpPeer);
    }
    if filter.responder == Responder::DefaultHost && !is_default_host {
        return ArpVerdict::Drop(Reason::ArpNotResponder);
    }
    let answer = Message {
        operation: REPLY,
        sender_mac: filter.mac_v4(),
        sender: message.target,
        target_mac: message.sender_mac,
        target: message.sender,
    };
    ArpVerdict::Reply {
        to: message.sender_mac,
        bytes: answer.emit(),
    }
}

/// What becomes of an ARP message on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum ArpOut {
    /// Leaves as it is.
    Untouched,
    /// Was changed in place, and leaves so.
    Mended,
    /// Must not leave.
    Drop,
}

/// Guards an ARP message on its way out of any interface of the namespace.
///
/// `own_mac` is the MAC of that interface, `dedicated` the dedicated IP. A request whose sender is a VIP leaves
/// with the dedicated IP (without one: 0.0.0.0, as RFC 5227 probes do) and the NIC's own MAC. A reply or an
/// announcement that binds a VIP to another MAC than the virtual one is dropped, and so is the question whether a
/// VIP is in use (RFC 5227): it is, by this cluster, and another host of it would say so.
pub fn leaving<S: Storage>(
    filter: &Filter<S>,
    bytes: &mut [u8],
    own_mac: Mac,
    dedicated: Option<Ipv4Addr>,
) -> ArpOut {
    let Some(mut message) = Message::parse(bytes) else {
        return ArpOut::Untouched;
    };
    let is_vip = |address: Ipv4Addr| {
        filter
            .vip_v4(u32::from_ne_bytes(address.octets()))
            .is_some()
    };
    if message.sender.is_unspecified() && is_vip(message.target) {
        return ArpOut::Drop;
    }
    if !is_vip(message.sender) {
        return ArpOut::Untouched;
    }
    let announcement = message.operation != REQUEST || message.target == message.sender;
    if announcement {
        return if message.sender_mac == filter.mac_v4() {
            ArpOut::Untouched
        } else {
            ArpOut::Drop
        };
    }
    message.sender = dedicated.unwrap_or(Ipv4Addr::UNSPECIFIED);
    message.sender_mac = own_mac;
    match bytes.first_chunk_mut::<ARP_LEN>() {
        Some(place) => {
            *place = message.emit();
            ArpOut::Mended
        }
        None => ArpOut::Drop,
    }
}

/// The address of the sender of an ARP message.
#[must_use]
pub fn sender(bytes: &[u8]) -> Option<Ipv4Addr> {
    Message::parse(bytes).map(|message| message.sender)
}

/// The question which MAC `target` has, from the ARP header on: sent to the broadcast MAC. `sender` is the dedicated
/// IP; without one it is 0.0.0.0, and the question is a probe as in RFC 5227.
#[must_use]
pub fn question(own_mac: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> [u8; ARP_LEN] {
    Message {
        operation: REQUEST,
        sender_mac: own_mac,
        sender,
        target_mac: [0; 6],
        target,
    }
    .emit()
}

/// A gratuitous ARP for a VIP in both of its forms, from the ARP header on: sent to the broadcast MAC.
///
/// Sender and target are equal. The request is what RFC 5227 section 3 asks for, and what stacks of hosts understand;
/// some routers and firewalls learn from replies only.
#[must_use]
pub fn announcements<S: Storage>(filter: &Filter<S>, vip: Ipv4Addr) -> [[u8; ARP_LEN]; 2] {
    let of = |operation, target_mac| {
        Message {
            operation,
            sender_mac: filter.mac_v4(),
            sender: vip,
            target_mac,
            target: vip,
        }
        .emit()
    };
    [of(REQUEST, [0; 6]), of(REPLY, filter.mac_v4())]
}
