// SPDX-License-Identifier: GPL-2.0-only

//! A message of the family: a command and the attributes that belong to it.

use netlink_packet_core::{DecodeError, Emitable, ParseableParametrized};
use netlink_packet_generic::{GenlFamily, GenlHeader};
use nlb_core::genl::{self, Command};

use crate::code::Code;
pub use crate::generated::Attributes;

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
            pub(crate) fn parse(command: Code<Command>, bytes: &[u8]) -> Result<Self, DecodeError> {
                Ok(match command.known() {
                    $($(Some(Command::$command))|+ => Attributes::$variant($type::parse_all(bytes)?),)*
                    None => Attributes::Other(
                        NlasIterator::new(bytes)
                            .map(|nla| nla.and_then(|nla| DefaultNla::parse(&nla)))
                            .collect::<Result<_, _>>()?,
                    ),
                })
            }

            /// The name of an attribute of a command in the specification: `cluster.host-id`.
            #[must_use]
            pub fn name(command: Command, kind: u16) -> Option<String> {
                match command {
                    $($(Command::$command)|+ => <$type>::full_name(kind),)*
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
pub(crate) use message;

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
