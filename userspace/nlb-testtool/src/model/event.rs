// SPDX-License-Identifier: GPL-2.0-only
//! Device events, and their text form: one line each, for logs and for kept
//! sequences.
//!
//! ```text
//! netns add n5 | netns del n5
//! n5 add d7 veth q7 | dummy | tun | vlan d3 12 | macvlan d3 bridge | ipvlan d3 l2
//! n5 add d7 vrf 12 | bridge flooding | bond active-backup | team loadbalance | ovs
//! n5 set d7 up | down | name d9 | mtu 1400 | mac 02:00:00:00:09:07 | feature NAME on
//! n5 set d7 carrier|promisc|allmulticast|arp|vlan-filter on|off | group 3 | txqueuelen 500
//! n5 set d7 active d3 | address 10.0.9.7 | flush
//! n5 del d7 | move d7 n6 | enslave d7 d8 | release d7
//! port q7 up | down | cut | plug | del
//! module 8021q | module nlb
//! ```

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

/// A kind of device, as the model distinguishes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    Veth,
    Dummy,
    Tun,
    Vlan,
    Macvlan,
    Ipvlan,
    Vrf,
    Bridge,
    Bond,
    Team,
    Ovs,
}

impl Sort {
    /// The driver, by the name of its module.
    pub(super) fn module(self) -> &'static str {
        match self {
            Sort::Veth => "veth",
            Sort::Dummy => "dummy",
            Sort::Tun => "tun",
            Sort::Vlan => "8021q",
            Sort::Macvlan => "macvlan",
            Sort::Ipvlan => "ipvlan",
            Sort::Vrf => "vrf",
            Sort::Bridge => "bridge",
            Sort::Bond => "bonding",
            Sort::Team => "team",
            Sort::Ovs => "openvswitch",
        }
    }

    /// Whether other devices become its ports.
    pub(super) fn has_ports(self) -> bool {
        matches!(
            self,
            Sort::Vrf | Sort::Bridge | Sort::Bond | Sort::Team | Sort::Ovs
        )
    }

    /// Whether the kernel lets it move to another namespace.
    pub(super) fn can_move(self) -> bool {
        !self.has_ports() && self != Sort::Tun
    }
}

/// What a new device is, and what its driver needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A cable to the switch, with the name of the end there.
    Veth {
        port: String,
    },
    Dummy,
    /// Not an Ethernet device.
    Tun,
    Vlan {
        lower: String,
        id: u16,
    },
    Macvlan {
        lower: String,
        mode: String,
    },
    Ipvlan {
        lower: String,
        mode: String,
    },
    Vrf {
        table: u32,
    },
    Bridge {
        snooping: bool,
    },
    Bond {
        mode: String,
    },
    Team {
        mode: String,
    },
    Ovs,
}

impl Kind {
    pub(super) fn sort(&self) -> Sort {
        match self {
            Kind::Veth { .. } => Sort::Veth,
            Kind::Dummy => Sort::Dummy,
            Kind::Tun => Sort::Tun,
            Kind::Vlan { .. } => Sort::Vlan,
            Kind::Macvlan { .. } => Sort::Macvlan,
            Kind::Ipvlan { .. } => Sort::Ipvlan,
            Kind::Vrf { .. } => Sort::Vrf,
            Kind::Bridge { .. } => Sort::Bridge,
            Kind::Bond { .. } => Sort::Bond,
            Kind::Team { .. } => Sort::Team,
            Kind::Ovs => Sort::Ovs,
        }
    }

    /// The device that it is made on.
    pub(super) fn lower(&self) -> Option<&str> {
        match self {
            Kind::Vlan { lower, .. } | Kind::Macvlan { lower, .. } | Kind::Ipvlan { lower, .. } => {
                Some(lower)
            }
            _ => None,
        }
    }
}

/// A flag of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    Carrier,
    Promisc,
    Allmulticast,
    Arp,
    VlanFilter,
}

/// All flags with their names.
const FLAGS: [(Flag, &str); 5] = [
    (Flag::Carrier, "carrier"),
    (Flag::Promisc, "promisc"),
    (Flag::Allmulticast, "allmulticast"),
    (Flag::Arp, "arp"),
    (Flag::VlanFilter, "vlan-filter"),
];

/// What changes about a device that stays where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Up,
    Down,
    Name(String),
    Mtu(u32),
    Mac([u8; 6]),
    Flag(Flag, bool),
    Group(u32),
    TxQueueLen(u32),
    Feature(String, bool),
    /// The port that carries the traffic of a bond.
    Active(String),
    /// One address more, with 16 bits of prefix.
    Address(Ipv4Addr),
    /// No addresses any more.
    Flush,
}

/// What happens to the switch's end of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortChange {
    Up,
    Down,
    /// It stays, but leaves the switch.
    Cut,
    Plug,
    Del,
}

/// All of them with their names.
const PORT_CHANGES: [(PortChange, &str); 5] = [
    (PortChange::Up, "up"),
    (PortChange::Down, "down"),
    (PortChange::Cut, "cut"),
    (PortChange::Plug, "plug"),
    (PortChange::Del, "del"),
];

/// Something that happens to devices, namespaces or modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    NamespaceAdd(String),
    /// With everything in it.
    NamespaceDel(String),
    Add {
        place: String,
        name: String,
        kind: Kind,
    },
    Del {
        place: String,
        name: String,
    },
    Set {
        place: String,
        name: String,
        change: Change,
    },
    Move {
        place: String,
        name: String,
        to: String,
    },
    Enslave {
        place: String,
        name: String,
        master: String,
    },
    Release {
        place: String,
        name: String,
    },
    Port {
        port: String,
        change: PortChange,
    },
    /// A module is unloaded, with all of its devices, and loaded again. `nlb` loses its clusters.
    Module(String),
}

impl Event {
    /// The word under which it is counted.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Event::NamespaceAdd(_) => "netns-add",
            Event::NamespaceDel(_) => "netns-del",
            Event::Add { kind, .. } => match kind.sort() {
                Sort::Veth => "add-veth",
                Sort::Dummy => "add-dummy",
                Sort::Tun => "add-tun",
                Sort::Vlan => "add-vlan",
                Sort::Macvlan => "add-macvlan",
                Sort::Ipvlan => "add-ipvlan",
                Sort::Vrf => "add-vrf",
                Sort::Bridge => "add-bridge",
                Sort::Bond => "add-bond",
                Sort::Team => "add-team",
                Sort::Ovs => "add-ovs",
            },
            Event::Del { .. } => "del",
            Event::Move { .. } => "move",
            Event::Enslave { .. } => "enslave",
            Event::Release { .. } => "release",
            Event::Port { change, .. } => match change {
                PortChange::Up | PortChange::Down => "port-up-down",
                PortChange::Cut | PortChange::Plug => "port-cut-plug",
                PortChange::Del => "port-del",
            },
            Event::Module(module) if module == "nlb" => "module-nlb",
            Event::Module(_) => "module-driver",
            Event::Set { change, .. } => match change {
                Change::Up => "up",
                Change::Down => "down",
                Change::Name(_) => "name",
                Change::Mtu(_) => "mtu",
                Change::Mac(_) => "mac",
                Change::Flag(Flag::Carrier, _) => "carrier",
                Change::Flag(Flag::Promisc | Flag::Allmulticast, _) => "promisc",
                Change::Flag(Flag::Arp, _) => "arp",
                Change::Flag(Flag::VlanFilter, _) => "vlan-filter",
                Change::Group(_) | Change::TxQueueLen(_) => "group",
                Change::Feature(..) => "feature",
                Change::Active(_) => "active",
                Change::Address(_) | Change::Flush => "address",
            },
        }
    }
}

fn name_of<T: Copy + PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    let row = table.iter().find(|row| row.0 == value);
    row.map_or("?", |row| row.1)
}

fn by_name<T: Copy>(table: &[(T, &'static str)], name: &str) -> Option<T> {
    table.iter().find(|row| row.1 == name).map(|row| row.0)
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn is_on(text: &str) -> Result<bool> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => bail!("{text} is neither on nor off"),
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Veth { port } => write!(f, "veth {port}"),
            Kind::Dummy => f.write_str("dummy"),
            Kind::Tun => f.write_str("tun"),
            Kind::Vlan { lower, id } => write!(f, "vlan {lower} {id}"),
            Kind::Macvlan { lower, mode } => write!(f, "macvlan {lower} {mode}"),
            Kind::Ipvlan { lower, mode } => write!(f, "ipvlan {lower} {mode}"),
            Kind::Vrf { table } => write!(f, "vrf {table}"),
            Kind::Bridge { snooping: true } => f.write_str("bridge snooping"),
            Kind::Bridge { snooping: false } => f.write_str("bridge flooding"),
            Kind::Bond { mode } => write!(f, "bond {mode}"),
            Kind::Team { mode } => write!(f, "team {mode}"),
            Kind::Ovs => f.write_str("ovs"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Up => f.write_str("up"),
            Change::Down => f.write_str("down"),
            Change::Name(name) => write!(f, "name {name}"),
            Change::Mtu(mtu) => write!(f, "mtu {mtu}"),
            Change::Mac([a, b, c, d, e, g]) => {
                write!(f, "mac {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
            }
            Change::Flag(flag, on) => write!(f, "{} {}", name_of(&FLAGS, *flag), on_off(*on)),
            Change::Group(group) => write!(f, "group {group}"),
            Change::TxQueueLen(len) => write!(f, "txqueuelen {len}"),
            Change::Feature(name, on) => write!(f, "feature {name} {}", on_off(*on)),
            Change::Active(port) => write!(f, "active {port}"),
            Change::Address(address) => write!(f, "address {address}"),
            Change::Flush => f.write_str("flush"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::NamespaceAdd(name) => write!(f, "netns add {name}"),
            Event::NamespaceDel(name) => write!(f, "netns del {name}"),
            Event::Add { place, name, kind } => write!(f, "{place} add {name} {kind}"),
            Event::Del { place, name } => write!(f, "{place} del {name}"),
            Event::Set {
                place,
                name,
                change,
            } => write!(f, "{place} set {name} {change}"),
            Event::Move { place, name, to } => write!(f, "{place} move {name} {to}"),
            Event::Enslave {
                place,
                name,
                master,
            } => write!(f, "{place} enslave {name} {master}"),
            Event::Release { place, name } => write!(f, "{place} release {name}"),
            Event::Port { port, change } => {
                write!(f, "port {port} {}", name_of(&PORT_CHANGES, *change))
            }
            Event::Module(name) => write!(f, "module {name}"),
        }
    }
}

fn kind(words: &[&str]) -> Result<Kind> {
    Ok(match words {
        ["veth", port] => Kind::Veth {
            port: (*port).to_owned(),
        },
        ["dummy"] => Kind::Dummy,
        ["tun"] => Kind::Tun,
        ["vlan", lower, id] => Kind::Vlan {
            lower: (*lower).to_owned(),
            id: id.parse()?,
        },
        ["macvlan", lower, mode] => Kind::Macvlan {
            lower: (*lower).to_owned(),
            mode: (*mode).to_owned(),
        },
        ["ipvlan", lower, mode] => Kind::Ipvlan {
            lower: (*lower).to_owned(),
            mode: (*mode).to_owned(),
        },
        ["vrf", table] => Kind::Vrf {
            table: table.parse()?,
        },
        ["bridge", "snooping"] => Kind::Bridge { snooping: true },
        ["bridge", "flooding"] => Kind::Bridge { snooping: false },
        ["bond", mode] => Kind::Bond {
            mode: (*mode).to_owned(),
        },
        ["team", mode] => Kind::Team {
            mode: (*mode).to_owned(),
        },
        ["ovs"] => Kind::Ovs,
        _ => bail!("no such kind of device"),
    })
}

fn mac(text: &str) -> Result<[u8; 6]> {
    let bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16));
    let bytes = bytes.collect::<Result<Vec<_>, _>>()?;
    bytes.try_into().ok().context("a MAC has six bytes")
}

fn change(words: &[&str]) -> Result<Change> {
    Ok(match words {
        ["up"] => Change::Up,
        ["down"] => Change::Down,
        ["name", name] => Change::Name((*name).to_owned()),
        ["mtu", mtu] => Change::Mtu(mtu.parse()?),
        ["mac", text] => Change::Mac(mac(text)?),
        ["group", group] => Change::Group(group.parse()?),
        ["txqueuelen", len] => Change::TxQueueLen(len.parse()?),
        ["feature", name, on] => Change::Feature((*name).to_owned(), is_on(on)?),
        ["active", port] => Change::Active((*port).to_owned()),
        ["address", address] => Change::Address(address.parse()?),
        ["flush"] => Change::Flush,
        [flag, on] => Change::Flag(by_name(&FLAGS, flag).context("no such flag")?, is_on(on)?),
        _ => bail!("no such change"),
    })
}

impl FromStr for Event {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let words: Vec<_> = line.split_whitespace().collect();
        Ok(match &words[..] {
            ["netns", "add", name] => Event::NamespaceAdd((*name).to_owned()),
            ["netns", "del", name] => Event::NamespaceDel((*name).to_owned()),
            ["module", name] => Event::Module((*name).to_owned()),
            ["port", port, change] => Event::Port {
                port: (*port).to_owned(),
                change: by_name(&PORT_CHANGES, change).context("no such change of a port")?,
            },
            [place, verb, name, rest @ ..] => {
                let (place, name) = ((*place).to_owned(), (*name).to_owned());
                match (*verb, rest) {
                    ("add", what) => Event::Add {
                        place,
                        name,
                        kind: kind(what)?,
                    },
                    ("set", what) => Event::Set {
                        place,
                        name,
                        change: change(what)?,
                    },
                    ("del", []) => Event::Del { place, name },
                    ("release", []) => Event::Release { place, name },
                    ("move", [to]) => Event::Move {
                        place,
                        name,
                        to: (*to).to_owned(),
                    },
                    ("enslave", [master]) => Event::Enslave {
                        place,
                        name,
                        master: (*master).to_owned(),
                    },
                    _ => bail!("no such event: {line}"),
                }
            }
            _ => bail!("no such event: {line}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Event;

    #[test]
    fn lines_lead_back_to_themselves() {
        for line in [
            "netns add n5",
            "netns del n5",
            "n5 add d7 veth q7",
            "n5 add d7 tun",
            "n5 add d7 vlan d3 12",
            "n5 add d7 macvlan d3 passthru",
            "n5 add d7 ipvlan d3 l3s",
            "n5 add d7 vrf 12",
            "n5 add d7 bridge flooding",
            "n5 add d7 bond active-backup",
            "n5 add d7 team loadbalance",
            "n5 add d7 ovs",
            "n5 set d7 up",
            "n5 set d7 name d9",
            "n5 set d7 mtu 1279",
            "n5 set d7 mac 02:00:00:00:09:fe",
            "n5 set d7 carrier off",
            "n5 set d7 vlan-filter on",
            "n5 set d7 feature rx-gro off",
            "n5 set d7 active d3",
            "n5 set d7 address 10.0.9.7",
            "n5 set d7 flush",
            "n5 del d7",
            "n5 move d7 n6",
            "n5 enslave d7 d8",
            "n5 release d7",
            "port q7 cut",
            "module 8021q",
        ] {
            assert_eq!(line.parse::<Event>().unwrap().to_string(), line);
        }
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for line in [
            "",
            "n5",
            "n5 add d7",
            "n5 add d7 vlan d3",
            "n5 set d7 mtu many",
            "n5 set d7 arp maybe",
            "n5 set d7 mac 02:00",
            "n5 move d7",
            "port q7 sideways",
        ] {
            assert!(line.parse::<Event>().is_err(), "{line}");
        }
    }
}
