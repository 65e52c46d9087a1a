// SPDX-License-Identifier: GPL-2.0-only
//! What the protocol's work costs: the computation of a map, a heartbeat made
//! and signed, a heartbeat received and verified. Printed are nanoseconds,
//! which under a counted clock are instructions; of several turns the least, or
//! the median, so that interrupts are not among them.

use std::time::Instant as Clock;

use anyhow::{Result, ensure};
use nlb_core::assign::{Weights, assign};
use nlb_core::auth::{Authenticator, NoKey};
use nlb_core::config::{Config, Dedicated, Rules, SlotKind, Terms, Timing};
use nlb_core::host::{HostId, HostSet};
use nlb_core::limits::{BUCKETS, FRAME_MAX, HOSTS_MAX, KEY_LEN};
use nlb_core::node::{Command, Node};
use nlb_core::peer::Path;
use nlb_core::received::Received;
use nlb_core::store::Sizes;
use nlb_core::time::{Instant, NS_PER_MS};
use nlb_core::wire::VERSIONS;
use nlb_tables::Tables;

use crate::key::Key;

/// How large a cluster.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Hosts of the cluster.
    #[arg(long, default_value_t = 64)]
    hosts: u8,
}

/// Heartbeats that are measured, an odd number.
const ROUNDS: usize = 21;

/// Maps of each kind that are measured.
const TURNS: usize = 5;

/// Period of the cluster; time is virtual.
const PERIOD_NS: u64 = 100 * NS_PER_MS;

/// Print the costs as JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut world = World::new(args.hosts)?;
    world.converge()?;
    let heartbeat = world.heartbeats()?;
    let map = Maps::measure(args.hosts);
    println!(
        "{{\"hosts\":{},\"frame_bytes\":{},\"sent\":{},\"received\":{},\"map_cold\":{},\"map_leave\":{},\"map_join\":{}}}",
        args.hosts,
        heartbeat.bytes,
        heartbeat.sent,
        heartbeat.received,
        map.cold,
        map.leave,
        map.join
    );
    Ok(())
}

/// Hosts of equal weight, all of them or all but one.
struct Equal(HostSet);

impl Weights for Equal {
    fn eligible(&self) -> HostSet {
        self.0
    }

    fn weight(&self, _host: HostId) -> u8 {
        50
    }
}

/// Least nanoseconds of one computation of a map.
struct Maps {
    cold: u128,
    leave: u128,
    join: u128,
}

impl Maps {
    fn measure(hosts: u8) -> Self {
        let all = HostSet::lowest_ids(usize::from(hosts));
        let without = HostId::new(hosts / 2 + 1).map_or(all, |host| all.without(host));
        let mut map = vec![0; BUCKETS];
        let mut turn = |hosts: HostSet| {
            let began = Clock::now();
            let _ = assign(&mut map, SlotKind::Weighted, &Equal(hosts));
            began.elapsed().as_nanos()
        };
        let mut least = Self {
            cold: u128::MAX,
            leave: u128::MAX,
            join: u128::MAX,
        };
        for _ in 0..TURNS {
            turn(HostSet::EMPTY);
            least.cold = least.cold.min(turn(all));
            least.leave = least.leave.min(turn(without));
            least.join = least.join.min(turn(all));
        }
        least
    }
}

/// A cluster on a segment that loses nothing and takes no time.
struct World {
    nodes: Vec<Node<Tables>>,
    now: Instant,
}

/// Median nanoseconds and the bytes of one heartbeat.
struct Heartbeat {
    bytes: usize,
    sent: u128,
    received: u128,
}

impl World {
    fn new(hosts: u8) -> Result<Self> {
        let now = Instant(1);
        let mut nodes = Vec::new();
        for host in (1..=hosts).filter_map(HostId::new) {
            let config = Config {
                cluster_id: 1,
                host,
                buckets: u16::try_from(BUCKETS)?,
                terms: Terms {
                    settings: 1,
                    timing: Timing {
                        period_ns: PERIOD_NS,
                        tolerance: 3,
                    },
                },
                rules: Rules::one(1, 50),
                dedicated: Dedicated::new(&[10, 0, 0, host.get()]).unwrap_or(Dedicated::NONE),
                versions: VERSIONS,
            };
            let mut node = Node::new(&config, Tables::new(Sizes::new(HOSTS_MAX, 1, BUCKETS)))
                .map_err(|error| anyhow::anyhow!("configuration: {error:?}"))?;
            node.handle_command(now, Command::Start, u64::from(host.get()))
                .map_err(|error| anyhow::anyhow!("start: {error:?}"))?;
            nodes.push(node);
        }
        ensure!(!nodes.is_empty(), "a cluster has 1 to 64 hosts");
        Ok(Self { nodes, now })
    }

    /// Let time pass until all hosts have agreed on all as members. Without
    /// a key, as this is not what is measured.
    fn converge(&mut self) -> Result<()> {
        let wanted = u32::try_from(self.nodes.len())?;
        while self
            .nodes
            .iter()
            .any(|node| node.view_members().len() != wanted)
        {
            ensure!(self.now.0 < 60 * PERIOD_NS, "the hosts do not converge");
            self.step(&NoKey);
        }
        // Until nothing of the convergence is left to be told.
        for _ in 0..4 * wanted {
            self.step(&NoKey);
        }
        Ok(())
    }

    /// To the next deadline of any node, and on until nobody has anything to
    /// send.
    fn step(&mut self, key: &impl Authenticator) {
        let next = self.nodes.iter().map(Node::poll_timeout).min();
        self.now = next.unwrap_or(self.now).max(self.now.after(NS_PER_MS / 10));
        for node in &mut self.nodes {
            if node.poll_timeout() <= self.now {
                node.handle_timeout(self.now);
            }
        }
        let mut buffer = [0; FRAME_MAX];
        let mut quiet = false;
        while !quiet {
            quiet = true;
            for sender in 0..self.nodes.len() {
                while let Some(sent) = self.nodes[sender].poll_transmit(&mut buffer, key) {
                    quiet = false;
                    for receiver in (0..self.nodes.len()).filter(|other| *other != sender) {
                        let _ = self.nodes[receiver].handle_frame(
                            self.now,
                            Path::Segment,
                            &buffer[..sent.len],
                            key,
                        );
                    }
                }
            }
        }
    }

    /// Heartbeats from the second host to the first, each a period after the
    /// one before it.
    fn heartbeats(&mut self) -> Result<Heartbeat> {
        ensure!(self.nodes.len() > 1, "one host has nobody to talk to");
        let key = Key::new(1, &[7; KEY_LEN]);
        let mut buffer = [0; FRAME_MAX];
        let (mut bytes, mut times) = (0, [[0; ROUNDS]; 2]);
        let [sending, receiving] = &mut times;
        for (sending, receiving) in sending.iter_mut().zip(receiving) {
            self.now = self.now.after(PERIOD_NS);
            let began = Clock::now();
            self.nodes[1].handle_timeout(self.now);
            let sent = self.nodes[1].poll_transmit(&mut buffer, &key);
            *sending = began.elapsed().as_nanos();
            bytes = sent.map_or(0, |sent| sent.len);
            let frame = &buffer[..bytes];
            let began = Clock::now();
            let received = self.nodes[0].handle_frame(self.now, Path::Segment, frame, &key);
            *receiving = began.elapsed().as_nanos();
            ensure!(received == Received::Heartbeat, "the frame is a heartbeat");
            // The rest of the cluster lives on, unmeasured.
            for other in 2..self.nodes.len() {
                let _ = self.nodes[other].handle_frame(self.now, Path::Segment, frame, &key);
            }
            self.step(&key);
        }
        for times in &mut times {
            times.sort_unstable();
        }
        let [sent, received] = times.map(|times| times[ROUNDS / 2]);
        Ok(Heartbeat {
            bytes,
            sent,
            received,
        })
    }
}
