// SPDX-License-Identifier: GPL-2.0-only

//! Walks over the kernel's tables of connections: in which of the buckets that this host has let go of it still has
//! sessions, and how many it has in all. The tunnels that connections control are remembered on the way.
//!
//! *Context*: process, off the packet path, and only while there is residue or a drain that waits for the last session.
//! A walk takes no lock of the packet path but, one at a time, those of the chains of the kernel's own table that are not
//! empty; it lets others run after every slice, and ends there if the cluster is being taken down, which waits for it.

use crate::cluster::context::Cluster;
use crate::cluster::driver;
use crate::cluster::settings_change;
use crate::cluster::snapshot::Snapshot;
use crate::kapi::clock::now_ns;
use crate::kapi::conntrack::ConntrackWalk;
use crate::kapi::hrtimer::Timer;
use crate::kapi::inet::{TcpFlow, TcpWalk};
use crate::kapi::netdevice::Rtnl;
use crate::kapi::once::Once;
use crate::kapi::rcu::{read_lock, GracePeriod, ReadSide};
use crate::kapi::work::{breathe, Job};
use crate::l2::mac_filter;
use crate::nlb_core::decide::place_of;
use crate::nlb_core::limits::{BUCKET_WORDS, WALK_PAUSE_MS, WALK_PAUSE_TIMES, WALK_SLICE};
use crate::nlb_core::node::Tally;
use crate::nlb_core::packet::{Flow, PROTO_TCP};
use crate::nlb_core::time::{Instant, NS_PER_MS};
use kernel::prelude::*;
use kernel::sync::Arc;

/// How often it is looked whether the grace period before a walk has passed, in milliseconds: about as long as one takes.
const SETTLE_MS: u32 = 10;

/// Who walks for a cluster.
pub(crate) struct Walker {
    cluster: Arc<Cluster>,
    // A reference to it is given back when the work is dropped, which is in process context.
    timer: Arc<Timer<Cluster>>,
    /// A walk has begun, and its first look waits until `settled` has passed. Written by the work alone.
    begun: Once<bool>,
    settled: Once<GracePeriod>,
}

/// What the last walk came to.
#[derive(Clone, Copy)]
pub(crate) struct Walked {
    /// How long it took from its first look to its last, in microseconds.
    pub(crate) took_us: u32,
    /// Connections of the namespace that it looked at, whosever they are.
    pub(crate) seen: u32,
}

/// The buckets in which there are sessions: a bit each, 64 words a slot.
struct Found {
    words: KVVec<u64>,
    /// Those that live.
    sessions: u64,
    seen: u32,
}

impl Found {
    /// None yet. Context: process. Errors: `ENOMEM`.
    fn new(slots: usize) -> Result<Self> {
        let len = slots.checked_mul(BUCKET_WORDS).ok_or(EINVAL)?;
        Ok(Self {
            words: KVVec::from_elem(0, len, GFP_KERNEL_ACCOUNT)?,
            sessions: 0,
            seen: 0,
        })
    }

    /// Enters a session in a bucket. A slot that came with rules newer than the walk has no place: all of its buckets are
    /// newer residue than the walk, too.
    fn enter(&mut self, slot: u16, bucket: u16, lives: bool) {
        self.sessions = self.sessions.saturating_add(u64::from(lives));
        let place = usize::from(slot)
            .saturating_mul(BUCKET_WORDS)
            .saturating_add(usize::from(bucket >> 6));
        if let Some(word) = self.words.get_mut(place) {
            *word |= 1u64.wrapping_shl(u32::from(bucket & 63));
        }
    }

    /// Enters a TCP connection, if it is one of the cluster; the flow, if it lives.
    fn enter_tcp(&mut self, snapshot: &Snapshot, tcp: TcpFlow) -> Option<Flow> {
        self.seen = self.seen.saturating_add(1);
        let flow = Flow {
            protocol: PROTO_TCP,
            client: tcp.client.0,
            client_port: tcp.client.1,
            vip: tcp.local.0,
            vip_port: tcp.local.1,
        };
        let place = place_of(&snapshot.filter, &flow)?;
        self.enter(place.slot, place.bucket, tcp.lives);
        tcp.lives.then_some(flow)
    }

    fn word(&self, slot: u16, word: u16) -> u64 {
        let place = usize::from(slot)
            .saturating_mul(BUCKET_WORDS)
            .saturating_add(usize::from(word));
        self.words.get(place).copied().unwrap_or(0)
    }
}

impl Walker {
    /// Context: process. Errors: `ENOMEM`.
    pub(crate) fn new(cluster: Arc<Cluster>, timer: Arc<Timer<Cluster>>) -> Result<Arc<Self>> {
        let walker = Self {
            cluster,
            timer,
            begun: Once::new(false),
            settled: Once::new(GracePeriod::from_now()),
        };
        Ok(Arc::new(walker, GFP_KERNEL_ACCOUNT)?)
    }

    /// Begins a walk, if one is wanted; whether it has begun.
    fn begin(&self) -> bool {
        if self.cluster.wants_walk().is_none() {
            return false;
        }
        self.cluster.begin_walk();
        // A packet that was judged before a bucket was let go of may be on its way to becoming a connection. It is not
        // waited for here: who takes the cluster down waits for this function.
        self.settled.store(GracePeriod::start());
        true
    }

    /// Walks once, if it is still wanted; says for how long, in nanoseconds. Errors: `ENOMEM`, `EAGAIN` if a table was
    /// resized meanwhile, `EINTR` if the cluster is being taken down; then nothing has come of it.
    fn walk(&self) -> Result<u64> {
        let cluster = &*self.cluster;
        let Some(slots) = cluster.wants_walk() else {
            return Ok(0);
        };
        let mut found = Found::new(slots)?;
        let began = now_ns();
        self.walk_tcp(&mut found)?;
        self.walk_sessions(&mut found)?;
        self.walk_conntrack(&mut found)?;
        let held = cluster.cookies().may_return_to_residue();
        let took = now_ns().saturating_sub(began);
        cluster.set_walked(Walked {
            took_us: u32::try_from(took / 1000).unwrap_or(u32::MAX),
            seen: found.seen,
        });
        driver::end_walk(
            cluster,
            &self.timer,
            |slot, word| {
                if held {
                    u64::MAX
                } else {
                    found.word(slot, word)
                }
            },
            Tally {
                sessions: found.sessions,
                more_may_come: held,
            },
        );
        Ok(took)
    }

    /// Lets others run after a slice. Errors: `EINTR` if the walk shall end.
    fn pause(&self) -> Result {
        if self.cluster.is_closing() {
            return Err(EINTR);
        }
        breathe();
        Ok(())
    }

    /// Enters the connections of containers and guests behind the VIP, which have no socket here.
    fn walk_conntrack(&self, found: &mut Found) -> Result {
        // What had no packet since this host began to take part is over, or nothing is lost if it is not waited for.
        let serving_ms = self.cluster.look(|node, _, now| now.since(node.begun())) / NS_PER_MS;
        let serving_ms = u32::try_from(serving_ms).unwrap_or(u32::MAX);
        let Some(mut walk) = ConntrackWalk::new(serving_ms) else {
            return Ok(());
        };
        loop {
            let more = {
                let side = read_lock();
                let Some(snapshot) = self.cluster.snapshot(&side) else {
                    return Ok(());
                };
                let net = self.cluster.device().net_now(&side);
                let now = Instant(now_ns());
                walk.look(net, &mut |tcp| {
                    let lives = found.enter_tcp(snapshot, tcp);
                    self.keep_controlled(&side, lives, now);
                })?
            };
            if !more {
                return Ok(());
            }
            self.pause()?;
        }
    }

    /// Enters the sessions that have no socket.
    fn walk_sessions(&self, found: &mut Found) -> Result {
        self.cluster.sessions().each(|flow| {
            let side = read_lock();
            let snapshot = self.cluster.snapshot(&side);
            if let Some(place) = snapshot.and_then(|it| place_of(&it.filter, flow)) {
                found.enter(place.slot, place.bucket, true);
            }
        });
        // It ended early if the cluster is being taken down.
        self.pause()
    }

    /// A tunnel whose control connection is here stays here, however long its data is silent: what its bucket's new owner
    /// does with it, the residue of this host tells that one.
    /// Context: as the walk, with the lock of a chain of the kernel's table.
    fn keep_controlled(&self, side: &ReadSide, flow: Option<Flow>, now: Instant) {
        if let Some(flow) = flow {
            self.cluster.sessions().note_controlled(side, &flow, now);
        }
    }

    /// Enters the connections of this host.
    fn walk_tcp(&self, found: &mut Found) -> Result {
        let mut walk = TcpWalk::new();
        loop {
            let more = {
                let side = read_lock();
                let Some(snapshot) = self.cluster.snapshot(&side) else {
                    return Ok(());
                };
                let net = self.cluster.device().net_now(&side);
                let now = Instant(now_ns());
                walk.look(net, WALK_SLICE, &mut |tcp| {
                    let lives = found.enter_tcp(snapshot, tcp);
                    self.keep_controlled(&side, lives, now);
                })
            };
            if !more {
                return Ok(());
            }
            self.pause()?;
        }
    }

    /// Forgets VIPs that are gone, and what was joined for them.
    fn tidy(&self) {
        if !settings_change::is_untidy(&self.cluster) {
            return;
        }
        // Who takes the cluster down holds the RTNL and waits for this function.
        let Some(rtnl) = Rtnl::try_lock() else {
            return;
        };
        if self.cluster.is_closing() {
            return;
        }
        settings_change::tidy(&self.cluster, &self.timer);
        mac_filter::keep_joined_or_warn(&rtnl, &self.cluster);
    }
}

impl Job for Walker {
    fn run(&self) -> u32 {
        self.tidy();
        if !self.begun.load() {
            let begun = self.begin();
            self.begun.store(begun);
            return if begun { SETTLE_MS } else { WALK_PAUSE_MS };
        }
        if !self.settled.load().has_passed() {
            return SETTLE_MS;
        }
        self.begun.store(false);
        // Without memory, or with a table that was resized meanwhile, it is tried again later; what is residue stays so
        // until then.
        let took = self.walk().unwrap_or(0);
        let pause = took.saturating_mul(WALK_PAUSE_TIMES) / NS_PER_MS;
        u32::try_from(pause).unwrap_or(u32::MAX).max(WALK_PAUSE_MS)
    }
}
