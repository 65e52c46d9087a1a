// SPDX-License-Identifier: GPL-2.0-only

//! What a node knows of one host id: who last proved to be it, what that host says, and what is held against it.

use super::budget::Bucket;
use super::claim::Claims;
use super::config::Dedicated;
use super::host::{HostId, HostSet};
use super::limits::SLOTS_MAX;
use super::residue::{Since, Sum};
use super::state::{HostState, OutReason};
use super::time::Instant;
use super::wire::{Flags, GenId, Phase};

/// The way a frame came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// The cluster's own segment.
    Segment,
    /// The second path: carried by userspace over another network.
    Relay,
}

/// An incarnation of a host that was heard and has not proved that its frames are fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Candidate {
    /// Its incarnation; 0: nobody.
    pub(super) incarnation: u64,
    /// The highest sequence heard of it.
    pub(super) seq: u64,
    /// When it was last heard.
    pub(super) heard: Instant,
    /// It was echoed in a heartbeat of ours since it took this place, so that another may have it.
    pub(super) echoed: bool,
}

impl Candidate {
    /// Nobody.
    pub(super) const NONE: Candidate = Candidate {
        incarnation: 0,
        seq: 0,
        heard: Instant(0),
        echoed: true,
    };
}

/// What a host said of itself in its last accepted heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Said {
    pub(super) state: HostState,
    pub(super) out: OutReason,
    pub(super) flags: Flags,
    pub(super) follows: Option<HostId>,
    pub(super) links: HostSet,
    pub(super) committed: GenId,
    pub(super) members: HostSet,
    pub(super) digest: u64,
    pub(super) prepared: GenId,
    pub(super) phase: Phase,
    pub(super) settings: u64,
    pub(super) rules: u64,
    pub(super) pending: u64,
    pub(super) residue: u64,
    /// Hosts that it hears on the segment.
    pub(super) on_segment: HostSet,
}

impl Said {
    /// Nothing.
    pub(super) const NOTHING: Said = Said {
        state: HostState::Stopped,
        out: OutReason::None,
        flags: Flags::EMPTY,
        follows: None,
        links: HostSet::EMPTY,
        committed: GenId::NONE,
        members: HostSet::EMPTY,
        digest: 0,
        prepared: GenId::NONE,
        phase: Phase::Idle,
        settings: 0,
        rules: 0,
        pending: 0,
        residue: 0,
        on_segment: HostSet::EMPTY,
    };
}

/// A host that came too often has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flaps {
    /// Joins that are not yet forgotten.
    pub(super) joins: u8,
    /// When the last of them was forgotten, or the first was counted.
    pub(super) since: Instant,
    /// It is held out until then.
    pub(super) until: Instant,
}

/// One host id in a node's table. The storage is the caller's; the content is the node's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The incarnation that last proved itself; 0: none ever did.
    pub(super) incarnation: u64,
    /// The highest sequence accepted of it.
    pub(super) seq: u64,
    /// The same for each path.
    pub(super) path_seq: [u64; 2],
    /// When it was last heard on each path.
    pub(super) path_heard: [Option<Instant>; 2],
    /// When something else than a heartbeat of it was last seen on the segment.
    pub(super) seen: Option<Instant>,
    /// When it was first asked for a sign on the segment since it last gave one.
    pub(super) asked: Option<Instant>,
    /// When it proved itself.
    pub(super) since: Instant,
    /// When the last of its frames was accepted.
    pub(super) heard: Instant,
    /// When this node sent the newest of its frames that the peer has echoed.
    pub(super) heard_me: Instant,
    /// It is heard without a gap since it proved itself.
    pub(super) live: bool,
    /// It said that it leaves for good, or that its id is another's.
    pub(super) gone: bool,
    /// An echo of a frame of ours before this one proves nothing.
    pub(super) challenge: u64,
    /// Another incarnation under this id, or this one after a silence.
    pub(super) candidate: Candidate,
    /// When a proved incarnation was last heard that uses the id of this live one.
    pub(super) rival_heard: Option<Instant>,
    /// Those that have not proved themselves and say that they serve.
    pub(super) claims: Claims,
    /// What it says.
    pub(super) said: Said,
    /// Its dedicated IP.
    pub(super) dedicated: Dedicated,
    /// The protocol versions that it speaks.
    pub(super) versions: (u8, u8),
    /// The incarnation that the inputs below are of.
    pub(super) inputs_of: u64,
    /// Number of its inputs to the assignment: weights, and whether it takes no buckets at all.
    pub(super) epoch: u32,
    /// It takes no buckets (draining, cut off, VIP missing), whatever its weights.
    pub(super) idle: bool,
    /// Its weights.
    pub(super) weights: [u8; SLOTS_MAX],
    /// Its weights under the rules that it has staged.
    pub(super) staged_weights: [u8; SLOTS_MAX],
    /// Incarnation and epoch in the generation that is committed here.
    pub(super) member: (u64, u32),
    /// The same in the generation that is prepared here.
    pub(super) next: (u64, u32),
    /// Why it is out, as last told to the caller.
    pub(super) out: OutReason,
    /// It did not answer a proposal of ours that was to take it in, and is not taken in before this.
    pub(super) stalled_until: Instant,
    /// It refused a proposal of ours and is not asked again before this.
    pub(super) refused_until: Instant,
    /// How often it came.
    pub(super) flaps: Flaps,
    /// Buckets of slot 0 that it owns in the committed map.
    pub(super) owned: u16,
    /// What its residue comes to, as far as it is known here.
    pub(super) residue: Sum,
    /// Since when it has some; of this host itself as well.
    pub(super) residue_since: Since,
    /// Frames of it that were expected and that were lost, of the last thousand or so.
    pub(super) frames: u32,
    /// See `frames`.
    pub(super) lost: u32,
    /// What it may cost us in digests.
    pub(super) budget: Bucket,
}

impl Peer {
    /// A host id that was never heard.
    pub const EMPTY: Peer = Peer {
        incarnation: 0,
        seq: 0,
        path_seq: [0; 2],
        path_heard: [None; 2],
        seen: None,
        asked: None,
        since: Instant(0),
        heard: Instant(0),
        heard_me: Instant(0),
        live: false,
        gone: false,
        challenge: 0,
        candidate: Candidate::NONE,
        rival_heard: None,
        claims: Claims::NONE,
        said: Said::NOTHING,
        dedicated: Dedicated::NONE,
        versions: (1, 1),
        inputs_of: 0,
        epoch: 0,
        idle: false,
        weights: [0; SLOTS_MAX],
        staged_weights: [0; SLOTS_MAX],
        member: (0, 0),
        next: (0, 0),
        out: OutReason::None,
        stalled_until: Instant(0),
        refused_until: Instant(0),
        flaps: Flaps {
            joins: 0,
            since: Instant(0),
            until: Instant(0),
        },
        owned: 0,
        residue: Sum::EMPTY,
        residue_since: Since::NEVER,
        frames: 0,
        lost: 0,
        budget: Bucket::EMPTY,
    };
}

/// A host as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberInfo {
    /// Its id.
    pub host: HostId,
    /// What it does, as it last said.
    pub state: HostState,
    /// Why it is no member, or owns nothing.
    pub out: OutReason,
    /// It is a member of the committed generation.
    pub member: bool,
    /// It is this host.
    pub is_self: bool,
    /// It is the default host.
    pub is_default: bool,
    /// Its incarnation.
    pub incarnation: u64,
    /// When it was last heard; `None` for this host itself.
    pub heard: Option<Instant>,
    /// It is heard on the segment.
    pub on_segment: bool,
    /// It is heard on the second path.
    pub on_relay: bool,
    /// Frames lost of the last 1000 expected.
    pub loss_permille: u16,
    /// Its dedicated IP.
    pub dedicated: Dedicated,
    /// Its load weight in slot 0.
    pub weight: u8,
    /// Slots that it gave up.
    pub rules_given_up: u16,
    /// Digest of the rules that it has staged; 0: none.
    pub pending: u64,
    /// Buckets of slot 0 that it owns.
    pub buckets: u16,
    /// Buckets, over all slots, that it does not own but may hold sessions of; `None` while that is not known here.
    pub residue: Option<u32>,
    /// Since when it has some without a break, as far as this host knows.
    pub residue_since: Option<Instant>,
}
