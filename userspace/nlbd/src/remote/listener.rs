// SPDX-License-Identifier: GPL-2.0-only

//! The TCP port of remote control: one request on a connection.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use nlbadm::{
    CarriedOut,
    remote::{Called, Channel, ControlKey, FRAME_MAX, GREETING_MAX, Purpose, Refused, frame},
};
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::{Semaphore, oneshot},
    time::{sleep, timeout},
};

use super::{
    Access,
    refusals::Refusals,
    waiting::{Place, Waiting},
};
use crate::{log, replica::Replica, socket::PAUSE};

/// How long who connects may take to show that it has the key, and to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it takes until it is tried again to listen.
const AGAIN: Duration = Duration::from_secs(5);

/// Requests that are under way at the same time, and that wait for their turn. Further ones are told so.
const REQUESTS_MAX: u32 = 16;

/// How long a request may wait until those before it are done: less than who asks waits, so that nothing is done after it
/// was told that there is no answer.
const TURN: Duration = Duration::from_secs(3);

/// How long the end waits for what is being carried out: less than systemd waits for nlbd.
const END: Duration = Duration::from_secs(3);

/// Connections that wait to be taken.
const BACKLOG: i32 = 128;

/// What connections share.
#[derive(Clone)]
struct Shared {
    access: Arc<RwLock<Access>>,
    waiting: Waiting,
    room: Arc<Semaphore>,
    /// Changes are made one after the other: each begins with what there is.
    turn: Arc<Semaphore>,
    refusals: Arc<Refusals>,
}

impl Shared {
    fn new(access: Arc<RwLock<Access>>) -> Self {
        Shared {
            access,
            waiting: Waiting::default(),
            room: Arc::new(Semaphore::new(REQUESTS_MAX as usize)),
            turn: Arc::new(Semaphore::new(1)),
            refusals: Arc::default(),
        }
    }
}

/// Listens until it is told to end. What is being carried out then has a little time left.
pub(super) fn run(port: u16, access: Arc<RwLock<Access>>, ended: oneshot::Receiver<()>) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            log!("remote control: {error}");
            return;
        }
    };
    runtime.block_on(async {
        let shared = Shared::new(access);
        tokio::select! {
            () = serve(port, &shared) => {}
            // Who would tell it has gone: that is the end as well.
            _ = ended => {}
        }
        if timeout(END, shared.room.acquire_many(REQUESTS_MAX))
            .await
            .is_err()
        {
            log!("remote control: it ends while something is being carried out");
        }
    });
    runtime.shutdown_background();
}

/// Listens for ever.
async fn serve(port: u16, shared: &Shared) {
    let mut told = String::new();
    loop {
        match listen(port) {
            Ok((four, None)) => accept(four, shared).await,
            Ok((four, Some(six))) => {
                tokio::join!(accept(four, shared), accept(six, shared));
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

/// Listens at all addresses: by a socket for each family, or for IPv4 alone where there is no IPv6.
fn listen(port: u16) -> io::Result<(TcpListener, Option<TcpListener>)> {
    let four = listen_at(Ipv4Addr::UNSPECIFIED.into(), port)?;
    let six = match listen_at(Ipv6Addr::UNSPECIFIED.into(), port) {
        Ok(six) => Some(six),
        Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(error),
        Err(_) => None,
    };
    Ok((four, six))
}

fn listen_at(address: IpAddr, port: u16) -> io::Result<TcpListener> {
    let address = SocketAddr::new(address, port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of an earlier process may still be closing.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Takes connections for ever.
async fn accept(listener: TcpListener, shared: &Shared) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                if is_at_vip(&stream, shared) {
                    continue;
                }
                let place = shared.waiting.enter();
                let number = place.number();
                let from = from.ip();
                let task = tokio::spawn(serve_one(stream, from, place, shared.clone()));
                shared.waiting.served_by(number, task.abort_handle());
            }
            // One that has gone before it was taken, or no room for files at the moment.
            Err(error) => {
                shared.refusals.tell(None, error, Instant::now());
                sleep(PAUSE).await;
            }
        }
    }
}

/// Whether a client of the cluster has connected, and not a host.
fn is_at_vip(stream: &TcpStream, shared: &Shared) -> bool {
    let Ok(here) = stream.local_addr() else {
        return true;
    };
    let access = shared.access.read();
    access.map_or(true, |access| access.vips.contains(&here.ip()))
}

async fn serve_one(mut stream: TcpStream, from: IpAddr, place: Place, shared: Shared) {
    let asked = timeout(PATIENCE, asked(&mut stream, &shared.access, place)).await;
    match asked.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())) {
        Ok(asked) => carry_out(stream, from, asked, &shared).await,
        Err(error) => shared.refusals.tell(Some(from), error, Instant::now()),
    }
}

/// What somebody with a key asks for.
struct Asked {
    cluster: String,
    /// Where it is about the file of the cluster.
    replica: Option<Arc<Replica>>,
    channel: Channel,
    message: Vec<u8>,
}

async fn asked(stream: &mut TcpStream, access: &RwLock<Access>, place: Place) -> io::Result<Asked> {
    stream.set_nodelay(true)?;
    let greeting = receive(stream, GREETING_MAX).await?;
    let called = Called::read(&greeting).ok_or(Refused)?;
    let (key, replica) = key_of(&called, access)?;
    let (mut channel, answer) = called.answer(&key)?;
    stream.write_all(&frame(&answer)).await?;
    let mut opened = channel.open(&receive(stream, FRAME_MAX).await?)?;
    // It has the key.
    drop(place);
    loop {
        if let Some(message) = opened {
            return Ok(Asked {
                cluster: called.cluster.into(),
                replica,
                channel,
                message,
            });
        }
        opened = channel.open(&receive(stream, FRAME_MAX).await?)?;
    }
}

/// The key of what somebody wants, and what answers where it is about the file of a cluster.
fn key_of(
    called: &Called<'_>,
    access: &RwLock<Access>,
) -> io::Result<(ControlKey, Option<Arc<Replica>>)> {
    let access = access.read().map_err(|_| ErrorKind::Other)?;
    match called.purpose {
        Purpose::Control => {
            let key = access.keys.get(called.cluster).cloned();
            let none = || io::Error::other("it asks for a cluster without remote control");
            Ok((key.ok_or_else(none)?, None))
        }
        Purpose::Replica => {
            let replica = access.replicas.get(called.cluster).cloned();
            let none = || io::Error::other("it asks for the file of a cluster without replication");
            let replica = replica.ok_or_else(none)?;
            Ok((replica.key(), Some(replica)))
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

async fn carry_out(mut stream: TcpStream, from: IpAddr, asked: Asked, shared: &Shared) {
    let Asked {
        cluster,
        replica,
        mut channel,
        message,
    } = asked;
    if let Some(replica) = replica {
        answer(stream, from, channel, message, &replica, shared).await;
        return;
    }
    // Held until the reply is on its way: the end waits for it.
    let room = shared.room.try_acquire();
    let turn = match &room {
        Ok(_) => timeout(TURN, shared.turn.acquire()).await.ok(),
        Err(_) => None,
    };
    let name = cluster.clone();
    let done = match &turn {
        None => Ok(nlbadm::busy()),
        // It waits for the kernel.
        Some(_) => tokio::task::spawn_blocking(move || nlbadm::carry_out(&cluster, &message)).await,
    };
    drop(turn);
    match done {
        Ok(CarriedOut { reply, told }) => {
            if let Some(told) = told {
                log!("remote control of {name}: {from}: {told}");
            }
            let Ok(reply) = channel.seal(&reply) else {
                log!("remote control of {name}: {from}: the reply is too long");
                return;
            };
            // Who asked may have gone.
            drop(timeout(PATIENCE, stream.write_all(&reply)).await);
        }
        Err(error) => log!("remote control of {name}: {from}: {error}"),
    }
}

/// Answers about the file of a cluster.
async fn answer(
    mut stream: TcpStream,
    from: IpAddr,
    mut channel: Channel,
    message: Vec<u8>,
    replica: &Arc<Replica>,
    shared: &Shared,
) {
    // Held until the reply is on its way: the end waits for it. Where there is no room, who asks tries again.
    let Ok(_room) = shared.room.acquire().await else {
        return;
    };
    let replica = Arc::clone(replica);
    // It waits for the disk.
    let done = tokio::task::spawn_blocking(move || replica.answer(from, &message)).await;
    match done {
        Ok((reply, told)) => {
            if let Some(told) = told {
                log!("replication: {from}: {told}");
            }
            if let Ok(reply) = channel.seal(&reply) {
                // Who asked may have gone.
                drop(timeout(PATIENCE, stream.write_all(&reply)).await);
            }
        }
        Err(error) => log!("replication: {from}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nlbadm::remote::call;

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

    /// A VIP, at which this machine can be reached.
    const VIP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 10);

    /// A port where somebody with the key `A` of the cluster `web` listens.
    async fn listening() -> SocketAddr {
        let access = Access {
            keys: [("web".into(), key('A'))].into(),
            replicas: [].into(),
            vips: [VIP.into()].into(),
        };
        listening_for(access).await
    }

    async fn listening_for(access: Access) -> SocketAddr {
        let listener = listen_at(Ipv4Addr::UNSPECIFIED.into(), 0).unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        let shared = Shared::new(Arc::new(RwLock::new(access)));
        tokio::spawn(async move { accept(listener, &shared).await });
        address
    }

    async fn connect(
        purpose: Purpose,
        to: SocketAddr,
        cluster: &str,
        key: &ControlKey,
    ) -> io::Result<(TcpStream, Channel)> {
        let mut stream = TcpStream::connect(to).await?;
        let (calling, first) = call(purpose, cluster, key)?;
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
        ask_for(Purpose::Control, to, cluster, key, message).await
    }

    async fn ask_for(
        purpose: Purpose,
        to: SocketAddr,
        cluster: &str,
        key: &ControlKey,
        message: &[u8],
    ) -> io::Result<String> {
        let (mut stream, mut channel) = connect(purpose, to, cluster, key).await?;
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
    async fn each_key_opens_its_own_door() {
        let folder = tempfile::tempdir().unwrap();
        let replica = Replica::for_tests(folder.path(), key('C'));
        let access = Access {
            keys: [("web".into(), key('A'))].into(),
            replicas: [("web".into(), replica)].into(),
            vips: BTreeSet::new(),
        };
        let to = listening_for(access).await;
        let status = br#"{"from":2,"to":1,"ask":"status"}"#;
        for (purpose, letter, opens) in [
            (Purpose::Control, 'A', true),
            (Purpose::Control, 'C', false),
            (Purpose::Replica, 'A', false),
            (Purpose::Replica, 'C', true),
            (Purpose::Replica, 'B', false),
        ] {
            let reply = ask_for(purpose, to, "web", &key(letter), status).await;
            assert_eq!(reply.is_ok(), opens, "{purpose:?} {letter}");
            let is_status = reply.is_ok_and(|reply| reply.contains("\"history\""));
            assert_eq!(is_status, purpose == Purpose::Replica && opens);
        }
        let right = key('C');
        let elsewhere = br#"{"from":2,"to":3,"ask":"status"}"#;
        let reply = ask_for(Purpose::Replica, to, "web", &right, elsewhere).await;
        assert!(
            reply
                .unwrap()
                .contains("host 1 answers at the address of host 3")
        );
        let other = ask_for(Purpose::Replica, to, "other", &right, status).await;
        assert!(other.is_err());
        let nonsense = ask_for(Purpose::Replica, to, "web", &right, b"{}").await;
        assert!(nonsense.unwrap().contains("does not know"));
    }

    #[tokio::test]
    async fn a_client_of_the_cluster_finds_nobody_at_the_vip() {
        let to = listening().await;
        let vip = SocketAddr::new(VIP.into(), to.port());
        assert!(ask(vip, "web", &key('A'), b"{}").await.is_err());
        assert!(ask(to, "web", &key('A'), b"{}").await.is_ok());
    }

    /// Connections of those who have no key: most say nothing or talk nonsense, some begin what they cannot end.
    async fn flood(to: SocketAddr, count: u32) -> Vec<TcpStream> {
        let recorded = frame(&call(Purpose::Control, "web", &key('A')).unwrap().1);
        let mut open = Vec::new();
        for number in 0..count {
            let mut stream = TcpStream::connect(to).await.unwrap();
            let said = match number % 20 {
                0 => recorded.clone(),
                1..10 => number.to_be_bytes().to_vec(),
                _ => Vec::new(),
            };
            // It may have been hung up already.
            drop(stream.write_all(&said).await);
            open.push(stream);
        }
        open
    }

    #[tokio::test]
    async fn a_flood_without_the_key_keeps_nobody_out() {
        let to = listening().await;
        // More than there is room for, and more between the steps of the one who has the key.
        let before = flood(to, 400).await;
        let (mut stream, mut channel) = connect(Purpose::Control, to, "web", &key('A'))
            .await
            .unwrap();
        let meanwhile = flood(to, 100).await;
        stream
            .write_all(&channel.seal(b"{}").unwrap())
            .await
            .unwrap();
        let after = flood(to, 400).await;
        let reply = receive(&mut stream, FRAME_MAX).await.unwrap();
        let reply = channel.open(&reply).unwrap().unwrap();
        assert!(String::from_utf8(reply).unwrap().contains("\"exit\":"));
        drop((before, meanwhile, after));
    }

    #[test]
    fn the_end_does_not_wait_for_connections() {
        let access = Arc::new(RwLock::new(Access::default()));
        let (end, ended) = oneshot::channel();
        let thread = std::thread::spawn(move || run(0, access, ended));
        drop(end);
        thread.join().unwrap();
    }
}
