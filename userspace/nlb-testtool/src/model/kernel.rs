// SPDX-License-Identifier: GPL-2.0-only
//! What the kernel says of the namespace where this thread is: its interfaces,
//! its addresses, its hooks.

use std::io::{Error, Read, Write};

use anyhow::{Result, bail, ensure};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage},
};
use nlb_netlink::{NetlinkSocket, connection::Connection};
use socket2::{Domain, Protocol, Socket, Type};

use crate::genl::attribute;

/// An interface.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    /// Name of its driver, if that is one of virtual devices.
    pub(super) kind: Option<String>,
    /// Index of what it is a port of.
    pub(super) master: Option<u32>,
    pub(super) mtu: u32,
    flags: LinkFlags,
    ethernet: bool,
}

impl Link {
    /// Whether it can carry a cluster's frames, if it is no port: it is up and has a carrier, it is of Ethernet and
    /// resolves neighbours, and the longest frame fits.
    pub(super) fn is_fit(&self, mtu_min: u32) -> bool {
        self.flags.contains(LinkFlags::Up | LinkFlags::LowerUp)
            && self.ethernet
            && !self.flags.contains(LinkFlags::Noarp)
            && self.mtu >= mtu_min
    }
}

/// All interfaces.
pub(super) fn links() -> Result<Vec<Link>> {
    let question = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let replies = Connection::new(NetlinkSocket::route()?).dump(question)?;
    Ok(replies.into_iter().filter_map(link_of).collect())
}

fn link_of(reply: RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(message) = reply else {
        return None;
    };
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        kind: None,
        master: None,
        mtu: 0,
        flags: message.header.flags,
        ethernet: message.header.link_layer_type == LinkLayerType::Ether,
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Controller(master) => link.master = Some(master),
            LinkAttribute::LinkInfo(info) => {
                link.kind = info.into_iter().find_map(|one| match one {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    Some(link)
}

/// Where hooks are: the kernel's numbers of a protocol and of a place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hooked {
    Ingress,
    Egress,
    Ip4In,
    Ip6In,
    ArpOut,
}

impl Hooked {
    /// linux/netfilter.h: NFPROTO_…, and the hook's number.
    fn numbers(self) -> (u8, u32) {
        match self {
            Hooked::Ingress => (5, 0),
            Hooked::Egress => (5, 1),
            Hooked::Ip4In => (2, 0),
            Hooked::Ip6In => (10, 0),
            Hooked::ArpOut => (3, 1),
        }
    }
}

/// linux/netfilter/nfnetlink_hook.h and nfnetlink.h: the subsystem's one message, and its attributes.
const HOOK_GET: u16 = 12 << 8;
const HOOK_NUMBER: u16 = 1;
const HOOK_DEVICE: u16 = 3;
const HOOK_MODULE: u16 = 5;

const AF_NETLINK: i32 = 16;
const NETLINK_NETFILTER: i32 = 12;
/// A request for a list.
const REQUEST_DUMP: u16 = 1 | 0x300;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Bytes of a netlink header, and of netfilter's behind it.
const HEADER: usize = 16;
const NF_HEADER: usize = 4;

/// Asks for the hooks at one place.
pub(super) struct HookList {
    socket: Socket,
}

impl HookList {
    pub(super) fn open() -> Result<Self> {
        let protocol = Some(Protocol::from(NETLINK_NETFILTER));
        let socket = Socket::new(Domain::from(AF_NETLINK), Type::RAW, protocol)?;
        Ok(Self { socket })
    }

    /// How many hooks of nlb are there, on a device if it is a place of devices.
    pub(super) fn of_nlb(&self, place: Hooked, device: Option<&str>) -> Result<usize> {
        let (family, number) = place.numbers();
        let mut body = vec![family, 0, 0, 0];
        body.extend(attribute(HOOK_NUMBER, &number.to_be_bytes()));
        if let Some(device) = device {
            body.extend(attribute(HOOK_DEVICE, &crate::genl::text(device)));
        }
        let mut request = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
        request.extend(HOOK_GET.to_ne_bytes());
        request.extend(REQUEST_DUMP.to_ne_bytes());
        // Sequence number and port: nothing else is under way on this socket.
        request.extend([0; 8]);
        request.extend(body);
        (&self.socket).write_all(&request)?;
        self.count()
    }

    fn count(&self) -> Result<usize> {
        let mut found = 0;
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let len = (&self.socket).read(&mut buffer)?;
            let mut rest = &buffer[..len];
            while rest.len() >= HEADER {
                let size = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
                ensure!((HEADER..=rest.len()).contains(&size), "a torn message");
                let (message, after) = rest.split_at(size.next_multiple_of(4).min(rest.len()));
                rest = after;
                match u16::from_ne_bytes([message[4], message[5]]) {
                    DONE => return Ok(found),
                    ERROR => {
                        let code = message.get(16..20).and_then(<[u8]>::first_chunk);
                        let code = code.map_or(0, |code| i32::from_ne_bytes(*code));
                        bail!(Error::from_raw_os_error(-code));
                    }
                    _ => found += usize::from(is_of_nlb(message)),
                }
            }
        }
    }
}

/// Whether a hook is of the module nlb.
fn is_of_nlb(message: &[u8]) -> bool {
    let mut rest = message.get(HEADER + NF_HEADER..).unwrap_or_default();
    while let &[a, b, c, d, ..] = rest {
        let size = usize::from(u16::from_ne_bytes([a, b])).max(4);
        let kind = u16::from_ne_bytes([c, d]);
        let payload = rest.get(4..size).unwrap_or_default();
        if kind == HOOK_MODULE && payload.strip_suffix(&[0]).unwrap_or(payload) == b"nlb" {
            return true;
        }
        rest = rest.get(size.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{HOOK_DEVICE, HOOK_MODULE, HOOK_NUMBER, is_of_nlb};
    use crate::genl::{attribute, text};

    #[test]
    fn the_module_of_a_hook_is_found() {
        let message = |module: &str| {
            [
                vec![0; super::HEADER + super::NF_HEADER],
                attribute(HOOK_NUMBER, &[0; 4]),
                attribute(HOOK_MODULE, &text(module)),
                attribute(HOOK_DEVICE, &text("nlb")),
            ]
            .concat()
        };
        assert!(is_of_nlb(&message("nlb")));
        assert!(!is_of_nlb(&message("nf_tables")));
        assert!(!is_of_nlb(&[0; 7]));
    }
}
