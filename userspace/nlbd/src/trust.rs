// SPDX-License-Identifier: GPL-2.0-only

//! Which programs nlbd runs with its rights.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

/// Why a program is not run: others than root, or whoever nlbd runs as, could have written it.
///
/// # Errors
///
/// What is wrong with it. One that is not there is none of this function's business.
pub(crate) fn may_run(program: &Path) -> Result<(), String> {
    let Ok(found) = fs::metadata(program) else {
        return Ok(());
    };
    let own = rustix::process::geteuid().as_raw();
    allowed(found.uid(), found.mode(), own).map_err(|wrong| {
        format!(
            "{} is not run, for {wrong}: `chown root`, `chmod go-w`",
            program.display()
        )
    })
}

fn allowed(owner: u32, mode: u32, own: u32) -> Result<(), &'static str> {
    if owner != 0 && owner != own {
        Err("it is not root's")
    } else if mode & 0o022 != 0 {
        Err("its group or others may write it")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_others_may_write_is_not_run() {
        for (owner, mode, own, may) in [
            (0, 0o100_755, 0, true),
            (0, 0o104_511, 1000, true),
            (1000, 0o100_700, 1000, true),
            (1000, 0o100_755, 0, false),
            (1001, 0o100_755, 1000, false),
            (0, 0o100_775, 0, false),
            (0, 0o100_757, 0, false),
        ] {
            assert_eq!(allowed(owner, mode, own).is_ok(), may, "{owner} {mode:o}");
        }
    }

    #[test]
    fn a_link_is_as_what_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for (mode, may) in [(0o755, true), (0o775, false)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(may_run(&link).is_ok(), may, "{mode:o}");
        }
        assert_eq!(may_run(&folder.path().join("absent")), Ok(()));
    }
}
