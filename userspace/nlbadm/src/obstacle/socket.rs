// SPDX-License-Identifier: GPL-2.0-only

//! The ports that programs of this host serve.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::firewall::Transport;
use crate::host::Host;

/// States of the tables: a TCP socket that listens, a UDP socket that has no other end.
const LISTENS: &str = "0A";
const UNCONNECTED: &str = "07";

/// Ports that are served, with their transport, to whom it may concern.
#[derive(Debug, Default)]
pub(super) struct Served {
    sockets: BTreeSet<(Transport, IpAddr, u16)>,
}

impl Served {
    /// What the kernel's tables have.
    pub(super) fn read(host: &mut dyn Host) -> Self {
        let mut sockets = BTreeSet::new();
        for (table, transport, state) in [
            ("tcp", Transport::Tcp, LISTENS),
            ("tcp6", Transport::Tcp, LISTENS),
            ("udp", Transport::Udp, UNCONNECTED),
            ("udp6", Transport::Udp, UNCONNECTED),
        ] {
            let text = host.read(&format!("/proc/net/{table}")).unwrap_or_default();
            let entries = text.lines().skip(1).filter_map(|line| entry(line, state));
            sockets.extend(entries.map(|(address, port)| (transport, address, port)));
        }
        Served { sockets }
    }

    /// The ports at which something serves a VIP; by an address of no host in particular only if `anywhere`.
    pub(super) fn ports(&self, transport: Transport, vip: IpAddr, anywhere: bool) -> BTreeSet<u16> {
        let serves = |address: IpAddr| {
            let any = address.is_unspecified() && (address.is_ipv6() || vip.is_ipv4());
            address == vip || (anywhere && any)
        };
        self.sockets
            .iter()
            .filter(|(of, address, _)| *of == transport && serves(*address))
            .map(|(_, _, port)| *port)
            .collect()
    }
}

/// Address and port of a line of a table whose socket is in a state.
fn entry(line: &str, state: &str) -> Option<(IpAddr, u16)> {
    let mut words = line.split_whitespace().skip(1);
    let (address, port) = words.next()?.split_once(':')?;
    if words.nth(1)? != state {
        return None;
    }
    Some((parse(address)?, u16::from_str_radix(port, 16).ok()?))
}

/// The tables have each 32 bits of an address as a number of this machine.
fn parse(text: &str) -> Option<IpAddr> {
    let word = |index: usize| {
        let part = text.get(index * 8..index * 8 + 8)?;
        Some(u32::from_str_radix(part, 16).ok()?.to_ne_bytes())
    };
    match text.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for (index, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(index)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[test]
    fn sockets_that_serve_are_read_from_the_tables() {
        let mut host = Fake::host();
        host.file(
            "/proc/net/tcp",
            "  sl  local_address rem_address   st tx_queue\n   \
             0: 0A0200C0:0050 00000000:0000 0A 00000000:00000000\n   \
             1: 0100007F:0035 00000000:0000 0A 00000000:00000000\n   \
             2: 0A0200C0:1234 630200C0:0050 01 00000000:00000000\n",
        );
        host.file(
            "/proc/net/tcp6",
            "  sl  local_address rem_address st\n   \
             0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A\n",
        );
        let served = Served::read(&mut host);
        let vip = "192.0.2.10".parse().unwrap();
        let ports = |vip, anywhere| {
            let ports = served.ports(Transport::Tcp, vip, anywhere);
            ports.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(ports(vip, true), [80, 443]);
        assert_eq!(ports(vip, false), [80]);
        assert_eq!(ports("2001:db8::10".parse().unwrap(), true), [443]);
        assert_eq!(served.ports(Transport::Udp, vip, true).len(), 0);
    }
}
