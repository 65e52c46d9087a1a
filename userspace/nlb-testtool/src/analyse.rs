// SPDX-License-Identifier: GPL-2.0-only
//! What a capture holds: who answered whom, and who claimed which address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use anyhow::Result;
use etherparse::{Icmpv6Slice, SlicedPacket, TransportSlice};
use serde::Serialize;

use crate::capture;
use crate::history::{self, Flow};

/// What to look at.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A capture of an Ethernet interface, as `tcpdump -w` writes it.
    file: PathBuf,
    /// Print the offending flows too, at most so many.
    #[arg(long, default_value_t = 5)]
    examples: usize,
}

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
    /// Of the connections that were reset, what the capture has of them.
    resets: Vec<String>,
}

/// Read the file and print the report as JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    println!("{}", serde_json::to_string(&analyse(args)?)?);
    Ok(())
}

fn analyse(args: &Args) -> Result<Report> {
    let mut counts = Counts::default();
    capture::frames(&args.file, |frame| counts.add(frame))?;
    let reset: Vec<Flow> = counts.rst.keys().copied().take(args.examples).collect();
    let mut report = counts.report(args.examples);
    report.resets = history::of(&args.file, &reset)?;
    Ok(report)
}

/// A MAC as people write it.
pub(crate) fn mac_text(mac: &[u8]) -> String {
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
        let Some((source, target)) = history::addresses(packet) else {
            return;
        };
        match &packet.transport {
            Some(TransportSlice::Tcp(tcp)) => {
                let flow = history::flow(source, target, tcp);
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
            resets: Vec::new(),
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

    /// A capture file of these frames, a second apart.
    fn capture_file(frames: &[Vec<u8>]) -> PathBuf {
        let mut bytes = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 160, 1] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        for (second, frame) in (0_u32..).zip(frames) {
            let length = u32::try_from(frame.len()).unwrap();
            for word in [second, 250, length, length] {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
            bytes.extend_from_slice(frame);
        }
        let path = std::env::temp_dir().join(format!("tt-analyse-{}.pcap", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn a_reset_connection_is_told_from_both_sides_and_no_other() {
        let (client, vip) = ([10, 1, 0, 1], [10, 0, 0, 10]);
        let mut syn = tcp(client, vip, (5000, 80));
        syn.syn = true;
        let mut answer = tcp(vip, client, (80, 5000));
        (answer.syn, answer.ack) = (true, true);
        (answer.sequence_number, answer.acknowledgment_number) = (7, 101);
        let mut other = tcp(client, vip, (5001, 80));
        other.syn = true;
        let mut reset = tcp(client, vip, (5000, 80));
        reset.rst = true;
        reset.sequence_number = 101;
        let file = capture_file(&[
            frame(client, vip, syn),
            frame(vip, client, answer),
            frame(client, vip, other),
            frame(client, vip, reset),
        ]);
        let report = analyse(&Args {
            file: file.clone(),
            examples: 5,
        })
        .unwrap();
        std::fs::remove_file(file).unwrap();
        assert_eq!((report.frames, report.syn, report.rst), (4, 2, 1));
        assert_eq!(
            report.resets,
            [
                "+0.000000 02:00:00:00:00:01 10.1.0.1:5000 > 10.0.0.10:80 [S] seq 100 ack 0 length 0",
                "+1.000000 02:00:00:00:00:01 10.0.0.10:80 > 10.1.0.1:5000 [S.] seq 7 ack 101 length 0",
                "+3.000000 02:00:00:00:00:01 10.1.0.1:5000 > 10.0.0.10:80 [R] seq 101 ack 0 length 0",
            ]
        );
    }
}
