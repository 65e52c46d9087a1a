// SPDX-License-Identifier: GPL-2.0-only

//! Carries out what [`Change`] decides: asks the hosts, all at the same time, and waits until each is what the file says.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::mpsc,
    thread::{self, sleep},
    time::{Duration, Instant},
};

use super::{Site, now};
use crate::{
    failure::{Exit, Failure},
    output::everywhere::{ChangeShape, HostShape},
    replica::{Ask, CAME_FIRST, Change, Outcome, Reply, Staged, Status, Version, Why},
};

/// How long it is waited until the hosts are what the file says: some of the longest periods of heartbeats.
const FOLLOW: Duration = Duration::from_secs(60);

/// How often they are asked.
const LOOK: Duration = Duration::from_millis(100);

/// Makes a change on its hosts. `names`: of all hosts of the file. `trial`: it is taken back when all have staged it.
pub(super) fn run(
    site: &Site,
    names: BTreeMap<u8, String>,
    staged: Staged,
    text: &str,
    trial: bool,
) -> Result<(ChangeShape, Result<(), Failure>), Failure> {
    let base_text = match &staged.base {
        Some(base) => Some(site.content(base.number)?.1),
        None => None,
    };
    let hosts = staged.hosts.clone();
    let mut change = Change::new(site.own.host, staged, text.into(), base_text, trial);
    let outcome = carry_out(site, &mut change);
    let mut lines = lines(&names, &hosts, &outcome);
    if outcome.in_force {
        follow(site, change.version(), &mut lines);
    }
    let end = end(&outcome, trial, &lines);
    let shape = ChangeShape::new(&site.cluster, change.version(), &outcome, trial, lines);
    Ok((shape, end))
}

/// Has the hosts put the version in force in its place once more, for it may have been edited, or something set otherwise.
pub(super) fn again(
    site: &Site,
    names: &BTreeMap<u8, String>,
    version: &Version,
    without: &BTreeSet<u8>,
) -> (ChangeShape, Result<(), Failure>) {
    let hosts: Vec<u8> = names
        .keys()
        .copied()
        .filter(|id| !without.contains(id))
        .collect();
    let ask = |&id: &u8| match site.ask(id, &Ask::Again(version.clone())) {
        Ok(Reply::Done) => None,
        Ok(Reply::Refused(refusal)) => Some((id, Why::refused(&refusal))),
        Ok(_) => Some((id, Why::other_release())),
        Err(why) => Some((id, Why::new(1, why))),
    };
    let why = thread::scope(|scope| {
        let asked: Vec<_> = hosts
            .iter()
            .map(|id| scope.spawn(move || ask(id)))
            .collect();
        asked
            .into_iter()
            .filter_map(|thread| thread.join().ok()?)
            .collect()
    });
    let outcome = Outcome {
        in_force: true,
        decided: true,
        accepted: true,
        why,
    };
    let mut lines = lines(names, &hosts, &outcome);
    follow(site, version, &mut lines);
    let end = end(&outcome, false, &lines);
    let shape = ChangeShape::new(&site.cluster, version, &outcome, false, lines);
    (shape, end)
}

/// Asks the hosts until it is known what has become of the change.
fn carry_out(site: &Site, change: &mut Change) -> Outcome {
    let began = Instant::now();
    let (sender, answers) = mpsc::channel();
    thread::scope(|scope| {
        let send = |id, ask| {
            let sender = sender.clone();
            scope.spawn(move || {
                // Nobody ends before all have answered.
                let _ = sender.send((id, site.ask(id, &ask)));
            });
        };
        loop {
            for (id, ask) in change.next(began.elapsed()) {
                send(id, ask);
            }
            if let Some(outcome) = change.outcome() {
                return outcome;
            }
            // This side holds a sender: there is always one.
            if let Ok((id, reply)) = answers.recv() {
                if let Some(ask) = change.answer(id, reply, began.elapsed()) {
                    send(id, ask);
                }
            }
        }
    })
}

/// A line for each host of the file.
fn lines(names: &BTreeMap<u8, String>, hosts: &[u8], outcome: &Outcome) -> Vec<HostShape> {
    let line = |(&id, name): (&u8, &String)| {
        let why = outcome.why.get(&id);
        HostShape {
            host_id: id,
            name: name.clone(),
            left_out: !hosts.contains(&id),
            done: outcome.in_force && why.is_none() && hosts.contains(&id),
            exit: why.map(|why| why.exit),
            message: why.map(|why| why.message.clone()),
            waits_for: Vec::new(),
            note: None,
        }
    };
    names.iter().map(line).collect()
}

/// Waits until the hosts that have the version are what it says.
fn follow(site: &Site, version: &Version, lines: &mut [HostShape]) {
    let deadline = Instant::now() + FOLLOW;
    thread::scope(|scope| {
        for line in lines.iter_mut().filter(|line| line.done) {
            scope.spawn(move || {
                loop {
                    let status = site.status(line.host_id);
                    let ended = Instant::now() >= deadline;
                    if note(line, version, status, ended) {
                        return;
                    }
                    sleep(LOOK);
                }
            });
        }
    });
}

/// Notes how a host stands; whether that is all there is to know of it.
fn note(
    line: &mut HostShape,
    version: &Version,
    status: Result<Status, String>,
    ended: bool,
) -> bool {
    let failed = |line: &mut HostShape, why: String| {
        line.done = false;
        line.exit = Some(1);
        line.message = Some(why);
    };
    match status {
        Ok(status) => {
            line.note = clock_note(status.clock, now());
            line.waits_for.clone_from(&status.waits_for);
            if !status.has(version) {
                failed(line, "it has another version".into());
            } else if status.applied {
                return true;
            } else if let Some(trouble) = status.trouble {
                failed(line, crate::source::printable(&trouble));
            } else if ended {
                failed(
                    line,
                    "it has the file, and is not yet what that says".into(),
                );
            } else {
                return false;
            }
            true
        }
        Err(why) if ended => {
            failed(line, format!("it has the file; since then: {why}"));
            true
        }
        Err(_) => false,
    }
}

/// What to say of a clock that is not as this host's.
pub(crate) fn clock_note(theirs: u64, ours: u64) -> Option<String> {
    // Within that, hosts without a common time may differ, and nobody is misled.
    const APART: u64 = 60;
    let apart = theirs.abs_diff(ours);
    let way = if theirs > ours { "ahead of" } else { "behind" };
    (apart > APART).then(|| {
        let apart = humantime::format_duration(Duration::from_secs(apart));
        format!(
            "its clock is {apart} {way} this host's; nothing goes by it but times that are shown"
        )
    })
}

fn end(outcome: &Outcome, trial: bool, lines: &[HostShape]) -> Result<(), Failure> {
    let failed = lines.iter().filter(|line| line.exit.is_some()).count();
    let taking = lines.iter().filter(|line| !line.left_out).count();
    if failed == 0 && (outcome.in_force || (trial && outcome.accepted)) {
        return Ok(());
    }
    let exits: Vec<u8> = lines.iter().filter_map(|line| line.exit).collect();
    let exit = match exits.as_slice() {
        exits if exits.contains(&CAME_FIRST) => Exit::CameFirst,
        exits if exits.contains(&(Exit::NeedsRestart as u8)) => Exit::NeedsRestart,
        _ => Exit::Failed,
    };
    let text = if outcome.in_force {
        format!("the change is in force, but {failed} of {taking} hosts are not what it says yet")
    } else if outcome.decided {
        "the change is decided, and no host has said yet that it is in force: `nlbadm versions` shows what becomes of it".into()
    } else {
        let lost = exit == Exit::CameFirst;
        let remedy = if lost {
            ""
        } else {
            "; --without leaves hosts out"
        };
        format!("{failed} of {taking} hosts cannot have it, so nothing has changed on any{remedy}")
    };
    Err(Failure::new(exit, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told() {
        assert_eq!(clock_note(1000, 1030), None);
        let year = 365 * 86_400;
        assert!(clock_note(year + 5, 5).unwrap().contains("ahead of"));
        assert!(clock_note(5, 2 * year).unwrap().contains("behind"));
    }
}
