// SPDX-License-Identifier: GPL-2.0-only
//! One connection that stays: it asks, compares every byte of the echo, and
//! remembers when and how it broke.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use crate::client::host_in;

/// Bytes of one message; the server's echo comes back whole.
pub(crate) const MESSAGE_LEN: u64 = 16;

/// The part of a connection in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Sends a message every interval.
    Busy,
    /// Sends nothing until it is told to: what a client is that only receives.
    Quiet,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) cause: &'static str,
    pub(crate) at: Instant,
}

/// One connection of the run.
pub(crate) struct Held {
    pub(crate) stream: TcpStream,
    pub(crate) part: Part,
    /// Who answered, once the greeting has come.
    pub(crate) host: Option<u8>,
    /// It broke: anything but the end that was asked for.
    pub(crate) broken: Option<End>,
    /// It was closed in order, by both sides.
    pub(crate) closed: bool,
    pub(crate) messages: u64,
    number: u64,
    closing: bool,
    connected: bool,
    greeting: Vec<u8>,
    echoed: u64,
    asked: Instant,
    worst: Duration,
}

/// The byte at a place of the stream of a connection: each connection has its
/// own stream, so that bytes of another one, or from another place, are found.
fn byte_at(connection: u64, place: u64) -> u8 {
    let mixed = ((connection << 32) ^ place).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed.to_be_bytes()[0]
}

impl Held {
    /// The connection of this number in the run.
    pub(crate) fn new(number: u64, stream: TcpStream, part: Part) -> Self {
        Self {
            stream,
            part,
            host: None,
            broken: None,
            closed: false,
            messages: 0,
            number,
            closing: false,
            connected: false,
            greeting: Vec::new(),
            echoed: 0,
            asked: Instant::now(),
            worst: Duration::ZERO,
        }
    }

    /// Whether it still stands.
    pub(crate) fn stands(&self) -> bool {
        self.broken.is_none() && !self.closed
    }

    fn outstanding(&self) -> bool {
        self.echoed < self.messages * MESSAGE_LEN
    }

    /// The longest wait for an echo, one under way included.
    pub(crate) fn stall_ms(&self, now: Instant) -> u64 {
        let waiting = if self.outstanding() && self.stands() {
            now.duration_since(self.asked)
        } else {
            Duration::ZERO
        };
        u64::try_from(self.worst.max(waiting).as_millis()).unwrap_or(u64::MAX)
    }

    /// The next message, once the last has come back.
    pub(crate) fn ask_if_due(&mut self, now: Instant, interval: Duration) {
        if self.part == Part::Busy && now >= self.asked + interval {
            self.ask();
        }
    }

    /// A message, unless one is under way.
    pub(crate) fn ask(&mut self) {
        if !self.stands() || self.closing || self.outstanding() {
            return;
        }
        self.asked = Instant::now();
        let from = self.messages * MESSAGE_LEN;
        self.messages += 1;
        let message: Vec<u8> = (from..from + MESSAGE_LEN)
            .map(|place| byte_at(self.number, place))
            .collect();
        if let Err(error) = self.stream.write_all(&message) {
            self.breaks(cause(&error));
        }
    }

    /// Ends it as clients do: it says that it will send no more, takes what is
    /// under way, and waits for the server to say the same.
    pub(crate) fn close(&mut self) {
        if self.stands() && !self.closing {
            self.closing = true;
            if let Err(error) = self.stream.shutdown(std::net::Shutdown::Write) {
                self.breaks(cause(&error));
            }
        }
    }

    /// Goes on after an event.
    pub(crate) fn advance(&mut self) {
        if !self.stands() {
            return;
        }
        match self.try_advance() {
            Ok(()) if self.closing && !self.outstanding() => self.closed = true,
            Ok(()) => self.breaks("closed"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => self.breaks(cause(&error)),
        }
    }

    /// Whoever has not ended by now will not.
    pub(crate) fn give_up(&mut self) {
        if self.stands() {
            self.breaks("no end");
        }
    }

    fn breaks(&mut self, cause: &'static str) {
        self.broken.get_or_insert(End {
            cause,
            at: Instant::now(),
        });
    }

    /// Reads until there is nothing left; `Ok` means the peer has closed.
    fn try_advance(&mut self) -> std::io::Result<()> {
        if !self.connected {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            match self.stream.peer_addr() {
                Err(error) if error.kind() == ErrorKind::NotConnected => {
                    return Err(ErrorKind::WouldBlock.into());
                }
                other => other?,
            };
            self.connected = true;
            let _ = self.stream.set_nodelay(true);
            self.stream.write_all(b"E")?;
        }
        let mut buffer = [0; 4096];
        loop {
            let mut got = match self.stream.read(&mut buffer)? {
                0 => return Ok(()),
                n => &buffer[..n],
            };
            if self.host.is_none() {
                // "host N\n" and the echo of the "E" that asked for it.
                self.greeting.extend_from_slice(got);
                got = &[];
                if self.greeting.ends_with(b"\nE") {
                    self.host = host_in(&self.greeting);
                }
            }
            self.compare(got)?;
            // The time that the connection took to come up is no stall.
            if self.messages > 0 && !self.outstanding() {
                self.worst = self.worst.max(self.asked.elapsed());
            }
        }
    }

    /// What has come back must be what was sent, to the byte.
    fn compare(&mut self, got: &[u8]) -> std::io::Result<()> {
        for &byte in got {
            let known = self.echoed < self.messages * MESSAGE_LEN;
            if !known || byte != byte_at(self.number, self.echoed) {
                return Err(ErrorKind::InvalidData.into());
            }
            self.echoed += 1;
        }
        Ok(())
    }
}

fn cause(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionReset => "reset",
        ErrorKind::ConnectionRefused => "refused",
        ErrorKind::TimedOut => "timeout",
        ErrorKind::BrokenPipe => "closed",
        ErrorKind::InvalidData => "corrupt",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A connection to a server in this process, up and greeted.
    fn pair() -> (Held, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let mut held = Held::new(7, TcpStream::from_std(stream), Part::Busy);
        held.advance();
        let mut asked = [0];
        server.read_exact(&mut asked).unwrap();
        server.write_all(b"host 3\nE").unwrap();
        wait(&mut held, |held| held.host.is_some());
        assert_eq!(held.host, Some(3));
        (held, server)
    }

    fn wait(held: &mut Held, until: impl Fn(&Held) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !until(held) && Instant::now() < deadline {
            held.advance();
            std::thread::yield_now();
        }
        assert!(until(held));
    }

    fn asked(held: &mut Held, server: &mut std::net::TcpStream) -> [u8; 16] {
        held.ask();
        let mut message = [0; 16];
        server.read_exact(&mut message).unwrap();
        message
    }

    #[test]
    fn an_echo_is_compared_to_the_byte() {
        let (mut held, mut server) = pair();
        let first = asked(&mut held, &mut server);
        server.write_all(&first).unwrap();
        wait(&mut held, |held| !held.outstanding());
        let mut second = asked(&mut held, &mut server);
        assert_ne!(first, second);
        second[15] ^= 1;
        server.write_all(&second).unwrap();
        wait(&mut held, |held| held.broken.is_some());
        assert_eq!(held.broken.unwrap().cause, "corrupt");
    }

    #[test]
    fn bytes_that_nobody_asked_for_are_found() {
        let (mut held, mut server) = pair();
        let message = asked(&mut held, &mut server);
        server.write_all(&message).unwrap();
        server.write_all(&message[..1]).unwrap();
        wait(&mut held, |held| held.broken.is_some());
        assert_eq!(held.broken.unwrap().cause, "corrupt");
    }

    #[test]
    fn an_end_in_order_is_no_break_and_any_other_is() {
        let (mut held, server) = pair();
        held.close();
        drop(server);
        wait(&mut held, |held| held.closed);
        assert!(held.broken.is_none());
        let (mut held, server) = pair();
        drop(server);
        wait(&mut held, |held| held.broken.is_some());
        assert_eq!(held.broken.unwrap().cause, "closed");
    }

    #[test]
    fn an_end_without_the_last_echo_is_a_break() {
        let (mut held, mut server) = pair();
        let message = asked(&mut held, &mut server);
        held.close();
        server.write_all(&message[..15]).unwrap();
        drop(server);
        wait(&mut held, |held| !held.stands());
        assert_eq!(held.broken.unwrap().cause, "closed");
    }
}
