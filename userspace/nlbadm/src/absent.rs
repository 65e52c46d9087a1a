// SPDX-License-Identifier: GPL-2.0-only

//! Why the kernel has no family `nlb`, told from its configuration and from the modules that are installed.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;

/// What the kernel's build appends to a module with its signature.
const SIGNATURE: &[u8] = b"~Module signature appended~\n";

/// What the configuration of a kernel says about Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rust {
    Yes,
    No,
    /// The configuration cannot be read.
    Unknown,
}

/// Where modprobe finds the module.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Installed {
    /// For the running kernel.
    Here(PathBuf),
    /// For these other kernels only.
    Elsewhere(Vec<String>),
    Nowhere,
    /// It may not be looked at, as from a unit with `ProtectKernelModules`.
    Unknown,
}

/// Why the family is absent, and what to do.
pub(crate) fn reason() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default();
    explain(Path::new("/"), &release)
}

/// What keeps the kernel of this release from having the family; `root` is where its files are.
fn explain(root: &Path, release: &str) -> String {
    let rust = running_config(root, release);
    if rust == Rust::No {
        return format!(
            "this kernel ({release}) is built without Rust support (CONFIG_RUST), so it cannot load the module; \
             boot one that has it, such as that of Debian trixie-backports"
        );
    }
    match installed(root, release) {
        Installed::Here(module) if wants_signature(root) => refused(&module),
        Installed::Here(_) => "the module is not loaded: run `modprobe nlb`".into(),
        Installed::Unknown => {
            "the module is not loaded: run `modprobe nlb`, and `nlbadm` again if that fails".into()
        }
        Installed::Elsewhere(others) => format!(
            "the module is not built for this kernel ({release}), only for {}: {}",
            others.join(", "),
            how_to_install(root, release)
        ),
        Installed::Nowhere => {
            let rust = match rust {
                Rust::Unknown => "; the kernel must have Rust support (CONFIG_RUST)",
                _ => "",
            };
            format!(
                "the module is not loaded, and modprobe knows none: {}, or `insmod nlb.ko` where it was built{rust}",
                how_to_install(root, release)
            )
        }
    }
}

/// What to say of a module that a kernel may refuse, which takes only modules with a signature that it trusts.
fn refused(module: &Path) -> String {
    const TRUST: &str = "`mokutil --import /var/lib/dkms/mok.pub`, a reboot, and \"Enroll MOK\" in the menu that it \
                         shows make the kernel trust those that DKMS signs";
    let path = module.display();
    match signed(module) {
        Some(false) => format!(
            "{path} has no signature, and this kernel takes only signed modules (Secure Boot): \
             `apt install nlb-dkms` builds and signs it; {TRUST}"
        ),
        _ => format!(
            "the module is not loaded: run `modprobe nlb`; if its key is rejected, this kernel takes only modules \
             with a signature that it trusts (Secure Boot): {TRUST}"
        ),
    }
}

/// The command that brings a module for this kernel.
pub(crate) fn how_to_install(root: &Path, release: &str) -> String {
    let by_dkms = fs::read_dir(root.join("var/lib/dkms/nlb")).is_ok();
    if by_dkms {
        format!("`dkms autoinstall -k {release}` builds it, or says what is missing")
    } else {
        format!("`apt install nlb-modules-{release}`, or nlb-dkms")
    }
}

/// The module's path in `modules.dep`, which depmod makes; relative to the list, or absolute.
pub(crate) fn listed(list: &str) -> Option<&str> {
    list.lines()
        .filter_map(|line| line.split(':').next())
        .find(|path| {
            let name = path.rsplit('/').next().unwrap_or_default();
            name == "nlb.ko" || name.starts_with("nlb.ko.")
        })
}

/// Where modprobe finds the module, by the lists that depmod makes.
fn installed(root: &Path, release: &str) -> Installed {
    let modules = root.join("lib/modules");
    let found = |release: &str| {
        let directory = modules.join(release);
        let list = fs::read_to_string(directory.join("modules.dep")).ok()?;
        listed(&list).map(|path| directory.join(path))
    };
    if let Some(module) = found(release) {
        return Installed::Here(module);
    }
    let directories = match fs::read_dir(&modules) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Installed::Unknown,
        directories => directories,
    };
    let mut others: Vec<String> = directories
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|other| found(other).is_some())
        .collect();
    others.sort();
    if others.is_empty() {
        Installed::Nowhere
    } else {
        Installed::Elsewhere(others)
    }
}

/// Whether the running kernel takes only modules with a signature: as Secure Boot makes it by the lockdown, or as
/// it was told.
pub(crate) fn wants_signature(root: &Path) -> bool {
    let says = |path: &str, texts: &[&str]| {
        fs::read_to_string(root.join(path))
            .is_ok_and(|text| texts.iter().any(|wanted| text.contains(wanted)))
    };
    says("sys/module/module/parameters/sig_enforce", &["Y"])
        || says(
            "sys/kernel/security/lockdown",
            &["[integrity]", "[confidentiality]"],
        )
}

/// Whether a module has a signature, of anyone; `None` if that cannot be told, as of one that is compressed.
pub(crate) fn signed(module: &Path) -> Option<bool> {
    if module.extension()? != "ko" {
        return None;
    }
    let mut file = File::open(module).ok()?;
    let length = i64::try_from(SIGNATURE.len()).ok()?;
    file.seek(SeekFrom::End(-length)).ok()?;
    let mut end = Vec::new();
    file.read_to_end(&mut end).ok()?;
    Some(end == SIGNATURE)
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

    /// A root with a kernel that has Rust, and the module for these kernels.
    fn root(releases: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "boot/config-7.3", "CONFIG_RUST=y\n");
        for release in releases {
            let directory = format!("lib/modules/{release}");
            write(
                root.path(),
                &format!("{directory}/modules.dep"),
                "kernel/net/other.ko:\nupdates/nlb.ko: kernel/net/other.ko\n",
            );
            write(
                root.path(),
                &format!("{directory}/updates/nlb.ko"),
                "ELF and so on, of some length",
            );
        }
        root
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_kernel_without_rust_is_told() {
        let root = root(&["7.3"]);
        write(root.path(), "boot/config-7.3", "CONFIG_NET=y\n");
        assert!(explain(root.path(), "7.3").contains("built without Rust support"));
    }

    #[test]
    fn a_module_that_is_installed_is_to_be_loaded() {
        let root = root(&["7.3"]);
        assert_eq!(
            explain(root.path(), "7.3"),
            "the module is not loaded: run `modprobe nlb`"
        );
    }

    #[test]
    fn a_module_for_other_kernels_is_told() {
        let root = root(&["7.2-a", "7.2-b"]);
        let text = explain(root.path(), "7.3");
        assert!(
            text.starts_with(
                "the module is not built for this kernel (7.3), only for 7.2-a, 7.2-b: "
            ),
            "{text}"
        );
        assert!(text.contains("`apt install nlb-modules-7.3`"), "{text}");
        write(root.path(), "var/lib/dkms/nlb/0.1.0/x", "");
        let text = explain(root.path(), "7.3");
        assert!(text.contains("`dkms autoinstall -k 7.3`"), "{text}");
    }

    #[test]
    fn a_module_that_is_nowhere_is_told() {
        let root = root(&[]);
        write(
            root.path(),
            "lib/modules/7.3/modules.dep",
            "kernel/net/not-nlb.ko:\n",
        );
        let text = explain(root.path(), "7.3");
        assert!(
            text.contains("modprobe knows none: `apt install nlb-modules-7.3`"),
            "{text}"
        );
        assert!(!text.contains("CONFIG_RUST"), "{text}");
        fs::remove_file(root.path().join("boot/config-7.3")).unwrap();
        assert!(explain(root.path(), "7.3").contains("CONFIG_RUST"));
    }

    #[test]
    fn a_kernel_that_wants_signatures_is_told() {
        for (path, text) in [
            ("sys/module/module/parameters/sig_enforce", "Y\n"),
            (
                "sys/kernel/security/lockdown",
                "none [integrity] confidentiality\n",
            ),
        ] {
            let root = root(&["7.3"]);
            write(root.path(), path, text);
            assert!(explain(root.path(), "7.3").contains("nlb.ko has no signature"));
            let module = root.path().join("lib/modules/7.3/updates/nlb.ko");
            fs::write(&module, [b"ELF", SIGNATURE].concat()).unwrap();
            let said = explain(root.path(), "7.3");
            assert!(said.contains("if its key is rejected"), "{said}");
            assert!(said.contains("mokutil --import"), "{said}");
        }
        let root = root(&["7.3"]);
        write(
            root.path(),
            "sys/module/module/parameters/sig_enforce",
            "N\n",
        );
        write(
            root.path(),
            "sys/kernel/security/lockdown",
            "[none] integrity confidentiality\n",
        );
        assert!(!explain(root.path(), "7.3").contains("signature"));
    }

    #[test]
    fn a_compressed_module_says_nothing_of_its_signature() {
        assert_eq!(
            signed(Path::new("/lib/modules/7.3/updates/nlb.ko.xz")),
            None
        );
        assert_eq!(signed(Path::new("/nonexistent/nlb.ko")), None);
    }
}
