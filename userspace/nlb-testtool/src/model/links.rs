// SPDX-License-Identifier: GPL-2.0-only
//! Carries out device events over netlink: on the debug kernel starting `ip`
//! takes most of a second, a change a hundredth.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{
        BondMode, InfoBond, InfoBridge, InfoData, InfoIpVlan, InfoKind, InfoMacVlan, InfoVeth,
        InfoVlan, InfoVrf, IpVlanMode, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
        MacVlanMode,
    },
};
use nlb_netlink::{NetlinkSocket, connection::Connection, route::Route};

use super::event::{Change, Event, Flag, Kind, PortChange, Sort};
use super::place::{self, SWITCH, enter};
use super::world::World;
use crate::{ethtool, ovs, team};

/// The bridge of the switch, and its MAC, as lib/net.sh makes it.
const BRIDGE: &str = "br0";
const BRIDGE_MAC: [u8; 6] = [2, 0, 0, 0, 0xff, 1];

/// Milliseconds between two looks of a bond at its ports.
const MII_MS: u32 = 100;

/// A name that is nobody's.
const ENODEV: i32 = 19;

/// A request in the namespace where this thread is now.
fn request(message: RouteNetlinkMessage, flags: u16) -> Result<()> {
    Connection::new(NetlinkSocket::route()?).request(message, flags)?;
    Ok(())
}

/// The index of an interface in the namespace where this thread is now.
pub(super) fn index(name: &str) -> Result<u32> {
    let found = Route::new(NetlinkSocket::route()?).interface(name)?;
    let found = found.ok_or_else(|| std::io::Error::from_raw_os_error(ENODEV));
    Ok(found.with_context(|| name.to_owned())?.index)
}

fn link(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

/// Runs a program that must succeed.
pub(super) fn run(program: &str, words: &[&str]) -> Result<()> {
    let output = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .with_context(|| program.to_owned())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {}: {}", words.join(" "), said.trim());
    }
    Ok(())
}

/// Carries out an event. The world is as before it.
pub(super) fn perform(event: &Event, world: &World) -> Result<()> {
    match event {
        Event::NamespaceAdd(name) => add_namespace(name),
        Event::NamespaceDel(name) => run("ip", &["netns", "del", name]),
        Event::Add { place, name, kind } => add(place, name, kind),
        Event::Del { place, name } => {
            let _inside = enter(place)?;
            let is_ovs = |it: &super::world::Device| it.sort() == Sort::Ovs;
            if world.find(place, name).is_some_and(|(_, it)| is_ovs(it)) {
                return ovs::delete(name);
            }
            delete(name)
        }
        Event::Set {
            place,
            name,
            change,
        } => {
            let _inside = enter(place)?;
            set(index(name)?, change)
        }
        Event::Move { place, name, to } => {
            let _inside = enter(place)?;
            let target = place::file(to)?;
            let mut message = link(index(name)?);
            message
                .attributes
                .push(LinkAttribute::NetNsFd(target.as_raw_fd()));
            request(RouteNetlinkMessage::NewLink(message), 0)
        }
        Event::Enslave {
            place,
            name,
            master,
        } => {
            let _inside = enter(place)?;
            let over = world.find(place, master).context("no such device")?.1;
            enslave(name, master, over.sort())
        }
        Event::Release { place, name } => {
            let _inside = enter(place)?;
            let (_, device) = world.find(place, name).context("no such device")?;
            let master = device.master.and_then(|id| world.devices.get(&id));
            match master {
                Some(master) if master.sort() == Sort::Ovs => ovs::remove_port(&master.name, name),
                _ => set_master(index(name)?, 0),
            }
        }
        Event::Port { port, change } => {
            let _inside = enter(SWITCH)?;
            match change {
                PortChange::Up => set(index(port)?, &Change::Up),
                PortChange::Down => set(index(port)?, &Change::Down),
                PortChange::Cut => set_master(index(port)?, 0),
                PortChange::Plug => set_master(index(port)?, index(BRIDGE)?),
                PortChange::Del => delete(port),
            }
        }
        Event::Module(module) => cycle(module),
    }
}

fn add_namespace(name: &str) -> Result<()> {
    run("ip", &["netns", "add", name])?;
    let _inside = enter(name)?;
    // Only what happens to devices shall take their addresses.
    for scope in ["all", "default"] {
        let file = format!("/proc/sys/net/ipv6/conf/{scope}/accept_dad");
        std::fs::write(&file, "0").with_context(|| file)?;
    }
    set(index("lo")?, &Change::Up)
}

/// Unloads a driver with all of its devices, and loads it again: its notifiers come after nlb's from now on.
fn cycle(module: &str) -> Result<()> {
    let unloaded = run("modprobe", &["-r", module]);
    run("modprobe", &[module])?;
    if module == Sort::Bridge.module() {
        mend_switch()?;
    }
    unloaded
}

/// The switch had its bridge, and all that was plugged into it, from this driver.
fn mend_switch() -> Result<()> {
    let _inside = enter(SWITCH)?;
    if index(BRIDGE).is_ok() {
        return Ok(());
    }
    let mut message = link(0);
    let data = vec![
        InfoBridge::MulticastSnooping(false),
        InfoBridge::ForwardDelay(0),
    ];
    message.attributes = vec![
        LinkAttribute::IfName(BRIDGE.to_owned()),
        LinkAttribute::Address(BRIDGE_MAC.to_vec()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Bridge),
            LinkInfo::Data(InfoData::Bridge(data)),
        ]),
    ];
    request(
        RouteNetlinkMessage::NewLink(message),
        NLM_F_CREATE | NLM_F_EXCL,
    )?;
    let bridge = index(BRIDGE)?;
    set(bridge, &Change::Up)?;
    for other in super::kernel::links()? {
        if other.kind.as_deref() == Some("veth") {
            set_master(other.index, bridge)?;
        }
    }
    Ok(())
}

/// Deletes an interface of the namespace where this thread is now.
pub(super) fn delete(name: &str) -> Result<()> {
    request(RouteNetlinkMessage::DelLink(link(index(name)?)), 0)
}

/// Sets an interface of the namespace where this thread is now up.
pub(super) fn bring_up(name: &str) -> Result<()> {
    set(index(name)?, &Change::Up)
}

fn set_master(index: u32, master: u32) -> Result<()> {
    let mut message = link(index);
    message.attributes.push(LinkAttribute::Controller(master));
    request(RouteNetlinkMessage::NewLink(message), 0)
}

/// Bonds and teams take no port that is up; the others do not mind.
fn enslave(name: &str, master: &str, sort: Sort) -> Result<()> {
    let port = index(name)?;
    set(port, &Change::Down)?;
    let enslaved = match sort {
        Sort::Ovs => ovs::add_port(master, name),
        _ => set_master(port, index(master)?),
    };
    // A VLAN does not come up above an interface that is down; it is a port all the same.
    let _ = set(port, &Change::Up);
    enslaved
}

fn set(index: u32, change: &Change) -> Result<()> {
    let mut message = link(index);
    let mut flag = |flag, on| {
        message.header.change_mask = flag;
        message.header.flags = if on { flag } else { LinkFlags::empty() };
        None
    };
    let attribute = match change {
        Change::Up => flag(LinkFlags::Up, true),
        Change::Down => flag(LinkFlags::Up, false),
        Change::Flag(Flag::Promisc, on) => flag(LinkFlags::Promisc, *on),
        Change::Flag(Flag::Allmulticast, on) => flag(LinkFlags::Allmulti, *on),
        Change::Flag(Flag::Arp, on) => flag(LinkFlags::Noarp, !on),
        Change::Flag(Flag::Carrier, on) => Some(LinkAttribute::Carrier(u8::from(*on))),
        Change::Flag(Flag::VlanFilter, on) => {
            let data = vec![InfoBridge::VlanFiltering(*on)];
            Some(info(InfoKind::Bridge, Some(InfoData::Bridge(data))))
        }
        Change::Active(port) => {
            let data = vec![InfoBond::ActivePort(self::index(port)?)];
            Some(info(InfoKind::Bond, Some(InfoData::Bond(data))))
        }
        Change::Name(name) => Some(LinkAttribute::IfName(name.clone())),
        Change::Mtu(mtu) => Some(LinkAttribute::Mtu(*mtu)),
        Change::Mac(mac) => Some(LinkAttribute::Address(mac.to_vec())),
        Change::Group(group) => Some(LinkAttribute::Group(*group)),
        Change::TxQueueLen(len) => Some(LinkAttribute::TxQueueLen(*len)),
        Change::Feature(name, on) => return ethtool::set_feature(index, name, *on),
        Change::Address(address) => return replace_address(index, *address),
        Change::Flush => return flush(index),
    };
    message.attributes.extend(attribute);
    request(RouteNetlinkMessage::NewLink(message), 0)
}

fn info(kind: InfoKind, data: Option<InfoData>) -> LinkAttribute {
    let mut info = vec![LinkInfo::Kind(kind)];
    info.extend(data.map(LinkInfo::Data));
    LinkAttribute::LinkInfo(info)
}

/// An address by the number in a device's name.
fn address_of(name: &str) -> Ipv4Addr {
    let number = name.trim_start_matches('d').parse().unwrap_or(0u32);
    Ipv4Addr::from(0x0a00_0100 + number)
}

/// A new device is up and has an address.
fn add(place: &str, name: &str, kind: &Kind) -> Result<()> {
    let _inside = enter(place)?;
    match kind {
        Kind::Tun => run("ip", &["tuntap", "add", "dev", name, "mode", "tun"])?,
        Kind::Ovs => ovs::add(name)?,
        _ => add_link(name, kind)?,
    }
    let made = index(name)?;
    match kind {
        Kind::Team { mode } => team::set_mode(made, mode)?,
        // These come without what a cluster needs.
        Kind::Dummy => {
            let flags = LinkFlags::Noarp | LinkFlags::Multicast;
            let mut message = link(made);
            message.header.change_mask = flags;
            message.header.flags = LinkFlags::Multicast;
            request(RouteNetlinkMessage::NewLink(message), 0)?;
        }
        Kind::Veth { port } => {
            let _switch = enter(SWITCH)?;
            let port = index(port)?;
            set_master(port, index(BRIDGE)?)?;
            set(port, &Change::Up)?;
        }
        _ => {}
    }
    replace_address(made, address_of(name))?;
    set(made, &Change::Up)
}

fn add_link(name: &str, kind: &Kind) -> Result<()> {
    let mut message = link(0);
    message
        .attributes
        .push(LinkAttribute::IfName(name.to_owned()));
    if let Some(lower) = kind.lower() {
        message.attributes.push(LinkAttribute::Link(index(lower)?));
    }
    let mut switch = None;
    message.attributes.push(match kind {
        Kind::Veth { port } => {
            let file = switch.insert(place::file(SWITCH)?);
            let mut end = link(0);
            end.attributes = vec![
                LinkAttribute::IfName(port.clone()),
                LinkAttribute::NetNsFd(file.as_raw_fd()),
            ];
            let data = InfoVeth::Peer(end);
            info(InfoKind::Veth, Some(InfoData::Veth(data)))
        }
        Kind::Dummy => info(InfoKind::Dummy, None),
        Kind::Vlan { id, .. } => {
            let data = vec![InfoVlan::Id(*id)];
            info(InfoKind::Vlan, Some(InfoData::Vlan(data)))
        }
        Kind::Macvlan { mode, .. } => {
            let data = vec![InfoMacVlan::Mode(macvlan_mode(mode)?)];
            info(InfoKind::MacVlan, Some(InfoData::MacVlan(data)))
        }
        Kind::Ipvlan { mode, .. } => {
            let data = vec![InfoIpVlan::Mode(ipvlan_mode(mode)?)];
            info(InfoKind::IpVlan, Some(InfoData::IpVlan(data)))
        }
        Kind::Vrf { table } => {
            let data = vec![InfoVrf::TableId(*table)];
            info(InfoKind::Vrf, Some(InfoData::Vrf(data)))
        }
        Kind::Bridge { snooping } => {
            let data = vec![
                InfoBridge::MulticastSnooping(*snooping),
                InfoBridge::ForwardDelay(0),
            ];
            info(InfoKind::Bridge, Some(InfoData::Bridge(data)))
        }
        Kind::Bond { mode } => {
            let data = vec![InfoBond::Mode(bond_mode(mode)?), InfoBond::MiiMon(MII_MS)];
            info(InfoKind::Bond, Some(InfoData::Bond(data)))
        }
        Kind::Team { .. } => info(InfoKind::Team, None),
        Kind::Tun | Kind::Ovs => bail!("rtnetlink makes no {kind}"),
    });
    request(
        RouteNetlinkMessage::NewLink(message),
        NLM_F_CREATE | NLM_F_EXCL,
    )
}

fn macvlan_mode(mode: &str) -> Result<MacVlanMode> {
    Ok(match mode {
        "bridge" => MacVlanMode::Bridge,
        "private" => MacVlanMode::Private,
        "passthru" => MacVlanMode::Passthrough,
        _ => bail!("macvlan has no mode {mode} here"),
    })
}

fn ipvlan_mode(mode: &str) -> Result<IpVlanMode> {
    Ok(match mode {
        "l2" => IpVlanMode::L2,
        "l3" => IpVlanMode::L3,
        "l3s" => IpVlanMode::L3S,
        _ => bail!("ipvlan has no mode {mode} here"),
    })
}

fn bond_mode(mode: &str) -> Result<BondMode> {
    Ok(match mode {
        "active-backup" => BondMode::ActiveBackup,
        "balance-rr" => BondMode::BalanceRr,
        _ => bail!("bonds have no mode {mode} here"),
    })
}

fn replace_address(index: u32, address: Ipv4Addr) -> Result<()> {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 16;
    let address = IpAddr::V4(address);
    message.attributes = vec![
        AddressAttribute::Local(address),
        AddressAttribute::Address(address),
    ];
    request(
        RouteNetlinkMessage::NewAddress(message),
        NLM_F_CREATE | NLM_F_REPLACE,
    )
}

/// Takes all addresses off an interface, VIPs too.
fn flush(index: u32) -> Result<()> {
    for address in Route::new(NetlinkSocket::route()?).addresses(index)? {
        let mut message = AddressMessage::default();
        message.header.index = index;
        message.header.family = match address.address {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        message.header.prefix_len = address.prefix;
        message.attributes = vec![AddressAttribute::Local(address.address)];
        request(RouteNetlinkMessage::DelAddress(message), 0)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{address_of, bond_mode, ipvlan_mode, macvlan_mode};

    #[test]
    fn each_device_has_an_address_of_its_own() {
        assert_eq!(address_of("d7").to_string(), "10.0.1.7");
        assert_eq!(address_of("d300").to_string(), "10.0.2.44");
    }

    #[test]
    fn modes_are_known_or_refused() {
        assert!(macvlan_mode("passthru").is_ok() && macvlan_mode("l2").is_err());
        assert!(ipvlan_mode("l3s").is_ok() && ipvlan_mode("bridge").is_err());
        assert!(bond_mode("active-backup").is_ok() && bond_mode("802.3ad").is_err());
    }
}
