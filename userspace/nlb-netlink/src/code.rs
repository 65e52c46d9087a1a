// SPDX-License-Identifier: GPL-2.0-only

//! Enumerated bytes that may come from a newer module than this program knows.

use std::{borrow::Cow, fmt, marker::PhantomData};

/// An enumeration of nlb-core: numbers with names.
pub trait Named: Copy + PartialEq + 'static {
    /// All values, in order of their numbers.
    const VALUES: &'static [Self];

    /// The value with this number, if there is one.
    fn from_number(number: u8) -> Option<Self>;

    /// The number of this value.
    fn number(self) -> u8;

    /// The name of this value.
    fn name(self) -> &'static str;
}

macro_rules! named {
    ($($type:ident,)*) => {$(
        impl Named for $type {
            const VALUES: &'static [Self] = $type::ALL;

            fn from_number(number: u8) -> Option<Self> {
                $type::from_u8(number)
            }

            fn number(self) -> u8 {
                self as u8
            }

            fn name(self) -> &'static str {
                $type::name(self)
            }
        }
    )*};
}
pub(crate) use named;

/// A byte that stands for a value of `T`, or for one that this program does not know yet.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code<T> {
    number: u8,
    of: PhantomData<T>,
}

impl<T: Named> Code<T> {
    /// A code from its number, known or not.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        Code {
            number,
            of: PhantomData,
        }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.number
    }

    /// The value, unless it is of a newer version.
    #[must_use]
    pub fn known(self) -> Option<T> {
        T::from_number(self.number)
    }

    /// The name of the value; `unknown-N` for one of a newer version.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        match self.known() {
            Some(value) => Cow::Borrowed(value.name()),
            None => Cow::Owned(format!("unknown-{}", self.number)),
        }
    }

    /// Whether this is `value`.
    #[must_use]
    pub fn is(self, value: T) -> bool {
        self.known() == Some(value)
    }
}

impl<T: Named> From<T> for Code<T> {
    fn from(value: T) -> Self {
        Code::from_number(value.number())
    }
}

impl<T: Named> fmt::Debug for Code<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl<T: Named> fmt::Display for Code<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use nlb_core::state::HostState;

    use super::*;

    #[test]
    fn unknown_numbers_keep_their_number() {
        let code = Code::<HostState>::from_number(200);
        assert_eq!(code.known(), None);
        assert_eq!(code.number(), 200);
        assert_eq!(code.to_string(), "unknown-200");
    }

    #[test]
    fn known_numbers_have_the_name_of_the_core() {
        for &state in HostState::ALL {
            let code = Code::from(state);
            assert!(code.is(state));
            assert_eq!(code.name(), state.name());
        }
    }
}
