// SPDX-License-Identifier: GPL-2.0-only

//! Frames as bytes: the header, the tag, and a reader and a writer that cannot go astray.
//!
//! Every frame is `header | body | tag`, big-endian, at most [`FRAME_MAX`] bytes. The header is the same in
//! all versions of the protocol:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 2 | magic: `nb` |
//! | 2 | 1 | version of this frame |
//! | 3 | 1 | lowest version that the sender speaks |
//! | 4 | 1 | highest version that the sender speaks |
//! | 5 | 1 | [`Kind`] |
//! | 6 | 1 | key id; 0: the cluster has no key |
//! | 7 | 1 | host id of the sender, 1–64 |
//! | 8 | 8 | cluster id |
//! | 16 | 8 | incarnation of the sender |
//! | 24 | 8 | sequence: grows with every frame of this incarnation, from 1 |
//! | 32 | 2 | length of the frame, header and tag included |
//! | 34 | 2 | bit 0: the sender serves in a view; the others are 0 when sent, ignored when received |
//! | 36 | 8 | stamp: a keyed hash of the 36 bytes before it (see [`super::auth`]) |
//! | 44 | | body, by kind: [`super::heartbeat`], [`super::change`], [`super::mapframe`], `residue` |
//! | length − 16 | 16 | tag over everything before it |
//!
//! What follows the last field that is known of a body is ignored: a later version may have put it there.

use super::auth::{Authenticator, Verified};
use super::host::HostId;
use super::limits::{FRAME_MAX, TAG_LEN};
use super::state::named;

/// The lowest and the highest version of the protocol that this code speaks.
///
/// Version 2 has the frames of version 1; it exists so that the negotiation is not an untested promise.
pub const VERSIONS: (u8, u8) = (1, 2);

/// The first two bytes of a frame.
pub const MAGIC: [u8; 2] = *b"nb";

/// Bytes of the header that the stamp covers.
pub const STAMPED_LEN: usize = 36;

/// Bytes of the header.
pub const HEADER_LEN: usize = 44;
/// Where the host id of the sender is.
const SENDER_AT: usize = 7;

/// Bit of the header: the sender serves in a view.
const SERVING: u16 = 1;

/// Where the length is in the header.
const LENGTH_AT: usize = 32;

named! {
    /// Kinds of frames.
    Kind {
        /// The state of a host: [`super::super::heartbeat`].
        Heartbeat = 1 "heartbeat",
        /// A step of a change, from the leader: [`super::super::change`].
        Change = 2 "change",
        /// A member lacks parts of a map: [`super::super::mapframe`].
        MapRequest = 3 "map-request",
        /// A part of a map: [`super::super::mapframe`].
        MapPart = 4 "map-part",
        /// Weights of members, from the leader to one who has not heard them: [`super::super::mapframe`].
        Inputs = 5 "inputs",
        /// Buckets that the sender may hold sessions of without owning them: [`super::super::residue`].
        Residue = 6 "residue",
        /// Hosts shall tell all of their residue: [`super::super::residue`].
        ResidueRequest = 7 "residue-request",
    }
}

named! {
    /// How far a member is with the proposal that it names.
    Phase {
        /// It has none.
        Idle = 0 "idle",
        /// It lacks the base map or weights.
        Fetching = 1 "fetching",
        /// It has computed the map, and the result is the leader's.
        Ready = 2 "ready",
        /// It has let go of the buckets that it loses.
        Released = 3 "released",
        /// The base map is not what the leader says it is.
        RefusedBase = 4 "refused-base",
        /// The result is not what the leader says it is.
        RefusedResult = 5 "refused-result",
        /// The rules that the proposal names are not those in force or staged here.
        RefusedRules = 6 "refused-rules",
    }
}

/// Bits of a heartbeat about its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flags(pub u16);

impl Flags {
    /// None.
    pub const EMPTY: Flags = Flags(0);
    /// It listened for the silence time and knows of no view.
    pub const LISTENED: Flags = Flags(1);
    /// It owns less than its map says.
    pub const DEFICIT: Flags = Flags(1 << 1);
    /// Its cluster interface is cut.
    pub const CUT: Flags = Flags(1 << 2);
    /// A VIP is missing from its interface.
    pub const VIP_MISSING: Flags = Flags(1 << 3);
    /// It takes no new connections.
    pub const DRAINING: Flags = Flags(1 << 4);
    /// It wants to leave and serves until it is released.
    pub const LEAVING: Flags = Flags(1 << 5);
    /// Another live host has its id; it stays out.
    pub const DUPLICATE: Flags = Flags(1 << 6);
    /// Frames reach it over the segment.
    pub const SEGMENT_ALIVE: Flags = Flags(1 << 7);
    /// It takes no buckets, whatever its weights; part of its inputs.
    pub const IDLE: Flags = Flags(1 << 8);
    /// Frames to a virtual MAC do not reach it.
    pub const STARVED: Flags = Flags(1 << 9);
    /// Its inputs last changed for what its clients met: it gave a rule up, tries it or took it again.
    pub const HEALTH: Flags = Flags(1 << 10);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags, with `other` if `on`.
    #[must_use]
    pub const fn with(self, other: Flags, on: bool) -> Flags {
        if on {
            Flags(self.0 | other.0)
        } else {
            self
        }
    }
}

/// The identity of a generation. Numbers grow; leader and incarnation keep two leaders that choose the same
/// number apart, so that one id never has two outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GenId {
    /// The number that people see; 0: no generation.
    pub number: u64,
    /// Host id of the leader that proposed it; 0 if there is no generation.
    pub leader: u8,
    /// Incarnation of that leader.
    pub incarnation: u64,
}

impl GenId {
    /// No generation.
    pub const NONE: GenId = GenId {
        number: 0,
        leader: 0,
        incarnation: 0,
    };

    /// Whether this is no generation.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.number == 0
    }
}

/// Reads big-endian fields off a slice. What is not there is `None`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub(super) const fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    /// The next `len` bytes.
    pub(super) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn generation(&mut self) -> Option<GenId> {
        Some(GenId {
            number: self.u64()?,
            leader: self.u8()?,
            incarnation: self.u64()?,
        })
    }
}

/// Writes big-endian fields into a slice. After a write that found no room, the writer has failed for good.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    buf: &'a mut [u8],
    len: usize,
    failed: bool,
}

impl<'a> Writer<'a> {
    /// Writes from position `len` of `buf` on.
    pub(super) fn new(buf: &'a mut [u8], len: usize) -> Writer<'a> {
        Writer {
            buf,
            len,
            failed: false,
        }
    }

    /// The length so far; `None` if something found no room.
    pub(super) fn finish(self) -> Option<usize> {
        (!self.failed).then_some(self.len)
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.buf.get_mut(self.len..end) {
            Some(room) => {
                copy(room, bytes);
                self.len = end;
            }
            None => self.failed = true,
        }
    }

    /// Overwrites one byte that was written before.
    pub(super) fn patch_u8(&mut self, at: usize, value: u8) {
        match self.buf.get_mut(at) {
            Some(byte) => *byte = value,
            None => self.failed = true,
        }
    }

    /// Where the next byte goes.
    pub(super) const fn position(&self) -> usize {
        self.len
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn generation(&mut self, id: GenId) {
        self.u64(id.number);
        self.u8(id.leader);
        self.u64(id.incarnation);
    }
}

/// Copies as much as both have: `copy_from_slice` without its panic.
pub(super) fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version of this frame.
    pub version: u8,
    /// Lowest and highest version that the sender speaks.
    pub versions: (u8, u8),
    /// What the body is; the raw number, as a later version may have kinds that are not known here.
    pub kind: u8,
    /// Key that stamp and tag were made with.
    pub key_id: u8,
    /// The sender.
    pub host: HostId,
    /// Its cluster.
    pub cluster_id: u64,
    /// Its incarnation.
    pub incarnation: u64,
    /// Its sequence.
    pub seq: u64,
    /// It serves in a view. In the header, so that a host that does not understand the body knows it too.
    pub serving: bool,
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Shorter than header and tag, shorter than its own length field, or that field is out of range.
    Length,
    /// It does not start with [`MAGIC`].
    Magic,
    /// The host id is not in 1 to 64, or the incarnation or the sequence is 0.
    Host,
}

/// A frame whose header was parsed. Nothing in it counts before [`Frame::verify`].
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The header.
    pub header: Header,
    bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Parses the header. Bytes after the frame's own length are padding and ignored.
    ///
    /// # Errors
    ///
    /// Says which check failed first.
    pub fn parse(bytes: &'a [u8]) -> Result<Frame<'a>, FrameError> {
        if bytes.len() < HEADER_LEN.saturating_add(TAG_LEN) {
            return Err(FrameError::Length);
        }
        let mut reader = Reader::new(bytes);
        if reader.bytes(MAGIC.len()) != Some(MAGIC.as_slice()) {
            return Err(FrameError::Magic);
        }
        Frame::parse_fields(bytes, reader).ok_or(FrameError::Length)?
    }

    fn parse_fields(
        bytes: &'a [u8],
        mut reader: Reader<'a>,
    ) -> Option<Result<Frame<'a>, FrameError>> {
        let version = reader.u8()?;
        let versions = (reader.u8()?, reader.u8()?);
        let kind = reader.u8()?;
        let key_id = reader.u8()?;
        let host = HostId::new(reader.u8()?);
        let cluster_id = reader.u64()?;
        let incarnation = reader.u64()?;
        let seq = reader.u64()?;
        let len = usize::from(reader.u16()?);
        let serving = reader.u16()? & SERVING != 0;
        if len > FRAME_MAX || len < HEADER_LEN.saturating_add(TAG_LEN) {
            return None;
        }
        let bytes = bytes.get(..len)?;
        let Some(host) = host.filter(|_| incarnation != 0 && seq != 0) else {
            return Some(Err(FrameError::Host));
        };
        let header = Header {
            version,
            versions,
            kind,
            key_id,
            host,
            cluster_id,
            incarnation,
            seq,
            serving,
        };
        Some(Ok(Frame { header, bytes }))
    }

    /// Whether the stamp is right; `None` if the key is not known.
    pub fn stamp_holds<A: Authenticator>(&self, auth: &A) -> Option<bool> {
        let stamped = self.bytes.get(..STAMPED_LEN)?;
        let stamp = self.bytes.get(STAMPED_LEN..HEADER_LEN)?;
        Some(auth.stamp(self.header.key_id, stamped)?.to_be_bytes() == stamp)
    }

    /// Checks the tag.
    pub fn verify<A: Authenticator>(&self, auth: &A) -> Verified {
        let split = self.bytes.len().saturating_sub(TAG_LEN);
        let Some((message, tag)) = self.bytes.split_at_checked(split) else {
            return Verified::Bad;
        };
        match tag.try_into() {
            Ok(tag) => auth.verify(self.header.key_id, message, tag),
            Err(_) => Verified::Bad,
        }
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        let end = self.bytes.len().saturating_sub(TAG_LEN);
        self.bytes.get(HEADER_LEN..end).unwrap_or(&[])
    }
}

/// The host that a frame says that it is of, before anything of it was checked.
#[must_use]
pub fn sender(frame: &[u8]) -> Option<HostId> {
    HostId::new(*frame.get(SENDER_AT)?)
}

/// Makes a frame of a body that was written at [`HEADER_LEN`] of `buf` and ends at `end`: puts the header
/// before it and the tag after it. Returns the length of the frame; `None` if it is too long, or if the key
/// is not known.
pub(super) fn seal<A: Authenticator>(
    buf: &mut [u8],
    end: usize,
    header: &Header,
    auth: &A,
) -> Option<usize> {
    let len = end.saturating_add(TAG_LEN);
    if len > FRAME_MAX || len > buf.len() {
        return None;
    }
    let mut writer = Writer::new(buf, 0);
    writer.bytes(&MAGIC);
    writer.u8(header.version);
    writer.u8(header.versions.0);
    writer.u8(header.versions.1);
    writer.u8(header.kind);
    writer.u8(header.key_id);
    writer.u8(header.host.get());
    writer.u64(header.cluster_id);
    writer.u64(header.incarnation);
    writer.u64(header.seq);
    debug_assert_eq!(writer.position(), LENGTH_AT);
    writer.u16(len as u16);
    writer.u16(if header.serving { SERVING } else { 0 });
    writer.finish()?;
    let stamp = auth.stamp(header.key_id, buf.get(..STAMPED_LEN)?)?;
    copy(buf.get_mut(STAMPED_LEN..HEADER_LEN)?, &stamp.to_be_bytes());
    let tag = auth.sign(header.key_id, buf.get(..end)?)?;
    copy(buf.get_mut(end..len)?, &tag);
    Some(len)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::super::auth::NoKey;
    use super::*;
    use std::{format, vec};

    const HEADER: Header = Header {
        version: 1,
        versions: (1, 2),
        kind: 1,
        key_id: 0,
        host: HostId::FIRST,
        cluster_id: 0x0102_0304_0506_0708,
        incarnation: 0x1112_1314_1516_1718,
        seq: 0x2122_2324_2526_2728,
        serving: true,
    };

    fn frame(buf: &mut [u8]) -> usize {
        buf[HEADER_LEN..HEADER_LEN + 3].copy_from_slice(b"abc");
        seal(buf, HEADER_LEN + 3, &HEADER, &NoKey).unwrap()
    }

    #[test]
    fn the_header_is_what_is_documented_both_ways() {
        let mut buf = [0xee; 100];
        let len = frame(&mut buf);
        let golden = [
            b'n', b'b', 1, 1, 2, 1, 0, 1, // magic, versions, kind, key id, host
            1, 2, 3, 4, 5, 6, 7, 8, // cluster id
            0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, // incarnation
            0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, // sequence
            0, 63, 0, 1, // length, serving
            0, 0, 0, 0, 0, 0, 0, 0, // stamp
            b'a', b'b', b'c', // body
        ];
        assert_eq!(len, 63);
        assert_eq!(buf[..47], golden);
        assert_eq!(buf[47..63], [0; TAG_LEN]);
        // Padding of a short Ethernet frame is none of ours.
        let frame = Frame::parse(&buf).unwrap();
        assert_eq!(frame.header, HEADER);
        assert_eq!(frame.body(), b"abc");
        assert_eq!(frame.stamp_holds(&NoKey), Some(true));
        assert_eq!(frame.verify(&NoKey), Verified::Ok);
    }

    #[test]
    fn frames_out_of_shape_are_refused_by_name() {
        let mut buf = [0; 100];
        let len = frame(&mut buf);
        let error = |at: usize, value: u8| {
            let mut bytes = buf;
            bytes[at] = value;
            Frame::parse(&bytes[..len]).map(|frame| frame.header).err()
        };
        assert_eq!(error(0, 0), Some(FrameError::Magic));
        assert_eq!(error(7, 0), Some(FrameError::Host));
        assert_eq!(error(7, 65), Some(FrameError::Host));
        assert_eq!(error(33, 64), Some(FrameError::Length));
        assert_eq!(error(33, 59), Some(FrameError::Length));
        assert_eq!(error(32, 255), Some(FrameError::Length));
        assert_eq!(
            Frame::parse(&buf[..59]).map(|frame| frame.header),
            Err(FrameError::Length)
        );
    }

    #[test]
    fn what_does_not_fit_is_not_sealed() {
        let mut buf = [0; 62];
        assert_eq!(seal(&mut buf, 47, &HEADER, &NoKey), None);
        let mut writer = Writer::new(&mut buf[..4], 0);
        writer.u32(1);
        writer.u8(1);
        assert_eq!(writer.finish(), None);
    }

    #[test]
    fn fuzz_frame() {
        let mut buf = [0; 100];
        let len = frame(&mut buf);
        let mut long = [7; FRAME_MAX];
        let end = FRAME_MAX - TAG_LEN;
        assert_eq!(seal(&mut long, end, &HEADER, &NoKey), Some(FRAME_MAX));
        let fuzz = nlb_fuzz::Fuzz::new("frame").seeds([&buf[..len], &buf, &long]);
        fuzz.longest(FRAME_MAX + 100).run(|bytes| {
            let frame = match Frame::parse(bytes) {
                Ok(frame) => frame,
                Err(error) => return nlb_fuzz::outcome(format!("{error:?}")),
            };
            let header = frame.header;
            let len = HEADER_LEN + frame.body().len() + TAG_LEN;
            assert!(len <= bytes.len() && len <= FRAME_MAX);
            assert_eq!(len, usize::from(u16::from_be_bytes([bytes[32], bytes[33]])));
            // Nothing behind the frame counts, and nothing of it may be missing.
            let alone = Frame::parse(&bytes[..len]).expect("padding is none of ours");
            assert_eq!((alone.header, alone.body()), (header, frame.body()));
            assert_eq!(
                Frame::parse(&bytes[..len - 1]).map(|frame| frame.header),
                Err(FrameError::Length)
            );
            // Sealed again, all but reserved bits, stamp and tag is as it was.
            let mut again = vec![0; len];
            again[HEADER_LEN..len - TAG_LEN].copy_from_slice(frame.body());
            if header.key_id == 0 {
                assert_eq!(seal(&mut again, len - TAG_LEN, &header, &NoKey), Some(len));
                assert_eq!(again[..34], bytes[..34]);
                assert_eq!(again[35], bytes[35] & 1);
                let again = Frame::parse(&again).expect("what was sealed can be read");
                assert_eq!(again.header, header);
                assert_eq!(again.verify(&NoKey), Verified::Ok);
            } else {
                assert_eq!(seal(&mut again, len - TAG_LEN, &header, &NoKey), None);
                assert_eq!(frame.verify(&NoKey), Verified::UnknownKey);
            }
            nlb_fuzz::outcome((
                header.kind,
                header.version,
                header.host,
                header.serving,
                frame.stamp_holds(&NoKey),
                format!("{:?}", frame.verify(&NoKey)),
            ))
        });
    }
}
