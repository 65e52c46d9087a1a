// SPDX-License-Identifier: GPL-2.0-only

//! What others do, for the comparison of `bench-assign`: modulo over the list of hosts, and Maglev.

/// Size of Maglev's table: the prime next below 4096, so that both have about as many entries.
pub(crate) const MAGLEV_SIZE: usize = 4093;

/// Modulo: entry `i` belongs to the host at place `i mod N` of the sorted list, as in CLUSTERIP and xt_cluster.
/// Weights do not exist there.
pub(crate) fn modulo(hosts: &[(u8, u64)], size: usize) -> Vec<u8> {
    (0..size)
        .map(|entry| hosts[entry % hosts.len()].0)
        .collect()
}

/// Maglev (NSDI 2016, 3.4): the hosts take turns in claiming the next free entry of their own permutation. A host
/// with more weight has its turn more often.
pub(crate) fn maglev(hosts: &[(u8, u64)]) -> Vec<u8> {
    const FREE: u8 = 0;
    let weight_max = hosts.iter().map(|(_, weight)| *weight).max().unwrap_or(0);
    let mut table = vec![FREE; MAGLEV_SIZE];
    if weight_max == 0 {
        return table;
    }
    let size = MAGLEV_SIZE as u64;
    let mut walks: Vec<Walk> = hosts
        .iter()
        .map(|&(host, weight)| Walk::of(host, weight, size))
        .collect();
    let mut free = MAGLEV_SIZE;
    loop {
        for walk in &mut walks {
            walk.credit += walk.weight;
            if walk.credit < weight_max {
                continue;
            }
            walk.credit -= weight_max;
            let entry = walk.next_free(&table, size);
            table[entry] = walk.host;
            free -= 1;
            if free == 0 {
                return table;
            }
        }
    }
}

/// One host's way through its permutation of the table.
struct Walk {
    host: u8,
    weight: u64,
    credit: u64,
    offset: u64,
    skip: u64,
    step: u64,
}

impl Walk {
    fn of(host: u8, weight: u64, size: u64) -> Walk {
        let mixed = mix(u64::from(host));
        Walk {
            host,
            weight,
            credit: 0,
            offset: mixed % size,
            skip: mix(mixed) % (size - 1) + 1,
            step: 0,
        }
    }

    fn next_free(&mut self, table: &[u8], size: u64) -> usize {
        loop {
            let entry = ((self.offset + self.step * self.skip) % size) as usize;
            self.step += 1;
            if table[entry] == 0 {
                return entry;
            }
        }
    }
}

/// A finalizer in the manner of SplitMix64.
fn mix(value: u64) -> u64 {
    let mut value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maglev_fills_the_table_in_proportion_to_the_weights() {
        let table = maglev(&[(1, 10), (2, 20), (3, 30)]);
        let count = |host: u8| table.iter().filter(|&&owner| owner == host).count();
        assert_eq!(count(1) + count(2) + count(3), MAGLEV_SIZE);
        assert!(
            count(2).abs_diff(2 * count(1)) <= 2,
            "{} and {}",
            count(1),
            count(2)
        );
        assert!(
            count(3).abs_diff(3 * count(1)) <= 3,
            "{} and {}",
            count(1),
            count(3)
        );
    }

    #[test]
    fn modulo_goes_round() {
        assert_eq!(modulo(&[(4, 1), (9, 1)], 5), [4, 9, 4, 9, 4]);
    }
}
