// SPDX-License-Identifier: GPL-2.0-only

//! Samples of each system, compared with files under `snapshots/`; what is written is a file that `nlbadm check` takes.

use std::path::Path;

use super::{Format, Kind, decode, guess, read, write};
use crate::config::Config;

/// Samples, each with its system and the number of its clusters.
const SAMPLES: [(&str, Format, &str, usize); 10] = [
    (
        "balanced.crm",
        Format::Pacemaker,
        include_str!("samples/balanced.crm"),
        1,
    ),
    (
        "failover.crm",
        Format::Pacemaker,
        include_str!("samples/failover.crm"),
        2,
    ),
    (
        "cib.xml",
        Format::Pacemaker,
        include_str!("samples/cib.xml"),
        1,
    ),
    (
        "failover.conf",
        Format::Keepalived,
        include_str!("samples/failover.conf"),
        1,
    ),
    (
        "director.conf",
        Format::Keepalived,
        include_str!("samples/director.conf"),
        1,
    ),
    (
        "several.conf",
        Format::Keepalived,
        include_str!("samples/several.conf"),
        2,
    ),
    (
        "params.txt",
        Format::Windows,
        include_str!("samples/params.txt"),
        1,
    ),
    (
        "display.txt",
        Format::Windows,
        include_str!("samples/display.txt"),
        1,
    ),
    (
        "powershell.txt",
        Format::Windows,
        include_str!("samples/powershell.txt"),
        1,
    ),
    // As short as can be.
    (
        "plain.conf",
        Format::Keepalived,
        "vrrp_instance a {\n  interface eth0\n  virtual_ipaddress {\n    192.0.2.1\n  }\n}\n",
        1,
    ),
];

fn files(name: &str, format: Format, text: &str) -> Vec<String> {
    let drafts = read(format, text).unwrap();
    drafts
        .iter()
        .map(|draft| write(draft, format, name).0)
        .collect()
}

#[test]
fn samples() {
    for (name, format, text, clusters) in SAMPLES {
        let files = files(name, format, text);
        assert_eq!(files.len(), clusters, "{name}");
        for (index, file) in files.iter().enumerate() {
            let config = Config::parse(Path::new("web.toml"), file.clone());
            assert!(config.is_ok(), "{name}: {:?}\n{file}", config.unwrap_err());
            insta::assert_snapshot!(format!("{name}-{index}"), file);
        }
    }
}

#[test]
fn systems_are_told_apart() {
    for (name, format, text, _) in SAMPLES {
        assert_eq!(guess(text), Ok(format), "{name}");
    }
    assert!(
        guess("[cluster]\nvips = []\n")
            .unwrap_err()
            .contains("--from")
    );
    let both = format!("{}{}", SAMPLES[0].2, SAMPLES[3].2);
    assert!(
        guess(&both)
            .unwrap_err()
            .contains("pacemaker and like keepalived")
    );
    let pcs = "  Resource: vip (class=ocf provider=heartbeat type=IPaddr2)\n";
    assert!(guess(pcs).unwrap_err().contains("pcs cluster cib"));
}

/// Notes of a kind as "line: text".
fn notes(format: Format, text: &str, kind: Kind) -> Vec<String> {
    let drafts = read(format, text).unwrap();
    let notes = drafts.iter().flat_map(|draft| draft.notes.sorted());
    let of_kind = notes.filter(|note| note.kind == kind);
    of_kind
        .map(|note| format!("{}{}", note.place(), note.text))
        .collect()
}

#[test]
fn unknown_words_are_told_with_their_line() {
    let unknown = |format, text: &str| notes(format, text, Kind::NotUnderstood).join("\n");
    let crm =
        "node web1\nprimitive v IPaddr2 params ip=192.0.2.1 \\\n  frob=1 \\\n nob\nwhat is this\n";
    let told = unknown(Format::Pacemaker, crm);
    for words in [
        "line 3: the parameter frob",
        "line 4: the word \"nob\"",
        "line 5: the statement \"what\"",
    ] {
        assert!(told.contains(words), "{told}");
    }
    let conf = "vrrp_instance a {\n interface eth0\n frob 1\n virtual_ipaddress {\n  192.0.2.1 nob\n  224.0.0.1\n }\n}\nfoo\n";
    let told = unknown(Format::Keepalived, conf);
    for words in [
        "line 3: \"frob\"",
        "line 5: \"nob\" of the address",
        "line 6: the address",
        "line 9: \"foo\"",
    ] {
        assert!(told.contains(words), "{told}");
    }
    let params = "HostPriority = 1\nClusterIPAddress = 192.0.2.1\nFrob = 1\nnob\n\nPortRules\nAll 80 80 TCP Most Eql None\n";
    let told = unknown(Format::Windows, params);
    for words in ["line 3: frob", "line 4: \"nob\"", "line 7: the port rule"] {
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn passwords_stay_where_they_are() {
    let file = files("k", Format::Keepalived, SAMPLES[3].2).concat();
    assert!(!file.contains("s3cret99"), "{file}");
}

#[test]
fn what_is_no_text_of_the_system_has_no_cluster() {
    for format in [Format::Pacemaker, Format::Keepalived, Format::Windows] {
        assert!(read(format, "").unwrap().is_empty());
        assert!(
            read(format, "a\nb = c\n{\n")
                .unwrap()
                .iter()
                .all(|it| it.vips.is_empty())
        );
    }
    assert!(
        read(Format::Pacemaker, "<cib")
            .unwrap_err()
            .starts_with("line 1: ")
    );
}

#[test]
fn fuzz_import() {
    let fuzz = nlb_fuzz::Fuzz::new("import").seeds(SAMPLES.map(|(_, _, text, _)| text));
    fuzz.inputs(3_000).run(|bytes| {
        let Ok(text) = decode(bytes) else {
            return 0;
        };
        let mut outcome = Vec::new();
        for format in [Format::Pacemaker, Format::Keepalived, Format::Windows] {
            let Ok(drafts) = read(format, &text) else {
                continue;
            };
            for draft in drafts {
                let (file, notes) = write(&draft, format, "input");
                let config = Config::parse(Path::new("web.toml"), file.clone());
                match &config {
                    Ok(config) => assert_eq!(config.vips(), draft.vips),
                    // The file says itself what keeps it from being right.
                    Err(failure) => {
                        let told = notes
                            .iter()
                            .any(|note| note.text.contains("`nlbadm check` does not take"));
                        assert!(told, "{failure}\n{file}");
                    }
                }
                assert!(
                    !file.contains(|c: char| c.is_control() && c != '\n'),
                    "{file:?}"
                );
                outcome.push((
                    config.is_ok(),
                    draft.vips.len(),
                    draft.hosts.len(),
                    notes.len(),
                ));
            }
        }
        nlb_fuzz::outcome(outcome)
    });
}
