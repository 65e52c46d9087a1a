// SPDX-License-Identifier: GPL-2.0-only
//! The addresses that connections come from, in turn.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Walks the host addresses of a network round and round.
pub(crate) struct Sources {
    net: IpNet,
    count: u64,
    next: u64,
}

impl Sources {
    /// The first `limit` host addresses of `net`; 0 means all of them.
    pub(crate) fn new(net: IpNet, limit: u64) -> Self {
        let host_bits = u32::from(net.max_prefix_len() - net.prefix_len());
        // Without network and broadcast address, where the net has them.
        let hosts = match 1u64.checked_shl(host_bits) {
            Some(all) if host_bits < 63 => all.saturating_sub(2).max(1),
            _ => u64::MAX,
        };
        let count = if limit == 0 { hosts } else { limit.min(hosts) };
        Self {
            net,
            count,
            next: 0,
        }
    }

    /// The next address.
    pub(crate) fn next(&mut self) -> IpAddr {
        let host_bits = self.net.max_prefix_len() - self.net.prefix_len();
        // A net of one or two addresses has no network address to skip.
        let skip = u64::from(host_bits > 1);
        let offset = (self.next % self.count).saturating_add(skip);
        self.next = self.next.wrapping_add(1);
        match self.net.network() {
            IpAddr::V4(base) => {
                let low = u32::try_from(offset).unwrap_or(u32::MAX);
                Ipv4Addr::from(u32::from(base).wrapping_add(low)).into()
            }
            IpAddr::V6(base) => {
                Ipv6Addr::from(u128::from(base).wrapping_add(u128::from(offset))).into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(net: &str, limit: u64, n: usize) -> Vec<String> {
        let mut sources = Sources::new(net.parse().unwrap(), limit);
        (0..n).map(|_| sources.next().to_string()).collect()
    }

    #[test]
    fn skips_the_network_address_and_wraps() {
        assert_eq!(
            take("10.1.0.0/30", 0, 3),
            ["10.1.0.1", "10.1.0.2", "10.1.0.1"]
        );
    }

    #[test]
    fn one_address_is_itself() {
        assert_eq!(take("192.0.2.7/32", 0, 2), ["192.0.2.7", "192.0.2.7"]);
    }

    #[test]
    fn a_limit_shortens_the_walk() {
        assert_eq!(
            take("2001:db8::/64", 2, 3),
            ["2001:db8::1", "2001:db8::2", "2001:db8::1"]
        );
    }
}
