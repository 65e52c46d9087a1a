// SPDX-License-Identifier: GPL-2.0-only
//! What a capture holds of single TCP connections, in words: who sent what,
//! and when. A reset then tells where it came from.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use etherparse::{NetSlice, SlicedPacket, TcpSlice, TransportSlice};

use crate::analyse::mac_text;
use crate::capture;

/// One direction of a TCP connection.
pub(crate) type Flow = (IpAddr, u16, IpAddr, u16);

/// Of one connection, at most so many segments; the last ones.
const SEGMENTS_MAX: usize = 30;

/// The segments of these connections in a capture, a line each.
pub(crate) fn of(path: &Path, flows: &[Flow]) -> Result<Vec<String>> {
    let mut lines = vec![Vec::new(); flows.len()];
    let mut began = None;
    if !flows.is_empty() {
        capture::timed_frames(path, |time, frame| {
            let since = time.saturating_sub(*began.get_or_insert(time));
            if let Some((flow, line)) = segment(since, frame) {
                if let Some(at) = flows.iter().position(|one| is_of(*one, flow)) {
                    lines[at].push(line);
                }
            }
        })?;
    }
    Ok(lines
        .into_iter()
        .flat_map(|of_one| {
            let left_out = of_one.len().saturating_sub(SEGMENTS_MAX);
            of_one.into_iter().skip(left_out)
        })
        .collect())
}

/// Whether two directions are of one connection.
pub(crate) fn is_of(one: Flow, other: Flow) -> bool {
    one == other || one == (other.2, other.3, other.0, other.1)
}

/// The direction of a TCP segment between two addresses.
pub(crate) fn flow(source: IpAddr, target: IpAddr, tcp: &TcpSlice<'_>) -> Flow {
    (source, tcp.source_port(), target, tcp.destination_port())
}

/// Source and destination of an IP packet.
pub(crate) fn addresses(packet: &SlicedPacket<'_>) -> Option<(IpAddr, IpAddr)> {
    match &packet.net {
        Some(NetSlice::Ipv4(ip)) => Some((
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        )),
        Some(NetSlice::Ipv6(ip)) => Some((
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        )),
        _ => None,
    }
}

fn segment(since: Duration, frame: &[u8]) -> Option<(Flow, String)> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let (source, target) = addresses(&packet)?;
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
        return None;
    };
    let flow = flow(source, target, tcp);
    let line = format!(
        "+{}.{:06} {} {source}:{} > {target}:{} [{}] seq {} ack {} length {}",
        since.as_secs(),
        since.subsec_micros(),
        mac_text(frame.get(6..12)?),
        flow.1,
        flow.3,
        flags(tcp),
        tcp.sequence_number(),
        tcp.acknowledgment_number(),
        tcp.payload().len(),
    );
    Some((flow, line))
}

/// As tcpdump writes them.
fn flags(tcp: &TcpSlice<'_>) -> String {
    [
        (tcp.syn(), 'S'),
        (tcp.fin(), 'F'),
        (tcp.rst(), 'R'),
        (tcp.psh(), 'P'),
        (tcp.ack(), '.'),
    ]
    .into_iter()
    .filter_map(|(set, letter)| set.then_some(letter))
    .collect()
}
