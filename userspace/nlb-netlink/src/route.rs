// SPDX-License-Identifier: GPL-2.0-only

//! The little of rtnetlink that nlbadm needs: interfaces and their addresses.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{
        AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol,
        AddressScope, CacheInfo,
    },
    link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage},
};

use crate::{connection::Connection, error::Error, extack::AttributeNames, transport::Transport};

/// Who added an address (`IFA_PROTO`): this value marks those of nlbadm, so that `down` removes what `up` added and
/// nothing else. The kernel's own values end at 3; this one is the letter N.
pub const ADDRESS_PROTOCOL: u8 = b'N';

/// Longest name of an interface (`IFNAMSIZ` without its zero).
const IFNAME_MAX: usize = 15;

/// `ENODEV`
const ENODEV: i32 = 19;

/// A lifetime without end.
const FOREVER: u32 = u32::MAX;

impl AttributeNames for RouteNetlinkMessage {
    fn attribute_name(&self, _kind: u16) -> Option<String> {
        None
    }
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Whether it is the loopback interface.
    pub loopback: bool,
    /// Whether it is of type Ethernet.
    pub ethernet: bool,
    /// Whether it is up.
    pub up: bool,
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// Bits of its prefix.
    pub prefix: u8,
    /// Whether its scope is global.
    pub global: bool,
    /// Whether nlbadm added it.
    pub ours: bool,
}

/// Reads interfaces, reads and changes their addresses.
#[derive(Debug)]
pub struct Route<T> {
    connection: Connection<T>,
}

impl<T: Transport> Route<T> {
    /// A client over a rtnetlink transport.
    pub fn new(transport: T) -> Self {
        Route {
            connection: Connection::new(transport),
        }
    }

    /// The interface of a name, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn interface(&mut self, name: &str) -> Result<Option<Interface>, Error> {
        if name.is_empty() || name.len() > IFNAME_MAX {
            return Ok(None);
        }
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        match self
            .connection
            .request(RouteNetlinkMessage::GetLink(message), 0)
        {
            Ok(replies) => Ok(replies.into_iter().find_map(interface_of)),
            Err(error) if error.errno() == Some(ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The addresses of an interface, IPv4 first, in the kernel's order.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn addresses(&mut self, ifindex: u32) -> Result<Vec<Address>, Error> {
        let mut message = AddressMessage::default();
        message.header.index = ifindex;
        let replies = self
            .connection
            .dump(RouteNetlinkMessage::GetAddress(message))?;
        let mut addresses: Vec<_> = replies
            .into_iter()
            .filter_map(|reply| address_of(reply, ifindex))
            .collect();
        // A stable sort: the order within a family is the kernel's, the first is the one it prefers.
        addresses.sort_by_key(|address| address.address.is_ipv6());
        Ok(addresses)
    }

    /// Adds an address as a single host address, marked as ours. IPv6: without duplicate address detection, which
    /// would fight between the hosts, and deprecated, so that it is never the source of the host's own connections.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`]; `EEXIST` if the interface has the address.
    pub fn add_address(&mut self, ifindex: u32, address: IpAddr) -> Result<(), Error> {
        let message = host_address(ifindex, address);
        self.connection
            .request(
                RouteNetlinkMessage::NewAddress(message),
                NLM_F_CREATE | NLM_F_EXCL,
            )
            .map(drop)
    }

    /// Deletes a single host address.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`]; `EADDRNOTAVAIL` if the interface has no such address.
    pub fn delete_address(&mut self, ifindex: u32, address: IpAddr) -> Result<(), Error> {
        let mut message = AddressMessage::default();
        set_header(&mut message, ifindex, address);
        message.attributes = vec![AddressAttribute::Local(address)];
        self.connection
            .request(RouteNetlinkMessage::DelAddress(message), 0)
            .map(drop)
    }
}

fn set_header(message: &mut AddressMessage, ifindex: u32, address: IpAddr) {
    message.header.index = ifindex;
    (message.header.family, message.header.prefix_len) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, 32),
        IpAddr::V6(_) => (AddressFamily::Inet6, 128),
    };
}

fn host_address(ifindex: u32, address: IpAddr) -> AddressMessage {
    let mut message = AddressMessage::default();
    set_header(&mut message, ifindex, address);
    message.attributes = vec![
        AddressAttribute::Local(address),
        AddressAttribute::Address(address),
        AddressAttribute::Protocol(AddressProtocol::Other(ADDRESS_PROTOCOL)),
    ];
    if address.is_ipv6() {
        let mut lifetime = CacheInfo::default();
        lifetime.ifa_valid = FOREVER;
        message.header.flags = AddressHeaderFlags::Nodad;
        message
            .attributes
            .push(AddressAttribute::Flags(AddressFlags::Nodad));
        message
            .attributes
            .push(AddressAttribute::CacheInfo(lifetime));
    }
    message
}

fn interface_of(message: RouteNetlinkMessage) -> Option<Interface> {
    let RouteNetlinkMessage::NewLink(link) = message else {
        return None;
    };
    let name = link
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        })?;
    Some(Interface {
        index: link.header.index,
        name,
        loopback: link.header.flags.contains(LinkFlags::Loopback),
        ethernet: link.header.link_layer_type == LinkLayerType::Ether,
        up: link.header.flags.contains(LinkFlags::Up),
    })
}

pub(crate) fn address_of(message: RouteNetlinkMessage, ifindex: u32) -> Option<Address> {
    let RouteNetlinkMessage::NewAddress(message) = message else {
        return None;
    };
    // A kernel that does not filter dumps sends those of all interfaces.
    if message.header.index != ifindex {
        return None;
    }
    let (mut local, mut peer, mut ours) = (None, None, false);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(value) => local = Some(*value),
            AddressAttribute::Address(value) => peer = Some(*value),
            AddressAttribute::Protocol(value) => ours = u8::from(*value) == ADDRESS_PROTOCOL,
            _ => {}
        }
    }
    Some(Address {
        // IPv6 has only IFA_ADDRESS; on a point-to-point IPv4 link IFA_ADDRESS is the other end.
        address: local.or(peer)?,
        prefix: message.header.prefix_len,
        global: message.header.scope == AddressScope::Universe,
        ours,
    })
}
