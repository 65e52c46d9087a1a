// SPDX-License-Identifier: GPL-2.0-only

//! The pure core of nlb: what a cluster is, who owns what, and what becomes of a packet.
//!
//! Sans-IO: bytes and time go in; bytes, deadlines, events and verdicts come out. There is no clock, no
//! allocation, no randomness and no `unsafe` in here, and nothing beyond `core::` is used. The same source is
//! a `mod` of the kernel module and a cargo crate for nlbadm, the simulator, the tests and the benches;
//! therefore paths inside it start with `super::`, never with `crate::`.

#![cfg_attr(not(nlb_kernel), no_std)]
#![cfg_attr(not(nlb_kernel), forbid(unsafe_code))]
#![cfg_attr(not(nlb_kernel), warn(missing_docs))]
#![cfg_attr(
    not(any(test, nlb_kernel)),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]
#![cfg_attr(
    not(any(test, nlb_kernel)),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod announce;
pub mod arp;
pub mod aside;
pub mod askers;
pub mod assign;
pub mod auth;
mod budget;
#[cfg(test)]
mod capture;
pub mod change;
mod claim;
mod compile;
pub mod config;
pub mod decide;
pub mod defence;
pub mod delivery;
mod digest;
pub mod event;
mod explain;
pub mod filter;
pub mod fragments;
pub mod genl;
pub mod health;
pub mod heartbeat;
pub mod host;
pub mod imagine;
pub mod inquiry;
mod judge;
mod kind;
pub mod leaving;
pub mod limits;
pub mod mac;
pub mod mapframe;
pub mod nd;
pub mod node;
pub mod packet;
pub mod peer;
mod peer_packet;
pub mod reason;
pub mod received;
mod residue;
pub mod rules;
pub mod session;
pub mod siphash;
pub mod socket;
pub mod stance;
pub mod state;
pub mod store;
pub mod time;
pub mod transport;
pub mod verdict;
pub mod wire;
pub mod wrapped;
