// SPDX-License-Identifier: GPL-2.0-only

//! Module parameters: `helpers_param.c` declares and describes them.
//!
//! Root may change them at any time, so that each read may give another value.

use super::bindings;

/// Default of [`user_clusters_max`].
pub(crate) const USER_CLUSTERS_MAX: u32 = bindings::NLB_USER_CLUSTERS_MAX;

/// Whether clusters are allowed in network namespaces of other user namespaces than the initial one. Context: any.
pub(crate) fn allow_user_namespaces() -> bool {
    // SAFETY: No requirements.
    unsafe { bindings::nlb_helper_param_user_namespaces() }
}

/// How many clusters a user may have there. Context: any.
pub(crate) fn user_clusters_max() -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::nlb_helper_param_user_clusters_max() }
}
