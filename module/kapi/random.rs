// SPDX-License-Identifier: GPL-2.0-only

//! Random numbers.

use super::bindings;

/// 64 bits of the kernel's generator. Context: any.
pub(crate) fn random_u64() -> u64 {
    let mut bytes = [0u8; 8];
    // SAFETY: The buffer is valid for writes of its length.
    unsafe { bindings::get_random_bytes(bytes.as_mut_ptr().cast(), bytes.len()) };
    u64::from_ne_bytes(bytes)
}
