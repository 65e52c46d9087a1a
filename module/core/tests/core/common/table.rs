// SPDX-License-Identifier: GPL-2.0-only

//! The golden packets: the table that a second implementation makes (`scripts/golden/table.py`).

use super::*;
use nlb_core::genl::Affinity;
use nlb_core::rules::{FilteringMode, HealthAction, Protocols, RuleState, Track};
use std::process::Command;

/// The table, made anew: python3 is all it needs.
pub fn table() -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/golden/table.py");
    let output = Command::new("python3")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(script)
        .output()
        .expect("python3 makes the golden packets");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("the table is text")
}

/// A line of the table: its name, and its fields by their keys.
pub struct Line<'a> {
    pub name: &'a str,
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Line<'a> {
    pub fn parse(text: &'a str) -> Line<'a> {
        let mut words = text.split(' ').skip(1);
        let name = words.next().expect("a line has a name");
        let fields = words
            .map(|word| word.split_once('=').expect("a field has a value"))
            .collect();
        Line { name, fields }
    }

    pub fn all(&self, key: &'a str) -> impl Iterator<Item = &'a str> + '_ {
        self.fields
            .iter()
            .filter(move |(other, _)| *other == key)
            .map(|(_, value)| *value)
    }

    pub fn get(&self, key: &'a str) -> Option<&'a str> {
        self.all(key).next()
    }

    pub fn need(&self, key: &'a str) -> &'a str {
        self.get(key)
            .unwrap_or_else(|| panic!("{} has no {key}", self.name))
    }

    pub fn flag(&self, key: &'a str) -> bool {
        match self.need(key) {
            "yes" => true,
            "no" => false,
            other => panic!("{}: {key}={other}", self.name),
        }
    }
}

fn rule(text: &str) -> Rule {
    let fields: Vec<&str> = text.split('/').collect();
    let [vip, protocols, ports, mode, affinity, p4, p6, track, state] = fields[..] else {
        panic!("a rule has nine fields: {text}");
    };
    let (first, last) = ports.split_once('-').expect("a range of ports");
    Rule {
        vip: (vip != "all").then(|| vip.parse().expect("a VIP")),
        protocols: match protocols {
            "tcp" => Protocols::Tcp,
            "udp" => Protocols::Udp,
            _ => Protocols::Both,
        },
        first_port: first.parse().expect("a port"),
        last_port: last.parse().expect("a port"),
        mode: match mode {
            "single" => FilteringMode::Single,
            "disabled" => FilteringMode::Disabled,
            _ => FilteringMode::Multiple,
        },
        affinity: Affinity::from_name(affinity).expect("an affinity"),
        prefix_v4: p4.parse().expect("a prefix length"),
        prefix_v6: p6.parse().expect("a prefix length"),
        track: match track {
            "on" => Track::On,
            "off" => Track::Off,
            _ => Track::Quic,
        },
        health: HealthAction::Report,
        state: if state == "disabled" {
            RuleState::Disabled
        } else {
            RuleState::Enabled
        },
    }
}

/// The rules of a cluster.
pub fn rules(line: &Line<'_>) -> Vec<Rule> {
    line.all("rule").map(rule).collect()
}

pub fn cluster(line: &Line<'_>) -> Filter<Heap> {
    let vips: Vec<IpAddr> = line
        .all("vip")
        .map(|vip| vip.parse().expect("a VIP"))
        .collect();
    let rules = rules(line);
    let seed: [u8; 16] = bytes(line.need("seed"))
        .try_into()
        .expect("a seed has 16 bytes");
    let echo = Echo::from_name(line.need("echo")).expect("a way with echo requests");
    let mode = Mode::from_name(line.need("mode")).expect("a mode");
    let spread_slot = line.need("spread").parse().unwrap_or(DEFAULT_SLOT);
    build(&Settings {
        seed: &seed,
        mode,
        echo,
        spread_slot,
        ..settings(&vips, &rules)
    })
}

pub fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("text"), 16).expect("hex"))
        .collect()
}
