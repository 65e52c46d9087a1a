// SPDX-License-Identifier: GPL-2.0-only

//! What replies and notifications say, attribute by attribute; [`object`](crate::object) says what it means.

pub use crate::generated::{
    BucketGet, ClusterGet, CounterGet, EventNtf, HeartbeatNtf, HistoryGet, KeyGet, MemberGet,
    OwnerGet, RuleGet,
};

/// A field that is made of the attributes of one kind.
pub(crate) trait Field<T> {
    /// Takes one in.
    fn take(&mut self, value: T);
}

/// Absent, or the last one.
impl<T> Field<T> for Option<T> {
    fn take(&mut self, value: T) {
        *self = Some(value);
    }
}

/// All of them.
impl<T> Field<T> for Vec<T> {
    fn take(&mut self, value: T) {
        self.push(value);
    }
}

/// A flag: whether it is there.
impl Field<()> for bool {
    fn take(&mut self, (): ()) {
        *self = true;
    }
}

macro_rules! reply {
    ($(#[$doc:meta])* $name:ident from $set:ident {
        $($(#[$fdoc:meta])* $field:ident: $type:ty = $variant:ident,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[$fdoc])*
                pub $field: $type,
            )*
        }

        impl From<Vec<$set>> for $name {
            fn from(attributes: Vec<$set>) -> Self {
                let mut reply = $name::default();
                for attribute in attributes {
                    match attribute {
                        $($set::$variant(value) => Field::take(&mut reply.$field, value),)*
                        // Of a newer version, or of requests.
                        _ => {}
                    }
                }
                reply
            }
        }
    };
}
pub(crate) use reply;
