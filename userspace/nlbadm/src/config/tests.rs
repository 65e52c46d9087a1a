// SPDX-License-Identifier: GPL-2.0-only

//! Files that are right and, above all, files that are not.

use super::*;
use crate::failure::Exit;

fn parse(text: &str) -> Result<Config, Failure> {
    Config::parse(Path::new("/etc/nlb/web.toml"), text.into())
}

fn refusal(text: &str) -> String {
    let failure = parse(text).expect_err(text);
    assert_eq!(failure.exit, Exit::Usage);
    assert!(
        failure.message.starts_with("/etc/nlb/web.toml"),
        "{failure}"
    );
    assert!(!failure.message.contains('\n'), "{failure}");
    failure.message
}

/// A file that is right, with more below `[cluster]` (line 3), and more at its end (line 7 on).
fn file(cluster: &str, end: &str) -> String {
    format!(
        "[cluster]\nvips = [\"192.0.2.10\"]\n{cluster}\n[host.web1]\nid = 1\ninterface = \"eth1\"\n{end}"
    )
}

#[test]
fn the_example_says_what_its_comments_say() {
    let config = parse(EXAMPLE).unwrap();
    assert_eq!((config.name(), config.rules()), ("web", 3));
    assert_eq!(config.key(), Some(Path::new("/etc/nlb/web.key")));
    let [web1, web2] = config.hosts() else {
        panic!("{config:?}");
    };
    let [of_1, of_2] = [web1, web2].map(|host| config.settings(host));
    assert_eq!([&of_1.interface, &of_2.interface], ["eth1", "eth2"]);
    assert_eq!([of_1.sessions_max, of_2.sessions_max], [262_144, 1_000_000]);
    assert_eq!(of_2.dedicated, Dedicated::Is("192.0.2.2".parse().unwrap()));
    assert_eq!(
        [of_1.rules[0].weight, of_2.rules[0].weight],
        [Some(100), Some(50)]
    );
    assert_eq!(
        [of_1.rules[1].priority, of_2.rules[1].priority],
        [Some(2), Some(1)]
    );
}

/// What is written in the example with the value of its comment may be left out.
#[test]
fn the_defaults_of_the_example_are_those() {
    let bare = "[cluster]\nvips = [\"192.0.2.10\", \"2001:db8::10\"]\n[host.web1]\nid = 1\ninterface = \"eth1\"\n";
    let config = parse(bare).unwrap();
    let example = parse(EXAMPLE).unwrap();
    let with_rules = |config: &Config| Settings {
        rules: Vec::new(),
        ..config.settings(&config.hosts()[0])
    };
    assert_eq!(with_rules(&config), with_rules(&example));
    assert_eq!(config.key(), example.key());
    assert_eq!(config.hosts()[0].state(), InitialState::Started);
}

#[test]
fn every_key_is_in_the_example() {
    for table in keys::Table::ALL {
        for key in table.keys() {
            // Most of those of rules are in the example of these.
            let in_rules = table == keys::Table::Rule && crate::rulefile::EXAMPLE.contains(key);
            assert!(
                in_rules || EXAMPLE.contains(key),
                "{key} of {}",
                table.name()
            );
        }
    }
}

/// The page names each key in code font, and what it shows as a file is right.
#[test]
fn the_page_knows_every_key() {
    let page = include_str!("../../../../docs/configuration.md");
    for table in [keys::Table::Cluster, keys::Table::Host, keys::Table::Check] {
        let (_, rest) = page.split_once(&format!("### {}", table.name())).unwrap();
        let section = rest.split("\n##").next().unwrap();
        for key in table.keys() {
            let row = format!("| `{key}` |");
            assert!(section.contains(&row), "{key} of {}", table.name());
        }
    }
    let files: Vec<_> = page.split("```toml\n").skip(1).collect();
    assert!(!files.is_empty());
    for file in files {
        parse(file.split("```").next().unwrap()).unwrap();
    }
}

#[test]
fn no_rules_and_the_default_rule_are_told_apart() {
    let rules = |text: &str| {
        let config = parse(text).unwrap();
        let rules = config.settings(&config.hosts()[0]).rules;
        rules.iter().map(|new| new.rule).collect::<Vec<_>>()
    };
    assert_eq!(rules(&file("", "")), [Rule::all(Affinity::Single)]);
    assert_eq!(
        rules(&file("affinity = \"none\"", "")),
        [Rule::all(Affinity::None)]
    );
    assert_eq!(rules(&format!("rule = []\n{}", file("", ""))), []);
    assert_eq!(
        rules(&file("", "[[rule]]\n")),
        [Rule::all(Affinity::Single)]
    );
}

#[test]
fn unknown_keys_are_told_with_the_nearest_known_one() {
    for (text, words) in [
        (
            file("vip = 3", ""),
            "line 3 column 1: [cluster] has no key `vip`; did you mean `vips`?",
        ),
        (
            file("  perod = 3", ""),
            "line 3 column 3: [cluster] has no key `perod`; did you mean `period`?",
        ),
        (
            file("weight = 3", ""),
            "line 3 column 1: [cluster] has no key `weight`; it belongs into [host.NAME]",
        ),
        (file("ports = 3", ""), "it belongs into [[rule]]"),
        (file("host = 3", ""), "it stands outside of all tables"),
        (
            file("", "period = 3"),
            "line 7 column 1: [host.NAME] has no key `period`; it belongs into [cluster]",
        ),
        (file("", "wieght = 3"), "did you mean `weight`?"),
        (
            file("", "[[rule]]\nport = 80"),
            "line 8 column 1: [[rule]] has no key `port`; did you mean `ports`?",
        ),
        (
            file("", "[hosts.web2]"),
            "line 7 column 2: the file has no key `hosts`; did you mean `host`?",
        ),
        (
            file("", "[metrics]"),
            "the file has no key `metrics`; there are cluster, rule, host",
        ),
        (
            file("zzz = 1\naaa = 2", ""),
            "line 3 column 1: [cluster] has no key `zzz`; there are name, vips",
        ),
        (
            file(&format!("{} = 1", "k".repeat(9000)), ""),
            "has no key `kkkk",
        ),
    ] {
        let message = refusal(&text);
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn values_of_the_wrong_type_or_range_are_told_with_what_is_right() {
    for (text, words) in [
        (
            file("period = 200", ""),
            "line 3 column 10: invalid type: integer `200`, expected a time with a unit, in quotes, such as \"200ms\"",
        ),
        (file("period = \"200\"", ""), "line 3 column 10: \"200\": "),
        (
            file("period = \"9ms\"", ""),
            "a period is from 10ms to 10000ms",
        ),
        (
            file("tolerance = 2", ""),
            "line 3 column 13: 2 is out of range: write a number from 3 to 100",
        ),
        (
            file("tolerance = \"5\"", ""),
            "line 3 column 13: invalid type: string \"5\", expected a number from 3 to 100",
        ),
        (
            file("tolerance = 5.0", ""),
            "invalid type: floating point `5.0`, expected a number",
        ),
        (file("tolerance = -1", ""), "-1 is out of range"),
        (
            file("tolerance = 99999999999999999999", ""),
            "line 3 column 13: ",
        ),
        (
            file("mode = \"broadcast\"", ""),
            "\"broadcast\" is none of unicast, multicast, igmp",
        ),
        (
            file("mode = true", ""),
            "invalid type: boolean `true`, expected a word in quotes",
        ),
        (
            file("echo = \"nobody\"", ""),
            "is none of default-host, all, hash, drop",
        ),
        (
            file("responder = \"hash\"", ""),
            "is none of default-host, all",
        ),
        (
            file("affinity = \"class-c\"", ""),
            "is none of none, single, network",
        ),
        (file("virtual-mac = \"1:2\"", ""), "a MAC is six bytes"),
        (
            file("virtual-mac = \"02:bf:00:00:00:01\"", ""),
            "line 3 column 15: in multicast mode the virtual MAC is a group's",
        ),
        (
            file("mode = \"igmp\"\nvirtual-mac = \"03:bf:00:00:00:01\"", ""),
            "begins with 01:00:5e or 33:33",
        ),
        (
            file(
                "mode = \"unicast\"\nvirtual-mac = \"03:bf:00:00:00:01\"",
                "",
            ),
            "a single station",
        ),
        (
            file("key-id = 0", ""),
            "0 is out of range: write a number from 1 to 255",
        ),
        (
            file("key-file = \"/etc/nlb/..\"", ""),
            "is not the path of a file",
        ),
        (file("key-file = \"\"", ""), "is not the path of a file"),
        (
            file("no-key = \"yes\"", ""),
            "invalid type: string \"yes\", expected a boolean",
        ),
        (
            file("sessions-max = 1048577", ""),
            "write a number from 0 to 1048576",
        ),
        (file("name = \"\"", ""), "a cluster name has 1 to 32 bytes"),
        (
            file("name = \"0123456789012345678901234567890123\"", ""),
            "this one has 34",
        ),
        (file("interface = \"a/b\"", ""), "can be no interface"),
        (
            file("interface = \"sixteen-letters!\"", ""),
            "1 to 15 bytes",
        ),
        (
            file("", "weight = 101"),
            "line 7 column 10: 101 is out of range: write a number from 0 to 100",
        ),
        (
            file("", "state = \"running\""),
            "\"running\" is none of started, stopped, suspended",
        ),
        (file("", "machine-id = \"1234\""), "32 digits"),
        (
            file("", "dedicated = \"192.0.2.1/24\""),
            "leave out the prefix length",
        ),
        (
            file("", "dedicated = \"web1\""),
            "not an IPv4 or IPv6 address",
        ),
        (
            file("", "dedicated = \"224.0.0.1\""),
            "line 7 column 13: 224.0.0.1 cannot be a dedicated IP",
        ),
        (
            file("", "dedicated = \"192.0.2.10\""),
            "cannot be both a VIP and the dedicated IP",
        ),
        (
            "cluster = 3".into(),
            "line 1 column 11: invalid type: integer `3`",
        ),
        ("[[cluster]]".into(), "line 1 column"),
        (
            "host = []\n[cluster]\nvips = []".into(),
            "line 1 column 8: invalid type: sequence",
        ),
        (
            "rule = 3\n[cluster]".into(),
            "line 1 column 8: invalid type: integer `3`",
        ),
        (
            "[cluster]\n[host]\nweb1 = 1".into(),
            "line 3 column 8: invalid type: integer `1`",
        ),
    ] {
        let message = refusal(&text);
        assert!(message.contains(words), "{text}\n{message}");
    }
}

#[test]
fn what_is_missing_or_contradicts_itself_is_told() {
    let web2 = |text: &str| format!("[host.web2]\n{text}\ninterface = \"eth1\"\n");
    let id = "0123456789abcdef0123456789abcdef";
    for (text, words) in [
        (String::new(), "has no table [cluster]"),
        ("# nothing\n".into(), "has no table [cluster]"),
        (
            "[cluster]\n".into(),
            "line 1 column 1: a cluster needs a VIP",
        ),
        (
            "[cluster]\nvips = []\n".into(),
            "line 2 column 8: a cluster needs a VIP",
        ),
        (
            "[cluster]\nvips = [\"192.0.2.10\"]\n".into(),
            "has no host: write a section for each",
        ),
        (
            file("", &web2("")),
            "line 7 column 1: [host.web2] has no id",
        ),
        (
            file("", "[host.web2]\nid = 2"),
            "[host.web2] has no interface",
        ),
        (
            file("", &web2("id = 1")),
            "line 8 column 6: the id of [host.web2] is that of [host.web1], line 5 column 6",
        ),
        (
            file(
                "",
                &format!(
                    "machine-id = {id:?}\n{}",
                    web2(&format!("id = 2\nmachine-id = {id:?}"))
                ),
            ),
            "the machine-id of [host.web2] is that of [host.web1]",
        ),
        (
            file(
                "",
                &format!(
                    "dedicated = \"192.0.2.1\"\n{}",
                    web2("id = 2\ndedicated = \"192.0.2.1\"")
                ),
            ),
            "the dedicated address of [host.web2]",
        ),
        (file("", "[host.web1]"), "duplicate key"),
        (
            file("tolerance = 5\ntolerance = 6", ""),
            "line 4 column 1: duplicate key",
        ),
        (
            file("", "[host.\"a b\"]\nid = 2\ninterface = \"eth1\""),
            "can be no host",
        ),
        (
            file("", "[host.\"\"]\nid = 2\ninterface = \"eth1\""),
            "can be no host",
        ),
        (
            file("no-key = true\nkey-id = 2", ""),
            "line 4 column 10: this is about a key, but `no-key = true`",
        ),
        (
            file("key-file = \"k\"\nno-key = true", ""),
            "line 3 column 12: this is about a key",
        ),
        (
            file("affinity = \"none\"", "[[rule]]"),
            "line 3 column 12: this is the affinity of the default rule",
        ),
        (
            file("", "[[rule]]\nports = \"90-80\""),
            "line 8 column 9: the range of ports ends before",
        ),
        (
            file("", "[[rule]]\nports = 80\n[[rule]]\nports = \"70-90\""),
            "line 9 column 1: the rule covers packets that the rule line 7 column 1 covers",
        ),
        (
            file("", "[[rule]]\nvip = \"192.0.2.11\""),
            "line 7 column 1: the address is no VIP of the cluster",
        ),
        (
            file("", "[[rule]]\nweights = { 1 = 101 }"),
            "the load weight 101 is not from 0 to 100",
        ),
        (
            file("", "[[rule]]\nweights = { 2 = 1 }"),
            "line 7 column 1: the rule has a number for host id 2, which no [host.NAME] has",
        ),
        (file("", "[[rule]]\npriorities = { 7 = 1 }"), "host id 7"),
        (
            file("", "[[rule]]\nports = \"http\""),
            "line 8 column 9: invalid value",
        ),
    ] {
        let message = refusal(&text);
        assert!(message.contains(words), "{text}\n{message}");
    }
    let many: Vec<_> = (0..=VIPS)
        .map(|n| format!("\"10.0.{}.{}\"", n / 200, n % 200 + 1))
        .collect();
    let text = file("", "").replace("\"192.0.2.10\"", &many.join(", "));
    assert!(refusal(&text).contains("at most 64 VIPs, not 65"));
    let twice = file("", "").replace("\"192.0.2.10\"", "\"192.0.2.10\", \"192.0.2.10\"");
    assert!(refusal(&twice).contains("line 2 column 23: the VIP 192.0.2.10 is given twice"));
}

const VIPS: usize = nlb_core::limits::VIPS_MAX;

#[test]
fn the_name_may_come_from_the_file() {
    let at = |path: &str| Config::parse(Path::new(path), file("", ""));
    assert_eq!(at("/etc/nlb/shop.toml").unwrap().name(), "shop");
    assert_eq!(
        at("shop").unwrap().key(),
        Some(Path::new("/etc/nlb/shop.key"))
    );
    assert!(
        at("-")
            .unwrap_err()
            .message
            .contains("give [cluster] a name")
    );
    let long = format!("/tmp/{}.toml", "n".repeat(40));
    assert!(
        at(&long)
            .unwrap_err()
            .message
            .contains("cannot be the cluster's")
    );
    let beside = Config::parse(
        Path::new("/srv/shop.toml"),
        file("key-file = \"k/shop.key\"", ""),
    );
    assert_eq!(beside.unwrap().key(), Some(Path::new("/srv/k/shop.key")));
}

#[test]
fn a_host_finds_its_section() {
    let id = "0123456789abcdef0123456789abcdef";
    let more = format!(
        "[host.\"web2.example.org\"]\nid = 2\ninterface = \"eth1\"\n[host.web3]\nid = 3\ninterface = \"eth1\"\nmachine-id = {id:?}\n"
    );
    let config = parse(&file("", &more)).unwrap();
    let of = |hostname: &str, id: Option<&str>, named: Option<&str>| {
        let machine = Machine {
            hostname: hostname.into(),
            id: id.map(str::to_owned),
        };
        let section = config.section(&machine, named);
        section
            .map(|section| section.id)
            .map_err(|failure| failure.message)
    };
    assert_eq!(of("web1", None, None), Ok(1));
    assert_eq!(of("web1.example.org", None, None), Ok(1));
    assert_eq!(of("web2.example.org", None, None), Ok(2));
    assert_eq!(of("web2", None, Some("web2.example.org")), Ok(2));
    assert_eq!(of("anything", Some(id), None), Ok(3));
    assert_eq!(of("web1", Some(id), None), Ok(3));
    assert_eq!(of("web1", Some(id), Some("web1")), Ok(1));
    assert_eq!(of("web1", Some("ffff"), None), Ok(1));
    for (hostname, machine, named, words) in [
        (
            "web2",
            None,
            None,
            "for this machine, which is \"web2\"; there are web1, web2.example.org, web3",
        ),
        ("", None, None, "which is \"\""),
        ("web1", None, Some("web9"), "for the host web9"),
        (
            "web3",
            None,
            None,
            "line 10 column 1: [host.web3] is for another machine",
        ),
        (
            "web3",
            Some("ffff"),
            None,
            "not this one's, ffff; was the machine cloned?",
        ),
    ] {
        let message = of(hostname, machine, named).unwrap_err();
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn what_is_no_text_at_all_gets_one_short_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.toml");
    let random: Vec<u8> = (0..1_000_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let short = &random[..200_000];
    let right = file("", "");
    for (what, bytes, words) in [
        ("garbage", random.clone(), "more than 256 KiB"),
        ("short garbage", short.to_vec(), "no text in UTF-8"),
        (
            "ASCII garbage",
            short.iter().map(|byte| byte & 0x7f).collect(),
            "",
        ),
        ("zeros", vec![0; 200_000], ""),
        ("brackets", vec![b'['; 200_000], ""),
        ("tables in tables", b"[a.".repeat(60_000), ""),
        (
            "arrays in arrays",
            [b"a = ".to_vec(), vec![b'['; 200_000]].concat(),
            "",
        ),
        ("a long key", vec![b'k'; 200_000], ""),
        (
            "a long value",
            file(&format!("mode = {:?}", "v".repeat(200_000)), "").into_bytes(),
            "is none of unicast",
        ),
        (
            "Latin-1",
            [right.clone().into_bytes(), b"# f\xfcr\n".to_vec()].concat(),
            "line 7 column 4: this is no text in UTF-8",
        ),
        (
            "UTF-16",
            right.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "",
        ),
    ] {
        std::fs::write(&path, &bytes).unwrap();
        let failure = Config::read(&path).expect_err(what);
        assert_eq!(failure.exit, Exit::Usage, "{what}");
        let message = failure.message;
        assert!(message.contains(words), "{what}: {message}");
        let said = message.replace(&path.display().to_string(), "");
        assert!(said.chars().count() < 330, "{what}: {message}");
        assert!(!message.contains(char::is_control), "{what}: {message:?}");
    }
    std::fs::write(&path, &right).unwrap();
    assert!(Config::read(&path).is_ok());
    let failure = Config::read(&folder.path().join("none.toml")).unwrap_err();
    assert!(failure.message.contains("cannot be read"), "{failure}");
    assert!(Config::read(folder.path()).is_err());
}

#[test]
fn fuzz_config() {
    let words = file(
        "period = \"200ms\"\ntolerance = 5\nvirtual-mac = \"03:bf:c0:00:02:0a\"",
        "[[rule]]\nports = \"1-65535\"\nweights = { 1 = 7 }\n",
    );
    let fuzz = nlb_fuzz::Fuzz::new("config").seeds([EXAMPLE, &words, "host = {}"]);
    fuzz.inputs(10_000).run(|bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        match parse(&text) {
            Ok(config) => {
                for section in config.hosts() {
                    let settings = config.settings(section);
                    assert!((1..=64).contains(&settings.host_id) && settings.weight <= 100);
                    assert!(!settings.vips.is_empty() && !settings.interface.is_empty());
                    // What a host is set to can be written, and read as the same.
                    let written = export(&settings, &section.name, section.state(), &[]);
                    let again = parse(&written).expect(&written);
                    assert_eq!(again.settings(&again.hosts()[0]), settings, "{written}");
                    assert_eq!(again.hosts()[0].name, section.name);
                }
                nlb_fuzz::outcome(format!("{:?}", config.vips()))
            }
            Err(failure) => {
                let message = failure.message;
                assert!(!message.contains(char::is_control), "{message:?}");
                let said = message
                    .split_once(": ")
                    .map_or(message.as_str(), |(_, said)| said);
                let words: Vec<_> = said.split_whitespace().take(4).collect();
                nlb_fuzz::outcome(
                    words
                        .join(" ")
                        .replace(|c: char| !c.is_ascii_lowercase(), ""),
                )
            }
        }
    });
}
