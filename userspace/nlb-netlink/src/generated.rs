// SPDX-License-Identifier: GPL-2.0-only
// Generated from module/specs/nlb.yaml by scripts/generate.py; do not edit.

//! The tables of the family: which attribute has which type, which command has which attributes, what replies have.

use std::net::IpAddr;

use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, ErrorContext, Nla, NlaBuffer, NlasIterator, Parseable,
};
use nlb_core::{
    genl::{
        self, Affinity, Cause, Command, Control, Echo, EventKind, FilteringMode, Health,
        HealthAction, HostState, Mode, OutReason, Protocols, Responder, RuleState, Stance, Trace,
        Track,
    },
    limits::{KEY_LEN, SEED_LEN},
};

use crate::{
    attribute::{AttributeSet, attributes},
    code::{Code, Named, named},
    message::message,
    reply::{Field, reply},
    value::{Nest, Value},
};

named! {
    Command,
    Affinity,
    Cause,
    Control,
    Echo,
    EventKind,
    FilteringMode,
    Health,
    HealthAction,
    HostState,
    Mode,
    OutReason,
    Protocols,
    Responder,
    RuleState,
    Stance,
    Trace,
    Track,
}

attributes! {
    /// Attributes of a cluster.
    ClusterAttribute = cluster {
        /// Index of the cluster interface.
        Ifindex(u32) = IFINDEX "ifindex",
        /// Name of the cluster interface (replies).
        Ifname(String) = IFNAME "ifname",
        /// Name of the cluster, 1–32 bytes.
        Name(String) = NAME "name",
        /// This host's id, 1–64.
        HostId(u8) = HOST_ID "host-id",
        /// Cluster mode.
        Mode(Code<Mode>) = MODE "mode",
        /// A VIP; the first is the primary.
        Vip(IpAddr) = VIP "vip",
        /// The dedicated IP of this host on the cluster interface.
        DedicatedIp(IpAddr) = DEDICATED_IP "dedicated-ip",
        /// Affinity of the default rule.
        Affinity(Code<Affinity>) = AFFINITY "affinity",
        /// Milliseconds between two heartbeats.
        PeriodMs(u32) = PERIOD_MS "period-ms",
        /// Heartbeats that may be missed.
        Tolerance(u32) = TOLERANCE "tolerance",
        /// The virtual MAC.
        VirtualMac([u8; 6]) = VIRTUAL_MAC "virtual-mac",
        /// Host state of this host (replies).
        State(Code<HostState>) = STATE "state",
        /// Out reason of this host (replies).
        OutReason(Code<OutReason>) = OUT_REASON "out-reason",
        /// Number of the agreed generation; 0 before the first (replies).
        Generation(u64) = GENERATION "generation",
        /// Host id of the default host, 0 if there is none (replies).
        DefaultHost(u8) = DEFAULT_HOST "default-host",
        /// The members; bit n stands for host id n + 1 (replies).
        Members(u64) = MEMBERS "members",
        /// The cluster key (requests; never in a reply).
        Key([u8; KEY_LEN]) = KEY "key",
        /// Id of the key, 1–255 (requests); id of the key used for sending (replies).
        KeyId(u8) = KEY_ID "key-id",
        /// The hash seed (requests; never in a reply).
        HashSeed([u8; SEED_LEN]) = HASH_SEED "hash-seed",
        /// The cluster is meant to have no key (requests); has none (replies).
        NoKey(()) = NO_KEY "no-key",
        /// What this host is to do (requests).
        Control(Code<Control>) = CONTROL "control",
        /// Load weight of this host for the default rule, 0–100.
        Weight(u8) = WEIGHT "weight",
        /// Buckets of the default rule that this host owns (replies).
        BucketsOwned(u32) = BUCKETS_OWNED "buckets-owned",
        /// Cause of the last convergence (replies).
        Cause(Code<Cause>) = CAUSE "cause",
        /// Take part at once (requests to make a cluster); without it the cluster starts stopped.
        Start(()) = START "start",
        /// Digest of rules and settings that wait for the other hosts, 0 if none (replies).
        Pending(u64) = PENDING "pending",
        /// A port rule (requests to make a cluster); the default rule if there is neither one nor `no-rules`.
        Rule(Nest<RuleAttribute>) = RULE "rule",
        /// Number of port rules in force (replies).
        Rules(u16) = RULES "rules",
        /// The virtual MAC of IPv6 VIPs, where it is another than that of the IPv4 ones (replies).
        VirtualMacV6([u8; 6]) = VIRTUAL_MAC_V6 "virtual-mac-v6",
        /// A VIP that another station claims (replies).
        ConflictVip(IpAddr) = CONFLICT_VIP "conflict-vip",
        /// The MAC that the station claims the VIP for, or its own (replies).
        ConflictMac([u8; 6]) = CONFLICT_MAC "conflict-mac",
        /// Milliseconds since the last claim (replies).
        ConflictAgeMs(u64) = CONFLICT_AGE_MS "conflict-age-ms",
        /// Packets for a VIP are served whichever interface they arrive on.
        AllowOtherInterfaces(()) = ALLOW_OTHER_INTERFACES "allow-other-interfaces",
        /// Address families whose VIPs get no frames on this host, 1 for IPv4, 2 for IPv6; absent if there is none
        /// (replies).
        Starved(u8) = STARVED "starved",
        /// Which host answers echo requests.
        Echo(Code<Echo>) = ECHO "echo",
        /// Seconds after which a drainstop ends though sessions are left (requests with the control drainstop);
        /// without it, the drainstop waits for the last session.
        DrainTimeoutS(u32) = DRAIN_TIMEOUT_S "drain-timeout-s",
        /// Sessions of the cluster that the last walk over the tables found here; absent before the first (replies).
        WalkFound(u64) = WALK_FOUND "walk-found",
        /// Buckets, over all maps, that this host does not own but may hold sessions of (replies).
        Residue(u32) = RESIDUE "residue",
        /// Microseconds that the last walk took (replies).
        WalkUs(u32) = WALK_US "walk-us",
        /// Connections that the last walk looked at, whether of the cluster or not (replies).
        WalkSeen(u32) = WALK_SEEN "walk-seen",
        /// Most sessions without a socket that are remembered; 0: none.
        SessionsMax(u32) = SESSIONS_MAX "sessions-max",
        /// Sessions without a socket that are remembered now (replies to callers with CAP_NET_ADMIN: counting takes
        /// long).
        Sessions(u32) = SESSIONS "sessions",
        /// Which host answers ARP requests and neighbour solicitations.
        Responder(Code<Responder>) = RESPONDER "responder",
        /// The cluster is meant to have no port rules, not even the default rule (requests to make a cluster).
        NoRules(()) = NO_RULES "no-rules",
        /// Index of the device that is made for the VIPs and goes with the cluster; absent if the namespace ends
        /// (replies).
        VipIfindex(u32) = VIP_IFINDEX "vip-ifindex",
        /// A VIP for which this host's ARP or ND questions get no answer, though another member should give one
        /// (replies).
        UnansweredVip(IpAddr) = UNANSWERED_VIP "unanswered-vip",
        /// The dedicated IP is the first global IPv4 address of the interface that is no VIP, and changes with it.
        DedicatedFollows(()) = DEDICATED_FOLLOWS "dedicated-follows",
        /// Whether what this host serves as the default host, which no rule covers, is answered (replies).
        Health(Code<Health>) = HEALTH "health",
        /// The MAC of a station that asked for a VIP again and again within the last ten minutes (replies).
        AskingMac([u8; 6]) = ASKING_MAC "asking-mac",
        /// A VIP of the settings that wait for the other hosts, where these have other VIPs; the first is the primary
        /// (replies).
        StagedVip(IpAddr) = STAGED_VIP "staged-vip",
        /// The period of settings that wait for the other hosts, where it is another (replies).
        StagedPeriodMs(u32) = STAGED_PERIOD_MS "staged-period-ms",
        /// The tolerance of settings that wait for the other hosts, where it is another (replies).
        StagedTolerance(u32) = STAGED_TOLERANCE "staged-tolerance",
        /// Which host answers echo requests by the settings that wait for the other hosts, where it is another
        /// (replies).
        StagedEcho(Code<Echo>) = STAGED_ECHO "staged-echo",
        /// Which host answers ARP requests and neighbour solicitations by the settings that wait for the other hosts,
        /// where it is another (replies).
        StagedResponder(Code<Responder>) = STAGED_RESPONDER "staged-responder",
        /// This host lacks the address of a VIP of the settings that wait, and the other hosts wait for it (replies).
        Held(()) = HELD "held",
        /// An address that was a VIP, and that this host has still: it is kept from answering for it (replies).
        FormerVip(IpAddr) = FORMER_VIP "former-vip",
    }
}

attributes! {
    /// Attributes of a port rule. Without other attributes, a rule is the default rule: all VIPs, both protocols, all
    /// ports, mode multiple, affinity single.
    RuleAttribute = rule {
        /// Index of the cluster interface.
        Ifindex(u32) = IFINDEX "ifindex",
        /// Place in the list, from 0 (replies, and requests to control a rule); the slot of its bucket map.
        Number(u16) = NUMBER "number",
        /// The VIP that it is for; absent: all.
        Vip(IpAddr) = VIP "vip",
        /// The protocols that it covers.
        Protocols(Code<Protocols>) = PROTOCOLS "protocols",
        /// First port of the range.
        FirstPort(u16) = FIRST_PORT "first-port",
        /// Last port of the range, inclusive.
        LastPort(u16) = LAST_PORT "last-port",
        /// How the rule handles traffic.
        Mode(Code<FilteringMode>) = MODE "mode",
        /// Which part of a client's address decides its host.
        Affinity(Code<Affinity>) = AFFINITY "affinity",
        /// Bits of an IPv4 address that affinity network looks at, 1–32.
        PrefixV4(u8) = PREFIX_V4 "prefix-v4",
        /// Bits of an IPv6 address that affinity network looks at, 1–128.
        PrefixV6(u8) = PREFIX_V6 "prefix-v6",
        /// Which UDP sessions are tracked.
        Track(Code<Track>) = TRACK "track",
        /// This host's load weight for the rule, 0–100; absent: that of the cluster.
        Weight(u8) = WEIGHT "weight",
        /// This host's handling priority for the rule, 1–64, the lowest first; absent: its host id.
        Priority(u8) = PRIORITY "priority",
        /// What this host does for the rule.
        State(Code<RuleState>) = STATE "state",
        /// A rule of the new list, in order (requests to replace it).
        Rule(Nest<RuleAttribute>) = RULE "rule",
        /// Of the list that waits for the other hosts (replies).
        Pending(()) = PENDING "pending",
        /// Buckets of the rule that this host owns (replies).
        BucketsOwned(u32) = BUCKETS_OWNED "buckets-owned",
        /// Packets that this host served under this number since the cluster was made (replies).
        Accepted(u64) = ACCEPTED "accepted",
        /// Packets that this host did not serve under this number since the cluster was made (replies).
        Dropped(u64) = DROPPED "dropped",
        /// Whether what this host serves of the rule is answered (replies).
        Health(Code<Health>) = HEALTH "health",
        /// What a host does about a rule of which it answers nothing.
        HealthAction(Code<HealthAction>) = HEALTH_ACTION "health-action",
        /// Whether this host takes buckets of the rule (replies).
        Stance(Code<Stance>) = STANCE "stance",
    }
}

attributes! {
    /// Attributes of a host of a cluster.
    MemberAttribute = member {
        /// Index of the cluster interface.
        Ifindex(u32) = IFINDEX "ifindex",
        /// Host id.
        HostId(u8) = HOST_ID "host-id",
        /// State of the host, as it last reported.
        State(Code<HostState>) = STATE "state",
        /// Why that host is out, or owns nothing.
        OutReason(Code<OutReason>) = OUT_REASON "out-reason",
        /// Milliseconds since it was last heard; absent for this host itself.
        LastHeardMs(u32) = LAST_HEARD_MS "last-heard-ms",
        /// Incarnation.
        Incarnation(u64) = INCARNATION "incarnation",
        /// Buckets of the default rule that it owns.
        BucketsOwned(u32) = BUCKETS_OWNED "buckets-owned",
        /// This host itself.
        This(()) = SELF "self",
        /// The default host.
        Default(()) = DEFAULT "default",
        /// Bit 0: heard on the segment, bit 1: heard on the second path, both within the tolerance; bit 2: heard on
        /// the segment only inside IP packets, for the EtherType does not pass.
        Paths(u8) = PATHS "paths",
        /// Heartbeats lost of the last 1000 expected.
        LossPermille(u32) = LOSS_PERMILLE "loss-permille",
        /// Dedicated IP.
        DedicatedIp(IpAddr) = DEDICATED_IP "dedicated-ip",
        /// Load weight for the default rule.
        Weight(u8) = WEIGHT "weight",
        /// A member of the agreed generation.
        Member(()) = MEMBER "member",
        /// Digest of the rules that it has staged, 0 if none.
        Pending(u64) = PENDING "pending",
        /// Buckets, over all maps, that it does not own but may hold sessions of; absent while that is not known
        /// here.
        Residue(u32) = RESIDUE "residue",
        /// Milliseconds for which it has held such buckets without a break; absent if it holds none.
        ResidueMs(u64) = RESIDUE_MS "residue-ms",
        /// Rules that it gave up because its clients got no answer; absent if there are none.
        RulesGivenUp(u16) = RULES_GIVEN_UP "rules-given-up",
    }
}

attributes! {
    /// Attributes of a query for the owner of a flow, and of the answer.
    OwnerAttribute = owner {
        /// Index of the cluster interface.
        Ifindex(u32) = IFINDEX "ifindex",
        /// Address of the client.
        Client(IpAddr) = CLIENT "client",
        /// Port of the client, host byte order; 0 if not given.
        ClientPort(u16) = CLIENT_PORT "client-port",
        /// The VIP.
        Vip(IpAddr) = VIP "vip",
        /// Port at the VIP, host byte order.
        VipPort(u16) = VIP_PORT "vip-port",
        /// IP protocol number; 6 (TCP) if absent.
        Protocol(u8) = PROTOCOL "protocol",
        /// Host id of the owner, 0 if there is none (replies).
        Owner(u8) = OWNER "owner",
        /// Name of the reason of the decision (replies).
        Reason(String) = REASON "reason",
        /// Number of the rule, 0 for the default rule; absent if none covers the flow (replies).
        Rule(u16) = RULE "rule",
        /// Affinity of the rule (replies).
        Affinity(Code<Affinity>) = AFFINITY "affinity",
        /// The keyed hash (replies).
        Hash(u64) = HASH "hash",
        /// Bucket (replies).
        Bucket(u16) = BUCKET "bucket",
        /// This host is the owner (replies).
        This(()) = SELF "self",
        /// Generation of the map that was looked up (replies).
        Generation(u64) = GENERATION "generation",
        /// Hosts that do not own the bucket but may hold sessions of it; bit n stands for host id n + 1 (replies).
        Holders(u64) = HOLDERS "holders",
        /// Hosts of which it is not known at the moment what they hold (replies).
        HoldersUnknown(u64) = HOLDERS_UNKNOWN "holders-unknown",
        /// What this host's tables hold for the flow (replies).
        Trace(Code<Trace>) = TRACE "trace",
        /// What this host would count the first packet of the flow as (replies).
        First(String) = FIRST "first",
        /// What this host would count a later packet of the flow as (replies).
        Later(String) = LATER "later",
    }
}

attributes! {
    /// Attributes of a bucket map, and of the buckets in which a host may hold sessions though another owns them.
    BucketAttribute = bucket {
        /// Index of the cluster interface.
        Ifindex(u32) = IFINDEX "ifindex",
        /// Slot of the map: the number of its rule; the one after the last is for what no rule covers.
        Slot(u16) = SLOT "slot",
        /// First bucket of this message; absent if it is about residue.
        First(u16) = FIRST "first",
        /// A host id for each bucket, 0 for none.
        Owners(Vec<u8>) = OWNERS "owners",
        /// Generation of the map.
        Generation(u64) = GENERATION "generation",
        /// Id of a host that has residue in the map.
        Holder(u8) = HOLDER "holder",
        /// 64 words of 8 bytes; bit n of word w is bucket 64 w + n, which that host does not own but may hold
        /// sessions of.
        Residue(Vec<u8>) = RESIDUE "residue",
    }
}

attributes! {
    /// Attributes of a counter.
    CounterAttribute = counter {
        /// Index of the cluster interface.
        Ifindex(u32) = IFINDEX "ifindex",
        /// Name of the counter.
        Name(String) = NAME "name",
        /// Value, summed over all CPUs.
        Value(u64) = VALUE "value",
        /// Number of a rule whose packets are counted (requests and replies); absent: all packets are, and the
        /// counters that no rule has are there too.
        Rule(u16) = RULE "rule",
    }
}

attributes! {
    /// Attributes of an entry in the history of convergence.
    HistoryAttribute = history {
        /// Index of the cluster interface.
        Ifindex(u32) = IFINDEX "ifindex",
        /// Generation.
        Generation(u64) = GENERATION "generation",
        /// The members.
        Members(u64) = MEMBERS "members",
        /// Why the cluster converged.
        Cause(Code<Cause>) = CAUSE "cause",
        /// Host id that the cause is about, 0 if none.
        HostId(u8) = HOST_ID "host-id",
        /// Milliseconds since the generation was committed.
        AgeMs(u64) = AGE_MS "age-ms",
        /// Microseconds from the first proposal to the commit.
        TookUs(u32) = TOOK_US "took-us",
        /// Buckets that moved, over all maps.
        Moved(u32) = MOVED "moved",
    }
}

attributes! {
    /// Attributes of a key.
    KeyAttribute = key {
        /// Index of the cluster interface.
        Ifindex(u32) = IFINDEX "ifindex",
        /// Key id, 1–255.
        Id(u8) = ID "id",
        /// The key (requests; never in a reply).
        Key([u8; KEY_LEN]) = KEY "key",
        /// Frames are sent with this key.
        Send(()) = SEND "send",
    }
}

attributes! {
    /// Attributes of a heartbeat on the second path.
    HeartbeatAttribute = heartbeat {
        /// Index of the cluster interface.
        Ifindex(u32) = IFINDEX "ifindex",
        /// The frame, without Ethernet header.
        Frame(Vec<u8>) = FRAME "frame",
    }
}

attributes! {
    /// Attributes of a state change.
    EventAttribute = event {
        /// Index of the cluster interface.
        Ifindex(u32) = IFINDEX "ifindex",
        /// Name of the cluster interface.
        Ifname(String) = IFNAME "ifname",
        /// What happened.
        Kind(Code<EventKind>) = KIND "kind",
        /// Host id that the event is about.
        HostId(u8) = HOST_ID "host-id",
        /// Host state of that host.
        State(Code<HostState>) = STATE "state",
        /// Why that host is out, or owns nothing.
        OutReason(Code<OutReason>) = OUT_REASON "out-reason",
        /// Generation.
        Generation(u64) = GENERATION "generation",
        /// The members.
        Members(u64) = MEMBERS "members",
        /// Why the cluster converged.
        Cause(Code<Cause>) = CAUSE "cause",
        /// Host id of the default host.
        DefaultHost(u8) = DEFAULT_HOST "default-host",
        /// The VIP that another station claims.
        Vip(IpAddr) = VIP "vip",
        /// The MAC that the station claims the VIP for, or its own.
        Mac([u8; 6]) = MAC "mac",
        /// Sessions that were left.
        Sessions(u64) = SESSIONS "sessions",
        /// Place of the rule in the list; absent: what no rule covers.
        Rule(u16) = RULE "rule",
        /// Whether what this host accepts of it is answered.
        Health(Code<Health>) = HEALTH "health",
        /// Whether this host takes buckets of the rule.
        Stance(Code<Stance>) = STANCE "stance",
    }
}

message! {
    Cluster(ClusterAttribute): ClusterGet | ClusterNew | ClusterDel | ClusterSet | SettingsSet,
    Rule(RuleAttribute): RuleGet | RuleSet | RuleControl,
    Member(MemberAttribute): MemberGet,
    Owner(OwnerAttribute): OwnerGet,
    Bucket(BucketAttribute): BucketGet,
    Counter(CounterAttribute): CounterGet,
    History(HistoryAttribute): HistoryGet,
    Key(KeyAttribute): KeySet | KeyDel | KeyGet,
    Heartbeat(HeartbeatAttribute): HeartbeatIn | HeartbeatNtf,
    Event(EventAttribute): EventNtf,
}

reply! {
    /// A reply to `cluster-get`.
    ClusterGet from ClusterAttribute {
        /// Index of the cluster interface.
        ifindex: Option<u32> = Ifindex,
        /// Name of the cluster interface (replies).
        ifname: Option<String> = Ifname,
        /// Name of the cluster, 1–32 bytes.
        name: Option<String> = Name,
        /// This host's id, 1–64.
        host_id: Option<u8> = HostId,
        /// Cluster mode.
        mode: Option<Code<Mode>> = Mode,
        /// A VIP; the first is the primary.
        vip: Vec<IpAddr> = Vip,
        /// Index of the device that is made for the VIPs and goes with the cluster; absent if the namespace ends
        /// (replies).
        vip_ifindex: Option<u32> = VipIfindex,
        /// The dedicated IP of this host on the cluster interface.
        dedicated_ip: Option<IpAddr> = DedicatedIp,
        /// The dedicated IP is the first global IPv4 address of the interface that is no VIP, and changes with it.
        dedicated_follows: bool = DedicatedFollows,
        /// Affinity of the default rule.
        affinity: Option<Code<Affinity>> = Affinity,
        /// Milliseconds between two heartbeats.
        period_ms: Option<u32> = PeriodMs,
        /// Heartbeats that may be missed.
        tolerance: Option<u32> = Tolerance,
        /// The virtual MAC.
        virtual_mac: Option<[u8; 6]> = VirtualMac,
        /// The virtual MAC of IPv6 VIPs, where it is another than that of the IPv4 ones (replies).
        virtual_mac_v6: Option<[u8; 6]> = VirtualMacV6,
        /// A VIP that another station claims (replies).
        conflict_vip: Option<IpAddr> = ConflictVip,
        /// The MAC that the station claims the VIP for, or its own (replies).
        conflict_mac: Option<[u8; 6]> = ConflictMac,
        /// Milliseconds since the last claim (replies).
        conflict_age_ms: Option<u64> = ConflictAgeMs,
        /// A VIP for which this host's ARP or ND questions get no answer, though another member should give one
        /// (replies).
        unanswered_vip: Vec<IpAddr> = UnansweredVip,
        /// The MAC of a station that asked for a VIP again and again within the last ten minutes (replies).
        asking_mac: Option<[u8; 6]> = AskingMac,
        /// Address families whose VIPs get no frames on this host, 1 for IPv4, 2 for IPv6; absent if there is none
        /// (replies).
        starved: Option<u8> = Starved,
        /// Packets for a VIP are served whichever interface they arrive on.
        allow_other_interfaces: bool = AllowOtherInterfaces,
        /// Which host answers echo requests.
        echo: Option<Code<Echo>> = Echo,
        /// Which host answers ARP requests and neighbour solicitations.
        responder: Option<Code<Responder>> = Responder,
        /// Most sessions without a socket that are remembered; 0: none.
        sessions_max: Option<u32> = SessionsMax,
        /// Sessions without a socket that are remembered now (replies to callers with CAP_NET_ADMIN: counting takes
        /// long).
        sessions: Option<u32> = Sessions,
        /// Host state of this host (replies).
        state: Option<Code<HostState>> = State,
        /// Out reason of this host (replies).
        out_reason: Option<Code<OutReason>> = OutReason,
        /// Number of the agreed generation; 0 before the first (replies).
        generation: Option<u64> = Generation,
        /// Host id of the default host, 0 if there is none (replies).
        default_host: Option<u8> = DefaultHost,
        /// The members; bit n stands for host id n + 1 (replies).
        members: Option<u64> = Members,
        /// Id of the key, 1–255 (requests); id of the key used for sending (replies).
        key_id: Option<u8> = KeyId,
        /// The cluster is meant to have no key (requests); has none (replies).
        no_key: bool = NoKey,
        /// Load weight of this host for the default rule, 0–100.
        weight: Option<u8> = Weight,
        /// Buckets of the default rule that this host owns (replies).
        buckets_owned: Option<u32> = BucketsOwned,
        /// Cause of the last convergence (replies).
        cause: Option<Code<Cause>> = Cause,
        /// Digest of rules and settings that wait for the other hosts, 0 if none (replies).
        pending: Option<u64> = Pending,
        /// Sessions of the cluster that the last walk over the tables found here; absent before the first (replies).
        walk_found: Option<u64> = WalkFound,
        /// Buckets, over all maps, that this host does not own but may hold sessions of (replies).
        residue: Option<u32> = Residue,
        /// Microseconds that the last walk took (replies).
        walk_us: Option<u32> = WalkUs,
        /// Connections that the last walk looked at, whether of the cluster or not (replies).
        walk_seen: Option<u32> = WalkSeen,
        /// Number of port rules in force (replies).
        rules: Option<u16> = Rules,
        /// Whether what this host serves as the default host, which no rule covers, is answered (replies).
        health: Option<Code<Health>> = Health,
        /// A VIP of the settings that wait for the other hosts, where these have other VIPs; the first is the primary
        /// (replies).
        staged_vip: Vec<IpAddr> = StagedVip,
        /// The period of settings that wait for the other hosts, where it is another (replies).
        staged_period_ms: Option<u32> = StagedPeriodMs,
        /// The tolerance of settings that wait for the other hosts, where it is another (replies).
        staged_tolerance: Option<u32> = StagedTolerance,
        /// Which host answers echo requests by the settings that wait for the other hosts, where it is another
        /// (replies).
        staged_echo: Option<Code<Echo>> = StagedEcho,
        /// Which host answers ARP requests and neighbour solicitations by the settings that wait for the other hosts,
        /// where it is another (replies).
        staged_responder: Option<Code<Responder>> = StagedResponder,
        /// This host lacks the address of a VIP of the settings that wait, and the other hosts wait for it (replies).
        held: bool = Held,
        /// An address that was a VIP, and that this host has still: it is kept from answering for it (replies).
        former_vip: Vec<IpAddr> = FormerVip,
    }
}

reply! {
    /// A notification `event-ntf`.
    EventNtf from EventAttribute {
        /// Index of the cluster interface.
        ifindex: Option<u32> = Ifindex,
        /// Name of the cluster interface.
        ifname: Option<String> = Ifname,
        /// What happened.
        kind: Option<Code<EventKind>> = Kind,
        /// Host id that the event is about.
        host_id: Option<u8> = HostId,
        /// Host state of that host.
        state: Option<Code<HostState>> = State,
        /// Why that host is out, or owns nothing.
        out_reason: Option<Code<OutReason>> = OutReason,
        /// Generation.
        generation: Option<u64> = Generation,
        /// The members.
        members: Option<u64> = Members,
        /// Why the cluster converged.
        cause: Option<Code<Cause>> = Cause,
        /// Host id of the default host.
        default_host: Option<u8> = DefaultHost,
        /// The VIP that another station claims.
        vip: Option<IpAddr> = Vip,
        /// The MAC that the station claims the VIP for, or its own.
        mac: Option<[u8; 6]> = Mac,
        /// Sessions that were left.
        sessions: Option<u64> = Sessions,
        /// Place of the rule in the list; absent: what no rule covers.
        rule: Option<u16> = Rule,
        /// Whether what this host accepts of it is answered.
        health: Option<Code<Health>> = Health,
        /// Whether this host takes buckets of the rule.
        stance: Option<Code<Stance>> = Stance,
    }
}

reply! {
    /// A reply to `member-get`.
    MemberGet from MemberAttribute {
        /// Index of the cluster interface.
        ifindex: Option<u32> = Ifindex,
        /// Host id.
        host_id: Option<u8> = HostId,
        /// State of the host, as it last reported.
        state: Option<Code<HostState>> = State,
        /// Why that host is out, or owns nothing.
        out_reason: Option<Code<OutReason>> = OutReason,
        /// Milliseconds since it was last heard; absent for this host itself.
        last_heard_ms: Option<u32> = LastHeardMs,
        /// Incarnation.
        incarnation: Option<u64> = Incarnation,
        /// Buckets of the default rule that it owns.
        buckets_owned: Option<u32> = BucketsOwned,
        /// This host itself.
        this: bool = This,
        /// The default host.
        default: bool = Default,
        /// Bit 0: heard on the segment, bit 1: heard on the second path, both within the tolerance; bit 2: heard on
        /// the segment only inside IP packets, for the EtherType does not pass.
        paths: Option<u8> = Paths,
        /// Heartbeats lost of the last 1000 expected.
        loss_permille: Option<u32> = LossPermille,
        /// Dedicated IP.
        dedicated_ip: Option<IpAddr> = DedicatedIp,
        /// Load weight for the default rule.
        weight: Option<u8> = Weight,
        /// A member of the agreed generation.
        member: bool = Member,
        /// Digest of the rules that it has staged, 0 if none.
        pending: Option<u64> = Pending,
        /// Buckets, over all maps, that it does not own but may hold sessions of; absent while that is not known
        /// here.
        residue: Option<u32> = Residue,
        /// Milliseconds for which it has held such buckets without a break; absent if it holds none.
        residue_ms: Option<u64> = ResidueMs,
        /// Rules that it gave up because its clients got no answer; absent if there are none.
        rules_given_up: Option<u16> = RulesGivenUp,
    }
}

reply! {
    /// A reply to `owner-get`.
    OwnerGet from OwnerAttribute {
        /// Index of the cluster interface.
        ifindex: Option<u32> = Ifindex,
        /// Address of the client.
        client: Option<IpAddr> = Client,
        /// Port of the client, host byte order; 0 if not given.
        client_port: Option<u16> = ClientPort,
        /// The VIP.
        vip: Option<IpAddr> = Vip,
        /// Port at the VIP, host byte order.
        vip_port: Option<u16> = VipPort,
        /// IP protocol number; 6 (TCP) if absent.
        protocol: Option<u8> = Protocol,
        /// Host id of the owner, 0 if there is none (replies).
        owner: Option<u8> = Owner,
        /// Name of the reason of the decision (replies).
        reason: Option<String> = Reason,
        /// Number of the rule, 0 for the default rule; absent if none covers the flow (replies).
        rule: Option<u16> = Rule,
        /// Affinity of the rule (replies).
        affinity: Option<Code<Affinity>> = Affinity,
        /// The keyed hash (replies).
        hash: Option<u64> = Hash,
        /// Bucket (replies).
        bucket: Option<u16> = Bucket,
        /// This host is the owner (replies).
        this: bool = This,
        /// Generation of the map that was looked up (replies).
        generation: Option<u64> = Generation,
        /// Hosts that do not own the bucket but may hold sessions of it; bit n stands for host id n + 1 (replies).
        holders: Option<u64> = Holders,
        /// Hosts of which it is not known at the moment what they hold (replies).
        holders_unknown: Option<u64> = HoldersUnknown,
        /// What this host's tables hold for the flow (replies).
        trace: Option<Code<Trace>> = Trace,
        /// What this host would count the first packet of the flow as (replies).
        first: Option<String> = First,
        /// What this host would count a later packet of the flow as (replies).
        later: Option<String> = Later,
    }
}

reply! {
    /// A reply to `bucket-get`.
    BucketGet from BucketAttribute {
        /// Index of the cluster interface.
        ifindex: Option<u32> = Ifindex,
        /// Slot of the map: the number of its rule; the one after the last is for what no rule covers.
        slot: Option<u16> = Slot,
        /// First bucket of this message; absent if it is about residue.
        first: Option<u16> = First,
        /// A host id for each bucket, 0 for none.
        owners: Option<Vec<u8>> = Owners,
        /// Generation of the map.
        generation: Option<u64> = Generation,
        /// Id of a host that has residue in the map.
        holder: Option<u8> = Holder,
        /// 64 words of 8 bytes; bit n of word w is bucket 64 w + n, which that host does not own but may hold
        /// sessions of.
        residue: Option<Vec<u8>> = Residue,
    }
}

reply! {
    /// A reply to `counter-get`.
    CounterGet from CounterAttribute {
        /// Index of the cluster interface.
        ifindex: Option<u32> = Ifindex,
        /// Name of the counter.
        name: Option<String> = Name,
        /// Value, summed over all CPUs.
        value: Option<u64> = Value,
        /// Number of a rule whose packets are counted (requests and replies); absent: all packets are, and the
        /// counters that no rule has are there too.
        rule: Option<u16> = Rule,
    }
}

reply! {
    /// A reply to `history-get`.
    HistoryGet from HistoryAttribute {
        /// Index of the cluster interface.
        ifindex: Option<u32> = Ifindex,
        /// Generation.
        generation: Option<u64> = Generation,
        /// The members.
        members: Option<u64> = Members,
        /// Why the cluster converged.
        cause: Option<Code<Cause>> = Cause,
        /// Host id that the cause is about, 0 if none.
        host_id: Option<u8> = HostId,
        /// Milliseconds since the generation was committed.
        age_ms: Option<u64> = AgeMs,
        /// Microseconds from the first proposal to the commit.
        took_us: Option<u32> = TookUs,
        /// Buckets that moved, over all maps.
        moved: Option<u32> = Moved,
    }
}

reply! {
    /// A reply to `key-get`.
    KeyGet from KeyAttribute {
        /// Index of the cluster interface.
        ifindex: Option<u32> = Ifindex,
        /// Key id, 1–255.
        id: Option<u8> = Id,
        /// Frames are sent with this key.
        send: bool = Send,
    }
}

reply! {
    /// A notification `heartbeat-ntf`.
    HeartbeatNtf from HeartbeatAttribute {
        /// Index of the cluster interface.
        ifindex: Option<u32> = Ifindex,
        /// The frame, without Ethernet header.
        frame: Option<Vec<u8>> = Frame,
    }
}

reply! {
    /// A reply to `rule-get`.
    RuleGet from RuleAttribute {
        /// Index of the cluster interface.
        ifindex: Option<u32> = Ifindex,
        /// Place in the list, from 0 (replies, and requests to control a rule); the slot of its bucket map.
        number: Option<u16> = Number,
        /// The VIP that it is for; absent: all.
        vip: Option<IpAddr> = Vip,
        /// The protocols that it covers.
        protocols: Option<Code<Protocols>> = Protocols,
        /// First port of the range.
        first_port: Option<u16> = FirstPort,
        /// Last port of the range, inclusive.
        last_port: Option<u16> = LastPort,
        /// How the rule handles traffic.
        mode: Option<Code<FilteringMode>> = Mode,
        /// Which part of a client's address decides its host.
        affinity: Option<Code<Affinity>> = Affinity,
        /// Bits of an IPv4 address that affinity network looks at, 1–32.
        prefix_v4: Option<u8> = PrefixV4,
        /// Bits of an IPv6 address that affinity network looks at, 1–128.
        prefix_v6: Option<u8> = PrefixV6,
        /// Which UDP sessions are tracked.
        track: Option<Code<Track>> = Track,
        /// This host's load weight for the rule, 0–100; absent: that of the cluster.
        weight: Option<u8> = Weight,
        /// This host's handling priority for the rule, 1–64, the lowest first; absent: its host id.
        priority: Option<u8> = Priority,
        /// What this host does for the rule.
        state: Option<Code<RuleState>> = State,
        /// Of the list that waits for the other hosts (replies).
        pending: bool = Pending,
        /// Buckets of the rule that this host owns (replies).
        buckets_owned: Option<u32> = BucketsOwned,
        /// Packets that this host served under this number since the cluster was made (replies).
        accepted: Option<u64> = Accepted,
        /// Packets that this host did not serve under this number since the cluster was made (replies).
        dropped: Option<u64> = Dropped,
        /// Whether what this host serves of the rule is answered (replies).
        health: Option<Code<Health>> = Health,
        /// What a host does about a rule of which it answers nothing.
        health_action: Option<Code<HealthAction>> = HealthAction,
        /// Whether this host takes buckets of the rule (replies).
        stance: Option<Code<Stance>> = Stance,
    }
}
