// SPDX-License-Identifier: GPL-2.0-only

//! What nlbd needs of the kernel, behind a trait so that tests can stand in for it.

use std::path::Path;

use nlb_core::genl;
use nlb_netlink::{
    Client, Error, NetlinkSocket,
    object::{BucketMap, Cluster, ClusterChange, Member, PortRule, RuleChange},
};
use nlbadm::MODULE;

/// What nlbd needs of the kernel. Each method is one exchange with it, and fails as that of [`Client`] with its name.
pub(crate) trait Kernel {
    fn clusters(&mut self) -> Result<Vec<Cluster>, Error>;
    fn members(&mut self, ifindex: u32) -> Result<Vec<Member>, Error>;
    fn rules(&mut self, ifindex: u32) -> Result<Vec<PortRule>, Error>;
    fn buckets(&mut self, ifindex: u32) -> Result<Vec<BucketMap>, Error>;
    fn change(&mut self, ifindex: u32, change: ClusterChange) -> Result<(), Error>;
    fn change_rule(&mut self, ifindex: u32, number: u16, change: RuleChange) -> Result<(), Error>;
}

/// The running kernel. The module may come and go.
#[derive(Debug, Default)]
pub(crate) struct Linux {
    client: Option<Client<NetlinkSocket>>,
}

/// A client of the running kernel.
///
/// # Errors
///
/// [`Error::NoFamily`] if the module is not loaded, and as [`Client::new`].
pub(crate) fn connect() -> Result<Client<NetlinkSocket>, Error> {
    if !Path::new(MODULE).exists() {
        return Err(Error::NoFamily(genl::FAMILY));
    }
    Client::new(NetlinkSocket::generic()?)
}

impl Linux {
    /// One exchange. After a failure the next one begins with a new socket: the module may have been loaded anew.
    fn with<T>(
        &mut self,
        exchange: impl FnOnce(&mut Client<NetlinkSocket>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => connect()?,
        };
        let result = exchange(&mut client);
        if result.is_ok() {
            self.client = Some(client);
        }
        result
    }
}

impl Kernel for Linux {
    fn clusters(&mut self) -> Result<Vec<Cluster>, Error> {
        self.with(Client::clusters)
    }

    fn members(&mut self, ifindex: u32) -> Result<Vec<Member>, Error> {
        self.with(|client| client.members(ifindex))
    }

    fn rules(&mut self, ifindex: u32) -> Result<Vec<PortRule>, Error> {
        self.with(|client| client.rules(ifindex))
    }

    fn buckets(&mut self, ifindex: u32) -> Result<Vec<BucketMap>, Error> {
        self.with(|client| client.buckets(ifindex))
    }

    fn change(&mut self, ifindex: u32, change: ClusterChange) -> Result<(), Error> {
        self.with(|client| client.change(ifindex, change))
    }

    fn change_rule(&mut self, ifindex: u32, number: u16, change: RuleChange) -> Result<(), Error> {
        self.with(|client| client.change_rule(ifindex, number, change))
    }
}
