// SPDX-License-Identifier: GPL-2.0-only

//! Packets of a flow that nobody sent: what the packet path would do with them is asked of the packet path itself, so
//! that an explanation cannot differ from what happens.

use super::kind::{TCP_ACK, TCP_SYN};
use super::packet::{
    Flow, Meta, Target, ETHERTYPE_IPV4, ETHERTYPE_IPV6, PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP,
    V4_HEADER, V6_HEADER,
};
use core::net::IpAddr;

/// Bytes of the transport header and what follows it: as much as a TCP header, which no protocol needs more than.
const TRANSPORT: usize = 20;

/// Longest packet that is made.
const LEN_MAX: usize = V6_HEADER + TRANSPORT;

/// Echo requests: type of ICMP, and of ICMPv6.
const ECHO_V4: u8 = 8;
const ECHO_V6: u8 = 128;

/// A packet of a flow.
#[derive(Clone, Copy, Debug)]
pub struct Imagined {
    bytes: [u8; LEN_MAX],
    len: usize,
    ethertype: u16,
}

impl Imagined {
    /// The packet that begins a flow (of TCP: a SYN), or one in its midst. ICMP stands for echo requests. `None` if the
    /// addresses are of two families.
    #[must_use]
    pub fn of(flow: &Flow, first: bool) -> Option<Self> {
        let mut bytes = [0u8; LEN_MAX];
        let (header, ethertype) = match (flow.client, flow.vip) {
            (IpAddr::V4(client), IpAddr::V4(vip)) => {
                let [.., high, low] = (V4_HEADER + TRANSPORT).to_be_bytes();
                put(&mut bytes, 0, &[0x45, 0, high, low]);
                put(&mut bytes, 8, &[64, flow.protocol]);
                put(&mut bytes, 12, &client.octets());
                put(&mut bytes, 16, &vip.octets());
                (V4_HEADER, ETHERTYPE_IPV4)
            }
            (IpAddr::V6(client), IpAddr::V6(vip)) => {
                put(
                    &mut bytes,
                    0,
                    &[0x60, 0, 0, 0, 0, TRANSPORT as u8, flow.protocol, 64],
                );
                put(&mut bytes, 8, &client.octets());
                put(&mut bytes, 24, &vip.octets());
                (V6_HEADER, ETHERTYPE_IPV6)
            }
            _ => return None,
        };
        match flow.protocol {
            PROTO_ICMP => put(&mut bytes, header, &[ECHO_V4]),
            PROTO_ICMPV6 => put(&mut bytes, header, &[ECHO_V6]),
            _ => {
                put(&mut bytes, header, &flow.client_port.to_be_bytes());
                put(
                    &mut bytes,
                    header.wrapping_add(2),
                    &flow.vip_port.to_be_bytes(),
                );
            }
        }
        if flow.protocol == PROTO_TCP {
            let flags = if first { TCP_SYN } else { TCP_ACK };
            put(&mut bytes, header.wrapping_add(12), &[5 << 4, flags]);
        }
        Some(Self {
            bytes,
            len: header.wrapping_add(TRANSPORT),
            ethertype,
        })
    }

    /// Its bytes from the network header on.
    #[must_use]
    pub fn l3(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// As it comes from a client: in a frame to the virtual MAC.
    #[must_use]
    pub fn meta(&self) -> Meta {
        Meta {
            ethertype: self.ethertype,
            vlan: false,
            dst_is_virtual_mac: true,
            target: Target::OtherHost,
            merged: false,
            len: self.len as u32,
        }
    }
}

/// Writes bytes at a place; nothing if they do not fit.
fn put(to: &mut [u8], at: usize, bytes: &[u8]) {
    let place = to
        .get_mut(at..)
        .and_then(|rest| rest.get_mut(..bytes.len()));
    if let Some(place) = place {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::judge::flow as flow_of;
    use super::*;
    use crate::packet::{PROTO_GRE, PROTO_SCTP, PROTO_UDP};

    fn flow(client: &str, vip: &str, protocol: u8, ports: (u16, u16)) -> Flow {
        Flow {
            protocol,
            client: client.parse().unwrap(),
            client_port: ports.0,
            vip: vip.parse().unwrap(),
            vip_port: ports.1,
        }
    }

    #[test]
    fn a_packet_is_of_the_flow_that_it_was_made_of() {
        for (client, vip) in [
            ("198.51.100.7", "192.0.2.10"),
            ("2001:db8::7", "2001:db8::a"),
        ] {
            for protocol in [PROTO_TCP, PROTO_UDP, PROTO_SCTP] {
                for first in [true, false] {
                    let flow = flow(client, vip, protocol, (40_000, 443));
                    let packet = Imagined::of(&flow, first).unwrap();
                    assert_eq!(flow_of(packet.l3()), Some(flow));
                    assert_eq!(packet.meta().len as usize, packet.l3().len());
                }
            }
            let tunnel = flow(client, vip, PROTO_GRE, (0, 0));
            assert_eq!(
                flow_of(Imagined::of(&tunnel, true).unwrap().l3()),
                Some(tunnel)
            );
        }
    }

    #[test]
    fn the_first_segment_is_a_syn_and_no_other() {
        let flow = flow("198.51.100.7", "192.0.2.10", PROTO_TCP, (40_000, 80));
        let flags = |first| Imagined::of(&flow, first).unwrap().l3()[33];
        assert_eq!((flags(true), flags(false)), (TCP_SYN, TCP_ACK));
    }

    #[test]
    fn two_families_make_no_packet() {
        let flow = flow("198.51.100.7", "2001:db8::a", PROTO_TCP, (1, 1));
        assert!(Imagined::of(&flow, true).is_none());
    }
}
