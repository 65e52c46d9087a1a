// SPDX-License-Identifier: GPL-2.0-only

//! A verb with `--on`: other hosts of a cluster are asked for it, all at once, and what each says is reported.

mod carry;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, ToSocketAddrs},
    path::Path,
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use nlb_core::state::HostState;
use nlb_netlink::object::Cluster;

pub use self::carry::{CarriedOut, busy, carry_out};
use crate::{
    cli::{Elsewhere, Target, Verb},
    config::{Config, DIRECTORY, default_control_key},
    daemon::{self, Content, SOCKET, Wanted},
    failure::{Exit, Failure},
    host::Host,
    kernel::Kernel,
    output::remote::{AnswerShape, RemoteShape},
    remote::{Caller, ControlKey, Order, PORT, Purpose, Reply, Request},
    source::printable,
};

/// How long a host may take to answer at least, unless it is told otherwise.
const REPLY_WITHIN: Duration = Duration::from_secs(10);

/// How often a host that drains is asked whether it has stopped.
const LOOK: Duration = Duration::from_secs(1);

/// What is known of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    /// Its name in the file of the cluster.
    name: Option<String>,
    /// Where it may be asked, the surest first.
    addresses: Vec<IpAddr>,
}

impl Known {
    fn add(&mut self, address: Option<IpAddr>) {
        self.addresses
            .extend(address.filter(|it| !self.addresses.contains(it)));
    }
}

/// Asks the hosts. The failure, if there is one, comes after the report.
///
/// # Errors
///
/// If there is no such cluster here, or no key of remote control, or a host is not known by its name.
pub(crate) fn run<K: Kernel + Host>(
    kernel: &mut K,
    order: &Order,
    verb: &Verb,
    target: &Target,
    elsewhere: &Elsewhere,
) -> Result<(RemoteShape, Result<(), Failure>), Failure> {
    let cluster = super::cluster(kernel, target)?;
    let file = Path::new(DIRECTORY).join(format!("{}.toml", cluster.name));
    let config = file.exists().then(|| Config::read(&file)).transpose()?;
    let caller = Caller {
        purpose: Purpose::Control,
        cluster: &cluster.name,
        key: &key(&cluster, config.as_ref(), order)?,
        within: elsewhere.reply_within.unwrap_or_else(|| within(&cluster)),
    };
    let known = known(kernel, &cluster, config.as_ref())?;
    let wanted = wanted(elsewhere, &known)?;
    let known = |id| known.get(&id).cloned().unwrap_or_default();
    let own = wanted.contains(&cluster.host_id);
    let wait = wait_for(verb);
    let (mut hosts, done) = scope(|scope| {
        let ask = |&id: &u8| {
            let (host, caller) = (known(id), &caller);
            let name = host.name.clone();
            let thread = scope.spawn(move || one(caller, id, host, order, wait));
            (id, name, thread)
        };
        let others = wanted.iter().filter(|&&id| id != cluster.host_id);
        let asked: Vec<_> = others.map(ask).collect();
        // This host needs nobody to be asked.
        let done = own.then(|| {
            let done = carry::order(kernel, &cluster, order.clone());
            match (&done, wait) {
                (Ok(_), Some(timeout)) => {
                    super::control::wait_drained(kernel, &cluster, Some(timeout)).and(done)
                }
                _ => done,
            }
        });
        let hosts: Vec<AnswerShape> = asked
            .into_iter()
            .map(|(id, name, thread)| {
                // It does not end otherwise.
                thread.join().unwrap_or_else(|_| {
                    let why = "nlbadm failed to ask it: this is a bug".to_owned();
                    answer(id, name, None, Err(why))
                })
            })
            .collect();
        (hosts, done)
    });
    if let Some(done) = done {
        let (id, name) = (cluster.host_id, known(cluster.host_id).name);
        hosts.push(answer(id, name, None, Ok(Reply::of(done))));
    }
    hosts.sort_by_key(|host| host.host_id);
    let waits_for = if order.is_shared() {
        still_waits(kernel, &cluster, own, &hosts)?
    } else {
        None
    };
    let failed = hosts.iter().filter(|host| !host.done).count();
    let end = match failed {
        0 => Ok(()),
        _ => Err(Failure::new(
            Exit::Failed,
            format!(
                "{order} of {}: not done by {failed} of {} hosts",
                cluster.name,
                hosts.len()
            ),
        )),
    };
    let shape = RemoteShape {
        cluster: cluster.name,
        hosts,
        waits_for,
    };
    Ok((shape, end))
}

/// How long a host may take: one that leaves waits for the others, which takes longer where heartbeats are slow.
fn within(cluster: &Cluster) -> Duration {
    let silence = u64::from(cluster.period_ms) * u64::from(cluster.tolerance);
    let leaves = Duration::from_millis(2 * silence + 4 * u64::from(cluster.period_ms));
    REPLY_WITHIN + leaves
}

/// For how many seconds a drain is waited for, if it is.
fn wait_for(verb: &Verb) -> Option<u32> {
    match verb {
        Verb::Drainstop(args) if args.wait => args.timeout,
        _ => None,
    }
}

/// One request to one host, and its reply.
fn ask(
    caller: &Caller<'_>,
    host: u8,
    addresses: &[IpAddr],
    order: &Order,
) -> (Option<IpAddr>, Result<Reply, String>) {
    let order = order.clone();
    let request = serde_json::to_vec(&Request { host, order });
    let request = match request {
        Ok(request) => request,
        Err(error) => return (None, Err(error.to_string())),
    };
    let (address, answer) = caller.ask(addresses, &request);
    let reply = answer.and_then(|answer| {
        let wrong = |error| format!("{error}; it was told, and may have done it");
        serde_json::from_slice(&answer).map_err(wrong)
    });
    (address, reply)
}

/// Asks one host, and again until it has stopped where that is waited for.
fn one(caller: &Caller<'_>, id: u8, host: Known, order: &Order, wait: Option<u32>) -> AnswerShape {
    let Known {
        name,
        mut addresses,
    } = host;
    if addresses.is_empty() {
        addresses.extend(name.as_deref().map(resolved).unwrap_or_default());
    }
    let (address, reply) = ask(caller, id, &addresses, order);
    let asked = answer(id, name, address, reply);
    match (asked.done, wait, address) {
        (true, Some(seconds), Some(address)) => stopped(caller, asked, address, seconds),
        _ => asked,
    }
}

/// Waits until a host that drains has stopped.
fn stopped(caller: &Caller<'_>, asked: AnswerShape, address: IpAddr, seconds: u32) -> AnswerShape {
    let deadline = Instant::now() + Duration::from_secs(seconds.into()) + caller.within;
    let (id, name) = (asked.host_id, asked.name.clone());
    loop {
        let (_, reply) = ask(caller, id, &[address], &Order::State);
        let state = reply.as_ref().ok().and_then(|reply| reply.state.clone());
        if state.as_deref().is_some_and(is_idle) {
            return asked;
        }
        if Instant::now() >= deadline {
            let why = match (state, reply) {
                (Some(state), _) => format!("it was told, and is still {state}"),
                (None, Err(why)) => format!("it was told, but not whether it has stopped: {why}"),
                (None, Ok(_)) => "it was told, but not whether it has stopped".into(),
            };
            return answer(id, name, Some(address), Err(why));
        }
        sleep(LOOK);
    }
}

/// Whether a host in this state takes no part in its cluster.
fn is_idle(state: &str) -> bool {
    let idle = [HostState::Stopped, HostState::Suspended];
    idle.iter().any(|it| it.name() == state)
}

/// The hosts that a change of all still waits for, when all have answered; none at all if it is in force.
fn still_waits(
    kernel: &mut impl Kernel,
    cluster: &Cluster,
    own: bool,
    hosts: &[AnswerShape],
) -> Result<Option<Vec<u8>>, Failure> {
    if own {
        return super::rules::settle(kernel, cluster.clone());
    }
    let told = hosts.iter().flat_map(|host| host.waits_for.iter().copied());
    let answered: BTreeSet<u8> = hosts
        .iter()
        .filter(|host| host.done)
        .map(|host| host.host_id)
        .collect();
    let left: BTreeSet<u8> = told.filter(|id| !answered.contains(id)).collect();
    Ok((!left.is_empty()).then(|| left.into_iter().collect()))
}

fn key(cluster: &Cluster, config: Option<&Config>, order: &Order) -> Result<ControlKey, Failure> {
    let (path, heartbeats) = match config {
        None => (default_control_key(&cluster.name), None),
        Some(config) => match config.control_key() {
            Some(path) => (path.to_path_buf(), config.key()),
            None => {
                return Err(Failure::usage(format!(
                    "the file {} says that there is no remote control: {order} would need `remote-control = true` on each host",
                    config.file()
                )));
            }
        },
    };
    ControlKey::read(&path, heartbeats)
}

fn wanted(elsewhere: &Elsewhere, known: &BTreeMap<u8, Known>) -> Result<BTreeSet<u8>, Failure> {
    let names = known.iter().map(|(&id, host)| (id, host.name.clone()));
    match &elsewhere.on {
        Some(hosts) => hosts.ids(&names.collect()),
        None => Ok(BTreeSet::new()),
    }
}

/// The hosts of the cluster: those of the file, and those that are heard; without a file also those that nlbd has heard
/// before. With the places where each may be asked: what the file says, where it is heard, where it was.
fn known(
    kernel: &mut impl Kernel,
    cluster: &Cluster,
    config: Option<&Config>,
) -> Result<BTreeMap<u8, Known>, Failure> {
    let mut known: BTreeMap<u8, Known> = BTreeMap::new();
    for section in config.map(Config::hosts).unwrap_or_default() {
        let host = known.entry(section.id).or_default();
        host.name = Some(section.name.clone());
        host.add(section.dedicated());
    }
    for member in kernel.members(cluster.ifindex)? {
        let host = known.entry(member.host_id).or_default();
        host.add(member.dedicated_ip);
    }
    // Without nlbd on this host nobody has noted them.
    let Ok(Content::Hosts(heard)) = daemon::ask(Path::new(SOCKET), Wanted::Hosts) else {
        return Ok(known);
    };
    for host in heard {
        let counts = config.is_none() || known.contains_key(&host.host_id);
        if host.cluster == cluster.name && counts {
            let known = known.entry(host.host_id).or_default();
            known.add(Some(host.address));
        }
    }
    Ok(known)
}

pub(crate) fn resolved(name: &str) -> Vec<IpAddr> {
    let addresses = (name, PORT).to_socket_addrs();
    addresses.map_or_else(|_| Vec::new(), |found| found.map(|it| it.ip()).collect())
}

fn answer(
    host_id: u8,
    name: Option<String>,
    address: Option<IpAddr>,
    reply: Result<Reply, String>,
) -> AnswerShape {
    let (exit, message, waits_for) = match reply {
        Ok(reply) => (Some(reply.exit), reply.message, reply.waits_for),
        Err(why) => (None, Some(why), Vec::new()),
    };
    AnswerShape {
        host_id,
        name,
        address,
        done: exit == Some(0),
        exit,
        // It comes from another machine.
        message: message.map(|text| printable(&text)),
        waits_for,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    fn answered(host_id: u8, done: bool, waits_for: &[u8]) -> AnswerShape {
        let reply = Reply {
            exit: u8::from(!done),
            message: None,
            waits_for: waits_for.to_vec(),
            state: None,
        };
        answer(host_id, None, None, Ok(reply))
    }

    #[test]
    fn whom_a_change_waits_for_is_told_when_all_have_answered() {
        let mut kernel = Fake::in_cluster();
        let cluster = kernel.clusters[0].clone();
        let mut waits =
            |hosts: &[AnswerShape]| still_waits(&mut kernel, &cluster, false, hosts).unwrap();
        // Each was told before the others.
        let both = [answered(2, true, &[1, 3]), answered(3, true, &[1, 2])];
        assert_eq!(waits(&both), Some(vec![1]));
        assert_eq!(
            waits(&[answered(2, true, &[3]), answered(3, true, &[])]),
            None
        );
        assert_eq!(
            waits(&[answered(2, true, &[3]), answered(3, false, &[])]),
            Some(vec![3])
        );
    }

    #[test]
    fn what_another_machine_says_does_not_steer_the_terminal() {
        let reply = Reply {
            exit: 1,
            message: Some("\u{1b}[2Jno".into()),
            waits_for: Vec::new(),
            state: None,
        };
        let shape = answer(3, None, None, Ok(reply));
        assert_eq!(shape.message.unwrap(), "\u{fffd}[2Jno");
    }

    #[test]
    fn an_address_stands_once_and_the_file_comes_first() {
        let mut host = Known::default();
        for address in [[192, 0, 2, 7], [192, 0, 2, 3], [192, 0, 2, 7]] {
            host.add(Some(address.into()));
        }
        assert_eq!(
            host.addresses,
            [IpAddr::from([192, 0, 2, 7]), [192, 0, 2, 3].into()]
        );
    }
}
