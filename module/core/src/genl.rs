// SPDX-License-Identifier: GPL-2.0-only

//! The numbers of the generic netlink family `nlb`: commands, attributes, enumerations.
//!
//! `module/specs/nlb.yaml` describes the same for people and for YNL; a test of the userspace workspace
//! compares the two. Numbers are never changed or reused, only added to. Integers are in host byte order,
//! addresses are 4 or 16 bytes in network order, and every request names its cluster by `ifindex`.

use super::state::named;

/// Name of the family.
pub const FAMILY: &str = "nlb";

/// Version of the family.
pub const VERSION: u8 = 1;

/// Multicast group of state changes ([`Command::EventNtf`]).
pub const GROUP_EVENTS: &str = "events";

/// Multicast group of outgoing heartbeats for the second path ([`Command::HeartbeatNtf`]).
pub const GROUP_RELAY: &str = "relay";

named! {
    /// Commands. A reply carries the number of its request; notifications have numbers of their own.
    Command {
        /// Read one cluster (`ifindex`) or dump all: attributes [`cluster`].
        ClusterGet = 1 "cluster-get",
        /// Make a cluster on an interface: attributes [`cluster`]. Needs CAP_NET_ADMIN.
        ClusterNew = 2 "cluster-new",
        /// Remove a cluster. Needs CAP_NET_ADMIN.
        ClusterDel = 3 "cluster-del",
        /// Control a cluster, or change one of its parameters: attributes [`cluster`]. Needs CAP_NET_ADMIN.
        ClusterSet = 4 "cluster-set",
        /// A state change: attributes [`event`]. Group [`GROUP_EVENTS`].
        EventNtf = 5 "event-ntf",
        /// Dump the hosts of a cluster: attributes [`member`].
        MemberGet = 6 "member-get",
        /// Who owns a flow, and why: attributes [`owner`]. Needs CAP_NET_ADMIN, since whoever may ask for many flows
        /// can choose those that fall on one host.
        OwnerGet = 7 "owner-get",
        /// Dump a bucket map: attributes [`bucket`]. Needs CAP_NET_ADMIN, since it takes long.
        BucketGet = 8 "bucket-get",
        /// Dump counters: attributes [`counter`].
        CounterGet = 9 "counter-get",
        /// Dump the history of convergence: attributes [`history`].
        HistoryGet = 10 "history-get",
        /// Add a key, or change what a key is used for: attributes [`key`]. Needs CAP_NET_ADMIN.
        KeySet = 11 "key-set",
        /// Drop a key: attributes [`key`]. Needs CAP_NET_ADMIN.
        KeyDel = 12 "key-del",
        /// Dump which keys are known, without their bytes: attributes [`key`]. Needs CAP_NET_ADMIN.
        KeyGet = 13 "key-get",
        /// A heartbeat that arrived on the second path: attributes [`heartbeat`]. Needs CAP_NET_ADMIN.
        HeartbeatIn = 14 "heartbeat-in",
        /// A heartbeat to be carried on the second path: attributes [`heartbeat`]. Group [`GROUP_RELAY`].
        HeartbeatNtf = 15 "heartbeat-ntf",
        /// Dump the port rules of a cluster: attributes [`rule`].
        RuleGet = 16 "rule-get",
        /// Replace the port rules of a cluster by the nested ones: attributes [`rule`]. Needs CAP_NET_ADMIN.
        RuleSet = 17 "rule-set",
        /// Enable, disable or drain one port rule on this host, or change its weight or priority here: attributes
        /// [`rule`]. Needs CAP_NET_ADMIN.
        RuleControl = 18 "rule-control",
    }
}

/// Attributes of a cluster.
pub mod cluster {
    /// u32: index of the cluster interface.
    pub const IFINDEX: u16 = 1;
    /// string: name of the cluster interface (replies).
    pub const IFNAME: u16 = 2;
    /// string: name of the cluster, 1–32 bytes.
    pub const NAME: u16 = 3;
    /// u8: this host's id, 1–64.
    pub const HOST_ID: u16 = 4;
    /// u8: [`super::Mode`].
    pub const MODE: u16 = 5;
    /// binary 4 or 16, repeated: a VIP; the first is the primary.
    pub const VIP: u16 = 6;
    /// binary 4 or 16: the dedicated IP of this host on the cluster interface.
    pub const DEDICATED_IP: u16 = 7;
    /// u8: [`super::Affinity`] of the default rule.
    pub const AFFINITY: u16 = 8;
    /// u32: milliseconds between two heartbeats.
    pub const PERIOD_MS: u16 = 9;
    /// u32: heartbeats that may be missed.
    pub const TOLERANCE: u16 = 10;
    /// binary 6: the virtual MAC.
    pub const VIRTUAL_MAC: u16 = 11;
    /// u8: [`super::super::state::HostState`] of this host (replies).
    pub const STATE: u16 = 12;
    /// u8: [`super::super::state::OutReason`] of this host (replies).
    pub const OUT_REASON: u16 = 13;
    /// u64: number of the agreed generation; 0 before the first (replies).
    pub const GENERATION: u16 = 14;
    /// u8: host id of the default host, 0 if there is none (replies).
    pub const DEFAULT_HOST: u16 = 15;
    /// u64: the members; bit n stands for host id n + 1 (replies).
    pub const MEMBERS: u16 = 16;
    /// binary 32: the cluster key (requests; never in a reply).
    pub const KEY: u16 = 17;
    /// u8: id of that key, 1–255 (requests); id of the key used for sending (replies).
    pub const KEY_ID: u16 = 18;
    /// binary 16: the hash seed (requests; never in a reply).
    pub const HASH_SEED: u16 = 19;
    /// flag: the cluster is meant to have no key (requests); has none (replies).
    pub const NO_KEY: u16 = 20;
    /// u8: [`super::Control`] (requests).
    pub const CONTROL: u16 = 21;
    /// u8: load weight of this host for the default rule, 0–100.
    pub const WEIGHT: u16 = 22;
    /// u32: buckets of the default rule that this host owns (replies).
    pub const BUCKETS_OWNED: u16 = 23;
    /// u8: [`super::super::state::Cause`] of the last convergence (replies).
    pub const CAUSE: u16 = 24;
    /// flag: take part at once (requests to make a cluster); without it the cluster starts stopped.
    pub const START: u16 = 25;
    /// u64: digest of rules that wait for the other hosts, 0 if none (replies).
    pub const PENDING: u16 = 26;
    /// nest [`super::rule`], repeated: a port rule (requests to make a cluster); the default rule if there is none.
    pub const RULE: u16 = 27;
    /// u16: number of port rules in force (replies).
    pub const RULES: u16 = 28;
    /// binary 6: the virtual MAC of IPv6 VIPs, where it is another than that of the IPv4 ones (replies).
    pub const VIRTUAL_MAC_V6: u16 = 29;
    /// binary 4 or 16: a VIP that another station claims (replies).
    pub const CONFLICT_VIP: u16 = 30;
    /// binary 6: the MAC that it claims it for, or its own (replies).
    pub const CONFLICT_MAC: u16 = 31;
    /// u64: milliseconds since it last did so (replies).
    pub const CONFLICT_AGE_MS: u16 = 32;
    /// flag: packets for a VIP are served whichever interface they arrive on.
    pub const ALLOW_OTHER_INTERFACES: u16 = 33;
    /// u8: families of whose VIPs no frame reaches this host, 1 for IPv4, 2 for IPv6; absent if there is none (replies).
    pub const STARVED: u16 = 34;
    /// u8: [`super::Echo`].
    pub const ECHO: u16 = 35;
    /// u32: seconds after which a drainstop ends though sessions are left (requests with [`super::Control::Drainstop`]);
    /// without it, it waits for the last one.
    pub const DRAIN_TIMEOUT_S: u16 = 36;
    /// u64: sessions of the cluster that the last walk over the tables found here; absent before the first (replies).
    pub const WALK_FOUND: u16 = 37;
    /// u32: buckets, over all maps, that this host does not own but may hold sessions of (replies).
    pub const RESIDUE: u16 = 38;
    /// u32: microseconds that the last walk took (replies).
    pub const WALK_US: u16 = 39;
    /// u32: connections that the last walk looked at, whosever they were (replies).
    pub const WALK_SEEN: u16 = 40;
    /// u32: sessions without a socket that are remembered at most; 0: none.
    pub const SESSIONS_MAX: u16 = 41;
    /// u32: how many are remembered now (replies to who has CAP_NET_ADMIN: counting them takes long).
    pub const SESSIONS: u16 = 42;
    /// u8: [`super::Responder`].
    pub const RESPONDER: u16 = 43;
    /// Highest number in use.
    pub const MAX: u16 = 43;
}

/// Attributes of a port rule. A rule that is not told otherwise is the default rule: all VIPs, both protocols, all
/// ports, mode multiple, affinity single.
pub mod rule {
    /// u32: index of the cluster interface.
    pub const IFINDEX: u16 = 1;
    /// u16: place in the list, from 0 (replies, and requests to control a rule); the slot of its bucket map.
    pub const NUMBER: u16 = 2;
    /// binary 4 or 16: the VIP that it is for; absent: all.
    pub const VIP: u16 = 3;
    /// u8: [`super::super::rules::Protocols`].
    pub const PROTOCOLS: u16 = 4;
    /// u16: first port of the range.
    pub const FIRST_PORT: u16 = 5;
    /// u16: last port of the range, inclusive.
    pub const LAST_PORT: u16 = 6;
    /// u8: [`super::super::rules::FilteringMode`].
    pub const MODE: u16 = 7;
    /// u8: [`super::Affinity`].
    pub const AFFINITY: u16 = 8;
    /// u8: bits of an IPv4 address that affinity network looks at, 1–32.
    pub const PREFIX_V4: u16 = 9;
    /// u8: bits of an IPv6 address that affinity network looks at, 1–128.
    pub const PREFIX_V6: u16 = 10;
    /// u8: [`super::super::rules::Track`].
    pub const TRACK: u16 = 11;
    /// u8: this host's load weight for the rule, 0–100; absent: that of the cluster.
    pub const WEIGHT: u16 = 12;
    /// u8: this host's handling priority for the rule, 1–64, the lowest first; absent: its host id.
    pub const PRIORITY: u16 = 13;
    /// u8: [`super::super::rules::RuleState`] on this host.
    pub const STATE: u16 = 14;
    /// nest [`super::rule`], repeated: the rules of the new list, in order (requests to replace it).
    pub const RULE: u16 = 15;
    /// flag: of the list that waits for the other hosts (replies).
    pub const PENDING: u16 = 16;
    /// u32: buckets of the rule that this host owns (replies).
    pub const BUCKETS_OWNED: u16 = 17;
    /// u64: packets that this host served under this number since the cluster was made (replies).
    pub const ACCEPTED: u16 = 18;
    /// u64: packets that this host did not serve under this number since the cluster was made (replies).
    pub const DROPPED: u16 = 19;
    /// Highest number in use.
    pub const MAX: u16 = 19;
}

/// Attributes of a host of a cluster.
pub mod member {
    /// u32: index of the cluster interface.
    pub const IFINDEX: u16 = 1;
    /// u8: host id.
    pub const HOST_ID: u16 = 2;
    /// u8: [`super::super::state::HostState`] as last told by the host.
    pub const STATE: u16 = 3;
    /// u8: [`super::super::state::OutReason`].
    pub const OUT_REASON: u16 = 4;
    /// u32: milliseconds since it was last heard; absent for this host itself.
    pub const LAST_HEARD_MS: u16 = 5;
    /// u64: incarnation.
    pub const INCARNATION: u16 = 6;
    /// u32: buckets of the default rule that it owns.
    pub const BUCKETS_OWNED: u16 = 7;
    /// flag: this host itself.
    pub const SELF: u16 = 8;
    /// flag: the default host.
    pub const DEFAULT: u16 = 9;
    /// u8: bit 0: heard on the segment, bit 1: heard on the second path, both within the tolerance.
    pub const PATHS: u16 = 10;
    /// u32: heartbeats lost of the last 1000 expected.
    pub const LOSS_PERMILLE: u16 = 11;
    /// binary 4 or 16: dedicated IP.
    pub const DEDICATED_IP: u16 = 12;
    /// u8: load weight for the default rule.
    pub const WEIGHT: u16 = 13;
    /// flag: a member of the agreed generation.
    pub const MEMBER: u16 = 14;
    /// u64: digest of the rules that it has staged, 0 if none.
    pub const PENDING: u16 = 15;
    /// u32: buckets, over all maps, that it does not own but may hold sessions of; absent while that is not known here.
    pub const RESIDUE: u16 = 16;
    /// u64: milliseconds for which it has had some without a break; absent if it has none.
    pub const RESIDUE_MS: u16 = 17;
    /// Highest number in use.
    pub const MAX: u16 = 17;
}

/// Attributes of the question who owns a flow, and of its answer.
pub mod owner {
    /// u32: index of the cluster interface.
    pub const IFINDEX: u16 = 1;
    /// binary 4 or 16: address of the client.
    pub const CLIENT: u16 = 2;
    /// u16: port of the client, host byte order; 0 if not given.
    pub const CLIENT_PORT: u16 = 3;
    /// binary 4 or 16: the VIP.
    pub const VIP: u16 = 4;
    /// u16: port at the VIP, host byte order.
    pub const VIP_PORT: u16 = 5;
    /// u8: IP protocol number; 6 (TCP) if absent.
    pub const PROTOCOL: u16 = 6;
    /// u8: host id of the owner, 0 if nobody (replies).
    pub const OWNER: u16 = 7;
    /// string: name of the reason of the decision (replies).
    pub const REASON: u16 = 8;
    /// u16: number of the rule; absent if none covers the flow (replies).
    pub const RULE: u16 = 9;
    /// u8: [`super::Affinity`] (replies).
    pub const AFFINITY: u16 = 10;
    /// u64: the keyed hash (replies).
    pub const HASH: u16 = 11;
    /// u16: bucket (replies).
    pub const BUCKET: u16 = 12;
    /// flag: this host is the owner (replies).
    pub const SELF: u16 = 13;
    /// u64: generation of the map that was asked (replies).
    pub const GENERATION: u16 = 14;
    /// u64: hosts that do not own the bucket but may hold sessions of it; bit n stands for host id n + 1 (replies).
    pub const HOLDERS: u16 = 15;
    /// u64: hosts of which it is not known at the moment what they hold (replies).
    pub const HOLDERS_UNKNOWN: u16 = 16;
    /// u8: [`super::Trace`]: what the tables of this host have of the flow (replies).
    pub const TRACE: u16 = 17;
    /// string: what this host would count the first packet of the flow as (replies).
    pub const FIRST: u16 = 18;
    /// string: what this host would count a later packet of the flow as (replies).
    pub const LATER: u16 = 19;
    /// Highest number in use.
    pub const MAX: u16 = 19;
}

/// Attributes of a bucket map, and of what hosts may hold of buckets that others own.
pub mod bucket {
    /// u32: index of the cluster interface.
    pub const IFINDEX: u16 = 1;
    /// u16: slot of the map: the number of its rule; the one after the last is for what no rule covers.
    pub const SLOT: u16 = 2;
    /// u16: first bucket of this message; absent if it is about residue.
    pub const FIRST: u16 = 3;
    /// binary: a host id for each bucket, 0 for nobody.
    pub const OWNERS: u16 = 4;
    /// u64: generation of the map.
    pub const GENERATION: u16 = 5;
    /// u8: id of a host that has residue in the map.
    pub const HOLDER: u16 = 6;
    /// binary: 64 words of 8 bytes; bit n of word w is bucket 64 w + n, which that host does not own but may hold
    /// sessions of.
    pub const RESIDUE: u16 = 7;
    /// Highest number in use.
    pub const MAX: u16 = 7;
}

/// Attributes of a counter.
pub mod counter {
    /// u32: index of the cluster interface.
    pub const IFINDEX: u16 = 1;
    /// string: name of the counter.
    pub const NAME: u16 = 2;
    /// u64: value, summed over all CPUs.
    pub const VALUE: u16 = 3;
    /// u16: number of a rule, of whose packets the reasons are told (requests and replies); absent: of all packets,
    /// and all other counters.
    pub const RULE: u16 = 4;
    /// Highest number in use.
    pub const MAX: u16 = 4;
}

/// Attributes of an entry of the history of convergence.
pub mod history {
    /// u32: index of the cluster interface.
    pub const IFINDEX: u16 = 1;
    /// u64: generation.
    pub const GENERATION: u16 = 2;
    /// u64: the members.
    pub const MEMBERS: u16 = 3;
    /// u8: [`super::super::state::Cause`].
    pub const CAUSE: u16 = 4;
    /// u8: host id that the cause is about, 0 if none.
    pub const HOST_ID: u16 = 5;
    /// u64: milliseconds since the generation was committed.
    pub const AGE_MS: u16 = 6;
    /// u32: microseconds from the first proposal to the commit.
    pub const TOOK_US: u16 = 7;
    /// u32: buckets that moved, over all maps.
    pub const MOVED: u16 = 8;
    /// Highest number in use.
    pub const MAX: u16 = 8;
}

/// Attributes of a key.
pub mod key {
    /// u32: index of the cluster interface.
    pub const IFINDEX: u16 = 1;
    /// u8: key id, 1–255.
    pub const ID: u16 = 2;
    /// binary 32: the key (requests; never in a reply).
    pub const KEY: u16 = 3;
    /// flag: frames are sent with this key.
    pub const SEND: u16 = 4;
    /// Highest number in use.
    pub const MAX: u16 = 4;
}

/// Attributes of a heartbeat on the second path.
pub mod heartbeat {
    /// u32: index of the cluster interface.
    pub const IFINDEX: u16 = 1;
    /// binary: the frame, without Ethernet header.
    pub const FRAME: u16 = 2;
    /// Highest number in use.
    pub const MAX: u16 = 2;
}

/// Attributes of a state change.
pub mod event {
    /// u32: index of the cluster interface.
    pub const IFINDEX: u16 = 1;
    /// string: name of the cluster interface.
    pub const IFNAME: u16 = 2;
    /// u8: [`super::EventKind`].
    pub const KIND: u16 = 3;
    /// u8: host id that the event is about.
    pub const HOST_ID: u16 = 4;
    /// u8: [`super::super::state::HostState`] of that host.
    pub const STATE: u16 = 5;
    /// u8: [`super::super::state::OutReason`].
    pub const OUT_REASON: u16 = 6;
    /// u64: generation.
    pub const GENERATION: u16 = 7;
    /// u64: the members.
    pub const MEMBERS: u16 = 8;
    /// u8: [`super::super::state::Cause`].
    pub const CAUSE: u16 = 9;
    /// u8: host id of the default host.
    pub const DEFAULT_HOST: u16 = 10;
    /// binary 4 or 16: the VIP that another station claims.
    pub const VIP: u16 = 11;
    /// binary 6: the MAC that it claims it for, or its own.
    pub const MAC: u16 = 12;
    /// u64: sessions that were left.
    pub const SESSIONS: u16 = 13;
    /// Highest number in use.
    pub const MAX: u16 = 13;
}

named! {
    /// How the VIP resolves (design: cluster mode).
    Mode {
        /// 02-bf-… as a secondary unicast address.
        Unicast = 1 "unicast",
        /// 03-bf-….
        Multicast = 2 "multicast",
        /// 01-00-5e-7f-…, joined by IGMP.
        Igmp = 3 "igmp",
    }
}

named! {
    /// What of a client decides its host.
    Affinity {
        /// Client address and port.
        None = 0 "none",
        /// Client address.
        Single = 1 "single",
        /// Client network: IPv4 /24, IPv6 /64.
        Network = 2 "network",
    }
}

named! {
    /// What becomes of echo requests to a VIP.
    Echo {
        /// The default host answers.
        DefaultHost = 0 "default-host",
        /// Every host answers (as Windows does).
        All = 1 "all",
        /// The host that the client's address hashes to.
        Hash = 2 "hash",
        /// Nobody.
        Drop = 3 "drop",
    }
}

named! {
    /// What the tables of a host have of a flow.
    Trace {
        /// Nothing.
        None = 0 "none",
        /// A TCP socket: opened from here, established or closing.
        Socket = 1 "socket",
        /// A half-open TCP connection, which is served the acknowledgement that it awaits and nothing else.
        HalfOpen = 2 "half-open",
        /// A TCP socket in TIME_WAIT.
        TimeWait = 3 "time-wait",
        /// A session that has no socket.
        Session = 4 "session",
        /// A connection that is translated for somebody behind this host.
        Conntrack = 5 "conntrack",
    }
}

named! {
    /// Who answers ARP requests and neighbour solicitations for a VIP.
    Responder {
        /// The default host.
        DefaultHost = 0 "default-host",
        /// Every host: an answer arrives though some are lost, and each question has as many as there are hosts.
        All = 1 "all",
    }
}

named! {
    /// What `cluster-set` can ask of a host.
    Control {
        /// Take part.
        Start = 1 "start",
        /// Leave at once.
        Stop = 2 "stop",
        /// Take no new connections.
        Drain = 3 "drain",
        /// Drain, and stop when the last session has ended.
        Drainstop = 4 "drainstop",
        /// Stop, and be deaf to everything but resume.
        Suspend = 5 "suspend",
        /// End suspension; the host is stopped then.
        Resume = 6 "resume",
    }
}

named! {
    /// What happened.
    EventKind {
        /// A cluster was made on an interface.
        ClusterNew = 1 "cluster-new",
        /// A cluster was removed, with its interface or by command.
        ClusterDel = 2 "cluster-del",
        /// This host's own state changed.
        State = 3 "state",
        /// A generation was committed.
        Converged = 4 "converged",
        /// A host was kept out, or let in again.
        HostOut = 5 "host-out",
        /// A host was heard that was not known.
        HostSeen = 6 "host-seen",
        /// The default host changed.
        DefaultHost = 7 "default-host",
        /// Another station claims a VIP. Told once a minute at most for the same one.
        Conflict = 8 "conflict",
        /// No frame to a VIP reaches this host, though heartbeats do: the switch withholds them.
        Starved = 9 "starved",
        /// Frames to all VIPs reach this host again.
        Delivered = 10 "delivered",
        /// A drainstop has come to its end: no session is left, or its time is up.
        Drained = 11 "drained",
        /// There is no room for more sessions: new ones are served, but not remembered. Told once a minute at most.
        SessionsFull = 12 "sessions-full",
    }
}
