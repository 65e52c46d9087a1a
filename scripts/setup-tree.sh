#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Make the Debian 13 root tree: the tool chain with which Debian built its
# backports kernels, so that a module built in it fits them.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-apt.sh"

# Each line has its reason; gcc-14 and rustc are the compilers that Debian's
# kernel configuration names.
packages=(
	gcc-14 make rustc rust-src bindgen libclang-dev # to compile C and Rust
	rustfmt                                         # bindgen formats with it
	flex bison bc perl-base python3-minimal         # to make a kernel tree
	libelf-dev libssl-dev zlib1g-dev                # objtool, sign-file
	dwarves kmod cpio rsync                         # BTF, modinfo, headers
	xz-utils zstd                                   # unpacking
	cargo rust-clippy libc6-dev                     # userspace, where the host has no Rust
	ca-certificates                                 # cargo's registry
	clang                                           # KASAN with Rust (debug kernel) needs it
)

make_tree() {
	debian_tree tree "$1" "${packages[@]}"
}

need_root "make setup"
step "$NLB_TREE" "$NLB_SUITE ${packages[*]}" \
	"Debian 13 tree with gcc, rustc and bindgen (2 GB)" make_tree
