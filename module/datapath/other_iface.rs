// SPDX-License-Identifier: GPL-2.0-only

//! Packets for a VIP that arrive on another interface of the namespace: a second NIC on the segment, a router that
//! took another way. Every host would serve them, for no bucket was asked; so they are dropped, and counted.
//!
//! The hook is at the ingress of each such interface: one hook of the whole namespace would be cheaper to keep, but
//! every packet of the cluster interface would pay for it. An interface whose frames other devices take before the
//! stack does ([`Way::Stack`]) cannot have it there, for what it drops might be theirs; as long as such interfaces
//! exist, the hook is also at the beginning of the IP stack, before connection tracking can rewrite the VIP.

use crate::datapath::drops::dropped;
use crate::kapi::netdevice::{DeviceRef, Rtnl};
use crate::kapi::netfilter::{InputHook, Verdict};
use crate::kapi::rcu::ReadSide;
use crate::kapi::skb::{self, Skb};
use crate::l2::arp::Guard;
use crate::nlb_core::delivery::{probed_family, PROBE_V4_LEN, PROBE_V6_LEN};
use crate::nlb_core::packet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use crate::nlb_core::reason::Reason;
use crate::nlb_core::wrapped::{wrapped, HEAD_V4, HEAD_V6};
use crate::stats::Event;
use core::net::IpAddr;

/// Where the destination stands in an IPv4 header.
const V4_DESTINATION: usize = 16;

/// Where the destination stands in an IPv6 header.
const V6_DESTINATION: usize = 24;

/// Where the packets of an interface without a cluster are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Nowhere: the host's own connections come from the loopback device, what a port receives reaches the stack by the
    /// bridge, bond or team, and a device of VIPs receives nothing.
    None,
    /// At its ingress.
    Device,
    /// At the beginning of the IP stack.
    Stack,
}

/// Where the packets of an interface are looked at, if it has no cluster. Context: process, RTNL.
pub(crate) fn way(rtnl: &Rtnl, device: &DeviceRef<'_>) -> Way {
    match () {
        () if device.is_loopback() || device.is_address_device() => Way::None,
        () if device.is_port(rtnl) => Way::None,
        () if device.shares_frames(rtnl) => Way::Stack,
        () => Way::Device,
    }
}

/// The hook on packets that arrive on an interface, or that the IP stack receives from any.
pub(crate) struct Stray;

impl InputHook for Stray {
    type Target = Guard;

    fn handle(guarded: &Guard, side: &ReadSide, skb: &mut Skb, device: &DeviceRef<'_>) -> Verdict {
        // A frame with a VLAN id goes on to the interface of that VLAN; one for another station goes nowhere.
        if skb.has_vlan_id() || skb.target() == skb::Target::OtherHost {
            return Verdict::Accept;
        }
        let Some(destination) = destination(skb) else {
            return Verdict::Accept;
        };
        // A host may have one VIP in several clusters, each on an interface of its own.
        let mut stray_of = None;
        for cluster in guarded.clusters(side) {
            let filter = cluster.snapshot(side).map(|snapshot| &snapshot.filter);
            let Some(filter) = filter.filter(|filter| filter.is_vip(destination)) else {
                continue;
            };
            let allowed =
                cluster.description().allow_other_interfaces && !filter.is_guarded(destination);
            if device.is(cluster.device()) || allowed {
                return Verdict::Accept;
            }
            stray_of = Some(cluster);
        }
        match stray_of {
            // In the stack, the host's own connections are seen too, and a VRF hands packets in once more.
            Some(cluster) if !device.is_loopback() && !device.is_vrf() => {
                match of_peer(skb) {
                    Some(FromPeer::Probe) => cluster.stats().reason(Reason::ProbeHeard),
                    Some(FromPeer::Frame) => cluster.stats().event(Event::FrameUnwrapped),
                    None => {
                        cluster.stats().reason(Reason::DroppedOtherInterface);
                        return dropped(Reason::DroppedOtherInterface);
                    }
                }
                Verdict::Consume
            }
            _ => Verdict::Accept,
        }
    }
}

/// What a peer sends to a VIP. A second NIC on the segment gets it all, in each period: counted with the packets of clients
/// it would hide these.
enum FromPeer {
    /// A probe.
    Probe,
    /// A frame of the protocol inside IP.
    Frame,
}

/// What a packet to a VIP is, if it is a peer's.
#[cold]
fn of_peer(skb: &Skb) -> Option<FromPeer> {
    const { assert!(PROBE_V4_LEN >= HEAD_V4 && PROBE_V6_LEN >= HEAD_V6) };
    let (mut v4, mut v6) = ([0u8; PROBE_V4_LEN], [0u8; PROBE_V6_LEN]);
    let l3: &[u8] = match skb.protocol() {
        ETHERTYPE_IPV4 => skb.copy(0, &mut v4).then_some(&v4)?,
        ETHERTYPE_IPV6 => skb.copy(0, &mut v6).then_some(&v6)?,
        _ => return None,
    };
    match (probed_family(l3), wrapped(l3)) {
        (Some(_), _) => Some(FromPeer::Probe),
        (None, Some(_)) => Some(FromPeer::Frame),
        (None, None) => None,
    }
}

/// Where a packet goes; none if its header is cut off, so that the stack drops it.
fn destination(skb: &Skb) -> Option<IpAddr> {
    match skb.protocol() {
        ETHERTYPE_IPV4 => {
            let mut octets = [0u8; 4];
            skb.copy(V4_DESTINATION, &mut octets)
                .then(|| IpAddr::from(octets))
        }
        ETHERTYPE_IPV6 => {
            let mut octets = [0u8; 16];
            skb.copy(V6_DESTINATION, &mut octets)
                .then(|| IpAddr::from(octets))
        }
        _ => None,
    }
}
