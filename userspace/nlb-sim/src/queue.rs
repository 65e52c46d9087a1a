// SPDX-License-Identifier: GPL-2.0-only

//! The event queue: virtual time moves from one event to the next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Events to come, by virtual time in nanoseconds and, at one time, in the order of their entry.
///
/// What is sorted are three words for each event; the event itself waits in a place of its own. Some 10,000 frames
/// are under way in a large cluster, and moving them up and down a heap costs more than what they do on arrival.
pub(crate) struct Queue<E> {
    /// Time, order of entry, place.
    heap: BinaryHeap<Reverse<(u64, u64, u32)>>,
    events: Vec<Option<E>>,
    free: Vec<u32>,
    order: u64,
    now: u64,
}

impl<E> Queue<E> {
    /// An empty queue at time zero.
    pub(crate) fn new() -> Self {
        Queue {
            heap: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
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
        let place = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() as u32 - 1
        });
        self.events[place as usize] = Some(event);
        self.heap
            .push(Reverse((at.max(self.now), self.order, place)));
    }

    /// Takes the next event and moves time to it.
    pub(crate) fn pop(&mut self) -> Option<E> {
        let Reverse((at, _, place)) = self.heap.pop()?;
        self.now = at;
        self.free.push(place);
        self.events[place as usize].take()
    }
}
