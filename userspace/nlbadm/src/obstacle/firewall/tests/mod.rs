// SPDX-License-Identifier: GPL-2.0-only

//! Tests of the firewall's check.

mod check;
mod walk;
