// SPDX-License-Identifier: GPL-2.0-only

//! The golden packets: a table that a second implementation makes (`scripts/golden/table.py`), run against the core.

mod common;

use common::table::{bytes, cluster, table, Line};
use common::*;
use nlb_core::arp::{self, ArpVerdict};
use nlb_core::decide::{decide, Answer, Buckets, Verdict};
use nlb_core::filter::{Filter, NO_RULE};
use nlb_core::packet::{Meta, Target, ETHERTYPE_ARP, SNAP_LEN};
use nlb_core::reason::Reason;
use std::collections::{BTreeMap, BTreeSet};

/// The NIC's own MAC in the table.
const OWN: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];

/// Ownership as a line of the table gives it.
struct Host {
    mine: u64,
    moved: u64,
    others: u64,
    default: bool,
}

impl Host {
    fn parse(line: &Line<'_>) -> Host {
        let all = |flag: bool| if flag { u64::MAX } else { 0 };
        Host {
            mine: match line.need("owner") {
                "all" => u64::MAX,
                "even" => 0x5555_5555_5555_5555,
                _ => 0,
            },
            moved: all(line.flag("moved")),
            others: all(line.flag("others")),
            default: line.flag("default"),
        }
    }
}

impl Buckets for Host {
    fn mine(&self, slot: u16, _word: u16) -> u64 {
        match (slot, self.default) {
            (DEFAULT_SLOT, true) => u64::MAX,
            (DEFAULT_SLOT, false) => 0,
            _ => self.mine,
        }
    }
    fn moved(&self, _slot: u16, _word: u16) -> u64 {
        self.moved
    }
    fn others(&self, _slot: u16, _word: u16) -> u64 {
        self.others
    }
    fn is_default_host(&self) -> bool {
        self.default
    }
}

/// What a driver tells of a frame, and its bytes from the network header on.
fn receive<'a>(filter: &Filter<Heap>, frame: &'a [u8]) -> (Meta, &'a [u8]) {
    let to: [u8; 6] = frame[..6].try_into().expect("a destination");
    let ethertype = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    let vlan = ethertype(12) == 0x8100;
    let header = if vlan { 18 } else { 14 };
    let l3 = &frame[header..];
    let target = match to {
        OWN => Target::Host,
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] => Target::Broadcast,
        [first, ..] if first & 1 != 0 => Target::Multicast,
        _ => Target::OtherHost,
    };
    let meta = Meta {
        ethertype: ethertype(header - 2),
        vlan,
        dst_is_virtual_mac: filter.is_virtual_mac(&to),
        target,
        merged: false,
        len: u32::try_from(l3.len()).expect("a frame is short"),
    };
    (meta, l3)
}

/// A verdict in the words of the table.
fn words(verdict: Verdict) -> String {
    let number = |rule: u8| {
        if rule == NO_RULE {
            "-".to_string()
        } else {
            rule.to_string()
        }
    };
    match verdict {
        Verdict::Pass(reason) => format!("verdict=pass reason={} rule=-", reason.name()),
        Verdict::Accept { reason, rule, .. } => {
            format!(
                "verdict=accept reason={} rule={}",
                reason.name(),
                number(rule)
            )
        }
        Verdict::Drop { reason, rule, .. } => {
            format!(
                "verdict=drop reason={} rule={}",
                reason.name(),
                number(rule)
            )
        }
        Verdict::Ask(question) => {
            let after = |answer| {
                question
                    .resolve(answer)
                    .reason()
                    .expect("an answer settles it")
                    .name()
            };
            let (known, unknown) = (after(Answer::Known), after(Answer::Unknown));
            format!(
                "verdict=ask reason=- rule={} known={known} unknown={unknown}",
                number(question.rule)
            )
        }
        Verdict::Neighbour => "verdict=neighbour reason=- rule=-".to_string(),
        Verdict::Short => "verdict=short reason=- rule=-".to_string(),
    }
}

fn arp_words(verdict: ArpVerdict) -> String {
    match verdict {
        ArpVerdict::Pass(reason) => format!("verdict=pass reason={} rule=-", reason.name()),
        ArpVerdict::Drop(reason) => format!("verdict=drop reason={} rule=-", reason.name()),
        ArpVerdict::Conflict { .. } => {
            format!("verdict=drop reason={} rule=-", Reason::ArpConflict.name())
        }
        ArpVerdict::Reply { to, bytes } => {
            let frame = [&to[..], &OWN, &[8, 6], &bytes].concat();
            let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
            format!(
                "verdict=drop reason={} rule=- reply={hex}",
                Reason::ArpReplied.name()
            )
        }
    }
}

fn judge(filter: &Filter<Heap>, host: &Host, frame: &[u8]) -> String {
    let (meta, l3) = receive(filter, frame);
    if meta.ethertype == ETHERTYPE_ARP {
        return arp_words(arp::arrived(filter, host.is_default_host(), l3));
    }
    let verdict = decide(filter, host, &meta, l3);
    // A caller that has fewer bytes in one piece comes to the same verdict, or is told to bring more.
    for linear in 0..l3.len().min(SNAP_LEN) {
        let partial = decide(filter, host, &meta, &l3[..linear]);
        assert!(
            partial == verdict || partial == Verdict::Short,
            "{linear} bytes: {partial:?}, all: {verdict:?}"
        );
    }
    words(verdict)
}

#[test]
fn the_core_judges_as_the_table_says() {
    let table = table();
    let mut clusters = BTreeMap::new();
    let (mut packets, mut wrong) = (0, Vec::new());
    let mut reasons = BTreeSet::new();
    for text in table.lines() {
        let line = Line::parse(text);
        if text.starts_with("cluster ") {
            clusters.insert(line.name, cluster(&line));
            continue;
        }
        packets += 1;
        let filter = &clusters[line.need("cluster")];
        let found = judge(filter, &Host::parse(&line), &bytes(line.need("frame")));
        let (_, expected) = text
            .split_once(" verdict=")
            .expect("a packet has a verdict");
        let expected = format!("verdict={expected}");
        reasons.extend(
            ["reason", "known", "unknown"]
                .iter()
                .filter_map(|key| line.get(key)),
        );
        if found != expected {
            wrong.push(format!(
                "{}\n  table: {expected}\n  core:  {found}",
                line.name
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {packets} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(packets >= 300, "the table has {packets} packets");
    let missing: Vec<&str> = Reason::ALL
        .iter()
        .map(|reason| reason.name())
        .filter(|name| !name.starts_with("nd-") && !reasons.contains(name))
        .collect();
    // Those are not reached by one frame: a cookie needs a SYN before it, a dropped fragment its first one,
    // and what leaves is no frame that arrives.
    assert_eq!(
        missing,
        [
            "passed-neighbour",
            "accepted-cookie",
            "dropped-fragment",
            "arp-leak-dropped",
            "arp-leak-mended",
            // Decided by hooks on other interfaces and on the way out, not by the core.
            "dropped-other-interface",
            "dropped-virtual-source",
            "probe-heard"
        ]
    );
}
