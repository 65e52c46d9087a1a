// SPDX-License-Identifier: GPL-2.0-only

//! A high-resolution timer that expires in softirq context.
//!
//! The kernel crate's own abstraction gives a handle for each start and cancels when the handle is dropped;
//! a timer that is started again and again from several contexts, each time with the deadline of the moment,
//! does not fit that shape.
//!
//! *Soft mode, and how late it can be.* What a cluster does when its timer expires takes locks that softirqs take, and
//! hands frames to drivers: none of that is possible in a hard interrupt, and a thread would have to be scheduled first.
//! A soft timer needs no scheduler: the softirq runs when the timer's interrupt ends, whoever has the CPU, and since Linux
//! 6.5 ksoftirqd being runnable does not hold it back any more. If the interrupt came while softirqs were running, it is
//! served in their next round, or after the next tick: behind one pass over received packets, which ends after 300
//! packets or two ticks (`net.core.netdev_budget`, `netdev_budget_usecs`). So a flood makes it late by some milliseconds, and
//! a CPU that is busy in userspace not at all. What does make it late by more, a virtual CPU that stands still or a
//! driver that polls for too long, the protocol has to bear (`docs/protocol.md` 3.7).

use super::bindings;
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::types::Opaque;

/// What happens when a timer expires.
pub(crate) trait Expire: Send + Sync + Sized + 'static {
    /// Called in softirq context; may start the timer again.
    fn expire(&self, timer: &Timer<Self>);
}

/// A timer on `CLOCK_MONOTONIC`, soft mode.
///
/// # Invariants
///
/// `inner` was set up with [`Timer::callback`] and is not moved until it was cancelled in `drop`.
#[pin_data(PinnedDrop)]
pub(crate) struct Timer<T: Expire> {
    #[pin]
    inner: Opaque<bindings::hrtimer>,
    target: Arc<T>,
}

// SAFETY: hrtimers may be started and cancelled from any thread; the target is `Send + Sync`.
unsafe impl<T: Expire> Send for Timer<T> {}
// SAFETY: As above; the hrtimer code locks.
unsafe impl<T: Expire> Sync for Timer<T> {}

impl<T: Expire> Timer<T> {
    /// A timer that is not running. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new(target: Arc<T>) -> Result<Arc<Self>> {
        // The timer is set up where it stays, and only once there is memory for it: what `drop` cancels must
        // never be a timer that was not set up.
        Arc::pin_init(
            pin_init!(Self {
                // INVARIANT: Set up here, and pinned.
                inner <- Opaque::ffi_init(|timer| {
                    // SAFETY: The pointer is valid for writes; the callback is of the type asked for.
                    unsafe {
                        bindings::hrtimer_setup(
                            timer,
                            Some(Self::callback),
                            bindings::CLOCK_BOOTTIME as bindings::clockid_t,
                            bindings::hrtimer_mode_HRTIMER_MODE_ABS_SOFT,
                        );
                    }
                }),
                target,
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Lets it expire at `at_ns` of the clock of `clock.rs`, or as soon as possible if that has passed; a running
    /// timer is moved. Context: any but hard interrupt.
    pub(crate) fn start(&self, at_ns: u64) {
        let at = i64::try_from(at_ns).unwrap_or(i64::MAX);
        // SAFETY: The timer was set up, by the type invariant.
        unsafe {
            bindings::hrtimer_start_range_ns(
                self.inner.get(),
                at,
                0,
                bindings::hrtimer_mode_HRTIMER_MODE_ABS_SOFT,
            );
        }
    }

    /// # Safety
    ///
    /// Called by the hrtimer code with the `inner` of a living `Timer<T>`.
    unsafe extern "C" fn callback(inner: *mut bindings::hrtimer) -> bindings::hrtimer_restart {
        // SAFETY: `inner` is a field of a `Timer<T>`, which lives until `drop` has cancelled it, and cancelling
        // waits for this function to end.
        let timer = unsafe { &*kernel::container_of!(Opaque::cast_from(inner), Self, inner) };
        timer.target.expire(timer);
        bindings::hrtimer_restart_HRTIMER_NORESTART
    }
}

#[pinned_drop]
impl<T: Expire> PinnedDrop for Timer<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: The timer was set up, by the type invariant. This waits for a running callback; `drop` is
        // never called from the callback, which only borrows the timer, but in process context: whoever
        // keeps a reference sees to that.
        unsafe { bindings::hrtimer_cancel(self.inner.get()) };
    }
}
