// SPDX-License-Identifier: GPL-2.0-only

//! Key files: a line `key` and a line `seed`, each with its bytes in base64.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use nlb_core::limits::{KEY_LEN, SEED_LEN};

use crate::failure::{Exit, Failure};

/// Longest key file, in bytes: two short lines and room for comments.
const FILE_MAX: u64 = 16 * 1024;

/// Permission bits that let others than the owner read.
const READABLE_BY_OTHERS: u32 = 0o044;

/// What a key file holds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct KeyFile {
    pub(crate) key: [u8; KEY_LEN],
    pub(crate) seed: Option<[u8; SEED_LEN]>,
}

/// Keys are not for logs.
impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyFile")
    }
}

impl KeyFile {
    /// Reads a file; a warning if others than its owner may read it.
    pub(crate) fn read(path: &Path) -> Result<(Self, Option<String>), Failure> {
        let failed = |error: std::io::Error| {
            let (exit, advice) = match error.kind() {
                ErrorKind::PermissionDenied => (Exit::NotPermitted, "; run this as root"),
                ErrorKind::NotFound => (
                    Exit::Usage,
                    "; `nlbadm genkey` makes one, once for the cluster: every host gets the same",
                ),
                _ => (Exit::Failed, ""),
            };
            let path = path.display();
            Failure::new(
                exit,
                format!("the key file {path} cannot be read: {error}{advice}"),
            )
        };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let mode = metadata.permissions().mode();
        let warning = (metadata.is_file() && mode & READABLE_BY_OTHERS != 0).then(|| {
            format!(
                "the key file {} can be read by others; `chmod 600 {}` keeps it secret",
                path.display(),
                path.display()
            )
        });
        let mut text = String::new();
        file.take(FILE_MAX)
            .read_to_string(&mut text)
            .map_err(failed)?;
        let file = KeyFile::parse(&text)
            .map_err(|why| Failure::usage(format!("the key file {}: {why}", path.display())))?;
        Ok((file, warning))
    }

    /// The content of a file from its text. Messages never repeat what is in it.
    fn parse(text: &str) -> Result<Self, String> {
        let (mut key, mut seed) = (None, None);
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let number = index + 1;
            let (word, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            match word {
                "key" => set(&mut key, decode(value, "key", number)?, number)?,
                "seed" => set(&mut seed, decode(value, "seed", number)?, number)?,
                _ => {
                    return Err(format!(
                        "line {number} starts with neither `key` nor `seed`; `nlbadm genkey` prints a right one"
                    ));
                }
            }
        }
        Ok(KeyFile {
            key: key.ok_or("there is no line `key`; `nlbadm genkey` prints one")?,
            seed,
        })
    }
}

/// Whether others than its owner may read a key file. It need not be readable for that.
///
/// # Errors
///
/// If it cannot be found.
pub(crate) fn open_to_others(path: &Path) -> io::Result<bool> {
    let metadata = fs::metadata(path)?;
    Ok(metadata.is_file() && metadata.permissions().mode() & READABLE_BY_OTHERS != 0)
}

/// Refuses a key file that others may read.
pub(crate) fn refuse_open(path: &Path) -> Failure {
    let path = path.display();
    Failure::usage(format!(
        "the key file {path} can be read by others, so anyone here could take part in the cluster: `chmod 600 {path}`, \
         and think of a new key (`nlbadm genkey`)"
    ))
}

/// A new key and a new seed from the kernel's random numbers.
pub(crate) fn generate() -> Result<([u8; KEY_LEN], [u8; SEED_LEN]), Failure> {
    let (mut key, mut seed) = ([0; KEY_LEN], [0; SEED_LEN]);
    getrandom::fill(&mut key)
        .and_then(|()| getrandom::fill(&mut seed))
        .map_err(|error| Failure::new(Exit::Failed, format!("no random numbers: {error}")))?;
    Ok((key, seed))
}

fn set<T>(place: &mut Option<T>, value: T, number: usize) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!(
            "line {number} gives a second value; one file holds one key"
        )),
    }
}

fn decode<const N: usize>(value: &str, what: &str, number: usize) -> Result<[u8; N], String> {
    let bytes = STANDARD
        .decode(value.trim())
        .map_err(|_| format!("line {number}: the {what} is not base64"))?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| {
        format!(
            "line {number}: the {what} has {length} bytes and must have {N}; `nlbadm genkey` prints a right one"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Report;

    /// The text of a new key file, as `nlbadm genkey` prints it.
    fn new_file() -> String {
        crate::cmd::genkey::run().unwrap().human()
    }

    #[test]
    fn what_genkey_prints_can_be_read() {
        let (first, second) = (new_file(), new_file());
        let file = KeyFile::parse(&first).unwrap();
        assert!(file.seed.is_some());
        assert_ne!(file, KeyFile::parse(&second).unwrap());
    }

    #[test]
    fn comments_and_a_missing_seed_are_fine() {
        let text = format!(
            "# of the web cluster\n\n  key {}  \n",
            STANDARD.encode([7; KEY_LEN])
        );
        let file = KeyFile::parse(&text).unwrap();
        assert_eq!(file.key, [7; KEY_LEN]);
        assert_eq!(file.seed, None);
    }

    #[test]
    fn wrong_files_are_refused_without_showing_the_key() {
        let short = STANDARD.encode([7; KEY_LEN - 1]);
        let right = STANDARD.encode([7; KEY_LEN]);
        for (text, words) in [
            (String::new(), "no line `key`"),
            (format!("key {short}\n"), "has 31 bytes and must have 32"),
            ("key\n".into(), "has 0 bytes"),
            ("key !!!\n".into(), "not base64"),
            (format!("{right}\n"), "neither `key` nor `seed`"),
            (format!("key {right}\nkey {right}\n"), "second value"),
            (
                format!("key {right}\nseed {right}\n"),
                "the seed has 32 bytes",
            ),
        ] {
            let error = KeyFile::parse(&text).unwrap_err();
            assert!(error.contains(words), "{error}");
            assert!(
                !error.contains(&right) && !error.contains(&short),
                "{error}"
            );
        }
    }

    #[test]
    fn files_readable_by_others_are_warned_of() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, new_file()).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(KeyFile::read(&path).unwrap().1, None);
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(
            KeyFile::read(&path)
                .unwrap()
                .1
                .unwrap()
                .contains("chmod 600")
        );
    }

    #[test]
    fn a_missing_file_is_wrong_usage() {
        let failure = KeyFile::read(Path::new("/nonexistent/key")).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("nlbadm genkey"));
    }

    #[test]
    fn fuzz_key_file() {
        let (key, seed) = (
            STANDARD.encode([7; KEY_LEN]),
            STANDARD.encode([9; SEED_LEN]),
        );
        let fuzz = nlb_fuzz::Fuzz::new("key-file").seeds([
            format!("# comment\nkey {key}\nseed {seed}\n"),
            format!("key\t{key}"),
        ]);
        fuzz.inputs(50_000).run(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            match KeyFile::parse(&text) {
                Ok(file) => {
                    let key = STANDARD.encode(file.key);
                    let seed = file.seed.map(|seed| format!("seed {}", STANDARD.encode(seed)));
                    let again = format!("key {key}\n{}", seed.unwrap_or_default());
                    assert!(KeyFile::parse(&again) == Ok(file.clone()), "read as it was written");
                    nlb_fuzz::outcome((file.seed.is_some(), text.lines().count()))
                }
                Err(why) => {
                    // Whatever is in the file: a message has nothing of it but numbers.
                    let words = why.replace(|c: char| c.is_ascii_digit(), "");
                    let known = [
                        "line  starts with neither `key` nor `seed`; `nlbadm genkey` prints a right one",
                        "line  gives a second value; one file holds one key",
                        "line : the key is not base",
                        "line : the seed is not base",
                        "line : the key has  bytes and must have ; `nlbadm genkey` prints a right one",
                        "line : the seed has  bytes and must have ; `nlbadm genkey` prints a right one",
                        "there is no line `key`; `nlbadm genkey` prints one",
                    ];
                    assert!(known.contains(&words.as_str()), "{why}");
                    nlb_fuzz::outcome(why)
                }
            }
        });
    }
}
