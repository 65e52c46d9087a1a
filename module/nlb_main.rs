// SPDX-License-Identifier: GPL-2.0-only

//! nlb: network load balancing without a balancer.
use kernel::prelude::*;

mod kapi;
#[path = "core/src/lib.rs"]
mod nlb_core;

module! {
    type: NlbModule,
    name: "nlb",
    authors: ["nlb contributors"],
    description: "Network load balancing without a balancer",
    license: "GPL v2",
    alias: ["net-pf-16-proto-16-family-nlb"],
}

struct NlbModule;
impl kernel::Module for NlbModule {
    fn init(_m: &'static ThisModule) -> Result<Self> {
        Ok(NlbModule)
    }
}
