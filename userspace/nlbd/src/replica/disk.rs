// SPDX-License-Identifier: GPL-2.0-only

//! Files that outlast a power cut, behind a trait so that tests can let the power go at any step.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// What is done to files. Each fails as the call of [`std::fs`] with its name, and the error names the path.
pub(super) trait Disk: Send + std::fmt::Debug {
    /// The text of a file; none if there is no such file.
    fn read(&mut self, path: &Path) -> io::Result<Option<String>>;
    /// Writes a file with this mode, and has it on the disk. After a power cut it may be anything.
    fn write(&mut self, path: &Path, text: &str, mode: u32) -> io::Result<()>;
    /// Gives a file another name, in the place of what has that.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file, if it is there.
    fn remove(&mut self, path: &Path) -> io::Result<()>;
    /// Has the names of a directory on the disk.
    fn sync(&mut self, directory: &Path) -> io::Result<()>;
    /// The mode of a file; none if there is no such file.
    fn mode(&mut self, path: &Path) -> io::Result<Option<u32>>;
}

/// The disks of this machine.
#[derive(Debug)]
pub(super) struct Real;

fn at<T>(path: &Path, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Disk for Real {
    fn read(&mut self, path: &Path) -> io::Result<Option<String>> {
        at(path, there(fs::read_to_string(path)))
    }

    fn write(&mut self, path: &Path, text: &str, mode: u32) -> io::Result<()> {
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(mode)
                .open(path)?;
            file.write_all(text.as_bytes())?;
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file.sync_all()
        };
        at(path, write())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        at(to, fs::rename(from, to))
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        at(path, there(fs::remove_file(path)).map(drop))
    }

    fn sync(&mut self, directory: &Path) -> io::Result<()> {
        at(
            directory,
            File::open(directory).and_then(|it| it.sync_all()),
        )
    }

    fn mode(&mut self, path: &Path) -> io::Result<Option<u32>> {
        let found = at(path, there(fs::metadata(path)))?;
        Ok(found.map(|metadata| metadata.permissions().mode() & 0o7777))
    }
}
