// SPDX-License-Identifier: GPL-2.0-only

//! The faults that a run goes through, as its seed draws them.

use fastrand::Rng;

/// What happens to the cluster. Who it happens to is drawn when it happens, from those it can happen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A host loses power and comes back as a new incarnation.
    Crash,
    /// A host stands still (a paused virtual machine) and goes on as if nothing had been.
    Pause,
    /// The hosts fall into two parts on both paths.
    Partition,
    /// The hosts fall into two parts on the segment alone.
    SegmentSplit,
    /// The relay fails as a whole.
    RelayDown,
    /// One directed link is cut on both paths.
    OneWay,
    /// One host hears nobody, or is heard by nobody, on both paths.
    Deaf,
    /// Links fail one by one and come back in another order.
    Swizzle,
    /// A share of all frames is lost.
    Loss,
    /// Frames are held back and overtaken.
    Reorder,
    /// Frames arrive twice.
    Duplicate,
    /// A host leaves in order and starts again later.
    Leave,
    /// A host drains and resumes later.
    Drain,
    /// A host drains with a deadline, while another one joins.
    Drainstop,
    /// A host is suspended and resumed.
    Suspend,
    /// The load weights of a host change.
    Reweight,
    /// A host's cluster interface loses its carrier.
    Carrier,
    /// A VIP is missing from a host's interface.
    VipMissing,
    /// The cluster key changes in three steps.
    Rotate,
    /// A stranger appears under the id of a host that lives.
    DuplicateId,
    /// A stranger with other rules, settings, version or key appears.
    Stranger,
    /// A host restarts again and again.
    Flap,
    /// The adversary is active.
    Attack,
    /// All hosts change to another rule set, one after the other.
    ChangeRules,
}

impl Kind {
    /// All kinds.
    pub(crate) const ALL: [Kind; 24] = [
        Kind::Crash,
        Kind::Pause,
        Kind::Partition,
        Kind::SegmentSplit,
        Kind::RelayDown,
        Kind::OneWay,
        Kind::Deaf,
        Kind::Swizzle,
        Kind::Loss,
        Kind::Reorder,
        Kind::Duplicate,
        Kind::Leave,
        Kind::Drain,
        Kind::Drainstop,
        Kind::Suspend,
        Kind::Reweight,
        Kind::Carrier,
        Kind::VipMissing,
        Kind::Rotate,
        Kind::DuplicateId,
        Kind::Stranger,
        Kind::Flap,
        Kind::Attack,
        Kind::ChangeRules,
    ];

    /// The name in traces and in the printed distribution.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Crash => "crash",
            Kind::Pause => "pause",
            Kind::Partition => "partition",
            Kind::SegmentSplit => "segment-split",
            Kind::RelayDown => "relay-down",
            Kind::OneWay => "one-way",
            Kind::Deaf => "deaf",
            Kind::Swizzle => "swizzle",
            Kind::Loss => "loss",
            Kind::Reorder => "reorder",
            Kind::Duplicate => "duplicate",
            Kind::Leave => "leave",
            Kind::Drain => "drain",
            Kind::Drainstop => "drainstop",
            Kind::Suspend => "suspend",
            Kind::Reweight => "reweight",
            Kind::Carrier => "carrier",
            Kind::VipMissing => "vip-missing",
            Kind::Rotate => "rotate",
            Kind::DuplicateId => "duplicate-id",
            Kind::Stranger => "stranger",
            Kind::Flap => "flap",
            Kind::Attack => "attack",
            Kind::ChangeRules => "change-rules",
        }
    }
}

/// One fault of a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// Virtual time of its beginning, in nanoseconds.
    pub(crate) at: u64,
    /// How long it lasts, in nanoseconds.
    pub(crate) lasts: u64,
    /// What happens.
    pub(crate) kind: Kind,
    /// The seed of whatever it draws when it happens, so that leaving one fault out does not change another.
    pub(crate) pick: u64,
}

/// How the faults of a run follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tempo {
    /// Each begins when the cluster has had the time to settle after the one before: strict deadlines hold.
    OneByOne,
    /// They overlap as they like.
    Chaos,
}

/// Draws the faults of a run: which kinds at all (a swarm: a kind that is off leaves room for rare meetings of the
/// others), how often, and how long.
pub(crate) fn draw(
    rng: &mut Rng,
    tempo: Tempo,
    begin: u64,
    end: u64,
    detection: u64,
    settle: u64,
) -> Vec<Fault> {
    let mut enabled: Vec<(Kind, u32)> = Vec::new();
    while enabled.is_empty() {
        for kind in Kind::ALL {
            if rng.bool() {
                enabled.push((kind, rng.u32(1..=8)));
            }
        }
    }
    let total: u32 = enabled.iter().map(|(_, share)| share).sum();
    let kind = |rng: &mut Rng| {
        let mut at = rng.u32(0..total);
        for &(kind, share) in &enabled {
            if at < share {
                return kind;
            }
            at -= share;
        }
        unreachable!("the shares add up to the total")
    };
    let mut faults = Vec::new();
    match tempo {
        Tempo::OneByOne => {
            let mut at = begin;
            while at < end || faults.len() < FAULTS_MIN {
                // Shorter than the detection time, about it, and well beyond it.
                let lasts = rng.u64(detection / 8..=detection * 2);
                faults.push(Fault {
                    at,
                    lasts,
                    kind: kind(rng),
                    pick: rng.u64(..),
                });
                at += lasts + settle + rng.u64(0..=settle / 2);
            }
        }
        Tempo::Chaos => {
            let count = rng.usize(FAULTS_MIN..=FAULTS_MAX);
            for _ in 0..count {
                let lasts = rng.u64(detection / 8..=detection * 4);
                faults.push(Fault {
                    at: rng.u64(begin..end),
                    lasts,
                    kind: kind(rng),
                    pick: rng.u64(..),
                });
            }
            faults.sort_by_key(|fault| fault.at);
        }
    }
    faults
}

/// Fewest faults drawn for a run; some find nobody to happen to, and five have to remain.
const FAULTS_MIN: usize = 8;

/// Most faults drawn for a run in chaos.
const FAULTS_MAX: usize = 40;
