// SPDX-License-Identifier: GPL-2.0-only

//! Every bound and default of the project, each with its reason.

/// Hosts in a cluster; host ids run from 1 to this.
///
/// Twice what Windows allows (32). A set of hosts is one `u64`, and a heartbeat with an echo for each of 63
/// peers still fits one Ethernet frame.
pub const HOSTS_MAX: usize = 64;

/// Buckets of a map: the slices of a rule's hash space.
///
/// With 64 hosts of equal weight each owns 64, so one bucket more or less is 1.6 % of a share, below the
/// 2 % that the project promises. An owner bitmap is 512 bytes: eight cache lines.
pub const BUCKETS: usize = 4096;

/// Words of 64 buckets in an owner bitmap.
pub const BUCKET_WORDS: usize = BUCKETS / 64;

/// Virtual IP addresses of a cluster.
pub const VIPS_MAX: usize = 64;

/// Port rules of a cluster. Windows allows 32.
pub const RULES_MAX: usize = 64;

/// Bucket maps of a cluster: one for each rule, and one for traffic that no rule covers.
pub const SLOTS_MAX: usize = RULES_MAX + 1;

/// Bytes of a cluster's name, without a terminator.
pub const NAME_MAX: usize = 32;

/// Default time between two heartbeats of a host, in milliseconds.
pub const PERIOD_MS_DEFAULT: u32 = 200;

/// Shortest time between two heartbeats, in milliseconds; below it, timer jitter of a busy machine is of the
/// same size as the period.
pub const PERIOD_MS_MIN: u32 = 10;

/// Longest time between two heartbeats, in milliseconds (Windows: 10,000).
pub const PERIOD_MS_MAX: u32 = 10_000;

/// Default number of heartbeats that may be missed before a host counts as dead (Windows: 5).
pub const TOLERANCE_DEFAULT: u32 = 5;

/// Fewest heartbeats that may be missed: two lost frames in a row must not evict a host.
pub const TOLERANCE_MIN: u32 = 3;

/// Most heartbeats that may be missed (Windows: 100).
pub const TOLERANCE_MAX: u32 = 100;

/// How long frames that nobody can prove keep a host, which hears nobody else, from leading a view of its own, in times
/// of the silence that counts as death. They come of a link that works one way only, of another version or of another
/// key, and then to wait is right, as there would be two owners; or somebody plays a recording or makes them up, and
/// then it is he who keeps the host from serving. So it is bounded: long enough for a change of keys or a cable that is
/// being plugged in, half a minute by default, and it does not begin anew before the host has been in a view.
pub const HOLD_SILENCES: u64 = 30;

/// The same at the least, in nanoseconds: people and switches do not get faster with shorter periods.
pub const HOLD_NS_MIN: u64 = 30 * super::time::NS_PER_SEC;

/// For how many periods it is believed that a host serves which nobody can prove to be there: two heartbeats in a row may
/// get lost.
pub const CLAIM_PERIODS: u64 = 3;

/// How many frames in a row make a host that is there, and not a recording of it that is played in disorder.
pub const CLAIM_STEADY: u8 = 2;

/// Bytes of a cluster key (HMAC-SHA256 gains nothing from more).
pub const KEY_LEN: usize = 32;

/// Keys that may be known at one time: the old one, the new one, and room for a rotation that is repeated.
pub const KEYS_MAX: usize = 4;

/// Bytes of the hash seed: a SipHash key.
pub const SEED_LEN: usize = 16;

/// The hash seed of a cluster without a key. It is public: a client can aim at one host.
pub const PUBLIC_SEED: [u8; SEED_LEN] = *b"nlb public seed.";

/// Bytes of the authentication tag: HMAC-SHA256 cut to 128 bits (RFC 2104 section 5 allows half).
pub const TAG_LEN: usize = 16;

/// Longest payload of a frame of ours on the segment: what fits an Ethernet MTU of 1500.
pub const FRAME_MAX: usize = 1500;

/// Longest frame that is sent: what also fits inside an IPv6 packet there, behind 40 bytes of header and eight of a mark
/// (`wrapped.rs`).
pub const FRAME_SENT_MAX: usize = FRAME_MAX - WRAPPING;

/// What a frame of ours inside an IPv6 packet takes beside it.
const WRAPPING: usize = 48;

/// Smallest MTU of a cluster interface: that of IPv6 (RFC 8200 section 5), which overlays and tunnels keep to as well.
pub const MTU_MIN: u32 = 1280;

/// Longest frame that is sent through an interface with this MTU, and [`MTU_MIN`] at the least.
#[must_use]
pub const fn frame_room(mtu: u32) -> usize {
    let mtu = if mtu < MTU_MIN { MTU_MIN } else { mtu };
    let room = (mtu as usize).saturating_sub(WRAPPING);
    if room < FRAME_SENT_MAX {
        room
    } else {
        FRAME_SENT_MAX
    }
}

/// EtherType of our frames: "Local Experimental 1" of IEEE 802, never assigned to anyone.
pub const ETHERTYPE: u16 = 0x88B5;

/// Default load weight of a host (Windows: 50). With equal weights its value does not matter.
pub const WEIGHT_DEFAULT: u8 = 50;

/// Cells of the memory of first fragments: 4096 packets in pieces within a minute, in 32 KB. More of them, and
/// the oldest are forgotten; their later fragments then pass on every host, as design demands.
pub const FRAGMENT_CELLS: usize = 4096;

/// Bytes of IPv6 extension headers that the packet path walks past; a longer chain is malformed. Real chains
/// have 8 to 40, and with more than this the bytes that a decision needs would not fit a stack buffer.
pub const EXTENSION_BYTES_MAX: usize = 128;

/// The same for the packet that an ICMPv6 error quotes, which a host of the cluster sent itself.
pub const QUOTED_EXTENSION_BYTES_MAX: usize = 64;

/// IPv6 extension headers that the packet path walks past: RFC 8200 section 4.1 lists seven.
pub const EXTENSION_HEADERS_MAX: usize = 8;

/// How long a first fragment is remembered: as long as Linux waits for the rest of an IPv6 packet (60 s); for
/// IPv4 it waits 30 s.
pub const FRAGMENT_MEMORY_NS: u64 = 60 * super::time::NS_PER_SEC;

/// For how long a SYN cookie is good, in nanoseconds: `TCP_SYNCOOKIE_VALID` of include/net/tcp.h, two periods of a minute.
pub const SYN_COOKIE_NS: u64 = 120 * super::time::NS_PER_SEC;

/// How often it is looked whether a walk over the tables of sessions is wanted, in milliseconds. A bucket that moved
/// costs its packets a look-up until a walk has cleared it, and a drain ends with one: a second is soon enough for both.
pub const WALK_PAUSE_MS: u32 = 1000;

/// A walk is followed by a pause of at least this many times its length, so that it takes 5 % of a CPU at most.
pub const WALK_PAUSE_TIMES: u64 = 19;

/// What a walk looks at before it lets others run: a unit for each chain of the table, eight for each connection. With
/// about 100 ns for a connection that is some 50 µs.
pub const WALK_SLICE: u32 = 4096;

/// Cells of a table of sessions that a walk looks at before it lets others run, a power of two: some 500 instructions
/// for each session, so that a walk which is told to stop does so within a quarter of a millisecond.
pub const SESSION_SLICE: usize = 512;

/// How long a station that claims a VIP is shown after it last did so: long enough to be found by whoever looks
/// because something is wrong.
pub const CONFLICT_SHOWN_NS: u64 = 600 * super::time::NS_PER_SEC;

/// How often the same claim to a VIP is told: it is news once, and then a reminder.
pub const CONFLICT_AGAIN_NS: u64 = 60 * super::time::NS_PER_SEC;

/// How often claims are told whatever they say, so that nobody floods the log by making some up.
pub const CONFLICT_GAP_NS: u64 = super::time::NS_PER_SEC;

/// How long after a claim to a VIP it is announced once more: longer than Linux keeps what it has just learned of a
/// neighbour (`locktime`, one second).
pub const DEFEND_AGAIN_NS: u64 = 1_100 * super::time::NS_PER_MS;

/// Announcements that a quarrel about VIPs is worth at that pace: four claims, a pair of announcements for each.
pub const DEFEND_EAGER: u32 = 8;

/// The pace after that: DEFEND_INTERVAL of RFC 5227.
pub const DEFEND_GAP_MAX_NS: u64 = 10 * super::time::NS_PER_SEC;

/// When nobody has claimed a VIP for so long, the quarrel is over.
pub const DEFEND_QUIET_NS: u64 = 60 * super::time::NS_PER_SEC;

/// How long after an announcement of the VIPs the first repetition comes; the gaps double. Frames that are lost are lost
/// together, while a port of a switch comes up or a queue is full, so the repetitions spread over seconds.
pub const ANNOUNCE_AGAIN_NS: u64 = super::time::NS_PER_SEC;

/// Announcements at that pace: at once, and 1, 3 and 7 seconds later.
pub const ANNOUNCE_SOON: u32 = 4;

/// The pace after that.
pub const ANNOUNCE_REFRESH_NS: u64 = 60 * super::time::NS_PER_SEC;

/// When a host that begins to ask for the VIPs does so first: what makes it do so, a change of the members, has been
/// announced by then, and repeated.
pub const INQUIRE_FIRST_NS: u64 = 2 * super::time::NS_PER_SEC;

/// The least time between two rounds of questions; the most is twice that. Rare enough to cost nothing at 64 VIPs.
pub const INQUIRE_GAP_NS: u64 = 30 * super::time::NS_PER_SEC;

/// How long an answer is waited for.
pub const INQUIRE_ANSWER_NS: u64 = super::time::NS_PER_SEC;

/// Questions in a row that nobody answers before that is told. One can get lost.
pub const INQUIRE_TRIES: u32 = 4;

/// How often a host asks for a VIP while it does not know whether another station speaks for it.
pub const ASIDE_ASK_NS: u64 = 500 * super::time::NS_PER_MS;

/// How long it asks nothing after an answer, while it does not serve beside that station: so rarely that the other does not
/// take it for a station which keeps asking ([`ASKS_MANY`]).
pub const ASIDE_REST_NS: u64 = 7 * super::time::NS_PER_SEC;

/// How long a station may say nothing and count as one that speaks on: three questions.
pub const ASIDE_PAUSE_NS: u64 = 3 * ASIDE_REST_NS;

/// Questions that nobody answers before it serves again. One can get lost.
pub const ASIDE_TRIES: u32 = 3;

/// The longest time for which a host does not serve beside another station, in nanoseconds: long enough for an operator who
/// is called, to mend what keeps the heartbeats away. It ends although the other station may be there, for anybody on the
/// segment can play one: he keeps a host that is alone from serving half of the time at the most, for it stands aside
/// again only after it has heard nobody for as long.
pub const ASIDE_MAX_NS: u64 = 3600 * super::time::NS_PER_SEC;

/// How often it is looked whether what is accepted is answered: an operator wants to know within seconds, and 64 rules on 64
/// processors take a look some 30 µs.
pub const HEALTH_LOOK_NS: u64 = super::time::NS_PER_SEC;

/// SYNs in a row without an answer, or with nothing but resets, before that is told. One client sends three in four seconds.
pub const HEALTH_SYNS: u64 = 3;

/// SYNs without an answer, of those of the last eight looks, before it is told that some are answered and some are not: a
/// quarter of them at the least.
pub const HEALTH_PARTLY: u64 = 8;

/// SYN-ACKs for each SYN, and altogether, beyond which they cannot be answers to SYNs that were accepted: six, with what is
/// repeated, and some for SYNs that were forgotten.
pub const HEALTH_SYN_ACKS: u64 = 8;

/// For how many looks SYNs are remembered at the least, and twice as many at the most: SYN-ACKs are repeated for 63 s.
pub const HEALTH_SYN_WINDOW_LOOKS: u32 = 64;

/// Answers to datagrams that make a rule one that answers them.
pub const HEALTH_ANSWERED_DATAGRAMS: u64 = 16;

/// Datagrams in a row without an answer before that is told: a client whose answers stop sends several.
pub const HEALTH_UNANSWERED_DATAGRAMS: u64 = 16;

/// Looks between two lines in the kernel's log about the same rule: clients can bring a service to answer and not to answer as
/// they like.
pub const HEALTH_LOG_LOOKS: u32 = 60;

/// Looks without a client after which nothing is known any more.
pub const HEALTH_FORGET_LOOKS: u32 = 60;

/// Looks with clients and without answers, one after the other, before a host gives a rule's buckets up: the first of them has
/// seen three SYNs that were a second old, and the second that it goes on.
pub const GIVE_UP_LOOKS: u32 = 2;

/// Looks for which it gives them up the first time, longer than a service takes to start; twice as many each time that it
/// tries in vain.
pub const GAVE_UP_LOOKS_MIN: u32 = 30;

/// The most: a service that was mended at night has clients again in ten minutes.
pub const GAVE_UP_LOOKS_MAX: u32 = 600;

/// Looks in a row that find answers before it takes its whole share again.
pub const ANSWERS_LOOKS: u32 = 3;

/// Looks for which it tries at the most. Where no client comes in a minute, few are there to suffer.
pub const TRY_LOOKS: u32 = 60;

/// Looks without a fault after which the next one counts as the first.
pub const FORGIVE_LOOKS: u32 = 600;

/// Stations whose questions are counted at one time: routers, and stations that have just come.
pub const ASKERS: usize = 16;

/// Questions of one station in [`ASKS_SPAN_NS`] that make it one that keeps asking: those that are content ask twice in that
/// time at most, by two families, and one that is not once a second.
pub const ASKS_MANY: u32 = 10;

/// The time in which a station's questions are counted.
pub const ASKS_SPAN_NS: u64 = 30 * super::time::NS_PER_SEC;

/// How often it is told of the same station that it keeps asking.
pub const ASKER_AGAIN_NS: u64 = 600 * super::time::NS_PER_SEC;

/// How long announcements are refreshed: longer than most stations believe what they have learned (Windows up to ten
/// minutes, BSD twenty, with a question of their own before).
pub const ANNOUNCE_FOR_NS: u64 = 600 * super::time::NS_PER_SEC;

/// How often the groups of an IGMP mode cluster are reported again, in milliseconds: a switch that lost them without a
/// querier hears of them within a minute, as from Windows (KB 838408).
pub const GROUP_REPORT_MS: u32 = 60_000;

/// When reporting is tried again while others hold the RTNL, in milliseconds.
pub const GROUP_REPORT_AGAIN_MS: u32 = 100;

/// Clusters that a user may have in network namespaces of user namespaces of its own, unless the module parameter
/// `user_clusters_max` says otherwise: one for each container of a small test bed. Each takes some 550 KB of kernel memory,
/// and up to 56 MB more if its sessions are as many as there may be, so their memory cgroup is what limits them first.
pub const USER_CLUSTERS_MAX: u32 = 16;

/// Sessions that a cluster remembers at most, unless told otherwise (Windows: 262,144 connection descriptors).
pub const SESSIONS_MAX_DEFAULT: u32 = 262_144;

/// Most that may be told (Windows: 1,048,576). 0: none are remembered.
pub const SESSIONS_MAX_MAX: u32 = 1_048_576;

/// Sessions that the table has room for when the first one comes: 224 KB. It grows fourfold until it has room for all.
pub const SESSIONS_FIRST: u32 = 4096;

/// How long a UDP session is remembered after its last packet: as long as connection tracking keeps a stream of UDP,
/// and four times the idle timeout that browsers ask of QUIC (30 s).
pub const SESSION_UDP_NS: u64 = 120 * super::time::NS_PER_SEC;

/// The same for SCTP: four times its heartbeat interval (RFC 9260 section 16: 30 s).
pub const SESSION_SCTP_NS: u64 = 120 * super::time::NS_PER_SEC;

/// The same for IKE, NAT-T, ESP, AH and L2TP (Windows: IPSecDescriptorTimeout, 86,400 s): a tunnel may be silent for
/// long, and its end cannot be seen, for it is encrypted.
pub const SESSION_IPSEC_NS: u64 = 86_400 * super::time::NS_PER_SEC;

/// The same for GRE (Windows: GreDescriptorTimeout, 10 s); the session proper is the TCP connection of its control, and
/// while that is here a walk begins the time anew each second ([`WALK_PAUSE_MS`]).
pub const SESSION_GRE_NS: u64 = 10 * super::time::NS_PER_SEC;

/// The same for a session that has had no second packet, as those of a flood from made-up addresses: as long as
/// connection tracking keeps UDP without an answer.
pub const SESSION_NEW_NS: u64 = 30 * super::time::NS_PER_SEC;

/// When the table could not grow for lack of memory, this passes before it is tried again: the attempt may reclaim much
/// of what the memory cgroup of the cluster's creator holds.
pub const SESSION_GROW_AGAIN_NS: u64 = super::time::NS_PER_SEC;

/// How often it is told that there is no room for sessions.
pub const SESSION_FULL_AGAIN_NS: u64 = 60 * super::time::NS_PER_SEC;
