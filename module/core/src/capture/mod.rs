// SPDX-License-Identifier: GPL-2.0-only

//! Frames of every kind for the test of the Wireshark dissector, with what the core reads in them.
//!
//! With `NLB_CAPTURE=DIR` the test writes there: `frames.pcap`, and `frames.expected`, which has the dissector's fields in
//! its first line and the values of each frame in the others; `mutants.pcap`, frames with faults, and `mutants.expected`,
//! which says of each whether the core refuses it; `others.pcap`, what is told apart from both (see [`others`]).

extern crate std;

mod make;
mod pcap;
mod row;

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use self::make::{frame, Numbers};
use self::pcap::{carry, Capture, V4, V6};
use self::row::{all_inputs, read, Row, FIELDS};
use super::change::Change;
use super::delivery::{probe_v4, probe_v6};
use super::heartbeat::Heartbeat;
use super::limits::{ETHERTYPE, TAG_LEN};
use super::mapframe::{MapPart, MapRequest};
use super::residue::{parse_request, Residue};
use super::wire::{Frame, Kind, HEADER_LEN};
use super::wrapped::head_v4;

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
