#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Make the tree against which a Rust module for an unmodified Debian kernel
# (NLB_KERNEL, see kernel-release.sh) can be built. In the cache, besides what
# fetch-kernel.sh puts there:
#   kernels/RELEASE/build     what modules are built against (O= of the sources)
# Prints the release.
#
# Debian's header packages lack the Rust metadata; lib-metadata.sh makes it.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-apt.sh"
. "$(dirname "$0")/lib-metadata.sh"

# kernel_make BUILD ARG…: make in a build directory that is shown to it under
# its final name, since kbuild records names.
kernel_make() {
	local build=$1
	shift
	logged "$NLB_CACHE/log/$release-$1.log" clean_run -B "$build:$kernel/build" \
		make --no-print-directory -j"$(nproc)" -C "$source" O="$kernel/build" \
		CC="$(kernel_compiler)" "${metadata_make[@]}" "$@"
}

make_build() {
	mkdir "$1"
	make_metadata "$1"
}

enter_tree "$@"
release=$("$NLB_ROOT/scripts/kernel-release.sh")
case $release in *-debug) exec "$NLB_ROOT/scripts/setup-debug-kernel.sh" ;; esac
NLB_KERNEL=$release "$NLB_ROOT/scripts/fetch-kernel.sh" >/dev/null
kernel=$NLB_CACHE/kernels/$release
headers=$kernel/headers
source=$NLB_CACHE/kernels/source-$(<"$kernel/headers/version")

# The recipes are numbers, to be raised when a function above changes what it makes.
ln -sfn "$source" "$kernel/source"
step "$kernel/build" "4" "$release: Rust metadata (a minute)" make_build
printf '%s\n' "$release"
