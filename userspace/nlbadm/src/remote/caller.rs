// SPDX-License-Identifier: GPL-2.0-only

//! One message to one host, and its answer.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use super::{Channel, ControlKey, FRAME_MAX, PORT, Purpose, Refused, call, frame};
use crate::replica::{ANSWER, Reply, Request};

/// What it takes to ask a host.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// What is asked about.
    pub purpose: Purpose,
    /// The cluster.
    pub cluster: &'a str,
    /// The key of both.
    pub key: &'a ControlKey,
    /// How long a host may take, from the first address that is tried to the end of its answer.
    pub within: Duration,
}

/// Asks a host about the file of a cluster, at the first of its addresses where somebody answers the connection.
///
/// # Errors
///
/// Why there is no answer.
pub fn ask_of_file(
    cluster: &str,
    key: &ControlKey,
    addresses: &[IpAddr],
    request: &Request,
) -> Result<Reply, String> {
    let caller = Caller {
        purpose: Purpose::Replica,
        cluster,
        key,
        within: ANSWER,
    };
    let request = serde_json::to_vec(request).map_err(|error| error.to_string())?;
    let answer = caller.ask(addresses, &request).1?;
    serde_json::from_slice(&answer).map_err(|error| error.to_string())
}

/// How far a request had come when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No connection.
    Connect,
    /// The host has not shown that it has the key.
    Greet,
    /// The host has been told what to do.
    Told,
}

impl Caller<'_> {
    /// Asks a host at the first of its addresses where somebody answers the connection. The address, and the answer or why
    /// there is none.
    pub fn ask(
        &self,
        addresses: &[IpAddr],
        message: &[u8],
    ) -> (Option<IpAddr>, Result<Vec<u8>, String>) {
        let deadline = Instant::now() + self.within;
        let mut failed = None;
        for (tried, &address) in (0..).zip(addresses) {
            // Each gets its part of the time that is left, so that one that is out of date does not use up all of it.
            let ahead = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            let patience = left(deadline) / ahead.max(1);
            match TcpStream::connect_timeout(&SocketAddr::new(address, PORT), patience) {
                Ok(stream) => {
                    let reply = self.exchange(stream, message, deadline);
                    let reply = reply.map_err(|(stage, error)| self.words(stage, &error));
                    return (Some(address), reply);
                }
                Err(error) => {
                    failed.get_or_insert((address, error));
                }
            }
        }
        match failed {
            Some((address, error)) => (Some(address), Err(self.words(Stage::Connect, &error))),
            None => (
                None,
                Err("it is not heard, and no address of it is known: give it one in the file, `dedicated`".into()),
            ),
        }
    }

    fn exchange(
        &self,
        mut stream: TcpStream,
        message: &[u8],
        deadline: Instant,
    ) -> Result<Vec<u8>, (Stage, io::Error)> {
        let greet = |error| (Stage::Greet, error);
        let told = |error| (Stage::Told, error);
        let mut channel = self.greet(&mut stream, deadline).map_err(greet)?;
        let sealed = channel.seal(message).map_err(|_| {
            greet(io::Error::other(
                "that is more than a host can be told at once",
            ))
        })?;
        stream.write_all(&sealed).map_err(told)?;
        answer(&mut stream, &mut channel, deadline).map_err(told)
    }

    fn greet(&self, stream: &mut TcpStream, deadline: Instant) -> io::Result<Channel> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(left(deadline)))?;
        let (calling, first) = call(self.purpose, self.cluster, self.key)?;
        stream.write_all(&frame(&first))?;
        Ok(calling.answered(&receive(stream, deadline)?)?)
    }

    /// What a failure means, and whether anything can have been done.
    fn words(&self, stage: Stage, error: &io::Error) -> String {
        let within = humantime::format_duration(self.within);
        let what = match (stage, error.kind()) {
            (_, ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                format!("no answer within {within}")
            }
            (Stage::Connect, ErrorKind::ConnectionRefused) => {
                let switch = match self.purpose {
                    Purpose::Control => "remote-control",
                    Purpose::Replica => "replicate",
                };
                format!(
                    "nobody listens there: does nlbd run there, and has its file `{switch} = true`?"
                )
            }
            (Stage::Greet, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                let (key, what) = match self.purpose {
                    Purpose::Control => ("control key", "remote control"),
                    Purpose::Replica => ("key", "replication"),
                };
                format!(
                    "nlbd there has hung up: it has another {key}, no {what} of this cluster, or too much to do"
                )
            }
            _ => error.to_string(),
        };
        match stage {
            Stage::Connect | Stage::Greet => what,
            Stage::Told => format!("{what}; it was told, and may have done it"),
        }
    }
}

/// What is left until then; a little if nothing is.
fn left(deadline: Instant) -> Duration {
    deadline
        .saturating_duration_since(Instant::now())
        .max(Duration::from_millis(1))
}

fn answer(stream: &mut TcpStream, channel: &mut Channel, deadline: Instant) -> io::Result<Vec<u8>> {
    loop {
        let frame = receive(stream, deadline)?;
        if let Some(message) = channel.open(&frame)? {
            return Ok(message);
        }
    }
}

/// One frame.
fn receive(stream: &mut TcpStream, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    fill(stream, &mut length, deadline)?;
    let length = usize::from(u16::from_be_bytes(length));
    if length > FRAME_MAX {
        return Err(Refused.into());
    }
    let mut frame = vec![0; length];
    fill(stream, &mut frame, deadline)?;
    Ok(frame)
}

/// Reads until a buffer is full. The time for all of it counts, not that for each byte.
fn fill(stream: &mut TcpStream, mut buffer: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !buffer.is_empty() {
        if Instant::now() >= deadline {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left(deadline)))?;
        match stream.read(buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => buffer = &mut buffer[length..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_whether_anything_can_have_been_done() {
        let key = ControlKey([1; 32]);
        let caller = Caller {
            purpose: Purpose::Control,
            cluster: "web",
            key: &key,
            within: Duration::from_secs(10),
        };
        let words = |stage, kind: ErrorKind| caller.words(stage, &kind.into());
        for (stage, kind, text, told) in [
            (
                Stage::Connect,
                ErrorKind::TimedOut,
                "no answer within 10s",
                false,
            ),
            (
                Stage::Connect,
                ErrorKind::ConnectionRefused,
                "does nlbd run there",
                false,
            ),
            (
                Stage::Greet,
                ErrorKind::UnexpectedEof,
                "another control key",
                false,
            ),
            (
                Stage::Greet,
                ErrorKind::WouldBlock,
                "no answer within 10s",
                false,
            ),
            (
                Stage::Told,
                ErrorKind::WouldBlock,
                "no answer within 10s",
                true,
            ),
            (Stage::Told, ErrorKind::UnexpectedEof, "unexpected", true),
        ] {
            let found = words(stage, kind);
            assert!(found.contains(text), "{found}");
            assert_eq!(found.contains("may have done it"), told, "{found}");
        }
    }

    #[test]
    fn a_host_without_an_answer_is_told_with_the_surest_address() {
        let key = ControlKey([1; 32]);
        let caller = Caller {
            purpose: Purpose::Control,
            cluster: "web",
            key: &key,
            within: Duration::from_millis(600),
        };
        // Nobody is at the first (RFC 5737), and nobody listens at the second.
        let addresses = [[192, 0, 2, 1].into(), [127, 0, 0, 1].into()];
        let (address, reply) = caller.ask(&addresses, b"{}");
        assert_eq!(address, Some(addresses[0]));
        assert!(reply.is_err());
        let (address, reply) = caller.ask(&[], b"{}");
        assert_eq!(address, None);
        assert!(reply.unwrap_err().contains("no address"));
    }
}
