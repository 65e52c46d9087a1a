#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# fetch-image.sh KERNEL: fetch the packages of an unmodified Debian kernel (named
# as in kernel-release.sh) and its modules, for guests that install them. In the cache:
#   kernels/RELEASE/debs
# Prints the directory.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-apt.sh"

fetch_image() {
	local names
	read -ra names < <(image_packages "$release" "$version")
	fetch_packages "$1" "$version" "${names[@]}"
}

release=$(NLB_KERNEL=${1:?which kernel?} "$NLB_ROOT/scripts/kernel-release.sh")
debs=$NLB_CACHE/kernels/$release/debs
if [ ! -e "$debs.done" ]; then
	exec 9>"$NLB_CACHE/apt.lock"
	flock 9
	version=$(package_version "linux-headers-$release")
	[ -n "$version" ] || die "the Debian archive no longer has $release: ask for its series ($(kernel_series "$release"))"
	flock -u 9
fi
step "$debs" "1" "$release: packages of the kernel" fetch_image
printf '%s\n' "$debs"
