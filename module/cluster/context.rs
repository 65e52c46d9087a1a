// SPDX-License-Identifier: GPL-2.0-only

//! A cluster on an interface: the node of the protocol, the packet path's view, and what both need.
//!
//! *Locking*: the node is under a lock that bottom halves share; whoever holds it applies what changed in the
//! ownership before letting go, so that no reader sees one without the other. `driver.rs` says where and when.

use crate::cluster::keyring::Keyring;
use crate::cluster::rules::RuleList;
use crate::cluster::settings::Settings;
use crate::cluster::snapshot::{Base, Snapshot};
use crate::cluster::tables::NodeTables;
use crate::datapath::cookies::Cookies;
use crate::datapath::fragments::FragmentMemory;
use crate::datapath::health::Healths;
use crate::datapath::sessions::Sessions;
use crate::datapath::walk::Walked;
use crate::kapi::address_device::AddressDevice;
use crate::kapi::bh_lock::BhLock;
use crate::kapi::clock::now_ns;
use crate::kapi::conntrack::Conntrack;
use crate::kapi::genetlink::Family;
use crate::kapi::netdevice::Device;
use crate::kapi::once::Once;
use crate::kapi::rcu::{read_lock, RcuCell, ReadSide, Retired};
use crate::kapi::skb::Frame;
use crate::l2::announcements::Announcements;
use crate::l2::aside::Beside;
use crate::l2::askers::Askers;
use crate::l2::conflict::Conflicts;
use crate::l2::inquiry::Inquiries;
use crate::l2::mac_filter::Memberships;
use crate::l2::vip_watch::Presence;
use crate::netlink::notify;
use crate::nlb_core::config::Config;
use crate::nlb_core::delivery::Delivery;
use crate::nlb_core::filter::FilterError;
use crate::nlb_core::genl::Mode;
use crate::nlb_core::host::HostId;
use crate::nlb_core::limits::{frame_room, FRAME_MAX, FRAME_SENT_MAX};
use crate::nlb_core::node::{Command, CommandError, Node};
use crate::nlb_core::rules::kept;
use crate::nlb_core::time::Instant;
use crate::nlb_core::transport::Transports;
use crate::probe::segment::{Asked, Watch};
use crate::probe::virtual_mac::Probed;
use crate::quota::Charge;
use crate::stats::{self, Stats};
use core::net::IpAddr;
use kernel::prelude::*;
use kernel::sync::{Arc, Mutex, MutexGuard};

/// What was asked for when the cluster was made, and does not change. What does is in the snapshot's settings.
pub(crate) struct Description {
    /// Name of the cluster, NUL-padded.
    pub(crate) name: [u8; 32],
    /// Cluster mode.
    pub(crate) mode: Mode,
    /// The dedicated IP that was asked for, or that of the interface at that time.
    pub(crate) dedicated: Option<IpAddr>,
    /// It follows the addresses of the interface.
    pub(crate) dedicated_follows: bool,
    /// The MAC that heartbeats are sent to.
    pub(crate) heartbeat_mac: [u8; 6],
    /// The cluster has no key.
    pub(crate) no_key: bool,
    /// Packets for a VIP are served whichever interface they arrive on.
    pub(crate) allow_other_interfaces: bool,
    /// Sessions that are remembered at most, as was asked for at first.
    pub(crate) sessions_max: u32,
}

/// What is under the lock.
pub(crate) struct Inner {
    pub(crate) node: KBox<Node<NodeTables>>,
    pub(crate) keys: Keyring,
    pub(crate) watch: Watch,
    pub(crate) delivery: Delivery,
    /// By which transport the other hosts are heard.
    pub(crate) transports: Transports,
    /// Frames that are not in one piece are copied here.
    pub(crate) received: KVec<u8>,
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
    pub(crate) busy: bool,
    /// The cluster is being taken down: the node takes no command any more.
    pub(crate) closed: bool,
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
    /// Whether this host serves at all.
    serves: Once<bool>,
    /// Load weight of this host for rules that do not name one. Written under `changes`.
    weight: Once<u8>,
    /// Held by whoever changes the rules, or this host's part in them.
    #[pin]
    changes: Mutex<()>,
    stats: Stats,
    fragments: FragmentMemory,
    sessions: Sessions,
    cookies: Cookies,
    conntrack: Arc<Conntrack>,
    presence: Presence,
    /// The device of the VIPs.
    vip_device: AddressDevice,
    /// The dedicated IP, if it is one of IPv4 that the interface has now, in network byte order; or 0.
    dedicated_v4: Once<u32>,
    /// The cluster is being taken down: what takes long in its name ends soon.
    closing: Once<bool>,
    asked: Asked,
    probed: Probed,
    #[pin]
    memberships: Memberships,
    family: Arc<Family>,
    #[pin]
    conflicts: Conflicts,
    #[pin]
    announcements: Announcements,
    #[pin]
    inquiries: Inquiries,
    #[pin]
    beside: Beside,
    #[pin]
    askers: Askers,
    #[pin]
    healths: Healths,
    #[pin]
    pub(crate) inner: BhLock<Inner>,
    // Given back late: the packet path and the timer use it.
    device: Device,
    // Given back last: the cluster counts for its user as long as its memory is there.
    _charge: Option<Charge>,
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
        conntrack: Arc<Conntrack>,
        charge: Option<Charge>,
    ) -> Result<Arc<Self>> {
        let slots = usize::from(config.rules.slots);
        let inner = Inner {
            node: new_node(config, slots)?,
            keys,
            watch: Watch::new(),
            delivery: Delivery::new(),
            received: KVec::from_elem(0, FRAME_MAX, GFP_KERNEL_ACCOUNT)?,
            sending: KVec::from_elem(0, FRAME_SENT_MAX, GFP_KERNEL_ACCOUNT)?,
            transports: Transports::new(),
            applied: 0,
            pending: None,
            retired: None,
            busy: false,
            closed: false,
            walked: None,
        };
        let sessions = Sessions::new(description.sessions_max)?;
        let stats = Stats::new(snapshot.rules.rules().len())?;
        let healths = Healths::new()?;
        let published = RcuCell::empty();
        let _ = published.replace(Some(snapshot));
        Arc::pin_init(
            try_pin_init!(Self {
                description,
                base,
                snapshot: published,
                is_default_host: Once::new(false),
                serves: Once::new(false),
                weight: Once::new(weight),
                changes <- kernel::new_mutex!((), "nlb::Cluster::changes"),
                stats,
                fragments: FragmentMemory::new()?,
                sessions,
                cookies: Cookies::none(),
                conntrack,
                presence: Presence::new(),
                vip_device: AddressDevice::none(),
                dedicated_v4: Once::new(0),
                closing: Once::new(false),
                asked: Asked::nobody(),
                probed: Probed::never(),
                memberships <- Memberships::none(),
                family,
                conflicts <- Conflicts::new(),
                announcements <- Announcements::new(),
                inquiries <- Inquiries::new(),
                beside <- Beside::new(),
                askers <- Askers::new(),
                healths <- healths,
                inner <- BhLock::new(inner),
                device,
                _charge: charge,
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

    /// Compiles settings and a list of rules for this cluster. Context: process. Errors: `ENOMEM`, or what is wrong with
    /// them.
    pub(crate) fn compile(
        &self,
        settings: Settings,
        rules: RuleList,
    ) -> Result<core::result::Result<KBox<Snapshot>, FilterError>> {
        self.stats.expect_rules(rules.rules().len());
        Snapshot::new(&self.base, settings, self.description.mode, rules)
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

    /// Announcements of the VIPs that are still to come.
    pub(crate) fn announcements(&self) -> &Announcements {
        &self.announcements
    }

    /// Questions for the VIPs.
    pub(crate) fn inquiries(&self) -> &Inquiries {
        &self.inquiries
    }

    /// Another station that serves the VIPs.
    pub(crate) fn beside(&self) -> &Beside {
        &self.beside
    }

    /// Stations that keep asking for a VIP.
    pub(crate) fn askers(&self) -> &Askers {
        &self.askers
    }

    /// Whether what it serves here is answered.
    pub(crate) fn healths(&self) -> &Healths {
        &self.healths
    }

    /// Peers that were asked by ARP.
    pub(crate) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// What has been seen of probes to the virtual MAC.
    pub(crate) fn probed(&self) -> &Probed {
        &self.probed
    }

    /// Of which groups it holds a membership.
    pub(crate) fn memberships(&self) -> &Memberships {
        &self.memberships
    }

    /// The memory of first fragments.
    pub(crate) fn fragments(&self) -> &FragmentMemory {
        &self.fragments
    }

    /// The sessions that have no socket here.
    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The SYN cookies that were given.
    pub(crate) fn cookies(&self) -> &Cookies {
        &self.cookies
    }

    /// What is to be known of its addresses.
    pub(crate) fn presence(&self) -> &Presence {
        &self.presence
    }

    /// The device that its VIPs are on, beside the cluster interface.
    pub(crate) fn vip_device(&self) -> &AddressDevice {
        &self.vip_device
    }

    /// What takes long in its name shall end soon. Context: any.
    pub(crate) fn begin_closing(&self) {
        self.closing.store(true);
        self.sessions.close();
    }

    /// Whether it shall. Context: any.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load()
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

    /// The silence after which a host counts as dead, in nanoseconds. Context: any.
    pub(crate) fn silence_ns(&self) -> u64 {
        let side = read_lock();
        self.snapshot(&side)
            .map_or(0, |snapshot| snapshot.terms.timing.silence_ns())
    }

    /// The VIPs in force, the primary first. Context: any.
    pub(crate) fn vips<'a>(&'a self, side: &'a ReadSide) -> &'a [IpAddr] {
        self.snapshot(side)
            .map_or(&[], |snapshot| snapshot.settings.vips())
    }

    /// Those of the VIPs that have their bit set, by their place in the list. Context: any.
    pub(crate) fn vips_of<'a>(
        &'a self,
        side: &'a ReadSide,
        bits: u64,
    ) -> impl Iterator<Item = IpAddr> + 'a {
        let vips = self.vips(side).iter().zip(0u32..64);
        vips.filter(move |(_, place)| bits.wrapping_shr(*place) & 1 != 0)
            .map(|(vip, _)| *vip)
    }

    /// The dedicated IP.
    pub(crate) fn dedicated(&self) -> Option<IpAddr> {
        match self.description.dedicated {
            Some(IpAddr::V6(address)) => Some(IpAddr::V6(address)),
            _ => match self.dedicated_v4.load() {
                0 => None,
                address => Some(IpAddr::V4(address.to_ne_bytes().into())),
            },
        }
    }

    /// Looks which dedicated IP it has now, an address of the interface in any case: another station may have got one that
    /// went. Whether that is another than before. Context: any but hard interrupts; one at a time.
    pub(crate) fn look_for_dedicated(&self) -> bool {
        let given = self.description.dedicated;
        let mut own = self.device.own_v4();
        let found = if self.description.dedicated_follows {
            let side = read_lock();
            let filter = self.snapshot(&side).map(|snapshot| &snapshot.filter);
            own.find(|it| !filter.is_some_and(|filter| filter.is_vip(IpAddr::V4(*it))))
        } else {
            own.find(|it| Some(IpAddr::V4(*it)) == given)
        };
        let found = found.map_or(0, |it| u32::from_ne_bytes(it.octets()));
        let changed = found != self.dedicated_v4.load();
        self.dedicated_v4.store(found);
        changed
    }

    /// The netlink family, for notifications.
    pub(crate) fn family(&self) -> &Family {
        &self.family
    }

    /// Whether this host serves: one that does not must not answer questions for the VIPs, whoever the responder is, for
    /// other hosts take an answer for service. Context: any.
    pub(crate) fn serves(&self) -> bool {
        self.serves.load()
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

    /// Whether a host is heard inside IP packets only. Context: any but hard interrupts.
    pub(crate) fn is_only_wrapped(&self, host: HostId) -> bool {
        self.inner.lock().transports.only_wrapped(host)
    }

    /// Changes the keys. Context: process; `change` must be short and must not sleep.
    pub(crate) fn change_keys<R>(&self, change: impl FnOnce(&mut Keyring) -> R) -> R {
        change(&mut self.inner.lock().keys)
    }

    /// Gives the packet path what changed in the ownership, and the rules if others are in force now. Context: under
    /// the lock.
    pub(crate) fn apply(&self, inner: &mut Inner) {
        self.serves.store(inner.node.serves());
        let changes = inner.node.ownership_changes();
        let digest = inner.node.config().rules.digest;
        if let Some(new) = inner.pending.take_if(|pending| pending.digest == digest) {
            new.owners.follow(&inner.node);
            // Nothing was there, see `retired`. What is dropped waits, and this can be a softirq: it would rather be lost.
            let before = core::mem::replace(&mut inner.retired, self.snapshot.swap(new));
            core::mem::forget(before);
            self.presence.note_vips();
        } else if changes == inner.applied {
            return;
        } else if let Some(snapshot) = self.snapshot(&read_lock()) {
            snapshot.owners.follow(&inner.node);
        }
        inner.applied = changes;
        self.cookies.release();
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
    pub(crate) fn free_retired(&self) {
        let retired = self.inner.lock().retired.take();
        drop(retired);
    }

    /// Takes what the node has to send, if this context is the one that sends. Context: under the lock.
    pub(crate) fn next_frame<'a>(&'a self, inner: &mut Inner) -> Option<(Frame<'a>, usize)> {
        let Inner {
            node,
            keys,
            sending,
            ..
        } = inner;
        loop {
            // No more than goes through the interface now, wrapped or not.
            let room = frame_room(self.device.mtu());
            let room = sending.get_mut(..room).unwrap_or_default();
            let transmit = node.poll_transmit(room, keys)?;
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
            frame.write(bytes);
            return Some((frame, bytes.len()));
        }
    }
}

/// Why rules or settings were not taken. It changed nothing.
#[derive(Clone, Copy)]
pub(crate) enum Refused {
    /// Other rules or settings wait for the other hosts.
    Waiting,
    /// Those in force are others by now.
    Replaced,
    /// What was swapped out before has to be freed first.
    Unfreed,
    /// The node says so.
    Node(CommandError),
}

impl Inner {
    /// Whether what is sent now is sent inside IP too, and whether to ask for the same. Context: under the lock.
    pub(crate) fn wraps(&mut self) -> Option<bool> {
        let expected = self.node.expected_on_segment();
        let period_ns = self.node.period_ns();
        self.transports
            .sends(Instant(now_ns()), period_ns, expected)
    }

    /// Hands the rules of `new` to the node, which is given the larger tables if it needs them. What is left in
    /// `larger` and `new` is to be freed. `held`: this host lacks what they need. Context: under the lock.
    #[inline(never)]
    pub(crate) fn stage(
        &mut self,
        cluster: &Cluster,
        now: Instant,
        larger: &mut Option<NodeTables>,
        new: &mut Option<KBox<Snapshot>>,
        only: Option<u64>,
        held: bool,
    ) -> core::result::Result<(), Refused> {
        let Some(rules) = new.as_deref() else {
            return Ok(());
        };
        if self.retired.is_some() {
            return Err(Refused::Unfreed);
        }
        let (in_force, waiting) = (self.node.config().rules.digest, self.node.staged());
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
        let for_node = rules.for_node(self.node.config().host, cluster.weight(), kept);
        if self.node.slots_room() < rules.owners.slots() {
            *larger = larger.take().map(|tables| match self.node.enlarge(tables) {
                Ok(old) | Err(old) => old,
            });
        }
        // Possible in every state. What was staged before, and was held, may come into force by this.
        let _ = self.node.handle_command(now, Command::Hold(held), 0);
        if self.node.config().rules.digest != in_force {
            return Err(Refused::Replaced);
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
