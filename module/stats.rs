// SPDX-License-Identifier: GPL-2.0-only

//! The counters of a cluster: one for each reason of the packet path and each outcome of the protocol.
//!
//! Packets are counted by rule and reason at once, so that a packet costs one increment: a row of reasons for what no
//! rule covers, and one for each number that a rule can have. What a reason came to is the sum of its column.

use crate::kapi::once::Once;
use crate::kapi::percpu::Counters;
use crate::nlb_core::health::{Sums, Turn};
use crate::nlb_core::reason::Reason;
use crate::nlb_core::received::Received;
use kernel::prelude::*;

/// What the module itself counts, beside the core's reasons.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Event {
    /// A heartbeat or another frame of the protocol was sent.
    FrameSent = 0,
    /// A frame of the protocol was lost for want of memory.
    FrameNoMemory = 1,
    /// A frame with our EtherType was longer than any frame of ours.
    FrameTooLong = 2,
    /// A packet for a VIP arrived whose bytes could not be read.
    PacketUnreadable = 3,
    /// An ARP answer was lost for want of memory.
    ArpNoMemory = 4,
    /// The node had more to send at one time than is sent in one go.
    BurstCut = 5,
    /// A neighbour advertisement was lost for want of memory.
    NdNoMemory = 6,
    /// A VIP was announced because another station had claimed it.
    VipDefended = 7,
    /// A packet of a session was served that there is no room to remember.
    SessionNoRoom = 8,
    /// A packet of a session was served that could not be remembered yet: the table was growing.
    SessionTableGrows = 9,
    /// A frame of the protocol was sent once more, inside an IP packet.
    FrameWrapped = 10,
    /// One arrived so.
    FrameUnwrapped = 11,
}

impl Event {
    const NAMES: [&'static str; 12] = [
        "frame-sent",
        "frame-no-memory",
        "frame-too-long",
        "packet-unreadable",
        "arp-no-memory",
        "burst-cut",
        "nd-no-memory",
        "vip-defended",
        "session-no-room",
        "session-table-grows",
        "frame-wrapped",
        "frame-unwrapped",
    ];
}

/// Counters of the packet path come first, so that the reason of a packet without a rule is its own index.
const RECEIVED: usize = Reason::ROWS * Reason::COUNT;
const EVENTS: usize = RECEIVED + Received::ALL.len();
const TURNS: usize = EVENTS + Event::NAMES.len();
const COUNT: usize = TURNS + Reason::ROWS * Turn::COUNT;

/// Where the counter of a reason is in a row. It cannot overflow, for there are few rows.
#[inline(always)]
const fn place(row: usize, reason: Reason) -> usize {
    row.wrapping_mul(Reason::COUNT)
        .wrapping_add(reason as usize)
}

/// The row of a rule's number, or of [`crate::nlb_core::filter::NO_RULE`]. It is none beyond the last.
#[inline(always)]
fn row(rule: u8) -> usize {
    usize::from(rule.wrapping_add(1))
}

/// The counters of a cluster, per CPU.
pub(crate) struct Stats {
    counters: Counters,
    /// Rows that were ever used: no sum has to look at the others.
    rows: Once<usize>,
}

impl Stats {
    /// All at zero, for a list of so many rules. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new(rules: usize) -> Result<Self> {
        let stats = Self {
            counters: Counters::new(COUNT)?,
            rows: Once::new(1),
        };
        stats.expect_rules(rules);
        Ok(stats)
    }

    /// Before a list of so many rules comes into force. Context: process; callers are serialised.
    pub(crate) fn expect_rules(&self, rules: usize) {
        self.rows.store(
            self.rows
                .load()
                .max(rules.saturating_add(1))
                .min(Reason::ROWS),
        );
    }

    /// Counts a packet that has no rule. Context: any.
    #[inline(always)]
    pub(crate) fn reason(&self, reason: Reason) {
        self.counters.inc(reason as usize);
    }

    /// Counts a packet with the number of its rule, or [`crate::nlb_core::filter::NO_RULE`]. Context: any.
    #[inline(always)]
    pub(crate) fn packet(&self, reason: Reason, rule: u8) {
        self.counter(reason.counter(rule));
    }

    /// Counts a packet by the number of its counter ([`Reason::counter`]). Context: any.
    #[inline(always)]
    pub(crate) fn counter(&self, counter: u16) {
        self.counters.inc(usize::from(counter));
    }

    /// Counts a packet that asks or answers, of the rule with this number or of [`crate::nlb_core::filter::NO_RULE`].
    /// Context: any.
    #[inline(always)]
    pub(crate) fn turn(&self, turn: Turn, rule: u8) {
        let at = row(rule).wrapping_mul(Turn::COUNT);
        self.counters
            .inc(TURNS.wrapping_add(at).wrapping_add(turn as usize));
    }

    /// What was counted of a row: 0 for what no rule covers, then the rules by number. Context: any.
    pub(crate) fn sums_of(&self, row: usize) -> Sums {
        let row = row.min(Reason::ROWS - 1);
        let accepted = [
            Reason::AcceptedOwner,
            Reason::AcceptedDefaultHost,
            Reason::AcceptedResidual,
            Reason::AcceptedCookie,
        ];
        let mut sums = Sums {
            accepted: accepted
                .map(|reason| self.counters.sum(place(row, reason)))
                .iter()
                .fold(0, |sum, count| sum.wrapping_add(*count)),
            ..Sums::default()
        };
        for (&turn, sum) in Turn::ALL.iter().zip(sums.turns.iter_mut()) {
            *sum = self.turn_of(row, turn);
        }
        sums
    }

    fn turn_of(&self, row: usize, turn: Turn) -> u64 {
        let at = row.wrapping_mul(Turn::COUNT).wrapping_add(turn as usize);
        self.counters.sum(TURNS.wrapping_add(at))
    }

    /// Counts a frame of the protocol that arrived. Context: any.
    pub(crate) fn received(&self, received: Received) {
        self.counters.inc(RECEIVED + received as usize);
    }

    /// Counts something of the module's own. Context: any.
    pub(crate) fn event(&self, event: Event) {
        self.counters.inc(EVENTS + event as usize);
    }

    /// A sum that grows when packets arrive on the cluster interface: all that have no rule and, so that it stays short,
    /// of those with a rule the two reasons that nearly all have. Context: any.
    pub(crate) fn signs(&self) -> u64 {
        let arriving = |reason: Reason| {
            !matches!(
                reason,
                Reason::ArpLeakDropped
                    | Reason::ArpLeakMended
                    | Reason::NdLeakDropped
                    | Reason::NdLeakMended
                    | Reason::DroppedVirtualSource
                    | Reason::DroppedLateSynAck
            )
        };
        let of_none = Reason::ALL
            .iter()
            .filter(|reason| arriving(**reason))
            .map(|reason| self.counters.sum(*reason as usize));
        let of_rules = (1..self.rows.load())
            .map(|row| row.wrapping_mul(Reason::COUNT))
            .flat_map(|row| {
                [Reason::AcceptedOwner, Reason::DroppedNotOwner]
                    .map(|reason| self.counters.sum(row.wrapping_add(reason as usize)))
            });
        Iterator::chain(of_none, of_rules).fold(0, u64::wrapping_add)
    }

    /// How often a reason was counted, whatever the rule. Context: any.
    pub(crate) fn sum_of(&self, reason: Reason) -> u64 {
        (0..self.rows.load())
            .map(|row| self.counters.sum(place(row, reason)))
            .fold(0, u64::wrapping_add)
    }

    /// Packets of a rule that were served, and those that were not. Context: any.
    pub(crate) fn of_rule(&self, rule: u16) -> (u64, u64) {
        let row = usize::from(rule).saturating_add(1).min(Reason::ROWS - 1);
        let mut counts = (0u64, 0u64);
        for &reason in Reason::ALL {
            let count = self.counters.sum(place(row, reason));
            if reason.name().starts_with("accepted-") {
                counts.0 = counts.0.wrapping_add(count);
            } else {
                counts.1 = counts.1.wrapping_add(count);
            }
        }
        counts
    }

    /// How many counters [`Stats::get_of_rule`] has, or [`Stats::get`].
    pub(crate) const fn len(of_rule: bool) -> usize {
        if of_rule {
            Reason::COUNT + Turn::COUNT
        } else {
            Reason::COUNT + (TURNS - RECEIVED) + Turn::COUNT
        }
    }

    /// Name and sum of the counter with this index, of the packets of one rule alone; none beyond the last.
    pub(crate) fn get_of_rule(&self, rule: u16, index: usize) -> Option<(&'static str, u64)> {
        let row = usize::from(rule).saturating_add(1).min(Reason::ROWS - 1);
        let Some(&reason) = Reason::ALL.get(index) else {
            let turn = *Turn::ALL.get(index.checked_sub(Reason::COUNT)?)?;
            return Some((turn.name(), self.turn_of(row, turn)));
        };
        Some((reason.name(), self.counters.sum(place(row, reason))))
    }

    /// Name and sum of the counter with this index; none beyond the last.
    pub(crate) fn get(&self, index: usize) -> Option<(&'static str, u64)> {
        if let Some(&reason) = Reason::ALL.get(index) {
            return Some((reason.name(), self.sum_of(reason)));
        }
        let index = index.checked_sub(Reason::COUNT)?;
        if let Some(&turn) = Turn::ALL.get(index.wrapping_sub(TURNS - RECEIVED)) {
            let rows = 0..self.rows.load();
            let sum = rows.map(|row| self.turn_of(row, turn));
            return Some((turn.name(), sum.fold(0, u64::wrapping_add)));
        }
        let name = match Received::ALL.get(index) {
            Some(received) => received.name(),
            None => Event::NAMES.get(index.checked_sub(Received::ALL.len())?)?,
        };
        Some((name, self.counters.sum(RECEIVED + index)))
    }
}
