// SPDX-License-Identifier: GPL-2.0-only

//! How the VIPs stand on the segment: ARP and neighbour discovery, announcements, other stations that claim a VIP or serve it, the MACs
//! that the interface receives, whether the VIPs are addresses of this host, and frames of the protocol inside IP.
//!
//! May use: the core, `kapi/`, `cluster/`. Contexts: softirq for what answers, process and RTNL for what sets up.

pub(crate) mod announcements;
pub(crate) mod arp;
pub(crate) mod aside;
pub(crate) mod askers;
pub(crate) mod conflict;
pub(crate) mod inquiry;
pub(crate) mod mac_filter;
pub(crate) mod ndisc;
pub(crate) mod vip_watch;
pub(crate) mod wrapped;
