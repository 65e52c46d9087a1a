// SPDX-License-Identifier: GPL-2.0-only

//! A fuzz target for what a holder of the key can do to a member: frames with any body, at any time, between commands.

use super::world::{Tables, ToyKey, World, MS, PERIOD};
use nlb_core::auth::Authenticator;
use nlb_core::config::cluster_id;
use nlb_core::node::{Command, Node};
use nlb_core::peer::Path;
use nlb_core::state::HostState;
use nlb_core::time::Instant;
use nlb_core::wire::{Frame, HEADER_LEN};
use nlb_fuzz::{outcome, Fuzz};

/// A frame with header and tag of a holder of the key: host 2, in the incarnation that host 1 knows.
fn sealed(kind: u8, incarnation: u64, seq: u64, body: &[u8]) -> Vec<u8> {
    let key = ToyKey(77);
    let mut frame = b"nb".to_vec();
    frame.extend([1, 1, 1, kind, 1, 2]);
    frame.extend(cluster_id(b"test").to_be_bytes());
    frame.extend(incarnation.to_be_bytes());
    frame.extend(seq.to_be_bytes());
    frame.extend((44 + body.len() as u16 + 16).to_be_bytes());
    frame.extend([0, 1]);
    frame.extend(
        key.stamp(1, &frame)
            .expect("the key is known")
            .to_be_bytes(),
    );
    frame.extend(body);
    frame.extend(key.sign(1, &frame).expect("the key is known"));
    frame
}

/// Drains a node and lets its timers run out up to `until`: what it sends are frames, and it comes to rest.
fn settle(node: &mut Node<Tables>, until: Instant) {
    let key = ToyKey(77);
    let mut buf = [0; 1500];
    for _ in 0..2_000 {
        let mut frames = 0;
        while let Some(transmit) = node.poll_transmit(&mut buf, &key) {
            frames += 1;
            assert!(frames < 400, "a node does not stop sending");
            let frame = Frame::parse(&buf[..transmit.len]).expect("what a node sends is a frame");
            assert_eq!(frame.stamp_holds(&key), Some(true));
        }
        while node.poll_event().is_some() {}
        let due = node.poll_timeout();
        if due > until {
            return;
        }
        node.handle_timeout(due);
    }
    panic!("a node does not come to rest");
}

/// What must be so of a node whatever it was told.
fn check_node(node: &Node<Tables>) {
    let me = node.config().host;
    for bucket in 0..node.config().buckets {
        let owned = (node.owned_word(0, bucket / 64) >> (bucket % 64)) & 1 != 0;
        if owned {
            assert_eq!(
                node.owner_of(0, bucket),
                Some(me),
                "it owns what its map gives it"
            );
        }
    }
    let member = node.view_members().contains(me);
    let serves = matches!(node.state(), HostState::Converged | HostState::Draining);
    if node.owned_word(0, 0) != 0 || node.is_default() {
        assert!(
            member && serves,
            "who owns anything is a member that serves"
        );
    }
    assert_eq!(
        node.generation().is_none(),
        !member,
        "a view has this host in it"
    );
}

/// An input is a sequence of steps: 0 a frame of host 2 (kind, length in two bytes, body), 1 time passes (in
/// milliseconds), 2 a command. Host 1 has converged with host 2 before.
#[test]
fn fuzz_node() {
    let mut world = World::new(2);
    world.record = true;
    world.start_all();
    world.run_to(10 * PERIOD, |world| world.serves(&[0, 1]));
    let (node, incarnation, now) = (
        world.nodes[0].clone(),
        world.nodes[1].incarnation(),
        world.now,
    );
    // What host 2 says when it drains, leaves, and comes back is what inputs are made of.
    world.command(1, Command::Drain);
    world.run(3 * PERIOD);
    world.command(1, Command::Stop);
    world.run(6 * PERIOD);
    let steps: Vec<Vec<u8>> = world
        .sent
        .iter()
        .filter(|(from, _)| *from == 1)
        .map(|(_, frame)| {
            let body = &frame[HEADER_LEN..frame.len() - 16];
            let mut step = vec![0, frame[5]];
            step.extend((body.len() as u16).to_be_bytes());
            step.extend(body);
            step.extend([1, 20]);
            step
        })
        .collect();
    let seeds = steps
        .iter()
        .cloned()
        .chain(steps.chunks(8).map(|steps| steps.concat()));
    let fuzz = Fuzz::new("node").seeds(seeds).longest(6_000).inputs(4_000);
    fuzz.run(|input| {
        let mut node = node.clone();
        let (mut now, mut seq, mut random) = (now, 1 << 20, 99);
        let mut rest = input;
        let mut told = Vec::new();
        while let Some((step, behind)) = rest.split_first() {
            let (used, behind) = (*step % 3, behind);
            rest = match (used, behind) {
                (0, [kind, high, low, behind @ ..]) => {
                    let len = usize::from(u16::from_be_bytes([*high, *low]))
                        .min(behind.len())
                        .min(1440);
                    seq += 1;
                    let frame = sealed(*kind, incarnation, seq, &behind[..len]);
                    let path = if step & 4 == 0 {
                        Path::Segment
                    } else {
                        Path::Relay
                    };
                    told.push(node.handle_frame(now, path, &frame, &ToyKey(77)).name());
                    &behind[len..]
                }
                (1, [ms, behind @ ..]) => {
                    now = now.after(u64::from(*ms) * MS);
                    behind
                }
                (2, [which, behind @ ..]) => {
                    random += 1;
                    let _ = node.handle_command(now, command(*which), random);
                    behind
                }
                _ => &[],
            };
            settle(&mut node, now);
            check_node(&node);
        }
        // Whatever it was: alone again, it serves everything in the end, unless it was told not to.
        outcome((
            told,
            node.state().name(),
            node.out_reason().name(),
            node.proposal().map(|(_, phase)| phase),
            node.leading(),
            node.owned_word(0, 0).count_ones(),
        ))
    });
}

fn command(which: u8) -> Command {
    match which % 8 {
        0 => Command::Start,
        1 => Command::Stop,
        2 => Command::Drain,
        3 => Command::Suspend,
        4 => Command::Resume,
        5 => Command::Carrier(which & 8 != 0),
        6 => Command::VipMissing(which & 8 != 0),
        _ => Command::SetWeight {
            slot: 0,
            weight: which / 8,
        },
    }
}
