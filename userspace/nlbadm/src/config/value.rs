// SPDX-License-Identifier: GPL-2.0-only

//! Values of the file: what each may be, and what is said of one that is not.

use std::{
    fmt,
    marker::PhantomData,
    net::IpAddr,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use nlb_netlink::Named;
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use crate::{cli::value, endpoint::usable_vip, source::excerpt};

/// Bytes of an interface's name (`IFNAMSIZ`, without its zero).
const IFNAME_MAX: usize = 15;

/// A number within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Within<const MIN: u32, const MAX: u32>(pub(super) u32);

impl<const MIN: u32, const MAX: u32> Within<MIN, MAX> {
    /// The number, where the bounds are those of a byte.
    pub(super) fn byte(self) -> u8 {
        const { assert!(MAX <= u8::MAX as u32) };
        u8::try_from(self.0).unwrap_or(u8::MAX)
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Within<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number<const MIN: u32, const MAX: u32>;

        impl<const MIN: u32, const MAX: u32> Visitor<'_> for Number<MIN, MAX> {
            type Value = Within<MIN, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a number from {MIN} to {MAX}")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                let within = u32::try_from(number)
                    .ok()
                    .filter(|number| (MIN..=MAX).contains(number));
                within.map(Within).ok_or_else(|| {
                    E::custom(format!(
                        "{number} is out of range: write a number from {MIN} to {MAX}"
                    ))
                })
            }
        }

        deserializer.deserialize_any(Number::<MIN, MAX>)
    }
}

/// A text that stands for something: how it is read, and what is expected.
pub(super) trait Written: Sized {
    /// What to write, for a value of another type.
    const EXPECTED: &'static str;

    /// The value, or what is wrong with the text.
    fn read(text: &str) -> Result<Self, String>;
}

/// A value that is written as a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Text<T>(pub(super) T);

impl<'de, T: Written> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words<T>(PhantomData<T>);

        impl<T: Written> Visitor<'_> for Words<T> {
            type Value = Text<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                T::read(text).map(Text).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Words(PhantomData))
    }
}

/// A value of an enumeration, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<T>(pub(super) T);

impl<T: Named> Written for Word<T> {
    const EXPECTED: &'static str = "a word in quotes";

    fn read(text: &str) -> Result<Self, String> {
        let found = T::VALUES.iter().find(|value| value.name() == text);
        found.copied().map(Word).ok_or_else(|| {
            let names: Vec<_> = T::VALUES.iter().map(|value| value.name()).collect();
            format!("{} is none of {}", excerpt(text), names.join(", "))
        })
    }
}

/// A virtual IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vip(pub(super) IpAddr);

impl Written for Vip {
    const EXPECTED: &'static str = "an address in quotes, such as \"192.0.2.10\"";

    fn read(text: &str) -> Result<Self, String> {
        usable_vip(text)
            .map(Vip)
            .map_err(|why| format!("{}: {why}", excerpt(text)))
    }
}

impl Written for IpAddr {
    const EXPECTED: &'static str = "an address in quotes, such as \"192.0.2.1\"";

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            let hint = if text.contains('/') {
                "leave out the prefix length"
            } else {
                "write one such as 192.0.2.1"
            };
            format!("{} is not an IPv4 or IPv6 address: {hint}", excerpt(text))
        })
    }
}

impl Written for Duration {
    const EXPECTED: &'static str = "a time with a unit, in quotes, such as \"200ms\"";

    fn read(text: &str) -> Result<Self, String> {
        value::period(text).map_err(|why| format!("{}: {why}", excerpt(text)))
    }
}

/// A MAC.
impl Written for [u8; 6] {
    const EXPECTED: &'static str = "a MAC in quotes, such as \"03:bf:c0:00:02:0a\"";

    fn read(text: &str) -> Result<Self, String> {
        value::mac(text)
    }
}

/// The name of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClusterName(pub(super) String);

impl Written for ClusterName {
    const EXPECTED: &'static str = "the name of the cluster in quotes";

    fn read(text: &str) -> Result<Self, String> {
        value::cluster_name(text).map(ClusterName)
    }
}

/// The name of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ifname(pub(super) String);

impl Written for Ifname {
    const EXPECTED: &'static str = "the name of an interface in quotes, such as \"eth1\"";

    fn read(text: &str) -> Result<Self, String> {
        let odd = |c: char| c == '/' || c.is_whitespace() || c.is_control();
        if text.is_empty() || text.len() > IFNAME_MAX || text.contains(odd) {
            return Err(format!(
                "{} can be no interface: a name has 1 to {IFNAME_MAX} bytes, and neither blanks nor slashes",
                excerpt(text)
            ));
        }
        Ok(Ifname(text.into()))
    }
}

/// A path; a relative one begins where the file is.
impl Written for PathBuf {
    const EXPECTED: &'static str = "a path in quotes, such as \"/etc/nlb/web.key\"";

    fn read(text: &str) -> Result<Self, String> {
        let names_a_file = Path::new(text)
            .components()
            .next_back()
            .is_some_and(|last| matches!(last, Component::Normal(_)));
        if names_a_file && !text.contains(char::is_control) {
            Ok(text.into())
        } else {
            Err(format!("{} is not the path of a file", excerpt(text)))
        }
    }
}

/// What `/etc/machine-id` holds: 128 bits in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MachineId(pub(super) String);

impl Written for MachineId {
    const EXPECTED: &'static str = "a machine id in quotes, as in /etc/machine-id";

    fn read(text: &str) -> Result<Self, String> {
        let hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        if text.len() == 32 && text.chars().all(hex) {
            Ok(MachineId(text.into()))
        } else {
            Err("a machine id has 32 digits of lower-case hexadecimal: copy it from /etc/machine-id".into())
        }
    }
}

/// What a host does when its cluster has been made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum InitialState {
    /// It takes part.
    #[default]
    Started,
    /// It waits for `start`.
    Stopped,
    /// It is deaf to everything but `resume`.
    Suspended,
}

impl InitialState {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Started, Self::Stopped, Self::Suspended];

    /// The word for it in the file.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            InitialState::Started => "started",
            InitialState::Stopped => "stopped",
            InitialState::Suspended => "suspended",
        }
    }
}

impl Written for InitialState {
    const EXPECTED: &'static str = "a word in quotes";

    fn read(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                format!("{} is none of {names}", excerpt(text))
            })
    }
}
