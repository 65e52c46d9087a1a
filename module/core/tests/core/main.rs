// SPDX-License-Identifier: GPL-2.0-only

//! Tests of the core from outside, a file for each subject. They are one crate: what all of them need of the core is
//! compiled once.

mod common;
mod world;

mod announce;
mod arp;
mod aside;
mod askers;
mod assignment;
mod cluster;
mod day;
mod decide;
mod defence;
mod delivery;
mod departure;
mod filter;
mod fragments;
mod fuzz;
mod fuzz_node;
mod golden;
mod health;
mod hostile;
mod inquiry;
mod late;
mod leaving;
mod mac;
mod nd;
mod newcomers;
mod residue;
mod rule_change;
mod segment;
mod session;
mod set_back;
mod settings;
mod short_frames;
mod siphash_vectors;
mod stance;
mod starved;
mod strangers;
