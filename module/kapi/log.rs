// SPDX-License-Identifier: GPL-2.0-only

//! Lines in the kernel's log about a cluster, each with the interface that it is on. Beyond ten in five seconds
//! (`net.core.message_burst`) they are left out, and the log says how many.

use super::bindings;
use super::netdevice::Device;
use core::net::IpAddr;
use kernel::ffi::c_int;

/// Whether a line more is welcome.
fn is_welcome() -> bool {
    // SAFETY: May be called in any context.
    unsafe { bindings::net_ratelimit() != 0 }
}

/// The length of a text, for `%.*s`.
fn len(text: &str) -> c_int {
    c_int::try_from(text.len()).unwrap_or(0)
}

/// Writes a line. Context: any.
pub(crate) fn warn(device: &Device, text: &str) {
    if is_welcome() {
        let format = c"nlb: %.*s\n".as_ptr().cast();
        // SAFETY: The device is held by its type; the format reads as many bytes of the text as it has.
        unsafe { bindings::netdev_warn(device.as_ptr(), format, len(text), text.as_ptr()) };
    }
}

/// Writes a line about a rule. Context: any.
pub(crate) fn warn_rule(device: &Device, rule: u16, text: &str) {
    if is_welcome() {
        let format = c"nlb: rule %u: %.*s\n".as_ptr().cast();
        let rule = u32::from(rule);
        // SAFETY: As in `warn`; the number is an `unsigned int`.
        unsafe { bindings::netdev_warn(device.as_ptr(), format, rule, len(text), text.as_ptr()) };
    }
}

/// Writes a line about a station. Context: any.
pub(crate) fn warn_station(device: &Device, mac: &[u8; 6], text: &str) {
    if is_welcome() {
        let format = c"nlb: %pM %.*s\n".as_ptr().cast();
        let mac = mac.as_ptr();
        // SAFETY: As in `warn`; the first argument has the six bytes that `%pM` reads.
        unsafe { bindings::netdev_warn(device.as_ptr(), format, mac, len(text), text.as_ptr()) };
    }
}

/// Writes a line about a station that claims a VIP. Context: any.
pub(crate) fn warn_claim(device: &Device, vip: IpAddr, mac: &[u8; 6]) {
    if !is_welcome() {
        return;
    }
    let (v4, v6) = (
        c"nlb: %pI4 is claimed by %pM\n".as_ptr().cast(),
        c"nlb: %pI6c is claimed by %pM\n".as_ptr().cast(),
    );
    match vip {
        IpAddr::V4(vip) => {
            let octets = vip.octets();
            // SAFETY: The device is held by its type; the format reads four bytes and six, which are there.
            unsafe { bindings::netdev_warn(device.as_ptr(), v4, octets.as_ptr(), mac.as_ptr()) };
        }
        IpAddr::V6(vip) => {
            let octets = vip.octets();
            // SAFETY: As above, sixteen bytes and six.
            unsafe { bindings::netdev_warn(device.as_ptr(), v6, octets.as_ptr(), mac.as_ptr()) };
        }
    }
}
