// SPDX-License-Identifier: GPL-2.0-only

//! The attributes of every object of the family, as types.
//!
//! The macro makes them from the tables of the specification. An attribute that this program does not know is kept as it
//! came.

use netlink_packet_core::{DecodeError, Nla, NlaBuffer, NlasIterator};

pub use crate::generated::{
    BucketAttribute, ClusterAttribute, CounterAttribute, EventAttribute, HeartbeatAttribute,
    HistoryAttribute, KeyAttribute, MemberAttribute, OwnerAttribute, RuleAttribute,
};

/// A set of attributes.
pub trait AttributeSet: Nla + Sized {
    /// Name of the set in the specification.
    const SET: &'static str;

    /// The name of an attribute in the specification.
    fn name(kind: u16) -> Option<&'static str>;

    /// The same with the name of the set before it: `cluster.host-id`.
    fn full_name(kind: u16) -> Option<String> {
        Self::name(kind).map(|name| format!("{}.{name}", Self::SET))
    }

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
    ($(#[$doc:meta])* $name:ident = $set:ident {
        $($(#[$vdoc:meta])* $variant:ident($type:ty) = $constant:ident $text:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $(
                $(#[$vdoc])*
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

            fn name(kind: u16) -> Option<&'static str> {
                match kind {
                    $(genl::$set::$constant => Some($text),)*
                    _ => None,
                }
            }

            fn parse_one(nla: &NlaBuffer<&[u8]>) -> Result<Self, DecodeError> {
                let bytes = nla.value();
                Ok(match nla.kind() {
                    $(genl::$set::$constant => $name::$variant(
                        <$type as Value>::parse(bytes).context(concat!(
                            stringify!($set), " attribute ", $text
                        ))?,
                    ),)*
                    _ => $name::Other(DefaultNla::parse(nla)?),
                })
            }
        }
    };
}
pub(crate) use attributes;
