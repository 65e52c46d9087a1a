// SPDX-License-Identifier: GPL-2.0-only

//! A host of a cluster: membership, convergence and the ownership of buckets, as a machine without I/O.
//!
//! Bytes, commands and time go in through `handle_*`; after each of these the caller applies what
//! [`Node::ownership_changes`] tells, and then drains [`Node::poll_transmit`] and [`Node::poll_event`] and sets its
//! timer to [`Node::poll_timeout`]. `docs/protocol.md` has the rules and why they hold.
//!
//! *Context*: any; the caller serializes. *Work*: each call is bounded by hosts + slots × buckets.

use super::budget::Bucket;
use super::change::Step;
use super::config::{Config, ConfigError, Dedicated, Rules};
use super::event::{Event, HistoryEntry, Ring};
use super::genl::Stance;
use super::host::{HostId, HostSet};
use super::limits::SLOTS_MAX;
use super::mapframe::PartSet;
use super::state::{Cause, HostState, OutReason};
use super::store::{Sizes, Storage};
use super::time::Instant;
use super::wire::{GenId, Phase};

mod admit;
mod change;
mod command;
mod fetch;
mod hear;
mod lead;
mod links;
mod own;
mod residue;
mod residue_frames;
mod rules;
mod segment;
mod send;
mod set_back;
mod stance;
mod starved;
mod timer;
mod timing;
mod view;
mod walk;

use residue::Residual;
use timing::{Former, Times};

/// Something that the caller wants of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take part. Ends draining, and a leave that is not yet complete.
    Start,
    /// Leave: serve until the others have taken over, which takes a few frames, then stop.
    Stop,
    /// Take no new connections.
    Drain,
    /// Drain, and stop when a walk has found no session any more, or at `deadline`.
    Drainstop {
        /// When to stop in any case; [`Instant::NEVER`]: only without sessions.
        deadline: Instant,
    },
    /// Leave like [`Command::Stop`], and be deaf to everything but [`Command::Resume`].
    Suspend,
    /// End suspension: the host is stopped then.
    Resume,
    /// Stop at once: the interface is going away. A farewell is sent, if it can be; nobody waits for an answer.
    Halt,
    /// Load weight or handling priority of this host in one slot.
    SetWeight {
        /// Slot: below the number of slots in use.
        slot: u16,
        /// 0–100, or a handling priority 0–64.
        weight: u8,
    },
    /// Whether the cluster interface has a carrier.
    Carrier(bool),
    /// Whether a VIP is missing from the interface.
    VipMissing(bool),
    /// Whether frames to a virtual MAC fail to reach this host, though heartbeats do. The host gives its buckets up while
    /// others are better off.
    Starved(bool),
    /// Whether another station serves the VIPs, and this host hears no heartbeat of it: see `aside.rs`.
    ServedElsewhere(bool),
    /// Whether this host takes buckets of each slot. All slots of new rules are taken, and so are all when the host starts.
    Take {
        /// Digest of the rules that the slots are of.
        rules: u64,
        /// What this host does about each slot.
        stances: [Stance; SLOTS_MAX],
    },
    /// The machine was set back to an earlier state, or is a copy of another one.
    SetBack,
    /// Something of the segment reached this host that is no frame of the cluster. The caller may say so
    /// at most once in a period.
    SegmentSeen,
    /// Something of the segment reached this host that came from this host id and is no frame of the cluster: its
    /// answer to a probe. See [`Node::unheard_on_segment`].
    PeerSeen(HostId),
    /// This host opened a connection itself, whose bucket it may not own: whoever does must leave it alone.
    Opened {
        /// Slot of the bucket map.
        slot: u16,
        /// The bucket; one that does not exist changes nothing.
        bucket: u16,
    },
    /// This host id was asked on the segment, by whatever it must answer.
    PeerAsked(HostId),
    /// The rules, and the settings that go with them, that shall be in force as soon as all members have staged the same.
    Stage(Rules),
    /// Whether something that the staged rules need is still missing here, as a VIP's address: the others wait for
    /// this host as if it had staged nothing. What is staged while it takes no part waits for nothing.
    Hold(bool),
    /// Forget the staged rules.
    Unstage,
}

/// What a walk over the tables of sessions came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Sessions that live. One in TIME_WAIT does not: its bucket is found, and a drain does not wait for it.
    pub sessions: u64,
    /// There may be sessions that no table has yet.
    pub more_may_come: bool,
}

/// Why a command was not carried out. It changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// The host is suspended: resume it first.
    Suspended,
    /// The host is not suspended.
    NotSuspended,
    /// The host is stopped: start it first.
    Stopped,
    /// `random` was 0: no incarnation can be made of it.
    Random,
    /// There is no such slot, or other rules are in force by now.
    Slot,
    /// The weight is above 100, or the handling priority above 64.
    Weight,
    /// The rules are out of range, or need more slots than the storage was made for.
    Rules,
    /// Other rules, which were staged before, are being put in force.
    Changing,
}

/// A frame to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Bytes of the buffer that are the frame.
    pub len: usize,
    /// Send it to the cluster's multicast address on the segment.
    pub segment: bool,
    /// Hand it to the second path, if there is one.
    pub relay: bool,
}

/// The generation that is in force here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Committed {
    id: GenId,
    members: HostSet,
    digest: u64,
    default_host: Option<HostId>,
    since: Instant,
}

impl Committed {
    const NONE: Committed = Committed {
        id: GenId::NONE,
        members: HostSet::EMPTY,
        digest: 0,
        default_host: None,
        since: Instant(0),
    };
}

/// The last proposal that was taken up here. Incarnations and epochs of its members are in `Peer::next`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Prepared {
    id: GenId,
    base: GenId,
    base_digest: u64,
    result: u64,
    members: HostSet,
    rules: u64,
    cause: Cause,
    about: Option<HostId>,
    phase: Phase,
    since: Instant,
    /// When what is missing is asked for again.
    ask_at: Instant,
    /// Default host of the result.
    default_host: Option<HostId>,
    moved: u32,
}

/// What a leader keeps of the change that it leads; the rest is in [`Prepared`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Lead {
    step: Step,
    /// Who must answer: the new members, and the old ones that are alive.
    parties: HostSet,
    /// Who loses a bucket and must let go of it.
    losers: HostSet,
    /// When the frame of this step is sent again.
    resend_at: Instant,
    /// It has to be sent now.
    send: bool,
    /// How often this step was sent.
    sent: u8,
}

/// A host that is about to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Leaving {
    deadline: Instant,
    suspend: bool,
}

/// When the next heartbeat goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Urgency {
    /// With the next period.
    Idle,
    /// Soon: someone waits for an echo.
    Soon,
    /// Now: the state changed.
    Now,
}

/// How many sequence marks are kept; with them the time of an echoed sequence is known to 1/14 of the time
/// that matters.
const MARKS: usize = 16;

/// What is kept of an earlier look so that the next one is cheaper. It follows from the rest of a node and changes
/// nothing that the node does, so two nodes that differ in it alone are equal.
#[derive(Clone, Copy, Debug)]
struct Cached<T>(T);

impl<T> PartialEq for Cached<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Cached<T> {}

impl<T> core::hash::Hash for Cached<T> {
    fn hash<H: core::hash::Hasher>(&self, _: &mut H) {}
}

/// What the own view was compared with the others' under: generation, proposal, links.
type Judged = (GenId, Option<(GenId, Phase)>, HostSet);

/// A host of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node<S: Storage> {
    storage: S,
    config: Config,
    staged: Option<Rules>,
    /// What the staged rules need here is missing still: the others are not told of them.
    held: bool,
    /// The timing that was in force before, as long as it matters.
    former: Option<Former>,
    times: Times,
    /// Whether this host takes buckets of each slot.
    stances: [Stance; SLOTS_MAX],
    /// Its inputs last changed for what its clients met.
    by_health: bool,
    /// Its weights as the others are told: with the stances.
    weights: [u8; SLOTS_MAX],
    state: HostState,
    out: OutReason,
    incarnation: u64,
    /// Goes into the next incarnation.
    salt: u64,
    /// When this host began to take part.
    begun: Instant,
    seq: u64,
    /// Version of the last frame that was sent.
    version: u8,
    epoch: u32,
    marks: [(u64, Instant); MARKS],
    marks_len: u8,
    started: Instant,
    listened: bool,
    last_beat: Instant,
    next_beat: Instant,
    urgency: Urgency,
    /// Candidates that were echoed since all of them last were.
    candidates_echoed: HostSet,
    /// The same of peers that have proved themselves.
    peers_echoed: HostSet,
    /// Host ids that the storage has room for.
    ids: HostSet,
    segment_up: bool,
    segment_cut: bool,
    segment_seen: Option<Instant>,
    /// When anybody was first asked since then.
    segment_asked: Option<Instant>,
    vip_missing: bool,
    /// Another station serves the VIPs, and is not heard.
    served_elsewhere: bool,
    /// Frames to a virtual MAC do not reach this host.
    starved: bool,
    /// It takes no buckets for that.
    stepped_back: bool,
    /// When there was last no reason to change that.
    agreed: Instant,
    draining: bool,
    drain_deadline: Option<Instant>,
    leaving: Option<Leaving>,
    farewells: u8,
    view: Committed,
    prepared: Option<Prepared>,
    lead: Option<Lead>,
    default_held: bool,
    deficit: bool,
    flipped: bool,
    number_seen: u64,
    residual: Residual,
    shared_budget: Bucket,
    /// Of early heartbeats that only answer incarnations which have not proved themselves.
    early_budget: Bucket,
    fetched: PartSet,
    serving: PartSet,
    serving_id: GenId,
    ask: bool,
    inputs_wanted: bool,
    inputs_sent: HostSet,
    inputs_after: Instant,
    follows: Option<HostId>,
    links: HostSet,
    /// Why the leader says that this host is out.
    told: OutReason,
    /// Hosts in whose name frames were refused for their key, and when the last of these came.
    refused: (HostSet, Instant),
    /// Since when frames that prove nothing have kept this host from leading, unless it is in a view.
    held_since: Option<Instant>,
    /// When a proved host last said that it serves.
    service_heard: Option<Instant>,
    /// When this host noticed that it had been paused, until it has heard the others again.
    resumed: Option<Instant>,
    /// Hosts of which something may have changed since everything was last looked at.
    touched: Cached<HostSet>,
    /// No link ends and no candidate is forgotten before this.
    expires_at: Cached<Instant>,
    /// See [`Judged`]; as long as it is the same, only hosts that were touched need be compared.
    judged: Cached<Option<Judged>>,
    /// The generation and the rules under which all hosts' residue was last compared with what they say of it.
    compared: Cached<Option<(GenId, u64)>>,
    /// The time of the last input.
    now: Instant,
    /// A heartbeat waits to be taken by `poll_transmit`.
    beat: bool,
    changes: u64,
    events: Ring,
    history: Ring,
}

impl<S: Storage> Node<S> {
    /// A node that is stopped.
    ///
    /// # Errors
    ///
    /// A field of `config` is out of range, or a slice of `storage` is shorter than [`Sizes`] tells.
    pub fn new(config: &Config, storage: S) -> Result<Node<S>, ConfigError> {
        config.check()?;
        let view = storage.view();
        let sizes = Sizes::new(
            view.peers.len(),
            usize::from(config.rules.slots),
            usize::from(config.buckets),
        );
        if view.peers.len() <= config.host.index()
            || view.maps.len() < sizes.maps
            || view.words.len() < sizes.words
            || view.holders.len() < sizes.holders
            || view.history.is_empty()
        {
            return Err(ConfigError::Storage);
        }
        let ids = HostSet::lowest_ids(view.peers.len());
        Ok(Node {
            storage,
            config: *config,
            staged: None,
            held: false,
            former: None,
            times: Times::of(config.terms.timing),
            stances: [Stance::Takes; SLOTS_MAX],
            by_health: false,
            weights: config.rules.weights,
            state: HostState::Stopped,
            out: OutReason::None,
            incarnation: 0,
            salt: 0,
            begun: Instant(0),
            seq: 0,
            version: config.versions.0,
            epoch: 0,
            marks: [(0, Instant(0)); MARKS],
            marks_len: 0,
            started: Instant(0),
            listened: false,
            last_beat: Instant(0),
            next_beat: Instant::NEVER,
            urgency: Urgency::Idle,
            candidates_echoed: HostSet::EMPTY,
            peers_echoed: HostSet::EMPTY,
            ids,
            segment_up: true,
            segment_cut: false,
            segment_seen: None,
            segment_asked: None,
            vip_missing: false,
            served_elsewhere: false,
            starved: false,
            stepped_back: false,
            agreed: Instant(0),
            draining: false,
            drain_deadline: None,
            leaving: None,
            farewells: 0,
            view: Committed::NONE,
            prepared: None,
            lead: None,
            default_held: false,
            deficit: false,
            flipped: false,
            number_seen: 0,
            residual: Residual::EMPTY,
            shared_budget: Bucket::EMPTY,
            early_budget: Bucket::EMPTY,
            fetched: PartSet::EMPTY,
            serving: PartSet::EMPTY,
            serving_id: GenId::NONE,
            ask: false,
            inputs_wanted: false,
            inputs_sent: HostSet::EMPTY,
            inputs_after: Instant(0),
            follows: None,
            links: HostSet::EMPTY,
            told: OutReason::None,
            refused: (HostSet::EMPTY, Instant(0)),
            held_since: None,
            service_heard: None,
            resumed: None,
            touched: Cached(ids),
            expires_at: Cached(Instant(0)),
            judged: Cached(None),
            compared: Cached(None),
            now: Instant(0),
            beat: false,
            changes: 0,
            events: Ring::EMPTY,
            history: Ring::EMPTY,
        })
    }

    /// What this host does.
    #[must_use]
    pub fn state(&self) -> HostState {
        self.state
    }

    /// Why this host is no member, or owns nothing.
    #[must_use]
    pub fn out_reason(&self) -> OutReason {
        self.out
    }

    /// This host's incarnation; 0 if it was never started.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The committed generation; [`GenId::NONE`] if this host is no member of one.
    #[must_use]
    pub fn generation(&self) -> GenId {
        self.view.id
    }

    /// When this host began to take part.
    #[must_use]
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// Members of the committed generation.
    #[must_use]
    pub fn view_members(&self) -> HostSet {
        self.view.members
    }

    /// Digest of the committed maps: equal generations have equal digests.
    #[must_use]
    pub fn map_digest(&self) -> u64 {
        self.view.digest
    }

    /// The leader that this host follows.
    #[must_use]
    pub fn leader(&self) -> Option<HostId> {
        self.follows
    }

    /// The proposal that was last taken up here and how far this host is with it.
    #[must_use]
    pub fn proposal(&self) -> Option<(GenId, Phase)> {
        self.prepared.map(|prepared| (prepared.id, prepared.phase))
    }

    /// The step of the change that this host leads; `None` if it leads none.
    #[must_use]
    pub fn leading(&self) -> Option<Step> {
        self.lead.map(|lead| lead.step)
    }

    /// Hosts with which this one has a link both ways.
    #[must_use]
    pub fn links(&self) -> HostSet {
        self.links
    }

    /// What this node was told, with the rules now in force.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Digest of the staged rules; 0 if none are.
    #[must_use]
    pub fn staged(&self) -> u64 {
        self.staged.as_ref().map_or(0, |rules| rules.digest)
    }

    /// Digest of the staged rules, once this host is ready for them; 0 if there are none.
    #[must_use]
    pub fn pending(&self) -> u64 {
        if self.held && !self.has_acknowledged_staged() {
            0
        } else {
            self.staged()
        }
    }

    /// The default host of the committed generation.
    #[must_use]
    pub fn default_host(&self) -> Option<HostId> {
        self.view.default_host
    }

    /// This host has another dedicated IP now. The others learn it from its next heartbeat.
    pub fn set_dedicated(&mut self, dedicated: Dedicated) {
        self.config.dedicated = dedicated;
    }

    /// Whether this host serves what goes to the default host. Like a bucket it is let go before
    /// another takes it.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.default_held
    }

    /// Grows whenever an ownership word, a moved word or [`Node::is_default`] changed.
    #[must_use]
    pub fn ownership_changes(&self) -> u64 {
        self.changes
    }

    /// Committed generations, oldest first.
    pub fn history(&self) -> impl Iterator<Item = HistoryEntry> + '_ {
        self.history.iter(self.storage.view().history)
    }

    /// The next event; `None` if there is none.
    pub fn poll_event(&mut self) -> Option<Event> {
        let events = self.storage.parts().events;
        self.events.pop(events)
    }

    /// The caller's storage.
    pub fn storage(&self) -> &S {
        &self.storage
    }

    fn event(&mut self, event: Event) {
        self.events.push(self.storage.parts().events, event);
    }
}
