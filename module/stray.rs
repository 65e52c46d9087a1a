// SPDX-License-Identifier: GPL-2.0-only

//! Packets for a VIP that arrive on another interface of the namespace: a second NIC on the segment, a router that
//! took another way. Every host would serve them, for no bucket was asked; so they are dropped, and counted.
//!
//! The hook is at the beginning of the IP stack, before connection tracking can rewrite the VIP. A hook on each other
//! interface would cost more: it sees every frame, and interfaces come and go.

use super::kapi::netdevice::DeviceRef;
use super::kapi::netfilter::{InputHook, Verdict};
use super::kapi::rcu::ReadSide;
use super::kapi::skb::Skb;
use super::neighbour::Guard;
use super::nlb_core::packet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use super::nlb_core::reason::Reason;
use core::net::IpAddr;

/// Where the destination stands in an IPv4 header.
const V4_DESTINATION: usize = 16;

/// Where the destination stands in an IPv6 header.
const V6_DESTINATION: usize = 24;

/// The hook on packets that the IP stack receives from any interface of the namespace.
pub(crate) struct Stray;

impl InputHook for Stray {
    type Target = Guard;

    fn handle(guarded: &Guard, side: &ReadSide, skb: &mut Skb, device: &DeviceRef<'_>) -> Verdict {
        let Some(destination) = destination(skb) else {
            return Verdict::Accept;
        };
        // A host may have one VIP in several clusters, each on an interface of its own.
        let mut stray_of = None;
        for cluster in guarded.clusters(side) {
            let is_vip = cluster
                .snapshot(side)
                .is_some_and(|snapshot| snapshot.filter.is_vip(destination));
            if !is_vip {
                continue;
            }
            if device.is(cluster.device()) || cluster.description().allow_other_interfaces {
                return Verdict::Accept;
            }
            stray_of = Some(cluster);
        }
        match stray_of {
            // The host's own connections come from the loopback device, and a VRF hands packets in once more.
            Some(cluster) if !device.is_loopback() && !device.is_vrf() => {
                cluster.stats().reason(Reason::DroppedOtherInterface);
                Verdict::Drop
            }
            _ => Verdict::Accept,
        }
    }
}

/// Where a packet goes. The IP stack has made its header linear before this hook.
fn destination(skb: &Skb) -> Option<IpAddr> {
    match skb.protocol() {
        ETHERTYPE_IPV4 => {
            let octets = skb.head().get(V4_DESTINATION..)?.first_chunk::<4>()?;
            Some(IpAddr::from(*octets))
        }
        ETHERTYPE_IPV6 => {
            let octets = skb.head().get(V6_DESTINATION..)?.first_chunk::<16>()?;
            Some(IpAddr::from(*octets))
        }
        _ => None,
    }
}
