// SPDX-License-Identifier: GPL-2.0-only

//! The hosts that have the same file: how this one stands, and how others are asked.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    thread,
};

use super::other_release;
use crate::{
    cmd::remote::resolved,
    config::{Config, DIRECTORY},
    failure::{Exit, Failure},
    remote::{ControlKey, ask_of_file},
    replica::{Ask, Reply, Request, Status, Version},
};

/// The hosts that have the same file.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) cluster: String,
    key: ControlKey,
    /// How this host stands.
    pub(super) own: Status,
    names: BTreeMap<u8, String>,
    addresses: BTreeMap<u8, Vec<IpAddr>>,
}

impl Site {
    /// Those of a file, with the key of the file that is in its place.
    ///
    /// # Errors
    ///
    /// If the file is not for all hosts, there is no key, or nlbd does not answer on this host.
    pub(super) fn of(config: &Config) -> Result<Self, Failure> {
        let in_place =
            Config::read(&Path::new(DIRECTORY).join(format!("{}.toml", config.name()))).ok();
        let keyed = in_place
            .as_ref()
            .filter(|it| it.replicates())
            .unwrap_or(config);
        let Some(key) = ControlKey::of_file(keyed)? else {
            return Err(Failure::usage(format!(
                "{} has not `replicate = true` below [cluster]: it is each host's own, and `nlbadm apply` applies it here",
                config.file()
            )));
        };
        let mut site = Site {
            cluster: config.name().into(),
            key,
            own: Status::default(),
            names: BTreeMap::new(),
            addresses: BTreeMap::new(),
        };
        let here = [Ipv4Addr::LOCALHOST.into()];
        let reply = site.call(&here, 0, 0, &Ask::Status).map_err(|why| {
            Failure::new(
                Exit::Failed,
                format!(
                    "nlbd of this host: {why}; `systemctl enable --now nlbd` starts it, `systemctl reload nlbd` has it read \
                     the file again"
                ),
            )
        })?;
        site.own = match reply {
            Reply::Status(status) => *status,
            other => return Err(other_release(&other, &Ask::Status)),
        };
        for host in config.hosts() {
            site.names.insert(host.id, host.name.clone());
            let known = site.own.peers.iter().filter(|(id, _)| *id == host.id);
            let mut addresses: Vec<IpAddr> = host.dedicated().into_iter().collect();
            addresses.extend(known.flat_map(|(_, addresses)| addresses));
            if host.id == site.own.host {
                addresses = here.into();
            }
            site.addresses.insert(host.id, addresses);
        }
        Ok(site)
    }

    /// The names of the hosts, by their ids.
    pub(super) fn hosts(&self) -> &BTreeMap<u8, String> {
        &self.names
    }

    /// Asks a host.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub(super) fn ask(&self, id: u8, ask: &Ask) -> Result<Reply, String> {
        let known = self.addresses.get(&id).cloned().unwrap_or_default();
        let addresses = match (known.as_slice(), self.names.get(&id)) {
            ([], Some(name)) => resolved(name),
            _ => known,
        };
        self.call(&addresses, self.own.host, id, ask)
    }

    fn call(&self, addresses: &[IpAddr], from: u8, to: u8, ask: &Ask) -> Result<Reply, String> {
        let request = Request {
            from,
            to,
            ask: ask.clone(),
        };
        ask_of_file(&self.cluster, &self.key, addresses, &request)
    }

    /// How a host stands.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub(super) fn status(&self, id: u8) -> Result<Status, String> {
        match self.ask(id, &Ask::Status)? {
            Reply::Status(status) if status.host == id => Ok(*status),
            Reply::Status(status) => Err(format!("host {} answers at its address", status.host)),
            other => Err(other_release(&other, &Ask::Status).message),
        }
    }

    /// How the other hosts stand, all asked at the same time.
    pub(super) fn others(&self) -> BTreeMap<u8, Result<Status, String>> {
        let others = self.names.keys().filter(|&&id| id != self.own.host);
        thread::scope(|scope| {
            let asked: Vec<_> = others
                .map(|&id| (id, scope.spawn(move || self.status(id))))
                .collect();
            let answer = |(id, thread): (u8, thread::ScopedJoinHandle<'_, _>)| {
                // It does not end otherwise.
                let failed = |_| Err("nlbadm failed to ask it: this is a bug".to_owned());
                (id, thread.join().unwrap_or_else(failed))
            };
            asked.into_iter().map(answer).collect()
        })
    }

    /// The content of a version, as this host has it, or else another one that has it.
    ///
    /// # Errors
    ///
    /// If no host has it.
    pub(super) fn content(&self, number: u64) -> Result<(Version, String), Failure> {
        let ask = Ask::Fetch(Some(number));
        let own = self.own.host;
        // What a host had before the first version is its own.
        let others = self.names.keys().filter(|&&id| id != own && number > 0);
        for id in std::iter::once(&own).chain(others) {
            if let Ok(Reply::Text { version, text }) = self.ask(*id, &ask) {
                return Ok((version, text));
            }
        }
        Err(Failure::usage(format!(
            "no host has a version {number}; `nlbadm versions` shows those there are"
        )))
    }

    /// Number of the version before the one in force, that this host knows or another one.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub(super) fn before(&self) -> Result<u64, Failure> {
        let current = self.own.current.as_ref().map_or(0, |it| it.number);
        let before = |history: &[Version]| {
            let numbers = history.iter().map(|version| version.number);
            numbers.filter(|&number| number < current).max()
        };
        let others = || {
            let known = self.others().into_values().flatten();
            known.filter_map(|it| before(&it.history)).max()
        };
        before(&self.own.history)
            .filter(|&number| number > 0)
            .or_else(others)
            .or_else(|| before(&self.own.history))
            .ok_or_else(|| {
                Failure::usage(
                    "there is no earlier version; `nlbadm versions` shows those there are",
                )
            })
    }
}
