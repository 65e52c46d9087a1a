// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm genkey`

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{failure::Failure, keyfile, output::keys::GenkeyShape};

/// A new key file.
pub(crate) fn run() -> Result<GenkeyShape, Failure> {
    let (key, seed) = keyfile::generate()?;
    Ok(GenkeyShape {
        key: STANDARD.encode(key),
        seed: STANDARD.encode(seed),
    })
}
