// SPDX-License-Identifier: GPL-2.0-only

//! What a request for other settings says, checked attribute by attribute.

use crate::cluster::settings_change::SettingsChange;
use crate::kapi::genetlink::Request;
use crate::netlink::cluster_request::{echo, responder, timing, vips};
use crate::netlink::rule_request;
use kernel::c_str;
use kernel::prelude::*;

/// Reads what shall be otherwise. Context: process. Errors: as refused, or `ENOMEM`.
#[inline(never)]
pub(crate) fn read(request: &Request<'_>) -> Result<SettingsChange> {
    let (period_ms, tolerance) = timing(request)?;
    let vips = vips(request)?;
    let change = SettingsChange {
        vips: (!vips.is_empty()).then_some(vips),
        period_ms,
        tolerance,
        echo: echo(request)?,
        responder: responder(request)?,
        rules: rule_request::of_cluster(request)?.map(|it| (it.list, it.told)),
    };
    if change.is_empty() {
        return Err(request.refuse(
            EINVAL,
            c_str!(
                "no setting is told: VIPs, period, tolerance, echo, responder or rules are needed"
            ),
        ));
    }
    Ok(change)
}
