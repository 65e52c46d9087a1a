// SPDX-License-Identifier: GPL-2.0-only

//! Fuzz targets for what comes from the kernel's side of a socket: messages of the family, and whole datagrams as a
//! client takes them. The seeds are the golden messages.
#![cfg(target_endian = "little")]

use std::{cell::RefCell, collections::VecDeque, fs, io, path::Path, rc::Rc};

use netlink_packet_core::{NetlinkDeserializable, NetlinkHeader, NetlinkSerializable};
use netlink_packet_generic::GenlMessage;
use nlb_fuzz::{Fuzz, outcome};
use nlb_netlink::{
    Client, Error, Notification, Transport,
    message::{Attributes, NlbMessage},
    object::{
        Answer, BucketMap, Cluster, Convergence, Counter, Event, Heartbeat, Key, Member, PortRule,
    },
};

/// The golden messages.
fn golden() -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<_> = fs::read_dir(directory)
        .expect("the golden messages are there")
        .map(|entry| entry.expect("a directory can be read").path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| {
            let text = fs::read_to_string(file).expect("a golden message is text");
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines
                .flat_map(str::split_whitespace)
                .map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"))
                .collect()
        })
        .collect()
}

/// Whether an object can be made of a message, and of which kind.
fn make(attributes: Attributes) -> (u8, bool) {
    match attributes {
        Attributes::Cluster(it) => (0, Cluster::from_attributes(it).is_ok()),
        Attributes::Event(it) => (1, Event::from_attributes(it).is_ok()),
        Attributes::Member(it) => (2, Member::from_attributes(it).is_ok()),
        Attributes::Owner(it) => (3, Answer::from_attributes(it).is_ok()),
        Attributes::Bucket(it) => (4, BucketMap::from_dump([it]).is_ok()),
        Attributes::Counter(it) => (5, Counter::from_attributes(it).is_ok()),
        Attributes::History(it) => (6, Convergence::from_attributes(it).is_ok()),
        Attributes::Key(it) => (7, Key::from_attributes(it).is_ok()),
        Attributes::Rule(it) => (8, PortRule::from_attributes(it).is_ok()),
        Attributes::Heartbeat(it) => (9, Heartbeat::from_attributes(it).is_ok()),
        _ => (10, false),
    }
}

#[test]
fn fuzz_netlink_message() {
    let fuzz = Fuzz::new("netlink-message").seeds(golden());
    fuzz.inputs(30_000).run(|bytes| {
        let header = NetlinkHeader::default();
        let parsed = match GenlMessage::<NlbMessage>::deserialize(&header, bytes) {
            Ok(parsed) => parsed,
            Err(error) => return outcome(error.to_string().len()),
        };
        // What was understood is read again as the same from what is written, and is written in full.
        let mut again = vec![0xee; NetlinkSerializable::buffer_len(&parsed)];
        parsed.serialize(&mut again);
        let reread = GenlMessage::<NlbMessage>::deserialize(&header, &again);
        let reread = reread.expect("what is written can be read");
        // Attributes that are not known are held by netlink-packet-core, which does not write all flags of their
        // numbers that it has read.
        if !format!("{:?}", parsed.payload).contains("DefaultNla") {
            assert_eq!(reread.payload, parsed.payload);
        }
        let length = again.len();
        outcome((bytes[0], make(parsed.payload.attributes), length.min(256)))
    });
}

/// The number of the family, and of its groups, in what the kernel of this test says.
const FAMILY: u16 = 0x1c;

/// A kernel that names its family, and then sends whatever it was given.
#[derive(Clone, Default)]
struct Kernel {
    ready: Rc<RefCell<VecDeque<Vec<u8>>>>,
    noise: Rc<Vec<u8>>,
}

impl Transport for Kernel {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let kind = u16::from_ne_bytes([datagram[4], datagram[5]]);
        let sequence = &datagram[8..12];
        let answer = if kind == FAMILY {
            let mut noise = self.noise.to_vec();
            // The first message is taken for the answer, if it is one.
            if let Some(place) = noise.get_mut(8..12) {
                place.copy_from_slice(sequence);
            }
            noise
        } else {
            family(sequence)
        };
        // The acknowledgement: error 0, and the head of the request.
        let end = frame(2, 0x100, sequence, &[&[0; 4], &datagram[..16]].concat());
        self.ready.borrow_mut().extend([answer, end]);
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let next = self.ready.borrow_mut().pop_front();
        next.ok_or_else(|| io::ErrorKind::TimedOut.into())
    }

    fn join(&mut self, _group: u32) -> io::Result<()> {
        Ok(())
    }
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = (4 + value.len() as u16).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn frame(kind: u16, flags: u16, sequence: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = (16 + payload.len() as u32).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence);
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// What the controller says of the family (`linux/genetlink.h`): its number, name and version, and one group.
fn family(sequence: &[u8]) -> Vec<u8> {
    const GENL_ID_CTRL: u16 = 0x10;
    let group = [attribute(1, b"events\0"), attribute(2, &9u32.to_ne_bytes())].concat();
    let attributes = [
        attribute(1, &FAMILY.to_ne_bytes()),
        attribute(2, b"nlb\0"),
        attribute(3, &1u32.to_ne_bytes()),
        attribute(7, &attribute(1, &group)),
    ];
    let payload = [&[1, 2, 0, 0][..], &attributes.concat()].concat();
    frame(GENL_ID_CTRL, 0, sequence, &payload)
}

/// Datagrams around the golden messages: an answer, one of several parts with its end, an error with its words.
fn datagrams() -> Vec<Vec<u8>> {
    let (sequence, golden) = ([2, 0, 0, 0], golden());
    let multi = 2;
    let done = frame(3, multi, &sequence, &[0; 4]);
    let mut datagrams: Vec<Vec<u8>> = golden
        .iter()
        .map(|message| frame(FAMILY, 0, &sequence, message))
        .collect();
    datagrams.extend(
        golden
            .iter()
            .map(|message| [frame(FAMILY, multi, &sequence, message), done.clone()].concat()),
    );
    // -EINVAL, the head of the request, and an extended acknowledgement: words and an offset.
    let words = [attribute(1, b"wrong\0"), attribute(2, &20u32.to_ne_bytes())].concat();
    let refusal = [&(-22i32).to_ne_bytes()[..], &[0; 16], &words].concat();
    datagrams.push(frame(2, 0x300, &sequence, &refusal));
    datagrams.push(frame(2, 0, &sequence, &[0; 20]));
    datagrams
}

/// What came of a request, without what an input can choose freely.
fn what<T>(result: &Result<Vec<T>, Error>) -> String {
    match result {
        Ok(objects) => format!("{} objects", objects.len().min(3)),
        Err(Error::Refused(refusal)) => format!(
            "refused {} {} {}",
            refusal.errno.clamp(-1, 200),
            refusal.text.is_some(),
            refusal.attribute.is_some()
        ),
        // Names the kind of the error.
        Err(error) => format!("{error:?}")
            .chars()
            .take_while(|c| c.is_alphanumeric())
            .collect(),
    }
}

#[test]
fn fuzz_netlink_datagram() {
    let fuzz = Fuzz::new("netlink-datagram").seeds(datagrams());
    fuzz.inputs(20_000).run(|bytes| {
        let kernel = Kernel {
            noise: Rc::new(bytes.to_vec()),
            ..Kernel::default()
        };
        let Ok(mut client) = Client::new(kernel.clone()) else {
            panic!("the family is there whatever comes later");
        };
        let clusters = what(&client.clusters());
        let counters = what(&client.counters(2));
        let refused = client.remove(2).is_err();
        kernel.ready.borrow_mut().clear();
        kernel.ready.borrow_mut().push_back(bytes.to_vec());
        let told = match client.notifications() {
            Ok(told) => told.iter().map(notified).collect(),
            Err(_) => vec![9],
        };
        outcome((clusters, counters, refused, told))
    });
}

fn notified(notification: &Notification) -> u8 {
    match notification {
        Notification::Heartbeat(_) => 0,
        _ => 1,
    }
}
