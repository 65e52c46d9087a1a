// SPDX-License-Identifier: GPL-2.0-only
//! Which event comes next: chosen by a seed, of those that can happen.

use std::net::Ipv4Addr;

use fastrand::Rng;

use super::event::{Change, Event, Flag, Kind, PortChange, Sort};
use super::world::{Device, World};

/// So many devices are about as many as the switch can flood its frames to in time.
const DEVICES_MAX: usize = 22;
/// With fewer, new ones come more often.
const DEVICES_FEW: usize = 9;
/// Namespaces that are there at once.
const NAMESPACES: std::ops::RangeInclusive<usize> = 2..=4;

/// MTUs around what IPv6 and a heartbeat need.
const MTUS: [u32; 8] = [576, 1279, 1280, 1400, 1499, 1500, 1500, 9000];

/// Features that drivers let be switched.
const FEATURES: [&str; 7] = [
    "rx-gro",
    "tx-generic-segmentation",
    "tx-scatter-gather",
    "tx-tcp-segmentation",
    "rx-vlan-hw-parse",
    "tx-vlan-hw-insert",
    "rx-vlan-filter",
];

/// Drivers that are unloaded and loaded again.
const DRIVERS: [Sort; 9] = [
    Sort::Vlan,
    Sort::Macvlan,
    Sort::Ipvlan,
    Sort::Vrf,
    Sort::Bridge,
    Sort::Bond,
    Sort::Team,
    Sort::Ovs,
    Sort::Dummy,
];

/// What kind of event is tried, and how often of a thousand.
type Maker = fn(&mut Chooser, &World) -> Option<Vec<Event>>;
const MAKERS: [(u32, Maker); 20] = [
    (60, Chooser::base),
    (120, Chooser::upper),
    (80, Chooser::master),
    (130, Chooser::enslave),
    (40, Chooser::release),
    (60, Chooser::del),
    (80, Chooser::shift),
    (50, Chooser::away_and_back),
    (60, Chooser::up),
    (45, Chooser::down),
    (35, Chooser::rename),
    (50, Chooser::mtu),
    (25, Chooser::mac),
    (50, Chooser::flag),
    (35, Chooser::small),
    (45, Chooser::port),
    (12, Chooser::namespace),
    (14, Chooser::other_type),
    (12, Chooser::driver),
    (3, Chooser::nlb),
];

/// Chooses events. The names that it gives are never given again.
pub(super) struct Chooser {
    rng: Rng,
    names: u32,
}

impl Chooser {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            names: 0,
        }
    }

    /// What a run begins with: three namespaces, a cable in each.
    pub(super) fn first(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..3 {
            let place = format!("n{}", self.number());
            events.push(Event::NamespaceAdd(place.clone()));
            let kind = self.veth();
            events.push(self.add(&place, kind));
        }
        events
    }

    /// One event, or a few that belong together.
    pub(super) fn next(&mut self, world: &World) -> Vec<Event> {
        loop {
            let maker = self.maker(world);
            let made = maker(self, world).unwrap_or_default();
            if made.first().is_some_and(|event| world.is_feasible(event)) {
                return made;
            }
        }
    }

    fn maker(&mut self, world: &World) -> Maker {
        if world.namespaces.len() < *NAMESPACES.start() {
            return Chooser::namespace;
        }
        let devices = world.devices.len();
        if devices >= DEVICES_MAX || (devices < DEVICES_FEW && self.rng.bool()) {
            return if devices >= DEVICES_MAX {
                Chooser::del
            } else {
                Chooser::base
            };
        }
        let all: u32 = MAKERS.iter().map(|row| row.0).sum();
        let mut left = self.rng.u32(..all);
        for (share, maker) in MAKERS {
            if left < share {
                return maker;
            }
            left -= share;
        }
        Chooser::base
    }

    fn number(&mut self) -> u32 {
        self.names += 1;
        self.names
    }

    fn place(&mut self, world: &World) -> Option<String> {
        let places: Vec<_> = world.namespaces.iter().collect();
        self.rng.choice(places).cloned()
    }

    fn device<'a>(
        &mut self,
        world: &'a World,
        wanted: impl Fn(&Device) -> bool,
    ) -> Option<&'a Device> {
        let devices: Vec<_> = world.devices.values().filter(|it| wanted(it)).collect();
        self.rng.choice(devices)
    }

    fn any<'a>(&mut self, world: &'a World) -> Option<&'a Device> {
        self.device(world, |_| true)
    }

    fn word(&mut self, words: &[&str]) -> String {
        let word = self.rng.choice(words.iter().copied());
        word.unwrap_or_default().to_owned()
    }

    fn add(&mut self, place: &str, kind: Kind) -> Event {
        Event::Add {
            place: place.to_owned(),
            name: format!("d{}", self.number()),
            kind,
        }
    }

    fn veth(&mut self) -> Kind {
        let port = format!("q{}", self.number());
        Kind::Veth { port }
    }

    fn set(device: &Device, change: Change) -> Option<Vec<Event>> {
        Some(vec![Event::Set {
            place: device.place.clone(),
            name: device.name.clone(),
            change,
        }])
    }

    fn base(&mut self, world: &World) -> Option<Vec<Event>> {
        let place = self.place(world)?;
        let kind = if self.rng.u8(..4) == 0 {
            Kind::Dummy
        } else {
            self.veth()
        };
        Some(vec![self.add(&place, kind)])
    }

    fn upper(&mut self, world: &World) -> Option<Vec<Event>> {
        let lower = self.device(world, |it| it.ethernet)?;
        let name = lower.name.clone();
        let kind = match self.rng.u8(..3) {
            0 => Kind::Vlan {
                lower: name,
                id: self.rng.u16(1..4),
            },
            1 => Kind::Macvlan {
                lower: name,
                mode: self.word(&["bridge", "private", "passthru"]),
            },
            _ => Kind::Ipvlan {
                lower: name,
                mode: self.word(&["l2", "l3", "l3s"]),
            },
        };
        Some(vec![self.add(&lower.place, kind)])
    }

    fn master(&mut self, world: &World) -> Option<Vec<Event>> {
        // Where something is that can become its port.
        let port = self.device(world, |it| it.ethernet && it.master.is_none())?;
        let kind = match self.rng.u8(..5) {
            0 => Kind::Vrf {
                table: 100 + self.number(),
            },
            1 => Kind::Bridge {
                snooping: self.rng.bool(),
            },
            2 => Kind::Bond {
                mode: self.word(&["active-backup", "balance-rr"]),
            },
            3 => Kind::Team {
                mode: self.word(&["loadbalance", "roundrobin"]),
            },
            _ => Kind::Ovs,
        };
        let made = self.add(&port.place, kind);
        let Event::Add { name: master, .. } = &made else {
            return None;
        };
        let enslave = Event::Enslave {
            place: port.place.clone(),
            name: port.name.clone(),
            master: master.clone(),
        };
        Some(vec![made, enslave])
    }

    fn enslave(&mut self, world: &World) -> Option<Vec<Event>> {
        let master = self.device(world, |it| it.sort().has_ports())?;
        let port = self.device(world, |it| it.place == master.place && it.master.is_none())?;
        Some(vec![Event::Enslave {
            place: master.place.clone(),
            name: port.name.clone(),
            master: master.name.clone(),
        }])
    }

    fn release(&mut self, world: &World) -> Option<Vec<Event>> {
        let port = self.device(world, |it| it.master.is_some())?;
        Some(vec![Event::Release {
            place: port.place.clone(),
            name: port.name.clone(),
        }])
    }

    fn del(&mut self, world: &World) -> Option<Vec<Event>> {
        let device = self.any(world)?;
        Some(vec![Event::Del {
            place: device.place.clone(),
            name: device.name.clone(),
        }])
    }

    fn shift(&mut self, world: &World) -> Option<Vec<Event>> {
        let device = self.device(world, |it| it.sort().can_move())?;
        Some(vec![Event::Move {
            place: device.place.clone(),
            name: device.name.clone(),
            to: self.place(world)?,
        }])
    }

    fn away_and_back(&mut self, world: &World) -> Option<Vec<Event>> {
        let mut events = self.shift(world)?;
        let Some(Event::Move { place, name, to }) = events.first().cloned() else {
            return None;
        };
        events.push(Event::Move {
            place: to,
            name,
            to: place,
        });
        Some(events)
    }

    fn up(&mut self, world: &World) -> Option<Vec<Event>> {
        Self::set(self.any(world)?, Change::Up)
    }

    fn down(&mut self, world: &World) -> Option<Vec<Event>> {
        Self::set(self.any(world)?, Change::Down)
    }

    fn rename(&mut self, world: &World) -> Option<Vec<Event>> {
        let name = format!("d{}", self.number());
        Self::set(self.any(world)?, Change::Name(name))
    }

    fn mtu(&mut self, world: &World) -> Option<Vec<Event>> {
        let mtu = self.rng.choice(MTUS)?;
        Self::set(self.any(world)?, Change::Mtu(mtu))
    }

    fn mac(&mut self, world: &World) -> Option<Vec<Event>> {
        let mac = [2, 0, 0, 1, self.rng.u8(..), self.rng.u8(..)];
        Self::set(self.device(world, |it| it.ethernet)?, Change::Mac(mac))
    }

    fn flag(&mut self, world: &World) -> Option<Vec<Event>> {
        let on = self.rng.u8(..3) != 0;
        let (device, flag) = match self.rng.u8(..5) {
            0 => (
                self.device(world, |it| it.sort() == Sort::Dummy)?,
                Flag::Carrier,
            ),
            1 => (
                self.device(world, |it| it.sort() == Sort::Bridge)?,
                Flag::VlanFilter,
            ),
            2 => (self.any(world)?, Flag::Promisc),
            3 => (self.any(world)?, Flag::Allmulticast),
            _ => (self.any(world)?, Flag::Arp),
        };
        Self::set(device, Change::Flag(flag, on))
    }

    fn small(&mut self, world: &World) -> Option<Vec<Event>> {
        let device = self.any(world)?;
        let change = match self.rng.u8(..6) {
            0 => Change::Group(self.rng.u32(..100)),
            1 => Change::TxQueueLen(self.rng.u32(1..1000)),
            2 => Change::Flush,
            3 => Change::Address(Ipv4Addr::new(10, 0, self.rng.u8(1..), self.rng.u8(1..))),
            4 => {
                let bond = self.device(world, |it| it.sort() == Sort::Bond)?;
                let (id, _) = world.find(&bond.place, &bond.name)?;
                let ports: Vec<_> = world.ports(id).collect();
                let (_, port) = self.rng.choice(ports)?;
                return Self::set(bond, Change::Active(port.name.clone()));
            }
            _ => Change::Feature(self.word(&FEATURES), self.rng.bool()),
        };
        Self::set(device, change)
    }

    fn port(&mut self, world: &World) -> Option<Vec<Event>> {
        let device = self.device(world, |it| it.sort() == Sort::Veth)?;
        let Kind::Veth { port } = &device.kind else {
            return None;
        };
        let change = match self.rng.u8(..12) {
            0..=3 => PortChange::Down,
            4..=8 => PortChange::Up,
            9 => PortChange::Cut,
            10 => PortChange::Plug,
            _ => PortChange::Del,
        };
        Some(vec![Event::Port {
            port: port.clone(),
            change,
        }])
    }

    fn namespace(&mut self, world: &World) -> Option<Vec<Event>> {
        let there = world.namespaces.len();
        let more = there < *NAMESPACES.end() && (there == *NAMESPACES.start() || self.rng.bool());
        if more || there < *NAMESPACES.start() {
            let place = format!("n{}", self.number());
            let kind = self.veth();
            let add = self.add(&place, kind);
            return Some(vec![Event::NamespaceAdd(place), add]);
        }
        Some(vec![Event::NamespaceDel(self.place(world)?)])
    }

    /// A bond without ports becomes another type by its first one, unless something forbids it.
    fn other_type(&mut self, world: &World) -> Option<Vec<Event>> {
        let bond = self.device(world, |it| {
            it.sort() == Sort::Bond
                && world
                    .find(&it.place, &it.name)
                    .is_some_and(|(id, _)| world.ports(id).next().is_none())
        });
        let mut events = Vec::new();
        let (place, master) = if let Some(bond) = bond {
            (bond.place.clone(), bond.name.clone())
        } else {
            let place = self.place(world)?;
            let mode = "active-backup".to_owned();
            let made = self.add(&place, Kind::Bond { mode });
            let Event::Add { name, .. } = &made else {
                return None;
            };
            let name = name.clone();
            events.push(made);
            (place, name)
        };
        let tun = self.add(&place, Kind::Tun);
        let Event::Add { name, .. } = &tun else {
            return None;
        };
        let name = name.clone();
        events.push(tun);
        events.push(Event::Enslave {
            place,
            name,
            master,
        });
        Some(events)
    }

    fn driver(&mut self, _: &World) -> Option<Vec<Event>> {
        let sort = self.rng.choice(DRIVERS)?;
        Some(vec![Event::Module(sort.module().to_owned())])
    }

    #[allow(clippy::unnecessary_wraps, reason = "one of several makers")]
    fn nlb(&mut self, _: &World) -> Option<Vec<Event>> {
        Some(vec![Event::Module("nlb".to_owned())])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Chooser, World};

    fn sequence(seed: u64, events: usize) -> Vec<String> {
        let mut chooser = Chooser::new(seed);
        let mut world = World::default();
        let mut lines = Vec::new();
        let mut todo = chooser.first();
        while lines.len() < events {
            for event in todo {
                if world.is_feasible(&event) {
                    world.apply(&event);
                }
                lines.push(event.to_string());
            }
            todo = chooser.next(&world);
        }
        lines
    }

    #[test]
    fn a_seed_is_a_sequence() {
        assert_eq!(sequence(7, 500), sequence(7, 500));
        assert_ne!(sequence(7, 500), sequence(8, 500));
    }

    #[test]
    fn a_thousand_events_are_of_every_kind() {
        for seed in 1..20 {
            let words: BTreeSet<_> = sequence(seed, 1000)
                .iter()
                .map(|line| line.parse::<super::Event>().unwrap().word())
                .collect();
            let missing = ALL.iter().filter(|word| !words.contains(**word));
            assert!(missing.clone().count() <= 3, "{seed}: {missing:?}");
        }
    }

    const ALL: [&str; 36] = [
        "netns-add",
        "netns-del",
        "add-veth",
        "add-dummy",
        "add-tun",
        "add-vlan",
        "add-macvlan",
        "add-ipvlan",
        "add-vrf",
        "add-bridge",
        "add-bond",
        "add-team",
        "add-ovs",
        "del",
        "move",
        "enslave",
        "release",
        "port-up-down",
        "port-cut-plug",
        "port-del",
        "module-nlb",
        "module-driver",
        "up",
        "down",
        "name",
        "mtu",
        "mac",
        "carrier",
        "promisc",
        "arp",
        "vlan-filter",
        "group",
        "feature",
        "active",
        "address",
        "address",
    ];
}
