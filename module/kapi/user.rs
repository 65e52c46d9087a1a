// SPDX-License-Identifier: GPL-2.0-only

//! Users, and the network namespaces that they own by way of user namespaces.

use super::bindings;
use super::netdevice::Net;

/// A user, by its number in the initial user namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct User(u32);

impl User {
    /// The user that has to answer for a network namespace: the one that made the outermost of the user namespaces around
    /// it. `None` if it belongs to the initial user namespace. Context: any.
    pub(crate) fn owner_of(net: Net<'_>) -> Option<Self> {
        let mut owner = 0;
        // SAFETY: The namespace is alive, and holds its user namespace.
        unsafe { bindings::nlb_helper_net_owner(net.as_ptr(), &mut owner) }.then_some(Self(owner))
    }
}
