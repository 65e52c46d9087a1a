// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm set`

use nlb_netlink::object::{ClusterChange, RuleChange, SettingsChange};

use super::{rules, settings, up};
use crate::{
    cli::Set, failure::Failure, host::Host, kernel::Kernel, output::settings::SettingsShape,
};

/// Changes the load weight of this host, in all rules that name none or in one, by which the cluster moves buckets and breaks no connection, or how many
/// sessions it remembers; or what all hosts share, and says whether that is in force.
pub(crate) fn run<K: Kernel + Host>(
    kernel: &mut K,
    args: &Set,
) -> Result<Option<SettingsShape>, Failure> {
    let cluster = super::cluster(kernel, &args.target)?;
    let shared = SettingsChange {
        period_ms: args.period.map(up::milliseconds),
        tolerance: args.tolerance,
        echo: args.echo.map(Into::into),
        responder: args.responder.map(Into::into),
        ..SettingsChange::default()
    };
    if args.withdraw {
        return settings::withdraw(kernel, &cluster).map(|()| None);
    }
    if !shared.is_empty() {
        return settings::change(kernel, &cluster, &shared).map(Some);
    }
    if let Some(rule) = args.rule {
        let priority = args.priority.map(RuleChange::Priority);
        let weight = args.weight.map(RuleChange::Weight);
        let changes = priority.or(weight);
        return changes.map_or(Ok(None), |change| {
            rules::change(kernel, &cluster, rule, change).map(|()| None)
        });
    }
    let changes = [
        args.weight.map(ClusterChange::Weight),
        args.sessions_max.map(ClusterChange::SessionsMax),
    ];
    for change in changes.into_iter().flatten() {
        kernel
            .change(cluster.ifindex, change)
            .map_err(|error| Failure::from(error).context(format!("set {}", cluster.ifname)))?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::{Cli, EchoArg, Elsewhere, Target, Verb},
        failure::Exit,
        fake::{Fake, rule},
    };
    use clap::Parser;
    use std::time::Duration;

    #[test]
    fn the_weight_is_asked_for_and_a_refusal_reported() {
        let args = Set {
            target: Target::default(),
            weight: Some(30),
            rule: None,
            priority: None,
            sessions_max: None,
            period: None,
            tolerance: None,
            echo: None,
            responder: None,
            withdraw: false,
            elsewhere: Elsewhere::default(),
        };
        let mut kernel = Fake::in_cluster();
        run(&mut kernel, &args).unwrap();
        assert_eq!(kernel.changes, ["weight 30 on 2"]);
        let both = Set {
            sessions_max: Some(1000),
            ..args.clone()
        };
        run(&mut kernel, &both).unwrap();
        assert_eq!(
            kernel.changes[1..],
            ["weight 30 on 2", "sessions-max 1000 on 2"]
        );
        kernel.refuse.push(("weight", 16));
        assert_eq!(run(&mut kernel, &args).unwrap_err().exit, Exit::Exists);
    }

    #[test]
    fn one_rule_is_changed_alone() {
        let mut kernel = Fake {
            rules: vec![rule(0, 443, 443)],
            ..Fake::in_cluster()
        };
        for (command, done) in [
            ("set --rule 0 --weight 30", "rule 0 weight 30 on 2"),
            ("set --rule 0 --priority 2", "rule 0 priority 2 on 2"),
        ] {
            let cli = Cli::parse_from(format!("nlbadm {command}").split(' '));
            let Some(Verb::Set(args)) = cli.verb else {
                panic!("{command}")
            };
            assert!(run(&mut kernel, &args).unwrap().is_none());
            assert_eq!(kernel.changes.last().unwrap(), done);
        }
        for command in [
            "set --rule 0",
            "set --priority 2",
            "set --rule 0 --weight 1 --priority 2",
            "set --rule 0 --priority 65",
            "set --rule 0 --sessions-max 5",
            "set --rule 0 --weight 1 --period 1s",
        ] {
            assert!(
                Cli::try_parse_from(format!("nlbadm {command}").split(' ')).is_err(),
                "{command}"
            );
        }
        kernel.changes.clear();
        let cli = Cli::parse_from("nlbadm set --rule 60 --weight 3".split(' '));
        let Some(Verb::Set(args)) = cli.verb else {
            panic!()
        };
        assert_eq!(run(&mut kernel, &args).unwrap_err().exit, Exit::Usage);
        assert!(kernel.changes.is_empty());
    }

    #[test]
    fn what_all_hosts_share_is_one_request() {
        let args = Set {
            target: Target::default(),
            weight: None,
            rule: None,
            priority: None,
            sessions_max: None,
            period: Some(Duration::from_millis(100)),
            tolerance: Some(10),
            echo: Some(EchoArg::All),
            responder: None,
            withdraw: false,
            elsewhere: Elsewhere::default(),
        };
        let mut kernel = Fake::in_cluster();
        let done = run(&mut kernel, &args).unwrap().unwrap();
        assert!(done.in_force);
        assert_eq!(
            kernel.changes,
            ["settings period 100 tolerance 10 echo all on 2"]
        );
    }
}
