// SPDX-License-Identifier: GPL-2.0-only

//! HMAC-SHA256 with a prepared key, by the kernel's own library.

use super::bindings;
use kernel::prelude::*;

/// A key that is ready for use: the two inner hash states. Wiped when dropped.
pub(crate) struct HmacKey(bindings::hmac_sha256_key);

impl HmacKey {
    /// Prepares a key where it is to stay, so that no copy of it is left behind. Context: any.
    pub(crate) fn init(raw: &[u8]) -> impl Init<Self> + '_ {
        // SAFETY: The place is valid for writes and the raw key for reads of its length; the call initialises the
        // only field, and cannot fail.
        unsafe {
            pin_init::init_from_closure(move |place: *mut Self| {
                bindings::hmac_sha256_preparekey(&raw mut (*place).0, raw.as_ptr(), raw.len());
                Ok::<(), core::convert::Infallible>(())
            })
        }
    }

    /// The full tag of `data`. Context: any.
    pub(crate) fn tag(&self, data: &[u8]) -> [u8; 32] {
        let mut tag = [0u8; 32];
        // SAFETY: The key is prepared, `data` is valid for reads of its length, `tag` for 32 bytes of writes.
        unsafe {
            bindings::hmac_sha256(&self.0, data.as_ptr(), data.len(), tag.as_mut_ptr());
        }
        tag
    }
}

impl Drop for HmacKey {
    fn drop(&mut self) {
        // SAFETY: The key is valid for writes of its size and holds plain words.
        unsafe {
            bindings::nlb_helper_wipe(
                core::ptr::from_mut(&mut self.0).cast(),
                size_of::<bindings::hmac_sha256_key>(),
            );
        }
    }
}

/// Whether two tags are equal, in a time that does not tell where they differ. Context: any.
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    // SAFETY: Both are valid for reads of the length given, which is that of both.
    a.len() == b.len()
        && unsafe { bindings::nlb_helper_equal(a.as_ptr().cast(), b.as_ptr().cast(), a.len()) }
}

/// Overwrites a secret by a value that tells nothing, in a way that the compiler keeps. Context: any.
pub(crate) fn overwrite<T: Copy>(secret: &mut T, blank: T) {
    // SAFETY: The reference is valid for writes and aligned, and what is `Copy` needs no drop. A volatile write is done
    // though nobody reads it.
    unsafe { core::ptr::write_volatile(secret, blank) };
}

/// Overwrites a secret in a way that the compiler keeps. Context: any.
pub(crate) fn wipe(secret: &mut [u8]) {
    // SAFETY: The slice is valid for writes of its length.
    unsafe { bindings::nlb_helper_wipe(secret.as_mut_ptr().cast(), secret.len()) };
}
