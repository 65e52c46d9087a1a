// SPDX-License-Identifier: GPL-2.0-only

//! The memory of first fragments, shared by all CPUs without a lock: each cell is one word.

use crate::kapi::once::Once;
use crate::kapi::vector::Grow;
use crate::nlb_core::fragments::Cells;
use crate::nlb_core::limits::FRAGMENT_CELLS;
use kernel::prelude::*;

/// The cells.
pub(crate) struct FragmentMemory(KVVec<Once<u64>>);

impl FragmentMemory {
    /// An empty memory. Context: process. Errors: `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let mut cells = KVVec::with_capacity(FRAGMENT_CELLS, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..FRAGMENT_CELLS {
            cells.append(Once::new(0), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(Self(cells))
    }
}

impl Cells for FragmentMemory {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn load(&self, index: usize) -> u64 {
        self.0.get(index).map_or(0, Once::load)
    }

    fn store(&self, index: usize, value: u64) {
        if let Some(cell) = self.0.get(index) {
            cell.store(value);
        }
    }
}
