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
    remote::{ControlKey, PORT, ask_of_file},
    replica::{Ask, Fate, FileState, Reply, Request, Status, fate},
};

use super::{News, Replica};
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

/// Begins, in two threads: who waits for other hosts keeps nothing from its place.
pub(super) fn start(replica: &Arc<Replica>) -> io::Result<()> {
    let mut placer = Placer {
        replica: Arc::clone(replica),
        tries: Instant::now(),
    };
    let mut asker = Asker {
        replica: Arc::clone(replica),
        kernel: Linux::default(),
        began: Instant::now(),
        asks: Instant::now(),
    };
    let begin = |name: &str| thread::Builder::new().name(name.into());
    begin("replica").spawn(move || placer.run())?;
    begin("replica-ask").spawn(move || asker.run())?;
    Ok(())
}

/// Has the version in force in its place, and this host made what it says.
struct Placer {
    replica: Arc<Replica>,
    /// When it is tried next.
    tries: Instant,
}

/// Asks other hosts.
struct Asker {
    replica: Arc<Replica>,
    kernel: Linux,
    began: Instant,
    /// When other hosts are asked next.
    asks: Instant,
}

/// What it takes to ask other hosts, as it is now.
struct Line {
    cluster: String,
    key: ControlKey,
    own: u8,
    peers: Vec<(u8, Vec<IpAddr>)>,
}

impl Placer {
    fn run(&mut self) {
        while !self.replica.held().ended {
            // What was found out before this is in its place after it, or there is trouble.
            let asked = self.replica.held().asked;
            let now = Instant::now();
            if now >= self.tries {
                self.put_in_place(now);
            }
            let mut held = self.replica.held();
            if asked && !held.synced {
                held.synced = true;
                // Nobody hears it when the process ends.
                let _ = self.replica.news.send(News::Synced);
            }
            let due = held.store.has_to_place() && Instant::now() >= self.tries;
            if !held.ended && !due && held.asked == asked {
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
}

impl Asker {
    fn run(&mut self) {
        while !self.replica.held().ended {
            let now = Instant::now();
            if now >= self.asks {
                self.ask(now);
            }
            let held = self.replica.held();
            if !held.ended {
                drop(self.replica.wake.wait_timeout(held, LOOK));
            }
        }
    }

    /// Asks other hosts: all of them at the beginning and while a change waits for word, later one of them.
    fn ask(&mut self, now: Instant) {
        self.find_hosts();
        let (line, begun, waits) = {
            let held = self.replica.held();
            let line = Line {
                cluster: held.setup.cluster.clone(),
                key: held.setup.key.clone(),
                own: held.setup.own,
                peers: held.peers(),
            };
            let since = held.staged_since;
            (line, held.asked, since.filter(|since| now - *since >= ASK))
        };
        let asked: Vec<_> = if !begun || waits.is_some() {
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
        // Not all at the same moment.
        self.asks = Instant::now() + ASK * 4 / 5 + Duration::from_millis(fastrand::u64(..2000));
        if !begun {
            self.note_asked(!answers.is_empty() || line.peers.is_empty());
        }
    }

    /// Notes that others were asked, or that it was waited for long enough.
    fn note_asked(&mut self, answered: bool) {
        if !answered && self.began.elapsed() < SYNC {
            self.asks = Instant::now() + Duration::from_secs(1);
            return;
        }
        let mut held = self.replica.held();
        if !answered {
            log!(
                "replication of {}: no other host answers: this one goes by its own file until one does",
                held.setup.cluster
            );
        }
        held.asked = true;
        drop(held);
        self.replica.wake.notify_all();
    }

    /// Takes the version over that another host has in force.
    fn take(&self, line: &Line, from: u8) {
        let Some(Reply::Text { version, text }) = line.ask(from, &Ask::Fetch(None)) else {
            return;
        };
        let words = format!("{version}: taken over from host {from}");
        let mut held = self.replica.held();
        let lost = held.store.state().current.clone();
        let take = Ask::Take {
            version: version.clone(),
            text,
        };
        if held.step(&take) != Reply::Done {
            return;
        }
        self.replica.wake.notify_all();
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
                if let Some(address) = member.dedicated_ip {
                    found.entry(member.host_id).or_default().push(address);
                }
            }
        }
        let mut held = self.replica.held();
        // One that is not heard any more stays where it was.
        held.addresses.extend(found);
        for (id, address) in held.heard.clone() {
            held.addresses.entry(id).or_insert_with(|| vec![address]);
        }
        let own = held.setup.own;
        let mut unknown = hosts;
        unknown.retain(|(id, _, dedicated)| {
            *id != own && dedicated.is_none() && !held.addresses.contains_key(id)
        });
        if !unknown.is_empty() && !held.resolves {
            // One after the other, in no order: a name that nobody knows is not in the way of the others.
            let (id, name, _) = unknown.swap_remove(fastrand::usize(..unknown.len()));
            held.resolves = true;
            let replica = Arc::clone(&self.replica);
            // It takes as long as the servers of names do.
            thread::spawn(move || resolve(&replica, id, &name));
        }
        let addresses = held.addresses.clone();
        held.store.note_addresses(addresses);
    }
}

/// Finds out where a host is by its name.
fn resolve(replica: &Replica, id: u8, name: &str) {
    let resolved = (name, PORT).to_socket_addrs();
    let resolved: Vec<_> = resolved.into_iter().flatten().map(|it| it.ip()).collect();
    let mut held = replica.held();
    held.resolves = false;
    if !resolved.is_empty() {
        held.addresses.entry(id).or_insert(resolved);
    }
}

impl Line {
    /// How these hosts stand; those that do not answer are not there.
    fn statuses(&self, peers: &[&(u8, Vec<IpAddr>)]) -> BTreeMap<u8, Status> {
        let mut answers = BTreeMap::new();
        thread::scope(|scope| {
            let asked: Vec<_> = peers
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
        answers
    }

    /// What another host says; none if it does not answer.
    fn ask(&self, id: u8, ask: &Ask) -> Option<Reply> {
        let (_, addresses) = self.peers.iter().find(|(peer, _)| *peer == id)?;
        let request = Request {
            from: self.own,
            to: id,
            ask: ask.clone(),
        };
        ask_of_file(&self.cluster, &self.key, addresses, &request).ok()
    }
}
