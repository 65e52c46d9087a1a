// SPDX-License-Identifier: GPL-2.0-only

//! A version of the file of a cluster: its number, its content by digest, and where it came from.

use std::{cmp::Reverse, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Largest number of a version: what readers of JSON keep exact.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// SHA-256 of a content; as text, as `sha256sum` prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// That of a content.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Digest(Sha256::digest(text.as_bytes()).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a digest has 64 hexadecimal digits";
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(WRONG);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| WRONG)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| WRONG)?;
        }
        Ok(Digest(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A version of the file. Two are the same only if all of it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Version {
    /// Counts the changes of the cluster, from 1; 0 is what a host had before the first one.
    pub number: u64,
    /// Of the content.
    pub digest: Digest,
    /// Id of the host where it was applied.
    pub origin: u8,
    /// Name of that host in the file.
    pub host: String,
    /// When, in seconds since 1970, by the clock of that host. Nothing is decided by it.
    pub time: u64,
    /// What there is to say of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Version {
    /// Whether this one takes the place of another: it has the larger number. Two of one number come from parts of a cluster
    /// that did not see each other; there the host with the lower id wins.
    #[must_use]
    pub fn beats(&self, other: &Version) -> bool {
        let rank = |it: &Version| {
            (
                it.number,
                Reverse(it.origin),
                it.digest,
                it.time,
                it.note.clone(),
                it.host.clone(),
            )
        };
        rank(self) > rank(other)
    }
}

/// For messages: "version 8 by web2 at 2026-12-01T01:20:00Z".
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "version {} by {} at {}",
            self.number,
            crate::source::printable(&self.host),
            clock(self.time)
        )
    }
}

/// A time in seconds since 1970: RFC 3339, UTC.
#[must_use]
pub fn clock(seconds: u64) -> String {
    // Later than any clock may say, that library would not print it.
    const LAST: u64 = 253_402_300_799;
    let since = std::time::Duration::from_secs(seconds.min(LAST));
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A version of a content.
    pub(in crate::replica) fn version(number: u64, origin: u8, text: &str) -> Version {
        Version {
            number,
            digest: Digest::of(text),
            origin,
            host: format!("h{origin}"),
            time: 1_796_086_800,
            note: None,
        }
    }

    #[test]
    fn a_digest_is_what_sha256sum_prints() {
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of("abc").to_string(), text);
        assert_eq!(text.parse(), Ok(Digest::of("abc")));
        for wrong in [
            "",
            "ba78",
            &text.replace('b', "g"),
            &format!("+{}", &text[1..]),
        ] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_larger_number_wins_and_then_the_lower_host() {
        let [old, new] = [version(7, 1, "a"), version(8, 3, "b")];
        assert!(new.beats(&old) && !old.beats(&new) && !new.beats(&new));
        let other = version(8, 2, "c");
        assert!(other.beats(&new) && !new.beats(&other));
    }

    #[test]
    fn any_time_can_be_told() {
        assert_eq!(
            version(8, 2, "").to_string(),
            "version 8 by h2 at 2026-12-01T01:00:00Z"
        );
        assert_eq!(clock(u64::MAX), "9999-12-31T23:59:59Z");
    }
}
