// SPDX-License-Identifier: GPL-2.0-only

//! The program as it is run: messages and exit codes. No test here changes anything of the host, and none needs the
//! module or any permission.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

/// What `up` needs besides the interface, if nothing of it is wrong.
const RIGHT: &str = "--cluster web --host-id 1 --vip 192.0.2.10 --no-key";

fn nlbadm(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nlbadm"))
        .args(arguments.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Runs it and compares the exit code; what it wrote to the error output.
fn fails(arguments: &str, code: i32) -> String {
    let output = nlbadm(arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments}: {error}");
    assert_eq!(output.stdout, b"", "{arguments}");
    error
}

fn succeeds(arguments: &str) -> String {
    let output = nlbadm(arguments);
    assert!(output.status.success(), "{arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn wrong_usage_is_exit_code_2_and_says_what_is_right() {
    for (arguments, words) in [
        (
            "up eth0 --cluster web --host-id 0 --vip 192.0.2.10 --no-key",
            "a number from 1 to 64",
        ),
        (
            "up eth0 --cluster web --host-id 65 --vip 192.0.2.10 --no-key",
            "a number from 1 to 64",
        ),
        (
            "up eth0 --cluster web --host-id 1 --vip 192.0.2.999 --no-key",
            "not an IPv4 or IPv6 address",
        ),
        (
            "up eth0 --cluster web --host-id 1 --vip 192.0.2.10/24 --no-key",
            "leave out the prefix",
        ),
        (
            "up eth0 --cluster web --host-id 1 --vip 192.0.2.10 --dedicated 192.0.2.10 --no-key",
            "own address",
        ),
        (
            "up eth0 --cluster web --host-id 1 --vip 192.0.2.10",
            "nlbadm genkey",
        ),
        (
            "up eth0 --cluster web --host-id 1 --vip 192.0.2.10 --key-file /nonexistent",
            "cannot be read",
        ),
        ("up eth0 --cluster web --host-id 1 --no-key", "--vip"),
        (
            "up eth0 --cluster web --host-id 1 --vip 192.0.2.10 --no-key --period 200",
            "with a unit",
        ),
        (
            "up eth0 --cluster web --host-id 1 --vip 192.0.2.10 --no-key --weight 101",
            "from 0 to 100",
        ),
        ("owner 192.0.2 192.0.2.10", "not an address"),
        ("ip2mac 224.0.0.1", "a multicast address cannot be a VIP"),
        (
            "relay lo --listen 127.0.0.1:7000 --peer 127.0.0.1:7000",
            "this relay itself",
        ),
        ("frobnicate", "unrecognized subcommand"),
    ] {
        let error = fails(arguments, 2);
        assert!(error.contains(words), "{arguments}: {error}");
    }
}

#[test]
fn a_short_key_is_named_but_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let short = "AAECAwQFBgcICQoLDA0ODw==";
    std::fs::write(&path, format!("key {short}\nseed {short}\n")).unwrap();
    let rest = "up lo --cluster web --host-id 1 --vip 192.0.2.10 --key-file";
    let error = fails(&format!("{rest} {}", path.display()), 2);
    assert!(error.contains("has 16 bytes and must have 32"), "{error}");
    assert!(!error.contains(short), "{error}");
}

#[test]
fn wrong_interfaces_have_their_own_codes() {
    let error = fails(&format!("up nlbtestnosuch {RIGHT}"), 5);
    assert!(error.contains("no interface nlbtestnosuch"), "{error}");
    let error = fails(&format!("up lo {RIGHT}"), 1);
    assert!(error.contains("loopback"), "{error}");
}

/// Where the module is loaded, `show` works; elsewhere it says why not.
#[test]
fn without_the_module_it_says_so() {
    let output = nlbadm("show");
    if Path::new("/sys/module/nlb").exists() {
        assert!(output.status.success(), "{output:?}");
        return;
    }
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("modprobe nlb") || error.contains("CONFIG_RUST"),
        "{error}"
    );
    for verb in [
        "down",
        "down --all",
        "start",
        "monitor",
        "counters",
        "owner 192.0.2.1 192.0.2.10",
        "key list",
    ] {
        fails(verb, 3);
    }
}

#[test]
fn ip2mac_is_the_same_as_json() {
    let json: serde_json::Value = serde_json::from_str(&succeeds("-j ip2mac 192.0.2.10")).unwrap();
    assert_eq!(json["unicast"], "02:bf:c0:00:02:0a");
    assert_eq!(json["multicast"], "03:bf:c0:00:02:0a");
    assert_eq!(json["igmp"], "01:00:5e:7f:02:0a");
    let text = succeeds("ip2mac 192.0.2.10");
    for mode in ["unicast", "multicast", "igmp"] {
        assert!(text.contains(json[mode].as_str().unwrap()), "{text}");
    }
}

#[test]
fn down_takes_an_interface_or_all() {
    fails("down --all eth0", 2);
    let help = succeeds("down --help");
    assert!(help.contains("nlbadm down --all && rmmod nlb"), "{help}");
    let page = succeeds("man down");
    assert!(page.contains("rmmod nlb"), "{page}");
}

#[test]
fn help_tells_the_exit_codes() {
    let help = succeeds("--help");
    for line in [
        "0  done",
        "3  the module is not loaded",
        "7  exists already",
    ] {
        assert!(help.contains(line), "{help}");
    }
}

#[test]
fn every_verb_has_a_manual_page_and_completions() {
    let help = succeeds("--help");
    let verbs = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|&verb| verb != "help");
    let mut count = 0;
    for verb in verbs {
        assert!(succeeds(&format!("man {verb}")).contains(".TH"), "{verb}");
        count += 1;
    }
    assert!(count >= 18, "{help}");
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            succeeds(&format!("completions {shell}")).contains("drainstop"),
            "{shell}"
        );
    }
    fails("man frobnicate", 2);
}

/// Whoever comes from Windows finds the verbs of its tool.
#[test]
fn the_verbs_of_windows_are_known() {
    for verb in [
        "query",
        "display",
        "params",
        "start",
        "stop",
        "drain",
        "drainstop",
        "suspend",
        "resume",
        "enable",
        "disable",
        "reload",
        "ip2mac",
        "queryport",
    ] {
        assert!(
            succeeds(&format!("{verb} --help")).contains("Usage: nlbadm"),
            "{verb}"
        );
    }
}

#[test]
fn nothing_is_coloured_in_a_pipe() {
    let text = succeeds("doctor lo --help");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let output = nlbadm("-j import /dev/null");
    assert!(!String::from_utf8_lossy(&output.stderr).contains('\u{1b}'));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nlbadm"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stderr, b"");
}

/// A sample of another system's configuration.
fn sample(name: &str) -> String {
    format!("{}/src/import/samples/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn import_writes_a_file_that_check_takes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("web.toml");
    for name in [
        "cib.xml",
        "director.conf",
        "display.txt",
        "several.conf --cluster inside",
    ] {
        let file = succeeds(&format!("import {}", sample(name)));
        std::fs::write(&path, file).unwrap();
        let checked = succeeds(&format!("check {}", path.display()));
        assert!(
            checked.contains("nothing wrong with it"),
            "{name}: {checked}"
        );
    }
}

#[test]
fn import_tells_what_it_does_not_understand() {
    let output = nlbadm(&format!("import {}", sample("balanced.crm")));
    assert_eq!(output.status.code(), Some(8));
    let error = String::from_utf8(output.stderr).unwrap();
    let line = format!(
        "warning: {}: line 33: not understood: the statement \"frobnicate\"",
        sample("balanced.crm")
    );
    assert!(error.contains(&line), "{error}");
    let file = String::from_utf8(output.stdout).unwrap();
    assert!(file.contains("# - line 33: the statement"), "{file}");
    let json = nlbadm(&format!("-j import {}", sample("balanced.crm")));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json[0]["from"], "pacemaker");
    assert_eq!(json[0]["file"], file);
    assert_eq!(json[0]["notes"][0]["kind"], "not-understood");
    assert_eq!(json[0]["notes"][0]["lines"][0], 33);
}

#[test]
fn import_refuses_what_it_cannot_make_a_file_of() {
    let error = fails(&format!("import {}", sample("several.conf")), 2);
    assert!(error.contains("outside (eth0), inside (eth1)"), "{error}");
    let error = fails(
        &format!("import {} --cluster web", sample("several.conf")),
        2,
    );
    assert!(error.contains("no cluster of that name"), "{error}");
    let error = fails(&format!("import {} --from windows", sample("cib.xml")), 2);
    assert!(error.contains("no virtual address is in it"), "{error}");
    let error = fails("import /nonexistent", 2);
    assert!(error.contains("cannot be read"), "{error}");
    let error = fails("import -", 2);
    assert!(error.contains("say which it is with --from"), "{error}");
}

#[test]
fn import_changes_no_file_that_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let arguments = format!(
        "import {} --directory {}",
        sample("several.conf"),
        directory.path().display()
    );
    succeeds(&arguments);
    for name in ["outside.toml", "inside.toml"] {
        succeeds(&format!("check {}", path(name).display()));
    }
    std::fs::write(path("inside.toml"), "mine").unwrap();
    std::fs::remove_file(path("outside.toml")).unwrap();
    let error = fails(&arguments, 7);
    assert!(error.contains("inside.toml"), "{error}");
    assert_eq!(
        std::fs::read_to_string(path("inside.toml")).unwrap(),
        "mine"
    );
    assert!(!path("outside.toml").exists());
}
