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

pub(super) fn list<T: ToString>(items: &[T]) -> String {
    if items.is_empty() {
        return "none".into();
    }
    let items: Vec<_> = items.iter().map(T::to_string).collect();
    items.join(", ")
}

/// Hosts by their ids.
pub(super) fn named(hosts: &[u8]) -> String {
    match hosts {
        [host] => format!("host {host}"),
        hosts => format!("hosts {}", list(hosts)),
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
