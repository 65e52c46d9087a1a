// SPDX-License-Identifier: GPL-2.0-only

//! The module in the kernel beside the one that is installed: the same build, or another one.
//!
//! They are compared by the build id, which the linker makes of what it links: the kernel tells that of a module that is
//! loaded, and the file has it. So a package of a higher version with the same module in it needs nothing.

use std::{io, path::Path};

use crate::{absent, host::Host};

/// Is there as long as the module is loaded. To ask the kernel for the family would load the module.
pub const MODULE: &str = "/sys/module/nlb";

/// The note with the build id of the module in the kernel.
pub(crate) const LOADED: &str = "/sys/module/nlb/notes/.note.gnu.build-id";

/// How many use the module: each cluster, in whatever network namespace, and whoever reads a list of it just now.
const USERS: &str = "/sys/module/nlb/refcnt";

/// Where packages put the module that is loaded, before they replace its file: it is loaded again if the new one is refused.
/// Gone after a boot, as the module that was loaded is.
const KEPT: &str = "/run/nlb-module";

/// How the module in the kernel stands to the installed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is none in the kernel.
    NotLoaded,
    /// There is one in the kernel, and modprobe knows none for it.
    NotInstalled,
    /// They are the same.
    Same,
    /// They are not: the file that modprobe would load now.
    Other(String),
}

/// What takes modules out of the kernel and loads them. One trait, so that tests can stand in for it.
pub(crate) trait Loader {
    /// Whether no other process replaces the module; it counts until this one ends.
    fn alone(&mut self) -> io::Result<bool>;
    /// Takes the module out of the kernel.
    fn unload(&mut self) -> io::Result<()>;
    /// Loads the installed module, or that of a file.
    fn load(&mut self, file: Option<&str>) -> io::Result<()>;
    /// Removes the file of a module that nobody needs any more.
    fn forget(&mut self, file: &str) -> io::Result<()>;
}

/// How the module in the kernel stands to the installed one.
///
/// # Errors
///
/// If the installed one cannot be read.
pub(crate) fn standing(host: &mut dyn Host) -> io::Result<Standing> {
    let Ok(loaded) = loaded(host) else {
        return Ok(Standing::NotLoaded);
    };
    let Some(installed) = installed(host) else {
        return Ok(Standing::NotInstalled);
    };
    let same = holds(&host.bytes(&installed)?, &loaded);
    Ok(if same {
        Standing::Same
    } else {
        Standing::Other(installed)
    })
}

/// The build id of the module in the kernel, as the note that the file has too.
pub(crate) fn loaded(host: &mut dyn Host) -> io::Result<Vec<u8>> {
    host.bytes(LOADED)
}

/// How many use the module; none if that cannot be told.
pub(crate) fn users(host: &mut dyn Host) -> Option<usize> {
    host.read(USERS).ok()?.trim().parse().ok()
}

/// The file that packages have kept of the module with this build id, if they have.
pub(crate) fn kept(host: &mut dyn Host, loaded: &[u8]) -> Option<String> {
    let files = host.files(KEPT);
    files
        .into_iter()
        .find(|file| host.bytes(file).is_ok_and(|bytes| holds(&bytes, loaded)))
}

/// Removes what packages have kept: it is of no use when another module is loaded.
pub(crate) fn forget_kept<H: Host + Loader>(host: &mut H) -> io::Result<()> {
    let files = host.files(KEPT);
    files.iter().try_for_each(|file| host.forget(file))
}

/// Why the kernel would refuse an installed module, as far as that can be seen before.
pub(crate) fn unfit(installed: &str) -> Option<String> {
    let unsigned = absent::signed(Path::new(installed)) == Some(false);
    (unsigned && absent::wants_signature(Path::new("/"))).then(|| {
        format!(
            "{installed} has no signature, and this kernel takes only signed modules (Secure Boot)"
        )
    })
}

/// The file that modprobe would load.
fn installed(host: &mut dyn Host) -> Option<String> {
    let release = host.read("/proc/sys/kernel/osrelease").ok()?;
    let directory = format!("/lib/modules/{}", release.trim());
    let list = host.read(&format!("{directory}/modules.dep")).ok()?;
    let path = Path::new(&directory).join(absent::listed(&list)?);
    path.to_str().map(str::to_owned)
}

/// Whether a module's file has this note.
fn holds(file: &[u8], note: &[u8]) -> bool {
    // Notes are aligned to their words.
    const WORD: usize = 4;
    let mut places = file.windows(note.len().max(1)).step_by(WORD);
    places.any(|place| place == note)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[test]
    fn a_file_with_the_note_is_the_same_build() {
        let mut host = Fake::host();
        assert_eq!(standing(&mut host).unwrap(), Standing::NotLoaded);
        host.load_build("GNU id of N");
        assert_eq!(standing(&mut host).unwrap(), Standing::NotInstalled);
        host.modules("7.3.4", "ELF GNU id of N text");
        assert_eq!(standing(&mut host).unwrap(), Standing::Same);
        host.modules("7.3.4", "ELF GNU id of M text");
        assert_eq!(
            standing(&mut host).unwrap(),
            Standing::Other("/lib/modules/7.3.4/updates/nlb.ko".into())
        );
    }

    #[test]
    fn a_module_that_cannot_be_read_is_no_answer() {
        let mut host = Fake::host();
        host.load_build("GNU id of N");
        host.modules("7.3.4", "ELF");
        host.unreadable
            .push("/lib/modules/7.3.4/updates/nlb.ko".into());
        let error = standing(&mut host).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn what_was_kept_of_the_loaded_module_is_found() {
        let mut host = Fake::host();
        host.file("/run/nlb-module/a.ko", "ELF GNU id of L");
        host.file("/run/nlb-module/b.ko", "ELF GNU id of N");
        let found = kept(&mut host, b"GNU id of N");
        assert_eq!(found.as_deref(), Some("/run/nlb-module/b.ko"));
        assert_eq!(kept(&mut host, b"GNU id of M"), None);
    }
}
