// SPDX-License-Identifier: GPL-2.0-only

//! Remote control: other hosts of a cluster, which have its control key, ask this one to start, stop, drain and so on.
//! It is off unless the file of a cluster has it on; nobody listens then. What hosts tell each other of the file of their
//! cluster comes by the same port.
//!
//! It has a thread of its own: whatever comes to its port, health checks have theirs.

mod book;
mod listener;
mod refusals;
mod waiting;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, RwLock},
    thread::JoinHandle,
};

use nlbadm::remote::{ControlKey, PORT};
use tokio::sync::oneshot;

pub(crate) use self::book::Book;
use crate::{log, replica::Replica};

/// Which clusters can be controlled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    /// Their keys, by their names.
    pub(crate) keys: BTreeMap<String, ControlKey>,
    /// Those whose file all hosts have the same.
    pub(crate) replicas: BTreeMap<String, Arc<Replica>>,
    /// The VIPs of all clusters of this host: there nobody is answered, for they are not this host's alone.
    pub(crate) vips: BTreeSet<IpAddr>,
}

/// What listens, as long as there is a key.
#[derive(Debug, Default)]
pub(crate) struct Remote {
    access: Arc<RwLock<Access>>,
    listening: Option<Listening>,
}

#[derive(Debug)]
struct Listening {
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Remote {
    /// Takes what holds from now on, and listens if there is a key. What is being carried out goes on.
    pub(crate) fn set(&mut self, access: Access) {
        let names: Vec<&str> = access.keys.keys().map(String::as_str).collect();
        let before = self.clusters();
        if names != before {
            match names.as_slice() {
                [] => log!("remote control: off"),
                names => log!("remote control of {}: port {PORT}", names.join(", ")),
            }
        }
        let wanted = !names.is_empty() || !access.replicas.is_empty();
        // Nobody panics while holding it.
        if let Ok(mut held) = self.access.write() {
            *held = access;
        }
        match (&self.listening, wanted) {
            (None, true) => self.listening = listen(Arc::clone(&self.access)),
            (Some(_), false) => self.end(),
            _ => {}
        }
    }

    /// The clusters that can be controlled.
    pub(crate) fn clusters(&self) -> Vec<String> {
        let access = self.access.read();
        access.map_or_else(|_| Vec::new(), |it| it.keys.keys().cloned().collect())
    }

    /// Takes no more connections, and waits a little for what is being carried out.
    pub(crate) fn end(&mut self) {
        if let Some(Listening { end, thread }) = self.listening.take() {
            // It may have ended by itself.
            let _ = end.send(());
            let _ = thread.join();
        }
    }
}

fn listen(access: Arc<RwLock<Access>>) -> Option<Listening> {
    let (end, ended) = oneshot::channel();
    let run = move || listener::run(PORT, access, ended);
    match std::thread::Builder::new().name("remote".into()).spawn(run) {
        Ok(thread) => Some(Listening { end, thread }),
        Err(error) => {
            log!("remote control: {error}");
            None
        }
    }
}
