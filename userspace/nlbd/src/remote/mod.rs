// SPDX-License-Identifier: GPL-2.0-only

//! Remote control: other hosts of a cluster, which have its control key, ask this one to start, stop, drain and so on.
//! It is off unless the file of a cluster has it on; nobody listens then.

mod book;
mod listener;
mod waiting;

use std::{
    collections::BTreeMap,
    sync::{Arc, RwLock},
};

use nlbadm::remote::{ControlKey, PORT};
use tokio::task::AbortHandle;

pub(crate) use self::book::Book;
use crate::log;

/// The clusters that can be controlled, by their names.
pub(crate) type Keys = BTreeMap<String, ControlKey>;

/// What listens, as long as there is a key.
#[derive(Debug, Default)]
pub(crate) struct Remote {
    keys: Arc<RwLock<Keys>>,
    listening: Option<AbortHandle>,
}

impl Remote {
    /// Takes the keys that hold from now on, and listens if there are some. Connections that are being served go on.
    pub(crate) fn set(&mut self, keys: Keys) {
        let clusters: Vec<&str> = keys.keys().map(String::as_str).collect();
        match (&self.listening, clusters.is_empty()) {
            (None, false) => {
                log!("remote control of {}: port {PORT}", clusters.join(", "));
                let serving = listener::serve(PORT, Arc::clone(&self.keys));
                self.listening = Some(tokio::spawn(serving).abort_handle());
            }
            (Some(listening), true) => {
                log!("remote control: off");
                listening.abort();
                self.listening = None;
            }
            _ => {}
        }
        // Nobody panics while holding it.
        if let Ok(mut held) = self.keys.write() {
            *held = keys;
        }
    }

    /// The clusters that can be controlled.
    pub(crate) fn clusters(&self) -> Vec<String> {
        let keys = self.keys.read();
        keys.map_or_else(|_| Vec::new(), |keys| keys.keys().cloned().collect())
    }
}
