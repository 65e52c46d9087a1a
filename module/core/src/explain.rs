// SPDX-License-Identifier: GPL-2.0-only

//! Who gets a flow, and why, step by step: rule, key, hash, bucket. For people (`nlbadm owner`), by the same
//! tables and the same hash as the packet path.

use super::decide::bucket;
use super::filter::{Filter, RuleEntry, Storage, NO_RULE};
use super::genl::{Affinity, Echo};
use super::judge::{entry_for_flow, hash};
use super::packet::{Address, Flow, PROTO_ICMP, PROTO_ICMPV6};

/// Where a flow falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Slot of the bucket map.
    pub slot: u16,
    /// Keyed hash of what the affinity looks at.
    pub hash: u64,
    /// Bucket: the owner of this bucket in the map of the slot serves the flow.
    pub bucket: u16,
}

/// The steps of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Number of the rule, if one covers the flow.
    pub rule: Option<u8>,
    /// What of the client is hashed.
    pub affinity: Affinity,
    /// Where the flow falls; `None` if no map decides (dropped on every host, or served on every host).
    pub place: Option<Place>,
    /// What decides, in words: lower case, joined by hyphens.
    pub why: &'static str,
}

/// Explains who gets a flow. Ports of protocols that have none are ignored; ICMP stands for echo requests.
#[must_use]
pub fn explain<S: Storage>(filter: &Filter<S>, flow: &Flow) -> Explanation {
    let (client, vip) = (Address::from(flow.client), Address::from(flow.vip));
    let entry = match (vip, client) {
        (Address::V4(word), Address::V4(_)) => filter.vip_v4(word),
        (Address::V6(words), Address::V6(_)) => filter.vip_v6(words),
        _ => None,
    };
    let Some(vip) = entry else {
        return nowhere(None, "not-a-vip");
    };
    if vip.is_guarded() {
        return nowhere(None, "vip-is-not-in-force");
    }
    if matches!(flow.protocol, PROTO_ICMP | PROTO_ICMPV6) {
        match filter.echo {
            Echo::All => return nowhere(None, "every-host-answers-echo"),
            Echo::Drop => return nowhere(None, "echo-is-dropped"),
            Echo::Hash => return placed(filter, &filter.spread, client, 0, "by-client-address"),
            Echo::DefaultHost => {}
        }
    }
    let (entry, port) = entry_for_flow(filter, vip, flow);
    if entry.is_disabled() {
        return nowhere(Some(entry), "rule-is-disabled");
    }
    let why = match entry.number {
        NO_RULE if entry.slot() == filter.uncovered().slot() => "default-host",
        NO_RULE => "by-client-address",
        _ => "by-rule",
    };
    placed(filter, entry, client, port, why)
}

/// Where a flow falls: the map and the bucket whose owner serves it. `None` if no map decides.
#[must_use]
pub fn place_of<S: Storage>(filter: &Filter<S>, flow: &Flow) -> Option<Place> {
    explain(filter, flow).place
}

fn nowhere(entry: Option<&RuleEntry>, why: &'static str) -> Explanation {
    Explanation {
        rule: entry
            .map(|entry| entry.number)
            .filter(|&number| number != NO_RULE),
        affinity: entry.map_or(Affinity::Single, affinity),
        place: None,
        why,
    }
}

fn placed<S>(
    filter: &Filter<S>,
    entry: &RuleEntry,
    client: Address,
    port: u16,
    why: &'static str,
) -> Explanation {
    let hash = hash(filter, entry, client, port);
    let place = Place {
        slot: entry.slot(),
        hash,
        bucket: bucket(hash),
    };
    Explanation {
        place: Some(place),
        ..nowhere(Some(entry), why)
    }
}

/// The affinity that an entry's masks stand for. A tunnel's ports have that of its data, which has no ports.
fn affinity(entry: &RuleEntry) -> Affinity {
    if entry.mask_port() != 0 {
        Affinity::None
    } else if entry.mask_v4 as u32 == u32::MAX && entry.mask_v6 == [u64::MAX; 2] {
        Affinity::Single
    } else {
        Affinity::Network
    }
}
