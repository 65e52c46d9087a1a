// SPDX-License-Identifier: GPL-2.0-only

//! What has to be done by when, if nothing else goes wrong in the meantime: joins, leaves and the cold start.

use nlb_core::state::{HostState, OutReason};

use crate::check::calm::each;
use crate::check::{Property, Violation};
use crate::host::Role;
use crate::network::Weather;
use crate::world::{Event, World};

/// Frames that cross the network one after the other in a join: three heartbeats, a map fetched, three steps and
/// their answers, and as many again for a change that was under way before.
const HANDOVER_DELAYS: u64 = 16;

/// What is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A host that started serves.
    Join(usize),
    /// A host that was told to leave has left.
    Leave(usize),
    /// A host that drains owns nothing.
    Drain(usize),
    /// A stranger is kept out by name, owns nothing, and the rest serve on.
    KeptOut(usize),
    /// All hosts, started within a period, serve in one generation.
    Cold,
}

impl What {
    /// What is printed beside how often it was checked.
    fn name(self) -> &'static str {
        match self {
            What::Join(_) => "joins",
            What::Leave(_) => "leaves",
            What::Drain(_) => "drains",
            What::KeptOut(_) => "strangers",
            What::Cold => "cold starts",
        }
    }
}

impl World<'_> {
    /// How long it may take, in nanoseconds.
    fn allowance(&self, what: What) -> u64 {
        let handover = self.limits.gap / 4 * HANDOVER_DELAYS + 8 * self.plan.late_ns_max;
        let periods = match what {
            What::Join(_) | What::Leave(_) | What::Drain(_) => 2,
            // A stranger may have appeared while a host with its id was dead.
            What::KeptOut(_) => u64::from(self.plan.tolerance) + 3,
            // Ten with the default tolerance: five of listening, and five more.
            What::Cold => u64::from(self.plan.tolerance) + 5,
        };
        // Clocks differ by up to 2 %.
        let allowed = periods * self.plan.period_ns * 51 / 50;
        if what == What::Cold {
            allowed
        } else {
            allowed + handover
        }
    }

    /// Somebody or something acts on the cluster.
    pub(crate) fn note_act(&mut self) {
        if self.acted_at != self.now() {
            self.acted_before = self.acted_at;
            self.acted_at = self.now();
        }
    }

    /// Nothing has been wrong for longer than it takes to notice it.
    fn is_quiet(&self, since: u64) -> bool {
        let wrong = each(self.calm.running)
            .map(|host| self.calm.disturbed_at(host))
            .max()
            .unwrap_or(0);
        let acted = if self.acted_at == since {
            self.acted_before
        } else {
            self.acted_at
        };
        let last = wrong.max(self.calm.rough_at()).max(acted);
        last == 0 || last + self.limits.detection < since
    }

    fn is_fair(&self) -> bool {
        self.calm.whole() && self.network.weather == Weather::FAIR && self.adversary.doing.is_none()
    }

    /// Expects something to be done in its time, if it begins in quiet.
    pub(crate) fn expect(&mut self, what: What) {
        // After the healing one bound holds for all.
        let stands_still = |host: usize| self.hosts[host].paused.is_some();
        if self.healed
            || matches!(what, What::Join(host) | What::Leave(host) | What::Drain(host) if stands_still(host))
        {
            return;
        }
        let now = self.now();
        let fair = self.is_fair() && self.is_quiet(now);
        let others = each(self.calm.running)
            .filter(|&other| What::Join(other) != what)
            // Where a stranger serves in their place, members are kept out.
            .filter(|&other| self.hosts[other].role == Role::Member)
            .filter_map(|other| self.hosts[other].node.as_ref())
            .any(|node| node.state() == HostState::Converged);
        if what == What::Cold || (fair && others) {
            self.queue
                .push(now + self.allowance(what), Event::Expect(what, now));
        }
    }

    /// The time is up.
    pub(crate) fn expected(&mut self, what: What, since: u64) -> Result<(), Violation> {
        let wrong = each(self.calm.running)
            .map(|host| self.calm.disturbed_at(host))
            .max()
            .unwrap_or(0);
        let disturbed = wrong.max(self.calm.rough_at()) > since || self.acted_at > since;
        if disturbed || !self.is_fair() {
            return Ok(());
        }
        *self.expectations.entry(what.name()).or_default() += 1;
        let missed = match what {
            What::Join(host) => self.not_joined(host),
            What::Leave(host) => self.hosts[host]
                .node
                .as_ref()
                .filter(|node| !matches!(node.state(), HostState::Stopped | HostState::Suspended))
                .map(|node| format!("host #{host} wants to leave and is {}", node.state().name())),
            What::Drain(host) => self.hosts[host]
                .bits
                .iter()
                .any(|bits| *bits != 0)
                .then(|| format!("host #{host} drains and still takes new connections")),
            What::KeptOut(stranger) => return self.kept_out(stranger),
            What::Cold => self.unconverged(),
        };
        match missed {
            Some(why) => {
                let periods = (self.now() - since) as f64 / self.plan.period_ns as f64;
                Err(self.violation(
                    Property::Timing,
                    format!("{what:?}: after {periods:.2} periods {why}"),
                ))
            }
            None => Ok(()),
        }
    }

    /// Every member knows by name why a stranger is out, and serves.
    fn kept_out(&self, stranger: usize) -> Result<(), Violation> {
        let (role, id) = (self.hosts[stranger].role, self.hosts[stranger].id);
        if self.hosts[stranger].node.is_none() {
            return Ok(());
        }
        let twin_runs = self.twins(stranger).any(|twin| self.hosts[twin].runs());
        if role == Role::DuplicateId && !twin_runs {
            // The host of its id has left after its last session.
            return Ok(());
        }
        if role != Role::OtherKey && self.hosts[stranger].bits.iter().any(|bits| *bits != 0) {
            return Err(self.violation(
                Property::Stable,
                format!("stranger #{stranger} ({role:?}) serves"),
            ));
        }
        for index in each(self.calm.running).filter(|index| *index != stranger) {
            let host = &self.hosts[index];
            let Some(node) = host.node.as_ref().filter(|_| host.role == Role::Member) else {
                continue;
            };
            // The twin of a duplicate may have lost its id, and a member may be held out for reasons of its own.
            if host.id != id && !matches!(node.state(), HostState::Converged | HostState::Draining)
            {
                continue;
            }
            let told = node
                .members()
                .find(|info| info.host == id)
                .map_or(OutReason::None, |info| info.out);
            let right = match role {
                Role::OtherRules => told == OutReason::RulesDiffer,
                Role::OtherSettings => told == OutReason::SettingsDiffer,
                Role::OtherVersion => told == OutReason::Version,
                // The id is that of a member; a stranger with another key is not even heard.
                Role::DuplicateId | Role::OtherKey | Role::Member => true,
            };
            if !right {
                let text = format!(
                    "host #{index} says of stranger #{stranger} ({role:?}): {}",
                    told.name()
                );
                return Err(self.violation(Property::Stable, text));
            }
        }
        Ok(())
    }

    fn not_joined(&self, index: usize) -> Option<String> {
        let host = &self.hosts[index];
        let node = host.node.as_ref()?;
        let twin = self
            .hosts
            .iter()
            .any(|other| other.role == Role::DuplicateId && other.id == host.id);
        let held =
            twin || matches!(
                node.out_reason(),
                OutReason::Flapping | OutReason::RulesDiffer
            ) || host.role != Role::Member;
        let serves = matches!(node.state(), HostState::Converged | HostState::Draining);
        (!held && !serves).then(|| {
            format!(
                "host #{index} is {} ({})",
                node.state().name(),
                node.out_reason().name()
            )
        })
    }
}
