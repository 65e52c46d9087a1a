#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# prepare.sh WHAT: set up and build what a run of guests needs, and nothing else.
#   segment   guests without nlb
#   lab       the demo and the lab: nlb.ko, nlbadm, the test tool
#   tests     scenarios: also nlbd, the generator of packets, an empty hook, what
#             refuses calls, and the table of golden packets
# Prints lines "NAME PATH": "release RELEASE", and the files that guests get, by
# their names there. What is done already costs a second. On a host where
# nothing is, it takes about three minutes on two processors.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/stages.sh"

what=${1:-}
case $what in segment | lab | tests) ;; *) die "usage: prepare.sh segment|lab|tests" ;; esac

tree() {
	stage tree scripts/setup-tree.sh
}

# Neither needs the tree, and dpkg unpacks it on one processor.
downloads() {
	stage kernel scripts/fetch-kernel.sh
	stage userland scripts/setup-userland.sh
}

module() {
	stage metadata scripts/setup-kernel.sh
	stage module scripts/build-module.sh
}

programs() {
	stage programs scripts/build-programs.sh
	stage images scripts/setup-guest.sh
}

# What tests need in the kernel beside nlb.
TEST_MODULES="empty-hook gun hold netdev-events refuse"

test_modules() {
	local bench
	for bench in $TEST_MODULES; do
		stage "$bench" scripts/build-module.sh "qemu-tests/bench/$bench"
	done
}

# lean MODULE: a copy without debug information, which an emulated machine loads
# in a moment; symbols are still in it.
lean() {
	local to=${1%.ko}.lean
	if [ ! "$to" -nt "$1" ]; then
		scripts/enter.sh strip --strip-debug -o "$to.$$" "$1"
		mv -T -- "$to.$$" "$to"
	fi
	printf '%s\n' "$to"
}

# imports MODULE: a list of what it calls in the kernel.
imports() {
	local to=${1%.ko}.imports
	if [ ! "$to" -nt "$1" ]; then
		scripts/enter.sh nm --undefined-only --format=posix "$1" | cut -d ' ' -f 1 >"$to.$$"
		mv -T -- "$to.$$" "$to"
	fi
	printf '%s\n' "$to"
}

# golden_table: the golden packets, made anew.
golden_table() {
	mkdir -p build/test
	scripts/enter.sh python3 -B scripts/golden/table.py >build/test/golden.table
	printf '%s\n' "$NLB_ROOT/build/test/golden.table"
}

# netlink_tool RELEASE: the library of the kernel tree's own netlink tool, file by file.
netlink_tool() {
	local version file
	version=$(<"$NLB_CACHE/kernels/${1%-debug}/headers/version")
	for file in "$NLB_CACHE/kernels/source-$version/tools/net/ynl/pyynl/lib"/*.py; do
		printf 'ynl/lib/%s %s\n' "$(basename "$file")" "$file"
	done
}

cd "$NLB_ROOT"
scripts/check-machine.sh segments
plan=("host 15 host packages" "tree 60 Debian 13 tree" "kernel 20 stock kernel" "userland 25 guests' Debian")
if [ "$what" != segment ]; then
	plan+=("metadata 75 kernel's Rust metadata")
fi
plan+=("programs 75 nlbadm and tt" "images 15 guests' disks")
if [ "$what" != segment ]; then
	plan+=("module 45 nlb.ko")
fi
if [ "$what" = tests ]; then
	plan+=("empty-hook 5 empty hook" "gun 5 packet generator" "hold 5 holder of locks" \
		"netdev-events 5 counter of notifications" "refuse 5 refusal of calls" "daemon 60 nlbd")
fi
stages_plan "${plan[@]}"

stage host scripts/setup-host.sh
together tree downloads
# One kernel for all that follows, whatever the archive says in the meantime.
if [[ "${NLB_KERNEL:-}" != *debug ]]; then
	NLB_KERNEL=$(stage_output kernel)
	export NLB_KERNEL
fi
unset KDIR
if [ "$what" = segment ]; then
	programs
else
	together module programs
fi
if [ "$what" = tests ]; then
	test_modules
	stage daemon scripts/build-programs.sh daemon
fi

printf 'release %s\n' "$(stage_output images)"
printf 'bin/tt %s/tt\n' "$(stage_output programs)"
if [ "$what" = segment ]; then
	exit 0
fi
printf 'bin/nlbadm %s/nlbadm\n' "$(stage_output programs)"
printf 'nlb.ko %s\n' "$(lean "$(stage_output module)")"
if [ "$what" = tests ]; then
	printf 'bin/nlbd %s/nlbd\n' "$(stage_output daemon)"
	for bench in $TEST_MODULES; do
		file=$(stage_output "$bench")
		printf '%s %s\n' "$(basename "$file")" "$file"
	done
	printf 'nlb.imports %s\n' "$(imports "$(stage_output module)")"
	printf 'nlb.yaml %s\n' "$NLB_ROOT/module/specs/nlb.yaml"
	netlink_tool "$(stage_output images)"
	printf 'golden.table %s\n' "$(golden_table)"
fi
