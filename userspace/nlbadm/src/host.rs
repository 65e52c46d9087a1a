// SPDX-License-Identifier: GPL-2.0-only

//! What nlbadm reads of the host beside the cluster: files of the kernel and of the administrator, devices, and the output
//! of other tools. One trait, so that tests can stand in for it; nothing is changed by it.

use std::{
    fs,
    io::{self, Read},
    net::Ipv4Addr,
    path::Path,
    process::Command,
};

use flate2::read::GzDecoder;
use nlb_netlink::{
    Error,
    device::{Filter, Link},
    route::Address,
};

use crate::kernel::Linux;

/// Where tools of administrators are, if the search path of the user lacks it.
const SYSTEM_PROGRAMS: &str = "/usr/sbin";

/// What is read of the host. Methods of devices fail as those of [`nlb_netlink::device::Devices`] with their names.
pub(crate) trait Host {
    /// The text of a file; a byte that is no text is replaced.
    fn read(&mut self, path: &str) -> io::Result<String>;
    /// The bytes of a file; one whose name ends in `.gz`, `.xz` or `.zst` is unpacked.
    fn bytes(&mut self, path: &str) -> io::Result<Vec<u8>>;
    /// The paths of the files in a directory, sorted; none where there is no such directory.
    fn files(&mut self, directory: &str) -> Vec<String>;
    /// Whether there is a file or directory of this path.
    fn exists(&mut self, path: &str) -> bool;
    /// What a program prints. `NotFound` if it is not installed; if it fails, the error says what it wrote.
    fn run(&mut self, program: &str, arguments: &[&str]) -> io::Result<String>;

    fn links(&mut self) -> Result<Vec<Link>, Error>;
    fn all_addresses(&mut self) -> Result<Vec<Address>, Error>;
    fn filters(&mut self, ifindex: u32) -> Result<Vec<Filter>, Error>;
    fn way_out(&mut self, from: Option<Ipv4Addr>, to: Ipv4Addr) -> Result<Option<u32>, Error>;
}

/// What a program writes to its standard output; if it fails, the error has the first line that it wrote to the other.
fn output(program: &str, arguments: &[&str]) -> io::Result<Vec<u8>> {
    let run = |program: &str| Command::new(program).args(arguments).output();
    let output = match run(program) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            run(&format!("{SYSTEM_PROGRAMS}/{program}"))?
        }
        other => other?,
    };
    if output.status.success() {
        return Ok(output.stdout);
    }
    let error = String::from_utf8_lossy(&output.stderr);
    let line = error.lines().next().unwrap_or("it failed");
    Err(io::Error::other(line.to_owned()))
}

impl Host for Linux {
    fn read(&mut self, path: &str) -> io::Result<String> {
        fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn bytes(&mut self, path: &str) -> io::Result<Vec<u8>> {
        let ending = Path::new(path).extension().unwrap_or_default();
        match ending.to_str() {
            Some("gz") => {
                let mut bytes = Vec::new();
                GzDecoder::new(fs::File::open(path)?).read_to_end(&mut bytes)?;
                Ok(bytes)
            }
            Some("xz") => output("xz", &["--decompress", "--stdout", path]),
            Some("zst") => output("zstd", &["--decompress", "--stdout", path]),
            _ => fs::read(path),
        }
    }

    fn files(&mut self, directory: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(directory) else {
            return Vec::new();
        };
        let mut paths: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.path().to_str().map(str::to_owned))
            .filter(|path| Path::new(path).is_file())
            .collect();
        paths.sort();
        paths
    }

    fn exists(&mut self, path: &str) -> bool {
        Path::new(path).exists()
    }

    fn run(&mut self, program: &str, arguments: &[&str]) -> io::Result<String> {
        let output = output(program, arguments)?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    fn links(&mut self) -> Result<Vec<Link>, Error> {
        self.devices()?.links()
    }

    fn all_addresses(&mut self) -> Result<Vec<Address>, Error> {
        self.route()?.all_addresses()
    }

    fn filters(&mut self, ifindex: u32) -> Result<Vec<Filter>, Error> {
        self.devices()?.filters(ifindex)
    }

    fn way_out(&mut self, from: Option<Ipv4Addr>, to: Ipv4Addr) -> Result<Option<u32>, Error> {
        self.devices()?.way_out(from, to)
    }
}
