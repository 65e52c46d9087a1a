// SPDX-License-Identifier: GPL-2.0-only

//! Vectors that grow without a panic path.
//!
//! The kernel crate's own functions subtract the length from the capacity, and double it, with checks of overflow that
//! end in a panic. What they would check is in the type's invariants, where the compiler does not see it.

use kernel::alloc::{AllocError, Allocator, Flags, Vec};
use kernel::prelude::*;

/// Vectors that grow so.
pub(crate) trait Grow<T> {
    /// Makes sure that there is room for so many elements more. Context: as `flags` say. Errors: `ENOMEM`; nothing has
    /// changed then.
    fn room_for(&mut self, additional: usize, flags: Flags)
        -> core::result::Result<(), AllocError>;

    /// Puts an element at the end. As [`Grow::room_for`].
    fn append(&mut self, element: T, flags: Flags) -> core::result::Result<(), AllocError>;
}

impl<T, A: Allocator> Grow<T> for Vec<T, A> {
    #[inline(always)]
    fn room_for(
        &mut self,
        additional: usize,
        flags: Flags,
    ) -> core::result::Result<(), AllocError> {
        const { assert!(size_of::<T>() > 0) };
        let (len, capacity) = (self.len(), self.capacity());
        // SAFETY: By the type invariants of `Vec` the length is at most the capacity, and what the capacity takes is at
        // most `isize::MAX` bytes, where an element takes at least one.
        unsafe {
            core::hint::assert_unchecked(len <= capacity);
            core::hint::assert_unchecked(capacity <= isize::MAX as usize);
        }
        self.reserve(additional, flags)
    }

    #[inline(always)]
    fn append(&mut self, element: T, flags: Flags) -> core::result::Result<(), AllocError> {
        self.room_for(1, flags)?;
        self.push_within_capacity(element).map_err(|_| AllocError)
    }
}
