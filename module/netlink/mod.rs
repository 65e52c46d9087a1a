// SPDX-License-Identifier: GPL-2.0-only

//! The generic netlink family: requests, dumps and notifications.
//!
//! `policy` and `sent` are generated from `specs/nlb.yaml`. May use: everything but the hooks. Contexts: process; `notify` and `log` any.

pub(crate) mod cluster_request;
pub(crate) mod dumps;
pub(crate) mod fill;
pub(crate) mod key_request;
pub(crate) mod log;
pub(crate) mod notify;
pub(crate) mod operations;
pub(crate) mod policy;
pub(crate) mod rule_request;
pub(crate) mod sent;
pub(crate) mod settings_request;
