// SPDX-License-Identifier: GPL-2.0-only

//! Whether the VIPs are on the cluster interface. A host that lacks one cannot serve it, so it says so and owns
//! nothing until the address is back.
//!
//! The module never adds an address by itself: `nlbadm up` does, and `nlbadm start` puts back what is missing, as
//! after `ip link set IFACE down`, with which the stack forgets all IPv6 addresses.

use super::kapi::address::AddressWatcher;
use super::kapi::netdevice::Device;
use super::nlb_core::node::Command;
use super::port::Port;

impl AddressWatcher for Port {
    fn device(&self) -> &Device {
        self.cluster().device()
    }

    fn addresses_changed(&self) {
        let cluster = self.cluster();
        let has = |vip| cluster.device().has_address(vip);
        let missing = !cluster.vips().iter().copied().all(has);
        // A node that takes no part keeps it in mind for when it does.
        let _ = self.command(Command::VipMissing(missing));
    }
}
