// SPDX-License-Identifier: GPL-2.0-only

//! One run: hosts, network, faults and checkers under virtual time.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use fastrand::Rng;
use nlb_core::event;
use nlb_core::limits::{FRAME_MAX, HOLD_NS_MIN, HOLD_SILENCES};
use nlb_core::node::Command;

use crate::adversary::Adversary;
use crate::auth::Keyring;
use crate::check::agreement::Agreement;
use crate::check::calm::Calm;
use crate::check::owner::{Limits, Owners};
use crate::check::{Property, Violation};
use crate::expect::What;
use crate::fault::Kind;
use crate::host::{Host, Role, Sent};
use crate::inject::Act;
use crate::network::{Network, Way};
use crate::plan::{AuthKind, Plan};
use crate::queue::Queue;
use crate::segment::is_of_segment;
use crate::session::Sessions;
use crate::stats::Outcome;
use crate::trace::{Trace, Verbosity};

/// Simulated hosts beyond those of the plan: each place is taken once, by a duplicate or a stranger.
pub(crate) const STRANGERS: usize = 6;

/// Frames that one input may make a node send: a map for a joiner is a few dozen, an answer to each peer 63.
pub(crate) const TRANSMIT_MAX: usize = 512;

/// Times in a row that a host may want its timer at once after it was served.
const RESTLESS_MAX: u32 = 8;

/// Frames that wait for a host that stands still; a receive queue holds no more.
pub(crate) const BACKLOG_MAX: usize = 64;

/// Frames lost, in parts per 1024, up to which changes have to be through in time: a third. Beyond that heartbeats are no
/// means to tell life from death; what must never happen must not happen then either.
pub(crate) const LOSS_BORNE: u32 = 340;

/// Frames lost or held back, in parts per 1024, up to which the same holds: half. Those held back come up to two periods
/// late; where most frames do not come in time, the three exchanges of a change with dozens of hosts alone last longer than
/// the two periods there are for them.
const DELAY_BORNE: u32 = 512;

/// What can happen next.
pub(crate) enum Event {
    /// A frame arrives.
    Deliver {
        to: usize,
        way: Way,
        frame: Rc<Sent>,
    },
    /// A frame of the adversary arrives; `copy_of` is the frame that it repeats to the letter.
    Attack {
        to: usize,
        way: Way,
        bytes: Rc<[u8]>,
        copy_of: Option<Rc<Sent>>,
    },
    /// The timer of a host fires, if it was not set anew in the meantime.
    Timer { host: usize },
    /// Fault number so and so of the plan begins.
    Fault(usize),
    /// A part of a fault.
    Act(Act),
    /// The adversary has its turn.
    Adversary,
    /// Frames that are not of the cluster pass on the segment.
    Background,
    /// The lasting properties are looked at.
    Tick,
    /// All hosts have started.
    ColdStart,
    /// Something that was expected has to be done by now; it began at this time.
    Expect(What, u64),
    /// Clients open connections.
    Clients,
    /// A host begins or ends a walk over its sessions.
    Walk(usize),
    /// Everything that is wrong ends.
    Heal,
}

/// One run.
pub(crate) struct World<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) queue: Queue<Event>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) network: Network,
    pub(crate) adversary: Adversary,
    /// Draws of the network and of timers.
    pub(crate) rng: Rng,
    pub(crate) calm: Calm,
    pub(crate) owners: Owners,
    pub(crate) agreement: Agreement,
    pub(crate) sessions: Sessions,
    pub(crate) limits: Limits,
    pub(crate) trace: Trace,
    pub(crate) faults: BTreeMap<Kind, u32>,
    /// Everything has healed; parts of faults that are still to come are void.
    pub(crate) healed: bool,
    /// The digest of the rules that administrators want in force.
    pub(crate) rules_digest: u64,
    /// A key rotation is under way; id of the newest key.
    pub(crate) rotating: bool,
    pub(crate) key_id: u8,
    pub(crate) serial: u64,
    /// For each pair the serial of the newest frame delivered and accepted.
    pub(crate) delivered: Vec<u64>,
    pub(crate) accepted: Vec<u64>,
    pub(crate) converged_at: Option<u64>,
    pub(crate) buffer: Vec<u8>,
    events: u64,
    pub(crate) frames_accepted: u64,
    pub(crate) frames_refused: u64,
    pub(crate) attack_frames: u64,
    /// When an administrator or a fault last did something, in nanoseconds.
    pub(crate) acted_at: u64,
    /// The same, the time before.
    pub(crate) acted_before: u64,
    /// Joins, leaves and so on whose time was checked.
    pub(crate) expectations: BTreeMap<&'static str, u64>,
}

/// Plays a plan, without the faults whose numbers are in `without`.
pub(crate) fn play(plan: &Plan, without: &[usize], verbosity: Verbosity) -> Outcome {
    let mut world = World::new(plan, verbosity);
    let result = catch_unwind(AssertUnwindSafe(|| world.run(without)));
    let violation = match result {
        Ok(Ok(())) => None,
        Ok(Err(violation)) => Some(violation),
        Err(_) => Some(Violation {
            property: Property::Panic,
            at: world.queue.now(),
            text: crate::run::last_panic(),
        }),
    };
    world.outcome(violation)
}

impl<'a> World<'a> {
    fn new(plan: &'a Plan, verbosity: Verbosity) -> Self {
        let n = plan.hosts.len() + STRANGERS;
        let mut rng = Rng::with_seed(plan.seed.rotate_left(17) ^ 0x776f_726c_6421);
        let slots = plan.slots.len();
        let delay = |way: usize| plan.delay_ns[way] + plan.jitter_ns[way];
        let delay_max = if plan.relay {
            delay(0).max(delay(1))
        } else {
            delay(0)
        };
        let detection = plan.detection_ns();
        // Clocks differ by up to 2 %, timers fire late.
        let detection = detection + detection / 40 + 2 * plan.late_ns_max + 4 * delay_max;
        let limits = Limits {
            detection,
            held: HOLD_NS_MIN.max(HOLD_SILENCES * plan.period_ns * u64::from(plan.tolerance)),
            cold: detection + 3 * plan.period_ns,
            doubled: detection,
            excuse: 2 * detection + 4 * plan.period_ns,
            gap: 4 * delay_max,
            gap_rough: detection,
            silence: plan.period_ns * u64::from(plan.tolerance - 1),
        };
        let hosts: Vec<Host> = (0..n)
            .map(|index| {
                let keys = Keyring::new(plan.auth, 1, plan.seed ^ 0x6b65_7931);
                Host::of_plan(
                    plan,
                    index.min(plan.hosts.len() - 1),
                    keys,
                    rng.u64(1_000_000_000..u64::MAX / 4),
                )
            })
            .collect();
        let kinds = hosts[0].config.rules.kinds[..slots].to_vec();
        World {
            plan,
            queue: Queue::new(),
            hosts,
            // One more place: the router, which is what the segment has besides hosts of the cluster.
            network: Network::new(n + 1, plan.relay, plan.delay_ns, plan.jitter_ns),
            adversary: Adversary::new(plan.seed),
            rng,
            calm: Calm::new(n, limits.silence, limits.silence + 2 * plan.period_ns),
            // One more slot: what goes to the default host.
            owners: Owners::new(slots + 1, plan.buckets, n),
            agreement: Agreement::new(kinds, plan.buckets),
            sessions: Sessions::new(plan.seed, n),
            limits,
            trace: Trace::new(verbosity),
            faults: BTreeMap::new(),
            healed: false,
            rules_digest: 1,
            rotating: false,
            key_id: 1,
            serial: 0,
            delivered: vec![0; n * n],
            accepted: vec![0; n * n],
            converged_at: None,
            buffer: vec![0; FRAME_MAX],
            events: 0,
            frames_accepted: 0,
            frames_refused: 0,
            attack_frames: 0,
            acted_at: 0,
            acted_before: 0,
            expectations: BTreeMap::new(),
        }
    }

    /// The place of the router in the network.
    pub(crate) fn router(&self) -> usize {
        self.hosts.len()
    }

    pub(crate) fn now(&self) -> u64 {
        self.queue.now()
    }

    /// Writes a line of the trace, if anybody wants it.
    pub(crate) fn say(&mut self, text: impl FnOnce() -> String) {
        if self.trace.wants_lines() {
            let now = self.queue.now();
            self.trace.line(now, format_args!("{}", text()));
        }
    }

    /// The run has shown what it can: all have converged again, and it has lasted.
    fn is_over(&self) -> bool {
        let lasted = self
            .converged_at
            .is_some_and(|at| self.now() > at + self.limits.detection);
        lasted && self.now() >= crate::plan::RUN_NS_MIN
    }

    /// How long after the healing all must have converged, in nanoseconds.
    pub(crate) fn heal_bound(&self) -> u64 {
        3 * self.limits.detection + 12 * self.plan.period_ns
    }

    fn run(&mut self, without: &[usize]) -> Result<(), Violation> {
        for index in 0..self.plan.hosts.len() {
            self.queue.push(
                self.plan.hosts[index].start,
                Event::Act(Act::PowerOn(index)),
            );
        }
        for (number, fault) in self.plan.faults.iter().enumerate() {
            if !without.contains(&number) {
                self.queue.push(fault.at, Event::Fault(number));
            }
        }
        let last_start = self
            .plan
            .hosts
            .iter()
            .map(|host| host.start)
            .max()
            .unwrap_or(0);
        if last_start <= self.plan.period_ns {
            self.queue.push(last_start + 1, Event::ColdStart);
        }
        self.queue.push(self.plan.heal_at, Event::Heal);
        self.queue.push(self.plan.period_ns, Event::Tick);
        self.queue.push(self.plan.period_ns / 3, Event::Background);
        self.begin_sessions();
        while let Some(event) = self.queue.pop() {
            if self.is_over() {
                break;
            }
            self.events += 1;
            self.trace.word(self.queue.now());
            self.step(event)?;
        }
        self.finally()
    }

    fn step(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Deliver { to, way, frame } => self.deliver(to, way, &frame),
            Event::Attack {
                to,
                way,
                bytes,
                copy_of,
            } => self.attacked(to, way, &bytes, copy_of.as_deref()),
            Event::Timer { host } => self.timer(host),
            Event::Fault(number) => self.fault(number),
            Event::Act(act) => self.act(act),
            Event::Adversary => {
                self.adversary_turn();
                Ok(())
            }
            Event::Background => self.background(),
            Event::Tick => self.tick(),
            Event::ColdStart => {
                self.expect(What::Cold);
                Ok(())
            }
            Event::Expect(what, since) => self.expected(what, since),
            Event::Clients => self.clients(),
            Event::Walk(host) => self.walk(host),
            Event::Heal => self.heal(),
        }
    }

    fn timer(&mut self, host: usize) -> Result<(), Violation> {
        let now = self.now();
        if self.hosts[host].wake != now || self.hosts[host].paused.is_some() {
            return Ok(());
        }
        self.hosts[host].wake = u64::MAX;
        let clock = self.hosts[host].clock(now);
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(());
        };
        node.handle_timeout(clock);
        self.after(host)?;
        self.comes_to_rest(host)
    }

    /// A timer that was served wants the next one later: a core that does not would keep a CPU to itself.
    fn comes_to_rest(&mut self, index: usize) -> Result<(), Violation> {
        let clock = self.hosts[index].clock(self.now());
        let host = &mut self.hosts[index];
        let due = host
            .node
            .as_ref()
            .is_some_and(|node| node.poll_timeout() <= clock);
        host.restless = if due { host.restless + 1 } else { 0 };
        if host.restless < RESTLESS_MAX {
            return Ok(());
        }
        Err(self.violation(
            Property::Bounded,
            format!("host #{index} wants its timer again and again at once"),
        ))
    }

    /// Gives a command to a node that has power; a host that stands still hears it when it goes on.
    pub(crate) fn command(&mut self, host: usize, command: Command) -> Result<(), Violation> {
        let clock = self.hosts[host].clock(self.now());
        let random = self.rng.u64(1..);
        if self.hosts[host].paused.is_some() {
            if !is_of_segment(command) {
                self.hosts[host].unheard.push(command);
            }
            return Ok(());
        }
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(());
        };
        let (alone, unlinked) = (node.view_members().len() == 1, node.links().is_empty());
        let result = node.handle_command(clock, command, random);
        let leaves = matches!(command, Command::Stop | Command::Suspend);
        let drains = matches!(command, Command::Drain | Command::Drainstop { .. });
        let reweighted = matches!(command, Command::SetWeight { .. });
        if result.is_ok() && (leaves || drains || reweighted) {
            self.owners.unloads(self.queue.now());
        }
        // A change that is being prepared is made anew with other weights or rules.
        if result.is_ok() && (reweighted || matches!(command, Command::Stage(_))) {
            self.owners.restarts(self.queue.now());
        }
        let weight_0 = matches!(command, Command::SetWeight { weight: 0, .. });
        if alone && (weight_0 || drains || (leaves && unlinked)) {
            self.has_no_successor();
        }
        if leaves && self.hosts[host].runs() {
            let now = self.now();
            self.hosts[host].leaving_since.get_or_insert(now);
        } else if command == Command::Start {
            self.hosts[host].leaving_since = None;
        }
        if !is_of_segment(command) {
            self.say(|| format!("#{host} {command:?}: {result:?}"));
        }
        self.after(host)
    }

    /// What a caller of the core does after each input: first the packet path, then frames, events and the timer.
    pub(crate) fn after(&mut self, host: usize) -> Result<(), Violation> {
        self.apply_ownership(host)?;
        self.drain(host)?;
        self.set_timer(host);
        self.survey_if_changed(host);
        self.look_at_moved_sessions()?;
        self.owners.step(self.queue.now(), &self.calm, &self.limits)
    }

    pub(crate) fn drain_events(&mut self, index: usize) -> Result<(), Violation> {
        for _ in 0..TRANSMIT_MAX {
            let Some(node) = &mut self.hosts[index].node else {
                return Ok(());
            };
            let Some(event) = node.poll_event() else {
                return Ok(());
            };
            if matches!(event, event::Event::Drained { .. }) {
                let now = self.queue.now();
                self.hosts[index].leaving_since.get_or_insert(now);
            }
            self.say(|| format!("#{index} {event:?}"));
        }
        Err(self.violation(
            Property::Bounded,
            format!("host #{index} has events without end"),
        ))
    }

    pub(crate) fn set_timer(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        let Some(node) = &host.node else { return };
        let due = host.virtual_time(node.poll_timeout());
        if due == u64::MAX {
            host.wake = u64::MAX;
            return;
        }
        // A timer that is set again for the same deadline keeps its lateness: nothing new was armed.
        let due = due.max(self.queue.now());
        if host.wake >= due && host.wake <= due + self.plan.late_ns_max {
            return;
        }
        host.wake = due + self.rng.u64(0..=self.plan.late_ns_max);
        let wake = host.wake;
        self.queue.push(wake, Event::Timer { host: index });
    }

    fn tick(&mut self) -> Result<(), Violation> {
        let now = self.now();
        self.calm.look_for_silence(now);
        let weather = self.network.weather;
        if weather.loss > LOSS_BORNE || weather.loss + weather.reorder > DELAY_BORNE {
            self.calm.storm(now);
        }
        if self
            .hosts
            .iter()
            .any(|host| host.role == Role::OtherKey && host.node.is_some())
        {
            self.calm.foreign(now);
        }
        if self.owners.rules_in_flux && self.rules_agree() {
            self.owners.rules_in_flux = false;
        }
        if self.hosts.iter().any(Host::says_that_it_is_held) {
            self.owners.someone_is_held(now, &self.calm, &self.limits);
        }
        self.owners.tick(now, &self.calm, &self.limits)?;
        if self.healed && self.converged_at.is_none() {
            self.look_for_convergence()?;
        }
        self.queue.push(now + self.plan.period_ns / 2, Event::Tick);
        Ok(())
    }

    pub(crate) fn violation(&self, property: Property, text: String) -> Violation {
        Violation {
            property,
            at: self.queue.now(),
            text,
        }
    }

    fn outcome(self, violation: Option<Violation>) -> Outcome {
        let delay = self.limits.gap / 4;
        let healed = self.converged_at.map_or(0, |at| at - self.plan.heal_at);
        Outcome {
            seed: self.plan.seed,
            hash: self.trace.hash(),
            hosts: self.plan.hosts.len(),
            buckets: self.plan.buckets,
            period_ns: self.plan.period_ns,
            tempo: self.plan.tempo,
            virtual_ns: self.queue.now(),
            faults: self.faults,
            events: self.events,
            frames_accepted: self.frames_accepted,
            frames_refused: self.frames_refused,
            attack_frames: self.attack_frames,
            generations: self.agreement.count(),
            expectations: self.expectations,
            unchecked: self.agreement.unchecked,
            sessions: self.sessions.compared,
            gap_milli: self.owners.gap_max[0] * 1000 / delay.max(1),
            failover_milli: self.owners.failover_max * 1000 / self.plan.detection_ns(),
            doubled_milli: self.owners.doubled_max * 1000 / self.plan.detection_ns(),
            heal_milli: healed * 1000 / self.plan.period_ns,
            auth: match self.plan.auth {
                AuthKind::Hmac => "hmac-sha256",
                AuthKind::Fast => "fast keyed hash",
                AuthKind::Open => "no key",
            },
            violation,
            tail: self.trace.tail().map(str::to_owned).collect(),
        }
    }
}
