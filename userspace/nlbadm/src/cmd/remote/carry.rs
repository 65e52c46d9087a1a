// SPDX-License-Identifier: GPL-2.0-only

//! What another host asks this one to do.

use std::path::Path;

use nlb_netlink::object::Cluster;

use crate::{
    cli::{Addresses, Drainstop, Elsewhere, Set, Target, VipVerb},
    cmd,
    failure::{Exit, Failure},
    host::Host,
    kernel::{Kernel, Linux},
    module::MODULE,
    remote::{Change, Done, Order, Reply, Request},
    rulefile::RuleFile,
    source::{excerpt, printable},
};

/// Does it on this host.
///
/// # Errors
///
/// As the verb.
pub(super) fn order<K: Kernel + Host>(
    kernel: &mut K,
    cluster: &Cluster,
    order: Order,
) -> Result<Done, Failure> {
    let target = Target {
        interface: Some(cluster.ifname.clone()),
    };
    let elsewhere = Elsewhere::default();
    match order {
        Order::Control(control) => cmd::control::run(kernel, &target, control).map(nothing),
        Order::Drainstop { timeout_s } => {
            let args = Drainstop {
                target,
                timeout: timeout_s,
                wait: false,
                elsewhere,
            };
            cmd::control::drainstop(kernel, &args).map(nothing)
        }
        Order::State => Ok(Done {
            state: Some(cluster.state.to_string()),
            ..Done::default()
        }),
        Order::Rule { rule, state } => {
            cmd::rules::control(kernel, rule, &target, state).map(nothing)
        }
        Order::Set(change) if !change.is_one() => Err(Failure::usage(
            "what is of one host, what all share and a withdrawal are changed one after the other",
        )),
        Order::Set(change) => {
            let shape = cmd::set::run(kernel, &set(change, target))?;
            Ok(waits(shape.map_or_else(Vec::new, |shape| shape.waits_for)))
        }
        Order::VipAdd(vips) => {
            let add = VipVerb::Add {
                vips: Addresses(vips),
                target,
                elsewhere,
            };
            cmd::settings::vip(kernel, &add).map(|shape| waits(shape.waits_for))
        }
        Order::VipDel(vips) => {
            let del = VipVerb::Del {
                vips: Addresses(vips),
                target,
                elsewhere,
            };
            cmd::settings::vip(kernel, &del).map(|shape| waits(shape.waits_for))
        }
        Order::Rules(text) => {
            let file = RuleFile::parse("the file of rules".into(), text)?;
            cmd::rules::apply(kernel, &target, &file, false).map(|shape| waits(shape.waits_for))
        }
    }
}

fn nothing((): ()) -> Done {
    Done::default()
}

fn waits(waits_for: Vec<u8>) -> Done {
    Done {
        waits_for,
        ..Done::default()
    }
}

fn set(change: Change, target: Target) -> Set {
    Set {
        target,
        weight: change.weight,
        rule: change.rule,
        priority: change.priority,
        sessions_max: change.sessions_max,
        period: change.period,
        tolerance: change.tolerance,
        echo: change.echo,
        responder: change.responder,
        withdraw: change.withdraw,
        elsewhere: Elsewhere::default(),
    }
}

/// What a request is called that was not looked at.
const UNKNOWN: &str = "a request";

/// A request that was carried out, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarriedOut {
    /// The message for the host that has asked.
    pub reply: Vec<u8>,
    /// What was asked for, and what became of it, for the log; nothing of what changes nothing.
    pub told: Option<String>,
}

/// What is said to a host that asks while too much is under way.
#[must_use]
pub fn busy() -> CarriedOut {
    let why = "too many hosts ask it for something; nothing was done";
    CarriedOut::of(Some(UNKNOWN), Err(Failure::new(Exit::Exists, why)))
}

/// Carries out what a host with the key of a cluster asks for. It may take as long as the verb.
#[must_use]
pub fn carry_out(cluster: &str, message: &[u8]) -> CarriedOut {
    if !Path::new(MODULE).exists() {
        return CarriedOut::of(Some(UNKNOWN), Err(no_cluster(cluster)));
    }
    answer(&mut Linux::default(), cluster, message)
}

fn answer<K: Kernel + Host>(kernel: &mut K, cluster: &str, message: &[u8]) -> CarriedOut {
    let request: Request = match serde_json::from_slice(message) {
        Ok(request) => request,
        Err(error) => {
            let why = format!(
                "this nlbd, of version {}, does not know what is asked for ({}): install the same release on all hosts",
                env!("CARGO_PKG_VERSION"),
                excerpt(&error.to_string())
            );
            return CarriedOut::of(Some(UNKNOWN), Err(Failure::usage(why)));
        }
    };
    let Request { host, order } = request;
    let words = match &order {
        Order::State => None,
        order => Some(printable(&order.to_string())),
    };
    let done =
        the_cluster(kernel, cluster, host).and_then(|cluster| self::order(kernel, &cluster, order));
    CarriedOut::of(words.as_deref(), done)
}

/// The cluster of a name, in which this is the host with that id.
fn the_cluster(kernel: &mut impl Kernel, name: &str, host: u8) -> Result<Cluster, Failure> {
    let clusters = kernel.clusters()?;
    let mut ours = clusters.into_iter().filter(|cluster| cluster.name == name);
    match (ours.next(), ours.next()) {
        (Some(cluster), None) if cluster.host_id == host => Ok(cluster),
        (Some(cluster), None) => Err(Failure::new(
            Exit::Failed,
            format!("this is host {}, not host {host}", cluster.host_id),
        )),
        (None, _) => Err(no_cluster(name)),
        (Some(_), Some(_)) => Err(Failure::usage(format!(
            "this host has several clusters that are called {name}"
        ))),
    }
}

fn no_cluster(name: &str) -> Failure {
    Failure::new(
        Exit::NoCluster,
        format!(
            "this host has no cluster {name}: `systemctl start nlb@{name}`, or `nlbadm apply`, makes it there"
        ),
    )
}

impl CarriedOut {
    /// `order`: what is written into the log.
    fn of(order: Option<&str>, done: Result<Done, Failure>) -> Self {
        let reply = Reply::of(done);
        let result = printable(reply.message.as_deref().unwrap_or("done"));
        let told = order.map(|order| format!("{order}: {result}"));
        // Plain words and a number: there is nothing that JSON could not have.
        let reply = serde_json::to_vec(&reply).unwrap_or_default();
        CarriedOut { reply, told }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{
        cli::{Cli, Verb},
        fake::{Fake, rule},
    };

    fn verb(line: &str) -> Verb {
        let cli = Cli::try_parse_from(std::iter::once("nlbadm").chain(line.split(' ')));
        cli.unwrap_or_else(|error| panic!("{line}: {error}"))
            .verb
            .unwrap()
    }

    fn sent(line: &str, host: u8) -> Vec<u8> {
        let (order, _, _) = Order::of(&verb(line)).unwrap().unwrap();
        serde_json::to_vec(&Request { host, order }).unwrap()
    }

    fn reply(out: &CarriedOut) -> Reply {
        serde_json::from_slice(&out.reply).unwrap()
    }

    #[test]
    fn a_verb_without_hosts_is_about_this_one() {
        for line in [
            "start",
            "drain 0",
            "set --weight 3",
            "vip add 192.0.2.9",
            "show",
            "rules",
        ] {
            assert!(Order::of(&verb(line)).unwrap().is_none(), "{line}");
        }
    }

    #[test]
    fn verbs_arrive_as_they_were_typed() {
        for (line, changes) in [
            ("drain eth7 --on 1", &["drain on 2"][..]),
            ("announce --on 1", &["announce on 2"]),
            (
                "drainstop --timeout 10m --on 1-3",
                &["drainstop within 600 s on 2"],
            ),
            (
                "set --weight 30 --sessions-max 9 --on 1",
                &["weight 30 on 2", "sessions-max 9 on 2"],
            ),
            (
                "set --rule 0 --weight 30 --on 1",
                &["rule 0 weight 30 on 2"],
            ),
            (
                "set --rule all:443 --priority 3 --on 1",
                &["rule 0 priority 3 on 2"],
            ),
        ] {
            let mut kernel = Fake {
                rules: vec![rule(0, 443, 443)],
                ..Fake::in_cluster()
            };
            let (cluster, host) = (kernel.clusters[0].name.clone(), kernel.clusters[0].host_id);
            let out = answer(&mut kernel, &cluster, &sent(line, host));
            assert_eq!(reply(&out).exit, 0, "{line}: {out:?}");
            assert_eq!(kernel.changes, changes, "{line}");
        }
        // With the VIPs, as on this host.
        let mut kernel = Fake::in_cluster();
        let (cluster, host) = (kernel.clusters[0].name.clone(), kernel.clusters[0].host_id);
        answer(&mut kernel, &cluster, &sent("start --on all", host));
        assert_eq!(kernel.changes.last().unwrap(), "start on 2");
    }

    #[test]
    fn a_drain_of_others_is_not_waited_for_without_end() {
        assert!(Order::of(&verb("drainstop --wait --on 1")).is_err());
        let waits = Order::of(&verb("drainstop --wait --timeout 90 --on 1"));
        let timeout_s = Some(90);
        assert_eq!(waits.unwrap().unwrap().0, Order::Drainstop { timeout_s });
    }

    #[test]
    fn what_is_not_for_this_host_changes_nothing() {
        let mut kernel = Fake::in_cluster();
        let (cluster, host) = (kernel.clusters[0].name.clone(), kernel.clusters[0].host_id);
        for (name, message, exit, says) in [
            (
                &*cluster,
                sent("stop --on 9", host + 1),
                Exit::Failed,
                "not host",
            ),
            (
                "other",
                sent("stop --on 9", host),
                Exit::NoCluster,
                "no cluster other",
            ),
            (
                &*cluster,
                b"{\"host\":1,\"order\":{\"explode\":1}}".to_vec(),
                Exit::Usage,
                "does not know",
            ),
            (
                &*cluster,
                format!(
                    "{{\"host\":{host},\"order\":{{\"set\":{{\"weight\":1,\"withdraw\":true}}}}}}"
                )
                .into_bytes(),
                Exit::Usage,
                "one after the other",
            ),
            (
                &*cluster,
                format!("{{\"host\":{host},\"order\":{{\"set\":{{\"priority\":1}}}}}}")
                    .into_bytes(),
                Exit::Usage,
                "one after the other",
            ),
            (&*cluster, b"\xff".to_vec(), Exit::Usage, "does not know"),
            (
                &*cluster,
                sent("enable 7 --on 9", host),
                Exit::Usage,
                "rule",
            ),
        ] {
            let out = answer(&mut kernel, name, &message);
            let reply = reply(&out);
            assert_eq!(reply.exit, exit as u8, "{out:?}");
            assert!(reply.message.unwrap().contains(says), "{:?}", out.told);
        }
        assert!(kernel.changes.is_empty(), "{:?}", kernel.changes);
    }
}
