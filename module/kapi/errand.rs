// SPDX-License-Identifier: GPL-2.0-only

//! Work that is done once in process context, whenever somebody asks for it, from any context.
//!
//! The kernel crate's work items are owned by the queue while they are pending, so nothing stops one from running
//! when its module is gone. Here the item stays with its owner, whose `drop` waits for it.

use super::bindings;
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::types::Opaque;

/// What is to be done.
pub(crate) trait Run: Send + Sync + Sized + 'static {
    /// Called in process context, where it may sleep, and by one thread at a time.
    fn run(&self);
}

/// A piece of work, not bound to a CPU.
///
/// # Invariants
///
/// `inner` was set up with [`Errand::callback`] and is not moved until it was cancelled in `drop`.
#[pin_data(PinnedDrop)]
pub(crate) struct Errand<T: Run> {
    #[pin]
    inner: Opaque<bindings::work_struct>,
    target: Arc<T>,
}

// SAFETY: Work may be queued and cancelled from any thread; the target is `Send + Sync`.
unsafe impl<T: Run> Send for Errand<T> {}
// SAFETY: As above; the workqueue code locks.
unsafe impl<T: Run> Sync for Errand<T> {}

impl<T: Run> Errand<T> {
    /// Work that nobody has asked for yet. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new(target: Arc<T>) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                // INVARIANT: Set up here, and pinned.
                inner <- Opaque::ffi_init(|work| {
                    // SAFETY: The pointer is valid for writes; the callback is of the type asked for.
                    unsafe { bindings::nlb_helper_init_work(work, Some(Self::callback)) };
                }),
                target,
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Lets it be done soon; once, however often it is asked for before that. Context: any.
    pub(crate) fn queue(&self) {
        // SAFETY: The work was set up, by the type invariant, and outlives its being queued: `drop` waits.
        unsafe { bindings::nlb_helper_queue_work(self.inner.get()) };
    }

    /// # Safety
    ///
    /// Called by the workqueue code with the `inner` of a living `Errand<T>`.
    unsafe extern "C" fn callback(inner: *mut bindings::work_struct) {
        // SAFETY: `inner` is a field of a `Errand<T>`, which lives until `drop` has cancelled it, and cancelling waits
        // for this function to end.
        let work = unsafe { &*kernel::container_of!(Opaque::cast_from(inner), Self, inner) };
        work.target.run();
    }
}

#[pinned_drop]
impl<T: Run> PinnedDrop for Errand<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: The work was set up, by the type invariant. This waits for a running callback, in process context;
        // `drop` is never called from the callback, which only borrows the work.
        unsafe { bindings::cancel_work_sync(self.inner.get()) };
    }
}
