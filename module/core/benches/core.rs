// SPDX-License-Identifier: GPL-2.0-only

//! What the core costs on this machine, natively: decision, hash, parse, map, heartbeat. Instructions in the kernel,
//! which do not depend on the machine, are in the budget scenarios.

#[path = "../tests/core/common/mod.rs"]
#[allow(dead_code, reason = "the rest is for tests")]
mod common;
#[path = "../tests/core/world/mod.rs"]
#[allow(dead_code, reason = "the rest is for tests")]
mod world;

use common::{build, ipv4, meta, settings, tcp, udp, Words, SEED};
use criterion::{criterion_group, criterion_main, BatchSize, BenchmarkId, Criterion};
use hmac::{Hmac, KeyInit, Mac};
use nlb_core::assign::{assign, Weights};
use nlb_core::auth::{Authenticator, Verified, STAMP_LABEL};
use nlb_core::config::SlotKind;
use nlb_core::decide::{decide, flow};
use nlb_core::genl::Affinity;
use nlb_core::host::{HostId, HostSet};
use nlb_core::limits::{BUCKETS, FRAME_MAX, TAG_LEN};
use nlb_core::peer::Path;
use nlb_core::received::Received;
use nlb_core::rules::Rule;
use nlb_core::siphash::SipKey;
use nlb_core::wire::Frame;
use sha2::Sha256;
use std::hint::black_box;
use std::net::Ipv6Addr;
use world::{config, World, MS, PERIOD};

const VIP4: [u8; 4] = [192, 0, 2, 10];
const CLIENT4: [u8; 4] = [198, 51, 100, 7];
const ACK: u8 = 0x10;

/// Sizes of clusters.
const HOSTS: [u8; 6] = [2, 4, 8, 16, 32, 64];

/// A TCP segment over IPv6.
fn ipv6(from: Ipv6Addr, to: Ipv6Addr, segment: &[u8]) -> Vec<u8> {
    let length = u16::try_from(segment.len()).expect("a short segment");
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([6, 64]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend(segment);
    packet
}

/// HMAC-SHA256 with a prepared key, as the kernel has it.
struct Key {
    hmac: Hmac<Sha256>,
    stamp: SipKey,
}

impl Key {
    fn new() -> Key {
        let hmac = Hmac::new_from_slice(&[7; 32]).expect("HMAC takes keys of every length");
        let mut key = Key {
            hmac,
            stamp: SipKey::new(&[0; 16]),
        };
        key.stamp = SipKey::new(&key.tag(STAMP_LABEL));
        key
    }

    fn tag(&self, message: &[u8]) -> [u8; TAG_LEN] {
        let mut mac = self.hmac.clone();
        mac.update(message);
        let digest = mac.finalize().into_bytes();
        *digest.first_chunk().expect("a digest is longer than a tag")
    }
}

impl Authenticator for Key {
    fn authenticated(&self) -> bool {
        true
    }

    fn key_id(&self) -> u8 {
        1
    }

    fn stamp(&self, key_id: u8, header: &[u8]) -> Option<u64> {
        (key_id == 1).then(|| self.stamp.hash(header))
    }

    fn sign(&self, key_id: u8, message: &[u8]) -> Option<[u8; TAG_LEN]> {
        (key_id == 1).then(|| self.tag(message))
    }

    fn verify(&self, key_id: u8, message: &[u8], given: &[u8; TAG_LEN]) -> Verified {
        match self.sign(key_id, message) {
            None => Verified::UnknownKey,
            Some(right) if right == *given => Verified::Ok,
            Some(_) => Verified::Bad,
        }
    }
}

fn decision(criterion: &mut Criterion) {
    let to: Ipv6Addr = "2001:db8::10".parse().expect("an address");
    let from: Ipv6Addr = "2001:db8:1::7".parse().expect("an address");
    let vips = [VIP4.into(), to.into()];
    let rules = [Rule::all(Affinity::None)];
    let filter = build(&settings(&vips, &rules));
    let moved = Words {
        moved: u64::MAX,
        ..Words::NONE
    };
    let mine = Words {
        mine: u64::MAX,
        ..Words::NONE
    };
    let segment = tcp(40000, 80, ACK);
    let datagram = udp(40000, 80, &[0; 20]);
    let plain = ipv4(CLIENT4, VIP4, 6, &segment);
    let cases: [(&str, Vec<u8>, Words); 6] = [
        ("tcp, not mine", plain.clone(), Words::NONE),
        ("tcp, mine", plain.clone(), mine),
        ("tcp, moved", plain, moved),
        (
            "udp, not mine",
            ipv4(CLIENT4, VIP4, 17, &datagram),
            Words::NONE,
        ),
        (
            "foreign",
            ipv4(CLIENT4, [192, 0, 2, 77], 17, &datagram),
            Words::NONE,
        ),
        ("tcp, not mine, IPv6", ipv6(from, to, &segment), Words::NONE),
    ];
    let mut group = criterion.benchmark_group("decision");
    for (name, packet, words) in &cases {
        let meta = meta(packet);
        group.bench_function(*name, |bencher| {
            bencher.iter(|| decide(black_box(&filter), words, &meta, black_box(packet)));
        });
    }
    group.finish();
}

/// A packet taken to pieces: of an ICMP error, the packet in it as well.
fn parse(criterion: &mut Criterion) {
    let to: Ipv6Addr = "2001:db8::10".parse().expect("an address");
    let from: Ipv6Addr = "2001:db8:1::7".parse().expect("an address");
    let segment = tcp(40000, 80, ACK);
    let mut unreachable = vec![3, 3, 0, 0, 0, 0, 0, 0];
    unreachable.extend(ipv4(VIP4, CLIENT4, 6, &tcp(80, 40000, ACK)));
    let cases = [
        ("IPv4", ipv4(CLIENT4, VIP4, 6, &segment)),
        ("IPv6", ipv6(from, to, &segment)),
        ("ICMP error", ipv4(CLIENT4, VIP4, 1, &unreachable)),
    ];
    let mut group = criterion.benchmark_group("parse");
    for (name, packet) in &cases {
        let found = flow(packet).expect("a whole packet");
        assert_eq!((found.client_port, found.vip_port), (40000, 80), "{name}");
        group.bench_function(*name, |bencher| {
            bencher.iter(|| flow(black_box(packet)));
        });
    }
    group.finish();
}

fn hash(criterion: &mut Criterion) {
    let key = SipKey::new(&SEED);
    let mut group = criterion.benchmark_group("hash");
    group.bench_function("IPv4", |bencher| {
        bencher.iter(|| key.hash_v4(black_box((40000 << 32) | 0x0764_33c6)));
    });
    group.bench_function("IPv6", |bencher| {
        bencher.iter(|| key.hash_v6(black_box([1, 2]), black_box(40000)));
    });
    group.finish();
}

/// All hosts with the same weight.
struct Equal(HostSet);

impl Weights for Equal {
    fn eligible(&self) -> HostSet {
        self.0
    }

    fn weight(&self, _host: HostId) -> u8 {
        50
    }
}

fn map(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("map");
    for hosts in HOSTS {
        let all = HostSet::lowest_ids(usize::from(hosts));
        let gone = HostId::new(hosts / 2 + 1).expect("a host");
        let mut full = vec![0; BUCKETS];
        assign(&mut full, SlotKind::Weighted, &Equal(all));
        group.bench_function(BenchmarkId::new("from nothing", hosts), |bencher| {
            bencher.iter_batched_ref(
                || vec![0; BUCKETS],
                |map| assign(map, SlotKind::Weighted, &Equal(all)),
                BatchSize::SmallInput,
            );
        });
        group.bench_function(BenchmarkId::new("a host leaves", hosts), |bencher| {
            bencher.iter_batched_ref(
                || full.clone(),
                |map| assign(map, SlotKind::Weighted, &Equal(all.without(gone))),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// A converged cluster: nodes and the time.
fn converged(hosts: u8) -> World {
    let mut world = World::with((1..=hosts).map(config).collect());
    world.check_owners = false;
    world.start_all();
    world.run(20 * PERIOD);
    world
}

fn heartbeat(criterion: &mut Criterion) {
    let key = Key::new();
    let mut group = criterion.benchmark_group("heartbeat");
    for hosts in HOSTS {
        let mut world = converged(hosts);
        let (sender, receiver) = (world.nodes[1].clone(), world.nodes[0].clone());
        let now = world.now.after(PERIOD);
        let mut buffer = [0; FRAME_MAX];
        group.bench_function(BenchmarkId::new("make and sign", hosts), |bencher| {
            bencher.iter_batched_ref(
                || sender.clone(),
                |node| {
                    node.handle_timeout(now);
                    node.poll_transmit(&mut buffer, &key).map(|sent| sent.len)
                },
                BatchSize::SmallInput,
            );
        });
        let node = &mut world.nodes[1];
        node.handle_timeout(now);
        let sent = node
            .poll_transmit(&mut buffer, &key)
            .expect("a heartbeat is due");
        let frame = buffer[..sent.len].to_vec();
        group.bench_function(BenchmarkId::new("parse", hosts), |bencher| {
            bencher.iter(|| Frame::parse(black_box(&frame)).is_ok());
        });
        let heard = now.after(MS);
        let got = receiver
            .clone()
            .handle_frame(heard, Path::Segment, &frame, &key);
        assert_eq!(
            got,
            Received::Heartbeat,
            "what is measured is a good heartbeat"
        );
        group.bench_function(BenchmarkId::new("verify and take in", hosts), |bencher| {
            bencher.iter_batched_ref(
                || receiver.clone(),
                |node| node.handle_frame(heard, Path::Segment, black_box(&frame), &key),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, decision, parse, hash, map, heartbeat);
criterion_main!(benches);
