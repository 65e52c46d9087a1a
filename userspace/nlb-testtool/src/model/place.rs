// SPDX-License-Identifier: GPL-2.0-only
//! Network namespaces by their names, and how a thread gets into one and out
//! again.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, setns};

/// The namespace of the switch, which the model does not change but for its ports.
pub(super) const SWITCH: &str = "sw";

/// Where namespaces have names.
const NAMESPACES: &str = "/run/netns";

/// The namespace of this name. It does not end while the file is open.
pub(super) fn file(name: &str) -> Result<File> {
    let path = Path::new(NAMESPACES).join(name);
    File::open(&path).with_context(|| path.display().to_string())
}

/// While it lives this thread is in another namespace.
pub(super) struct Inside {
    before: File,
}

impl Drop for Inside {
    fn drop(&mut self) {
        // It was there a moment ago, and is held open.
        setns(&self.before, CloneFlags::CLONE_NEWNET).expect("the namespace before can be entered");
    }
}

/// Takes this thread into a namespace.
pub(super) fn enter(name: &str) -> Result<Inside> {
    let before = File::open("/proc/thread-self/ns/net")?;
    setns(file(name)?, CloneFlags::CLONE_NEWNET).with_context(|| name.to_owned())?;
    Ok(Inside { before })
}

#[cfg(test)]
mod tests {
    use super::enter;

    #[test]
    fn a_namespace_that_is_not_there_cannot_be_entered() {
        assert!(enter("no-such-namespace").is_err());
    }
}
