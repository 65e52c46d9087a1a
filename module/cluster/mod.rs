// SPDX-License-Identifier: GPL-2.0-only

//! One cluster of this host: its node, its rules, and what drives them.
//!
//! `context` holds what belongs to a cluster and is handed to all others; `driver` feeds frames, timers and commands to
//! the node and sends its output. May use: the core, `kapi/`, and the state of the folders below. Contexts: each item says.

pub(crate) mod context;
pub(crate) mod driver;
pub(crate) mod keyring;
pub(crate) mod rule_change;
pub(crate) mod rules;
pub(crate) mod settings;
pub(crate) mod settings_change;
pub(crate) mod snapshot;
pub(crate) mod tables;
