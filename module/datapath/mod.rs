// SPDX-License-Identifier: GPL-2.0-only

//! What becomes of a packet: the hooks at ingress and egress, and the tables that they ask.
//!
//! May use: the core, `kapi/`, `cluster/` for the snapshot that the decision is made on. Contexts: softirq or with bottom
//! halves off, under RCU; no locks shared with process context, no allocation, nothing that sleeps. `walk` is an
//! exception: it looks through the tables in process context. `health` is another: it looks at the counters by the timer.

pub(crate) mod cookies;
pub(crate) mod drops;
pub(crate) mod egress;
pub(crate) mod fragments;
pub(crate) mod health;
pub(crate) mod ingress;
pub(crate) mod lookup;
pub(crate) mod other_iface;
pub(crate) mod sessions;
pub(crate) mod walk;
