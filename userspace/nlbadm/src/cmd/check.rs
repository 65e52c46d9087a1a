// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm check`: whether a file is right. It needs neither the kernel nor permissions.

use std::path::Path;

use crate::{
    config::{Config, Machine},
    failure::{Exit, Failure},
    host::Host,
    keyfile,
    output::config::CheckedConfig,
    warn,
};

/// Checks a file, and its key as far as the user may see it.
pub(crate) fn run(host: &mut dyn Host, file: &Path) -> Result<CheckedConfig, Failure> {
    let config = Config::read(file)?;
    if let Some(key) = config.key() {
        match keyfile::open_to_others(key) {
            Ok(false) => {}
            Ok(true) => return Err(keyfile::refuse_open(key)),
            // It is made on one host and checked on another, and only root may look into its folder.
            Err(error) => warn(Some(format!(
                "the key file {} was not looked at: {error}",
                key.display()
            ))),
        }
    }
    let machine = Machine::read(host);
    let section = match config.section(&machine, None) {
        Ok(section) => Some(section),
        Err(failure) if failure.exit == Exit::Usage => {
            warn(Some(failure.message));
            None
        }
        Err(failure) => return Err(failure),
    };
    Ok(CheckedConfig::new(&config, section))
}
