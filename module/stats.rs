// SPDX-License-Identifier: GPL-2.0-only

//! The counters of a cluster: one for each reason of the packet path and each outcome of the protocol.

use super::kapi::percpu::Counters;
use super::nlb_core::reason::Reason;
use super::nlb_core::received::Received;
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
}

impl Event {
    const NAMES: [&'static str; 7] = [
        "frame-sent",
        "frame-no-memory",
        "frame-too-long",
        "packet-unreadable",
        "arp-no-memory",
        "burst-cut",
        "nd-no-memory",
    ];
}

/// Counters of the packet path come first, so that a reason is its own index.
const RECEIVED: usize = Reason::COUNT;
const EVENTS: usize = RECEIVED + Received::ALL.len();
const COUNT: usize = EVENTS + Event::NAMES.len();

/// The counters of a cluster, per CPU.
pub(crate) struct Stats(Counters);

impl Stats {
    /// All at zero. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Counters::new(COUNT)?))
    }

    /// Counts a packet. Context: any.
    #[inline(always)]
    pub(crate) fn reason(&self, reason: Reason) {
        self.0.inc(reason as usize);
    }

    /// Counts a frame of the protocol that arrived. Context: any.
    pub(crate) fn received(&self, received: Received) {
        self.0.inc(RECEIVED + received as usize);
    }

    /// Counts something of the module's own. Context: any.
    pub(crate) fn event(&self, event: Event) {
        self.0.inc(EVENTS + event as usize);
    }

    /// How often a reason was counted. Context: any.
    pub(crate) fn sum_of(&self, reason: Reason) -> u64 {
        self.0.sum(reason as usize)
    }

    /// Name and sum of the counter with this index; none beyond the last.
    pub(crate) fn get(&self, index: usize) -> Option<(&'static str, u64)> {
        let name = if index < RECEIVED {
            Reason::ALL.get(index)?.name()
        } else if index < EVENTS {
            Received::ALL.get(index - RECEIVED)?.name()
        } else {
            Event::NAMES.get(index - EVENTS)?
        };
        Some((name, self.0.sum(index)))
    }
}
