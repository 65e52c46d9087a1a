// SPDX-License-Identifier: GPL-2.0-only

//! When checks are made: each in a task of its own, so that one that hangs keeps no other waiting.

use std::{collections::BTreeMap, time::Duration};

use nlbadm::HealthCheck;
use tokio::{
    sync::mpsc::Sender,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use crate::{
    health::Answer,
    host::{CheckId, Watch},
    probe,
};

/// By how much an interval is shortened at most, so that checks of many hosts do not come together. It is never longer:
/// how soon a dead service is noticed follows from it.
const JITTER: f64 = 0.1;

/// The first checks are made within this time.
const FIRST: Duration = Duration::from_secs(1);

/// The tasks of checks. What they find goes to one channel.
#[derive(Debug)]
pub(crate) struct Schedule {
    found: Sender<(CheckId, Answer)>,
    tasks: BTreeMap<CheckId, JoinHandle<()>>,
}

impl Schedule {
    /// No tasks, and where what they find shall go.
    pub(crate) fn new(found: Sender<(CheckId, Answer)>) -> Self {
        Schedule {
            found,
            tasks: BTreeMap::new(),
        }
    }

    /// Makes these checks from now on, and no others; those that are made already go on.
    pub(crate) fn set(&mut self, watches: &[Watch]) {
        self.tasks.retain(|id, task| {
            let stays = watches.iter().any(|watch| watch.id == *id);
            if !stays {
                task.abort();
            }
            stays
        });
        for watch in watches {
            let task = || {
                let check = watch.check.check.clone();
                tokio::spawn(make(watch.id, check, self.found.clone()))
            };
            self.tasks.entry(watch.id).or_insert_with(task);
        }
    }
}

/// Makes a check again and again.
async fn make(id: CheckId, check: HealthCheck, found: Sender<(CheckId, Answer)>) {
    let mut next = Instant::now() + check.interval.min(FIRST).mul_f64(fastrand::f64());
    loop {
        sleep_until(next).await;
        next = Instant::now() + check.interval.mul_f64(1.0 - JITTER * fastrand::f64());
        let answer = probe::run(&check).await;
        if found.send((id, answer)).await.is_err() {
            return;
        }
    }
}
