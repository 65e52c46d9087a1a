// SPDX-License-Identifier: GPL-2.0-only

//! Values as answers write them.

use std::net::IpAddr;

/// A MAC as Linux writes it.
pub(crate) fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}

pub(super) fn hex(value: u64) -> String {
    format!("{value:#018x}")
}

pub(crate) fn list<T: ToString>(items: &[T]) -> String {
    if items.is_empty() {
        return "none".into();
    }
    let items: Vec<_> = items.iter().map(T::to_string).collect();
    items.join(", ")
}

/// Ids of hosts in ascending order; three and more that follow each other as a range.
pub(crate) fn ids(hosts: &[u8]) -> String {
    let runs = hosts.chunk_by(|&one, &next| u16::from(one) + 1 == u16::from(next));
    let run = |run: &[u8]| match run {
        [first, _, .., last] => format!("{first}-{last}"),
        few => list(few),
    };
    let runs: Vec<_> = runs.map(run).collect();
    list(&runs)
}

/// Hosts by their ids.
pub(crate) fn named(hosts: &[u8]) -> String {
    match hosts {
        [host] => format!("host {host}"),
        hosts => format!("hosts {}", ids(hosts)),
    }
}

pub(super) fn endpoint(address: IpAddr, port: Option<u16>) -> String {
    crate::endpoint::Endpoint { address, port }.to_string()
}

pub(super) fn percent(share: f64) -> String {
    format!("{share:.1} %")
}

/// A time for people: two units at most.
pub(super) fn milliseconds(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
        3_600_000..86_400_000 => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
        _ => format!("{} d {} h", ms / 86_400_000, ms % 86_400_000 / 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_follow_each_other_are_a_range() {
        for (hosts, text) in [
            (&[][..], "none"),
            (&[7], "7"),
            (&[1, 2], "1, 2"),
            (&[1, 2, 3], "1-3"),
            (&[1, 3, 5], "1, 3, 5"),
            (&[1, 2, 4, 5, 6, 63, 64], "1, 2, 4-6, 63, 64"),
        ] {
            assert_eq!(ids(hosts), text);
        }
        let all: Vec<_> = (1..=64).collect();
        assert_eq!(named(&all), "hosts 1-64");
    }

    #[test]
    fn times_have_the_unit_that_fits() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_400, "1.4 s"),
            (59_999, "59.9 s"),
            (61_000, "1 min 1 s"),
            (3_661_000, "1 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(milliseconds(ms), text);
        }
    }
}
