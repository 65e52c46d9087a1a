// SPDX-License-Identifier: GPL-2.0-only
//! A server that says which host it is: one answer to an HTTP request, or an
//! echo of everything on a connection that begins with "E".

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

/// Who answers, and where.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The host id to answer with.
    #[arg(long)]
    id: u8,
    /// TCP addresses to listen at.
    #[arg(long)]
    listen: Vec<SocketAddr>,
    /// UDP addresses to listen at; a VIP must be named, for the answer to
    /// come from it.
    #[arg(long)]
    listen_udp: Vec<SocketAddr>,
}

/// Tokens from here on are connections, below it listeners.
const CONNECTIONS: usize = 1 << 16;

/// A connection being served.
struct Connection {
    stream: TcpStream,
    mode: Mode,
    request: Vec<u8>,
    /// Echo that the peer has not taken yet.
    backlog: Vec<u8>,
}

enum Mode {
    Unknown,
    Http,
    Echo,
}

/// What is to become of a connection.
enum Next {
    Keep,
    Close,
}

/// Serve until killed.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut listeners = Vec::new();
    for address in &args.listen {
        let mut listener =
            TcpListener::bind(*address).with_context(|| format!("listen at {address}"))?;
        poll.registry()
            .register(&mut listener, Token(listeners.len()), Interest::READABLE)?;
        listeners.push(listener);
    }
    let mut sockets = Vec::new();
    for address in &args.listen_udp {
        let mut socket =
            UdpSocket::bind(*address).with_context(|| format!("listen at {address} (UDP)"))?;
        let token = Token(listeners.len() + sockets.len());
        poll.registry()
            .register(&mut socket, token, Interest::READABLE)?;
        sockets.push(socket);
    }
    println!("serving");

    let answer = format!("host {}\n", args.id);
    let mut connections: Slab<Connection> = Slab::new();
    let mut events = Events::with_capacity(1024);
    loop {
        if let Err(error) = poll.poll(&mut events, None) {
            if error.kind() == ErrorKind::Interrupted {
                continue;
            }
            return Err(error.into());
        }
        for event in &events {
            let token = event.token().0;
            if let Some(key) = token.checked_sub(CONNECTIONS) {
                let next = connections
                    .get_mut(key)
                    .map(|connection| connection.serve(&answer));
                if matches!(next, Some(Next::Close)) {
                    connections.remove(key);
                }
            } else if let Some(listener) = listeners.get(token) {
                accept_all(listener, &poll, &mut connections)?;
            } else if let Some(socket) = sockets.get(token - listeners.len()) {
                answer_datagrams(socket, answer.as_bytes());
            }
        }
    }
}

fn accept_all(
    listener: &TcpListener,
    poll: &Poll,
    connections: &mut Slab<Connection>,
) -> Result<()> {
    // An error ends the batch: the next event tries again.
    while let Ok((stream, _)) = listener.accept() {
        let entry = connections.vacant_entry();
        let token = Token(entry.key() + CONNECTIONS);
        let connection = entry.insert(Connection {
            stream,
            mode: Mode::Unknown,
            request: Vec::new(),
            backlog: Vec::new(),
        });
        poll.registry().register(
            &mut connection.stream,
            token,
            Interest::READABLE | Interest::WRITABLE,
        )?;
    }
    Ok(())
}

fn answer_datagrams(socket: &UdpSocket, answer: &[u8]) {
    let mut buffer = [0; 65536];
    while let Ok((_, peer)) = socket.recv_from(&mut buffer) {
        let _ = socket.send_to(answer, peer);
    }
}

impl Connection {
    /// Serve what has come in.
    fn serve(&mut self, answer: &str) -> Next {
        match self.try_serve(answer) {
            Ok(next) => next,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Next::Keep,
            Err(_) => Next::Close,
        }
    }

    fn try_serve(&mut self, answer: &str) -> std::io::Result<Next> {
        self.flush()?;
        let mut buffer = [0; 4096];
        loop {
            let got = match self.stream.read(&mut buffer)? {
                0 => return Ok(Next::Close),
                n => &buffer[..n],
            };
            if matches!(self.mode, Mode::Unknown) {
                if got[0] == b'E' {
                    self.mode = Mode::Echo;
                    let _ = self.stream.set_nodelay(true);
                    self.backlog.extend_from_slice(answer.as_bytes());
                } else {
                    self.mode = Mode::Http;
                }
            }
            match self.mode {
                Mode::Echo => {
                    self.backlog.extend_from_slice(got);
                    self.flush()?;
                }
                Mode::Http | Mode::Unknown => {
                    self.request.extend_from_slice(got);
                    // The whole request is read first: closing a socket with
                    // unread bytes sends a reset.
                    if self.request.windows(4).any(|end| end == b"\r\n\r\n") {
                        let head = format!(
                            "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{answer}",
                            answer.len()
                        );
                        self.stream.write_all(head.as_bytes())?;
                        return Ok(Next::Close);
                    }
                }
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        while !self.backlog.is_empty() {
            let n = self.stream.write(&self.backlog)?;
            self.backlog.drain(..n);
        }
        Ok(())
    }
}
