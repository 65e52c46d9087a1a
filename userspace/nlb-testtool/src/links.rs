// SPDX-License-Identifier: GPL-2.0-only
//! Changes interfaces of many namespaces, one for each line that it reads: on
//! the debug kernel starting `ip` takes most of a second, a change a hundredth.
//!
//! A line is `NAMESPACE VERB WORD…`; the answer to it is `ok`, with the index of
//! the interface after `show`, or `failed`, and the reason goes to standard error:
//!
//! ```text
//! h2 show eth0
//! h2 set eth0 up|down|nomaster
//! h2 set eth0 name|mtu|address|netns|master|group|txqueuelen|promisc|allmulticast|arp VALUE
//! h2 add NAME bond|bridge|team|vrf TABLE|vlan PARENT ID|macvlan PARENT bridge|passthru
//! h2 add NAME veth MAC PEER NAMESPACE
//! h2 del eth0
//! h2 address 10.0.0.2/16 eth0
//! h2 route 10.1.0.0/16 10.0.0.100
//! h2 run COMMAND WORD…
//! ```

use std::fs::File;
use std::io::{BufRead, Write, stderr, stdin, stdout};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use ipnet::Ipv4Net;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{
        BondMode, InfoBond, InfoBridge, InfoData, InfoKind, InfoMacVlan, InfoVeth, InfoVlan,
        InfoVrf, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
    },
    route::{
        RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
        RouteType,
    },
};
use nix::sched::{CloneFlags, setns};
use nlb_netlink::{NetlinkSocket, connection::Connection, route::Route};

/// Nothing to be told: all is in the lines.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Where namespaces have names.
const NAMESPACES: &str = "/run/netns";

/// Do what the lines say until they end.
pub(crate) fn run(_: &Args) -> Result<()> {
    let home = File::open("/proc/self/ns/net")?;
    for line in stdin().lock().lines() {
        let line = line?;
        let outcome = perform(&line);
        // A namespace that somebody deletes must not live on in here.
        setns(&home, CloneFlags::CLONE_NEWNET)?;
        match outcome {
            Ok(Some(index)) => println!("ok {index}"),
            Ok(None) => println!("ok"),
            Err(error) => {
                eprintln!("{line}: {error:#}");
                println!("failed");
            }
        }
        stdout().flush()?;
    }
    Ok(())
}

fn namespace(name: &str) -> Result<File> {
    let path = Path::new(NAMESPACES).join(name);
    File::open(&path).with_context(|| path.display().to_string())
}

fn perform(line: &str) -> Result<Option<u32>> {
    let words: Vec<_> = line.split_whitespace().collect();
    let [place, verb, words @ ..] = &words[..] else {
        bail!("no namespace and verb");
    };
    setns(namespace(place)?, CloneFlags::CLONE_NEWNET)?;
    match (*verb, words) {
        ("show", [name]) => return index(name).map(Some),
        ("set", [name, what @ ..]) => set(name, what)?,
        ("add", [name, kind, what @ ..]) => add(name, kind, what)?,
        ("del", [name]) => request(RouteNetlinkMessage::DelLink(link(index(name)?)), 0)?,
        ("address", [address, name]) => replace_address(address.parse()?, index(name)?)?,
        ("route", [to, via]) => replace_route(to.parse()?, via.parse()?)?,
        ("run", [command, words @ ..]) => {
            let status = Command::new(command)
                .args(words)
                .stdin(Stdio::null())
                .stdout(stderr())
                .status()?;
            ensure!(status.success(), "{status}");
        }
        _ => bail!("not understood"),
    }
    Ok(None)
}

/// A request in the namespace where this thread is now.
fn request(message: RouteNetlinkMessage, flags: u16) -> Result<()> {
    Connection::new(NetlinkSocket::route()?).request(message, flags)?;
    Ok(())
}

fn index(name: &str) -> Result<u32> {
    let found = Route::new(NetlinkSocket::route()?).interface(name)?;
    Ok(found.with_context(|| format!("no interface {name}"))?.index)
}

fn link(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

fn mac(text: &str) -> Result<Vec<u8>> {
    let bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16));
    Ok(bytes.collect::<Result<_, _>>()?)
}

fn is_on(text: &str) -> Result<bool> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => bail!("{text} is neither on nor off"),
    }
}

fn set(name: &str, what: &[&str]) -> Result<()> {
    let mut message = link(index(name)?);
    let mut flag = |flag, on| {
        message.header.change_mask = flag;
        message.header.flags = if on { flag } else { LinkFlags::empty() };
    };
    let mut target = None;
    let attribute = match what {
        ["up"] => {
            flag(LinkFlags::Up, true);
            None
        }
        ["down"] => {
            flag(LinkFlags::Up, false);
            None
        }
        ["promisc", on] => {
            flag(LinkFlags::Promisc, is_on(on)?);
            None
        }
        ["allmulticast", on] => {
            flag(LinkFlags::Allmulti, is_on(on)?);
            None
        }
        ["arp", on] => {
            flag(LinkFlags::Noarp, !is_on(on)?);
            None
        }
        ["nomaster"] => Some(LinkAttribute::Controller(0)),
        ["master", master] => Some(LinkAttribute::Controller(index(master)?)),
        ["name", name] => Some(LinkAttribute::IfName((*name).to_owned())),
        ["mtu", mtu] => Some(LinkAttribute::Mtu(mtu.parse()?)),
        ["address", address] => Some(LinkAttribute::Address(mac(address)?)),
        ["group", group] => Some(LinkAttribute::Group(group.parse()?)),
        ["txqueuelen", len] => Some(LinkAttribute::TxQueueLen(len.parse()?)),
        ["netns", place] => {
            let file = target.insert(namespace(place)?);
            Some(LinkAttribute::NetNsFd(file.as_raw_fd()))
        }
        _ => bail!("not understood"),
    };
    message.attributes.extend(attribute);
    request(RouteNetlinkMessage::NewLink(message), 0)
}

fn add(name: &str, kind: &str, what: &[&str]) -> Result<()> {
    let mut message = link(0);
    message
        .attributes
        .push(LinkAttribute::IfName(name.to_owned()));
    let mut parent = None;
    let mut peer = None;
    let (kind, data) = match (kind, what) {
        ("bond", []) => {
            let data = vec![
                InfoBond::Mode(BondMode::ActiveBackup),
                InfoBond::MiiMon(100),
            ];
            (InfoKind::Bond, Some(InfoData::Bond(data)))
        }
        ("bridge", []) => (InfoKind::Bridge, None),
        ("bridge", ["snooping"]) => {
            let data = vec![InfoBridge::MulticastSnooping(true)];
            (InfoKind::Bridge, Some(InfoData::Bridge(data)))
        }
        ("bridge", ["flooding"]) => {
            let data = vec![InfoBridge::MulticastSnooping(false)];
            (InfoKind::Bridge, Some(InfoData::Bridge(data)))
        }
        ("team", []) => (InfoKind::Team, None),
        ("vrf", [table]) => {
            let data = vec![InfoVrf::TableId(table.parse()?)];
            (InfoKind::Vrf, Some(InfoData::Vrf(data)))
        }
        ("vlan", [under, id]) => {
            parent = Some(index(under)?);
            let data = vec![InfoVlan::Id(id.parse()?)];
            (InfoKind::Vlan, Some(InfoData::Vlan(data)))
        }
        ("macvlan", [under, mode]) => {
            parent = Some(index(under)?);
            let mode = match *mode {
                "bridge" => MacVlanMode::Bridge,
                "passthru" => MacVlanMode::Passthrough,
                _ => bail!("mode {mode} is not known here"),
            };
            let data = vec![InfoMacVlan::Mode(mode)];
            (InfoKind::MacVlan, Some(InfoData::MacVlan(data)))
        }
        ("veth", [address, other, place]) => {
            message
                .attributes
                .push(LinkAttribute::Address(mac(address)?));
            let file = peer.insert(namespace(place)?);
            let mut end = link(0);
            end.attributes = vec![
                LinkAttribute::IfName((*other).to_owned()),
                LinkAttribute::NetNsFd(file.as_raw_fd()),
            ];
            let data = InfoVeth::Peer(end);
            (InfoKind::Veth, Some(InfoData::Veth(data)))
        }
        _ => bail!("not understood"),
    };
    message.attributes.extend(parent.map(LinkAttribute::Link));
    let mut info = vec![LinkInfo::Kind(kind)];
    info.extend(data.map(LinkInfo::Data));
    message.attributes.push(LinkAttribute::LinkInfo(info));
    request(
        RouteNetlinkMessage::NewLink(message),
        NLM_F_CREATE | NLM_F_EXCL,
    )
}

fn replace_address(network: Ipv4Net, index: u32) -> Result<()> {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = network.prefix_len();
    let address = IpAddr::V4(network.addr());
    message.attributes = vec![
        AddressAttribute::Local(address),
        AddressAttribute::Address(address),
    ];
    request(
        RouteNetlinkMessage::NewAddress(message),
        NLM_F_CREATE | NLM_F_REPLACE,
    )
}

fn replace_route(to: Ipv4Net, via: Ipv4Addr) -> Result<()> {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.destination_prefix_length = to.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Boot;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![
        RouteAttribute::Destination(RouteAddress::Inet(to.network())),
        RouteAttribute::Gateway(RouteAddress::Inet(via)),
    ];
    request(
        RouteNetlinkMessage::NewRoute(message),
        NLM_F_CREATE | NLM_F_REPLACE,
    )
}

#[cfg(test)]
mod tests {
    use super::{is_on, mac, perform};

    #[test]
    fn words_are_understood_or_refused() {
        assert_eq!(mac("02:00:00:00:00:fe").unwrap(), [2, 0, 0, 0, 0, 0xfe]);
        assert!(mac("02:zz").is_err());
        assert!(is_on("on").unwrap() && !is_on("off").unwrap());
        assert!(is_on("up").is_err());
        assert!(perform("").is_err());
        assert!(perform("h2").is_err());
        assert!(perform("no-such-namespace show lo").is_err());
    }
}
