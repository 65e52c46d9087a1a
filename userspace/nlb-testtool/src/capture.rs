// SPDX-License-Identifier: GPL-2.0-only
//! The frames of a capture file, one after the other.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{LegacyPcapReader, Linktype, PcapBlockOwned, PcapError};

/// Call `each` with every frame of an Ethernet capture, as `tcpdump -w`
/// writes it.
pub(crate) fn frames(path: &Path, mut each: impl FnMut(&[u8])) -> Result<()> {
    timed_frames(path, |_, frame| each(frame))
}

/// The same with the time of each, since the epoch.
pub(crate) fn timed_frames(path: &Path, mut each: impl FnMut(Duration, &[u8])) -> Result<()> {
    let name = path.display();
    let file = File::open(path).with_context(|| name.to_string())?;
    let mut reader =
        LegacyPcapReader::new(1 << 20, file).map_err(|error| anyhow!("{name}: {error:?}"))?;
    loop {
        match reader.next() {
            Ok((used, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        if header.network != Linktype::ETHERNET {
                            bail!("{name}: not a capture of an Ethernet interface");
                        }
                    }
                    PcapBlockOwned::Legacy(packet) => {
                        let time = Duration::from_secs(packet.ts_sec.into())
                            + Duration::from_micros(packet.ts_usec.into());
                        each(time, packet.data);
                    }
                    PcapBlockOwned::NG(_) => bail!("{name}: not a legacy pcap file"),
                }
                reader.consume(used);
            }
            // A record cut short: tcpdump was killed in the middle of it.
            Err(PcapError::Eof | PcapError::UnexpectedEof) => return Ok(()),
            Err(PcapError::Incomplete(_)) => {
                reader
                    .refill()
                    .map_err(|error| anyhow!("{name}: {error:?}"))?;
            }
            Err(error) => bail!("{name}: {error:?}"),
        }
    }
}
