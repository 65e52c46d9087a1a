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
    link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage},
};

use crate::{connection::Connection, error::Error, extack::AttributeNames, transport::Transport};

/// Who added an address (`IFA_PROTO`): this value marks those of nlbadm, for people and for `doctor`. The kernel's own values end at 3; this one is the letter N.
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
    /// Index of the interface that has it.
    pub ifindex: u32,
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
        Ok(self.link(message)?.and_then(interface_of))
    }

    /// The interface of an index, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn interface_at(&mut self, ifindex: u32) -> Result<Option<Interface>, Error> {
        Ok(self.link(at(ifindex))?.and_then(interface_of))
    }

    fn link(&mut self, asked: LinkMessage) -> Result<Option<LinkMessage>, Error> {
        match self
            .connection
            .request(RouteNetlinkMessage::GetLink(asked), 0)
        {
            Ok(replies) => Ok(replies.into_iter().find_map(|reply| match reply {
                RouteNetlinkMessage::NewLink(link) => Some(link),
                _ => None,
            })),
            Err(error) if error.errno() == Some(ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The VRF that an interface is a port of, if it is of one.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn vrf_of(&mut self, ifindex: u32) -> Result<Option<u32>, Error> {
        let Some(master) = self.link(at(ifindex))?.as_ref().and_then(master_of) else {
            return Ok(None);
        };
        let link = self.link(at(master))?;
        Ok(link.filter(is_vrf).map(|_| master))
    }

    /// Sets an interface up, as a port of the VRF that another one is a port of, if it is of one.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn set_up_beside(&mut self, ifindex: u32, other: u32) -> Result<(), Error> {
        let (is, wanted) = (self.vrf_of(ifindex)?, self.vrf_of(other)?);
        let mut message = at(ifindex);
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        if is != wanted {
            let vrf = LinkAttribute::Controller(wanted.unwrap_or(0));
            message.attributes.push(vrf);
        }
        self.connection
            .request(RouteNetlinkMessage::SetLink(message), 0)
            .map(drop)
    }

    /// The addresses of an interface, IPv4 first, in the kernel's order.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn addresses(&mut self, ifindex: u32) -> Result<Vec<Address>, Error> {
        let mut addresses = self.all_addresses()?;
        addresses.retain(|address| address.ifindex == ifindex);
        // A stable sort: the order within a family is the kernel's, the first is the one it prefers.
        addresses.sort_by_key(|address| address.address.is_ipv6());
        Ok(addresses)
    }

    /// The addresses of all interfaces, in the kernel's order.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn all_addresses(&mut self) -> Result<Vec<Address>, Error> {
        let message = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let replies = self.connection.dump(message)?;
        Ok(replies.into_iter().filter_map(address_of).collect())
    }

    /// Adds an address as a single host address, marked as ours, that is never the source of the host's own
    /// connections unless a program binds to it. IPv4: with the scope of a link, which the kernel does not take from other
    /// interfaces (`inet_select_addr()`). IPv6: deprecated, and without duplicate address detection, which would fight
    /// between the hosts.
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

    /// Takes an address away that [`Route::add_address`] added.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`]; `EADDRNOTAVAIL` if the interface does not have it.
    pub fn remove_address(&mut self, ifindex: u32, address: IpAddr) -> Result<(), Error> {
        let message = host_address(ifindex, address);
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
    if address.is_ipv4() {
        message.header.scope = AddressScope::Link;
    } else {
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

/// A request about the interface of an index.
fn at(ifindex: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = ifindex;
    message
}

fn master_of(link: &LinkMessage) -> Option<u32> {
    link.attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Controller(master) if *master != 0 => Some(*master),
            _ => None,
        })
}

fn is_vrf(link: &LinkMessage) -> bool {
    link.attributes.iter().any(|attribute| {
        matches!(attribute, LinkAttribute::LinkInfo(info)
            if info.contains(&LinkInfo::Kind(InfoKind::Vrf)))
    })
}

fn interface_of(link: LinkMessage) -> Option<Interface> {
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

fn address_of(message: RouteNetlinkMessage) -> Option<Address> {
    let RouteNetlinkMessage::NewAddress(message) = message else {
        return None;
    };
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
        ifindex: message.header.index,
        // IPv6 has only IFA_ADDRESS; on a point-to-point IPv4 link IFA_ADDRESS is the other end.
        address: local.or(peer)?,
        prefix: message.header.prefix_len,
        global: message.header.scope == AddressScope::Universe,
        ours,
    })
}
