// SPDX-License-Identifier: GPL-2.0-only

//! What the core reads in a frame, in the words of tshark.

extern crate std;

use std::borrow::ToOwned;
use std::collections::BTreeMap;
use std::format;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::super::change::Change;
use super::super::heartbeat::Heartbeat;
use super::super::host::{HostId, HostSet};
use super::super::limits::TAG_LEN;
use super::super::mapframe::{next_input, Input, MapPart, MapRequest};
use super::super::residue::{parse_request, Residue};
use super::super::state::OutReason;
use super::super::wire::{Flags, Frame, GenId, Kind, Phase, Reader, HEADER_LEN};
use super::make::echoed;

/// The dissector's fields, in the order of the columns. Each is given by some frame.
pub(super) const FIELDS: &[&str] = &[
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

/// What the core reads in a frame, as tshark prints it: a field may be there several times.
#[derive(Default)]
pub(super) struct Row(pub(super) BTreeMap<&'static str, Vec<String>>);

impl Row {
    pub(super) fn text(&mut self, field: &str, value: impl ToString) {
        let name = FIELDS.iter().find(|name| **name == field);
        let name = name.unwrap_or_else(|| panic!("{field} is no column"));
        self.0.entry(name).or_default().push(value.to_string());
    }

    fn hex(&mut self, field: &str, value: u64) {
        self.text(field, format!("0x{value:016x}"));
    }

    pub(super) fn flag(&mut self, field: &str, value: bool) {
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
    pub(super) fn line(&self) -> String {
        let column = |name: &&str| self.0.get(*name).map_or(String::new(), |it| it.join(","));
        FIELDS.iter().map(column).collect::<Vec<_>>().join("\t")
    }
}

/// Reads a frame; what it is in words is the last part of its description.
pub(super) fn read(bytes: &[u8]) -> Row {
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
            parts.clone().fold(0, |bits, bit| bits | (1 << bit)),
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
pub(super) fn all_inputs(body: &[u8]) -> Option<Vec<Input<'_>>> {
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
        let present = words
            .iter()
            .fold(0, |bits, (number, _)| bits | (1 << number));
        row.hex("nlb.residue.words", present);
        for (_, word) in words {
            row.hex("nlb.residue.word", word);
        }
    }
    format!("of {} slots", residue.slots().count())
}
