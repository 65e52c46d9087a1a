// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm start`, `stop`, `drain`, `drainstop`, `suspend`, `resume`, `announce`

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use nlb_core::genl::Control;
use nlb_netlink::object::{Cluster, ClusterChange};

use crate::{
    cli::{Drainstop, Target},
    failure::{Exit, Failure},
    host::Host,
    kernel::Kernel,
};

/// Asks the module. `stop` and `suspend` wait until the host has left, and end its connections; what becomes of the others,
/// `show` and `monitor` tell.
pub(crate) fn run<K: Kernel + Host>(
    kernel: &mut K,
    target: &Target,
    control: Control,
) -> Result<(), Failure> {
    let cluster = super::cluster(kernel, target)?;
    // A host without a VIP serves nothing, and whoever starts the host wants it to serve.
    if control == Control::Start {
        super::vips::put(kernel, &cluster)
            .and_then(|()| super::vips::tidy(kernel, cluster.ifindex))
            .map_err(|failure| failure.context(format!("start {}", cluster.ifname)))?;
    }
    let result = match control {
        Control::Stop | Control::Suspend => {
            super::stop(kernel, &cluster, control).map(|()| end_if_left(kernel, &cluster))
        }
        _ => kernel.change(cluster.ifindex, ClusterChange::Control(control)),
    };
    result.map_err(|error| {
        Failure::from(error).context(format!("{} {}", control.name(), cluster.ifname))
    })
}

/// Ends the connections of a host that has left. Somebody may have started it meanwhile: then it serves them. The host has
/// left in any case, so that this cannot be seen is no failure of it.
fn end_if_left<K: Kernel + Host>(kernel: &mut K, cluster: &Cluster) {
    match super::as_it_is(kernel, cluster.ifindex) {
        Ok(Some(now)) if super::is_idle(&now) => super::connections::end(kernel, cluster),
        Ok(_) => {}
        Err(error) => crate::warn(Some(format!(
            "connections to the VIPs that remain here were not ended: {error}"
        ))),
    }
}

/// Asks the module to drain this host and to stop it after the last connection, and waits for that if it is asked to.
pub(crate) fn drainstop(kernel: &mut impl Kernel, args: &Drainstop) -> Result<(), Failure> {
    let cluster = super::cluster(kernel, &args.target)?;
    // Who waits wants the host to have stopped, and it has.
    if args.wait && super::is_idle(&cluster) {
        return Ok(());
    }
    let change = ClusterChange::Drainstop {
        timeout_s: args.timeout,
    };
    kernel
        .change(cluster.ifindex, change)
        .map_err(Failure::from)
        .and_then(|()| {
            if args.wait {
                wait_drained(kernel, &cluster, args.timeout)
            } else {
                Ok(())
            }
        })
        .map_err(|failure| failure.context(format!("drainstop {}", cluster.ifname)))
}

/// Waits until a host that drains has stopped, or its cluster has gone.
///
/// # Errors
///
/// If it has not, though its time has passed, or takes connections again.
pub(super) fn wait_drained(
    kernel: &mut impl Kernel,
    cluster: &Cluster,
    timeout_s: Option<u32>,
) -> Result<(), Failure> {
    let silence = u64::from(cluster.period_ms) * u64::from(cluster.tolerance);
    let deadline = timeout_s.map(|seconds| {
        // It is stopped in order then, for which the others take over first.
        Instant::now()
            + Duration::from_secs(seconds.into())
            + Duration::from_millis(2 * silence)
            + super::GRACE
    });
    loop {
        let now = super::as_it_is(kernel, cluster.ifindex)?;
        let Some(now) = now.filter(|now| !super::is_idle(now)) else {
            return Ok(());
        };
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Failure::new(
                Exit::Failed,
                format!(
                    "the host is still {}: somebody has ended the drain",
                    now.state
                ),
            ));
        }
        // A host's state changes with its heartbeats, and a drain may take long.
        sleep(super::POLL.max(Duration::from_millis(cluster.period_ms.into())));
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use nlb_core::state::HostState;

    use super::*;
    use crate::{
        cli::{Cli, Verb},
        fake::{Fake, cluster},
    };

    fn args(line: &str) -> Result<Drainstop, clap::Error> {
        let words = ["nlbadm", "drainstop"].into_iter().chain(line.split(' '));
        Cli::try_parse_from(words.filter(|word| !word.is_empty())).map(|cli| match cli.verb {
            Some(Verb::Drainstop(args)) => args,
            _ => panic!("another verb"),
        })
    }

    #[test]
    fn the_module_is_told_of_the_timeout() {
        let mut kernel = Fake::in_cluster();
        drainstop(&mut kernel, &args("").unwrap()).unwrap();
        drainstop(&mut kernel, &args("--timeout 10m").unwrap()).unwrap();
        assert_eq!(
            kernel.changes,
            ["drainstop on 2", "drainstop within 600 s on 2"]
        );
    }

    #[test]
    fn who_waits_returns_when_the_host_has_stopped_and_not_before() {
        let mut kernel = Fake::in_cluster();
        let waiting = args("--wait --timeout 0").unwrap();
        drainstop(&mut kernel, &waiting).unwrap();
        assert_eq!(kernel.changes, ["drainstop within 0 s on 2"]);
        // It has stopped already.
        drainstop(&mut kernel, &waiting).unwrap();
        assert_eq!(kernel.changes.len(), 1);
        // Somebody has started it again: the drain of nobody here is not waited for without end.
        kernel.clusters[0].state = HostState::Converged.into();
        let own = Cluster {
            period_ms: 1,
            ..cluster(2, "eth0")
        };
        let failure = wait_drained(&mut kernel, &own, Some(0)).unwrap_err();
        assert!(failure.message.contains("still converged"), "{failure}");
        kernel.clusters.clear();
        wait_drained(&mut kernel, &own, None).unwrap();
    }

    #[test]
    fn the_module_is_told_to_announce() {
        let mut kernel = Fake::in_cluster();
        let target = Target { interface: None };
        run(&mut kernel, &target, Control::Announce).unwrap();
        assert_eq!(kernel.changes, ["announce on 2"]);
    }

    #[test]
    fn a_drainstop_has_a_timeout_if_one_is_given() {
        assert_eq!(args("eth0").unwrap().timeout, None);
        for (text, seconds) in [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200)] {
            let args = args(&format!("--timeout {text} eth0")).unwrap();
            assert_eq!(args.timeout, Some(seconds));
        }
        for text in ["", "m", "-1", "10x", "99999999h", "1.5"] {
            assert!(args(&format!("--timeout={text}")).is_err(), "{text}");
        }
    }
}
