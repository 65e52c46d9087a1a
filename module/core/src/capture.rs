// SPDX-License-Identifier: GPL-2.0-only

//! Frames of every kind for the test of the Wireshark dissector, with what the core reads in them.
//!
//! With `NLB_CAPTURE=DIR` the test writes there: `frames.pcap`, and `frames.expected`, which has the dissector's fields in
//! its first line and the values of each frame in the others; `mutants.pcap`, frames with faults, and `mutants.expected`,
//! which says of each whether the core refuses it; `others.pcap`, what is told apart from both (see [`others`]).

extern crate std;

use std::borrow::ToOwned;
use std::collections::BTreeMap;
use std::format;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::auth::{Authenticator, Verified};
use super::change::{self, Change, ChangeHead, Entry, Step};
use super::delivery::{probe_v4, probe_v6};
use super::heartbeat::{write_echo, write_list, write_said, write_weights, Heartbeat};
use super::host::{HostId, HostSet};
use super::limits::{ETHERTYPE, FRAME_MAX, HOSTS_MAX, SLOTS_MAX, TAG_LEN};
use super::mapframe::{
    next_input, write_input, Input, MapPart, MapRequest, PartSet, PARTS_MAX, PART_BUCKETS,
};
use super::peer::Said;
use super::residue::{parse_request, write_request, write_slot, Residue};
use super::state::{Cause, HostState, OutReason};
use super::wire::{seal, Flags, Frame, GenId, Header, Kind, Phase, Reader, Writer, HEADER_LEN};
use super::wrapped::{head_v4, head_v6};

/// The dissector's fields, in the order of the columns. Each is given by some frame.
const FIELDS: &[&str] = &[
    "_ws.col.info",
    "nlb.magic",
    "nlb.version",
    "nlb.version.min",
    "nlb.version.max",
    "nlb.kind",
    "nlb.key_id",
    "nlb.host",
    "nlb.cluster_id",
    "nlb.incarnation",
    "nlb.seq",
    "nlb.length",
    "nlb.flags",
    "nlb.flags.serving",
    "nlb.stamp",
    "nlb.tag",
    "nlb.unknown",
    "nlb.padding",
    "nlb.heartbeat.state",
    "nlb.heartbeat.out",
    "nlb.heartbeat.flags",
    "nlb.heartbeat.flags.listened",
    "nlb.heartbeat.flags.deficit",
    "nlb.heartbeat.flags.cut",
    "nlb.heartbeat.flags.vip_missing",
    "nlb.heartbeat.flags.draining",
    "nlb.heartbeat.flags.leaving",
    "nlb.heartbeat.flags.duplicate",
    "nlb.heartbeat.flags.segment_alive",
    "nlb.heartbeat.flags.idle",
    "nlb.heartbeat.flags.starved",
    "nlb.heartbeat.flags.health",
    "nlb.heartbeat.follows",
    "nlb.heartbeat.phase",
    "nlb.heartbeat.links",
    "nlb.heartbeat.links.host",
    "nlb.heartbeat.committed.number",
    "nlb.heartbeat.committed.leader",
    "nlb.heartbeat.committed.incarnation",
    "nlb.heartbeat.members",
    "nlb.heartbeat.members.host",
    "nlb.heartbeat.maps",
    "nlb.heartbeat.proposal.number",
    "nlb.heartbeat.proposal.leader",
    "nlb.heartbeat.proposal.incarnation",
    "nlb.heartbeat.settings",
    "nlb.heartbeat.rules",
    "nlb.heartbeat.staged_rules",
    "nlb.heartbeat.residue",
    "nlb.heartbeat.on_segment",
    "nlb.heartbeat.on_segment.host",
    "nlb.heartbeat.epoch",
    "nlb.heartbeat.weight",
    "nlb.heartbeat.staged_weight",
    "nlb.heartbeat.out_host",
    "nlb.heartbeat.out_host.reason",
    "nlb.heartbeat.dedicated",
    "nlb.heartbeat.dedicated6",
    "nlb.heartbeat.echo",
    "nlb.heartbeat.echo.incarnation",
    "nlb.heartbeat.echo.seq",
    "nlb.change.step",
    "nlb.change.number",
    "nlb.change.base.number",
    "nlb.change.base.leader",
    "nlb.change.base.incarnation",
    "nlb.change.base_maps",
    "nlb.change.maps",
    "nlb.change.rules",
    "nlb.change.cause",
    "nlb.change.about",
    "nlb.change.member",
    "nlb.change.member.incarnation",
    "nlb.change.member.epoch",
    "nlb.map.asked",
    "nlb.map.generation.number",
    "nlb.map.generation.leader",
    "nlb.map.generation.incarnation",
    "nlb.map.wants",
    "nlb.map.wants.weights",
    "nlb.map.missing",
    "nlb.map.missing.part",
    "nlb.map.part",
    "nlb.map.buckets",
    "nlb.map.owners",
    "nlb.inputs.host",
    "nlb.inputs.incarnation",
    "nlb.inputs.epoch",
    "nlb.inputs.idle",
    "nlb.inputs.weight",
    "nlb.inputs.staged_weight",
    "nlb.residue.rules",
    "nlb.residue.digest",
    "nlb.residue.slot",
    "nlb.residue.words",
    "nlb.residue.word",
    "nlb.residue.asked",
    "nlb.residue.asked.host",
    "nlb.wrap.flags",
    "nlb.wrap.needed",
];

/// The flags of a heartbeat by the names of the dissector.
const FLAGS: [(Flags, &str); 11] = [
    (Flags::LISTENED, "listened"),
    (Flags::DEFICIT, "deficit"),
    (Flags::CUT, "cut"),
    (Flags::VIP_MISSING, "vip_missing"),
    (Flags::DRAINING, "draining"),
    (Flags::LEAVING, "leaving"),
    (Flags::DUPLICATE, "duplicate"),
    (Flags::SEGMENT_ALIVE, "segment_alive"),
    (Flags::IDLE, "idle"),
    (Flags::STARVED, "starved"),
    (Flags::HEALTH, "health"),
];

/// Signs with something that only looks like a tag: the dissector has no key.
struct SomeKey(u8);

impl Authenticator for SomeKey {
    fn authenticated(&self) -> bool {
        self.0 != 0
    }

    fn key_id(&self) -> u8 {
        self.0
    }

    fn stamp(&self, key_id: u8, header: &[u8]) -> Option<u64> {
        let sum = |sum: u64, byte: &u8| sum.rotate_left(7) ^ u64::from(*byte);
        Some(if key_id == 0 {
            0
        } else {
            header.iter().fold(1, sum)
        })
    }

    fn sign(&self, key_id: u8, message: &[u8]) -> Option<[u8; TAG_LEN]> {
        let half = self.stamp(key_id, message)?;
        let tag = u128::from(half) << 64 | u128::from(!half);
        Some(if key_id == 0 {
            [0; TAG_LEN]
        } else {
            tag.to_be_bytes()
        })
    }

    fn verify(&self, _: u8, _: &[u8], _: &[u8; TAG_LEN]) -> Verified {
        Verified::UnknownKey
    }
}

/// Numbers that look random and are the same in each run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One below a bound.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    /// Few bits, as sets of hosts mostly have.
    fn sparse(&mut self) -> u64 {
        self.next() & self.next() & self.next()
    }

    fn host(&mut self) -> HostId {
        HostId::new(self.below(HOSTS_MAX) as u8 + 1).unwrap()
    }

    /// Some host ids, in ascending order.
    fn hosts(&mut self, most: usize) -> Vec<HostId> {
        let set = HostSet(self.next());
        let count = self.below(most + 1);
        set.iter().take(count).collect()
    }

    fn generation(&mut self) -> GenId {
        GenId {
            number: self.next() >> self.below(60),
            leader: self.byte() % 65,
            incarnation: self.next(),
        }
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let count = self.below(most + 1);
        (0..count).map(|_| self.byte()).collect()
    }
}

/// The incarnation that a host is echoed with.
fn echoed(host: HostId) -> u64 {
    0xec40_0000_0000_0000 | u64::from(host.get())
}

/// Writes the body of a frame of some kind; `number` chooses among the values of enumerations.
fn write_body(kind: Kind, number: usize, numbers: &mut Numbers, writer: &mut Writer<'_>) {
    match kind {
        Kind::Heartbeat => write_heartbeat(number, numbers, writer),
        Kind::Change => write_change(number, numbers, writer),
        Kind::MapRequest => {
            let mut parts = PartSet::EMPTY;
            for _ in 0..numbers.below(9) {
                parts.insert(numbers.below(PARTS_MAX));
            }
            let request = MapRequest {
                asked: numbers.host(),
                id: numbers.generation(),
                inputs: number % 2 == 1,
                parts,
            };
            request.write(writer);
        }
        Kind::MapPart => {
            let count = [0, 1, 7, PART_BUCKETS][number % 4];
            let owners: Vec<u8> = (0..count).map(|_| numbers.byte() % 65).collect();
            let part = MapPart {
                id: numbers.generation(),
                part: numbers.below(PARTS_MAX) as u16,
                owners: &owners,
            };
            part.write(writer);
        }
        Kind::Inputs => {
            let hosts = numbers.hosts(8);
            write_list(writer, hosts.into_iter(), |writer, host| {
                let input = Input {
                    host,
                    incarnation: numbers.next(),
                    epoch: numbers.next() as u32,
                    idle: numbers.below(2) == 1,
                    weights: &numbers.bytes(SLOTS_MAX.min(60)),
                    staged_weights: &numbers.bytes(9),
                };
                write_input(writer, input);
            });
        }
        Kind::Residue => {
            writer.u64(numbers.next());
            writer.u64(numbers.next());
            let count = numbers.below(4);
            writer.u8(count as u8);
            for _ in 0..count {
                let (slot, word) = (numbers.below(SLOTS_MAX) as u16, numbers.next());
                let (one, more) = (numbers.below(64), numbers.sparse());
                write_slot(writer, slot, |n| match more >> n & 1 {
                    _ if n == one => word,
                    1 => word.rotate_left(n as u32),
                    _ => 0,
                });
            }
        }
        Kind::ResidueRequest => write_request(writer, HostSet(numbers.sparse())),
    }
}

fn write_heartbeat(number: usize, numbers: &mut Numbers, writer: &mut Writer<'_>) {
    let said = Said {
        state: HostState::ALL[number % HostState::ALL.len()],
        out: OutReason::ALL[number % OutReason::ALL.len()],
        flags: Flags(numbers.next() as u16),
        follows: (number % 3 != 0).then(|| numbers.host()),
        phase: Phase::ALL[number % Phase::ALL.len()],
        links: HostSet(numbers.sparse()),
        committed: numbers.generation(),
        members: HostSet(numbers.sparse()),
        digest: numbers.next(),
        prepared: numbers.generation(),
        settings: numbers.next(),
        rules: numbers.next(),
        pending: numbers.next(),
        residue: numbers.next(),
        on_segment: HostSet(numbers.sparse()),
    };
    write_said(writer, &said);
    writer.u32(numbers.next() as u32);
    write_weights(writer, &numbers.bytes(SLOTS_MAX));
    write_weights(writer, &numbers.bytes(SLOTS_MAX));
    let outs = numbers.hosts(9);
    write_list(writer, outs.into_iter(), |writer, host| {
        writer.u8(host.get());
        writer.u8(OutReason::ALL[numbers.below(OutReason::ALL.len())] as u8);
    });
    let address: Vec<u8> = (0..[0, 4, 16][number % 3])
        .map(|_| numbers.byte())
        .collect();
    write_weights(writer, &address);
    let echoes = numbers.hosts(9);
    let echoes = echoes
        .into_iter()
        .map(|host| (host, echoed(host), numbers.next()));
    write_list(writer, echoes, write_echo);
}

fn write_change(number: usize, numbers: &mut Numbers, writer: &mut Writer<'_>) {
    let head = ChangeHead {
        step: Step::ALL[number % Step::ALL.len()],
        number: numbers.next() >> numbers.below(60) | 1,
        base: numbers.generation(),
        base_digest: numbers.next(),
        result: numbers.next(),
        rules: numbers.next(),
        cause: Cause::ALL[number % Cause::ALL.len()],
        about: (number % 3 != 0).then(|| numbers.host()),
    };
    let members = numbers.hosts(HOSTS_MAX);
    let entries = members.into_iter().map(|host| Entry {
        host,
        incarnation: numbers.next(),
        epoch: numbers.next() as u32,
    });
    change::write(writer, &head, entries);
}

/// A frame of some kind.
fn frame(kind: Kind, number: usize, numbers: &mut Numbers) -> Vec<u8> {
    let mut buf = [0; FRAME_MAX];
    let key = SomeKey([0, 1, 255][number % 3]);
    let header = Header {
        version: [1, 2][number % 2],
        versions: (1, [2, 7][number % 2]),
        kind: kind as u8,
        key_id: key.key_id(),
        host: numbers.host(),
        cluster_id: numbers.next(),
        incarnation: numbers.next() | 1,
        seq: numbers.next() >> numbers.below(60) | 1,
        serving: numbers.below(2) == 1,
    };
    let mut writer = Writer::new(&mut buf, HEADER_LEN);
    write_body(kind, number, numbers, &mut writer);
    // What a later version has added.
    if number % 4 == 3 {
        writer.bytes(&[0xee; 5]);
    }
    let end = writer.finish().expect("the body has room");
    let len = seal(&mut buf, end, &header, &key).expect("the frame has room");
    buf[..len].to_vec()
}

/// What the core reads in a frame, as tshark prints it: a field may be there several times.
#[derive(Default)]
struct Row(BTreeMap<&'static str, Vec<String>>);

impl Row {
    fn text(&mut self, field: &str, value: impl ToString) {
        let name = FIELDS.iter().find(|name| **name == field);
        let name = name.unwrap_or_else(|| panic!("{field} is no column"));
        self.0.entry(name).or_default().push(value.to_string());
    }

    fn hex(&mut self, field: &str, value: u64) {
        self.text(field, format!("0x{value:016x}"));
    }

    fn flag(&mut self, field: &str, value: bool) {
        self.text(field, if value { "True" } else { "False" });
    }

    fn raw(&mut self, field: &str, bytes: &[u8]) {
        let hex = bytes.iter().map(|byte| format!("{byte:02x}"));
        self.text(field, hex.collect::<String>());
    }

    fn generation(&mut self, field: &str, id: GenId) {
        self.text(&format!("{field}.number"), id.number);
        self.text(&format!("{field}.leader"), id.leader);
        self.hex(&format!("{field}.incarnation"), id.incarnation);
    }

    fn hosts(&mut self, field: &str, set: HostSet) {
        self.hex(field, set.0);
        for host in set.iter() {
            self.text(&format!("{field}.host"), host.get());
        }
    }

    fn weights(&mut self, field: &str, weights: &[u8]) {
        weights.iter().for_each(|weight| self.text(field, weight));
    }

    /// One line of columns.
    fn line(&self) -> String {
        let column = |name: &&str| self.0.get(*name).map_or(String::new(), |it| it.join(","));
        FIELDS.iter().map(column).collect::<Vec<_>>().join("\t")
    }
}

/// Reads a frame; what it is in words is the last part of its description.
fn read(bytes: &[u8]) -> Row {
    let mut row = Row::default();
    let frame = Frame::parse(bytes).expect("it is a frame");
    let header = frame.header;
    let kind = Kind::from_u8(header.kind).expect("its kind is known");
    row.text("nlb.magic", "nb");
    row.text("nlb.version", header.version);
    row.text("nlb.version.min", header.versions.0);
    row.text("nlb.version.max", header.versions.1);
    row.text("nlb.kind", header.kind);
    row.text("nlb.key_id", header.key_id);
    row.text("nlb.host", header.host.get());
    row.hex("nlb.cluster_id", header.cluster_id);
    row.hex("nlb.incarnation", header.incarnation);
    row.text("nlb.seq", header.seq);
    let body = frame.body();
    row.text("nlb.length", HEADER_LEN + body.len() + TAG_LEN);
    row.text("nlb.flags", format!("0x{:04x}", u16::from(header.serving)));
    row.flag("nlb.flags.serving", header.serving);
    let end = HEADER_LEN + body.len();
    row.hex(
        "nlb.stamp",
        u64::from_be_bytes(bytes[HEADER_LEN - 8..HEADER_LEN].try_into().unwrap()),
    );
    row.raw("nlb.tag", &bytes[end..end + TAG_LEN]);
    let words = match kind {
        Kind::Heartbeat => read_heartbeat(&mut row, body),
        Kind::Change => read_change(&mut row, body),
        Kind::MapRequest | Kind::MapPart => read_map(&mut row, kind, body),
        Kind::Inputs => read_inputs(&mut row, body),
        Kind::Residue => read_residue(&mut row, body),
        Kind::ResidueRequest => {
            row.hosts("nlb.residue.asked", parse_request(body).unwrap());
            String::new()
        }
    };
    if let Some(later) = body.strip_suffix(&[0xee; 5]) {
        assert!(later.len() + 5 == body.len());
        row.text("nlb.unknown", "ee".repeat(5));
    }
    let who = format!(
        "{}, host {}, sequence {}",
        kind.name(),
        header.host.get(),
        header.seq
    );
    let words = if words.is_empty() {
        who
    } else {
        format!("{who}: {words}")
    };
    row.text("_ws.col.info", words);
    row
}

fn read_heartbeat(row: &mut Row, body: &[u8]) -> String {
    let heartbeat = Heartbeat::parse(body).expect("it is a heartbeat");
    let said = heartbeat.said;
    let name = |name: &str| format!("nlb.heartbeat.{name}");
    row.text(&name("state"), said.state as u8);
    row.text(&name("out"), said.out as u8);
    row.text(&name("flags"), format!("0x{:04x}", said.flags.0));
    for (flag, word) in FLAGS {
        row.flag(&name(&format!("flags.{word}")), said.flags.has(flag));
    }
    row.text(&name("follows"), said.follows.map_or(0, HostId::get));
    row.text(&name("phase"), said.phase as u8);
    row.hosts(&name("links"), said.links);
    row.generation(&name("committed"), said.committed);
    row.hosts(&name("members"), said.members);
    row.hex(&name("maps"), said.digest);
    row.generation(&name("proposal"), said.prepared);
    row.hex(&name("settings"), said.settings);
    row.hex(&name("rules"), said.rules);
    row.hex(&name("staged_rules"), said.pending);
    row.hex(&name("residue"), said.residue);
    row.hosts(&name("on_segment"), said.on_segment);
    row.text(&name("epoch"), heartbeat.epoch);
    row.weights(&name("weight"), heartbeat.weights);
    row.weights(&name("staged_weight"), heartbeat.staged_weights);
    for host in HostSet(u64::MAX).iter() {
        if let Some(reason) = heartbeat.out_of(host) {
            row.text(&name("out_host"), host.get());
            row.text(&name("out_host.reason"), reason as u8);
        }
    }
    match *heartbeat.dedicated.as_bytes() {
        [a, b, c, d] => row.text(&name("dedicated"), Ipv4Addr::new(a, b, c, d)),
        ref bytes => {
            if let Ok(bytes) = <[u8; 16]>::try_from(bytes) {
                row.text(&name("dedicated6"), Ipv6Addr::from(bytes));
            }
        }
    }
    for host in HostSet(u64::MAX).iter() {
        if let Some(seq) = heartbeat.echo_of(host, echoed(host)) {
            row.text(&name("echo"), host.get());
            row.hex(&name("echo.incarnation"), echoed(host));
            row.text(&name("echo.seq"), seq);
        }
    }
    let mut words = vec![said.state.name().to_owned()];
    if said.out != OutReason::None {
        words.push(format!("out: {}", said.out.name()));
    }
    words.push(format!("generation {}", said.committed.number));
    words.extend(said.follows.map(|host| format!("follows {}", host.get())));
    if said.phase != Phase::Idle {
        words.push(said.phase.name().to_owned());
    }
    words.join(", ")
}

fn read_change(row: &mut Row, body: &[u8]) -> String {
    let change = Change::parse(body).expect("it is a change");
    let head = change.head;
    row.text("nlb.change.step", head.step as u8);
    row.text("nlb.change.number", head.number);
    row.generation("nlb.change.base", head.base);
    row.hex("nlb.change.base_maps", head.base_digest);
    row.hex("nlb.change.maps", head.result);
    row.hex("nlb.change.rules", head.rules);
    row.text("nlb.change.cause", head.cause as u8);
    row.text("nlb.change.about", head.about.map_or(0, HostId::get));
    for entry in change.entries() {
        row.text("nlb.change.member", entry.host.get());
        row.hex("nlb.change.member.incarnation", entry.incarnation);
        row.text("nlb.change.member.epoch", entry.epoch);
    }
    let words = format!(
        "{} generation {}, {}",
        head.step.name(),
        head.number,
        head.cause.name()
    );
    match head.about {
        Some(host) => format!("{words} of host {}", host.get()),
        None => words,
    }
}

fn read_map(row: &mut Row, kind: Kind, body: &[u8]) -> String {
    if kind == Kind::MapPart {
        let part = MapPart::parse(body).expect("it is a part");
        row.generation("nlb.map.generation", part.id);
        row.text("nlb.map.part", part.part);
        row.text("nlb.map.buckets", part.owners.len());
        if !part.owners.is_empty() {
            row.raw("nlb.map.owners", part.owners);
        }
        return format!("generation {}, part {}", part.id.number, part.part);
    }
    let request = MapRequest::parse(body).expect("it is a request");
    row.text("nlb.map.asked", request.asked.get());
    row.generation("nlb.map.generation", request.id);
    row.text(
        "nlb.map.wants",
        format!("0x{:02x}", u8::from(request.inputs)),
    );
    row.flag("nlb.map.wants.weights", request.inputs);
    for word in 0..5 {
        let parts = (0..64).filter(|bit| request.parts.contains(64 * word + bit));
        row.hex(
            "nlb.map.missing",
            parts.clone().fold(0, |bits, bit| bits | 1 << bit),
        );
        parts.for_each(|bit| row.text("nlb.map.missing.part", 64 * word + bit));
    }
    format!(
        "generation {}, of host {}",
        request.id.number,
        request.asked.get()
    )
}

/// The elements of a frame of weights; nothing if one is not there as a whole.
fn all_inputs(body: &[u8]) -> Option<Vec<Input<'_>>> {
    let mut reader = Reader::new(body);
    let count = reader.u8()?;
    (0..count).map(|_| next_input(&mut reader)).collect()
}

fn read_inputs(row: &mut Row, body: &[u8]) -> String {
    let inputs = all_inputs(body).expect("they are weights");
    for input in &inputs {
        row.text("nlb.inputs.host", input.host.get());
        row.hex("nlb.inputs.incarnation", input.incarnation);
        row.text("nlb.inputs.epoch", input.epoch);
        row.flag("nlb.inputs.idle", input.idle);
        row.weights("nlb.inputs.weight", input.weights);
        row.weights("nlb.inputs.staged_weight", input.staged_weights);
    }
    format!("of {} hosts", inputs.len())
}

fn read_residue(row: &mut Row, body: &[u8]) -> String {
    let residue = Residue::parse(body).expect("it is residue");
    row.hex("nlb.residue.rules", residue.rules);
    row.hex("nlb.residue.digest", residue.digest);
    for slot in residue.slots() {
        row.text("nlb.residue.slot", slot.slot);
        let words: Vec<_> = slot.words().filter(|(_, word)| *word != 0).collect();
        let present = words.iter().fold(0, |bits, (number, _)| bits | 1 << number);
        row.hex("nlb.residue.words", present);
        for (_, word) in words {
            row.hex("nlb.residue.word", word);
        }
    }
    format!("of {} slots", residue.slots().count())
}

/// Whether the core takes a frame for one, its body included. Kinds of later versions have any body.
fn is_right(bytes: &[u8]) -> bool {
    let Ok(frame) = Frame::parse(bytes) else {
        return false;
    };
    let body = frame.body();
    match Kind::from_u8(frame.header.kind) {
        None => true,
        Some(Kind::Heartbeat) => Heartbeat::parse(body).is_some(),
        Some(Kind::Change) => Change::parse(body).is_some(),
        Some(Kind::MapRequest) => MapRequest::parse(body).is_some(),
        Some(Kind::MapPart) => MapPart::parse(body).is_some(),
        Some(Kind::Inputs) => all_inputs(body).is_some(),
        Some(Kind::Residue) => Residue::parse(body).is_some(),
        Some(Kind::ResidueRequest) => parse_request(body).is_some(),
    }
}

/// A capture of an Ethernet interface, as tcpdump writes it.
struct Capture(Vec<u8>);

impl Capture {
    fn new() -> Self {
        let mut bytes = vec![];
        for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 0xffff, 1] {
            bytes.extend(word.to_le_bytes());
        }
        Capture(bytes)
    }

    /// Adds a frame of which the capture has `kept` bytes.
    fn add_cut(&mut self, ethertype: u16, part: &[u8], kept: u32) {
        let at = self.0.len();
        self.add(ethertype, &[part]);
        self.0.truncate(at + 16 + kept as usize);
        self.0[at + 8..at + 12].copy_from_slice(&kept.to_le_bytes());
    }

    fn add(&mut self, ethertype: u16, parts: &[&[u8]]) {
        let to = [0x03, 0xbf, 192, 0, 2, 10];
        let from = [0x52, 0x54, 0, 0, 0, 1];
        let mut frame = [&to[..], &from, &ethertype.to_be_bytes()].concat();
        parts.iter().for_each(|part| frame.extend(*part));
        let len = u32::try_from(frame.len()).unwrap();
        for word in [0, 0, len, len] {
            self.0.extend(word.to_le_bytes());
        }
        self.0.extend(frame);
    }
}

const V4: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 10)];
const V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10),
];

/// Puts a frame into a capture in one of the ways that frames travel.
fn carry(capture: &mut Capture, row: &mut Row, way: usize, frame: &[u8]) {
    let flags = |row: &mut Row, needed: bool| {
        row.text("nlb.wrap.flags", format!("0x{:02x}", u8::from(needed)));
        row.flag("nlb.wrap.needed", needed);
    };
    match way {
        1 => {
            let head = head_v4(V4[0], V4[1], frame.len(), true).unwrap();
            flags(row, true);
            capture.add(0x0800, &[&head, frame]);
        }
        2 => {
            let head = head_v6(V6[0], V6[1], frame.len(), false).unwrap();
            flags(row, false);
            capture.add(0x86dd, &[&head, frame]);
        }
        3 => capture.add(0x0800, &[&datagram(frame), frame]),
        // In a VLAN, and with the padding of a short frame.
        4 => {
            let inner = ETHERTYPE.to_be_bytes();
            row.text("nlb.padding", "000000");
            capture.add(0x8100, &[&[0, 7], &inner, frame, &[0; 3]]);
        }
        _ => capture.add(ETHERTYPE, &[frame]),
    }
}

/// The IPv4 and UDP headers of a frame that a relay carries.
fn datagram(frame: &[u8]) -> Vec<u8> {
    let udp = 8 + u16::try_from(frame.len()).unwrap();
    let [total, len] = [udp + 20, udp].map(u16::to_be_bytes);
    let mut head = vec![0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, 17, 0, 0];
    head.extend(V4[0].octets());
    head.extend(V4[1].octets());
    head.extend([0x1f, 0x0a, 0x1f, 0x0a, len[0], len[1], 0, 0]);
    head
}

/// A frame with a fault or two, mostly: a byte changed, the end cut off, another length.
fn mutate(frame: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    for _ in 0..=numbers.below(2) {
        match numbers.below(4) {
            0 => bytes.truncate(2 + numbers.below(bytes.len() - 1)),
            1 if bytes.len() > 34 => {
                // A frame that is whole as far as its length says: the body is short.
                let keep = (HEADER_LEN + numbers.below(120)).min(bytes.len());
                bytes.truncate(keep);
                bytes.extend([0; TAG_LEN]);
                let len = u16::try_from(bytes.len()).unwrap().to_be_bytes();
                bytes[32..34].copy_from_slice(&len);
            }
            _ if bytes.len() > 2 => {
                let at = 2 + numbers.below(bytes.len() - 2);
                let values = [0, 1, 65, 66, 0xff, numbers.byte()];
                bytes[at] = values[numbers.below(values.len())];
            }
            _ => {}
        }
    }
    bytes
}

/// In this order: a frame that the capture cuts short; a wrapped frame that a router has passed on; what is wrapped and no
/// frame; another user's packet of the same IP protocol; a probe that a router has passed on; another user's frame of the
/// same EtherType.
fn others() -> Capture {
    let frame = frame(Kind::Heartbeat, 1, &mut Numbers(3));
    let routed = |packet: &[u8]| {
        let mut packet = packet.to_vec();
        packet[8] = 63;
        packet
    };
    let mut capture = Capture::new();
    capture.add_cut(ETHERTYPE, &frame, 100);
    let head = head_v4(V4[0], V4[1], frame.len(), false).unwrap();
    capture.add(0x0800, &[&routed(&head), &frame]);
    let head = head_v4(V4[0], V4[1], 5, false).unwrap();
    capture.add(0x0800, &[&head, b"other"]);
    capture.add(0x0800, &[&head[..head.len() - 8], b"any bytes at all"]);
    capture.add(0x0800, &[&routed(&probe_v4(V4[0], V4[1]))]);
    capture.add(ETHERTYPE, &[&[0x55; 60]]);
    capture
}

/// Frames of each kind, enough that every value of every enumeration is in one.
fn all_frames() -> Vec<Vec<u8>> {
    let mut numbers = Numbers(1);
    let kinds = Kind::ALL.iter();
    let each = kinds.flat_map(|kind| (0..36).map(move |number| (*kind, number)));
    each.map(|(kind, number)| frame(kind, number, &mut numbers))
        .collect()
}

#[test]
fn every_field_of_the_dissector_has_values_that_the_core_reads() {
    let mut capture = Capture::new();
    let mut rows = Vec::new();
    for (number, frame) in all_frames().iter().enumerate() {
        let mut row = read(frame);
        carry(&mut capture, &mut row, number % 5, frame);
        rows.push(row);
    }
    for (ethertype, probe) in [
        (0x0800, probe_v4(V4[0], V4[1]).to_vec()),
        (0x86dd, probe_v6(V6[0], V6[1]).to_vec()),
    ] {
        let mut row = Row::default();
        row.text("_ws.col.info", "probe of delivery");
        capture.add(ethertype, &[&probe]);
        rows.push(row);
    }
    for name in FIELDS {
        let values = rows.iter().filter_map(|row| row.0.get(name)).count();
        assert!(values > 0, "{name} is in no frame");
    }
    let mut mutants = Capture::new();
    let mut verdicts = Vec::new();
    let mut numbers = Numbers(2);
    for frame in all_frames() {
        for _ in 0..16 {
            let mutant = mutate(&frame, &mut numbers);
            mutants.add(ETHERTYPE, &[&mutant]);
            verdicts.push(if is_right(&mutant) {
                "right"
            } else {
                "malformed"
            });
        }
    }
    let right = verdicts
        .iter()
        .filter(|verdict| **verdict == "right")
        .count();
    assert!(
        right > 500 && verdicts.len() - right > 500,
        "{right} of {}",
        verdicts.len()
    );
    let Some(directory) = std::env::var_os("NLB_CAPTURE") else {
        return;
    };
    let directory = std::path::Path::new(&directory);
    let lines = |lines: Vec<String>| lines.join("\n") + "\n";
    let mut table = vec![FIELDS.join("\t")];
    table.extend(rows.iter().map(Row::line));
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(directory.join(name), bytes).expect("the directory can be written to");
    };
    write("frames.pcap", &capture.0);
    write("frames.expected", lines(table).as_bytes());
    write("others.pcap", &others().0);
    write("mutants.pcap", &mutants.0);
    write(
        "mutants.expected",
        lines(verdicts.iter().map(ToString::to_string).collect()).as_bytes(),
    );
}
