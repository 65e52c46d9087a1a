// SPDX-License-Identifier: GPL-2.0-only

//! The TCP port of remote control: one request on a connection.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use nlbadm::remote::{Called, Channel, FRAME_MAX, GREETING_MAX, Refused, frame};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::{
    Keys,
    waiting::{Place, Waiting},
};
use crate::{log, socket::PAUSE};

/// How long who connects may take to show that it has the key, and to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it takes until it is tried again to listen.
const AGAIN: Duration = Duration::from_secs(5);

/// Requests that are carried out at the same time. A drain that is waited for may take minutes.
const REQUESTS_MAX: usize = 16;

/// What connections share.
#[derive(Clone)]
struct Shared {
    keys: Arc<RwLock<Keys>>,
    waiting: Waiting,
    room: Arc<Semaphore>,
    /// Connections that had no key, or none that is known.
    refused: Arc<AtomicU64>,
}

/// Listens for ever.
pub(super) async fn serve(port: u16, keys: Arc<RwLock<Keys>>) {
    let shared = Shared {
        keys,
        waiting: Waiting::default(),
        room: Arc::new(Semaphore::new(REQUESTS_MAX)),
        refused: Arc::default(),
    };
    let mut told = String::new();
    loop {
        match listen(port).await {
            Ok((six, None)) => accept(six, &shared).await,
            Ok((six, Some(four))) => {
                tokio::join!(accept(six, &shared), accept(four, &shared));
            }
            Err(error) => {
                let error = format!("remote control: port {port}: {error}");
                if error != told {
                    log!("{error}");
                    told = error;
                }
                sleep(AGAIN).await;
            }
        }
    }
}

/// Listens at all addresses of both families: by one socket, by one for each where the system keeps them apart, or for
/// IPv4 alone where there is no IPv6.
async fn listen(port: u16) -> io::Result<(TcpListener, Option<TcpListener>)> {
    let at = |address: IpAddr| TcpListener::bind(SocketAddr::new(address, port));
    let four = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    match at(Ipv6Addr::UNSPECIFIED.into()).await {
        Ok(six) => match at(four).await {
            Ok(four) => Ok((six, Some(four))),
            Err(error) if error.kind() == ErrorKind::AddrInUse => Ok((six, None)),
            Err(error) => Err(error),
        },
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(error),
        Err(_) => at(four).await.map(|four| (four, None)),
    }
}

/// Takes connections for ever.
async fn accept(listener: TcpListener, shared: &Shared) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let place = shared.waiting.enter();
                let number = place.number();
                let task = tokio::spawn(serve_one(
                    stream,
                    from.ip().to_canonical(),
                    place,
                    shared.clone(),
                ));
                shared.waiting.served_by(number, task.abort_handle());
            }
            // One that has gone before it was taken, or no room for files at the moment.
            Err(error) => {
                log!("remote control: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn serve_one(mut stream: TcpStream, from: IpAddr, place: Place, shared: Shared) {
    let asked = timeout(PATIENCE, asked(&mut stream, &shared.keys)).await;
    let asked = asked.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
    drop(place);
    match asked {
        Ok(request) => carry_out(stream, from, request, &shared.room).await,
        // One line for the first, and for each power of two after it: a flood shall not fill the log.
        Err(error) => {
            let count = shared.refused.fetch_add(1, Ordering::Relaxed) + 1;
            if count.is_power_of_two() {
                log!("remote control: {from}: {error} ({count} refused since nlbd began)");
            }
        }
    }
}

/// What somebody with a key asks for.
struct Asked {
    cluster: String,
    channel: Channel,
    message: Vec<u8>,
}

async fn asked(stream: &mut TcpStream, keys: &RwLock<Keys>) -> io::Result<Asked> {
    stream.set_nodelay(true)?;
    let greeting = receive(stream, GREETING_MAX).await?;
    let called = Called::read(&greeting).ok_or(Refused)?;
    let key = keys
        .read()
        .ok()
        .and_then(|keys| keys.get(called.cluster).cloned());
    let key =
        key.ok_or_else(|| io::Error::other("it asks for a cluster without remote control"))?;
    let (mut channel, answer) = called.answer(&key)?;
    stream.write_all(&frame(&answer)).await?;
    loop {
        if let Some(message) = channel.open(&receive(stream, FRAME_MAX).await?)? {
            return Ok(Asked {
                cluster: called.cluster.into(),
                channel,
                message,
            });
        }
    }
}

/// One frame.
async fn receive(stream: &mut TcpStream, longest: usize) -> io::Result<Vec<u8>> {
    let length = usize::from(stream.read_u16().await?);
    if length > longest {
        return Err(Refused.into());
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn carry_out(mut stream: TcpStream, from: IpAddr, asked: Asked, room: &Semaphore) {
    let Asked {
        cluster,
        mut channel,
        message,
    } = asked;
    let Ok(_permit) = room.acquire().await else {
        return;
    };
    let name = cluster.clone();
    // It may take long, and waits for the kernel.
    let done = tokio::task::spawn_blocking(move || nlbadm::carry_out(&cluster, &message)).await;
    match done {
        Ok(done) => {
            log!("remote control of {name}: {from}: {}", done.told);
            if let Ok(reply) = channel.seal(&done.reply) {
                // Who asked may have gone.
                drop(timeout(PATIENCE, stream.write_all(&reply)).await);
            }
        }
        Err(error) => log!("remote control of {name}: {from}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use nlbadm::remote::{ControlKey, call};

    use super::*;

    fn key(letter: char) -> ControlKey {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let text = format!("key {}=\n", letter.to_string().repeat(42) + "A");
        std::fs::write(&path, text).unwrap();
        let mut mode = std::fs::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o600);
        std::fs::set_permissions(&path, mode).unwrap();
        ControlKey::read(&path, None).unwrap()
    }

    /// A port where somebody with the key `A` of the cluster `web` listens.
    async fn listening() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared {
            keys: Arc::new(RwLock::new(Keys::from([("web".into(), key('A'))]))),
            waiting: Waiting::default(),
            room: Arc::new(Semaphore::new(REQUESTS_MAX)),
            refused: Arc::default(),
        };
        tokio::spawn(async move { accept(listener, &shared).await });
        address
    }

    async fn connect(
        to: SocketAddr,
        cluster: &str,
        key: &ControlKey,
    ) -> io::Result<(TcpStream, Channel)> {
        let mut stream = TcpStream::connect(to).await?;
        let (calling, first) = call(cluster, key)?;
        stream.write_all(&frame(&first)).await?;
        let answer = receive(&mut stream, FRAME_MAX).await?;
        Ok((stream, calling.answered(&answer)?))
    }

    async fn ask(
        to: SocketAddr,
        cluster: &str,
        key: &ControlKey,
        message: &[u8],
    ) -> io::Result<String> {
        let (mut stream, mut channel) = connect(to, cluster, key).await?;
        stream.write_all(&channel.seal(message)?).await?;
        loop {
            let frame = receive(&mut stream, FRAME_MAX).await?;
            if let Some(reply) = channel.open(&frame)? {
                return Ok(String::from_utf8(reply).unwrap());
            }
        }
    }

    #[tokio::test]
    async fn who_has_the_key_gets_an_answer() {
        let to = listening().await;
        // There is no module here.
        let reply = ask(
            to,
            "web",
            &key('A'),
            b"{\"host\":1,\"order\":{\"control\":\"stop\"}}",
        )
        .await;
        assert!(reply.unwrap().contains("no cluster web"));
        let reply = ask(to, "web", &key('A'), &vec![b'x'; 100_000]).await;
        assert!(reply.unwrap().contains("\"exit\":"));
        for (cluster, key) in [("web", key('B')), ("other", key('A'))] {
            assert!(ask(to, cluster, &key, b"{}").await.is_err(), "{cluster}");
        }
    }

    #[tokio::test]
    async fn a_flood_without_the_key_keeps_nobody_out() {
        let to = listening().await;
        let mut flood = Vec::new();
        for number in 0..600_u32 {
            let mut stream = TcpStream::connect(to).await.unwrap();
            // Some say nothing, some talk nonsense, some begin what they cannot end.
            match number % 3 {
                0 => {}
                1 => stream.write_all(&number.to_be_bytes()).await.unwrap(),
                _ => {
                    let (_, first) = call("web", &key('A')).unwrap();
                    stream.write_all(&frame(&first)).await.unwrap();
                }
            }
            flood.push(stream);
        }
        let reply = timeout(PATIENCE, ask(to, "web", &key('A'), b"{}")).await;
        assert!(reply.unwrap().unwrap().contains("\"exit\":"));
        drop(flood);
    }
}
