// SPDX-License-Identifier: GPL-2.0-only

//! The golden packets: a table that a second implementation makes (`scripts/golden/table.py`), run against the core.

use super::common::table::{bytes, cluster, rules, table, Line};
use super::common::*;
use nlb_core::arp::{self, ArpVerdict};
use nlb_core::decide::{decide, Answer, Buckets, Tables, Verdict};
use nlb_core::filter::{Filter, NO_RULE};
use nlb_core::fragments::{recall, remember, Cells, FragmentKey};
use nlb_core::limits::BUCKET_WORDS;
use nlb_core::nd::{self, NdVerdict};
use nlb_core::packet::{Meta, Target, ETHERTYPE_ARP, SNAP_LEN};
use nlb_core::reason::Reason;
use nlb_core::rules::{FilteringMode, Rule};
use nlb_core::time::Instant;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// The NIC's own MAC in the table.
const OWN: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];

/// Ownership as a line of the table gives it.
struct Host {
    owner: Owner,
    /// Slots in which one host serves.
    single: Vec<bool>,
    moved: u64,
    others: u64,
    default: bool,
}

/// Which buckets a host owns.
#[derive(Clone, Copy)]
enum Owner {
    All,
    None,
    /// Those below half of them.
    Lower,
}

impl Host {
    fn parse(line: &Line<'_>, rules: &[Rule]) -> Host {
        let all = |flag: bool| if flag { u64::MAX } else { 0 };
        Host {
            owner: match line.need("owner") {
                "all" => Owner::All,
                "none" => Owner::None,
                "lower" => Owner::Lower,
                other => panic!("{}: owner={other}", line.name),
            },
            single: rules
                .iter()
                .map(|rule| rule.mode == FilteringMode::Single)
                .collect(),
            moved: all(line.flag("moved")),
            others: all(line.flag("others")),
            default: line.flag("default"),
        }
    }
}

impl Buckets for Host {
    fn mine(&self, slot: u16, word: u16) -> u64 {
        let single = self.single.get(usize::from(slot)) == Some(&true);
        let mine = match self.owner {
            _ if slot == DEFAULT_SLOT => self.default,
            Owner::Lower if single => self.default,
            Owner::Lower => usize::from(word) < BUCKET_WORDS / 2,
            Owner::All => true,
            Owner::None => false,
        };
        if mine {
            u64::MAX
        } else {
            0
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

fn nd_words(verdict: NdVerdict) -> String {
    let text = |action: &str, reason: Reason| format!("nd={action},{}", reason.name());
    match verdict {
        NdVerdict::Pass(reason) => text("pass", reason),
        NdVerdict::Drop(reason) => text("drop", reason),
        NdVerdict::Conflict { .. } => text("drop", Reason::NdConflict),
        NdVerdict::Reply { to, bytes } => {
            let frame = [&to[..], &OWN, &[0x86, 0xdd], &bytes].concat();
            let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{} reply={hex}", text("drop", Reason::NdReplied))
        }
    }
}

/// Where a host remembers first fragments.
struct Memory(Vec<Cell<u64>>);

impl Cells for Memory {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn load(&self, index: usize) -> u64 {
        self.0[index].get()
    }
    fn store(&self, index: usize, value: u64) {
        self.0[index].set(value);
    }
}

/// Some moment: all packets of a line arrive in it.
const NOW: Instant = Instant(1 << 40);

/// Judges frames that come one after the other; the verdict on the last one.
fn judge_after(filter: &Filter<Heap>, host: &Host, earlier: &[Vec<u8>], frame: &[u8]) -> String {
    let memory = Memory(vec![Cell::new(0); 64]);
    for frame in earlier {
        let (meta, l3) = receive(filter, frame);
        let accepted = match decide(filter, host, &meta, l3) {
            Verdict::Accept { fragment: true, .. } => true,
            Verdict::Drop { fragment: true, .. } => false,
            _ => continue,
        };
        if let Some(key) = FragmentKey::of(filter, l3) {
            remember(&memory, key, accepted, NOW);
        }
    }
    let (meta, l3) = receive(filter, frame);
    if let Verdict::Ask(question) = decide(filter, host, &meta, l3) {
        if question.tables == Tables::Fragments {
            let key = FragmentKey::of(filter, l3).expect("a fragment has a key");
            let answer = recall(&memory, key, NOW);
            if answer != Answer::Unknown {
                return words(question.resolve(answer));
            }
        }
    }
    judge(filter, host, frame)
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
    if verdict == Verdict::Neighbour {
        let from = frame[6..12].try_into().expect("a source");
        let verdict = nd::arrived(filter, host.is_default_host(), from, l3);
        return format!("{} {}", words(Verdict::Neighbour), nd_words(verdict));
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
            clusters.insert(line.name, (cluster(&line), rules(&line)));
            continue;
        }
        packets += 1;
        let (filter, rules) = &clusters[line.need("cluster")];
        let host = Host::parse(&line, rules);
        let earlier: Vec<_> = line.all("after").map(bytes).collect();
        let found = judge_after(filter, &host, &earlier, &bytes(line.need("frame")));
        let (_, expected) = text
            .split_once(" verdict=")
            .expect("a packet has a verdict");
        let expected = format!("verdict={expected}");
        reasons.extend(
            ["reason", "known", "unknown"]
                .iter()
                .filter_map(|key| line.get(key)),
        );
        reasons.extend(line.get("nd").and_then(|nd| nd.split(',').nth(1)));
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
    println!("{packets} of {packets} natively");
    assert!(packets >= 300, "the table has {packets} packets");
    let missing: Vec<&str> = Reason::ALL
        .iter()
        .map(|reason| reason.name())
        .filter(|name| !reasons.contains(name))
        .collect();
    // Those are not reached by one frame: a cookie needs a SYN before it, and what leaves is no frame
    // that arrives.
    assert_eq!(
        missing,
        [
            "passed-neighbour",
            "accepted-cookie",
            "arp-leak-dropped",
            "arp-leak-mended",
            "nd-leak-dropped",
            "nd-leak-mended",
            // Decided by hooks on other interfaces and on the way out, not by the core.
            "dropped-other-interface",
            "dropped-virtual-source",
            "probe-heard",
            "dropped-late-syn-ack",
            "dropped-not-in-force"
        ]
    );
}
