// SPDX-License-Identifier: GPL-2.0-only

//! What is exported, and applied.

use nlb_core::genl::{Echo, Mode, Responder};

use super::*;
use crate::{cli::Export, cmd::export, fake::rule};

impl Desk {
    fn export(&mut self) -> String {
        let args = Export {
            target: Target::default(),
            host: None,
        };
        export::run(&mut self.kernel, &args).unwrap().file
    }
}

/// Makes a cluster another one.
type Turn = fn(&mut Fake);

/// Clusters of many sorts: what is exported changes nothing when it is applied.
#[test]
fn what_is_exported_changes_nothing() {
    let turns: [(&str, Turn); 12] = [
        ("as made", |_| {}),
        ("no rules", |it| it.rules.clear()),
        ("rules", |it| {
            it.rules = vec![rule(0, 443, 443), rule(1, 8000, 8099), rule(2, 25, 25)];
            it.rules[0].weight = Some(7);
            it.rules[0].vip = Some("192.0.2.10".parse().unwrap());
            it.rules[1].mode = nlb_core::rules::FilteringMode::Single.into();
            it.rules[1].priority = Some(64);
            it.rules[1].affinity = nlb_core::genl::Affinity::Network.into();
            it.rules[2].mode = nlb_core::rules::FilteringMode::Disabled.into();
            it.rules[2].prefix_v4 = 20;
            it.rules[2].prefix_v6 = 56;
            it.rules[2].track = nlb_core::rules::Track::On.into();
            it.rules[2].protocols = nlb_core::rules::Protocols::Udp.into();
        }),
        ("rules that wait", |it| {
            let mut waiting = rule(0, 443, 443);
            waiting.pending = true;
            it.rules.push(waiting);
            it.clusters[0].pending = Some(7);
        }),
        ("a draining rule", |it| {
            it.rules[0].state = nlb_core::rules::RuleState::Draining.into()
        }),
        ("IGMP", |it| {
            it.clusters[0].mode = Mode::Igmp.into();
            it.clusters[0].virtual_mac = Some([1, 0, 0x5e, 0x7f, 2, 10]);
            let vip = "2001:db8::10".parse().unwrap();
            it.clusters[0].virtual_mac_v6 = Some(nlb_core::mac::virtual_mac(Mode::Igmp, vip));
        }),
        ("another virtual MAC", |it| {
            it.clusters[0].virtual_mac = Some([3, 1, 2, 3, 4, 5])
        }),
        ("an address of its own", |it| {
            it.clusters[0].dedicated_follows = false
        }),
        ("an address that has gone", |it| {
            it.clusters[0].dedicated_follows = false;
            it.clusters[0].dedicated_ip = None;
        }),
        ("all settings", |it| {
            let cluster = &mut it.clusters[0];
            cluster.period_ms = 10;
            cluster.tolerance = 100;
            cluster.weight = Some(0);
            cluster.sessions_max = Some(0);
            cluster.echo = Echo::Drop.into();
            cluster.responder = Responder::All.into();
            cluster.allow_other_interfaces = true;
            cluster.host_id = 64;
        }),
        ("an odd name", |it| {
            it.clusters[0].name = "a \"b\" \\ 'c' ü #".into()
        }),
        ("stopped", |it| {
            it.clusters[0].state = HostState::Stopped.into()
        }),
    ];
    for (what, turn) in turns {
        for hostname in ["web1", "web1.example.org", "wéb"] {
            let mut desk = Desk::serving();
            desk.kernel.file("/proc/sys/kernel/hostname", hostname);
            desk.kernel.members = Fake::in_cluster().members;
            turn(&mut desk.kernel);
            let text = desk.export();
            let result = desk.apply(&text, "");
            assert_eq!(result, Ok(()), "{what}: {text}");
            assert_eq!(desk.kernel.changes, [""; 0], "{what}: {text}");
            assert_eq!(desk.export(), text, "{what}");
        }
    }
}

#[test]
fn the_export_says_what_it_cannot_know() {
    let mut desk = Desk::serving();
    desk.kernel.members = Fake::in_cluster().members;
    desk.kernel.rules[0].weight = Some(7);
    let text = desk.export();
    for words in [
        "# id = 2",
        "# id = 3",
        "Weights and priorities",
        "[host.web1]",
        "weights = { 1 = 7 }",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}
