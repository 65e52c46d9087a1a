// SPDX-License-Identifier: GPL-2.0-only

//! Inputs as files and as text.

use std::fs;
use std::path::{Path, PathBuf};

/// The inputs of a directory; none if there is no such directory yet.
pub(crate) fn stored(directory: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
        .iter()
        .filter_map(|path| fs::read(path).ok())
        .collect()
}

/// Keeps an input.
pub(crate) fn store(directory: &Path, input: &[u8]) -> PathBuf {
    write(directory, "", input)
}

/// Keeps an input that failed.
pub(crate) fn store_failure(directory: &Path, input: &[u8]) -> PathBuf {
    write(directory, "failed-", input)
}

fn write(directory: &Path, before: &str, input: &[u8]) -> PathBuf {
    let file = directory.join(format!("{before}{:016x}", super::outcome(input)));
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&file, input))
        .expect("the directory of NLB_FUZZ_KEEP can be written");
    file
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
