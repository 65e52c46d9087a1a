// SPDX-License-Identifier: GPL-2.0-only

//! HMAC-SHA256 with a prepared key, by the kernel's own library.

use super::bindings;
use core::mem::MaybeUninit;

/// A key that is ready for use: the two inner hash states. Wiped when dropped.
pub(crate) struct HmacKey(bindings::hmac_sha256_key);

impl HmacKey {
    /// Prepares a key. Context: any.
    pub(crate) fn new(raw: &[u8]) -> Self {
        let mut key = MaybeUninit::<bindings::hmac_sha256_key>::uninit();
        // SAFETY: `key` is valid for writes and the raw key for reads of its length; the call initialises it.
        unsafe {
            bindings::hmac_sha256_preparekey(key.as_mut_ptr(), raw.as_ptr(), raw.len());
        }
        // SAFETY: Initialised by the call above.
        Self(unsafe { key.assume_init() })
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

/// Overwrites a secret in a way that the compiler keeps. Context: any.
pub(crate) fn wipe(secret: &mut [u8]) {
    // SAFETY: The slice is valid for writes of its length.
    unsafe { bindings::nlb_helper_wipe(secret.as_mut_ptr().cast(), secret.len()) };
}
