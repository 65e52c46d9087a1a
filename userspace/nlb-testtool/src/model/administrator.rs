// SPDX-License-Identifier: GPL-2.0-only
//! An administrator: a process that reads requests, one in a line, asks the
//! module, and reports what came of each.
//!
//! A device that a request is about may have left meanwhile. So refusals are
//! expected, but only for reasons that such a request can have.

use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use nix::time::{ClockId, clock_gettime};
use nlb_core::genl::{Affinity, Control, Echo, Responder};
use nlb_core::limits::{KEY_LEN, TOLERANCE_DEFAULT};
use nlb_core::rules::{FilteringMode, Protocols, Rule};
use nlb_netlink::object::{ClusterChange, ClusterKey, NewCluster, NewRule, Question, RuleChange};
use nlb_netlink::{Client, Error, NetlinkSocket, route::Route};
use serde::{Deserialize, Serialize};

use super::place::enter;
use super::register::{Effect, Operation};
use super::request::{CLUSTERS, Request, What};
use super::traffic::VIPS;
use crate::key::Secrets;

/// Number of a line that asks for nothing but an answer.
pub(super) const REST: u32 = 0;

const ENOENT: i32 = 2;
const ENXIO: i32 = 6;
const EACCES: i32 = 13;
const EBUSY: i32 = 16;
const EEXIST: i32 = 17;
const ENODEV: i32 = 19;
const EINVAL: i32 = 22;
const EOPNOTSUPP: i32 = 95;
const EADDRNOTAVAIL: i32 = 99;

/// What a request about a cluster may be refused for: it has gone, or its state does not allow it.
const OF_CLUSTERS: [i32; 4] = [ENOENT, EBUSY, EINVAL, EEXIST];
/// The same of a new one: its device has gone, has one, or is not fit for it.
const OF_NEW: [i32; 5] = [ENODEV, ENXIO, EBUSY, EINVAL, EOPNOTSUPP];
/// What an address may be refused for: it is there or not, or its device or IPv6 on it has gone.
const OF_ADDRESSES: [i32; 5] = [ENODEV, EEXIST, EACCES, EINVAL, EADDRNOTAVAIL];

/// Which administrator this is, and what it knows.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Key file of the cluster.
    #[arg(long)]
    key_file: PathBuf,
    /// Milliseconds between two heartbeats.
    #[arg(long)]
    period_ms: u32,
}

/// What came of a request.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) number: u32,
    /// What the kernel said, if it refused.
    pub(super) refused: Option<String>,
    /// What it must not say.
    pub(super) trouble: Option<String>,
    /// What it showed of clusters: namespace, index, and what.
    pub(super) operations: Vec<(String, u32, Operation)>,
}

/// The clock that all processes of the machine share, in nanoseconds.
pub(super) fn now() -> u64 {
    // It cannot fail: the clock is there.
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("there is a clock");
    u64::try_from(Duration::from(now).as_nanos()).unwrap_or(u64::MAX)
}

/// Run until there are no more requests.
pub(crate) fn run(args: &Args) -> Result<()> {
    let secrets = Secrets::read(&args.key_file)?;
    let mut desk = Desk {
        secrets,
        period_ms: args.period_ms,
        monitor: None,
        report: Report::default(),
    };
    for line in stdin().lock().lines() {
        let line = line?;
        let (number, rest) = line.split_once(' ').context("a number and a request")?;
        desk.report = Report {
            number: number.parse()?,
            ..Report::default()
        };
        if desk.report.number == REST {
            desk.end_monitor()?;
        } else {
            desk.perform(&rest.parse()?)?;
        }
        println!("{}", serde_json::to_string(&desk.report)?);
        stdout().flush()?;
    }
    desk.end_monitor()
}

/// A client in the namespace where this thread is.
type Nlb = Client<NetlinkSocket>;

/// Where requests are dealt with.
pub(super) struct Desk {
    secrets: Secrets,
    period_ms: u32,
    /// An `nlbadm monitor` that runs beside.
    monitor: Option<Child>,
    report: Report,
}

/// The outcome of one call, if the rest of the request depends on it.
type Outcome<T> = std::result::Result<T, ()>;

impl Desk {
    /// For requests of this process itself.
    pub(super) fn new(secrets: Secrets, period_ms: u32) -> Self {
        Self {
            secrets,
            period_ms,
            monitor: None,
            report: Report::default(),
        }
    }

    fn perform(&mut self, request: &Request) -> Result<()> {
        let Ok(_inside) = enter(&request.place) else {
            self.report.refused = Some("the namespace has gone".to_owned());
            return Ok(());
        };
        let Some(device) = Route::new(NetlinkSocket::route()?).interface(&request.name)? else {
            self.report.refused = Some("the device has gone".to_owned());
            return Ok(());
        };
        if request.what == What::Monitor {
            return self.watch(&request.name);
        }
        let mut client = Client::new(NetlinkSocket::generic()?)?;
        // What was refused is in the report.
        let _ = self.ask(&mut client, device.index, request);
        for (place, _, _) in &mut self.report.operations {
            place.clone_from(&request.place);
        }
        Ok(())
    }

    /// The clusters that this process makes where no administrator is.
    pub(super) fn join(&mut self, place: &str, device: &str, host: u8) -> Result<()> {
        let line = format!("{place} {device} up test {host} multicast 46 started");
        self.report = Report::default();
        self.perform(&line.parse()?)?;
        match self.report.refused.take() {
            Some(refused) => bail!("{line}: {refused}"),
            None => Ok(()),
        }
    }

    /// Takes down all clusters of a namespace; how many there were.
    pub(super) fn down_all(&mut self, place: &str) -> Result<usize> {
        let _inside = enter(place)?;
        let mut client = Client::new(NetlinkSocket::generic()?)?;
        let clusters = client.clusters()?;
        for cluster in &clusters {
            let _ = self.down(&mut client, cluster.ifindex);
            if let Some(refused) = self.report.refused.take() {
                bail!("{place}: down of {}: {refused}", cluster.ifname);
            }
        }
        Ok(clusters.len())
    }

    /// One call: what it shows of the cluster is kept, and its refusal if that is expected.
    fn call<T>(
        &mut self,
        index: u32,
        effect: Option<Effect>,
        expected: &[i32],
        call: impl FnOnce() -> std::result::Result<T, Error>,
    ) -> Outcome<T> {
        let began = now();
        let result = call();
        let ended = now();
        let shown = match &result {
            Ok(_) => effect,
            Err(error) => effect.and_then(|effect| shown_by(error, effect)),
        };
        if let Some(effect) = shown {
            let number = self.report.number;
            let operation = Operation {
                began,
                ended,
                number,
                effect,
            };
            self.report
                .operations
                .push((String::new(), index, operation));
        }
        result.map_err(|error| {
            if error.errno().is_some_and(|it| expected.contains(&it)) {
                self.report.refused.get_or_insert(error.to_string());
            } else {
                let said = format!("{error} ({:?})", error.errno());
                self.report.trouble.get_or_insert(said);
            }
        })
    }

    /// A call that only a cluster answers.
    fn of_cluster<T>(
        &mut self,
        index: u32,
        call: impl FnOnce() -> std::result::Result<T, Error>,
    ) -> Outcome<T> {
        self.call(index, Some(Effect::Seen(true)), &OF_CLUSTERS, call)
    }

    fn ask(&mut self, client: &mut Nlb, index: u32, request: &Request) -> Outcome<()> {
        let change = match &request.what {
            What::Up { .. } => return self.up(client, index, &request.what),
            What::Down => return self.down(client, index),
            What::Remove => return self.remove(client, index),
            What::Show(list) => return self.show(client, index, list),
            What::Rules(number) => {
                let rules = rules_of(*number);
                return self.of_cluster(index, || client.set_rules(index, &rules));
            }
            What::RuleWeight(rule, weight) => {
                let change = RuleChange::Weight(*weight);
                return self.of_cluster(index, || client.change_rule(index, *rule, change));
            }
            What::RuleState(rule, state) => {
                let change = RuleChange::State(*state);
                return self.of_cluster(index, || client.change_rule(index, *rule, change));
            }
            What::KeyAdd(id) => {
                return self.of_cluster(index, || client.add_key(index, *id, [*id; KEY_LEN]));
            }
            What::KeyUse(id) => return self.of_cluster(index, || client.use_key(index, *id)),
            What::KeyDel(id) => return self.of_cluster(index, || client.delete_key(index, *id)),
            What::Monitor => return Ok(()),
            What::Control(Control::Start) => {
                self.mend_vips(client, index)?;
                ClusterChange::Control(Control::Start)
            }
            What::Control(control) => ClusterChange::Control(*control),
            What::Drainstop(seconds) => ClusterChange::Drainstop {
                timeout_s: Some(*seconds),
            },
            What::Weight(weight) => ClusterChange::Weight(*weight),
            What::SessionsMax(max) => ClusterChange::SessionsMax(*max),
        };
        self.of_cluster(index, || client.change(index, change))
    }

    /// As `nlbadm up`: what was done is undone if a step fails.
    fn up(&mut self, client: &mut Nlb, index: u32, what: &What) -> Outcome<()> {
        let new = self.new_cluster(index, what);
        self.call(index, Some(Effect::Made), &OF_NEW, || client.create(&new))?;
        let complete = self.mend_vips(client, index).and_then(|()| {
            if !matches!(what, What::Up { started: true, .. }) {
                return Ok(());
            }
            let start = ClusterChange::Control(Control::Start);
            self.of_cluster(index, || client.change(index, start))
        });
        complete.inspect_err(|()| {
            let _ = self.remove(client, index);
        })
    }

    fn new_cluster(&self, index: u32, what: &What) -> NewCluster {
        let What::Up {
            cluster,
            host,
            mode,
            both,
            ..
        } = what
        else {
            unreachable!("only this makes a cluster");
        };
        let (v4, v6) = VIPS[*cluster];
        let mut vips = vec![IpAddr::V4(v4)];
        if *both {
            vips.push(IpAddr::V6(v6));
        }
        NewCluster {
            ifindex: index,
            name: CLUSTERS[*cluster].to_owned(),
            host_id: *host,
            mode: *mode,
            vips,
            dedicated_ip: None,
            dedicated_follows: false,
            affinity: Affinity::None,
            period_ms: self.period_ms,
            tolerance: TOLERANCE_DEFAULT,
            weight: None,
            key: ClusterKey::Key {
                id: 1,
                key: self.secrets.key,
                seed: self.secrets.seed,
            },
            rules: None,
            virtual_mac: None,
            allow_other_interfaces: false,
            echo: Echo::DefaultHost,
            responder: Responder::DefaultHost,
            sessions_max: None,
        }
    }

    /// Adds an address, if it is not there.
    fn add_address(&mut self, index: u32, device: u32, vip: IpAddr) -> Outcome<()> {
        let add = || Route::new(NetlinkSocket::route()?).add_address(device, vip);
        self.call(index, None, &OF_ADDRESSES, || match add() {
            Err(error) if error.errno() == Some(EEXIST) => Ok(()),
            other => other,
        })
    }

    /// As `nlbadm down`, which does not wait for the farewell of a host that is stopped, nor does this.
    fn down(&mut self, client: &mut Nlb, index: u32) -> Outcome<()> {
        let stop = ClusterChange::Control(Control::Stop);
        // One that is stopped or suspended refuses, and goes all the same.
        let _ = self.of_cluster(index, || client.change(index, stop));
        self.report.refused = None;
        self.remove(client, index)
    }

    fn remove(&mut self, client: &mut Nlb, index: u32) -> Outcome<()> {
        self.call(index, Some(Effect::Removed), &[ENOENT], || {
            client.remove(index)
        })
    }

    /// As `nlbadm start`.
    fn mend_vips(&mut self, client: &mut Nlb, index: u32) -> Outcome<()> {
        let clusters = self.call(index, None, &[], || client.clusters())?;
        let found = clusters.into_iter().find(|it| it.ifindex == index);
        // Cluster and device go with the interface, and with the namespace first the device.
        let Some((device, vips)) = found.and_then(|it| Some((it.vip_ifindex?, it.vips))) else {
            return Ok(());
        };
        self.call(index, None, &OF_ADDRESSES, || {
            Route::new(NetlinkSocket::route()?).set_up_beside(device, index)
        })?;
        for vip in vips {
            self.add_address(index, device, vip)?;
        }
        Ok(())
    }

    fn show(&mut self, client: &mut Nlb, index: u32, list: &str) -> Outcome<()> {
        match list {
            "clusters" => self.call(index, None, &[], || client.clusters()).map(drop),
            "members" => self.of_cluster(index, || client.members(index)).map(drop),
            "buckets" => self.of_cluster(index, || client.buckets(index)).map(drop),
            "counters" => self.of_cluster(index, || client.counters(index)).map(drop),
            "history" => self.of_cluster(index, || client.history(index)).map(drop),
            "keys" => self.of_cluster(index, || client.keys(index)).map(drop),
            "rules" => self.of_cluster(index, || client.rules(index)).map(drop),
            _ => {
                let question = Question {
                    ifindex: index,
                    client: IpAddr::from([10, 1, 0, 7]),
                    client_port: 4001,
                    vip: IpAddr::V4(VIPS[0].0),
                    vip_port: 80,
                    protocol: 6,
                };
                self.of_cluster(index, || client.owner(question)).map(drop)
            }
        }
    }

    /// The tool itself, for it is there to be left running.
    fn watch(&mut self, device: &str) -> Result<()> {
        self.end_monitor()?;
        let monitor = Command::new("nlbadm")
            .args(["-j", "monitor", device])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("nlbadm")?;
        self.monitor = Some(monitor);
        Ok(())
    }

    fn end_monitor(&mut self) -> Result<()> {
        if let Some(mut monitor) = self.monitor.take() {
            monitor.kill()?;
            monitor.wait()?;
        }
        Ok(())
    }
}

/// What a refusal shows of the cluster of an interface.
fn shown_by(error: &Error, effect: Effect) -> Option<Effect> {
    let Error::Refused(refusal) = error else {
        return None;
    };
    let of_interface = |name: &String| name.ends_with(".ifindex") || name.ends_with(".mode");
    let about = refusal.attribute.as_ref().is_some_and(of_interface);
    match (effect, refusal.errno) {
        (Effect::Made, EBUSY) if about => Some(Effect::Seen(true)),
        (Effect::Removed | Effect::Seen(_), ENOENT) if about => Some(Effect::Seen(false)),
        _ => None,
    }
}

const PROTOCOLS: [Protocols; 3] = [Protocols::Tcp, Protocols::Udp, Protocols::Both];
const FILTERING: [FilteringMode; 2] = [FilteringMode::Multiple, FilteringMode::Single];
const AFFINITIES: [Affinity; 3] = [Affinity::None, Affinity::Single, Affinity::Network];

/// Rules that follow from a number.
fn rules_of(number: u64) -> Vec<NewRule> {
    let mut rng = Rng::with_seed(number);
    let mut rules = Vec::new();
    let mut first = 0u16;
    for _ in 0..rng.u8(1..4) {
        let last = first + rng.u16(1..200);
        let rule = Rule {
            protocols: PROTOCOLS[rng.usize(..PROTOCOLS.len())],
            first_port: first.max(1),
            last_port: last,
            mode: FILTERING[rng.usize(..FILTERING.len())],
            affinity: AFFINITIES[rng.usize(..AFFINITIES.len())],
            ..Rule::all(Affinity::None)
        };
        first = last + 1;
        rules.push(NewRule {
            rule,
            weight: rng.bool().then(|| rng.u8(..=100)),
            priority: None,
            state: None,
        });
    }
    rules
}

/// The process, as its parent sees it.
pub(super) struct Administrator {
    child: Child,
    requests: ChildStdin,
    reports: Receiver<Result<Report, String>>,
    /// Requests that were not answered yet.
    pub(super) waits: usize,
}

impl Administrator {
    /// Starts one.
    pub(super) fn start(key_file: &std::path::Path, period_ms: u32) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["administrator", "--period-ms", &period_ms.to_string()])
            .arg("--key-file")
            .arg(key_file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let requests = child.stdin.take().context("its input")?;
        let answers = child.stdout.take().context("its output")?;
        let (sender, reports) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(answers).lines() {
                let report = line.map_err(|error| error.to_string()).and_then(|line| {
                    serde_json::from_str(&line).map_err(|error| error.to_string())
                });
                if sender.send(report).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            child,
            requests,
            reports,
            waits: 0,
        })
    }

    /// Hands a request over. It does not wait for the answer.
    pub(super) fn ask(&mut self, number: u32, request: &str) -> Result<()> {
        writeln!(self.requests, "{number} {request}").context("an administrator has gone")?;
        self.waits += 1;
        Ok(())
    }

    /// The next report. Errors: if there is none in time.
    pub(super) fn report(&mut self, patience: Duration) -> Result<Report> {
        let report = self.reports.recv_timeout(patience);
        let report = report.context("an administrator does not answer")?;
        self.waits -= 1;
        report.map_err(anyhow::Error::msg)
    }

    /// Lets it end.
    pub(super) fn end(self) -> Result<()> {
        let Self {
            mut child,
            requests,
            ..
        } = self;
        drop(requests);
        let status = child.wait()?;
        if !status.success() {
            bail!("an administrator ended with {status}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nlb_netlink::{Error, Refusal};

    use super::{EBUSY, ENOENT, Effect, rules_of, shown_by};

    fn refused(errno: i32, attribute: &str) -> Error {
        Error::Refused(Refusal {
            errno,
            text: None,
            attribute: Some(attribute.to_owned()),
            missing: None,
        })
    }

    #[test]
    fn refusals_show_whether_there_was_a_cluster() {
        let seen = Effect::Seen(true);
        let gone = refused(ENOENT, "cluster.ifindex");
        assert_eq!(shown_by(&gone, seen), Some(Effect::Seen(false)));
        assert_eq!(shown_by(&gone, Effect::Removed), Some(Effect::Seen(false)));
        assert_eq!(shown_by(&refused(ENOENT, "key.id"), seen), None);
        let there = refused(EBUSY, "cluster.mode");
        assert_eq!(shown_by(&there, Effect::Made), Some(seen));
        assert_eq!(shown_by(&there, seen), None);
    }

    #[test]
    fn rules_follow_from_their_number_and_do_not_overlap() {
        for number in 0..200 {
            let rules = rules_of(number);
            assert_eq!(rules, rules_of(number));
            for (place, one) in rules.iter().enumerate() {
                assert!(one.rule.first_port <= one.rule.last_port);
                let mut others = rules.iter().take(place);
                assert!(!others.any(|other| other.rule.overlaps(&one.rule)));
            }
        }
    }
}
