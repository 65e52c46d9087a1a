// SPDX-License-Identifier: GPL-2.0-only
//! Runs a sequence: hands requests to the administrators, carries out device
//! events beside them, and looks now and then whether all is in order.

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::administrator::{Administrator, Desk, REST, Report, now};
use super::check::{Checker, Fault};
use super::event::{Event, Kind, Sort};
use super::place::{self, SWITCH, enter};
use super::register::{Effect, Operation};
use super::sequence::{Numbered, Step};
use super::traffic::Traffic;
use super::world::{Left, World};
use super::{Args, Plant, links};
use crate::key::Secrets;

/// Requests that an administrator may have before him; then the devices wait for him.
const WAITING_MAX: usize = 3;

/// Seconds within which an administrator answers, and within which all must be in order.
const ANSWER_S: u64 = 60;
const ORDER_S: u64 = 30;

/// How often it is tried to remove the module without clusters.
const AGAIN: Duration = Duration::from_millis(50);

/// Refusals of the kernel that an event may meet: what stands on a device, or what kind it is, may forbid it.
const REFUSALS: [i32; 14] = [
    libc_errno::EPERM,
    libc_errno::EAGAIN,
    libc_errno::EACCES,
    libc_errno::EBUSY,
    libc_errno::EEXIST,
    libc_errno::EINVAL,
    libc_errno::ERANGE,
    libc_errno::ELOOP,
    libc_errno::EOPNOTSUPP,
    libc_errno::EADDRINUSE,
    libc_errno::EADDRNOTAVAIL,
    libc_errno::ENETDOWN,
    libc_errno::EMLINK,
    libc_errno::EPROTONOSUPPORT,
];

/// Numbers of errors, as Linux has them.
mod libc_errno {
    pub(super) const EPERM: i32 = 1;
    pub(super) const EAGAIN: i32 = 11;
    pub(super) const EACCES: i32 = 13;
    pub(super) const EBUSY: i32 = 16;
    pub(super) const EEXIST: i32 = 17;
    pub(super) const EINVAL: i32 = 22;
    pub(super) const EMLINK: i32 = 31;
    pub(super) const ERANGE: i32 = 34;
    pub(super) const ELOOP: i32 = 40;
    pub(super) const EPROTONOSUPPORT: i32 = 93;
    pub(super) const EOPNOTSUPP: i32 = 95;
    pub(super) const EADDRINUSE: i32 = 98;
    pub(super) const EADDRNOTAVAIL: i32 = 99;
    pub(super) const ENETDOWN: i32 = 100;
}

/// What is printed at the end.
#[derive(Default, Serialize)]
struct Summary {
    /// Device events: by kind, how many were carried out and how many the kernel refused.
    events: u32,
    done: BTreeMap<&'static str, u32>,
    refused: BTreeMap<&'static str, u32>,
    /// Those that could not be, for others before them were left out or refused.
    skipped: u32,
    requests: BTreeMap<&'static str, u32>,
    requests_refused: u32,
    looks: u64,
    clusters_seen: u64,
    packets: u64,
    milliseconds: u128,
}

/// A sequence under way.
pub(super) struct Run<'a> {
    args: &'a Args,
    world: World,
    checker: Checker,
    administrators: Vec<Administrator>,
    desk: Desk,
    traffic: Traffic,
    summary: Summary,
    began: Instant,
}

impl<'a> Run<'a> {
    /// Everything that is there before the first event.
    pub(super) fn start(args: &'a Args) -> Result<Self> {
        let mut desk = Desk::new(Secrets::read(&args.key_file)?, args.period_ms);
        desk.join(&args.stays, "eth0", 1)?;
        let administrators = (0..2)
            .map(|_| Administrator::start(&args.key_file, args.period_ms))
            .collect::<Result<_>>()?;
        Ok(Self {
            args,
            world: World::default(),
            checker: Checker::new(1),
            administrators,
            desk,
            traffic: Traffic::start(args.seed, Duration::from_millis(args.pause_ms))?,
            summary: Summary::default(),
            began: Instant::now(),
        })
    }

    /// Runs all steps, and takes everything down.
    pub(super) fn all(mut self, sequence: &[Numbered]) -> Result<()> {
        let mut last = 0;
        for one in sequence {
            last = one.number;
            // Before it happens: it may be the last thing that is ever seen of this machine.
            println!("{one}");
            stdout().flush()?;
            match &one.step {
                Step::Devices(event) => {
                    self.summary.events += 1;
                    self.happen(one.number, event)?;
                    if self.summary.events % self.args.look_every == 0 {
                        self.look(last)?;
                    }
                }
                Step::Administrator(who, request) => {
                    *self.summary.requests.entry(request.word()).or_default() += 1;
                    self.administrators[*who].ask(one.number, &request.to_string())?;
                    while self.administrators[*who].waits > WAITING_MAX {
                        self.hear(*who)?;
                    }
                }
            }
        }
        self.look(last)?;
        self.take_down(last)
    }

    /// Takes in a report of an administrator.
    fn hear(&mut self, who: usize) -> Result<()> {
        let patience = self.args.patience(ANSWER_S);
        let report: Report = self.administrators[who].report(patience)?;
        if let Some(trouble) = report.trouble {
            bail!("FAILED error: request {}: {trouble}", report.number);
        }
        self.summary.requests_refused += u32::from(report.refused.is_some());
        for (place, index, operation) in report.operations {
            if self.world.namespaces.contains(&place) {
                self.checker.note((place, index), operation);
            }
        }
        Ok(())
    }

    /// Lets both administrators come to rest.
    fn rest(&mut self) -> Result<()> {
        for who in 0..self.administrators.len() {
            self.administrators[who].ask(REST, "rest")?;
            while self.administrators[who].waits > 0 {
                self.hear(who)?;
            }
        }
        Ok(())
    }

    fn look(&mut self, last: u32) -> Result<()> {
        self.rest()?;
        let patience = self.args.patience(ORDER_S);
        self.checker
            .look(&self.world, patience)
            .map_err(|Fault { class, text }| {
                anyhow::anyhow!("FAILED {class}: after step {last}: {text}")
            })
    }

    fn happen(&mut self, number: u32, event: &Event) -> Result<()> {
        if !self.world.is_feasible(event) {
            self.summary.skipped += 1;
            return Ok(());
        }
        if let Event::Module(name) = event {
            // Requests would fail that find no module, and devices of a driver go one by one.
            self.rest()?;
            if name == "nlb" {
                *self.summary.done.entry(event.word()).or_default() += 1;
                return self.reload();
            }
        }
        self.let_go(event);
        let began = now();
        let outcome = links::perform(event, &self.world);
        let ended = now();
        if let Err(error) = outcome {
            let expected = errno(&error).is_none_or(|it| REFUSALS.contains(&it));
            let may_be = !matches!(event, Event::NamespaceAdd(_) | Event::NamespaceDel(_));
            if !expected || !may_be {
                bail!("FAILED error: step {number}: {event}: {error:#}");
            }
            println!("# refused: {error:#}");
            *self.summary.refused.entry(event.word()).or_default() += 1;
            if let Some(place) = self.world.half_ended(event) {
                let operation = Operation {
                    began,
                    ended,
                    number,
                    effect: Effect::MayHaveEnded,
                };
                self.checker.note(place, operation);
            }
            return self.follow_half(event);
        }
        *self.summary.done.entry(event.word()).or_default() += 1;
        let left = self.world.apply(event);
        if let Event::Enslave { place, name, .. } = event {
            let device = self.world.find(place, name);
            if device.is_none_or(|(_, device)| device.master.is_none()) {
                bail!("FAILED model: step {number}: the kernel lets {event} happen");
            }
        }
        // What is in a namespace goes when the kernel comes to it.
        let ended = match event {
            Event::NamespaceDel(_) => u64::MAX,
            _ => ended,
        };
        self.note_left(number, event, left, began, ended);
        if let Event::NamespaceDel(name) = event {
            self.checker.forget(name);
        }
        self.follow(event)
    }

    fn note_left(&mut self, number: u32, event: &Event, left: Vec<Left>, began: u64, ended: u64) {
        for one in left {
            self.traffic.forget(&one.place, one.index);
            let planted = self.args.plant == Some(Plant::RenamedMoves);
            if planted && one.renamed && matches!(event, Event::Move { .. }) {
                continue;
            }
            let operation = Operation {
                began,
                ended,
                number,
                effect: Effect::Ended,
            };
            self.checker.note((one.place, one.index), operation);
        }
    }

    /// Before a namespace goes, nothing in here may hold it.
    fn let_go(&mut self, event: &Event) {
        if let Event::NamespaceDel(name) = event {
            self.traffic.forget_place(name);
        }
    }

    /// Looks up what an event has made, and sends on it.
    fn follow(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::NamespaceAdd(name) => self.traffic.add_place(name),
            Event::Add { place, name, kind } => {
                self.found(place, name)?;
                if let Kind::Veth { port } = kind {
                    let _inside = enter(SWITCH)?;
                    self.traffic.add(SWITCH, port, links::index(port)?)?;
                }
                Ok(())
            }
            Event::Move { name, to, .. } => {
                self.found(to, name)?;
                let _inside = enter(to)?;
                links::bring_up(name)
            }
            _ => Ok(()),
        }
    }

    /// A device may have been made though its event failed half way: then it goes again.
    fn follow_half(&mut self, event: &Event) -> Result<()> {
        let Event::Add { place, name, kind } = event else {
            return Ok(());
        };
        let _inside = enter(place)?;
        if links::index(name).is_err() {
            return Ok(());
        }
        match kind.sort() {
            Sort::Ovs => crate::ovs::delete(name),
            _ => links::delete(name),
        }
    }

    fn found(&mut self, place: &str, name: &str) -> Result<()> {
        let index = {
            let _inside = enter(place)?;
            links::index(name)?
        };
        self.world.set_index(place, name, index);
        self.traffic.add(place, name, index)
    }

    /// The module goes, which it may not while there is a cluster, and comes again: all drivers are older then.
    fn reload(&mut self) -> Result<()> {
        let places: Vec<_> = self.world.namespaces.iter().cloned().collect();
        if links::run("rmmod", &["nlb"]).is_ok() {
            bail!("FAILED references: the module went though there was a cluster");
        }
        for place in places.iter().chain([&self.args.stays]) {
            self.desk.down_all(place)?;
        }
        self.checker.clear();
        self.remove_module()?;
        let module = self
            .args
            .module
            .to_str()
            .context("the path of the module")?;
        links::run("insmod", &[module])?;
        self.desk.join(&self.args.stays, "eth0", 1)
    }

    /// Clusters of namespaces that have been deleted end when the kernel comes to them.
    fn remove_module(&self) -> Result<()> {
        let deadline = Instant::now() + self.args.patience(ORDER_S);
        loop {
            match links::run("rmmod", &["nlb"]) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() >= deadline => {
                    bail!("FAILED references: no cluster is left, but: {error}")
                }
                Err(_) => sleep(AGAIN),
            }
        }
    }

    /// Everything goes: half of the namespaces with their clusters, half after these.
    fn take_down(mut self, last: u32) -> Result<()> {
        let places: Vec<_> = self.world.namespaces.iter().cloned().collect();
        for (turn, name) in places.iter().enumerate() {
            if turn % 2 == 0 {
                self.desk.down_all(name)?;
            }
            let event = Event::NamespaceDel(name.clone());
            self.let_go(&event);
            links::perform(&event, &self.world)?;
            self.world.apply(&event);
            self.checker.forget(name);
        }
        self.look(last)?;
        for name in &places {
            if place::file(name).is_ok() {
                bail!("FAILED namespaces: {name} is still there");
            }
        }
        for administrator in self.administrators {
            administrator.end()?;
        }
        self.summary.packets = self.traffic.end();
        self.summary.looks = self.checker.looks;
        self.summary.clusters_seen = self.checker.seen;
        self.summary.milliseconds = self.began.elapsed().as_millis();
        println!("{}", serde_json::to_string(&self.summary)?);
        Ok(())
    }
}

/// The number of the error that the kernel gave, if it was one.
fn errno(error: &anyhow::Error) -> Option<i32> {
    error.chain().find_map(|cause| {
        let refused = cause.downcast_ref::<nlb_netlink::Error>();
        let refused = refused.and_then(nlb_netlink::Error::errno);
        let io = cause.downcast_ref::<std::io::Error>();
        let nix = cause.downcast_ref::<nix::errno::Errno>();
        refused
            .or_else(|| io.and_then(std::io::Error::raw_os_error))
            .or_else(|| nix.map(|errno| *errno as i32))
    })
}
