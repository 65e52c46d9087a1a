// SPDX-License-Identifier: GPL-2.0-only

//! The event queue: virtual time moves from one event to the next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// One thing that will happen, in order of its time and, at one time, of its entry into the queue.
struct Entry<E> {
    at: u64,
    order: u64,
    event: E,
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// Events to come, by virtual time in nanoseconds.
pub(crate) struct Queue<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    order: u64,
    now: u64,
}

impl<E> Queue<E> {
    /// An empty queue at time zero.
    pub(crate) fn new() -> Self {
        Queue {
            heap: BinaryHeap::new(),
            order: 0,
            now: 0,
        }
    }

    /// The virtual time of the last event taken, in nanoseconds.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Enters an event; one whose time has passed happens next.
    pub(crate) fn push(&mut self, at: u64, event: E) {
        self.order += 1;
        self.heap.push(Reverse(Entry {
            at: at.max(self.now),
            order: self.order,
            event,
        }));
    }

    /// Takes the next event and moves time to it.
    pub(crate) fn pop(&mut self) -> Option<E> {
        let Reverse(entry) = self.heap.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }
}
