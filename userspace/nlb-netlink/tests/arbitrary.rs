// SPDX-License-Identifier: GPL-2.0-only

//! Whatever bytes arrive, parsing ends with a message or an error.

use std::io;

use netlink_packet_core::{NetlinkDeserializable, NetlinkHeader, NetlinkSerializable};
use netlink_packet_generic::GenlMessage;
use nlb_netlink::{
    Client, Transport,
    message::{Attributes, NlbMessage},
    object::{
        Answer, BucketMap, Cluster, Convergence, Counter, Event, Heartbeat, Key, Member, PortRule,
    },
};
use proptest::{collection::vec, prelude::*};

/// Attributes with a valid frame around arbitrary content: these get further than plain noise.
fn attributes() -> impl Strategy<Value = Vec<u8>> {
    let attribute = (0u16..32, vec(any::<u8>(), 0..20)).prop_map(|(kind, value)| {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&(4 + value.len() as u16).to_ne_bytes());
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    });
    vec(attribute, 0..8).prop_map(|attributes| attributes.concat())
}

fn message(content: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (0u8..20, content).prop_map(|(command, content)| [&[command, 1, 0, 0], &content[..]].concat())
}

/// Makes the object of the message; errors are as good as objects here.
fn make(attributes: Attributes) -> bool {
    match attributes {
        Attributes::Cluster(attributes) => Cluster::from_attributes(attributes).is_ok(),
        Attributes::Event(attributes) => Event::from_attributes(attributes).is_ok(),
        Attributes::Member(attributes) => Member::from_attributes(attributes).is_ok(),
        Attributes::Owner(attributes) => Answer::from_attributes(attributes).is_ok(),
        Attributes::Bucket(attributes) => BucketMap::from_dump([attributes]).is_ok(),
        Attributes::Counter(attributes) => Counter::from_attributes(attributes).is_ok(),
        Attributes::History(attributes) => Convergence::from_attributes(attributes).is_ok(),
        Attributes::Key(attributes) => Key::from_attributes(attributes).is_ok(),
        Attributes::Rule(attributes) => PortRule::from_attributes(attributes).is_ok(),
        Attributes::Heartbeat(attributes) => Heartbeat::from_attributes(attributes).is_ok(),
        _ => false,
    }
}

/// A socket that delivers the same datagram for ever, and then fails.
struct Noise {
    datagram: Vec<u8>,
    times: usize,
}

impl Transport for Noise {
    fn send(&mut self, _datagram: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        self.times = self.times.checked_sub(1).ok_or(io::ErrorKind::TimedOut)?;
        Ok(self.datagram.clone())
    }

    fn join(&mut self, _group: u32) -> io::Result<()> {
        Ok(())
    }
}

proptest! {
    #[test]
    fn messages_of_noise(bytes in message(vec(any::<u8>(), 0..200))) {
        let header = NetlinkHeader::default();
        if let Ok(parsed) = GenlMessage::<NlbMessage>::deserialize(&header, &bytes) {
            make(parsed.payload.attributes);
        }
    }

    #[test]
    fn messages_of_attributes(bytes in message(attributes())) {
        let header = NetlinkHeader::default();
        if let Ok(parsed) = GenlMessage::<NlbMessage>::deserialize(&header, &bytes) {
            // What was understood is read again as the same from what is written.
            let mut again = vec![0; NetlinkSerializable::buffer_len(&parsed)];
            parsed.serialize(&mut again);
            let reread = GenlMessage::<NlbMessage>::deserialize(&header, &again);
            prop_assert_eq!(reread.unwrap().payload, parsed.payload.clone());
            make(parsed.payload.attributes);
        }
    }

    #[test]
    fn datagrams_of_noise(
        kind in 0u16..40,
        flags in any::<u16>(),
        sequence in 0u32..3,
        length in 0u32..120,
        content in vec(any::<u8>(), 0..100),
    ) {
        let mut datagram = Vec::new();
        datagram.extend_from_slice(&length.to_ne_bytes());
        datagram.extend_from_slice(&kind.to_ne_bytes());
        datagram.extend_from_slice(&flags.to_ne_bytes());
        datagram.extend_from_slice(&sequence.to_ne_bytes());
        datagram.extend_from_slice(&0u32.to_ne_bytes());
        datagram.extend_from_slice(&content);
        // A family that was found in noise would be a wonder; what matters is that it ends.
        let client = Client::new(Noise { datagram, times: 3 });
        prop_assert!(client.is_err());
    }
}
