// SPDX-License-Identifier: GPL-2.0-only

//! Addresses as people write them.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// An address with a port or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) address: IpAddr,
    pub(crate) port: Option<u16>,
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Without brackets the last group of an IPv6 address would look like a port; so it is an address.
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(Endpoint {
                address,
                port: None,
            });
        }
        match text.parse::<SocketAddr>() {
            Ok(socket) => Ok(Endpoint {
                address: socket.ip(),
                port: Some(socket.port()),
            }),
            Err(_) => Err(
                "not an address, with a port or without: write 192.0.2.10, 192.0.2.10:80 or [2001:db8::10]:80"
                    .into(),
            ),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.address, port).fmt(f),
            None => self.address.fmt(f),
        }
    }
}

/// A VIP from its text.
///
/// # Errors
///
/// If it is no address, or one that can belong to no virtual server.
pub(crate) fn usable_vip(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text.parse().map_err(|_| {
        if text.contains('/') {
            "a VIP is a single address: leave out the prefix length".to_owned()
        } else {
            "not an IPv4 or IPv6 address".to_owned()
        }
    })?;
    let why = if address.is_unspecified() {
        "the unspecified address"
    } else if address.is_loopback() {
        "a loopback address"
    } else if address.is_multicast() {
        "a multicast address"
    } else {
        match address {
            IpAddr::V4(v4) if v4.is_broadcast() => "the broadcast address",
            IpAddr::V4(v4) if v4.octets()[0] == 0 || v4.octets()[0] >= 240 => "a reserved address",
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => "an IPv4-mapped address",
            IpAddr::V6(v6) if v6.is_unicast_link_local() => "a link-local address",
            _ => return Ok(address),
        }
    };
    Err(format!("{why} cannot be a VIP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_optional_in_both_families() {
        for text in [
            "192.0.2.10",
            "192.0.2.10:80",
            "2001:db8::10",
            "[2001:db8::10]:80",
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), text);
            assert_eq!(endpoint.port.is_some(), text.ends_with(":80"));
        }
        assert_eq!("[::1]".parse::<Endpoint>().unwrap().port, None);
    }

    #[test]
    fn malformed_endpoints_are_refused() {
        for text in [
            "",
            "192.0.2",
            "192.0.2.10:",
            "192.0.2.10:65536",
            "host:80",
            "[::1",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn vips_are_unicast_addresses() {
        assert!(usable_vip("192.0.2.10").is_ok());
        assert!(usable_vip("2001:db8::10").is_ok());
        for text in [
            "0.0.0.0",
            "127.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "::1",
            "ff02::1",
            "fe80::1",
            "::ffff:192.0.2.1",
            "192.0.2.10/24",
            "192.0.2.256",
            "",
        ] {
            assert!(usable_vip(text).is_err(), "{text:?}");
        }
    }
}
