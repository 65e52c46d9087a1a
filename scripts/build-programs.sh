#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Build the programs that guests and their client run: nlbadm, nlbd, and tt, the
# test tool. Programs of the same sources are built once for all checkouts that share
# a cache. Prints the directory that they are in.

. "$(dirname "$0")/lib.sh"

# build DEST
build() {
	"$NLB_ROOT/scripts/cargo.sh" build --quiet --profile guest --locked \
		--manifest-path "$NLB_ROOT/userspace/Cargo.toml" -p nlb-testtool -p nlbadm -p nlbd
	mkdir "$1"
	cp "$NLB_ROOT/userspace/target/guest"/{nlbadm,nlbd,tt} "$1/"
}

enter_tree "$@"
kept=$NLB_CACHE/built/programs-$(sources_hash userspace module/core module/specs)
step "$kept" "3 $(rustc --version)" "programs nlbadm, nlbd and tt" build
touch "$kept.done"
prune "$NLB_CACHE/built" "$KEEP_BUILDS"
printf '%s\n' "$kept"
