// SPDX-License-Identifier: GPL-2.0-only

//! Memory cgroups: memory that is allocated on behalf of another process than the present one.

use super::bindings;
use core::ptr::NonNull;
use kernel::alloc::KVVec;
use kernel::prelude::*;
use pin_init::Zeroable;

/// The memory cgroup of a process, which accounted memory can be charged to later, from another process.
///
/// # Invariants
///
/// The pointer is null (the kernel has no memory cgroups, or they are off) or holds a reference to the group.
pub(crate) struct MemoryGroup(*mut bindings::mem_cgroup);

// SAFETY: A group is used and given back from any thread.
unsafe impl Send for MemoryGroup {}
// SAFETY: Nothing is changed through a shared reference but what the kernel locks.
unsafe impl Sync for MemoryGroup {}

impl MemoryGroup {
    /// The group that the present process is charged for. Context: process.
    pub(crate) fn of_current() -> Self {
        // SAFETY: Process context, by the contract of this function.
        // INVARIANT: The helper takes a reference, or there is no group.
        Self(unsafe { bindings::nlb_helper_memcg_get() })
    }

    /// Charges this group for the accounted memory that `work` allocates. Context: process.
    pub(crate) fn charge<R>(&self, work: impl FnOnce() -> R) -> R {
        /// Ends the scope of charging, whatever way `work` is left.
        struct Scope(*mut bindings::mem_cgroup);
        impl Drop for Scope {
            fn drop(&mut self) {
                // SAFETY: What was charged before is charged again, in the same task.
                unsafe { bindings::nlb_helper_memcg_switch(self.0) };
            }
        }
        // SAFETY: The group is null or referenced for longer than the scope, by the type invariant.
        let _scope = Scope(unsafe { bindings::nlb_helper_memcg_switch(self.0) });
        work()
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // SAFETY: The reference is there, by the type invariant, and is given back once.
        unsafe { bindings::nlb_helper_memcg_put(self.0) };
    }
}

/// A vector of `len` elements whose bytes are zero, charged to the group of this process, or as [`MemoryGroup::charge`]
/// says.
///
/// Where memory or the group's limit does not suffice it fails, after reclaim; no process is killed for it. So it suits
/// memory whose amount is for others than the charged process to decide. Context: process, may sleep. Errors: `ENOMEM`.
pub(crate) fn zeroed_vec<T: Zeroable>(len: usize) -> Result<KVVec<T>> {
    const { assert!(size_of::<T>() > 0 && align_of::<T>() <= align_of::<u64>()) };
    if len == 0 {
        return Ok(KVVec::new());
    }
    // SAFETY: Process context, by the contract of this function.
    let memory = unsafe { bindings::nlb_helper_kvcalloc_account(len, size_of::<T>()) };
    let first = NonNull::new(memory).ok_or(ENOMEM)?.cast::<T>();
    // SAFETY: The memory is from `kvmalloc`, which is the allocator of this vector; it is for `len` elements and aligned
    // for them, and they are valid as they are, by that of `Zeroable`.
    Ok(unsafe { KVVec::from_raw_parts(first.as_ptr(), len, len) })
}
