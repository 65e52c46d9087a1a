// SPDX-License-Identifier: GPL-2.0-only

//! Checks that are right, and above all such that are not.

use super::*;
use crate::config::Config;

fn parse(rule: &str, check: &str) -> Result<Config, Failure> {
    let text = format!(
        "[cluster]\nvips = [\"192.0.2.10\", \"2001:db8::10\"]\ninterface = \"eth1\"\n\
         [host.web1]\nid = 1\n[[rule]]\n{rule}\n[rule.check]\n{check}\n"
    );
    Config::parse(Path::new("/etc/nlb/web.toml"), text)
}

/// A check of the rule of port 80.
fn checked(check: &str) -> HealthCheck {
    let config = parse("ports = 80", check).expect(check);
    config.checks()[0].check.clone()
}

#[test]
fn what_is_left_out_is_what_the_page_says() {
    let check = checked("type = \"http\"");
    assert_eq!(check.interval, Duration::from_secs(2));
    assert_eq!(check.timeout, Duration::from_secs(1));
    assert_eq!((check.rise, check.fall), (2, 3));
    assert_eq!((check.action, check.last), (Action::GiveUp, false));
    let Probe::Http(http) = check.probe else {
        panic!("{check:?}");
    };
    assert_eq!(http.address, "192.0.2.10:80".parse().unwrap());
    assert_eq!(
        (http.host.as_str(), http.path.as_str()),
        ("192.0.2.10", "/")
    );
    assert_eq!((http.tls, http.status, http.body), (false, 200..=399, None));
    let short = checked("type = \"tcp\"\ninterval = \"200ms\"");
    assert_eq!(short.timeout, Duration::from_millis(200));
}

#[test]
fn every_kind_can_be_written() {
    for (check, probe) in [
        (
            "type = \"tcp\"",
            Probe::Tcp("192.0.2.10:80".parse().unwrap()),
        ),
        (
            "type = \"systemd\"\nunit = \"web@1.service\"",
            Probe::Systemd("web@1.service".into()),
        ),
        (
            "type = \"command\"\ncommand = [\"/bin/true\", \"-x\"]",
            Probe::Command {
                program: "/bin/true".into(),
                arguments: vec!["-x".into()],
            },
        ),
        (
            "type = \"https\"\npath = \"/a\"\nhost = \"b\"\nstatus = 204\nbody = \"c d\"",
            Probe::Http(HttpProbe {
                address: "192.0.2.10:80".parse().unwrap(),
                tls: true,
                path: "/a".into(),
                host: "b".into(),
                status: 204..=204,
                body: Some("c d".into()),
            }),
        ),
    ] {
        assert_eq!(checked(check).probe, probe);
    }
}

#[test]
fn a_check_goes_where_clients_of_the_rule_go() {
    for (rule, check, address, host) in [
        ("ports = 8080", "", "192.0.2.10:8080", "192.0.2.10:8080"),
        (
            "ports = 80\nvip = \"2001:db8::10\"",
            "",
            "[2001:db8::10]:80",
            "[2001:db8::10]",
        ),
        (
            "ports = \"8000-8099\"",
            "port = 8001",
            "192.0.2.10:8001",
            "192.0.2.10:8001",
        ),
    ] {
        let config = parse(rule, &format!("type = \"http\"\n{check}")).unwrap();
        let Probe::Http(http) = &config.checks()[0].check.probe else {
            panic!("{config:?}");
        };
        assert_eq!(http.address, address.parse().unwrap());
        assert_eq!(http.host, host);
    }
}

#[test]
fn faults_are_told_with_their_place() {
    for (rule, check, words) in [
        ("ports = 80", "", "line 8 column 1: the check has no type"),
        (
            "ports = 80",
            "type = \"ftp\"",
            "line 9 column 8: \"ftp\" is none of tcp, http, https, command, systemd",
        ),
        (
            "ports = 80",
            "type = \"tcp\"\nintervall = \"2s\"",
            "line 10 column 1: [rule.check] has no key `intervall`; did you mean `interval`?",
        ),
        (
            "ports = 80",
            "type = \"tcp\"\ninterval = \"1s\"\ntimeout = \"2s\"",
            "line 11 column 11: the timeout is longer than the interval, 1s",
        ),
        (
            "ports = 80",
            "type = \"tcp\"\ninterval = \"10ms\"",
            "line 10 column 12: \"10ms\": a time of checks is from 100ms to 1h",
        ),
        (
            "ports = 80",
            "type = \"tcp\"\ninterval = \"2\"",
            "write the time with a unit, such as 2s",
        ),
        (
            "ports = 80",
            "type = \"tcp\"\nfall = 0",
            "line 10 column 8: 0 is out of range: write a number from 1 to 100",
        ),
        (
            "ports = 80",
            "type = \"tcp\"\npath = \"/\"",
            "line 10 column 8: `path` is for checks of type http, https, and this one is tcp",
        ),
        (
            "ports = 80",
            "type = \"http\"\npath = \"health\"",
            "line 10 column 8: a path begins with a slash",
        ),
        (
            "ports = 80",
            "type = \"http\"\nhost = \"a b\"",
            "does not go into a request",
        ),
        (
            "ports = 80",
            "type = \"http\"\nstatus = \"300-200\"",
            "line 10 column 10: invalid value: string \"300-200\", expected a code from 100 to 599",
        ),
        (
            "ports = 80",
            "type = \"http\"\nbody = \"\"",
            "1 to 1024 bytes",
        ),
        (
            "ports = 80\nprotocols = \"udp\"",
            "type = \"tcp\"",
            "the rule is for UDP",
        ),
        (
            "",
            "type = \"tcp\"",
            "line 8 column 1: the rule covers more than one port",
        ),
        (
            "ports = 80",
            "type = \"tcp\"\nport = 81",
            "line 10 column 8: the rule does not cover port 81",
        ),
        (
            "ports = 80\nmode = \"disabled\"",
            "type = \"tcp\"",
            "no host serves this rule",
        ),
        (
            "ports = 80",
            "type = \"command\"",
            "the check has no command",
        ),
        (
            "ports = 80",
            "type = \"command\"\ncommand = [\"true\"]",
            "line 10 column 11: a program of a check is written with its whole path",
        ),
        ("ports = 80", "type = \"systemd\"", "the check has no unit"),
        (
            "ports = 80",
            "type = \"systemd\"\nunit = \"nginx\"",
            "line 10 column 8: \"nginx\" is no unit: write its whole name",
        ),
        (
            "ports = 80",
            "type = \"systemd\"\nunit = \"--help.service\"",
            "is no unit",
        ),
    ] {
        let message = parse(rule, check).expect_err(check).message;
        assert!(message.contains(words), "{message}");
    }
}

/// What a check says is nothing that the module is told.
#[test]
fn a_check_changes_no_setting() {
    let settings = |check: &str| {
        let config = parse("ports = 80", check).unwrap();
        config.settings(&config.hosts()[0])
    };
    assert_eq!(
        settings("type = \"tcp\""),
        settings("type = \"http\"\ninterval = \"1s\"\naction = \"drain\"")
    );
}

#[test]
fn a_file_of_rules_alone_has_no_checks() {
    let text = "[[rule]]\nports = 80\n[rule.check]\ntype = \"tcp\"\n";
    let failure = crate::rulefile::RuleFile::parse("rules.toml".into(), text.into()).unwrap_err();
    assert!(
        failure
            .message
            .contains("line 3: checks belong into the file of a cluster"),
        "{failure}"
    );
}
