// SPDX-License-Identifier: GPL-2.0-only

//! Probes of the segment: whether it is reached at all, whether frames to the virtual MAC arrive, and who answers for the VIPs.
//!
//! May use: the core, `kapi/`, `cluster/`. Contexts: the timer's softirq sends, softirq receives.

pub(crate) mod inquiry;
pub(crate) mod segment;
pub(crate) mod virtual_mac;
