// SPDX-License-Identifier: GPL-2.0-only

//! References to this module, which keep it from being unloaded.

use super::bindings;
use kernel::prelude::*;

/// A reference to this module: while one exists, `rmmod` is refused.
///
/// It may be dropped only in a call that unloading the module waits for, since the code that drops it runs on for a
/// moment: a netlink request, or a notifier of devices or namespaces, all of which the module unregisters when it goes.
///
/// # Invariants
///
/// It stands for one count of the module's references.
pub(crate) struct ModuleRef(());

impl ModuleRef {
    /// Context: any. Errors: `ENODEV` if the module is being unloaded.
    pub(crate) fn get() -> Result<Self> {
        // SAFETY: It has no arguments, and may be called in any context.
        if unsafe { bindings::nlb_helper_this_module_get() } {
            // INVARIANT: The count was taken above.
            Ok(Self(()))
        } else {
            Err(ENODEV)
        }
    }
}

impl Drop for ModuleRef {
    fn drop(&mut self) {
        // SAFETY: The count is there, by the type invariant, and is given back once.
        unsafe { bindings::nlb_helper_this_module_put() };
    }
}
