// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm ip2mac`

use nlb_core::{
    genl::Mode,
    mac::{igmp_group, virtual_mac},
};

use crate::{
    cli::Ip2mac,
    output::{macs::MacsShape, text::mac},
};

/// What a primary VIP resolves to in each mode; needs no cluster.
pub(crate) fn run(args: &Ip2mac) -> MacsShape {
    let of = |mode| mac(virtual_mac(mode, args.address));
    MacsShape {
        address: args.address,
        unicast: of(Mode::Unicast),
        multicast: of(Mode::Multicast),
        igmp: of(Mode::Igmp),
        igmp_group: igmp_group(args.address),
    }
}
