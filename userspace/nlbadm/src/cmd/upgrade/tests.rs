// SPDX-License-Identifier: GPL-2.0-only

//! What is done in which order, and how it ends when a step fails, on a kernel that writes down what it is asked for.

use std::fs;

use nlb_core::rules::RuleState;
use tempfile::TempDir;

use super::*;
use crate::fake::{Fake, member};

const FILE: &str = "\
[cluster]
name = \"web\"
vips = [\"192.0.2.10\", \"2001:db8::10\"]
no-key = true
interface = \"eth0\"

[host.web1]
id = 1

[host.web2]
id = 2
";

const INSTALLED: &str = "/lib/modules/7.3.4/updates/nlb.ko";
const AS_IT_WAS: &str =
    "the old module is in the kernel again, and cluster web on eth0 is as it was";
const KEPT: &str = "/run/nlb-module/nlb.ko";

/// Host 1 of two that serve, with the module N in the kernel and N+1 installed.
struct Desk {
    folder: TempDir,
    kernel: Fake,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("web.toml"), FILE).unwrap();
        let mut kernel = Fake::in_cluster();
        kernel.clusters[0].key_id = None;
        kernel.clusters[0].rules = Some(1);
        kernel.rules = vec![crate::fake::rule(0, 0, u16::MAX)];
        kernel.members.truncate(2);
        kernel.addresses.truncate(1);
        kernel.file("/proc/sys/kernel/hostname", "web1\n");
        kernel.modules("7.3.4", "ELF build N+1");
        kernel.load_build("build N.");
        Desk { folder, kernel }
    }

    fn upgrade(&mut self) -> Result<(), Failure> {
        self.upgrade_within(0)
    }

    fn upgrade_within(&mut self, turn_timeout: u32) -> Result<(), Failure> {
        let args = Upgrade {
            dry_run: false,
            drain_timeout: None,
            turn_timeout,
        };
        perform(&mut self.kernel, &args, self.folder.path()).map(drop)
    }

    /// What is refused with these words, before the first change.
    fn refused(&mut self, words: &str) {
        let failure = self.upgrade().unwrap_err();
        assert!(failure.message.contains(words), "{failure}");
        assert!(failure.message.contains("nothing was changed"), "{failure}");
        assert_eq!(self.kernel.changes, [""; 0], "{failure}");
    }

    /// What was asked for, without the addresses.
    fn changes(&self) -> Vec<&str> {
        let words = self.kernel.changes.iter().map(String::as_str);
        words
            .filter(|it| !it.starts_with("add ") && !it.starts_with("set up "))
            .collect()
    }
}

#[test]
fn the_host_drains_before_the_module_goes_and_serves_after() {
    let mut desk = Desk::new();
    desk.kernel.file(KEPT, "ELF build N.");
    desk.kernel.output = vec![("systemctl", "A=1 NLB_DRAIN=10m B=2\n".into())];
    desk.upgrade().unwrap();
    assert_eq!(
        desk.changes(),
        [
            "drain on 2",
            "drainstop within 600 s on 2",
            "remove from 2",
            "unload",
            "load the installed module",
            "create on 2",
            "start on 2",
        ]
    );
    assert!(!desk.kernel.exists(KEPT), "it is of no use any more");
}

#[test]
fn where_no_unit_says_how_long_connections_have_a_minute() {
    let mut desk = Desk::new();
    desk.upgrade().unwrap();
    assert!(desk.changes().contains(&"drainstop within 60 s on 2"));
}

#[test]
fn nothing_is_done_where_nothing_differs_or_there_is_nothing_to_compare() {
    let mut desk = Desk::new();
    desk.kernel.load_build("build N+1");
    desk.upgrade().unwrap();
    desk.kernel.load_build("build N.");
    desk.kernel.files.remove("/lib/modules/7.3.4/modules.dep");
    desk.upgrade().unwrap();
    let mut desk = Desk::new();
    desk.kernel
        .files
        .retain(|path, _| !path.starts_with("/sys/module/nlb/"));
    desk.upgrade().unwrap();
    assert_eq!(desk.kernel.changes, [""; 0]);
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut desk = Desk::new();
    let args = Upgrade {
        dry_run: true,
        drain_timeout: None,
        turn_timeout: 0,
    };
    let upgraded = perform(&mut desk.kernel, &args, desk.folder.path()).unwrap();
    assert_eq!(desk.kernel.changes, [""; 0]);
    assert_eq!(upgraded.installed.as_deref(), Some(INSTALLED));
    assert_eq!((upgraded.module, upgraded.replaced), ("other", false));
}

#[test]
fn a_host_that_was_stopped_or_suspended_stays_so() {
    for (state, last) in [
        (HostState::Stopped, "create on 2"),
        (HostState::Suspended, "suspend on 2"),
    ] {
        let mut desk = Desk::new();
        desk.kernel.clusters[0].state = state.into();
        // Nobody need take over what it does not serve.
        desk.kernel.members.truncate(1);
        desk.upgrade().unwrap();
        assert_eq!(desk.changes().first(), Some(&"remove from 2"), "{state:?}");
        assert_eq!(desk.changes().last(), Some(&last), "{state:?}");
    }
}

#[test]
fn a_rule_that_was_given_up_stays_so_and_takes_nothing_in_between() {
    let mut desk = Desk::new();
    desk.kernel.rules[0].state = RuleState::Draining.into();
    desk.upgrade().unwrap();
    let end = ["create on 2", "rule 0 draining on 2", "start on 2"];
    assert!(desk.changes().ends_with(&end), "{:?}", desk.changes());
}

#[test]
fn the_last_host_that_serves_stays() {
    let mut desk = Desk::new();
    desk.kernel.members.truncate(1);
    desk.refused("no other host of web serves");
    let mut desk = Desk::new();
    desk.kernel.members[1].state = HostState::Draining.into();
    desk.refused("host 2 of web is draining");
}

#[test]
fn of_two_that_begin_at_once_the_one_with_the_higher_id_takes_its_clients_back() {
    let draining = |host_id| member(host_id, HostState::Draining, OutReason::None, Some(100));
    let mut desk = Desk::new();
    desk.kernel.members_then = Some(vec![draining(2)]);
    desk.upgrade().unwrap();
    let mut desk = Desk::new();
    desk.kernel.file("/proc/sys/kernel/hostname", "web2\n");
    desk.kernel.clusters[0].host_id = 2;
    // Nobody with a lower id serves, so there is nobody to wait for.
    desk.kernel.members = vec![member(3, HostState::Converged, OutReason::None, Some(100))];
    desk.kernel.members_then = Some(vec![draining(1)]);
    let failure = desk.upgrade().unwrap_err();
    assert!(
        failure.message.contains("host 1 of web is draining"),
        "{failure}"
    );
    assert_eq!(desk.changes(), ["drain on 2", "start on 2"]);
}

#[test]
fn hosts_that_may_be_on_their_way_back_are_waited_for_and_others_are_not() {
    for (reason, heard, waits) in [
        (OutReason::Left, 5_000, true),
        (OutReason::Dead, 5_000, true),
        (OutReason::Listening, 100, true),
        (OutReason::Dead, turn::BACK_MS, false),
        (OutReason::RulesDiffer, 100, false),
    ] {
        let mut desk = Desk::new();
        let third = member(3, HostState::Stopped, reason, Some(heard));
        desk.kernel.members.push(third);
        if waits {
            desk.refused("host 3 of web is out");
        } else {
            desk.upgrade().unwrap();
        }
    }
}

#[test]
fn a_host_that_joins_is_waited_for_and_one_that_is_kept_out_is_not() {
    let mut desk = Desk::new();
    desk.kernel.clusters[0].state = HostState::Joining.into();
    desk.refused("this host still joins web");
    desk.kernel.clusters[0].out_reason = OutReason::Version.into();
    desk.kernel.members.truncate(1);
    desk.upgrade().unwrap();
    assert_eq!(desk.changes().first(), Some(&"stop on 2"));
    assert_eq!(desk.changes().last(), Some(&"start on 2"));
}

#[test]
fn what_would_come_back_otherwise_is_left_alone() {
    let mut desk = Desk::new();
    desk.kernel.clusters[0].weight = Some(7);
    desk.refused("cluster web on eth0: it differs from");
    let mut desk = Desk::new();
    fs::remove_file(desk.folder.path().join("web.toml")).unwrap();
    desk.refused("web.toml");
    let mut desk = Desk::new();
    desk.kernel.clusters[0].state = HostState::Draining.into();
    desk.refused("somebody is at work on it");
}

#[test]
fn two_do_not_replace_it_at_once() {
    let mut desk = Desk::new();
    desk.kernel.another_upgrades = true;
    let failure = desk.upgrade().unwrap_err();
    assert_eq!(failure.exit, Exit::Exists);
    assert_eq!(desk.kernel.changes, [""; 0]);
}

#[test]
fn a_drain_that_is_refused_leaves_the_host_serving() {
    for step in ["drain on", "drainstop", "remove"] {
        let mut desk = Desk::new();
        desk.kernel.refuse.push((step, 1));
        let failure = desk.upgrade().unwrap_err();
        assert!(failure.message.contains("was not replaced"), "{failure}");
        assert_eq!(desk.changes().last(), Some(&"start on 2"), "{step}");
        assert!(!desk.changes().contains(&"unload"), "{step}");
    }
}

#[test]
fn a_module_that_stays_goes_on() {
    let mut desk = Desk::new();
    desk.kernel.refuse.push(("unload", 16));
    let failure = desk.upgrade().unwrap_err();
    assert!(failure.message.contains(AS_IT_WAS), "{failure}");
    assert!(
        desk.changes().ends_with(&["create on 2", "start on 2"]),
        "{:?}",
        desk.changes()
    );
}

#[test]
fn a_module_that_is_refused_gives_way_to_the_old_one() {
    let mut desk = Desk::new();
    desk.kernel.file(KEPT, "ELF build N.");
    desk.kernel.refuse.push(("load the installed", 8));
    let failure = desk.upgrade().unwrap_err();
    assert!(failure.message.contains(AS_IT_WAS), "{failure}");
    let end = [
        "load the installed module",
        "load /run/nlb-module/nlb.ko",
        "create on 2",
        "start on 2",
    ];
    assert!(desk.changes().ends_with(&end), "{:?}", desk.changes());
    assert!(desk.kernel.exists(KEPT));
}

#[test]
fn a_module_that_makes_no_cluster_gives_way_too() {
    let mut desk = Desk::new();
    desk.kernel.file(KEPT, "ELF build N.");
    desk.kernel.refuse.push(("create", 22));
    let failure = desk.upgrade().unwrap_err();
    assert!(failure.message.contains("with the new module"), "{failure}");
    let end = [
        "create on 2",
        "unload",
        "load /run/nlb-module/nlb.ko",
        "create on 2",
    ];
    assert!(desk.changes().ends_with(&end), "{:?}", desk.changes());
}

#[test]
fn without_any_module_the_way_out_is_told() {
    let mut desk = Desk::new();
    desk.kernel.refuse.push(("load the installed", 8));
    let failure = desk.upgrade().unwrap_err();
    assert!(failure.message.contains("in no cluster"), "{failure}");
    assert!(
        failure
            .message
            .contains("no package has kept the old module"),
        "{failure}"
    );
    assert!(
        failure.message.contains("`systemctl restart 'nlb@*'`"),
        "{failure}"
    );
}
