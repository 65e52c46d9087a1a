// SPDX-License-Identifier: GPL-2.0-only

//! How many clusters each user has in network namespaces that are not the initial user namespace's.
//!
//! The kernel's own counts per user (`struct ucounts`) have a fixed list of what is counted, and `inc_ucount()` is exported
//! to one module of the kernel alone, so this module counts by itself. The kernel charges what is made in a user namespace
//! there and in each of its parents, and each of these has a limit of its own. Here the limit is the same everywhere. What
//! was charged to an inner user namespace was charged to the outermost one as well, so the count there reaches the limit
//! first, and is the only one that has to be kept. It belongs to the user that made the outermost user namespace: that user
//! cannot escape it by nesting namespaces, nor by the other user ids that are mapped into them.
//!
//! *Context*: process. *Locking*: the mutex is taken last, under the RTNL and the registry's mutex.

use crate::kapi::param;
use crate::kapi::user::User;
use crate::kapi::vector::Grow;
use crate::nlb_core::limits::USER_CLUSTERS_MAX;
use kernel::alloc::AllocError;
use kernel::prelude::*;
use kernel::sync::{Arc, Mutex};

/// A user that has clusters.
struct Count {
    user: User,
    clusters: u32,
}

/// The counts of all users.
#[pin_data]
pub(crate) struct Quotas {
    #[pin]
    counts: Mutex<KVec<Count>>,
}

/// Why a user gets no cluster.
pub(crate) enum Denied {
    /// It has as many as it may have.
    Limit,
    /// There is no memory.
    Memory(Error),
}

impl Quotas {
    /// Nobody has a cluster. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new() -> Result<Arc<Self>> {
        const { assert!(param::USER_CLUSTERS_MAX == USER_CLUSTERS_MAX) };
        Arc::pin_init(
            pin_init!(Self {
                counts <- kernel::new_mutex!(KVec::new(), "nlb::Quotas"),
            }),
            GFP_KERNEL,
        )
    }

    /// Counts a cluster of a user, who may have `limit`. Context: process. Errors: as denied; nothing is counted then.
    pub(crate) fn charge(
        self: &Arc<Self>,
        user: User,
        limit: u32,
    ) -> core::result::Result<Charge, Denied> {
        let mut counts = self.counts.lock();
        let place = match counts.iter().position(|count| count.user == user) {
            Some(place) => place,
            None => {
                let none = Count { user, clusters: 0 };
                let full = |error: AllocError| Denied::Memory(error.into());
                counts.append(none, GFP_KERNEL).map_err(full)?;
                counts.len().saturating_sub(1)
            }
        };
        let Some(count) = counts.get_mut(place) else {
            return Err(Denied::Memory(ENOMEM));
        };
        if count.clusters < limit {
            count.clusters = count.clusters.saturating_add(1);
            return Ok(Charge {
                quotas: self.clone(),
                user,
            });
        }
        if count.clusters == 0 {
            let _ = counts.remove(place);
        }
        Err(Denied::Limit)
    }
}

/// A cluster that is counted, until this is dropped. Context of `drop`: process.
pub(crate) struct Charge {
    quotas: Arc<Quotas>,
    user: User,
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut counts = self.quotas.counts.lock();
        let Some(place) = counts.iter().position(|count| count.user == self.user) else {
            return;
        };
        let Some(count) = counts.get_mut(place) else {
            return;
        };
        count.clusters = count.clusters.saturating_sub(1);
        if count.clusters == 0 {
            let _ = counts.remove(place);
        }
    }
}
