// SPDX-License-Identifier: GPL-2.0-only

//! Sessions of what has no socket here that could be asked: tracked UDP, tunnels, SCTP. What is remembered of one,
//! for how long, and the table of all.
//!
//! A session is known by its flow, not by the client alone as affinity single would have it: a client's new session
//! belongs to the new owner of its bucket, and must not keep the memory of the old one alive. Tunnels are the
//! exception: their data has no ports, and their control changes ports in mid-session (RFC 3947 section 4), so all
//! that a client sends to a VIP's IKE, NAT-T, ESP and AH is one session.
//!
//! The table is a slice of cells of the caller's ([`Cells`]), eight to a set, and a session may stand in either of
//! two sets, chosen by a keyed hash: so nobody can aim at a set, and hardly a cell stays empty before both sets of
//! some session are full. There is no lock. A cell is taken by exchanging its head, is invisible while it is
//! written, and a reader looks at the head again after it has read the rest. Nothing is ever freed: a cell whose
//! session has expired is free for the next one. Two packets of a new session on two CPUs can both remember it; the
//! second cell is never found again and expires.

use super::limits::{
    SESSION_GRE_NS, SESSION_IPSEC_NS, SESSION_NEW_NS, SESSION_SCTP_NS, SESSION_UDP_NS,
};
use super::packet::{
    Flow, PROTO_AH, PROTO_ESP, PROTO_GRE, PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, PROTO_TCP,
    PROTO_UDP, PROTO_UDPLITE,
};
use super::rules::{PORT_IKE, PORT_L2TP, PORT_NAT_T, PORT_PPTP};
use super::siphash::{Digest, SipKey};
use super::time::Instant;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Cells of a set.
pub const SET: usize = 8;

/// Words of a cell besides its head.
pub const FIELDS: usize = 6;

/// Bytes that a session takes.
pub const BYTES: usize = (FIELDS + 1) * 8;

/// Time is kept in units of 2^28 ns, about a quarter of a second: a session's cell is written that often at most,
/// however many packets it has.
const TIME_SHIFT: u32 = 28;

/// What a session is remembered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionKey {
    client: [u64; 2],
    vip: [u64; 2],
    /// Client's port, VIP's port, protocol, and whether it is IPv6.
    rest: u64,
}

const PROTOCOL_AT: u32 = 32;
const V6_AT: u32 = 40;

impl SessionKey {
    /// The session of a flow; `None` for TCP, whose sockets are asked.
    #[must_use]
    pub fn of(flow: &Flow) -> Option<SessionKey> {
        let (protocol, ports) = match (flow.protocol, flow.vip_port) {
            (PROTO_UDP, PORT_IKE | PORT_NAT_T) | (PROTO_ESP | PROTO_AH, _) => {
                (PROTO_ESP, [0, PORT_IKE])
            }
            (PROTO_UDP, PORT_L2TP) => (PROTO_UDP, [0, PORT_L2TP]),
            (PROTO_UDP | PROTO_UDPLITE | PROTO_SCTP, port) => {
                (flow.protocol, [flow.client_port, port])
            }
            (PROTO_GRE | PROTO_ICMP | PROTO_ICMPV6, _) => (flow.protocol, [0, 0]),
            _ => return None,
        };
        let [client_port, vip_port] = ports;
        let rest = u64::from(client_port)
            | (u64::from(vip_port) << 16)
            | (u64::from(protocol) << PROTOCOL_AT)
            | (u64::from(flow.vip.is_ipv6()) << V6_AT);
        Some(SessionKey {
            client: words(flow.client),
            vip: words(flow.vip),
            rest,
        })
    }

    /// The session that lives as long as a TCP connection: the tunnel that PPTP controls by it (RFC 2637), whose data, by
    /// GRE, may be silent for longer than [`SESSION_GRE_NS`]. `None` if it controls none.
    #[must_use]
    pub fn controlled_by(flow: &Flow) -> Option<SessionKey> {
        if flow.protocol != PROTO_TCP || flow.vip_port != PORT_PPTP {
            return None;
        }
        SessionKey::of(&Flow {
            protocol: PROTO_GRE,
            client_port: 0,
            vip_port: 0,
            ..*flow
        })
    }

    /// The flow, as far as the key has it: enough to find rule and bucket.
    #[must_use]
    pub fn flow(&self) -> Flow {
        let v6 = (self.rest >> V6_AT) & 1 != 0;
        Flow {
            protocol: self.protocol(),
            client: address(self.client, v6),
            client_port: self.rest as u16,
            vip: address(self.vip, v6),
            vip_port: (self.rest >> 16) as u16,
        }
    }

    fn protocol(&self) -> u8 {
        (self.rest >> PROTOCOL_AT) as u8
    }

    /// How long the session is remembered after its last packet.
    #[must_use]
    pub fn timeout_ns(&self) -> u64 {
        match (self.protocol(), (self.rest >> 16) as u16) {
            (PROTO_ESP, _) | (PROTO_UDP, PORT_L2TP) => SESSION_IPSEC_NS,
            (PROTO_GRE, _) => SESSION_GRE_NS,
            (PROTO_SCTP, _) => SESSION_SCTP_NS,
            (PROTO_ICMP | PROTO_ICMPV6, _) => SESSION_NEW_NS,
            _ => SESSION_UDP_NS,
        }
    }

    fn fields(&self, seen: u64) -> [u64; FIELDS] {
        let ([a, b], [c, d]) = (self.client, self.vip);
        [a, b, c, d, self.rest, seen]
    }
}

fn words(address: IpAddr) -> [u64; 2] {
    let bits = match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    [(bits >> 64) as u64, bits as u64]
}

fn address([high, low]: [u64; 2], v6: bool) -> IpAddr {
    if v6 {
        IpAddr::V6(Ipv6Addr::from((u128::from(high) << 64) | u128::from(low)))
    } else {
        IpAddr::V4(Ipv4Addr::from(low as u32))
    }
}

/// Where the cells are. They are zero at first.
///
/// Loads and stores of a head order the fields, as acquire and release do; for the fields alone there is no order.
pub trait Cells {
    /// Number of cells; a multiple of [`SET`], or those beyond the last whole set are not used.
    fn len(&self) -> usize;
    /// Whether there are no cells.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Reads the head of a cell, before its fields; 0 beyond the end.
    fn head(&self, cell: usize) -> u64;
    /// Reads the head of a cell once more, after its fields.
    fn head_after(&self, cell: usize) -> u64;
    /// Writes the head of a cell, after its fields.
    fn set_head(&self, cell: usize, head: u64);
    /// Writes the head of a cell, before its fields, if it is what was expected: whether it was.
    fn exchange_head(&self, cell: usize, expected: u64, head: u64) -> bool;
    /// Reads a field; 0 beyond the end.
    fn field(&self, cell: usize, field: usize) -> u64;
    /// Writes a field; nothing beyond the end.
    fn set_field(&self, cell: usize, field: usize, value: u64);
}

/// The field that says when the last packet came, in units of time, and above that whether it was more than one.
const SEEN: usize = 5;
const CONFIRMED: u64 = 1 << 63;

/// A head: two bits for the state, a count of its sessions so that no reader takes one for the other, and a tag.
const STATE: u64 = 3;
const BUSY: u64 = 1;
const VALID: u64 = 2;
const COUNT_ONE: u64 = 4;
const TAG_AT: u32 = 32;

/// What became of a session that was to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It is known already, and its time begins anew.
    Known,
    /// It is remembered from now on.
    New,
    /// There is no room.
    Full,
}

/// A session in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// What it is known by.
    pub key: SessionKey,
    seen: u64,
}

impl Session {
    fn is_live(&self, now: u64) -> bool {
        let timeout = if self.seen & CONFIRMED != 0 {
            self.key.timeout_ns()
        } else {
            // Whoever sends a single packet from a made-up address does not keep a cell for long.
            self.key.timeout_ns().min(SESSION_NEW_NS)
        };
        now.saturating_sub(self.seen & !CONFIRMED) <= timeout >> TIME_SHIFT
    }
}

/// The table: cells, and the key of the hash that finds them.
#[derive(Clone, Copy, Debug)]
pub struct Sessions<'a, C> {
    cells: &'a C,
    key: &'a SipKey,
}

/// Where a session may stand.
#[derive(Clone, Copy, Debug)]
struct Place {
    sets: [usize; 2],
    tag: u64,
}

impl<'a, C: Cells> Sessions<'a, C> {
    /// The table in these cells, hashed under this key: a secret, made at random.
    pub fn new(cells: &'a C, key: &'a SipKey) -> Self {
        Sessions { cells, key }
    }

    /// Whether a session is known. If it is, and the packet is one of the session itself (`its_own`, other than an
    /// ICMP error about it), its time begins anew.
    #[must_use]
    pub fn recall(&self, key: &SessionKey, its_own: bool, now: Instant) -> bool {
        let now = now.0 >> TIME_SHIFT;
        let found = self.find(&self.place(key), key, now);
        if let Some((cell, session)) = found.filter(|_| its_own) {
            self.refresh(cell, session.seen, now, true);
        }
        found.is_some()
    }

    /// Remembers a session. `first`: this packet may be its first, and says nothing of another one.
    pub fn note(&self, key: &SessionKey, first: bool, now: Instant) -> Noted {
        let now = now.0 >> TIME_SHIFT;
        let place = self.place(key);
        if let Some((cell, session)) = self.find(&place, key, now) {
            self.refresh(cell, session.seen, now, !first);
            return Noted::Known;
        }
        if self.write(&place, key, now) {
            Noted::New
        } else {
            Noted::Full
        }
    }

    /// Takes a session over from another table as it is; false if there is no room.
    pub fn adopt(&self, session: &Session) -> bool {
        self.write(&self.place(&session.key), &session.key, session.seen)
    }

    /// The session in a cell, if there is one that has not expired.
    #[must_use]
    pub fn get(&self, cell: usize, now: Instant) -> Option<Session> {
        let session = self.read(cell, self.cells.head(cell))?;
        session.is_live(now.0 >> TIME_SHIFT).then_some(session)
    }

    /// The two sets, each by one half of the hash and multiply-shift.
    fn place(&self, key: &SessionKey) -> Place {
        let mut digest = Digest::new(self.key);
        for word in key.fields(0) {
            digest.word(word);
        }
        let hash = digest.finish();
        let sets = (self.cells.len() / SET) as u64;
        let set = |part: u64| ((part & 0xffff_ffff).wrapping_mul(sets) >> 32) as usize;
        Place {
            sets: [set(hash), set(hash >> 32)],
            tag: hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> TAG_AT,
        }
    }

    /// The cells of a set; none if there is no whole set.
    fn cells_of(&self, set: usize) -> core::ops::Range<usize> {
        let first = set.wrapping_mul(SET);
        let end = first.saturating_add(SET);
        first..if end <= self.cells.len() { end } else { first }
    }

    fn find(&self, place: &Place, key: &SessionKey, now: u64) -> Option<(usize, Session)> {
        for set in place.sets {
            for cell in self.cells_of(set) {
                let head = self.cells.head(cell);
                if head & STATE != VALID || head >> TAG_AT != place.tag {
                    continue;
                }
                match self.read(cell, head) {
                    Some(session) if session.key == *key && session.is_live(now) => {
                        return Some((cell, session));
                    }
                    _ => {}
                }
            }
        }
        None
    }

    /// What is in a cell; `None` if it is free, being written, or was written meanwhile.
    fn read(&self, cell: usize, head: u64) -> Option<Session> {
        if head & STATE != VALID {
            return None;
        }
        let field = |number| self.cells.field(cell, number);
        let session = Session {
            key: SessionKey {
                client: [field(0), field(1)],
                vip: [field(2), field(3)],
                rest: field(4),
            },
            seen: field(SEEN),
        };
        (self.cells.head_after(cell) == head).then_some(session)
    }

    /// A race with a cell that is given to another session at this moment makes that one look younger: no harm.
    fn refresh(&self, cell: usize, seen: u64, now: u64, confirmed: bool) {
        let seen_now = now | seen & CONFIRMED | if confirmed { CONFIRMED } else { 0 };
        if seen_now != seen {
            self.cells.set_field(cell, SEEN, seen_now);
        }
    }

    /// Writes a session into the emptier of its two sets.
    fn write(&self, place: &Place, key: &SessionKey, seen: u64) -> bool {
        let now = seen & !CONFIRMED;
        let [one, other] = place.sets;
        let sets = if self.free(one, now) >= self.free(other, now) {
            [one, other]
        } else {
            [other, one]
        };
        for set in sets {
            for cell in self.cells_of(set) {
                let head = self.cells.head(cell);
                if !self.is_free(cell, head, now) {
                    continue;
                }
                let count = head & (u64::MAX >> TAG_AT) & !STATE;
                let count = count.wrapping_add(COUNT_ONE) & (u64::MAX >> TAG_AT);
                if !self.cells.exchange_head(cell, head, count | BUSY) {
                    continue;
                }
                for (number, value) in (0..FIELDS).zip(key.fields(seen)) {
                    self.cells.set_field(cell, number, value);
                }
                self.cells
                    .set_head(cell, (place.tag << TAG_AT) | count | VALID);
                return true;
            }
        }
        false
    }

    fn free(&self, set: usize, now: u64) -> usize {
        self.cells_of(set)
            .filter(|cell| self.is_free(*cell, self.cells.head(*cell), now))
            .fold(0, |free: usize, _| free.wrapping_add(1))
    }

    fn is_free(&self, cell: usize, head: u64, now: u64) -> bool {
        match head & STATE {
            VALID => match self.read(cell, head) {
                Some(session) => !session.is_live(now),
                None => false,
            },
            // One that is being written will be valid in a moment.
            BUSY => false,
            _ => cell < self.cells.len(),
        }
    }
}
