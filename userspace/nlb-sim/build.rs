// SPDX-License-Identifier: GPL-2.0-only

//! Hands the name of the target on to `nlb-sim mutants`, which builds variants for it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Ok(target) = std::env::var("TARGET") {
        println!("cargo::rustc-env=NLB_SIM_TARGET={target}");
    }
}
