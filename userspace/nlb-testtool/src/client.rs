// SPDX-License-Identifier: GPL-2.0-only
//! The client's half of one request: connect from a given address, ask, read
//! the answer to its end. Non-blocking, for an epoll loop to drive.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

/// The request: any HTTP server answers it and closes.
const REQUEST: &[u8] = b"GET / HTTP/1.0\r\nHost: cluster\r\n\r\n";

/// An answer longer than this is none that a test server gives.
const ANSWER_MAX: usize = 16384;

/// Open a connection from `source` to `target` without waiting for it.
pub(crate) fn open(source: Option<SocketAddr>, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(
        Domain::for_address(target),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    if let Some(source) = source {
        // The local address need not be one of the interface's: the client's
        // namespace routes whole networks to itself.
        socket.set_reuse_address(source.port() != 0)?;
        socket.bind(&source.into())?;
    }
    match socket.connect(&target.into()) {
        Ok(()) => {}
        Err(error) if in_progress(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

fn in_progress(error: &io::Error) -> bool {
    // EINPROGRESS has no stable ErrorKind.
    error.kind() == ErrorKind::WouldBlock || error.raw_os_error() == Some(115)
}

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A reset instead of a connection.
    Refused,
    /// A reset, or an early end, of a standing connection.
    Broken,
    /// Nothing in the time allowed.
    Timeout,
    /// An answer that names no host.
    Garbled,
    /// The request could not even be sent.
    Local,
}

impl Failure {
    /// The name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Broken => "broken",
            Self::Timeout => "timeout",
            Self::Garbled => "garbled",
            Self::Local => "local",
        }
    }

    fn of(error: &io::Error, connected: bool) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::ConnectionReset if !connected => Self::Refused,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
                Self::Broken
            }
            ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                Self::Timeout
            }
            _ => Self::Local,
        }
    }
}

/// How a request ended.
pub(crate) type Outcome = Result<u8, Failure>;

/// One request under way.
pub(crate) struct Request {
    pub(crate) stream: TcpStream,
    pub(crate) source: SocketAddr,
    pub(crate) started: Instant,
    connected: Option<Instant>,
    answer: Vec<u8>,
}

impl Request {
    /// Start a request.
    pub(crate) fn start(source: IpAddr, target: SocketAddr) -> Result<Self, Failure> {
        let started = Instant::now();
        let stream = open(Some(SocketAddr::new(source, 0)), target)
            .map_err(|error| Failure::of(&error, false))?;
        let source = stream.local_addr().map_err(|_| Failure::Local)?;
        Ok(Self {
            stream,
            source,
            started,
            connected: None,
            answer: Vec::new(),
        })
    }

    /// The time from the first SYN to the connection, if it stands.
    pub(crate) fn connect_time(&self) -> Option<Duration> {
        self.connected.map(|at| at.duration_since(self.started))
    }

    /// Go on after an event; the outcome once there is one.
    pub(crate) fn advance(&mut self) -> Option<Outcome> {
        self.try_advance().unwrap_or_else(|error| {
            if error.kind() == ErrorKind::WouldBlock {
                None
            } else {
                Some(Err(Failure::of(&error, self.connected.is_some())))
            }
        })
    }

    fn try_advance(&mut self) -> io::Result<Option<Outcome>> {
        if self.connected.is_none() {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            match self.stream.peer_addr() {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(None),
                Err(error) => return Err(error),
            }
            self.connected = Some(Instant::now());
            let _ = self.stream.set_nodelay(true);
            self.stream.write_all(REQUEST)?;
        }
        let mut buffer = [0; 2048];
        loop {
            match self.stream.read(&mut buffer)? {
                0 => return Ok(Some(host_in(&self.answer).ok_or(Failure::Garbled))),
                n if self.answer.len() < ANSWER_MAX => {
                    self.answer.extend_from_slice(&buffer[..n]);
                }
                _ => return Ok(Some(Err(Failure::Garbled))),
            }
        }
    }
}

/// The N of the last "host N" in an answer.
pub(crate) fn host_in(answer: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(answer).ok()?;
    let (_, rest) = text.rsplit_once("host ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_host() {
        assert_eq!(host_in(b"HTTP/1.1 200 OK\r\n\r\nhost 17\n"), Some(17));
        assert_eq!(host_in(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"), None);
        assert_eq!(host_in(b"host 999"), None);
    }
}
