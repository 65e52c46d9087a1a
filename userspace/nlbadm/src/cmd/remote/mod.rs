// SPDX-License-Identifier: GPL-2.0-only

//! A verb with `--host`: other hosts of a cluster are asked for it, all at once, and what each says is reported.

mod carry;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use nlb_netlink::object::Cluster;

use crate::{
    cli::{Elsewhere, Target},
    config::{Config, DIRECTORY, default_control_key},
    daemon::{self, Content, SOCKET, Wanted},
    failure::{Exit, Failure},
    host::Host,
    kernel::Kernel,
    output::remote::{AnswerShape, RemoteShape},
    remote::{self, Channel, ControlKey, FRAME_MAX, Order, PORT, Reply, Request},
};

pub use self::carry::{CarriedOut, carry_out};

/// How long a host may take to answer.
const REPLY_WITHIN: Duration = Duration::from_secs(10);

/// What is known of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    /// Its name in the file of the cluster.
    name: Option<String>,
    /// Where it may be asked, the surest first.
    addresses: Vec<IpAddr>,
}

/// Asks the hosts. The failure, if there is one, comes after the report.
///
/// # Errors
///
/// If there is no such cluster here, or no key of remote control, or a host is not known by its name.
pub(crate) fn run<K: Kernel + Host>(
    kernel: &mut K,
    order: &Order,
    target: &Target,
    elsewhere: &Elsewhere,
) -> Result<(RemoteShape, Result<(), Failure>), Failure> {
    let cluster = super::cluster(kernel, target)?;
    let file = Path::new(DIRECTORY).join(format!("{}.toml", cluster.name));
    let config = file.exists().then(|| Config::read(&file)).transpose()?;
    let key = key(&cluster, config.as_ref(), order)?;
    let known = known(kernel, &cluster, config.as_ref())?;
    let wanted = wanted(elsewhere, &known)?;
    let within = elsewhere.reply_within.unwrap_or(REPLY_WITHIN)
        + Duration::from_secs(order.seconds().into());
    let known = |id| known.get(&id).cloned().unwrap_or_default();
    let others = wanted.iter().filter(|&&id| id != cluster.host_id);
    let (others, own) = thread::scope(|scope| {
        let ask = |&id: &u8| {
            let (host, key, name) = (known(id), &key, &cluster.name);
            scope.spawn(move || ask(id, host, name, key, order, within))
        };
        let asked: Vec<_> = others.map(ask).collect();
        // This host needs nobody to be asked.
        let own = wanted.contains(&cluster.host_id).then(|| {
            let done = carry::order(kernel, &cluster, order.clone());
            answer(
                cluster.host_id,
                &known(cluster.host_id),
                None,
                Ok(Reply::of(done)),
            )
        });
        let joined = asked.into_iter().filter_map(|thread| thread.join().ok());
        (joined.collect::<Vec<_>>(), own)
    });
    let mut hosts: Vec<AnswerShape> = others.into_iter().chain(own).collect();
    hosts.sort_by_key(|host| host.host_id);
    let failed = hosts.iter().filter(|host| !host.done).count();
    let end = match failed {
        0 => Ok(()),
        _ => Err(Failure::new(
            Exit::Failed,
            format!(
                "{order} of {}: not done by {failed} of {} hosts",
                cluster.name,
                hosts.len()
            ),
        )),
    };
    let cluster = cluster.name;
    Ok((RemoteShape { cluster, hosts }, end))
}

fn key(cluster: &Cluster, config: Option<&Config>, order: &Order) -> Result<ControlKey, Failure> {
    let (path, heartbeats) = match config {
        None => (default_control_key(&cluster.name), None),
        Some(config) => match config.control_key() {
            Some(path) => (path.to_path_buf(), config.key()),
            None => {
                return Err(Failure::usage(format!(
                    "the file {} says that there is no remote control: {order} would need `remote-control = true` on each host",
                    config.file()
                )));
            }
        },
    };
    ControlKey::read(&path, heartbeats)
}

fn wanted(elsewhere: &Elsewhere, known: &BTreeMap<u8, Known>) -> Result<BTreeSet<u8>, Failure> {
    let names = known.iter().map(|(&id, host)| (id, host.name.clone()));
    match &elsewhere.host {
        Some(hosts) => hosts.ids(&names.collect()),
        None => Ok(BTreeSet::new()),
    }
}

/// The hosts of the cluster that this one knows, with the places where each may be asked, the surest first: where it is
/// heard, where nlbd has heard it before it left, what the file says, and what its name resolves to.
fn known(
    kernel: &mut impl Kernel,
    cluster: &Cluster,
    config: Option<&Config>,
) -> Result<BTreeMap<u8, Known>, Failure> {
    let mut known: BTreeMap<u8, Known> = BTreeMap::new();
    for member in kernel.members(cluster.ifindex)? {
        let host = known.entry(member.host_id).or_default();
        host.addresses.extend(member.dedicated_ip);
    }
    // Without nlbd on this host nobody has noted them.
    if let Ok(Content::Hosts(hosts)) = daemon::ask(Path::new(SOCKET), Wanted::Hosts) {
        for host in hosts
            .into_iter()
            .filter(|host| host.cluster == cluster.name)
        {
            known
                .entry(host.host_id)
                .or_default()
                .addresses
                .push(host.address);
        }
    }
    for section in config.map(Config::hosts).unwrap_or_default() {
        let host = known.entry(section.id).or_default();
        host.name = Some(section.name.clone());
        host.addresses.extend(section.dedicated());
    }
    Ok(known)
}

fn answer(
    host_id: u8,
    host: &Known,
    address: Option<IpAddr>,
    reply: Result<Reply, String>,
) -> AnswerShape {
    let (exit, message) = match reply {
        Ok(reply) => (Some(reply.exit), reply.message),
        Err(why) => (None, Some(why)),
    };
    AnswerShape {
        host_id,
        name: host.name.clone(),
        address,
        done: exit == Some(0),
        exit,
        message,
    }
}

/// Asks one host, at the first of its addresses where somebody listens.
fn ask(
    id: u8,
    host: Known,
    cluster: &str,
    key: &ControlKey,
    order: &Order,
    within: Duration,
) -> AnswerShape {
    let deadline = Instant::now() + within;
    let mut addresses = host.addresses.clone();
    if addresses.is_empty() {
        addresses.extend(host.name.as_deref().and_then(resolved));
    }
    let Some(&first) = addresses.first() else {
        let why =
            "it is not heard, and no address of it is known: give it one in the file, `dedicated`";
        return answer(id, &host, None, Err(why.into()));
    };
    let mut tried: Option<(IpAddr, io::Error)> = None;
    for address in addresses {
        match TcpStream::connect_timeout(&SocketAddr::new(address, PORT), left(deadline)) {
            Ok(stream) => {
                let reply = exchange(stream, cluster, key, id, order, deadline);
                let reply = reply.map_err(|error| words(&error, within));
                return answer(id, &host, Some(address), reply);
            }
            Err(error) => _ = tried.get_or_insert((address, error)),
        }
    }
    let (address, why) = match tried {
        Some((address, error)) => (address, words(&error, within)),
        None => (first, String::new()),
    };
    answer(id, &host, Some(address), Err(why))
}

fn resolved(name: &str) -> Option<IpAddr> {
    let mut addresses = (name, PORT).to_socket_addrs().ok()?;
    addresses.next().map(|address| address.ip())
}

fn words(error: &io::Error, within: Duration) -> String {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            let within = humantime::format_duration(within);
            format!("no answer within {within}; it may have been done, or be done later: look with `nlbadm show`")
        }
        ErrorKind::ConnectionRefused => {
            "nobody listens there: does nlbd run there, and has its file `remote-control = true`?".into()
        }
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
            "nlbd there has hung up: it has another control key, or no remote control of this cluster".into()
        }
        _ => error.to_string(),
    }
}

/// What is left until then; a little if nothing is.
fn left(deadline: Instant) -> Duration {
    deadline
        .saturating_duration_since(Instant::now())
        .max(Duration::from_millis(1))
}

/// One request, and its reply.
fn exchange(
    mut stream: TcpStream,
    cluster: &str,
    key: &ControlKey,
    host: u8,
    order: &Order,
    deadline: Instant,
) -> io::Result<Reply> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(left(deadline)))?;
    let (calling, first) = remote::call(cluster, key)?;
    stream.write_all(&remote::frame(&first))?;
    let mut channel = calling.answered(&receive(&mut stream, deadline)?)?;
    let request = serde_json::to_vec(&Request {
        host,
        order: order.clone(),
    })?;
    stream.write_all(&channel.seal(&request)?)?;
    let reply = message(&mut stream, &mut channel, deadline)?;
    Ok(serde_json::from_slice(&reply)?)
}

fn message(
    stream: &mut TcpStream,
    channel: &mut Channel,
    deadline: Instant,
) -> io::Result<Vec<u8>> {
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
        return Err(remote::Refused.into());
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
