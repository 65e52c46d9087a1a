// SPDX-License-Identifier: GPL-2.0-only

//! The generic netlink family `nlb` from userspace: messages, and a synchronous client.
//!
//! Three layers, each usable without those above it: [`message`] and [`attribute`] are what is on the wire, built on
//! the netlink-packet crates; [`connection`] is requests, dumps, refusals and notifications over a [`transport`];
//! [`client`], [`route`], [`device`] and [`tcp`] speak in plain structures ([`object`]). The tables of both are made from the specification.

pub mod attribute;
pub mod client;
pub mod code;
pub mod connection;
pub mod device;
pub mod error;
pub mod extack;
mod generated;
pub mod message;
pub mod object;
pub mod reply;
pub mod route;
pub mod sockdiag;
pub mod tcp;
pub mod transport;
pub mod value;

pub use client::{Client, Notification};
pub use code::{Code, Named};
pub use error::{Error, Refusal};
pub use transport::{NetlinkSocket, Transport};
