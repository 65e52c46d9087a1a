// SPDX-License-Identifier: GPL-2.0-only

//! The table of sessions.

use nlb_core::limits::{
    SESSION_GRE_NS, SESSION_IPSEC_NS, SESSION_NEW_NS, SESSION_SCTP_NS, SESSION_UDP_NS,
};
use nlb_core::packet::Flow;
use nlb_core::session::{Cells, Noted, SessionKey, Sessions, FIELDS, SET};
use nlb_core::siphash::SipKey;
use nlb_core::time::{Instant, NS_PER_SEC};
use proptest::prelude::*;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Cells on the heap, as the module has them.
struct Heap {
    heads: Vec<AtomicU64>,
    fields: Vec<[AtomicU64; FIELDS]>,
}

impl Heap {
    fn new(len: usize) -> Heap {
        Heap {
            heads: (0..len).map(|_| AtomicU64::new(0)).collect(),
            fields: (0..len).map(|_| Default::default()).collect(),
        }
    }
}

impl Cells for Heap {
    fn len(&self) -> usize {
        self.heads.len()
    }
    fn head(&self, cell: usize) -> u64 {
        self.heads
            .get(cell)
            .map_or(0, |head| head.load(Ordering::Acquire))
    }
    fn head_after(&self, cell: usize) -> u64 {
        std::sync::atomic::fence(Ordering::Acquire);
        self.heads
            .get(cell)
            .map_or(0, |head| head.load(Ordering::Relaxed))
    }
    fn set_head(&self, cell: usize, head: u64) {
        self.heads[cell].store(head, Ordering::Release);
    }
    fn exchange_head(&self, cell: usize, expected: u64, head: u64) -> bool {
        self.heads[cell]
            .compare_exchange(expected, head, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }
    fn field(&self, cell: usize, field: usize) -> u64 {
        self.fields[cell][field].load(Ordering::Relaxed)
    }
    fn set_field(&self, cell: usize, field: usize, value: u64) {
        self.fields[cell][field].store(value, Ordering::Relaxed);
    }
}

const SECRET: [u8; 16] = *b"a secret at rand";

fn flow(client: [u8; 4], client_port: u16, protocol: u8, vip_port: u16) -> Flow {
    Flow {
        protocol,
        client: client.into(),
        client_port,
        vip: [192, 0, 2, 10].into(),
        vip_port,
    }
}

fn key_of(flow: &Flow) -> SessionKey {
    SessionKey::of(flow).expect("a session of something without a socket")
}

fn numbered(number: u32) -> SessionKey {
    let [a, b, c, d] = number.to_be_bytes();
    key_of(&flow([10, b, c, d], 1024 + u16::from(a), 17, 443))
}

fn at(seconds: u64) -> Instant {
    // Away from zero, as a clock is.
    Instant((1000 + seconds) * NS_PER_SEC)
}

#[test]
fn a_session_is_known_until_its_time_is_over() {
    // Which protocol and port, and how long after its last packet.
    let classes = [
        (17, 443, SESSION_UDP_NS),
        (136, 9000, SESSION_UDP_NS),
        (132, 5060, SESSION_SCTP_NS),
        (17, 500, SESSION_IPSEC_NS),
        (17, 4500, SESSION_IPSEC_NS),
        (50, 0, SESSION_IPSEC_NS),
        (51, 0, SESSION_IPSEC_NS),
        (17, 1701, SESSION_IPSEC_NS),
        (47, 0, SESSION_GRE_NS),
    ];
    let (cells, secret) = (Heap::new(4096), SipKey::new(&SECRET));
    let table = Sessions::new(&cells, &secret);
    for (number, (protocol, port, timeout)) in (1..).zip(classes) {
        let key = key_of(&flow([10, 0, 0, number], 40000, protocol, port));
        assert!(!table.recall(&key, true, at(0)), "{protocol} {port}");
        let begins = Instant(at(0).0);
        assert_eq!(table.note(&key, true, begins), Noted::New);
        assert_eq!(table.note(&key, false, begins), Noted::Known);
        let last = Instant(begins.0 + timeout - NS_PER_SEC);
        assert!(table.recall(&key, true, last), "{protocol} {port}");
        assert!(table.recall(&key, false, Instant(last.0 + timeout - NS_PER_SEC)));
        // The question above was about an ICMP error, which does not keep it alive.
        assert!(!table.recall(&key, true, Instant(last.0 + timeout + NS_PER_SEC)));
    }
}

#[test]
fn a_tunnel_lives_as_long_as_the_connection_that_controls_it() {
    let tcp = flow([10, 0, 0, 1], 40000, 6, 1723);
    let data = key_of(&flow([10, 0, 0, 1], 0, 47, 0));
    assert_eq!(SessionKey::controlled_by(&tcp), Some(data));
    for (protocol, port) in [(6, 1724), (17, 1723), (47, 0)] {
        let other = flow([10, 0, 0, 1], 40000, protocol, port);
        assert_eq!(SessionKey::controlled_by(&other), None, "{protocol} {port}");
    }
    let (cells, secret) = (Heap::new(64), SipKey::new(&SECRET));
    let table = Sessions::new(&cells, &secret);
    for second in 0..100 {
        let _ = table.note(&data, false, at(second));
    }
    assert!(table.recall(&data, false, at(105)));
    assert!(!table.recall(&data, false, at(99 + 12)));
}

#[test]
fn a_session_of_one_packet_is_soon_forgotten() {
    let (cells, secret) = (Heap::new(64), SipKey::new(&SECRET));
    let table = Sessions::new(&cells, &secret);
    let ike = key_of(&flow([10, 0, 0, 1], 500, 17, 500));
    assert_eq!(table.note(&ike, true, at(0)), Noted::New);
    // Repeated, as by a flood.
    assert_eq!(table.note(&ike, true, at(1)), Noted::Known);
    let soon = Instant(at(1).0 + SESSION_NEW_NS + NS_PER_SEC);
    assert!(!table.recall(&ike, true, soon));
}

#[test]
fn a_tunnel_is_one_session_and_udp_is_one_for_each_pair_of_ports() {
    let client = [10, 0, 0, 1];
    let ike = key_of(&flow(client, 500, 17, 500));
    for part in [
        flow(client, 4500, 17, 4500),
        flow(client, 61000, 17, 500),
        flow(client, 0, 50, 0),
        flow(client, 0, 51, 0),
    ] {
        assert_eq!(key_of(&part), ike);
    }
    assert_ne!(key_of(&flow([10, 0, 0, 2], 500, 17, 500)), ike);
    let udp = key_of(&flow(client, 40000, 17, 443));
    assert_ne!(key_of(&flow(client, 40001, 17, 443)), udp);
    assert_ne!(key_of(&flow(client, 40000, 17, 8443)), udp);
    assert_ne!(key_of(&flow(client, 40000, 136, 443)), udp);
    assert_eq!(SessionKey::of(&flow(client, 40000, 6, 443)), None);
}

#[test]
fn a_key_tells_the_flow_again() {
    let v6 = |text: &str| text.parse::<IpAddr>().expect("an address");
    let mut flows = vec![
        flow([10, 0, 0, 1], 40000, 17, 443),
        flow([10, 0, 0, 1], 0, 47, 0),
    ];
    flows.push(Flow {
        client: v6("2001:db8:1::7"),
        vip: v6("::c000:20a"),
        ..flow([0; 4], 1, 132, 65535)
    });
    for flow in flows {
        assert_eq!(key_of(&flow).flow(), flow);
    }
}

#[test]
fn a_table_is_nearly_full_before_a_session_finds_no_room() {
    let (cells, secret) = (Heap::new(8192), SipKey::new(&SECRET));
    let table = Sessions::new(&cells, &secret);
    let mut first_refused = None;
    let mut kept = 0u32;
    for number in 0..8192 {
        match table.note(&numbered(number), true, at(0)) {
            Noted::New => kept += 1,
            Noted::Full => {
                first_refused.get_or_insert(number);
            }
            Noted::Known => panic!("{number} is new"),
        }
    }
    let first = first_refused.expect("more than the table holds");
    assert!(first > 8192 * 75 / 100, "the first was refused at {first}");
    assert!(kept > 8192 * 95 / 100, "{kept} of 8192 were kept");
    let live = (0..8192).filter(|cell| table.get(*cell, at(0)).is_some());
    assert_eq!(live.count(), kept as usize);
    // When they have expired there is room for as many others.
    let later = Instant(at(1).0 + SESSION_NEW_NS);
    let again =
        (10_000..17_000).filter(|number| table.note(&numbered(*number), true, later) == Noted::New);
    assert!(again.count() > 6900);
}

#[test]
fn a_larger_table_takes_all_sessions_over() {
    let secret = SipKey::new(&SECRET);
    let (small, large) = (Heap::new(512), Heap::new(2048));
    let (old, new) = (
        Sessions::new(&small, &secret),
        Sessions::new(&large, &secret),
    );
    for number in 0..400 {
        assert_eq!(old.note(&numbered(number), true, at(0)), Noted::New);
    }
    assert_eq!(old.note(&numbered(7), false, at(0)), Noted::Known);
    let all: Vec<_> = (0..512).filter_map(|cell| old.get(cell, at(1))).collect();
    assert_eq!(all.len(), 400);
    assert!(all.iter().all(|session| new.adopt(session)));
    let soon = Instant(at(0).0 + SESSION_NEW_NS + NS_PER_SEC);
    assert!((0..400).all(|number| new.recall(&numbered(number), false, at(1))));
    // That one had two packets is taken over as well.
    assert!(new.recall(&numbered(7), false, soon));
    assert!(!new.recall(&numbered(8), false, soon));
}

#[test]
fn without_cells_there_is_no_room() {
    let (cells, secret) = (Heap::new(0), SipKey::new(&SECRET));
    let table = Sessions::new(&cells, &secret);
    assert_eq!(table.note(&numbered(1), true, at(0)), Noted::Full);
    assert!(!table.recall(&numbered(1), true, at(0)));
    let cells = Heap::new(SET - 1);
    assert_eq!(
        Sessions::new(&cells, &secret).note(&numbered(1), true, at(0)),
        Noted::Full
    );
}

/// Several CPUs write and read at once: whatever is found is whole, and what fits is found afterwards.
#[test]
fn readers_never_see_half_a_session() {
    let (cells, secret) = (Heap::new(256), SipKey::new(&SECRET));
    std::thread::scope(|scope| {
        for thread in 0..4u32 {
            let (cells, secret) = (&cells, &secret);
            scope.spawn(move || {
                let table = Sessions::new(cells, secret);
                for round in 0..20_000u32 {
                    // Time runs, so that cells are given to others all the time.
                    let now = at(u64::from(round));
                    let number = ((round % 61) << 8) | thread;
                    let _ = table.note(&numbered(number), true, now);
                    if let Some(session) = table.get((round % 256) as usize, now) {
                        let flow = session.key.flow();
                        let IpAddr::V4(client) = flow.client else {
                            panic!("an IPv4 client");
                        };
                        let [ten, zero, low, thread] = client.octets();
                        let whole = ten == 10
                            && zero == 0
                            && low < 61
                            && thread < 4
                            && (flow.client_port, flow.protocol, flow.vip_port) == (1024, 17, 443);
                        assert!(whole, "{flow:?}");
                    }
                }
            });
        }
    });
}

proptest! {
    /// The table agrees with a map that never forgets, as long as there is room.
    #[test]
    fn the_table_is_a_map(steps in proptest::collection::vec((0u32..40, any::<bool>(), 0u64..20), 1..200)) {
        let (cells, secret) = (Heap::new(512), SipKey::new(&SECRET));
        let table = Sessions::new(&cells, &secret);
        let mut model: HashMap<u32, (u64, bool)> = HashMap::new();
        let mut now = 0;
        for (number, first, pass) in steps {
            now += pass;
            let alive = |(seen, confirmed): (u64, bool)| {
                let timeout = if confirmed { SESSION_UDP_NS } else { SESSION_NEW_NS } / NS_PER_SEC;
                // The table's time is coarse: at the edge it may say either.
                match now - seen {
                    age if age < timeout => Some(true),
                    age if age > timeout + 1 => Some(false),
                    _ => None,
                }
            };
            let known = match model.get(&number) {
                Some(entry) => alive(*entry),
                None => Some(false),
            };
            let Some(known) = known else { continue };
            let expected = if known { Noted::Known } else { Noted::New };
            prop_assert_eq!(table.note(&numbered(number), first, at(now)), expected);
            let before = model.get(&number).is_some_and(|entry| entry.1);
            model.insert(number, (now, known && (before || !first)));
        }
    }
}
