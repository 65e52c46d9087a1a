// SPDX-License-Identifier: GPL-2.0-only

//! Arguments that are numbers, times, names and addresses: how they are read, and what is wrong with them.

use std::{net::IpAddr, time::Duration};

use crate::endpoint::usable_vip;
use nlb_core::limits::{
    HOSTS_MAX, NAME_MAX, PERIOD_MS_MAX, PERIOD_MS_MIN, SESSIONS_MAX_MAX, TOLERANCE_MAX,
    TOLERANCE_MIN,
};

/// A time as a number of seconds, or with its unit.
pub(crate) fn seconds(text: &str) -> Result<u32, String> {
    let (number, unit) = match text.chars().last() {
        Some('s') => (&text[..text.len() - 1], 1),
        Some('m') => (&text[..text.len() - 1], 60),
        Some('h') => (&text[..text.len() - 1], 3600),
        _ => (text, 1),
    };
    number
        .parse::<u32>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| "a time is a number of seconds, or one with s, m or h after it".to_owned())
}

fn number(text: &str, range: std::ops::RangeInclusive<u32>, what: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|value| range.contains(value))
        .ok_or_else(|| {
            format!(
                "{what} is a number from {} to {}",
                range.start(),
                range.end()
            )
        })
}

fn small(text: &str, range: std::ops::RangeInclusive<u8>, what: &str) -> Result<u8, String> {
    let wide = u32::from(*range.start())..=u32::from(*range.end());
    number(text, wide, what).and_then(|value| u8::try_from(value).map_err(|e| e.to_string()))
}

pub(super) fn host_id(text: &str) -> Result<u8, String> {
    #[expect(clippy::cast_possible_truncation, reason = "the limit is 64")]
    small(text, 1..=HOSTS_MAX as u8, "a host id")
}

pub(super) fn key_id(text: &str) -> Result<u8, String> {
    small(text, 1..=255, "a key id")
}

pub(super) fn weight(text: &str) -> Result<u8, String> {
    small(text, 0..=100, "a load weight")
}

pub(super) fn priority(text: &str) -> Result<u8, String> {
    small(text, 0..=64, "a handling priority")
}

pub(crate) fn mac(text: &str) -> Result<[u8; 6], String> {
    let byte = |part: &str| {
        let value = u8::from_str_radix(part, 16).ok()?;
        // A sign is a part of a number for the parser, but not of a MAC.
        part.chars()
            .all(|digit| digit.is_ascii_hexdigit())
            .then_some(value)
            .filter(|_| part.len() == 2)
    };
    let bytes: Option<Vec<u8>> = text.split([':', '-']).map(byte).collect();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| "a MAC is six bytes in hexadecimal, such as 03:bf:c0:00:02:0a".into())
}

pub(super) fn sessions_max(text: &str) -> Result<u32, String> {
    number(text, 0..=SESSIONS_MAX_MAX, "the number of sessions")
}

pub(super) fn tolerance(text: &str) -> Result<u32, String> {
    number(
        text,
        TOLERANCE_MIN..=TOLERANCE_MAX,
        "the number of heartbeats that may be missed",
    )
}

pub(crate) fn cluster_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > NAME_MAX {
        Err(format!(
            "a cluster name has 1 to {NAME_MAX} bytes, this one has {}",
            text.len()
        ))
    } else if text.chars().any(char::is_control) {
        Err("a cluster name has no control characters".into())
    } else {
        Ok(text.into())
    }
}

pub(crate) fn period(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write the time with a unit, such as 200ms"))?;
    let range =
        Duration::from_millis(PERIOD_MS_MIN.into())..=Duration::from_millis(PERIOD_MS_MAX.into());
    if !range.contains(&duration) {
        Err(format!(
            "a period is from {PERIOD_MS_MIN}ms to {PERIOD_MS_MAX}ms"
        ))
    } else if duration.subsec_nanos() % 1_000_000 != 0 {
        Err("a period is a whole number of milliseconds".into())
    } else {
        Ok(duration)
    }
}

/// Addresses in one argument, with commas between them; one at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses(pub(crate) Vec<IpAddr>);

/// Addresses that can be VIPs.
pub(super) fn new_vips(text: &str) -> Result<Addresses, String> {
    split(text, usable_vip)
}

/// Any addresses.
pub(super) fn addresses(text: &str) -> Result<Addresses, String> {
    split(text, |one| {
        one.parse()
            .map_err(|_| "not an IPv4 or IPv6 address".to_owned())
    })
}

fn split(text: &str, parse: impl Fn(&str) -> Result<IpAddr, String>) -> Result<Addresses, String> {
    let one = |text: &str| parse(text.trim()).map_err(|why| format!("{text:?}: {why}"));
    text.split(',')
        .map(one)
        .collect::<Result<_, _>>()
        .map(Addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_have_units_and_bounds() {
        assert_eq!(period("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(period("10s"), Ok(Duration::from_secs(10)));
        for wrong in ["200", "9ms", "11s", "200500us", "", "soon"] {
            assert!(period(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn macs_have_six_bytes() {
        assert_eq!(mac("03:bf:C0:00:02:0a"), Ok([3, 0xbf, 0xc0, 0, 2, 10]));
        assert_eq!(mac("03-bf-c0-00-02-0a"), Ok([3, 0xbf, 0xc0, 0, 2, 10]));
        for wrong in [
            "",
            "03:bf",
            "3:bf:c0:0:2:a",
            "03:bf:c0:00:02:0a:00",
            "+3:bf:c0:00:02:0a",
            "03:bf:c0:00:02:zz",
        ] {
            assert!(mac(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn host_ids_are_from_1_to_64() {
        assert_eq!(host_id("1"), Ok(1));
        assert_eq!(host_id("64"), Ok(64));
        for wrong in ["0", "65", "-1", "one", "256", ""] {
            assert!(host_id(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn names_fit_the_wire() {
        assert!(cluster_name(&"n".repeat(NAME_MAX)).is_ok());
        for wrong in [String::new(), "n".repeat(NAME_MAX + 1), "a\nb".into()] {
            assert!(cluster_name(&wrong).is_err(), "{wrong:?}");
        }
    }
}
