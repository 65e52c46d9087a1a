// SPDX-License-Identifier: GPL-2.0-only

//! A program that was started in a process group of its own.

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

/// A process group, which is killed when this is dropped before its leader has ended.
#[derive(Debug)]
pub(crate) struct Group(Option<Pid>);

impl Group {
    /// The group that a program leads.
    pub(crate) fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Group(id.and_then(Pid::from_raw))
    }

    /// The leader has ended and was waited for: from here on its number may be another group's.
    pub(crate) fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // There may be nobody left in it.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
