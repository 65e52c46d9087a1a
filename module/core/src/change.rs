// SPDX-License-Identifier: GPL-2.0-only

//! The body of a change frame: the same in each of its steps, so that a step can be understood alone.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | [`Step`] |
//! | 8 | number of the proposed generation; its leader and incarnation are those of the header |
//! | 17 | generation that the change is computed from; number 0: from empty maps |
//! | 8 | digest of the maps of that generation |
//! | 8 | digest of the maps of the result |
//! | 8 | digest of the rules that are in force in the result |
//! | 1 | [`Cause`] |
//! | 1 | host id that the cause is about; 0: none |
//! | 1 + 13n | members of the result: host id 1, incarnation 8, number of its inputs 4 |

use super::host::HostId;
use super::state::{named, Cause};
use super::wire::{GenId, Reader, Writer};

named! {
    /// The steps of a change.
    Step {
        /// Compute the map and say whether it is the leader's.
        Prepare = 1 "prepare",
        /// Let go of the buckets that you lose.
        Release = 2 "release",
        /// Take the buckets that you gain.
        Commit = 3 "commit",
    }
}

/// Bytes of a member.
const ENTRY_LEN: usize = 13;

/// A member of the result, with what identifies its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) host: HostId,
    pub(super) incarnation: u64,
    pub(super) epoch: u32,
}

/// The fields of fixed length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChangeHead {
    pub(super) step: Step,
    pub(super) number: u64,
    pub(super) base: GenId,
    pub(super) base_digest: u64,
    pub(super) result: u64,
    pub(super) rules: u64,
    pub(super) cause: Cause,
    pub(super) about: Option<HostId>,
}

/// A change frame as received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    pub(super) head: ChangeHead,
    entries: &'a [u8],
}

impl<'a> Change<'a> {
    /// Parses a body; `None` if it is too short, a field is out of range, or members are not in order.
    pub(super) fn parse(body: &'a [u8]) -> Option<Change<'a>> {
        let mut reader = Reader::new(body);
        let step = Step::from_u8(reader.u8()?)?;
        let number = reader.u64()?;
        if number == 0 {
            return None;
        }
        let base = reader.generation()?;
        let base_digest = reader.u64()?;
        let result = reader.u64()?;
        let rules = reader.u64()?;
        let cause = Cause::from_u8(reader.u8()?)?;
        let about = HostId::new(reader.u8()?);
        let count = usize::from(reader.u8()?).saturating_mul(ENTRY_LEN);
        let entries = reader.bytes(count)?;
        let head = ChangeHead {
            step,
            number,
            base,
            base_digest,
            result,
            rules,
            cause,
            about,
        };
        let change = Change { head, entries };
        let ordered = change
            .entries()
            .map(|entry| entry.host)
            .is_sorted_by(|a, b| a < b);
        let complete = entries
            .chunks_exact(ENTRY_LEN)
            .all(|entry| read_entry(entry).is_some());
        (ordered && complete).then_some(change)
    }

    /// The members, lowest host id first.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> + 'a {
        self.entries.chunks_exact(ENTRY_LEN).filter_map(read_entry)
    }
}

fn read_entry(bytes: &[u8]) -> Option<Entry> {
    let mut reader = Reader::new(bytes);
    let host = HostId::new(reader.u8()?)?;
    Some(Entry {
        host,
        incarnation: reader.u64()?,
        epoch: reader.u32()?,
    })
}

/// Writes a body.
pub(super) fn write(
    writer: &mut Writer<'_>,
    head: &ChangeHead,
    entries: impl Iterator<Item = Entry>,
) {
    writer.u8(head.step as u8);
    writer.u64(head.number);
    writer.generation(head.base);
    writer.u64(head.base_digest);
    writer.u64(head.result);
    writer.u64(head.rules);
    writer.u8(head.cause as u8);
    writer.u8(head.about.map_or(0, HostId::get));
    super::heartbeat::write_list(writer, entries, |writer, entry| {
        writer.u8(entry.host.get());
        writer.u64(entry.incarnation);
        writer.u32(entry.epoch);
    });
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    const HEAD: ChangeHead = ChangeHead {
        step: Step::Release,
        number: 0x0102,
        base: GenId {
            number: 0x0101,
            leader: 4,
            incarnation: 0xa1,
        },
        base_digest: 0x11,
        result: 0x21,
        rules: 0x31,
        cause: Cause::Died,
        about: HostId::new(7),
    };

    const GOLDEN: &[u8] = &[
        2, // step
        0, 0, 0, 0, 0, 0, 1, 2, // number
        0, 0, 0, 0, 0, 0, 1, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0xa1, // base
        0, 0, 0, 0, 0, 0, 0, 0x11, 0, 0, 0, 0, 0, 0, 0, 0x21, // digests: base, result
        0, 0, 0, 0, 0, 0, 0, 0x31, // rules
        2, 7, // cause, about
        2, // members
        1, 0, 0, 0, 0, 0, 0, 0, 0xb1, 0, 0, 0, 5, // host, incarnation, epoch
        9, 0, 0, 0, 0, 0, 0, 0, 0xb2, 0, 0, 0, 6,
    ];

    fn entries() -> [Entry; 2] {
        [(1, 0xb1, 5), (9, 0xb2, 6)].map(|(host, incarnation, epoch)| Entry {
            host: HostId::new(host).unwrap(),
            incarnation,
            epoch,
        })
    }

    #[test]
    fn the_bytes_are_the_documented_ones_both_ways() {
        let mut buf = [0; 200];
        let mut writer = Writer::new(&mut buf, 0);
        write(&mut writer, &HEAD, entries().into_iter());
        let len = writer.finish().unwrap();
        assert_eq!(&buf[..len], GOLDEN);
        let change = Change::parse(GOLDEN).unwrap();
        assert_eq!(change.head, HEAD);
        assert!(change.entries().eq(entries()));
        for len in 0..GOLDEN.len() {
            assert!(Change::parse(&GOLDEN[..len]).is_none(), "{len} bytes");
        }
    }

    #[test]
    fn members_out_of_order_or_range_are_refused() {
        let first = GOLDEN.len() - 2 * ENTRY_LEN;
        for (at, value) in [
            (first, 9),
            (first, 0),
            (first + ENTRY_LEN, 65),
            (0, 4),
            (50, 200),
        ] {
            let mut bytes = [0; 200];
            bytes[..GOLDEN.len()].copy_from_slice(GOLDEN);
            bytes[at] = value;
            assert!(Change::parse(&bytes[..GOLDEN.len()]).is_none(), "byte {at}");
        }
    }

    #[test]
    fn fuzz_change() {
        let fuzz = nlb_fuzz::Fuzz::new("change").seeds([GOLDEN]);
        fuzz.longest(1500).run(|body| {
            let Some(change) = Change::parse(body) else {
                return 0;
            };
            let mut buf = [0; 4000];
            let mut writer = Writer::new(&mut buf, 0);
            write(&mut writer, &change.head, change.entries());
            let len = writer.finish().expect("it is no longer than it was");
            let about = 51;
            assert_eq!(buf[..about], body[..about]);
            // A host id that there cannot be is read as none.
            assert!(buf[about] == body[about] || buf[about] == 0);
            assert_eq!(buf[about + 1..len], body[about + 1..len]);
            let again = Change::parse(&buf[..len]).expect("what was understood can be read");
            assert_eq!(again.head, change.head);
            assert!(
                Change::parse(&buf[..len - 1]).is_none(),
                "a byte is missing"
            );
            let hosts: Vec<HostId> = change.entries().map(|entry| entry.host).collect();
            assert!(hosts.is_sorted_by(|a, b| a < b), "each member once");
            nlb_fuzz::outcome((
                change.head.step,
                change.head.cause,
                change.head.about.is_some(),
                hosts.len(),
            ))
        });
    }
}
