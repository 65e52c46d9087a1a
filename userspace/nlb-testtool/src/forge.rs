// SPDX-License-Identifier: GPL-2.0-only
//! A key holder who is not like the others: takes a recorded heartbeat and
//! signs it anew, as that of another host or of another version.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nlb_core::auth::Authenticator;
use nlb_core::limits::{ETHERTYPE, TAG_LEN};
use nlb_core::wire::{HEADER_LEN, Kind, STAMPED_LEN};

use crate::key::Key;
use crate::{capture, inject};

/// What to send.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The interface to send on.
    #[arg(long)]
    dev: String,
    /// The recording, with whole frames.
    #[arg(long)]
    file: PathBuf,
    /// The cluster's key, as `nlbadm genkey` prints it.
    #[arg(long)]
    key_file: PathBuf,
    /// Id of that key.
    #[arg(long, default_value_t = 1)]
    key_id: u8,
    /// Host id of the sender.
    #[arg(long)]
    host: u8,
    /// Its incarnation.
    #[arg(long, default_value_t = 1)]
    incarnation: u64,
    /// The only version of the protocol that it speaks.
    #[arg(long)]
    version: u8,
    /// How many frames.
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// Milliseconds between two of them.
    #[arg(long, default_value_t = 100)]
    interval_ms: u64,
}

/// Bytes of an Ethernet header.
const ETHERNET_LEN: usize = 14;

/// Where fields of our header stand.
const VERSIONS_AT: usize = 2;
const KIND_AT: usize = 5;
const KEY_ID_AT: usize = 6;
const HOST_AT: usize = 7;
const INCARNATION_AT: usize = 16;
const SEQUENCE_AT: usize = 24;

/// Send the frames and print how many.
pub(crate) fn run(args: &Args) -> Result<()> {
    let key = Key::read(args.key_id, &args.key_file)?;
    let mut frame = recorded_heartbeat(&args.file)?;
    let mut sender = inject::Sender::open(&args.dev)?;
    let began = Instant::now();
    for number in 0..args.count {
        let due = began + Duration::from_millis(args.interval_ms * number);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let message = &mut frame[ETHERNET_LEN..];
        message[VERSIONS_AT..VERSIONS_AT + 3].fill(args.version);
        message[KEY_ID_AT] = args.key_id;
        message[HOST_AT] = args.host;
        message[INCARNATION_AT..INCARNATION_AT + 8]
            .copy_from_slice(&args.incarnation.to_be_bytes());
        message[SEQUENCE_AT..SEQUENCE_AT + 8].copy_from_slice(&(number + 1).to_be_bytes());
        sign(message, &key).context("the key signs with its own id")?;
        sender.send(&frame)?;
    }
    println!("{{\"sent\":{}}}", sender.sent);
    Ok(())
}

/// The first whole heartbeat of a recording, with its Ethernet header and
/// without padding.
fn recorded_heartbeat(path: &Path) -> Result<Vec<u8>> {
    let mut found = None;
    capture::frames(path, |frame| {
        if found.is_none() && frame.get(12..14) == Some(&ETHERTYPE.to_be_bytes()[..]) {
            found = whole_heartbeat(frame);
        }
    })?;
    found.with_context(|| format!("{}: no whole heartbeat", path.display()))
}

fn whole_heartbeat(frame: &[u8]) -> Option<Vec<u8>> {
    let message = frame.get(ETHERNET_LEN..)?;
    let length = usize::from(u16::from_be_bytes([*message.get(32)?, *message.get(33)?]));
    let fits = (HEADER_LEN + TAG_LEN..=message.len()).contains(&length);
    (fits && message[KIND_AT] == Kind::Heartbeat as u8)
        .then(|| frame[..ETHERNET_LEN + length].to_vec())
}

/// Put stamp and tag of the key into a message.
fn sign(message: &mut [u8], key: &Key) -> Option<()> {
    let stamp = key.stamp(key.key_id(), &message[..STAMPED_LEN])?;
    message[STAMPED_LEN..HEADER_LEN].copy_from_slice(&stamp.to_be_bytes());
    let (signed, tag) = message.split_at_mut(message.len() - TAG_LEN);
    tag.copy_from_slice(&key.sign(key.key_id(), signed)?);
    Some(())
}
