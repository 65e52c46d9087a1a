// SPDX-License-Identifier: GPL-2.0-only

//! Requests and their replies over one socket, one request at a time.

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkDeserializable,
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};

use crate::{
    error::Error,
    extack::{self, AttributeNames},
    transport::Transport,
};

/// How often a list is read anew because it changed meanwhile. A cluster under change converges in well under the
/// time of that many reads; if not, saying so is better than to go on for ever.
pub const DUMP_TRIES: usize = 16;

/// `EINTR`: a dump that was torn may also end with this.
const EINTR: i32 = 4;

/// Requests and their replies over one socket.
#[derive(Debug)]
pub struct Connection<T> {
    transport: T,
    sequence: u32,
}

/// What one message means for the request that is under way.
enum Step<M> {
    Reply(M),
    Finished,
    Ignored,
}

impl<T: Transport> Connection<T> {
    /// A connection over a transport of its own.
    pub fn new(transport: T) -> Self {
        Connection {
            transport,
            sequence: 0,
        }
    }

    /// The transport.
    pub fn transport(&mut self) -> &mut T {
        &mut self.transport
    }

    /// Sends a request and waits until the kernel has acknowledged it; the replies that came before.
    ///
    /// # Errors
    ///
    /// If the kernel refuses, or the socket fails.
    pub fn request<M>(&mut self, message: M, flags: u16) -> Result<Vec<M>, Error>
    where
        M: NetlinkSerializable + NetlinkDeserializable + AttributeNames + Clone,
    {
        let request = self.send(message.clone(), NLM_F_REQUEST | NLM_F_ACK | flags)?;
        let mut replies = Vec::new();
        self.receive(&request, &message, |step| match step {
            Step::Reply(reply) => {
                replies.push(reply);
                false
            }
            Step::Finished => true,
            Step::Ignored => false,
        })?;
        Ok(replies)
    }

    /// Reads a list that has not changed while it was read.
    ///
    /// # Errors
    ///
    /// If the kernel refuses, the socket fails, or the list changed [`DUMP_TRIES`] times in a row.
    pub fn dump<M>(&mut self, message: M) -> Result<Vec<M>, Error>
    where
        M: NetlinkSerializable + NetlinkDeserializable + AttributeNames + Clone,
    {
        self.dump_of(message, |reply| [reply])
    }

    /// The same, of which only what `make` makes of each reply is kept: a list may be long.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn dump_of<M, R, I>(
        &mut self,
        message: M,
        mut make: impl FnMut(M) -> I,
    ) -> Result<Vec<R>, Error>
    where
        M: NetlinkSerializable + NetlinkDeserializable + AttributeNames + Clone,
        I: IntoIterator<Item = R>,
    {
        for _ in 0..DUMP_TRIES {
            let request = self.send(message.clone(), NLM_F_REQUEST | NLM_F_DUMP)?;
            let mut replies = Vec::new();
            let result = self.receive(&request, &message, |step| match step {
                Step::Reply(reply) => {
                    replies.extend(make(reply));
                    false
                }
                Step::Finished => true,
                Step::Ignored => false,
            });
            match result {
                Ok(false) => return Ok(replies),
                Ok(true) => {}
                Err(error) if error.errno() == Some(EINTR) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Torn(DUMP_TRIES))
    }

    /// Waits for the next datagram that nobody asked for, and reads its messages.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] if the kernel had to drop some; otherwise if the socket fails or a message cannot be read.
    pub fn notifications<M>(&mut self) -> Result<Vec<M>, Error>
    where
        M: NetlinkDeserializable,
    {
        let datagram = self.transport.receive().map_err(lost)?;
        let mut notifications = Vec::new();
        for bytes in Messages::new(&datagram) {
            let message = NetlinkMessage::<M>::deserialize(bytes?)?;
            if let NetlinkPayload::InnerMessage(inner) = message.payload {
                notifications.push(inner);
            }
        }
        Ok(notifications)
    }

    /// Sends a request; its bytes, for the offsets in a refusal.
    fn send<M: NetlinkSerializable>(&mut self, message: M, flags: u16) -> Result<Vec<u8>, Error> {
        self.sequence = self.sequence.wrapping_add(1).max(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        message.finalize();
        let mut request = vec![0; message.buffer_len()];
        message.serialize(&mut request);
        self.transport.send(&request)?;
        Ok(request)
    }

    /// Feeds every message that answers the request to `take` until that says that it is enough; whether the kernel
    /// marked one of them as torn.
    fn receive<M>(
        &mut self,
        request: &[u8],
        names: &dyn AttributeNames,
        mut take: impl FnMut(Step<M>) -> bool,
    ) -> Result<bool, Error>
    where
        M: NetlinkDeserializable,
    {
        let mut torn = false;
        loop {
            let datagram = self.transport.receive()?;
            for bytes in Messages::new(&datagram) {
                let bytes = bytes?;
                let buffer = NetlinkBuffer::new_checked(bytes)?;
                // The rest of an earlier dump that ended with an error may still be in the socket.
                if buffer.sequence_number() != self.sequence {
                    continue;
                }
                torn |= buffer.flags() & NLM_F_DUMP_INTR != 0;
                let message = NetlinkMessage::<M>::deserialize(bytes)?;
                let flags = message.header.flags;
                if take(step(message.payload, flags, request, names)?) {
                    return Ok(torn);
                }
            }
        }
    }
}

/// What one message means for the request.
fn step<M>(
    payload: NetlinkPayload<M>,
    flags: u16,
    request: &[u8],
    names: &dyn AttributeNames,
) -> Result<Step<M>, Error> {
    match payload {
        NetlinkPayload::InnerMessage(inner) => Ok(Step::Reply(inner)),
        NetlinkPayload::Error(error) => match error.code {
            None => Ok(Step::Finished),
            Some(code) => {
                let errno = code.get().saturating_abs();
                Err(Error::Refused(extack::from_error(
                    errno,
                    flags,
                    &error.header,
                    request,
                    names,
                )))
            }
        },
        NetlinkPayload::Done(done) if done.code < 0 => {
            let errno = done.code.saturating_abs();
            Err(Error::Refused(extack::from_attributes(
                errno,
                &done.extended_ack,
                request,
                names,
            )))
        }
        NetlinkPayload::Done(_) => Ok(Step::Finished),
        _ => Ok(Step::Ignored),
    }
}

/// `ENOBUFS` on a subscription says that notifications are lost.
fn lost(error: std::io::Error) -> Error {
    const ENOBUFS: i32 = 105;
    match error.raw_os_error() {
        Some(ENOBUFS) => Error::Lost,
        _ => Error::Io(error),
    }
}

/// The messages of a datagram, each checked to lie within it.
struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    fn new(datagram: &'a [u8]) -> Self {
        Messages { rest: datagram }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<&'a [u8], Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let buffer = match NetlinkBuffer::new_checked(self.rest) {
            Ok(buffer) => buffer,
            Err(error) => {
                self.rest = &[];
                return Some(Err(error.into()));
            }
        };
        let length = buffer.length() as usize;
        let message = self.rest.get(..length).unwrap_or_default();
        self.rest = self
            .rest
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
        Some(Ok(message))
    }
}
