// SPDX-License-Identifier: GPL-2.0-only

//! A message of the family: a command and the attributes that belong to it.

use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, NlasIterator, Parseable, ParseableParametrized,
};
use netlink_packet_generic::{GenlFamily, GenlHeader};
use nlb_core::genl::{self, Command};

use crate::{
    attribute::{
        AttributeSet, BucketAttribute, ClusterAttribute, CounterAttribute, EventAttribute,
        HeartbeatAttribute, HistoryAttribute, KeyAttribute, MemberAttribute, OwnerAttribute, Row,
        RuleAttribute,
    },
    code::Code,
};

macro_rules! message {
    ($($variant:ident($type:ident): $($command:ident)|+,)*) => {
        /// The attributes of a message; which set it is follows from the command.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Attributes {
            $(
                #[doc = concat!("Of [`", stringify!($type), "`].")]
                $variant(Vec<$type>),
            )*
            /// Of a command of a newer version.
            Other(Vec<DefaultNla>),
        }

        impl Attributes {
            fn parse(command: Code<Command>, bytes: &[u8]) -> Result<Self, DecodeError> {
                Ok(match command.known() {
                    $($(Some(Command::$command))|+ => Attributes::$variant($type::parse_all(bytes)?),)*
                    None => Attributes::Other(
                        NlasIterator::new(bytes)
                            .map(|nla| nla.and_then(|nla| DefaultNla::parse(&nla)))
                            .collect::<Result<_, _>>()?,
                    ),
                })
            }

            /// The name of the set in the specification, and its table.
            #[must_use]
            pub fn table(command: Command) -> (&'static str, &'static [Row]) {
                match command {
                    $($(Command::$command)|+ => ($type::SET, $type::TABLE),)*
                }
            }
        }

        impl Emitable for Attributes {
            fn buffer_len(&self) -> usize {
                match self {
                    $(Attributes::$variant(attributes) => attributes.as_slice().buffer_len(),)*
                    Attributes::Other(attributes) => attributes.as_slice().buffer_len(),
                }
            }

            fn emit(&self, buffer: &mut [u8]) {
                match self {
                    $(Attributes::$variant(attributes) => attributes.as_slice().emit(buffer),)*
                    Attributes::Other(attributes) => attributes.as_slice().emit(buffer),
                }
            }
        }

        $(
            impl From<Vec<$type>> for Attributes {
                fn from(attributes: Vec<$type>) -> Self {
                    Attributes::$variant(attributes)
                }
            }
        )*
    };
}

message! {
    Cluster(ClusterAttribute): ClusterGet | ClusterNew | ClusterDel | ClusterSet,
    Event(EventAttribute): EventNtf,
    Member(MemberAttribute): MemberGet,
    Owner(OwnerAttribute): OwnerGet,
    Bucket(BucketAttribute): BucketGet,
    Counter(CounterAttribute): CounterGet,
    History(HistoryAttribute): HistoryGet,
    Key(KeyAttribute): KeySet | KeyDel | KeyGet,
    Heartbeat(HeartbeatAttribute): HeartbeatIn | HeartbeatNtf,
    Rule(RuleAttribute): RuleGet | RuleSet | RuleControl,
}

/// A message of the family `nlb`, without its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NlbMessage {
    /// The command.
    pub command: Code<Command>,
    /// Its attributes.
    pub attributes: Attributes,
}

impl NlbMessage {
    /// A message of a known command.
    pub fn new(command: Command, attributes: impl Into<Attributes>) -> Self {
        NlbMessage {
            command: command.into(),
            attributes: attributes.into(),
        }
    }
}

impl GenlFamily for NlbMessage {
    fn family_name() -> &'static str {
        genl::FAMILY
    }

    fn command(&self) -> u8 {
        self.command.number()
    }

    fn version(&self) -> u8 {
        genl::VERSION
    }
}

impl Emitable for NlbMessage {
    fn buffer_len(&self) -> usize {
        self.attributes.buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attributes.emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for NlbMessage {
    fn parse_with_param(bytes: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        let command = Code::from_number(header.cmd);
        Ok(NlbMessage {
            command,
            attributes: Attributes::parse(command, bytes)?,
        })
    }
}
