// SPDX-License-Identifier: GPL-2.0-only

//! The file of a cluster on all of its hosts: one object with versions, which changes everywhere or nowhere.
//!
//! What is decided is here, without input and output: what a host makes of a request ([`State`]), how a change is made
//! ([`Change`]), and what becomes of one that was left alone ([`fate`]). `nlbadm` makes changes; `nlbd` holds the state of
//! each host, and asks the others now and then.
//!
//! The rules: of two versions the one with the larger number is in force, of two with one number that of the lower host. A
//! version that is in force on one host is taken by all. So hosts never stay apart, whatever is lost in between.

mod change;
mod fate;
mod message;
#[cfg(test)]
mod sim;
mod state;
mod version;

pub use self::{
    change::{CAME_FIRST, Change, Outcome, Why},
    fate::{ANSWER, DECIDE, Fate, GIVE_UP, HOLD, fate},
    message::{Ask, FileState, Refusal, Reply, Request, Staged, Status},
    state::{HISTORY_MAX, State, Step},
    version::{Digest, NUMBER_MAX, Version, clock},
};
