// SPDX-License-Identifier: GPL-2.0-only
//! The model: which namespaces and devices there are, and what each event does
//! to them. It decides what can happen next, and what must be there afterwards.
//!
//! It knows of the kernel what lifetimes depend on. A device takes with it the
//! VLAN, macvlan and ipvlan devices that were made on it, wherever these are. One
//! that leaves its namespace is no port any more. Ports outlive the device that
//! they are ports of.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Change, Event, Kind, PortChange, Sort};

/// What stays the same of a device while its name and place change.
pub(super) type Id = u32;

/// A device stands on no more others than this.
const DEPTH_MAX: usize = 3;

/// A device.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) place: String,
    pub(super) kind: Kind,
    /// What it was made on.
    pub(super) lower: Option<Id>,
    /// What it is a port of.
    pub(super) master: Option<Id>,
    /// Whether it is an Ethernet device: a bond becomes what its first port is.
    pub(super) ethernet: bool,
    /// Its index in its namespace; 0 until it was looked up.
    pub(super) index: u32,
    /// Whether it has had another name.
    pub(super) renamed: bool,
}

impl Device {
    pub(super) fn sort(&self) -> Sort {
        self.kind.sort()
    }
}

/// A device that is no longer where it was, or no longer what it was: a cluster on it has ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Left {
    pub(super) place: String,
    pub(super) index: u32,
    /// Whether it had been renamed before.
    pub(super) renamed: bool,
}

/// Namespaces and devices.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) namespaces: BTreeSet<String>,
    pub(super) devices: BTreeMap<Id, Device>,
    next: Id,
}

impl World {
    /// The device of this name in a namespace.
    pub(super) fn find(&self, place: &str, name: &str) -> Option<(Id, &Device)> {
        let mut devices = self.devices.iter();
        let found = devices.find(|(_, device)| device.place == place && device.name == name);
        found.map(|(&id, device)| (id, device))
    }

    /// The device whose cable ends at this port of the switch.
    pub(super) fn behind(&self, port: &str) -> Option<(Id, &Device)> {
        let mut devices = self.devices.iter();
        let found =
            devices.find(|(_, device)| matches!(&device.kind, Kind::Veth { port: p } if p == port));
        found.map(|(&id, device)| (id, device))
    }

    /// The ports of a device.
    pub(super) fn ports(&self, master: Id) -> impl Iterator<Item = (Id, &Device)> {
        let all = self.devices.iter().map(|(&id, device)| (id, device));
        all.filter(move |(_, device)| device.master == Some(master))
    }

    /// The devices that were made on a device.
    pub(super) fn uppers(&self, lower: Id) -> impl Iterator<Item = (Id, &Device)> {
        let all = self.devices.iter().map(|(&id, device)| (id, device));
        all.filter(move |(_, device)| device.lower == Some(lower))
    }

    /// Whether some of the frames of a device go to others before the IP stack sees them, and to which sort.
    pub(super) fn taken_by(&self, id: Id) -> Option<Sort> {
        let device = self.devices.get(&id)?;
        let master = device.master.and_then(|it| self.devices.get(&it));
        if let Some(master) = master.filter(|it| it.sort() != Sort::Vrf) {
            return Some(master.sort());
        }
        let mut uppers = self.uppers(id).map(|(_, upper)| upper.sort());
        uppers.find(|sort| matches!(sort, Sort::Macvlan | Sort::Ipvlan))
    }

    /// Whether the IP stack sees the frames of a device on another one.
    pub(super) fn is_port(&self, id: Id) -> bool {
        let master = self.devices.get(&id).and_then(|it| it.master);
        master
            .and_then(|it| self.devices.get(&it))
            .is_some_and(|it| it.sort() != Sort::Vrf)
    }

    /// All devices below a device.
    fn below(&self, id: Id) -> BTreeSet<Id> {
        let mut found = BTreeSet::new();
        let mut todo = vec![id];
        while let Some(id) = todo.pop() {
            let lower = self.devices.get(&id).and_then(|device| device.lower);
            for under in lower.into_iter().chain(self.ports(id).map(|(id, _)| id)) {
                if found.insert(under) {
                    todo.push(under);
                }
            }
        }
        found
    }

    /// How many devices are on top of each other below this one, itself included.
    fn depth(&self, id: Id) -> usize {
        let lower = self.devices.get(&id).and_then(|device| device.lower);
        let under = lower.into_iter().chain(self.ports(id).map(|(id, _)| id));
        1 + under.map(|id| self.depth(id)).max().unwrap_or(0)
    }

    /// Whether an event can happen, as far as the model knows.
    pub(super) fn is_feasible(&self, event: &Event) -> bool {
        let found = |place: &str, name: &str| self.find(place, name);
        match event {
            Event::NamespaceAdd(name) => !self.namespaces.contains(name),
            Event::NamespaceDel(name) => self.namespaces.contains(name),
            Event::Add { place, name, kind } => {
                self.namespaces.contains(place)
                    && found(place, name).is_none()
                    && self.can_be_made(place, kind)
            }
            Event::Del { place, name } => found(place, name).is_some(),
            Event::Set {
                place,
                name,
                change,
            } => match (change, found(place, name)) {
                (_, None) => false,
                (Change::Name(new), Some(_)) => found(place, new).is_none(),
                (Change::Active(port), Some((id, _))) => {
                    found(place, port).is_some_and(|(_, port)| port.master == Some(id))
                }
                _ => true,
            },
            Event::Move { place, name, to } => {
                self.namespaces.contains(to)
                    && place != to
                    && found(to, name).is_none()
                    && found(place, name).is_some_and(|(_, device)| device.sort().can_move())
            }
            Event::Enslave {
                place,
                name,
                master,
            } => match (found(place, name), found(place, master)) {
                (Some((id, _)), Some((master, _))) => {
                    self.can_be_port(id, master) && !self.makes_loop(id, master)
                }
                _ => false,
            },
            Event::Release { place, name } => {
                found(place, name).is_some_and(|(_, device)| device.master.is_some())
            }
            Event::Port { port, .. } => self.behind(port).is_some(),
            Event::Module(_) => true,
        }
    }

    fn can_be_made(&self, place: &str, kind: &Kind) -> bool {
        let Some(name) = kind.lower() else {
            return true;
        };
        let Some((id, lower)) = self.find(place, name) else {
            return false;
        };
        if !lower.ethernet || lower.sort() == Sort::Vrf || self.depth(id) >= DEPTH_MAX {
            return false;
        }
        let taken = self.taken_by(id);
        match kind {
            Kind::Vlan { id: tag, .. } => {
                let same =
                    |upper: &Device| matches!(upper.kind, Kind::Vlan { id, .. } if id == *tag);
                !self.uppers(id).any(|(_, upper)| same(upper))
            }
            // Both look through a device of their own sort to what that stands on.
            Kind::Macvlan { mode, .. } => {
                let is_passthru =
                    |kind: &Kind| matches!(kind, Kind::Macvlan { mode, .. } if mode == "passthru");
                let alone = mode != "passthru" || taken.is_none();
                lower.sort() != Sort::Macvlan
                    && alone
                    && taken.is_none_or(|sort| sort == Sort::Macvlan)
                    && !self.uppers(id).any(|(_, upper)| is_passthru(&upper.kind))
            }
            Kind::Ipvlan { .. } => {
                lower.sort() != Sort::Ipvlan && taken.is_none_or(|sort| sort == Sort::Ipvlan)
            }
            _ => true,
        }
    }

    fn can_be_port(&self, id: Id, master: Id) -> bool {
        let (Some(device), Some(over)) = (self.devices.get(&id), self.devices.get(&master)) else {
            return false;
        };
        let sort = over.sort();
        let as_bond = sort == Sort::Bond && self.ports(master).next().is_none();
        sort.has_ports()
            && id != master
            && device.master.is_none()
            && !matches!(device.sort(), Sort::Vrf | Sort::Ovs)
            && (device.sort() != Sort::Bridge || sort != Sort::Bridge)
            && (sort == Sort::Vrf || self.taken_by(id).is_none())
            && (as_bond || (device.ethernet && over.ethernet))
            && !self.below(id).contains(&master)
            && !self.below(master).contains(&id)
            && (sort != Sort::Ovs || !self.is_on_ovs(id))
            && self.depth(id) < DEPTH_MAX
    }

    /// Whether a datapath of Open vSwitch is below a device. As a port of another datapath the kernel would wait for it for
    /// ever, without any module of ours: it deletes the lower datapath under `ovs_mutex`, waits there for the devices on it,
    /// and needs that mutex to give a port back (`ovs_dp_cmd_del`, `ovs_dp_notify_wq`).
    fn is_on_ovs(&self, id: Id) -> bool {
        let below = self.below(id);
        let mut devices = below.iter().filter_map(|it| self.devices.get(it));
        devices.any(|device| device.sort() == Sort::Ovs)
    }

    /// Whether a bridge would have two ways to the switch, and frames would go round for ever.
    fn makes_loop(&self, id: Id, master: Id) -> bool {
        let mut then = self.clone();
        then.devices
            .entry(id)
            .and_modify(|it| it.master = Some(master));
        let is_cable = |id: &Id| {
            then.devices
                .get(id)
                .is_some_and(|it| it.sort() == Sort::Veth)
        };
        let leads_there = |id: Id| is_cable(&id) || then.below(id).iter().any(is_cable);
        let bridges = then
            .devices
            .iter()
            .filter(|(_, device)| device.sort() == Sort::Bridge);
        let mut ways = bridges.map(|(&id, _)| {
            let ports = then.ports(id).map(|(port, _)| port);
            ports.filter(|&port| leads_there(port)).count()
        });
        ways.any(|ways| ways > 1)
    }

    /// Whether the kernel refuses to let a device become one of another type: what stands on it, or has it as a port,
    /// forbids it.
    pub(super) fn keeps_type(&self, id: Id) -> bool {
        let master = self.devices.get(&id).and_then(|it| it.master);
        let master = master.and_then(|it| self.devices.get(&it));
        let mut uppers = self.uppers(id);
        master.is_some_and(|it| matches!(it.sort(), Sort::Bridge | Sort::Team))
            || uppers.any(|(_, it)| matches!(it.sort(), Sort::Vlan | Sort::Macvlan | Sort::Ipvlan))
    }

    /// What happens. The devices that left, in no order.
    pub(super) fn apply(&mut self, event: &Event) -> Vec<Left> {
        let mut left = Vec::new();
        match event {
            Event::NamespaceAdd(name) => {
                self.namespaces.insert(name.clone());
            }
            Event::NamespaceDel(name) => {
                self.namespaces.remove(name);
                self.end_all(|device| device.place == *name, &mut left);
            }
            Event::Add { place, name, kind } => self.add(place, name, kind),
            Event::Del { place, name } => {
                if let Some((id, _)) = self.find(place, name) {
                    self.end(id, &mut left);
                }
            }
            Event::Set {
                place,
                name,
                change: Change::Name(new),
            } => {
                if let Some((id, _)) = self.find(place, name) {
                    let device = self.devices.entry(id);
                    device.and_modify(|device| {
                        device.name.clone_from(new);
                        device.renamed = true;
                    });
                }
            }
            Event::Set { .. } => {}
            Event::Move { place, name, to } => self.shift(place, name, to, &mut left),
            Event::Enslave {
                place,
                name,
                master,
            } => self.enslave(place, name, master, &mut left),
            Event::Release { place, name } => {
                if let Some((id, _)) = self.find(place, name) {
                    self.devices.entry(id).and_modify(|it| it.master = None);
                }
            }
            Event::Port { port, change } => {
                if let (PortChange::Del, Some((id, _))) = (change, self.behind(port)) {
                    self.end(id, &mut left);
                }
            }
            Event::Module(module) => self.end_all(|it| it.sort().module() == module, &mut left),
        }
        left
    }

    fn add(&mut self, place: &str, name: &str, kind: &Kind) {
        let lower = kind.lower().and_then(|lower| self.find(place, lower));
        let device = Device {
            name: name.to_owned(),
            place: place.to_owned(),
            lower: lower.map(|(id, _)| id),
            master: None,
            ethernet: kind.sort() != Sort::Tun,
            kind: kind.clone(),
            index: 0,
            renamed: false,
        };
        self.devices.insert(self.next, device);
        self.next += 1;
    }

    fn end_all(&mut self, of_those: impl Fn(&Device) -> bool, left: &mut Vec<Left>) {
        let ends = self.devices.iter().filter(|(_, device)| of_those(device));
        for id in ends.map(|(&id, _)| id).collect::<Vec<_>>() {
            self.end(id, left);
        }
    }

    /// A device goes, and what stands on it.
    fn end(&mut self, id: Id, left: &mut Vec<Left>) {
        self.cease_as_port(id, left);
        let Some(device) = self.devices.remove(&id) else {
            return;
        };
        left.push(Left {
            place: device.place,
            index: device.index,
            renamed: device.renamed,
        });
        for other in self.devices.values_mut() {
            other.master = other.master.filter(|&master| master != id);
        }
        for upper in self.uppers(id).map(|(id, _)| id).collect::<Vec<_>>() {
            self.end(upper, left);
        }
    }

    /// A device leaves what it is a port of. A bond that had become another type goes with its last port.
    fn cease_as_port(&mut self, id: Id, left: &mut Vec<Left>) {
        let Some(master) = self.devices.get_mut(&id).and_then(|it| it.master.take()) else {
            return;
        };
        let is_bond = |it: &Device| it.sort() == Sort::Bond && !it.ethernet;
        if self.devices.get(&master).is_some_and(is_bond) && self.ports(master).next().is_none() {
            self.end(master, left);
        }
    }

    fn shift(&mut self, place: &str, name: &str, to: &str, left: &mut Vec<Left>) {
        let Some((id, device)) = self.find(place, name) else {
            return;
        };
        left.push(Left {
            place: place.to_owned(),
            index: device.index,
            renamed: device.renamed,
        });
        self.cease_as_port(id, left);
        if let Some(device) = self.devices.get_mut(&id) {
            to.clone_into(&mut device.place);
            device.index = 0;
        }
    }

    fn enslave(&mut self, place: &str, name: &str, master: &str, left: &mut Vec<Left>) {
        let (Some((id, device)), Some((over, _))) =
            (self.find(place, name), self.find(place, master))
        else {
            return;
        };
        let ethernet = device.ethernet;
        let keeps = self.keeps_type(over);
        let Some(master) = self.devices.get_mut(&over) else {
            return;
        };
        if master.sort() == Sort::Bond && master.ethernet != ethernet {
            if keeps {
                return;
            }
            master.ethernet = ethernet;
            left.push(Left {
                place: place.to_owned(),
                index: master.index,
                renamed: master.renamed,
            });
        }
        self.devices
            .entry(id)
            .and_modify(|it| it.master = Some(over));
    }

    /// The device whose cluster an event may have ended though the kernel refused it: a bond without ports becomes what
    /// its first port is before it looks whether it can have that.
    pub(super) fn half_ended(&self, event: &Event) -> Option<(String, u32)> {
        let Event::Enslave {
            place,
            name,
            master,
        } = event
        else {
            return None;
        };
        let (_, device) = self.find(place, name)?;
        let (id, over) = self.find(place, master)?;
        let changes = over.sort() == Sort::Bond && over.ethernet != device.ethernet;
        (changes && !self.keeps_type(id)).then(|| (over.place.clone(), over.index))
    }

    /// Remembers the index of a device in its namespace.
    pub(super) fn set_index(&mut self, place: &str, name: &str, index: u32) {
        if let Some((id, _)) = self.find(place, name) {
            self.devices.entry(id).and_modify(|it| it.index = index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, World};

    fn world(lines: &[&str]) -> World {
        let mut world = World::default();
        for line in lines {
            let event: Event = line.parse().unwrap();
            assert!(world.is_feasible(&event), "{line}");
            world.apply(&event);
        }
        world
    }

    fn names(world: &World) -> Vec<&str> {
        world.devices.values().map(|it| it.name.as_str()).collect()
    }

    const START: [&str; 3] = ["netns add n1", "netns add n2", "n1 add d1 veth q1"];

    fn after(more: &[&str]) -> World {
        world(&[&START[..], more].concat())
    }

    #[test]
    fn what_stands_on_a_device_goes_with_it_wherever_it_is() {
        let world = after(&[
            "n1 add d2 vlan d1 5",
            "n1 move d2 n2",
            "n2 add d3 macvlan d2 bridge",
            "n1 add d4 dummy",
            "port q1 del",
        ]);
        assert_eq!(names(&world), ["d4"]);
    }

    #[test]
    fn a_device_that_moves_is_no_port_any_more_and_keeps_what_stands_on_it() {
        let mut world = after(&[
            "n1 add d2 bridge flooding",
            "n1 enslave d1 d2",
            "n1 add d3 vlan d1 5",
        ]);
        world.set_index("n1", "d1", 7);
        let left = world.apply(&"n1 move d1 n2".parse().unwrap());
        assert_eq!((left.len(), left[0].index), (1, 7));
        let (id, device) = world.find("n2", "d1").unwrap();
        assert_eq!((device.master, device.index), (None, 0));
        assert_eq!(world.uppers(id).count(), 1);
    }

    #[test]
    fn a_bond_keeps_its_type_as_a_port_of_a_bridge_and_not_of_a_switch() {
        let of = |kind| {
            let over = format!("n1 add d3 {kind}");
            after(&[
                &over,
                "n1 add d2 bond active-backup",
                "n1 enslave d2 d3",
                "n1 add d4 tun",
                "n1 enslave d4 d2",
            ])
        };
        let is_port = |world: World| world.find("n1", "d4").unwrap().1.master.is_some();
        assert!(!is_port(of("bridge flooding")));
        assert!(is_port(of("ovs")));
    }

    #[test]
    fn a_bond_becomes_what_its_first_port_is() {
        let lines = [
            "n1 add d2 bond active-backup",
            "n1 add d3 tun",
            "n1 enslave d3 d2",
        ];
        let mut changed = after(&lines);
        assert!(!changed.find("n1", "d2").unwrap().1.ethernet);
        let left = changed.apply(&"n1 del d3".parse().unwrap());
        assert_eq!((left.len(), names(&changed)), (2, vec!["d1"]));
        // What stands on it forbids that.
        let mut kept = after(&[lines[0], "n1 add d4 vlan d2 5", lines[1]]);
        assert_eq!(kept.apply(&lines[2].parse().unwrap()), []);
        assert!(kept.find("n1", "d2").unwrap().1.ethernet);
    }

    #[test]
    fn nothing_stands_on_itself() {
        let world = after(&[
            "n1 add d2 vlan d1 5",
            "n1 add d3 bridge flooding",
            "n1 enslave d2 d3",
            "n1 add d4 bond active-backup",
        ]);
        for line in [
            "n1 enslave d3 d3",
            "n1 enslave d2 d4",
            "n1 add d5 vlan d1 5",
            "n1 add d5 macvlan d9 bridge",
            "n1 move d3 n2",
            "n1 release d1",
            "n2 del d1",
            "port q9 up",
        ] {
            assert!(!world.is_feasible(&line.parse().unwrap()), "{line}");
        }
        assert!(world.is_feasible(&"n1 enslave d1 d4".parse().unwrap()));
    }

    #[test]
    fn a_bridge_has_one_way_to_the_switch() {
        let world = after(&[
            "n1 add d2 veth q2",
            "n1 add d3 bridge flooding",
            "n1 enslave d1 d3",
            "n1 add d4 bond active-backup",
            "n1 enslave d4 d3",
            "n1 add d5 vlan d2 5",
            "n1 add d6 dummy",
        ]);
        for (port, master, may) in [
            ("d2", "d3", false),
            ("d2", "d4", false),
            ("d5", "d3", false),
            ("d6", "d3", true),
        ] {
            let event = format!("n1 enslave {port} {master}").parse().unwrap();
            assert_eq!(world.is_feasible(&event), may, "{event}");
        }
    }

    #[test]
    fn a_namespace_and_a_driver_take_all_that_is_theirs() {
        let mut world = after(&["n1 add d2 vlan d1 5", "n1 move d2 n2", "n2 add d3 dummy"]);
        let mut other = world.clone();
        assert_eq!(world.apply(&"netns del n1".parse().unwrap()).len(), 2);
        assert_eq!(names(&world), ["d3"]);
        assert_eq!(other.apply(&"module 8021q".parse().unwrap()).len(), 1);
        assert_eq!(names(&other), ["d1", "d3"]);
    }
}
