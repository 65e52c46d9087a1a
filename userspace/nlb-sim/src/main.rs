// SPDX-License-Identifier: GPL-2.0-only

//! The simulator of nlb's protocol: `run`, `mutants`, `model-check` and `bench-assign`.

fn main() {}
