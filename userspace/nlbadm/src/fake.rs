// SPDX-License-Identifier: GPL-2.0-only

//! A kernel for tests: it answers from plain fields, writes down every change, and fails where told to.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr},
};

use nlb_core::{
    genl::{Affinity, Control, Echo, Health, Mode, Responder, Stance},
    limits::KEY_LEN,
    mac::virtual_mac,
    rules::{FilteringMode, HealthAction, Protocols, Rule, RuleState, Track},
    state::{Cause, HostState, OutReason},
};
use nlb_netlink::{
    Error, Refusal,
    device::{Filter, Link},
    object::{
        Answer, BucketMap, Cluster, ClusterChange, ClusterKey, Convergence, Counter, Key, Member,
        NewCluster, NewRule, PortRule, Question, RuleChange, SettingsChange, Staged,
    },
    route::{Address, Interface},
    tcp::{Table, TcpConnection},
};

use crate::{
    host::Host,
    kernel::Kernel,
    module::{LOADED, Loader},
    obstacle::Subject,
};

/// A kernel for tests.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) addresses: Vec<Address>,
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) members: Vec<Member>,
    pub(crate) answer: Option<Answer>,
    pub(crate) maps: Vec<BucketMap>,
    pub(crate) counters: Vec<Counter>,
    pub(crate) history: Vec<Convergence>,
    pub(crate) keys: Vec<Key>,
    pub(crate) rules: Vec<PortRule>,
    /// Every change that was asked for, in order.
    pub(crate) changes: Vec<String>,
    /// Changes that start like this are refused, with this error number.
    pub(crate) refuse: Vec<(&'static str, i32)>,
    /// The last request for a new cluster.
    pub(crate) created: Option<NewCluster>,
    /// There is no family of the module.
    pub(crate) no_module: bool,
    /// Texts of files, by path.
    pub(crate) files: BTreeMap<String, String>,
    /// Paths of files that may not be read.
    pub(crate) unreadable: Vec<String>,
    /// What programs print; those without are not installed.
    pub(crate) output: Vec<(&'static str, String)>,
    pub(crate) links: Vec<Link>,
    pub(crate) devices_addresses: Vec<(u32, Address)>,
    /// Filters at the ingress of eth0.
    pub(crate) filters: Vec<Filter>,
    /// The way to addresses beyond all networks.
    pub(crate) way_out: Option<u32>,
    /// What the hosts are once this one has begun to drain.
    pub(crate) members_then: Option<Vec<Member>>,
    /// Another process replaces the module.
    pub(crate) another_upgrades: bool,
    /// TCP connections of the host.
    pub(crate) connections: Vec<TcpConnection>,
}

impl Fake {
    /// A host with eth0 (192.0.2.1/24) and lo, and no cluster.
    pub(crate) fn host() -> Self {
        Fake {
            interfaces: vec![
                interface(1, "lo", true, false),
                interface(2, "eth0", false, true),
            ],
            addresses: vec![address("192.0.2.1", 24, false)],
            links: subject().links,
            ..Fake::default()
        }
    }

    /// The same host as host 1 of a cluster of three.
    pub(crate) fn in_cluster() -> Self {
        Fake {
            addresses: vec![
                address("192.0.2.1", 24, false),
                vip_address("192.0.2.10", 32),
                vip_address("2001:db8::10", 128),
            ],
            clusters: vec![cluster(2, "eth0")],
            members: vec![
                member(1, HostState::Converged, OutReason::None, None),
                member(2, HostState::Converged, OutReason::None, Some(103)),
                member(3, HostState::Converged, OutReason::Dead, Some(61_250)),
            ],
            ..Fake::host()
        }
    }

    /// Gives a file this text.
    pub(crate) fn file(&mut self, path: &str, text: &str) {
        self.files.insert(path.into(), text.into());
    }

    /// Gives the running kernel this release, and a module with this content, which modprobe would load.
    pub(crate) fn modules(&mut self, release: &str, content: &str) {
        self.file("/proc/sys/kernel/osrelease", &format!("{release}\n"));
        let directory = format!("/lib/modules/{release}");
        self.file(&format!("{directory}/modules.dep"), "updates/nlb.ko:\n");
        self.file(&format!("{directory}/updates/nlb.ko"), content);
    }

    /// Puts a module with this build id into the kernel.
    pub(crate) fn load_build(&mut self, id: &str) {
        self.file(LOADED, id);
    }

    /// Gives the host what a kernel without obstacles has, and the tools that checks use.
    pub(crate) fn healthy(&mut self) {
        for interface in ["all", "eth0", "eth1"] {
            for parameter in ["rp_filter", "arp_ignore"] {
                let path = format!("/proc/sys/net/ipv4/conf/{interface}/{parameter}");
                self.file(&path, "0\n");
            }
        }
        self.output = vec![
            ("nft", r#"{"nftables": []}"#.into()),
            ("bpftool", "[]".into()),
        ];
    }

    fn change(&mut self, change: String) -> Result<(), Error> {
        let refused = self
            .refuse
            .iter()
            .find(|(start, _)| change.starts_with(start));
        let result = match refused {
            Some(&(_, errno)) => Err(refusal(errno)),
            None => Ok(()),
        };
        self.changes.push(change);
        result
    }
}

/// A device.
pub(crate) fn link(index: u32, name: &str, mtu: u32) -> Link {
    Link {
        index,
        name: name.into(),
        mtu,
        ..Link::default()
    }
}

/// The interface eth0 of a host with the devices lo, eth0 and eth1, for checks.
pub(crate) fn subject() -> Subject {
    Subject {
        interface: "eth0".into(),
        index: 2,
        vips: vec![
            "192.0.2.10".parse().unwrap(),
            "2001:db8::10".parse().unwrap(),
        ],
        links: vec![
            link(1, "lo", 65_536),
            link(2, "eth0", 1500),
            link(3, "eth1", 1500),
        ],
    }
}

/// A refusal with nothing but its number.
pub(crate) fn refusal(errno: i32) -> Error {
    Error::Refused(Refusal {
        errno,
        text: None,
        attribute: None,
        missing: None,
    })
}

pub(crate) fn interface(index: u32, name: &str, loopback: bool, ethernet: bool) -> Interface {
    Interface {
        index,
        name: name.into(),
        loopback,
        ethernet,
        up: true,
    }
}

pub(crate) fn address(text: &str, prefix: u8, ours: bool) -> Address {
    Address {
        ifindex: 2,
        address: text.parse().unwrap(),
        prefix,
        global: true,
        ours,
    }
}

/// An established TCP connection of a socket.
pub(crate) fn tcp(client: &str, local: &str) -> TcpConnection {
    TcpConnection {
        client: client.parse().unwrap(),
        local: local.parse().unwrap(),
        state: "established",
        table: Table::Sockets {
            mapped: false,
            interface: 0,
        },
    }
}

/// An address of the device of the VIPs.
pub(crate) fn vip_address(text: &str, prefix: u8) -> Address {
    Address {
        ifindex: VIP_DEVICE,
        global: false,
        ..address(text, prefix, true)
    }
}

/// Index of the device that clusters here have their VIPs on.
const VIP_DEVICE: u32 = 9;

pub(crate) fn cluster(ifindex: u32, ifname: &str) -> Cluster {
    Cluster {
        ifindex,
        ifname: ifname.into(),
        name: "web".into(),
        host_id: 1,
        mode: Mode::Multicast.into(),
        vips: vec![
            "192.0.2.10".parse().unwrap(),
            "2001:db8::10".parse().unwrap(),
        ],
        dedicated_ip: Some("192.0.2.1".parse().unwrap()),
        dedicated_follows: true,
        affinity: Affinity::Single.into(),
        period_ms: 200,
        tolerance: 5,
        virtual_mac: Some([0x03, 0xbf, 192, 0, 2, 10]),
        state: HostState::Converged.into(),
        out_reason: OutReason::None.into(),
        generation: 7,
        default_host: Some(1),
        members: 0b011,
        key_id: Some(1),
        weight: Some(50),
        buckets_owned: 2048,
        cause: Some(Cause::Died.into()),
        pending: None,
        rules: Some(1),
        virtual_mac_v6: None,
        conflict: None,
        allow_other_interfaces: false,
        starved: 0,
        echo: Echo::DefaultHost.into(),
        responder: Responder::DefaultHost.into(),
        walk_found: Some(12),
        residue: Some(0),
        walk_us: Some(300),
        walk_seen: Some(20),
        sessions_max: Some(262_144),
        sessions: Some(17),
        vip_ifindex: Some(VIP_DEVICE),
        unanswered_vips: Vec::new(),
        asking_mac: None,
        health: Health::Unknown.into(),
        staged: Staged::default(),
        held: false,
        former_vips: Vec::new(),
    }
}

/// What a change of settings tells, in words.
fn told(change: &SettingsChange) -> String {
    let vips = change.vips.as_deref().map(|vips| {
        let vips: Vec<_> = vips.iter().map(ToString::to_string).collect();
        format!(" vips {}", vips.join(" "))
    });
    let parts = [
        vips,
        change.period_ms.map(|period| format!(" period {period}")),
        change.tolerance.map(|it| format!(" tolerance {it}")),
        change.echo.map(|echo| format!(" echo {}", echo.name())),
        change
            .responder
            .map(|it| format!(" responder {}", it.name())),
        change
            .rules
            .as_ref()
            .map(|it| format!(" {} rules", it.len())),
    ];
    parts.into_iter().flatten().collect()
}

/// A rule for a range of ports of all VIPs, in force on this host.
pub(crate) fn rule(number: u16, first_port: u16, last_port: u16) -> PortRule {
    PortRule {
        number,
        pending: false,
        vip: None,
        protocols: Protocols::Both.into(),
        first_port,
        last_port,
        mode: FilteringMode::Multiple.into(),
        affinity: Affinity::Single.into(),
        prefix_v4: 24,
        prefix_v6: 64,
        track: Track::Quic.into(),
        health_action: HealthAction::Report.into(),
        weight: None,
        priority: None,
        state: RuleState::Enabled.into(),
        buckets_owned: Some(1366),
        accepted: None,
        dropped: None,
        health: Health::Unknown.into(),
        stance: Stance::Takes.into(),
    }
}

pub(crate) fn member(
    host_id: u8,
    state: HostState,
    out_reason: OutReason,
    last_heard_ms: Option<u32>,
) -> Member {
    let alive = out_reason == OutReason::None;
    Member {
        host_id,
        state: state.into(),
        out_reason: out_reason.into(),
        last_heard_ms,
        incarnation: 0x0123_4567_89ab_cdef,
        buckets_owned: if alive { 2048 } else { 0 },
        this: last_heard_ms.is_none(),
        default: host_id == 1,
        heard_segment: alive && last_heard_ms.is_some(),
        heard_relay: false,
        heard_wrapped: false,
        loss_permille: Some(0),
        dedicated_ip: Some(IpAddr::from([192, 0, 2, host_id])),
        weight: Some(50),
        member: alive,
        pending: None,
        residue: alive.then_some(u32::from(host_id) - 1),
        residue_ms: (alive && host_id > 1).then_some(61_000),
        rules_given_up: 0,
    }
}

/// A new cluster, as it is seen afterwards.
fn made(new: &NewCluster, ifname: &str) -> Cluster {
    let key_id = match new.key {
        ClusterKey::Key { id, .. } => Some(id),
        ClusterKey::NoKey => None,
    };
    let derived = new.vips.first().map(|&vip| virtual_mac(new.mode, vip));
    Cluster {
        name: new.name.clone(),
        host_id: new.host_id,
        mode: new.mode.into(),
        vips: new.vips.clone(),
        dedicated_ip: new.dedicated_ip,
        dedicated_follows: new.dedicated_follows,
        period_ms: new.period_ms,
        tolerance: new.tolerance,
        virtual_mac: new.virtual_mac.or(derived),
        state: HostState::Stopped.into(),
        key_id,
        weight: new.weight.or(Some(50)),
        allow_other_interfaces: new.allow_other_interfaces,
        echo: new.echo.into(),
        responder: new.responder.into(),
        sessions_max: new.sessions_max.or(Some(262_144)),
        ..cluster(new.ifindex, ifname)
    }
}

/// New rules, as they are seen afterwards.
fn listed(rules: &[NewRule]) -> Vec<PortRule> {
    let seen = |(number, new): (u16, &NewRule)| PortRule {
        vip: new.rule.vip,
        protocols: new.rule.protocols.into(),
        mode: new.rule.mode.into(),
        affinity: new.rule.affinity.into(),
        prefix_v4: new.rule.prefix_v4,
        prefix_v6: new.rule.prefix_v6,
        track: new.rule.track.into(),
        health_action: new.rule.health.into(),
        weight: new.weight,
        priority: new.priority,
        ..rule(number, new.rule.first_port, new.rule.last_port)
    };
    (0..).zip(rules).map(seen).collect()
}

impl Kernel for Fake {
    fn interface(&mut self, name: &str) -> Result<Option<Interface>, Error> {
        Ok(self.interfaces.iter().find(|i| i.name == name).cloned())
    }

    fn interface_at(&mut self, ifindex: u32) -> Result<Option<Interface>, Error> {
        Ok(self.interfaces.iter().find(|i| i.index == ifindex).cloned())
    }

    fn addresses(&mut self, ifindex: u32) -> Result<Vec<Address>, Error> {
        let mut addresses = self.addresses.clone();
        addresses.retain(|address| address.ifindex == ifindex);
        Ok(addresses)
    }

    fn add_address(&mut self, ifindex: u32, address: IpAddr) -> Result<(), Error> {
        let is_it = |a: &Address| a.ifindex == ifindex && a.address == address;
        let exists = self.addresses.iter().any(is_it);
        Fake::change(self, format!("add {address} to {ifindex}"))?;
        if exists { Err(refusal(17)) } else { Ok(()) }
    }

    fn remove_address(&mut self, ifindex: u32, address: IpAddr) -> Result<(), Error> {
        Fake::change(self, format!("remove {address} from {ifindex}"))?;
        for cluster in &mut self.clusters {
            cluster.former_vips.retain(|vip| *vip != address);
        }
        Ok(())
    }

    fn set_up_beside(&mut self, ifindex: u32, other: u32) -> Result<(), Error> {
        Fake::change(self, format!("set up {ifindex} beside {other}"))
    }

    fn clusters(&mut self) -> Result<Vec<Cluster>, Error> {
        if self.no_module {
            return Err(Error::NoFamily("nlb"));
        }
        Ok(self.clusters.clone())
    }

    fn create(&mut self, new: &NewCluster) -> Result<(), Error> {
        self.created = Some(new.clone());
        Fake::change(self, format!("create on {}", new.ifindex))?;
        let interface = self.interfaces.iter().find(|it| it.index == new.ifindex);
        let ifname = interface.map_or("eth0", |it| it.name.as_str());
        self.clusters.push(made(new, ifname));
        let default = [NewRule {
            rule: Rule::all(new.affinity),
            weight: None,
            priority: None,
            state: None,
        }];
        self.rules = listed(new.rules.as_deref().unwrap_or(&default));
        Ok(())
    }

    fn remove(&mut self, ifindex: u32) -> Result<(), Error> {
        Fake::change(self, format!("remove from {ifindex}"))?;
        self.clusters.retain(|cluster| cluster.ifindex != ifindex);
        Ok(())
    }

    fn change(&mut self, ifindex: u32, change: ClusterChange) -> Result<(), Error> {
        let text = match change {
            ClusterChange::Control(control) => control.name().to_owned(),
            ClusterChange::Drainstop { timeout_s: None } => "drainstop".to_owned(),
            ClusterChange::Drainstop {
                timeout_s: Some(seconds),
            } => format!("drainstop within {seconds} s"),
            ClusterChange::Weight(weight) => format!("weight {weight}"),
            ClusterChange::SessionsMax(max) => format!("sessions-max {max}"),
        };
        Fake::change(self, format!("{text} on {ifindex}"))?;
        for cluster in self.clusters.iter_mut().filter(|c| c.ifindex == ifindex) {
            match change {
                // A drain of nobody is at its end at once.
                ClusterChange::Control(Control::Stop) | ClusterChange::Drainstop { .. } => {
                    cluster.state = HostState::Stopped.into();
                }
                ClusterChange::Control(Control::Suspend) => {
                    cluster.state = HostState::Suspended.into();
                }
                ClusterChange::Control(Control::Start) => {
                    cluster.state = HostState::Converged.into();
                }
                ClusterChange::Control(Control::Drain) => {
                    self.members = self
                        .members_then
                        .take()
                        .unwrap_or_else(|| self.members.clone());
                }
                ClusterChange::Control(_) => {}
                ClusterChange::Weight(weight) => cluster.weight = Some(weight),
                ClusterChange::SessionsMax(max) => cluster.sessions_max = Some(max),
            }
        }
        Ok(())
    }

    fn members(&mut self, _ifindex: u32) -> Result<Vec<Member>, Error> {
        Ok(self.members.clone())
    }

    fn owner(&mut self, _question: Question) -> Result<Answer, Error> {
        self.answer.clone().ok_or_else(|| refusal(22))
    }

    fn buckets(&mut self, _ifindex: u32) -> Result<Vec<BucketMap>, Error> {
        Ok(self.maps.clone())
    }

    fn counters_of(&mut self, _ifindex: u32, rule: Option<u16>) -> Result<Vec<Counter>, Error> {
        let mut counters = self.counters.clone();
        counters.retain(|counter| rule.is_none() || counter.name.starts_with("accepted-"));
        Ok(counters)
    }

    fn history(&mut self, _ifindex: u32) -> Result<Vec<Convergence>, Error> {
        Ok(self.history.clone())
    }

    fn rules(&mut self, _ifindex: u32) -> Result<Vec<PortRule>, Error> {
        Ok(self.rules.clone())
    }

    fn change_settings(&mut self, ifindex: u32, change: &SettingsChange) -> Result<(), Error> {
        Fake::change(self, format!("settings{} on {ifindex}", told(change)))?;
        for cluster in self.clusters.iter_mut().filter(|c| c.ifindex == ifindex) {
            if let Some(vips) = &change.vips {
                let gone = cluster.vips.iter().filter(|vip| !vips.contains(vip));
                cluster.former_vips.extend(gone);
                cluster.vips = vips.clone();
            }
            cluster.period_ms = change.period_ms.unwrap_or(cluster.period_ms);
            cluster.tolerance = change.tolerance.unwrap_or(cluster.tolerance);
            cluster.echo = change.echo.map_or(cluster.echo, Into::into);
            cluster.responder = change.responder.map_or(cluster.responder, Into::into);
        }
        if let Some(rules) = &change.rules {
            self.rules = listed(rules);
        }
        Ok(())
    }

    fn set_rules(&mut self, ifindex: u32, rules: &[NewRule]) -> Result<(), Error> {
        let text: String = rules
            .iter()
            .map(|new| {
                let rule = &new.rule;
                let weight = new.weight.map(|weight| format!(" weight {weight}"));
                let weight = weight.unwrap_or_default();
                format!(" {}-{}{weight}", rule.first_port, rule.last_port)
            })
            .collect();
        Fake::change(self, format!("rules{text} on {ifindex}"))?;
        self.rules = listed(rules);
        Ok(())
    }

    fn change_rule(&mut self, ifindex: u32, number: u16, change: RuleChange) -> Result<(), Error> {
        let text = match change {
            RuleChange::State(state) => state.name().to_owned(),
            RuleChange::Weight(weight) => format!("weight {weight}"),
            RuleChange::Priority(priority) => format!("priority {priority}"),
        };
        Fake::change(self, format!("rule {number} {text} on {ifindex}"))
    }

    fn keys(&mut self, _ifindex: u32) -> Result<Vec<Key>, Error> {
        Ok(self.keys.clone())
    }

    fn add_key(&mut self, ifindex: u32, id: u8, _key: [u8; KEY_LEN]) -> Result<(), Error> {
        Fake::change(self, format!("add key {id} on {ifindex}"))
    }

    fn use_key(&mut self, ifindex: u32, id: u8) -> Result<(), Error> {
        Fake::change(self, format!("use key {id} on {ifindex}"))
    }

    fn delete_key(&mut self, ifindex: u32, id: u8) -> Result<(), Error> {
        Fake::change(self, format!("delete key {id} on {ifindex}"))
    }

    fn connections(&mut self, to: &[IpAddr]) -> Result<Vec<TcpConnection>, Error> {
        let all = self.connections.iter().copied();
        Ok(all.filter(|it| to.contains(&it.local.ip())).collect())
    }

    fn end(&mut self, connection: &TcpConnection) -> Result<(), Error> {
        Fake::change(self, format!("end {}", connection.client))
    }
}

impl Host for Fake {
    fn read(&mut self, path: &str) -> io::Result<String> {
        if self.unreadable.iter().any(|unreadable| unreadable == path) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let text = self.files.get(path).cloned();
        text.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn bytes(&mut self, path: &str) -> io::Result<Vec<u8>> {
        self.read(path).map(String::into_bytes)
    }

    fn files(&mut self, directory: &str) -> Vec<String> {
        let inside = |path: &&String| {
            let name = path.strip_prefix(directory);
            let name = name.and_then(|name| name.strip_prefix('/'));
            name.is_some_and(|name| !name.contains('/'))
        };
        self.files.keys().filter(inside).cloned().collect()
    }

    fn exists(&mut self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    fn run(&mut self, program: &str, _arguments: &[&str]) -> io::Result<String> {
        let output = self.output.iter().find(|(name, _)| *name == program);
        let output = output.map(|(_, text)| text.clone());
        output.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn links(&mut self) -> Result<Vec<Link>, Error> {
        Ok(self.links.clone())
    }

    fn all_addresses(&mut self) -> Result<Vec<Address>, Error> {
        let on_device = |(ifindex, address): (u32, Address)| Address { ifindex, ..address };
        Ok(self
            .devices_addresses
            .clone()
            .into_iter()
            .map(on_device)
            .collect())
    }

    fn filters(&mut self, ifindex: u32) -> Result<Vec<Filter>, Error> {
        Ok(if ifindex == 2 {
            self.filters.clone()
        } else {
            Vec::new()
        })
    }

    fn way_out(&mut self, _from: Option<Ipv4Addr>, _to: Ipv4Addr) -> Result<Option<u32>, Error> {
        Ok(self.way_out)
    }
}

impl Loader for Fake {
    fn alone(&mut self) -> io::Result<bool> {
        Ok(!self.another_upgrades)
    }

    fn unload(&mut self) -> io::Result<()> {
        Fake::change(self, "unload".into()).map_err(io::Error::other)?;
        self.files.remove(LOADED);
        self.no_module = true;
        Ok(())
    }

    fn load(&mut self, file: Option<&str>) -> io::Result<()> {
        let what = file.unwrap_or("the installed module");
        Fake::change(self, format!("load {what}")).map_err(io::Error::other)?;
        self.load_build(what);
        self.no_module = false;
        Ok(())
    }

    fn forget(&mut self, file: &str) -> io::Result<()> {
        self.files.remove(file);
        Ok(())
    }
}
