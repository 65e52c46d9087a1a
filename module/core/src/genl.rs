// SPDX-License-Identifier: GPL-2.0-only
// Generated from module/specs/nlb.yaml by scripts/generate.py; do not edit.

//! The numbers and names of the generic netlink family `nlb`: commands, attributes, enumerations.
//!
//! Numbers are never changed or reused, only added to. Integers are in host byte order, addresses are 4 or 16 bytes in
//! network order, and every request names its cluster by `ifindex`.

use super::limits;
use super::state::named;

/// Name of the family.
pub const FAMILY: &str = "nlb";

/// Version of the family.
pub const VERSION: u8 = 1;

/// Multicast group of `event-ntf`.
pub const GROUP_EVENTS: &str = "events";

/// Multicast group of `heartbeat-ntf`. To join it needs CAP_NET_ADMIN.
pub const GROUP_RELAY: &str = "relay";

// The limits that the specification tells are those of the core.
const _: () = assert!(limits::HOSTS_MAX == 64);
const _: () = assert!(limits::BUCKETS == 4096);
const _: () = assert!(limits::VIPS_MAX == 64);
const _: () = assert!(limits::NAME_MAX == 32);
const _: () = assert!(limits::PERIOD_MS_MIN == 10);
const _: () = assert!(limits::PERIOD_MS_MAX == 10000);
const _: () = assert!(limits::TOLERANCE_MIN == 3);
const _: () = assert!(limits::TOLERANCE_MAX == 100);
const _: () = assert!(limits::SESSIONS_MAX_MAX == 1048576);
const _: () = assert!(limits::KEY_LEN == 32);
const _: () = assert!(limits::SEED_LEN == 16);
const _: () = assert!(limits::FRAME_MAX == 1500);

named! {
    /// Commands. A reply carries the number of its request; notifications have their own.
    Command {
        /// Read one cluster (ifindex) or dump all. Attributes: [`cluster`].
        ClusterGet = 1 "cluster-get",
        /// Create a cluster on an interface. Attributes: [`cluster`]. Needs CAP_NET_ADMIN.
        ClusterNew = 2 "cluster-new",
        /// Remove a cluster. Attributes: [`cluster`]. Needs CAP_NET_ADMIN.
        ClusterDel = 3 "cluster-del",
        /// Control a cluster, or change one of its parameters: control, weight and sessions-max go in requests of
        /// their own. Attributes: [`cluster`]. Needs CAP_NET_ADMIN.
        ClusterSet = 4 "cluster-set",
        /// A state change. Attributes: [`event`]. Group [`GROUP_EVENTS`].
        EventNtf = 5 "event-ntf",
        /// Dump the hosts of a cluster. Attributes: [`member`].
        MemberGet = 6 "member-get",
        /// Explain which host owns a flow, and why. Needs CAP_NET_ADMIN: the answers give away the hash's secret.
        /// Attributes: [`owner`].
        OwnerGet = 7 "owner-get",
        /// Dump the bucket maps, then for each host the buckets of others in which it may hold sessions. Needs
        /// CAP_NET_ADMIN: the list is long. Attributes: [`bucket`].
        BucketGet = 8 "bucket-get",
        /// Dump counters. Attributes: [`counter`].
        CounterGet = 9 "counter-get",
        /// Dump the history of convergence. Attributes: [`history`].
        HistoryGet = 10 "history-get",
        /// Add a key, or change what a key is used for. Attributes: [`key`]. Needs CAP_NET_ADMIN.
        KeySet = 11 "key-set",
        /// Drop a key. Attributes: [`key`]. Needs CAP_NET_ADMIN.
        KeyDel = 12 "key-del",
        /// Dump the known keys, without their bytes. Attributes: [`key`]. Needs CAP_NET_ADMIN.
        KeyGet = 13 "key-get",
        /// Hand in a heartbeat that arrived on the second path. Attributes: [`heartbeat`]. Needs CAP_NET_ADMIN.
        HeartbeatIn = 14 "heartbeat-in",
        /// A heartbeat to be carried on the second path. Attributes: [`heartbeat`]. Group [`GROUP_RELAY`].
        HeartbeatNtf = 15 "heartbeat-ntf",
        /// Dump the port rules of a cluster: those in force, then those that wait for the other hosts. Attributes:
        /// [`rule`].
        RuleGet = 16 "rule-get",
        /// Replace the port rules of a cluster by the nested ones. Attributes: [`rule`]. Needs CAP_NET_ADMIN.
        RuleSet = 17 "rule-set",
        /// Enable, disable or drain one port rule on this host, or change its weight or priority here. Attributes:
        /// [`rule`]. Needs CAP_NET_ADMIN.
        RuleControl = 18 "rule-control",
        /// Change settings of a cluster that all hosts must share, and its rules if the request has any. What it does
        /// not tell stays as it is. As new rules do, they wait until all hosts have the same, and come into force as
        /// one change; those in force are nothing to wait for and withdraw those that wait. VIPs are told all or not
        /// at all, and the primary stays. Attributes: [`cluster`]. Needs CAP_NET_ADMIN.
        SettingsSet = 19 "settings-set",
    }
}

/// Attributes of a cluster.
pub mod cluster {
    /// Index of the cluster interface. `u32`.
    pub const IFINDEX: u16 = 1;
    /// Name of the cluster interface (replies). `string`.
    pub const IFNAME: u16 = 2;
    /// Name of the cluster, 1–32 bytes. `string`.
    pub const NAME: u16 = 3;
    /// This host's id, 1–64. `u8`.
    pub const HOST_ID: u16 = 4;
    /// Cluster mode. `u8`, [`super::Mode`].
    pub const MODE: u16 = 5;
    /// A VIP; the first is the primary. `binary`, 4 or 16 bytes, repeated.
    pub const VIP: u16 = 6;
    /// The dedicated IP of this host on the cluster interface. `binary`, 4 or 16 bytes.
    pub const DEDICATED_IP: u16 = 7;
    /// Affinity of the default rule. `u8`, [`super::Affinity`].
    pub const AFFINITY: u16 = 8;
    /// Milliseconds between two heartbeats. `u32`.
    pub const PERIOD_MS: u16 = 9;
    /// Heartbeats that may be missed. `u32`.
    pub const TOLERANCE: u16 = 10;
    /// The virtual MAC. `binary`, 6 bytes.
    pub const VIRTUAL_MAC: u16 = 11;
    /// Host state of this host (replies). `u8`, [`super::HostState`].
    pub const STATE: u16 = 12;
    /// Out reason of this host (replies). `u8`, [`super::OutReason`].
    pub const OUT_REASON: u16 = 13;
    /// Number of the agreed generation; 0 before the first (replies). `u64`.
    pub const GENERATION: u16 = 14;
    /// Host id of the default host, 0 if there is none (replies). `u8`.
    pub const DEFAULT_HOST: u16 = 15;
    /// The members; bit n stands for host id n + 1 (replies). `u64`.
    pub const MEMBERS: u16 = 16;
    /// The cluster key (requests; never in a reply). `binary`, key-len bytes.
    pub const KEY: u16 = 17;
    /// Id of the key, 1–255 (requests); id of the key used for sending (replies). `u8`.
    pub const KEY_ID: u16 = 18;
    /// The hash seed (requests; never in a reply). `binary`, seed-len bytes.
    pub const HASH_SEED: u16 = 19;
    /// The cluster is meant to have no key (requests); has none (replies). `flag`.
    pub const NO_KEY: u16 = 20;
    /// What this host is to do (requests). `u8`, [`super::Control`].
    pub const CONTROL: u16 = 21;
    /// Load weight of this host for the default rule, 0–100. `u8`.
    pub const WEIGHT: u16 = 22;
    /// Buckets of the default rule that this host owns (replies). `u32`.
    pub const BUCKETS_OWNED: u16 = 23;
    /// Cause of the last convergence (replies). `u8`, [`super::Cause`].
    pub const CAUSE: u16 = 24;
    /// Take part at once (requests to make a cluster); without it the cluster starts stopped. `flag`.
    pub const START: u16 = 25;
    /// Digest of rules and settings that wait for the other hosts, 0 if none (replies). `u64`.
    pub const PENDING: u16 = 26;
    /// A port rule (requests to make a cluster); the default rule if there is neither one nor `no-rules`. `nest`,
    /// attributes [`super::rule`], repeated.
    pub const RULE: u16 = 27;
    /// Number of port rules in force (replies). `u16`.
    pub const RULES: u16 = 28;
    /// The virtual MAC of IPv6 VIPs, where it is another than that of the IPv4 ones (replies). `binary`, 6 bytes.
    pub const VIRTUAL_MAC_V6: u16 = 29;
    /// A VIP that another station claims (replies). `binary`, 4 or 16 bytes.
    pub const CONFLICT_VIP: u16 = 30;
    /// The MAC that the station claims the VIP for, or its own (replies). `binary`, 6 bytes.
    pub const CONFLICT_MAC: u16 = 31;
    /// Milliseconds since the last claim (replies). `u64`.
    pub const CONFLICT_AGE_MS: u16 = 32;
    /// Packets for a VIP are served whichever interface they arrive on. `flag`.
    pub const ALLOW_OTHER_INTERFACES: u16 = 33;
    /// Address families whose VIPs get no frames on this host, 1 for IPv4, 2 for IPv6; absent if there is none
    /// (replies). `u8`.
    pub const STARVED: u16 = 34;
    /// Which host answers echo requests. `u8`, [`super::Echo`].
    pub const ECHO: u16 = 35;
    /// Seconds after which a drainstop ends though sessions are left (requests with the control drainstop); without
    /// it, the drainstop waits for the last session. `u32`.
    pub const DRAIN_TIMEOUT_S: u16 = 36;
    /// Sessions of the cluster that the last walk over the tables found here; absent before the first (replies).
    /// `u64`.
    pub const WALK_FOUND: u16 = 37;
    /// Buckets, over all maps, that this host does not own but may hold sessions of (replies). `u32`.
    pub const RESIDUE: u16 = 38;
    /// Microseconds that the last walk took (replies). `u32`.
    pub const WALK_US: u16 = 39;
    /// Connections that the last walk looked at, whether of the cluster or not (replies). `u32`.
    pub const WALK_SEEN: u16 = 40;
    /// Most sessions without a socket that are remembered; 0: none. `u32`.
    pub const SESSIONS_MAX: u16 = 41;
    /// Sessions without a socket that are remembered now (replies to callers with CAP_NET_ADMIN: counting takes
    /// long). `u32`.
    pub const SESSIONS: u16 = 42;
    /// Which host answers ARP requests and neighbour solicitations. `u8`, [`super::Responder`].
    pub const RESPONDER: u16 = 43;
    /// The cluster is meant to have no port rules, not even the default rule (requests to make a cluster). `flag`.
    pub const NO_RULES: u16 = 44;
    /// Index of the device that is made for the VIPs and goes with the cluster; absent if the namespace ends
    /// (replies). `u32`.
    pub const VIP_IFINDEX: u16 = 45;
    /// A VIP for which this host's ARP or ND questions get no answer, though another member should give one
    /// (replies). `binary`, 4 or 16 bytes, repeated.
    pub const UNANSWERED_VIP: u16 = 46;
    /// The dedicated IP is the first global IPv4 address of the interface that is no VIP, and changes with it.
    /// `flag`.
    pub const DEDICATED_FOLLOWS: u16 = 47;
    /// Whether what this host serves as the default host, which no rule covers, is answered (replies). `u8`,
    /// [`super::Health`].
    pub const HEALTH: u16 = 48;
    /// The MAC of a station that asked for a VIP again and again within the last ten minutes (replies). `binary`, 6
    /// bytes.
    pub const ASKING_MAC: u16 = 49;
    /// A VIP of the settings that wait for the other hosts, where these have other VIPs; the first is the primary
    /// (replies). `binary`, 4 or 16 bytes, repeated.
    pub const STAGED_VIP: u16 = 50;
    /// The period of settings that wait for the other hosts, where it is another (replies). `u32`.
    pub const STAGED_PERIOD_MS: u16 = 51;
    /// The tolerance of settings that wait for the other hosts, where it is another (replies). `u32`.
    pub const STAGED_TOLERANCE: u16 = 52;
    /// Which host answers echo requests by the settings that wait for the other hosts, where it is another (replies).
    /// `u8`, [`super::Echo`].
    pub const STAGED_ECHO: u16 = 53;
    /// Which host answers ARP requests and neighbour solicitations by the settings that wait for the other hosts,
    /// where it is another (replies). `u8`, [`super::Responder`].
    pub const STAGED_RESPONDER: u16 = 54;
    /// This host lacks the address of a VIP of the settings that wait, and the other hosts wait for it (replies).
    /// `flag`.
    pub const HELD: u16 = 55;
    /// An address that was a VIP, and that this host has still: it is kept from answering for it (replies). `binary`,
    /// 4 or 16 bytes, repeated.
    pub const FORMER_VIP: u16 = 56;
    /// Highest number in use.
    pub const MAX: u16 = 56;
}

/// Attributes of a port rule. Without other attributes, a rule is the default rule: all VIPs, both protocols, all
/// ports, mode multiple, affinity single.
pub mod rule {
    /// Index of the cluster interface. `u32`.
    pub const IFINDEX: u16 = 1;
    /// Place in the list, from 0 (replies, and requests to control a rule); the slot of its bucket map. `u16`.
    pub const NUMBER: u16 = 2;
    /// The VIP that it is for; absent: all. `binary`, 4 or 16 bytes.
    pub const VIP: u16 = 3;
    /// The protocols that it covers. `u8`, [`super::Protocols`].
    pub const PROTOCOLS: u16 = 4;
    /// First port of the range. `u16`.
    pub const FIRST_PORT: u16 = 5;
    /// Last port of the range, inclusive. `u16`.
    pub const LAST_PORT: u16 = 6;
    /// How the rule handles traffic. `u8`, [`super::FilteringMode`].
    pub const MODE: u16 = 7;
    /// Which part of a client's address decides its host. `u8`, [`super::Affinity`].
    pub const AFFINITY: u16 = 8;
    /// Bits of an IPv4 address that affinity network looks at, 1–32. `u8`.
    pub const PREFIX_V4: u16 = 9;
    /// Bits of an IPv6 address that affinity network looks at, 1–128. `u8`.
    pub const PREFIX_V6: u16 = 10;
    /// Which UDP sessions are tracked. `u8`, [`super::Track`].
    pub const TRACK: u16 = 11;
    /// This host's load weight for the rule, 0–100; absent: that of the cluster. `u8`.
    pub const WEIGHT: u16 = 12;
    /// This host's handling priority for the rule, 1–64, the lowest first; absent: its host id. `u8`.
    pub const PRIORITY: u16 = 13;
    /// What this host does for the rule. `u8`, [`super::RuleState`].
    pub const STATE: u16 = 14;
    /// A rule of the new list, in order (requests to replace it). `nest`, attributes [`super::rule`], repeated.
    pub const RULE: u16 = 15;
    /// Of the list that waits for the other hosts (replies). `flag`.
    pub const PENDING: u16 = 16;
    /// Buckets of the rule that this host owns (replies). `u32`.
    pub const BUCKETS_OWNED: u16 = 17;
    /// Packets that this host served under this number since the cluster was made (replies). `u64`.
    pub const ACCEPTED: u16 = 18;
    /// Packets that this host did not serve under this number since the cluster was made (replies). `u64`.
    pub const DROPPED: u16 = 19;
    /// Whether what this host serves of the rule is answered (replies). `u8`, [`super::Health`].
    pub const HEALTH: u16 = 20;
    /// What a host does about a rule of which it answers nothing. `u8`, [`super::HealthAction`].
    pub const HEALTH_ACTION: u16 = 21;
    /// Whether this host takes buckets of the rule (replies). `u8`, [`super::Stance`].
    pub const STANCE: u16 = 22;
    /// Highest number in use.
    pub const MAX: u16 = 22;
}

/// Attributes of a host of a cluster.
pub mod member {
    /// Index of the cluster interface. `u32`.
    pub const IFINDEX: u16 = 1;
    /// Host id. `u8`.
    pub const HOST_ID: u16 = 2;
    /// State of the host, as it last reported. `u8`, [`super::HostState`].
    pub const STATE: u16 = 3;
    /// Why that host is out, or owns nothing. `u8`, [`super::OutReason`].
    pub const OUT_REASON: u16 = 4;
    /// Milliseconds since it was last heard; absent for this host itself. `u32`.
    pub const LAST_HEARD_MS: u16 = 5;
    /// Incarnation. `u64`.
    pub const INCARNATION: u16 = 6;
    /// Buckets of the default rule that it owns. `u32`.
    pub const BUCKETS_OWNED: u16 = 7;
    /// This host itself. `flag`.
    pub const SELF: u16 = 8;
    /// The default host. `flag`.
    pub const DEFAULT: u16 = 9;
    /// Bit 0: heard on the segment, bit 1: heard on the second path, both within the tolerance; bit 2: heard on the
    /// segment only inside IP packets, for the EtherType does not pass. `u8`.
    pub const PATHS: u16 = 10;
    /// Heartbeats lost of the last 1000 expected. `u32`.
    pub const LOSS_PERMILLE: u16 = 11;
    /// Dedicated IP. `binary`, 4 or 16 bytes.
    pub const DEDICATED_IP: u16 = 12;
    /// Load weight for the default rule. `u8`.
    pub const WEIGHT: u16 = 13;
    /// A member of the agreed generation. `flag`.
    pub const MEMBER: u16 = 14;
    /// Digest of the rules that it has staged, 0 if none. `u64`.
    pub const PENDING: u16 = 15;
    /// Buckets, over all maps, that it does not own but may hold sessions of; absent while that is not known here.
    /// `u32`.
    pub const RESIDUE: u16 = 16;
    /// Milliseconds for which it has held such buckets without a break; absent if it holds none. `u64`.
    pub const RESIDUE_MS: u16 = 17;
    /// Rules that it gave up because its clients got no answer; absent if there are none. `u16`.
    pub const RULES_GIVEN_UP: u16 = 18;
    /// Highest number in use.
    pub const MAX: u16 = 18;
}

/// Attributes of a query for the owner of a flow, and of the answer.
pub mod owner {
    /// Index of the cluster interface. `u32`.
    pub const IFINDEX: u16 = 1;
    /// Address of the client. `binary`, 4 or 16 bytes.
    pub const CLIENT: u16 = 2;
    /// Port of the client, host byte order; 0 if not given. `u16`.
    pub const CLIENT_PORT: u16 = 3;
    /// The VIP. `binary`, 4 or 16 bytes.
    pub const VIP: u16 = 4;
    /// Port at the VIP, host byte order. `u16`.
    pub const VIP_PORT: u16 = 5;
    /// IP protocol number; 6 (TCP) if absent. `u8`.
    pub const PROTOCOL: u16 = 6;
    /// Host id of the owner, 0 if there is none (replies). `u8`.
    pub const OWNER: u16 = 7;
    /// Name of the reason of the decision (replies). `string`.
    pub const REASON: u16 = 8;
    /// Number of the rule, 0 for the default rule; absent if none covers the flow (replies). `u16`.
    pub const RULE: u16 = 9;
    /// Affinity of the rule (replies). `u8`, [`super::Affinity`].
    pub const AFFINITY: u16 = 10;
    /// The keyed hash (replies). `u64`.
    pub const HASH: u16 = 11;
    /// Bucket (replies). `u16`.
    pub const BUCKET: u16 = 12;
    /// This host is the owner (replies). `flag`.
    pub const SELF: u16 = 13;
    /// Generation of the map that was looked up (replies). `u64`.
    pub const GENERATION: u16 = 14;
    /// Hosts that do not own the bucket but may hold sessions of it; bit n stands for host id n + 1 (replies). `u64`.
    pub const HOLDERS: u16 = 15;
    /// Hosts of which it is not known at the moment what they hold (replies). `u64`.
    pub const HOLDERS_UNKNOWN: u16 = 16;
    /// What this host's tables hold for the flow (replies). `u8`, [`super::Trace`].
    pub const TRACE: u16 = 17;
    /// What this host would count the first packet of the flow as (replies). `string`.
    pub const FIRST: u16 = 18;
    /// What this host would count a later packet of the flow as (replies). `string`.
    pub const LATER: u16 = 19;
    /// Highest number in use.
    pub const MAX: u16 = 19;
}

/// Attributes of a bucket map, and of the buckets in which a host may hold sessions though another owns them.
pub mod bucket {
    /// Index of the cluster interface. `u32`.
    pub const IFINDEX: u16 = 1;
    /// Slot of the map: the number of its rule; the one after the last is for what no rule covers. `u16`.
    pub const SLOT: u16 = 2;
    /// First bucket of this message; absent if it is about residue. `u16`.
    pub const FIRST: u16 = 3;
    /// A host id for each bucket, 0 for none. `binary`, 1 to buckets bytes.
    pub const OWNERS: u16 = 4;
    /// Generation of the map. `u64`.
    pub const GENERATION: u16 = 5;
    /// Id of a host that has residue in the map. `u8`.
    pub const HOLDER: u16 = 6;
    /// 64 words of 8 bytes; bit n of word w is bucket 64 w + n, which that host does not own but may hold sessions
    /// of. `binary`, 512 bytes.
    pub const RESIDUE: u16 = 7;
    /// Highest number in use.
    pub const MAX: u16 = 7;
}

/// Attributes of a counter.
pub mod counter {
    /// Index of the cluster interface. `u32`.
    pub const IFINDEX: u16 = 1;
    /// Name of the counter. `string`.
    pub const NAME: u16 = 2;
    /// Value, summed over all CPUs. `u64`.
    pub const VALUE: u16 = 3;
    /// Number of a rule whose packets are counted (requests and replies); absent: all packets are, and the counters
    /// that no rule has are there too. `u16`.
    pub const RULE: u16 = 4;
    /// Highest number in use.
    pub const MAX: u16 = 4;
}

/// Attributes of an entry in the history of convergence.
pub mod history {
    /// Index of the cluster interface. `u32`.
    pub const IFINDEX: u16 = 1;
    /// Generation. `u64`.
    pub const GENERATION: u16 = 2;
    /// The members. `u64`.
    pub const MEMBERS: u16 = 3;
    /// Why the cluster converged. `u8`, [`super::Cause`].
    pub const CAUSE: u16 = 4;
    /// Host id that the cause is about, 0 if none. `u8`.
    pub const HOST_ID: u16 = 5;
    /// Milliseconds since the generation was committed. `u64`.
    pub const AGE_MS: u16 = 6;
    /// Microseconds from the first proposal to the commit. `u32`.
    pub const TOOK_US: u16 = 7;
    /// Buckets that moved, over all maps. `u32`.
    pub const MOVED: u16 = 8;
    /// Highest number in use.
    pub const MAX: u16 = 8;
}

/// Attributes of a key.
pub mod key {
    /// Index of the cluster interface. `u32`.
    pub const IFINDEX: u16 = 1;
    /// Key id, 1–255. `u8`.
    pub const ID: u16 = 2;
    /// The key (requests; never in a reply). `binary`, key-len bytes.
    pub const KEY: u16 = 3;
    /// Frames are sent with this key. `flag`.
    pub const SEND: u16 = 4;
    /// Highest number in use.
    pub const MAX: u16 = 4;
}

/// Attributes of a heartbeat on the second path.
pub mod heartbeat {
    /// Index of the cluster interface. `u32`.
    pub const IFINDEX: u16 = 1;
    /// The frame, without Ethernet header. `binary`, 1 to frame-max bytes.
    pub const FRAME: u16 = 2;
    /// Highest number in use.
    pub const MAX: u16 = 2;
}

/// Attributes of a state change.
pub mod event {
    /// Index of the cluster interface. `u32`.
    pub const IFINDEX: u16 = 1;
    /// Name of the cluster interface. `string`.
    pub const IFNAME: u16 = 2;
    /// What happened. `u8`, [`super::EventKind`].
    pub const KIND: u16 = 3;
    /// Host id that the event is about. `u8`.
    pub const HOST_ID: u16 = 4;
    /// Host state of that host. `u8`, [`super::HostState`].
    pub const STATE: u16 = 5;
    /// Why that host is out, or owns nothing. `u8`, [`super::OutReason`].
    pub const OUT_REASON: u16 = 6;
    /// Generation. `u64`.
    pub const GENERATION: u16 = 7;
    /// The members. `u64`.
    pub const MEMBERS: u16 = 8;
    /// Why the cluster converged. `u8`, [`super::Cause`].
    pub const CAUSE: u16 = 9;
    /// Host id of the default host. `u8`.
    pub const DEFAULT_HOST: u16 = 10;
    /// The VIP that another station claims. `binary`, 4 or 16 bytes.
    pub const VIP: u16 = 11;
    /// The MAC that the station claims the VIP for, or its own. `binary`, 6 bytes.
    pub const MAC: u16 = 12;
    /// Sessions that were left. `u64`.
    pub const SESSIONS: u16 = 13;
    /// Place of the rule in the list; absent: what no rule covers. `u16`.
    pub const RULE: u16 = 14;
    /// Whether what this host accepts of it is answered. `u8`, [`super::Health`].
    pub const HEALTH: u16 = 15;
    /// Whether this host takes buckets of the rule. `u8`, [`super::Stance`].
    pub const STANCE: u16 = 16;
    /// Highest number in use.
    pub const MAX: u16 = 16;
}

named! {
    /// How a VIP resolves: the cluster mode.
    Mode {
        /// To 02-bf-…, a secondary unicast address of the interface.
        Unicast = 1 "unicast",
        /// To the multicast MAC 03-bf-….
        Multicast = 2 "multicast",
        /// To 01-00-5e-7f-…, which each host joins by IGMP.
        Igmp = 3 "igmp",
    }
}

named! {
    /// Which host answers echo requests to a VIP.
    Echo {
        /// The default host answers.
        DefaultHost = 0 "default-host",
        /// Every host answers (as Windows does).
        All = 1 "all",
        /// The host that the client's address hashes to.
        Hash = 2 "hash",
        /// No host answers.
        Drop = 3 "drop",
    }
}

named! {
    /// Which host answers ARP requests and neighbour solicitations for a VIP.
    Responder {
        /// The default host.
        DefaultHost = 0 "default-host",
        /// Every host: lost answers do not matter, but each request gets as many answers as there are hosts.
        All = 1 "all",
    }
}

named! {
    /// Which part of a client's address decides its host.
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
    /// Which transport protocols a port rule covers. UDP-Lite goes with UDP, SCTP with TCP. The numbers are sets: bit
    /// 0 for TCP, bit 1 for UDP.
    Protocols {
        /// TCP and SCTP.
        Tcp = 1 "tcp",
        /// UDP and UDP-Lite.
        Udp = 2 "udp",
        /// All of them.
        Both = 3 "both",
    }
}

named! {
    /// How a port rule handles traffic.
    FilteringMode {
        /// Spread over the hosts by affinity and load weight.
        Multiple = 1 "multiple",
        /// All traffic goes to the host with the best handling priority.
        Single = 2 "single",
        /// Dropped on every host.
        Disabled = 3 "disabled",
    }
}

named! {
    /// What a host does for a port rule. It may differ between hosts.
    RuleState {
        /// Serves its share.
        Enabled = 1 "enabled",
        /// Serves nothing of the rule, old connections included.
        Disabled = 2 "disabled",
        /// Takes no new connections.
        Draining = 3 "draining",
    }
}

named! {
    /// Whether UDP sessions of a port rule are tracked, so that they survive a change of the map.
    Track {
        /// Those to port 443, which are QUIC.
        Quic = 0 "quic",
        /// None.
        Off = 1 "off",
        /// All.
        On = 2 "on",
    }
}

named! {
    /// What a host's tables hold for a flow.
    Trace {
        /// Nothing.
        None = 0 "none",
        /// A TCP socket: opened from here, established or closing.
        Socket = 1 "socket",
        /// A half-open TCP connection: only the acknowledgement that it waits for is served.
        HalfOpen = 2 "half-open",
        /// A TCP socket in TIME_WAIT.
        TimeWait = 3 "time-wait",
        /// A session that has no socket.
        Session = 4 "session",
        /// A connection that this host translates for a machine behind it.
        Conntrack = 5 "conntrack",
    }
}

named! {
    /// What cluster-set can ask of a host.
    Control {
        /// Take part.
        Start = 1 "start",
        /// Leave at once.
        Stop = 2 "stop",
        /// Take no new connections.
        Drain = 3 "drain",
        /// Drain, and stop when the last session has ended.
        Drainstop = 4 "drainstop",
        /// Stop, and refuse every command but resume.
        Suspend = 5 "suspend",
        /// End the suspension; the host stays stopped.
        Resume = 6 "resume",
        /// Announce the MAC of the VIPs to the segment.
        Announce = 7 "announce",
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
        /// A new host was heard.
        HostSeen = 6 "host-seen",
        /// The default host changed.
        DefaultHost = 7 "default-host",
        /// Another station claims a VIP. Sent at most once a minute for the same claim.
        Conflict = 8 "conflict",
        /// No frame to a VIP reaches this host, though heartbeats do: the switch withholds them.
        Starved = 9 "starved",
        /// Frames to all VIPs reach this host again.
        Delivered = 10 "delivered",
        /// A drainstop has ended: no session is left, or its time is up.
        Drained = 11 "drained",
        /// The session table is full: new sessions are served, but not remembered. Sent at most once a minute.
        SessionsFull = 12 "sessions-full",
        /// This host's ARP or ND questions for a VIP get no answer, though another member should give one.
        Unanswered = 13 "unanswered",
        /// Its questions for all VIPs are answered again.
        Answered = 14 "answered",
        /// What this host serves of a rule, or of what no rule covers, is answered no more, or again.
        RuleHealth = 15 "rule-health",
        /// A station asks for a VIP again and again, though it is answered. Sent at most once in ten minutes for
        /// each.
        Asking = 16 "asking",
        /// This host was set back to an earlier state, as a virtual machine is to a snapshot. It begins anew.
        SetBack = 17 "set-back",
    }
}

named! {
    /// Whether what this host accepts is answered, as far as its hooks see it.
    Health {
        /// Nothing was accepted lately, or no answer can be told from its absence.
        Unknown = 0 "unknown",
        /// What is accepted is answered.
        Answers = 1 "answers",
        /// SYNs or datagrams are accepted and not answered: a firewall, a filter of the return path, a service that
        /// hangs.
        Silent = 2 "silent",
        /// SYNs are answered with resets alone: no service listens.
        Refuses = 3 "refuses",
        /// SYN-ACKs leave for SYNs that the cluster did not accept: a program takes packets before the cluster sees
        /// them, and every host answers.
        Unasked = 4 "unasked",
    }
}

named! {
    /// What a host does about a rule of which it answers nothing.
    HealthAction {
        /// It says so, and serves on.
        Report = 0 "report",
        /// It also gives the rule's buckets up while another host takes them, and tries a few again from time to
        /// time.
        Passive = 1 "passive",
    }
}

named! {
    /// Whether a host takes buckets of a rule whose health action is passive.
    Stance {
        /// Its share.
        Takes = 0 "takes",
        /// None, unless no other host takes any: what it served was not answered.
        GaveUp = 1 "gave-up",
        /// A few, to see whether they are answered again; all of a rule in mode single.
        Tries = 2 "tries",
    }
}

named! {
    /// What a host is doing, as it says of itself.
    HostState {
        /// Takes no part: sends nothing, serves nothing.
        Stopped = 0 "stopped",
        /// Sends heartbeats and waits to be admitted.
        Joining = 1 "joining",
        /// A member that serves its share.
        Converged = 2 "converged",
        /// A member that takes no new connections and serves the old ones.
        Draining = 3 "draining",
        /// Stopped, and refuses every command but resume.
        Suspended = 4 "suspended",
    }
}

named! {
    /// Why a host is not a member, or owns nothing although it is one.
    OutReason {
        /// It is a member and may own buckets.
        None = 0 "none",
        /// No heartbeat has come from it for tolerance × period.
        Dead = 1 "dead",
        /// It announced that it leaves.
        Left = 2 "left",
        /// Another live host has the same host id.
        DuplicateId = 3 "duplicate-id",
        /// Its port rules differ from the cluster's.
        RulesDiffer = 4 "rules-differ",
        /// Its cluster settings (mode, VIPs, hash seed, timing) differ from the cluster's.
        SettingsDiffer = 5 "settings-differ",
        /// It speaks a protocol version that is not understood here.
        Version = 6 "version",
        /// Its frames are signed with a key that is not known here, or wrongly.
        Key = 7 "key",
        /// It has not yet shown that its frames are fresh (echoed a nonce).
        NotFresh = 8 "not-fresh",
        /// It came and went too often and has to wait.
        Flapping = 9 "flapping",
        /// It and the leader do not hear each other both ways.
        NoLink = 10 "no-link",
        /// Its cluster interface is cut: no carrier, or nothing of the segment reaches it.
        InterfaceCut = 11 "interface-cut",
        /// A VIP is missing from its interface.
        VipMissing = 12 "vip-missing",
        /// It listens before it joins.
        Listening = 13 "listening",
        /// It refused a map that the leader had proposed, and is not asked again for a while.
        MapRefused = 14 "map-refused",
        /// Frames to a virtual MAC do not reach it, though heartbeats do. It owns nothing as long as others get them.
        Starved = 15 "starved",
        /// It hears no heartbeat of any other host, and another station answers for the VIPs with the virtual MAC: a
        /// host whose heartbeats are withheld. It does not serve beside that one.
        ServedElsewhere = 16 "served-elsewhere",
    }
}

named! {
    /// Why the cluster converged.
    Cause {
        /// The first convergence of a cluster.
        ColdStart = 0 "cold-start",
        /// A host joined.
        Joined = 1 "joined",
        /// A host died.
        Died = 2 "died",
        /// A host announced that it leaves.
        Left = 3 "left",
        /// A host drains.
        Draining = 4 "draining",
        /// A load weight or handling priority changed.
        Weight = 5 "weight",
        /// The port rules changed.
        Rules = 6 "rules",
        /// Two parts of a partition met.
        Merged = 7 "merged",
        /// A member's interface was cut or came back.
        Interface = 8 "interface",
        /// A member restarted under its old id.
        Restarted = 9 "restarted",
        /// A member had let go of buckets under a change that was abandoned, or after a pause.
        Recovered = 10 "recovered",
        /// A member gave a rule up because its clients got no answer, tries it again, or took it again.
        Health = 11 "health",
        /// The settings changed (VIPs, timing, echo, responder).
        Settings = 12 "settings",
    }
}
