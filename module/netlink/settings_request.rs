// SPDX-License-Identifier: GPL-2.0-only

//! What a request for other settings says, checked attribute by attribute.

use crate::cluster::rules::RuleList;
use crate::cluster::settings_change::SettingsChange;
use crate::kapi::genetlink::Request;
use crate::netlink::cluster_request::{echo, responder, timing, vips};
use crate::netlink::rule_request::RuleRequest;
use crate::nlb_core::config::SlotSet;
use crate::nlb_core::genl::cluster;
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
        rules: rules(request)?,
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

/// The rules, if any are told, or that there shall be none.
fn rules(request: &Request<'_>) -> Result<Option<(RuleList, SlotSet)>> {
    if request.has(cluster::NO_RULES) {
        if request.has(cluster::RULE) {
            let text = c_str!("either there are no rules, or these are");
            return Err(request.refuse_at(cluster::NO_RULES, EINVAL, text));
        }
        return Ok(Some((RuleList::new()?, SlotSet::EMPTY)));
    }
    if !request.has(cluster::RULE) {
        return Ok(None);
    }
    let RuleRequest { list, told } = RuleRequest::read(request, cluster::RULE)?;
    Ok(Some((list, told)))
}
