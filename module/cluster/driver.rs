// SPDX-License-Identifier: GPL-2.0-only

//! Where a cluster meets the world: packets, time and commands come in here, frames and events go out.
//!
//! *Order*: frames and events are sent after the lock was let go, by one context at a time, in the order in which the
//! node made them; it sets the timer when all is sent.
//!
//! *Lifetime*: a [`Driver`] is shared by the hooks of the interface, by the registry and by requests that are
//! being answered. The registry takes a cluster down in this order, see `registry.rs`: the node is halted, the
//! hooks are unregistered and a grace period is waited for; the last reference to the driver then stops the walks and
//! the timer (waiting for a running one), and only after that the cluster is freed. A driver holds a reference to the
//! module, so `rmmod` is refused while a cluster exists.

use crate::cluster::context::{Cluster, Inner, Refused};
use crate::cluster::rule_change::Refusal;
use crate::cluster::settings_change::{self, SettingsChange};
use crate::cluster::snapshot::Snapshot;
use crate::cluster::tables::NodeTables;
use crate::datapath::health;
use crate::datapath::walk::Walker;
use crate::kapi::bh_lock::{BhGuard, BhLockGuard};
use crate::kapi::clock::now_ns;
use crate::kapi::hrtimer::{Expire, Timer};
use crate::kapi::module::ModuleRef;
use crate::kapi::netfilter::Verdict;
use crate::kapi::random::random_u64;
use crate::kapi::rcu::read_lock;
use crate::kapi::skb::Skb;
use crate::kapi::work::Work;
use crate::l2::announcements;
use crate::l2::aside;
use crate::l2::conflict;
use crate::l2::inquiry;
use crate::l2::mac_filter::Reporter;
use crate::l2::vip_watch;
use crate::l2::wrapped::WrappedFrame;
use crate::netlink::cluster_request::address_bytes;
use crate::netlink::notify;
use crate::nlb_core::aside::Place;
use crate::nlb_core::config::Dedicated;
use crate::nlb_core::event::Event;
use crate::nlb_core::inquiry::Role;
use crate::nlb_core::limits::{ETHERTYPE, FRAME_MAX, WALK_PAUSE_MS};
use crate::nlb_core::node::{Command, CommandError, Tally};
use crate::nlb_core::peer::Path;
use crate::nlb_core::received::Received;
use crate::nlb_core::state::HostState;
use crate::nlb_core::time::Instant;
use crate::nlb_core::transport::Transport;
use crate::nlb_core::wire::{sender, MAGIC};
use crate::nlb_core::wrapped::Wrapped;
use crate::probe::segment::Probes;
use crate::probe::virtual_mac;
use crate::stats;
use kernel::prelude::*;
use kernel::sync::Arc;

/// The timer is never set to expire sooner than this, in nanoseconds.
const TIMER_GAP_NS: u64 = 50_000;

/// Frames and events that one call sends at most: a map of 65 slots in parts of a frame each for a joiner, and
/// the events of 64 hosts that come at once, fit several times.
const BURST_MAX: usize = 1024;

/// Where a frame is.
enum Bytes<'a> {
    /// In a packet, from this place on, of this length.
    Of(&'a Skb, usize, usize),
    /// In one piece.
    Whole(&'a [u8]),
}

/// How a frame came.
#[derive(Clone, Copy)]
enum Way {
    /// On the segment; whether answers shall be wrapped.
    Segment(Transport, bool),
    /// On the second path.
    Relay,
}

/// The bytes of a frame in one piece: as they stand in the buffer, or copied; nothing if they cannot be had.
fn whole<'a>(skb: &'a Skb, copy: &'a mut [u8], at: usize, len: usize) -> &'a [u8] {
    let head = skb.head();
    if let Some(frame) = head.get(at..).filter(|frame| frame.len() == len) {
        return frame;
    }
    match copy.get_mut(..len) {
        Some(copy) => {
            if skb.copy(at, copy) {
                copy
            } else {
                &[]
            }
        }
        None => &[],
    }
}

/// A cluster with its timer: what hooks and requests work with.
pub(crate) struct Driver {
    // Dropped first: these wait for a running walk, which uses the timer and the cluster, and for a running report.
    _walks: Pin<KBox<Work<Walker>>>,
    _reports: Option<Pin<KBox<Work<Reporter>>>>,
    // Dropped then, for no one else has it any more: waits for a running expiry, which uses the cluster.
    timer: Arc<Timer<Cluster>>,
    cluster: Arc<Cluster>,
    // Dropped last: with the module, the guard of the VIPs would go while they are on the interface.
    _module: ModuleRef,
}

impl Driver {
    /// Context: process. Errors: `ENOMEM`, or `ENODEV` if the module is being unloaded.
    pub(crate) fn new(cluster: Arc<Cluster>) -> Result<Arc<Self>> {
        let timer = Timer::new(cluster.clone())?;
        let walker = Walker::new(cluster.clone(), timer.clone())?;
        let walks = Work::new(walker, WALK_PAUSE_MS)?;
        let driver = Self {
            _walks: walks,
            _reports: Reporter::start(&cluster)?,
            timer,
            cluster,
            _module: ModuleRef::get()?,
        };
        Ok(Arc::new(driver, GFP_KERNEL_ACCOUNT)?)
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
        carry_out_command(&self.cluster, &self.timer, command)
    }

    /// Looks for the dedicated IP for the first time. Context: process.
    pub(crate) fn look_for_dedicated(&self) {
        tell_dedicated(&self.cluster, &self.timer);
    }

    /// Lets the timer expire at once, so that the cluster looks at what has changed. Context: any but hard interrupts.
    pub(crate) fn expire_soon(&self) {
        self.timer.start(now_ns());
    }

    /// Halts the node for good. A request that found the driver before can start it no more: its interface may be
    /// in another namespace by then. Walks end soon. Context: process.
    pub(crate) fn close(&self) {
        self.cluster.begin_closing();
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
        install(&self.cluster, &self.timer, new, only, false)
    }

    /// Stages other settings, see `settings_change.rs`. Context: process, may sleep.
    pub(crate) fn change_settings(
        &self,
        change: SettingsChange,
    ) -> core::result::Result<(), Refusal> {
        settings_change::change(&self.cluster, &self.timer, change)
    }

    /// Hands a frame of the protocol to the node. The EtherType is one for experiments: a frame of another
    /// protocol is counted and passed on. Context: softirq, RCU.
    pub(crate) fn frame_arrived(&self, skb: &mut Skb) -> Verdict {
        let cluster = self.cluster();
        if skb.has_vlan_id() {
            return Verdict::Accept;
        }
        let mut magic = [0u8; MAGIC.len()];
        if !skb.copy(0, &mut magic) || magic != MAGIC {
            cluster.stats().received(Received::Magic);
            return Verdict::Accept;
        }
        let len = skb.len();
        if len > FRAME_MAX {
            cluster.stats().event(stats::Event::FrameTooLong);
            return Verdict::Consume;
        }
        let result = self.hear(
            Way::Segment(Transport::Plain, false),
            Bytes::Of(skb, 0, len),
        );
        if result == Received::OtherCluster {
            self.other_cluster(skb);
        }
        Verdict::Consume
    }

    /// Hands a frame to the node that was found in an IP packet. Context: softirq, RCU.
    #[cold]
    #[inline(never)]
    pub(crate) fn wrapped_arrived(&self, skb: &Skb, found: Wrapped) {
        let cluster = self.cluster();
        cluster.stats().event(stats::Event::FrameUnwrapped);
        let len = skb.len().saturating_sub(found.at);
        if len > FRAME_MAX {
            cluster.stats().event(stats::Event::FrameTooLong);
            return;
        }
        let mut magic = [0u8; MAGIC.len()];
        if !skb.copy(found.at, &mut magic) || magic != MAGIC {
            cluster.stats().received(Received::Magic);
            return;
        }
        let way = Way::Segment(Transport::Wrapped, found.needed);
        self.hear(way, Bytes::Of(skb, found.at, len));
    }

    /// A frame of another cluster arrived. If it was sent where our own heartbeats go, that cluster has our primary
    /// VIP, for the destination is derived from it; and as its virtual MAC is ours, ARP would not show it.
    #[cold]
    fn other_cluster(&self, skb: &Skb) {
        let cluster = self.cluster();
        let side = read_lock();
        let (Some([to @ .., _, _, _, _, _, _, _, _]), Some(&vip)) =
            (skb.ethernet(), cluster.vips(&side).first())
        else {
            return;
        };
        let from = skb.ethernet().and_then(|header| header.last_chunk::<8>());
        if let (true, Some([from @ .., _, _])) = (*to == cluster.description().heartbeat_mac, from)
        {
            conflict::report(cluster, vip, *from);
        }
    }

    /// Sets the timer anew, for something else than the node waits as well. Context: process or softirq.
    pub(crate) fn wake(&self) {
        drive(&self.cluster, &self.timer, |_, _| ());
    }

    /// Hands a frame that came on the second path to the node. Context: process.
    pub(crate) fn frame_relayed(&self, frame: &[u8]) {
        self.hear(Way::Relay, Bytes::Whole(frame));
    }

    /// Hands a frame to the node, and does what it leaves to be done, which mostly is nothing.
    fn hear(&self, way: Way, bytes: Bytes<'_>) -> Received {
        let _bh = BhGuard::new();
        let mut inner = self.cluster.inner.lock();
        let Inner {
            node,
            keys,
            received,
            transports,
            ..
        } = &mut *inner;
        let frame = match bytes {
            Bytes::Of(skb, at, len) => whole(skb, received, at, len),
            Bytes::Whole(frame) => frame,
        };
        let now = Instant(now_ns());
        let heard = match way {
            Way::Segment(..) => node.hear(now, Path::Segment, frame, keys),
            Way::Relay => node.hear(now, Path::Relay, frame, keys),
        };
        if let (Way::Segment(transport, needed), Some(host)) = (way, sender(frame)) {
            let period_ns = node.period_ns();
            transports.came(now, period_ns, host, transport, needed, heard.received);
        }
        self.cluster.stats().received(heard.received);
        if !heard.quiet {
            carry_out(&self.cluster, &self.timer, inner);
        }
        heard.received
    }
}

impl Expire for Cluster {
    fn expire(&self, timer: &Timer<Self>) {
        if let Some(found) = vip_watch::look_again(self) {
            tell_dedicated(self, timer);
            let _ = carry_out_command(self, timer, Command::VipMissing(found.missing));
            let _ = carry_out_command(self, timer, Command::Hold(found.held));
        }
        if self.presence().take_vips_changed() {
            inquiry::forget(self);
            self.conflicts().forget();
            self.probed().forget();
        }
        announcements::expired(self);
        let mut probes = Probes::default();
        let mut role = Role::None;
        let mut place = Place::Among;
        let mut look_at_health = false;
        let look = drive(self, timer, |inner, now| {
            probes = inner.watch.look(&mut inner.node, self.stats(), now);
            inner.node.handle_timeout(now);
            role = inquiry::role(self, &inner.node);
            place = aside::place(&inner.node);
            let serves = matches!(
                inner.node.state(),
                HostState::Converged | HostState::Draining
            );
            look_at_health = self.healths().begin_look(now, serves);
            let Inner { delivery, node, .. } = inner;
            virtual_mac::look(self, delivery, node, now)
        });
        probes.send(self);
        if let Some(look) = look {
            if virtual_mac::act(self, look) {
                let command = Command::Starved(look.starved != 0);
                let _ = carry_out_command(self, timer, command);
            }
        }
        if let Some(served) = aside::act(self, place) {
            let _ = carry_out_command(self, timer, Command::ServedElsewhere(served));
        }
        inquiry::act(self, role);
        if look_at_health {
            health::act(self, |command| {
                carry_out_command(self, timer, command).is_ok()
            });
        }
        conflict::expired(self);
    }
}

/// Tells the node which dedicated IP this host has now, if that is another one. Context: process or softirq.
fn tell_dedicated(cluster: &Cluster, timer: &Timer<Cluster>) {
    if cluster.look_for_dedicated() {
        let mut buffer = [0u8; 16];
        let bytes = cluster
            .dedicated()
            .map_or(&[][..], |address| address_bytes(address, &mut buffer));
        let dedicated = Dedicated::new(bytes).unwrap_or(Dedicated::NONE);
        drive(cluster, timer, |inner, _| {
            inner.node.set_dedicated(dedicated)
        });
    }
}

/// Carries out a command, if the cluster is not being taken down. Context: process or softirq. Errors: what the node
/// says. Out of line: the timer calls it twice, and its stack is not to be all callers'.
#[inline(never)]
fn carry_out_command(
    cluster: &Cluster,
    timer: &Timer<Cluster>,
    command: Command,
) -> core::result::Result<(), CommandError> {
    let random = random_u64();
    drive(cluster, timer, |inner, now| {
        if inner.closed {
            return Err(CommandError::Stopped);
        }
        inner.node.handle_command(now, command, random)
    })
}

/// See [`Driver::install`]; `held`: this host lacks an address that the new settings need.
pub(crate) fn install(
    cluster: &Cluster,
    timer: &Timer<Cluster>,
    new: KBox<Snapshot>,
    only: Option<u64>,
    held: bool,
) -> Result<core::result::Result<(), Refused>> {
    let slots = new.owners.slots();
    let mut larger = None;
    if cluster.look(|node, _, _| node.slots_room()) < slots {
        larger = Some(NodeTables::new(slots)?);
    }
    let mut new = Some(new);
    let result = loop {
        cluster.free_retired();
        let result = drive(cluster, timer, |inner, now| {
            inner.stage(cluster, now, &mut larger, &mut new, only, held)
        });
        // Rules that waited can have come into force in between, but only once: nothing waits after that.
        if !matches!(result, Err(Refused::Unfreed)) {
            break result;
        }
    };
    // What was not needed, or is not any more, is freed outside the lock.
    drop((new, larger));
    cluster.free_retired();
    // Addresses that came meanwhile are looked at once more.
    cluster.presence().note();
    timer.start(now_ns());
    Ok(result)
}

/// A walk over the tables of sessions has ended: in which buckets there were some, and how many live. Context: process.
pub(crate) fn end_walk(
    cluster: &Cluster,
    timer: &Timer<Cluster>,
    found: impl Fn(u16, u16) -> u64,
    tally: Tally,
) {
    drive(cluster, timer, |inner, now| {
        inner.node.end_walk(now, found, tally);
    });
}

/// Lets the node work, and then carries out what it wants: ownership, timer, frames, events.
///
/// Context: process or softirq, without locks that a driver could take.
#[inline(never)]
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
    carry_out(cluster, timer, inner);
    result
}

/// Carries out what the node wants. Context: under the lock, with bottom halves off beyond it.
#[inline(never)]
fn carry_out(cluster: &Cluster, timer: &Timer<Cluster>, mut inner: BhLockGuard<'_, Inner>) {
    cluster.apply(&mut inner);
    if !inner.busy {
        inner.busy = true;
        send_all(cluster, timer, inner);
    }
}

/// Sets the timer to what comes first: what the node waits for, or VIPs that are to be defended or announced. Context: under
/// the lock.
fn set_timer(cluster: &Cluster, timer: &Timer<Cluster>, inner: &Inner) {
    let again = cluster
        .conflicts()
        .due()
        .min(cluster.announcements().due())
        .min(cluster.inquiries().due())
        .min(cluster.beside().due())
        .min(cluster.healths().due());
    let at = inner.node.poll_timeout().min(again);
    if at != Instant::NEVER {
        // Whatever the node asks for, the timer softirq must not run in a circle.
        let soonest = Instant(now_ns()).after(TIMER_GAP_NS);
        timer.start(at.max(soonest).0);
    }
    // Addresses that changed meanwhile do not wait for that.
    if cluster.presence().has_changed() {
        timer.start(now_ns());
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
        let wraps = inner.wraps();
        drop(inner);
        if let Some((mut frame, len)) = frame {
            let bytes = frame.payload().get(..len).unwrap_or_default();
            let copy = wraps.and_then(|needed| WrappedFrame::of(cluster, bytes, needed));
            cluster.stats().event(stats::Event::FrameSent);
            frame.send(&cluster.description().heartbeat_mac, ETHERTYPE, len);
            if let Some(copy) = copy {
                copy.send(cluster);
            }
        }
        if let Some(told) = told {
            happened(cluster, timer, &told);
        }
        inner = cluster.inner.lock();
    }
    // What is left goes out when the timer expires.
    cluster.stats().event(stats::Event::BurstCut);
    inner.busy = false;
    timer.start(Instant(now_ns()).after(TIMER_GAP_NS).0);
}

/// Does what an event asks of the module, and tells userspace.
fn happened(cluster: &Cluster, timer: &Timer<Cluster>, told: &notify::Told) {
    if let Event::DefaultHost { .. } | Event::Converged { .. } = told.event {
        announcements::begin(cluster);
    }
    notify::event(cluster, told);
    if let Event::SetBack { draining } = told.event {
        start_again(cluster, timer, draining);
    }
}

/// Starts a host that was set back: the administrator did not stop it, and will not start it. Out of line, for a command is
/// large.
#[cold]
#[inline(never)]
fn start_again(cluster: &Cluster, timer: &Timer<Cluster>, draining: bool) {
    let _ = carry_out_command(cluster, timer, Command::Start);
    if draining {
        let _ = carry_out_command(cluster, timer, Command::Drain);
    }
}
