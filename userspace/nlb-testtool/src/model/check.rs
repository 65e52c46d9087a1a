// SPDX-License-Identifier: GPL-2.0-only
//! Looks whether the kernel agrees with the model: which devices there are,
//! which clusters stand, what hooks they have, and what hosts say of their
//! interfaces. While it looks, nothing else happens; but some of what happened
//! before takes its time, as the end of a namespace does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nlb_core::limits::MTU_MIN;
use nlb_core::state::{HostState, OutReason};
use nlb_netlink::object::Cluster;
use nlb_netlink::{Client, NetlinkSocket, route::Route};

use super::event::Kind;
use super::kernel::{HookList, Hooked, Link, links};
use super::place::{SWITCH, enter};
use super::register::{Operation, explains};
use super::world::{Device, Id, World};

/// Between two looks at what is not yet as it must be.
const AGAIN: Duration = Duration::from_millis(40);

/// An interface of a namespace.
pub(super) type Place = (String, u32);

/// What is wrong, by its class and in words.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) class: &'static str,
    pub(super) text: String,
}

type Verdict<T> = std::result::Result<T, Fault>;

fn fault<T>(class: &'static str, text: String) -> Verdict<T> {
    Err(Fault { class, text })
}

/// What looking itself can fail of.
fn failed(error: &anyhow::Error) -> Fault {
    Fault {
        class: "look",
        text: format!("{error:#}"),
    }
}

/// Remembers what was seen of clusters since it last looked.
#[derive(Default)]
pub(super) struct Checker {
    /// Where there was a cluster.
    clusters: BTreeSet<Place>,
    operations: BTreeMap<Place, Vec<Operation>>,
    /// Clusters of namespaces that the model does not change.
    others: usize,
    /// How many looks found all in order, and how many clusters in all.
    pub(super) looks: u64,
    pub(super) seen: u64,
}

impl Checker {
    /// With so many clusters in namespaces that the model does not change.
    pub(super) fn new(others: usize) -> Self {
        Self {
            others,
            ..Self::default()
        }
    }

    /// Something was seen of a cluster.
    pub(super) fn note(&mut self, place: Place, operation: Operation) {
        self.operations.entry(place).or_default().push(operation);
    }

    /// A namespace has been deleted: nobody can ask for its clusters any more.
    pub(super) fn forget(&mut self, name: &str) {
        self.clusters.retain(|place| place.0 != name);
        self.operations.retain(|place, _| place.0 != name);
    }

    /// All clusters have been taken down.
    pub(super) fn clear(&mut self) {
        self.clusters.clear();
        self.operations.clear();
    }

    /// Looks until all is in order. Errors: what is not, after so long.
    pub(super) fn look(&mut self, world: &World, patience: Duration) -> Verdict<()> {
        let deadline = Instant::now() + patience;
        loop {
            match self.inspect(world) {
                Ok(clusters) => {
                    self.seen += clusters.len() as u64;
                    self.clusters = clusters;
                    self.operations.clear();
                    self.looks += 1;
                    return Ok(());
                }
                Err(fault) if Instant::now() >= deadline => return Err(fault),
                Err(_) => sleep(AGAIN),
            }
        }
    }

    /// Looks once; the clusters that there are.
    fn inspect(&self, world: &World) -> Verdict<BTreeSet<Place>> {
        let mut found = BTreeSet::new();
        for name in &world.namespaces {
            let view = View::of(name).map_err(|error| failed(&error))?;
            view.check_devices(world)?;
            view.check_clusters()?;
            view.check_hooks(world)?;
            view.check_reasons(world)?;
            found.extend(view.clusters.keys().map(|&index| (name.clone(), index)));
        }
        self.check_history(&found)?;
        check_switch(world)?;
        let held = references().map_err(|error| failed(&error))?;
        let wanted = found.len() + self.others;
        if held != wanted {
            let text = format!("{held} references to the module, {wanted} clusters");
            return fault("references", text);
        }
        Ok(found)
    }

    fn check_history(&self, found: &BTreeSet<Place>) -> Verdict<()> {
        let known = self.clusters.iter().chain(self.operations.keys());
        for place in known.chain(found).collect::<BTreeSet<_>>() {
            let operations = self.operations.get(place).map_or(&[][..], Vec::as_slice);
            let (before, after) = (self.clusters.contains(place), found.contains(place));
            if !explains(before, after, operations) {
                let mut text = format!(
                    "interface {} of {}: a cluster before: {before}, now: {after}, which nothing explains",
                    place.1, place.0
                );
                for operation in operations {
                    text.push_str(&format!("\n  {operation}"));
                }
                return fault("cluster", text);
            }
        }
        Ok(())
    }
}

/// How many references to the module are held.
fn references() -> Result<usize> {
    let file = "/sys/module/nlb/refcnt";
    let text = fs::read_to_string(file).context(file)?;
    Ok(text.trim().parse()?)
}

/// Whether a name is of the model's: a letter, and a number.
fn is_ours(name: &str, letter: char) -> bool {
    name.strip_prefix(letter)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|it| it.is_ascii_digit()))
}

/// The ports of the switch are those of the cables that there are.
fn check_switch(world: &World) -> Verdict<()> {
    let there = || -> Result<BTreeSet<String>> {
        let _inside = enter(SWITCH)?;
        let names = links()?.into_iter().map(|link| link.name);
        Ok(names.filter(|name| is_ours(name, 'q')).collect())
    };
    let there = there().map_err(|error| failed(&error))?;
    let port = |device: &Device| match &device.kind {
        Kind::Veth { port } => Some(port.clone()),
        _ => None,
    };
    let wanted: BTreeSet<_> = world.devices.values().filter_map(port).collect();
    if there != wanted {
        let text = format!("ports of the switch: {there:?}, cables: {wanted:?}");
        return fault("switch", text);
    }
    Ok(())
}

/// A namespace as the kernel and the module show it.
struct View<'a> {
    name: &'a str,
    links: Vec<Link>,
    clusters: BTreeMap<u32, Cluster>,
    /// What hooks of nlb there are: on each device at its ingress and its egress, and in the namespace.
    hooks: BTreeMap<u32, (usize, usize)>,
    stack: [usize; 2],
    arp_out: usize,
    /// Whether a device in the VRF of its interface has each of its VIPs: its own, or that of another cluster with the same.
    with_vips: BTreeSet<u32>,
}

impl<'a> View<'a> {
    fn of(name: &'a str) -> Result<Self> {
        let _inside = enter(name)?;
        let links = links()?;
        let clusters = Client::new(NetlinkSocket::generic()?)?.clusters()?;
        let list = HookList::open()?;
        let mut hooks = BTreeMap::new();
        for link in &links {
            let there = |place| list.of_nlb(place, Some(&link.name));
            hooks.insert(
                link.index,
                (there(Hooked::Ingress)?, there(Hooked::Egress)?),
            );
        }
        let mut with_vips = BTreeSet::new();
        let mut route = Route::new(NetlinkSocket::route()?);
        let addresses = route.all_addresses()?;
        for cluster in &clusters {
            if cluster.vip_ifindex.is_none() {
                continue;
            }
            let vrf = route.vrf_of(cluster.ifindex)?;
            let mut has_all = true;
            for vip in &cluster.vips {
                let mut reached = false;
                for it in addresses.iter().filter(|it| it.address == *vip) {
                    reached |= route.vrf_of(it.ifindex)? == vrf;
                }
                has_all &= reached;
            }
            if has_all {
                with_vips.insert(cluster.ifindex);
            }
        }
        Ok(Self {
            name,
            stack: [
                list.of_nlb(Hooked::Ip4In, None)?,
                list.of_nlb(Hooked::Ip6In, None)?,
            ],
            arp_out: list.of_nlb(Hooked::ArpOut, None)?,
            links,
            clusters: clusters.into_iter().map(|it| (it.ifindex, it)).collect(),
            hooks,
            with_vips,
        })
    }

    /// The devices of the model, by their index here, are those that are there.
    fn check_devices(&self, world: &World) -> Verdict<()> {
        let here = world.devices.values().filter(|it| it.place == self.name);
        let wanted: BTreeMap<_, _> = here.map(|it| (it.name.as_str(), it.index)).collect();
        let ours = self.links.iter().filter(|link| is_ours(&link.name, 'd'));
        let there: BTreeMap<_, _> = ours.map(|it| (it.name.as_str(), it.index)).collect();
        if wanted != there {
            let text = format!("devices of {}: {there:?}, wanted: {wanted:?}", self.name);
            return fault("devices", text);
        }
        Ok(())
    }

    fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    fn device<'w>(&self, world: &'w World, link: &Link) -> Option<(Id, &'w Device)> {
        world.find(self.name, &link.name)
    }

    /// Each cluster is on a device that is there, and knows its name.
    fn check_clusters(&self) -> Verdict<()> {
        for (index, cluster) in &self.clusters {
            let name = self.link(*index).map(|link| link.name.as_str());
            if name != Some(cluster.ifname.as_str()) {
                let text = format!(
                    "a cluster of {} on interface {index} says {}, which is {name:?}",
                    self.name, cluster.ifname
                );
                return fault("interface", text);
            }
        }
        Ok(())
    }

    fn check_hooks(&self, world: &World) -> Verdict<()> {
        let guarded = usize::from(!self.clusters.is_empty());
        let mut shared = false;
        for link in &self.links {
            let has_cluster = self.clusters.contains_key(&link.index);
            let device = self.device(world, link).map(|(id, _)| id);
            let is_port = device.is_some_and(|id| world.is_port(id));
            let taken = device.is_some_and(|id| world.taken_by(id).is_some()) && !is_port;
            shared |= taken && !has_cluster;
            let &(ingress, egress) = self.hooks.get(&link.index).unwrap_or(&(0, 0));
            // On the device of a cluster's VIPs no packet arrives.
            let of_vips = link.name.starts_with("nlb");
            let on_device = match () {
                () if has_cluster => ingress == 1,
                () if of_vips || guarded == 0 || is_port || link.name == "lo" => ingress == 0,
                () if taken => ingress == 0 && self.stack == [1, 1],
                // The stack's hook sees them all as well: what was there for a device that has gone may stay.
                () => ingress == 1 || (ingress == 0 && self.stack == [1, 1]),
            };
            if !on_device || egress != usize::from(has_cluster) {
                let text = format!(
                    "{} of {}: {ingress} hooks at its ingress, {egress} at its egress, {:?} in the stack; \
                     clusters here: {:?}; a port: {is_port}, its frames taken: {taken}",
                    link.name,
                    self.name,
                    self.stack,
                    self.clusters.keys()
                );
                return fault("hooks", text);
            }
        }
        let most = usize::from(guarded == 1);
        if self.arp_out != guarded || self.stack.iter().any(|&it| it > most) {
            let text = format!(
                "{}: {} hooks on ARP, {:?} in the stack, {} clusters, frames shared: {shared}",
                self.name,
                self.arp_out,
                self.stack,
                self.clusters.len()
            );
            return fault("hooks", text);
        }
        Ok(())
    }

    /// What a member says of its interface is so.
    fn check_reasons(&self, world: &World) -> Verdict<()> {
        for (index, cluster) in &self.clusters {
            let Some(link) = self.link(*index) else {
                continue;
            };
            let member = 1 << (cluster.host_id - 1);
            let state = cluster.state.known();
            let takes_part = matches!(state, Some(HostState::Converged | HostState::Draining));
            if !takes_part || cluster.members & member == 0 {
                continue;
            }
            let is_port = self
                .device(world, link)
                .is_some_and(|(id, _)| world.is_port(id));
            let fit = link.is_fit(MTU_MIN) && !is_port;
            let has_vips = self.with_vips.contains(index);
            let reason = cluster.out_reason.known();
            let right = match (has_vips, fit) {
                (_, false) => reason == Some(OutReason::InterfaceCut),
                (false, true) => reason == Some(OutReason::VipMissing),
                (true, true) => reason != Some(OutReason::VipMissing),
            };
            if !right {
                let text = format!(
                    "{} of {}: the host says {reason:?}; its VIPs are there: {has_vips}, its interface is fit: {fit} \
                     ({link:?}, a port: {is_port})",
                    link.name, self.name
                );
                return fault("reason", text);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{BTreeSet, Checker, Operation, is_ours};
    use crate::model::register::Effect;

    #[test]
    fn names_of_the_model_are_told_from_others() {
        assert!(is_ours("d7", 'd') && is_ours("d123", 'd'));
        for other in ["d", "dummy0", "q7", "7", "d7a", "lo"] {
            assert!(!is_ours(other, 'd'), "{other}");
        }
    }

    #[test]
    fn what_nothing_explains_is_found() {
        let place = ("n1".to_owned(), 7);
        let found = BTreeSet::from([place.clone()]);
        let mut checker = Checker::default();
        assert!(checker.check_history(&BTreeSet::new()).is_ok());
        assert_eq!(checker.check_history(&found).unwrap_err().class, "cluster");
        let made = Operation {
            began: 1,
            ended: 2,
            number: 9,
            effect: Effect::Made,
        };
        checker.note(place, made);
        assert!(checker.check_history(&found).is_ok());
        let fault = checker.check_history(&BTreeSet::new()).unwrap_err();
        assert!(fault.text.contains("event 9: Made"), "{}", fault.text);
        checker.forget("n1");
        assert!(checker.check_history(&BTreeSet::new()).is_ok());
    }
}
