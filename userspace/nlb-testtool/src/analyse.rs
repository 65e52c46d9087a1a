// SPDX-License-Identifier: GPL-2.0-only
//! What a capture holds: who answered whom, and who claimed which address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use anyhow::Result;
use etherparse::{Icmpv6Slice, NetSlice, SlicedPacket, TransportSlice};
use serde::Serialize;

use crate::capture;

/// What to look at.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A capture of an Ethernet interface, as `tcpdump -w` writes it.
    file: PathBuf,
    /// Print the offending flows too, at most so many.
    #[arg(long, default_value_t = 5)]
    examples: usize,
}

/// One direction of a TCP connection.
type Flow = (IpAddr, u16, IpAddr, u16);

#[derive(Default)]
struct Counts {
    frames: u64,
    /// SYN frames by (flow, sequence number).
    syns: BTreeMap<(Flow, u32), u64>,
    /// For each flow answered: the server's sequence numbers, and frames.
    syn_acks: BTreeMap<(Flow, u32), (BTreeSet<u32>, u64)>,
    rst: BTreeMap<Flow, u64>,
    /// Address → MACs that ARP or ND messages bind it to.
    bindings: BTreeMap<IpAddr, BTreeSet<String>>,
    arp_requests: u64,
    arp_replies: BTreeMap<(IpAddr, IpAddr), u64>,
    sources: BTreeSet<String>,
    ethertypes: BTreeMap<String, u64>,
    malformed: u64,
}

/// What is printed, as JSON.
#[derive(Serialize)]
struct Report {
    frames: u64,
    /// Distinct SYNs: a repetition of the same one is not counted again.
    syn: usize,
    syn_frames: u64,
    /// SYNs without any SYN-ACK.
    unanswered: usize,
    /// SYNs answered by more than one server: different sequence numbers.
    answered_twice: usize,
    synack_frames: u64,
    rst: u64,
    bindings: BTreeMap<IpAddr, BTreeSet<String>>,
    arp_requests: u64,
    arp_replies: u64,
    /// Source MACs of all frames.
    sources: BTreeSet<String>,
    ethertypes: BTreeMap<String, u64>,
    malformed: u64,
    examples: Vec<String>,
}

/// Read the file and print the report as JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut counts = Counts::default();
    capture::frames(&args.file, |frame| counts.add(frame))?;
    println!("{}", serde_json::to_string(&counts.report(args.examples))?);
    Ok(())
}

fn mac_text(mac: &[u8]) -> String {
    let parts: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    parts.join(":")
}

impl Counts {
    fn add(&mut self, frame: &[u8]) {
        self.frames += 1;
        let Some((addresses, rest)) = frame.split_at_checked(12) else {
            self.malformed += 1;
            return;
        };
        self.sources.insert(mac_text(&addresses[6..]));
        let Some(&[high, low]) = rest.get(..2) else {
            self.malformed += 1;
            return;
        };
        let ethertype = u16::from_be_bytes([high, low]);
        *self
            .ethertypes
            .entry(format!("{ethertype:04x}"))
            .or_default() += 1;
        if ethertype == 0x0806 {
            self.add_arp(&rest[2..]);
            return;
        }
        match SlicedPacket::from_ethernet(frame) {
            Ok(packet) => self.add_ip(&packet),
            Err(_) => self.malformed += 1,
        }
    }

    fn add_arp(&mut self, arp: &[u8]) {
        let Some(arp) = arp.get(..28) else {
            self.malformed += 1;
            return;
        };
        let address = |at: usize| {
            let bytes: [u8; 4] = arp[at..at + 4].try_into().unwrap_or_default();
            Ipv4Addr::from(bytes)
        };
        let (sender, target) = (address(14), address(24));
        if arp[7] == 1 {
            self.arp_requests += 1;
        } else {
            *self
                .arp_replies
                .entry((sender.into(), target.into()))
                .or_default() += 1;
        }
        // An address-less probe binds nothing.
        if !sender.is_unspecified() {
            self.bindings
                .entry(sender.into())
                .or_default()
                .insert(mac_text(&arp[8..14]));
        }
    }

    fn add_ip(&mut self, packet: &SlicedPacket<'_>) {
        let (source, target): (IpAddr, IpAddr) = match &packet.net {
            Some(NetSlice::Ipv4(ip)) => (
                ip.header().source_addr().into(),
                ip.header().destination_addr().into(),
            ),
            Some(NetSlice::Ipv6(ip)) => (
                ip.header().source_addr().into(),
                ip.header().destination_addr().into(),
            ),
            _ => return,
        };
        match &packet.transport {
            Some(TransportSlice::Tcp(tcp)) => {
                let flow = (source, tcp.source_port(), target, tcp.destination_port());
                let back = (target, tcp.destination_port(), source, tcp.source_port());
                if tcp.rst() {
                    *self.rst.entry(flow).or_default() += 1;
                } else if tcp.syn() && !tcp.ack() {
                    *self.syns.entry((flow, tcp.sequence_number())).or_default() += 1;
                } else if tcp.syn() {
                    let asked = tcp.acknowledgment_number().wrapping_sub(1);
                    let answers = self.syn_acks.entry((back, asked)).or_default();
                    answers.0.insert(tcp.sequence_number());
                    answers.1 += 1;
                }
            }
            Some(TransportSlice::Icmpv6(icmp)) => self.add_nd(source, icmp),
            _ => {}
        }
    }

    /// Neighbour discovery: a solicitation binds its source, an advertisement
    /// its target, to the link-layer address in the option.
    fn add_nd(&mut self, source: IpAddr, icmp: &Icmpv6Slice<'_>) {
        let bytes = icmp.slice();
        let (address, option_type) = match bytes.first() {
            Some(135) => (source, 1),
            Some(136) => match bytes.get(8..24).and_then(|b| <[u8; 16]>::try_from(b).ok()) {
                Some(target) => (IpAddr::from(target), 2),
                None => return,
            },
            _ => return,
        };
        let mut options = bytes.get(24..).unwrap_or_default();
        while let Some((&kind, &units)) = options.first().zip(options.get(1)) {
            let length = usize::from(units) * 8;
            if let (true, Some(mac)) = (kind == option_type, options.get(2..8)) {
                self.bindings
                    .entry(address)
                    .or_default()
                    .insert(mac_text(mac));
            }
            match options.get(length..) {
                Some(rest) if length > 0 => options = rest,
                _ => return,
            }
        }
    }

    fn report(self, examples: usize) -> Report {
        let unanswered: Vec<_> = self
            .syns
            .keys()
            .filter(|key| !self.syn_acks.contains_key(key))
            .collect();
        let twice: Vec<_> = self
            .syn_acks
            .iter()
            .filter(|(_, (servers, _))| servers.len() > 1)
            .map(|(key, _)| key)
            .collect();
        let resets = self.rst.keys().map(|flow| format!("reset {flow:?}"));
        let shown = unanswered
            .iter()
            .map(|key| format!("unanswered {key:?}"))
            .take(examples)
            .chain(
                twice
                    .iter()
                    .map(|key| format!("answered twice {key:?}"))
                    .take(examples),
            )
            .chain(resets.take(examples))
            .collect();
        Report {
            frames: self.frames,
            syn: self.syns.len(),
            syn_frames: self.syns.values().sum(),
            unanswered: unanswered.len(),
            answered_twice: twice.len(),
            synack_frames: self.syn_acks.values().map(|(_, frames)| frames).sum(),
            rst: self.rst.values().sum(),
            bindings: self.bindings,
            arp_requests: self.arp_requests,
            arp_replies: self.arp_replies.values().sum(),
            sources: self.sources,
            ethertypes: self.ethertypes,
            malformed: self.malformed,
            examples: shown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;

    fn tcp(from: [u8; 4], to: [u8; 4], ports: (u16, u16)) -> etherparse::TcpHeader {
        let _ = (from, to);
        etherparse::TcpHeader::new(ports.0, ports.1, 100, 1000)
    }

    fn frame(from: [u8; 4], to: [u8; 4], header: etherparse::TcpHeader) -> Vec<u8> {
        let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
            .ipv4(from, to, 64)
            .tcp_header(header);
        let mut bytes = Vec::new();
        builder.write(&mut bytes, &[]).unwrap();
        bytes
    }

    #[test]
    fn two_servers_answering_one_syn_are_found() {
        let (client, vip) = ([10, 1, 0, 1], [10, 0, 0, 10]);
        let mut counts = Counts::default();
        let mut syn = tcp(client, vip, (5000, 80));
        syn.syn = true;
        counts.add(&frame(client, vip, syn));
        for server_sequence in [7, 8] {
            let mut answer = tcp(vip, client, (80, 5000));
            answer.syn = true;
            answer.ack = true;
            answer.sequence_number = server_sequence;
            answer.acknowledgment_number = 101;
            counts.add(&frame(vip, client, answer));
        }
        let report = counts.report(5);
        assert_eq!(
            (report.syn, report.answered_twice, report.unanswered),
            (1, 1, 0)
        );
        assert_eq!(report.examples.len(), 1);
    }

    #[test]
    fn a_repeated_syn_is_one_syn_and_silence_is_noticed() {
        let (client, vip) = ([10, 1, 0, 1], [10, 0, 0, 10]);
        let mut counts = Counts::default();
        for _ in 0..2 {
            let mut syn = tcp(client, vip, (5000, 80));
            syn.syn = true;
            counts.add(&frame(client, vip, syn));
        }
        let report = counts.report(5);
        assert_eq!(
            (report.syn, report.syn_frames, report.unanswered),
            (1, 2, 1)
        );
    }
}
