#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# build-programs.sh [daemon]: build the programs that guests and their client run:
# nlbadm, and tt, the test tool; or nlbd, which the demo does without. Programs of
# the same sources are built once for all checkouts that share a cache. Prints the
# directory that they are in.

. "$(dirname "$0")/lib.sh"

# build DEST
build() {
	local program
	"$NLB_ROOT/scripts/cargo.sh" build --quiet --profile guest --locked \
		--manifest-path "$NLB_ROOT/userspace/Cargo.toml" "${packages[@]}"
	mkdir "$1"
	for program in "${programs[@]}"; do
		cp "$NLB_ROOT/userspace/target/guest/$program" "$1/"
	done
}

enter_tree "$@"
case ${1:-} in
'')
	kind=programs text="programs nlbadm and tt"
	packages=(-p nlb-testtool -p nlbadm) programs=(nlbadm tt)
	;;
daemon)
	kind=daemon text="program nlbd"
	packages=(-p nlbd) programs=(nlbd)
	;;
*) die "usage: build-programs.sh [daemon]" ;;
esac
kept=$NLB_CACHE/built/$kind-$(sources_hash userspace module/core module/specs)
step "$kept" "4 $(rustc --version)" "$text" build
touch "$kept.done"
prune "$NLB_CACHE/built" "$KEEP_BUILDS"
printf '%s\n' "$kept"
