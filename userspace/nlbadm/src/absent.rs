// SPDX-License-Identifier: GPL-2.0-only

//! Why the kernel has no family `nlb`, told from its configuration.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::Path,
};

use flate2::read::GzDecoder;

/// What the configuration of a kernel says about Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rust {
    Yes,
    No,
    /// The configuration cannot be read.
    Unknown,
}

/// Why the family is absent, and what to do.
pub(crate) fn reason() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default();
    let config = running_config(Path::new("/"), &release);
    message(config, &release)
}

fn message(rust: Rust, release: &str) -> String {
    match rust {
        Rust::Yes => "the module is not loaded: run `modprobe nlb`".into(),
        Rust::No => format!(
            "this kernel ({release}) is built without Rust support (CONFIG_RUST), so it cannot load the module; \
             boot one that has it, such as that of Debian trixie-backports"
        ),
        Rust::Unknown => {
            "the module is not loaded: run `modprobe nlb`; the kernel must have Rust support \
                          (CONFIG_RUST)"
                .into()
        }
    }
}

/// What the running kernel's configuration says: `/proc/config.gz` where there is one, else the file that
/// distributions put beside the kernel.
fn running_config(root: &Path, release: &str) -> Rust {
    if let Ok(file) = File::open(root.join("proc/config.gz")) {
        let rust = scan(GzDecoder::new(file));
        if rust != Rust::Unknown {
            return rust;
        }
    }
    [
        format!("boot/config-{release}"),
        format!("usr/lib/modules/{release}/config"),
        format!("lib/modules/{release}/build/.config"),
    ]
    .iter()
    .filter_map(|path| File::open(root.join(path)).ok())
    .map(scan)
    .find(|&rust| rust != Rust::Unknown)
    .unwrap_or(Rust::Unknown)
}

/// What a configuration says; a text that has no kernel option at all says nothing.
fn scan(config: impl Read) -> Rust {
    let mut seen = false;
    for line in BufReader::new(config).lines() {
        let Ok(line) = line else {
            return Rust::Unknown;
        };
        if line == "CONFIG_RUST=y" {
            return Rust::Yes;
        }
        seen |= line.starts_with("CONFIG_");
    }
    if seen { Rust::No } else { Rust::Unknown }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_plain_config_beside_the_kernel_is_found() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("boot")).unwrap();
        let path = root.path().join("boot/config-7.2");
        fs::write(&path, "CONFIG_NET=y\nCONFIG_RUST=y\n").unwrap();
        assert_eq!(running_config(root.path(), "7.2"), Rust::Yes);
        fs::write(&path, "CONFIG_NET=y\n# CONFIG_RUST is not set\n").unwrap();
        assert_eq!(running_config(root.path(), "7.2"), Rust::No);
        assert_eq!(running_config(root.path(), "7.3"), Rust::Unknown);
    }

    #[test]
    fn the_config_of_the_running_kernel_goes_first() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("proc")).unwrap();
        fs::create_dir(root.path().join("boot")).unwrap();
        fs::write(root.path().join("boot/config-7.2"), "CONFIG_RUST=y\n").unwrap();
        let file = File::create(root.path().join("proc/config.gz")).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        gzip.write_all(b"CONFIG_NET=y\nCONFIG_RUST_IS_AVAILABLE=y\n")
            .unwrap();
        gzip.finish().unwrap();
        assert_eq!(running_config(root.path(), "7.2"), Rust::No);
    }

    #[test]
    fn rubbish_says_nothing() {
        assert_eq!(scan(&b"\xff\xfe"[..]), Rust::Unknown);
        assert_eq!(scan(&b""[..]), Rust::Unknown);
    }

    #[test]
    fn each_answer_says_what_to_do() {
        assert!(message(Rust::Yes, "7.2").contains("modprobe nlb"));
        assert!(message(Rust::No, "7.2").contains("CONFIG_RUST"));
        assert!(message(Rust::Unknown, "7.2").contains("modprobe nlb"));
    }
}
