// SPDX-License-Identifier: GPL-2.0-only

//! The smallest change, on a kernel that writes down what it is asked for.

mod round_trip;

use std::{fs, os::unix::fs::PermissionsExt};

use nlb_core::state::HostState;
use tempfile::TempDir;

use super::*;
use crate::fake::{Fake, interface, rule};

/// A folder with a file, and what stands for this machine.
struct Desk {
    folder: TempDir,
    kernel: Fake,
    /// Of the last `apply` that got so far.
    report: Option<Applied>,
}

const WEB: &str = "\
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

impl Desk {
    fn new() -> Self {
        let mut kernel = Fake::host();
        kernel.file("/proc/sys/kernel/hostname", "web1\n");
        Desk {
            folder: tempfile::tempdir().unwrap(),
            kernel,
            report: None,
        }
    }

    /// With the cluster of [`WEB`], which serves.
    fn serving() -> Self {
        let mut desk = Desk::new();
        desk.apply(WEB, "").unwrap();
        desk.kernel.changes.clear();
        desk
    }

    fn apply(&mut self, text: &str, options: &str) -> Result<(), Failure> {
        use clap::Parser;

        let file = self.folder.path().join("web.toml");
        fs::write(&file, text).unwrap();
        let file = file.display().to_string();
        let words = ["nlbadm", "apply", &file];
        let words = words.into_iter().chain(options.split_whitespace());
        match crate::cli::Cli::try_parse_from(words).unwrap().verb {
            Some(crate::cli::Verb::Apply(args)) => {
                let (report, result) = make(&mut self.kernel, &args, |_| Ok(()))?;
                self.report = Some(report);
                result
            }
            other => panic!("not apply but {other:?}"),
        }
    }

    /// What is refused with these words, before the first change.
    fn refused(&mut self, text: &str, options: &str, exit: Exit, words: &str) {
        let failure = self.apply(text, options).unwrap_err();
        assert_eq!(failure.exit, exit, "{failure}");
        assert!(failure.message.contains(words), "{failure}");
        assert_eq!(self.kernel.changes, [""; 0], "{text}");
    }
}

/// [`WEB`] with more below `[cluster]`.
fn cluster(more: &str) -> String {
    WEB.replace("[cluster]\n", &format!("[cluster]\n{more}\n"))
}

/// [`WEB`] with more for this host.
fn host(more: &str) -> String {
    WEB.replace("id = 1\n", &format!("id = 1\n{more}\n"))
}

/// [`WEB`] with rules.
fn rules(rules: &str) -> String {
    format!("{WEB}\n{rules}")
}

#[test]
fn from_nothing_the_cluster_is_made_and_then_nothing_is_left_to_do() {
    let mut desk = Desk::new();
    desk.apply(WEB, "--dry-run").unwrap();
    assert_eq!(desk.kernel.changes, [""; 0]);
    desk.apply(WEB, "").unwrap();
    let made = [
        "create on 2",
        "set up 9 beside 2",
        "add 192.0.2.10 to 9",
        "add 2001:db8::10 to 9",
        "start on 2",
    ];
    assert_eq!(desk.kernel.changes, made);
    desk.apply(WEB, "").unwrap();
    desk.apply(WEB, "--restart").unwrap();
    assert_eq!(desk.kernel.changes, made);
}

#[test]
fn the_initial_state_is_for_a_cluster_that_is_made() {
    for (state, last) in [
        ("stopped", "add 2001:db8::10 to 9"),
        ("suspended", "suspend on 2"),
        ("started", "start on 2"),
    ] {
        let mut desk = Desk::new();
        desk.apply(&host(&format!("state = {state:?}")), "")
            .unwrap();
        assert_eq!(desk.kernel.changes.last().unwrap(), last);
        let count = desk.kernel.changes.len();
        desk.apply(WEB, "").unwrap();
        assert_eq!(desk.kernel.changes.len(), count, "{state}");
    }
}

#[test]
fn units_make_a_cluster_first_and_start_the_host_later() {
    let last = |desk: &Desk| desk.kernel.changes.last().cloned().unwrap();
    let mut desk = Desk::new();
    desk.apply(WEB, "--no-start").unwrap();
    assert_eq!(last(&desk), "add 2001:db8::10 to 9");
    desk.apply(WEB, "--start --dry-run").unwrap();
    assert_eq!(last(&desk), "add 2001:db8::10 to 9");
    desk.apply(WEB, "--start").unwrap();
    assert_eq!(last(&desk), "start on 2");
    assert!(desk.report.as_ref().unwrap().started);
    let count = desk.kernel.changes.len();
    desk.apply(WEB, "--start").unwrap();
    assert_eq!(desk.kernel.changes.len(), count, "it takes part already");
    // One that the file does not start stays as it is, and so does one that is suspended.
    for (state, text) in [
        (HostState::Stopped, host("state = \"stopped\"")),
        (HostState::Suspended, WEB.into()),
    ] {
        desk.kernel.clusters[0].state = state.into();
        desk.apply(&text, "--start").unwrap();
        assert_eq!(desk.kernel.changes.len(), count, "{state:?}");
    }
}

#[test]
fn the_smallest_change_is_made() {
    for (text, changes) in [
        (WEB.to_owned(), &[][..]),
        (host("weight = 30"), &["weight 30 on 2"]),
        (host("sessions-max = 7"), &["sessions-max 7 on 2"]),
        (cluster("sessions-max = 7"), &["sessions-max 7 on 2"]),
        (rules("[[rule]]\nports = 443\n"), &["rules 443-443 on 2"]),
        (
            rules("[[rule]]\nweights = { 1 = 7, 2 = 8 }\n"),
            &["rules 0-65535 weight 7 on 2"],
        ),
        (cluster("affinity = \"none\""), &["rules 0-65535 on 2"]),
        (format!("rule = []\n{WEB}"), &["rules on 2"]),
        (
            cluster("period = \"100ms\"\ntolerance = 9"),
            &["settings period 100 tolerance 9 on 2"],
        ),
        (
            cluster("echo = \"all\"\nresponder = \"all\"") + "\n[[rule]]\nports = 80\n",
            &["settings echo all responder all 1 rules on 2"],
        ),
        (
            WEB.replace(", \"2001:db8::10\"", ""),
            &[
                "settings vips 192.0.2.10 on 2",
                "set up 9 beside 2",
                "add 192.0.2.10 to 9",
                "remove 2001:db8::10 from 9",
            ],
        ),
        (
            WEB.replace("[\"192.0.2.10\"", "[\"192.0.2.10\", \"192.0.2.11\""),
            &[
                "settings vips 192.0.2.10 192.0.2.11 2001:db8::10 on 2",
                "set up 9 beside 2",
                "add 192.0.2.10 to 9",
                "add 192.0.2.11 to 9",
                "add 2001:db8::10 to 9",
            ],
        ),
        // Another host's numbers are no change here.
        (rules("[[rule]]\nweights = { 2 = 8 }\n"), &[]),
        (WEB.replace("id = 2\n", "id = 2\nweight = 9\n"), &[]),
        // What is the default anyway is no change.
        (cluster("period = \"0.2s\"").replace("0.2s", "200ms"), &[]),
        (cluster("virtual-mac = \"03:bf:c0:00:02:0a\""), &[]),
        (
            host("weight = 30\nsessions-max = 7") + "\n[[rule]]\nports = 80\n",
            &["weight 30 on 2", "sessions-max 7 on 2", "rules 80-80 on 2"],
        ),
    ] {
        let mut desk = Desk::serving();
        desk.apply(&text, "--dry-run").unwrap();
        assert_eq!(desk.kernel.changes, [""; 0], "{text}");
        desk.apply(&text, "").unwrap();
        assert_eq!(desk.kernel.changes, changes, "{text}");
        desk.apply(&text, "").unwrap();
        assert_eq!(desk.kernel.changes, changes, "applied twice: {text}");
    }
}

/// Files that need the host to leave and join again, and the key that differs.
fn fixed() -> [(String, &'static str); 7] {
    [
        (cluster("mode = \"unicast\""), "mode"),
        (
            cluster("virtual-mac = \"03:00:00:00:00:01\""),
            "virtual-mac",
        ),
        (
            cluster("allow-other-interfaces = true"),
            "allow-other-interfaces",
        ),
        (
            WEB.replace(
                "\"192.0.2.10\", \"2001:db8::10\"",
                "\"2001:db8::10\", \"192.0.2.10\"",
            ),
            "vips",
        ),
        (WEB.replace("id = 1\n", "id = 3\n"), "id"),
        (WEB.replace("\"eth0\"", "\"eth1\""), "interface"),
        (host("dedicated = \"192.0.2.1\""), "dedicated"),
    ]
}

#[test]
fn what_cannot_change_live_needs_the_option_and_says_what_it_costs() {
    for (text, key) in fixed() {
        // What could change live does not, beside it.
        let text = format!("{text}\n[[rule]]\nports = 443\n");
        let mut desk = Desk::serving();
        desk.kernel
            .interfaces
            .push(interface(3, "eth1", false, true));
        for options in ["", "--dry-run"] {
            desk.refused(&text, options, Exit::NeedsRestart, key);
        }
        let failure = desk.apply(&text, "").unwrap_err();
        assert!(failure.message.contains("--restart"), "{failure}");
        let shared = !["id", "interface", "dedicated"].contains(&key);
        assert_eq!(
            failure.message.contains("do not serve together"),
            shared,
            "{failure}"
        );
        desk.apply(&text, "--restart --dry-run").unwrap();
        assert_eq!(desk.kernel.changes, [""; 0], "{text}");
    }
}

#[test]
fn with_the_option_the_host_drains_leaves_and_joins_again() {
    for (text, key) in fixed() {
        let mut desk = Desk::serving();
        desk.kernel
            .interfaces
            .push(interface(3, "eth1", false, true));
        desk.apply(&text, "--restart --drain-timeout 2m").unwrap();
        let changes = std::mem::take(&mut desk.kernel.changes);
        assert_eq!(
            changes[..2],
            ["drainstop within 120 s on 2", "remove from 2"],
            "{key}"
        );
        let on = if key == "interface" { 3 } else { 2 };
        assert_eq!(changes[2], format!("create on {on}"));
        assert_eq!(changes.last().unwrap(), &format!("start on {on}"));
        desk.apply(&text, "").unwrap();
        assert_eq!(desk.kernel.changes, [""; 0], "{key}");
    }
}

#[test]
fn a_host_that_was_stopped_is_stopped_after_a_restart() {
    for (before, last) in [
        (HostState::Stopped, "add 2001:db8::10 to 9"),
        (HostState::Draining, "add 2001:db8::10 to 9"),
        (HostState::Suspended, "suspend on 2"),
        (HostState::Joining, "start on 2"),
    ] {
        let mut desk = Desk::serving();
        desk.kernel.clusters[0].state = before.into();
        let text = cluster("mode = \"unicast\"");
        desk.apply(&text, "--restart").unwrap();
        assert_eq!(desk.kernel.changes.last().unwrap(), last, "{before:?}");
        let drained = desk.kernel.changes[0].starts_with("drainstop");
        let idle = matches!(before, HostState::Stopped | HostState::Suspended);
        assert_eq!(drained, !idle, "{before:?}");
    }
}

#[test]
fn a_new_cluster_that_is_refused_gives_way_to_the_old_one() {
    let mut desk = Desk::serving();
    desk.kernel.refuse.push(("add 2001", 13));
    let text = cluster("mode = \"unicast\"");
    let failure = desk.apply(&text, "--restart").unwrap_err();
    assert!(failure.message.contains("is in no cluster"), "{failure}");
    assert_eq!(desk.kernel.clusters.len(), 0);
    // The old one has no IPv6 VIP, so it can be made again.
    let old = WEB.replace(", \"2001:db8::10\"", "");
    let mut desk = Desk::new();
    desk.apply(&old, "").unwrap();
    desk.kernel.refuse.push(("add 2001", 13));
    let new = cluster("mode = \"unicast\"");
    let failure = desk.apply(&new, "--restart").unwrap_err();
    assert!(failure.message.contains("as before"), "{failure}");
    assert_eq!(desk.kernel.changes.last().unwrap(), "start on 2");
    desk.kernel.changes.clear();
    desk.apply(&old, "").unwrap();
    assert_eq!(desk.kernel.changes, [""; 0]);
}

#[test]
fn a_refused_step_undoes_those_before_it() {
    let text = host("weight = 30\nsessions-max = 7") + "\n[[rule]]\nports = 80\n";
    for (refuse, exit, undone) in [
        (
            ("rules", 16),
            Exit::Exists,
            &["sessions-max 262144 on 2", "weight 50 on 2"][..],
        ),
        (("sessions-max 7", 12), Exit::Failed, &["weight 50 on 2"]),
        (("weight", 1), Exit::NotPermitted, &[]),
    ] {
        let mut desk = Desk::serving();
        desk.kernel.refuse.push(refuse);
        let failure = desk.apply(&text, "").unwrap_err();
        assert_eq!(failure.exit, exit, "{failure}");
        assert!(
            desk.kernel
                .changes
                .iter()
                .rev()
                .zip(undone.iter().rev())
                .all(|(is, should)| is == should)
        );
        desk.kernel.changes.clear();
        desk.kernel.refuse.clear();
        desk.apply(WEB, "").unwrap();
        assert_eq!(desk.kernel.changes, [""; 0], "as it was");
    }
}

#[test]
fn rules_that_wait_are_what_is_compared() {
    let mut desk = Desk::serving();
    let mut waiting = rule(0, 443, 443);
    waiting.pending = true;
    desk.kernel.rules.push(waiting);
    desk.kernel.clusters[0].pending = Some(7);
    desk.kernel.members = Fake::in_cluster().members;
    desk.apply(&rules("[[rule]]\nports = 443\n"), "").unwrap();
    assert_eq!(desk.kernel.changes, [""; 0], "they are asked for already");
    // Those in force withdraw them, before anything else can change.
    desk.apply(&host("weight = 30"), "").unwrap();
    assert_eq!(
        desk.kernel.changes,
        [
            "settings vips 192.0.2.10 2001:db8::10 period 200 tolerance 5 echo default-host responder default-host 1 rules \
             on 2",
            "weight 30 on 2"
        ]
    );
}

/// What a request does not tell stays as it is in force, and not as it waits.
#[test]
fn beside_settings_that_wait_all_is_told() {
    let mut desk = Desk::serving();
    desk.kernel.clusters[0].pending = Some(7);
    desk.kernel.clusters[0].staged.period_ms = Some(100);
    desk.kernel.clusters[0].staged.tolerance = Some(9);
    let mut waiting = desk.kernel.rules[0].clone();
    waiting.pending = true;
    desk.kernel.rules.push(waiting);
    desk.kernel.members = Fake::in_cluster().members;
    let asked_for = cluster("period = \"100ms\"\ntolerance = 9");
    desk.apply(&asked_for, "").unwrap();
    assert_eq!(desk.kernel.changes, [""; 0], "it is asked for already");
    desk.apply(&cluster("period = \"100ms\""), "").unwrap();
    let [one] = desk.kernel.changes.as_slice() else {
        panic!("{:?}", desk.kernel.changes);
    };
    assert!(one.contains("period 100 tolerance 5"), "{one}");
}

#[test]
fn other_clusters_are_left_alone() {
    let mut desk = Desk::serving();
    let other = WEB.replace("\"web\"", "\"mail\"");
    desk.refused(&other, "--restart", Exit::Exists, "another cluster, web");
    // On another interface it is a second cluster.
    desk.kernel
        .interfaces
        .push(interface(3, "eth1", false, true));
    desk.apply(&other.replace("eth0", "eth1"), "").unwrap();
    assert_eq!(desk.kernel.changes[0], "create on 3");
    // This one would have to move to where that is.
    desk.kernel.changes.clear();
    desk.refused(
        &WEB.replace("eth0", "eth1"),
        "--restart",
        Exit::Exists,
        "another cluster, mail",
    );
}

#[test]
fn the_host_is_found_and_refusals_change_nothing() {
    let mut desk = Desk::new();
    desk.refused(
        WEB,
        "--host web9",
        Exit::Usage,
        "no section for the host web9",
    );
    desk.refused(
        &WEB.replace("eth0", "eth7"),
        "",
        Exit::NoInterface,
        "no interface eth7",
    );
    desk.refused(
        &WEB.replace("eth0", "eth7"),
        "--wait 0",
        Exit::NoInterface,
        "after 0 s",
    );
    desk.refused(&WEB.replace("eth0", "lo"), "", Exit::Failed, "loopback");
    desk.refused(
        &cluster("perid = 3"),
        "",
        Exit::Usage,
        "did you mean `period`?",
    );
    desk.kernel.no_module = true;
    desk.refused(WEB, "", Exit::NoModule, "");
    desk.kernel.no_module = false;
    desk.apply(WEB, "--host web2").unwrap();
    assert_eq!(desk.kernel.clusters[0].host_id, 2);
}

#[test]
fn the_key_is_read_from_beside_the_file_and_kept_from_others() {
    let mut desk = Desk::new();
    let text = WEB.replace("no-key = true", "key-file = \"web.key\"\nkey-id = 3");
    desk.refused(&text, "", Exit::Usage, "cannot be read");
    let key = desk.folder.path().join("web.key");
    fs::write(
        &key,
        crate::output::Report::human(&crate::cmd::genkey::run().unwrap()),
    )
    .unwrap();
    fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    desk.refused(&text, "", Exit::Usage, "chmod 600");
    fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    desk.apply(&text, "").unwrap();
    assert!(matches!(
        desk.kernel.created,
        Some(nlb_netlink::object::NewCluster {
            key: ClusterKey::Key { id: 3, .. },
            ..
        })
    ));
    desk.kernel.changes.clear();
    let other = text.replace("key-id = 3", "key-id = 4");
    desk.refused(&other, "", Exit::NeedsRestart, "nlbadm key");
    desk.refused(WEB, "", Exit::NeedsRestart, "no-key");
}

#[test]
fn what_keeps_the_host_from_serving_is_told() {
    let mut cluster = crate::fake::cluster(2, "eth0");
    let mut told = |state: HostState, out: OutReason, goal: InitialState| {
        cluster.state = state.into();
        cluster.out_reason = out.into();
        let settings = Settings::running(&cluster, &[]).unwrap();
        let running = Running {
            settings: settings.clone(),
            cluster: cluster.clone(),
        };
        let goal = Goal {
            settings,
            key: ClusterKey::NoKey,
            state: goal,
        };
        hindrance(&running, &goal).unwrap_or_default()
    };
    use HostState as S;
    use InitialState::{Started, Stopped};
    use OutReason::{None as Well, VipMissing};
    assert_eq!(told(S::Converged, Well, Started), "");
    assert_eq!(told(S::Stopped, Well, Stopped), "");
    assert!(told(S::Stopped, Well, Started).contains("nlbadm start eth0"));
    assert!(told(S::Suspended, Well, Started).contains("nlbadm resume eth0"));
    assert!(told(S::Converged, VipMissing, Started).contains("a VIP is missing"));
}

#[test]
fn the_difference_reads_like_a_diff() {
    let mut desk = Desk::serving();
    desk.kernel.rules = vec![rule(0, 443, 443), rule(1, 25, 25)];
    let text = cluster("period = \"100ms\"").replace("id = 1\n", "id = 1\nweight = 30\n")
        + "\n[[rule]]\nports = 80\naffinity = \"none\"\n[[rule]]\nports = 25\n";
    desk.apply(&text, "").unwrap();
    let diff = desk.report.unwrap().diff();
    let (head, rest) = diff.split_once("+++ ").unwrap();
    assert_eq!(head, "--- web as it runs\n");
    let (file, rest) = rest.split_once('\n').unwrap();
    assert!(file.ends_with("/web.toml for web1"), "{file}");
    assert_eq!(
        rest,
        "\x20[cluster]
-period = \"200ms\"
+period = \"100ms\"
 [host.web1]
+weight = 30
 [[rule]]
-ports = 443, affinity = \"single\"
+ports = 80, affinity = \"none\"
 ports = 25, affinity = \"single\"
"
    );
}

#[test]
fn what_was_done_is_told() {
    let mut desk = Desk::new();
    let told = |desk: &Desk| crate::output::Report::human(desk.report.as_ref().unwrap());
    for (options, words) in [
        ("--dry-run", "it would be made; nothing was changed\n"),
        ("", "web1 is host 1 of the cluster web\n"),
        ("", "nothing to do: web1 is what the file says\n"),
    ] {
        desk.apply(WEB, options).unwrap();
        assert_eq!(told(&desk), words);
    }
    desk.kernel.clusters[0].pending = Some(7);
    desk.kernel.members = Fake::in_cluster().members;
    desk.apply(&format!("rule = []\n{WEB}"), "").unwrap();
    assert_eq!(
        told(&desk),
        "nothing to do: web1 is what the file says; it waits for host 2: apply the same file there\n"
    );
}
