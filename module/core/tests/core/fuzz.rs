// SPDX-License-Identifier: GPL-2.0-only

//! Fuzz targets for what a stranger's packet reaches: the decision, fragments, ARP and neighbour discovery. What a
//! holder of the key can do to a member is tried in `fuzz_node.rs`; targets for the bodies of frames are beside their
//! parsers.

use super::common::table::{bytes, cluster, table, Line};
use super::common::*;
use nlb_core::arp::{self, ArpOut, ArpVerdict, ARP_LEN};
use nlb_core::decide::{
    decide, explain, fast_v4, fast_v6, flow, glance_v4, glance_v6, is_for_cluster, Answer, Bytes,
    Fast, Glance, Note, Verdict,
};
use nlb_core::filter::{Filter, Responder, Storage};
use nlb_core::fragments::{recall, remember, Cells, FragmentKey};
use nlb_core::leaving::{leaving, Leaving};
use nlb_core::nd::{self, NdOut, NdVerdict};
use nlb_core::packet::{Meta, Target, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, SNAP_LEN};
use nlb_core::reason::Reason;
use nlb_core::session::SessionKey;
use nlb_core::socket::Segment;
use nlb_core::time::Instant;
use nlb_fuzz::{outcome, Fuzz};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The NIC's own MAC.
const OWN: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];

/// The dedicated IP, and the link-local address.
const DEDICATED: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 77);
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x77);

/// Bytes before the packet in an input: see [`Case`].
const FACTS: usize = 3;

/// What the golden table has: filters, and inputs made of its packets.
struct Golden {
    filters: Vec<Filter<Heap>>,
    seeds: Vec<Vec<u8>>,
}

impl Golden {
    /// Of the packets those with an EtherType in the list.
    fn new(ethertypes: &[u16]) -> Golden {
        let table = table();
        let (mut names, mut filters, mut seeds) = (Vec::new(), Vec::new(), Vec::new());
        for text in table.lines() {
            let line = Line::parse(text);
            if text.starts_with("cluster ") {
                names.push(line.name.to_owned());
                filters.push(cluster(&line));
                continue;
            }
            let frame = bytes(line.need("frame"));
            let ethertype = u16::from_be_bytes([frame[12], frame[13]]);
            let Some(kind) = ethertypes.iter().position(|known| *known == ethertype) else {
                continue;
            };
            let cluster = names
                .iter()
                .position(|name| name == line.need("cluster"))
                .expect("a packet names a cluster above it");
            let mut seed = vec![
                u8::from(line.flag("default")),
                kind as u8 | 0x10,
                cluster as u8,
            ];
            seed.extend(&frame[14..]);
            seeds.push(seed);
        }
        assert!(seeds.len() > 3, "the table has such packets");
        Golden { filters, seeds }
    }

    fn filter(&self, input: &[u8]) -> &Filter<Heap> {
        &self.filters[usize::from(input[2]) % self.filters.len()]
    }
}

/// An input: what the host owns (a byte), what is known of the frame (a byte), the filter (a byte), the packet.
struct Case<'a> {
    words: Words,
    meta: Meta,
    l3: &'a [u8],
}

impl<'a> Case<'a> {
    fn of(input: &'a [u8]) -> Case<'a> {
        let (facts, l3) = input.split_at(FACTS);
        let all = |bit: u8| if facts[0] & bit != 0 { u64::MAX } else { 0 };
        let words = Words {
            mine: all(2) ^ all(4) & 0x5555_5555_5555_5555,
            moved: all(8),
            others: all(16),
            default_host: facts[0] & 1 != 0,
        };
        let ethertypes = [ETHERTYPE_IPV4, ETHERTYPE_IPV6, 0x88b5, ETHERTYPE_ARP];
        let targets = [
            Target::Host,
            Target::Broadcast,
            Target::Multicast,
            Target::OtherHost,
        ];
        let meta = Meta {
            ethertype: ethertypes[usize::from(facts[1] & 3)],
            target: targets[usize::from((facts[1] >> 2) & 3)],
            dst_is_virtual_mac: facts[1] & 0x10 != 0,
            vlan: facts[1] & 0xe0 == 0xe0,
            merged: facts[1] & 0x60 == 0x60,
            len: l3.len() as u32,
        };
        Case { words, meta, l3 }
    }

    /// The destination of the packet, if it has one.
    fn destination(&self) -> Option<IpAddr> {
        match self.meta.ethertype {
            ETHERTYPE_IPV4 => {
                let octets: [u8; 4] = self.l3.get(16..20)?.try_into().ok()?;
                Some(IpAddr::from(octets))
            }
            ETHERTYPE_IPV6 => {
                let octets: [u8; 16] = self.l3.get(24..40)?.try_into().ok()?;
                Some(IpAddr::from(octets))
            }
            _ => None,
        }
    }
}

/// The rule and the reason of a final verdict.
fn settled(verdict: Verdict) -> (Option<Reason>, u8) {
    let rule = match verdict {
        Verdict::Accept { rule, .. } | Verdict::Drop { rule, .. } => rule,
        _ => 255,
    };
    (verdict.reason(), rule)
}

/// The fast path, where a caller may take it, comes to the same verdict.
fn check_fast<S: Storage>(filter: &Filter<S>, case: &Case<'_>, verdict: Verdict) {
    let Case { words, meta, l3 } = case;
    let v4 = meta.ethertype == ETHERTYPE_IPV4;
    if meta.merged || !(v4 || meta.ethertype == ETHERTYPE_IPV6) {
        return;
    }
    let glance = if v4 {
        glance_v4(filter, l3)
    } else {
        glance_v6(filter, l3)
    };
    let vip = match glance {
        Glance::Foreign if meta.vlan => return,
        Glance::Foreign => {
            assert_eq!(verdict.reason(), Some(Reason::PassedForeign));
            return;
        }
        Glance::Vip(vip) if is_for_cluster(meta) => vip,
        _ => return,
    };
    let fast = if v4 {
        fast_v4(filter, words, vip, meta.len, Bytes(l3))
    } else {
        fast_v6(filter, words, vip, meta.len, Bytes(l3))
    };
    match fast {
        Fast::Accept(entry) => assert_eq!(
            verdict,
            Verdict::Accept {
                reason: entry.reason_accepted(),
                rule: entry.number(),
                fragment: false,
                note: Note::Nothing
            }
        ),
        Fast::Drop(entry) => assert_eq!(
            verdict,
            Verdict::Drop {
                reason: entry.reason_dropped(),
                rule: entry.number(),
                fragment: false
            }
        ),
        Fast::Moved(_) | Fast::Unclear => {}
    }
}

#[test]
fn fuzz_packet() {
    let golden = Golden::new(&[ETHERTYPE_IPV4, ETHERTYPE_IPV6]);
    let fuzz = Fuzz::new("packet").seeds(golden.seeds.clone());
    fuzz.inputs(60_000).longest(700).run(|input| {
        if input.len() < FACTS {
            return 0;
        }
        let (filter, case) = (golden.filter(input), Case::of(input));
        let Case { words, meta, l3 } = &case;
        let verdict = decide(filter, words, meta, l3);
        // With fewer bytes in one piece the verdict is the same, or that more are needed; so many are always enough.
        for linear in [0, 1, 8, 19, 20, 24, 39, 40, 44, 48, 60, 88, l3.len() / 2] {
            let linear = linear.min(l3.len());
            let partial = decide(filter, words, meta, &l3[..linear]);
            assert!(
                partial == verdict || partial == Verdict::Short,
                "{linear} bytes: {partial:?}, all: {verdict:?}"
            );
        }
        let snap = decide(filter, words, meta, &l3[..l3.len().min(SNAP_LEN)]);
        assert_eq!(snap, verdict, "{SNAP_LEN} bytes are enough");
        assert_ne!(verdict, Verdict::Short, "all bytes are enough");
        if meta.vlan {
            assert!(matches!(verdict, Verdict::Pass(_)), "{verdict:?}");
        }
        let concerned = matches!(
            verdict,
            Verdict::Accept { .. } | Verdict::Drop { .. } | Verdict::Ask(_)
        );
        if concerned {
            match case.destination() {
                Some(to) => assert!(filter.is_vip(to), "{verdict:?} for {to}"),
                // Cut off before the destination: nobody's stack could take it.
                None => assert_eq!(verdict.reason(), Some(Reason::MalformedTruncated)),
            }
        }
        check_fast(filter, &case, verdict);
        let answers = match verdict {
            Verdict::Ask(question) => [Answer::Known, Answer::Refused, Answer::Unknown]
                .map(|answer| settled(question.resolve(answer)))
                .to_vec(),
            _ => vec![settled(verdict)],
        };
        assert!(answers.iter().all(|(reason, _)| reason.is_some()));
        // The same bytes, as if this host sent them.
        let _ = Segment::of(l3);
        if let Leaving::Opened {
            slot,
            bucket,
            session: Some(flow),
            ..
        } = leaving(filter, words, l3)
        {
            if flow.protocol == 17 {
                let place = explain(filter, &flow).place.map(|it| (it.slot, it.bucket));
                assert!(place.is_none_or(|it| it == (slot, bucket)), "{flow:?}");
            }
            let key = SessionKey::of(&flow).expect("it has no socket");
            assert_eq!(SessionKey::of(&key.flow()), Some(key));
        }
        let explained = flow(l3).map(|flow| explain(filter, &flow));
        outcome((
            answers
                .iter()
                .map(|(reason, rule)| (reason.map(Reason::name), *rule))
                .collect::<Vec<_>>(),
            explained.is_some(),
            FragmentKey::of(filter, l3).is_some(),
        ))
    });
}

/// A table of first fragments.
struct Memory(Vec<Cell<u64>>);

impl Cells for Memory {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn load(&self, index: usize) -> u64 {
        self.0[index].get()
    }

    fn store(&self, index: usize, value: u64) {
        self.0[index].set(value);
    }
}

#[test]
fn fuzz_fragments() {
    let golden = Golden::new(&[ETHERTYPE_IPV4, ETHERTYPE_IPV6]);
    let fuzz = Fuzz::new("fragments").seeds(golden.seeds.clone());
    fuzz.longest(400).run(|input| {
        if input.len() < FACTS {
            return 0;
        }
        let (filter, l3) = (golden.filter(input), &input[FACTS..]);
        let Some(key) = FragmentKey::of(filter, l3) else {
            return 1;
        };
        let memory = Memory(vec![Cell::new(0); 64]);
        let now = Instant(1 << 40);
        assert_eq!(recall(&memory, key, now), Answer::Unknown);
        let accepted = input[0] & 1 != 0;
        remember(&memory, key, accepted, now);
        let expected = if accepted {
            Answer::Known
        } else {
            Answer::Refused
        };
        assert_eq!(recall(&memory, key, now), expected);
        // Only the headers count: what is behind them is another fragment's payload.
        let again = FragmentKey::of(filter, l3).map(|key| recall(&memory, key, now));
        assert_eq!(again, Some(expected));
        assert_eq!(recall(&memory, key, Instant(now.0 << 4)), Answer::Unknown);
        outcome((l3[0] >> 4, accepted, l3.len().min(60)))
    });
}

#[test]
fn fuzz_arp() {
    let golden = Golden::new(&[ETHERTYPE_ARP]);
    let fuzz = Fuzz::new("arp").seeds(golden.seeds.clone());
    fuzz.run(|input| {
        if input.len() < FACTS {
            return 0;
        }
        let (filter, message) = (golden.filter(input), &input[FACTS..]);
        let is_vip = |address: Option<Ipv4Addr>| {
            address.is_some_and(|address| filter.is_vip(IpAddr::V4(address)))
        };
        let verdict = arp::arrived(filter, input[0] & 1 != 0, message);
        if let ArpVerdict::Reply { to, bytes } = verdict {
            assert_eq!(to[0] & 1, 0, "answers go to stations");
            assert!(is_vip(arp::sender(&bytes)));
            assert_eq!(bytes[8..14], filter.mac_v4());
            let mut leaving = bytes;
            assert_eq!(
                arp::leaving(filter, &mut leaving, OWN, None),
                ArpOut::Untouched
            );
            // A peer that hears it takes it for what it is.
            assert_eq!(
                arp::arrived(filter, true, &bytes),
                ArpVerdict::Drop(Reason::ArpPeer)
            );
        }
        let dedicated = (input[0] & 2 != 0).then_some(DEDICATED);
        let mut left = message.to_vec();
        let out = arp::leaving(filter, &mut left, OWN, dedicated);
        match out {
            ArpOut::Untouched => {
                assert_eq!(left, message);
                let request = message.get(6..8) == Some(&[0, 1])
                    && message.get(14..18) != message.get(24..28);
                if is_vip(arp::sender(message)) {
                    assert!(!request, "a question carries no VIP as its sender");
                    assert_eq!(
                        message[8..14],
                        filter.mac_v4(),
                        "no other MAC speaks for a VIP"
                    );
                }
            }
            ArpOut::Mended => {
                assert_eq!(
                    arp::sender(&left),
                    Some(dedicated.unwrap_or(Ipv4Addr::UNSPECIFIED))
                );
                assert_eq!(left[8..14], OWN);
                assert_eq!(
                    left[14 + 4..],
                    message[14 + 4..],
                    "the question is the same"
                );
                assert_eq!(left.len(), message.len());
            }
            ArpOut::Drop => assert!(message.len() >= ARP_LEN),
        }
        outcome(format!("{:?} {out:?}", without_addresses(verdict)))
    });
}

/// A verdict without what an input can choose freely.
fn without_addresses(verdict: ArpVerdict) -> (u8, Option<Reason>) {
    match verdict {
        ArpVerdict::Pass(reason) => (0, Some(reason)),
        ArpVerdict::Drop(reason) => (1, Some(reason)),
        ArpVerdict::Reply { .. } => (2, None),
        ArpVerdict::Conflict { .. } => (3, None),
    }
}

/// The sum of a packet's ICMPv6 checksum, which is right if it is 0xffff; counted anew, apart from the core.
fn icmp_sum(l3: &[u8]) -> u32 {
    let payload = usize::from(u16::from_be_bytes([l3[4], l3[5]]));
    let icmp = &l3[40..40 + payload];
    let words = l3[8..40].chunks(2).chain(icmp.chunks(2));
    let mut sum = payload as u32 + 58;
    for word in words {
        let low = word.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([word[0], low]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

/// Puts the right checksum into a neighbour message, so that more than one input in 65,536 is looked at closely.
fn with_checksum(l3: &[u8]) -> Vec<u8> {
    let mut l3 = l3.to_vec();
    let payload = l3
        .get(4..6)
        .map_or(0, |len| usize::from(u16::from_be_bytes([len[0], len[1]])));
    if payload >= 4 && l3.len() >= 40 + payload {
        l3[42..44].fill(0);
        let sum = !(icmp_sum(&l3) as u16);
        l3[42..44].copy_from_slice(&sum.to_be_bytes());
    }
    l3
}

/// A neighbour message about an IPv6 VIP: kind, source, destination, target, options.
fn neighbour_message(
    kind: u8,
    src: Ipv6Addr,
    dst: Ipv6Addr,
    target: Ipv6Addr,
    options: &[u8],
) -> Vec<u8> {
    let payload = 24 + options.len();
    let mut l3 = vec![0x60, 0, 0, 0, 0, payload as u8, 58, 255];
    l3.extend(src.octets());
    l3.extend(dst.octets());
    l3.extend([kind, 0, 0, 0, 0, 0, 0, 0]);
    l3.extend(target.octets());
    l3.extend(options);
    with_checksum(&l3)
}

fn neighbour_seeds(vip: Ipv6Addr) -> Vec<Vec<u8>> {
    let client: Ipv6Addr = "2001:db8:c::1".parse().expect("an address");
    let none = Ipv6Addr::UNSPECIFIED;
    let all: Ipv6Addr = "ff02::1".parse().expect("an address");
    let [.., a, b, c] = vip.octets();
    let solicited = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
    let option = |kind: u8| [kind, 1, 2, 0, 0, 0, 0, 9];
    [
        (135, client, solicited, vip, &option(1)[..]),
        (135, client, vip, vip, &[]),
        (135, none, solicited, vip, &[]),
        (135, vip, solicited, client, &option(1)),
        (136, vip, all, vip, &option(2)),
        (136, client, all, vip, &option(2)),
        (133, vip, all, none, &option(1)),
        (137, client, vip, vip, &option(2)),
    ]
    .map(|(kind, src, dst, target, options)| {
        let mut seed = vec![1, 0x11, 0];
        seed.extend(neighbour_message(kind, src, dst, target, options));
        seed
    })
    .to_vec()
}

#[test]
fn fuzz_nd() {
    let vip: Ipv6Addr = "2001:db8::10".parse().expect("an address");
    let vips = [IpAddr::V6(vip)];
    let filters = [Responder::DefaultHost, Responder::All].map(|responder| {
        build(&nlb_core::filter::Settings {
            responder,
            ..settings(&vips, &[])
        })
    });
    let fuzz = Fuzz::new("nd").seeds(neighbour_seeds(vip));
    fuzz.inputs(100_000).run(|input| {
        if input.len() < FACTS {
            return 0;
        }
        let filter = &filters[usize::from(input[2] & 1)];
        let from = [input[2] & 2, 0, 0, 0, 0, 9];
        let mended;
        let l3 = if input[0] & 4 == 0 {
            mended = with_checksum(&input[FACTS..]);
            &mended[..]
        } else {
            &input[FACTS..]
        };
        let verdict = nd::arrived(filter, input[0] & 1 != 0, from, l3);
        let kind = match verdict {
            NdVerdict::Pass(reason) => (0, Some(reason)),
            NdVerdict::Drop(reason) => (1, Some(reason)),
            NdVerdict::Conflict { vip: claimed, mac } => {
                assert!(filter.is_vip(IpAddr::V6(claimed)) && mac != filter.mac_v6());
                (2, None)
            }
            NdVerdict::Reply { bytes, .. } => {
                assert_eq!(icmp_sum(&bytes), 0xffff, "the checksum is right");
                assert_eq!(l3[7], 255, "nothing that a router forwarded is answered");
                assert_eq!(icmp_sum(l3), 0xffff, "nothing damaged is answered");
                let mut leaving = bytes;
                let out = nd::leaving(filter, &mut leaving, OWN, None);
                assert_eq!((out, leaving), (NdOut::Untouched, bytes));
                let peer = nd::arrived(filter, true, OWN, &bytes);
                assert_eq!(peer, NdVerdict::Drop(Reason::NdPeer));
                (3, None)
            }
        };
        let link_local = (input[0] & 2 != 0).then_some(LINK_LOCAL);
        let mut left = l3.to_vec();
        let out = nd::leaving(filter, &mut left, OWN, link_local);
        match out {
            NdOut::Untouched => assert_eq!(left, l3),
            NdOut::Mended => {
                assert_eq!(left[8..24], LINK_LOCAL.octets());
                assert_eq!(left.len(), l3.len());
                assert_eq!(icmp_sum(&left), 0xffff, "the checksum is mended");
                let mut again = left.clone();
                let twice = nd::leaving(filter, &mut again, OWN, link_local);
                assert_eq!((twice, &again), (NdOut::Untouched, &left));
            }
            NdOut::Drop => {}
        }
        outcome((
            kind.0,
            kind.1.map(Reason::name),
            format!("{out:?}"),
            l3.get(40),
        ))
    });
}
