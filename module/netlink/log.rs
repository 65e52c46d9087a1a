// SPDX-License-Identifier: GPL-2.0-only

//! What the kernel's log says of a cluster: what keeps clients from being served, once when it begins. Nobody may be
//! listening to events at night; the log is read in the morning.

use crate::cluster::context::Cluster;
use crate::kapi::log::{warn, warn_claim, warn_rule, warn_station};
use crate::l2::conflict::Claim;
use crate::nlb_core::genl::{EventKind, Health, OutReason, Stance};
use crate::nlb_core::mac::Mac;

/// Another station claims a VIP. Context: any.
pub(crate) fn conflict(cluster: &Cluster, claim: &Claim) {
    warn_claim(cluster.device(), claim.vip, &claim.mac);
}

/// A station keeps asking for a VIP. Context: any.
pub(crate) fn asker(cluster: &Cluster, mac: &Mac) {
    warn_station(
        cluster.device(),
        mac,
        "keeps asking for a VIP, though it is answered",
    );
}

/// Something happened to a cluster as a whole. Context: any.
pub(crate) fn cluster(cluster: &Cluster, kind: EventKind) {
    let text = match kind {
        EventKind::Starved => {
            "frames to the virtual MAC do not arrive, though heartbeats do: the switch withholds them"
        }
        EventKind::Delivered => "frames to the virtual MAC arrive again",
        EventKind::Unanswered => "no answer to ARP or ND questions for a VIP, though a member should give one",
        EventKind::Answered => "questions for all VIPs are answered again",
        EventKind::SetBack => "set back to an earlier state, as by a snapshot: this host begins anew",
        EventKind::SessionsFull => "the session table is full: new sessions are served, but not remembered",
        _ => return,
    };
    warn(cluster.device(), text);
}

/// This host is out. Context: any.
pub(crate) fn out(cluster: &Cluster, reason: OutReason) {
    let text = match reason {
        OutReason::DuplicateId => "out: another host has this id",
        OutReason::RulesDiffer => "out: other rules than the other hosts",
        OutReason::SettingsDiffer => "out: other settings than the other hosts",
        OutReason::VipMissing => "out: a VIP is missing",
        OutReason::InterfaceCut => "out: the interface is cut",
        OutReason::Version => "out: another version than the other hosts",
        OutReason::Key => "out: the other hosts do not know its key",
        OutReason::NoLink => "out: heartbeats pass one way only",
        OutReason::ServedElsewhere => {
            "out: another host serves the VIPs, and no heartbeat of it arrives: the switch withholds them"
        }
        OutReason::Flapping => "out: it came and went too often",
        // What passes by itself, or was wanted.
        OutReason::None
        | OutReason::Dead
        | OutReason::Left
        | OutReason::NotFresh
        | OutReason::Listening
        | OutReason::MapRefused => return,
        // An event of its own says more.
        OutReason::Starved => return,
    };
    warn(cluster.device(), text);
}

/// What is accepted of a rule, or of what no rule covers, is not answered. Context: any.
pub(crate) fn health(cluster: &Cluster, rule: Option<u16>, health: Health) {
    let text = match health {
        // Whoever has read of the trouble looks for himself.
        Health::Unknown | Health::Answers => return,
        Health::Silent => "clients are accepted and get no answer: look at firewall, return path and service",
        Health::Refuses => "clients are refused: no service listens",
        Health::Unasked => "clients are answered that the cluster did not accept: a program takes packets before it",
    };
    match rule {
        Some(rule) => warn_rule(cluster.device(), rule, text),
        None => warn(cluster.device(), text),
    }
}

/// This host gives a rule's buckets up, or takes them again. Context: any.
pub(crate) fn stance(cluster: &Cluster, rule: u16, stance: Stance) {
    let text = match stance {
        Stance::GaveUp => "given up to hosts whose clients get answers, if there are any",
        Stance::Takes => "served again",
        Stance::Tries => return,
    };
    warn_rule(cluster.device(), rule, text);
}
