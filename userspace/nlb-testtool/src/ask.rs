// SPDX-License-Identifier: GPL-2.0-only
//! One request of each kind to the module, and what came of it. The requests are right ones: what is refused is refused
//! because of who asks, or because there is no cluster.

use std::io::{BufRead, Write, stdin, stdout};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use nlb_core::genl::{Affinity, Control, Echo, GROUP_EVENTS, GROUP_RELAY, Mode, Responder};
use nlb_core::limits::{KEY_LEN, SEED_LEN};
use nlb_core::rules::Rule;
use nlb_netlink::object::{
    ClusterChange, ClusterKey, Heartbeat, NewCluster, NewRule, Question, RuleChange, SettingsChange,
};
use nlb_netlink::{Client, Error, NetlinkSocket};

/// What to ask.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Cluster interface.
    #[arg(long)]
    dev: String,
    /// The VIP of a cluster that is made, and of questions.
    #[arg(long, default_value_t = Ipv4Addr::new(10, 0, 0, 10))]
    vip: Ipv4Addr,
    /// Ask so often, and say how many nanoseconds the fastest time took.
    #[arg(long)]
    times: Option<u32>,
    /// What to ask, by the names in [`OPERATIONS`]; without any, one for each line of the standard input, as they come.
    operations: Vec<String>,
}

/// The answers that matter: whether it was done, and more that the caller may want to see.
type Outcome = Result<&'static str, Error>;

/// Asks one thing.
type Ask = fn(&mut Client<NetlinkSocket>, u32, Ipv4Addr) -> Outcome;

/// Everything that can be asked, by its name in the table of `docs/security.md`, in an order in which all of it can be done.
const OPERATIONS: &[(&str, Ask)] = &[
    ("cluster-new", |client, dev, vip| {
        done(client.create(&new_cluster(dev, vip)))
    }),
    ("cluster-get", |client, dev, _| {
        done(client.cluster(dev).map(drop))
    }),
    ("cluster-get (dump)", |client, _, _| {
        done(client.clusters().map(drop))
    }),
    ("cluster-get: sessions", |client, dev, _| {
        Ok(match client.cluster(dev)?.and_then(|it| it.sessions) {
            Some(_) => "ok",
            None => "absent",
        })
    }),
    ("cluster-get: sessions (dump)", |client, dev, _| {
        let clusters = client.clusters()?;
        let cluster = clusters.iter().find(|it| it.ifindex == dev);
        Ok(match cluster.and_then(|it| it.sessions) {
            Some(_) => "ok",
            None => "absent",
        })
    }),
    ("cluster-set", |client, dev, _| {
        done(client.change(dev, ClusterChange::Control(Control::Start)))
    }),
    ("member-get", |client, dev, _| {
        done(client.members(dev).map(drop))
    }),
    ("owner-get", |client, dev, vip| {
        let question = Question {
            ifindex: dev,
            client: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            client_port: 1024,
            vip: IpAddr::V4(vip),
            vip_port: 80,
            protocol: 6,
        };
        done(client.owner(question).map(drop))
    }),
    ("bucket-get", |client, dev, _| {
        done(client.buckets(dev).map(drop))
    }),
    ("counter-get", |client, dev, _| {
        done(client.counters(dev).map(drop))
    }),
    ("history-get", |client, dev, _| {
        done(client.history(dev).map(drop))
    }),
    ("key-set", |client, dev, _| {
        done(client.add_key(dev, 2, [3; KEY_LEN]))
    }),
    ("key-get", |client, dev, _| done(client.keys(dev).map(drop))),
    ("key-del", |client, dev, _| done(client.delete_key(dev, 2))),
    ("heartbeat-in", |client, dev, _| {
        let heartbeat = Heartbeat {
            ifindex: dev,
            frame: vec![0; 200],
        };
        done(client.heartbeat(heartbeat))
    }),
    ("rule-get", |client, dev, _| {
        done(client.rules(dev).map(drop))
    }),
    ("rule-control", |client, dev, _| {
        done(client.change_rule(dev, 0, RuleChange::Weight(10)))
    }),
    ("rule-set", |client, dev, _| {
        let rules = [NewRule {
            rule: Rule::all(Affinity::Network),
            weight: None,
            priority: None,
            state: None,
        }];
        done(client.set_rules(dev, &rules))
    }),
    ("settings-set", |client, dev, _| {
        // What is in force: it withdraws the rules that wait.
        let change = SettingsChange {
            tolerance: Some(5),
            ..SettingsChange::default()
        };
        done(client.change_settings(dev, &change))
    }),
    ("group events", |_, _, _| join(GROUP_EVENTS)),
    ("group relay", |_, _, _| join(GROUP_RELAY)),
    ("cluster-del", |client, dev, _| done(client.remove(dev))),
];

/// Print a line for each: its name, what came of it, the least time where times are asked for, and the words of the module.
pub(crate) fn run(args: &Args) -> Result<()> {
    let name = args.dev.as_str();
    let ifindex = nix::net::if_::if_nametoindex(name).with_context(|| name.to_owned())?;
    let mut client = Client::new(NetlinkSocket::generic()?)?;
    let mut ask = |operation: &str| -> Result<()> {
        let Some((_, ask)) = OPERATIONS.iter().find(|(name, _)| *name == operation) else {
            let names: Vec<_> = OPERATIONS.iter().map(|(name, _)| *name).collect();
            bail!("{operation} is none of: {}", names.join(", "));
        };
        let (mut outcome, mut least) = ("ok".to_owned(), u128::MAX);
        for _ in 0..args.times.unwrap_or(1) {
            let began = Instant::now();
            let result = ask(&mut client, ifindex, args.vip);
            least = least.min(began.elapsed().as_nanos());
            outcome = told(result)?;
        }
        let least = args.times.map_or(String::new(), |_| format!("\t{least}"));
        // The reader may wait for it.
        let mut out = stdout().lock();
        writeln!(out, "{operation}\t{outcome}{least}")?;
        Ok(out.flush()?)
    };
    if args.operations.is_empty() {
        println!("ready");
        for line in stdin().lock().lines() {
            ask(&line?)?;
        }
    }
    args.operations.iter().try_for_each(|it| ask(it))
}

fn done(result: Result<(), Error>) -> Outcome {
    result.map(|()| "ok")
}

/// Joins a group, on a socket that is for nothing else.
fn join(group: &'static str) -> Outcome {
    done(Client::new(NetlinkSocket::generic()?)?.subscribe(group))
}

/// A refusal by its error, and what the module says. Errors: all that is no refusal.
fn told(outcome: Outcome) -> Result<String> {
    let (errno, text) = match outcome {
        Ok(outcome) => return Ok(outcome.to_owned()),
        Err(Error::Refused(refusal)) => (refusal.errno, refusal.text.unwrap_or_default()),
        Err(Error::Io(error)) => match error.raw_os_error() {
            Some(errno) => (errno, String::new()),
            None => return Err(error.into()),
        },
        Err(error) => return Err(error.into()),
    };
    Ok(format!("{:?} {text}", nix::errno::Errno::from_raw(errno))
        .trim_end()
        .to_owned())
}

fn new_cluster(ifindex: u32, vip: Ipv4Addr) -> NewCluster {
    NewCluster {
        ifindex,
        name: "asked".to_owned(),
        host_id: 1,
        mode: Mode::Multicast,
        vips: vec![IpAddr::V4(vip)],
        dedicated_ip: None,
        dedicated_follows: false,
        affinity: Affinity::Single,
        period_ms: 200,
        tolerance: 5,
        weight: None,
        key: ClusterKey::Key {
            id: 1,
            key: [7; KEY_LEN],
            seed: [9; SEED_LEN],
        },
        rules: None,
        virtual_mac: None,
        allow_other_interfaces: false,
        echo: Echo::DefaultHost,
        responder: Responder::DefaultHost,
        sessions_max: None,
    }
}

#[cfg(test)]
mod tests {
    use nlb_core::genl::Command;

    use super::*;

    /// The names of the operations in the table of `docs/security.md`.
    fn documented() -> Vec<&'static str> {
        let text = include_str!("../../../docs/security.md");
        let (_, table) = text.split_once("| operation |").unwrap();
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.filter_map(|row| row.split('`').next()).collect()
    }

    #[test]
    fn the_table_of_privileges_has_every_operation_in_this_order() {
        let asked: Vec<_> = OPERATIONS.iter().map(|(name, _)| *name).collect();
        assert_eq!(documented(), asked);
    }

    #[test]
    fn every_command_that_can_be_sent_is_asked() {
        for command in Command::ALL {
            let name = command.name();
            let asked = OPERATIONS.iter().any(|(it, _)| *it == name);
            assert_eq!(asked, !name.ends_with("-ntf"), "{name}");
        }
    }
}
