// SPDX-License-Identifier: GPL-2.0-only

//! Rules for all addresses beside rules for one. Windows takes the rule of the address where there is one; in nlb rules
//! do not overlap, so a rule for all becomes rules of each address, for what is left.

use std::net::IpAddr;

use nlb_core::rules::Protocols;

use crate::import::draft::DraftRule;

/// A range of ports, both ends included.
type Range = (u16, u16);

/// Replaces rules for all VIPs that overlap rules of one; the lines of those that were replaced.
pub(super) fn expand(rules: Vec<DraftRule>, vips: &[IpAddr]) -> (Vec<DraftRule>, Vec<usize>) {
    let special: Vec<_> = rules
        .iter()
        .filter(|it| it.rule.vip.is_some())
        .cloned()
        .collect();
    let mut lines = Vec::new();
    let mut all = Vec::new();
    for draft in rules {
        let overlaps = special.iter().any(|it| it.rule.overlaps(&draft.rule));
        if draft.rule.vip.is_some() || !overlaps {
            all.push(draft);
            continue;
        }
        lines.push(draft.line);
        for vip in vips {
            all.extend(rest(&draft, *vip, &special));
        }
    }
    (all, lines)
}

/// What of a rule for all is left for a VIP.
fn rest(draft: &DraftRule, vip: IpAddr, special: &[DraftRule]) -> Vec<DraftRule> {
    let left = |protocol: Protocols| {
        let taken = special
            .iter()
            .filter(|it| it.rule.vip == Some(vip) && it.rule.protocols.overlaps(protocol))
            .map(|it| (it.rule.first_port, it.rule.last_port));
        without((draft.rule.first_port, draft.rule.last_port), taken)
    };
    let parts = match draft.rule.protocols {
        Protocols::Both if left(Protocols::Tcp) == left(Protocols::Udp) => {
            vec![(Protocols::Both, left(Protocols::Both))]
        }
        Protocols::Both => [Protocols::Tcp, Protocols::Udp]
            .map(|it| (it, left(it)))
            .to_vec(),
        one => vec![(one, left(one))],
    };
    let mut rules = Vec::new();
    for (protocols, ranges) in parts {
        for (first_port, last_port) in ranges {
            let mut own = draft.clone();
            own.rule.vip = Some(vip);
            own.rule.protocols = protocols;
            (own.rule.first_port, own.rule.last_port) = (first_port, last_port);
            rules.push(own);
        }
    }
    rules
}

/// A range without some others.
fn without(whole: Range, taken: impl Iterator<Item = Range>) -> Vec<Range> {
    let mut left = vec![whole];
    for (first, last) in taken {
        left = left
            .into_iter()
            .flat_map(|(a, b)| {
                let before = first.checked_sub(1).map(|end| (a, b.min(end)));
                let after = last.checked_add(1).map(|begin| (a.max(begin), b));
                // Where it does not touch the range, one of the two is all of it and the other is empty.
                [before, after]
            })
            .flatten()
            .filter(|(a, b)| a <= b)
            .collect();
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_loses_what_is_taken() {
        let of = |taken: &[Range]| without((0, 65535), taken.iter().copied());
        assert_eq!(of(&[]), [(0, 65535)]);
        assert_eq!(
            of(&[(80, 80), (443, 443)]),
            [(0, 79), (81, 442), (444, 65535)]
        );
        assert_eq!(of(&[(0, 65535)]), []);
        assert_eq!(of(&[(0, 9), (100, 65535)]), [(10, 99)]);
        assert_eq!(without((80, 90), [(443, 443)].into_iter()), [(80, 90)]);
        assert_eq!(without((80, 90), [(1, 20)].into_iter()), [(80, 90)]);
    }
}
