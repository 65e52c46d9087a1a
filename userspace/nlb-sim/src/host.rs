// SPDX-License-Identifier: GPL-2.0-only

//! A simulated host: one node of the real core, with a clock of its own and what an administrator wants of it.

use std::collections::VecDeque;
use std::rc::Rc;

use nlb_core::config::{Config, Dedicated, Rules, SlotKind, SlotSet, Terms, Timing};
use nlb_core::host::HostId;
use nlb_core::limits::SLOTS_MAX;
use nlb_core::node::{Command, Node};
use nlb_core::state::OutReason;
use nlb_core::time::Instant;
use nlb_core::wire::GenId;
use nlb_tables::Tables;

use crate::auth::Keyring;
use crate::network::Way;
use crate::plan::{Plan, SlotPlan, Versions};

/// A frame that a host has sent.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The simulated host.
    pub(crate) from: usize,
    /// Position in the order of all frames ever sent in this run.
    pub(crate) serial: u64,
    /// Virtual time of sending, in nanoseconds.
    pub(crate) at: u64,
    pub(crate) bytes: Box<[u8]>,
}

/// What a simulated host is to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// One of the hosts of the plan.
    Member,
    /// It uses the id of another host that lives.
    DuplicateId,
    /// Its rules differ.
    OtherRules,
    /// Its settings differ.
    OtherSettings,
    /// It speaks no version that the others speak.
    OtherVersion,
    /// It has another key: to the cluster it is noise, and the cluster is noise to it.
    OtherKey,
}

/// What an administrator wants of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Take part.
    Serve,
    /// Take no new connections.
    Drain,
    /// Be stopped, or suspended.
    Rest,
}

/// A simulated host.
pub(crate) struct Host {
    pub(crate) id: HostId,
    pub(crate) role: Role,
    pub(crate) config: Config,
    pub(crate) keys: Keyring,
    /// `None` while it has no power.
    pub(crate) node: Option<Node<Tables>>,
    pub(crate) wish: Wish,
    pub(crate) suspended: bool,
    pub(crate) drift_ppm: i64,
    /// What its clock showed when virtual time began.
    pub(crate) clock_begin: u64,
    /// Since when it has stood still.
    pub(crate) paused: Option<u64>,
    /// Frames that wait for a paused host.
    pub(crate) backlog: VecDeque<(Way, Rc<Sent>)>,
    /// Commands that wait for a paused host.
    pub(crate) unheard: Vec<Command>,
    /// Virtual time of the timer event that is in the queue.
    pub(crate) wake: u64,
    /// Times in a row that its timer was wanted at once after it was served.
    pub(crate) restless: u32,
    /// How many faults keep its carrier down, and its VIP away.
    pub(crate) carrier_down: u32,
    pub(crate) vip_missing: u32,
    /// Bits that the packet path would see: slots × words, then one for the default host.
    pub(crate) bits: Vec<u64>,
    /// Changes and generation that were last looked at.
    pub(crate) seen: (u64, GenId),
    /// When it was last powered, in nanoseconds of virtual time.
    pub(crate) power_on_at: u64,
    /// Since when it has wanted to leave, in nanoseconds of virtual time.
    pub(crate) leaving_since: Option<u64>,
}

impl Host {
    /// Host `index` of a plan, without power.
    pub(crate) fn of_plan(plan: &Plan, index: usize, keys: Keyring, clock_begin: u64) -> Host {
        let host = &plan.hosts[index];
        let id = HostId::new(host.id).expect("a plan draws ids from 1 to 64");
        Host {
            id,
            role: Role::Member,
            config: config(plan, index, id),
            keys,
            node: None,
            wish: Wish::Serve,
            suspended: false,
            drift_ppm: host.drift_ppm,
            clock_begin,
            paused: None,
            backlog: VecDeque::new(),
            unheard: Vec::new(),
            wake: u64::MAX,
            restless: 0,
            carrier_down: 0,
            vip_missing: 0,
            bits: vec![0; plan.slots.len() * plan.buckets.div_ceil(64) + 1],
            seen: (0, GenId::NONE),
            power_on_at: 0,
            leaving_since: None,
        }
    }

    /// What its clock shows at a virtual time.
    pub(crate) fn clock(&self, at: u64) -> Instant {
        // In two parts, so that 64 bits are enough: a run is shorter than 2^63 ns, and a drift smaller than 2^20 ppm.
        let rate = (1_000_000 + self.drift_ppm) as u64;
        let (whole, rest) = (at / 1_000_000, at % 1_000_000);
        Instant(self.clock_begin + whole * rate + rest * rate / 1_000_000)
    }

    /// The virtual time at which its clock shows `instant` or more; `u64::MAX` if never.
    pub(crate) fn virtual_time(&self, instant: Instant) -> u64 {
        if instant == Instant::NEVER {
            return u64::MAX;
        }
        let since = instant.0.saturating_sub(self.clock_begin);
        let rate = (1_000_000 + self.drift_ppm) as u64;
        let (whole, rest) = (since / rate, since % rate);
        (rest * 1_000_000)
            .div_ceil(rate)
            .saturating_add(whole.saturating_mul(1_000_000))
    }

    /// It has power, does not stand still, and its node takes part.
    pub(crate) fn runs(&self) -> bool {
        use nlb_core::state::HostState;
        self.paused.is_none()
            && self.node.as_ref().is_some_and(|node| {
                matches!(
                    node.state(),
                    HostState::Joining | HostState::Converged | HostState::Draining
                )
            })
    }

    /// It has waited for the others to take over for as long as it has to: twice the silence, by its own clock. One that
    /// was not asked to leave had nothing to wait for.
    pub(crate) fn has_waited(&self, now: u64) -> bool {
        let silence = self.config.silence_ns();
        self.leaving_since
            .is_none_or(|since| self.clock(now).0 - self.clock(since).0 >= 2 * silence)
    }

    /// It is in no view, and says that frames that prove nothing keep it from beginning one.
    pub(crate) fn says_that_it_is_held(&self) -> bool {
        let held = |node: &Node<Tables>| {
            let reason = node.out_reason();
            node.generation().is_none() && matches!(reason, OutReason::NotFresh | OutReason::Key)
        };
        self.role == Role::Member && self.runs() && self.node.as_ref().is_some_and(held)
    }

    /// It may own buckets of a slot, as far as the simulator knows.
    pub(crate) fn eligible(&self, slot: usize) -> bool {
        self.role == Role::Member
            && self.runs()
            && self.wish == Wish::Serve
            && self.carrier_down == 0
            && self.vip_missing == 0
            && self
                .config
                .rules
                .weights
                .get(slot)
                .is_none_or(|weight| *weight > 0)
    }
}

/// Digest of the settings that all hosts of a simulated cluster share.
pub(crate) const SETTINGS: u64 = 0x5e77_1265;

fn config(plan: &Plan, index: usize, id: HostId) -> Config {
    Config {
        cluster_id: 0x6e6c_6200 ^ plan.seed,
        host: id,
        buckets: u16::try_from(plan.buckets).expect("a plan has at most 4096 buckets"),
        terms: Terms {
            settings: SETTINGS,
            timing: Timing {
                period_ns: plan.period_ns,
                tolerance: plan.tolerance,
            },
        },
        rules: rules(plan, index, 1),
        dedicated: Dedicated::new(&[10, 0, 0, id.get()]).expect("four bytes are an address"),
        versions: match plan.versions {
            Versions::Old => (1, 1),
            Versions::Mixed if index % 2 == 0 => (1, 1),
            Versions::Mixed | Versions::Both => (1, 2),
        },
    }
}

/// The rules of a host of the plan, under a digest that stands for their content.
pub(crate) fn rules(plan: &Plan, index: usize, digest: u64) -> Rules {
    let mut kinds = [SlotKind::Weighted; SLOTS_MAX];
    let mut weights = [0; SLOTS_MAX];
    for (slot, slot_plan) in plan.slots.iter().enumerate() {
        let (kind, weight) = match slot_plan {
            SlotPlan::Weighted(of_hosts) => (SlotKind::Weighted, of_hosts[index]),
            SlotPlan::Single(of_hosts) => (SlotKind::Single, of_hosts[index]),
        };
        kinds[slot] = kind;
        weights[slot] = weight;
    }
    // Half of the changes are such that buckets mean the same before and after them.
    let kept = if digest % 2 == 0 {
        SlotSet::EMPTY
    } else {
        SlotSet::ALL
    };
    Rules {
        digest,
        terms: None,
        slots: plan.slots.len() as u16,
        kinds,
        weights,
        kept,
    }
}
