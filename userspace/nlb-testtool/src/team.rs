// SPDX-License-Identifier: GPL-2.0-only
//! Sets the mode of a team device: the kernel takes it over generic netlink
//! alone, and the daemon that usually does it is no part of the guests. Without
//! a mode a team passes no frame.

use std::io::Error;

use crate::genl::{attribute, request, text};

/// Which device, and what it is to be.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Interface index of the team device, which must not have ports yet.
    #[arg(long)]
    ifindex: u32,
    /// Mode, by its name in the kernel: activebackup, loadbalance, roundrobin, broadcast.
    #[arg(long)]
    mode: String,
}

/// linux/if_team.h: TEAM_CMD_OPTIONS_SET, and the attributes down to an option of type NLA_STRING.
const OPTIONS_SET: u8 = 1;
const TEAM_IFINDEX: u16 = 1;
const LIST_OPTION: u16 = 2;
const ITEM_OPTION: u16 = 1;
const OPTION_NAME: u16 = 1;
const OPTION_TYPE: u16 = 3;
const OPTION_DATA: u16 = 4;
const NLA_STRING: u8 = 5;

/// What the driver answers when the option is set and nobody listens to its events.
const ESRCH: i32 = 3;

/// Set the mode.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    set_mode(args.ifindex, &args.mode)
}

/// Sets the mode of the team device of this index.
pub(crate) fn set_mode(ifindex: u32, mode: &str) -> anyhow::Result<()> {
    let option = [
        attribute(OPTION_NAME, &text("mode")),
        attribute(OPTION_TYPE, &[NLA_STRING]),
        attribute(OPTION_DATA, &text(mode)),
    ]
    .concat();
    let body = [
        attribute(TEAM_IFINDEX, &ifindex.to_ne_bytes()),
        attribute(LIST_OPTION, &attribute(ITEM_OPTION, &option)),
    ]
    .concat();
    let unheard = |error: &anyhow::Error| {
        let code = error.downcast_ref().and_then(Error::raw_os_error);
        code == Some(ESRCH)
    };
    match request("team", OPTIONS_SET, &body) {
        Err(error) if !unheard(&error) => Err(error.context(format!("mode {mode}"))),
        _ => Ok(()),
    }
}
