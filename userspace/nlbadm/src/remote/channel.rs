// SPDX-License-Identifier: GPL-2.0-only

//! The channel between hosts: Noise NNpsk0 (<https://noiseprotocol.org/noise.html>, revision 34) between two that have one
//! key. What it is for, remote control or the file of a cluster, is sealed with the first frame.
//!
//! The first frame costs whoever has not the key a wrong tag, before any curve is computed. One that is recorded and
//! played again gets an answer that nobody but its first sender can use: what is asked for comes after it, sealed with keys
//! that both sides have made for this connection alone.

use std::io;

use snow::{Builder, HandshakeState, TransportState, params::NoiseParams};

use super::ControlKey;

/// Names of what the channel is made of; both sides have the same, or do not understand each other.
const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";

/// What a channel is for. Each has a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Remote control.
    Control,
    /// The file of a cluster on all hosts.
    Replica,
}

/// Longest beginning of the first frame, in bytes.
const MAGIC: usize = 7;

impl Purpose {
    /// Begins the first frame: protocol and version.
    fn magic(self) -> &'static [u8; MAGIC] {
        match self {
            Purpose::Control => b"nlbctl1",
            Purpose::Replica => b"nlbrep1",
        }
    }
}

/// Longest frame, in bytes, without its length.
pub const FRAME_MAX: usize = 16 * 1024;

/// Longest first frame, in bytes: magic, length of the name, name, ephemeral key and tag.
pub const GREETING_MAX: usize = MAGIC + 1 + NAME_MAX + 32 + TAG;

/// Longest message, in bytes: a file of rules with room to spare.
const MESSAGE_MAX: usize = 512 * 1024;

/// Longest name of a cluster, in bytes.
const NAME_MAX: usize = nlb_core::limits::NAME_MAX;

/// Bytes by which a sealed frame is longer.
const TAG: usize = 16;

/// What is left for the message in each frame: its first byte tells whether more follow.
const PART_MAX: usize = FRAME_MAX - TAG - 1;

/// A frame that is not of this protocol, not sealed with the key, or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has another control key, or is no nlbd")]
pub struct Refused;

impl From<snow::Error> for Refused {
    fn from(_: snow::Error) -> Self {
        Refused
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, refused.to_string())
    }
}

/// A frame as it is sent: its length, two bytes, before it.
///
/// # Panics
///
/// If it is longer than [`FRAME_MAX`], as none that this file makes is.
#[must_use]
pub fn frame(body: &[u8]) -> Vec<u8> {
    assert!(body.len() <= FRAME_MAX);
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], body].concat()
}

/// A connection that was begun and not answered.
#[derive(Debug)]
pub struct Calling(HandshakeState);

/// Begins a connection to a host of a cluster: the first frame, and what takes the answer.
///
/// # Errors
///
/// If there are no random numbers.
pub fn call(
    purpose: Purpose,
    cluster: &str,
    key: &ControlKey,
) -> Result<(Calling, Vec<u8>), Refused> {
    let head = head(purpose, cluster);
    let mut state = builder(&head, key)?.build_initiator()?;
    let mut first = vec![0; GREETING_MAX];
    first[..head.len()].copy_from_slice(&head);
    let length = state.write_message(&[], &mut first[head.len()..])?;
    first.truncate(head.len() + length);
    Ok((Calling(state), first))
}

impl Calling {
    /// Takes the answer.
    ///
    /// # Errors
    ///
    /// If it is none of a host with the key.
    pub fn answered(mut self, answer: &[u8]) -> Result<Channel, Refused> {
        self.0.read_message(answer, &mut [0; 64])?;
        Channel::new(self.0)
    }
}

/// A first frame that came.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// What it is for, as the sender says.
    pub purpose: Purpose,
    /// The cluster that it is for, as the sender says.
    pub cluster: &'a str,
    message: &'a [u8],
}

impl<'a> Called<'a> {
    /// Reads a first frame; none if it is of no such protocol. It is not known yet whether the sender has the key.
    #[must_use]
    pub fn read(frame: &'a [u8]) -> Option<Self> {
        let of = |purpose: Purpose| Some((purpose, frame.strip_prefix(purpose.magic())?));
        let (purpose, rest) = of(Purpose::Control).or_else(|| of(Purpose::Replica))?;
        let (&length, rest) = rest.split_first()?;
        let (name, message) = rest.split_at_checked(length.into())?;
        let cluster = std::str::from_utf8(name)
            .ok()
            .filter(|_| name.len() <= NAME_MAX)?;
        Some(Called {
            purpose,
            cluster,
            message,
        })
    }

    /// Answers: the channel, and the frame that the sender waits for.
    ///
    /// # Errors
    ///
    /// If the sender has not the key.
    pub fn answer(&self, key: &ControlKey) -> Result<(Channel, Vec<u8>), Refused> {
        let mut state = builder(&head(self.purpose, self.cluster), key)?.build_responder()?;
        state.read_message(self.message, &mut [0; 64])?;
        let mut answer = vec![0; 64];
        let length = state.write_message(&[], &mut answer)?;
        answer.truncate(length);
        Ok((Channel::new(state)?, answer))
    }
}

fn head(purpose: Purpose, cluster: &str) -> Vec<u8> {
    let length = u8::try_from(cluster.len()).unwrap_or(u8::MAX);
    [purpose.magic(), &[length][..], cluster.as_bytes()].concat()
}

fn builder<'a>(head: &'a [u8], key: &'a ControlKey) -> Result<Builder<'a>, snow::Error> {
    let params: NoiseParams = PATTERN.parse()?;
    Builder::new(params).prologue(head)?.psk(0, &key.0)
}

/// A channel between two that have the key. Each direction has its own key, and frames are numbered: none can be left out,
/// repeated or turned back.
#[derive(Debug)]
pub struct Channel {
    state: TransportState,
    /// Of the message that is being received.
    received: Vec<u8>,
}

impl Channel {
    fn new(state: HandshakeState) -> Result<Self, Refused> {
        Ok(Channel {
            state: state.into_transport_mode()?,
            received: Vec::new(),
        })
    }

    /// Seals a message: its frames with their lengths, to be sent as they are.
    ///
    /// # Errors
    ///
    /// If it is longer than any that is understood.
    pub fn seal(&mut self, message: &[u8]) -> Result<Vec<u8>, Refused> {
        if message.len() > MESSAGE_MAX {
            return Err(Refused);
        }
        let mut frames = Vec::new();
        let mut left = message;
        loop {
            let (part, rest) = left.split_at(left.len().min(PART_MAX));
            let more = u8::from(!rest.is_empty());
            let mut sealed = vec![0; part.len() + 1 + TAG];
            let length = self
                .state
                .write_message(&[&[more], part].concat(), &mut sealed)?;
            frames.extend(frame(&sealed[..length]));
            left = rest;
            if left.is_empty() {
                return Ok(frames);
            }
        }
    }

    /// Opens a frame; the message, once its last frame has come.
    ///
    /// # Errors
    ///
    /// If it was not sealed by the other side, or the message is too long.
    pub fn open(&mut self, frame: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
        let mut plain = vec![0; frame.len()];
        let length = self.state.read_message(frame, &mut plain)?;
        let (&more, part) = plain[..length].split_first().ok_or(Refused)?;
        if self.received.len() + part.len() > MESSAGE_MAX {
            return Err(Refused);
        }
        self.received.extend_from_slice(part);
        match more {
            0 => Ok(Some(std::mem::take(&mut self.received))),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> ControlKey {
        ControlKey([byte; 32])
    }

    fn channels() -> (Channel, Channel) {
        let (calling, first) = call(Purpose::Control, "web", &key(1)).unwrap();
        assert!(first.len() <= GREETING_MAX);
        let called = Called::read(&first).unwrap();
        assert_eq!(called.cluster, "web");
        let (here, answer) = called.answer(&key(1)).unwrap();
        (calling.answered(&answer).unwrap(), here)
    }

    /// The bodies of frames that stand one behind the other.
    fn bodies(mut frames: &[u8]) -> Vec<&[u8]> {
        let mut bodies = Vec::new();
        while let Some((length, rest)) = frames.split_first_chunk() {
            let (body, rest) = rest.split_at(u16::from_be_bytes(*length).into());
            bodies.push(body);
            frames = rest;
        }
        bodies
    }

    #[test]
    fn messages_of_every_length_pass_both_ways() {
        let (mut there, mut here) = channels();
        for length in [
            0,
            1,
            PART_MAX - 1,
            PART_MAX,
            PART_MAX + 1,
            3 * PART_MAX,
            MESSAGE_MAX,
        ] {
            let message = vec![7; length];
            let sealed = there.seal(&message).unwrap();
            let mut opened: Vec<_> = bodies(&sealed)
                .into_iter()
                .map(|body| here.open(body).unwrap())
                .collect();
            assert_eq!(opened.pop().unwrap(), Some(message.clone()), "{length}");
            assert!(opened.iter().all(Option::is_none));
            let back = here.seal(&message).unwrap();
            let last = bodies(&back)
                .into_iter()
                .map(|body| there.open(body).unwrap())
                .last();
            assert_eq!(last, Some(Some(message)));
        }
        assert_eq!(there.seal(&vec![0; MESSAGE_MAX + 1]), Err(Refused));
    }

    #[test]
    fn without_the_key_nothing_is_understood() {
        let (calling, first) = call(Purpose::Control, "web", &key(1)).unwrap();
        let called = Called::read(&first).unwrap();
        assert!(called.answer(&key(2)).is_err());
        // The name is sealed as well.
        let other = Called {
            cluster: "wet",
            ..called
        };
        assert!(other.answer(&key(1)).is_err());
        // So is what it is for.
        let other = Called {
            purpose: Purpose::Replica,
            ..called
        };
        assert!(other.answer(&key(1)).is_err());
        for at in 0..first.len() {
            let mut broken = first.clone();
            broken[at] ^= 1;
            let answered = Called::read(&broken).map(|called| called.answer(&key(1)).is_ok());
            assert_ne!(answered, Some(true), "byte {at}");
        }
        let (_, answer) = called.answer(&key(1)).unwrap();
        let mut broken = answer;
        broken[5] ^= 1;
        assert!(calling.answered(&broken).is_err());
    }

    #[test]
    fn what_was_recorded_is_of_no_use() {
        let (calling, first) = call(Purpose::Control, "web", &key(1)).unwrap();
        let called = Called::read(&first).unwrap();
        let (mut here, answer) = called.answer(&key(1)).unwrap();
        let mut there = calling.answered(&answer).unwrap();
        let order = there.seal(b"stop").unwrap();
        assert!(here.open(bodies(&order)[0]).unwrap().is_some());
        // On the same connection, on another that begins with the same frame, and turned back.
        assert!(here.open(bodies(&order)[0]).is_err());
        let (mut again, _) = Called::read(&first).unwrap().answer(&key(1)).unwrap();
        assert!(again.open(bodies(&order)[0]).is_err());
        assert!(there.open(bodies(&order)[0]).is_err());
    }

    #[test]
    fn fuzz_control_channel() {
        let (_, first) = call(Purpose::Control, "web", &key(1)).unwrap();
        let fuzz = nlb_fuzz::Fuzz::new("control-channel").seeds([
            first.as_slice(),
            b"nlbctl1",
            b"nlbrep1",
            b"",
        ]);
        fuzz.longest(FRAME_MAX).run(|frame| {
            let outcome = match Called::read(frame) {
                None => "no greeting",
                Some(called) => match called.answer(&key(1)) {
                    // Of the seed alone, as it is.
                    Ok(_) => {
                        assert_eq!(frame, first);
                        "greeting"
                    }
                    Err(Refused) => "wrong key",
                },
            };
            nlb_fuzz::outcome(outcome)
        });
    }
}
