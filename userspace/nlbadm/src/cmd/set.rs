// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm set`

use nlb_netlink::object::{ClusterChange, SettingsChange};

use super::{settings, up};
use crate::{
    cli::Set, failure::Failure, host::Host, kernel::Kernel, output::settings::SettingsShape,
};

/// Changes the load weight of this host, by which the cluster moves buckets and breaks no connection, or how many
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
        cli::{EchoArg, Elsewhere, Target},
        failure::Exit,
        fake::Fake,
    };
    use std::time::Duration;

    #[test]
    fn the_weight_is_asked_for_and_a_refusal_reported() {
        let args = Set {
            target: Target::default(),
            weight: Some(30),
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
    fn what_all_hosts_share_is_one_request() {
        let args = Set {
            target: Target::default(),
            weight: None,
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
