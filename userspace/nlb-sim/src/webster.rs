// SPDX-License-Identifier: GPL-2.0-only

//! Webster's apportionment (Sainte-Laguë), written a second time and in the plainest way, so that the core's own
//! is checked by something that shares no line with it.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A host that bids for its next bucket.
struct Bid {
    weight: u64,
    seats: u64,
    host: u8,
}

impl Bid {
    /// Greater is served first: w_i / (2 a_i + 1) compared without division; ties go to the lower host id.
    fn order(&self, other: &Bid) -> Ordering {
        let mine = self.weight * (2 * other.seats + 1);
        let its = other.weight * (2 * self.seats + 1);
        mine.cmp(&its).then(other.host.cmp(&self.host))
    }
}

impl PartialEq for Bid {
    fn eq(&self, other: &Bid) -> bool {
        self.order(other) == Ordering::Equal
    }
}

impl Eq for Bid {}

impl PartialOrd for Bid {
    fn partial_cmp(&self, other: &Bid) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bid {
    fn cmp(&self, other: &Bid) -> Ordering {
        self.order(other)
    }
}

/// The number of buckets of each host id, given `(host id, weight)`; a weight of 0 gets none, and if all weights
/// are 0 nobody gets any.
pub(crate) fn quotas(weights: &[(u8, u64)], buckets: usize) -> [u32; 65] {
    let mut quotas = [0u32; 65];
    let mut bids: BinaryHeap<Bid> = weights
        .iter()
        .filter(|(_, weight)| *weight > 0)
        .map(|&(host, weight)| Bid {
            weight,
            seats: 0,
            host,
        })
        .collect();
    for _ in 0..buckets {
        let Some(mut bid) = bids.pop() else { break };
        quotas[usize::from(bid.host)] += 1;
        bid.seats += 1;
        bids.push(bid);
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_of_a_textbook_example() {
        // Three parties with 53, 24 and 23 of 100 votes and 7 seats, by the divisors 1, 3, 5.
        let quotas = quotas(&[(1, 53), (2, 24), (3, 23)], 7);
        assert_eq!(&quotas[1..4], &[3, 2, 2]);
    }

    #[test]
    fn equal_weights_differ_by_one_at_most_and_the_lower_id_has_more() {
        let quotas = quotas(&[(3, 50), (1, 50), (2, 50)], 64);
        assert_eq!(&quotas[1..4], &[22, 21, 21]);
    }

    #[test]
    fn nobody_with_weight_means_nobody() {
        assert_eq!(quotas(&[(1, 0), (2, 0)], 64), [0; 65]);
    }
}
