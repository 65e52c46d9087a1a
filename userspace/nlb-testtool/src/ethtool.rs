// SPDX-License-Identifier: GPL-2.0-only
//! Switches features of devices, as `ethtool -K` does.

use anyhow::{Context, Result};

use crate::genl::{attribute, request, text};

/// linux/ethtool_netlink_generated.h: ETHTOOL_MSG_FEATURES_SET, and the attributes down to one bit.
const FEATURES_SET: u8 = 12;
const HEADER: u16 = 1;
const DEV_INDEX: u16 = 1;
const WANTED: u16 = 3;
const BITS: u16 = 3;
const BIT: u16 = 1;
const BIT_NAME: u16 = 2;
const BIT_VALUE: u16 = 3;

/// In an attribute's type: it holds attributes.
const NESTED: u16 = 0x8000;

/// Wants a feature, by its name in the kernel, on or off. Errors: the kernel's; a driver that does not let it be switched
/// is none.
pub(crate) fn set_feature(index: u32, name: &str, on: bool) -> Result<()> {
    let nest = |kind: u16, inside: &[u8]| attribute(kind | NESTED, inside);
    let mut bit = attribute(BIT_NAME, &text(name));
    if on {
        bit.extend(attribute(BIT_VALUE, &[]));
    }
    let header = nest(HEADER, &attribute(DEV_INDEX, &index.to_ne_bytes()));
    let wanted = nest(WANTED, &nest(BITS, &nest(BIT, &bit)));
    request("ethtool", FEATURES_SET, &[header, wanted].concat())
        .with_context(|| format!("feature {name}"))
}
