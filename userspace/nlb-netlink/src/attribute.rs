// SPDX-License-Identifier: GPL-2.0-only

//! The attributes of every object of the family, as types.
//!
//! Numbers come from `nlb_core::genl` alone; the macro ties each to the type of its value and to its name in the
//! specification. An attribute that this program does not know is kept as it came.

use std::net::IpAddr;

use netlink_packet_core::{
    DecodeError, DefaultNla, ErrorContext, Nla, NlaBuffer, NlasIterator, Parseable,
};
use nlb_core::{
    genl::{self, Affinity, Control, Echo, EventKind, Mode, Responder, Trace},
    limits::{KEY_LEN, SEED_LEN},
    rules::{FilteringMode, Protocols, RuleState, Track},
    state::{Cause, HostState, OutReason},
};

use crate::{
    code::Code,
    value::{Nest, Value},
};

/// One row of the table of a set of attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Number of the attribute.
    pub number: u16,
    /// Name of its constant in nlb-core.
    pub constant: &'static str,
    /// Type in the specification.
    pub spec_type: &'static str,
    /// Enumeration in the specification.
    pub spec_enum: Option<&'static str>,
}

/// A set of attributes.
pub trait AttributeSet: Nla + Sized {
    /// Name of the set in the specification.
    const SET: &'static str;

    /// Every attribute of the set, in order of numbers.
    const TABLE: &'static [Row];

    /// Reads one attribute.
    ///
    /// # Errors
    ///
    /// If its value is not of its type.
    fn parse_one(nla: &NlaBuffer<&[u8]>) -> Result<Self, DecodeError>;

    /// Reads all attributes of a message.
    ///
    /// # Errors
    ///
    /// If one is cut short or its value is not of its type.
    fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, DecodeError> {
        NlasIterator::new(bytes)
            .map(|nla| nla.and_then(|nla| Self::parse_one(&nla)))
            .collect()
    }
}

macro_rules! attributes {
    ($(#[$doc:meta])* $name:ident = $set:ident { $($variant:ident($type:ty) = $constant:ident,)* }) => {
        $(#[$doc])*
        ///
        /// The constants of the same names in nlb-core say what each means.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $(
                #[doc = concat!("`", stringify!($constant), "`")]
                $variant($type),
            )*
            /// One of a newer version.
            Other(DefaultNla),
        }

        impl Nla for $name {
            fn value_len(&self) -> usize {
                match self {
                    $($name::$variant(value) => Value::size(value),)*
                    $name::Other(nla) => nla.value_len(),
                }
            }

            fn kind(&self) -> u16 {
                match self {
                    $($name::$variant(_) => genl::$set::$constant,)*
                    $name::Other(nla) => nla.kind(),
                }
            }

            fn is_nested(&self) -> bool {
                match self {
                    $($name::$variant(_) => <$type as Value>::NESTED,)*
                    $name::Other(nla) => nla.is_nested(),
                }
            }

            fn emit_value(&self, buffer: &mut [u8]) {
                match self {
                    $($name::$variant(value) => Value::emit(value, buffer),)*
                    $name::Other(nla) => nla.emit_value(buffer),
                }
            }
        }

        impl AttributeSet for $name {
            const SET: &'static str = stringify!($set);

            const TABLE: &'static [Row] = &[$(Row {
                number: genl::$set::$constant,
                constant: stringify!($constant),
                spec_type: <$type as Value>::SPEC_TYPE,
                spec_enum: <$type as Value>::SPEC_ENUM,
            },)*];

            fn parse_one(nla: &NlaBuffer<&[u8]>) -> Result<Self, DecodeError> {
                let bytes = nla.value();
                Ok(match nla.kind() {
                    $(genl::$set::$constant => $name::$variant(
                        <$type as Value>::parse(bytes).context(concat!(
                            stringify!($set), " attribute ", stringify!($constant)
                        ))?,
                    ),)*
                    _ => $name::Other(DefaultNla::parse(nla)?),
                })
            }
        }

        // What is matched above and what the core says must be the same set.
        const _: () = assert!(<$name as AttributeSet>::TABLE.len() == genl::$set::MAX as usize);
    };
}

attributes! {
    /// Attributes of a cluster.
    ClusterAttribute = cluster {
        IfIndex(u32) = IFINDEX,
        IfName(String) = IFNAME,
        Name(String) = NAME,
        HostId(u8) = HOST_ID,
        Mode(Code<Mode>) = MODE,
        Vip(IpAddr) = VIP,
        DedicatedIp(IpAddr) = DEDICATED_IP,
        Affinity(Code<Affinity>) = AFFINITY,
        PeriodMs(u32) = PERIOD_MS,
        Tolerance(u32) = TOLERANCE,
        VirtualMac([u8; 6]) = VIRTUAL_MAC,
        State(Code<HostState>) = STATE,
        OutReason(Code<OutReason>) = OUT_REASON,
        Generation(u64) = GENERATION,
        DefaultHost(u8) = DEFAULT_HOST,
        Members(u64) = MEMBERS,
        Key([u8; KEY_LEN]) = KEY,
        KeyId(u8) = KEY_ID,
        HashSeed([u8; SEED_LEN]) = HASH_SEED,
        NoKey(()) = NO_KEY,
        Control(Code<Control>) = CONTROL,
        Weight(u8) = WEIGHT,
        BucketsOwned(u32) = BUCKETS_OWNED,
        Cause(Code<Cause>) = CAUSE,
        Start(()) = START,
        Pending(u64) = PENDING,
        Rule(Nest<RuleAttribute>) = RULE,
        Rules(u16) = RULES,
        VirtualMacV6([u8; 6]) = VIRTUAL_MAC_V6,
        ConflictVip(IpAddr) = CONFLICT_VIP,
        ConflictMac([u8; 6]) = CONFLICT_MAC,
        ConflictAgeMs(u64) = CONFLICT_AGE_MS,
        AllowOtherInterfaces(()) = ALLOW_OTHER_INTERFACES,
        Starved(u8) = STARVED,
        Echo(Code<Echo>) = ECHO,
        DrainTimeoutS(u32) = DRAIN_TIMEOUT_S,
        WalkFound(u64) = WALK_FOUND,
        Residue(u32) = RESIDUE,
        WalkUs(u32) = WALK_US,
        WalkSeen(u32) = WALK_SEEN,
        SessionsMax(u32) = SESSIONS_MAX,
        Sessions(u32) = SESSIONS,
        Responder(Code<Responder>) = RESPONDER,
    }
}

attributes! {
    /// Attributes of a port rule.
    RuleAttribute = rule {
        IfIndex(u32) = IFINDEX,
        Number(u16) = NUMBER,
        Vip(IpAddr) = VIP,
        Protocols(Code<Protocols>) = PROTOCOLS,
        FirstPort(u16) = FIRST_PORT,
        LastPort(u16) = LAST_PORT,
        Mode(Code<FilteringMode>) = MODE,
        Affinity(Code<Affinity>) = AFFINITY,
        PrefixV4(u8) = PREFIX_V4,
        PrefixV6(u8) = PREFIX_V6,
        Track(Code<Track>) = TRACK,
        Weight(u8) = WEIGHT,
        Priority(u8) = PRIORITY,
        State(Code<RuleState>) = STATE,
        Rule(Nest<RuleAttribute>) = RULE,
        Pending(()) = PENDING,
        BucketsOwned(u32) = BUCKETS_OWNED,
        Accepted(u64) = ACCEPTED,
        Dropped(u64) = DROPPED,
    }
}

attributes! {
    /// Attributes of a host of a cluster.
    MemberAttribute = member {
        IfIndex(u32) = IFINDEX,
        HostId(u8) = HOST_ID,
        State(Code<HostState>) = STATE,
        OutReason(Code<OutReason>) = OUT_REASON,
        LastHeardMs(u32) = LAST_HEARD_MS,
        Incarnation(u64) = INCARNATION,
        BucketsOwned(u32) = BUCKETS_OWNED,
        This(()) = SELF,
        Default(()) = DEFAULT,
        Paths(u8) = PATHS,
        LossPermille(u32) = LOSS_PERMILLE,
        DedicatedIp(IpAddr) = DEDICATED_IP,
        Weight(u8) = WEIGHT,
        Member(()) = MEMBER,
        Pending(u64) = PENDING,
        Residue(u32) = RESIDUE,
        ResidueMs(u64) = RESIDUE_MS,
    }
}

attributes! {
    /// Attributes of the question who owns a flow, and of its answer.
    OwnerAttribute = owner {
        IfIndex(u32) = IFINDEX,
        Client(IpAddr) = CLIENT,
        ClientPort(u16) = CLIENT_PORT,
        Vip(IpAddr) = VIP,
        VipPort(u16) = VIP_PORT,
        Protocol(u8) = PROTOCOL,
        Owner(u8) = OWNER,
        Reason(String) = REASON,
        Rule(u16) = RULE,
        Affinity(Code<Affinity>) = AFFINITY,
        Hash(u64) = HASH,
        Bucket(u16) = BUCKET,
        This(()) = SELF,
        Generation(u64) = GENERATION,
        Holders(u64) = HOLDERS,
        HoldersUnknown(u64) = HOLDERS_UNKNOWN,
        Trace(Code<Trace>) = TRACE,
        First(String) = FIRST,
        Later(String) = LATER,
    }
}

attributes! {
    /// Attributes of a bucket map, and of residue in it.
    BucketAttribute = bucket {
        IfIndex(u32) = IFINDEX,
        Slot(u16) = SLOT,
        First(u16) = FIRST,
        Owners(Vec<u8>) = OWNERS,
        Generation(u64) = GENERATION,
        Holder(u8) = HOLDER,
        Residue(Vec<u8>) = RESIDUE,
    }
}

attributes! {
    /// Attributes of a counter.
    CounterAttribute = counter {
        IfIndex(u32) = IFINDEX,
        Name(String) = NAME,
        Value(u64) = VALUE,
        Rule(u16) = RULE,
    }
}

attributes! {
    /// Attributes of an entry of the history of convergence.
    HistoryAttribute = history {
        IfIndex(u32) = IFINDEX,
        Generation(u64) = GENERATION,
        Members(u64) = MEMBERS,
        Cause(Code<Cause>) = CAUSE,
        HostId(u8) = HOST_ID,
        AgeMs(u64) = AGE_MS,
        TookUs(u32) = TOOK_US,
        Moved(u32) = MOVED,
    }
}

attributes! {
    /// Attributes of a key.
    KeyAttribute = key {
        IfIndex(u32) = IFINDEX,
        Id(u8) = ID,
        Key([u8; KEY_LEN]) = KEY,
        Send(()) = SEND,
    }
}

attributes! {
    /// Attributes of a heartbeat on the second path.
    HeartbeatAttribute = heartbeat {
        IfIndex(u32) = IFINDEX,
        Frame(Vec<u8>) = FRAME,
    }
}

attributes! {
    /// Attributes of a state change.
    EventAttribute = event {
        IfIndex(u32) = IFINDEX,
        IfName(String) = IFNAME,
        Kind(Code<EventKind>) = KIND,
        HostId(u8) = HOST_ID,
        State(Code<HostState>) = STATE,
        OutReason(Code<OutReason>) = OUT_REASON,
        Generation(u64) = GENERATION,
        Members(u64) = MEMBERS,
        Cause(Code<Cause>) = CAUSE,
        DefaultHost(u8) = DEFAULT_HOST,
        Vip(IpAddr) = VIP,
        Mac([u8; 6]) = MAC,
        Sessions(u64) = SESSIONS,
    }
}
