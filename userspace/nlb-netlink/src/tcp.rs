// SPDX-License-Identifier: GPL-2.0-only

//! TCP connections of this host, as the kernel's tables of sockets and of connection tracking have them, and how to end
//! them.

use std::net::{IpAddr, SocketAddr};

use netlink_packet_netfilter::{
    NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily,
    conntrack::{
        ConntrackAttribute, ConntrackMessage, IPTuple, ProtoInfo, ProtoInfoTCP, ProtoTuple,
        Protocol, Tuple,
    },
};

use crate::{
    connection::Connection,
    error::Error,
    extack::AttributeNames,
    sockdiag::{Asked, DiagMessage, Socket, SocketId},
    transport::Transport,
};

/// Names of the states of sockets from `TCP_ESTABLISHED` on (include/net/tcp_states.h).
const SOCKET_STATES: [&str; 12] = [
    "established",
    "syn-sent",
    "syn-recv",
    "fin-wait-1",
    "fin-wait-2",
    "time-wait",
    "close",
    "close-wait",
    "last-ack",
    "listen",
    "closing",
    "new-syn-recv",
];

/// Names of the states of connection tracking (`enum tcp_conntrack` of linux/netfilter/nf_conntrack_tcp.h).
const TRACKING_STATES: [&str; 10] = [
    "none",
    "syn-sent",
    "syn-recv",
    "established",
    "fin-wait",
    "close-wait",
    "last-ack",
    "time-wait",
    "close",
    "syn-sent-2",
];

/// States in which both ends are done: nobody waits for such a connection.
const OVER: [&str; 4] = ["time-wait", "close", "listen", "none"];

/// `ENOENT`: it has ended by itself.
const ENOENT: i32 = 2;

impl AttributeNames for NetfilterMessage {
    fn attribute_name(&self, _kind: u16) -> Option<String> {
        None
    }
}

/// A TCP connection of this host that lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpConnection {
    /// Address and port of the other end.
    pub client: SocketAddr,
    /// Address and port on this host, as the other end has them.
    pub local: SocketAddr,
    /// State, as `ss` and `conntrack` name it, in lower case.
    pub state: &'static str,
    /// The table that has it.
    pub table: Table,
}

/// A table of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// That of sockets.
    Sockets {
        /// It is one of IPv4 to a socket of IPv6.
        mapped: bool,
        /// Index of the interface that the socket is bound to; 0: to none.
        interface: u32,
    },
    /// That of connection tracking: this host translates its addresses, for a container or another machine.
    Tracking {
        /// Who began it.
        from: SocketAddr,
        /// Whereto, before addresses were translated.
        to: SocketAddr,
    },
}

/// The table of sockets.
#[derive(Debug)]
pub struct Sockets<T> {
    connection: Connection<T>,
}

impl<T: Transport> Sockets<T> {
    /// Over a transport of `sock_diag`.
    pub fn new(transport: T) -> Self {
        Sockets {
            connection: Connection::new(transport),
        }
    }

    /// The connections to one of these addresses.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn connections(&mut self, to: &[IpAddr]) -> Result<Vec<TcpConnection>, Error> {
        let mut found = Vec::new();
        for v6 in [false, true] {
            let request = DiagMessage::Request(Asked::All { v6 });
            found.extend(self.connection.dump_of(request, |reply| {
                let found = match reply {
                    DiagMessage::Socket(socket) => connection(&socket),
                    DiagMessage::Request(_) => None,
                };
                found.filter(|it| to.contains(&it.local.ip()))
            })?);
        }
        Ok(found)
    }

    /// Ends a connection; the other end gets a reset. It may have ended already.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn end(&mut self, it: &TcpConnection) -> Result<(), Error> {
        let Table::Sockets { mapped, interface } = it.table else {
            return Ok(());
        };
        let address = |address: IpAddr| match address {
            IpAddr::V4(v4) if mapped => v4.to_ipv6_mapped().into(),
            address => address,
        };
        let id = SocketId {
            local: SocketAddr::new(address(it.local.ip()), it.local.port()),
            remote: SocketAddr::new(address(it.client.ip()), it.client.port()),
            interface,
        };
        let message = DiagMessage::Request(Asked::End(id));
        gone_is_well(self.connection.request(message, 0))
    }
}

fn connection(socket: &Socket) -> Option<TcpConnection> {
    let index = usize::from(socket.state).checked_sub(1)?;
    let canonical = |it: SocketAddr| SocketAddr::new(it.ip().to_canonical(), it.port());
    let id = &socket.id;
    let local = canonical(id.local);
    lives(TcpConnection {
        client: canonical(id.remote),
        local,
        state: SOCKET_STATES.get(index)?,
        table: Table::Sockets {
            mapped: id.local.is_ipv6() && local.is_ipv4(),
            interface: id.interface,
        },
    })
}

fn lives(it: TcpConnection) -> Option<TcpConnection> {
    (!OVER.contains(&it.state)).then_some(it)
}

fn gone_is_well<M>(result: Result<Vec<M>, Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.errno() != Some(ENOENT) => Err(error),
        _ => Ok(()),
    }
}

/// The table of connection tracking.
#[derive(Debug)]
pub struct Tracking<T> {
    connection: Connection<T>,
}

impl<T: Transport> Tracking<T> {
    /// Over a transport of netfilter. The kernel loads connection tracking for it.
    pub fn new(transport: T) -> Self {
        Tracking {
            connection: Connection::new(transport),
        }
    }

    /// The connections to, or from, one of these addresses, whose other address this host translates.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn connections(&mut self, to: &[IpAddr]) -> Result<Vec<TcpConnection>, Error> {
        let mut found = Vec::new();
        for family in [NetfilterProtoFamily::IPv4, NetfilterProtoFamily::IPv6] {
            let message = tracked(family, ConntrackMessage::Get(Vec::new()));
            found.extend(self.connection.dump_of(message, |reply| {
                let mut found = translated(&reply);
                found.retain(|it| to.contains(&it.local.ip()));
                found
            })?);
        }
        Ok(found)
    }

    /// Forgets a connection, so that no address of it is translated any more. It may be gone already.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn end(&mut self, it: &TcpConnection) -> Result<(), Error> {
        let Table::Tracking { from, to } = it.table else {
            return Ok(());
        };
        let family = if to.is_ipv4() {
            NetfilterProtoFamily::IPv4
        } else {
            NetfilterProtoFamily::IPv6
        };
        let tuple = ConntrackAttribute::CtaTupleOrig(vec![
            Tuple::Ip(vec![
                IPTuple::SourceAddress(from.ip()),
                IPTuple::DestinationAddress(to.ip()),
            ]),
            Tuple::Proto(vec![
                ProtoTuple::Protocol(Protocol::Tcp),
                ProtoTuple::SourcePort(from.port()),
                ProtoTuple::DestinationPort(to.port()),
            ]),
        ]);
        let message = tracked(family, ConntrackMessage::Delete(vec![tuple]));
        gone_is_well(self.connection.request(message, 0))
    }
}

fn tracked(family: NetfilterProtoFamily, message: ConntrackMessage) -> NetfilterMessage {
    NetfilterMessage::new(NetfilterHeader::new(family, 0, 0), message)
}

/// What an entry of connection tracking is to the other ends of this host's connections: one that was made to here, or from
/// here, or from a container to another by way of this host.
fn translated(message: &NetfilterMessage) -> Vec<TcpConnection> {
    let NetfilterMessageInner::Conntrack(ConntrackMessage::New(attributes)) = &message.inner else {
        return Vec::new();
    };
    let (mut original, mut reply, mut state) = (None, None, None);
    for attribute in attributes {
        match attribute {
            ConntrackAttribute::CtaTupleOrig(tuple) => original = ends(tuple),
            ConntrackAttribute::CtaTupleReply(tuple) => reply = ends(tuple),
            ConntrackAttribute::CtaProtoInfo(infos) => state = infos.iter().find_map(state_of),
            _ => {}
        }
    }
    let (Some((from, to)), Some((back_from, back_to)), Some(state)) = (original, reply, state)
    else {
        return Vec::new();
    };
    let table = Table::Tracking { from, to };
    let found = |client, local, translates: bool| {
        let it = TcpConnection {
            client,
            local,
            state,
            table,
        };
        lives(it).filter(|_| translates)
    };
    let to_here = found(from, to, back_from != to);
    let from_here = found(back_from, back_to, back_to != from);
    to_here.into_iter().chain(from_here).collect()
}

fn state_of(info: &ProtoInfo) -> Option<&'static str> {
    let ProtoInfo::TCP(infos) = info else {
        return None;
    };
    infos.iter().find_map(|info| match info {
        ProtoInfoTCP::State(state) => TRACKING_STATES.get(usize::from(*state)).copied(),
        _ => None,
    })
}

/// Source and destination of a tuple of TCP.
fn ends(tuple: &[Tuple]) -> Option<(SocketAddr, SocketAddr)> {
    let (mut addresses, mut ports) = ((None, None), (None, None));
    for part in tuple {
        match part {
            Tuple::Ip(parts) => {
                for part in parts {
                    match part {
                        IPTuple::SourceAddress(address) => addresses.0 = Some(*address),
                        IPTuple::DestinationAddress(address) => addresses.1 = Some(*address),
                        _ => {}
                    }
                }
            }
            Tuple::Proto(parts) => {
                for part in parts {
                    match part {
                        ProtoTuple::SourcePort(port) => ports.0 = Some(*port),
                        ProtoTuple::DestinationPort(port) => ports.1 = Some(*port),
                        ProtoTuple::Protocol(protocol) if *protocol != Protocol::Tcp => {
                            return None;
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let source = SocketAddr::new(addresses.0?, ports.0?);
    Some((source, SocketAddr::new(addresses.1?, ports.1?)))
}
