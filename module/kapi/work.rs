// SPDX-License-Identifier: GPL-2.0-only

//! Work that is done from time to time in process context.
//!
//! The kernel crate has work items that are queued by value, each time with a reference that the work gives up when it
//! has run. Work that repeats itself until its owner drops it, who then has to know that it does not run any more, does
//! not fit that shape.

use super::bindings;
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::types::Opaque;

/// What is done.
pub(crate) trait Job: Send + Sync + Sized + 'static {
    /// Called in process context, may sleep; says in how many milliseconds it wants to be called again.
    fn run(&self) -> u32;
}

/// A job that runs again and again until this is dropped, never twice at the same time.
///
/// # Invariants
///
/// `inner` was set up with [`Work::callback`] and is not moved until it was cancelled in `drop`.
#[pin_data(PinnedDrop)]
pub(crate) struct Work<T: Job> {
    #[pin]
    inner: Opaque<bindings::delayed_work>,
    job: Arc<T>,
}

// SAFETY: Work may be queued and cancelled from any thread; the job is `Send + Sync`.
unsafe impl<T: Job> Send for Work<T> {}
// SAFETY: As above; the workqueue code locks.
unsafe impl<T: Job> Sync for Work<T> {}

impl<T: Job> Work<T> {
    /// A job that runs for the first time in so many milliseconds. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new(job: Arc<T>, first_ms: u32) -> Result<Pin<KBox<Self>>> {
        let work = KBox::pin_init(
            pin_init!(Self {
                // INVARIANT: Set up here, and pinned.
                inner <- Opaque::ffi_init(|work| {
                    // SAFETY: The pointer is valid for writes; the callback is of the type asked for.
                    unsafe { bindings::nlb_helper_work_init(work, Some(Self::callback)) };
                }),
                job,
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        work.queue(first_ms);
        Ok(work)
    }

    fn queue(&self, in_ms: u32) {
        // SAFETY: The work was set up, by the type invariant. If it is being cancelled this does nothing.
        unsafe { bindings::nlb_helper_work_queue(self.inner.get(), in_ms) };
    }

    /// # Safety
    ///
    /// Called by the workqueue code with the `work` field of the `inner` of a living `Work<T>`.
    unsafe extern "C" fn callback(work: *mut bindings::work_struct) {
        // SAFETY: `work` is a field of a `delayed_work`, by the contract of this function.
        let delayed = unsafe { kernel::container_of!(work, bindings::delayed_work, work) };
        // SAFETY: `delayed` is the `inner` of a `Work<T>`, which lives until `drop` has cancelled it, and cancelling
        // waits for this function to end.
        let it = unsafe { &*kernel::container_of!(Opaque::cast_from(delayed), Self, inner) };
        let again = it.job.run();
        it.queue(again);
    }
}

#[pinned_drop]
impl<T: Job> PinnedDrop for Work<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: The work was set up, by the type invariant. This is process context; it waits for a running
        // callback, which is never the caller, for the callback only borrows the work. What the callback queues
        // meanwhile is refused.
        unsafe { bindings::cancel_delayed_work_sync(self.inner.get()) };
    }
}

/// Lets others run, if somebody waits for this CPU. Context: process, without locks.
pub(crate) fn breathe() {
    // SAFETY: Process context, no lock and no RCU read side is held, by the contract of this function.
    unsafe { bindings::nlb_helper_cond_resched() };
}
