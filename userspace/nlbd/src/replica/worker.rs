// SPDX-License-Identifier: GPL-2.0-only

//! What a host does by itself about the file: it puts a version in force in its place, asks other hosts whether they have a
//! newer one, and finds out what becomes of a change that was left alone.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, ToSocketAddrs},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use nlbadm::{
    follow,
    remote::{Caller, ControlKey, PORT, Purpose},
    replica::{ANSWER, Ask, Fate, FileState, Reply, Request, Status, fate},
};

use super::{Held, News, Replica};
use crate::{
    kernel::{Kernel, Linux},
    log,
};

/// How often it is looked whether there is something to do.
const LOOK: Duration = Duration::from_millis(500);

/// How often another host is asked.
const ASK: Duration = Duration::from_secs(5);

/// How long the start of the daemon waits for an answer of another host.
const SYNC: Duration = Duration::from_secs(10);

/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Hosts that are asked at the same time.
const AT_ONCE: usize = 8;

/// Begins, in a thread of its own.
pub(super) fn start(replica: Arc<Replica>) -> io::Result<()> {
    let run = move || {
        let mut worker = Worker {
            replica,
            kernel: Linux::default(),
            began: Instant::now(),
            asks: Instant::now(),
            tries: Instant::now(),
        };
        worker.run();
    };
    thread::Builder::new().name("replica".into()).spawn(run)?;
    Ok(())
}

struct Worker {
    replica: Arc<Replica>,
    kernel: Linux,
    began: Instant,
    /// When other hosts are asked next.
    asks: Instant,
    /// When it is tried next to put a version in its place.
    tries: Instant,
}

/// What it takes to ask other hosts, as it is now.
struct Line {
    cluster: String,
    key: ControlKey,
    own: u8,
    peers: Vec<(u8, Vec<IpAddr>)>,
}

impl Worker {
    fn run(&mut self) {
        while !self.replica.held().ended {
            let now = Instant::now();
            if now >= self.tries {
                self.put_in_place(now);
            }
            if now >= self.asks {
                self.ask(now);
            }
            let mut held = self.replica.held();
            if !held.ended && !(held.has_to_act() && Instant::now() >= self.tries) {
                // Whether it was woken or not: it looks.
                drop(self.replica.wake.wait_timeout(held, LOOK));
            }
        }
    }

    /// Puts the version in force in its place, and makes this host what it says.
    fn put_in_place(&mut self, now: Instant) {
        let mut held = self.replica.held();
        let (own, name) = (held.setup.own, held.setup.name.clone());
        if held.store.has_to_place() {
            if let Err(error) = held.store.place(own, &name) {
                held.trouble(Some(error.to_string()));
                self.tries = now + AGAIN;
                return;
            }
            // Nobody hears it when the process ends.
            let _ = self.replica.news.send(News::File);
        }
        let Some(current) = held.store.state().current.clone() else {
            return;
        };
        let followed = held.store.state().followed.as_ref() == Some(&current);
        if followed || held.store.file_state() != FileState::Same {
            return;
        }
        let setup = held.setup.clone();
        drop(held);
        let made = follow(&setup.file, &setup.cluster, setup.section.as_deref());
        let mut held = self.replica.held();
        match made {
            Ok(made) => {
                held.waits_for = made.waits_for;
                log!(
                    "replication of {}: {current} is in its place",
                    setup.cluster
                );
                let noted = held.store.followed(current);
                if let Err(error) = &noted {
                    self.tries = now + AGAIN;
                    held.trouble(Some(error.to_string()));
                } else {
                    held.trouble(None);
                }
            }
            Err(failure) => {
                held.trouble(Some(format!("{current}: {failure}")));
                self.tries = Instant::now() + AGAIN;
            }
        }
    }

    /// Asks other hosts: all of them at the beginning and while a change waits for word, later one of them.
    fn ask(&mut self, now: Instant) {
        self.find_hosts();
        let (line, synced, waits) = {
            let held = self.replica.held();
            let line = Line {
                cluster: held.setup.cluster.clone(),
                key: held.setup.key.clone(),
                own: held.setup.own,
                peers: held.peers(),
            };
            let since = held.staged_since;
            (line, held.synced, since.filter(|since| now - *since >= ASK))
        };
        let asked: Vec<_> = if !synced || waits.is_some() {
            line.peers.iter().collect()
        } else {
            let one = fastrand::usize(..line.peers.len().max(1));
            line.peers.get(one).into_iter().collect()
        };
        let answers = line.statuses(&asked);
        let newest = answers.values().filter_map(|status| {
            let current = status.current.clone()?;
            Some((status.host, current))
        });
        let newest = newest.reduce(|a, b| if b.1.beats(&a.1) { b } else { a });
        if let Some((from, version)) = newest {
            let own = self.replica.held().store.state().current.clone();
            if own.is_none_or(|own| version.beats(&own)) {
                self.take(&line, from);
            }
        }
        self.settle(&answers);
        let pause = if waits.is_some() || !synced {
            ASK / 5
        } else {
            ASK / 2
        };
        self.asks = Instant::now() + pause + Duration::from_millis(fastrand::u64(..1000)) * 2;
        if !synced {
            self.note_synced(!answers.is_empty() || line.peers.is_empty());
        }
    }

    /// Notes that others were asked, or that it was waited for long enough.
    fn note_synced(&mut self, answered: bool) {
        if !answered && self.began.elapsed() < SYNC {
            self.asks = Instant::now() + Duration::from_secs(1);
            return;
        }
        // What was taken over is in its place before this host serves.
        let now = Instant::now();
        self.put_in_place(now);
        let mut held = self.replica.held();
        if !answered {
            log!(
                "replication of {}: no other host answers: this one goes by its own file until one does",
                held.setup.cluster
            );
        }
        held.synced = true;
        let _ = self.replica.news.send(News::Synced);
    }

    /// Takes the version over that another host has in force.
    fn take(&self, line: &Line, from: u8) {
        let Some(Reply::Text { version, text }) = line.ask(from, &Ask::Fetch(None)) else {
            return;
        };
        let words = format!("{version}: taken over from host {from}");
        let mut held = self.replica.held();
        let lost = held.store.state().current.clone();
        if held.step(&Ask::Take {
            version: version.clone(),
            text,
        }) != Reply::Done
        {
            return;
        }
        log!("replication of {}: {words}", line.cluster);
        if let Some(lost) = lost.filter(|lost| lost.number == version.number) {
            log!(
                "replication of {}: {lost} gives way to it, for it is of a lower host; it is in the history",
                line.cluster
            );
        }
    }

    /// Ends a change that was left alone, when it is known how.
    fn settle(&self, answers: &BTreeMap<u8, Status>) {
        let mut held = self.replica.held();
        let (Some(staged), Some(since)) = (held.store.state().staged.clone(), held.staged_since)
        else {
            return;
        };
        let ask = match fate(&staged, held.setup.own, since.elapsed(), answers) {
            Fate::Commit => Ask::Commit(staged.version.clone()),
            Fate::Withdraw => Ask::Withdraw(staged.version.clone()),
            Fate::Wait => return,
        };
        let what = if matches!(ask, Ask::Commit(_)) {
            "in force, as on other hosts"
        } else {
            "taken back: it was left alone, and no host that answers has it in force"
        };
        let reply = held.step(&ask);
        log!(
            "replication of {}: {}: {what}{}",
            held.setup.cluster,
            staged.version,
            if reply == Reply::Done {
                ""
            } else {
                ": that failed"
            }
        );
    }

    /// Notes where the hosts of the cluster are.
    fn find_hosts(&mut self) {
        let (cluster, hosts) = {
            let held = self.replica.held();
            (held.setup.cluster.clone(), held.setup.hosts.clone())
        };
        let mut found: BTreeMap<u8, Vec<IpAddr>> = BTreeMap::new();
        let clusters = self.kernel.clusters().unwrap_or_default();
        for it in clusters.iter().filter(|it| it.name == cluster) {
            for member in self.kernel.members(it.ifindex).unwrap_or_default() {
                let address = member.dedicated_ip;
                found.entry(member.host_id).or_default().extend(address);
            }
        }
        let mut held = self.replica.held();
        // One that is not heard any more stays where it was.
        held.addresses.extend(found);
        for (id, address) in held.heard.clone() {
            held.addresses.entry(id).or_insert_with(|| vec![address]);
        }
        for (id, name, dedicated) in hosts {
            let known = dedicated.is_some()
                || held.addresses.contains_key(&id)
                || held.heard.contains_key(&id)
                || id == held.setup.own;
            if !known {
                drop(held);
                let resolved = (name.as_str(), PORT).to_socket_addrs();
                let resolved: Vec<_> = resolved.into_iter().flatten().map(|it| it.ip()).collect();
                held = self.replica.held();
                if !resolved.is_empty() {
                    held.addresses.insert(id, resolved);
                }
            }
        }
        let addresses = held.addresses.clone();
        held.store.note_addresses(addresses);
    }
}

impl Held {
    /// Whether the version in force is not in its place.
    fn has_to_act(&mut self) -> bool {
        self.store.has_to_place()
    }
}

impl Line {
    /// How these hosts stand; those that do not answer are not there.
    fn statuses(&self, peers: &[&(u8, Vec<IpAddr>)]) -> BTreeMap<u8, Status> {
        let mut answers = BTreeMap::new();
        for some in peers.chunks(AT_ONCE) {
            thread::scope(|scope| {
                let asked: Vec<_> = some
                    .iter()
                    .map(|(id, _)| (*id, scope.spawn(move || self.ask(*id, &Ask::Status))))
                    .collect();
                for (id, thread) in asked {
                    // It does not end otherwise.
                    if let Ok(Some(Reply::Status(status))) = thread.join() {
                        // Another host at its address is not meant.
                        if status.host == id {
                            answers.insert(id, *status);
                        }
                    }
                }
            });
        }
        answers
    }

    /// What another host says; none if it does not answer.
    fn ask(&self, id: u8, ask: &Ask) -> Option<Reply> {
        let (_, addresses) = self.peers.iter().find(|(peer, _)| *peer == id)?;
        let caller = Caller {
            purpose: Purpose::Replica,
            cluster: &self.cluster,
            key: &self.key,
            within: ANSWER,
        };
        let request = Request {
            from: self.own,
            ask: ask.clone(),
        };
        let request = serde_json::to_vec(&request).ok()?;
        let answer = caller.ask(addresses, &request).1.ok()?;
        serde_json::from_slice(&answer).ok()
    }
}
