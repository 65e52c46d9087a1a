// SPDX-License-Identifier: GPL-2.0-only

//! The file of a cluster on all of its hosts: what this host holds of it, and what it answers the others. What is decided is
//! in [`nlbadm::replica`].
//!
//! Off unless the file says `replicate = true`.

mod disk;
mod store;
mod worker;

use std::{
    collections::BTreeMap,
    fs::DirBuilder,
    io,
    net::IpAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime},
};

use nlbadm::{
    could, fits,
    remote::ControlKey,
    replica::{Ask, Refusal, Reply, Request, Status, Step},
};
use tokio::sync::mpsc::UnboundedSender;

use self::{
    disk::Real,
    store::{Addresses, Store},
};
use crate::log;

/// What the file says about itself.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// The cluster.
    pub(crate) cluster: String,
    /// The file.
    pub(crate) file: PathBuf,
    /// The section that is this host's, if that is told.
    pub(crate) section: Option<String>,
    /// Id of this host.
    pub(crate) own: u8,
    /// Its name.
    pub(crate) name: String,
    /// The key of the channel.
    pub(crate) key: ControlKey,
    /// All hosts: id, name, address.
    pub(crate) hosts: Vec<(u8, String, Option<IpAddr>)>,
}

/// What the process is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The file is another one.
    File,
    /// This host has the newest version that it could find, or nobody was to be reached.
    Synced,
}

/// The files that are the same on all hosts.
#[derive(Debug)]
pub(crate) struct Replicas {
    /// Where states are kept.
    directory: PathBuf,
    news: UnboundedSender<News>,
    by_cluster: BTreeMap<String, Arc<Replica>>,
}

impl Replicas {
    /// None yet.
    pub(crate) fn new(directory: PathBuf, news: UnboundedSender<News>) -> Self {
        Replicas {
            directory,
            news,
            by_cluster: BTreeMap::new(),
        }
    }

    /// Takes what holds from now on.
    pub(crate) fn set(&mut self, setups: Vec<Setup>) {
        let named = |name: &String| setups.iter().any(|setup| setup.cluster == *name);
        self.by_cluster.retain(|name, replica| {
            let stays = named(name);
            if !stays {
                replica.end();
                log!("replication of {name}: off");
            }
            stays
        });
        for setup in setups {
            let name = setup.cluster.clone();
            if let Some(replica) = self.by_cluster.get(&name) {
                if replica.is_of(&setup.file) {
                    *replica.key.lock().unwrap_or_else(PoisonError::into_inner) = setup.key.clone();
                    replica.held().setup = setup;
                    continue;
                }
                replica.end();
            }
            match self.begin(setup) {
                Ok(replica) => {
                    log!("replication of {name}: on");
                    self.by_cluster.insert(name, replica);
                }
                Err(error) => log!("no replication of {name}: {error}"),
            }
        }
    }

    fn begin(&self, setup: Setup) -> io::Result<Arc<Replica>> {
        let directory = self.directory.join(directory_name(&setup.cluster));
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        let made = builder.create(&directory);
        made.map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", directory.display()))
        })?;
        let store = Store::open(Box::new(Real), &directory, &setup.file)?;
        let replica = Arc::new(Replica::new(setup, store, self.news.clone()));
        worker::start(&replica)?;
        Ok(replica)
    }

    /// The keys and what answers, by clusters.
    pub(crate) fn access(&self) -> BTreeMap<String, Arc<Replica>> {
        self.by_cluster.clone()
    }

    /// Whether all have asked the other hosts since this process began.
    pub(crate) fn are_synced(&self) -> bool {
        self.by_cluster
            .values()
            .all(|replica| replica.held().synced)
    }
}

/// The name of a cluster as that of a directory.
fn directory_name(cluster: &str) -> String {
    let mut name = String::new();
    for byte in cluster.bytes() {
        match byte {
            b'.' if name.is_empty() => name.push_str("%2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => name.push(byte.into()),
            other => name.push_str(&format!("%{other:02x}")),
        }
    }
    name
}

/// The file of one cluster.
#[derive(Debug)]
pub(crate) struct Replica {
    held: Mutex<Held>,
    /// The key of the channel, apart: who has it not, or waits for it, must not wait for the disk.
    key: Mutex<ControlKey>,
    /// Something is to be done, or it ends.
    wake: Condvar,
    news: UnboundedSender<News>,
}

#[derive(Debug)]
struct Held {
    setup: Setup,
    store: Store,
    /// Since when a change waits for word, as this process knows.
    staged_since: Option<Instant>,
    /// Where hosts were found.
    addresses: Addresses,
    /// Where they called from.
    heard: BTreeMap<u8, IpAddr>,
    waits_for: Vec<u8>,
    trouble: Option<String>,
    /// Whether other hosts were asked since this process began.
    asked: bool,
    /// Whether what they have is in its place.
    synced: bool,
    /// Whether a name is being resolved.
    resolves: bool,
    ended: bool,
}

impl Replica {
    fn new(setup: Setup, store: Store, news: UnboundedSender<News>) -> Self {
        let staged_since = store.state().staged.is_some().then(Instant::now);
        Replica {
            key: Mutex::new(setup.key.clone()),
            held: Mutex::new(Held {
                setup,
                staged_since,
                addresses: store.addresses().clone(),
                store,
                heard: BTreeMap::new(),
                waits_for: Vec::new(),
                trouble: None,
                asked: false,
                synced: false,
                resolves: false,
                ended: false,
            }),
            wake: Condvar::new(),
            news,
        }
    }

    /// One of a cluster of two hosts, this one with id 1, that does nothing by itself.
    #[cfg(test)]
    pub(crate) fn for_tests(directory: &Path, key: ControlKey) -> Arc<Self> {
        let file = directory.join("web.toml");
        let store = Store::open(Box::new(Real), directory, &file).unwrap();
        let setup = Setup {
            cluster: "web".into(),
            file,
            section: Some("a".into()),
            own: 1,
            name: "a".into(),
            key,
            hosts: vec![(1, "a".into(), None), (2, "b".into(), None)],
        };
        let (news, _) = tokio::sync::mpsc::unbounded_channel();
        Arc::new(Replica::new(setup, store, news))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // What is written down is right at every moment.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_of(&self, file: &Path) -> bool {
        self.held().setup.file == file
    }

    fn end(&self) {
        self.held().ended = true;
        self.wake.notify_all();
    }

    /// The key of the channel.
    pub(crate) fn key(&self) -> ControlKey {
        self.key
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Answers a host that has the key; with a line for the log where something was asked for.
    pub(crate) fn answer(&self, from: IpAddr, message: &[u8]) -> (Vec<u8>, Option<String>) {
        let (reply, told) = match serde_json::from_slice(message) {
            Ok(Request {
                from: host,
                to,
                ask,
            }) => {
                let mut held = self.held();
                let own = held.setup.own;
                if to != 0 && to != own {
                    let text = format!("host {own} answers at the address of host {to}");
                    return (encoded(&unable(1, text)), None);
                }
                if !from.is_loopback() {
                    held.heard.insert(host, from);
                }
                let reply = held.answer(&ask);
                let told = told(&ask, &reply);
                self.wake.notify_all();
                (reply, told)
            }
            Err(error) => {
                let message = format!(
                    "this nlbd, of version {}, does not know what is asked for ({error}): install the same release on all hosts",
                    env!("CARGO_PKG_VERSION")
                );
                (unable(1, message), None)
            }
        };
        (encoded(&reply), told)
    }
}

/// A reply as it is sent. Plain words and numbers: there is nothing that JSON could not have.
fn encoded(reply: &Reply) -> Vec<u8> {
    serde_json::to_vec(reply).unwrap_or_default()
}

/// A line for the log.
fn told(ask: &Ask, reply: &Reply) -> Option<String> {
    let what = match ask {
        Ask::Stage { change, .. } => format!("{}: staged", change.version),
        Ask::Commit(version) => format!("{version}: in force"),
        Ask::Withdraw(version) => format!("{version}: taken back"),
        Ask::Take { version, .. } => format!("{version}: taken over"),
        Ask::Again(version) => format!("{version}: once more"),
        Ask::Status | Ask::Fetch(_) => return None,
    };
    match reply {
        Reply::Refused(refusal) => Some(format!("{what}? {refusal}")),
        _ => Some(what),
    }
}

fn unable(exit: u8, message: impl Into<String>) -> Reply {
    Reply::Refused(Refusal::Unable {
        exit,
        message: message.into(),
    })
}

impl Held {
    fn answer(&mut self, ask: &Ask) -> Reply {
        match ask {
            Ask::Status => Reply::Status(Box::new(self.status())),
            Ask::Fetch(number) => self.fetch(*number),
            ask => self.step(ask),
        }
    }

    fn fetch(&mut self, number: Option<u64>) -> Reply {
        let Some(version) = self.store.state().find(number).cloned() else {
            return unable(2, "there is no such version here");
        };
        match self.store.text(&version) {
            Ok(text) => Reply::Text { version, text },
            Err(error) => unable(1, error.to_string()),
        }
    }

    fn step(&mut self, ask: &Ask) -> Reply {
        let (state, text, reply) = match self.store.state().step(ask) {
            Step::Stays(reply) => return reply,
            Step::Becomes { state, text, reply } => (state, text, reply),
        };
        let Setup {
            file,
            cluster,
            section,
            ..
        } = &self.setup;
        let section = section.as_deref();
        let able = match ask {
            Ask::Stage { text, .. } => could(file, cluster, text, section),
            Ask::Take { text, .. } => fits(file, cluster, text, section),
            _ => Ok(()),
        };
        let able = able.and_then(|()| match ask {
            Ask::Stage { text, .. } | Ask::Take { text, .. } => self.setup.key.stays(file, text),
            _ => Ok(()),
        });
        if let Err(failure) = able {
            if let Ask::Take { version, .. } = ask {
                self.trouble(Some(format!(
                    "{version} cannot be the file of this host: {failure}"
                )));
            }
            return unable(failure.exit(), failure.to_string());
        }
        match self.store.write_down(ask, *state, text.as_deref()) {
            Ok(()) => {
                if matches!(ask, Ask::Commit(_) | Ask::Again(_)) {
                    self.trouble(None);
                }
                self.staged_since = match (&self.store.state().staged, ask) {
                    (None, _) => None,
                    (Some(_), Ask::Stage { .. }) => Some(Instant::now()),
                    (Some(_), _) => self.staged_since,
                };
                reply
            }
            Err(error) => {
                if let Ask::Take { version, .. } = ask {
                    self.trouble(Some(format!("{version} cannot be taken over: {error}")));
                }
                unable(1, error.to_string())
            }
        }
    }

    /// Notes what keeps this host from having the version of the cluster, and says so once.
    fn trouble(&mut self, why: Option<String>) {
        if let Some(why) = &why {
            if self.trouble.as_ref() != Some(why) {
                log!("replication of {}: {why}", self.setup.cluster);
            }
        }
        self.trouble = why;
    }

    fn status(&mut self) -> Status {
        let file = self.store.file_state();
        let state = self.store.state();
        let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Status {
            host: self.setup.own,
            name: self.setup.name.clone(),
            clock: clock.map_or(0, |since| since.as_secs()),
            current: state.current.clone(),
            staged: state.staged.clone(),
            history: state.history.clone(),
            file,
            applied: state.current == state.followed,
            waits_for: self.waits_for.clone(),
            trouble: self.trouble.clone(),
            peers: self.peers(),
        }
    }

    /// The other hosts, with the places where each may be asked, the surest first.
    fn peers(&self) -> Vec<(u8, Vec<IpAddr>)> {
        let others = self
            .setup
            .hosts
            .iter()
            .filter(|(id, ..)| *id != self.setup.own);
        let peer = |(id, _, dedicated): &(u8, String, Option<IpAddr>)| {
            let mut addresses: Vec<IpAddr> = dedicated.iter().copied().collect();
            let known = self.addresses.get(id).into_iter().flatten();
            for &address in known.chain(self.heard.get(id)) {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            (*id, addresses)
        };
        let mut peers: Vec<_> = others.map(peer).collect();
        // A host that the change itself adds has no section yet.
        for (&id, &address) in &self.heard {
            let known = id == self.setup.own || peers.iter().any(|(known, _)| *known == id);
            if !known {
                peers.push((id, vec![address]));
            }
        }
        peers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_cluster_leads_out_of_the_directory() {
        assert_eq!(directory_name("web-1.a"), "web-1.a");
        assert_eq!(directory_name("../x"), "%2e.%2fx");
        assert_eq!(directory_name("."), "%2e");
    }
}
