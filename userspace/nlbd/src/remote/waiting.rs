// SPDX-License-Identifier: GPL-2.0-only

//! Connections of which it is not known yet whether they have a key.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::task::AbortHandle;

/// How many there are at most. For a further one the oldest goes: one that has the key needs a way there and back, so a
/// flood of others would have to fill the list within that time.
const WAITING_MAX: usize = 256;

/// The connections, by numbers in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    next: u64,
    tasks: BTreeMap<u64, Option<AbortHandle>>,
}

/// A place in the list, which is left when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    waiting: Waiting,
}

impl Waiting {
    /// A place for a connection that has just come.
    pub(super) fn enter(&self) -> Place {
        let mut number = 0;
        if let Ok(mut list) = self.0.lock() {
            number = list.next;
            list.next += 1;
            list.tasks.insert(number, None);
            if list.tasks.len() > WAITING_MAX {
                if let Some((_, Some(oldest))) = list.tasks.pop_first() {
                    oldest.abort();
                }
            }
        }
        Place {
            number,
            waiting: self.clone(),
        }
    }

    /// Tells which task serves the connection of a place.
    pub(super) fn served_by(&self, number: u64, task: AbortHandle) {
        if let Ok(mut list) = self.0.lock() {
            // It may have ended already.
            if let Some(place) = list.tasks.get_mut(&number) {
                *place = Some(task);
            }
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().unwrap().tasks.len()
    }
}

impl Place {
    /// Its number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(mut list) = self.waiting.0.lock() {
            list.tasks.remove(&self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_goes_for_a_new_one() {
        let waiting = Waiting::default();
        let mut tasks = Vec::new();
        for _ in 0..WAITING_MAX + 3 {
            let place = waiting.enter();
            let number = place.number();
            let task = tokio::spawn(async move {
                std::future::pending::<()>().await;
                drop(place);
            });
            waiting.served_by(number, task.abort_handle());
            tasks.push(task);
        }
        assert_eq!(waiting.len(), WAITING_MAX);
        let gone = tasks.drain(..3);
        for task in gone {
            assert!(task.await.unwrap_err().is_cancelled());
        }
        tasks[0].abort();
        drop(tasks.remove(0).await);
        assert_eq!(waiting.len(), WAITING_MAX - 1);
    }
}
