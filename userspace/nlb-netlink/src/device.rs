// SPDX-License-Identifier: GPL-2.0-only

//! What else stands on the way of a packet to the cluster, as rtnetlink tells it: devices beneath the interface, programs
//! and filters on them, and the way back to clients. Nothing is changed here.

use std::net::Ipv4Addr;

use netlink_packet_core::{DefaultNla, Nla};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::{InfoBridge, InfoData, LinkAttribute, LinkInfo, LinkMessage, LinkXdp},
    route::{RouteAddress, RouteAttribute, RouteMessage},
    tc::{TcAttribute, TcFilterBpfOption, TcHandle, TcMessage, TcOption},
};

use crate::{connection::Connection, error::Error, transport::Transport};

/// The ingress of a device as a parent of filters: `TC_H_CLSACT` and `TC_H_MIN_INGRESS`.
const INGRESS: u32 = 0xffff_fff2;

/// `IFLA_PARENT_DEV_NAME` and `IFLA_PARENT_DEV_BUS_NAME`, which the crate does not name.
const PARENT_DEVICE: u16 = 56;
const PARENT_BUS: u16 = 57;

/// Refusals that say that there is no way: `EACCES`, `EINVAL`, `ENETUNREACH`, `EHOSTUNREACH`.
const NO_WAY: [i32; 4] = [13, 22, 101, 113];

/// A device and what it is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What makes it: `bridge`, `bond`, `veth`; hardware has none.
    pub kind: Option<String>,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Index of the bridge, bond or team that it is a port of.
    pub port_of: Option<u32>,
    /// Index of the device of this namespace that it is stacked on, as a VLAN is.
    pub lower: Option<u32>,
    /// Ids of the XDP programs on it.
    pub xdp: Vec<u32>,
    /// The bus that its hardware is on (`pci`, `vmbus`, `virtio`), and its name there.
    pub hardware: Option<(String, String)>,
    /// A bridge whose own settings hand IPv4 packets to iptables, and IPv6 packets.
    pub bridge_filters: (bool, bool),
}

/// A filter of traffic control.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Filter {
    /// Its priority: packets meet the lowest first.
    pub priority: u16,
    /// Its classifier: `matchall`, `flower`, `bpf`.
    pub kind: String,
    /// Name of its program, if it is one.
    pub program: Option<String>,
}

/// Reads devices and what hangs on them.
#[derive(Debug)]
pub struct Devices<T> {
    connection: Connection<T>,
}

impl<T: Transport> Devices<T> {
    /// A reader over a rtnetlink transport.
    pub fn new(transport: T) -> Self {
        Devices {
            connection: Connection::new(transport),
        }
    }

    /// All devices of the network namespace.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn links(&mut self) -> Result<Vec<Link>, Error> {
        let replies = self
            .connection
            .dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
        Ok(replies.into_iter().filter_map(link_of).collect())
    }

    /// The filters at the ingress of a device, in the order in which packets meet them; each once.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn filters(&mut self, ifindex: u32) -> Result<Vec<Filter>, Error> {
        #[expect(
            clippy::cast_possible_wrap,
            reason = "indices are positive numbers of 32 bits"
        )]
        let mut message = TcMessage::with_index(ifindex as i32);
        message.header.parent = TcHandle::from(INGRESS);
        let replies = self
            .connection
            .dump(RouteNetlinkMessage::GetTrafficFilter(message))?;
        let mut filters: Vec<Filter> = replies.into_iter().filter_map(filter_of).collect();
        filters.sort();
        // Each priority is told of once for itself, then with each of its filters: a program has a name there.
        filters.dedup_by(|later, first| {
            let same = (later.priority, &later.kind) == (first.priority, &first.kind);
            if same && first.program.is_none() {
                std::mem::swap(later, first);
            }
            same && (later.program.is_none() || later.program == first.program)
        });
        Ok(filters)
    }

    /// The index of the device by which a packet leaves to an address, from one of the host's own; none if there is no
    /// way.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn way_out(&mut self, from: Option<Ipv4Addr>, to: Ipv4Addr) -> Result<Option<u32>, Error> {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        message.header.destination_prefix_length = 32;
        message
            .attributes
            .push(RouteAttribute::Destination(RouteAddress::Inet(to)));
        if let Some(from) = from {
            message.header.source_prefix_length = 32;
            message
                .attributes
                .push(RouteAttribute::Source(RouteAddress::Inet(from)));
        }
        match self
            .connection
            .request(RouteNetlinkMessage::GetRoute(message), 0)
        {
            Ok(replies) => Ok(replies.into_iter().find_map(device_of_route)),
            Err(error) if error.errno().is_some_and(|errno| NO_WAY.contains(&errno)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn link_of(message: RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(message) = message else {
        return None;
    };
    let mut link = Link {
        index: message.header.index,
        ..Link::default()
    };
    let (mut elsewhere, mut bus, mut device) = (false, None, None);
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Controller(index) => link.port_of = Some(index),
            LinkAttribute::Link(index) => link.lower = Some(index).filter(|&index| index != 0),
            LinkAttribute::LinkNetNsId(_) => elsewhere = true,
            LinkAttribute::Xdp(parts) => link.xdp = programs(&parts),
            LinkAttribute::LinkInfo(parts) => made_of(&mut link, parts),
            LinkAttribute::Other(other) if other.kind() == PARENT_DEVICE => device = text(&other),
            LinkAttribute::Other(other) if other.kind() == PARENT_BUS => bus = text(&other),
            _ => {}
        }
    }
    // The other end of a pair is not beneath it, and an index of another namespace means nothing here.
    let pair = matches!(link.kind.as_deref(), Some("veth" | "netkit" | "vxcan"));
    if elsewhere || pair {
        link.lower = None;
    }
    link.hardware = bus.zip(device);
    Some(link)
}

fn made_of(link: &mut Link, parts: Vec<LinkInfo>) {
    for part in parts {
        match part {
            LinkInfo::Kind(kind) => link.kind = Some(kind.to_string()),
            LinkInfo::Data(InfoData::Bridge(settings)) => {
                link.bridge_filters = (
                    settings.contains(&InfoBridge::NfCallIpTables(true)),
                    settings.contains(&InfoBridge::NfCallIp6Tables(true)),
                );
            }
            _ => {}
        }
    }
}

/// The ids of programs: of each mode where there are several, else the one.
fn programs(parts: &[LinkXdp]) -> Vec<u32> {
    let mut ids: Vec<u32> = parts
        .iter()
        .filter_map(|part| match part {
            LinkXdp::ProgId(id)
            | LinkXdp::DrvProgId(id)
            | LinkXdp::SkbProgId(id)
            | LinkXdp::HwProgId(id) => Some(*id),
            _ => None,
        })
        .filter(|&id| id != 0)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// A text attribute, without its zero.
fn text(attribute: &DefaultNla) -> Option<String> {
    let mut bytes = vec![0; attribute.value_len()];
    attribute.emit_value(&mut bytes);
    let end = bytes.iter().position(|&byte| byte == 0)?;
    bytes.truncate(end);
    String::from_utf8(bytes).ok()
}

fn filter_of(message: RouteNetlinkMessage) -> Option<Filter> {
    let RouteNetlinkMessage::NewTrafficFilter(message) = message else {
        return None;
    };
    let kind = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            TcAttribute::Kind(kind) => Some(kind.clone()),
            _ => None,
        })?;
    let program = message
        .attributes
        .iter()
        .filter_map(|attribute| match attribute {
            TcAttribute::Options(options) => Some(options),
            _ => None,
        })
        .flatten()
        .find_map(|option| match option {
            TcOption::Bpf(TcFilterBpfOption::ProgName(name)) => Some(name.clone()),
            _ => None,
        });
    Some(Filter {
        kind,
        program,
        // The lower half is the protocol.
        priority: (message.header.info >> 16) as u16,
    })
}

fn device_of_route(message: RouteNetlinkMessage) -> Option<u32> {
    let RouteNetlinkMessage::NewRoute(message) = message else {
        return None;
    };
    message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Oif(index) => Some(*index),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::link::InfoKind;

    use super::*;

    fn link(attributes: Vec<LinkAttribute>) -> Link {
        let mut message = LinkMessage::default();
        message.header.index = 7;
        message.attributes = attributes;
        link_of(RouteNetlinkMessage::NewLink(message)).unwrap()
    }

    fn kind(kind: InfoKind) -> LinkAttribute {
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)])
    }

    #[test]
    fn a_vlan_has_a_device_beneath_and_a_pair_has_none() {
        let vlan = vec![LinkAttribute::Link(3), kind(InfoKind::Vlan)];
        assert_eq!(link(vlan.clone()).lower, Some(3));
        let elsewhere = [vlan, vec![LinkAttribute::LinkNetNsId(0)]].concat();
        assert_eq!(link(elsewhere).lower, None);
        let pair = vec![LinkAttribute::Link(3), kind(InfoKind::Veth)];
        assert_eq!(link(pair).lower, None);
    }

    #[test]
    fn a_bridge_has_settings_of_its_own() {
        let settings = InfoData::Bridge(vec![
            InfoBridge::NfCallIpTables(true),
            InfoBridge::NfCallIp6Tables(false),
        ]);
        let bridge = link(vec![LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Bridge),
            LinkInfo::Data(settings),
        ])]);
        assert_eq!(bridge.kind.as_deref(), Some("bridge"));
        assert_eq!(bridge.bridge_filters, (true, false));
    }

    #[test]
    fn programs_and_hardware_have_names() {
        let parts = vec![
            LinkXdp::ProgId(12),
            LinkXdp::SkbProgId(12),
            LinkXdp::HwProgId(0),
        ];
        let name = |kind, text: &str| {
            LinkAttribute::Other(DefaultNla::new(kind, [text.as_bytes(), b"\0"].concat()))
        };
        let card = link(vec![
            LinkAttribute::Xdp(parts),
            name(PARENT_BUS, "pci"),
            name(PARENT_DEVICE, "0000:00:03.0"),
        ]);
        assert_eq!(card.xdp, [12]);
        assert_eq!(card.hardware, Some(("pci".into(), "0000:00:03.0".into())));
    }
}
