// SPDX-License-Identifier: GPL-2.0-only

//! Frames of the protocol inside IP packets: sent beside the plain ones where these do not reach every host. When that is
//! and what they look like is in `core/src/transport.rs` and `core/src/wrapped.rs`.

use crate::cluster::context::Cluster;
use crate::kapi::rcu::read_lock;
use crate::kapi::skb::Frame;
use crate::l2::arp;
use crate::nlb_core::mac::Mac;
use crate::nlb_core::packet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use crate::nlb_core::wrapped::{head_v4, head_v6};
use crate::stats::Event;
use core::net::IpAddr;

/// A wrapped frame, ready to be sent.
pub(crate) struct WrappedFrame<'a> {
    frame: Frame<'a>,
    to: Mac,
    ethertype: u16,
    len: usize,
}

impl<'a> WrappedFrame<'a> {
    /// Wraps a frame in the family of the first VIP that this host has an address of its own for; `None` if there is none,
    /// or no memory. `needed`: the answers shall be wrapped as well. Context: any, without locks that a driver could take.
    #[cold]
    #[inline(never)]
    pub(crate) fn of(cluster: &'a Cluster, bytes: &[u8], needed: bool) -> Option<Self> {
        let side = read_lock();
        let filter = &cluster.snapshot(&side)?.filter;
        let device = cluster.device().as_device_ref();
        cluster.vips(&side).iter().find_map(|vip| match *vip {
            IpAddr::V4(vip) => {
                let head = head_v4(arp::dedicated(cluster)?, vip, bytes.len(), needed)?;
                Self::new(cluster, filter.mac_v4(), ETHERTYPE_IPV4, &head, bytes)
            }
            IpAddr::V6(vip) => {
                let head = head_v6(device.link_local(&side)?, vip, bytes.len(), needed)?;
                Self::new(cluster, filter.mac_v6(), ETHERTYPE_IPV6, &head, bytes)
            }
        })
    }

    fn new(
        cluster: &'a Cluster,
        to: Mac,
        ethertype: u16,
        head: &[u8],
        bytes: &[u8],
    ) -> Option<Self> {
        let len = head.len().checked_add(bytes.len())?;
        let Some(mut frame) = Frame::new(cluster.device(), len) else {
            cluster.stats().event(Event::FrameNoMemory);
            return None;
        };
        frame.write(Iterator::chain(head.iter(), bytes));
        Some(Self {
            frame,
            to,
            ethertype,
            len,
        })
    }

    /// Sends it. Context: as [`WrappedFrame::of`].
    #[cold]
    #[inline(never)]
    pub(crate) fn send(self, cluster: &Cluster) {
        cluster.stats().event(Event::FrameWrapped);
        self.frame.send(&self.to, self.ethertype, self.len);
    }
}
