// SPDX-License-Identifier: GPL-2.0-only

//! The states of a host, why a host is kept out, and why a cluster converged anew; and how such enums are declared.
//!
//! The numbers are part of the netlink interface: they are never changed, only added to.

/// Declares an enum whose values and names are shared by the wire, the netlink interface and all output.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $value:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$vdoc])* $variant = $value,)*
        }

        impl $name {
            /// All values, in order of their numbers.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The name that people read: lower case, words joined by hyphens.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)*
                }
            }

            /// The value with this number, if there is one.
            #[must_use]
            pub const fn from_u8(value: u8) -> Option<$name> {
                match value {
                    $($value => Some($name::$variant),)*
                    _ => None,
                }
            }

            /// The value with this name, if there is one.
            #[must_use]
            pub fn from_name(name: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|value| value.name() == name)
            }
        }
    };
}
pub(super) use named;

pub use super::genl::{Cause, HostState, OutReason};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_back_to_the_value() {
        for &reason in OutReason::ALL {
            assert_eq!(OutReason::from_u8(reason as u8), Some(reason));
            assert_eq!(OutReason::from_name(reason.name()), Some(reason));
        }
        assert_eq!(HostState::from_u8(200), None);
        assert_eq!(Cause::from_name("no such cause"), None);
    }
}
