#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Build the XDP program that benches compare with, by the Debian 13 tree's
# clang, into build/xdp.o. Prints its path.

. "$(dirname "$0")/lib.sh"

enter_tree "$@"
source=$NLB_ROOT/qemu-tests/bench/xdp.c
target=$NLB_ROOT/build/xdp.o
mkdir -p "$NLB_ROOT/build"
if [ ! -e "$target" ] || [ "$source" -nt "$target" ]; then
	clang -O2 -Wall -Werror -target bpf -I/usr/include/x86_64-linux-gnu \
		-c "$source" -o "$target.tmp"
	mv "$target.tmp" "$target"
fi
printf '%s\n' "$target"
