// SPDX-License-Identifier: GPL-2.0-only

//! A cluster on an interface: the node of the protocol, the packet path's view, and what both need.
//!
//! *Locking*: the node is under a lock that bottom halves share; whoever holds it applies what changed in the
//! ownership before letting go, so that nobody sees one without the other. Frames and events are sent after
//! that, by one context at a time, in the order in which the node made them; it sets the timer when all is sent.
//!
//! *Lifetime*: a [`Port`] is shared by the hooks of the interface, by the registry and by requests that are
//! being answered. The registry takes a cluster down in this order, see `registry.rs`: the node is halted, the
//! hooks are unregistered and a grace period is waited for; the last reference to the port then stops the walks and
//! the timer (waiting for a running one), and only after that the cluster is freed.

use super::conflict::{self, Conflicts};
use super::delivery::{self, Probed};
use super::fragments::FragmentMemory;
use super::kapi::bh_lock::{BhGuard, BhLock, BhLockGuard};
use super::kapi::clock::now_ns;
use super::kapi::conntrack::Conntrack;
use super::kapi::genetlink::Family;
use super::kapi::hrtimer::{Expire, Timer};
use super::kapi::netdevice::Device;
use super::kapi::netfilter::Verdict;
use super::kapi::once::Once;
use super::kapi::random::random_u64;
use super::kapi::rcu::{read_lock, RcuCell, ReadSide, Retired};
use super::kapi::skb::{Frame, Skb};
use super::kapi::work::Work;
use super::keyring::Keyring;
use super::neighbour;
use super::nlb_core::config::Config;
use super::nlb_core::delivery::Delivery;
use super::nlb_core::event::Event;
use super::nlb_core::filter::FilterError;
use super::nlb_core::genl::{Echo, Mode};
use super::nlb_core::limits::{ETHERTYPE, FRAME_MAX, WALK_PAUSE_MS};
use super::nlb_core::node::{Command, CommandError, Node};
use super::nlb_core::peer::Path;
use super::nlb_core::received::Received;
use super::nlb_core::rules::kept;
use super::nlb_core::time::Instant;
use super::notify;
use super::rules::RuleList;
use super::segment::{Asked, Probes, Watch};
use super::sessions::Sessions;
use super::snapshot::{Base, Snapshot};
use super::stats::{self, Stats};
use super::tables::NodeTables;
use super::walk::{Walked, Walker};
use core::net::IpAddr;
use kernel::prelude::*;
use kernel::sync::{Arc, Mutex, MutexGuard};

/// What was asked for when the cluster was made, and does not change.
pub(crate) struct Description {
    /// Name of the cluster, NUL-padded.
    pub(crate) name: [u8; 32],
    /// Cluster mode.
    pub(crate) mode: Mode,
    /// The VIPs, the primary first.
    pub(crate) vips: KVec<IpAddr>,
    /// The dedicated IP.
    pub(crate) dedicated: Option<IpAddr>,
    /// Milliseconds between two heartbeats.
    pub(crate) period_ms: u32,
    /// Heartbeats that may be missed.
    pub(crate) tolerance: u32,
    /// The MAC that heartbeats are sent to.
    pub(crate) heartbeat_mac: [u8; 6],
    /// The cluster has no key.
    pub(crate) no_key: bool,
    /// Packets for a VIP are served whichever interface they arrive on.
    pub(crate) allow_other_interfaces: bool,
    /// What becomes of echo requests.
    pub(crate) echo: Echo,
    /// Sessions that are remembered at most, as was asked for at first.
    pub(crate) sessions_max: u32,
}

/// The timer is never set to expire sooner than this, in nanoseconds.
const TIMER_GAP_NS: u64 = 50_000;

/// Frames and events that one call sends at most: a map of 65 slots in parts of a frame each for a joiner, and
/// the events of 64 hosts that come at once, fit several times.
const BURST_MAX: usize = 1024;

/// What is under the lock.
struct Inner {
    node: KBox<Node<NodeTables>>,
    keys: Keyring,
    watch: Watch,
    delivery: Delivery,
    /// Frames that are not in one piece are copied here.
    received: KVec<u8>,
    /// Frames are made here.
    sending: KVec<u8>,
    /// The state of ownership that the packet path has been given.
    applied: u64,
    /// The configuration for the rules that the node has staged. It is swapped in when they are in force, which can
    /// be in a softirq: so it is complete, with all its memory.
    pending: Option<KBox<Snapshot>>,
    /// The configuration that was swapped out then, to be freed where one may sleep. There is never a second one:
    /// before anything is pending this is emptied, and what is pending is swapped in once.
    retired: Option<Retired<Snapshot>>,
    /// Some context is sending what the node has to send; the others leave it to that one.
    busy: bool,
    /// The cluster is being taken down: the node takes no command any more.
    closed: bool,
    /// What the last walk over the tables of sessions came to.
    walked: Option<Walked>,
}

/// A cluster on an interface.
#[pin_data]
pub(crate) struct Cluster {
    description: Description,
    base: Base,
    snapshot: RcuCell<Snapshot>,
    is_default_host: Once<bool>,
    /// Load weight of this host for rules that do not name one. Written under `changes`.
    weight: Once<u8>,
    /// Held by whoever changes the rules, or this host's part in them.
    #[pin]
    changes: Mutex<()>,
    stats: Stats,
    fragments: FragmentMemory,
    sessions: Sessions,
    conntrack: Pin<KBox<Conntrack>>,
    asked: Asked,
    probed: Probed,
    family: Arc<Family>,
    #[pin]
    conflicts: Conflicts,
    #[pin]
    inner: BhLock<Inner>,
    // Given back last: the packet path and the timer use it.
    device: Device,
}

impl Cluster {
    /// A cluster that is stopped. Context: process. Errors: `ENOMEM`, `EINVAL` for a configuration that the
    /// core refuses although it was checked.
    #[inline(never)]
    pub(crate) fn new(
        device: Device,
        description: Description,
        config: &Config,
        snapshot: KBox<Snapshot>,
        base: Base,
        weight: u8,
        keys: Keyring,
        family: Arc<Family>,
    ) -> Result<Arc<Self>> {
        let slots = usize::from(config.rules.slots);
        let inner = Inner {
            node: new_node(config, slots)?,
            keys,
            watch: Watch::new(),
            delivery: Delivery::new(),
            received: KVec::from_elem(0, FRAME_MAX, GFP_KERNEL_ACCOUNT)?,
            sending: KVec::from_elem(0, FRAME_MAX, GFP_KERNEL_ACCOUNT)?,
            applied: 0,
            pending: None,
            retired: None,
            busy: false,
            closed: false,
            walked: None,
        };
        let sessions = Sessions::new(description.sessions_max)?;
        let stats = Stats::new(snapshot.rules.rules().len())?;
        let published = RcuCell::empty();
        let _ = published.replace(Some(snapshot));
        Arc::pin_init(
            try_pin_init!(Self {
                description,
                base,
                snapshot: published,
                is_default_host: Once::new(false),
                weight: Once::new(weight),
                changes <- kernel::new_mutex!((), "nlb::Cluster::changes"),
                stats,
                fragments: FragmentMemory::new()?,
                sessions,
                conntrack: Conntrack::new()?,
                asked: Asked::nobody(),
                probed: Probed::never(),
                family,
                conflicts <- Conflicts::new(),
                inner <- BhLock::new(inner),
                device,
            }? Error),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// The configuration as the packet path sees it.
    #[inline(always)]
    pub(crate) fn snapshot<'a>(&'a self, side: &'a ReadSide) -> Option<&'a Snapshot> {
        self.snapshot.load(side)
    }

    /// The configuration that waits for the other hosts, if there is one, and then the one in force. Context: any;
    /// `look` must be short and must not sleep.
    pub(crate) fn look_at_rules<R>(
        &self,
        look: impl FnOnce(Option<&Snapshot>, Option<&Snapshot>, &Node<NodeTables>) -> R,
    ) -> R {
        let inner = self.inner.lock();
        let side = read_lock();
        look(inner.pending.as_deref(), self.snapshot(&side), &inner.node)
    }

    /// Whoever holds it may change the rules. Context: process, may sleep.
    pub(crate) fn changes(&self) -> MutexGuard<'_, ()> {
        self.changes.lock()
    }

    /// Load weight of this host for rules that do not name one.
    pub(crate) fn weight(&self) -> u8 {
        self.weight.load()
    }

    /// Changes that weight for all that is compiled from now on. Context: process, under [`Cluster::changes`].
    pub(crate) fn set_weight(&self, weight: u8) {
        self.weight.store(weight);
    }

    /// Compiles a list of rules for this cluster. Context: process. Errors: `ENOMEM`, or what is wrong with them.
    pub(crate) fn compile(
        &self,
        rules: RuleList,
    ) -> Result<core::result::Result<KBox<Snapshot>, FilterError>> {
        self.stats.expect_rules(rules.rules().len());
        Snapshot::new(
            &self.base,
            &self.description.vips,
            self.description.mode,
            rules,
        )
    }

    /// The counters.
    #[inline(always)]
    pub(crate) fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Claims of other stations to the VIPs.
    pub(crate) fn conflicts(&self) -> &Conflicts {
        &self.conflicts
    }

    /// Peers that were asked by ARP.
    pub(crate) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// What has been seen of probes to the virtual MAC.
    pub(crate) fn probed(&self) -> &Probed {
        &self.probed
    }

    /// The memory of first fragments.
    pub(crate) fn fragments(&self) -> &FragmentMemory {
        &self.fragments
    }

    /// The sessions that have no socket here.
    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The kernel's connection tracking.
    pub(crate) fn conntrack(&self) -> &Conntrack {
        &self.conntrack
    }

    /// The cluster interface.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// What was asked for when the cluster was made.
    pub(crate) fn description(&self) -> &Description {
        &self.description
    }

    /// The VIPs, the primary first.
    pub(crate) fn vips(&self) -> &[IpAddr] {
        &self.description.vips
    }

    /// The dedicated IP.
    pub(crate) fn dedicated(&self) -> Option<IpAddr> {
        self.description.dedicated
    }

    /// The netlink family, for notifications.
    pub(crate) fn family(&self) -> &Family {
        &self.family
    }

    /// Whether this host is the default host, as the packet path sees it.
    pub(crate) fn is_default_host(&self) -> bool {
        self.is_default_host.load()
    }

    /// Looks at the node and its keys. Context: process or softirq; `look` must be short and must not sleep.
    pub(crate) fn look<R>(
        &self,
        look: impl FnOnce(&Node<NodeTables>, &Keyring, Instant) -> R,
    ) -> R {
        let inner = self.inner.lock();
        look(&inner.node, &inner.keys, Instant(now_ns()))
    }

    /// Changes the keys. Context: process; `change` must be short and must not sleep.
    pub(crate) fn change_keys<R>(&self, change: impl FnOnce(&mut Keyring) -> R) -> R {
        change(&mut self.inner.lock().keys)
    }

    /// Gives the packet path what changed in the ownership, and the rules if others are in force now. Context: under
    /// the lock.
    fn apply(&self, inner: &mut Inner) {
        let changes = inner.node.ownership_changes();
        let digest = inner.node.config().rules.digest;
        if let Some(new) = inner.pending.take_if(|pending| pending.digest == digest) {
            new.owners.follow(&inner.node);
            inner.retired = self.snapshot.swap(new);
        } else if changes == inner.applied {
            return;
        } else if let Some(snapshot) = self.snapshot(&read_lock()) {
            snapshot.owners.follow(&inner.node);
        }
        inner.applied = changes;
        self.is_default_host.store(inner.node.is_default());
    }

    /// The number of slots, if a walk over the tables of sessions is wanted. Context: process.
    pub(crate) fn wants_walk(&self) -> Option<usize> {
        let inner = self.inner.lock();
        let slots = usize::from(inner.node.config().rules.slots);
        inner.node.wants_walk().then_some(slots)
    }

    /// A walk begins. Context: process.
    pub(crate) fn begin_walk(&self) {
        self.inner.lock().node.begin_walk();
    }

    /// Remembers what a walk came to. Context: process.
    pub(crate) fn set_walked(&self, walked: Walked) {
        self.inner.lock().walked = Some(walked);
    }

    /// What the last walk came to; `None` before the first. Context: any.
    pub(crate) fn walked(&self) -> Option<Walked> {
        self.inner.lock().walked
    }

    /// Frees what was swapped out. Context: process, may sleep.
    fn free_retired(&self) {
        let retired = self.inner.lock().retired.take();
        drop(retired);
    }

    /// Takes what the node has to send, if this context is the one that sends. Context: under the lock.
    fn next_frame<'a>(&'a self, inner: &mut Inner) -> Option<(Frame<'a>, usize)> {
        let Inner {
            node,
            keys,
            sending,
            ..
        } = inner;
        loop {
            let transmit = node.poll_transmit(sending, keys)?;
            let bytes = sending.get(..transmit.len).unwrap_or_default();
            if transmit.relay {
                notify::relay(self, bytes);
            }
            if !transmit.segment {
                continue;
            }
            let Some(mut frame) = Frame::new(&self.device, bytes.len()) else {
                self.stats.event(stats::Event::FrameNoMemory);
                continue;
            };
            for (to, from) in frame.payload().iter_mut().zip(bytes) {
                *to = *from;
            }
            return Some((frame, bytes.len()));
        }
    }
}

/// Why rules were not taken. It changed nothing.
#[derive(Clone, Copy)]
pub(crate) enum Refused {
    /// Other rules wait for the other hosts.
    Waiting,
    /// The rules in force are others by now.
    Replaced,
    /// What was swapped out before has to be freed first.
    Unfreed,
    /// The node says so.
    Node(CommandError),
}

impl Inner {
    /// Hands the rules of `new` to the node, which is given the larger tables if it needs them. What is left in
    /// `larger` and `new` is to be freed. Context: under the lock.
    #[inline(never)]
    fn stage(
        &mut self,
        cluster: &Cluster,
        now: Instant,
        larger: &mut Option<NodeTables>,
        new: &mut Option<KBox<Snapshot>>,
        only: Option<u64>,
    ) -> core::result::Result<(), Refused> {
        let Some(rules) = new.as_deref() else {
            return Ok(());
        };
        if self.retired.is_some() {
            return Err(Refused::Unfreed);
        }
        let (in_force, waiting) = (self.node.config().rules.digest, self.node.pending());
        if only.is_some_and(|digest| digest != in_force) {
            return Err(Refused::Replaced);
        }
        let withdrawn = only.is_none() && rules.digest == in_force;
        if waiting != 0 && waiting != rules.digest && !withdrawn {
            return Err(Refused::Waiting);
        }
        let side = read_lock();
        let before = cluster
            .snapshot(&side)
            .map_or(&[][..], |old| old.rules.rules());
        let kept = kept(before, rules.rules.rules());
        let for_node = rules
            .rules
            .for_node(self.node.config().host, cluster.weight(), kept);
        if self.node.slots_room() < rules.owners.slots() {
            *larger = larger.take().map(|tables| match self.node.enlarge(tables) {
                Ok(old) | Err(old) => old,
            });
        }
        self.node
            .handle_command(now, Command::Stage(for_node), 0)
            .map_err(Refused::Node)?;
        core::mem::swap(&mut self.pending, new);
        Ok(())
    }
}

/// A node in memory of its own, as it is large for a kernel stack.
#[inline(never)]
fn new_node(config: &Config, slots: usize) -> Result<KBox<Node<NodeTables>>> {
    let room = KBox::<Node<NodeTables>>::new_uninit(GFP_KERNEL_ACCOUNT)?;
    let node = Node::new(config, NodeTables::new(slots)?).map_err(|_| EINVAL)?;
    Ok(KBox::write(room, node))
}

/// The bytes of a frame in one piece: as they stand in the buffer, or copied; nothing if they cannot be had.
fn whole<'a>(skb: &'a Skb, copy: &'a mut [u8], len: usize) -> &'a [u8] {
    let head = skb.head();
    if head.len() == len {
        return head;
    }
    match copy.get_mut(..len) {
        Some(copy) => {
            if skb.copy(0, copy) {
                copy
            } else {
                &[]
            }
        }
        None => &[],
    }
}

/// A cluster with its timer: what hooks and requests work with.
pub(crate) struct Port {
    // Dropped first: waits for a running walk, which uses the timer and the cluster.
    _walks: Pin<KBox<Work<Walker>>>,
    // Dropped then, for no one else has it any more: waits for a running expiry, which uses the cluster.
    timer: Arc<Timer<Cluster>>,
    cluster: Arc<Cluster>,
}

impl Port {
    /// Context: process. Errors: `ENOMEM`.
    pub(crate) fn new(cluster: Arc<Cluster>) -> Result<Arc<Self>> {
        let timer = Timer::new(cluster.clone())?;
        let walker = Walker::new(cluster.clone(), timer.clone())?;
        let walks = Work::new(walker, WALK_PAUSE_MS)?;
        let port = Self {
            _walks: walks,
            timer,
            cluster,
        };
        Ok(Arc::new(port, GFP_KERNEL_ACCOUNT)?)
    }

    /// The cluster.
    #[inline(always)]
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The cluster, to be kept.
    pub(crate) fn shared_cluster(&self) -> Arc<Cluster> {
        self.cluster.clone()
    }

    /// Carries out a command. Context: process or softirq. Errors: what the node says.
    pub(crate) fn command(&self, command: Command) -> core::result::Result<(), CommandError> {
        let random = random_u64();
        drive(&self.cluster, &self.timer, |inner, now| {
            if inner.closed {
                return Err(CommandError::Stopped);
            }
            inner.node.handle_command(now, command, random)
        })
    }

    /// Halts the node for good. A request that found the port before can start it no more: its interface may be
    /// in another namespace by then. Context: process.
    pub(crate) fn close(&self) {
        drive(&self.cluster, &self.timer, |inner, now| {
            inner.closed = true;
            // Halting is possible in every state.
            let _ = inner.node.handle_command(now, Command::Halt, 0);
        });
    }

    /// Stages new rules, or puts them in force at once if there is nobody to wait for. Context: process, may sleep,
    /// under [`Cluster::changes`].
    ///
    /// If `only` is given, the rules must be those in force, with another part of this host in them, and these must
    /// have that digest. Errors: `ENOMEM`; otherwise nothing but what stands in the refusal.
    pub(crate) fn install(
        &self,
        new: KBox<Snapshot>,
        only: Option<u64>,
    ) -> Result<core::result::Result<(), Refused>> {
        let cluster = self.cluster();
        let slots = new.owners.slots();
        let mut larger = None;
        if cluster.look(|node, _, _| node.slots_room()) < slots {
            larger = Some(NodeTables::new(slots)?);
        }
        let mut new = Some(new);
        let result = loop {
            cluster.free_retired();
            let result = drive(&self.cluster, &self.timer, |inner, now| {
                inner.stage(cluster, now, &mut larger, &mut new, only)
            });
            // Rules that waited can have come into force in between, but only once: nothing waits after that.
            if !matches!(result, Err(Refused::Unfreed)) {
                break result;
            }
        };
        // What was not needed, or is not any more, is freed outside the lock.
        drop((new, larger));
        cluster.free_retired();
        Ok(result)
    }

    /// Hands a frame of the protocol to the node. Context: softirq, RCU.
    pub(crate) fn frame_arrived(&self, skb: &mut Skb) -> Verdict {
        let cluster = self.cluster();
        if skb.has_vlan_id() {
            return Verdict::Accept;
        }
        let len = skb.len();
        if len > FRAME_MAX {
            cluster.stats.event(stats::Event::FrameTooLong);
            return Verdict::Consume;
        }
        let result = drive(cluster, &self.timer, |inner, now| {
            let Inner {
                node,
                keys,
                received,
                ..
            } = inner;
            let frame = whole(skb, received, len);
            node.handle_frame(now, Path::Segment, frame, keys)
        });
        cluster.stats.received(result);
        if result == Received::OtherCluster {
            self.other_cluster(skb);
        }
        Verdict::Consume
    }

    /// A frame of another cluster arrived. If it was sent where our own heartbeats go, that cluster has our primary
    /// VIP, for the destination is derived from it; and as its virtual MAC is ours, ARP would not show it.
    #[cold]
    fn other_cluster(&self, skb: &Skb) {
        let cluster = self.cluster();
        let (Some([to @ .., _, _, _, _, _, _, _, _]), Some(&vip)) =
            (skb.ethernet(), cluster.vips().first())
        else {
            return;
        };
        let from = skb.ethernet().and_then(|header| header.last_chunk::<8>());
        if let (true, Some([from @ .., _, _])) = (*to == cluster.description.heartbeat_mac, from) {
            conflict::report(cluster, vip, *from);
        }
    }

    /// Sets the timer anew, for something else than the node waits as well. Context: process or softirq.
    pub(crate) fn wake(&self) {
        drive(&self.cluster, &self.timer, |_, _| ());
    }

    /// Hands a frame that came on the second path to the node. Context: process.
    pub(crate) fn frame_relayed(&self, frame: &[u8]) {
        drive(&self.cluster, &self.timer, |inner, now| {
            let result = inner
                .node
                .handle_frame(now, Path::Relay, frame, &inner.keys);
            self.cluster.stats.received(result);
        });
    }
}

impl Expire for Cluster {
    fn expire(&self, timer: &Timer<Self>) {
        let mut probes = Probes::default();
        let look = drive(self, timer, |inner, now| {
            probes = inner.watch.look(&mut inner.node, &self.stats, now);
            inner.node.handle_timeout(now);
            let Inner { delivery, node, .. } = inner;
            delivery::look(self, delivery, node, now)
        });
        probes.send(self);
        if let Some(look) = look {
            delivery::act(self, look);
        }
        conflict::expired(self);
    }
}

/// A walk over the tables of sessions has ended: in which buckets there were some, and how many in all. Context: process.
pub(crate) fn end_walk(
    cluster: &Cluster,
    timer: &Timer<Cluster>,
    found: impl Fn(u16, u16) -> u64,
    sessions: u64,
) {
    drive(cluster, timer, |inner, now| {
        inner.node.end_walk(now, found, sessions);
    });
}

/// Lets the node work, and then carries out what it wants: ownership, timer, frames, events.
///
/// Context: process or softirq, without locks that a driver could take.
fn drive<R>(
    cluster: &Cluster,
    timer: &Timer<Cluster>,
    work: impl FnOnce(&mut Inner, Instant) -> R,
) -> R {
    // Who sends must not be held up half way, neither by softirqs nor by another task: the timer is set when all
    // is sent, and meanwhile everybody else leaves sending to this context.
    let _bh = BhGuard::new();
    let mut inner = cluster.inner.lock();
    let result = work(&mut inner, Instant(now_ns()));
    cluster.apply(&mut inner);
    if !inner.busy {
        inner.busy = true;
        send_all(cluster, timer, inner);
    }
    result
}

/// Sets the timer to what comes first: what the node waits for, or a VIP that is to be defended. Context: under the lock.
fn set_timer(cluster: &Cluster, timer: &Timer<Cluster>, inner: &Inner) {
    let at = inner.node.poll_timeout().min(cluster.conflicts.due());
    if at != Instant::NEVER {
        // Whatever the node asks for, the timer softirq must not run in a circle.
        let soonest = Instant(now_ns()).after(TIMER_GAP_NS);
        timer.start(at.max(soonest).0);
    }
}

/// Sends what the node has to send and tells what happened, until there is no more.
fn send_all<'a>(cluster: &'a Cluster, timer: &Timer<Cluster>, mut inner: BhLockGuard<'a, Inner>) {
    for _ in 0..BURST_MAX {
        let frame = cluster.next_frame(&mut inner);
        let event = match frame {
            Some(_) => None,
            None => inner.node.poll_event(),
        };
        if frame.is_none() && event.is_none() {
            set_timer(cluster, timer, &inner);
            inner.busy = false;
            return;
        }
        let told = event.map(|event| notify::Told::of(&inner.node, event));
        drop(inner);
        if let Some((frame, len)) = frame {
            cluster.stats.event(stats::Event::FrameSent);
            frame.send(&cluster.description.heartbeat_mac, ETHERTYPE, len);
        }
        if let Some(told) = told {
            happened(cluster, &told);
        }
        inner = cluster.inner.lock();
    }
    // What is left goes out when the timer expires.
    cluster.stats.event(stats::Event::BurstCut);
    inner.busy = false;
    timer.start(Instant(now_ns()).after(TIMER_GAP_NS).0);
}

/// Does what an event asks of the module, and tells userspace.
fn happened(cluster: &Cluster, told: &notify::Told) {
    if let Event::DefaultHost { .. } | Event::Converged { .. } = told.event {
        if cluster.is_default_host() {
            let side = read_lock();
            if let Some(snapshot) = cluster.snapshot(&side) {
                neighbour::announce(cluster, snapshot);
            }
        }
    }
    notify::event(cluster, told);
}
