// SPDX-License-Identifier: GPL-2.0-only

//! What nlbadm needs of the kernel, behind one trait so that tests can stand in for it.

use std::{
    fs, io,
    net::IpAddr,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    path::Path,
};

use crate::{host::Host, module::Loader, warn};
use nlb_core::limits::KEY_LEN;
use nlb_netlink::{
    Client, Error, NetlinkSocket,
    device::Devices,
    object::{
        Answer, BucketMap, Cluster, ClusterChange, Convergence, Counter, Key, Member, NewCluster,
        NewRule, PortRule, Question, RuleChange, SettingsChange,
    },
    route::{Address, Interface, Route},
    tcp::{Sockets, Table, TcpConnection, Tracking},
};

/// What nlbadm needs of the kernel. Each method is one exchange with it, and fails as that of [`Client`] or [`Route`]
/// with its name.
pub(crate) trait Kernel {
    fn interface(&mut self, name: &str) -> Result<Option<Interface>, Error>;
    fn addresses(&mut self, ifindex: u32) -> Result<Vec<Address>, Error>;
    fn interface_at(&mut self, ifindex: u32) -> Result<Option<Interface>, Error>;
    fn add_address(&mut self, ifindex: u32, address: IpAddr) -> Result<(), Error>;
    fn remove_address(&mut self, ifindex: u32, address: IpAddr) -> Result<(), Error>;
    fn set_up_beside(&mut self, ifindex: u32, other: u32) -> Result<(), Error>;

    fn clusters(&mut self) -> Result<Vec<Cluster>, Error>;
    fn create(&mut self, cluster: &NewCluster) -> Result<(), Error>;
    fn remove(&mut self, ifindex: u32) -> Result<(), Error>;
    fn change(&mut self, ifindex: u32, change: ClusterChange) -> Result<(), Error>;
    fn members(&mut self, ifindex: u32) -> Result<Vec<Member>, Error>;
    fn owner(&mut self, question: Question) -> Result<Answer, Error>;
    fn buckets(&mut self, ifindex: u32) -> Result<Vec<BucketMap>, Error>;
    fn counters_of(&mut self, ifindex: u32, rule: Option<u16>) -> Result<Vec<Counter>, Error>;
    fn history(&mut self, ifindex: u32) -> Result<Vec<Convergence>, Error>;
    fn rules(&mut self, ifindex: u32) -> Result<Vec<PortRule>, Error>;
    fn set_rules(&mut self, ifindex: u32, rules: &[NewRule]) -> Result<(), Error>;
    fn change_rule(&mut self, ifindex: u32, number: u16, change: RuleChange) -> Result<(), Error>;
    fn change_settings(&mut self, ifindex: u32, change: &SettingsChange) -> Result<(), Error>;
    fn keys(&mut self, ifindex: u32) -> Result<Vec<Key>, Error>;
    fn add_key(&mut self, ifindex: u32, id: u8, key: [u8; KEY_LEN]) -> Result<(), Error>;
    fn use_key(&mut self, ifindex: u32, id: u8) -> Result<(), Error>;
    fn delete_key(&mut self, ifindex: u32, id: u8) -> Result<(), Error>;

    /// The TCP connections to these addresses that live, from the tables of sockets and of connection tracking.
    fn connections(&mut self, to: &[IpAddr]) -> Result<Vec<TcpConnection>, Error>;
    fn end(&mut self, connection: &TcpConnection) -> Result<(), Error>;
}

/// Is there as long as connection tracking is.
const CONNTRACK: &str = "/proc/sys/net/netfilter/nf_conntrack_max";

/// The abstract address that one process which replaces the module has; it goes with the process, however that ends.
const REPLACES: &str = "nlb/upgrade";

/// The running kernel. Sockets are made when they are needed first: a verb that needs no cluster works without the
/// module.
#[derive(Debug, Default)]
pub(crate) struct Linux {
    client: Option<Client<NetlinkSocket>>,
    route: Option<Route<NetlinkSocket>>,
    devices: Option<Devices<NetlinkSocket>>,
    sockets: Option<Sockets<NetlinkSocket>>,
    tracking: Option<Tracking<NetlinkSocket>>,
    /// The module may be of another version than this program, which only looks or leaves.
    any_version: bool,
    /// Whose name no other process can take meanwhile.
    alone: Option<UnixListener>,
}

impl Linux {
    /// One for a program that only looks, or takes this host out of clusters: it works with a module of any version.
    pub(crate) fn of_any_version() -> Self {
        Linux {
            any_version: true,
            ..Linux::default()
        }
    }

    fn client(&mut self) -> Result<&mut Client<NetlinkSocket>, Error> {
        let client = match self.client.take() {
            Some(client) => client,
            None if self.any_version => Client::of_any_version(NetlinkSocket::generic()?)?,
            None => connect()?,
        };
        Ok(self.client.insert(client))
    }

    pub(crate) fn route(&mut self) -> Result<&mut Route<NetlinkSocket>, Error> {
        let route = match self.route.take() {
            Some(route) => route,
            None => Route::new(NetlinkSocket::route()?),
        };
        Ok(self.route.insert(route))
    }

    pub(crate) fn devices(&mut self) -> Result<&mut Devices<NetlinkSocket>, Error> {
        let devices = match self.devices.take() {
            Some(devices) => devices,
            None => Devices::new(NetlinkSocket::route()?),
        };
        Ok(self.devices.insert(devices))
    }

    fn sockets(&mut self) -> Result<&mut Sockets<NetlinkSocket>, Error> {
        let sockets = match self.sockets.take() {
            Some(sockets) => sockets,
            None => Sockets::new(NetlinkSocket::sock_diag()?),
        };
        Ok(self.sockets.insert(sockets))
    }

    fn tracking(&mut self) -> Result<&mut Tracking<NetlinkSocket>, Error> {
        let tracking = match self.tracking.take() {
            Some(tracking) => tracking,
            None => Tracking::new(NetlinkSocket::netfilter()?),
        };
        Ok(self.tracking.insert(tracking))
    }
}

/// A client of the running kernel.
pub(crate) fn connect() -> Result<Client<NetlinkSocket>, Error> {
    Client::new(NetlinkSocket::generic()?)
}

impl Kernel for Linux {
    fn interface(&mut self, name: &str) -> Result<Option<Interface>, Error> {
        self.route()?.interface(name)
    }

    fn addresses(&mut self, ifindex: u32) -> Result<Vec<Address>, Error> {
        self.route()?.addresses(ifindex)
    }

    fn add_address(&mut self, ifindex: u32, address: IpAddr) -> Result<(), Error> {
        self.route()?.add_address(ifindex, address)
    }

    fn remove_address(&mut self, ifindex: u32, address: IpAddr) -> Result<(), Error> {
        self.route()?.remove_address(ifindex, address)
    }

    fn interface_at(&mut self, ifindex: u32) -> Result<Option<Interface>, Error> {
        self.route()?.interface_at(ifindex)
    }

    fn set_up_beside(&mut self, ifindex: u32, other: u32) -> Result<(), Error> {
        self.route()?.set_up_beside(ifindex, other)
    }

    fn clusters(&mut self) -> Result<Vec<Cluster>, Error> {
        self.client()?.clusters()
    }

    fn create(&mut self, cluster: &NewCluster) -> Result<(), Error> {
        self.client()?.create(cluster)
    }

    fn remove(&mut self, ifindex: u32) -> Result<(), Error> {
        self.client()?.remove(ifindex)
    }

    fn change(&mut self, ifindex: u32, change: ClusterChange) -> Result<(), Error> {
        self.client()?.change(ifindex, change)
    }

    fn members(&mut self, ifindex: u32) -> Result<Vec<Member>, Error> {
        self.client()?.members(ifindex)
    }

    fn owner(&mut self, question: Question) -> Result<Answer, Error> {
        self.client()?.owner(question)
    }

    fn buckets(&mut self, ifindex: u32) -> Result<Vec<BucketMap>, Error> {
        self.client()?.buckets(ifindex)
    }

    fn counters_of(&mut self, ifindex: u32, rule: Option<u16>) -> Result<Vec<Counter>, Error> {
        self.client()?.counters_of(ifindex, rule)
    }

    fn history(&mut self, ifindex: u32) -> Result<Vec<Convergence>, Error> {
        self.client()?.history(ifindex)
    }

    fn rules(&mut self, ifindex: u32) -> Result<Vec<PortRule>, Error> {
        self.client()?.rules(ifindex)
    }

    fn set_rules(&mut self, ifindex: u32, rules: &[NewRule]) -> Result<(), Error> {
        self.client()?.set_rules(ifindex, rules)
    }

    fn change_rule(&mut self, ifindex: u32, number: u16, change: RuleChange) -> Result<(), Error> {
        self.client()?.change_rule(ifindex, number, change)
    }

    fn change_settings(&mut self, ifindex: u32, change: &SettingsChange) -> Result<(), Error> {
        self.client()?.change_settings(ifindex, change)
    }

    fn keys(&mut self, ifindex: u32) -> Result<Vec<Key>, Error> {
        self.client()?.keys(ifindex)
    }

    fn add_key(&mut self, ifindex: u32, id: u8, key: [u8; KEY_LEN]) -> Result<(), Error> {
        self.client()?.add_key(ifindex, id, key)
    }

    fn use_key(&mut self, ifindex: u32, id: u8) -> Result<(), Error> {
        self.client()?.use_key(ifindex, id)
    }

    fn delete_key(&mut self, ifindex: u32, id: u8) -> Result<(), Error> {
        self.client()?.delete_key(ifindex, id)
    }

    fn connections(&mut self, to: &[IpAddr]) -> Result<Vec<TcpConnection>, Error> {
        let mut found = self.sockets()?.connections(to)?;
        // To ask for it would load it.
        if Path::new(CONNTRACK).exists() {
            match self.tracking().and_then(|it| it.connections(to)) {
                Ok(tracked) => found.extend(tracked),
                Err(error) => warn(Some(format!(
                    "connections of containers could not be seen: {error}"
                ))),
            }
        }
        Ok(found)
    }

    fn end(&mut self, connection: &TcpConnection) -> Result<(), Error> {
        match connection.table {
            Table::Sockets { .. } => self.sockets()?.end(connection),
            Table::Tracking { .. } => self.tracking()?.end(connection),
        }
    }
}

impl Loader for Linux {
    fn alone(&mut self) -> io::Result<bool> {
        let address = SocketAddr::from_abstract_name(REPLACES)?;
        match UnixListener::bind_addr(&address) {
            Ok(listener) => {
                self.alone = Some(listener);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn unload(&mut self) -> io::Result<()> {
        self.run("rmmod", &["nlb"])?;
        // The family of the next one has another number; clusters are made by it.
        self.client = None;
        self.any_version = false;
        Ok(())
    }

    fn load(&mut self, file: Option<&str>) -> io::Result<()> {
        match file {
            None => self.run("modprobe", &["nlb"])?,
            Some(file) => self.run("insmod", &[file])?,
        };
        Ok(())
    }

    fn forget(&mut self, file: &str) -> io::Result<()> {
        fs::remove_file(file)
    }
}
