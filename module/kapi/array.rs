// SPDX-License-Identifier: GPL-2.0-only

//! Arrays on the heap that are never on the stack.

use kernel::alloc::Flags;
use kernel::prelude::*;

/// A boxed array of copies of `value`: unlike with a vector, its length is known to the compiler. Context: process, or
/// as `flags` say. Errors: `ENOMEM`.
pub(crate) fn boxed_array<T: Copy, const LEN: usize>(
    value: T,
    flags: Flags,
) -> Result<KBox<[T; LEN]>> {
    const { assert!(LEN > 0 && size_of::<T>() > 0) };
    let elements = KVec::from_elem(value, LEN, flags)?;
    let (first, len, _) = elements.into_raw_parts();
    if len != LEN {
        // SAFETY: The parts of the vector from above, whose elements need no drop.
        drop(unsafe { KVec::from_raw_parts(first, 0, LEN) });
        return Err(EINVAL);
    }
    // SAFETY: The vector's memory is from the same allocator, is for `LEN` elements or more, and all of them are set.
    Ok(unsafe { KBox::from_raw(first.cast::<[T; LEN]>()) })
}
