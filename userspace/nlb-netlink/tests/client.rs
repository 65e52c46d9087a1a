// SPDX-License-Identifier: GPL-2.0-only

//! The client against a scripted kernel.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
};

use netlink_packet_core::{
    Emitable, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_MULTIPART,
    NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer,
};
use netlink_packet_generic::{
    GenlMessage,
    ctrl::{
        GenlCtrl, GenlCtrlCmd,
        nlas::{GenlCtrlAttrs, McastGrpAttrs},
    },
};
use nlb_core::genl::{Command, Control, EventKind};
use nlb_netlink::{
    Client, Error, Notification, Transport,
    attribute::{ClusterAttribute, CounterAttribute, EventAttribute},
    connection::DUMP_TRIES,
    message::NlbMessage,
    object::ClusterChange,
};

const FAMILY: u16 = 0x1c;
const GROUP: u32 = 9;

/// What the kernel answers to one request; it gets the request and its sequence number.
type Answer = Box<dyn Fn(&[u8], u32) -> Vec<Vec<u8>> + Send>;

/// A kernel that answers requests in the order of a script.
#[derive(Default)]
struct Script {
    answers: VecDeque<Answer>,
    ready: VecDeque<io::Result<Vec<u8>>>,
    requests: Vec<Vec<u8>>,
    joined: Vec<u32>,
}

/// The script, shared with the test that looks into it.
#[derive(Clone, Default)]
struct Kernel(Arc<Mutex<Script>>);

impl Transport for Kernel {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let mut script = self.0.lock().unwrap();
        script.requests.push(datagram.to_vec());
        let sequence = NetlinkBuffer::new_checked(datagram)
            .unwrap()
            .sequence_number();
        if let Some(answer) = script.answers.pop_front() {
            let datagrams = answer(datagram, sequence);
            script.ready.extend(datagrams.into_iter().map(Ok));
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let next = self.0.lock().unwrap().ready.pop_front();
        next.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
    }

    fn join(&mut self, group: u32) -> io::Result<()> {
        self.0.lock().unwrap().joined.push(group);
        Ok(())
    }
}

/// One netlink message.
fn frame(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&(16 + payload.len() as u32).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn body(message: &impl Emitable) -> Vec<u8> {
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    bytes
}

fn reply(flags: u16, sequence: u32, message: NlbMessage) -> Vec<u8> {
    frame(
        FAMILY,
        flags,
        sequence,
        &body(&GenlMessage::from_payload(message)),
    )
}

/// An acknowledgement, or a refusal with a capped request and an extended acknowledgement.
fn error(errno: i32, sequence: u32, request: &[u8], extack: &[u8]) -> Vec<u8> {
    let payload = [&(-errno).to_ne_bytes(), &request[..16], extack].concat();
    let flags = if extack.is_empty() {
        NLM_F_CAPPED
    } else {
        NLM_F_CAPPED | NLM_F_ACK_TLVS
    };
    frame(NLMSG_ERROR, flags, sequence, &payload)
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&(4 + value.len() as u16).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn done(flags: u16, sequence: u32) -> Vec<u8> {
    frame(NLMSG_DONE, flags, sequence, &0i32.to_ne_bytes())
}

fn counter(name: &str, value: u64) -> NlbMessage {
    NlbMessage::new(
        Command::CounterGet,
        vec![
            CounterAttribute::Name(name.into()),
            CounterAttribute::Value(value),
        ],
    )
}

/// The controller's answer about the family, of this version.
fn family(version: u32) -> Answer {
    Box::new(move |request, sequence| {
        let message = GenlMessage::from_payload(GenlCtrl {
            cmd: GenlCtrlCmd::NewFamily,
            nlas: vec![
                GenlCtrlAttrs::FamilyName("nlb".into()),
                GenlCtrlAttrs::FamilyId(FAMILY),
                GenlCtrlAttrs::Version(version),
                GenlCtrlAttrs::McastGroups(vec![
                    vec![
                        McastGrpAttrs::Name("relay".into()),
                        McastGrpAttrs::Id(GROUP + 1),
                    ],
                    vec![
                        McastGrpAttrs::Name("events".into()),
                        McastGrpAttrs::Id(GROUP),
                    ],
                ]),
            ],
        });
        let family = frame(16, 0, sequence, &body(&message));
        vec![family, error(0, sequence, request, &[])]
    })
}

/// A client whose kernel gives these answers once the family is known.
fn client(answers: impl IntoIterator<Item = Answer>) -> (Client<Kernel>, Kernel) {
    let kernel = Kernel::default();
    kernel.0.lock().unwrap().answers = [family(1)].into_iter().chain(answers).collect();
    (Client::new(kernel.clone()).unwrap(), kernel)
}

fn answer(answer: impl Fn(&[u8], u32) -> Vec<Vec<u8>> + Send + 'static) -> Answer {
    Box::new(answer)
}

#[test]
fn a_missing_family_is_told_from_other_refusals() {
    for (errno, missing) in [(2, true), (1, false)] {
        let kernel = Kernel::default();
        kernel.0.lock().unwrap().answers = [answer(move |request, sequence| {
            vec![error(errno, sequence, request, &[])]
        })]
        .into();
        let result = Client::new(kernel);
        assert_eq!(matches!(result, Err(Error::NoFamily("nlb"))), missing);
        assert!(result.is_err());
    }
}

#[test]
fn a_module_of_another_version_is_told() {
    let kernel = Kernel::default();
    kernel.0.lock().unwrap().answers = [family(2)].into();
    let error = Client::new(kernel).err().unwrap();
    assert!(
        matches!(error, Error::OtherVersion { module: 2, ours: 1 }),
        "{error}"
    );
}

#[test]
fn a_host_leaves_whatever_version_the_module_is_of() {
    let kernel = Kernel::default();
    let leave =
        || -> Answer { Box::new(|request, sequence| vec![error(0, sequence, request, &[])]) };
    kernel.0.lock().unwrap().answers = [family(2), leave(), leave()].into();
    let mut client = Client::of_any_version(kernel).unwrap();
    let timeout_s = Some(60);
    client
        .change(7, ClusterChange::Drainstop { timeout_s })
        .unwrap();
    client.remove(7).unwrap();
}

#[test]
fn requests_carry_family_sequence_and_flags() {
    let (mut client, kernel) = client([answer(|request, sequence| {
        vec![error(0, sequence, request, &[])]
    })]);
    let change = ClusterChange::Control(Control::Start);
    client.change(2, change).unwrap();
    let requests = &kernel.0.lock().unwrap().requests;
    let header = NetlinkBuffer::new_checked(&requests[1][..]).unwrap();
    assert_eq!(header.message_type(), FAMILY);
    assert_eq!(header.sequence_number(), 2);
    assert_eq!(header.flags(), 0x5, "request and acknowledge");
    assert_eq!(header.length() as usize, requests[1].len());
}

#[test]
fn a_refusal_names_the_wrong_attribute() {
    let (mut client, _) = client([answer(|request, sequence| {
        // The second attribute of the request begins after both headers and the ifindex.
        let extack = [
            attribute(1, b"host is suspended\0"),
            attribute(2, &28u32.to_ne_bytes()),
        ];
        vec![error(16, sequence, request, &extack.concat())]
    })]);
    let change = ClusterChange::Control(Control::Start);
    let Err(Error::Refused(refusal)) = client.change(2, change) else {
        panic!("not refused");
    };
    assert_eq!(refusal.errno, 16);
    assert_eq!(
        refusal.to_string(),
        "host is suspended (attribute cluster.control)"
    );
}

#[test]
fn a_refusal_names_the_missing_attribute() {
    let (mut client, _) = client([answer(|request, sequence| {
        vec![error(
            22,
            sequence,
            request,
            &attribute(5, &3u32.to_ne_bytes()),
        )]
    })]);
    let refused = client.remove(2).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Invalid argument (missing attribute cluster.name)"
    );
}

#[test]
fn a_refusal_with_the_whole_request_is_read_as_well() {
    let (mut client, _) = client([answer(|request, sequence| {
        let extack = attribute(1, b"no such cluster\0");
        let payload = [&(-2i32).to_ne_bytes(), request, &extack].concat();
        vec![frame(NLMSG_ERROR, NLM_F_ACK_TLVS, sequence, &payload)]
    })]);
    assert_eq!(client.remove(2).unwrap_err().to_string(), "no such cluster");
}

#[test]
fn a_damaged_extended_acknowledgement_keeps_the_number() {
    for extack in [
        vec![0xff; 8],
        attribute(2, &u32::MAX.to_ne_bytes()),
        attribute(1, &[0xff, 0xfe]),
    ] {
        let (mut client, _) = client([answer(move |request, sequence| {
            vec![error(95, sequence, request, &extack)]
        })]);
        assert_eq!(client.remove(2).unwrap_err().errno(), Some(95));
    }
}

#[test]
fn a_dump_may_come_in_several_datagrams() {
    let (mut client, kernel) = client([answer(|_, sequence| {
        let first = reply(NLM_F_MULTIPART, sequence, counter("a", 1));
        let second = reply(NLM_F_MULTIPART, sequence, counter("b", 2));
        let third = reply(NLM_F_MULTIPART, sequence, counter("c", 3));
        vec![
            [first, second].concat(),
            [third, done(NLM_F_MULTIPART, sequence)].concat(),
        ]
    })]);
    let counters = client.counters(2).unwrap();
    let names: Vec<_> = counters
        .iter()
        .map(|counter| counter.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
    let requests = &kernel.0.lock().unwrap().requests;
    let header = NetlinkBuffer::new_checked(&requests[1][..]).unwrap();
    assert_eq!(header.flags() & NLM_F_DUMP, NLM_F_DUMP);
}

#[test]
fn a_torn_dump_is_read_again() {
    let torn = || {
        answer(|_, sequence| {
            let flags = NLM_F_MULTIPART | NLM_F_DUMP_INTR;
            vec![
                reply(flags, sequence, counter("old", 1)),
                done(NLM_F_MULTIPART, sequence),
            ]
        })
    };
    let interrupted = answer(|request, sequence| vec![error(4, sequence, request, &[])]);
    let whole = answer(|_, sequence| {
        vec![
            reply(NLM_F_MULTIPART, sequence, counter("new", 2)),
            done(NLM_F_MULTIPART, sequence),
        ]
    });
    let (mut reader, _) = client([torn(), interrupted, whole]);
    assert_eq!(reader.counters(2).unwrap()[0].name, "new");

    let (mut unlucky, kernel) = client((0..DUMP_TRIES).map(|_| torn()));
    assert!(matches!(unlucky.counters(2), Err(Error::Torn(DUMP_TRIES))));
    assert_eq!(kernel.0.lock().unwrap().requests.len(), 1 + DUMP_TRIES);
}

#[test]
fn a_dump_that_fails_at_its_end_is_a_refusal() {
    let (mut client, _) = client([answer(|_, sequence| {
        let extack = attribute(1, b"no cluster on this interface\0");
        let payload = [&(-2i32).to_ne_bytes(), &extack[..]].concat();
        let flags = NLM_F_MULTIPART | NLM_F_ACK_TLVS;
        vec![frame(NLMSG_DONE, flags, sequence, &payload)]
    })]);
    let refused = client.counters(2).unwrap_err();
    assert_eq!(refused.errno(), Some(2));
    assert_eq!(refused.to_string(), "no cluster on this interface");
}

#[test]
fn answers_to_earlier_requests_are_passed_over() {
    let (mut client, _) = client([answer(|request, sequence| {
        vec![
            error(22, sequence.wrapping_sub(1), request, &[]),
            reply(0, sequence.wrapping_sub(1), counter("stale", 1)),
            done(0, 0),
            error(0, sequence, request, &[]),
        ]
    })]);
    client.remove(2).unwrap();
}

#[test]
fn a_message_longer_than_its_datagram_is_an_error() {
    let (mut client, _) = client([answer(|_, sequence| {
        let mut datagram = reply(0, sequence, counter("a", 1));
        datagram.truncate(datagram.len() - 4);
        vec![datagram]
    })]);
    assert!(matches!(client.counters(2), Err(Error::Decode(_))));
}

#[test]
fn clusters_are_read_from_replies() {
    let (mut client, _) = client([answer(|_, sequence| {
        let message = NlbMessage::new(
            Command::ClusterGet,
            vec![
                ClusterAttribute::Ifindex(2),
                ClusterAttribute::Ifname("eth0".into()),
                ClusterAttribute::Name("web".into()),
                ClusterAttribute::HostId(1),
                ClusterAttribute::NoKey(()),
            ],
        );
        vec![
            reply(NLM_F_MULTIPART, sequence, message),
            done(NLM_F_MULTIPART, sequence),
        ]
    })]);
    let clusters = client.clusters().unwrap();
    assert_eq!(clusters.len(), 1);
    assert_eq!(
        (clusters[0].ifname.as_str(), clusters[0].key_id),
        ("eth0", None)
    );
}

#[test]
fn notifications_of_the_group_arrive() {
    let (mut client, kernel) = client([]);
    client.subscribe("events").unwrap();
    assert_eq!(kernel.0.lock().unwrap().joined, [GROUP]);
    assert!(matches!(
        client.subscribe("nonsense"),
        Err(Error::NoGroup("nonsense"))
    ));

    let event = |kind: EventKind| {
        let attributes = vec![
            EventAttribute::Ifindex(2),
            EventAttribute::Kind(kind.into()),
        ];
        reply(0, 0, NlbMessage::new(Command::EventNtf, attributes))
    };
    let both = [event(EventKind::HostOut), event(EventKind::Converged)].concat();
    let lost = io::Error::from_raw_os_error(105);
    kernel.0.lock().unwrap().ready = [Ok(both), Err(lost)].into();
    let kinds: Vec<_> = client
        .notifications()
        .unwrap()
        .into_iter()
        .map(|notification| match notification {
            Notification::Event(event) => event.kind.known(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [Some(EventKind::HostOut), Some(EventKind::Converged)]
    );
    assert!(matches!(client.notifications(), Err(Error::Lost)));
}
