// SPDX-License-Identifier: GPL-2.0-only

//! Probes of the segment: whether it is reached at all, and whether frames to the virtual MAC arrive.
//!
//! May use: the core, `kapi/`, `cluster/`. Contexts: the timer's softirq sends, softirq receives.

pub(crate) mod segment;
pub(crate) mod virtual_mac;
