// SPDX-License-Identifier: GPL-2.0-only

//! The kernel-facing layer: safe wrappers of what the `kernel` crate lacks.
//!
//! All `unsafe` of the module is in this directory. Each file wraps one noun of the kernel and is shaped as if
//! it were to go upstream; nothing here knows what a cluster is. The bindings come from the module's own
//! bindgen run over `bindings_helper.h`; the helpers in C stand in for macros and inline functions.

pub(crate) mod address;
pub(crate) mod address_device;
pub(crate) mod array;
pub(crate) mod bh_lock;
pub(crate) mod clock;
pub(crate) mod conntrack;
pub(crate) mod device_hooks;
pub(crate) mod device_notifier;
pub(crate) mod errand;
pub(crate) mod fork_notifier;
pub(crate) mod genetlink;
pub(crate) mod hmac;
pub(crate) mod hrtimer;
pub(crate) mod inet;
pub(crate) mod log;
pub(crate) mod memcg;
pub(crate) mod module;
pub(crate) mod netdevice;
pub(crate) mod netfilter;
pub(crate) mod netlink;
pub(crate) mod once;
pub(crate) mod param;
pub(crate) mod percpu;
pub(crate) mod pernet;
pub(crate) mod pm_notifier;
pub(crate) mod random;
pub(crate) mod rcu;
pub(crate) mod skb;
pub(crate) mod user;
pub(crate) mod vector;
pub(crate) mod work;

/// What bindgen made of the kernel's headers. Nothing outside this directory may use it.
#[allow(
    clippy::all,
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    non_snake_case,
    improper_ctypes,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    dead_code,
    unknown_lints,
    unnecessary_transmutes,
    clippy::undocumented_unsafe_blocks,
    clippy::as_underscore,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::cast_lossless
)]
mod bindings {
    type __kernel_size_t = usize;
    type __kernel_ssize_t = isize;
    type __kernel_ptrdiff_t = isize;

    include!(concat!(
        env!("NLB_OBJ"),
        "/module/kapi/bindings_generated.rs"
    ));
}
